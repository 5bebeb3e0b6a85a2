//! The recurrent language model's options.

use super::{Experiment, Model, Sample, Supervised, Usual, Wanted};
use crate::config::Config;
use crate::data::{Data, TEXTS};
use crate::values;
use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
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
pub(crate) struct CharRnn {
    /// The kind of recurrence
    #[arg(long, value_name = "NAME", default_value = "lstm", help_heading = "Model")]
    recurrence: Recurrence,

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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Recurrence {
    /// Elman's
    Rnn,
    /// Long short-term memory
    Lstm,
    /// Gated recurrent unit
    Gru,
}

impl Model for CharRnn {
    fn name(&self) -> &'static str {
        "char-rnn"
    }

    fn data(&self) -> &'static [Data] {
        TEXTS
    }

    fn expect(&self) -> &'static str {
        "a perplexity of 6 on the last fifth of Hamlet"
    }

    fn usual(&self, _: Data) -> Usual {
        Usual { clip_norm: Some(1.0), ..Usual::epochs(30) }
    }

    fn refuses(&self) -> &'static [&'static str] {
        super::OF_SEQUENCES
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let (train, test) = config.data.text(config)?;
        let vocabulary = train.vocabulary().clone();
        let shape = zoo::CharRnnConfig {
            vocabulary: vocabulary.len(),
            embedding: self.embedding,
            recurrence: match self.recurrence {
                Recurrence::Rnn => zoo::Recurrence::Rnn,
                Recurrence::Lstm => zoo::Recurrence::Lstm,
                Recurrence::Gru => zoo::Recurrence::Gru,
            },
            hidden: self.hidden,
            layers: self.layers,
            dropout: self.dropout,
        };
        let model = zoo::CharRnn::with_config(&shape, &mut Rng::seed(config.seed));
        let (train, test) =
            (train.windows(self.window, self.window)?, test.windows(self.window, self.window)?);
        Supervised::<_, TokenBatch>::new(model, Arc::new(train), test, NextToken)
            .makes(move |model, wanted| continued(model, &vocabulary, wanted))
            .boxed()
    }
}

/// The prompt and what the model makes of it, as often as was asked for.
pub(super) fn continued<M: LanguageModel<f32>>(
    model: &M,
    vocabulary: &Vocabulary,
    wanted: &Wanted,
) -> Result<Sample> {
    let prompt = wanted.prompt.as_deref().unwrap_or("\n");
    ensure!(!prompt.is_empty(), "--prompt: expected at least one character to go on from");
    let prompt =
        vocabulary.encode(prompt).context("--prompt: the model knows only the characters of its text")?;
    let mut rng = Rng::seed(wanted.seed);
    let mut texts = Vec::new();
    for _ in 0..wanted.count.unwrap_or(1) {
        let ids = generate(model, &prompt, wanted.length, wanted.decoding, &mut rng)?;
        texts.push(vocabulary.decode(&ids)?.trim_start_matches('\n').to_owned());
    }
    Ok(Sample::Text(texts.join("\n\n----\n\n")))
}
