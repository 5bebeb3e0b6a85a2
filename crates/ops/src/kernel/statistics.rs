//! Means, variances and norms, made of sums. Each follows the steps of the tape's operation of the same name, so that
//! both give the same bits.

use crate::dtype::Element;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::elementwise::power;
use crate::kernel::fold::{Sum, fold_axes};
use crate::kernel::pointwise::{Elementwise, FnKernel, pointwise_as};
use crate::shape::Axes;
use crate::tensor::Tensor;

/// The number of elements of a group over the given axes.
fn count<T: Element>(x: &Tensor<T>, axes: &[usize]) -> usize {
    axes.iter().map(|&a| x.shape()[a]).product()
}

impl<T: Float> Tensor<T> {
    fn every_axis(&self) -> Vec<usize> {
        (0..self.rank()).collect()
    }

    fn mean_over(&self, axes: &[usize], keepdim: bool) -> Tensor<T> {
        fold_axes(&Sum, self, axes, keepdim).scale(1.0 / count(self, axes) as f64)
    }

    /// The mean of all elements, of shape `[]`; NaN for an empty tensor.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(t.mean().item()?, 2.5);
    /// assert_eq!(t.mean_axes(0)?.to_vec(), [2.0, 3.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    #[must_use]
    pub fn mean(&self) -> Tensor<T> {
        self.sum().scale(1.0 / self.numel() as f64)
    }

    /// The mean over the given axes, which are removed.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "mean")]
    pub fn mean_axes(&self, axes: impl Axes) -> Result<Tensor<T>> {
        Ok(self.mean_over(&axes.resolve("mean_axes", self.rank())?, false))
    }

    /// The mean over the given axes, which are kept with size 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "mean")]
    pub fn mean_keepdim(&self, axes: impl Axes) -> Result<Tensor<T>> {
        Ok(self.mean_over(&axes.resolve("mean_keepdim", self.rank())?, true))
    }

    fn variance_over(&self, axes: &[usize], correction: f64, keepdim: bool) -> Tensor<T> {
        let n = count(self, axes) as f64;
        let sum = |x: &Tensor<T>| fold_axes(&Sum, x, axes, keepdim);
        let difference = |a: &Tensor<T>, b: &Tensor<T>| {
            pointwise_as(a.shape().clone(), [a, b], &Elementwise(FnKernel(|a: T, b: T| a - b)))
        };
        // The mean is rounded, with an error that is larger for a mean that is large compared with the deviations. The second
        // term removes it (Chan, Golub and LeVeque 1983).
        let centred = difference(self, &self.mean_over(axes, true));
        let left = &sum(&centred).square() / n;
        &difference(&sum(&centred.square()), &left) / (n - correction).max(0.0)
    }

    /// The variance of all elements, of shape `[]`: Σ(x - mean)² / (n - `correction`), in two passes, so that a large
    /// mean costs no accuracy. `correction` is 0 for a population and 1 for a sample. With correction 1, the variance
    /// of a single element is 0/0, NaN.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 2.0], [3.0, 6.0]]);
    /// assert_eq!((t.variance(0.0).item()?, t.variance(1.0).item()?), (3.5, 14.0 / 3.0));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    #[doc(alias = "var")]
    #[must_use]
    pub fn variance(&self, correction: f64) -> Tensor<T> {
        self.variance_over(&self.every_axis(), correction, false)
    }

    /// The variance over the given axes, which are removed, as [`variance`](Tensor::variance) defines it.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([[1.0, 3.0], [4.0, 4.0]]);
    /// assert_eq!(t.variance_axes(1, 0.0)?.to_vec(), [1.0, 0.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "var")]
    pub fn variance_axes(&self, axes: impl Axes, correction: f64) -> Result<Tensor<T>> {
        Ok(self.variance_over(&axes.resolve("variance_axes", self.rank())?, correction, false))
    }

    /// The variance over the given axes, which are kept with size 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "var")]
    pub fn variance_keepdim(&self, axes: impl Axes, correction: f64) -> Result<Tensor<T>> {
        Ok(self.variance_over(&axes.resolve("variance_keepdim", self.rank())?, correction, true))
    }

    /// The standard deviation of all elements, of shape `[]`: the square root of [`variance`](Tensor::variance).
    #[must_use]
    pub fn std(&self, correction: f64) -> Tensor<T> {
        self.variance(correction).sqrt()
    }

    /// The standard deviation over the given axes, which are removed.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "std")]
    pub fn std_axes(&self, axes: impl Axes, correction: f64) -> Result<Tensor<T>> {
        let axes = axes.resolve("std_axes", self.rank())?;
        Ok(self.variance_over(&axes, correction, false).sqrt())
    }

    /// The standard deviation over the given axes, which are kept with size 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "std")]
    pub fn std_keepdim(&self, axes: impl Axes, correction: f64) -> Result<Tensor<T>> {
        let axes = axes.resolve("std_keepdim", self.rank())?;
        Ok(self.variance_over(&axes, correction, true).sqrt())
    }

    /// The Euclidean norm of all elements, of shape `[]`.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([3.0, 4.0]);
    /// assert_eq!(t.norm().item()?, 5.0);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    #[must_use]
    pub fn norm(&self) -> Tensor<T> {
        self.norm_squared().sqrt()
    }

    /// The Euclidean norm over the given axes, which are removed.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "norm")]
    pub fn norm_axes(&self, axes: impl Axes) -> Result<Tensor<T>> {
        Ok(self.square().sum_axes(axes).map_err(|e| e.in_op("norm_axes"))?.sqrt())
    }

    /// The Euclidean norm over the given axes, which are kept with size 1.
    ///
    /// # Errors
    /// If an axis is out of range or named twice.
    #[doc(alias = "norm")]
    pub fn norm_keepdim(&self, axes: impl Axes) -> Result<Tensor<T>> {
        Ok(self.square().sum_keepdim(axes).map_err(|e| e.in_op("norm_keepdim"))?.sqrt())
    }

    /// The norm of order `p` over the given axes, which are removed: (Σ |x|ᵖ)^(1/p), without overflow. For p = 0 it is
    /// the number of elements other than 0, for p = ∞ the largest |x| and for p = -∞ the smallest.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([3.0, -4.0, 0.0]);
    /// assert_eq!(t.norm_p(1.0, 0)?.item()?, 7.0);
    /// assert_eq!(t.norm_p(f64::INFINITY, 0)?.item()?, 4.0);
    /// assert_eq!(t.norm_p(0.0, 0)?.item()?, 2.0);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an axis is out of range or named twice, the order is not a number, or the order is negative or infinite and there is no
    /// element.
    #[doc(alias = "norm")]
    #[doc(alias = "vector_norm")]
    pub fn norm_p(&self, p: f64, axes: impl Axes) -> Result<Tensor<T>> {
        let axes = axes.resolve("norm_p", self.rank())?;
        self.norm_over("norm_p", p, &axes)?.squeeze(&axes)
    }

    /// The norm of order `p` over the given axes, which are kept with size 1.
    ///
    /// # Errors
    /// Those of [`norm_p`](Tensor::norm_p).
    #[doc(alias = "norm")]
    #[doc(alias = "vector_norm")]
    pub fn norm_p_keepdim(&self, p: f64, axes: impl Axes) -> Result<Tensor<T>> {
        const OP: &str = "norm_p_keepdim";
        self.norm_over(OP, p, &axes.resolve(OP, self.rank())?)
    }

    fn norm_over(&self, op: &'static str, p: f64, axes: &[usize]) -> Result<Tensor<T>> {
        if p.is_nan() {
            return Err(Error::argument(op, "the order is not a number"));
        }
        if count(self, axes) == 0 && (p < 0.0 || p == f64::INFINITY) {
            let detail = format!(
                "axes {axes:?} of shape {} hold nothing, which has no norm of order {p}",
                self.shape()
            );
            return Err(Error::argument(op, detail));
        }
        let size = self.abs();
        if p == 2.0 {
            return self.norm_keepdim(axes);
        }
        if p == 0.0 {
            return self.ne(0.0)?.to_float::<T>().sum_keepdim(axes);
        }
        if p == f64::INFINITY {
            return size.max_keepdim(axes);
        }
        if p == f64::NEG_INFINITY {
            return size.min_keepdim(axes);
        }
        if p == 1.0 || self.numel() == 0 {
            return size.sum_keepdim(axes);
        }
        // Powers of the elements relative to the largest cannot overflow, nor all underflow to 0.
        let scale = size.max_keepdim(axes)?.map(|m| if m > T::ZERO && m.is_finite() { m } else { T::ONE });
        let sum = power(&size.div(&scale)?, p).sum_keepdim(axes)?;
        power(&sum, 1.0 / p).mul(&scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variances_survive_a_large_mean_and_keep_their_axes() {
        let t = Tensor::from([1e9 + 1.0, 1e9 + 3.0]);
        assert_eq!(t.variance_axes(0, 0.0).unwrap().item().unwrap(), 1.0);
        assert_eq!(t.std(0.0).item().unwrap(), 1.0);
        let t = Tensor::<f64>::zeros([2, 3, 4]);
        assert_eq!(*t.variance_keepdim([0, -1], 1.0).unwrap().shape(), [1, 3, 1]);
        assert_eq!(*t.std_keepdim(1, 1.0).unwrap().shape(), [2, 1, 4]);
        assert_eq!(*t.mean_keepdim(1).unwrap().shape(), [2, 1, 4]);
        assert_eq!(*t.norm_p_keepdim(3.0, 1).unwrap().shape(), [2, 1, 4]);
        assert!(Tensor::from([1.0]).variance(1.0).item().unwrap().is_nan());
        assert!(Tensor::<f64>::zeros([0]).mean().item().unwrap().is_nan());
        assert!(t.mean_axes(3).is_err() && t.std_axes([0, 0], 0.0).is_err() && t.norm_axes(-4).is_err());
    }

    #[test]
    fn norms_of_extreme_numbers() {
        let inf = f64::INFINITY;
        let norm = |x: &[f64], p| Tensor::from(x.to_vec()).norm_p(p, 0).unwrap().item().unwrap();
        assert!((norm(&[3e200, 4e200, 5e200], 3.0) / (216f64.cbrt() * 1e200) - 1.0).abs() < 1e-14);
        assert_eq!((norm(&[0.0, 0.0], 3.0), norm(&[0.0, 2.0], -1.0)), (0.0, 0.0));
        assert_eq!((norm(&[inf, 1.0], 3.0), norm(&[inf, inf], -1.0), norm(&[], 3.0)), (inf, inf, 0.0));
        assert!(norm(&[f64::NAN, 1.0], 3.0).is_nan());
        let none = Tensor::<f64>::zeros([0]);
        assert!(
            none.norm_p(-1.0, 0).is_err()
                && none.norm_p(inf, 0).is_err()
                && none.norm_p(f64::NAN, 0).is_err()
        );
    }
}
