//! The reverse sweep: one loop over the records from the last to the first.

use super::number::Number;
use super::tape::{CONTINUES, Event, Kind, Position, Record, Tape};
use super::var::{NOWHERE, Stands, Var};
use crate::error::{Error, ErrorKind, Result};
use std::cell::Cell;
use std::panic::Location;

/// A cotangent: one number, or several that are swept together.
pub trait Cotangent<T: Number>: Copy {
    #[doc(hidden)]
    const LANES: usize;
    #[doc(hidden)]
    fn zero() -> Self;
    #[doc(hidden)]
    fn is_zero(self) -> bool;
    #[doc(hidden)]
    fn without_denormals(self) -> Self;
    #[doc(hidden)]
    fn plus(self, o: Self) -> Self;
    /// This plus `g` times a derivative.
    #[doc(hidden)]
    fn plus_pulled(self, g: Self, slope: T) -> Self;
    #[doc(hidden)]
    fn lane(&mut self, i: usize) -> &mut T;
    #[doc(hidden)]
    fn take_spare(_: &Tape<T>) -> Vec<Self> {
        Vec::new()
    }
    #[doc(hidden)]
    fn give_spare(_: &Tape<T>, _: Vec<Self>) {}
}

impl<T: Number> Cotangent<T> for T {
    const LANES: usize = 1;
    #[inline(always)]
    fn zero() -> Self {
        T::of(0.0)
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        Number::is_zero(self)
    }
    #[inline(always)]
    fn without_denormals(self) -> Self {
        Number::without_denormals(self)
    }
    #[inline(always)]
    fn plus(self, o: Self) -> Self {
        self + o
    }
    #[inline(always)]
    fn plus_pulled(self, g: Self, slope: T) -> Self {
        // The sweep skips a cotangent that is zero as a whole; lanes must check each of their numbers.
        if T::HAS_LANES { self + g.pull(slope) } else { self + g * slope }
    }
    #[inline(always)]
    fn lane(&mut self, _: usize) -> &mut T {
        self
    }
    fn take_spare(tape: &Tape<T>) -> Vec<T> {
        tape.log.borrow_mut().spare.pop().unwrap_or_default()
    }
    fn give_spare(tape: &Tape<T>, all: Vec<T>) {
        tape.log.borrow_mut().spare.push(all);
    }
}

/// Cotangents of several outputs that are swept together.
#[derive(Clone, Copy)]
pub struct CotangentArray<T, const M: usize>([T; M]);

impl<T: Number, const M: usize> Cotangent<T> for CotangentArray<T, M> {
    const LANES: usize = M;
    #[inline(always)]
    fn zero() -> Self {
        CotangentArray([T::of(0.0); M])
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.0.iter().all(|g| g.is_zero())
    }
    #[inline(always)]
    fn without_denormals(self) -> Self {
        CotangentArray(self.0.map(T::without_denormals))
    }
    #[inline(always)]
    fn plus(self, o: Self) -> Self {
        CotangentArray(std::array::from_fn(|i| self.0[i] + o.0[i]))
    }
    #[inline(always)]
    fn plus_pulled(self, g: Self, slope: T) -> Self {
        CotangentArray(std::array::from_fn(|i| self.0[i] + g.0[i].pull(slope)))
    }
    #[inline(always)]
    fn lane(&mut self, i: usize) -> &mut T {
        &mut self.0[i]
    }
}

/// The state of a sweep between two records.
///
/// The values to be added to the cotangents of the next two indices stay in registers, so that a chain of nodes does
/// not wait for its own stores. They are two, since a sum and the sum before it are often separated by the product that
/// was added.
#[derive(Clone, Copy)]
struct Running<A> {
    /// The cotangent of the statement in progress.
    current: A,
    /// The value to be added to the cotangent of the index below.
    below: A,
    /// The value to be added to the cotangent of the second index below.
    second: A,
    /// Whether the next record belongs to the statement in progress.
    continues: bool,
}

impl<A> Running<A> {
    /// Adds the current cotangent times a derivative to the cotangent of `to`, an index below `index`.
    #[inline(always)]
    fn pull<T: Number>(&mut self, index: u32, to: u32, slope: T, all: &[Cell<A>])
    where
        A: Cotangent<T>,
    {
        let distance = index - to;
        if distance > 2 {
            let at = &all[to as usize];
            at.set(at.get().plus_pulled(self.current, slope));
        } else if distance == 1 {
            self.below = self.below.plus_pulled(self.current, slope);
        } else {
            self.second = self.second.plus_pulled(self.current, slope);
        }
    }
}

/// Sweeps records whose first has the given index. Cotangents are zeroed as they are consumed. `FLUSHES`: denormal ones are taken as zero.
#[inline(always)]
fn run<const FLUSHES: bool, T: Number, A: Cotangent<T>>(
    records: &[Record<T>],
    first: u32,
    adjoints: &mut [A],
    running: &mut Running<A>,
) {
    let mut run = *running;
    let all = Cell::from_mut(adjoints).as_slice_of_cells();
    let own = &all[first as usize..][..records.len()];
    let mut index = first + records.len() as u32;
    for (record, own) in records.iter().zip(own).rev() {
        index -= 1;
        if !run.continues {
            run.current = own.replace(A::zero()).plus(run.below);
            if FLUSHES {
                run.current = run.current.without_denormals();
            }
        }
        run.continues = record.a & CONTINUES != 0;
        // No edge leads to the index of a record inside a statement, so that nothing is lost.
        (run.below, run.second) = (run.second, A::zero());
        if run.current.is_zero() {
            continue;
        }
        run.pull(index, record.b, record.db, all);
        run.pull(index, record.a & !CONTINUES, record.da, all);
    }
    *running = run;
}

impl<T: Number> Tape<T> {
    /// Sweeps the records in a range of positions, the first of which has the given index.
    fn run_records<A: Cotangent<T>>(&self, from: u32, to: u32, index: u32, adjoints: &mut [A]) {
        let zero = A::zero();
        let mut state = Running { current: zero, below: zero, second: zero, continues: false };
        let mut end = to;
        while end > from {
            let (start, records) = self.records.slice_ending(end);
            let skip = from.saturating_sub(start);
            let first = start.max(from);
            let (records, index) = (&records[skip as usize..], index + (first - from));
            if self.flushes {
                run::<true, T, A>(records, index, adjoints, &mut state);
            } else {
                run::<false, T, A>(records, index, adjoints, &mut state);
            }
            end = first;
        }
        // The records of this statement below the range are a statement of their own, with the same cotangent.
        let below = if state.continues { state.below.plus(state.current) } else { state.below };
        for (under, g) in [(1, below), (2, state.second)] {
            if let Some(at) = (index as usize).checked_sub(under) {
                adjoints[at] = adjoints[at].plus(g);
            }
        }
    }

    /// Sweeps everything after a position, and adds to the cotangents of what is before it.
    pub(super) fn sweep_down<A: Cotangent<T>>(&self, to: (u32, u32), adjoints: &mut [A]) -> Result<()> {
        self.seal();
        let (mut record, mut i) = (self.records.len(), self.log.borrow().events.len());
        // Events are read one at a time, since a block may run its own program.
        while i > 0 {
            let event: Event = self.log.borrow().events[i - 1];
            if event.index + event.count <= to.1 {
                break;
            }
            i -= 1;
            let from = event.record.max(to.0);
            match event.kind {
                Kind::Leaves => self.run_records(from, record, event.index + event.count, adjoints),
                Kind::Block(at) => {
                    self.run_records(from, record, event.index + event.count, adjoints);
                    self.run_block(at, &event, adjoints)?;
                }
                Kind::Kept => {
                    self.run_records(from + 1, record, event.index + 1, adjoints);
                    let (_, records) = self.records.slice_ending(event.record + 1);
                    let kept = records[records.len() - 1];
                    let g = adjoints[event.index as usize];
                    if !g.is_zero() {
                        let a = &mut adjoints[kept.a as usize];
                        *a = a.plus_pulled(g, kept.da);
                    }
                }
            }
            record = from;
        }
        self.run_records(to.0, record, to.1, adjoints);
        Ok(())
    }

    /// Sets the cotangents of variables and kept values to zero, from an index on.
    fn clear<A: Cotangent<T>>(&self, from: u32, adjoints: &mut [A]) {
        self.seal();
        adjoints[NOWHERE as usize] = A::zero();
        for event in self.log.borrow().events.iter().rev() {
            let end = (event.index + event.count) as usize;
            if end <= from as usize {
                break;
            }
            let range = event.index.max(from) as usize..end.min(adjoints.len());
            if let Some(left) = adjoints.get_mut(range) {
                left.fill(A::zero());
            }
        }
    }

    /// A vector of zeros for every index.
    pub(super) fn fresh<A: Cotangent<T>>(&self) -> Vec<A> {
        let mut all = A::take_spare(self);
        let len = self.end() as usize;
        if all.len() < len {
            // Twice the size that is needed now, so that a growing tape does not allocate in each sweep.
            all.reserve_exact((2 * len).saturating_sub(all.len()).min(len));
            all.resize(len, A::zero());
        }
        all
    }

    /// Adds a cotangent to an output.
    #[track_caller]
    pub(super) fn seed<A: Cotangent<T>>(
        &self,
        y: Var<'_, T>,
        lane: usize,
        g: T,
        adjoints: &mut [A],
    ) -> Result<()> {
        match y.tape {
            Some(tape) if !std::ptr::eq(tape, self) => {
                let detail = "the output is of another tape";
                Err(Error::new(ErrorKind::ForeignTape, "gradient", detail).at(Location::caller()))
            }
            _ => {
                if y.index() != NOWHERE {
                    let at = adjoints[y.index() as usize].lane(lane);
                    *at = *at + g.pull(y.partial);
                }
                Ok(())
            }
        }
    }

    /// The derivatives of one output. Those of a constant are zero.
    ///
    /// The sweep takes a vector of cotangents from the tape and returns it when the [`Gradient`] is dropped, so that
    /// only the first sweep allocates. The tape can be swept again and recorded further.
    ///
    /// # Errors
    /// If an operation used handles of this tape and another, or the output is of another tape.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.var(3.0), tape.var(4.0));
    /// let z = x * y;
    /// let g = tape.gradient(z)?;
    /// assert_eq!((g.wrt(x)?, g.wrt(y)?), (4.0, 3.0));
    /// assert_eq!(tape.gradient(z / x)?.wrt(x)?, 0.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn gradient(&self, y: Var<'_, T>) -> Result<Gradient<'_, T>> {
        self.gradient_of(&[(y, T::of(1.0))])
    }

    /// The derivatives of a weighted sum of outputs: a vector times the Jacobian.
    ///
    /// # Errors
    /// As [`gradient`](Tape::gradient).
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let g = tape.gradient_of(&[(x * x, 10.0), (x * 2.0, 1.0)])?;
    /// assert_eq!(g.wrt(x)?, 62.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn gradient_of(&self, outputs: &[(Var<'_, T>, T)]) -> Result<Gradient<'_, T>> {
        let mut all = self.fresh::<T>();
        for &(y, g) in outputs {
            self.seed(y, 0, g, &mut all)?;
        }
        self.swept(all)
    }

    /// The derivatives of `M` outputs in one sweep: each record is read once for all of them.
    ///
    /// # Errors
    /// As [`gradient`](Tape::gradient).
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.var(3.0), tape.var(4.0));
    /// let g = tape.gradients([x * y, x / y])?;
    /// assert_eq!(g.row(x)?, [4.0, 0.25]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn gradients<const M: usize>(
        &self,
        outputs: [Var<'_, T>; M],
    ) -> Result<Gradient<'_, T, CotangentArray<T, M>>> {
        let mut all = self.fresh::<CotangentArray<T, M>>();
        for (i, y) in outputs.into_iter().enumerate() {
            self.seed(y, i, T::of(1.0), &mut all)?;
        }
        self.swept(all)
    }

    /// The Jacobian, one row per output; four outputs are swept at a time.
    ///
    /// # Errors
    /// As [`gradient`](Tape::gradient) and [`Gradient::wrt`].
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let (x, y) = (tape.var(3.0), tape.var(4.0));
    /// assert_eq!(tape.jacobian(&[x * y, x + 2.0 * y], &[x, y])?, [[4.0, 3.0], [1.0, 2.0]]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn jacobian(&self, outputs: &[Var<'_, T>], inputs: &[Var<'_, T>]) -> Result<Vec<Vec<T>>> {
        let mut rows = Vec::with_capacity(outputs.len());
        for group in outputs.chunks(4) {
            let four = std::array::from_fn(|i| group.get(i).copied().unwrap_or_default());
            let g = self.gradients::<4>(four)?;
            let columns: Vec<[T; 4]> = inputs.iter().map(|&x| g.row(x)).collect::<Result<_>>()?;
            rows.extend((0..group.len()).map(|i| columns.iter().map(|c| c[i]).collect::<Vec<_>>()));
        }
        Ok(rows)
    }

    /// Sweeps the records after a position, and adds the cotangents of what is before it to `cotangents`. A long
    /// computation that many short ones depend on is then swept once, not once for each:
    ///
    /// # Errors
    /// As [`gradient`](Tape::gradient), and if the position is stale or `cotangents` belongs to another tape.
    ///
    /// ```
    /// use wengert_tape::scalar::{Cotangents, Tape};
    /// let mut tape = Tape::new();
    /// let x = tape.var(3.0).anchor();
    /// let calibrated = { let x = tape.revive(x)?; (x * x * x).keep().anchor() };
    /// let here = tape.position();
    /// let mut cotangents = Cotangents::default();
    /// for path in 1..=3 {                             // memory for one path, however many there are
    ///     let c = tape.revive(calibrated)?;
    ///     let y = c * c * f64::from(path);
    ///     tape.accumulate(y, 1.0, here, &mut cotangents)?;
    ///     tape.rewind(here)?;
    /// }
    /// let x = tape.revive(x)?;
    /// assert_eq!(tape.finish(cotangents)?.wrt(x)?, 6.0 * 2.0 * 27.0 * 27.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn accumulate(
        &self,
        y: Var<'_, T>,
        weight: T,
        after: Position,
        cotangents: &mut Cotangents<T>,
    ) -> Result<()> {
        self.check(&after, "accumulate")?;
        cotangents.belong_to(self, &after)?;
        let all = &mut cotangents.values;
        let len = self.end() as usize;
        if all.len() < len {
            all.resize(len, T::of(0.0));
        }
        let swept = match self.error() {
            Some(e) => Err(e),
            None => self.seed(y, 0, weight, all),
        };
        let swept = swept.and_then(|()| self.sweep_down((after.record, after.index), all));
        match swept {
            Ok(()) => self.clear(after.index, all),
            // The result of a sweep that stopped early is of no use.
            Err(_) => *cotangents = Cotangents::default(),
        }
        swept
    }

    /// Sweeps the rest of the tape from accumulated cotangents.
    ///
    /// # Errors
    /// If the cotangents belong to another tape, or the tape has been rewound to before their position.
    #[track_caller]
    pub fn finish(&self, cotangents: Cotangents<T>) -> Result<Gradient<'_, T>> {
        if let Some(at) = cotangents.position {
            self.check(&at, "finish")?;
        }
        let mut all = cotangents.values;
        let len = self.end() as usize;
        if all.len() < len {
            all.resize(len, T::of(0.0));
        }
        self.swept(all)
    }

    /// The whole sweep. If it fails, the vector contains remaining cotangents and is not used again.
    #[inline]
    fn swept<A: Cotangent<T>>(&self, mut adjoints: Vec<A>) -> Result<Gradient<'_, T, A>> {
        if let Some(e) = self.error() {
            return Err(e);
        }
        self.sweep_down((0, NOWHERE + 1), &mut adjoints)?;
        Ok(Gradient { tape: self, adjoints })
    }
}

/// Cotangents that have been swept part of the way; see [`Tape::accumulate`].
///
/// ```
/// use wengert_tape::scalar::{Cotangents, Tape};
/// let tape = Tape::new();
/// let x = tape.var(3.0);
/// assert_eq!(tape.finish(Cotangents::default())?.wrt(x)?, 0.0);      // nothing has been accumulated
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Cotangents<T> {
    values: Vec<T>,
    position: Option<Position>,
}

impl<T> Default for Cotangents<T> {
    fn default() -> Self {
        Cotangents { values: Vec::new(), position: None }
    }
}

impl<T: Number> Cotangents<T> {
    #[track_caller]
    fn belong_to(&mut self, tape: &Tape<T>, at: &Position) -> Result<()> {
        if let Some(before) = self.position {
            tape.check(&before, "accumulate")?;
            if before.index > at.index {
                return Ok(());
            }
        }
        self.position = Some(*at);
        Ok(())
    }
}

/// The derivatives that a sweep computed.
///
/// ```
/// # use wengert_tape::scalar::Tape;
/// let tape = Tape::new();
/// let (x, y) = (tape.var(3.0), tape.var(4.0));
/// let g = tape.gradient(x * x)?;
/// assert_eq!(g.of(&[x, y])?, [6.0, 0.0]);         // nothing depends on y
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub struct Gradient<'t, T: Number, A: Cotangent<T> = T> {
    tape: &'t Tape<T>,
    adjoints: Vec<A>,
}

impl<T: Number, A: Cotangent<T>> Gradient<'_, T, A> {
    #[inline(always)]
    #[track_caller]
    fn at(&self, x: Var<'_, T>) -> Result<A> {
        match x.tape {
            Some(tape) if x.stands() == Stands::ForNode && std::ptr::eq(tape, self.tape) => {
                // Nodes that were recorded after the sweep have no influence on its output.
                Ok(self.adjoints.get(x.index() as usize).copied().unwrap_or(A::zero()))
            }
            tape => Err(no_derivative(x.is_constant(), tape.is_some_and(|t| !std::ptr::eq(t, self.tape)))),
        }
    }
}

impl<T: Number> Gradient<'_, T> {
    /// The derivative with respect to a variable or a kept value; zero if the output does not depend on it.
    ///
    /// # Errors
    /// If `x` is of another tape, a constant, or a value that is not a node: call [`keep`](Var::keep) on it before it
    /// is used.
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// let g = tape.gradient(x * x)?;
    /// assert_eq!(g.wrt(x)?, 6.0);
    /// assert!(g.wrt(x + 1.0).is_err());
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[inline]
    #[track_caller]
    pub fn wrt(&self, x: Var<'_, T>) -> Result<T> {
        self.at(x)
    }

    /// The derivatives with respect to several variables.
    ///
    /// # Errors
    /// As [`wrt`](Gradient::wrt).
    #[track_caller]
    pub fn of(&self, x: &[Var<'_, T>]) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(x.len());
        for &x in x {
            all.push(self.at(x)?);
        }
        Ok(all)
    }
}

impl<T: Number, const M: usize> Gradient<'_, T, CotangentArray<T, M>> {
    /// The derivatives of all outputs with respect to a variable.
    ///
    /// # Errors
    /// As [`wrt`](Gradient::wrt).
    ///
    /// ```
    /// # use wengert_tape::scalar::Tape;
    /// let tape = Tape::new();
    /// let x = tape.var(3.0);
    /// assert_eq!(tape.gradients([x * x, 5.0 * x])?.row(x)?, [6.0, 5.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn row(&self, x: Var<'_, T>) -> Result<[T; M]> {
        Ok(self.at(x)?.0)
    }
}

impl<T: Number, A: Cotangent<T>> Drop for Gradient<'_, T, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut all = std::mem::take(&mut self.adjoints);
        self.tape.clear(0, &mut all);
        A::give_spare(self.tape, all);
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn no_derivative(constant: bool, foreign: bool) -> Error {
    let (kind, detail) = if foreign {
        (ErrorKind::ForeignTape, "this handle is of another tape than the gradient")
    } else if constant {
        (ErrorKind::NoGradient, "this is a constant; only variables and kept values have derivatives")
    } else {
        let detail =
            "this value is not a node, only an edge from one; keep() it before it is used, and ask for that";
        (ErrorKind::Unreached, detail)
    };
    Error::new(kind, "gradient", detail).at(Location::caller())
}
