//! [`Tape`]: the growing list of all computed values and operations.
//!
//! Four types depend on each other here, the only such cycle of the crate: `Tape`, [`Var`] (a handle with its tape), `Node`
//! (an operation and where its values are) and [`Op`] (whose rule is written in `Var`s). The other files of this module are
//! used by them or extend them.

mod announce;
mod checkpoint;
mod error_scope;
mod evaluating;
pub(crate) mod forward;
pub(crate) mod fusion;
pub(crate) mod node;
pub(crate) mod op;
pub(crate) mod param;
pub(crate) mod pending;
mod profiling;
mod recent;
pub(crate) mod region;
mod scope;
pub(crate) mod slot;
mod updates;
pub(crate) mod var;

pub use error_scope::ErrorScope;
pub use fusion::FusedPass;
pub use op::{
    BackwardContext, Cotangents, ElementwiseOp, ForwardOutput, Op, Outputs, Saves, Selection, VjpContext,
    cotangents,
};
pub use param::{Param, ParamId};
pub use scope::{Scope, ScopeOutput};
pub use updates::{BufferId, BufferUpdate, Change, Updates};
pub use var::{Dims, Var};

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use forward::{Made, run};
use node::{Node, ParamInfo, Paths};
use op::OpRef;
use recent::Recent;
use region::Region;
use rustc_hash::FxHashMap;
use slot::Slot;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_ops::random::{Key, Purpose, Rng};
use wengert_ops::{IntoTensor, Tensor};

/// A Wengert list: every operation in the order in which it was computed.
///
/// That order is a topological order of the graph, so the reverse sweep is one loop from the last node to the first.
/// Handles ([`Var`]) are `Copy`, and an operation that fails leaves its error on the tape instead of panicking, so
/// expressions read like mathematics:
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::Tape;
///
/// let tape = Tape::new();
/// let x = tape.var(Tensor::from([1.0, 2.0]));
/// let loss = (x * x + 3.0 * x).sum();
/// let grads = loss.backward()?;
/// assert_eq!(grads.wrt(x)?, Tensor::from([5.0, 7.0]));        // 2x + 3
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// A tape has one element type, one mode and one random stream: [`Tape::new`] records, and layers behave as in evaluation;
/// [`Tape::train`] records, and layers behave as in training (dropout draws from the tape's seed); [`Tape::eval`] records
/// no gradients and bounds its memory.
pub struct Tape<T: Float = f32> {
    pub(crate) serial: Cell<u64>,
    pub(crate) mode: Mode,
    pub(crate) state: RefCell<State<T>>,
}

#[derive(Clone, Copy)]
pub(crate) struct Mode {
    pub(crate) records: bool,
    pub(crate) training: bool,
    pub(crate) strict: bool,
    pub(crate) anomaly: bool,
    pub(crate) keeps: bool,
    /// Whether elementwise operations may wait; see [`pending`].
    pub(crate) lazy: bool,
}

pub(crate) struct State<T: Float> {
    pub(crate) nodes: Vec<Node<T>>,
    error: Option<Error>,
    pub(crate) params: FxHashMap<(ParamId, u64), u32>,
    rng: Rng,
    /// Names that the user gave to values.
    pub(crate) names: HashMap<u32, String>,
    /// Checkpoints whose values have been dropped.
    pub(crate) regions: Vec<Region>,
    pub(crate) updates: Updates<T>,
    /// Which values an evaluating tape keeps; `None` where values stay until they are freed.
    pub(crate) recent: Option<Recent>,
    /// The error after which nothing can be computed: a question about a shape had no answer.
    broken: Option<Error>,
    pub(crate) paths: Paths,
    /// The function that the operations inside belong to; see [`Tape::error_scope`].
    pub(crate) error_scope: Option<&'static str>,
    /// Nodes that were recorded without being computed.
    deferred: Vec<u32>,
    /// The passes, if somebody wants to know them.
    passes: Option<Vec<FusedPass>>,
    /// What reads the values that are computed now.
    read_by: &'static str,
    /// The location reported for new nodes while a recorded rule runs: that of the node it differentiates.
    pub(crate) speaks_for: Option<&'static Location<'static>>,
}

impl<T: Float> Default for Tape<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Tape<T> {
    fn with_mode(records: bool, training: bool, seed: u64) -> Self {
        Tape {
            serial: Cell::new(next_serial()),
            mode: Mode { records, training, strict: false, anomaly: false, keeps: false, lazy: records },
            state: RefCell::new(State {
                nodes: Vec::new(),
                error: None,
                params: FxHashMap::default(),
                rng: Rng::at(Key::of(seed, Purpose::Layers, 0)),
                names: HashMap::new(),
                regions: Vec::new(),
                updates: Updates::default(),
                recent: None,
                broken: None,
                paths: Paths::default(),
                error_scope: None,
                deferred: Vec::new(),
                passes: None,
                read_by: "the program",
                speaks_for: None,
            }),
        }
    }

    /// A tape that records, on which layers behave as in evaluation.
    #[doc(alias = "enable_grad")]
    #[doc(alias = "set_grad_enabled")]
    pub fn new() -> Self {
        Self::with_mode(true, false, 0)
    }

    /// A tape that records, on which layers behave as in training; random layers draw from `seed`.
    ///
    /// Keep one tape for the whole training and [`reset`](Tape::reset) it at each step: the random stream continues.
    pub fn train(seed: u64) -> Self {
        Self::with_mode(true, true, seed)
    }

    /// A tape for values alone: it computes no gradients.
    ///
    /// Its memory is bounded: when its values take more than 64 MiB (and more than 16 times the largest of them), the least
    /// recently used ones are dropped, and recomputed with the same bits if they are read later. Leaves and values that
    /// were [kept](Var::keep) stay until the tape is [`reset`](Tape::reset) or dropped. So does what an operation needs
    /// to run again: a few hundred bytes, and its masks and indices. A program that serves requests makes one tape per
    /// request, or resets it.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f32>::eval();
    /// let mut y = tape.constant(Tensor::ones([1 << 20]));        // 4 MiB
    /// for _ in 0..50 {
    ///     y = (y * 1.01).tanh() + 0.1;
    /// }
    /// assert!(tape.bytes() <= 68 << 20);
    /// ```
    #[doc(alias = "inference_mode")]
    #[doc(alias = "no_grad")]
    pub fn eval() -> Self {
        let tape = Self::scratch();
        tape.state.borrow_mut().recent = Some(Recent::default());
        tape
    }

    /// A tape for the rules of the first-order sweep.
    pub(crate) fn scratch() -> Self {
        Self::with_mode(false, false, 0)
    }

    /// The same tape, which panics at the first error with its message, for debugging.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.compute_all();
        self.mode.strict = true;
        self.mode.lazy = false;
        self
    }

    /// The same tape, which reports the first value or cotangent that is NaN or infinite as an error with its origin:
    /// operation, line, module path and the range of its inputs. Every value is checked, which costs time.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{ErrorKind, Tape};
    /// let tape = Tape::new().detect_anomaly();
    /// let x = tape.var(Tensor::from([0.0, 1.0]));
    /// let e = (x.log() * 0.0).sum().backward().unwrap_err();
    /// assert_eq!((e.kind(), e.op()), (ErrorKind::NonFinite, "log"));
    /// ```
    #[must_use]
    pub fn detect_anomaly(mut self) -> Self {
        self.compute_all();
        self.mode.anomaly = true;
        self.mode.lazy = false;
        self
    }

    /// The same tape, on which scopes free nothing, so that every intermediate value can be inspected; it takes the memory
    /// of all of them. Checkpoints still drop their values.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::new().keep_all();
    /// let x = tape.var(2.0);
    /// let mut inner = x;
    /// let y = tape.scope(|| {
    ///     inner = x + 1.0;
    ///     inner * 2.0
    /// });
    /// assert_eq!((inner.item()?, y.item()?), (3.0, 6.0));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[must_use]
    pub fn keep_all(mut self) -> Self {
        self.compute_all();
        self.mode.keeps = true;
        self.mode.lazy = false;
        self.state.get_mut().recent = None;
        self
    }

    /// Whether layers such as dropout behave as in training.
    #[doc(alias = "training")]
    pub fn is_training(&self) -> bool {
        self.mode.training
    }

    /// Whether operations are recorded for a reverse sweep.
    #[doc(alias = "is_grad_enabled")]
    #[doc(alias = "is_inference_mode_enabled")]
    pub fn is_recording(&self) -> bool {
        self.mode.records
    }

    /// The next key of the tape's random stream.
    pub fn next_key(&self) -> Key {
        self.state.borrow_mut().rng.next_key()
    }

    /// The position of the random stream; [`set_rng`](Tape::set_rng) restores it.
    #[doc(alias = "get_rng_state")]
    pub fn rng(&self) -> Rng {
        self.state.borrow().rng.clone()
    }

    /// Sets the position of the random stream.
    #[doc(alias = "set_rng_state")]
    pub fn set_rng(&self, rng: Rng) {
        self.state.borrow_mut().rng = rng;
    }

    /// Removes everything that was recorded, and keeps the allocated memory, the mode and the position of the random
    /// stream. The borrow checker ensures that no handle outlives this call.
    ///
    /// ```compile_fail
    /// let mut tape = wengert_tape::Tape::new();
    /// let x = tape.var(wengert_ops::Tensor::from([1.0]));
    /// tape.reset();
    /// let y = x + 1.0;             // error: cannot borrow `tape` as mutable while `x` is in use
    /// ```
    pub fn reset(&mut self) {
        self.serial.set(next_serial());
        let state = self.state.get_mut();
        state.nodes.clear();
        state.params.clear();
        state.names.clear();
        state.regions.clear();
        state.updates.clear();
        state.deferred.clear();
        state.passes.iter_mut().for_each(Vec::clear);
        state.paths.clear();
        state.recent.iter_mut().for_each(Recent::clear);
        state.broken = None;
        state.error = None;
    }

    /// The first error of any operation on this tape since it was made or reset.
    pub fn error(&self) -> Option<Error> {
        self.state.borrow().error.clone()
    }

    /// The number of nodes: leaves, and outputs of operations.
    pub fn len(&self) -> usize {
        self.state.borrow().nodes.len()
    }

    /// Whether nothing has been recorded yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of all values that the tape holds; a shared buffer counts once.
    pub fn bytes(&self) -> usize {
        let state = self.state.borrow();
        let mut seen = std::collections::HashSet::new();
        let tensors = state.nodes.iter().flat_map(|n| {
            let value = if let Slot::Ready(t) = &n.value { Some(t) } else { None };
            value.into_iter().chain(&n.saved)
        });
        tensors.filter(|t| seen.insert(t.buffer_address())).map(|t| t.buffer_len() * size_of::<T>()).sum()
    }

    /// A leaf that gets a gradient.
    #[doc(alias = "requires_grad")]
    #[doc(alias = "requires_grad_")]
    #[track_caller]
    pub fn var(&self, value: impl IntoTensor<T>) -> Var<'_, T> {
        self.leaf(value.into_tensor(), self.mode.records, None)
    }

    /// A leaf that needs no gradient: data, targets, masks. The reverse sweep computes nothing for it.
    #[track_caller]
    pub fn constant(&self, value: impl IntoTensor<T>) -> Var<'_, T> {
        self.leaf(value.into_tensor(), false, None)
    }

    /// The handle of a parameter. There is one node per parameter and tape, so that the gradients of a weight used twice
    /// are added.
    #[track_caller]
    pub fn param(&self, p: &Param<T>) -> Var<'_, T> {
        let key = (p.id(), p.version());
        if let Some(&id) = self.state.borrow().params.get(&key) {
            return Var { tape: self, id };
        }
        let info = ParamInfo { id: p.id(), name: p.shared_name() };
        let v = self.leaf(Ok(p.value().clone()), p.is_trainable() && self.mode.records, Some(info));
        self.state.borrow_mut().params.insert(key, v.id);
        v
    }

    #[track_caller]
    fn leaf(
        &self,
        value: wengert_ops::Result<Tensor<T>>,
        needs: bool,
        param: Option<ParamInfo>,
    ) -> Var<'_, T> {
        let at = Location::caller();
        let value =
            match value {
                Ok(t) if self.mode.anomaly && t.has_non_finite() && param.is_some() => {
                    let name = param.as_ref().and_then(|p| p.name.clone());
                    let name = name.as_deref().unwrap_or("a parameter");
                    Slot::Failed(self.fail(
                        Error::new(ErrorKind::NonFinite, "param", format!("{name} is not finite")).at(at),
                    ))
                }
                Ok(t) => Slot::Ready(t),
                Err(e) => Slot::Failed(self.fail(Error::from(e).relocated(at))),
            };
        let id = self.state.borrow_mut().push_leaf(value, needs, param, at);
        Var { tape: self, id }
    }

    /// A leaf that holds the given slot.
    #[track_caller]
    pub(crate) fn place(&self, value: Slot<T>, needs: bool) -> Var<'_, T> {
        let id = self.state.borrow_mut().push_leaf(value, needs, None, Location::caller());
        Var { tape: self, id }
    }

    /// Records `op` on `inputs` and returns its only output.
    ///
    /// If the op fails, or an input has failed, the result is a failed value: [`Var::value`], [`Var::backward`] and
    /// [`Tape::error`] return its error.
    #[track_caller]
    pub fn apply<'t>(&'t self, op: impl Op<T>, inputs: &[Var<'t, T>]) -> Var<'t, T> {
        self.record(OpRef::Shared(Arc::new(op)), inputs)
    }

    /// As [`apply`](Tape::apply) for an op with several outputs.
    #[track_caller]
    pub fn apply_many<'t>(
        &'t self,
        op: impl Op<T>,
        inputs: &[Var<'t, T>],
        outputs: usize,
    ) -> Vec<Var<'t, T>> {
        let name = op.name();
        let mut first = self.record(OpRef::Shared(Arc::new(op)), inputs);
        let made = self.state.borrow().nodes.get(first.id as usize).map_or(1, |n| n.outputs as usize);
        if made != outputs && !first.is_failed() {
            let detail = format!("expected {outputs} outputs, the op returned {made}");
            first = self.failed(Error::new(ErrorKind::Rule, name, detail));
        }
        // A failed op leaves one node, which represents every output.
        let step = u32::from(!first.is_failed());
        (0..outputs as u32).map(|i| Var { tape: self, id: first.id + i * step }).collect()
    }

    /// As [`apply`](Tape::apply) for an op without state, which is recorded without an allocation.
    #[track_caller]
    pub fn apply_static<'t>(&'t self, op: &'static dyn Op<T>, inputs: &[Var<'t, T>]) -> Var<'t, T> {
        self.record(OpRef::Static(op), inputs)
    }

    #[track_caller]
    pub(crate) fn record<'t>(&'t self, op: OpRef<T>, inputs: &[Var<'t, T>]) -> Var<'t, T> {
        let at = Location::caller();
        let mut ids: SmallVec<[u32; 4]> = SmallVec::new();
        let mut foreign = false;
        for v in inputs {
            ids.push(v.id);
            foreign |= !std::ptr::eq(v.tape, self);
        }
        if !foreign && self.is_ready(&ids) {
            match self.run(&op, &ids) {
                Ok(made) => {
                    let mut state = self.state.borrow_mut();
                    let at = state.speaks_for.unwrap_or(at);
                    let id = state.next_id();
                    state.push_outputs(self.mode.records, made, op, ids, at);
                    return Var { tape: self, id };
                }
                Err(e) => return self.recorded_as(Err(e), op, ids, at),
            }
        }
        if let Some(e) = self.why_not(&ids, foreign) {
            return self.state.borrow_mut().push_failed(self, e, ids, at);
        }
        let outcome = if foreign {
            Err(Error::new(ErrorKind::ForeignTape, op.name(), "an operand belongs to another tape"))
        } else {
            self.computed_or_deferred(&op, &ids)
        };
        self.recorded_as(outcome, op, ids, at)
    }

    /// Whether these nodes have values, and are so small that an op on them is computed at once. So it is for most ops of small models.
    fn is_ready(&self, ids: &[u32]) -> bool {
        let state = self.state.borrow();
        let is_small = |t: &Tensor<T>| !pending::may_wait(self.mode, t.numel());
        let is_ready = |&id: &u32| match state.nodes.get(id as usize) {
            Some(Node { value: Slot::Ready(t), .. }) => is_small(t),
            _ => false,
        };
        state.broken.is_none() && state.deferred.is_empty() && ids.iter().all(is_ready)
    }

    /// Appends what recording an op has led to.
    #[inline(never)]
    fn recorded_as(
        &self,
        outcome: Result<Outcome<T>>,
        op: OpRef<T>,
        ids: SmallVec<[u32; 4]>,
        at: &'static Location<'static>,
    ) -> Var<'_, T> {
        let mut state = self.state.borrow_mut();
        let at = state.speaks_for.unwrap_or(at);
        match outcome {
            Ok(Outcome::Made(made)) => {
                let id = state.next_id();
                state.push_outputs(self.mode.records, made, op, ids, at);
                Var { tape: self, id }
            }
            Ok(Outcome::Deferred(made)) => {
                let id = state.push_deferred(made, op, ids, at);
                Var { tape: self, id }
            }
            Err(e) => {
                let State { paths, nodes, error_scope, .. } = &mut *state;
                let path = paths.of(nodes, &ids);
                let e = error_scope.map_or(e.clone(), |name| e.in_function(name));
                state.push_failed(self, e.at(at).inside(path), ids, at)
            }
        }
    }

    #[inline]
    fn computed_or_deferred(&self, op: &OpRef<T>, ids: &[u32]) -> Result<Outcome<T>> {
        if self.mode.lazy {
            let (large, waiting) = {
                let state = self.state.borrow();
                (state.may_wait(self.mode, ids), !state.deferred.is_empty())
            };
            if large && let Some(deferred) = self.deferred(op, ids)? {
                return Ok(Outcome::Deferred(deferred));
            }
            if waiting {
                if let Some(sum) = self.fused_sum(op, ids)? {
                    return Ok(Outcome::Made(sum));
                }
                self.read_by(op.name(), || self.compute(ids))?;
            }
        }
        self.revive(ids)?;
        self.run(op, ids).map(Outcome::Made)
    }

    fn run(&self, op: &OpRef<T>, ids: &[u32]) -> Result<Made<T>> {
        let nodes = &Borrowed::take(self).nodes;
        run(op, nodes, ids, self.mode, || self.module_of(nodes, ids))
    }

    /// The error that exists before an op runs: that of an input, or of the tape.
    fn why_not(&self, ids: &[u32], foreign: bool) -> Option<Error> {
        let state = self.state.borrow();
        let inputs = if foreign { &[] } else { ids };
        state.failed(inputs).or_else(|| state.broken.clone())
    }

    /// Makes every later computation fail: for a question about a shape that has no answer, after which the program
    /// continues with a meaningless number.
    #[track_caller]
    pub(crate) fn break_with(&self, e: Error) {
        let e = self.fail(e.relocated(Location::caller()));
        self.state.borrow_mut().broken.get_or_insert(e);
    }

    /// Makes `e` the tape's error if it is the first.
    #[track_caller]
    pub(crate) fn fail(&self, e: Error) -> Error {
        let e = self.state.borrow_mut().first_error(e);
        if self.mode.strict {
            panic!("{e}");
        }
        e
    }

    /// A value that has failed with the given error: for functions that reject an argument before any op runs.
    #[track_caller]
    pub fn failed(&self, e: Error) -> Var<'_, T> {
        let at = Location::caller();
        let mut state = self.state.borrow_mut();
        // An error with a location comes from elsewhere, from an operand.
        let named = state.error_scope.filter(|_| e.location().is_none());
        let e = named.map_or(e.clone(), |name| e.in_function(name));
        state.push_failed(self, e.at(at), SmallVec::new(), at)
    }
}

impl<T: Float> Drop for Tape<T> {
    fn drop(&mut self) {
        // Nodes refer to each other by index, so this is a flat loop even for a long graph.
        self.state.get_mut().nodes.clear();
    }
}

/// What recording an op has led to.
enum Outcome<T: Float> {
    Made(Made<T>),
    /// It is computed later.
    Deferred(pending::Deferred<T>),
}

/// The nodes, taken out of the tape while an op runs, so that no borrow is held across a call into it. They are always put
/// back, even after a panic.
pub(crate) struct Borrowed<'t, T: Float> {
    tape: &'t Tape<T>,
    pub(crate) nodes: Vec<Node<T>>,
}

impl<'t, T: Float> Borrowed<'t, T> {
    pub(crate) fn take(tape: &'t Tape<T>) -> Self {
        Borrowed { tape, nodes: std::mem::take(&mut tape.state.borrow_mut().nodes) }
    }
}

impl<T: Float> Drop for Borrowed<'_, T> {
    fn drop(&mut self) {
        self.tape.state.borrow_mut().nodes = std::mem::take(&mut self.nodes);
    }
}

fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Error {
    /// The same error at another location.
    pub(crate) fn relocated(self, at: &'static Location<'static>) -> Self {
        Error::new(self.kind(), self.op(), self.detail()).at(at)
    }
}

impl<T: Float> State<T> {
    pub(crate) fn next_id(&self) -> u32 {
        u32::try_from(self.nodes.len()).expect("a tape holds fewer than 2^32 nodes")
    }

    fn first_error(&mut self, e: Error) -> Error {
        self.error.get_or_insert_with(|| e.clone());
        e
    }

    /// The error of one of the nodes that has failed.
    fn failed(&self, ids: &[u32]) -> Option<Error> {
        ids.iter().find_map(|&i| match self.nodes.get(i as usize).map(|n| &n.value) {
            Some(Slot::Failed(e)) => Some(e.clone()),
            _ => None,
        })
    }

    /// Appends the output of an op that is computed later.
    fn push_deferred(
        &mut self,
        made: pending::Deferred<T>,
        op: OpRef<T>,
        inputs: SmallVec<[u32; 4]>,
        at: &'static Location<'static>,
    ) -> u32 {
        let pending::Deferred { value, saved, needs, saves } = made;
        self.want(&inputs, saves);
        let id = self.next_id();
        self.deferred.push(id);
        self.nodes.push(Node {
            value: Slot::Pending(value),
            op: Some(op),
            inputs,
            saved,
            first: id,
            outputs: 1,
            needs,
            wanted: saves.outputs,
            kept: false,
            param: None,
            at,
        });
        id
    }

    /// Marks the inputs that a rule will read.
    fn want(&mut self, inputs: &[u32], saves: Saves) {
        for (i, &x) in inputs.iter().enumerate() {
            self.nodes[x as usize].wanted |= saves.inputs >> i.min(31) & 1 == 1;
        }
    }

    /// Appends the outputs of an op that succeeded; the first of them carries the op.
    fn push_outputs(
        &mut self,
        records: bool,
        made: Made<T>,
        op: OpRef<T>,
        inputs: SmallVec<[u32; 4]>,
        at: &'static Location<'static>,
    ) {
        let Made { forward: ForwardOutput { outputs: mut values, saved }, needs, saves } = made;
        self.want(&inputs, saves);
        let (first, outputs) = (self.next_id(), values.len() as u32);
        let used = self.recent.is_some().then(|| inputs.clone());
        let op = (records || used.is_some()).then_some(op);
        let saved = if needs { saved } else { Vec::new() };
        let wanted = saves.outputs;
        let node = |value, op, inputs, saved| Node {
            value: Slot::Ready(value),
            op,
            inputs,
            saved,
            first,
            outputs,
            needs,
            wanted,
            kept: false,
            param: None,
            at,
        };
        let rest = if outputs > 1 { values.drain(1..).collect() } else { Outputs::new() };
        if let Some(value) = values.pop() {
            self.nodes.push(node(value, op, inputs, saved));
        }
        for value in rest {
            self.nodes.push(node(value, None, SmallVec::new(), Vec::new()));
        }
        if let (Some(recent), Some(inputs)) = (&mut self.recent, used) {
            recent.record(&mut self.nodes, first, &inputs);
        }
    }

    fn push_failed<'t>(
        &mut self,
        tape: &'t Tape<T>,
        e: Error,
        inputs: SmallVec<[u32; 4]>,
        at: &'static Location<'static>,
    ) -> Var<'t, T> {
        let e = self.first_error(e);
        if tape.mode.strict {
            panic!("{e}");
        }
        let id = self.push_leaf(Slot::Failed(e), false, None, at);
        self.nodes[id as usize].inputs = inputs;
        Var { tape, id }
    }

    fn push_leaf(
        &mut self,
        value: Slot<T>,
        needs: bool,
        param: Option<ParamInfo>,
        at: &'static Location<'static>,
    ) -> u32 {
        let id = self.next_id();
        self.nodes.push(Node {
            value,
            op: None,
            inputs: SmallVec::new(),
            saved: Vec::new(),
            first: id,
            outputs: 1,
            needs,
            wanted: false,
            kept: false,
            param,
            at,
        });
        id
    }
}
