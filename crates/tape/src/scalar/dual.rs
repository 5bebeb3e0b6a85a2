//! [`Dual`]: a number and its derivative in one direction. This is forward mode; over a tape or over itself it gives
//! higher orders.

use super::number::{Number, compare_values};
use crate::number::Real;
use crate::number::{Pointwise, Pointwise2};
use std::cmp::Ordering;
use std::fmt;

/// `value + tangent ε` with ε² = 0.
///
/// Over `f64` it is forward mode. Over the scalar tape's [`Var`](super::Var) the tangent is recorded too, so its
/// gradient is the Hessian times the direction. A tape of duals gives the same product in the other order, and duals of
/// duals give the second derivative in two directions; they nest to any depth.
///
/// ```
/// use wengert_tape::scalar::{Dual, Tape, Var};
/// use wengert_tape::{Elementary, Real};
/// fn f<R: Real>(x: R, y: R) -> R {
///     x.square() * y.sin()
/// }
/// let y = f(Dual::new(3.0, 1.0), Dual::from(2.0));               // the derivative by x, as a number
/// assert_eq!(y.tangent, 6.0 * 2f64.sin());
///
/// let tape = Tape::new();
/// let (x, y) = (tape.var(3.0), tape.var(2.0));
/// let d = f(Dual::new(x, Var::from(1.0)), Dual::new(y, Var::from(0.0))).tangent;
/// let g = tape.gradient(d)?;                                      // a row of the Hessian
/// assert!((g.wrt(x)? - 2.0 * 2f64.sin()).abs() < 1e-15);
/// assert!((g.wrt(y)? - 6.0 * 2f64.cos()).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "make_dual")]
#[derive(Clone, Copy)]
pub struct Dual<R> {
    /// The value.
    pub value: R,
    /// The derivative in the chosen direction.
    pub tangent: R,
}

impl<R: Number> Dual<R> {
    /// A value with the derivative `tangent`.
    ///
    /// ```
    /// use wengert_tape::scalar::Dual;
    /// let x = Dual::new(3.0, 1.0);
    /// assert_eq!((x * x).tangent, 6.0);
    /// ```
    #[inline(always)]
    pub fn new(value: R, tangent: R) -> Self {
        Dual { value, tangent }
    }

    /// A value with the derivative 0.
    ///
    /// ```
    /// use wengert_tape::scalar::Dual;
    /// assert_eq!(Dual::constant(3.0).tangent, 0.0);
    /// ```
    #[inline(always)]
    pub fn constant(value: R) -> Self {
        Dual { value, tangent: R::of(0.0) }
    }
}

impl<R: Number> From<f64> for Dual<R> {
    #[inline(always)]
    fn from(c: f64) -> Self {
        Dual::of(c)
    }
}

impl<R: Number> Real for Dual<R> {
    type Mask = R::Mask;

    #[inline(always)]
    fn like(self, c: f64) -> Self {
        Dual::constant(self.value.like(c))
    }
    #[inline(always)]
    #[track_caller]
    fn scale(self, c: f64) -> Self {
        Dual { value: self.value.scale(c), tangent: self.tangent.scale(c) }
    }
    #[inline(always)]
    #[track_caller]
    fn apply<P: Pointwise>(self, p: P) -> Self {
        let (value, slope) = self.value.value_and_slope(&p);
        Dual { value, tangent: self.tangent.pull(slope) }
    }
    #[inline(always)]
    #[track_caller]
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        let (a, b) = (self.value, o.value);
        let y = a.value_of_two(b, &p);
        // A derivative along a zero tangent is not computed: on a tape it would be recorded.
        let part = |t: R, slope: &dyn Fn() -> R| if t.is_zero() { t } else { t.pull(slope()) };
        let tangent = part(self.tangent, &|| p.da(a, b, y)) + part(o.tangent, &|| p.db(a, b, y));
        Dual { value: y, tangent }
    }
    compare_values!();
    #[inline(always)]
    fn select(mask: R::Mask, yes: Self, no: Self) -> Self {
        let value = R::select(mask.clone(), yes.value, no.value);
        Dual { value, tangent: R::select(mask, yes.tangent, no.tangent) }
    }
}

impl<R: Number> Number for Dual<R> {
    const HAS_LANES: bool = R::HAS_LANES;

    #[inline(always)]
    fn of(c: f64) -> Self {
        Dual { value: R::of(c), tangent: R::of(0.0) }
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.value.is_zero() && self.tangent.is_zero()
    }
    #[inline(always)]
    fn without_denormals(self) -> Self {
        Dual { value: self.value.without_denormals(), tangent: self.tangent.without_denormals() }
    }
    #[inline(always)]
    #[track_caller]
    fn pull(self, slope: Self) -> Self {
        let tangent = self.tangent.pull(slope.value) + self.value.pull(slope.tangent);
        Dual { value: self.value.pull(slope.value), tangent }
    }
    #[inline(always)]
    fn agree(mask: &R::Mask) -> Option<bool> {
        R::agree(mask)
    }
}

impl<R: PartialEq> PartialEq for Dual<R> {
    #[inline(always)]
    fn eq(&self, o: &Self) -> bool {
        self.value == o.value
    }
}

impl<R: PartialOrd> PartialOrd for Dual<R> {
    #[inline(always)]
    fn partial_cmp(&self, o: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&o.value)
    }
}

impl<R: PartialEq<f64>> PartialEq<f64> for Dual<R> {
    #[inline(always)]
    fn eq(&self, o: &f64) -> bool {
        self.value == *o
    }
}

impl<R: PartialOrd<f64>> PartialOrd<f64> for Dual<R> {
    #[inline(always)]
    fn partial_cmp(&self, o: &f64) -> Option<Ordering> {
        self.value.partial_cmp(o)
    }
}

impl<R: fmt::Debug> fmt::Debug for Dual<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} + {:?} ε", self.value, self.tangent)
    }
}

impl<R: fmt::Display> fmt::Display for Dual<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} + {} ε", self.value, self.tangent)
    }
}
