//! Elements by their rank among others: medians and quantiles.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::normalize_axis;
use crate::tensor::Tensor;
use std::cmp::Ordering;

impl<T: Float> Tensor<T> {
    /// The position along `axis` of the element of rank `rank`, counted from 0 for the smallest; equals rank
    /// in the order of their positions. Where there is a NaN, the first one's position whatever the rank.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    #[test]
    fn ranks_agree_with_sorting_in_every_layout() {
        let base = Tensor::<f64>::arange(0.0, 1.0, 42)
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
                        sorted.sort_by(|&a, &b| row[a].total_cmp(&row[b])); // stable, and there is no -0
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
