//! log: natural logarithm of x; -∞ at 0, NaN below. Derivative: 1/x.

use super::prelude::*;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// Natural logarithm of x; -∞ at 0, NaN below.
#[derive(Debug, Clone, Copy)]
pub struct Log;

impl Pointwise for Log {
    const NAME: &'static str = "log";
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.log()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(1.0) / x
    }
}

impl<T: Float> Var<'_, T> {
    /// Natural logarithm of x; -∞ at 0, NaN below. Its derivative is 1/x.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1.0, std::f64::consts::E])).log().value()?;
    /// assert!(y.to_vec().iter().zip([0.0, 1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "ln")]
    #[track_caller]
    pub fn log(self) -> Self {
        self.pointwise(Log)
    }
}

/// Where logarithms of all bases switch in argument reduction, and where they are 0.
pub(super) const POINTS: &[f64] = &[1e-3, FRAC_1_SQRT_2, 0.99999, 1.0, 1.00001, SQRT_2, 1e3];

pub(super) fn spec() -> Spec {
    Spec::unary("log", Domain::Between(1e-3, 1e3), |x| case!(x, [], |x| x[0].log())).at(POINTS)
}
