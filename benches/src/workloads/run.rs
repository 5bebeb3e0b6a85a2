//! What a workload consists of: a step, and what another engine needs for the same first step.

use anyhow::Result;
use wengert::nn::state::{self, AnyTensor, Dict};
use wengert::prelude::*;

/// Takes one step. Returns its loss, or the output of a model that only answers.
pub(crate) type Step = Box<dyn FnMut() -> Result<Tensor<f32>>>;

/// A workload that is ready to run.
pub(crate) struct Run {
    pub(crate) step: Step,
    /// The initial weights, with the prefix `model.`, and the inputs. They share memory with those that the step changes: drop them
    /// before measuring.
    pub(crate) start: Dict,
}

/// The inputs of a step, by name.
pub(super) type Inputs<'a> = &'a [(&'a str, AnyTensor)];

/// The weights of a model, under a prefix, and the inputs.
pub(super) fn start(models: &[(&str, &dyn Module)], inputs: Inputs<'_>) -> Dict {
    let mut all: Dict = inputs.iter().map(|(name, t)| ((*name).to_owned(), t.clone())).collect();
    for (prefix, model) in models {
        all.extend(state::dict(*model).into_iter().map(|(name, t)| (format!("{prefix}.{name}"), t)));
    }
    all
}

/// Forward, loss, backward, update.
pub(super) fn training<M: Module + 'static>(
    model: M,
    optimizer: impl Optimizer<f32> + 'static,
    inputs: Inputs<'_>,
    loss: impl for<'t> Fn(&M, &'t Tape<f32>) -> Var<'t, f32> + 'static,
) -> Result<Run> {
    training_on(Tape::train(0), model, optimizer, inputs, loss)
}

/// As [`training`], on a given tape, for models that draw random numbers.
pub(super) fn training_on<M: Module + 'static>(
    mut tape: Tape<f32>,
    mut model: M,
    mut optimizer: impl Optimizer<f32> + 'static,
    inputs: Inputs<'_>,
    loss: impl for<'t> Fn(&M, &'t Tape<f32>) -> Var<'t, f32> + 'static,
) -> Result<Run> {
    let start = start(&[("model", &model)], inputs);
    let step = move || {
        tape.reset();
        let loss = loss(&model, &tape);
        let value = loss.value()?;
        optimizer.step(&mut model, &loss.backward()?)?;
        Ok(value)
    };
    Ok(Run { step: Box::new(step), start })
}

/// Forward and backward, of the mean of the squares of the output.
pub(super) fn gradients<M: Module + 'static>(
    model: M,
    inputs: Inputs<'_>,
    output: impl for<'t> Fn(&M, &'t Tape<f32>) -> Var<'t, f32> + 'static,
) -> Result<Run> {
    let start = start(&[("model", &model)], inputs);
    let mut tape = Tape::train(0);
    let step = move || {
        tape.reset();
        let loss = output(&model, &tape).square().mean();
        let value = loss.value()?;
        std::hint::black_box(loss.backward()?);
        Ok(value)
    };
    Ok(Run { step: Box::new(step), start })
}

/// Forward alone, on an evaluating tape.
pub(super) fn inference<M: Module + 'static>(
    model: M,
    inputs: Inputs<'_>,
    output: impl for<'t> Fn(&M, &'t Tape<f32>) -> Var<'t, f32> + 'static,
) -> Result<Run> {
    let start = start(&[("model", &model)], inputs);
    let mut tape = Tape::eval();
    let step = move || {
        tape.reset();
        Ok(output(&model, &tape).value()?)
    };
    Ok(Run { step: Box::new(step), start })
}
