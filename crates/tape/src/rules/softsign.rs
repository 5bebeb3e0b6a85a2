//! softsign: x / (1 + |x|) (Bergstra et al. 2009). Derivative: 1 / (1 + |x|)².

use super::abs::Abs;
use super::prelude::*;

/// x / (1 + |x|).
#[derive(Debug, Clone, Copy)]
pub struct Softsign;

impl Pointwise for Softsign {
    const NAME: &'static str = "softsign";
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x / (F::ONE + x.abs())
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let d = x.like(1.0) + x.apply(Abs);
        x.like(1.0) / (d * d)
    }
}

impl<T: Float> Var<'_, T> {
    /// x / (1 + |x|), which approaches ±1 more slowly than tanh; its derivative is 1 / (1 + |x|)².
    ///
    /// ```
    /// assert_eq!(wengert_tape::Tape::<f64>::new().var(-3.0).softsign().item().unwrap(), -0.75);
    /// ```
    #[track_caller]
    pub fn softsign(self) -> Self {
        self.pointwise(Softsign)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("softsign", Domain::Away(0.02, 1e4), |x| case!(x, [], |x| x[0].softsign()))
        .at(&[-1.0, 1.0, 0.02, 1e4])
}
