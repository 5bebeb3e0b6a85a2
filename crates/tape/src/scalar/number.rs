//! [`Number`]: the numbers of a scalar tape, which also carry its derivatives.

use super::trace::Operation;
use super::var::Var;
use crate::number::{Exact, Float, Real};
use crate::number::{Pointwise, Pointwise2};
use std::panic::Location;
use wengert_ops::simd::with_fma;

/// A [`Real`] whose constants can be made without another value.
///
/// It is implemented by `f64` and `f32`, by [`Lanes`](super::Lanes) of them, by [`Dual`](super::Dual) numbers over any
/// `Number`, and by the scalar tape's [`Var`] itself. A [`Tape`](super::Tape) works with any of them, so they nest: a
/// tape of duals gives second derivatives, a tape of lanes several inputs at once. A tape of [`Traced`](super::Traced)
/// numbers can be shown step by step.
///
/// ```
/// use wengert_tape::scalar::{Dual, Number};
/// fn three<R: Number>() -> R {
///     R::of(1.0) + R::of(2.0)
/// }
/// assert_eq!(three::<f32>(), 3.0);
/// assert_eq!(three::<Dual<f64>>().value, 3.0);
/// ```
pub trait Number: Real {
    #[doc(hidden)]
    const HAS_LANES: bool = false;
    #[doc(hidden)]
    const TRACED: bool = false;

    /// The constant `c`.
    fn of(c: f64) -> Self;

    /// Whether this is zero and remains so: no derivative of it is used.
    fn is_zero(self) -> bool;

    /// This number, or zero if it is denormal; each lane and each part by itself. See
    /// [`flush_denormals`](super::Tape::flush_denormals).
    #[inline(always)]
    fn without_denormals(self) -> Self {
        self
    }

    /// This cotangent (or tangent) times a derivative. Zero remains zero, whatever the derivative: a branch that is not
    /// taken has no influence, even if its derivative is infinite or NaN.
    #[inline(always)]
    #[track_caller]
    fn pull(self, slope: Self) -> Self {
        if self.is_zero() { self } else { self * slope }
    }

    /// The value of a mask if all lanes agree, `None` if they differ.
    fn agree(mask: &Self::Mask) -> Option<bool>;

    /// The value of a pointwise function, and its derivative.
    #[inline(always)]
    #[track_caller]
    fn value_and_slope<P: Pointwise>(self, p: &P) -> (Self, Self) {
        let y = self.apply(p.clone());
        (y, p.df(self, y))
    }

    /// A function of two numbers.
    #[inline(always)]
    #[track_caller]
    fn value_of_two<P: Pointwise2>(self, o: Self, p: &P) -> Self {
        self.apply2(o, p.clone())
    }

    /// Records a result on a tape that traces; on other tapes the result is not changed, and `op` is not called.
    #[doc(hidden)]
    #[inline(always)]
    fn note<'t>(
        y: Var<'t, Self>,
        _at: &'static Location<'static>,
        _op: impl FnOnce() -> Operation<'t, Self>,
    ) -> Var<'t, Self> {
        y
    }
}

/// Whether functions of this cost consist of fused multiply-adds, not of arithmetic or of functions of the C library.
pub(super) const fn is_polynomial(cost: usize) -> bool {
    3 < cost && cost < 20
}

/// The derivative where the fast form is not accurate.
#[cold]
#[inline(never)]
fn exact<T: Float, P: Pointwise>(x: T, p: &P) -> (T, T) {
    let y = p.exact(x);
    (y, p.df(Exact(x), Exact(y)).0)
}

#[inline(always)]
fn both<T: Float, P: Pointwise>(x: T, p: &P) -> (T, T) {
    let y = p.f(x);
    (y, p.df(x, y))
}

/// The comparisons of [`Real`] for a number that compares as its field `value`.
macro_rules! compare_values {
    () => {
        #[inline(always)]
        fn lt(self, o: Self) -> Self::Mask {
            self.value.lt(o.value)
        }
        #[inline(always)]
        fn le(self, o: Self) -> Self::Mask {
            self.value.le(o.value)
        }
        #[inline(always)]
        fn equals(self, o: Self) -> Self::Mask {
            self.value.equals(o.value)
        }
    };
}
pub(super) use compare_values;

macro_rules! number {
    ($($t:ident)*) => {$(
        impl Number for $t {
            #[inline(always)]
            fn of(c: f64) -> Self {
                c as $t
            }
            #[inline(always)]
            fn is_zero(self) -> bool {
                self == 0.0
            }
            #[inline(always)]
            fn without_denormals(self) -> Self {
                if self.abs() < <$t>::MIN_POSITIVE { 0.0 } else { self }
            }
            #[inline(always)]
            fn agree(mask: &bool) -> Option<bool> {
                Some(*mask)
            }
            #[inline(always)]
            fn value_and_slope<P: Pointwise>(self, p: &P) -> (Self, Self) {
                if P::HAS_ROUGH && p.is_rough(self) {
                    exact(self, p)
                } else if is_polynomial(P::COST) {
                    with_fma(|| both(self, p))
                } else {
                    both(self, p)
                }
            }
            #[inline(always)]
            fn value_of_two<P: Pointwise2>(self, o: Self, p: &P) -> Self {
                if P::HAS_ROUGH && p.is_rough(self, o) {
                    p.exact(self, o)
                } else if is_polynomial(P::COST) {
                    with_fma(|| p.f(self, o))
                } else {
                    p.f(self, o)
                }
            }
        }
    )*};
}
number!(f32 f64);
