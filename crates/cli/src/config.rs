//! config.toml: everything that a run depends on, and so everything that is needed to have it again. Its keys are the options
//! of `wengert train`, so it can be given back as `--config`.

use crate::data::Data;
use crate::values::{Augment, Every, Optimizer, Schedule};
use crate::zoo::Architecture;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wengert::train::{RunFolder, Settings};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The version of the command that wrote this.
    pub(crate) version: String,
    pub(crate) data: Data,
    /// Where the user's files are.
    pub(crate) data_path: Option<PathBuf>,
    /// How many of the samples keep their labels.
    pub(crate) labels: Option<usize>,
    #[serde(default)]
    pub(crate) augment: Vec<Augment>,
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) accumulate: usize,
    pub(crate) optimizer: Optimizer,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: Schedule,
    pub(crate) warmup: usize,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) average: Option<f64>,
    pub(crate) watch: Option<String>,
    pub(crate) patience: Option<usize>,
    pub(crate) min_delta: f64,
    #[serde(with = "seed")]
    pub(crate) seed: u64,
    pub(crate) test_fraction: f64,
    pub(crate) checkpoint_every: Option<Every>,
    pub(crate) keep_checkpoints: usize,
    pub(crate) tensorboard: bool,
    pub(crate) gradient_flow: bool,
    /// As asked for; the results do not depend on it.
    pub(crate) threads: Option<usize>,
    pub(crate) model: Architecture,
}

/// TOML's integers have 64 bits with a sign; larger seeds are written as text.
mod seed {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Seed {
        Number(u64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(seed: &u64, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*seed) {
            Ok(small) => to.serialize_i64(small),
            Err(_) => to.serialize_str(&seed.to_string()),
        }
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<u64, D::Error> {
        match Seed::deserialize(from)? {
            Seed::Number(n) => Ok(n),
            Seed::Text(text) => text.parse().map_err(|_| D::Error::custom("expected a whole number as seed")),
        }
    }
}

impl Config {
    /// A model's run with all options as they are by default, on its usual data.
    pub(crate) fn usual(model: Architecture) -> Self {
        let data = model.model().data()[0];
        Config::on(model, data)
    }

    /// A model's run with all options as they are by default for these data.
    pub(crate) fn on(model: Architecture, data: Data) -> Self {
        let usual = model.model().usual(data);
        Config {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data,
            data_path: None,
            labels: None,
            augment: Vec::new(),
            epochs: usual.epochs,
            batch_size: usual.batch_size,
            accumulate: 1,
            optimizer: usual.optimizer,
            lr: usual.lr,
            weight_decay: usual.weight_decay,
            schedule: usual.schedule,
            warmup: 0,
            clip_norm: usual.clip_norm,
            average: None,
            watch: None,
            patience: None,
            min_delta: 0.0,
            seed: 0,
            test_fraction: 0.2,
            checkpoint_every: None,
            keep_checkpoints: 3,
            tensorboard: false,
            gradient_flow: false,
            threads: None,
            model,
        }
    }

    /// The options of a run.
    pub(crate) fn of(folder: &RunFolder) -> Result<Self> {
        let shown = folder.path().display();
        ensure!(
            folder.path().join("config.toml").is_file(),
            "there is no config.toml in {shown}; give a folder that `wengert train` made"
        );
        let context = || format!("the options of the run in {shown} cannot be used");
        let config: Config = folder.read_config().with_context(context)?;
        config.check().with_context(context)?;
        Ok(config)
    }

    /// The options that the results depend on: all but those that say how often the run is saved, what is shown of it, and how many
    /// threads there are.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let free = ["checkpoint-every", "keep-checkpoints", "tensorboard", "gradient-flow", "threads"];
        Ok(Settings::of(self)?.without(&free))
    }

    /// Whether the model's options are within their bounds, and the model is one for the data.
    pub(crate) fn check(&self) -> Result<()> {
        self.model.check()?;
        let fits = self.model.model().data();
        let names: Vec<String> = fits.iter().map(|d| d.name()).collect();
        ensure!(
            fits.contains(&self.data),
            "{} learns from {}, not from {}",
            self.model.model().name(),
            names.join(", "),
            self.data.name()
        );
        ensure!(
            self.data_path.is_some() || !self.data.needs_path(),
            "--data {} needs --data-path: where the files are",
            self.data.name()
        );
        Ok(())
    }
}
