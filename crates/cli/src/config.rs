//! config.toml: everything that a run depends on, and so everything needed to repeat it. Its keys are the options of
//! `wengert train`, so that the file can be given as `--config`.

use crate::options::names::{Augment, Data, OptimizerName, ScheduleName};
use crate::options::values::{every_as_text, name_of};
use crate::options::{DataOptions, StepOptions, TrainOptions};
use crate::zoo::{Architecture, Experiment};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use wengert::data::record_files;
use wengert::train::{Every, RunFolder, Settings};

/// The key of the data files' contents in the settings.
pub(crate) const DATA_FILES: &str = "data-files";

/// A model before training, its data, and everything that its results depend on.
pub(crate) struct Prepared {
    pub(crate) experiment: Box<dyn Experiment>,
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The version of the command that wrote the file.
    pub(crate) version: String,
    pub(crate) data: Data,
    /// The path of the user's files.
    pub(crate) data_path: Option<PathBuf>,
    /// The number of samples that keep their labels.
    pub(crate) labels: Option<usize>,
    #[serde(default)]
    pub(crate) augment: Vec<Augment>,
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) accumulate: usize,
    pub(crate) optimizer: OptimizerName,
    /// The momentum of sgd.
    pub(crate) momentum: Option<f64>,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: ScheduleName,
    pub(crate) warmup: usize,
    pub(crate) clip_norm: Option<f64>,
    pub(crate) average: Option<f64>,
    pub(crate) watch: Option<String>,
    pub(crate) patience: Option<usize>,
    pub(crate) min_delta: f64,
    #[serde(with = "seed")]
    pub(crate) seed: u64,
    pub(crate) test_fraction: f64,
    #[serde(default, with = "every_as_text")]
    pub(crate) checkpoint_every: Option<Every>,
    pub(crate) keep_checkpoints: usize,
    pub(crate) tensorboard: bool,
    pub(crate) gradient_flow: bool,
    pub(crate) profile: bool,
    /// The number of threads, on which the results do not depend.
    pub(crate) threads: Option<usize>,
    pub(crate) model: Architecture,
}

/// The seed in TOML, whose integers are signed and have 64 bits; larger seeds are written as text.
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
    /// The options that are given, and the model's defaults for the others.
    pub(crate) fn new(model: Architecture, options: TrainOptions) -> Self {
        let data = options.data.unwrap_or(model.model().about().data[0]);
        let defaults = model.model().defaults(data);
        let optimizer = options.optimizer.unwrap_or(defaults.optimizer);
        let (lr, weight_decay) = match optimizer == defaults.optimizer {
            true => (defaults.lr, defaults.weight_decay),
            false => optimizer.defaults(),
        };
        Config {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data,
            data_path: options.data_path,
            labels: options.labels,
            augment: options.augment,
            epochs: options.epochs.unwrap_or(defaults.epochs),
            batch_size: options.batch_size.unwrap_or(defaults.batch_size),
            accumulate: options.accumulate.unwrap_or(1),
            optimizer,
            momentum: options.momentum,
            lr: options.lr.unwrap_or(lr),
            weight_decay: options.weight_decay.unwrap_or(weight_decay),
            schedule: options.schedule.unwrap_or(defaults.schedule),
            warmup: options.warmup.unwrap_or(0),
            clip_norm: options.clip_norm.or(defaults.clip_norm),
            average: options.average,
            watch: options.watch,
            patience: options.patience,
            min_delta: options.min_delta.unwrap_or(0.0),
            seed: options.seed.unwrap_or(0),
            test_fraction: options.test_fraction.unwrap_or(0.2),
            checkpoint_every: options.checkpoint_every,
            keep_checkpoints: options.keep_checkpoints.unwrap_or(3),
            tensorboard: options.tensorboard,
            gradient_flow: options.gradient_flow,
            profile: options.profile,
            threads: options.threads,
            model,
        }
    }

    /// A run of a model with default options.
    pub(crate) fn default_of(model: Architecture) -> Self {
        Config::new(model, TrainOptions::default())
    }

    /// The data that the run reads, and how they are split.
    pub(crate) fn data_options(&self) -> DataOptions {
        DataOptions {
            data: self.data,
            path: self.data_path.clone(),
            labels: self.labels,
            augment: self.augment.clone(),
            test_fraction: self.test_fraction,
            seed: self.seed,
        }
    }

    /// How a step changes the weights.
    pub(crate) fn step_options(&self) -> StepOptions {
        StepOptions {
            batch_size: self.batch_size,
            optimizer: self.optimizer,
            momentum: self.momentum,
            lr: self.lr,
            weight_decay: self.weight_decay,
            clip_norm: self.clip_norm,
            average: self.average,
        }
    }

    /// The model before training, and its data.
    pub(crate) fn experiment(&self) -> Result<Box<dyn Experiment>> {
        self.model.model().experiment(&self.data_options())
    }

    /// The options of a run.
    pub(crate) fn read(folder: &RunFolder) -> Result<Self> {
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

    /// The options that the results depend on: all except how often the run is saved, what is displayed, the number of threads,
    /// and the path of the data, for whose contents [`prepare`](Config::prepare) adds an entry.
    pub(crate) fn settings(&self) -> Result<Settings> {
        let free = [
            "checkpoint-every",
            "keep-checkpoints",
            "tensorboard",
            "gradient-flow",
            "profile",
            "threads",
            "data-path",
        ];
        Ok(Settings::of(self)?.without(&free))
    }

    /// The model before training, its data, and everything that the results depend on: options, and the contents of the data
    /// files.
    pub(crate) fn prepare(&self) -> Result<Prepared> {
        let (experiment, files) = record_files(|| self.experiment());
        let settings = self.settings()?.with_files(self.data_path.as_deref(), &files);
        Ok(Prepared { experiment: experiment?, settings })
    }

    /// The error message for data that differ from those that the run was started with.
    pub(crate) fn data_changed(&self) -> String {
        let of = self.data_path.as_ref().map_or_else(String::new, |path| format!(" in {}", path.display()));
        format!("the data{of} are not those that the run was begun with")
    }

    /// Checks that the model's options are within their bounds, and that the model can learn from the data.
    pub(crate) fn check(&self) -> Result<()> {
        self.model.check()?;
        let about = self.model.model().about();
        let names: Vec<String> = about.data.iter().map(|d| d.name()).collect();
        ensure!(
            about.data.contains(&self.data),
            "{} learns from {}, not from {}",
            about.name,
            names.join(", "),
            self.data.name()
        );
        ensure!(
            self.momentum.is_none() || self.optimizer == OptimizerName::Sgd,
            "--momentum is that of sgd, and the optimizer is {}; add --optimizer sgd",
            name_of(self.optimizer)
        );
        ensure!(
            self.data_path.is_some() || !self.data.needs_path(),
            "--data {} needs --data-path: where the files are",
            self.data.name()
        );
        self.model.model().check(&self.step_options())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::words;
    use crate::output::message;
    use clap::Args;
    use wengert::Tape;

    #[test]
    fn the_help_states_the_defaults() {
        let config = Config::default_of(Architecture::named("mlp").unwrap());
        let mut config = toml::Table::try_from(config).unwrap();
        config.remove("model");
        let words = words(&config).unwrap();
        let help = TrainOptions::augment_args(clap::Command::new("train"));
        for name in ["accumulate", "warmup", "min-delta", "seed", "test-fraction", "keep-checkpoints"] {
            let (_, default) = words
                .iter()
                .find_map(|w| w.strip_prefix("--")?.split_once('=').filter(|w| w.0 == name))
                .unwrap();
            let option = help.get_arguments().find(|arg| arg.get_long() == Some(name)).unwrap();
            let text = option.get_help().unwrap().to_string();
            assert!(text.ends_with(&format!("[default: {default}]")), "{name}: {text}");
        }
    }

    /// A damaged config.toml is either read or rejected, and no part of it controls the terminal. The variable `MUTATIONS` is the
    /// number of changes that are tried for each model.
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
            folder.write_config(&Config::default_of(Architecture::named(&name).unwrap())).unwrap();
            let whole: Vec<char> =
                std::fs::read_to_string(path.join("config.toml")).unwrap().chars().collect();
            for _ in 0..tries {
                let mut text = whole.clone();
                for _ in 0..1 + random(2) {
                    let at = random(text.len());
                    match random(4) {
                        0 => drop(text.remove(at)),
                        // In a string, this makes another string.
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
                match Config::read(&folder) {
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

    #[test]
    fn every_model_takes_what_it_offers_and_nothing_else() {
        type Change = fn(&mut Config);
        let options: [(&str, Change); 6] = [
            ("augment", |c| c.augment = vec![Augment::Noise]),
            ("labels", |c| c.labels = Some(100)),
            ("average", |c| c.average = Some(0.9)),
            ("clip_norm", |c| c.clip_norm = Some(1.0)),
            ("optimizer", |c| c.optimizer = OptimizerName::Lion),
            ("momentum", |c| (c.optimizer, c.momentum) = (OptimizerName::Sgd, Some(0.5))),
        ];
        for (name, _) in Architecture::all() {
            let architecture = Architecture::named(&name).unwrap();
            let model = architecture.model();
            for (option, change) in options {
                let mut config = Config::default_of(architecture.clone());
                change(&mut config);
                let taken = config.check().and_then(|()| config.experiment().map(drop));
                assert_eq!(
                    taken.is_err(),
                    model.about().refuses.contains(&option),
                    "{name} {option}: {taken:?}"
                );
            }
        }
    }

    #[test]
    fn every_model_can_be_had_by_its_name_with_each_of_its_data() {
        for (name, about) in Architecture::all() {
            let architecture = Architecture::named(&name).unwrap();
            let model = architecture.model();
            assert_eq!(model.about().name, name);
            assert!(!about.is_empty() && !model.about().expect.is_empty());
            for &data in model.about().data {
                if !data.needs_path() && data != Data::FashionMnist {
                    let options = TrainOptions { data: Some(data), ..TrainOptions::default() };
                    let experiment = Config::new(architecture.clone(), options).experiment().unwrap();
                    assert!(experiment.model().num_params() > 0, "{name} {}", data.name());
                    // The data have samples, and the model accepts them.
                    let tape = Tape::new();
                    let loss = experiment.record(&tape).unwrap().item().unwrap();
                    assert!(loss.is_finite(), "{name} {}", data.name());
                }
            }
        }
        assert!(Architecture::named("help").is_none() && Architecture::named("--version").is_none());
    }
}
