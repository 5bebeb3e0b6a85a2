//! erf: error function 2/√π ∫₀ˣ e^(-t²) dt. Derivative: 2/√π e^(-x²).

use super::prelude::*;
use std::f64::consts::FRAC_2_SQRT_PI;

/// Error function 2/√π ∫₀ˣ e^(-t²) dt.
#[derive(Debug, Clone, Copy)]
pub struct Erf;

impl Pointwise for Erf {
    const NAME: &'static str = "erf";
    const USES_Y: bool = false;
    const COST: usize = 10;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.erf()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        (-(x * x)).apply(super::exp::Exp).scale(FRAC_2_SQRT_PI)
    }
}

impl<T: Float> Var<'_, T> {
    /// Error function 2/√π ∫₀ˣ e^(-t²) dt. Its derivative is 2/√π e^(-x²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, f64::INFINITY])).erf().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn erf(self) -> Self {
        self.pointwise(Erf)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("erf", Domain::Real, |x| case!(x, [], |x| x[0].erf()))
        .at(&[1e-9, 0.8, -0.8, 0.85, -0.85, 4.0, -10.0])
}
