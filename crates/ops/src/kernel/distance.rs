//! Distances between all points of two sets, and the adjoint of the Euclidean distances, without storing the
//! differences. They are computed from sums of squared differences, not from differences of products, which would lose
//! accuracy for near points among distant ones.

use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Shape, broadcast_shapes};
use crate::simd;
use crate::tensor::Tensor;

const LANES: usize = 16;

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

/// The distances from one point to all points of a set.
struct Row<'a, T> {
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for Row<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        for (o, b) in self.out.iter_mut().zip(self.b.chunks_exact(self.a.len())) {
            *o = squared(self.a, b).sqrt();
        }
    }
}

/// The cotangent of one point: Σ g (a - b) / y over all points of a set, without the terms where y is 0.
struct AdjointRow<'a, T> {
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
        let AdjointRow { a, b, y, g, out } = self;
        out.fill(T::ZERO);
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
    /// axes broadcast. They are norms of differences, accurate for near points. Orders other than 2 need temporary
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
        if p != 2.0 {
            let difference = points.a.unsqueeze(-2)?.sub(points.b.unsqueeze(-3)?);
            return difference.and_then(|d| d.norm_p(p, -1)).map_err(|e| e.in_op("cdist"));
        }
        let (a, b) = (points.a.as_slice().expect("contiguous"), points.b.as_slice().expect("contiguous"));
        let mut out = Buffer::unspecified(shape.numel());
        let cost = d.div_ceil(4);
        parallel::chunks_mut(&mut out, parallel::rows(m, cost) * m, cost, |start, piece| {
            for (i, out) in piece.chunks_exact_mut(m).enumerate() {
                let row = start / m + i;
                let set = row / n * m * d;
                simd::dispatch(Row { a: &a[row * d..][..d], b: &b[set..set + m * d], out });
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }

    /// The cotangent of this tensor's points from the cotangent `g` of the distances `y` to the points `o`, in the
    /// shape to which the leading axes broadcast. Pairs of equal points contribute 0.
    ///
    /// # Errors
    /// If the shapes are not consistent.
    pub fn cdist_adjoint(&self, o: &Tensor<T>, y: &Tensor<T>, g: &Tensor<T>) -> Result<Tensor<T>> {
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
                simd::dispatch(AdjointRow { a, b, y: &y[row * m..][..m], g: &g[row * m..][..m], out });
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
            let ga = a.cdist_adjoint(&b, &y, &g).unwrap();
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
}
