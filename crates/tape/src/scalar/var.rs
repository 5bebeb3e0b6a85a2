//! [`Var`]: a number with its derivative with respect to one node of a tape.

use super::number::{Number, compare_values};
use super::tape::{Record, Tape};
use super::trace::Operation;
use crate::number::Real;
use crate::number::{Pointwise, Pointwise2};
use crate::rules;
use std::cmp::Ordering;
use std::fmt;
use std::panic::Location;

/// The place of a number that depends on nothing. Its cotangent is never used.
pub(super) const NOWHERE: u32 = 0;

/// A number of a scalar program, with its derivative with respect to one node of the tape.
///
/// A handle is `Copy` and carries an edge: its value, a node, and the derivative with respect to that node. Therefore a
/// function of one number, and arithmetic with a constant, change the handle and write nothing; only an operation on
/// two numbers that depend on different nodes adds a node. Arithmetic works with `f64` on either side, comparisons
/// compare values, and the functions are those of [`Elementary`](crate::Elementary) and the methods here.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::Tape;
///
/// let tape = Tape::new();
/// let (x1, x2) = (tape.var(2.0), tape.var(5.0));
/// let y = x1.log() + x1 * x2 - x2.sin();
/// assert_eq!(tape.len(), 5);                      // two variables, a product, a sum, a difference
/// let g = tape.gradient(y)?;
/// assert_eq!(g.wrt(x1)?, 5.5);                    // 1/x₁ + x₂
/// assert!((g.wrt(x2)? - (2.0 - 5f64.cos())).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// `Var::from` makes a constant of a plain number, so that sums and products over iterators work too.
#[must_use]
pub struct Var<'t, T: Number = f64> {
    /// `None` for constants.
    pub(super) tape: Option<&'t Tape<T>>,
    pub(super) value: T,
    /// The derivative with respect to the node at the place.
    pub(super) partial: T,
    pub(super) place: Place,
}

/// An index, and the kind of handle. They are one number: if there were two, they would be copied one by one, and
/// reading both at once after that would wait until they have left the store buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place(u64);

impl Place {
    #[inline(always)]
    pub(super) fn new(index: u32, stands: Stands) -> Self {
        Place(u64::from(index) | (stands as u64) << 32)
    }

    /// A value with an edge from a node.
    #[inline(always)]
    pub(super) fn on(index: u32) -> Self {
        Self::new(index, Stands::OnNode)
    }

    #[inline(always)]
    pub(super) fn index(self) -> u32 {
        self.0 as u32
    }

    #[inline(always)]
    fn stands(self) -> Stands {
        match self.0 >> 32 {
            0 => Stands::OnNode,
            1 => Stands::ForNode,
            _ => Stands::ForConstant,
        }
    }
}

/// The kind of a handle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stands {
    /// A value with an edge from a node, or a constant.
    OnNode,
    /// The node itself: a variable, or a value that was kept.
    ForNode,
    /// A constant that is a node, on a tape that traces.
    ForConstant,
}

impl<T: Number> Clone for Var<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Number> Copy for Var<'_, T> {}

impl<'t, T: Number> Var<'t, T> {
    /// A number that depends on nothing.
    ///
    /// ```
    /// use wengert_tape::scalar::{Tape, Var};
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let y = Var::constant(2.0) * x;
    /// assert_eq!(tape.gradient(y)?.wrt(x)?, 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline(always)]
    pub fn constant(value: T) -> Self {
        Var { tape: None, value, partial: T::of(0.0), place: Place::on(NOWHERE) }
    }

    /// The value.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// assert_eq!((tape.var(3.0) * 2.0).value(), 6.0);
    /// ```
    #[inline(always)]
    pub fn value(self) -> T {
        self.value
    }

    /// Whether this depends on no variable.
    ///
    /// ```
    /// # use wengert_tape::scalar::{Tape, Var};
    /// let tape = Tape::new();
    /// assert!(Var::<f64>::from(3.0).is_constant() && !tape.var(3.0).is_constant());
    /// ```
    #[inline(always)]
    pub fn is_constant(self) -> bool {
        self.index() == NOWHERE || self.stands() == Stands::ForConstant
    }

    /// The same value as a constant: its derivative is zero.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// assert_eq!(tape.gradient(x.detach() * x)?.wrt(x)?, 3.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn detach(self) -> Self {
        Var::constant(self.value)
    }

    /// The same value as a node of its own, whose cotangent can be read. A handle that only carries an edge has no
    /// cotangent.
    ///
    /// ```
    /// use wengert_tape::Elementary;
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let z = x.square().keep();
    /// let g = tape.gradient(z * x)?;
    /// assert_eq!((g.wrt(z)?, g.wrt(x)?), (3.0, 27.0));
    /// assert!(g.wrt(x.square()).unwrap_err().to_string().contains("keep()"));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn keep(self) -> Self {
        match self.tape {
            Some(tape) if self.stands() == Stands::OnNode && self.index() != NOWHERE => tape.keep(self),
            _ => self,
        }
    }

    /// The node that its edge comes from, or that it is.
    #[inline(always)]
    pub(super) fn index(self) -> u32 {
        self.place.index()
    }

    #[inline(always)]
    pub(super) fn stands(self) -> Stands {
        self.place.stands()
    }

    /// A handle with the same node and another value; `slope` is the derivative of the value with respect to this
    /// number.
    #[inline(always)]
    pub(super) fn edge(self, value: T, slope: T) -> Self {
        Var { tape: self.tape, value, partial: slope.pull(self.partial), place: Place::on(self.index()) }
    }

    /// A function of this number and another; its derivatives are computed only if they are needed.
    #[inline(always)]
    #[track_caller]
    pub(super) fn join(self, o: Self, value: T, da: impl FnOnce() -> T, db: impl FnOnce() -> T) -> Self {
        match (self.tape, o.tape) {
            (Some(tape), Some(_)) if o.same_tape(self.tape) => {
                let (a, b) = (da().pull(self.partial), db().pull(o.partial));
                tape.node(value, Record::new(a, self.index(), b, o.index()))
            }
            (Some(_), Some(_)) => self.refuse(o),
            (_, None) => self.edge(value, da()),
            (None, _) => o.edge(value, db()),
        }
    }

    /// Whether this is a number of the given tape.
    #[inline(always)]
    pub(super) fn same_tape(self, tape: Option<&'t Tape<T>>) -> bool {
        self.tape.map_or(std::ptr::null(), std::ptr::from_ref)
            == tape.map_or(std::ptr::null(), std::ptr::from_ref)
    }

    /// The result of operands from two tapes: NaN, and an error on both.
    #[inline(always)]
    #[track_caller]
    pub(super) fn refuse(self, o: Self) -> Self {
        for tape in [self.tape, o.tape].into_iter().flatten() {
            tape.note_foreign(Location::caller());
        }
        Var::constant(T::of(f64::NAN))
    }

    /// This number to an integer power.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(-2.0);
    /// let y = x.powi(3);
    /// assert_eq!((y.value(), tape.gradient(y)?.wrt(x)?), (-8.0, 12.0));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn powi(self, n: i32) -> Self {
        match n {
            0 => Var::constant(T::of(1.0)),
            1 => self,
            2 => self.apply(rules::square::Square),
            _ => self.apply(rules::pow::Powf(f64::from(n))),
        }
    }

    /// This number to a constant power.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(4.0);
    /// let y = x.powf(1.5);
    /// assert_eq!((y.value(), tape.gradient(y)?.wrt(x)?), (8.0, 3.0));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn powf(self, p: f64) -> Self {
        self.apply(rules::pow::Powf(p))
    }

    /// Natural logarithm, under the name that it has for Rust's numbers.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(4.0);
    /// assert_eq!(tape.gradient(x.ln())?.wrt(x)?, 0.25);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn ln(self) -> Self {
        self.apply(rules::log::Log)
    }

    /// The larger of two numbers, NaN if either is; if they are equal, each has half of the derivative.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(4.0);
    /// assert_eq!(tape.gradient(x.max(1.0) + x.max(4.0) + x.max(9.0))?.wrt(x)?, 1.5);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn max(self, o: impl Into<Self>) -> Self {
        self.apply2(o.into(), rules::maximum::Pick::<true>)
    }

    /// The smaller of two numbers, NaN if either is; if they are equal, each has half of the derivative.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(4.0);
    /// assert_eq!(tape.gradient(x.min(1.0) + x.min(4.0) + x.min(9.0))?.wrt(x)?, 1.5);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn min(self, o: impl Into<Self>) -> Self {
        self.apply2(o.into(), rules::maximum::Pick::<false>)
    }
}

impl<T: Number> Real for Var<'_, T> {
    type Mask = T::Mask;

    #[inline(always)]
    fn like(self, c: f64) -> Self {
        Var::constant(self.value.like(c))
    }
    #[inline(always)]
    #[track_caller]
    fn scale(self, c: f64) -> Self {
        let y = self.edge(self.value.scale(c), self.value.like(c));
        T::note(y, Location::caller(), || Operation::unary(rules::scalar::MulScalar(c), self))
    }
    #[inline(always)]
    #[track_caller]
    fn apply<P: Pointwise>(self, p: P) -> Self {
        let (y, slope) = self.value.value_and_slope(&p);
        T::note(self.edge(y, slope), Location::caller(), || Operation::unary(p, self))
    }
    #[inline(always)]
    #[track_caller]
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        let (a, b) = (self.value, o.value);
        let y = a.value_of_two(b, &p);
        let y = self.join(o, y, || p.da(a, b, y), || p.db(a, b, y));
        T::note(y, Location::caller(), || Operation::binary(p, self, o))
    }
    compare_values!();
    #[inline(always)]
    #[track_caller]
    fn select(mask: T::Mask, yes: Self, no: Self) -> Self {
        match T::agree(&mask) {
            Some(true) => yes,
            Some(false) => no,
            None => {
                let (one, zero) = (T::of(1.0), T::of(0.0));
                let value = T::select(mask.clone(), yes.value, no.value);
                yes.join(
                    no,
                    value,
                    || T::select(mask.clone(), one, zero),
                    || T::select(mask.clone(), zero, one),
                )
            }
        }
    }
}

impl<T: Number> Number for Var<'_, T> {
    #[inline(always)]
    fn of(c: f64) -> Self {
        Var::constant(T::of(c))
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.index() == NOWHERE && self.value.is_zero()
    }
    #[inline(always)]
    fn agree(mask: &T::Mask) -> Option<bool> {
        T::agree(mask)
    }
}

impl<T: Number> From<f64> for Var<'_, T> {
    #[inline(always)]
    fn from(c: f64) -> Self {
        Var::of(c)
    }
}

impl<T: Number> Default for Var<'_, T> {
    fn default() -> Self {
        Var::of(0.0)
    }
}

impl<T: Number + PartialEq> PartialEq for Var<'_, T> {
    #[inline(always)]
    fn eq(&self, o: &Self) -> bool {
        self.value == o.value
    }
}

impl<T: Number + PartialOrd> PartialOrd for Var<'_, T> {
    #[inline(always)]
    fn partial_cmp(&self, o: &Self) -> Option<Ordering> {
        self.value.partial_cmp(&o.value)
    }
}

impl<T: Number + PartialEq<f64>> PartialEq<f64> for Var<'_, T> {
    #[inline(always)]
    fn eq(&self, o: &f64) -> bool {
        self.value == *o
    }
}

impl<T: Number + PartialOrd<f64>> PartialOrd<f64> for Var<'_, T> {
    #[inline(always)]
    fn partial_cmp(&self, o: &f64) -> Option<Ordering> {
        self.value.partial_cmp(o)
    }
}

impl<T: Number + fmt::Debug> fmt::Debug for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index() {
            NOWHERE => write!(f, "{:?} (constant)", self.value),
            at if self.stands() == Stands::ForNode => write!(f, "{:?} (node {at})", self.value),
            at => write!(f, "{:?} ({:?} by node {at})", self.value, self.partial),
        }
    }
}

impl<T: Number + fmt::Display> fmt::Display for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}
