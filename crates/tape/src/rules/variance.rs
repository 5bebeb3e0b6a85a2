//! Variance and standard deviation, two-pass, and the Euclidean norm: composites of other ops.
//!
//! Convention: the norm of zeros has gradient 0 (a subgradient, as in PyTorch), not NaN.

use super::prelude::*;

/// √x with derivative 0 at 0, for norms: s = Σx² is 0 only where every x is 0, and there 0 is a subgradient of the norm.
#[derive(Debug, Clone, Copy)]
struct NormSqrt;

impl Pointwise for NormSqrt {
    const NAME: &'static str = "norm";
    const USES_X: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.sqrt()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        let zero = y.equals(y.like(0.0));
        let safe = R::select(zero.clone(), y.like(1.0), y);
        R::select(zero, y.like(0.0), y.like(0.5) / safe)
    }
}

impl<T: Float> Var<'_, T> {
    /// The variance over some axes, which are removed: Σ(x - mean)² / (n - `correction`), in two passes, so that a large
    /// mean costs no accuracy. `correction` is 0 for a population and 1 for a sample.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1e9 + 1.0, 1e9 + 3.0]));
    /// assert_eq!(x.variance_axes(0, 0.0).item()?, 1.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "var")]
    #[track_caller]
    pub fn variance_axes(self, axes: impl Axes, correction: f64) -> Self {
        let _scope = self.tape().error_scope("variance_axes");
        self.variance_over(&axes, correction, false)
    }

    /// The variance over some axes, which are kept with size 1, as [`variance_axes`](Var::variance_axes) defines it.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 3.0], [4.0, 4.0]]));
    /// assert_eq!(x.variance_keepdim(1, 0.0).value()?, Tensor::from([[1.0], [0.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "var")]
    #[track_caller]
    pub fn variance_keepdim(self, axes: impl Axes, correction: f64) -> Self {
        let _scope = self.tape().error_scope("variance_keepdim");
        self.variance_over(&axes, correction, true)
    }

    #[track_caller]
    fn variance_over(self, axes: &impl Axes, correction: f64, keepdim: bool) -> Self {
        let shape = self.raw_shape();
        // The mean reports an axis out of range.
        let n: usize = axes
            .resolve("var", shape.len())
            .map_or(1, |axes| axes.iter().map(|&a| shape[a]).product::<usize>());
        // The mean is rounded, the more so the larger it is compared with the deviations: the second term removes the
        // remaining mean (Chan, Golub and LeVeque 1983).
        let centred = self - self.mean_keepdim(axes);
        let left = centred.sum_over(axes, keepdim).square() / n as f64;
        (centred.square().sum_over(axes, keepdim) - left) / (n as f64 - correction).max(0.0)
    }

    #[track_caller]
    fn sum_over(self, axes: &impl Axes, keepdim: bool) -> Self {
        if keepdim { self.sum_keepdim(axes) } else { self.sum_axes(axes) }
    }

    /// x minus its mean over some axes. The mean is subtracted twice because it is rounded: if it is large compared with
    /// the deviations, the rounding error would be as large as they are.
    #[track_caller]
    pub(crate) fn centred(self, axes: impl Axes) -> Self {
        let once = self - self.mean_keepdim(&axes);
        once - once.mean_keepdim(&axes)
    }

    /// The standard deviation over some axes, which are removed: the root of [`variance_axes`](Var::variance_axes).
    #[doc(alias = "std")]
    #[track_caller]
    pub fn std_axes(self, axes: impl Axes, correction: f64) -> Self {
        let _scope = self.tape().error_scope("std_axes");
        self.variance_axes(axes, correction).pointwise(NormSqrt)
    }

    /// The standard deviation over some axes, which are kept with size 1: the root of
    /// [`variance_keepdim`](Var::variance_keepdim).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 5.0], [4.0, 4.0]]));
    /// assert_eq!(x.std_keepdim(1, 0.0).value()?, Tensor::from([[2.0], [0.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "std")]
    #[track_caller]
    pub fn std_keepdim(self, axes: impl Axes, correction: f64) -> Self {
        let _scope = self.tape().error_scope("std_keepdim");
        self.variance_keepdim(axes, correction).pointwise(NormSqrt)
    }

    /// The variance of all elements, of rank 0, as [`variance_axes`](Var::variance_axes) defines it. With correction 1,
    /// that of a single element is 0/0, NaN, as in PyTorch.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0], [3.0, 6.0]]));
    /// assert_eq!((x.variance(0.0).item()?, x.variance(1.0).item()?), (3.5, 14.0 / 3.0));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "var")]
    #[track_caller]
    pub fn variance(self, correction: f64) -> Self {
        let _scope = self.tape().error_scope("variance");
        let all: Vec<usize> = (0..self.rank()).collect();
        self.variance_axes(all, correction)
    }

    /// The standard deviation of all elements, of rank 0: the root of [`variance`](Var::variance). For equal elements it is
    /// 0, with gradient 0.
    #[track_caller]
    pub fn std(self, correction: f64) -> Self {
        let _scope = self.tape().error_scope("std");
        self.variance(correction).pointwise(NormSqrt)
    }

    /// The Euclidean norm of all elements, of rank 0. The gradient at zero is 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([3.0, 4.0]));
    /// let y = x.norm();
    /// assert_eq!(y.item()?, 5.0);
    /// let g: Vec<f64> = y.backward()?.wrt(x)?.to_vec();
    /// assert!((g[0] - 0.6).abs() < 1e-15 && (g[1] - 0.8).abs() < 1e-15);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn norm(self) -> Self {
        let _scope = self.tape().error_scope("norm");
        self.square().sum().pointwise(NormSqrt)
    }

    /// The Euclidean norm over some axes, which are removed.
    #[track_caller]
    pub fn norm_axes(self, axes: impl Axes) -> Self {
        let _scope = self.tape().error_scope("norm_axes");
        self.square().sum_axes(axes).pointwise(NormSqrt)
    }

    /// The Euclidean norm over some axes, which are kept with size 1.
    #[track_caller]
    pub fn norm_keepdim(self, axes: impl Axes) -> Self {
        let _scope = self.tape().error_scope("norm_keepdim");
        self.square().sum_keepdim(axes).pointwise(NormSqrt)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["variance_axes", "std_axes", "variance", "std", "variance_keepdim", "std_keepdim"];
    Spec::family(&names, Order::Second, |g, which| {
        let mut shape = g.full_shape(1..=3);
        shape[0] = shape[0].max(2);
        let correction = g.pick(&[0.0, 1.0]);
        let axes = if shape.len() > 1 && g.once_in(2) { vec![0, 1] } else { vec![0usize] };
        // The deviation of equal elements is 0, where the root has a pole: elements are kept apart.
        let at = g.pick(&[0.0, 0.0, 100.0, -1e4]);
        let apart: Vec<f64> =
            (0..shape.iter().product()).map(|i: usize| at + i as f64 * 0.7 + g.number(0.0, 0.3)).collect();
        let x = Tensor::from_vec(apart, &shape).unwrap_or_else(|e| panic!("{e}"));
        case!(vec![x], [axes], |x| match which {
            0 => x[0].variance_axes(&axes, correction),
            1 => x[0].std_axes(&axes, correction),
            2 => x[0].variance(correction),
            3 => x[0].std(correction),
            4 => x[0].variance_keepdim(&axes, correction),
            _ => x[0].std_keepdim(&axes, correction),
        })
    })
}

pub(super) fn norm_spec() -> Vec<Spec> {
    Spec::family(&["norm", "norm_axes", "norm_keepdim"], Order::Second, |g, which| {
        let shape = g.full_shape(0..=3);
        let axes = g.axes(shape.len());
        case!(vec![g.tensor(&shape, Domain::NON_ZERO)], [axes], |x| match which {
            0 => x[0].norm(),
            1 => x[0].norm_axes(&axes),
            _ => x[0].norm_keepdim(&axes),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_of_zeros_has_a_zero_gradient_of_every_order() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([0.0, 0.0]));
        let g = x.norm().grad(x).unwrap();
        assert_eq!(g.value().unwrap().to_vec(), [0.0, 0.0]);
        assert!(g.sum().grad(x).unwrap().value().unwrap().to_vec().iter().all(|v| v.is_finite()));
    }
}
