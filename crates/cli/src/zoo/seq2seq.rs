//! The options of the recurrent encoder and decoder.

use super::{About, Experiment, Model, NOT_FOR_SEQUENCES, Sample, Supervised};
use crate::options::names::{Data, PAIRS};
use crate::options::{DataOptions, Defaults, values};
use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wengert::data::{BEGIN, END, PAD, PairBatch, Pairs};
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::{MetricKind, Outcome, task};
use wengert::{Module, Tape, Var};

const EXAMPLES: &str = "\
Examples:
  wengert train seq2seq
  wengert train seq2seq --data pairs --data-path words.tsv
  wengert sample runs/seq2seq-seed0 --prompt 'New Zealand'";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Seq2SeqOptions {
    /// The features of the states
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    hidden: usize,

    /// The features of a character's vector
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    embedding: usize,
}

impl Model for Seq2SeqOptions {
    fn about(&self) -> About {
        About {
            name: "seq2seq",
            data: PAIRS,
            expect: "a perplexity of 3 on names that it has not seen",
            refuses: NOT_FOR_SEQUENCES,
        }
    }

    fn defaults(&self, _: Data) -> Defaults {
        Defaults { clip_norm: Some(1.0), ..Defaults::epochs(20) }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let (train, test) = options.pairs()?;
        let shape = zoo::Seq2SeqConfig {
            source: train.source().len(),
            target: train.target().len(),
            embedding: self.embedding,
            hidden: self.hidden,
            padding: PAD,
        };
        let model = zoo::Seq2Seq::with_config(&shape, &mut Rng::seed(options.seed));
        translation(
            (model, train, test),
            |model, batch, tape| model.loss(tape, &batch.source, &batch.target),
            |model, ids, longest| Ok(model.translate(ids, BEGIN, END, longest)?.0),
        )
    }
}

/// The experiment of a model that learns from pairs, from its loss and a function that maps a source's ids to those of a
/// translation.
pub(super) fn translation<M: Module + 'static>(
    (model, train, test): (M, Pairs, Pairs),
    loss: impl for<'t> Fn(&M, &PairBatch, &'t Tape<f32>) -> Var<'t, f32> + 'static,
    translate: impl Fn(&M, &[i64], usize) -> wengert::Result<Vec<i64>> + 'static,
) -> Result<Box<dyn Experiment>> {
    let (source, target) = (train.source().clone(), train.target().clone());
    let learn = task(move |model: &M, batch: &PairBatch, tape: &Tape<f32>| {
        let tokens = tokens(batch);
        let outcome = Outcome::weighted(loss(model, batch, tape), batch.indices.len(), tokens)?;
        let nats = outcome.measures.loss();
        Ok(outcome.measured(|m| m.with("perplexity", MetricKind::Exp, nats, tokens as f64)))
    });
    Supervised::new(model, Arc::new(train), test, learn)
        .generates(move |model, options| {
            let Some(prompt) = &options.prompt else { bail!("give what is to be translated with --prompt") };
            let ids = source.encode(prompt).context("--prompt")?;
            Ok(Sample::Text(target.decode(&translate(model, &ids, options.length)?)?))
        })
        .boxed()
}

/// The number of tokens of a batch that are predicted: all of each target except the first.
fn tokens(batch: &PairBatch) -> usize {
    let all: i64 = batch.target_lengths.to_vec().into_iter().sum();
    (all as usize).saturating_sub(batch.indices.len())
}
