//! cos: cosine of x in radians. Derivative: -sin x.

use super::prelude::*;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// Cosine of x in radians.
#[derive(Debug, Clone, Copy)]
pub struct Cos;

impl Pointwise for Cos {
    const NAME: &'static str = "cos";
    const USES_Y: bool = false;
    const COST: usize = 6;
    const HAS_ROUGH: bool = true;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.cos()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        -x.apply(super::sin::Sin)
    }
    #[inline(always)]
    fn is_rough<F: Float>(&self, x: F) -> bool {
        x.trig_is_large()
    }
    fn exact<F: Float>(&self, x: F) -> F {
        x.cos_any()
    }
}

impl<T: Float> Var<'_, T> {
    /// Cosine of x in radians. Its derivative is -sin x.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0, std::f64::consts::PI])).cos().value()?;
    /// assert!(y.to_vec().iter().zip([1.0, -1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cos(self) -> Self {
        self.pointwise(Cos)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("cos", Domain::Real, |x| case!(x, [], |x| x[0].cos()))
        .at(&[FRAC_PI_4, FRAC_PI_2, PI, -1e4, 131_071.0, 131_073.0])
}
