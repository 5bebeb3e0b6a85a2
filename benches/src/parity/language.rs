//! Language models on the characters of a play: three recurrent ones, each with another optimiser, and a GPT.

use crate::model::{Entry, Model, Single};
use crate::plan::{Method, Pace, Plan};
use crate::samples::{Samples, Sets};
use anyhow::Result;
use wengert::data::{Dataset, Text, hamlet};
use wengert::nn::optim::{AdamConfig, NadamConfig, RmspropConfig};
use wengert::nn::zoo::{CharRnn, CharRnnConfig, Gpt, GptConfig, LanguageModel, Recurrence};
use wengert::prelude::*;

const WINDOW: usize = 32;

/// Windows of the play: its first part for training, the rest for testing.
fn play() -> Result<Sets> {
    let text = Text::characters(&hamlet()?);
    let windows = text.windows(WINDOW, WINDOW)?;
    let part = |range: std::ops::Range<usize>| -> Result<Samples> {
        let batch = windows.fetch(&range.collect::<Vec<_>>())?;
        Ok(Samples::default().ids("x", batch.inputs).ids("y", batch.targets))
    };
    Ok(Sets { train: part(0..2048)?, test: part(2048..2304)? })
}

fn language_model<T: Float, M: LanguageModel<T> + 'static>(model: M) -> Box<dyn Model<T>> {
    Box::new(Single {
        model,
        loss: |model, tape, batch| Ok(model.loss(tape, batch.ids("x")?, batch.ids("y")?)),
        metric: Single::test_loss,
    })
}

fn plan(method: Method, pace: Pace, clip: f64) -> Plan {
    Plan { method, pace, clip: Some(clip), batch: 32, epochs: 2, parts: 1, metric: "loss, nats a character" }
}

pub(crate) fn recurrent() -> Vec<Entry> {
    fn config(recurrence: Recurrence, layers: usize) -> CharRnnConfig {
        CharRnnConfig { embedding: 16, hidden: 48, layers, recurrence, ..CharRnnConfig::default() }
    }
    fn rnn<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        language_model(CharRnn::<T>::with_config(&config(Recurrence::Rnn, 2), rng))
    }
    fn lstm<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        language_model(CharRnn::<T>::with_config(&config(Recurrence::Lstm, 1), rng))
    }
    fn gru<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        language_model(CharRnn::<T>::with_config(&config(Recurrence::Gru, 1), rng))
    }
    let rmsprop =
        RmspropConfig { learning_rate: 2e-3, momentum: 0.5, centered: true, ..RmspropConfig::default() };
    let adam = AdamConfig { learning_rate: 5e-3, ..AdamConfig::default() };
    let nadam = NadamConfig { learning_rate: 5e-3, weight_decay: 1e-5, ..NadamConfig::default() };
    vec![
        Entry::new("char_rnn", plan(Method::Rmsprop(rmsprop), Pace::Linear(0.2), 0.5), play, rnn, rnn),
        Entry::new("char_lstm", plan(Method::Adam(adam), Pace::Constant, 1.0), play, lstm, lstm),
        Entry::new("char_gru", plan(Method::Nadam(nadam), Pace::Cosine(0.0), 1.0), play, gru, gru),
    ]
}

pub(crate) fn gpt() -> Entry {
    fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        let config = GptConfig {
            context: WINDOW,
            width: 48,
            heads: 4,
            layers: 2,
            dropout: 0.0,
            ..GptConfig::default()
        };
        language_model(Gpt::<T>::with_config(&config, rng))
    }
    let adam = AdamConfig {
        learning_rate: 4e-3,
        beta2: 0.99,
        weight_decay: 0.1,
        decoupled: true,
        ..AdamConfig::default()
    };
    Entry::new("gpt", plan(Method::Adam(adam), Pace::OneCycle, 1.0), play, build, build)
}
