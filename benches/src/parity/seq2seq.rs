//! Two encoder-decoders on names in two languages, of different lengths: recurrent with attention, and a Transformer.

use crate::model::{Build, Entry, Model, Single};
use crate::plan::{Method, Pace, Plan};
use crate::samples::{Samples, Sets};
use anyhow::Result;
use wengert::data::{Dataset, Pairs, country_and_language_names, permutation};
use wengert::nn::optim::{AdamConfig, RadamConfig};
use wengert::nn::zoo::{Seq2Seq, Seq2SeqConfig, Translator, TranslatorConfig};
use wengert::ops::random::{Key, Purpose};
use wengert::prelude::*;

/// The number of ids: the characters of the names, and three special ids.
const SOURCE: usize = 71;
const TARGET: usize = 74;

pub(crate) fn recurrent() -> Entry {
    let adam = AdamConfig { learning_rate: 4e-3, beta1: 0.8, ..AdamConfig::default() };
    fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        let config = Seq2SeqConfig { source: SOURCE, target: TARGET, embedding: 16, hidden: 32, padding: 0 };
        Box::new(Single {
            model: Seq2Seq::with_config(&config, rng),
            loss: |model, tape, batch| Ok(model.loss(tape, batch.ids("x")?, batch.ids("y")?)),
            metric: Single::test_loss,
        })
    }
    entry("seq2seq", plan(Method::Adam(adam), Pace::Exponential(0.995)), build, build)
}

pub(crate) fn transformer() -> Entry {
    let radam =
        RadamConfig { learning_rate: 4e-3, weight_decay: 0.01, decoupled: true, ..RadamConfig::default() };
    fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        let config = TranslatorConfig {
            source: SOURCE,
            target: TARGET,
            width: 32,
            heads: 4,
            hidden: 64,
            layers: 2,
            dropout: 0.0,
            padding: 0,
        };
        Box::new(Single {
            model: Translator::with_config(&config, rng),
            loss: |model, tape, batch| Ok(model.loss(tape, batch.ids("x")?, batch.ids("y")?)),
            metric: Single::test_loss,
        })
    }
    entry("translator", plan(Method::Radam(radam), Pace::Linear(0.3)), build, build)
}

fn plan(method: Method, pace: Pace) -> Plan {
    Plan { method, pace, clip: Some(1.0), batch: 32, epochs: 5, parts: 1, metric: "loss, nats a character" }
}

fn entry(name: &'static str, plan: Plan, single: Build<f32>, double: Build<f64>) -> Entry {
    Entry::new(name, plan, names, single, double)
}

/// Names of at most 16 characters, padded to one length.
fn names() -> Result<Sets> {
    let mut names = country_and_language_names()?;
    names.retain(|(a, b)| a.chars().count() <= 16 && b.chars().count() <= 16);
    let pairs = Pairs::new(&names)?;
    anyhow::ensure!(
        (pairs.source().len(), pairs.target().len()) == (SOURCE, TARGET),
        "the names have {} and {} characters",
        pairs.source().len(),
        pairs.target().len()
    );
    let order = permutation(pairs.len(), Key::of(0, Purpose::Split, 0));
    let all = pairs.fetch(&order)?;
    let part = |range: std::ops::Range<usize>| -> Result<Samples> {
        let (x, y) =
            (all.source.slice(0, range.clone())?.contiguous(), all.target.slice(0, range)?.contiguous());
        Ok(Samples::default().ids("x", x).ids("y", y))
    };
    let test = pairs.len() / 5;
    Ok(Sets { train: part(test..pairs.len())?, test: part(0..test)? })
}
