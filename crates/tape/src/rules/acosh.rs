//! acosh: inverse hyperbolic cosine; NaN below 1. Derivative: 1/√(x² - 1).

use super::prelude::*;

/// Inverse hyperbolic cosine; NaN below 1.
#[derive(Debug, Clone, Copy)]
pub struct Acosh;

impl Pointwise for Acosh {
    const NAME: &'static str = "acosh";
    const USES_Y: bool = false;
    const COST: usize = 12;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.acosh()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        ((x - x.like(1.0)) * (x + x.like(1.0))).apply(super::rsqrt::Rsqrt)
    }
}

impl<T: Float> Var<'_, T> {
    /// Inverse hyperbolic cosine; NaN below 1. Its derivative is 1/√(x² - 1).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1.0])).acosh().value()?;
    /// assert!(y.to_vec().iter().zip([0.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn acosh(self) -> Self {
        self.pointwise(Acosh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("acosh", Domain::Between(1.00001, 1e4), |x| case!(x, [], |x| x[0].acosh()))
        .at(&[1.00001, 1.001, 2.0, 1e4])
}
