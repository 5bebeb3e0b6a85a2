//! The models that the command knows: a file each, which says what data the model takes, builds it and its task; and a variant
//! of [`Architecture`], which is the table.

mod mlp;
mod vae;

use crate::config::Config;
use crate::data::Data;
use anyhow::Result;
use clap::{Command, FromArgMatches, Subcommand};
use serde::{Deserialize, Serialize};
use wengert::Module;
use wengert::data::Dataset;
use wengert::train::Task;

/// A model of the zoo with its options. Its variants are the subcommands of `train`, the lines of `models`, and what
/// stands in a run's config.toml.
#[derive(Debug, Clone, PartialEq, Subcommand, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum Architecture {
    /// A multilayer perceptron: fully connected layers that classify
    Mlp(mlp::Mlp),
    /// A variational autoencoder of fully connected layers
    Vae(vae::Vae),
}

/// A model before training, what it learns from, and what for.
pub(crate) struct Setup<M, D, T> {
    pub(crate) model: M,
    pub(crate) train: D,
    pub(crate) test: D,
    pub(crate) task: T,
}

/// What is done with a model, whatever its type.
pub(crate) trait Use {
    type Out;

    fn with<M, D, T>(self, setup: Setup<M, D, T>) -> Result<Self::Out>
    where
        M: Module,
        D: Dataset + Clone,
        T: Task<M, D::Batch>;
}

impl Architecture {
    /// Builds model, data and task, and does something with them.
    pub(crate) fn with<U: Use>(&self, config: &Config, to: U) -> Result<U::Out> {
        match self {
            Architecture::Mlp(mlp) => mlp.with(config, to),
            Architecture::Vae(vae) => vae.with(config, to),
        }
    }

    /// What `train` and `models` call the model.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Architecture::Mlp(_) => "mlp",
            Architecture::Vae(_) => "vae",
        }
    }

    /// The data that the model can learn from, the usual one first.
    pub(crate) fn data(&self) -> &'static [Data] {
        match self {
            Architecture::Mlp(_) => mlp::DATA,
            Architecture::Vae(_) => vae::DATA,
        }
    }

    /// What comes out with the usual data and options.
    pub(crate) fn expect(&self) -> &'static str {
        match self {
            Architecture::Mlp(_) => mlp::EXPECT,
            Architecture::Vae(_) => vae::EXPECT,
        }
    }

    /// The model of this name with all options as they are by default.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let matches = table().try_get_matches_from([table().get_name(), name]).ok()?;
        Architecture::from_arg_matches(&matches).ok()
    }

    /// Names and descriptions of all models.
    pub(crate) fn all() -> Vec<(String, String)> {
        let about = |c: &Command| c.get_about().map(ToString::to_string).unwrap_or_default();
        table().get_subcommands().map(|c| (c.get_name().to_owned(), about(c))).collect()
    }
}

fn table() -> Command {
    let table = Command::new("models").disable_help_subcommand(true).subcommand_required(true);
    Architecture::augment_subcommands(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count;

    impl Use for Count {
        type Out = usize;
        fn with<M: Module, D: Dataset + Clone, T: Task<M, D::Batch>>(
            self,
            s: Setup<M, D, T>,
        ) -> Result<usize> {
            assert!(!s.train.is_empty() && !s.test.is_empty());
            Ok(s.model.num_params())
        }
    }

    #[test]
    fn every_model_can_be_had_by_its_name_with_each_of_its_data() {
        for (name, about) in Architecture::all() {
            let model = Architecture::named(&name).unwrap();
            assert_eq!(model.name(), name);
            assert!(!about.is_empty() && !model.expect().is_empty());
            for &data in model.data() {
                if data != Data::FashionMnist {
                    let config = Config { data, ..Config::usual(model.clone()) };
                    assert!(model.with(&config, Count).unwrap() > 0);
                }
            }
        }
        assert!(Architecture::named("help").is_none() && Architecture::named("--version").is_none());
    }
}
