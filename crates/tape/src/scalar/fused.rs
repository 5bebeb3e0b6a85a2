//! Statements with many edges: one cotangent for all of them, and half the number of records of a chain of sums.

use super::number::Number;
use super::tape::{Record, Tape};
use super::trace::Operation;
use super::var::{NOWHERE, Place, Var};
use std::array;
use std::iter::{Product, Sum};
use std::panic::Location;

/// A sum that is being written, two edges per record.
///
/// At any time, the tape contains a whole statement. Therefore there may be other records between those of this one,
/// for example if the terms of a sum are computed while it is written.
///
/// The fields are plain numbers, not options, so that they stay in registers in a loop.
pub(super) struct Statement<'t, T: Number> {
    tape: Option<&'t Tape<T>>,
    /// An edge that waits for another one; none if its index is `NOWHERE`.
    waiting: (T, u32),
    /// The index of the last written record; `NOWHERE` if there is none.
    written: u32,
    foreign: Option<&'t Tape<T>>,
}

impl<'t, T: Number> Statement<'t, T> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Statement { tape: None, waiting: none(), written: NOWHERE, foreign: None }
    }

    /// Stores the tape of an operand.
    #[inline(always)]
    fn admit(&mut self, x: Var<'t, T>) {
        if !x.same_tape(self.tape) {
            if self.tape.is_none() {
                self.tape = x.tape;
            } else {
                self.foreign = x.tape;
            }
        }
    }

    /// Writes two edges when none is waiting.
    #[inline(always)]
    fn write(&mut self, first: (T, u32), second: (T, u32)) {
        let Some(tape) = self.tape else { return };
        let record = if self.written == NOWHERE {
            self.waiting = none();
            record(first, second)
        } else if tape.may_continue(self.written) {
            self.waiting = none();
            record(first, second).continuing()
        } else {
            // Other records came between: this starts a new statement, whose first edge is the statement so far.
            self.waiting = second;
            record((T::of(1.0), self.written), first)
        };
        self.written = tape.push(record);
    }

    /// Adds an edge: the derivative with respect to `x` is `slope`.
    #[inline(always)]
    pub(super) fn edge(&mut self, x: Var<'t, T>, slope: T) {
        if x.index() == NOWHERE {
            return;
        }
        self.admit(x);
        let edge = (slope.pull(x.partial), x.index());
        if self.waiting.1 == NOWHERE {
            self.waiting = edge;
        } else {
            self.write(self.waiting, edge);
        }
    }

    /// Adds the derivatives with respect to `a` and `b`.
    #[inline(always)]
    fn pair(&mut self, a: Var<'t, T>, da: T, b: Var<'t, T>, db: T) {
        if a.index() != NOWHERE && b.index() != NOWHERE && self.waiting.1 == NOWHERE {
            self.admit(a);
            self.admit(b);
            self.write((da.pull(a.partial), a.index()), (db.pull(b.partial), b.index()));
        } else {
            self.edge(a, da);
            self.edge(b, db);
        }
    }

    /// The handle of the statement, with the given value.
    #[inline(always)]
    #[track_caller]
    pub(super) fn finish(mut self, value: T) -> Var<'t, T> {
        let Some(tape) = self.tape else {
            return Var::constant(value);
        };
        if let Some(other) = self.foreign {
            let of = |tape| Var { tape: Some(tape), ..Var::constant(value) };
            return of(tape).refuse(of(other));
        }
        if self.waiting.1 != NOWHERE {
            if self.written == NOWHERE {
                let (partial, index) = self.waiting;
                return Var { tape: Some(tape), value, partial, place: Place::on(index) };
            }
            self.write(self.waiting, none());
        }
        tape.handle(value, Place::on(self.written))
    }
}

impl<'t, T: Number> Statement<'t, T> {
    /// A statement with `N` edges.
    ///
    /// The records of a long statement are written together, with a single check that all inputs are on one tape and
    /// there is room. A short one gains nothing from that, and would have to wait with its derivatives until the last
    /// is known.
    #[inline(always)]
    #[track_caller]
    pub(super) fn of<const N: usize>(inputs: [Var<'t, T>; N], value: T, slopes: [T; N]) -> Var<'t, T> {
        if N <= 5 {
            return Self::one_by_one(inputs, value, slopes);
        }
        match Self::at_once(&inputs, value, &slopes) {
            Some(y) => y,
            None => {
                // Arguments and results of a call are in memory. The inputs are copied for the call, and the value of
                // its result is used only if it is NaN, so that everything stays in registers in the usual case.
                let (inputs, slopes) =
                    (array::from_fn::<_, N, _>(|i| inputs[i]), array::from_fn(|i| slopes[i]));
                let y = Self::not_at_once(inputs, value, slopes);
                let value = if y.tape.is_some() { value } else { y.value };
                Var { value, place: Place::on(y.index()), ..y }
            }
        }
    }

    #[inline(always)]
    fn at_once<const N: usize>(inputs: &[Var<'t, T>; N], value: T, slopes: &[T; N]) -> Option<Var<'t, T>> {
        let tape = inputs.first()?.tape?;
        if !inputs.iter().all(|x| x.same_tape(Some(tape))) {
            return None;
        }
        let edge =
            |i: usize| if i < N { (slopes[i].pull(inputs[i].partial), inputs[i].index()) } else { none() };
        let records: [Record<T>; N] = array::from_fn(|i| {
            let record = record(edge(2 * i), edge(2 * i + 1));
            if i == 0 { record } else { record.continuing() }
        });
        let index = tape.push_all(&records[..N.div_ceil(2)])?;
        Some(tape.handle(value, Place::on(index)))
    }

    /// For constants among the inputs, or across the end of a chunk of records.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn not_at_once<const N: usize>(inputs: [Var<'t, T>; N], value: T, slopes: [T; N]) -> Var<'t, T> {
        Self::one_by_one(inputs, value, slopes)
    }

    #[inline(always)]
    #[track_caller]
    fn one_by_one<const N: usize>(inputs: [Var<'t, T>; N], value: T, slopes: [T; N]) -> Var<'t, T> {
        let mut sum = Statement::new();
        for (x, slope) in inputs.into_iter().zip(slopes) {
            sum.edge(x, slope);
        }
        sum.finish(value)
    }
}

/// No edge.
#[inline(always)]
fn none<T: Number>() -> (T, u32) {
    (T::of(0.0), NOWHERE)
}

#[inline(always)]
fn record<T>((da, a): (T, u32), (db, b): (T, u32)) -> Record<T> {
    Record::new(da, a, db, b)
}

/// Σ aᵢ bᵢ as one statement: one record per product, where operators would write two, and one cotangent for all of
/// them.
///
/// # Panics
/// If the slices differ in length.
///
/// ```
/// use wengert_tape::scalar::{Tape, Var, dot};
/// let tape = Tape::new();
/// let w: Vec<Var> = tape.vars(&[1.0, 2.0, 3.0]).collect();
/// let x: Vec<Var> = tape.vars(&[4.0, 5.0, 6.0]).collect();
/// let y = dot(&w, &x);
/// assert_eq!((y.value(), tape.len()), (32.0, 6 + 3));
/// assert_eq!(tape.gradient(y)?.of(&w)?, [4.0, 5.0, 6.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[inline]
#[track_caller]
pub fn dot<'t, T: Number>(a: &[Var<'t, T>], b: &[Var<'t, T>]) -> Var<'t, T> {
    affine(Var::of(0.0), a, b)
}

/// Σ aᵢ bᵢ over pairs, as one statement.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::{Tape, Var, sum_of_products};
/// let tape = Tape::new();
/// let x: Vec<Var> = tape.vars(&[1.0, 2.0, 3.0]).collect();
/// let y = sum_of_products(x.windows(2).map(|x| (x[0], x[1].exp())));
/// assert_eq!(tape.len(), 3 + 2);
/// assert_eq!(tape.gradient(y)?.wrt(x[1])?, 2f64.exp() + 3f64.exp());
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[inline]
#[track_caller]
pub fn sum_of_products<'t, T: Number>(
    pairs: impl IntoIterator<Item = (Var<'t, T>, Var<'t, T>)>,
) -> Var<'t, T> {
    let (mut value, mut all) = (T::of(0.0), Vec::new());
    let mut sum = Statement::new();
    for (a, b) in pairs {
        value = value + a.value * b.value;
        sum.pair(a, b.value, b, a.value);
        if T::TRACED {
            all.push((a, b));
        }
    }
    let op = || Operation::products("sum_of_products", &all, &[]);
    T::note(sum.finish(value), Location::caller(), op)
}

/// c + Σ aᵢ bᵢ as one statement: a neuron before its activation.
///
/// # Panics
/// If the slices differ in length.
///
/// ```
/// use wengert_tape::scalar::{Tape, Var, affine};
/// let tape = Tape::new();
/// let (c, w) = (tape.var(0.5), tape.vars(&[1.0, 2.0]).collect::<Vec<Var>>());
/// let y = affine(c, &w, &[3.0.into(), 4.0.into()]);       // inputs that are constants cost nothing
/// assert_eq!((y.value(), tape.len()), (11.5, 3 + 2));
/// assert_eq!(tape.gradient(y)?.of(&[c, w[1]])?, [1.0, 4.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[inline]
#[track_caller]
pub fn affine<'t, T: Number>(c: Var<'t, T>, a: &[Var<'t, T>], b: &[Var<'t, T>]) -> Var<'t, T> {
    assert!(a.len() == b.len(), "a product of {} numbers with {}", a.len(), b.len());
    let mut value = c.value;
    let mut sum = Statement::new();
    for (&a, &b) in a.iter().zip(b) {
        value = value + a.value * b.value;
        sum.pair(a, b.value, b, a.value);
    }
    sum.edge(c, T::of(1.0));
    T::note(sum.finish(value), Location::caller(), || {
        let pairs: Vec<_> = a.iter().copied().zip(b.iter().copied()).collect();
        Operation::products("affine", &pairs, &[c])
    })
}

/// Σ cᵢ xᵢ with plain numbers cᵢ, as one statement.
///
/// # Panics
/// If the slices differ in length.
///
/// ```
/// use wengert_tape::scalar::{Tape, Var, weighted_sum};
/// let tape = Tape::new();
/// let x: Vec<Var> = tape.vars(&[1.0, 2.0, 3.0]).collect();
/// let y = weighted_sum(&[10.0, 20.0, 30.0], &x);
/// assert_eq!(tape.gradient(y)?.of(&x)?, [10.0, 20.0, 30.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[inline]
#[track_caller]
pub fn weighted_sum<'t, T: Number>(c: &[f64], x: &[Var<'t, T>]) -> Var<'t, T> {
    assert!(c.len() == x.len(), "{} weights for {} numbers", c.len(), x.len());
    let mut value = T::of(0.0);
    let mut sum = Statement::new();
    for (&c, &x) in c.iter().zip(x) {
        value = value + x.value.scale(c);
        sum.edge(x, T::of(c));
    }
    T::note(sum.finish(value), Location::caller(), || Operation::weighted(c, x))
}

/// A function of `N` numbers as one statement, from its value and its derivatives: for an expression whose derivatives
/// are known or computed with [`Dual`](super::Dual) numbers.
///
/// ```
/// use wengert_tape::scalar::{Tape, statement};
/// let tape = Tape::new();
/// let (x, y) = (tape.var(3.0), tape.var(4.0));
/// let r = statement([x, y], 5.0, [0.6, 0.8]);             // √(x² + y²)
/// assert_eq!((tape.gradient(r)?.of(&[x, y])?, tape.len()), (vec![0.6, 0.8], 3));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[inline(always)]
#[track_caller]
pub fn statement<'t, T: Number, const N: usize>(
    inputs: [Var<'t, T>; N],
    value: T,
    slopes: [T; N],
) -> Var<'t, T> {
    let node = Statement::of(inputs, value, slopes);
    T::note(node, Location::caller(), || Operation::opaque("statement", &inputs, &slopes))
}

impl<'t, T: Number> Sum for Var<'t, T> {
    /// One statement for any number of terms.
    #[inline]
    #[track_caller]
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        let (mut value, mut all) = (T::of(0.0), Vec::new());
        let mut sum = Statement::new();
        for x in terms {
            value = value + x.value;
            sum.edge(x, T::of(1.0));
            if T::TRACED {
                all.push(x);
            }
        }
        T::note(sum.finish(value), Location::caller(), || Operation::products("sum", &[], &all))
    }
}

impl<'a, 't: 'a, T: Number> Sum<&'a Var<'t, T>> for Var<'t, T> {
    #[inline]
    fn sum<I: Iterator<Item = &'a Self>>(terms: I) -> Self {
        terms.copied().sum()
    }
}

impl<T: Number> Product for Var<'_, T> {
    #[inline]
    fn product<I: Iterator<Item = Self>>(factors: I) -> Self {
        factors.fold(Var::of(1.0), |product, x| product * x)
    }
}

impl<'a, 't: 'a, T: Number> Product<&'a Var<'t, T>> for Var<'t, T> {
    #[inline]
    fn product<I: Iterator<Item = &'a Self>>(factors: I) -> Self {
        factors.copied().product()
    }
}
