//! ELU: x above 0, α (eˣ - 1) below (Clevert et al. 2016). Derivative: 1 above 0, α eˣ below.

use super::prelude::*;

/// x for x > 0, else α (eˣ - 1).
#[doc(alias = "ELU")]
#[derive(Debug, Clone, Copy)]
pub struct Elu(pub f64);

impl Pointwise for Elu {
    const NAME: &'static str = "elu";
    const COST: usize = 6;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        // Computed for every x: a choice between two values is vectorised, a branch is not.
        let below = x.expm1() * F::from_f64(self.0);
        if x <= F::ZERO { below } else { x }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        // The exponential of a large x must not reach the branch not taken, where it would be infinite.
        let negative = x.le(x.like(0.0));
        let x = R::select(negative.clone(), x, x.like(0.0));
        R::select(negative, x.apply(super::exp::Exp).scale(self.0), x.like(1.0))
    }
}

impl<T: Float> Var<'_, T> {
    /// x above 0, `alpha` (eˣ - 1) below.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([-1000.0, 3.0])).elu(1.0).value()?.to_vec(), [-1.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn elu(self, alpha: f64) -> Self {
        self.pointwise(Elu(alpha))
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("elu", Domain::Kinks(&[0.0]), |x| case!(x, [], |x| x[0].elu(1.5)))
        .at(&[-800.0, -104.0, -40.0, -20.0, -0.5, 40.0, 1e4])
}
