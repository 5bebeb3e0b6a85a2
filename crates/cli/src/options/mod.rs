//! The options of training: as given on the command line or in a file, and as the parts of a run take them.

pub(crate) mod names;
pub(crate) mod values;

use anyhow::{Result, bail};
use clap::Args;
use names::{Augment, Data, OptimizerName, ScheduleName};
use std::path::PathBuf;
use wengert::nn::optim::Optimizer;
use wengert::train::Every;

/// The options that all models share, as far as they are given. Global, so that they can stand after the model's name.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub(crate) struct TrainOptions {
    /// What is learned from [default: the first that `wengert models` names]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Training")]
    pub(crate) data: Option<Data>,

    /// The user's files, for those data that come from them
    #[arg(long, global = true, value_name = "PATH", help_heading = "Training")]
    pub(crate) data_path: Option<PathBuf>,

    /// Learn from this number of labelled samples only, the same number of each class
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1_000_000_000>)]
    #[arg(help_heading = "Training")]
    pub(crate) labels: Option<usize>,

    /// What is done to images, anew in each epoch
    #[arg(long, global = true, value_name = "NAME,…", value_delimiter = ',', help_heading = "Training")]
    pub(crate) augment: Vec<Augment>,

    /// How often each sample is learned from [default: the model's, which `wengert models` shows]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    pub(crate) epochs: Option<usize>,

    /// The number of samples in a step [default: the model's]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    pub(crate) batch_size: Option<usize>,

    /// The number of batches whose gradients make up a step [default: 1]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    pub(crate) accumulate: Option<usize>,

    /// How weights are updated [default: the model's]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Training")]
    pub(crate) optimizer: Option<OptimizerName>,

    /// The momentum of sgd; with 0 it is plain gradient descent [default: 0.9]
    #[arg(long, global = true, value_name = "PART", value_parser = values::decay, help_heading = "Training")]
    pub(crate) momentum: Option<f64>,

    /// The learning rate [default: the model's, or with another optimizer that one's usual rate]
    #[arg(long, global = true, value_name = "RATE", value_parser = values::learning_rate)]
    #[arg(help_heading = "Training")]
    pub(crate) lr: Option<f64>,

    /// How the learning rate goes [default: the model's]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Training")]
    pub(crate) schedule: Option<ScheduleName>,

    /// Steps over which the learning rate rises first [default: 0]
    #[arg(long, global = true, value_name = "STEPS", help_heading = "Training")]
    pub(crate) warmup: Option<usize>,

    /// How strongly weights are drawn to 0 [default: as for the learning rate]
    #[arg(long, global = true, value_name = "DECAY", value_parser = values::weight_decay)]
    #[arg(help_heading = "Training")]
    pub(crate) weight_decay: Option<f64>,

    /// Scale gradients down whose joint norm is larger
    #[arg(long, global = true, value_name = "NORM", value_parser = values::clip, help_heading = "Training")]
    pub(crate) clip_norm: Option<f64>,

    /// Evaluate and keep a moving average of the weights, of which this part stays at each step
    #[arg(long, global = true, value_name = "DECAY", value_parser = values::decay, help_heading = "Training")]
    pub(crate) average: Option<f64>,

    /// Keep the weights of the epoch at which this measure of the held-out samples is best [default with --patience: loss]
    #[arg(long, global = true, value_name = "MEASURE", help_heading = "Training")]
    pub(crate) watch: Option<String>,

    /// Stop after this number of epochs without a better one
    #[arg(long, global = true, value_name = "EPOCHS", value_parser = values::count::<1_000_000>)]
    #[arg(help_heading = "Training")]
    pub(crate) patience: Option<usize>,

    /// The least improvement that counts as better [default: 0]
    #[arg(long, global = true, value_name = "DELTA", value_parser = values::weight_decay)]
    #[arg(help_heading = "Training")]
    pub(crate) min_delta: Option<f64>,

    /// What all randomness comes from: the split, the weights, the batches, dropout [default: 0]
    #[arg(long, global = true, value_name = "N", help_heading = "Training")]
    pub(crate) seed: Option<u64>,

    /// The part of the samples that is held out to test on [default: 0.2]
    #[arg(long, global = true, value_name = "FRACTION", help_heading = "Training")]
    #[arg(value_parser = values::test_fraction)]
    pub(crate) test_fraction: Option<f64>,

    /// Save the run so often, to be taken up by `wengert resume`: 100steps, or 2epochs
    #[arg(long, global = true, value_name = "STEPS|EPOCHS", value_parser = values::every, help_heading = "Running")]
    pub(crate) checkpoint_every: Option<Every>,

    /// How many checkpoints are kept [default: 3]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<10_000>)]
    #[arg(help_heading = "Running")]
    pub(crate) keep_checkpoints: Option<usize>,

    /// Write events for TensorBoard into the folder
    #[arg(long, global = true, help_heading = "Running")]
    pub(crate) tensorboard: bool,

    /// Say at the end which parameters got no gradient, and where gradients vanished or exploded
    #[arg(long, global = true, help_heading = "Running")]
    pub(crate) gradient_flow: bool,

    /// Measure where the time goes, in 50 steps after the first 10: tables by pass, operation and module at the end, and a trace
    /// in profile.json, for ui.perfetto.dev
    #[arg(long, global = true, help_heading = "Running")]
    pub(crate) profile: bool,

    /// Options from a file, such as the config.toml of a run; those on the command line win
    #[arg(long, global = true, value_name = "FILE", help_heading = "Running")]
    pub(crate) config: Option<PathBuf>,

    /// The number of threads [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = values::count::<1024>, help_heading = "Running")]
    pub(crate) threads: Option<usize>,

    /// The folder for the results [default: runs/MODEL-seedN, numbered if it is taken]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Running")]
    pub(crate) out: Option<PathBuf>,

    /// Overwrite the results that the folder already holds
    #[arg(long, global = true, help_heading = "Running")]
    pub(crate) force: bool,
}

impl TrainOptions {
    /// These options, with `defaults` for those that are not given.
    pub(crate) fn over(self, defaults: Self) -> Self {
        TrainOptions {
            data: self.data.or(defaults.data),
            data_path: self.data_path.or(defaults.data_path),
            labels: self.labels.or(defaults.labels),
            augment: if self.augment.is_empty() { defaults.augment } else { self.augment },
            epochs: self.epochs.or(defaults.epochs),
            batch_size: self.batch_size.or(defaults.batch_size),
            accumulate: self.accumulate.or(defaults.accumulate),
            optimizer: self.optimizer.or(defaults.optimizer),
            momentum: self.momentum.or(defaults.momentum),
            lr: self.lr.or(defaults.lr),
            schedule: self.schedule.or(defaults.schedule),
            warmup: self.warmup.or(defaults.warmup),
            weight_decay: self.weight_decay.or(defaults.weight_decay),
            clip_norm: self.clip_norm.or(defaults.clip_norm),
            average: self.average.or(defaults.average),
            watch: self.watch.or(defaults.watch),
            patience: self.patience.or(defaults.patience),
            min_delta: self.min_delta.or(defaults.min_delta),
            seed: self.seed.or(defaults.seed),
            test_fraction: self.test_fraction.or(defaults.test_fraction),
            checkpoint_every: self.checkpoint_every.or(defaults.checkpoint_every),
            keep_checkpoints: self.keep_checkpoints.or(defaults.keep_checkpoints),
            tensorboard: self.tensorboard || defaults.tensorboard,
            gradient_flow: self.gradient_flow || defaults.gradient_flow,
            profile: self.profile || defaults.profile,
            config: self.config.or(defaults.config),
            threads: self.threads.or(defaults.threads),
            out: self.out.or(defaults.out),
            force: self.force || defaults.force,
        }
    }
}

/// The options of training whose default depends on the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Defaults {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) optimizer: OptimizerName,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: ScheduleName,
    pub(crate) clip_norm: Option<f64>,
}

impl Defaults {
    /// The options of AdamW for this number of epochs.
    pub(crate) fn epochs(epochs: usize) -> Self {
        let (lr, weight_decay) = OptimizerName::Adamw.defaults();
        Defaults {
            epochs,
            batch_size: 32,
            optimizer: OptimizerName::Adamw,
            lr,
            weight_decay,
            schedule: ScheduleName::Cosine,
            clip_norm: None,
        }
    }
}

/// The options of the data: what is read, how it is split, and the seed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataOptions {
    pub(crate) data: Data,
    /// The path of the user's files.
    pub(crate) path: Option<PathBuf>,
    /// The number of samples that keep their labels.
    pub(crate) labels: Option<usize>,
    pub(crate) augment: Vec<Augment>,
    pub(crate) test_fraction: f64,
    pub(crate) seed: u64,
}

/// The options of a step: its batch, and how it changes the weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepOptions {
    pub(crate) batch_size: usize,
    pub(crate) optimizer: OptimizerName,
    pub(crate) momentum: Option<f64>,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) average: Option<f64>,
}

impl StepOptions {
    pub(crate) fn optimizer(&self) -> Box<dyn Optimizer<f32>> {
        self.optimizer.build(self.lr, self.weight_decay, self.momentum)
    }
}

/// The words of a command line that give the options of a table: `--key=value`, or `--key` for a flag.
pub(crate) fn words(table: &toml::Table) -> Result<Vec<String>> {
    let words = table.iter().map(|(key, value)| word(&key.replace('_', "-"), value));
    Ok(words.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// One option as a word; `None` for a flag that is false and for an empty list.
fn word(key: &str, value: &toml::Value) -> Result<Option<String>> {
    Ok(match value {
        toml::Value::Boolean(given) => given.then(|| format!("--{key}")),
        toml::Value::Array(all) if all.is_empty() => None,
        toml::Value::Array(all) => {
            let all = all.iter().map(scalar).collect::<Result<Vec<_>>>()?;
            Some(format!("--{key}={}", all.join(",")))
        }
        value => Some(format!("--{key}={}", scalar(value)?)),
    })
}

fn scalar(value: &toml::Value) -> Result<String> {
    match value {
        toml::Value::String(s) => Ok(s.clone()),
        toml::Value::Integer(n) => Ok(n.to_string()),
        toml::Value::Float(x) => Ok(x.to_string()),
        other => bail!("expected a number or a text, found {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_wins_over_the_defaults() {
        let of = |seed, augment: &[Augment], tensorboard| TrainOptions {
            seed,
            augment: augment.to_vec(),
            tensorboard,
            ..TrainOptions::default()
        };
        let (low, high) = (of(Some(1), &[Augment::Flip], true), of(Some(2), &[Augment::Crop], false));
        assert_eq!(high.over(low.clone()), of(Some(2), &[Augment::Crop], true));
        assert_eq!(TrainOptions::default().over(low.clone()), low);
    }

    #[test]
    fn a_table_is_said_in_words() {
        let said = |text: &str| words(&toml::from_str(text).unwrap()).map_err(|e| e.to_string());
        let text = "a_b = 1\nc = [1.5, 2.0]\nd = true\ne = false\nf = []\ng = \"x y\"";
        assert_eq!(said(text), Ok(["--a-b=1", "--c=1.5,2", "--d", "--g=x y"].map(str::to_owned).to_vec()));
        assert!(said("a = 1979-05-27").unwrap_err().starts_with("expected a number or a text"));
    }
}
