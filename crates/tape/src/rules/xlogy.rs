//! xlogy: a log b, and 0 where a is 0, whatever b is, broadcasting. Derivatives: log b and a/b, both 0 where a is 0 and b
//! is not above 0.

use super::prelude::*;

/// a log b, and 0 where a is 0, whatever b is.
#[derive(Debug, Clone, Copy)]
pub struct Xlogy;

/// b, or 1 where a is 0 and b is not positive: there the term is 0 and stays 0.
#[inline(always)]
fn safe<R: Real>(a: R, b: R) -> R {
    let b_or_one = R::select(b.le(b.like(0.0)), b.like(1.0), b);
    R::select(a.equals(a.like(0.0)), b_or_one, b)
}

impl Pointwise2 for Xlogy {
    const NAME: &'static str = "xlogy";
    const COST: usize = 8;
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        if a == F::ZERO && !b.is_nan() { F::ZERO } else { a * b.log() }
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        safe(a, b).apply(super::log::Log)
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, b: R, _y: R) -> R {
        a / safe(a, b)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// a log b, and 0 where a is 0, whatever b is, with this value as a; operands broadcast. Its derivatives are log b and
    /// a/b, both 0 where a is 0 and b is not above 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([0.0])).xlogy(Tensor::from([0.0]));
    /// assert!((y.item()? - [0.0][0] as f64).abs() < 1e-12);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn xlogy(self, b: impl Operand<'t, T>) -> Self {
        self.pointwise2(b, Xlogy)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("xlogy", Order::Second, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Between(1e-3, 1e3))], [], |x| x[0]
            .xlogy(x[1]))
    })
    .at(&[0.0, 1.0, -1.0, 1e-3])
}
