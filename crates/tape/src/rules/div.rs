//! a / b, broadcasting. Derivatives: 1/b and -y/b.

use super::prelude::*;

/// a / b, broadcasting.
#[derive(Debug, Clone, Copy)]
pub struct Quotient;

impl Pointwise2 for Quotient {
    const NAME: &'static str = "div";
    const COST: usize = 2;
    const DA_USES: u8 = 2;
    const DB_USES: u8 = 6;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        a / b
    }
    #[inline(always)]
    fn da<R: Real>(&self, _a: R, b: R, _y: R) -> R {
        b.like(1.0) / b
    }
    #[inline(always)]
    fn db<R: Real>(&self, _a: R, b: R, y: R) -> R {
        -(y / b)
    }
    fn written(&self, a: Term, b: Term) -> Term {
        a.over(b)
    }
}

#[track_caller]
pub(crate) fn div<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
    a.pointwise2(b, Quotient)
}

pub(super) fn spec() -> Spec {
    Spec::new("div", Order::Second, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Away(1e-2, 1e3))], [], |x| x[0] / x[1])
    })
    .at(&[0.0, 1.0, -1.0, 1e-2])
}
