//! maximum and minimum: the larger or smaller of two, NaN if either is, broadcasting. The gradient goes to the element that
//! is taken, half to each of two equal ones.

use super::prelude::*;

/// The larger of two (or, if not `LARGER`, the smaller).
#[derive(Debug, Clone, Copy)]
pub struct Pick<const LARGER: bool>;

/// 1 where `a` is taken, ½ where both are, else 0; a NaN operand is taken.
#[inline(always)]
fn share<R: Real, const LARGER: bool>(a: R, b: R) -> R {
    let tie = R::select(a.equals(b), a.like(0.5), a.like(0.0));
    // If b is NaN, a is not taken; if a is NaN, it is.
    let wins = if LARGER { b.lt(a) } else { a.lt(b) };
    R::select(a.equals(a), R::select(wins, a.like(1.0), tie), a.like(1.0))
}

impl<const LARGER: bool> Pointwise2 for Pick<LARGER> {
    const NAME: &'static str = if LARGER { "maximum" } else { "minimum" };
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        if LARGER { a.maximum(b) } else { a.minimum(b) }
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        share::<R, LARGER>(a, b)
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, b: R, _y: R) -> R {
        a.like(1.0) - share::<R, LARGER>(a, b)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The larger of two values, elementwise, NaN if either is; operands broadcast.
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
        self.pointwise2(o, Pick::<true>)
    }

    /// The smaller of two values, elementwise, NaN if either is; operands broadcast.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 5.0]));
    /// assert_eq!(x.minimum(3.0).value()?.to_vec(), [1.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn minimum(self, o: impl Operand<'t, T>) -> Self {
        self.pointwise2(o, Pick::<false>)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["maximum", "minimum"], Order::First, |g, which| {
        let (a, b) = g.pair();
        let x = vec![g.tensor(&a, Domain::Grid), g.tensor(&b, Domain::Grid)];
        case!(x, [], |x| match which {
            0 => x[0].maximum(x[1]),
            _ => x[0].minimum(x[1]),
        })
    })
}
