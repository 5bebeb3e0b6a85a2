//! The reverse sweep, in two forms: on plain tensors for the first order, recorded for the higher ones.
//!
//! Both walk the nodes from the last to the first, once, without recursion. A rule returns cotangents; only the sweep
//! adds them up.

use crate::checkpoint::Regions;
use crate::contract;
use crate::error::{Error, ErrorKind, Result};
use crate::grads::Grads;
use crate::inspect::SweepStep;
use crate::node::{Borrowed, Gone, Node, Slot, path_of, range};
use crate::op::{BackwardContext, Cotangents, OpRef, VjpContext};
use crate::real::Float;
use crate::tape::Tape;
use crate::var::Var;
use smallvec::SmallVec;
use std::panic::Location;
use wengert_ops::kernel::update::{Update, update};
use wengert_ops::{Shape, Tensor};

/// What a sweep leaves on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainGraph {
    /// Leaves, rank-0 values, the outputs asked for, and what was kept.
    Nothing,
    /// Every value.
    Values,
}

/// `sum += g`, in place where nobody else holds the sum.
struct Accumulate;
impl<T: Float> Update<1, T> for Accumulate {
    #[inline(always)]
    fn call(&self, [sum]: [T; 1], g: T) -> [T; 1] {
        [sum + g]
    }
}

fn accumulate<T: Float>(into: &mut Option<Tensor<T>>, g: Tensor<T>) -> Result<()> {
    match into {
        None => *into = Some(g),
        Some(sum) => update("accumulate", [sum], &g, &Accumulate)?,
    }
    Ok(())
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

    /// The sweep, whose steps are written down in `log` if somebody looks.
    #[track_caller]
    pub(crate) fn swept(
        &self,
        outputs: &[(Var<'_, T>, Tensor<T>)],
        retain: RetainGraph,
        log: Option<&mut Vec<SweepStep<T>>>,
    ) -> Result<Grads<T>> {
        let at = Location::caller();
        self.check_outputs(outputs.iter().map(|(y, seed)| (*y, seed.shape().clone())))
            .map_err(|e| e.at(at))?;
        let mut nodes = Borrowed::take(self);
        let mut sweep = Sweep {
            tape: self,
            nodes: &mut nodes.nodes,
            cotangents: Vec::new(),
            scratch: None,
            log,
            grads: Grads::new(self.serial.get(), self.updates()),
        };
        let top = outputs.iter().map(|(y, _)| y.id as usize).max();
        let Some(top) = top else { return Ok(sweep.grads) };
        sweep.cotangents.resize(top + 1, None);
        for (y, seed) in outputs {
            accumulate(&mut sweep.cotangents[y.id as usize], seed.clone())?;
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

    fn check_outputs<'a>(
        &self,
        outputs: impl Iterator<Item = (Var<'a, T>, wengert_ops::Shape)> + Clone,
    ) -> Result<()>
    where
        T: 'a,
    {
        let error = |kind, detail: String| Err(Error::new(kind, "backward", detail));
        // A value that failed says more than any other complaint.
        for (y, _) in outputs.clone() {
            y.with(|slot| match slot {
                Slot::Failed(e) => Err(e.clone()),
                _ => Ok(()),
            })?;
        }
        if !self.is_recording() {
            return error(
                ErrorKind::NoGradient,
                "an evaluating tape records nothing; use Tape::new() or Tape::train()".into(),
            );
        }
        for (y, seed) in outputs {
            if !std::ptr::eq(y.tape, self) {
                return error(ErrorKind::ForeignTape, "an output belongs to another tape".into());
            }
            let shape = y.raw_shape();
            if shape != seed {
                return error(
                    ErrorKind::Op(wengert_ops::ErrorKind::Shape),
                    format!("the output has shape {shape}, its seed {seed}"),
                );
            }
        }
        Ok(())
    }
}

struct Sweep<'a, T: Float> {
    tape: &'a Tape<T>,
    nodes: &'a mut Vec<Node<T>>,
    cotangents: Vec<Option<Tensor<T>>>,
    scratch: Option<Tape<T>>,
    log: Option<&'a mut Vec<SweepStep<T>>>,
    grads: Grads<T>,
}

impl<T: Float> Sweep<'_, T> {
    fn run(&mut self, top: usize, roots: &[u32], retain: RetainGraph, regions: &mut Regions) -> Result<()> {
        for id in (0..=top).rev() {
            if self.nodes[id].first as usize != id {
                continue;
            }
            let cotangents = &self.cotangents;
            let reached = |ids: std::ops::Range<usize>| {
                let ids = ids.start.min(cotangents.len())..ids.end.min(cotangents.len());
                cotangents[ids].iter().any(Option::is_some)
            };
            regions.before(id, self.nodes, reached)?;
            self.step(id, roots)?;
            if retain == RetainGraph::Nothing {
                self.free(id, roots);
            }
        }
        Ok(())
    }

    /// Pulls the cotangents of one op's outputs back to its inputs.
    fn step(&mut self, id: usize, roots: &[u32]) -> Result<()> {
        let node = &self.nodes[id];
        let end = (id + node.outputs as usize).min(self.cotangents.len());
        if node.op.is_none() || self.cotangents[id..end].iter().all(Option::is_none) {
            return Ok(()); // a leaf keeps its cotangent; without one there is nothing to do
        }
        for o in id..end {
            if (self.nodes[o].kept || roots.contains(&(o as u32)))
                && let Some(g) = &self.cotangents[o]
            {
                self.grads.push_value(o as u32, g.clone());
            }
        }
        let node = &self.nodes[id];
        let mut gy: SmallVec<[Option<Tensor<T>>; 1]> =
            self.cotangents[id..end].iter_mut().map(Option::take).collect();
        gy.resize(node.outputs as usize, None);
        let (Some(op), true) = (&node.op, node.needs) else {
            return Ok(());
        };
        let needs: SmallVec<[bool; 4]> = node.inputs.iter().map(|&i| self.nodes[i as usize].needs).collect();
        let slots: SmallVec<[&Slot<T>; 4]> =
            node.inputs.iter().map(|&i| &self.nodes[i as usize].value).collect();
        let outputs: SmallVec<[&Slot<T>; 1]> =
            self.nodes[id..id + node.outputs as usize].iter().map(|n| &n.value).collect();
        let eager = BackwardContext {
            op: op.name(),
            inputs: &slots,
            outputs: &outputs,
            cotangents: &gy,
            saved: &node.saved,
            needs: &needs,
        };
        let gx = pulled_back(op, &eager, &mut self.scratch);
        let located = |e: Error| e.at(node.at).inside(path_of(self.nodes, &node.inputs));
        let gx = gx.map_err(|e| located(contract::undeclared(e, op, &needs, &slots, &outputs)))?;
        if gx.len() != node.inputs.len() {
            return Err(located(contract::other_number(op, gx.len(), node.inputs.len())));
        }
        if let Some(log) = &mut self.log {
            let given = gx.iter().zip(&node.inputs).zip(&needs).filter(|(_, needed)| **needed);
            let given = given.filter_map(|((g, x), _)| Some((*x, g.clone()?))).collect();
            let mut slopes = Vec::new();
            if let (Some(_), Some(Some(g))) = (op.equation(), gy.first()) {
                let ones = [Some(Tensor::full_like(g, T::ONE))];
                let eager = BackwardContext { cotangents: &ones, ..eager };
                let all = pulled_back(op, &eager, &mut self.scratch).map_err(located)?;
                let needed = all.into_iter().zip(&needs).filter(|(_, needed)| **needed);
                slopes = needed.filter_map(|(slope, _)| slope).collect();
            }
            log.push(SweepStep { node: id as u32, cotangents: gy.to_vec(), given, slopes });
        }
        for ((g, &x), needed) in gx.into_iter().zip(&node.inputs).zip(needs.iter()) {
            let shape = self.nodes[x as usize].value.shape();
            match g {
                _ if !needed => {}
                None => return Err(located(contract::missing(op, shape))),
                Some(g) if g.shape() != shape => {
                    return Err(located(contract::misshapen(op, g.shape(), shape)));
                }
                Some(g) => {
                    if self.tape.mode.anomaly && g.has_non_finite() {
                        let ranges = slots.iter().map(|s| range(s)).collect::<Vec<_>>().join(", ");
                        let detail = format!(
                            "the cotangent of an input of shape {shape} is not finite; inputs: {ranges}"
                        );
                        return Err(located(Error::new(ErrorKind::NonFinite, op.name(), detail)));
                    }
                    accumulate(&mut self.cotangents[x as usize], g)?;
                }
            }
        }
        Ok(())
    }

    /// Drops what nobody will read any more.
    fn free(&mut self, id: usize, roots: &[u32]) {
        if self.nodes[id].op.is_none() {
            return;
        }
        let outputs = self.nodes[id].outputs as usize;
        for (o, node) in self.nodes.iter_mut().enumerate().skip(id).take(outputs) {
            node.saved = Vec::new();
            if let Slot::Ready(t) = &node.value
                && !(node.kept || t.rank() == 0 || roots.contains(&(o as u32)))
            {
                node.value = Slot::Gone(t.shape().clone(), Gone::Backward);
            }
        }
    }

    /// Collects the leaves' cotangents.
    fn finish(mut self, retain: RetainGraph) -> Result<Grads<T>> {
        let mut leaves = Vec::new();
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
            // Parameters are handed back, used in this sweep or not, so that a step can write them in place.
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
fn pulled_back<T: Float>(
    op: &OpRef<T>,
    r: &BackwardContext<'_, T>,
    scratch: &mut Option<Tape<T>>,
) -> Result<Cotangents<Tensor<T>>> {
    let backward = op.guarded("backward", r.inputs.iter().map(|x| x.shape()), || op.backward(r))?;
    backward.unwrap_or_else(|| by_rule(op, r, scratch))
}

/// The rule of an op without a first-order kernel, on a tape that records nothing, or on one that records its
/// composite.
fn by_rule<T: Float>(
    op: &OpRef<T>,
    r: &BackwardContext<'_, T>,
    scratch: &mut Option<Tape<T>>,
) -> Result<Cotangents<Tensor<T>>> {
    let tape = scratch.get_or_insert_with(Tape::scratch);
    let outcome = {
        let place = |slot: &Slot<T>| tape.place(slot.clone(), false);
        let x: SmallVec<[Var<'_, T>; 4]> = r.inputs.iter().map(|s| place(s)).collect();
        let y: SmallVec<[Var<'_, T>; 1]> = r.outputs.iter().map(|s| place(s)).collect();
        let g: SmallVec<[Option<Var<'_, T>>; 1]> =
            r.cotangents.iter().map(|g| g.as_ref().map(|g| place(&Slot::Ready(g.clone())))).collect();
        let rule = VjpContext { inputs: &x, outputs: &y, cotangents: &g, needs: r.needs };
        let gx = op.guarded("vjp", r.inputs.iter().map(|x| x.shape()), || op.vjp(rule))?;
        gx.into_iter().map(|g| g.map(|g| g.value()).transpose()).collect::<Result<Cotangents<Tensor<T>>>>()
    };
    tape.reset();
    match outcome {
        Ok(gx) if gx.is_empty() && !r.inputs.is_empty() => by_composite(op, r),
        // A rule's inner lines are not the user's: the sweep adds the node's own.
        Err(e) => Err(Error::new(e.kind(), e.op(), e.detail())),
        ok => ok,
    }
}

fn by_composite<T: Float>(op: &OpRef<T>, r: &BackwardContext<'_, T>) -> Result<Cotangents<Tensor<T>>> {
    let tape = Tape::new();
    let x: Vec<Var<'_, T>> =
        r.inputs.iter().zip(r.needs).map(|(s, &n)| tape.place((*s).clone(), n)).collect();
    let y = op.guarded("composite", r.inputs.iter().map(|x| x.shape()), || op.composite(&x))?;
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

/// Cotangents of a recorded sweep.
struct Recorded<'t, T: Float> {
    tape: &'t Tape<T>,
    cotangents: Vec<Option<Var<'t, T>>>,
    /// Whether a node depends on what the gradient is taken of.
    active: Vec<bool>,
}

impl<T: Float> Tape<T> {
    /// The gradients of Σ⟨seed, output⟩ with respect to `wrt`, recorded: each is a value of this tape that can be
    /// differentiated again. Zeros where the outputs do not depend on a value.
    ///
    /// # Errors
    /// As [`backward`](Tape::backward). Values that an earlier `backward` freed are gone here too.
    #[track_caller]
    pub fn grad<'t>(
        &'t self,
        outputs: &[(Var<'t, T>, Var<'t, T>)],
        wrt: &[Var<'t, T>],
    ) -> Result<Vec<Var<'t, T>>> {
        let at = Location::caller();
        // A seed that failed says more than that its shape is not the output's.
        for (_, seed) in outputs {
            seed.with(|slot| match slot {
                Slot::Failed(e) => Err(e.clone()),
                _ => Ok(()),
            })?;
        }
        self.check_outputs(outputs.iter().map(|(y, seed)| (*y, seed.raw_shape()))).map_err(|e| e.at(at))?;
        let mut given = outputs.iter().map(|(_, seed)| seed).chain(wrt);
        if let Some(foreign) = given.find(|x| !std::ptr::eq(x.tape, self)) {
            let detail = format!("a value of shape {} belongs to another tape", foreign.shape());
            return Err(Error::new(ErrorKind::ForeignTape, "grad", detail).at(at));
        }
        if let Some(frozen) = wrt.iter().find(|x| !x.kind().1) {
            let what = match frozen.kind() {
                (_, _, Some(_)) => "it is a frozen parameter",
                (true, _, None) => "it is a constant; make it with var()",
                (false, _, None) => "it was made of constants, frozen parameters or detached values",
            };
            let detail = format!("no gradient flows to this value of shape {}: {what}", frozen.shape());
            return Err(Error::new(ErrorKind::NoGradient, "grad", detail).at(at));
        }
        self.recompute_all().map_err(|e| e.at(at))?;
        let len = self.len();
        let mut sweep = Recorded { tape: self, cotangents: vec![None; len], active: vec![false; len] };
        for x in wrt {
            sweep.active[x.id as usize] = true;
        }
        sweep.spread(0..len);
        for (y, seed) in outputs {
            sweep.add(y.id as usize, *seed);
        }
        let wanted: Vec<u32> = wrt.iter().map(|x| x.id).collect();
        let outcome = sweep.run(0..len, &wanted);
        self.state.borrow_mut().speaks_for = None;
        outcome?;
        let grads: Vec<_> =
            wrt.iter().map(|x| sweep.cotangents[x.id as usize].unwrap_or_else(|| x.zeros_like())).collect();
        for g in &grads {
            g.with(|slot| match slot {
                Slot::Failed(e) => Err(e.clone()),
                _ => Ok(()),
            })?;
        }
        Ok(grads)
    }

    /// Brings back every value that a checkpoint dropped: what is recorded now refers to them.
    fn recompute_all(&self) -> Result<()> {
        if self.state.borrow().regions.is_empty() {
            return Ok(());
        }
        let mut regions = Regions::new(std::mem::take(&mut self.state.borrow_mut().regions));
        let mut nodes = Borrowed::take(self);
        for id in (0..nodes.nodes.len()).rev() {
            regions.before(id, &mut nodes.nodes, |_| true)?;
        }
        Ok(())
    }

    /// A node that holds a slot as it is.
    fn place(&self, slot: Slot<T>, needs: bool) -> Var<'_, T> {
        let v = self.leaf_slot(slot, needs);
        Var { tape: self, id: v }
    }
}

impl<'t, T: Float> Recorded<'t, T> {
    /// Marks the nodes of a range that depend on an active one.
    fn spread(&mut self, ids: std::ops::Range<usize>) {
        let state = self.tape.state.borrow();
        self.active.resize(self.active.len().max(ids.end), false);
        self.cotangents.resize(self.active.len(), None);
        for id in ids {
            let first = state.nodes[id].first as usize;
            let made_here = &state.nodes[first];
            if made_here.op.is_some() && made_here.inputs.iter().any(|&i| self.active[i as usize]) {
                self.active[id] = true;
            }
        }
    }

    /// That what a rule recorded has a value.
    fn succeeded(
        &self,
        made: Var<'t, T>,
        op: &OpRef<T>,
        (x, y): (&[Var<'t, T>], &[Var<'t, T>]),
        needs: &[bool],
        at: &'static Location<'static>,
    ) -> Result<()> {
        let Err(e) = made.with(|slot| if let Slot::Failed(e) = slot { Err(e.clone()) } else { Ok(()) })
        else {
            return Ok(());
        };
        let slots = |all: &[Var<'t, T>]| all.iter().map(|v| v.with(Slot::clone)).collect::<Vec<_>>();
        let (x, y) = (slots(x), slots(y));
        let (x, y): (Vec<_>, Vec<_>) = (x.iter().collect(), y.iter().collect());
        Err(contract::undeclared(e, op, needs, &x, &y).at(at))
    }

    fn add(&mut self, id: usize, g: Var<'t, T>) {
        self.cotangents[id] = Some(match self.cotangents[id] {
            None => g,
            Some(sum) => sum + g,
        });
    }

    /// Pulls back through the nodes of a range, from the last to the first.
    fn run(&mut self, ids: std::ops::Range<usize>, wanted: &[u32]) -> Result<()> {
        for id in ids.rev() {
            let (op, inputs, outputs, at) = {
                let state = self.tape.state.borrow();
                let node = &state.nodes[id];
                let live = node.first as usize == id && self.active[id];
                let Some(op) = node.op.clone().filter(|_| live) else {
                    continue;
                };
                (op, node.inputs.clone(), node.outputs as usize, node.at)
            };
            let gy: SmallVec<[Option<Var<'t, T>>; 1]> = (id..id + outputs)
                .map(|o| {
                    if wanted.contains(&(o as u32)) { self.cotangents[o] } else { self.cotangents[o].take() }
                })
                .collect();
            if gy.iter().all(Option::is_none) {
                continue;
            }
            let var = |i: usize| Var { tape: self.tape, id: i as u32 };
            let x: SmallVec<[Var<'t, T>; 4]> = inputs.iter().map(|&i| var(i as usize)).collect();
            let y: SmallVec<[Var<'t, T>; 1]> = (id..id + outputs).map(var).collect();
            let needs: SmallVec<[bool; 4]> = inputs.iter().map(|&i| self.active[i as usize]).collect();
            self.tape.state.borrow_mut().speaks_for = Some(at);
            let start = self.tape.len();
            let shapes: SmallVec<[Shape; 4]> = x.iter().map(|x| x.raw_shape()).collect();
            let guarded = |e: Error| e.at(at);
            let composite = op.guarded("composite", shapes.iter(), || op.composite(&x)).map_err(guarded)?;
            if let Some(again) = composite {
                // The composite is recorded beside the fused op, and the sweep goes through it instead.
                let end = self.tape.len();
                self.spread(start..end);
                // Nothing flows through a value that failed: without this its gradient would be zero.
                for again in &again {
                    self.succeeded(*again, &op, (&x, &y), &needs, at)?;
                }
                if !again.iter().map(|y| y.raw_shape()).eq(y.iter().map(|y| y.raw_shape())) {
                    return Err(contract::other_outputs(&op).at(at));
                }
                for (y, g) in again.iter().zip(&gy) {
                    if let Some(g) = g {
                        self.add(y.id as usize, *g);
                    }
                }
                self.run(start..end, &[])?;
                continue;
            }
            let rule = VjpContext { inputs: &x, outputs: &y, cotangents: &gy, needs: &needs };
            let gx = op.guarded("vjp", shapes.iter(), || op.vjp(rule)).map_err(guarded)?;
            if gx.len() != inputs.len() {
                return Err(contract::other_number(&op, gx.len(), inputs.len()).at(at));
            }
            let all = &x;
            for ((g, x), needed) in gx.into_iter().zip(all).zip(&needs) {
                if !needed {
                    continue;
                }
                let Some(g) = g else {
                    return Err(contract::missing(&op, &x.raw_shape()).at(at));
                };
                self.succeeded(g, &op, (all, &y), &needs, at)?;
                if g.raw_shape() != x.raw_shape() {
                    return Err(contract::misshapen(&op, &g.raw_shape(), &x.raw_shape()).at(at));
                }
                self.add(x.id as usize, g);
            }
        }
        Ok(())
    }
}
