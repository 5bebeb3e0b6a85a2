//! Dense networks, and a chain of elementwise functions.

use super::run::{Run, start, training};
use super::{RATE, labels};
use anyhow::Result;
use wengert::nn::state::AnyTensor;
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::prelude::*;

/// W1: MLP 784-512-512-10, ReLU, batch 128, softmax cross-entropy, Adam.
pub(super) fn mlp() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let config = MlpConfig { widths: vec![784, 512, 512, 10], activation: Activation::Relu, dropout: 0.0 };
    let model = Mlp::<f32>::with_config(&config, &mut rng);
    let x = Tensor::randn([128, 784], &mut rng)?;
    let y = Tensor::from(labels(128, 10));
    let inputs = [("x", AnyTensor::of(&x)), ("y", AnyTensor::I64(y.clone()))];
    training(model, Adam::new(RATE), &inputs, move |model, tape| {
        loss::cross_entropy(model.forward(tape.constant(&x)), &y)
    })
}

/// W9: MLP 4-16-16-1, tanh, batch 1, MSE, SGD: the cost of the tape itself.
pub(super) fn tiny_mlp() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let config = MlpConfig { widths: vec![4, 16, 16, 1], activation: Activation::Tanh, dropout: 0.0 };
    let model = Mlp::<f32>::with_config(&config, &mut rng);
    let (x, y) = (Tensor::randn([1, 4], &mut rng)?, Tensor::randn([1, 1], &mut rng)?);
    let inputs = [("x", AnyTensor::of(&x)), ("y", AnyTensor::of(&y))];
    training(model, Sgd::new(RATE), &inputs, move |model, tape| {
        loss::mse(model.forward(tape.constant(&x)), &y)
    })
}

/// W10: mean(tanh(x w + b) σ(x)) and its three gradients, each of 4 Mi elements.
pub(super) fn pointwise() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let n = 4 << 20;
    let (x, w, b) = (
        Tensor::<f32>::randn([n], &mut rng)?,
        Tensor::<f32>::randn([n], &mut rng)?,
        Tensor::<f32>::randn([n], &mut rng)?,
    );
    let inputs = [("x", AnyTensor::of(&x)), ("w", AnyTensor::of(&w)), ("b", AnyTensor::of(&b))];
    let start = start(&[], &inputs);
    let mut tape = Tape::new();
    let step = move || {
        tape.reset();
        let (x, w, b) = (tape.var(&x), tape.var(&w), tape.var(&b));
        let y = ((x * w + b).tanh() * x.sigmoid()).mean();
        let value = y.value()?;
        let grads = y.backward()?;
        std::hint::black_box((grads.wrt(x)?, grads.wrt(w)?, grads.wrt(b)?));
        Ok(value)
    };
    Ok(Run { step: Box::new(step), start })
}
