//! `wengert eval`: the score of a trained model, from what its run left behind.

use super::{EVALUATION_BATCH, test_lines};
use crate::config::Config;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use wengert::train::{RunFolder, evaluate};

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
        let (_, test) = config.split()?;
        let (model, weights) = config.load(&folder)?;
        let score = evaluate(&model, &test, EVALUATION_BATCH)?;
        Ok(format!("{}\nweights {weights:016x}", test_lines(&score)))
    }
}
