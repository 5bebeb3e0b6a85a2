//! tan: tangent of x in radians. Derivative: 1 + y².

use super::prelude::*;
use std::f64::consts::FRAC_PI_4;

/// Tangent of x in radians.
#[derive(Debug, Clone, Copy)]
pub struct Tan;

impl Pointwise for Tan {
    const NAME: &'static str = "tan";
    const USES_X: bool = false;
    const COST: usize = 10;
    const HAS_ROUGH: bool = true;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.tan()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        y.like(1.0) + y * y
    }
    #[inline(always)]
    fn is_rough<F: Float>(&self, x: F) -> bool {
        x.trig_is_large()
    }
    fn exact<F: Float>(&self, x: F) -> F {
        x.tan_any()
    }
}

impl<T: Float> Var<'_, T> {
    /// Tangent of x in radians. Its derivative is 1 + y².
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0])).tan().value()?;
    /// assert!(y.to_vec().iter().zip([0.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn tan(self) -> Self {
        self.pointwise(Tan)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("tan", Domain::Between(-1.5, 1.5), |x| case!(x, [], |x| x[0].tan()))
        .at(&[1e-9, FRAC_PI_4, -FRAC_PI_4, 1.5, -1.5])
}
