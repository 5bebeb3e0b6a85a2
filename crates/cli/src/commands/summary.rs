//! `wengert summary`: layers and parameters of a model.

use crate::config::Config;
use crate::zoo::Architecture;
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use wengert::train::RunFolder;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SummaryArgs {
    /// A model, with its default options, or the folder of a run
    #[arg(value_name = "MODEL | RUN_DIR", default_value = "mlp")]
    what: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  wengert summary mlp
  wengert summary runs/mlp-seed0";

impl SummaryArgs {
    pub(crate) fn run(self) -> Result<String> {
        let config = match self.what.to_str().and_then(Architecture::named) {
            Some(model) => Config::default_of(model),
            None => {
                let folder = open(&self.what)?;
                let config = Config::read(&folder)?;
                super::eval::check_weights(&folder, &config)?;
                config
            }
        };
        let experiment = config.experiment()?;
        Ok(wengert::nn::Summary::of(experiment.model()).to_string())
    }
}

fn open(path: &Path) -> Result<RunFolder> {
    match RunFolder::open(path) {
        Ok(folder) => Ok(folder),
        Err(_) => bail!(
            "{} is neither a model nor the folder of a run; `wengert models` lists the models",
            path.display()
        ),
    }
}
