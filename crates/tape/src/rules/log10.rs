//! log10: logarithm of x to base 10. Derivative: 1/(x ln 10).

use super::log::POINTS;
use super::prelude::*;

/// Logarithm of x to base 10.
#[derive(Debug, Clone, Copy)]
pub struct Log10;

impl Pointwise for Log10 {
    const NAME: &'static str = "log10";
    const USES_Y: bool = false;
    const COST: usize = 8;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.log10()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(std::f64::consts::LOG10_E) / x
    }
}

impl<T: Float> Var<'_, T> {
    /// Logarithm of x to base 10. Its derivative is 1/(x ln 10).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1000.0, 0.1])).log10().value()?;
    /// assert!(y.to_vec().iter().zip([3.0, -1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn log10(self) -> Self {
        self.pointwise(Log10)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("log10", Domain::Between(1e-3, 1e3), |x| case!(x, [], |x| x[0].log10())).at(POINTS)
}
