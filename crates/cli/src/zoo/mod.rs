//! The models that the command knows: a file each, and a variant of [`Architecture`], which is the table.

mod mlp;

use anyhow::Result;
use clap::{Command, FromArgMatches, Subcommand};
use serde::{Deserialize, Serialize};
use wengert::nn::Layer;
use wengert::ops::random::Rng;

/// A model of the zoo with its options. Its variants are the subcommands of `train`, the lines of `models`, and what
/// stands in a run's config.json.
#[derive(Debug, Clone, PartialEq, Subcommand, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum Architecture {
    /// A multilayer perceptron: fully connected layers
    Mlp(mlp::Mlp),
}

impl Architecture {
    /// The model before training: `[n, inputs]` → logits `[n, classes]`.
    pub(crate) fn build(&self, inputs: usize, classes: usize, rng: &mut Rng) -> Result<Box<dyn Layer<f32>>> {
        match self {
            Architecture::Mlp(mlp) => Ok(Box::new(mlp.build(inputs, classes, rng)?)),
        }
    }

    /// What `train` and `models` call the model.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Architecture::Mlp(_) => "mlp",
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

    #[test]
    fn every_model_can_be_had_by_its_name() {
        for (name, about) in Architecture::all() {
            let model = Architecture::named(&name).unwrap();
            assert_eq!(model.name(), name);
            assert!(!about.is_empty());
            assert!(wengert::Module::num_params(&model.build(64, 10, &mut Rng::seed(0)).unwrap()) > 0);
        }
        assert!(Architecture::named("help").is_none() && Architecture::named("--version").is_none());
    }
}
