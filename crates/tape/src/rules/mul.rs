//! a b, broadcasting. Derivatives: b and a.

use super::prelude::*;

/// a b, broadcasting.
#[derive(Debug, Clone, Copy)]
pub struct Product;

impl Pointwise2 for Product {
    const NAME: &'static str = "mul";
    const COST: usize = 1;
    const DA_USES: u8 = 2;
    const DB_USES: u8 = 1;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        a * b
    }
    #[inline(always)]
    fn da<R: Real>(&self, _a: R, b: R, _y: R) -> R {
        b
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, _b: R, _y: R) -> R {
        a
    }
    fn written(&self, a: Term, b: Term) -> Term {
        a.times(b)
    }
}

#[track_caller]
pub(crate) fn mul<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
    a.pointwise2(b, Product)
}

pub(super) fn spec() -> Spec {
    Spec::new("mul", Order::Second, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real)], [], |x| x[0] * x[1])
    })
}
