//! maximum: the larger of two, NaN if either is, broadcasting. The gradient goes to the one that is taken, half to each of equals.

use super::prelude::*;

/// The larger of two, NaN if either is.
#[derive(Debug, Clone, Copy)]
pub struct Maximum;

/// 1 where `a` is taken, ½ where both are, else 0; NaN takes its own side.
#[inline(always)]
fn share<R: Real>(a: R, b: R) -> R {
    let tie = R::select(a.equals(b), a.like(0.5), a.like(0.0));
    // With b NaN, a is not taken; with a NaN, it is.
    let a_wins = R::select(b.lt(a), a.like(1.0), tie);
    R::select(a.equals(a), a_wins, a.like(1.0))
}

impl Pointwise2 for Maximum {
    const NAME: &'static str = "maximum";
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        a.maximum(b)
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        share(a, b)
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, b: R, _y: R) -> R {
        a.like(1.0) - share(a, b)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Elementwise maximum: the larger of two, NaN if either is. Operands broadcast.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 5.0]));
    /// assert_eq!(x.maximum(3.0).value()?.to_vec(), [3.0, 5.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn maximum(self, o: impl Operand<'t, T>) -> Self {
        self.pointwise2(o, Maximum)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("maximum", Order::First, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Grid), g.tensor(&b, Domain::Grid)], [], |x| x[0].maximum(x[1]))
    })
}
