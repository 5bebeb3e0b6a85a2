//! `wengert eval`: the score of a trained model, from the files of its run.

use super::test_lines;
use crate::config::{Config, DATA_FILES, Prepared};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use wengert::train::RunFolder;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EvalArgs {
    /// The folder that `wengert train` made
    run_dir: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  wengert eval runs/mlp-seed0";

impl EvalArgs {
    pub(crate) fn run(self) -> Result<String> {
        let folder = RunFolder::open(self.run_dir)
            .context("nothing to evaluate; `wengert train mlp` makes a run and prints its folder")?;
        let config = Config::read(&folder)?;
        // This is checked first, since reading the data and building the model may fail with a less helpful error.
        check_weights(&folder, &config)?;
        let mut prepared = config.prepare()?;
        let weights = load_weights(&folder, &config, &mut prepared)?;
        Ok(format!("{}\nweights {weights:016x}", test_lines(&prepared.experiment.evaluate()?)))
    }
}

/// Loads the weights of a run into a model, if they come from these options and data, and returns their fingerprint.
pub(super) fn load_weights(folder: &RunFolder, config: &Config, prepared: &mut Prepared) -> Result<u64> {
    let Prepared { experiment, settings } = prepared;
    check_weights(folder, config)?;
    folder.check_of(settings, &[]).with_context(|| config.data_changed())?;
    folder.load_of(experiment.model_mut(), settings).with_context(|| unusable(folder))
}

/// Checks that the weights of a run, if it has any, come from these options.
pub(super) fn check_weights(folder: &RunFolder, config: &Config) -> Result<()> {
    folder.check_of(&config.settings()?, &[DATA_FILES]).with_context(|| unusable(folder))
}

fn unusable(folder: &RunFolder) -> String {
    let shown = folder.path().display();
    format!(
        "the weights in {shown} cannot be used with its config.toml; train them again, or take another run"
    )
}
