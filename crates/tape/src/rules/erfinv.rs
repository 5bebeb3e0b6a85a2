//! erfinv: the inverse of the error function. Derivative: √π/2 e^(y²).

use super::prelude::*;
use std::f64::consts::FRAC_2_SQRT_PI;

/// The inverse of the error function.
#[derive(Debug, Clone, Copy)]
pub struct Erfinv;

impl Pointwise for Erfinv {
    const NAME: &'static str = "erfinv";
    const COST: usize = 18;
    const USES_X: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.erfinv()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        (y * y).apply(super::exp::Exp).scale(1.0 / FRAC_2_SQRT_PI)
    }
}

impl<T: Float> Var<'_, T> {
    /// The y with erf(y) = x, for -1 ≤ x ≤ 1; ±∞ at ±1 and NaN outside. Its derivative is √π/2 e^(y²).
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// assert!((tape.var(0.5).erfinv().erf().item()? - 0.5).abs() < 1e-15);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn erfinv(self) -> Self {
        self.pointwise(Erfinv)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("erfinv", Domain::Between(-0.9999, 0.9999), |x| case!(x, [], |x| x[0].erfinv()))
        .at(&[1e-9, 1e-8, -0.5, 0.5, 0.9999, -0.9999])
}
