//! `wengert resume`: a run that was stopped continues from its newest checkpoint.

use super::run::{self, Run};
use crate::config::{Config, DATA_FILES};
use crate::options::values;
use crate::output::warn;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::PathBuf;
use wengert::train::{RunFolder, Snapshot};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ResumeArgs {
    /// The folder that `wengert train` made
    run_dir: PathBuf,

    /// The checkpoint to continue from, by its file or by the number of its steps; later ones are given up [default: the newest that
    /// is whole]
    #[arg(long, value_name = "FILE|STEPS")]
    checkpoint: Option<PathBuf>,

    /// Continue to this number of epochs instead of the number that the run was started with; what the schedule says of the remaining steps
    /// changes with it
    #[arg(long, value_name = "N", value_parser = values::count::<1_000_000>)]
    epochs: Option<usize>,

    /// The number of threads [default: as the run was begun with]
    #[arg(long, value_name = "N", value_parser = values::count::<1024>)]
    threads: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  wengert train mlp --checkpoint-every 100steps --out runs/mine
  wengert resume runs/mine
  wengert resume runs/mine --checkpoint 200   from there, not from the newest
  wengert resume runs/mine --epochs 300       further than it was to go";

impl ResumeArgs {
    pub(crate) fn run(self) -> Result<String> {
        let folder = RunFolder::open(&self.run_dir)
            .context("nothing to resume; `wengert train mlp` makes a run and prints its folder")?;
        let begun = Config::read(&folder)?;
        let _lock = run::lock(&folder)?;
        run::threads(self.threads.or(begun.threads))?;
        let config = Config { epochs: self.epochs.unwrap_or(begun.epochs), ..begun.clone() };
        let mut resume = self.checkpoint(&config, &folder)?;
        let epochs = self.epochs.map(|_| "epochs");
        if let Some(snapshot) = &resume {
            // This is checked first, since reading the data may fail with a less helpful error.
            let may_differ: Vec<&str> = epochs.into_iter().chain([DATA_FILES]).collect();
            let shown = folder.path().display();
            let settings = config.settings()?;
            snapshot.check_settings(&settings, &may_differ).with_context(|| {
                match snapshot.check_settings(&settings, &["epochs", DATA_FILES]) {
                    Ok(()) => "give --epochs to continue the run to more epochs".to_owned(),
                    Err(_) => format!("the checkpoint is not of the run that {shown}/config.toml is of"),
                }
            })?;
            let over = snapshot.epochs()?;
            ensure!(over <= config.epochs, "--epochs: {over} are over already, found {}", config.epochs);
        }
        if begun.version != env!("CARGO_PKG_VERSION") {
            let versions = format!("version {}, and this is {}", begun.version, env!("CARGO_PKG_VERSION"));
            warn(&format!("the run was begun by {versions}: it may not end with the same bits"));
        }
        let prepared = config.prepare()?;
        if let Some(snapshot) = &mut resume {
            let may_differ: Vec<&str> = epochs.into_iter().collect();
            let checked = snapshot.check_settings(&prepared.settings, &may_differ);
            checked.with_context(|| config.data_changed())?;
            snapshot.put_settings(&prepared.settings)?;
        }
        if config != begun {
            folder.write_config(&config)?;
        }
        Run { config: &config, folder: &folder, resume }.train(prepared)
    }

    /// The checkpoint to continue from; `None` if the run was stopped before its first one.
    fn checkpoint(&self, config: &Config, folder: &RunFolder) -> Result<Option<Snapshot>> {
        let shown = folder.path().display();
        let checkpoints = Run::checkpoints(config, folder);
        let Some(asked) = &self.checkpoint else {
            let newest = checkpoints.newest();
            let newest = newest.with_context(|| format!("no checkpoint in {shown} can be used"))?;
            let Some((snapshot, refused)) = newest else {
                ensure!(
                    !folder.path().join("model.safetensors").is_file(),
                    "the run in {shown} is complete and left no checkpoint; `wengert eval {shown}` evaluates it"
                );
                return Ok(None);
            };
            refused.iter().for_each(|e| warn(&format!("passed over {e}")));
            return Ok(Some(snapshot));
        };
        let path = match asked.to_str().and_then(|text| text.parse::<usize>().ok()) {
            None => asked.clone(),
            Some(steps) => {
                let all = checkpoints.list()?;
                let there: Vec<String> = all.iter().map(|(steps, _)| steps.to_string()).collect();
                let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
                let found = all.into_iter().find(|(at, _)| *at == steps);
                found
                    .with_context(|| {
                        format!("no checkpoint in {shown} is of {steps} steps; there are {there}")
                    })?
                    .1
            }
        };
        Ok(Some(Snapshot::read(path).context("the checkpoint cannot be used")?))
    }
}
