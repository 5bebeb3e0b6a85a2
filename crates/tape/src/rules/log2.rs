//! log2: logarithm of x to base 2. Derivative: 1/(x ln 2).

use super::log::POINTS;
use super::prelude::*;

/// Logarithm of x to base 2.
#[derive(Debug, Clone, Copy)]
pub struct Log2;

impl Pointwise for Log2 {
    const NAME: &'static str = "log2";
    const USES_Y: bool = false;
    const COST: usize = 8;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.log2()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(std::f64::consts::LOG2_E) / x
    }
}

impl<T: Float> Var<'_, T> {
    /// Logarithm of x to base 2. Its derivative is 1/(x ln 2).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([8.0, 0.5])).log2().value()?;
    /// assert!(y.to_vec().iter().zip([3.0, -1.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn log2(self) -> Self {
        self.pointwise(Log2)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("log2", Domain::Between(1e-3, 1e3), |x| case!(x, [], |x| x[0].log2())).at(POINTS)
}
