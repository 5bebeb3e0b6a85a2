//! The reverse sweep on plain tensors: [`Var::backward`] and related methods.

use super::contract;
use super::grads::Grads;
use super::lazy::Lazy;
use super::work::{backward_work, scatter_work, sum_work};
use super::{RetainGraph, SweepStep};
use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::profile::{self, Pass, Work, span};
use crate::tape::node::{Node, path_of};
use crate::tape::op::{BackwardContext, Cotangents, OpRef, Selection, VjpContext, cotangents};
use crate::tape::region::Regions;
use crate::tape::slot::{Gone, Slot, range};
use crate::tape::var::Var;
use crate::tape::{Borrowed, Tape};
use smallvec::SmallVec;
use std::panic::Location;
use wengert_ops::kernel::update::{Update, update};
use wengert_ops::{IntoTensor, Tensor};

impl<'t, T: Float> Var<'t, T> {
    /// The gradients of this scalar with respect to every leaf that it depends on.
    ///
    /// The sweep frees every value recorded up to this one, except leaves, rank-0 values, this output, and values that were
    /// [kept](Var::keep). For two losses on one tape, sweep once from both ([`Tape::backward`](crate::Tape::backward))
    /// or use [`backward_retaining`](Var::backward_retaining) first. The tape releases parameters, so that an optimiser can
    /// update them in place.
    ///
    /// # Errors
    /// The error that made this value fail; or an error if the value is not a scalar (see
    /// [`backward_from`](Var::backward_from)), if the tape records nothing, or if the value depends on no
    /// [`var`](crate::Tape::var) and no trainable parameter.
    #[track_caller]
    pub fn backward(self) -> Result<Grads<T>> {
        self.tape.backward(&[(self, self.one()?)], RetainGraph::Nothing)
    }

    /// As [`backward`](Var::backward), but every value stays, so that they can be swept again or read.
    ///
    /// # Errors
    /// As [`backward`](Var::backward).
    #[doc(alias = "backward")]
    #[doc(alias = "retain_graph")]
    #[track_caller]
    pub fn backward_retaining(self) -> Result<Grads<T>> {
        self.tape.backward(&[(self, self.one()?)], RetainGraph::Values)
    }

    /// As [`backward`](Var::backward) for an output of any shape: `seed` is its cotangent (the vector of the
    /// vector-Jacobian product).
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let grads = x.square().backward_from(Tensor::from([1.0, 0.0, 10.0]))?;
    /// assert_eq!(grads.wrt(x)?, Tensor::from([2.0, 0.0, 60.0]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`backward`](Var::backward), and if the seed's shape is not the value's.
    #[doc(alias = "backward")]
    #[track_caller]
    pub fn backward_from(self, seed: impl IntoTensor<T>) -> Result<Grads<T>> {
        self.tape.backward(&[(self, seed.into_tensor()?)], RetainGraph::Nothing)
    }

    /// The cotangent of a scalar: 1, of its shape.
    #[track_caller]
    pub(super) fn one(self) -> Result<Tensor<T>> {
        let at = Location::caller();
        let shape = self.with(|slot| match slot {
            Slot::Failed(e) => Err(e.clone()),
            other => Ok(other.shape().clone()),
        })?;
        if shape.numel() != 1 {
            let detail =
                format!("expected a scalar, found shape {shape}; give its cotangent to backward_from()");
            return Err(Error::new(ErrorKind::NoGradient, "backward", detail).at(at));
        }
        Ok(Tensor::try_full(shape, T::ONE)?)
    }
}

impl<T: Float> Tape<T> {
    /// The gradients of Σ⟨seed, output⟩ over the given pairs with respect to every leaf, in one sweep.
    ///
    /// # Errors
    /// If an output has failed, was freed, or belongs to another tape; if a seed's shape is not its output's; if the
    /// tape records nothing; if no output depends on a [`var`](Tape::var) or a trainable parameter; if a rule fails.
    #[track_caller]
    pub fn backward(&self, outputs: &[(Var<'_, T>, Tensor<T>)], retain: RetainGraph) -> Result<Grads<T>> {
        let needs = |y: &Var<'_, T>| !std::ptr::eq(y.tape, self) || y.is_failed() || y.kind().1;
        if self.is_recording() && !outputs.is_empty() && !outputs.iter().any(|(y, _)| needs(y)) {
            let detail = "the output depends on no var() and on no trainable parameter: it was made of constants, of frozen \
                          parameters or of what was detached, so there is no gradient";
            return Err(Error::new(ErrorKind::NoGradient, "backward", detail).at(Location::caller()));
        }
        self.swept(outputs, retain, None)
    }

    /// The sweep; it writes its steps to `log` if there is one.
    #[track_caller]
    #[inline(never)]
    pub(crate) fn swept(
        &self,
        outputs: &[(Var<'_, T>, Tensor<T>)],
        retain: RetainGraph,
        log: Option<&mut Vec<SweepStep<T>>>,
    ) -> Result<Grads<T>> {
        let at = Location::caller();
        let _span = span(Pass::Backward);
        self.check_outputs(outputs.iter().map(|(y, seed)| (*y, seed.shape().clone())))
            .map_err(|e| e.at(at))?;
        if log.is_some() {
            self.compute_all();
        } else if self.mode.lazy {
            self.compute_what_stays(outputs, retain)?;
        }
        let mut nodes = Borrowed::take(self);
        let mut sweep = Sweep {
            tape: self,
            nodes: &mut nodes.nodes,
            cotangents: Vec::new(),
            scratch: None,
            lazy: Lazy::default(),
            waits: !self.state.borrow().pending().is_empty(),
            log,
            grads: Grads::new(self.serial.get(), self.updates()),
        };
        let top = outputs.iter().map(|(y, _)| y.id as usize).max();
        let Some(top) = top else { return Ok(sweep.grads) };
        // All outputs of the last op are among them.
        let last = &sweep.nodes[top];
        let all = (last.first + sweep.nodes[last.first as usize].outputs) as usize;
        sweep.cotangents.resize(all.max(top + 1), None);
        for (y, seed) in outputs {
            accumulate(&mut sweep.cotangents[y.id as usize], seed.clone(), || None)?;
        }
        let roots: SmallVec<[u32; 2]> = outputs.iter().map(|(y, _)| y.id).collect();
        let mut regions = Regions::new(std::mem::take(&mut self.state.borrow_mut().regions));
        let outcome = sweep.run(top, &roots, retain, &mut regions);
        self.state.borrow_mut().regions = regions.rest();
        outcome?;
        let grads = sweep.finish(retain)?;
        drop(nodes);
        if retain == RetainGraph::Nothing {
            self.state.borrow_mut().params.clear();
        }
        Ok(grads)
    }
}

impl<T: Float> Tape<T> {
    /// Computes pending values that can be read after the sweep, which frees what they are computed from.
    fn compute_what_stays(&self, outputs: &[(Var<'_, T>, Tensor<T>)], retain: RetainGraph) -> Result<()> {
        let top = outputs.iter().map(|(y, _)| y.id).max();
        let mut ids: Vec<u32> = outputs.iter().map(|(y, _)| y.id).collect();
        if retain == RetainGraph::Nothing {
            let state = self.state.borrow();
            let stays = |&id: &u32| Some(id) > top || state.nodes[id as usize].value.shape().is_empty();
            ids.extend(state.pending().iter().copied().filter(stays));
        }
        self.compute(&ids)
    }
}

/// `sum += g`, in place if the sum's buffer is not shared.
struct Accumulate;
impl<T: Float> Update<1, T> for Accumulate {
    #[inline(always)]
    fn call(&self, [sum]: [T; 1], g: T) -> [T; 1] {
        [sum + g]
    }
}

pub(super) fn accumulate<T: Float>(
    into: &mut Option<Tensor<T>>,
    g: Tensor<T>,
    module: impl FnOnce() -> Option<String>,
) -> Result<()> {
    let Some(sum) = into else {
        *into = Some(g);
        return Ok(());
    };
    let add = || update("accumulate", [sum], &g, &Accumulate);
    let added = profile::operation(|| "accumulate", module, add, |_| sum_work(&g));
    Ok(added?)
}

pub(super) struct Sweep<'a, T: Float> {
    pub(super) tape: &'a Tape<T>,
    pub(super) nodes: &'a mut Vec<Node<T>>,
    pub(super) cotangents: Vec<Option<Tensor<T>>>,
    scratch: Option<Tape<T>>,
    /// Cotangents that are not computed yet.
    pub(super) lazy: Lazy<T>,
    /// Whether there may be values that are not computed yet.
    waits: bool,
    pub(super) log: Option<&'a mut Vec<SweepStep<T>>>,
    pub(super) grads: Grads<T>,
}

impl<T: Float> Sweep<'_, T> {
    #[inline(never)]
    fn run(&mut self, top: usize, roots: &[u32], retain: RetainGraph, regions: &mut Regions) -> Result<()> {
        for id in (0..=top).rev() {
            let node = &self.nodes[id];
            if node.first as usize != id {
                continue;
            }
            if !regions.is_empty() {
                let (cotangents, lazy) = (&self.cotangents, &self.lazy);
                let reached = |ids: std::ops::Range<usize>| {
                    let known = ids.start.min(cotangents.len())..ids.end.min(cotangents.len());
                    cotangents[known].iter().any(Option::is_some) || lazy.has_any(ids)
                };
                regions.before(self.tape, id, self.nodes, reached)?;
            }
            if self.nodes[id].op.is_none() {
                self.settle_outputs(id)?;
                continue; // a leaf keeps its cotangent
            }
            if !self.step_lazily(id, roots)? {
                self.step(id, roots)?;
            }
            if retain == RetainGraph::Nothing {
                self.free(id, roots);
            }
        }
        Ok(())
    }

    /// Computes the cotangents of one op's inputs from those of its outputs, and adds them up.
    fn step(&mut self, id: usize, roots: &[u32]) -> Result<()> {
        self.settle_outputs(id)?;
        let outputs = id..id + self.nodes[id].outputs as usize;
        if self.cotangents[outputs.clone()].iter().all(Option::is_none) {
            return Ok(()); // nothing depends on it
        }
        for o in outputs.clone() {
            if (self.nodes[o].kept || roots.contains(&(o as u32)))
                && let Some(g) = &self.cotangents[o]
            {
                self.grads.push_value(o as u32, g.clone());
            }
        }
        if self.nodes[id].needs {
            self.pull_back(id)?;
        }
        for cotangent in &mut self.cotangents[outputs] {
            *cotangent = None;
        }
        Ok(())
    }

    /// Adds what a node whose outputs have cotangents contributes to those of its inputs.
    fn pull_back(&mut self, id: usize) -> Result<()> {
        let mut needs: SmallVec<[bool; 8]> = SmallVec::new();
        for &x in &self.nodes[id].inputs {
            needs.push(self.nodes[x as usize].needs);
        }
        if (self.waits || !self.lazy.is_empty())
            && let Some(op) = self.nodes[id].op.clone()
        {
            self.prepare(&op, id, &needs)?;
        }
        let node = &self.nodes[id];
        let Some(op) = &node.op else { return Ok(()) };
        let (inputs, needs): (&[u32], &[bool]) = (&node.inputs, &needs);
        let located = |e: Error| e.at(node.at).inside(path_of(self.nodes, inputs));
        let module = || self.tape.module_of(self.nodes, inputs);
        let shapes = || inputs.iter().map(|&x| self.nodes[x as usize].value.shape());
        let selection = op.selection_guarded(shapes()).map_err(located)?.filter(|_| self.log.is_none());
        // Cotangents of all parts of a value are added into one buffer.
        let x = inputs.first().map_or(0, |&x| x as usize);
        let sum = selection.and_then(|_| self.cotangents.get_mut(x).and_then(Option::take));
        let outputs = id..id + node.outputs as usize;
        let context = &BackwardContext {
            op,
            nodes: self.nodes,
            inputs,
            outputs: &self.nodes[outputs.clone()],
            cotangents: &self.cotangents[outputs.clone()],
            saved: &node.saved,
            needs,
        };
        if let Some(selection) = selection {
            let scatter = || scattered(op, selection, context, sum);
            let sum = profile::operation(|| op.name(), module, scatter, |_| scatter_work(context));
            self.cotangents[x] = Some(sum.map_err(located)?);
            return Ok(());
        }
        // Cotangents are large, so they are written once, and read where they are.
        let mut made = None;
        let filled = &mut made;
        let scratch = &mut self.scratch;
        let gx = profile::operation(
            || op.name(),
            module,
            move || filled.insert(pulled_back(op, context, scratch)),
            |gx| gx.as_ref().map_or(Work::default(), |gx| backward_work(op, context, gx)),
        );
        let gx = match gx {
            Ok(gx) => gx,
            Err(e) => {
                let (inputs, outputs) = (context.input_slots(), context.output_slots());
                return Err(located(contract::undeclared(e.clone(), op, needs, inputs, outputs)));
            }
        };
        if gx.len() != inputs.len() {
            return Err(located(contract::other_number(op, gx.len(), inputs.len())));
        }
        if let Some(log) = &mut self.log {
            let given = gx.iter().zip(inputs).zip(needs).filter(|(_, needed)| **needed);
            let given = given.filter_map(|((g, x), _)| Some((*x, g.clone()?))).collect();
            let mut slopes = Vec::new();
            let equation = op.guarded("equation", shapes(), || op.equation());
            if let (Ok(Some(_)), Some(Some(g))) = (equation, context.cotangents.first()) {
                let ones = [Some(Tensor::full_like(g, T::ONE))];
                let context = BackwardContext { cotangents: &ones, ..*context };
                let all = pulled_back(op, &context, &mut self.scratch).map_err(located)?;
                let needed = all.into_iter().zip(needs).filter(|(_, needed)| **needed);
                slopes = needed.filter_map(|(slope, _)| slope).collect();
            }
            let cotangents = self.cotangents[outputs].to_vec();
            log.push(SweepStep { node: id as u32, cotangents, given, slopes });
        }
        for ((g, &x), &needed) in gx.iter_mut().zip(inputs).zip(needs) {
            if !needed {
                continue;
            }
            let shape = self.nodes[x as usize].value.shape();
            let Some(g) = g.take() else { return Err(located(contract::missing(op, shape))) };
            if g.shape() != shape {
                return Err(located(contract::misshapen(op, g.shape(), shape)));
            }
            if self.tape.mode.anomaly && g.has_non_finite() {
                let ranges = inputs.iter().map(|&x| range(&self.nodes[x as usize].value));
                let ranges = ranges.collect::<Vec<_>>().join(", ");
                let detail =
                    format!("the cotangent of an input of shape {shape} is not finite; inputs: {ranges}");
                return Err(located(Error::new(ErrorKind::NonFinite, op.name(), detail)));
            }
            let g = if self.lazy.is_empty() { Some(g) } else { self.lazy.add_ready(x, g) };
            if let Some(g) = g {
                accumulate(&mut self.cotangents[x as usize], g, module)?;
            }
        }
        Ok(())
    }

    /// Frees values that nothing will read any more.
    fn free(&mut self, id: usize, roots: &[u32]) {
        let outputs = id..id + self.nodes[id].outputs as usize;
        for (o, node) in outputs.clone().zip(&mut self.nodes[outputs]) {
            if !node.saved.is_empty() {
                node.saved = Vec::new();
            }
            if let Slot::Ready(_) | Slot::Pending(_) = &node.value
                && !(node.kept || node.value.shape().is_empty() || roots.contains(&(o as u32)))
            {
                let freed = if let Slot::Pending(p) = &node.value { p.freed } else { None };
                node.value = Slot::Gone(node.value.shape().clone(), freed.unwrap_or(Gone::Backward));
            }
        }
    }

    /// Collects the leaves' cotangents.
    fn finish(mut self, retain: RetainGraph) -> Result<Grads<T>> {
        self.tape.read_by("the end of the sweep", || self.settle_all())?;
        let mut leaves = Vec::new();
        self.grads.reserve(self.tape.state.borrow().params.len());
        for (id, g) in self.cotangents.iter_mut().enumerate() {
            let node = &mut self.nodes[id];
            if node.op.is_none() && node.first as usize == id && node.needs {
                match (&node.param, g.take()) {
                    (Some(p), Some(g)) => self.grads.push_param(p.id, p.name.clone(), g)?,
                    (None, Some(g)) => leaves.push((id as u32, g)),
                    (_, None) => {}
                }
            }
        }
        if retain == RetainGraph::Nothing {
            // All parameters are released, used in this sweep or not, so that a step can write them in place.
            for node in self.nodes.iter_mut().filter(|n| n.param.is_some() && !n.kept) {
                node.value = Slot::Gone(node.value.shape().clone(), Gone::Param);
            }
        }
        for (id, g) in leaves {
            self.grads.push_value(id, g);
        }
        self.grads.sort();
        Ok(self.grads)
    }
}

/// The cotangents of an op's inputs.
#[inline(never)]
fn pulled_back<T: Float>(
    op: &OpRef<T>,
    r: &BackwardContext<'_, T>,
    scratch: &mut Option<Tape<T>>,
) -> Result<Cotangents<Tensor<T>>> {
    if let Some(selection) = op.selection_guarded(r.input_shapes())? {
        return Ok(cotangents([Some(scattered(op, selection, r, None)?)]));
    }
    // The result is large: it is written once, where it is read.
    let mut made = None;
    op.guarded("backward", r.input_shapes(), || made = op.backward(r))?;
    match made {
        Some(made) => made,
        None => by_rule(op, r, scratch),
    }
}

/// The cotangent of a selection's input, added to the sum so far.
fn scattered<T: Float>(
    op: &OpRef<T>,
    selection: &dyn Selection<T>,
    r: &BackwardContext<'_, T>,
    sum: Option<Tensor<T>>,
) -> Result<Tensor<T>> {
    contract::selects(op, r.inputs.len(), r.cotangents.len())?;
    let sum = match sum {
        Some(sum) => sum,
        None => Tensor::try_full(r.shape(0), T::ZERO)?,
    };
    let gy = r.gy()?;
    op.guarded("scatter_add", r.input_shapes(), || selection.scatter_add(gy, sum))?
        .map_err(|e| Error::new(ErrorKind::Op(e.kind()), e.op(), e.detail()))
}

/// The rule of an op without a first-order kernel, run on a tape that records nothing, or the composite, swept on a tape
/// that records it.
fn by_rule<T: Float>(
    op: &OpRef<T>,
    r: &BackwardContext<'_, T>,
    scratch: &mut Option<Tape<T>>,
) -> Result<Cotangents<Tensor<T>>> {
    let tape = scratch.get_or_insert_with(Tape::scratch);
    let outcome = {
        let place = |slot: &Slot<T>| tape.place(slot.clone(), false);
        let x: SmallVec<[Var<'_, T>; 4]> = r.input_slots().map(place).collect();
        let y: SmallVec<[Var<'_, T>; 1]> = r.output_slots().map(place).collect();
        let g: SmallVec<[Option<Var<'_, T>>; 1]> =
            r.cotangents.iter().map(|g| g.as_ref().map(|g| place(&Slot::Ready(g.clone())))).collect();
        let rule = VjpContext { inputs: &x, outputs: &y, cotangents: &g, needs: r.needs };
        let gx = op.guarded("vjp", r.input_shapes(), || op.vjp(rule))?;
        gx.into_iter().map(|g| g.map(|g| g.value()).transpose()).collect::<Result<Cotangents<Tensor<T>>>>()
    };
    tape.reset();
    match outcome {
        Ok(gx) if gx.is_empty() && !r.inputs.is_empty() => by_composite(op, r),
        // The lines inside a rule are not the user's: the sweep adds the node's location.
        Err(e) => Err(Error::new(e.kind(), e.op(), e.detail())),
        ok => ok,
    }
}

fn by_composite<T: Float>(op: &OpRef<T>, r: &BackwardContext<'_, T>) -> Result<Cotangents<Tensor<T>>> {
    let tape = Tape::new();
    let x: Vec<Var<'_, T>> = r.input_slots().zip(r.needs).map(|(s, &n)| tape.place(s.clone(), n)).collect();
    let y = op.guarded("composite", r.input_shapes(), || op.composite(&x))?;
    let y = y.ok_or_else(|| contract::no_rule(op))?;
    if y.len() != r.cotangents.len() {
        return Err(contract::other_outputs(op));
    }
    let seeds: Vec<_> = y.iter().zip(r.cotangents).filter_map(|(y, g)| Some((*y, g.clone()?))).collect();
    let grads = tape.swept(&seeds, RetainGraph::Nothing, None)?;
    let zero = |x: &Var<'_, T>| Tensor::try_full(x.raw_shape(), T::ZERO);
    x.iter()
        .zip(r.needs)
        .map(|(x, &needed)| match (needed, grads.wrt(*x)) {
            (false, _) => Ok(None),
            (true, Err(e)) if e.kind() == ErrorKind::Unreached => Ok(Some(zero(x)?)),
            (true, g) => g.map(Some),
        })
        .collect()
}
