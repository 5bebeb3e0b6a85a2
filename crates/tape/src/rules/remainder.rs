//! remainder and fmod: the remainder of a after subtracting b a whole number of times, with the sign of b or that of a.
//! Derivatives: 1 with respect to a; with respect to b minus that number, which is constant between jumps.

use super::prelude::*;

/// a - b q with q = floor(a/b), or with `TRUNC` q = trunc(a/b).
#[derive(Debug, Clone, Copy)]
pub struct Remainder<const TRUNC: bool>;

/// The whole number q.
#[derive(Debug, Clone, Copy)]
struct Quotient<const TRUNC: bool>;

/// Whether the remainder with the sign of b differs from `r`, the one with the sign of a.
#[inline(always)]
fn differs<F: Float>(r: F, b: F) -> bool {
    (r != F::ZERO) & ((r < F::ZERO) != (b < F::ZERO))
}

impl<const TRUNC: bool> Pointwise2 for Quotient<TRUNC> {
    const NAME: &'static str = "quotient";
    const COST: usize = 12;
    const DA_USES: u8 = 0;
    const DB_USES: u8 = 0;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        // Not floor(a/b): the rounded quotient can reach a whole number that the exact one does not.
        let r = a.fmod(b);
        let q = ((a - r) / b).round();
        if !TRUNC && differs(r, b) { q - F::ONE } else { q }
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, _b: R, _y: R) -> R {
        a.like(0.0)
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, _b: R, _y: R) -> R {
        a.like(0.0)
    }
}

impl<const TRUNC: bool> Remainder<TRUNC> {
    /// From the remainder with the sign of a.
    #[inline(always)]
    fn of<F: Float>(r: F, b: F) -> F {
        if TRUNC {
            return r;
        }
        // Nested choices become selections of vectors; a choice by two signs that differ becomes branches.
        let of_positive = if r < F::ZERO { r + b } else { r };
        let of_negative = if r > F::ZERO { r + b } else { r };
        if b < F::ZERO { of_negative } else { of_positive }
    }
}

impl<const TRUNC: bool> Pointwise2 for Remainder<TRUNC> {
    const NAME: &'static str = if TRUNC { "fmod" } else { "remainder" };
    const COST: usize = 8;
    const HAS_ROUGH: bool = true;
    const DA_USES: u8 = 0;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        Self::of(a.fmod(b), b)
    }
    #[inline(always)]
    fn is_rough<F: Float>(&self, a: F, b: F) -> bool {
        a.fmod_is_large(b)
    }
    fn exact<F: Float>(&self, a: F, b: F) -> F {
        Self::of(a.fmod_any(b), b)
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, _b: R, _y: R) -> R {
        a.like(1.0)
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, b: R, _y: R) -> R {
        -a.apply2(b, Quotient::<TRUNC>)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// This value minus floor(a/b) times a divisor b: the result has the sign of the divisor, as in Python; operands
    /// broadcast. NaN for a divisor of 0. Its derivative is 1, and -floor(a/b) with respect to the divisor.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let (a, b) = (tape.var(Tensor::from([7.0, -7.0])), tape.var(3.0));
    /// let y = a.remainder(b);
    /// assert_eq!(y.value()?.to_vec(), [1.0, 2.0]);
    /// assert_eq!(y.sum().backward()?.wrt(b)?.item()?, -2.0 + 3.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn remainder(self, divisor: impl Operand<'t, T>) -> Self {
        self.pointwise2(divisor, Remainder::<false>)
    }

    /// This value minus trunc(a/b) times a divisor b: the result has the sign of this value, as `%` in Rust and C; operands
    /// broadcast. NaN for a divisor of 0. Its derivative is 1, and -trunc(a/b) with respect to the divisor.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let y = tape.var(Tensor::from([7.0, -7.0])).fmod(3.0);
    /// assert_eq!(y.value()?.to_vec(), [1.0, -1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn fmod(self, divisor: impl Operand<'t, T>) -> Self {
        self.pointwise2(divisor, Remainder::<true>)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["remainder", "fmod"], Order::Second, |g, which| {
        let (a, b) = g.pair();
        // Away from the jumps: for all operands, a + c is well between two multiples of b.
        let x = vec![g.tensor(&a, Domain::Between(0.4, 1.4)), g.tensor(&b, Domain::Away(2.0, 2.2))];
        let (c, by_number) = (g.pick(&[0.0, 2.2, 4.5, -1.9, -4.0]), g.once_in(4));
        case!(x, [], |x| match which {
            0 if by_number => (x[0] + c).remainder(2.1) * x[1],
            0 => (x[0] + c).remainder(x[1]),
            _ if by_number => (x[0] + c).fmod(-2.1) * x[1],
            _ => (x[0] + c).fmod(x[1]),
        })
    })
}
