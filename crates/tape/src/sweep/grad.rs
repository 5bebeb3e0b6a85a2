//! The recorded reverse sweep: [`Var::grad`], whose results can be differentiated again.

use super::contract;
use super::parts::Parts;
use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::profile::{Pass, span};
use crate::tape::op::{OpRef, VjpContext};
use crate::tape::region::Regions;
use crate::tape::slot::Slot;
use crate::tape::var::Var;
use crate::tape::{Borrowed, Tape};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::panic::Location;
use wengert_ops::Shape;

impl<'t, T: Float> Var<'t, T> {
    /// The gradient of this scalar with respect to `x`, recorded, so that it can be differentiated again. Zeros if this
    /// value does not depend on `x`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([2.0]));
    /// let y = (x * x * x).sum();
    /// let dy = y.grad(x)?;                       // 3x²
    /// let ddy = dy.sum().grad(x)?;               // 6x
    /// assert_eq!((dy.item()?, ddy.item()?), (12.0, 12.0));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`backward`](Var::backward).
    #[track_caller]
    pub fn grad(self, x: Var<'t, T>) -> Result<Var<'t, T>> {
        Ok(self.tape.grad(&[(self, self.tape.constant(self.one()?))], &[x])?[0])
    }
}

/// Cotangents of a recorded sweep.
struct Recorded<'t, T: Float> {
    tape: &'t Tape<T>,
    cotangents: Vec<Option<Var<'t, T>>>,
    /// Cotangents of parts of a node's value, until the sweep reaches the node.
    parts: FxHashMap<u32, Parts<'t, T>>,
    /// Whether a node depends on a value that the gradient is taken with respect to.
    active: Vec<bool>,
}

impl<T: Float> Tape<T> {
    /// The gradients of Σ⟨seed, output⟩ with respect to `wrt`, recorded: each is a value of this tape that can be
    /// differentiated again. Zeros for a value that the outputs do not depend on.
    ///
    /// # Errors
    /// As [`backward`](Tape::backward). Values that an earlier `backward` freed cannot be read here either.
    #[track_caller]
    pub fn grad<'t>(
        &'t self,
        outputs: &[(Var<'t, T>, Var<'t, T>)],
        wrt: &[Var<'t, T>],
    ) -> Result<Vec<Var<'t, T>>> {
        let at = Location::caller();
        // The error of a failed seed says more than that its shape is not the output's.
        for (_, seed) in outputs {
            seed.succeeded()?;
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
        let _span = span(Pass::Grad);
        self.recompute_all().map_err(|e| e.at(at))?;
        let len = self.len();
        let mut sweep = Recorded {
            tape: self,
            cotangents: vec![None; len],
            parts: FxHashMap::default(),
            active: vec![false; len],
        };
        for x in wrt {
            sweep.active[x.id as usize] = true;
        }
        sweep.spread(0..len);
        for (y, seed) in outputs {
            sweep.add(y.id as usize, *seed);
        }
        let wanted: Vec<u32> = wrt.iter().map(|x| x.id).collect();
        let outcome = sweep.run(0..len, &wanted);
        wanted.iter().for_each(|&x| sweep.add_parts(x));
        self.state.borrow_mut().speaks_for = None;
        outcome?;
        let grads: Vec<_> =
            wrt.iter().map(|x| sweep.cotangents[x.id as usize].unwrap_or_else(|| x.zeros_like())).collect();
        for g in &grads {
            g.succeeded()?;
        }
        Ok(grads)
    }

    /// Recomputes every value that a checkpoint dropped: the operations recorded now refer to them.
    fn recompute_all(&self) -> Result<()> {
        if self.state.borrow().regions.is_empty() {
            return Ok(());
        }
        let mut regions = Regions::new(std::mem::take(&mut self.state.borrow_mut().regions));
        let mut nodes = Borrowed::take(self);
        for id in (0..nodes.nodes.len()).rev() {
            regions.before(self, id, &mut nodes.nodes, |_| true)?;
        }
        Ok(())
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

    /// Checks that what a rule recorded has a value.
    fn succeeded(
        &self,
        made: Var<'t, T>,
        op: &OpRef<T>,
        (x, y): (&[Var<'t, T>], &[Var<'t, T>]),
        needs: &[bool],
        at: &'static Location<'static>,
    ) -> Result<()> {
        let Err(e) = made.succeeded() else {
            return Ok(());
        };
        let slots = |all: &[Var<'t, T>]| all.iter().map(|v| v.with(Slot::clone)).collect::<Vec<_>>();
        let (x, y) = (slots(x), slots(y));
        Err(contract::undeclared(e, op, needs, x.iter(), y.iter()).at(at))
    }

    fn add(&mut self, id: usize, g: Var<'t, T>) {
        self.cotangents[id] = Some(match self.cotangents[id] {
            None => g,
            Some(sum) => sum + g,
        });
    }

    /// Adds up the cotangents that reached a node from selections.
    #[track_caller]
    fn add_parts(&mut self, id: u32) {
        let shape = || Var { tape: self.tape, id }.raw_shape();
        if let Some(sum) = self.parts.remove(&id).and_then(|parts| parts.sum(shape())) {
            self.add(id as usize, sum);
        }
    }

    /// Sweeps the nodes of a range, from the last to the first.
    #[inline(never)]
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
            self.tape.state.borrow_mut().speaks_for = Some(at);
            (id..id + outputs).for_each(|o| self.add_parts(o as u32));
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
            let shapes: SmallVec<[Shape; 4]> = x.iter().map(|x| x.raw_shape()).collect();
            let guarded = |e: Error| e.at(at);
            if op.selection_guarded(shapes.iter()).map_err(guarded)?.is_some() {
                let x = inputs.first().copied().unwrap_or(0);
                self.parts.entry(x).or_default().push(&op, &gy, inputs.len()).map_err(|e| e.at(at))?;
                continue;
            }
            let y: SmallVec<[Var<'t, T>; 1]> = (id..id + outputs).map(var).collect();
            let needs: SmallVec<[bool; 4]> = inputs.iter().map(|&i| self.active[i as usize]).collect();
            let start = self.tape.len();
            let composite = op.guarded("composite", shapes.iter(), || op.composite(&x)).map_err(guarded)?;
            if let Some(again) = composite {
                // The composite is recorded in addition to the fused op, and the sweep goes through it instead.
                let end = self.tape.len();
                self.spread(start..end);
                // No gradient flows through a failed value: without this check it would be zero.
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
