//! atan: inverse tangent, in radians. Derivative: 1/(1 + x²).

use super::prelude::*;

/// Inverse tangent, in radians.
#[derive(Debug, Clone, Copy)]
pub struct Atan;

impl Pointwise for Atan {
    const NAME: &'static str = "atan";
    const USES_Y: bool = false;
    const COST: usize = 8;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.atan()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(1.0) / (x.like(1.0) + x * x)
    }
}

impl<T: Float> Var<'_, T> {
    /// Inverse tangent, in radians. Its derivative is 1/(1 + x²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, 1.0])).atan().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, std::f64::consts::FRAC_PI_4]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn atan(self) -> Self {
        self.pointwise(Atan)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("atan", Domain::Real, |x| case!(x, [], |x| x[0].atan()))
        .at(&[-1.0, 1e-9, 0.4375, 0.6875, 1.1875, 2.4375, 1e8, -1e8])
}
