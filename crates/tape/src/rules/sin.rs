//! sin: sine of x in radians. Derivative: cos x.

use super::prelude::*;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// Sine of x in radians.
#[derive(Debug, Clone, Copy)]
pub struct Sin;

impl Pointwise for Sin {
    const NAME: &'static str = "sin";
    const USES_Y: bool = false;
    const COST: usize = 6;
    const HAS_ROUGH: bool = true;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.sin()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(super::cos::Cos)
    }
    #[inline(always)]
    fn is_rough<F: Float>(&self, x: F) -> bool {
        x.trig_is_large()
    }
    fn exact<F: Float>(&self, x: F) -> F {
        x.sin_any()
    }
}

impl<T: Float> Var<'_, T> {
    /// Sine of x in radians. Its derivative is cos x.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, std::f64::consts::FRAC_PI_2])).sin().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn sin(self) -> Self {
        self.pointwise(Sin)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("sin", Domain::Real, |x| case!(x, [], |x| x[0].sin()))
        .at(&[1e-9, 1e-5, FRAC_PI_4, FRAC_PI_2, PI, -1e4, 131_071.0, 131_073.0])
}
