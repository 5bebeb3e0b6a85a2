//! [`Graph`]: elementwise operations that are not computed yet, and the passes that compute them.
//!
//! A step is the function of an op, or the adjoint with respect to one of its inputs. Steps of one shape that outputs need are run in
//! one pass, by [`Chain`]. What is written to memory are the outputs, and results that two passes would compute.

use super::node::Node;
use super::op::{ElementwiseOp, OpRef, Saves};
use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::profile::{self, Work, bytes};
use smallvec::SmallVec;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use wengert_ops::kernel::chain::{Chain, Input, Line, Operand, Output, Step};
use wengert_ops::kernel::pointwise::{Elementwise, FnKernel, SliceKernel};
use wengert_ops::{Shape, Tensor};

/// What computing a result again may cost in all, in additions an element, before it is written to memory.
const AGAIN: u32 = 10;

/// What a step computes.
#[derive(Clone)]
pub(crate) enum Function<T: Float> {
    /// The op's function of its inputs.
    Value(OpRef<T>),
    /// The cotangent of input `i` from g, the inputs and the output.
    Adjoint(OpRef<T>, usize),
    /// The sum of two cotangents.
    Add,
    /// A cotangent times a number.
    Scale(f64),
}

/// Where an operand comes from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Source {
    Input(u32),
    Step(u32),
}

/// An operation of a graph.
struct Planned<T: Float> {
    function: Function<T>,
    operands: SmallVec<[Source; 4]>,
    /// An upper bound of the number of steps that a pass for this one runs.
    weight: u32,
    /// An upper bound of what one element costs in such a pass, in additions.
    cost: u32,
    /// The number of passes that have computed this as an intermediate result.
    computed: u32,
    /// The input that holds the result, once it was written to memory.
    result: Option<u32>,
    at: &'static Location<'static>,
}

enum Held<T: Float> {
    Tensor(Tensor<T>),
    Mask(Tensor<bool>),
    /// Nothing needs it any more.
    Dropped,
}

/// What a pass returns.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Wanted {
    pub(crate) of: Source,
    /// The axes over which it is summed; they stay with size 1.
    pub(crate) sum: Option<SmallVec<[usize; 4]>>,
}

/// Elementwise operations on elements of any number of shapes, in order.
pub(crate) struct Graph<T: Float> {
    inputs: Vec<Held<T>>,
    steps: Vec<Planned<T>>,
}

impl<T: Float> Default for Graph<T> {
    fn default() -> Self {
        Graph { inputs: Vec::new(), steps: Vec::new() }
    }
}

impl<T: Float> Graph<T> {
    pub(crate) fn input(&mut self, t: Tensor<T>) -> Source {
        self.inputs.push(Held::Tensor(t));
        Source::Input(self.inputs.len() as u32 - 1)
    }

    pub(crate) fn step(
        &mut self,
        function: Function<T>,
        mut operands: SmallVec<[Source; 4]>,
        at: &'static Location<'static>,
    ) -> Source {
        if let Function::Value(op) | Function::Adjoint(op, _) = &function
            && let Some(mask) = op.elementwise().and_then(|e| e.mask())
        {
            self.inputs.push(Held::Mask(mask.clone()));
            let mask = Source::Input(self.inputs.len() as u32 - 1);
            // The last operand of an adjoint is the output.
            let place =
                if matches!(function, Function::Adjoint(..)) { operands.len() - 1 } else { operands.len() };
            operands.insert(place, mask);
        }
        let weight = operands.iter().map(|o| self.weight(*o)).fold(1u32, u32::saturating_add);
        let own = Step::<T>::cost(&Loop::of(&function)) as u32;
        let cost = operands.iter().map(|o| self.cost(*o)).fold(own, u32::saturating_add);
        self.steps.push(Planned { function, operands, weight, cost, computed: 0, result: None, at });
        Source::Step(self.steps.len() as u32 - 1)
    }

    /// Sets how many passes have computed a step.
    pub(crate) fn set_computed(&mut self, of: Source, passes: u32) {
        if let Source::Step(s) = of {
            self.steps[s as usize].computed = passes;
        }
    }

    /// The number of passes that have computed a step.
    pub(crate) fn computed(&self, of: Source) -> u32 {
        if let Source::Step(s) = of { self.steps[s as usize].computed } else { 0 }
    }

    fn cost(&self, of: Source) -> u32 {
        match of {
            Source::Step(s) if self.steps[s as usize].result.is_none() => self.steps[s as usize].cost,
            _ => 0,
        }
    }

    /// The number of steps that a pass for this value runs.
    pub(crate) fn steps_for(&self, of: Source) -> usize {
        let (_, needed) = self.reach([of].into_iter());
        needed.iter().zip(&self.steps).filter(|(needed, step)| **needed && step.result.is_none()).count()
    }

    /// An upper bound of the number of steps that a pass for this value runs.
    pub(crate) fn weight(&self, of: Source) -> u32 {
        match of {
            Source::Step(s) if self.steps[s as usize].result.is_none() => self.steps[s as usize].weight,
            _ => 0,
        }
    }

    /// The value if it is in memory.
    pub(crate) fn ready(&self, of: Source) -> Option<&Tensor<T>> {
        let at = match of {
            Source::Input(i) => i,
            Source::Step(s) => self.steps[s as usize].result?,
        };
        match &self.inputs[at as usize] {
            Held::Tensor(t) => Some(t),
            _ => None,
        }
    }

    /// The number of inputs and steps that were ever added since it was empty.
    pub(crate) fn len(&self) -> usize {
        self.inputs.len() + self.steps.len()
    }

    /// The steps and inputs that a value needs: marks for both.
    fn reach(&self, roots: impl Iterator<Item = Source>) -> (Vec<bool>, Vec<bool>) {
        let (mut inputs, mut steps) = (vec![false; self.inputs.len()], vec![false; self.steps.len()]);
        let mut open: Vec<Source> = roots.collect();
        while let Some(of) = open.pop() {
            match of {
                Source::Input(i) => inputs[i as usize] = true,
                Source::Step(s) if !steps[s as usize] => {
                    steps[s as usize] = true;
                    let step = &self.steps[s as usize];
                    match step.result {
                        Some(i) => inputs[i as usize] = true,
                        None => open.extend(&step.operands),
                    }
                }
                Source::Step(_) => {}
            }
        }
        (inputs, steps)
    }

    /// Whether two values need a common step or input.
    pub(crate) fn share(&self, a: Source, b: Source) -> bool {
        let (inputs, steps) = self.reach([a].into_iter());
        let (others, other_steps) = self.reach([b].into_iter());
        let common = |a: &[bool], b: &[bool]| a.iter().zip(b).any(|(a, b)| *a && *b);
        common(&inputs, &others) || common(&steps, &other_steps)
    }

    /// Drops what none of the given values needs.
    pub(crate) fn keep_only(&mut self, roots: impl Iterator<Item = Source>) {
        let (inputs, steps) = self.reach(roots);
        if !inputs.contains(&true) && !steps.contains(&true) {
            self.inputs.clear();
            self.steps.clear();
            return;
        }
        for (held, needed) in self.inputs.iter_mut().zip(inputs) {
            if !needed {
                *held = Held::Dropped;
            }
        }
        for (step, needed) in self.steps.iter_mut().zip(steps) {
            if !needed {
                step.operands.clear();
                step.function = Function::Add;
                step.result = Some(u32::MAX);
            }
        }
    }

    /// Whether a value is still there, after [`keep_only`](Self::keep_only).
    pub(crate) fn has(&self, of: Source) -> bool {
        match of {
            Source::Input(i) => {
                self.inputs.get(i as usize).is_some_and(|held| !matches!(held, Held::Dropped))
            }
            Source::Step(s) => self.steps.get(s as usize).is_some_and(|step| step.result != Some(u32::MAX)),
        }
    }

    /// Computes values of `shape` in one pass. What is wanted as a whole stays in the graph as an input.
    ///
    /// # Errors
    /// If a function panics.
    pub(crate) fn run(
        &mut self,
        shape: &Shape,
        wanted: &[Wanted],
        module: impl FnOnce() -> Option<String>,
        log: Option<(&'static str, &mut Vec<FusedPass>)>,
    ) -> Result<Vec<Tensor<T>>> {
        let (_, needed) = self.reach(wanted.iter().map(|w| w.of));
        let ids: Vec<usize> =
            (0..self.steps.len()).filter(|&s| needed[s] && self.steps[s].result.is_none()).collect();
        // What other passes have computed is written to memory now if that has cost enough, so that no result is computed again and again.
        let again: Vec<Source> = ids
            .iter()
            .filter(|&&s| self.steps[s].computed.saturating_mul(self.steps[s].cost) >= AGAIN)
            .map(|&s| Source::Step(s as u32))
            .filter(|s| !wanted.iter().any(|w| w.of == *s && w.sum.is_none()))
            .collect();
        let mut all: Vec<Wanted> = wanted.to_vec();
        all.extend(again.iter().map(|s| Wanted { of: *s, sum: None }));
        let name = match ids[..] {
            [one] => self.steps[one].function.name(),
            _ => "fused",
        };
        let pass = || self.pass(shape, &ids, &all);
        let work = |made: &Result<Vec<Tensor<T>>>| self.work(shape, &ids, made);
        let mut made = profile::operation(|| name, module, pass, work)?;
        if let Some((read_by, log)) = log {
            log.push(FusedPass::of(self, shape, &ids, &all, read_by));
        }
        for &s in &ids {
            self.steps[s].computed += 1;
        }
        for (w, t) in all.iter().zip(&made) {
            if let (Source::Step(s), None) = (w.of, &w.sum) {
                let Source::Input(at) = self.input(t.clone()) else { continue };
                self.steps[s as usize].result = Some(at);
                self.steps[s as usize].operands.clear();
            }
        }
        made.truncate(wanted.len());
        Ok(made)
    }

    fn pass(&self, shape: &Shape, ids: &[usize], wanted: &[Wanted]) -> Result<Vec<Tensor<T>>> {
        let mut inputs = Vec::new();
        let mut place_of_input = vec![None; self.inputs.len()];
        let mut place_of_step = vec![None; self.steps.len()];
        let mut operand = |of: Source, place_of_step: &[Option<usize>]| {
            let at = match of {
                Source::Step(s) => match (place_of_step[s as usize], self.steps[s as usize].result) {
                    (Some(line), _) => return Operand::Step(line),
                    (None, result) => result.unwrap_or_default(),
                },
                Source::Input(i) => i,
            } as usize;
            Operand::Input(*place_of_input[at].get_or_insert_with(|| {
                inputs.push(at);
                inputs.len() - 1
            }))
        };
        let functions: Vec<Loop<'_, T>> = ids.iter().map(|&s| Loop::of(&self.steps[s].function)).collect();
        let mut lines = Vec::new();
        for (line, &s) in ids.iter().enumerate() {
            let x = self.steps[s].operands.iter().map(|o| operand(*o, &place_of_step)).collect();
            lines.push(Line { step: &functions[line] as &dyn Step<T>, x });
            place_of_step[s] = Some(line);
        }
        let outputs = wanted
            .iter()
            .map(|w| {
                let of = operand(w.of, &place_of_step);
                match &w.sum {
                    None => Output::Values(of),
                    Some(axes) => Output::Sum(of, axes.clone()),
                }
            })
            .collect();
        let inputs: Option<Vec<Input<'_, T>>> = inputs
            .into_iter()
            .map(|i| match &self.inputs[i] {
                Held::Tensor(t) => Some(Input::Tensor(t)),
                Held::Mask(t) => Some(Input::Mask(t)),
                Held::Dropped => None,
            })
            .collect();
        let gone = || Error::new(ErrorKind::Rule, "fused", "an operand of a pass is gone");
        let chain = Chain { shape: shape.clone(), inputs: inputs.ok_or_else(gone)?, lines, outputs };
        // Nothing is left half done behind a panic: the results are local.
        let made = catch_unwind(AssertUnwindSafe(|| chain.run()))
            .map_err(|_| Error::new(ErrorKind::Rule, "fused", "a function of the pass panicked"))?;
        Ok(made?)
    }

    fn work(&self, shape: &Shape, ids: &[usize], made: &Result<Vec<Tensor<T>>>) -> Work {
        let inputs = |s: &usize| self.steps[*s].operands.iter().filter_map(|o| self.ready(*o));
        let mut read: Vec<(usize, u64)> =
            ids.iter().flat_map(inputs).map(|t| (t.buffer_address(), bytes(t))).collect();
        read.sort_unstable();
        read.dedup();
        Work {
            flops: (ids.len() * shape.numel()) as u64,
            bytes_read: read.iter().map(|(_, bytes)| bytes).sum(),
            bytes_written: made.iter().flatten().map(bytes).sum(),
        }
    }
}

impl<T: Float> Function<T> {
    fn name(&self) -> &'static str {
        match self {
            Function::Value(op) | Function::Adjoint(op, _) => op.name(),
            Function::Add => "accumulate",
            Function::Scale(_) => "scale",
        }
    }
}

/// The loop of a function.
enum Loop<'a, T: Float> {
    Value(&'a dyn ElementwiseOp<T>),
    Adjoint(&'a dyn ElementwiseOp<T>, usize),
    Add,
    Scale(f64),
    /// Not reached: a function of a graph is elementwise.
    None,
}

impl<'a, T: Float> Loop<'a, T> {
    fn of(function: &'a Function<T>) -> Self {
        match function {
            Function::Value(op) => op.elementwise().map_or(Loop::None, Loop::Value),
            Function::Adjoint(op, i) => op.elementwise().map_or(Loop::None, |e| Loop::Adjoint(e, *i)),
            Function::Add => Loop::Add,
            Function::Scale(c) => Loop::Scale(*c),
        }
    }
}

impl<T: Float> Step<T> for Loop<'_, T> {
    fn cost(&self) -> usize {
        match self {
            Loop::Value(op) | Loop::Adjoint(op, _) => op.cost(),
            _ => 1,
        }
    }

    fn run(&self, x: &[&[T]], out: &mut [T]) {
        match self {
            Loop::Value(op) => op.value(x, out),
            Loop::Adjoint(op, i) => {
                if let [g, x @ .., y] = x {
                    op.adjoint(*i, g, x, y, out);
                }
            }
            Loop::Add => Elementwise(FnKernel(|a: T, b: T| a + b)).run([x[0], x[1]], out),
            Loop::Scale(c) => {
                let c = T::from_f64(*c);
                Elementwise(FnKernel(move |v: T| v * c)).run([x[0]], out);
            }
            Loop::None => {}
        }
    }
}

/// The values that the adjoint of input `i` of a node's op reads, as nodes: `None` where any number will do.
pub(crate) fn read_by_adjoint<T: Float>(
    node: &Node<T>,
    id: u32,
    op: &dyn ElementwiseOp<T>,
    i: usize,
) -> (SmallVec<[Option<u32>; 4]>, Option<u32>) {
    let Saves { inputs, outputs } = op.reads(i);
    let x = node.inputs.iter().enumerate().map(|(j, &x)| (inputs >> j.min(31) & 1 == 1).then_some(x));
    (x.collect(), outputs.then_some(id))
}

/// A pass over elements of one shape that computed several operations, for [`Tape::fused_passes`](crate::Tape::fused_passes).
#[derive(Debug, Clone)]
pub struct FusedPass {
    /// The shape of the elements.
    pub shape: Shape,
    /// The operations in order, with their lines; an adjoint is written `tanh'`.
    pub operations: Vec<(String, &'static Location<'static>)>,
    /// The number of tensors that were read.
    pub inputs: usize,
    /// The number of tensors of this shape that were written.
    pub outputs: usize,
    /// The number of sums that were taken.
    pub sums: usize,
    /// What needed a value, and so ended the chain: an operation, `the program`, `the end of a scope`, `the end of the sweep` or `the
    /// length of the chain`.
    pub read_by: &'static str,
}

impl std::fmt::Display for FusedPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let many = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        writeln!(
            f,
            "one pass over {}: {} read, {} written, {}; for {}",
            self.shape,
            many(self.inputs, "tensor"),
            self.outputs,
            many(self.sums, "sum"),
            self.read_by
        )?;
        for (name, at) in &self.operations {
            writeln!(f, "  {name:<12} {}:{}", at.file(), at.line())?;
        }
        Ok(())
    }
}

impl FusedPass {
    fn of<T: Float>(
        graph: &Graph<T>,
        shape: &Shape,
        ids: &[usize],
        wanted: &[Wanted],
        read_by: &'static str,
    ) -> Self {
        let operation = |&s: &usize| {
            let step = &graph.steps[s];
            let name = step.function.name();
            let prime = if matches!(step.function, Function::Adjoint(..)) { "'" } else { "" };
            (format!("{name}{prime}"), step.at)
        };
        let mut inputs: Vec<Source> = ids
            .iter()
            .flat_map(|&s| graph.steps[s].operands.iter().copied())
            .filter(|o| !matches!(o, Source::Step(s) if graph.steps[*s as usize].result.is_none()))
            .collect();
        inputs.sort_unstable();
        inputs.dedup();
        let sums = wanted.iter().filter(|w| w.sum.is_some()).count();
        FusedPass {
            shape: shape.clone(),
            operations: ids.iter().map(operation).collect(),
            inputs: inputs.len(),
            outputs: wanted.len() - sums,
            sums,
            read_by,
        }
    }
}
