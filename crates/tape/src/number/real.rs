//! [`Real`]: the number type in which a pointwise formula is written once.

use crate::number::{Pointwise, Pointwise2};
use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number, or a value that behaves like one: `f32`, `f64`, and [`Var`](crate::Var).
///
/// A formula generic over `Real` serves both as the kernel of the first-order sweep (with `f32` or `f64`, in a loop that
/// vectorises) and as the recorded expression of the higher orders (with `Var`). The trait is closed and small: arithmetic,
/// constants, comparison with [`select`](Real::select), and [`apply`](Real::apply) and [`apply2`](Real::apply2), through
/// which any [`Pointwise`] or [`Pointwise2`] function enters. So a new function never changes this trait.
pub trait Real:
    Copy + Neg<Output = Self> + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// The result of a comparison.
    type Mask: Clone;

    /// The constant `c` as a number of the kind of this value (for a `Var`: on its tape).
    fn like(self, c: f64) -> Self;

    /// `c` times this value.
    fn scale(self, c: f64) -> Self;

    /// Any pointwise function of this value.
    fn apply<P: Pointwise>(self, p: P) -> Self;

    /// Any pointwise function of this value and another.
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self;

    /// `self < o`; false if either is NaN.
    fn lt(self, o: Self) -> Self::Mask;

    /// `self <= o`; false if either is NaN.
    fn le(self, o: Self) -> Self::Mask;

    /// `self == o`; false if either is NaN.
    fn equals(self, o: Self) -> Self::Mask;

    /// `yes` where the mask holds, else `no`; the branch not taken has no influence, not even as NaN.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
}

macro_rules! real {
    ($($t:ident)*) => {$(
        impl Real for $t {
            type Mask = bool;
            #[inline(always)]
            fn like(self, c: f64) -> Self {
                c as $t
            }
            #[inline(always)]
            fn scale(self, c: f64) -> Self {
                self * c as $t
            }
            #[inline(always)]
            fn apply<P: Pointwise>(self, p: P) -> Self {
                p.f(self)
            }
            #[inline(always)]
            fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
                p.f(self, o)
            }
            #[inline(always)]
            fn lt(self, o: Self) -> bool {
                self < o
            }
            #[inline(always)]
            fn le(self, o: Self) -> bool {
                self <= o
            }
            #[inline(always)]
            fn equals(self, o: Self) -> bool {
                self == o
            }
            #[inline(always)]
            fn select(mask: bool, yes: Self, no: Self) -> Self {
                if mask { yes } else { no }
            }
        }
    )*};
}
real!(f32 f64);

/// `f32` or `f64`: the element type of a tape.
///
/// It combines [`wengert_ops::Float`], whose functions kernels call, and [`Real`], in which formulas are written.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an element type of a tape",
    note = "a tape holds `f32` or `f64`; write the type where it is not inferred, as in `Tape::<f64>::new()`"
)]
pub trait Float: wengert_ops::Float + Real<Mask = bool> {}

impl Float for f32 {}
impl Float for f64 {}

/// A number on which every function takes its exact, slower form, for arguments at which the vectorised form is not
/// accurate.
#[derive(Clone, Copy)]
pub(crate) struct Exact<T>(pub(crate) T);

macro_rules! exact_operator {
    ($($trait:ident $method:ident),*) => {$(
        impl<T: Float> $trait for Exact<T> {
            type Output = Self;
            fn $method(self, o: Self) -> Self {
                Exact($trait::$method(self.0, o.0))
            }
        }
    )*};
}
exact_operator!(Add add, Sub sub, Mul mul, Div div);

impl<T: Float> Neg for Exact<T> {
    type Output = Self;
    fn neg(self) -> Self {
        Exact(-self.0)
    }
}

impl<T: Float> Real for Exact<T> {
    type Mask = bool;
    fn like(self, c: f64) -> Self {
        Exact(self.0.like(c))
    }
    fn scale(self, c: f64) -> Self {
        Exact(self.0.scale(c))
    }
    fn apply<P: Pointwise>(self, p: P) -> Self {
        Exact(p.exact(self.0))
    }
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        Exact(p.exact(self.0, o.0))
    }
    fn lt(self, o: Self) -> bool {
        self.0 < o.0
    }
    fn le(self, o: Self) -> bool {
        self.0 <= o.0
    }
    fn equals(self, o: Self) -> bool {
        self.0 == o.0
    }
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
}
