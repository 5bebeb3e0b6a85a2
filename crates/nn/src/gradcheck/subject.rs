//! [`Subject`]: a loss of a model as a function of all elements whose derivatives are checked.

use super::report::Mode;
use crate::module::{GradsExt, Module, for_each_param, for_each_param_mut};
use std::ops::Range;
use wengert_ops::Tensor;
use wengert_ops::random::{Key, normal};
use wengert_tape::{ErrorKind, Param, Result, RetainGraph, Tape, Var};

/// A loss, computed from a model, a tape and inputs.
pub(super) type Loss<'f, M> = dyn for<'t> Fn(&M, &'t Tape<f64>, &[Var<'t, f64>]) -> Var<'t, f64> + 'f;

/// A parameter or an input.
pub(super) struct Part {
    pub(super) name: String,
    /// The value at which the check is made.
    pub(super) start: Tensor<f64>,
    /// The positions of its elements among those of all parts.
    pub(super) range: Range<usize>,
}

/// A model, a loss, and the point at which they are checked.
pub(super) struct Subject<'a, M> {
    model: &'a mut M,
    loss: &'a Loss<'a, M>,
    mode: Mode,
    seed: u64,
    /// The trainable parameters, then the inputs.
    pub(super) parts: Vec<Part>,
    params: usize,
}

/// A loss and its gradient; the elements of all parts are concatenated.
pub(super) struct Swept {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) unused: Vec<String>,
}

impl<'a, M: Module> Subject<'a, M> {
    pub(super) fn new(
        model: &'a mut M,
        loss: &'a Loss<'a, M>,
        mode: Mode,
        seed: u64,
        inputs: &[Tensor<f64>],
    ) -> Self {
        let mut parts = Vec::new();
        let mut end = 0;
        let mut add = |name: String, start: Tensor<f64>| {
            let range = end..end + start.numel();
            end = range.end;
            parts.push(Part { name, start, range });
        };
        let mut params = 0;
        for_each_param::<f64>(model, &mut |path, p| {
            if p.is_trainable() {
                add(path.as_str().to_owned(), p.value().clone());
                params += 1;
            }
        });
        for (i, x) in inputs.iter().enumerate() {
            add(format!("input {i}"), x.clone());
        }
        Subject { model, loss, mode, seed, parts, params }
    }

    /// The number of elements of all parts.
    pub(super) fn len(&self) -> usize {
        self.parts.last().map_or(0, |p| p.range.end)
    }

    /// Normal random numbers, one per element.
    pub(super) fn direction(&self, seed: u64) -> Result<Vec<f64>> {
        let mut v = Vec::with_capacity(self.len());
        for (i, part) in self.parts.iter().enumerate() {
            v.extend(normal::<f64>(part.start.shape(), 0.0, 1.0, Key { seed, stream: i as u64 })?.to_vec());
        }
        Ok(v)
    }

    /// Restores the parameters to their original bits.
    pub(super) fn restore(&mut self) -> Result<()> {
        self.put(self.parts.iter().map(|p| p.start.clone()).collect())
    }

    fn put(&mut self, values: Vec<Tensor<f64>>) -> Result<()> {
        let mut outcome = Ok(());
        let mut values = values.into_iter().take(self.params);
        for_each_param_mut::<f64>(self.model, &mut |_, p: &mut Param<f64>| {
            if p.is_trainable()
                && let Some(value) = values.next()
                && let Err(e) = p.set(value)
            {
                outcome = Err(e);
            }
        });
        outcome
    }

    /// Moves the elements of a range by t v; returns the inputs.
    fn move_to(&mut self, v: &[f64], range: &Range<usize>, t: f64) -> Result<Vec<Tensor<f64>>> {
        let moved = |part: &Part| {
            let (low, high) = (range.start.max(part.range.start), range.end.min(part.range.end));
            if t == 0.0 || low >= high {
                return part.start.clone();
            }
            let mut value = part.start.clone();
            let data = value.data_mut();
            for k in low..high {
                data[k - part.range.start] += t * v[k];
            }
            value
        };
        let mut values: Vec<_> = self.parts.iter().map(moved).collect();
        let inputs = values.split_off(self.params);
        self.put(values)?;
        Ok(inputs)
    }

    fn tape(&self) -> Tape<f64> {
        if self.mode == Mode::Training { Tape::train(self.seed) } else { Tape::new() }
    }

    /// The loss after the elements of a range are moved by t v.
    pub(super) fn loss_at(&mut self, v: &[f64], range: &Range<usize>, t: f64) -> Result<f64> {
        let inputs = self.move_to(v, range, t)?;
        let tape = self.tape();
        let x: Vec<_> = inputs.iter().map(|x| tape.var(x)).collect();
        (self.loss)(self.model, &tape, &x).item()
    }

    /// The loss and the swept gradient after all elements are moved by t v.
    pub(super) fn swept_at(&mut self, v: &[f64], t: f64) -> Result<Swept> {
        let inputs = self.move_to(v, &(0..v.len()), t)?;
        let tape = self.tape();
        let x: Vec<_> = inputs.iter().map(|x| tape.var(x)).collect();
        let loss = (self.loss)(self.model, &tape, &x);
        let value = loss.item()?;
        let grads = match loss.backward() {
            // A loss that depends on nothing has no gradients; the comparison detects this.
            Err(e) if e.kind() == ErrorKind::NoGradient => tape.backward(&[], RetainGraph::Nothing)?,
            swept => swept?,
        };
        let mut gradient = Vec::with_capacity(self.len());
        for_each_param::<f64>(self.model, &mut |_, p| {
            if p.is_trainable() {
                match grads.get(p.id()) {
                    Some(g) => gradient.extend(g.to_vec()),
                    None => gradient.extend(std::iter::repeat_n(0.0, p.numel())),
                }
            }
        });
        for x in x {
            match grads.wrt(x) {
                Err(e) if e.kind() == ErrorKind::Unreached => {
                    gradient.extend(std::iter::repeat_n(0.0, x.numel()));
                }
                g => gradient.extend(g?.to_vec()),
            }
        }
        Ok(Swept { value, gradient, unused: grads.unused(self.model) })
    }

    /// The recorded gradient, and its derivative H v along the direction, if one is given.
    pub(super) fn recorded(&mut self, direction: Option<&[f64]>) -> Result<(Vec<f64>, Vec<f64>)> {
        let inputs = self.move_to(&[], &(0..0), 0.0)?;
        let tape = self.tape();
        let x: Vec<_> = inputs.iter().map(|x| tape.var(x)).collect();
        let mut all = Vec::new();
        for_each_param::<f64>(self.model, &mut |_, p| {
            if p.is_trainable() {
                all.push(tape.param(p));
            }
        });
        all.extend(&x);
        let loss = (self.loss)(self.model, &tape, &x);
        let one = tape.constant(Tensor::try_full(loss.value()?.shape(), 1.0)?);
        let gradient = tape.grad(&[(loss, one)], &all)?;
        let mut curvature = Vec::new();
        if let Some(v) = direction {
            let mut seeds = Vec::new();
            for (g, part) in gradient.iter().zip(&self.parts) {
                let v = Tensor::from_vec(v[part.range.clone()].to_vec(), part.start.shape())?;
                seeds.push((*g, tape.constant(v)));
            }
            curvature = tape.grad(&seeds, &all)?;
        }
        Ok((numbers(&gradient)?, numbers(&curvature)?))
    }
}

fn numbers(x: &[Var<'_, f64>]) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    for x in x {
        all.extend(x.value()?.to_vec());
    }
    Ok(all)
}
