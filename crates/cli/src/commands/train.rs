//! `wengert train`: from options to a run folder.

use super::{EVALUATION_BATCH, test_lines};
use crate::config::{Config, Data};
use crate::values::{self, Optimizer, Schedule};
use crate::zoo::Architecture;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wengert::data::Loader;
use wengert::nn::optim::{self, Adam, AdamConfig, Sgd, SgdConfig};
use wengert::train::{Epoch, Error, Existing, FitConfig, Observer, Plan, Progress, RunFolder, Step, fit};

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
    /// How often each sample is learned from
    #[arg(long, global = true, value_name = "N", default_value_t = 100, value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    epochs: usize,

    /// The number of samples in a step
    #[arg(long, global = true, value_name = "N", default_value_t = 32, value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    batch_size: usize,

    /// How weights are updated
    #[arg(long, global = true, value_name = "NAME", default_value = "adamw", help_heading = "Training")]
    optimizer: Optimizer,

    /// The learning rate [default: 0.003 for adam and adamw, 0.05 for sgd]
    #[arg(long, global = true, value_name = "RATE", value_parser = values::learning_rate)]
    #[arg(help_heading = "Training")]
    lr: Option<f64>,

    /// How the learning rate goes
    #[arg(long, global = true, value_name = "NAME", default_value = "cosine", help_heading = "Training")]
    schedule: Schedule,

    /// How strongly weights are drawn to 0 [default: 0.01 for adamw, 0 for adam, 0.0001 for sgd]
    #[arg(long, global = true, value_name = "DECAY", value_parser = values::weight_decay)]
    #[arg(help_heading = "Training")]
    weight_decay: Option<f64>,

    /// What all randomness comes from: the split, the weights, the batches, dropout
    #[arg(long, global = true, value_name = "N", default_value_t = 0, help_heading = "Training")]
    seed: u64,

    /// The part of the samples that is held out to test on
    #[arg(long, global = true, value_name = "FRACTION", default_value_t = 0.2, help_heading = "Training")]
    #[arg(value_parser = values::test_fraction)]
    test_fraction: f64,

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
        if let Some(n) = options.threads {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build_global();
            pool.with_context(|| format!("{n} threads cannot be started; ask for fewer"))?;
        }
        let config = options.config(model)?;
        let (train, test) = config.split()?;
        let loader = Loader::new(&train, config.batch_size, config.seed)?;
        let mut model = config.build()?;
        let mut optimizer = optimizer(&config);
        // Before anything is trained: what cannot be kept need not be learned.
        let folder = options.folder(&config)?;
        folder.write_config(&config)?;

        let fit_config = FitConfig {
            epochs: config.epochs,
            seed: config.seed,
            schedule: config.schedule.into(),
            evaluation_batch: EVALUATION_BATCH,
        };
        let mut watch = Watch {
            progress: Progress::stderr(),
            folder: &folder,
            epochs: Vec::new(),
            written: Instant::now(),
        };
        let trained = fit(&mut model, &mut *optimizer, &loader, &test, &fit_config, &mut watch);
        // What was measured before a failure is kept too.
        folder.write_metrics(&watch.epochs)?;
        let epochs = trained?;
        let weights = folder.save(&model)?;
        folder
            .write_curves(&format!("{} on the digits, seed {}", config.model.name(), config.seed), &epochs)?;

        let Some(last) = epochs.last() else { bail!("no epoch was trained") };
        let seconds: f64 = epochs.iter().map(|e| e.seconds).sum();
        Ok(format!(
            "{}\ntraining seconds {seconds:.2}\nrun folder {}\nweights {weights:016x}",
            test_lines(&last.test),
            folder.path().display()
        ))
    }
}

/// How old the metrics in the folder may be: writing them at each of many short epochs would take longer than these.
const FRESH: Duration = Duration::from_secs(1);

/// Shows the run and keeps its metrics up to date.
struct Watch<'r> {
    progress: Progress<'r>,
    folder: &'r RunFolder,
    epochs: Vec<Epoch>,
    written: Instant,
}

impl Observer for Watch<'_> {
    fn start(&mut self, plan: &Plan) {
        self.progress.start(plan);
    }
    fn step(&mut self, step: &Step) {
        self.progress.step(step);
    }
    fn warning(&mut self, message: &str) {
        self.progress.warning(message);
    }
    fn epoch(&mut self, epochs: &[Epoch]) -> wengert::train::Result<()> {
        self.progress.epoch(epochs)?;
        self.epochs.extend(epochs.last());
        if self.written.elapsed() > FRESH {
            self.folder.write_metrics(epochs)?;
            self.written = Instant::now();
        }
        Ok(())
    }
    fn finish(&mut self) {
        self.progress.finish();
    }
}

impl Options {
    fn config(&self, model: Architecture) -> Result<Config> {
        let (rate, decay) = match self.optimizer {
            Optimizer::Adam => (0.003, 0.0),
            Optimizer::Adamw => (0.003, 0.01),
            Optimizer::Sgd => (0.05, 1e-4),
        };
        let data = Data::Digits.read()?;
        Ok(Config {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: Data::Digits,
            inputs: data.inputs().shape()[1],
            classes: data.classes(),
            model,
            epochs: self.epochs,
            batch_size: self.batch_size,
            optimizer: self.optimizer,
            learning_rate: self.lr.unwrap_or(rate),
            weight_decay: self.weight_decay.unwrap_or(decay),
            schedule: self.schedule,
            seed: self.seed,
            test_fraction: self.test_fraction,
            threads: self.threads,
        })
    }

    fn folder(&self, config: &Config) -> Result<RunFolder> {
        let Some(out) = &self.out else {
            let name = format!("{}-seed{}", config.model.name(), config.seed);
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

fn optimizer(config: &Config) -> Box<dyn optim::Optimizer<f32>> {
    let (learning_rate, weight_decay) = (config.learning_rate, config.weight_decay);
    let adam = AdamConfig { learning_rate, weight_decay, ..AdamConfig::default() };
    match config.optimizer {
        Optimizer::Adam => Box::new(Adam::with(adam)),
        Optimizer::Adamw => Box::new(Adam::with(AdamConfig { decoupled: true, ..adam })),
        Optimizer::Sgd => {
            let nesterov = SgdConfig { momentum: 0.9, nesterov: true, ..SgdConfig::default() };
            Box::new(Sgd::with(SgdConfig { learning_rate, weight_decay, ..nesterov }))
        }
    }
}
