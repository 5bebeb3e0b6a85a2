//! config.json: everything that a run depends on, and so everything that is needed to have it again.

use crate::values::{Optimizer, Schedule};
use crate::zoo::Architecture;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use wengert::data::{Classification, digits};
use wengert::nn::Layer;
use wengert::ops::random::Rng;
use wengert::train::RunFolder;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The version of the command that wrote this.
    pub(crate) version: String,
    pub(crate) data: Data,
    pub(crate) inputs: usize,
    pub(crate) classes: usize,
    pub(crate) model: Architecture,
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) optimizer: Optimizer,
    pub(crate) learning_rate: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: Schedule,
    pub(crate) seed: u64,
    pub(crate) test_fraction: f64,
    /// As asked for; the results do not depend on it.
    pub(crate) threads: Option<usize>,
}

/// What is learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Data {
    Digits,
}

impl Data {
    pub(crate) fn read(self) -> Result<Classification> {
        match self {
            Data::Digits => Ok(digits()?),
        }
    }
}

impl Config {
    /// The options of a run that is over.
    pub(crate) fn of(folder: &RunFolder) -> Result<Self> {
        let shown = folder.path().display();
        ensure!(
            folder.path().join("config.json").is_file(),
            "there is no config.json in {shown}; give a folder that `wengert train` made"
        );
        let context = || format!("the options of the run in {shown} cannot be used");
        let config: Config = folder.read_config().with_context(context)?;
        config.check().with_context(context)?;
        Ok(config)
    }

    /// Whether the model is one for the data: the options may have been changed by hand.
    fn check(&self) -> Result<()> {
        let data = self.data.read()?;
        let (inputs, classes) = (data.inputs().shape()[1], data.classes());
        ensure!(
            (self.inputs, self.classes) == (inputs, classes),
            "the data have {inputs} inputs and {classes} classes, the model {} and {}",
            self.inputs,
            self.classes
        );
        Ok(())
    }

    /// The part to train on and the part to test on: the same whenever they are asked for.
    pub(crate) fn split(&self) -> Result<(Classification, Classification)> {
        let (train, test) = self.data.read()?.stratified_split(self.test_fraction, self.seed)?;
        ensure!(
            !train.is_empty() && !test.is_empty(),
            "a test fraction of {} leaves {} samples to train on and {} to test on; take one nearer to 0.2",
            self.test_fraction,
            train.len(),
            test.len()
        );
        Ok((train, test))
    }

    /// The model before training.
    pub(crate) fn build(&self) -> Result<Box<dyn Layer<f32>>> {
        self.model.build(self.inputs, self.classes, &mut Rng::seed(self.seed))
    }

    /// The model after training, and the fingerprint of its weights.
    pub(crate) fn load(&self, folder: &RunFolder) -> Result<(Box<dyn Layer<f32>>, u64)> {
        let mut model = self.build()?;
        let weights = folder.load(&mut model).with_context(|| {
            let shown = folder.path().display();
            format!("the weights in {shown} cannot be used; train them again, or take another run")
        })?;
        Ok((model, weights))
    }
}
