//! The operators `+ - * /` with their operand types, and [`Real`] for [`Var`].

use super::scalar::{AddScalar, MulScalar, RDivScalar, RSubScalar};
use crate::error::{Error, ErrorKind};
use crate::number::{Float, Real};
use crate::number::{Pointwise, Pointwise2};
use crate::tape::Tape;
use crate::tape::var::Var;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use wengert_ops::Tensor;

/// An operand of an operation on a tape: a [`Var`], a tensor or a reference to one, a number (`f64`, `f32` or `i32`; on the
/// left of an operator `f64` or `i32`), or a result that holds a tensor, whose error becomes the value's error. Everything
/// except a `Var` is a constant.
///
/// ```
/// # use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f32>::new();
/// let (x, rate) = (tape.var(Tensor::from([1.5f32, -2.5])), 0.5f32);
/// let mut y = 2 * x - rate;
/// y += x.floor();                                     // the result of a rounding is a constant
/// assert_eq!(y.value()?.to_vec(), [3.5, -8.5]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub trait Operand<'t, T: Float>: Sized {
    /// The operand as a value of `tape`.
    #[track_caller]
    fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T>;

    /// The operand if it is a plain number.
    fn as_number(&self) -> Option<f64> {
        None
    }
}

impl<'t, T: Float> Operand<'t, T> for Var<'t, T> {
    #[track_caller]
    fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
        if std::ptr::eq(self.tape, tape) {
            self
        } else {
            tape.failed(Error::new(ErrorKind::ForeignTape, "operand", "an operand belongs to another tape"))
        }
    }
}

macro_rules! tensor_operand {
    ($($t:ty)*) => {$(
        impl<'t, T: Float> Operand<'t, T> for $t {
            #[track_caller]
            fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
                tape.constant(self)
            }
        }
    )*};
}
tensor_operand!(Tensor<T> &Tensor<T> wengert_ops::Result<Tensor<T>>);

impl<'t, T: Float> Operand<'t, T> for crate::Result<Tensor<T>> {
    #[track_caller]
    fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
        match self {
            Ok(t) => tape.constant(t),
            Err(e) => tape.failed(e),
        }
    }
}

macro_rules! number_operand {
    ($($t:ty)*) => {$(
        impl<'t, T: Float> Operand<'t, T> for $t {
            #[track_caller]
            fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
                tape.constant(f64::from(self))
            }
            fn as_number(&self) -> Option<f64> {
                Some(f64::from(*self))
            }
        }
    )*};
}
number_operand!(f64 f32 i32);

macro_rules! operator {
    ($trait:ident, $method:ident, $assign:ident, $assign_method:ident, $rule:path, |$x:ident, $c:ident| $with_number:expr, $left:expr) => {
        impl<'t, T: Float, O: Operand<'t, T>> $trait<O> for Var<'t, T> {
            type Output = Var<'t, T>;
            #[track_caller]
            fn $method(self, o: O) -> Var<'t, T> {
                match o.as_number() {
                    Some($c) => {
                        let $x = self;
                        $with_number
                    }
                    None => {
                        let o = o.into_var(self.tape);
                        $rule(self, o)
                    }
                }
            }
        }
        operator!(@number $trait, $method, $left, f64 i32);
        impl<'t, T: Float, O: Operand<'t, T>> $assign<O> for Var<'t, T> {
            #[track_caller]
            fn $assign_method(&mut self, o: O) {
                *self = $trait::$method(*self, o);
            }
        }
        impl<'t, T: Float> $trait<Var<'t, T>> for &Tensor<T> {
            type Output = Var<'t, T>;
            #[track_caller]
            fn $method(self, o: Var<'t, T>) -> Var<'t, T> {
                $trait::$method(o.tape.constant(self), o)
            }
        }
    };
    // Not for f32: with two floating-point types to choose from, the compiler could not infer the type of `1.0` in
    // `1.0 - x`.
    (@number $trait:ident, $method:ident, $left:expr, $($t:ty)*) => {$(
        impl<'t, T: Float> $trait<Var<'t, T>> for $t {
            type Output = Var<'t, T>;
            #[track_caller]
            fn $method(self, o: Var<'t, T>) -> Var<'t, T> {
                o.pointwise($left(f64::from(self)))
            }
        }
    )*};
}
operator!(Add, add, AddAssign, add_assign, super::add::add, |x, c| x.pointwise(AddScalar(c)), AddScalar);
operator!(Sub, sub, SubAssign, sub_assign, super::sub::sub, |x, c| x.pointwise(AddScalar(-c)), RSubScalar);
operator!(Mul, mul, MulAssign, mul_assign, super::mul::mul, |x, c| x.pointwise(MulScalar(c)), MulScalar);
operator!(
    Div,
    div,
    DivAssign,
    div_assign,
    super::div::div,
    |x, c| x.pointwise(super::scalar::DivScalar(c)),
    RDivScalar
);

impl<'t, T: Float> Neg for Var<'t, T> {
    type Output = Var<'t, T>;
    #[track_caller]
    fn neg(self) -> Var<'t, T> {
        self.pointwise(super::neg::Negate)
    }
}

/// Rules can write formulas on `Var` too: these are the recorded form of a derivative.
impl<T: Float> Real for Var<'_, T> {
    type Mask = Tensor<bool>;

    #[track_caller]
    fn like(self, c: f64) -> Self {
        self.tape.constant(c)
    }
    #[track_caller]
    fn scale(self, c: f64) -> Self {
        self.pointwise(MulScalar(c))
    }
    #[track_caller]
    fn apply<P: Pointwise>(self, p: P) -> Self {
        self.pointwise(p)
    }
    #[track_caller]
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        self.pointwise2(o, p)
    }
    fn lt(self, o: Self) -> Tensor<bool> {
        self.mask(o, |a, b| a.lt(b))
    }
    fn le(self, o: Self) -> Tensor<bool> {
        self.mask(o, |a, b| a.le(b))
    }
    fn equals(self, o: Self) -> Tensor<bool> {
        self.mask(o, |a, b| a.eq(b))
    }
    #[track_caller]
    fn select(mask: Tensor<bool>, yes: Self, no: Self) -> Self {
        super::where_cond::select(mask, yes, no)
    }
}

impl<T: Float> Var<'_, T> {
    /// A comparison inside a formula. Failed operands compare as false: the formula's result has failed in any case.
    fn mask(
        self,
        o: Self,
        compare: fn(&Tensor<T>, &Tensor<T>) -> wengert_ops::Result<Tensor<bool>>,
    ) -> Tensor<bool> {
        let outcome = self.value().ok().zip(o.value().ok()).and_then(|(a, b)| compare(&a, &b).ok());
        outcome.unwrap_or_else(|| Tensor::scalar(false))
    }
}
