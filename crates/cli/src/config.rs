//! config.toml: everything that a run depends on, and so everything that is needed to have it again. Its keys are the options
//! of `wengert train`, so it can be given back as `--config`.

use crate::data::Data;
use crate::values::{Augment, Every, Optimizer, Schedule, spelt};
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
    /// Of sgd.
    pub(crate) momentum: Option<f64>,
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
            momentum: None,
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
            self.momentum.is_none() || self.optimizer == Optimizer::Sgd,
            "--momentum is that of sgd, and the optimizer is {}; add --optimizer sgd",
            spelt(self.optimizer)
        );
        ensure!(
            self.data_path.is_some() || !self.data.needs_path(),
            "--data {} needs --data-path: where the files are",
            self.data.name()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::message;

    /// Any change of a config.toml is read or refused, and nothing that it says steers the terminal. The variable `MUTATIONS` says
    /// how many changes of each model's are tried.
    #[test]
    fn a_damaged_config_is_refused_or_within_its_bounds() {
        let path = std::env::temp_dir().join(format!("wengert-config-{}", std::process::id()));
        let folder = RunFolder::create(&path, wengert::train::Existing::Refuse).unwrap();
        let tries = std::env::var("MUTATIONS").map_or(40, |n| n.parse().expect("MUTATIONS is a number"));
        let tokens = [
            "\u{1b}]0;x\u{7}",
            "\\u001B[2J",
            "\"",
            "[",
            "]",
            "=",
            "\n",
            "-1",
            "0",
            "18446744073709551615",
            "1e400",
            "nan",
        ];
        let (mut state, mut good, mut bad) = (1u64, 0, 0);
        let mut random = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 33) as usize) % n.max(1)
        };
        for (name, _) in Architecture::all() {
            folder.write_config(&Config::usual(Architecture::named(&name).unwrap())).unwrap();
            let whole: Vec<char> =
                std::fs::read_to_string(path.join("config.toml")).unwrap().chars().collect();
            for _ in 0..tries {
                let mut text = whole.clone();
                for _ in 0..1 + random(2) {
                    let at = random(text.len());
                    match random(4) {
                        0 => drop(text.remove(at)),
                        // Within a text it is another text.
                        1 => text[at] = 'x',
                        2 => drop(text.splice(at..at, tokens[random(tokens.len())].chars())),
                        _ => {
                            let Some(from) = (at..text.len()).find(|&i| text[i].is_ascii_digit()) else {
                                continue;
                            };
                            drop(text.splice(from..from + 1, tokens[7 + random(5)].chars()));
                        }
                    }
                }
                let text: String = text.into_iter().collect();
                std::fs::write(path.join("config.toml"), &text).unwrap();
                match Config::of(&folder) {
                    Ok(config) => {
                        good += 1;
                        let _ = config.settings().unwrap().fingerprint();
                    }
                    Err(e) => {
                        bad += 1;
                        let said = message(&e);
                        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?} of {text}");
                    }
                }
            }
        }
        std::fs::remove_dir_all(path).unwrap();
        assert!(good > 0 && bad > good, "{good} read, {bad} refused");
    }
}
