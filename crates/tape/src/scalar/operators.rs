//! Arithmetic on [`Var`], [`Dual`] and [`Jet`]: with each other, with `f64` on either side, in place, and over iterators.

use super::dual::Dual;
use super::jet::Jet;
use super::number::Number;
use super::trace::Operation;
use super::var::{Place, Var};
use crate::rules;
use std::iter::{Product, Sum};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use std::panic::Location;

impl<T: Number> Add for Var<'_, T> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn add(self, o: Self) -> Self {
        let z = self.join(o, self.value + o.value, || T::of(1.0), || T::of(1.0));
        T::note(z, Location::caller(), || Operation::sum_of_two(1.0, self, o))
    }
}

impl<T: Number> Sub for Var<'_, T> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn sub(self, o: Self) -> Self {
        let z = self.join(o, self.value - o.value, || T::of(1.0), || T::of(-1.0));
        T::note(z, Location::caller(), || Operation::sum_of_two(-1.0, self, o))
    }
}

impl<T: Number> Mul for Var<'_, T> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn mul(self, o: Self) -> Self {
        let z = self.join(o, self.value * o.value, || o.value, || self.value);
        T::note(z, Location::caller(), || Operation::binary(rules::mul::Product, self, o))
    }
}

impl<T: Number> Div for Var<'_, T> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn div(self, o: Self) -> Self {
        let y = self.value / o.value;
        let inverse = T::of(1.0) / o.value;
        let z = self.join(o, y, || inverse, || -(y * inverse));
        T::note(z, Location::caller(), || Operation::binary(rules::div::Quotient, self, o))
    }
}

impl<T: Number> Neg for Var<'_, T> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn neg(self) -> Self {
        let y = Var { value: -self.value, partial: -self.partial, place: Place::on(self.index()), ..self };
        T::note(y, Location::caller(), || Operation::unary(rules::neg::Negate, self))
    }
}

/// Arithmetic of a variable or dual number `x` with the constant `c`.
macro_rules! with_number {
    ($($trait:ident $method:ident $assign:ident $assign_method:ident;)*) => {$(
        impl<T: Number> $trait<f64> for Var<'_, T> {
            type Output = Self;
            #[inline(always)]
            #[track_caller]
            fn $method(self, c: f64) -> Self {
                $trait::$method(self, Var::of(c))
            }
        }
        impl<'t, T: Number> $trait<Var<'t, T>> for f64 {
            type Output = Var<'t, T>;
            #[inline(always)]
            #[track_caller]
            fn $method(self, x: Var<'t, T>) -> Var<'t, T> {
                $trait::$method(Var::of(self), x)
            }
        }
        impl<T: Number> $assign for Var<'_, T> {
            #[inline(always)]
            #[track_caller]
            fn $assign_method(&mut self, o: Self) {
                *self = $trait::$method(*self, o);
            }
        }
        impl<T: Number> $assign<f64> for Var<'_, T> {
            #[inline(always)]
            #[track_caller]
            fn $assign_method(&mut self, c: f64) {
                *self = $trait::$method(*self, c);
            }
        }
        impl<R: Number> $trait<f64> for Dual<R> {
            type Output = Self;
            #[inline(always)]
            #[track_caller]
            fn $method(self, c: f64) -> Self {
                $trait::$method(self, Dual::of(c))
            }
        }
        impl<R: Number> $trait<Dual<R>> for f64 {
            type Output = Dual<R>;
            #[inline(always)]
            #[track_caller]
            fn $method(self, x: Dual<R>) -> Dual<R> {
                $trait::$method(Dual::of(self), x)
            }
        }
        impl<const N: usize, T: Number> $trait<f64> for Jet<N, T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, c: f64) -> Self {
                $trait::$method(self, Jet::of(c))
            }
        }
        impl<const N: usize, T: Number> $trait<Jet<N, T>> for f64 {
            type Output = Jet<N, T>;
            #[inline(always)]
            fn $method(self, x: Jet<N, T>) -> Jet<N, T> {
                $trait::$method(Jet::of(self), x)
            }
        }
        impl<const N: usize, T: Number> $assign for Jet<N, T> {
            #[inline(always)]
            fn $assign_method(&mut self, o: Self) {
                *self = $trait::$method(*self, o);
            }
        }
        impl<R: Number> $assign for Dual<R> {
            #[inline(always)]
            #[track_caller]
            fn $assign_method(&mut self, o: Self) {
                *self = $trait::$method(*self, o);
            }
        }
        impl<R: Number> $assign<f64> for Dual<R> {
            #[inline(always)]
            #[track_caller]
            fn $assign_method(&mut self, c: f64) {
                *self = $trait::$method(*self, c);
            }
        }
    )*};
}
with_number! {
    Add add AddAssign add_assign;
    Sub sub SubAssign sub_assign;
    Mul mul MulAssign mul_assign;
    Div div DivAssign div_assign;
}

impl<R: Number> Add for Dual<R> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn add(self, o: Self) -> Self {
        Dual { value: self.value + o.value, tangent: self.tangent + o.tangent }
    }
}

impl<R: Number> Sub for Dual<R> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn sub(self, o: Self) -> Self {
        Dual { value: self.value - o.value, tangent: self.tangent - o.tangent }
    }
}

impl<R: Number> Mul for Dual<R> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn mul(self, o: Self) -> Self {
        let tangent = self.tangent.pull(o.value) + o.tangent.pull(self.value);
        Dual { value: self.value * o.value, tangent }
    }
}

impl<R: Number> Div for Dual<R> {
    type Output = Self;
    #[inline(always)]
    #[track_caller]
    fn div(self, o: Self) -> Self {
        let y = self.value / o.value;
        let inverse = R::of(1.0) / o.value;
        let tangent = self.tangent.pull(inverse) - o.tangent.pull(y * inverse);
        Dual { value: y, tangent }
    }
}

impl<R: Number> Neg for Dual<R> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Dual { value: -self.value, tangent: -self.tangent }
    }
}

macro_rules! over_iterators {
    ($(($($generics:tt)*) $type:ty;)*) => {$(
        impl<$($generics)*> Sum for $type {
            fn sum<I: Iterator<Item = Self>>(mut terms: I) -> Self {
                let first = terms.next().unwrap_or_else(|| <$type>::of(0.0));
                terms.fold(first, |sum, x| sum + x)
            }
        }
        impl<'a, $($generics)*> Sum<&'a $type> for $type {
            fn sum<I: Iterator<Item = &'a $type>>(terms: I) -> Self {
                terms.copied().sum()
            }
        }
        impl<$($generics)*> Product for $type {
            fn product<I: Iterator<Item = Self>>(mut factors: I) -> Self {
                let first = factors.next().unwrap_or_else(|| <$type>::of(1.0));
                factors.fold(first, |product, x| product * x)
            }
        }
        impl<'a, $($generics)*> Product<&'a $type> for $type {
            fn product<I: Iterator<Item = &'a $type>>(factors: I) -> Self {
                factors.copied().product()
            }
        }
    )*};
}
over_iterators! {
    (R: Number) Dual<R>;
    (const N: usize, T: Number) Jet<N, T>;
}
