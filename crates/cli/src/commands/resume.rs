//! `wengert resume`: a run that was stopped goes on from its newest checkpoint.

use super::run::{self, Run};
use crate::config::Config;
use crate::values;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::io::{self, Write};
use std::path::PathBuf;
use wengert::train::RunFolder;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Resume {
    /// The folder that `wengert train` made
    run_dir: PathBuf,

    /// The number of threads [default: as the run was begun with]
    #[arg(long, value_name = "N", value_parser = values::count::<1024>)]
    threads: Option<usize>,
}

const EXAMPLES: &str = "\
Example:
  wengert train mlp --checkpoint-every 100steps --out runs/mine
  wengert resume runs/mine";

impl Resume {
    pub(crate) fn run(self) -> Result<String> {
        let folder = RunFolder::open(self.run_dir)
            .context("nothing to resume; `wengert train mlp` makes a run and prints its folder")?;
        let config = Config::of(&folder)?;
        run::threads(self.threads.or(config.threads))?;
        let shown = folder.path().display();
        let newest = Run::checkpoints(&config, &folder).newest();
        let newest = newest.with_context(|| format!("no checkpoint in {shown} can be used"))?;
        let resume = match newest {
            Some((snapshot, refused)) => {
                for e in refused {
                    let _ = writeln!(io::stderr(), "warning: passed over {e}");
                }
                Some(snapshot)
            }
            None if folder.path().join("model.safetensors").is_file() => {
                bail!(
                    "the run in {shown} is complete and left no checkpoint; `wengert eval {shown}` evaluates it"
                )
            }
            // It was stopped before its first checkpoint: all of it is to be done.
            None => None,
        };
        let mut experiment = config.model.model().experiment(&config)?;
        Run { config: &config, folder: &folder, resume }.of(&mut *experiment)
    }
}
