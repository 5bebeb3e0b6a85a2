//! `wengert eval`: the score of a trained model, from what its run left behind.

use super::{EVALUATION_BATCH, test_lines};
use crate::config::Config;
use crate::zoo::{Setup, Use};
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;
use wengert::Module;
use wengert::data::Dataset;
use wengert::train::{RunFolder, Task, evaluate};

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
        config.model.with(&config, Scored(&folder))
    }
}

struct Scored<'f>(&'f RunFolder);

impl Use for Scored<'_> {
    type Out = String;

    fn with<M, D, T>(self, setup: Setup<M, D, T>) -> Result<String>
    where
        M: Module,
        D: Dataset + Clone,
        T: Task<M, D::Batch>,
    {
        let Setup { mut model, test, task, .. } = setup;
        let weights = self.0.load(&mut model).with_context(|| {
            let shown = self.0.path().display();
            format!("the weights in {shown} cannot be used; train them again, or take another run")
        })?;
        let score = evaluate(&model, &task, &test, EVALUATION_BATCH)?;
        Ok(format!("{}\nweights {weights:016x}", test_lines(&score)))
    }
}
