//! Sorting along an axis. NaN counts as the largest, and equal elements keep their order. The order is total, so that
//! exactly one result is correct.
//!
//! An element and its position are one integer, the position in its low half, so that integers are sorted. For the first
//! few, blocks are passed over in which no element is before the last of those found so far.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::normalize_axis;
use crate::simd;
use crate::tensor::Tensor;

/// An integer that sorts as the elements do: -∞ first, NaN last, both zeros equal; reversed with `descending`.
fn key<T: Float>(v: T, descending: bool) -> u64 {
    // Adding zero turns -0 into 0.
    let v = v.to_f64() + 0.0;
    let bits = v.to_bits();
    let ascending = if v.is_nan() {
        u64::MAX
    } else if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    };
    if descending { !ascending } else { ascending }
}

/// An element and its position as an integer. No two are equal, so an unstable sort gives the result of a stable one.
trait Entry: Ord + Copy + Send {
    fn new<T: Float>(v: T, descending: bool, i: usize) -> Self;
    fn position(self) -> i64;
}

impl Entry for u128 {
    #[inline(always)]
    fn new<T: Float>(v: T, descending: bool, i: usize) -> u128 {
        u128::from(key(v, descending)) << 64 | i as u128
    }
    fn position(self) -> i64 {
        self as i64
    }
}

/// For elements of single precision, of which only the 32 first bits of a key are needed, in rows of fewer than 2³².
impl Entry for u64 {
    #[inline(always)]
    fn new<T: Float>(v: T, descending: bool, i: usize) -> u64 {
        u64::from(short_key(v, descending)) << 32 | i as u64
    }
    fn position(self) -> i64 {
        i64::from(self as u32)
    }
}

/// [`key`] for an element of single precision.
#[inline(always)]
fn short_key<T: Float>(v: T, descending: bool) -> u32 {
    let v = v.to_f64() as f32 + 0.0;
    let bits = v.to_bits();
    let sign = (bits as i32 >> 31) as u32;
    let ascending = if v.is_nan() { u32::MAX } else { bits ^ (sign | 1 << 31) };
    if descending { !ascending } else { ascending }
}

/// Whether any element of a block is before `limit` or equal to it, in sorted order.
struct Reaches<'a, T> {
    block: &'a [T],
    limit: T,
    descending: bool,
}

impl<T: Float> pulp::NullaryFnOnce for Reaches<'_, T> {
    type Output = bool;
    #[inline(always)]
    fn call(self) -> bool {
        let Reaches { block, limit, descending } = self;
        // NaN is the largest: a limit that is NaN is reached by all in one direction, and by other NaNs in the other.
        match (descending, limit.is_nan()) {
            (false, true) => true,
            (false, false) => block.iter().fold(false, |any, &v| any | (v <= limit)),
            (true, true) => block.iter().fold(false, |any, &v| any | v.is_nan()),
            (true, false) => block.iter().fold(false, |any, &v| any | v.is_nan() | (v >= limit)),
        }
    }
}

/// The entries of the `k` first elements of a row in sorted order, in no particular order. Candidates are collected until
/// there are enough to discard most of them; from then on, an entry must be below the largest of those kept to become one.
fn least<T: Float, E: Entry>(k: usize, row: &[T], descending: bool, kept: &mut Vec<E>) {
    const BLOCK: usize = 64;
    let room = (4 * k).max(32);
    let mut worst: Option<E> = None;
    for (b, block) in row.chunks(BLOCK).enumerate() {
        if let Some(w) = worst
            && !simd::dispatch(Reaches { block, limit: row[w.position() as usize], descending })
        {
            continue;
        }
        for (i, &v) in block.iter().enumerate() {
            let entry = E::new(v, descending, b * BLOCK + i);
            if worst.is_none_or(|w| entry < w) {
                kept.push(entry);
                if kept.len() == room {
                    worst = Some(*kept.select_nth_unstable(k - 1).1);
                    kept.truncate(k);
                }
            }
        }
    }
    if kept.len() > k {
        kept.select_nth_unstable(k - 1);
        kept.truncate(k);
    }
}

/// Writes the positions of the `k` first elements of each row of `n` in sorted order.
fn first<T: Float, E: Entry>(x: &[T], n: usize, k: usize, descending: bool, out: &mut [i64]) {
    let mut order: Vec<E> = Vec::with_capacity(n);
    for (row, to) in x.chunks_exact(n).zip(out.chunks_exact_mut(k)) {
        order.clear();
        if k < n {
            least(k, row, descending, &mut order);
        } else {
            order.extend(row.iter().enumerate().map(|(i, &v)| E::new(v, descending, i)));
        }
        order.sort_unstable();
        for (to, entry) in to.iter_mut().zip(&order) {
            *to = entry.position();
        }
    }
}

impl<T: Float> Tensor<T> {
    /// For each position along `axis`, the position of the element that sorting moves there. Equal elements keep their
    /// order, in either direction; NaN counts as the largest.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([3.0, 1.0, f64::NAN, 1.0]);
    /// assert_eq!(t.argsort(0, false)?.to_vec(), [1, 3, 0, 2]);
    /// assert_eq!(t.argsort(0, true)?.to_vec(), [2, 0, 1, 3]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range.
    pub fn argsort(&self, axis: isize, descending: bool) -> Result<Tensor<i64>> {
        let a = normalize_axis("argsort", axis, self.rank())?;
        self.first_sorted(a, self.shape()[a], descending)
    }

    /// The positions along `axis` of the `k` largest elements, largest first, or of the `k` smallest, smallest first.
    /// The first among equals are taken; NaN counts as the largest.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([3.0, 1.0, 3.0, 2.0]);
    /// assert_eq!(t.argtopk(0, 3, true)?.to_vec(), [0, 2, 3]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or has fewer than `k` elements.
    pub fn argtopk(&self, axis: isize, k: usize, largest: bool) -> Result<Tensor<i64>> {
        let a = normalize_axis("argtopk", axis, self.rank())?;
        if k > self.shape()[a] {
            let detail =
                format!("expected at most {} elements along axis {a}, found k = {k}", self.shape()[a]);
            return Err(Error::argument("argtopk", detail));
        }
        self.first_sorted(a, k, largest)
    }

    /// The elements in sorted order along `axis`, and their positions there, in the order of
    /// [`argsort`](Tensor::argsort).
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let (y, at) = Tensor::from([3.0, 1.0, 2.0]).sort(0, true)?;
    /// assert_eq!((y.to_vec(), at.to_vec()), (vec![3.0, 2.0, 1.0], vec![0, 2, 1]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range.
    #[doc(alias = "msort")]
    pub fn sort(&self, axis: isize, descending: bool) -> Result<(Tensor<T>, Tensor<i64>)> {
        let at = self.argsort(axis, descending).map_err(|e| e.in_op("sort"))?;
        Ok((self.gather(axis, &at)?, at))
    }

    /// The `k` largest elements along `axis`, largest first, or the `k` smallest, smallest first, and their positions,
    /// in the order of [`argtopk`](Tensor::argtopk).
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let (y, at) = Tensor::from([3.0, 1.0, 3.0, 2.0]).topk(0, 2, true)?;
    /// assert_eq!((y.to_vec(), at.to_vec()), (vec![3.0, 3.0], vec![0, 2]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or has fewer than `k` elements.
    pub fn topk(&self, axis: isize, k: usize, largest: bool) -> Result<(Tensor<T>, Tensor<i64>)> {
        let at = self.argtopk(axis, k, largest).map_err(|e| e.in_op("topk"))?;
        Ok((self.gather(axis, &at)?, at))
    }

    /// The first `k` positions in sorted order along an axis.
    fn first_sorted(&self, axis: usize, k: usize, descending: bool) -> Result<Tensor<i64>> {
        let last = self.rank() as isize - 1;
        let rows = self.transpose(axis as isize, last)?.contiguous();
        let n = self.shape()[axis];
        let mut shape = rows.shape().clone();
        shape.dims_mut()[last as usize] = k;
        let mut out = Buffer::unspecified(shape.numel());
        if out.is_empty() {
            return Tensor::from_buffer(out, shape).transpose(axis as isize, last);
        }
        let x = rows.as_slice().unwrap_or_default();
        let cost = n * (k.ilog2() as usize + 2);
        parallel::chunks_mut(&mut out, parallel::rows(1, cost) * k, cost.div_ceil(k), |start, piece| {
            let x = &x[start / k * n..][..piece.len() / k * n];
            if size_of::<T>() == 4 && n <= u32::MAX as usize {
                first::<T, u64>(x, n, k, descending, piece);
            } else {
                first::<T, u128>(x, n, k, descending, piece);
            }
        });
        Ok(Tensor::from_buffer(out, shape).transpose(axis as isize, last)?.contiguous())
    }
}

#[cfg(test)]
mod tests {
    use crate::random::Rng;
    use crate::{Slice, Tensor};
    use std::cmp::Ordering;

    /// The standard library's stable sort.
    fn naive(row: &[f64], descending: bool) -> Vec<i64> {
        let compare = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
            (false, false) => a.partial_cmp(&b).unwrap(),
            (a, b) => a.cmp(&b),
        };
        let mut order: Vec<i64> = (0..row.len() as i64).collect();
        order.sort_by(|&i, &j| {
            let o: Ordering = compare(row[i as usize], row[j as usize]);
            if descending { o.reverse() } else { o }
        });
        order
    }

    #[test]
    fn every_layout_and_axis_agrees_with_a_stable_sort() {
        let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1.0, -1.0, 2.0, -f64::NAN];
        let pick = Tensor::<f64>::rand([3, 4, 5], &mut Rng::seed(1)).unwrap();
        let base = pick.map(|v| special[(v * 9.0) as usize % 9]);
        let views = [
            base.clone(),
            base.permute([2, 0, 1]).unwrap(),
            base.slice(1, Slice::all().step(-1)).unwrap(),
            base.slice(0, 0..1).unwrap().expand([3, 4, 5]).unwrap(),
            base.slice(2, 2..2).unwrap(),
        ];
        for (v, axis, descending) in
            views.iter().flat_map(|v| (0..3).flat_map(move |a| [(v, a, false), (v, a, true)]))
        {
            let got = v.argsort(axis, descending).unwrap();
            assert_eq!(got.shape(), v.shape());
            let last = |t: &Tensor<f64>| t.transpose(axis, 2).unwrap();
            let (rows, got) = (last(v).to_vec(), got.transpose(axis, 2).unwrap());
            let n = v.shape()[axis as usize];
            let want: Vec<i64> = rows.chunks(n.max(1)).flat_map(|r| naive(r, descending)).collect();
            assert_eq!(got.to_vec(), want);
            for k in 0..=n {
                let top = v.argtopk(axis, k, descending).unwrap().transpose(axis, 2).unwrap();
                let want: Vec<i64> = want.chunks(n.max(1)).flat_map(|r| r[..k].to_vec()).collect();
                assert_eq!(top.to_vec(), want);
            }
        }
    }

    #[test]
    fn the_first_few_of_long_rows_agree_with_a_stable_sort() {
        fn agree<T: crate::Float>() {
            let values: Vec<f64> = (0..3000u64).map(|i| (i * i * 7919 % 1013) as f64 - 500.0).collect();
            for n in [1, 31, 63, 64, 65, 127, 1024, 2999] {
                // Few and many NaNs, zeros of both signs, and runs of equal elements.
                for rare in [2.0, 90.0, 1e9] {
                    let row: Vec<f64> = values[..n]
                        .iter()
                        .map(|&v| {
                            if v % rare == 1.0 {
                                f64::NAN
                            } else if v.abs() < 40.0 {
                                v * 0.0
                            } else {
                                v
                            }
                        })
                        .collect();
                    let x: Vec<T> = row.iter().map(|&v| T::from_f64(v)).collect();
                    let t = Tensor::from(x);
                    for descending in [false, true] {
                        let want = naive(&row, descending);
                        assert_eq!(t.argsort(0, descending).unwrap().to_vec(), want);
                        for k in [1, 2, 5, 31, 64, 700].into_iter().filter(|&k| k <= n) {
                            assert_eq!(
                                t.argtopk(0, k, descending).unwrap().to_vec(),
                                want[..k],
                                "{k} of {n}"
                            );
                        }
                    }
                }
            }
        }
        agree::<f32>();
        agree::<f64>();
    }

    #[test]
    fn large_rows_are_spread_and_wrong_calls_refused() {
        let t = Tensor::<f32>::rand([64, 3000], &mut Rng::seed(2)).unwrap();
        let sorted = t.gather(1, &t.argsort(1, false).unwrap()).unwrap().to_vec();
        assert!(sorted.chunks(3000).all(|r| r.is_sorted()));
        let top = t.gather(1, &t.argtopk(1, 7, true).unwrap()).unwrap().to_vec();
        for (top, row) in top.chunks(7).zip(sorted.chunks(3000)) {
            assert!(top.iter().eq(row.iter().rev().take(7)));
        }
        assert!(t.argsort(2, true).is_err() && t.argtopk(1, 3001, true).is_err());
        assert!(Tensor::scalar(1.0).argsort(0, true).is_err());
    }
}
