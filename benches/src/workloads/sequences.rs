//! Models of sequences.

use super::{RATE, Step, labels};
use anyhow::Result;
use wengert::nn::zoo::{Gpt, GptConfig, LanguageModel};
use wengert::nn::{Lstm, RecurrentConfig, Rnn};
use wengert::prelude::*;

/// W4: Elman RNN, tanh, 64 steps, input 64, hidden 128, batch 32, linear head of 64 classes at every step, Adam.
pub(super) fn rnn() -> Result<Step> {
    recurrent(Rnn::with_config(&RecurrentConfig::new(64, 128), &mut Rng::seed(0)), 128, 64)
}

/// W5: LSTM, 128 steps, input 64, hidden 256, batch 32, linear head of 64 classes at every step, Adam.
pub(super) fn lstm() -> Result<Step> {
    recurrent(Lstm::with_config(&RecurrentConfig::new(64, 256), &mut Rng::seed(0)), 256, 128)
}

#[derive(Module)]
struct Tagger<L> {
    recurrent: L,
    head: Linear<f32>,
}

fn recurrent(recurrent: impl Layer<f32> + 'static, hidden: usize, steps: usize) -> Result<Step> {
    let mut rng = Rng::seed(1);
    let mut model = Tagger { recurrent, head: Linear::new(hidden, 64, &mut rng) };
    let x = Tensor::randn([32, steps, 64], &mut rng)?;
    let labels = Tensor::from_vec(labels(32 * steps, 64), [32, steps])?;
    let mut optimizer = Adam::new(RATE);
    let mut tape = Tape::train(0);
    Ok(Box::new(move || {
        tape.reset();
        let logits = model.head.forward(model.recurrent.forward(tape.constant(&x)));
        let loss = loss::cross_entropy(logits, &labels);
        optimizer.step(&mut model, &loss.backward()?)?;
        Ok(())
    }))
}

/// W6: pre-norm decoder, GELU, causal, 4 layers, d 256, 4 heads, MLP 1024, 128 steps, batch 8, vocabulary 96, learned
/// positions, the token table as head, AdamW.
pub(super) fn gpt() -> Result<Step> {
    let config = GptConfig { vocabulary: 96, context: 128, width: 256, heads: 4, layers: 4, dropout: 0.0 };
    let mut model = Gpt::<f32>::with_config(&config, &mut Rng::seed(0));
    let ids = labels(8 * 129, 96);
    let targets = Tensor::from_slice(&ids[1..=8 * 128], [8, 128])?;
    let ids = Tensor::from_slice(&ids[..8 * 128], [8, 128])?;
    let mut optimizer = Adam::adamw(RATE);
    let mut tape = Tape::train(0);
    Ok(Box::new(move || {
        tape.reset();
        let loss = model.loss(&tape, &ids, &targets);
        optimizer.step(&mut model, &loss.backward()?)?;
        Ok(())
    }))
}
