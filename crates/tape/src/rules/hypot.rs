//! hypot: √(a² + b²) without overflow, broadcasting. Derivatives: a/y and b/y, and 0 where both are 0.

use super::prelude::*;

/// √(a² + b²) without overflow.
#[derive(Debug, Clone, Copy)]
pub struct Hypot;

/// x / y, and 0 where y is 0: a subgradient there.
#[inline(always)]
fn part<R: Real>(x: R, y: R) -> R {
    let zero = y.equals(y.like(0.0));
    R::select(zero.clone(), y.like(0.0), x / R::select(zero, y.like(1.0), y))
}

impl Pointwise2 for Hypot {
    const NAME: &'static str = "hypot";
    const COST: usize = 6;
    const DA_USES: u8 = 5;
    const DB_USES: u8 = 6;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        a.hypot(b)
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, _b: R, y: R) -> R {
        part(a, y)
    }
    #[inline(always)]
    fn db<R: Real>(&self, _a: R, b: R, y: R) -> R {
        part(b, y)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// √(a² + b²) without overflow, with this value as a; operands broadcast. Its derivatives are a/y and b/y, and 0 where
    /// both are 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([3.0])).hypot(Tensor::from([4.0]));
    /// assert!((y.item()? - [5.0][0] as f64).abs() < 1e-12);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn hypot(self, b: impl Operand<'t, T>) -> Self {
        self.pointwise2(b, Hypot)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("hypot", Order::Second, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::NON_ZERO), g.tensor(&b, Domain::Real)], [], |x| x[0].hypot(x[1]))
    })
    .at(&[0.0, 1.0, -1.0, 1e-9, 1e4])
}
