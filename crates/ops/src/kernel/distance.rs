//! Distances between all points of two sets, and the adjoint of the Euclidean distances, without storing the
//! differences. They are computed from sums of squared differences, not from differences of products, which would lose
//! accuracy for near points among distant ones.
//!
//! Points of the second set are copied to tiles, one coordinate of each point after the other, and the distances from a point
//! to all points of a tile are computed as vectors. Euclidean distances of many coordinates are computed pair by pair.

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::kernel::fold;
use crate::parallel;
use crate::shape::{Shape, broadcast_shapes};
use crate::simd;
use crate::tensor::Tensor;

/// The number of points in a tile.
const WIDTH: usize = 64;
/// The number of partial sums of squared differences.
const LANES: usize = 16;
/// The smallest number of points of the first set in a task, for which its tiles are copied.
const ROWS: usize = 16;

type Line<T> = [T; WIDTH];

/// The distances from some points to all points of a set.
struct Rows<'a, T> {
    a: &'a [T],
    b: &'a [T],
    d: usize,
    order: Order,
    out: &'a mut [T],
}

/// The orders that need no temporary memory for all differences.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    One,
    Two,
}

impl<T: Float> pulp::NullaryFnOnce for Rows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Rows { a, b, d, order, out } = self;
        let m = b.len() / d;
        if order == Order::Two && d >= LANES {
            for (a, out) in a.chunks_exact(d).zip(out.chunks_exact_mut(m)) {
                out.iter_mut().zip(b.chunks_exact(d)).for_each(|(o, b)| *o = squared(a, b).sqrt());
            }
            return;
        }
        let mut tile = vec![[T::ZERO; WIDTH]; d];
        for (t, points) in b.chunks(WIDTH * d).enumerate() {
            for (c, point) in points.chunks_exact(d).enumerate() {
                tile.iter_mut().zip(point).for_each(|(line, &v)| line[c] = v);
            }
            let (first, w) = (t * WIDTH, points.len() / d);
            for (a, out) in a.chunks_exact(d).zip(out.chunks_exact_mut(m)) {
                let distances = match order {
                    Order::One if d <= 4 => taxicab::<T, 4>(a, &tile, w),
                    Order::One => taxicab::<T, { fold::LANES }>(a, &tile, w),
                    Order::Two => euclidean(a, &tile, w),
                };
                out[first..first + w].copy_from_slice(&distances[..w]);
            }
        }
    }
}

/// Adds `term` of each coordinate's differences to the first `w` columns of a lane, of which there are `L`. The width is a
/// variable, since the compiler does not make vectors of loops that it unrolls.
#[inline(always)]
fn add<T: Float, const L: usize>(
    acc: &mut [Line<T>; L],
    a: &[T],
    tile: &[Line<T>],
    w: usize,
    term: impl Fn(T) -> T,
) {
    for (a, tile) in a.chunks(L).zip(tile.chunks(L)) {
        for ((acc, &a), line) in acc.iter_mut().zip(a).zip(tile) {
            for (sum, &b) in acc[..w].iter_mut().zip(&line[..w]) {
                *sum += term(a - b);
            }
        }
    }
}

#[inline(always)]
fn add_line<T: Float>(to: &mut Line<T>, line: &Line<T>, w: usize) {
    for (to, &v) in to[..w].iter_mut().zip(&line[..w]) {
        *to += v;
    }
}

/// √Σ (a - b)² for points of few coordinates.
#[inline(always)]
fn euclidean<T: Float>(a: &[T], tile: &[Line<T>], w: usize) -> Line<T> {
    let mut sum = [[T::ZERO; WIDTH]];
    add(&mut sum, a, tile, w, |v| v * v);
    let [mut sum] = sum;
    sum[..w].iter_mut().for_each(|v| *v = v.sqrt());
    sum
}

/// Σ (a - b)² of two points of many coordinates.
#[inline(always)]
fn squared<T: Float>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            let d = a[l] - b[l];
            lanes[l] += d * d;
        }
    }
    let mut tail = T::ZERO;
    for (&a, &b) in a_tail.iter().zip(b_tail) {
        let d = a - b;
        tail += d * d;
    }
    lanes.into_iter().sum::<T>() + tail
}

/// Σ |a - b|, in the lanes and by the tree of [`lanes`](fold::lanes).
#[inline(always)]
fn taxicab<T: Float, const L: usize>(a: &[T], tile: &[Line<T>], w: usize) -> Line<T> {
    let mut acc = [[T::ZERO; WIDTH]; L];
    add(&mut acc, a, tile, w, |v| v.abs());
    let mut width = a.len().min(L).next_power_of_two();
    while width > 1 {
        width /= 2;
        let (low, high) = acc.split_at_mut(width);
        low.iter_mut().zip(&*high).for_each(|(a, b)| add_line(a, b, w));
    }
    acc[0]
}

/// The cotangent of one point: Σ g (a - b) / y over all points of a set, without the terms where y is 0, or Σ g sign(a - b)
/// for the order 1.
struct AdjointRow<'a, T> {
    order: Order,
    a: &'a [T],
    b: &'a [T],
    y: &'a [T],
    g: &'a [T],
    out: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for AdjointRow<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let AdjointRow { order, a, b, y, g, out } = self;
        out.fill(T::ZERO);
        if order == Order::One {
            for (b, &g) in b.chunks_exact(a.len()).zip(g) {
                for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    let d = a - b;
                    let size = d.abs();
                    *o += if size > T::ZERO { if d > T::ZERO { g } else { -g } } else { g * size };
                }
            }
            return;
        }
        for ((b, &y), &g) in b.chunks_exact(a.len()).zip(y).zip(g) {
            let c = if y == T::ZERO { T::ZERO } else { g / y };
            for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
                *o += c * (a - b);
            }
        }
    }
}

/// Two sets of points over common leading axes, contiguous.
struct Points<T: Float> {
    a: Tensor<T>,
    b: Tensor<T>,
    batch: Shape,
    /// The number of points in each set, and of coordinates.
    sizes: [usize; 3],
}

impl<T: Float> Points<T> {
    fn new(a: &Tensor<T>, b: &Tensor<T>) -> Result<Self> {
        const OP: &str = "cdist";
        let (&[ref la @ .., n, d], &[ref lb @ .., m, e]) = (&a.shape()[..], &b.shape()[..]) else {
            let detail =
                format!("expected points [.., n, d] and [.., m, d], found {} and {}", a.shape(), b.shape());
            return Err(Error::shape(OP, detail));
        };
        if d != e {
            let detail =
                format!("points of {} have {d} coordinates, points of {} have {e}", a.shape(), b.shape());
            return Err(Error::shape(OP, detail));
        }
        let batch = broadcast_shapes(OP, &Shape::from(la), &Shape::from(lb))?;
        let with = |axes: [usize; 2]| -> Result<Shape> {
            let shape: Shape = batch.iter().copied().chain(axes).collect();
            match shape.checked_numel() {
                Some(_) => Ok(shape),
                None => {
                    Err(Error::new(OP, ErrorKind::Overflow, format!("shape {shape} has too many elements")))
                }
            }
        };
        with([n, m])?;
        let (a, b) = (a.expand(with([n, d])?)?.contiguous(), b.expand(with([m, d])?)?.contiguous());
        Ok(Points { a, b, batch, sizes: [n, m, d] })
    }

    fn shape(&self, axes: [usize; 2]) -> Shape {
        self.batch.iter().copied().chain(axes).collect()
    }
}

impl<T: Float> Tensor<T> {
    /// The distances of order `p` between points `[.., n, d]` (this tensor) and `[.., m, d]`, as `[.., n, m]`; leading
    /// axes broadcast. They are norms of differences, accurate for near points. Orders other than 1 and 2 need temporary
    /// memory for n m d numbers.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let (a, b) = (Tensor::from([[0.0, 0.0]]), Tensor::from([[3.0, 4.0], [0.0, 1.0]]));
    /// assert_eq!(a.cdist(&b, 2.0)?, Tensor::from([[5.0, 1.0]]));
    /// assert_eq!(a.cdist(&b, 1.0)?, Tensor::from([[7.0, 1.0]]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes are not consistent, or the order is negative or not a number.
    pub fn cdist(&self, o: &Tensor<T>, p: f64) -> Result<Tensor<T>> {
        if p.is_nan() || p < 0.0 {
            return Err(Error::argument("cdist", format!("expected an order of at least 0, found {p}")));
        }
        let points = Points::new(self, o)?;
        let [n, m, d] = points.sizes;
        let shape = points.shape([n, m]);
        if d == 0 {
            return Tensor::try_full(shape, T::ZERO);
        }
        let order = match p {
            1.0 if d <= fold::BLOCK => Order::One,
            2.0 => Order::Two,
            _ => {
                let difference = points.a.unsqueeze(-2)?.sub(points.b.unsqueeze(-3)?);
                return difference.and_then(|d| d.norm_p(p, -1)).map_err(|e| e.in_op("cdist"));
            }
        };
        let (a, b) = (points.a.as_slice().expect("contiguous"), points.b.as_slice().expect("contiguous"));
        let mut out = Buffer::unspecified(shape.numel());
        let cost = d.div_ceil(8);
        let rows = parallel::rows(m, cost).max(ROWS).min(n.max(1));
        // Tasks of points of one set, the last of which is shorter.
        let tasks = if out.is_empty() { Vec::new() } else { out.chunks_mut(n * m).enumerate().collect() };
        let mut pieces = Vec::new();
        for (set, out) in tasks {
            for (k, out) in out.chunks_mut(rows * m).enumerate() {
                let first = set * n + k * rows;
                let a = &a[first * d..][..out.len() / m * d];
                pieces.push(Rows { a, b: &b[set * m * d..][..m * d], d, order, out });
            }
        }
        parallel::each_if_worth(pieces, shape.numel().saturating_mul(cost), simd::dispatch);
        Ok(Tensor::from_buffer(out, shape))
    }

    /// The cotangent of this tensor's points from the cotangent `g` of the distances `y` of order `p`, 1 or 2, to the points
    /// `o`, in the shape to which the leading axes broadcast. Pairs of equal points contribute 0, and for the order 1 so do
    /// equal coordinates.
    ///
    /// # Errors
    /// If the shapes are not consistent, or the order is another.
    pub fn cdist_adjoint(&self, o: &Tensor<T>, p: f64, y: &Tensor<T>, g: &Tensor<T>) -> Result<Tensor<T>> {
        let order = match p {
            1.0 => Order::One,
            2.0 => Order::Two,
            _ => {
                let detail = format!("expected an order of 1 or 2, found {p}");
                return Err(Error::argument("cdist_adjoint", detail));
            }
        };
        let points = Points::new(self, o)?;
        let [n, m, d] = points.sizes;
        let distances = points.shape([n, m]);
        let (y, g) = (y.expand(&distances)?.contiguous(), g.expand(&distances)?.contiguous());
        let (y, g) = (y.as_slice().expect("contiguous"), g.as_slice().expect("contiguous"));
        let (a, b) = (points.a.as_slice().expect("contiguous"), points.b.as_slice().expect("contiguous"));
        let shape = points.shape([n, d]);
        let mut out = Buffer::unspecified(shape.numel());
        let cost = m.div_ceil(4);
        parallel::chunks_mut(&mut out, parallel::rows(d, cost) * d, cost, |start, piece| {
            for (i, out) in piece.chunks_exact_mut(d).enumerate() {
                let row = start / d + i;
                let set = row / n * m * d;
                let (a, b) = (&a[row * d..][..d], &b[set..set + m * d]);
                simd::dispatch(AdjointRow { order, a, b, y: &y[row * m..][..m], g: &g[row * m..][..m], out });
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;
    use crate::random::{Key, uniform};

    #[test]
    fn distances_and_cotangents_agree_with_loops_in_every_layout() {
        let values = |shape: &[usize], seed| uniform(shape, -1.0, 1.0, Key { seed, stream: 0 }).unwrap();
        for (n, m, d) in [(0, 2, 3), (2, 0, 3), (2, 3, 0), (1, 1, 1), (3, 4, 2), (5, 2, 16), (2, 3, 37)] {
            let a = values(&[2, d, n], 1).transpose(1, 2).unwrap();
            let b = values(&[2 * m, d], 2).slice(0, Slice::all().step(2)).unwrap();
            let y: Tensor<f64> = a.cdist(&b, 2.0).unwrap();
            let g = values(&[2, m, n], 3).transpose(1, 2).unwrap();
            let ga = a.cdist_adjoint(&b, 2.0, &y, &g).unwrap();
            assert_eq!((y.shape().to_vec(), ga.shape().to_vec()), (vec![2, n, m], vec![2, n, d]));
            for (s, i) in (0..2).flat_map(|s| (0..n).map(move |i| (s, i))) {
                let gap = |j: usize, k: usize| a.get(&[s, i, k]).unwrap() - b.get(&[j, k]).unwrap();
                for j in 0..m {
                    let want = (0..d).map(|k| gap(j, k).powi(2)).sum::<f64>().sqrt();
                    assert!((y.get(&[s, i, j]).unwrap() - want).abs() < 1e-14);
                }
                for k in 0..d {
                    let each = |j: usize| g.get(&[s, i, j]).unwrap() * gap(j, k) / y.get(&[s, i, j]).unwrap();
                    let want: f64 = (0..m).map(each).sum();
                    assert!((ga.get(&[s, i, k]).unwrap() - want).abs() < 1e-13);
                }
            }
        }
        assert!(values(&[2, 3], 1).cdist(&values(&[2, 4], 1), 2.0).is_err());
        assert!(values(&[2, 3], 1).cdist(&values(&[2, 3], 1), -1.0).is_err());
        assert!(values(&[3], 1).cdist(&values(&[2, 3], 1), 2.0).is_err());
    }

    /// The sums that one pair of points had: 16 lanes added one after another, and the rest in a chain.
    fn of_pair<T: Float>(a: &[T], b: &[T]) -> T {
        let gaps: Vec<T> = a.iter().zip(b).map(|(&a, &b)| (a - b) * (a - b)).collect();
        let (whole, rest) = gaps.as_chunks::<LANES>();
        let lane = |l: usize| whole.iter().fold(T::ZERO, |s, c| s + c[l]);
        let lanes = (0..LANES).fold(T::ZERO, |s, l| s + lane(l));
        (lanes + rest.iter().fold(T::ZERO, |s, &v| s + v)).sqrt()
    }

    fn tiles_agree<T: Float>() {
        let wave = |n: usize, by: f64| Tensor::<T>::steps(0.1, by, n).map(|v| v.sin());
        let bits = |t: &Tensor<T>| t.to_vec().iter().map(|v| v.to_f64().to_bits()).collect::<Vec<_>>();
        for (n, m, d) in [(1, 1, 1), (3, 31, 2), (17, 33, 15), (5, 64, 16), (70, 97, 37), (2, 100, 300)] {
            let mut a = wave(2 * n * d, 0.7).reshape([2, n, d]).unwrap();
            let b = wave(2 * m * d, 1.3).reshape([2, d, m]).unwrap().transpose(1, 2).unwrap();
            if n > 1 {
                a.data_mut()[d / 2] = T::NAN;
                a.data_mut()[d] = T::INFINITY;
            }
            let g = wave(2 * n * m, 0.3).reshape([2, n, m]).unwrap();
            let [one, two] = [1.0, 2.0].map(|p| {
                let y = a.cdist(&b, p).unwrap();
                assert_eq!(bits(&y), bits(&parallel::in_small_pieces(3, || a.cdist(&b, p).unwrap())));
                y
            });
            let gap = a.unsqueeze(-2).unwrap().sub(b.unsqueeze(-3).unwrap()).unwrap();
            assert_eq!(bits(&one), bits(&gap.abs().sum_axes(-1).unwrap()));
            let (xs, os) = (a.to_vec(), b.to_vec());
            for (k, y) in two.to_vec().into_iter().enumerate() {
                let (i, j) = (k / m, k / (n * m) * m + k % m);
                let want = of_pair(&xs[i * d..][..d], &os[j * d..][..d]);
                assert_eq!(y.to_f64().to_bits(), want.to_f64().to_bits());
            }
            let back = a.cdist_adjoint(&b, 1.0, &one, &g).unwrap().to_vec();
            let (gaps, gs) = (gap.to_vec(), g.to_vec());
            for (k, v) in back.into_iter().enumerate().filter(|(k, _)| xs[*k].is_finite()) {
                let (i, c) = (k / d, k % d);
                let sign = |j: usize| match gaps[(i * m + j) * d + c].to_f64() {
                    0.0 => 0.0,
                    gap => gap.signum(),
                };
                let want: f64 = (0..m).map(|j| gs[i * m + j].to_f64() * sign(j)).sum();
                assert!((v.to_f64() - want).abs() < 1e-4, "{n} {m} {d}: {v:?} {want}");
            }
        }
    }

    #[test]
    fn tiles_have_the_bits_of_pairs() {
        tiles_agree::<f32>();
        tiles_agree::<f64>();
    }
}
