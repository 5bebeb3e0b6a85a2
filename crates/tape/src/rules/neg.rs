//! neg: -x. Derivative: -1.

use super::prelude::*;

/// -x.
#[derive(Debug, Clone, Copy)]
pub struct Negate;

impl Pointwise for Negate {
    const NAME: &'static str = "neg";
    const USES_X: bool = false;
    const USES_Y: bool = false;
    const COST: usize = 1;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        -x
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(-1.0)
    }
    fn written(&self, x: Term) -> Term {
        x.opposite()
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("neg", Domain::Real, |x| case!(x, [], |x| -x[0]))
}
