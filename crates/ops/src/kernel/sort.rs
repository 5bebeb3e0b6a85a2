//! Sorting along an axis. NaN counts as the largest, and equal elements keep their order. The order is total, so that
//! exactly one result is correct.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::normalize_axis;
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

/// The `k` smallest of distinct pairs, in no particular order, in one pass. Candidates are collected until there are
/// enough to discard most of them; from then on, a pair must be below the largest of those kept to become a candidate.
fn least(k: usize, pairs: impl Iterator<Item = (u64, usize)>, kept: &mut Vec<(u64, usize)>) {
    let room = (4 * k).max(256);
    let mut worst = (u64::MAX, usize::MAX);
    for pair in pairs {
        if pair < worst {
            kept.push(pair);
            if kept.len() == room {
                worst = *kept.select_nth_unstable(k - 1).1;
                kept.truncate(k);
            }
        }
    }
    if kept.len() > k {
        kept.select_nth_unstable(k - 1);
        kept.truncate(k);
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
        let cost = n * (n.ilog2() as usize + 1);
        parallel::chunks_mut(&mut out, parallel::rows(1, cost) * k, cost.div_ceil(k), |start, piece| {
            let mut order: Vec<(u64, usize)> = Vec::with_capacity(n);
            for (r, to) in piece.chunks_mut(k).enumerate() {
                let row = &x[(start / k + r) * n..][..n];
                order.clear();
                // No two pairs are equal, so an unstable sort gives the result of a stable one.
                let keys = row.iter().enumerate().map(|(i, &v)| (key(v, descending), i));
                if k < n {
                    least(k, keys, &mut order);
                } else {
                    order.extend(keys);
                }
                order.sort_unstable();
                for (to, &(_, i)) in to.iter_mut().zip(&order) {
                    *to = i as i64;
                }
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
