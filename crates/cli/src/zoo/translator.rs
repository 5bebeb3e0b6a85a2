//! The options of the encoder-decoder Transformer.

use super::seq2seq::translation;
use super::vit::heads_fit;
use super::{About, Experiment, Model, NOT_FOR_SEQUENCES};
use crate::options::names::{Data, PAIRS};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::data::{BEGIN, END, PAD};
use wengert::nn::zoo;
use wengert::ops::random::Rng;

const EXAMPLES: &str = "\
Examples:
  wengert train translator
  wengert train translator --data pairs --data-path words.tsv
  wengert sample runs/translator-seed0 --prompt 'New Zealand'";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TranslatorOptions {
    /// The features of each step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    width: usize,

    /// The heads of attention, which share the features evenly
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = values::count::<256>, help_heading = "Model")]
    heads: usize,

    /// The layers of the encoder, and of the decoder
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count::<256>, help_heading = "Model")]
    layers: usize,

    /// The probability of dropping a feature in training
    #[arg(long, value_name = "P", default_value_t = 0.1, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,
}

impl Model for TranslatorOptions {
    fn about(&self) -> About {
        About {
            name: "translator",
            data: PAIRS,
            expect: "a perplexity of 3 on names that it has not seen",
            refuses: NOT_FOR_SEQUENCES,
        }
    }

    fn defaults(&self, _: Data) -> Defaults {
        Defaults { clip_norm: Some(1.0), lr: 0.002, ..Defaults::epochs(40) }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let TranslatorOptions { width, heads, layers, dropout } = *self;
        heads_fit(width, heads)?;
        let (train, test) = options.pairs()?;
        let shape = zoo::TranslatorConfig {
            source: train.source().len(),
            target: train.target().len(),
            width,
            heads,
            hidden: 2 * width,
            layers,
            dropout,
            padding: PAD,
        };
        let model = zoo::Translator::with_config(&shape, &mut Rng::seed(options.seed));
        translation(
            (model, train, test),
            |model, batch, tape| model.loss(tape, &batch.source, &batch.target),
            |model, ids, longest| model.translate(ids, BEGIN, END, longest),
        )
    }
}
