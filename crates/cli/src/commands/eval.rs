//! `wengert eval`: the score of a trained model, from what its run left behind.

use super::test_lines;
use crate::config::Config;
use crate::zoo::Experiment;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use wengert::train::RunFolder;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Eval {
    /// The folder that `wengert train` made
    run_dir: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  wengert eval runs/mlp-seed0";

impl Eval {
    pub(crate) fn run(self) -> Result<String> {
        let folder = RunFolder::open(self.run_dir)
            .context("nothing to evaluate; `wengert train mlp` makes a run and prints its folder")?;
        let config = Config::of(&folder)?;
        let mut experiment = config.model.model().experiment(&config)?;
        let weights = weights(&folder, &mut *experiment)?;
        Ok(format!("{}\nweights {weights:016x}", test_lines(&experiment.evaluate(&config)?)))
    }
}

/// Gives a model the weights of a run, and says which they are.
pub(super) fn weights(folder: &RunFolder, experiment: &mut dyn Experiment) -> Result<u64> {
    folder.load(experiment.model_mut()).with_context(|| {
        let shown = folder.path().display();
        format!("the weights in {shown} cannot be used; train them again, or take another run")
    })
}
