//! Arithmetic with a number: x + c, c - x, c x, x / c, c / x. The number is part of the op, not a node.

use super::prelude::*;

macro_rules! with_number {
    ($($(#[$doc:meta])* $name:ident $text:literal, uses $x:literal $y:literal,
        |$c:ident, $fx:ident, $fy:ident| $f:expr, $df:expr, $written:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name(pub f64);

        impl Pointwise for $name {
            const NAME: &'static str = $text;
            const COST: usize = 1;
            const USES_X: bool = $x;
            const USES_Y: bool = $y;

            #[inline(always)]
            fn f<F: Float>(&self, $fx: F) -> F {
                let $c = F::from_f64(self.0);
                $f
            }
            #[inline(always)]
            #[allow(unused_variables, reason = "not every derivative reads all of c, x and y")]
            fn df<R: Real>(&self, $fx: R, $fy: R) -> R {
                let $c = self.0;
                $df
            }
            fn written(&self, $fx: Term) -> Term {
                let $c = Term::Number(self.0);
                $written
            }
        }
    )*};
}
with_number! {
    /// x + c.
    AddScalar "add", uses false false, |c, x, y| x + c, x.like(1.0), x.plus(c);
    /// c - x.
    RSubScalar "sub", uses false false, |c, x, y| c - x, x.like(-1.0), c.minus(x);
    /// c x.
    MulScalar "mul", uses false false, |c, x, y| c * x, x.like(c), c.times(x);
    /// x / c.
    DivScalar "div", uses false false, |c, x, y| x / c, x.like(1.0) / x.like(c), x.over(c);
    /// c / x, derivative -y / x.
    RDivScalar "div", uses true true, |c, x, y| c / x, -(y / x), c.over(x);
}

pub(super) fn spec() -> Spec {
    Spec::new("scalar", Order::Second, |g| {
        let shape = g.shape(0..=3);
        let (c, which) = (g.number(0.5, 2.0), g.within(0..=5));
        let x = g.tensor(&shape, Domain::NON_ZERO);
        case!(vec![x], [], |x| match which {
            0 => x[0] + c,
            1 => x[0] - c,
            2 => c - x[0],
            3 => x[0] * c,
            4 => x[0] / c,
            _ => c / x[0],
        })
    })
}
