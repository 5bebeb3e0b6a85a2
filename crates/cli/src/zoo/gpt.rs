//! The GPT-style language model's options.

use super::char_rnn::continue_prompt;
use super::vit::heads_fit;
use super::{About, Experiment, Model, NOT_FOR_SEQUENCES, Supervised};
use crate::options::names::{Data, TEXTS};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wengert::data::TokenBatch;
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::NextToken;

const EXAMPLES: &str = "\
Examples:
  wengert train gpt
  wengert train gpt --layers 6 --width 256 --heads 8 --context 256
  wengert sample runs/gpt-seed0 --prompt 'HAMLET.' --length 500 --temperature 0.8";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct GptOptions {
    /// The characters that it looks back on
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<65536>)]
    #[arg(help_heading = "Model")]
    context: usize,

    /// The features of each step
    #[arg(long, value_name = "N", default_value_t = 96, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    width: usize,

    /// The heads of attention, which share the features evenly
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = values::count::<256>, help_heading = "Model")]
    heads: usize,

    /// The blocks
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = values::count::<256>, help_heading = "Model")]
    layers: usize,

    /// The probability of dropping a feature in training
    #[arg(long, value_name = "P", default_value_t = 0.1, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,
}

impl Model for GptOptions {
    fn about(&self) -> About {
        About {
            name: "gpt",
            data: TEXTS,
            expect: "a perplexity of 6 on the last fifth of Hamlet",
            refuses: NOT_FOR_SEQUENCES,
        }
    }

    fn defaults(&self, _: Data) -> Defaults {
        Defaults { clip_norm: Some(1.0), lr: 0.002, weight_decay: 0.1, ..Defaults::epochs(40) }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let GptOptions { context, width, heads, layers, dropout } = *self;
        heads_fit(width, heads)?;
        let (train, test) = options.text()?;
        let text = train.vocabulary().clone();
        let shape = zoo::GptConfig { vocabulary: text.len(), context, width, heads, layers, dropout };
        let model = zoo::Gpt::with_config(&shape, &mut Rng::seed(options.seed));
        let (train, test) = (train.windows(context, context)?, test.windows(context, context)?);
        Supervised::<_, TokenBatch>::new(model, Arc::new(train), test, NextToken)
            .generates(move |model, options| continue_prompt(model, &text, options))
            .boxed()
    }
}
