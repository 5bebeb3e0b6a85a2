//! The workloads: functions that build a closure for one step each, with the weights and inputs of the first step.

mod chains;
mod dense;
mod generative;
mod images;
mod inference;
mod run;
mod sequences;
mod shapes;

use anyhow::Result;
pub(crate) use run::{Run, Step};

/// A workload and its name.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) build: fn() -> Result<Run>,
}

/// All workloads: training steps, shapes of single layers, functions written in plain operations, and models that answer one sample.
pub(crate) fn table() -> Vec<Workload> {
    macro_rules! table {
        ($($name:literal $build:path;)*) => { vec![$(Workload { name: $name, build: $build }),*] };
    }
    table! {
        "w1" dense::mlp;
        "w2" images::cnn;
        "w3" images::resnet;
        "w4" sequences::rnn;
        "w5" sequences::lstm;
        "w6" sequences::gpt;
        "w7" generative::vae;
        "w8" generative::gan;
        "w9" dense::tiny_mlp;
        "w10" dense::pointwise;
        "depthwise" shapes::depthwise;
        "conv5x5s2" shapes::conv5x5s2;
        "conv7x7s2" shapes::conv7x7s2;
        "gru" shapes::gru;
        "attention1000" shapes::attention1000;
        "layernorm-wide" shapes::layernorm_wide;
        "embedding50k" shapes::embedding50k;
        "batchnorm-nc" shapes::batchnorm_nc;
        "adamw-1e7" shapes::adamw;
        "gelu-mlp" chains::gelu_mlp;
        "swish-gate" chains::swish_gate;
        "vae-loss" chains::vae_loss;
        "plain-layer-norm" chains::plain_layer_norm;
        "pinn-residual" chains::pinn_residual;
        "plain-adam" chains::plain_adam;
        "infer-mlp" inference::mlp;
        "infer-lenet" inference::lenet;
        "infer-resnet" inference::resnet;
        "infer-lstm" inference::lstm;
        "infer-gpt" inference::gpt;
        "infer-vit" inference::vit;
    }
}

/// The names of all workloads, for a message.
pub(crate) fn names(table: &[Workload]) -> String {
    table.iter().map(|w| w.name).collect::<Vec<_>>().join(", ")
}

/// The learning rate. It is so small that the fixed batch is not fitted to a loss of zero, where numbers would be denormal.
const RATE: f64 = 1e-6;

/// Labels of `n` samples, with the classes in turn.
fn labels(n: usize, classes: i64) -> Vec<i64> {
    (0..n as i64).map(|i| i % classes).collect()
}
