//! Values that are not computed yet: elementwise operations are recorded first, and computed in one pass when a value is read.
//!
//! Shape, errors and what the rule reads are known when an op is recorded. The inputs of a pending node are in memory, or are pending
//! and have its shape. What frees values (a scope, a checkpoint, a sweep) keeps the inputs of the pending nodes that it keeps.

use super::forward::{Made, forward_of};
use super::fusion::{Function, FusedPass, Graph, Source, Wanted};
use super::node::{Node, path_of};
use super::op::{ForwardOutput, OpRef, Saves};
use super::slot::{Pending, Slot};
use super::var::Var;
use super::{Borrowed, Mode, State, Tape};
use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::panic::Location;
use std::sync::LazyLock;
use wengert_ops::{Shape, Tensor, broadcast_shapes};

/// The number of elements from which on an operation waits. Smaller results stay in a cache anyway.
const ELEMENTS: usize = 16 * 1024;
/// The number of operations after which a chain is computed, so that no result is computed over many others.
const STEPS: u32 = 24;

/// The cost (in additions an element) from which on a result that a rule reads is kept, and not computed again in the sweep: for
/// values of at most `CACHED` bytes, and for larger ones, which are slow to write and read.
const DEAR: [usize; 2] = [5, 12];
const CACHED: usize = 4 << 20;

/// When operations wait: never or always, for tests, by `WENGERT_FUSION=off` or `all`.
static FROM: LazyLock<usize> = LazyLock::new(|| match std::env::var("WENGERT_FUSION").as_deref() {
    Ok("off") => usize::MAX,
    Ok("all") => 1,
    _ => ELEMENTS,
});

/// Whether results of this many elements may wait.
pub(crate) fn may_wait(mode: Mode, elements: usize) -> bool {
    mode.lazy && elements >= *FROM
}

/// What is recorded of an op that waits.
pub(super) struct Deferred<T: Float> {
    pub(super) value: Pending,
    pub(super) saved: Vec<Tensor<T>>,
    pub(super) needs: bool,
    pub(super) saves: Saves,
}

impl<T: Float> Tape<T> {
    /// The record of an op that is not computed yet; `None` if it has to be computed now.
    pub(super) fn deferred(&self, op: &OpRef<T>, ids: &[u32]) -> Result<Option<Deferred<T>>> {
        let mut compute: SmallVec<[u32; 4]> = SmallVec::new();
        let (shape, weight, cost, each) = {
            let nodes = &self.state.borrow().nodes;
            let Some(inputs) =
                ids.iter().map(|&i| nodes.get(i as usize)).collect::<Option<SmallVec<[&Node<T>; 4]>>>()
            else {
                return Ok(None);
            };
            let Some(elementwise) = op.elementwise() else { return Ok(None) };
            if inputs.iter().any(|n| !n.value.is_readable()) {
                return Ok(None);
            }
            let mut shapes =
                inputs.iter().map(|n| n.value.shape()).chain(elementwise.mask().map(Tensor::shape));
            let Some(first) = shapes.next().cloned() else { return Ok(None) };
            // The op itself reports shapes that do not broadcast.
            let Ok(shape) = shapes.try_fold(first, |all, s| {
                if all == *s { Ok(all) } else { broadcast_shapes(op.name(), &all, s) }
            }) else {
                return Ok(None);
            };
            if shape.checked_numel().is_none_or(|n| n > isize::MAX as usize / 16) {
                return Ok(None);
            }
            let (mut weight, own) = (1, elementwise.cost() as u32);
            let mut cost = own;
            for (&id, node) in ids.iter().zip(&inputs) {
                match &node.value {
                    Slot::Pending(p) if p.shape == shape => {
                        (weight, cost) = (weight + p.weight, cost.saturating_add(p.cost));
                    }
                    Slot::Pending(_) => compute.push(id),
                    _ => {}
                }
            }
            if weight > STEPS {
                // What is used more than once was counted more than once.
                weight = 1 + needed_for(nodes, ids).len() as u32;
            }
            if weight > STEPS {
                compute = ids.into();
                (weight, cost) = (1, own);
            }
            (shape, weight, cost, inputs.iter().map(|n| n.needs).collect::<SmallVec<[bool; 4]>>())
        };
        if !compute.is_empty() {
            let why = if weight == 1 { "the length of the chain" } else { op.name() };
            self.read_by(why, || self.revive(&compute))?;
        }
        if self.state.borrow().failed(ids).is_some() {
            return Ok(None);
        }
        let needs = self.mode.records && each.contains(&true);
        let state = self.state.borrow();
        let inputs = || ids.iter().map(|&i| state.nodes[i as usize].value.shape());
        let saves = if needs { op.saves_guarded(&each, inputs())? } else { Saves::NOTHING };
        let prepared = op.guarded("prepare", inputs(), || op.elementwise().map(|e| e.prepare(&shape)))?;
        let saved =
            prepared.transpose().map_err(|e| Error::new(ErrorKind::Op(e.kind()), e.op(), e.detail()))?;
        let value = Pending { shape, weight, cost, computed: 0, swept: 0, freed: None };
        Ok(Some(Deferred { value, saved: saved.unwrap_or_default(), needs, saves }))
    }

    /// A sum of a pending value, taken in the pass that computes the value, which is not written to memory.
    pub(super) fn fused_sum(&self, op: &OpRef<T>, ids: &[u32]) -> Result<Option<Made<T>>> {
        let &[id] = ids else { return Ok(None) };
        let (shape, summed, needs) = {
            let state = self.state.borrow();
            let Some(Node { value: Slot::Pending(p), needs, .. }) = state.nodes.get(id as usize) else {
                return Ok(None);
            };
            if p.freed.is_some() {
                return Ok(None);
            }
            let Some(summed) = op.summed(&p.shape).filter(|s| !s.axes.is_empty()) else { return Ok(None) };
            (p.shape.clone(), summed, self.mode.records && *needs)
        };
        let mut borrowed = Borrowed::take(self);
        let made = self.read_by(op.name(), || {
            passed(self, &mut borrowed.nodes, &shape, &[(id, Some(summed.axes.clone()))])
        });
        drop(borrowed);
        // A function that panics is found by computing one value at a time.
        let Some(y) = made.ok().and_then(|mut made| made.pop()) else { return Ok(None) };
        let shape = shape.reduced(&summed.axes, summed.keepdim);
        let y = y.reshape(&shape)?;
        let y = summed.factor.map_or(y.clone(), |c| y.scale(c));
        let saves = if needs { op.saves_guarded(&[needs], [&shape].into_iter())? } else { Saves::NOTHING };
        Ok(Some(Made { forward: ForwardOutput::from(y), needs, saves }))
    }

    /// Runs a pass that is added to the list of passes, if there is one; the tape is not borrowed meanwhile.
    pub(crate) fn logged<R>(&self, pass: impl FnOnce(Option<(&'static str, &mut Vec<FusedPass>)>) -> R) -> R {
        let (read_by, mut passes) = {
            let state = &mut *self.state.borrow_mut();
            (state.read_by, state.passes.take())
        };
        let result = pass(passes.as_mut().map(|passes| (read_by, passes)));
        self.state.borrow_mut().passes = passes;
        result
    }

    /// Runs `f`; what it computes is read by `what`.
    pub(crate) fn read_by<R>(&self, what: &'static str, f: impl FnOnce() -> R) -> R {
        let before = std::mem::replace(&mut self.state.borrow_mut().read_by, what);
        let result = f();
        self.state.borrow_mut().read_by = before;
        result
    }

    /// Computes every value that is pending.
    pub(crate) fn compute_all(&self) {
        let ids = self.state.borrow().deferred.clone();
        let _ = self.compute(&ids);
        self.state.borrow_mut().deferred.clear();
    }

    /// Computes those of the values that are pending.
    ///
    /// # Errors
    /// If one of them fails.
    pub(crate) fn compute(&self, ids: &[u32]) -> Result<()> {
        {
            let state = self.state.borrow();
            let is_pending = |&id: &u32| state.nodes.get(id as usize).is_some_and(|n| n.value.is_pending());
            if state.deferred.is_empty() || !ids.iter().any(is_pending) {
                return Ok(());
            }
        }
        let mut borrowed = Borrowed::take(self);
        compute_in(self, &mut borrowed.nodes, ids)
    }
}

impl<T: Float> State<T> {
    /// Whether the result of an op on these nodes may be large enough to wait.
    pub(super) fn may_wait(&self, mode: Mode, ids: &[u32]) -> bool {
        let large = |n: &Node<T>| may_wait(mode, n.value.shape().numel());
        ids.iter().any(|&id| self.nodes.get(id as usize).is_some_and(large))
    }

    /// Whether a node from `start` on may be pending.
    pub(super) fn is_pending_from(&self, start: usize) -> bool {
        self.deferred.last().is_some_and(|&id| id as usize >= start)
    }

    /// Nodes that may be pending.
    pub(crate) fn pending(&self) -> &[u32] {
        &self.deferred
    }
}

/// Computes those of the nodes that are pending.
///
/// # Errors
/// If one of them fails; it has failed from then on.
pub(crate) fn compute_in<T: Float>(tape: &Tape<T>, nodes: &mut [Node<T>], ids: &[u32]) -> Result<()> {
    let mut outcome = Ok(());
    for &id in ids {
        let Some(value) = nodes.get(id as usize).map(|n| &n.value).filter(|value| value.is_pending()) else {
            continue;
        };
        let shape = value.shape().clone();
        let alike = |i: &&u32| {
            let value = &nodes[**i as usize].value;
            value.is_pending() && *value.shape() == shape
        };
        let mut together: Vec<u32> =
            ids.iter().filter(|i| (**i as usize) < nodes.len()).filter(alike).copied().collect();
        together.sort_unstable();
        together.dedup();
        let lonely = |id: u32, nodes: &[Node<T>]| {
            let node = &nodes[id as usize];
            let pending = |i: &u32| matches!(nodes[*i as usize].value, Slot::Pending(_));
            node.saved.is_empty() && !node.inputs.iter().any(pending)
        };
        let done = if together.len() == 1 && lonely(id, nodes) {
            one_by_one(tape, nodes, &together)
        } else {
            let wanted: Vec<_> = together.iter().map(|&id| (id, None)).collect();
            match passed(tape, nodes, &shape, &wanted) {
                Ok(made) => {
                    for (&id, y) in together.iter().zip(made) {
                        nodes[id as usize].value = Slot::Ready(y);
                    }
                    Ok(())
                }
                // Which of them panics, and with what message.
                Err(_) => one_by_one(tape, nodes, &together),
            }
        };
        outcome = outcome.and(done);
    }
    outcome
}

/// Runs one pass for pending nodes of one shape: of each the values, or a sum over axes.
fn passed<T: Float>(
    tape: &Tape<T>,
    nodes: &mut [Node<T>],
    shape: &Shape,
    wanted: &[(u32, Option<SmallVec<[usize; 4]>>)],
) -> Result<Vec<Tensor<T>>> {
    let mut graph = Graph::default();
    let mut sources = FxHashMap::default();
    let mut all: Vec<Wanted> = Vec::new();
    for (id, sum) in wanted {
        let of = import(&mut graph, &mut sources, nodes, *id, |p| p.computed)?;
        all.push(Wanted { of, sum: sum.clone() });
    }
    let dear = DEAR[usize::from(shape.numel() * size_of::<T>() > CACHED)];
    let mut ids: Vec<u32> =
        sources.keys().copied().filter(|&id| nodes[id as usize].value.is_pending()).collect();
    ids.sort_unstable();
    // A dear result is kept if a rule reads it, or something that is computed again from it.
    let (mut read, mut kept) = (Vec::new(), Vec::new());
    for &id in ids.iter().rev() {
        let node = &nodes[id as usize];
        if !node.wanted && !read.contains(&id) {
            continue;
        }
        let cost = node.op.as_ref().and_then(|op| op.elementwise()).map_or(0, |e| e.cost());
        if cost >= dear {
            kept.push(id);
        } else {
            read.extend(&node.inputs);
        }
    }
    // They stay until the sweep.
    kept.iter().for_each(|&id| nodes[id as usize].wanted = true);
    let kept = kept.iter().map(|id| Wanted { of: sources[id], sum: None });
    let kept: Vec<Wanted> = kept.filter(|w| !all.contains(w)).collect();
    all.extend(kept);
    let module = || {
        let last = sources.keys().max()?;
        tape.module_of(nodes, &nodes[*last as usize].inputs)
    };
    let made = tape.logged(|log| graph.run(shape, &all, module, log));
    let mut made = made?;
    made.truncate(wanted.len());
    settle(&graph, &sources, nodes, |p, passes| p.computed = passes);
    Ok(made)
}

/// The source of a node's value in a graph: what is pending comes with the steps that compute it. `computed` says how many passes have
/// computed it before.
///
/// # Errors
/// If something that it is computed from has failed.
pub(crate) fn import<T: Float>(
    graph: &mut Graph<T>,
    sources: &mut FxHashMap<u32, Source>,
    nodes: &[Node<T>],
    id: u32,
    computed: impl Fn(&Pending) -> u32,
) -> Result<Source> {
    let mut open: SmallVec<[u32; 8]> = SmallVec::from_slice(&[id]);
    while let Some(&id) = open.last() {
        if sources.contains_key(&id) {
            open.pop();
            continue;
        }
        let node = &nodes[id as usize];
        let source = match (&node.value, &node.op) {
            (Slot::Ready(t), _) => graph.input(t.clone()),
            (Slot::Pending(p), Some(op)) => {
                let before = open.len();
                open.extend(node.inputs.iter().copied().filter(|i| !sources.contains_key(i)));
                if open.len() > before {
                    continue;
                }
                let mut operands: SmallVec<[Source; 4]> = node.inputs.iter().map(|i| sources[i]).collect();
                operands.extend(node.saved.iter().map(|t| graph.input(t.clone())));
                let step = graph.step(Function::Value(op.clone()), operands, node.at);
                graph.set_computed(step, computed(p));
                step
            }
            // It has failed, or is gone.
            (other, _) => graph.input(other.ready("fused")?.clone()),
        };
        sources.insert(id, source);
        open.pop();
    }
    Ok(sources[&id])
}

/// After a pass: keeps the values that were written to memory, and counts the pass for the others.
pub(crate) fn settle<T: Float>(
    graph: &Graph<T>,
    sources: &FxHashMap<u32, Source>,
    nodes: &mut [Node<T>],
    mark: impl Fn(&mut Pending, u32),
) {
    // The order of the map has no influence: each node is changed by itself.
    for (&id, &source) in sources {
        let slot = &mut nodes[id as usize].value;
        let Slot::Pending(p) = slot else { continue };
        if p.freed.is_some() {
            continue;
        }
        if let Some(t) = graph.ready(source) {
            *slot = Slot::Ready(t.clone());
        } else {
            mark(p, graph.computed(source));
        }
    }
}

/// The pending nodes among these, and those that they need, in order.
fn needed_for<T: Float>(nodes: &[Node<T>], ids: &[u32]) -> Vec<u32> {
    let mut needed: Vec<u32> = Vec::new();
    let mut open = ids.to_vec();
    while let Some(id) = open.pop() {
        if matches!(nodes[id as usize].value, Slot::Pending(_)) && !needed.contains(&id) {
            needed.push(id);
            open.extend(&nodes[id as usize].inputs);
        }
    }
    needed.sort_unstable();
    needed
}

/// Computes pending nodes, and those that they need, one at a time.
fn one_by_one<T: Float>(tape: &Tape<T>, nodes: &mut [Node<T>], ids: &[u32]) -> Result<()> {
    let mut outcome = Ok(());
    for id in needed_for(nodes, ids) {
        let node = &nodes[id as usize];
        let (at, inputs) = (node.at, node.inputs.clone());
        let Some(op) = node.op.clone() else { continue };
        let made = forward_of(nodes, &op, &inputs, || tape.module_of(nodes, &inputs));
        let value = match made.map(|mut made| made.outputs.pop()) {
            Ok(Some(y)) => Slot::Ready(y),
            Ok(None) => continue,
            Err(e) => {
                let e = e.at(at).inside(path_of(nodes, &inputs));
                let e = tape.state.borrow_mut().first_error(e);
                outcome = outcome.and(Err(e.clone()));
                Slot::Failed(e)
            }
        };
        nodes[id as usize].value = value;
    }
    outcome
}

impl<T: Float> Tape<T> {
    /// The same tape, which computes every value when it is recorded.
    ///
    /// By default a recording tape computes chains of elementwise operations on large values (16,384 elements and more) in one pass, when
    /// one of their results is read: by another operation, by the program, or by the reverse sweep. Intermediate results are then not
    /// written to memory, and the sweep computes them again where that is cheaper than to keep them. The numbers are the same
    /// bits. Tapes that [detect anomalies](Tape::detect_anomaly), [keep all values](Tape::keep_all) or are [strict](Tape::strict)
    /// always compute at once.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::Tape;
    /// let gradient = |tape: Tape<f32>| {
    ///     let x = tape.var(Tensor::steps(-2.0, 2e-4, 20_000));
    ///     (x.tanh() * x.sigmoid() + 1.0).mean().backward()?.wrt(x)
    /// };
    /// assert_eq!(gradient(Tape::new())?, gradient(Tape::new().eager())?);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[must_use]
    pub fn eager(mut self) -> Self {
        self.compute_all();
        self.mode.lazy = false;
        self
    }

    /// Several values at once. Those that are not computed yet, and have one shape, are computed in one pass: the new parameters
    /// and the state of an optimiser written with values, for example.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (m, g) = (tape.constant(Tensor::from([1.0, 0.0])), tape.constant(Tensor::from([2.0, 2.0])));
    /// let velocity = 0.5 * m + g;
    /// let [velocity, step] = tape.values([velocity, velocity * -0.1])?;
    /// assert_eq!((velocity.to_vec(), step.to_vec()), (vec![2.5, 2.0], vec![-0.25, -0.2]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Var::value`], of the first that has none.
    #[track_caller]
    pub fn values<const N: usize>(&self, of: [Var<'_, T>; N]) -> Result<[Tensor<T>; N]> {
        let at = Location::caller();
        let here: SmallVec<[u32; 4]> =
            of.iter().filter(|v| std::ptr::eq(v.tape, self)).map(|v| v.id).collect();
        // An error is in the value.
        let _ = self.compute(&here);
        let values: Vec<Tensor<T>> =
            of.iter().map(|v| v.ready().map_err(|e| e.at(at))).collect::<Result<_>>()?;
        values.try_into().map_err(|_| Error::new(ErrorKind::Rule, "values", "a value is missing"))
    }

    /// The same tape, which writes down what it computes in one pass, for [`fused_passes`](Tape::fused_passes).
    #[must_use]
    pub fn explain_fusion(mut self) -> Self {
        self.state.get_mut().passes.get_or_insert_with(Vec::new);
        self
    }

    /// The passes since the tape was made or reset, if it [explains them](Tape::explain_fusion): which operations were computed
    /// together, forward and in sweeps. An operation that stands alone in no pass was computed by itself.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::Tape;
    /// let tape = Tape::new().explain_fusion();
    /// let x = tape.var(Tensor::<f32>::ones([200, 100]));
    /// let loss = (x.tanh() * 3.0 + x).mean();        // one pass, which writes the mean, and tanh x for the sweep
    /// loss.backward()?;                              // and one pass backward
    /// let passes = tape.fused_passes();
    /// let operations = |i: usize| passes[i].operations.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    /// assert_eq!(operations(0), ["tanh", "mul", "add"]);
    /// assert_eq!((passes[0].inputs, passes[0].outputs, passes[0].sums), (1, 1, 1));
    /// assert_eq!(operations(1), ["mul'", "tanh'", "accumulate"]);
    /// println!("{}", passes[1]);                     // with lines, and what ended the chain
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn fused_passes(&self) -> Vec<FusedPass> {
        self.state.borrow().passes.clone().unwrap_or_default()
    }
}
