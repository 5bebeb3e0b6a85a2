//! Elements of an axis selected by their order: extremes with their positions, medians, quantiles.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::normalize_axis;
use crate::tensor::Tensor;
use std::cmp::Ordering;

impl<T: Float> Tensor<T> {
    /// The position along `axis` of the element of rank `rank`, counted from 0 for the smallest. Equal elements rank in
    /// the order of their positions. If there is a NaN, the result is the position of the first one, whatever the rank.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([5.0, 1.0, 3.0]);
    /// assert_eq!(t.argrank(0, 1)?.item()?, 2);        // 3 is the median
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or has no element of that rank.
    pub fn argrank(&self, axis: isize, rank: usize) -> Result<Tensor<i64>> {
        const OP: &str = "argrank";
        let axis = normalize_axis(OP, axis, self.rank())?;
        let n = self.shape()[axis];
        if rank >= n {
            let detail = format!("there is no element of rank {rank} along axis {axis} of {}", self.shape());
            return Err(Error::argument(OP, detail));
        }
        let mut order: Vec<usize> = (0..self.rank()).filter(|&a| a != axis).collect();
        order.push(axis);
        let rows = self.permute(order)?.contiguous();
        let run = rows.as_slice().expect("contiguous");
        let shape = self.shape().reduced(&[axis], false);
        let mut out = Buffer::unspecified(shape.numel());
        parallel::chunks_mut(&mut out, parallel::rows(n, 8), n.saturating_mul(8), |first, piece| {
            let mut order: Vec<usize> = Vec::with_capacity(n);
            for (i, o) in piece.iter_mut().enumerate() {
                let row = &run[(first + i) * n..(first + i + 1) * n];
                *o = match row.iter().position(|v| v.is_nan()) {
                    Some(nan) => nan as i64,
                    None => {
                        order.clear();
                        order.extend(0..n);
                        let by = |&a: &usize, &b: &usize| {
                            row[a].partial_cmp(&row[b]).unwrap_or(Ordering::Equal).then(a.cmp(&b))
                        };
                        *order.select_nth_unstable_by(rank, by).1 as i64
                    }
                };
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }
}

impl<T: Float> Tensor<T> {
    fn at(&self, axis: isize, at: Tensor<i64>) -> Result<(Tensor<T>, Tensor<i64>)> {
        Ok((self.gather(axis, &at)?, at))
    }

    fn middle(&self, op: &'static str, axis: isize) -> Result<Tensor<i64>> {
        let n = self.shape()[normalize_axis(op, axis, self.rank())?];
        let Some(last) = n.checked_sub(1) else { return Err(nothing(op, axis, self)) };
        self.argrank(axis, last / 2).map_err(|e| e.in_op(op))?.unsqueeze(axis)
    }

    /// The largest element along `axis`, which is removed, and its position: the first among equals; NaN if there is
    /// one. This is `torch.max(x, dim)`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let (y, at) = Tensor::from([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]]).max_along(1)?;
    /// assert_eq!((y.to_vec(), at.to_vec()), (vec![3.0, 2.0], vec![1, 0]));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "max")]
    pub fn max_along(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        let (y, at) = self.max_along_keepdim(axis).map_err(|e| e.in_op("max_along"))?;
        Ok((y.squeeze(axis)?, at.squeeze(axis)?))
    }

    /// Like [`max_along`](Tensor::max_along), but keeps the axis with size 1.
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "max")]
    pub fn max_along_keepdim(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        self.at(axis, self.argmax_keepdim(axis).map_err(|e| e.in_op("max_along_keepdim"))?)
    }

    /// The smallest element along `axis`, which is removed, and its position, by the rules of
    /// [`max_along`](Tensor::max_along).
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "min")]
    pub fn min_along(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        let (y, at) = self.min_along_keepdim(axis).map_err(|e| e.in_op("min_along"))?;
        Ok((y.squeeze(axis)?, at.squeeze(axis)?))
    }

    /// Like [`min_along`](Tensor::min_along), but keeps the axis with size 1.
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "min")]
    pub fn min_along_keepdim(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        self.at(axis, self.argmin_keepdim(axis).map_err(|e| e.in_op("min_along_keepdim"))?)
    }

    /// The median along `axis`, which is removed, and its position. For an even number of elements it is the lower of
    /// the middle two; among equals, the one that a stable sort puts there. NaN if there is one.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let (y, at) = Tensor::from([5.0, 1.0, 4.0, 2.0]).median_along(0)?;
    /// assert_eq!((y.item()?, at.item()?), (2.0, 3));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "median")]
    pub fn median_along(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        let (y, at) = self.median_along_keepdim(axis).map_err(|e| e.in_op("median_along"))?;
        Ok((y.squeeze(axis)?, at.squeeze(axis)?))
    }

    /// Like [`median_along`](Tensor::median_along), but keeps the axis with size 1.
    ///
    /// # Errors
    /// If the axis is out of range or empty.
    #[doc(alias = "median")]
    pub fn median_along_keepdim(&self, axis: isize) -> Result<(Tensor<T>, Tensor<i64>)> {
        self.at(axis, self.middle("median_along_keepdim", axis)?)
    }

    /// The median of all elements, of shape `[]`, as [`median_along`](Tensor::median_along) defines it.
    ///
    /// # Errors
    /// If there is no element.
    pub fn median(&self) -> Result<Tensor<T>> {
        Ok(self.flatten(0)?.median_along(0).map_err(|e| e.in_op("median"))?.0)
    }

    /// The quantile `q` (from 0 to 1) along `axis`, which is removed: the element at rank q (n - 1), with linear
    /// interpolation between two ranks, which is the default of PyTorch and NumPy. NaN if there is one.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// assert_eq!(Tensor::from([4.0, 0.0, 1.0, 3.0]).quantile(0.5, 0)?.item()?, 2.0);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis is out of range or empty, or `q` is not from 0 to 1.
    #[doc(alias = "percentile")]
    pub fn quantile(&self, q: f64, axis: isize) -> Result<Tensor<T>> {
        self.between("quantile", q, axis)?.squeeze(axis)
    }

    /// Like [`quantile`](Tensor::quantile), but keeps the axis with size 1.
    ///
    /// # Errors
    /// Those of [`quantile`](Tensor::quantile).
    #[doc(alias = "quantile")]
    pub fn quantile_keepdim(&self, q: f64, axis: isize) -> Result<Tensor<T>> {
        self.between("quantile_keepdim", q, axis)
    }

    fn between(&self, op: &'static str, q: f64, axis: isize) -> Result<Tensor<T>> {
        let n = self.shape()[normalize_axis(op, axis, self.rank())?];
        if n == 0 {
            return Err(nothing(op, axis, self));
        }
        if !(0.0..=1.0).contains(&q) {
            return Err(Error::argument(op, format!("expected a quantile from 0 to 1, found {q}")));
        }
        let at = q * (n - 1) as f64;
        let (low, share) = (at.floor() as usize, at - at.floor());
        let ranked = |rank| self.gather(axis, &self.argrank(axis, rank)?.unsqueeze(axis)?);
        if share == 0.0 {
            return ranked(low); // without the next one, which may be infinite
        }
        ranked(low)?.scale(1.0 - share).add(ranked(low + 1)?.scale(share))
    }
}

fn nothing<T: Float>(op: &'static str, axis: isize, x: &Tensor<T>) -> Error {
    Error::shape(op, format!("axis {axis} of shape {} is empty; there has to be an element", x.shape()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    #[test]
    fn ranks_agree_with_sorting_in_every_layout() {
        let base = Tensor::<f64>::steps(0.0, 1.0, 42)
            .map(|v| (v * 1.7).sin().round() + 0.0)
            .reshape([2, 3, 7])
            .unwrap();
        for t in [
            base.clone(),
            base.permute([2, 0, 1]).unwrap(),
            base.slice(2, Slice::all().step(-2)).unwrap(),
            base.slice(1, 1..2).unwrap().expand([2, 5, 7]).unwrap(),
        ] {
            for axis in 0..3 {
                let n = t.shape()[axis];
                let mut order: Vec<usize> = (0..3).filter(|&a| a != axis).collect();
                order.push(axis);
                let rows = t.permute(&order).unwrap().to_vec();
                for rank in 0..n {
                    let at = t.argrank(axis as isize, rank).unwrap();
                    assert_eq!(*at.shape(), t.shape().reduced(&[axis], false)[..]);
                    for (row, at) in rows.chunks_exact(n).zip(at.to_vec()) {
                        let mut sorted: Vec<usize> = (0..n).collect();
                        sorted.sort_by(|&a, &b| row[a].total_cmp(&row[b])); // stable, and the data have no -0
                        assert_eq!(at, sorted[rank] as i64);
                    }
                }
                assert!(t.argrank(axis as isize, n).is_err());
            }
        }
    }

    #[test]
    fn nan_has_every_rank() {
        let t = Tensor::from([2.0, f64::NAN, 1.0, f64::NAN]);
        assert_eq!(t.argrank(0, 0).unwrap().item().unwrap(), 1);
        assert_eq!(Tensor::from([0.0, -0.0]).argrank(0, 0).unwrap().item().unwrap(), 0);
    }
}
