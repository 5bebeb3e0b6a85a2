//! Models of sequences.

use super::run::{Run, training};
use super::{RATE, labels};
use anyhow::Result;
use wengert::nn::state::AnyTensor;
use wengert::nn::zoo::{Gpt, GptConfig, LanguageModel};
use wengert::nn::{Lstm, RecurrentConfig, Rnn};
use wengert::prelude::*;

/// W4: Elman RNN, tanh, 64 steps, input 64, hidden 128, batch 32, linear head of 64 classes at every step, Adam.
pub(super) fn rnn() -> Result<Run> {
    recurrent(Rnn::with_config(&RecurrentConfig::new(64, 128), &mut Rng::seed(0)), 128, 64)
}

/// W5: LSTM, 128 steps, input 64, hidden 256, batch 32, linear head of 64 classes at every step, Adam.
pub(super) fn lstm() -> Result<Run> {
    recurrent(Lstm::with_config(&RecurrentConfig::new(64, 256), &mut Rng::seed(0)), 256, 128)
}

#[derive(Module)]
struct Tagger<L> {
    recurrent: L,
    head: Linear<f32>,
}

fn recurrent(recurrent: impl Layer<f32> + 'static, hidden: usize, steps: usize) -> Result<Run> {
    let mut rng = Rng::seed(1);
    let model = Tagger { recurrent, head: Linear::new(hidden, 64, &mut rng) };
    let x = Tensor::randn([32, steps, 64], &mut rng)?;
    let y = Tensor::from_vec(labels(32 * steps, 64), [32, steps])?;
    let inputs = [("x", AnyTensor::of(&x)), ("y", AnyTensor::I64(y.clone()))];
    training(model, Adam::new(RATE), &inputs, move |model, tape| {
        let logits = model.head.forward(model.recurrent.forward(tape.constant(&x)));
        loss::cross_entropy(logits, &y)
    })
}

/// The decoder of W6, which also answers one sequence.
pub(super) fn decoder() -> Gpt<f32> {
    let config = GptConfig { vocabulary: 96, context: 128, width: 256, heads: 4, layers: 4, dropout: 0.0 };
    Gpt::with_config(&config, &mut Rng::seed(0))
}

/// W6: pre-norm decoder, GELU, causal, 4 layers, d 256, 4 heads, MLP 1024, 128 steps, batch 8, vocabulary 96, learned
/// positions, the token table as head, AdamW.
pub(super) fn gpt() -> Result<Run> {
    let ids = labels(8 * 129, 96);
    let y = Tensor::from_slice(&ids[1..=8 * 128], [8, 128])?;
    let x = Tensor::from_slice(&ids[..8 * 128], [8, 128])?;
    let inputs = [("x", AnyTensor::I64(x.clone())), ("y", AnyTensor::I64(y.clone()))];
    training(decoder(), Adam::adamw(RATE), &inputs, move |model, tape| model.loss(tape, &x, &y))
}
