//! softplus: log(1 + eˣ), stable for large x of either sign. Derivative: σ(x).

use super::prelude::*;

/// log(1 + eˣ), stable for large x of either sign.
#[derive(Debug, Clone, Copy)]
pub struct Softplus;

impl Pointwise for Softplus {
    const NAME: &'static str = "softplus";
    const USES_Y: bool = false;
    const COST: usize = 12;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.maximum(F::ZERO) + (-x.abs()).exp().log1p()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(super::sigmoid::Sigmoid)
    }
}

impl<T: Float> Var<'_, T> {
    /// log(1 + eˣ), stable for large x of either sign, without a threshold above which it is replaced by x. Its derivative
    /// is σ(x). With PyTorch's `beta` it is `(x * beta).softplus() / beta`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 1000.0])).softplus().value()?;
    /// assert!(y.to_vec().iter().zip([std::f64::consts::LN_2, 1000.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn softplus(self) -> Self {
        self.pointwise(Softplus)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("softplus", Domain::Real, |x| case!(x, [], |x| x[0].softplus()))
        .at(&[0.0, 1e-9, 20.0, -20.0, 30.0, -37.0, -88.0, -104.0, 745.0])
}
