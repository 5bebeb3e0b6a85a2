//! [`Tape`]: nodes with at most two edges each, in the order in which they were computed.

use super::block::Block;
use super::number::Number;
use super::trace::{Lines, Operation};
use super::var::{NOWHERE, Place, Stands, Var};
use crate::error::{Error, ErrorKind, Result};
use std::cell::{Cell, RefCell};
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_ops::arena::Arena;

/// A node: the derivatives with respect to two earlier ones.
///
/// A statement with more than two edges consists of several records, of which all but the first have the flag
/// [`CONTINUES`]. The handle of the result refers to the last record; all records share its cotangent.
#[derive(Clone, Copy)]
pub(super) struct Record<T> {
    pub(super) da: T,
    pub(super) db: T,
    pub(super) a: u32,
    pub(super) b: u32,
}

/// A flag in `a` of a record that continues the statement of the previous record.
pub(super) const CONTINUES: u32 = 1 << 31;

impl<T> Record<T> {
    #[inline(always)]
    pub(super) fn new(da: T, a: u32, db: T, b: u32) -> Self {
        Record { da, db, a, b }
    }

    #[inline(always)]
    pub(super) fn continuing(mut self) -> Self {
        self.a |= CONTINUES;
        self
    }
}

/// An interruption of the sequence of records.
#[derive(Clone, Copy)]
pub(super) struct Event {
    /// The number of records before it.
    pub(super) record: u32,
    /// The first of its indices.
    pub(super) index: u32,
    /// The number of its indices.
    pub(super) count: u32,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Variables: indices without records.
    Leaves,
    /// One record whose cotangent is kept.
    Kept,
    /// The outputs of a block: indices without records.
    Block(u32),
}

pub(super) struct Log<T: Number> {
    pub(super) events: Vec<Event>,
    pub(super) blocks: Vec<Block<T>>,
    error: Option<Error>,
    /// Rewinds, each with its number and the index to which it went back; the indices increase.
    rewinds: Vec<(u64, u32)>,
    rewind_count: u64,
    /// Vectors of cotangents for the next sweep; all their elements are zero.
    pub(super) spare: Vec<Vec<T>>,
    /// The tape on which regions are recorded.
    pub(super) inner: Option<Box<Tape<T>>>,
    /// The operations, if the tape traces.
    pub(super) lines: Lines<T>,
}

/// A Wengert list for scalar programs: two derivatives per node, and no heap allocation per operation.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::Tape;
///
/// let mut tape = Tape::new();                     // of f64; `Tape::<f32>::default()` for the other
/// for s in [80.0, 100.0, 120.0] {
///     tape.reset();                               // constant time; no handle outlives it
///     let (spot, vol) = (tape.var(s), tape.var(0.2));
///     let d = ((spot / 100.0).log() + vol * vol * 0.5) / vol;
///     let price = spot * d.normal_cdf() - 100.0 * (d - vol).normal_cdf();
///     let delta = tape.gradient(price)?.wrt(spot)?;
///     assert!((delta - d.value().normal_cdf()).abs() < 1e-12);
/// }
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// Handles borrow the tape, so using a handle after [`reset`](Tape::reset) is a compile error. An operation on handles
/// of two tapes gives NaN and stores an error on both; every sweep of either tape then returns it, until the tape is
/// reset. A tape belongs to one thread at a time; any number of tapes can be used at once.
pub struct Tape<T: Number = f64> {
    pub(super) records: Arena<Record<T>>,
    /// The index of record `r` is `r + shift`: variables have indices but no records.
    shift: Cell<u32>,
    /// The index after the last run of variables.
    leaves_end: Cell<u32>,
    serial: u64,
    /// The number of records when a position was last taken. No statement crosses it, since a sweep may end there.
    pub(super) mark: Cell<u32>,
    /// Whether sweeps replace denormal cotangents by zero.
    pub(super) flushes: bool,
    /// The location of the first operation that mixed tapes.
    foreign: Cell<Option<&'static Location<'static>>>,
    pub(super) log: RefCell<Log<T>>,
}

/// A position on a tape that it can be rewound to; see [`Tape::position`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub(super) serial: u64,
    rewinds: u64,
    pub(super) record: u32,
    pub(super) index: u32,
}

/// A handle that does not borrow the tape; see [`Tape::revive`].
#[derive(Debug, Clone, Copy)]
pub struct VarId<T> {
    value: T,
    partial: T,
    place: Place,
    serial: u64,
    rewinds: u64,
}

impl Tape {
    /// An empty tape of `f64`. It takes no memory before its first node. Use [`default`](Tape::default) for tapes of
    /// other numbers.
    ///
    /// ```
    /// use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// assert!(tape.is_empty() && tape.bytes() == 0);
    /// let tape = Tape::<f32>::default();
    /// let x = tape.var(3.0);
    /// assert_eq!(tape.gradient(x * x)?.wrt(x)?, 6.0f32);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T: Number> Default for Tape<T> {
    fn default() -> Self {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        Tape {
            records: Arena::new(),
            shift: Cell::new(NOWHERE + 1),
            leaves_end: Cell::new(NOWHERE),
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            mark: Cell::new(0),
            flushes: false,
            foreign: Cell::new(None),
            log: RefCell::new(Log {
                events: Vec::new(),
                blocks: Vec::new(),
                error: None,
                rewinds: Vec::new(),
                rewind_count: 0,
                spare: Vec::new(),
                inner: None,
                lines: Lines::default(),
            }),
        }
    }
}

impl<T: Number> Tape<T> {
    /// The same tape, whose sweeps replace every cotangent that is denormal (below 2.2e-308 for `f64`, 1.2e-38 for `f32`) by zero.
    ///
    /// In a long chain with derivatives below one, cotangents become denormal, and stay so, since they are rounded. Many processors
    /// take a hundred cycles for an operation on such a number. The option costs one or two instructions a node, and derivatives that
    /// are not denormal change by less than they are rounded, unless derivatives above 1e290 follow.
    ///
    /// ```
    /// use wengert_tape::scalar::Tape;
    /// let slope = |tape: &Tape| {
    ///     let x = tape.var(1.0);
    ///     let y = (0..2000).fold(x, |y, _| (y * y) * 0.3 + y * 0.1);       // the derivative shrinks by 0.1 a step
    ///     tape.gradient(y)?.wrt(x)
    /// };
    /// assert!(slope(&Tape::new())? < f64::MIN_POSITIVE);
    /// assert_eq!(slope(&Tape::new().flush_denormals())?, 0.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "set_flush_denormal")]
    #[must_use]
    pub fn flush_denormals(mut self) -> Self {
        self.flushes = true;
        self
    }

    /// A variable: derivatives with respect to it can be computed.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// assert_eq!(tape.gradient(x * x)?.wrt(x)?, 6.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn var(&self, value: T) -> Var<'_, T> {
        let x = self.leaf(value, Stands::ForNode);
        T::note(x, Location::caller(), Operation::leaf)
    }

    #[inline(always)]
    fn leaf(&self, value: T, stands: Stands) -> Var<'_, T> {
        let index = self.end();
        if index == self.leaves_end.get() {
            self.shift.set(self.shift.get() + 1);
            self.leaves_end.set(index + 1);
        } else {
            self.take_leaves(1);
        }
        self.handle(value, Place::new(index, stands))
    }

    /// Several variables.
    ///
    /// ```
    /// # use wengert_tape::scalar::{Tape, Var};
    /// let tape = Tape::new();
    /// let x: Vec<Var> = tape.vars(&[1.0, 2.0, 3.0]).collect();
    /// assert_eq!(tape.gradient(x[0] * x[2])?.of(&x)?, [3.0, 0.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn vars<'t>(&'t self, values: &[T]) -> impl ExactSizeIterator<Item = Var<'t, T>> {
        let (first, at) = (self.end(), Location::caller());
        self.take_leaves(values.len() as u32);
        values.iter().enumerate().map(move |(i, &value)| {
            let x = self.handle(value, Place::new(first + i as u32, Stands::ForNode));
            T::note(x, at, Operation::leaf)
        })
    }

    /// A number that needs no derivative. It is the same as [`Var::constant`], except on a tape that traces
    /// ([`Traced`](super::Traced)), where it is a node, so that it is shown.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// assert!(tape.constant(3.0).is_constant() && tape.is_empty());
    /// ```
    #[inline]
    #[track_caller]
    pub fn constant(&self, value: T) -> Var<'_, T> {
        if T::TRACED {
            return T::note(self.leaf(value, Stands::ForConstant), Location::caller(), Operation::leaf);
        }
        Var::constant(value)
    }

    /// The number of nodes, including variables. Edges that handles carry do not count.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let y = 2.0 * x + 1.0;                      // still an edge from x
    /// assert_eq!(tape.len(), 1);
    /// let z = y * tape.var(2.0);
    /// assert_eq!(tape.len(), 3);
    /// # assert_eq!(z.value(), 14.0);
    /// ```
    pub fn len(&self) -> usize {
        (self.end() - NOWHERE - 1) as usize
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The allocated memory in bytes, used or not.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let mut tape = Tape::new();
    /// assert_eq!((tape.var(3.0) * tape.var(4.0)).value(), 12.0);
    /// let bytes = tape.bytes();
    /// assert!(bytes < 10_000);
    /// tape.reset();
    /// assert_eq!(tape.bytes(), bytes);            // kept for the next use
    /// ```
    pub fn bytes(&self) -> usize {
        let log = self.log.borrow();
        let spare: usize = log.spare.iter().map(|v| v.capacity() * size_of::<T>()).sum();
        let inner = log.inner.as_ref().map_or(0, |tape| tape.bytes());
        self.records.capacity_bytes() + spare + log.events.capacity() * size_of::<Event>() + inner
    }

    /// Removes everything, including errors, and keeps the memory. It takes constant time, plus the time to drop
    /// blocks.
    ///
    /// ```compile_fail
    /// let mut tape = wengert_tape::scalar::Tape::new();
    /// let x = tape.var(1.0);
    /// tape.reset();
    /// let y = x + 1.0;             // error: cannot borrow `tape` as mutable while `x` is in use
    /// ```
    pub fn reset(&mut self) {
        let start = Position { serial: self.serial, rewinds: 0, record: 0, index: NOWHERE + 1 };
        self.go_back(start);
        self.log.get_mut().error = None;
        self.foreign.set(None);
    }

    /// The current end of the tape, for [`rewind`](Tape::rewind).
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let mut tape = Tape::new();
    /// let x = tape.var(3.0).anchor();
    /// let prologue = tape.position();
    /// for k in [1.0, 2.0] {
    ///     let x = tape.revive(x)?;                // x again, for as long as the tape is not rewound
    ///     assert_eq!(tape.gradient(x * x * k)?.wrt(x)?, 6.0 * k);
    ///     tape.rewind(prologue)?;
    /// }
    /// assert_eq!(tape.len(), 1);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn position(&self) -> Position {
        let rewinds = self.log.borrow().rewind_count;
        self.mark.set(self.records.len());
        Position { serial: self.serial, rewinds, record: self.records.len(), index: self.end() }
    }

    /// Removes what was recorded after a position. Anchors from before it remain valid.
    ///
    /// # Errors
    /// If the position is of another tape, or the tape has been rewound or reset to before it.
    pub fn rewind(&mut self, to: Position) -> Result<()> {
        self.check(&to, "rewind")?;
        self.go_back(to);
        Ok(())
    }

    /// The handle of an anchor.
    ///
    /// A handle borrows the tape, so it cannot exist across a rewind; an anchor can.
    ///
    /// # Errors
    /// If the anchor is of another tape, or its node has been removed by a rewind.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let mut tape = Tape::new();
    /// let start = tape.position();
    /// let x = tape.var(3.0).anchor();
    /// assert_eq!(tape.revive(x)?.value(), 3.0);
    /// tape.rewind(start)?;
    /// let _other = tape.var(4.0);                 // in the place of x
    /// assert!(tape.revive(x).is_err());
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn revive(&self, x: VarId<T>) -> Result<Var<'_, T>> {
        let index = x.place.index();
        if index == NOWHERE {
            return Ok(Var::constant(x.value));
        }
        let end = Position { serial: x.serial, rewinds: x.rewinds, record: 0, index: index + 1 };
        self.check(&end, "revive")?;
        let VarId { value, partial, place, .. } = x;
        Ok(Var { tape: Some(self), value, partial, place })
    }

    /// The first error since the tape was made or reset.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let (a, b) = (Tape::new(), Tape::new());
    /// let y = a.var(1.0) * b.var(2.0);
    /// assert!(y.value().is_nan());
    /// assert!(a.error().is_some() && a.gradient(y).is_err() && b.error().is_some());
    /// ```
    pub fn error(&self) -> Option<Error> {
        let foreign = self.foreign.get().map(|at| {
            let detail = "the operands are handles of two tapes; make both on the same";
            Error::new(ErrorKind::ForeignTape, "scalar", detail).at(at)
        });
        let has_room = !self.records.overflowed() && self.end() <= CONTINUES;
        self.log.borrow().error.clone().or(foreign).or_else(|| (!has_room).then(full))
    }

    /// The next index.
    #[inline(always)]
    pub(super) fn end(&self) -> u32 {
        self.records.len() + self.shift.get()
    }

    /// Adds a node.
    #[inline(always)]
    pub(super) fn node(&self, value: T, record: Record<T>) -> Var<'_, T> {
        let index = self.push(record);
        self.handle(value, Place::on(index))
    }

    /// The handle of the node at a place.
    #[inline(always)]
    pub(super) fn handle(&self, value: T, place: Place) -> Var<'_, T> {
        Var { tape: Some(self), value, partial: T::of(1.0), place }
    }

    /// Adds a record and returns its index.
    #[inline(always)]
    pub(super) fn push(&self, record: Record<T>) -> u32 {
        self.records.push(record) + self.shift.get()
    }

    /// Whether the next record may continue the statement whose last record has this index.
    #[inline(always)]
    pub(super) fn may_continue(&self, index: u32) -> bool {
        index + 1 == self.end() && self.mark.get() != self.records.len()
    }

    /// Adds records and returns the index of the last, if there is room for all of them without growing.
    #[inline(always)]
    pub(super) fn push_all(&self, records: &[Record<T>]) -> Option<u32> {
        self.records.push_all(records).map(|at| at + self.shift.get())
    }

    pub(super) fn take_leaves(&self, count: u32) {
        self.seal();
        let index = self.end();
        self.event(Event { record: self.records.len(), index, count, kind: Kind::Leaves });
        self.leaves_end.set(index + count);
    }

    /// Adds an event, and moves the indices past it; a kept record moves them itself.
    pub(super) fn event(&self, event: Event) {
        self.seal();
        self.leaves_end.set(NOWHERE);
        let count = if event.kind == Kind::Kept { 0 } else { event.count };
        // Indices must fit in 31 bits.
        if self.end() as usize + count as usize >= CONTINUES as usize {
            self.fail(full());
            return;
        }
        self.log.borrow_mut().events.push(event);
        self.shift.set(self.shift.get() + count);
    }

    /// Stores the current length of the last run of variables.
    pub(super) fn seal(&self) {
        let end = self.leaves_end.get();
        if end != NOWHERE
            && let Some(last) = self.log.borrow_mut().events.last_mut()
        {
            last.count = end - last.index;
        }
    }

    pub(super) fn keep(&self, x: Var<'_, T>) -> Var<'_, T> {
        self.event(Event { record: self.records.len(), index: self.end(), count: 1, kind: Kind::Kept });
        let zero = T::of(0.0);
        let kept = self.node(x.value, Record::new(x.partial, x.index(), zero, NOWHERE));
        Var { place: Place::new(kept.index(), Stands::ForNode), ..kept }
    }

    fn go_back(&mut self, to: Position) {
        self.seal();
        self.leaves_end.set(NOWHERE);
        self.records.truncate(to.record);
        self.shift.set(to.index - to.record);
        let log = self.log.get_mut();
        log.lines.go_back(to.index);
        while let Some(last) = log.events.last_mut() {
            if last.index >= to.index {
                if let Kind::Block(at) = last.kind {
                    log.blocks.truncate(at as usize);
                }
                log.events.pop();
            } else {
                // A run of variables may have begun before the position and continued after it.
                last.count = last.count.min(to.index - last.index);
                break;
            }
        }
        log.rewind_count += 1;
        while log.rewinds.last().is_some_and(|&(_, index)| index >= to.index) {
            log.rewinds.pop();
        }
        log.rewinds.push((log.rewind_count, to.index));
    }

    /// Checks that everything before a position still exists.
    #[track_caller]
    pub(super) fn check(&self, at: &Position, op: &'static str) -> Result<()> {
        let fail = |kind, why: &str| Err(Error::new(kind, op, why).at(Location::caller()));
        if at.serial != self.serial {
            return fail(ErrorKind::ForeignTape, "this belongs to another tape");
        }
        let log = self.log.borrow();
        // The first of the later rewinds in the list is the one that went back furthest.
        let later = log.rewinds.partition_point(|&(count, _)| count <= at.rewinds);
        if log.rewinds.get(later).is_some_and(|&(_, index)| index < at.index) {
            return fail(ErrorKind::Freed, "the tape has been rewound to before this");
        }
        Ok(())
    }

    /// Stores the error if it is the first.
    #[cold]
    pub(super) fn fail(&self, e: Error) {
        if self.foreign.get().is_none() {
            self.log.borrow_mut().error.get_or_insert(e);
        }
    }

    /// Stores the first location where tapes were mixed; [`error`](Tape::error) makes an error of it. It takes two
    /// stores and no call: no value stays in the vector registers across a call.
    #[inline(always)]
    pub(super) fn note_foreign(&self, at: &'static Location<'static>) {
        self.foreign.set(Some(self.foreign.get().unwrap_or(at)));
    }
}

/// The error of a tape that is full.
fn full() -> Error {
    let detail = "the tape has 2³¹ nodes and is full; record in parts, with checkpoint or rewind";
    Error::new(ErrorKind::Rule, "scalar", detail)
}

impl<T: Number> Var<'_, T> {
    /// A copy of this handle that does not borrow the tape, for [`Tape::revive`].
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let anchor = x.anchor();
    /// assert_eq!(tape.gradient(tape.revive(anchor)? * 2.0)?.wrt(x)?, 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn anchor(self) -> VarId<T> {
        let Var { value, partial, place, tape } = self;
        let (serial, rewinds) = tape.map_or((0, 0), |t| (t.serial, t.log.borrow().rewind_count));
        VarId { value, partial, place, serial, rewinds }
    }
}

impl<T: Number> std::fmt::Debug for Tape<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "scalar::Tape of {} nodes, {} bytes", self.len(), self.bytes())
    }
}
