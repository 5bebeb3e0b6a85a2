//! Ten small training steps, to be run under an instruction counter: `benches/instructions.py` does so, compares the counts with
//! those in `benches/instructions.tsv`, and CI fails if one grows by more than 3 %.
//!
//! `instructions lstm 8` runs eight steps; `instructions --list` prints the names. All work runs on one thread.
#![allow(clippy::print_stdout, reason = "a program that prints its results")]

use anyhow::{Context, Result, bail};
use wengert::nn::optim::SgdConfig;
use wengert::nn::zoo::{Gpt, GptConfig, LanguageModel, ResNet, ResNetConfig, Vae, VaeConfig};
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::nn::{Gru, Lstm, RecurrentConfig};
use wengert::ops::ConvOptions;
use wengert::prelude::*;
use wengert::tape::scalar;

type Step = Box<dyn FnMut() -> Result<()>>;

/// Prepares the steps of a workload.
type Build = fn() -> Result<Step>;

/// The names of the workloads and the functions that prepare their steps.
const WORKLOADS: [(&str, Build); 10] = [
    ("mlp", mlp),
    ("tiny-mlp", tiny_mlp),
    ("cnn", cnn),
    ("resnet", resnet),
    ("lstm", lstm),
    ("gru", gru),
    ("gpt", gpt),
    ("vae", vae),
    ("elementwise", elementwise),
    ("scalar", scalar_mlp),
];

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let names = WORKLOADS.map(|(name, _)| name).join(" ");
    match &args[..] {
        [list] if list == "--list" => println!("{names}"),
        [name, steps] => {
            let (_, build) = WORKLOADS
                .iter()
                .find(|(n, _)| n == name)
                .with_context(|| format!("no workload {name}; there are {names}"))?;
            let steps: usize = steps.parse().context("the number of steps")?;
            rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
            let mut step = build()?;
            (0..steps).try_for_each(|_| step())?;
        }
        _ => bail!("usage: instructions NAME STEPS, or instructions --list"),
    }
    Ok(())
}

/// One step per call: the loss of a model on a tape of its own, its gradients, and an update.
fn training<M: Module + 'static>(
    mut model: M,
    mut optimizer: impl Optimizer<f32> + 'static,
    loss: impl for<'t> Fn(&M, &'t Tape) -> Var<'t, f32> + 'static,
) -> Result<Step> {
    let mut tape = Tape::train(0);
    Ok(Box::new(move || {
        tape.reset();
        let grads = loss(&model, &tape).backward()?;
        Ok(optimizer.step(&mut model, &grads)?)
    }))
}

fn classifier(
    model: impl Layer<f32> + 'static,
    x: Tensor<f32>,
    optimizer: impl Optimizer<f32> + 'static,
) -> Result<Step> {
    let labels = Tensor::from((0..x.shape()[0] as i64).map(|i| i % 10).collect::<Vec<_>>());
    training(model, optimizer, move |model, tape| {
        loss::cross_entropy(model.forward(tape.constant(&x)), &labels)
    })
}

/// 64-64-10, ReLU, batch 32, Adam.
fn mlp() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let config = MlpConfig { widths: vec![64, 64, 10], activation: Activation::Relu, dropout: 0.1 };
    let x = Tensor::randn([32, 64], &mut rng)?;
    classifier(Mlp::<f32>::with_config(&config, &mut rng), x, Adam::new(1e-6))
}

/// 4-16-16-1, tanh, one sample, SGD: the cost of the tape itself.
fn tiny_mlp() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let config = MlpConfig { widths: vec![4, 16, 16, 1], activation: Activation::Tanh, dropout: 0.0 };
    let model = Mlp::<f32>::with_config(&config, &mut rng);
    let (x, y) = (Tensor::randn([1, 4], &mut rng)?, Tensor::randn([1, 1], &mut rng)?);
    training(model, Sgd::new(1e-6), move |model, tape| loss::mse(model.forward(tape.constant(&x)), &y))
}

/// Two convolutions with max-pools and two linear layers on 1×14×14, batch 4, Adam.
fn cnn() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let same = ConvOptions::default().padding(1);
    let model = Sequential::<f32>::new()
        .push(Conv2d::with_config(1, 8, 3, same, &mut rng))
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Conv2d::with_config(8, 16, 3, same, &mut rng))
        .push(Activation::Relu)
        .push(Flatten)
        .push(Linear::new(16 * 49, 32, &mut rng))
        .push(Activation::Relu)
        .push(Linear::new(32, 10, &mut rng));
    classifier(model, Tensor::randn([4, 1, 14, 14], &mut rng)?, Adam::new(1e-6))
}

/// ResNet-8 on 3×16×16, batch norm, batch 2, SGD with momentum.
fn resnet() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let model = ResNet::<f32>::with_config(&ResNetConfig::cifar(1), &mut rng);
    let sgd = SgdConfig { learning_rate: 1e-6, momentum: 0.9, ..SgdConfig::default() };
    classifier(model, Tensor::randn([2, 3, 16, 16], &mut rng)?, Sgd::with_config(sgd))
}

#[derive(Module)]
struct Tagger<L> {
    recurrent: L,
    head: Linear<f32>,
}

/// 16 steps of 16 inputs, 32 hidden, batch 4, ten classes at every step, Adam.
fn recurrent(recurrent: impl Layer<f32> + 'static) -> Result<Step> {
    let mut rng = Rng::seed(1);
    let model = Tagger { recurrent, head: Linear::new(32, 10, &mut rng) };
    let x = Tensor::randn([4, 16, 16], &mut rng)?;
    let labels = Tensor::from_vec((0..64).map(|i| i % 10).collect(), [4, 16])?;
    training(model, Adam::new(1e-6), move |model, tape| {
        let states = model.recurrent.forward(tape.constant(&x));
        loss::cross_entropy(model.head.forward(states), &labels)
    })
}

fn lstm() -> Result<Step> {
    recurrent(Lstm::with_config(&RecurrentConfig::new(16, 32), &mut Rng::seed(0)))
}

fn gru() -> Result<Step> {
    recurrent(Gru::with_config(&RecurrentConfig::new(16, 32), &mut Rng::seed(0)))
}

/// Two blocks of width 32 with two heads, 16 steps, batch 2, vocabulary 20, dropout, AdamW.
fn gpt() -> Result<Step> {
    let config = GptConfig { vocabulary: 20, context: 16, width: 32, heads: 2, layers: 2, dropout: 0.1 };
    let model = Gpt::<f32>::with_config(&config, &mut Rng::seed(0));
    let ids: Vec<i64> = (0..33).map(|i| i % 20).collect();
    let targets = Tensor::from_slice(&ids[1..], [2, 16])?;
    let ids = Tensor::from_slice(&ids[..32], [2, 16])?;
    training(model, Adam::adamw(1e-6), move |model, tape| model.loss(tape, &ids, &targets))
}

/// 64-32-(8, 8)-32-64, Bernoulli, batch 16, Adam.
fn vae() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let config = VaeConfig { inputs: 64, hidden: vec![32], latent: 8, ..VaeConfig::default() };
    let model = Vae::<f32>::dense(&config, &mut rng);
    let x = Tensor::rand([16, 64], &mut rng)?;
    training(model, Adam::new(1e-6), move |model, tape| -model.elbo(tape.constant(&x)).bound.mean())
}

/// A chain of functions with broadcasting, of 4,096 elements, to the second order.
fn elementwise() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let (x, w) = (Tensor::<f32>::randn([64, 64], &mut rng)?, Tensor::<f32>::randn([64], &mut rng)?);
    let mut tape = Tape::new();
    Ok(Box::new(move || {
        tape.reset();
        let (x, w) = (tape.var(&x), tape.var(&w));
        let y = (x * w).tanh() * x.sigmoid() + x.exp().softplus() - (x.square() + 1).sqrt();
        let slope = y.mean().grad(w)?;
        std::hint::black_box(slope.square().sum().backward()?.wrt(x)?);
        Ok(())
    }))
}

/// The scalar tape: an MLP 8-16-1 of single numbers.
fn scalar_mlp() -> Result<Step> {
    let weights: Vec<f64> = (0..8 * 16 + 16).map(|i| f64::from(i * 37 % 19) / 19.0 - 0.5).collect();
    let mut tape = scalar::Tape::<f64>::default();
    Ok(Box::new(move || {
        tape.reset();
        let w: Vec<_> = weights.iter().map(|&w| tape.var(w)).collect();
        let hidden = w[..128].chunks(8).map(|row| {
            let sum = row.iter().enumerate().map(|(i, &w)| w * (0.1 * i as f64)).reduce(|a, b| a + b);
            sum.map(|z| z.tanh()).context("a row has weights")
        });
        let hidden = hidden.collect::<Result<Vec<_>>>()?;
        let y = hidden.iter().zip(&w[128..]).map(|(&h, &w)| h * w).reduce(|a, b| a + b);
        let y = y.context("there are hidden units")?;
        std::hint::black_box(tape.gradient(y)?.wrt(w[0])?);
        Ok(())
    }))
}
