//! config.toml: everything that a run depends on, and so everything that is needed to have it again. Its keys are the options
//! of `wengert train`, so it can be given back as `--config`.

use crate::data::Data;
use crate::values::{Every, Optimizer, Schedule};
use crate::zoo::Architecture;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use wengert::train::RunFolder;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The version of the command that wrote this.
    pub(crate) version: String,
    pub(crate) data: Data,
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) accumulate: usize,
    pub(crate) optimizer: Optimizer,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: Schedule,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) average: Option<f64>,
    pub(crate) watch: Option<String>,
    pub(crate) patience: Option<usize>,
    #[serde(with = "seed")]
    pub(crate) seed: u64,
    pub(crate) test_fraction: f64,
    pub(crate) checkpoint_every: Option<Every>,
    pub(crate) keep_checkpoints: usize,
    pub(crate) tensorboard: bool,
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
    /// A model's run with all options as they are by default.
    pub(crate) fn usual(model: Architecture) -> Self {
        Config {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: model.data()[0],
            epochs: 100,
            batch_size: 32,
            accumulate: 1,
            optimizer: Optimizer::Adamw,
            lr: 0.003,
            weight_decay: 0.01,
            schedule: Schedule::Cosine,
            clip_norm: None,
            average: None,
            watch: None,
            patience: None,
            seed: 0,
            test_fraction: 0.2,
            checkpoint_every: None,
            keep_checkpoints: 3,
            tensorboard: false,
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

    /// Whether the model is one for the data.
    pub(crate) fn check(&self) -> Result<()> {
        let fits = self.model.data();
        let names: Vec<String> = fits.iter().map(|d| d.name()).collect();
        ensure!(
            fits.contains(&self.data),
            "{} learns from {}, not from {}",
            self.model.name(),
            names.join(", "),
            self.data.name()
        );
        Ok(())
    }
}
