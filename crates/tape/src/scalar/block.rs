//! Parts of a program with their own derivative: given by the user, computed immediately, or computed by running the
//! part again.

use super::fused::Statement;
use super::number::Number;
use super::sweep::Cotangent;
use super::tape::{Event, Kind, Tape};
use super::trace::Operation;
use super::var::{NOWHERE, Place, Var};
use crate::error::{Error, ErrorKind, Result};
use std::panic::Location;
use std::sync::Arc;

/// The cotangents of a block's inputs from those of its outputs. The tape is empty, for pullbacks that need one.
type Pullback<T> = dyn Fn(&Tape<T>, &[T]) -> Result<Vec<T>> + Send + Sync;

/// Outputs on the tape that depend on earlier numbers through a function.
pub(super) struct Block<T: Number> {
    /// The derivative and the index of the node that each input depends on.
    inputs: Vec<(T, u32)>,
    pullback: Arc<Pullback<T>>,
    at: &'static Location<'static>,
}

/// Numbers that are computed elsewhere: by a solver, a table, a tensor program. `outputs` are their values; in a sweep,
/// `pullback` computes the cotangents of the inputs from those of the outputs.
///
/// ```
/// use wengert_tape::scalar::{Tape, block};
/// // Kepler's equation, E - e sin E = M, solved by iteration; dE/dM = 1/(1 - e cos E), dE/de = sin E/(1 - e cos E).
/// let tape = Tape::new();
/// let (mean, e) = (tape.var(1.0), tape.var(0.3));
/// let mut a: f64 = 1.0;
/// for _ in 0..50 {
///     a = mean.value() + e.value() * a.sin();
/// }
/// let slope = 1.0 / (1.0 - e.value() * a.cos());
/// let anomaly = block(&[mean, e], &[a], move |g| vec![g[0] * slope, g[0] * slope * a.sin()]);
/// let g = tape.gradient(anomaly[0] * 2.0)?;
/// assert_eq!(g.wrt(mean)?, 2.0 * slope);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// If the pullback returns a different number of cotangents than there are inputs, the sweep returns an error. If all
/// inputs are constants, so are the outputs.
#[track_caller]
pub fn block<'t, T: Number>(
    inputs: &[Var<'t, T>],
    outputs: &[T],
    pullback: impl Fn(&[T]) -> Vec<T> + Send + Sync + 'static,
) -> Vec<Var<'t, T>> {
    record(inputs, outputs, Arc::new(move |_: &Tape<T>, g: &[T]| Ok(pullback(g))))
}

/// The same as [`block`], with a pullback that may fail.
#[track_caller]
pub(super) fn fallible_block<'t, T: Number>(
    inputs: &[Var<'t, T>],
    outputs: &[T],
    pullback: impl Fn(&[T]) -> Result<Vec<T>> + Send + Sync + 'static,
) -> Vec<Var<'t, T>> {
    record(inputs, outputs, Arc::new(move |_: &Tape<T>, g: &[T]| pullback(g)))
}

/// A part of a program that is computed now and recorded only in a sweep, by running it again. It needs memory for one
/// part at a time, and computes each part twice.
///
/// `f` gets the inputs as handles of another tape and may use nothing else that depends on variables, which the
/// compiler checks. It must give the same result each time. Checkpoints can be nested.
///
/// ```
/// use wengert_tape::scalar::{Tape, checkpoint};
/// let tape = Tape::new();
/// let x = tape.var(0.5);
/// let mut state = vec![x, x];
/// for _ in 0..100 {
///     state = checkpoint(&state, |s| {
///         let mut s = s.to_vec();
///         for _ in 0..100 {
///             s = vec![s[0] + 1e-3 * s[1], s[1] - 1e-3 * s[0]];
///         }
///         s
///     });
/// }
/// assert_eq!(tape.len(), 201);                        // without checkpoints it would be 20,001
/// let slope = tape.gradient(state[0])?.wrt(x)?;
/// assert!((slope - state[0].value() / 0.5).abs() < 1e-12);    // the system is linear
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[track_caller]
pub fn checkpoint<'t, T: Number + Send + Sync + 'static>(
    inputs: &[Var<'t, T>],
    f: impl for<'s> Fn(&[Var<'s, T>]) -> Vec<Var<'s, T>> + Send + Sync + 'static,
) -> Vec<Var<'t, T>> {
    if T::TRACED {
        return f(inputs);
    }
    let values: Vec<T> = inputs.iter().map(|x| x.value).collect();
    // Nothing is recorded for constants.
    let constants: Vec<Var<'_, T>> = values.iter().map(|&v| Var::constant(v)).collect();
    let outputs: Vec<T> = f(&constants).iter().map(|y| y.value).collect();
    let again = move |tape: &Tape<T>, g: &[T]| {
        let inputs: Vec<Var<'_, T>> = tape.vars(&values).collect();
        let outputs = f(&inputs);
        if outputs.len() != g.len() {
            let detail = format!("the region gave {} numbers, and {} before", outputs.len(), g.len());
            return Err(Error::new(ErrorKind::Rule, "checkpoint", detail));
        }
        let seeds: Vec<_> = outputs.into_iter().zip(g.iter().copied()).collect();
        tape.gradient_of(&seeds)?.of(&inputs)
    };
    record(inputs, &outputs, Arc::new(again))
}

/// A part of a program with few inputs, reduced immediately to its derivatives: the tape gets one statement per output,
/// with one edge per input, and no record of the operations between. It saves memory and sweep time if there are many
/// more operations than inputs.
///
/// `f` gets the inputs as handles of another tape and may use nothing else that depends on variables, which the
/// compiler checks.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::{Tape, preaccumulate};
/// let tape = Tape::new();
/// let (x, y) = (tape.var(0.5), tape.var(2.0));
/// let [z] = preaccumulate([x, y], |[x, y]| {
///     let mut z = x;
///     for _ in 0..100 {
///         z = z - 0.1 * (z * z - y);                 // towards √y
///     }
///     [z]
/// });
/// assert_eq!(tape.len(), 3);
/// let slope = tape.gradient(z)?.wrt(y)?;
/// assert!((slope - 0.5 / 2f64.sqrt()).abs() < 1e-10);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// ```compile_fail
/// use wengert_tape::scalar::{Tape, preaccumulate};
/// let tape = Tape::new();
/// let (x, y) = (tape.var(0.5), tape.var(2.0));
/// let [z] = preaccumulate([x], |[x]| [x * y]);        // error: y is not among the inputs
/// ```
#[track_caller]
pub fn preaccumulate<'t, T: Number, const N: usize, const M: usize>(
    inputs: [Var<'t, T>; N],
    f: impl for<'s> FnOnce([Var<'s, T>; N]) -> [Var<'s, T>; M],
) -> [Var<'t, T>; M] {
    if T::TRACED {
        return f(inputs);
    }
    let Some(tape) = inputs.iter().find(|x| x.index() != NOWHERE).and_then(|x| x.tape) else {
        return f(inputs.map(|x| Var::constant(x.value))).map(|y| Var::constant(y.value));
    };
    let inner = tape.borrow_inner();
    let x = inputs.map(|x| if x.index() == NOWHERE { x.detached() } else { inner.var(x.value) });
    let outputs = f(x).map(|y| {
        let mut sum = Statement::new();
        match inner.gradient(y) {
            Ok(g) => {
                for (input, x) in inputs.iter().zip(x) {
                    if x.index() != NOWHERE {
                        sum.edge(*input, g.wrt(x).unwrap_or(T::of(f64::NAN)));
                    }
                }
            }
            Err(e) => tape.fail(e),
        }
        sum.finish(y.value)
    });
    tape.return_inner(inner);
    outputs
}

#[track_caller]
fn record<'t, T: Number>(
    inputs: &[Var<'t, T>],
    outputs: &[T],
    pullback: Arc<Pullback<T>>,
) -> Vec<Var<'t, T>> {
    let active = || inputs.iter().filter(|x| x.index() != NOWHERE);
    let Some(tape) = active().find_map(|x| x.tape) else {
        return outputs.iter().map(|&y| Var::constant(y)).collect();
    };
    if let Some(other) = active().find(|x| !x.tape.is_some_and(|t| std::ptr::eq(t, tape))) {
        let failed = Var { tape: Some(tape), ..Var::constant(T::of(0.0)) }.refuse(*other);
        return vec![failed; outputs.len()];
    }
    let (first, line) = (tape.end(), Location::caller());
    let block = Block {
        inputs: inputs.iter().map(|x| (x.partial, x.index())).collect(),
        pullback: Arc::clone(&pullback),
        at: line,
    };
    let at = {
        let mut log = tape.log.borrow_mut();
        log.blocks.push(block);
        log.blocks.len() - 1
    };
    tape.event(Event {
        record: tape.records.len(),
        index: first,
        count: outputs.len() as u32,
        kind: Kind::Block(at as u32),
    });
    let output = |(i, &value): (usize, &T)| {
        let y = tape.handle(value, Place::on(first + i as u32));
        T::note(y, line, || {
            let unit: Vec<T> = (0..outputs.len()).map(|k| T::of(f64::from(k == i))).collect();
            // An error here is an error of every sweep as well.
            let slopes = pullback(&Tape::default(), &unit).unwrap_or_default();
            Operation::opaque("block", inputs, &slopes)
        })
    };
    outputs.iter().enumerate().map(output).collect()
}

impl<T: Number> Var<'_, T> {
    /// The value as a constant of any lifetime.
    fn detached<'s>(self) -> Var<'s, T> {
        Var::constant(self.value)
    }
}

impl<T: Number> Tape<T> {
    /// The empty tape on which parts are recorded; a part inside a part gets one from the inner tape.
    fn borrow_inner(&self) -> Box<Tape<T>> {
        let mut inner = self.log.borrow_mut().inner.take().unwrap_or_default();
        inner.reset();
        inner.flushes = self.flushes;
        inner
    }

    fn return_inner(&self, inner: Box<Tape<T>>) {
        self.log.borrow_mut().inner = Some(inner);
    }

    /// Computes the cotangents of a block's inputs from those of its outputs.
    pub(super) fn run_block<A: Cotangent<T>>(
        &self,
        at: u32,
        event: &Event,
        adjoints: &mut [A],
    ) -> Result<()> {
        let (pullback, line) = {
            let log = self.log.borrow();
            let block = &log.blocks[at as usize];
            (Arc::clone(&block.pullback), block.at)
        };
        let range = event.index as usize..(event.index + event.count) as usize;
        for lane in 0..A::LANES {
            let g: Vec<T> = adjoints[range.clone()].iter_mut().map(|g| *g.lane(lane)).collect();
            if g.iter().all(|g| g.is_zero()) {
                continue;
            }
            let inner = self.borrow_inner();
            let pulled = pullback(&inner, &g);
            self.return_inner(inner);
            let pulled = pulled.map_err(|e| e.at(line))?;
            let log = self.log.borrow();
            let inputs = &log.blocks[at as usize].inputs;
            if pulled.len() != inputs.len() {
                let detail = format!("{} cotangents for {} inputs", pulled.len(), inputs.len());
                return Err(Error::new(ErrorKind::Rule, "block", detail).at(line));
            }
            for (g, &(partial, index)) in pulled.into_iter().zip(inputs) {
                let to = adjoints[index as usize].lane(lane);
                *to = *to + g.pull(partial);
            }
        }
        adjoints[range].fill(A::zero());
        Ok(())
    }
}
