//! `wengert train`: from options to a run folder.

use super::run::{self, Run};
use crate::config::Config;
use crate::data::Data;
use crate::values::{self, Augment, Every, Optimizer, Schedule};
use crate::zoo::Architecture;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;
use wengert::train::{Error, Existing, RunFolder};

#[derive(Debug, Args)]
#[command(subcommand_value_name = "MODEL", subcommand_help_heading = "Models", after_help = EXAMPLES)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Train {
    #[command(subcommand)]
    model: Architecture,
    #[command(flatten)]
    options: Options,
}

const EXAMPLES: &str = "\
Examples:
  wengert train mlp
  wengert train mlp --epochs 50 --seed 7 --out runs/mine
  wengert train mlp --help              all options of one model";

/// The options that all models share; global, so that they can stand after the model's name.
#[derive(Debug, Args)]
struct Options {
    /// What is learned from [default: the first that `wengert models` names]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Training")]
    data: Option<Data>,

    /// The user's files, for those data that come from them
    #[arg(long, global = true, value_name = "PATH", help_heading = "Training")]
    data_path: Option<PathBuf>,

    /// Learn from so many labelled samples only, as many of each class
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1_000_000_000>)]
    #[arg(help_heading = "Training")]
    labels: Option<usize>,

    /// What is done to images, anew in each epoch
    #[arg(long, global = true, value_name = "NAME,…", value_delimiter = ',', help_heading = "Training")]
    augment: Vec<Augment>,

    /// How often each sample is learned from [default: the model's, which `wengert models` shows]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    epochs: Option<usize>,

    /// The number of samples in a step [default: the model's]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    batch_size: Option<usize>,

    /// The number of batches whose gradients make up a step
    #[arg(long, global = true, value_name = "N", default_value_t = 1, value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    accumulate: usize,

    /// How weights are updated [default: the model's]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Training")]
    optimizer: Option<Optimizer>,

    /// The momentum of sgd; with 0 it is plain gradient descent [default: 0.9]
    #[arg(long, global = true, value_name = "PART", value_parser = values::decay, help_heading = "Training")]
    momentum: Option<f64>,

    /// The learning rate [default: the model's, or with another optimizer that one's usual rate]
    #[arg(long, global = true, value_name = "RATE", value_parser = values::learning_rate)]
    #[arg(help_heading = "Training")]
    lr: Option<f64>,

    /// How the learning rate goes [default: the model's]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Training")]
    schedule: Option<Schedule>,

    /// Steps over which the learning rate rises first
    #[arg(long, global = true, value_name = "STEPS", default_value_t = 0, help_heading = "Training")]
    warmup: usize,

    /// How strongly weights are drawn to 0 [default: as for the learning rate]
    #[arg(long, global = true, value_name = "DECAY", value_parser = values::weight_decay)]
    #[arg(help_heading = "Training")]
    weight_decay: Option<f64>,

    /// Scale gradients down whose joint norm is larger
    #[arg(long, global = true, value_name = "NORM", value_parser = values::clip, help_heading = "Training")]
    clip_norm: Option<f64>,

    /// Evaluate and keep a moving average of the weights, of which this part stays at each step
    #[arg(long, global = true, value_name = "DECAY", value_parser = values::decay, help_heading = "Training")]
    average: Option<f64>,

    /// Keep the weights of the epoch at which this measure of the held-out samples is best [default with --patience: loss]
    #[arg(long, global = true, value_name = "MEASURE", help_heading = "Training")]
    watch: Option<String>,

    /// Stop after so many epochs without a better one
    #[arg(long, global = true, value_name = "EPOCHS", value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    patience: Option<usize>,

    /// By how much an epoch has to be better to count as better
    #[arg(long, global = true, value_name = "DELTA", default_value_t = 0.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Training")]
    min_delta: f64,

    /// What all randomness comes from: the split, the weights, the batches, dropout
    #[arg(long, global = true, value_name = "N", default_value_t = 0, help_heading = "Training")]
    seed: u64,

    /// The part of the samples that is held out to test on
    #[arg(long, global = true, value_name = "FRACTION", default_value_t = 0.2, help_heading = "Training")]
    #[arg(value_parser = values::test_fraction)]
    test_fraction: f64,

    /// Save the run so often, to be taken up by `wengert resume`: 100steps, or 2epochs
    #[arg(long, global = true, value_name = "STEPS|EPOCHS", value_parser = values::every, help_heading = "Running")]
    checkpoint_every: Option<Every>,

    /// How many checkpoints are kept
    #[arg(long, global = true, value_name = "N", default_value_t = 3, value_parser = values::count::<10_000>)]
    #[arg(help_heading = "Running")]
    keep_checkpoints: usize,

    /// Write events for TensorBoard into the folder
    #[arg(long, global = true, help_heading = "Running")]
    tensorboard: bool,

    /// Say at the end which parameters got no gradient, and where gradients vanished or exploded
    #[arg(long, global = true, help_heading = "Running")]
    gradient_flow: bool,

    /// Options from a file, such as the config.toml of a run; those on the command line win
    #[arg(long, global = true, value_name = "FILE", help_heading = "Running")]
    config: Option<PathBuf>,

    /// The number of threads [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1024>, help_heading = "Running")]
    threads: Option<usize>,

    /// The folder for the results [default: runs/MODEL-seedN, numbered if it is taken]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Running")]
    out: Option<PathBuf>,

    /// Overwrite the results that the folder already holds
    #[arg(long, global = true, requires = "out", help_heading = "Running")]
    force: bool,
}

impl Train {
    pub(crate) fn run(self) -> Result<String> {
        let Train { model, options } = self;
        run::threads(options.threads)?;
        let config = options.config(model);
        config.check()?;
        let mut experiment = config.model.model().experiment(&config)?;
        // When the data are there, and before anything is trained: what cannot be kept need not be learned.
        let folder = options.folder(&config)?;
        let _lock = folder.lock()?;
        folder.write_config(&config)?;
        Run { config: &config, folder: &folder, resume: None }.of(&mut *experiment)
    }
}

impl Options {
    fn config(&self, model: Architecture) -> Config {
        let data = self.data.unwrap_or(model.model().data()[0]);
        let usual = Config::on(model, data);
        let optimizer = self.optimizer.unwrap_or(usual.optimizer);
        let (rate, decay) = match optimizer == usual.optimizer {
            true => (usual.lr, usual.weight_decay),
            false => optimizer.usual(),
        };
        Config {
            data_path: self.data_path.clone(),
            labels: self.labels,
            augment: self.augment.clone(),
            epochs: self.epochs.unwrap_or(usual.epochs),
            batch_size: self.batch_size.unwrap_or(usual.batch_size),
            accumulate: self.accumulate,
            optimizer,
            momentum: self.momentum,
            lr: self.lr.unwrap_or(rate),
            weight_decay: self.weight_decay.unwrap_or(decay),
            schedule: self.schedule.unwrap_or(usual.schedule),
            warmup: self.warmup,
            clip_norm: self.clip_norm.or(usual.clip_norm),
            average: self.average,
            watch: self.watch.clone(),
            patience: self.patience,
            min_delta: self.min_delta,
            seed: self.seed,
            test_fraction: self.test_fraction,
            checkpoint_every: self.checkpoint_every,
            keep_checkpoints: self.keep_checkpoints,
            tensorboard: self.tensorboard,
            gradient_flow: self.gradient_flow,
            threads: self.threads,
            ..usual
        }
    }

    fn folder(&self, config: &Config) -> Result<RunFolder> {
        let Some(out) = &self.out else {
            let name = format!("{}-seed{}", config.model.model().name(), config.seed);
            return Ok(RunFolder::numbered("runs", &name)?);
        };
        let existing = match self.force {
            true => Existing::Overwrite,
            false => Existing::Refuse,
        };
        match RunFolder::create(out, existing) {
            Err(Error::Occupied { path }) => bail!(
                "the folder {} is not empty; name another with --out, or overwrite its results with --force",
                path.display()
            ),
            other => Ok(other?),
        }
    }
}
