//! The interface of a model in the table: its training step and its metric.

use crate::plan::{Plan, Updater};
use crate::samples::{Batch, Sets};
use anyhow::Result;
use wengert::nn::state::{self, Dict};
use wengert::prelude::*;

/// A model with its loss, or several models that are trained together.
pub(crate) trait Model<T: Float> {
    /// The modules; if there are several, each has a name.
    fn parts(&self) -> Vec<(&'static str, &dyn Module)>;

    /// Takes one training step; returns the losses before it.
    fn step(&mut self, tape: &mut Tape<T>, batch: &Batch<T>, updater: &mut Updater<T>) -> Result<Vec<f64>>;

    /// The quality of the model on test samples.
    fn metric(&self, test: &Batch<T>) -> Result<f64>;

    /// Adds the parameters and buffers to a dict.
    fn state(&self, prefix: &str, to: &mut Dict) {
        for (part, module) in self.parts() {
            let part = if part.is_empty() { String::new() } else { format!("{part}.") };
            to.extend(state::dict(module).into_iter().map(|(name, t)| (format!("{prefix}.{part}{name}"), t)));
        }
    }
}

/// The loss of a model on a batch.
type Loss<M, T> = for<'t> fn(&M, &'t Tape<T>, &Batch<T>) -> Result<Var<'t, T>>;

/// One module with one loss.
pub(crate) struct Single<M, T: Float> {
    pub(crate) model: M,
    pub(crate) loss: Loss<M, T>,
    pub(crate) metric: fn(&Self, &Batch<T>) -> Result<f64>,
}

impl<M: Module, T: Float> Single<M, T> {
    /// The loss in evaluation, as a metric.
    pub(crate) fn test_loss(&self, test: &Batch<T>) -> Result<f64> {
        let tape = Tape::eval();
        Ok((self.loss)(&self.model, &tape, test)?.item()?.to_f64())
    }
}

impl<M: Layer<T>, T: Float> Single<M, T> {
    /// A classifier of `x` with labels `y`, whose metric is the percentage of correct answers.
    pub(crate) fn classifier(model: M) -> Self {
        Single {
            model,
            loss: |model, tape, batch| {
                Ok(loss::cross_entropy(model.forward(tape.constant(batch.numbers("x")?)), batch.ids("y")?))
            },
            metric: |this, test| {
                let tape = Tape::eval();
                let logits = this.model.forward(tape.constant(test.numbers("x")?)).value()?;
                let (found, labels) = (logits.argmax(-1)?.to_vec(), test.ids("y")?.to_vec());
                let right = found.iter().zip(&labels).filter(|(a, b)| a == b).count();
                Ok(100.0 * right as f64 / labels.len() as f64)
            },
        }
    }
}

impl<M: Module, T: Float> Model<T> for Single<M, T> {
    fn parts(&self) -> Vec<(&'static str, &dyn Module)> {
        vec![("", &self.model)]
    }

    fn step(&mut self, tape: &mut Tape<T>, batch: &Batch<T>, updater: &mut Updater<T>) -> Result<Vec<f64>> {
        tape.reset();
        // Random layers draw from the step's stream, whose numbers PyTorch receives too.
        tape.set_rng(batch.rng.clone());
        let loss = (self.loss)(&self.model, tape, batch)?;
        Ok(vec![updater.update(0, &mut self.model, None, loss)?])
    }

    fn metric(&self, test: &Batch<T>) -> Result<f64> {
        (self.metric)(self, test)
    }
}

/// Builds a model with fresh weights.
pub(crate) type Build<T> = fn(&mut Rng) -> Box<dyn Model<T>>;

/// An entry of the table: a model in both precisions, its data, and its training.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    pub(crate) sets: fn() -> Result<Sets>,
    /// The shape of the noise of a step; `None` if it draws none.
    pub(crate) noise: Option<Vec<usize>>,
    pub(crate) single: Build<f32>,
    pub(crate) double: Build<f64>,
}

impl Entry {
    /// A model that draws no noise.
    pub(crate) fn new(
        name: &'static str,
        plan: Plan,
        sets: fn() -> Result<Sets>,
        single: Build<f32>,
        double: Build<f64>,
    ) -> Self {
        Entry { name, plan, sets, noise: None, single, double }
    }
}
