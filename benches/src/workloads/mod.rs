//! The workloads: each a function that builds a closure which does one training step.

use anyhow::Result;
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::ops::ConvOptions;
use wengert::prelude::*;

/// One training step.
pub(crate) type Step = Box<dyn FnMut() -> Result<()>>;

/// A workload by name.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) build: fn() -> Result<Step>,
}

/// All workloads.
pub(crate) fn table() -> Vec<Workload> {
    vec![
        Workload { name: "W1", build: mlp },
        Workload { name: "W2", build: cnn },
        Workload { name: "W9", build: tiny_mlp },
        Workload { name: "W10", build: pointwise },
    ]
}

/// Their names, for a message.
pub(crate) fn names(table: &[Workload]) -> String {
    table.iter().map(|w| w.name).collect::<Vec<_>>().join(", ")
}

const RATE: f64 = 1e-6;

/// W1: MLP 784-512-512-10, ReLU, batch 128, softmax cross-entropy, Adam.
fn mlp() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let config = MlpConfig { widths: vec![784, 512, 512, 10], activation: Activation::Relu, dropout: 0.0 };
    let mut model = Mlp::<f32>::new(&config, &mut rng);
    let x = Tensor::randn([128, 784], &mut rng)?;
    let labels = Tensor::from((0..128).map(|i| i % 10).collect::<Vec<i64>>());
    let mut optimizer = Adam::new(RATE);
    let mut tape = Tape::train(0);
    Ok(Box::new(move || {
        tape.reset();
        let loss = loss::cross_entropy(model.forward(tape.constant(&x)), &labels);
        optimizer.step(&mut model, &loss.backward()?)?;
        Ok(())
    }))
}

/// W2: CNN 1×28×28: convolutions 3×3 to 32 and 64 channels with ReLU and max-pools, linear 3136-128-10, batch 64, Adam.
fn cnn() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let mut linear = Mlp::<f32>::new(
        &MlpConfig { widths: vec![3136, 128, 10], activation: Activation::Relu, dropout: 0.0 },
        &mut rng,
    );
    let first = Tensor::<f32>::randn([32, 1, 3, 3], &mut rng)?.scale(0.3);
    let second = Tensor::<f32>::randn([64, 32, 3, 3], &mut rng)?.scale(0.1);
    let x = Tensor::randn([64, 1, 28, 28], &mut rng)?;
    let labels = Tensor::from((0..64).map(|i| i % 10).collect::<Vec<i64>>());
    let mut optimizer = Adam::new(RATE);
    let mut tape = Tape::train(0);
    Ok(Box::new(move || {
        tape.reset();
        let same = ConvOptions::default().padding(1);
        let (first, second) = (tape.var(&first), tape.var(&second));
        let (a, b) = (tape.var(Tensor::zeros([32])), tape.var(Tensor::zeros([64])));
        let h = tape.constant(&x).conv2d(first, Some(a), same).relu().max_pool2d(2);
        let h = h.conv2d(second, Some(b), same).relu().max_pool2d(2);
        let loss = loss::cross_entropy(linear.forward(h.reshape([64, 3136])), &labels);
        let grads = loss.backward()?;
        std::hint::black_box((grads.wrt(first)?, grads.wrt(second)?, grads.wrt(a)?, grads.wrt(b)?));
        optimizer.step(&mut linear, &grads)?;
        Ok(())
    }))
}

/// W9: MLP 4-16-16-1, tanh, batch 1, MSE, SGD: what the tape itself costs.
fn tiny_mlp() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let config = MlpConfig { widths: vec![4, 16, 16, 1], activation: Activation::Tanh, dropout: 0.0 };
    let mut model = Mlp::<f32>::new(&config, &mut rng);
    let (x, y) = (Tensor::randn([1, 4], &mut rng)?, Tensor::randn([1, 1], &mut rng)?);
    let mut optimizer = Sgd::new(RATE);
    let mut tape = Tape::train(0);
    Ok(Box::new(move || {
        tape.reset();
        let loss = loss::mse(model.forward(tape.constant(&x)), &y);
        optimizer.step(&mut model, &loss.backward()?)?;
        Ok(())
    }))
}

/// W10: mean(tanh(x w + b) σ(x)) and its three gradients, each of 4 Mi elements.
fn pointwise() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let n = 4 << 20;
    let (x, w, b) = (
        Tensor::<f32>::randn([n], &mut rng)?,
        Tensor::<f32>::randn([n], &mut rng)?,
        Tensor::<f32>::randn([n], &mut rng)?,
    );
    let mut tape = Tape::new();
    Ok(Box::new(move || {
        tape.reset();
        let (x, w, b) = (tape.var(&x), tape.var(&w), tape.var(&b));
        let y = ((x * w + b).tanh() * x.sigmoid()).mean();
        let grads = y.backward()?;
        std::hint::black_box((grads.wrt(x)?, grads.wrt(w)?, grads.wrt(b)?));
        Ok(())
    }))
}
