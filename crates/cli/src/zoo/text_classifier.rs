//! The options of the Transformer that classifies texts.

use super::vit::heads_fit;
use super::{About, Experiment, Model, NOT_FOR_SEQUENCES, Supervised};
use crate::options::names::{Data, LABELLED_TEXTS, names};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wengert::Tape;
use wengert::data::TextsBatch;
use wengert::nn::{loss, zoo};
use wengert::ops::random::Rng;
use wengert::train::{Outcome, metrics, task};

const EXAMPLES: &str = "\
Examples:
  wengert train text-classifier
  wengert train text-classifier --data texts --data-path reviews.tsv --pooling class";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TextClassifierOptions {
    /// The features of each character
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    width: usize,

    /// The heads of attention, which share the features evenly
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = values::count::<256>, help_heading = "Model")]
    heads: usize,

    /// The blocks
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count::<256>, help_heading = "Model")]
    layers: usize,

    /// The probability of dropping a feature in training
    #[arg(long, value_name = "P", default_value_t = 0.1, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,

    /// What the last layer reads
    #[arg(long, value_name = "NAME", default_value = "mean", help_heading = "Model")]
    pooling: PoolingName,
}

names! {
    PoolingName for zoo::Pooling {
        /// The mean over the characters
        Mean,
        /// A learned vector in front of them
        Class,
    }
}

impl Model for TextClassifierOptions {
    fn about(&self) -> About {
        About {
            name: "text-classifier",
            data: LABELLED_TEXTS,
            expect: "75 % of the names told English from German",
            refuses: NOT_FOR_SEQUENCES,
        }
    }

    fn defaults(&self, _: Data) -> Defaults {
        Defaults { clip_norm: Some(1.0), lr: 0.002, ..Defaults::epochs(20) }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let TextClassifierOptions { width, heads, layers, dropout, pooling } = *self;
        heads_fit(width, heads)?;
        let (train, test) = options.texts()?;
        let shape = zoo::TextClassifierConfig {
            vocabulary: train.vocabulary().len(),
            classes: train.classes().len(),
            longest: train.longest().max(test.longest()),
            width,
            heads,
            layers,
            dropout,
            pooling: pooling.into(),
        };
        let model = zoo::TextClassifier::with_config(&shape, &mut Rng::seed(options.seed));
        let classify = task(|model: &zoo::TextClassifier<f32>, batch: &TextsBatch, tape: &Tape<f32>| {
            let n = batch.indices.len();
            let logits = model.logits(tape, &batch.ids, &batch.lengths);
            let right = metrics::accuracy(&logits.value()?, &batch.labels)? * n as f64;
            let outcome = Outcome::of(loss::cross_entropy(logits, &batch.labels), n)?;
            Ok(outcome.measured(|m| m.share("accuracy", right.round() as usize, n)))
        });
        Supervised::new(model, Arc::new(train), test, classify).boxed()
    }
}
