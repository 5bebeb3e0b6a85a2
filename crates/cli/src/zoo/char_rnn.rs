//! The recurrent language model's options.

use super::{About, Experiment, Model, NOT_FOR_SEQUENCES, Sample, SampleOptions, Supervised};
use crate::options::names::{Data, TEXTS, names};
use crate::options::{DataOptions, Defaults, values};
use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wengert::data::{TokenBatch, Vocabulary};
use wengert::nn::zoo::{self, LanguageModel, generate};
use wengert::ops::random::Rng;
use wengert::train::NextToken;

const EXAMPLES: &str = "\
Examples:
  wengert train char-rnn
  wengert train char-rnn --recurrence gru --hidden 512 --layers 2
  wengert train char-rnn --data text --data-path novel.txt --out runs/novel
  wengert sample runs/novel --prompt 'It was a ' --length 1000";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CharRnnOptions {
    /// The kind of recurrence
    #[arg(long, value_name = "NAME", default_value = "lstm", help_heading = "Model")]
    recurrence: RecurrenceName,

    /// The features of the state
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    hidden: usize,

    /// The features of a character's vector
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    embedding: usize,

    /// The recurrent layers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count::<64>, help_heading = "Model")]
    layers: usize,

    /// The probability of dropping a feature between layers in training
    #[arg(long, value_name = "P", default_value_t = 0.1, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,

    /// The characters of a sample
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<65536>)]
    #[arg(help_heading = "Model")]
    window: usize,
}

names! {
    RecurrenceName for zoo::Recurrence {
        /// Elman's
        Rnn,
        /// Long short-term memory
        Lstm,
        /// Gated recurrent unit
        Gru,
    }
}

impl Model for CharRnnOptions {
    fn about(&self) -> About {
        About {
            name: "char-rnn",
            data: TEXTS,
            expect: "a perplexity of 6 on the last fifth of Hamlet",
            refuses: NOT_FOR_SEQUENCES,
        }
    }

    fn defaults(&self, _: Data) -> Defaults {
        Defaults { clip_norm: Some(1.0), ..Defaults::epochs(30) }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let (train, test) = options.text()?;
        let vocabulary = train.vocabulary().clone();
        let shape = zoo::CharRnnConfig {
            vocabulary: vocabulary.len(),
            embedding: self.embedding,
            recurrence: self.recurrence.into(),
            hidden: self.hidden,
            layers: self.layers,
            dropout: self.dropout,
        };
        let model = zoo::CharRnn::with_config(&shape, &mut Rng::seed(options.seed));
        let (train, test) =
            (train.windows(self.window, self.window)?, test.windows(self.window, self.window)?);
        Supervised::<_, TokenBatch>::new(model, Arc::new(train), test, NextToken)
            .generates(move |model, options| continue_prompt(model, &vocabulary, options))
            .boxed()
    }
}

/// Texts that begin with the prompt and are continued by the model.
pub(super) fn continue_prompt<M: LanguageModel<f32>>(
    model: &M,
    vocabulary: &Vocabulary,
    options: &SampleOptions,
) -> Result<Sample> {
    let prompt = options.prompt.as_deref().unwrap_or("\n");
    ensure!(!prompt.is_empty(), "--prompt: expected at least one character to continue from");
    let prompt =
        vocabulary.encode(prompt).context("--prompt: the model knows only the characters of its text")?;
    let mut rng = Rng::seed(options.seed);
    let mut texts = Vec::new();
    for _ in 0..options.count.unwrap_or(1) {
        let ids = generate(model, &prompt, options.length, options.decoding, &mut rng)?;
        texts.push(vocabulary.decode(&ids)?.trim_start_matches('\n').to_owned());
    }
    Ok(Sample::Text(texts.join("\n\n----\n\n")))
}
