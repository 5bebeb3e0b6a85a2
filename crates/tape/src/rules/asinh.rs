//! asinh: inverse hyperbolic sine. Derivative: 1/√(1 + x²).

use super::prelude::*;

/// Inverse hyperbolic sine.
#[derive(Debug, Clone, Copy)]
pub struct Asinh;

impl Pointwise for Asinh {
    const NAME: &'static str = "asinh";
    const USES_Y: bool = false;
    const COST: usize = 12;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.asinh()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        (x.like(1.0) + x * x).apply(super::rsqrt::Rsqrt)
    }
}

impl<T: Float> Var<'_, T> {
    /// Inverse hyperbolic sine. Its derivative is 1/√(1 + x²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0])).asinh().value()?;
    /// assert!(y.to_vec().iter().zip([0.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn asinh(self) -> Self {
        self.pointwise(Asinh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("asinh", Domain::Real, |x| case!(x, [], |x| x[0].asinh()))
        .at(&[-1.0, 1e-9, 1e-4, 1.0, 1e4, -1e8])
}
