//! Reductions of masks.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::Result;
use crate::parallel;
use crate::shape::Axes;
use crate::tensor::Tensor;

/// Applies `f` to every group of a mask over the given axes.
fn groups<U: Element>(
    op: &'static str,
    mask: &Tensor<bool>,
    axes: &dyn Fn(usize) -> Result<smallvec::SmallVec<[usize; 4]>>,
    keepdim: bool,
    f: &(dyn Fn(&[bool]) -> U + Sync),
) -> Result<Tensor<U>> {
    let axes = axes(mask.rank()).map_err(|e| e.in_op(op))?;
    let order: Vec<usize> =
        (0..mask.rank()).filter(|a| !axes.contains(a)).chain(axes.iter().copied()).collect();
    let n: usize = axes.iter().map(|&a| mask.shape()[a]).product();
    let shape = mask.shape().reduced(&axes, keepdim);
    let dense = mask.permute(order)?.contiguous();
    let src = dense.as_slice().expect("contiguous");
    let mut out = Buffer::unspecified(shape.numel());
    parallel::chunks_mut(&mut out, parallel::rows(n, 1), n, |start, piece| {
        for (i, o) in piece.iter_mut().enumerate() {
            *o = f(&src[(start + i) * n..(start + i + 1) * n]);
        }
    });
    Ok(Tensor::from_buffer(out, shape))
}

impl Tensor<bool> {
    /// Whether any element over `axes` is true; false for an empty group.
    ///
    /// ```
    /// let m = wengert_ops::Tensor::from([[true, false], [false, false]]);
    /// assert_eq!(m.any(1, false)?.to_vec(), [true, false]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn any(&self, axes: impl Axes, keepdim: bool) -> Result<Tensor<bool>> {
        groups("any", self, &|rank| axes.resolve("any", rank), keepdim, &|g| g.contains(&true))
    }

    /// Whether every element over `axes` is true; true for an empty group.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn all(&self, axes: impl Axes, keepdim: bool) -> Result<Tensor<bool>> {
        groups("all", self, &|rank| axes.resolve("all", rank), keepdim, &|g| !g.contains(&false))
    }

    /// The number of true elements over `axes`.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    pub fn count_nonzero(&self, axes: impl Axes, keepdim: bool) -> Result<Tensor<i64>> {
        let count = |g: &[bool]| g.iter().filter(|&&v| v).count() as i64;
        groups("count_nonzero", self, &|rank| axes.resolve("count_nonzero", rank), keepdim, &count)
    }

    /// Whether any element of the tensor is true.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([1.0, -2.0]);
    /// assert!(t.lt(&0.0.into())?.any_true());
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    #[doc(alias = "any")]
    pub fn any_true(&self) -> bool {
        match self.as_slice() {
            Some(s) => s.contains(&true),
            None => self.to_vec().contains(&true),
        }
    }

    /// Whether all elements of the tensor are true.
    #[doc(alias = "all")]
    pub fn all_true(&self) -> bool {
        match self.as_slice() {
            Some(s) => !s.contains(&false),
            None => !self.to_vec().contains(&false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    #[test]
    fn masks_agree_with_loops_in_every_layout() {
        let values: Vec<bool> = (0..24).map(|i| i * 7 % 5 < 3 && i > 3).collect();
        let base = Tensor::from_vec(values, [2, 3, 4]).unwrap();
        for t in [
            base.clone(),
            base.permute([1, 2, 0]).unwrap(),
            base.slice(2, Slice::all().step(-2)).unwrap(),
            base.slice(0, 0..1).unwrap().expand([3, 3, 4]).unwrap(),
            base.slice(1, 0..0).unwrap(),
        ] {
            for mask in 0..8usize {
                let axes: Vec<usize> = (0..3).filter(|i| mask >> i & 1 == 1).collect();
                // The sum of zeros and ones is a count; an empty product is one.
                let ones = t.to_float::<f64>().sum_keepdim(&axes).unwrap();
                let n: usize = axes.iter().map(|&a| t.shape()[a]).product();
                let count = t.count_nonzero(&axes, true).unwrap();
                assert_eq!(count.shape(), ones.shape());
                assert_eq!(count.to_vec(), ones.to_vec().iter().map(|&v| v as i64).collect::<Vec<_>>());
                let any = t.any(&axes, false).unwrap().to_vec();
                assert_eq!(any, ones.to_vec().iter().map(|&v| v > 0.0).collect::<Vec<_>>());
                let all = t.all(&axes, false).unwrap().to_vec();
                assert_eq!(all, ones.to_vec().iter().map(|&v| v as usize == n).collect::<Vec<_>>());
            }
            assert_eq!(t.any_true(), t.to_vec().contains(&true));
            assert_eq!(t.all_true(), !t.to_vec().contains(&false));
        }
        assert_eq!(base.any(3, false).unwrap_err().op(), "any");
    }
}
