//! Cotangents that are not computed yet: adjoints of elementwise operations are collected, and computed in one pass when an operation
//! of another kind needs one, or when the sweep ends.
//!
//! A pass also computes pending values again that adjoints read, and the sums of cotangents over the axes along which an operand
//! was broadcast. Cotangents are added in the order in which the sweep on tensors adds them, so the bits are the same.

use super::backward::{Sweep, accumulate};
use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::tape::fusion::{Function, Graph, Source, Wanted, read_by_adjoint};
use crate::tape::op::{ElementwiseOp, OpRef};
use crate::tape::pending::{compute_in, import, may_wait, settle};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::panic::Location;
use wengert_ops::{Shape, Tensor};

/// The number of operations after which a cotangent is computed.
const STEPS: u32 = 40;

/// The number of steps and inputs of a graph after which all of its cotangents are computed.
const HELD: usize = 512;

/// The cotangents of a sweep that are not computed yet.
pub(super) struct Lazy<T: Float> {
    graph: Graph<T>,
    /// Values of the tape in the graph.
    values: FxHashMap<u32, Source>,
    open: Vec<Open>,
    /// What the step in progress still needs.
    held: SmallVec<[Source; 2]>,
}

/// The cotangent of a node that is not computed yet. A node has this or a tensor, not both.
#[derive(Clone)]
struct Open {
    node: u32,
    of: Source,
    /// The shape of the elements.
    shape: Shape,
    sum: Option<Sum>,
}

/// A sum over axes to the shape of an operand, and a factor.
#[derive(Clone)]
struct Sum {
    axes: SmallVec<[usize; 4]>,
    to: Shape,
    factor: Option<f64>,
}

impl<T: Float> Default for Lazy<T> {
    fn default() -> Self {
        Lazy {
            graph: Graph::default(),
            values: FxHashMap::default(),
            open: Vec::new(),
            held: SmallVec::new(),
        }
    }
}

impl<T: Float> Lazy<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn has(&self, node: u32) -> bool {
        self.open.iter().any(|o| o.node == node)
    }

    /// Whether a node of the range has a cotangent that is not computed yet.
    pub(super) fn has_any(&self, nodes: std::ops::Range<usize>) -> bool {
        self.open.iter().any(|o| nodes.contains(&(o.node as usize)))
    }

    /// Adds a computed cotangent to one that is not, which is no sum; returns it where there is none.
    pub(super) fn add_ready(&mut self, node: u32, g: Tensor<T>) -> Option<Tensor<T>> {
        let Some(open) = self.open.iter_mut().find(|o| o.node == node) else { return Some(g) };
        let before = open.of;
        let g = self.graph.input(g);
        open.of = self.graph.step(Function::Add, SmallVec::from_slice(&[before, g]), Location::caller());
        None
    }

    /// Drops what no open cotangent and not the step in progress needs.
    fn clean(&mut self) {
        self.graph.keep_only(self.open.iter().map(|o| o.of).chain(self.held.iter().copied()));
        if self.graph.len() == 0 {
            self.values.clear();
        } else {
            self.values.retain(|_, source| self.graph.has(*source));
        }
    }

    fn take(&mut self, node: u32) -> Option<Open> {
        self.open.iter().position(|o| o.node == node).map(|i| self.open.swap_remove(i))
    }
}

/// A gradient is never replaced by zeros.
#[cold]
fn lost() -> Error {
    Error::new(ErrorKind::Rule, "backward", "a pass did not return a cotangent")
}

/// The axes along which `from` is broadcast to `to`.
fn broadcast_axes(from: &Shape, to: &Shape) -> SmallVec<[usize; 4]> {
    let lead = to.len() - from.len();
    (0..to.len()).filter(|&i| i < lead || (from[i - lead] == 1 && to[i] != 1)).collect()
}

impl<T: Float> Sweep<'_, T> {
    /// As `step`, without computing anything; `false` if the op has to be processed now.
    pub(super) fn step_lazily(&mut self, id: usize, roots: &[u32]) -> Result<bool> {
        let node = &self.nodes[id];
        let mode = self.tape.mode;
        if !mode.lazy || self.log.is_some() || node.outputs != 1 || !node.needs {
            return Ok(false);
        }
        if !may_wait(mode, node.value.shape().numel()) {
            return Ok(false);
        }
        let has_cotangent = self.cotangents[id].is_some() || self.lazy.has(id as u32);
        let Some(op) = node.op.clone().filter(|op| has_cotangent && op.elementwise().is_some()) else {
            return Ok(false);
        };
        let Some(elementwise) = op.elementwise() else { return Ok(false) };
        let inputs = node.inputs.clone();
        let needed: SmallVec<[usize; 2]> =
            (0..inputs.len()).filter(|&i| self.nodes[inputs[i] as usize].needs).collect();
        // The other form of the sweep says what is missing.
        let reads = |i: usize| {
            let (x, y) = read_by_adjoint(node, id as u32, elementwise, i);
            x.into_iter().flatten().chain(y).all(|r| self.nodes[r as usize].value.is_readable())
        };
        if !needed.iter().all(|&i| elementwise.slope(i).is_some() || reads(i)) {
            return Ok(false);
        }
        if node.kept || roots.contains(&(id as u32)) {
            self.settle(id as u32)?;
            if let Some(g) = &self.cotangents[id] {
                self.grads.push_value(id as u32, g.clone());
            }
        }
        let shape = self.nodes[id].value.shape().clone();
        let g = match self.cotangents[id].take() {
            Some(g) => self.lazy.graph.input(g),
            None => match self.lazy.take(id as u32) {
                Some(Open { of, sum: None, .. }) => of,
                Some(open) => {
                    self.lazy.open.push(open);
                    let g = self.computed(id as u32)?;
                    self.lazy.graph.input(g)
                }
                None => return Ok(false),
            },
        };
        self.lazy.held.push(g);
        for i in needed {
            self.contribute(id, &op, elementwise, i, g, &shape)?;
        }
        self.lazy.held.clear();
        if self.lazy.open.is_empty() {
            self.lazy.clean();
        }
        Ok(true)
    }

    /// Adds the cotangent of input `i` of a node.
    fn contribute(
        &mut self,
        id: usize,
        op: &OpRef<T>,
        elementwise: &dyn ElementwiseOp<T>,
        i: usize,
        g: Source,
        shape: &Shape,
    ) -> Result<()> {
        let x = self.nodes[id].inputs[i];
        let to = self.nodes[x as usize].value.shape().clone();
        let at = self.nodes[id].at;
        let slope = elementwise.slope(i);
        let factor = slope.filter(|c| *c != 1.0);
        let of = match (slope, factor) {
            (Some(_), Some(c)) if to == *shape => {
                self.lazy.graph.step(Function::Scale(c), SmallVec::from_slice(&[g]), at)
            }
            (Some(_), _) => g,
            (None, _) => {
                let (reads, y) = read_by_adjoint(&self.nodes[id], id as u32, elementwise, i);
                let mut operands: SmallVec<[Source; 4]> = SmallVec::from_slice(&[g]);
                for x in reads {
                    operands.push(x.map_or(Ok(g), |x| self.value(x))?);
                }
                for saved in &self.nodes[id].saved {
                    operands.push(self.lazy.graph.input(saved.clone()));
                }
                operands.push(y.map_or(Ok(g), |y| self.value(y))?);
                self.lazy.graph.step(Function::Adjoint(op.clone(), i), operands, at)
            }
        };
        if to != *shape
            && let Some(g) = self.lazy.graph.ready(of)
        {
            // It is in memory, so there is nothing to wait for.
            let mut sum = g.sum_to(&to)?;
            if let Some(c) = factor {
                sum = sum.scale(c);
            }
            self.settle(x)?;
            return accumulate(&mut self.cotangents[x as usize], sum, || None);
        }
        let sum = (to != *shape).then(|| Sum { axes: broadcast_axes(&to, shape), to, factor });
        self.add(x, Open { node: x, of, shape: shape.clone(), sum }, at)
    }

    /// A value of the tape in the graph.
    fn value(&mut self, id: u32) -> Result<Source> {
        let Lazy { graph, values, .. } = &mut self.lazy;
        import(graph, values, self.nodes, id, |p| p.swept)
    }

    /// Adds a cotangent to the one that a node has.
    fn add(&mut self, x: u32, new: Open, at: &'static Location<'static>) -> Result<()> {
        let before = match self.cotangents[x as usize].take() {
            // Sums are added when they are computed.
            Some(g) if new.sum.is_some() => {
                self.cotangents[x as usize] = Some(g);
                return self.add_computed(x, new);
            }
            Some(g) => Some(self.lazy.graph.input(g)),
            None => match self.lazy.take(x) {
                Some(open) if open.sum.is_some() || new.sum.is_some() => {
                    self.lazy.open.push(open);
                    self.lazy.held.push(new.of);
                    self.settle(x)?;
                    return self.add_computed(x, new);
                }
                Some(open) => Some(open.of),
                None => None,
            },
        };
        let of = match before {
            Some(before) => self.lazy.graph.step(Function::Add, SmallVec::from_slice(&[before, new.of]), at),
            None => new.of,
        };
        // What is used more than once was counted more than once.
        let heavy = self.lazy.graph.weight(of) > STEPS && self.lazy.graph.steps_for(of) > STEPS as usize;
        self.lazy.open.push(Open { of, ..new });
        if heavy {
            self.settle(x)?;
        }
        // What is held for a cotangent that stays open is looked through at every pass.
        if self.lazy.graph.len() > HELD { self.settle_all() } else { Ok(()) }
    }

    /// Computes a cotangent and adds it to the tensor that a node has.
    fn add_computed(&mut self, x: u32, new: Open) -> Result<()> {
        let sum = self.cotangents[x as usize].take();
        self.lazy.open.push(new);
        let g = self.computed(x)?;
        self.cotangents[x as usize] = sum;
        accumulate(&mut self.cotangents[x as usize], g, || None)
    }

    /// Computes the cotangent of a node, if it is not a tensor yet.
    pub(super) fn settle(&mut self, node: u32) -> Result<()> {
        if self.lazy.open.is_empty() || !self.lazy.has(node) {
            return Ok(());
        }
        let g = self.computed(node)?;
        self.cotangents[node as usize] = Some(g);
        Ok(())
    }

    /// Computes the cotangents of an op's outputs.
    pub(super) fn settle_outputs(&mut self, id: usize) -> Result<()> {
        let outputs = id..id + self.nodes[id].outputs as usize;
        if self.lazy.is_empty() || !self.lazy.has_any(outputs.clone()) {
            return Ok(());
        }
        let (tape, op) = (self.tape, self.nodes[id].op.as_ref().map_or("a leaf", |op| op.name()));
        tape.read_by(op, || outputs.into_iter().try_for_each(|o| self.settle(o as u32)))
    }

    /// Computes all cotangents.
    pub(super) fn settle_all(&mut self) -> Result<()> {
        while let Some(open) = self.lazy.open.first() {
            self.settle(open.node)?;
        }
        Ok(())
    }

    /// The cotangent of a node, computed with those that need the same values.
    fn computed(&mut self, node: u32) -> Result<Tensor<T>> {
        let first = self.lazy.take(node).ok_or_else(lost)?;
        let graph = &self.lazy.graph;
        let mut now: Vec<Open> = vec![first];
        if graph.ready(now[0].of).is_none() || now[0].sum.is_some() {
            let open = std::mem::take(&mut self.lazy.open);
            let (with, rest): (Vec<Open>, Vec<Open>) =
                open.into_iter().partition(|o| o.shape == now[0].shape && graph.share(o.of, now[0].of));
            self.lazy.open = rest;
            now.extend(with);
        }
        let wanted: Vec<Wanted> =
            now.iter().map(|o| Wanted { of: o.of, sum: o.sum.as_ref().map(|s| s.axes.clone()) }).collect();
        let mut results: Vec<Option<Tensor<T>>> = wanted
            .iter()
            .map(|w| if w.sum.is_none() { self.lazy.graph.ready(w.of).cloned() } else { None })
            .collect();
        let missing: Vec<usize> = (0..results.len()).filter(|&i| results[i].is_none()).collect();
        if !missing.is_empty() {
            let some: Vec<Wanted> = missing.iter().map(|&i| wanted[i].clone()).collect();
            let inputs = &self.nodes[node as usize].inputs;
            let module = || self.tape.module_of(self.nodes, inputs);
            let made = self.tape.logged(|log| self.lazy.graph.run(&now[0].shape, &some, module, log));
            for (i, y) in missing.into_iter().zip(made?) {
                results[i] = Some(y);
            }
            settle(&self.lazy.graph, &self.lazy.values, self.nodes, |p, passes| p.swept = passes);
        }
        let mut answer = None;
        for (open, y) in now.into_iter().zip(results) {
            let Some(mut y) = y else { continue };
            if let Some(sum) = &open.sum {
                y = y.reshape(&sum.to)?;
                if let Some(c) = sum.factor {
                    y = y.scale(c);
                }
            }
            if open.node == node {
                answer = Some(y);
            } else {
                self.cotangents[open.node as usize] = Some(y);
            }
        }
        self.lazy.clean();
        answer.ok_or_else(lost)
    }

    /// Computes what an op that is processed now needs: pending values that its rule reads, and cotangents of its inputs to which a
    /// pass cannot add.
    pub(super) fn prepare(&mut self, op: &OpRef<T>, id: usize, needs: &[bool]) -> Result<()> {
        let node = &self.nodes[id];
        let outputs = id..id + node.outputs as usize;
        let is_pending = |i: usize| self.nodes[i].value.is_pending();
        let shapes = || node.inputs.iter().map(|&i| self.nodes[i as usize].value.shape());
        if node.inputs.iter().any(|&i| is_pending(i as usize)) || outputs.clone().any(is_pending) {
            let saves = op.saves_guarded(needs, shapes())?;
            let inputs =
                node.inputs.iter().enumerate().filter(|(i, _)| saves.inputs >> (*i).min(31) & 1 == 1);
            let mut ids: Vec<u32> = inputs.map(|(_, &i)| i).collect();
            if saves.outputs {
                ids.extend(outputs.map(|o| o as u32));
            }
            compute_in(self.tape, self.nodes, &ids)?;
        }
        if self.lazy.open.is_empty() {
            return Ok(());
        }
        let selects = op.selection().is_some();
        for x in self.nodes[id].inputs.clone() {
            if self.lazy.open.iter().any(|o| o.node == x && (selects || o.sum.is_some())) {
                self.settle(x)?;
            }
        }
        Ok(())
    }
}
