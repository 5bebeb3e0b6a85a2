//! `wengert summary`: layers and parameters of a model.

use crate::config::Config;
use crate::zoo::{Architecture, Setup, Use};
use anyhow::{Result, bail};
use clap::Args;
use std::path::{Path, PathBuf};
use wengert::Module;
use wengert::data::Dataset;
use wengert::train::{RunFolder, Task};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Summary {
    /// A model, with its default options, or the folder of a run
    #[arg(value_name = "MODEL | RUN_DIR", default_value = "mlp")]
    what: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  wengert summary mlp
  wengert summary runs/mlp-seed0";

impl Summary {
    pub(crate) fn run(self) -> Result<String> {
        let config = match self.what.to_str().and_then(Architecture::named) {
            Some(model) => Config::usual(model),
            None => Config::of(&open(&self.what)?)?,
        };
        config.model.with(&config, Table)
    }
}

struct Table;

impl Use for Table {
    type Out = String;

    fn with<M, D, T>(self, setup: Setup<M, D, T>) -> Result<String>
    where
        M: Module,
        D: Dataset + Clone,
        T: Task<M, D::Batch>,
    {
        Ok(wengert::nn::Summary::of(&setup.model).to_string())
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
