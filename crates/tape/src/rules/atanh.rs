//! atanh: inverse hyperbolic tangent; ±∞ at ±1, NaN beyond. Derivative: 1/(1 - x²).

use super::prelude::*;

/// Inverse hyperbolic tangent; ±∞ at ±1, NaN beyond.
#[derive(Debug, Clone, Copy)]
pub struct Atanh;

impl Pointwise for Atanh {
    const NAME: &'static str = "atanh";
    const USES_Y: bool = false;
    const COST: usize = 12;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.atanh()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(1.0) / ((x.like(1.0) - x) * (x.like(1.0) + x))
    }
}

impl<T: Float> Var<'_, T> {
    /// Inverse hyperbolic tangent; ±∞ at ±1, NaN beyond. Its derivative is 1/(1 - x²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0])).atanh().value()?;
    /// assert!(y.to_vec().iter().zip([0.0]).all(|(y, want): (&f64, f64)| (y - want).abs() < 1e-15));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn atanh(self) -> Self {
        self.pointwise(Atanh)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("atanh", Domain::Between(-0.99999, 0.99999), |x| case!(x, [], |x| x[0].atanh()))
        .at(&[-0.99999, -0.5, 1e-9, 0.5, 0.99999])
}
