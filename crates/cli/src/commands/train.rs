//! `wengert train`: from options to a run folder.

use super::config_file::ConfigFile;
use super::run::{self, Run};
use crate::config::Config;
use crate::options::TrainOptions;
use crate::zoo::{Architecture, GivenModel, offer_what_models_take};
use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use clap::{Args, Command, FromArgMatches};
use std::path::Path;
use wengert::train::{Error, Existing, RunFolder};

#[derive(Debug, Args)]
#[command(subcommand_value_name = "MODEL", subcommand_help_heading = "Models", after_help = EXAMPLES)]
#[command(disable_help_subcommand = true)]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    model: GivenModel,
    #[command(flatten)]
    options: TrainOptions,
}

const EXAMPLES: &str = "\
Examples:
  wengert train mlp
  wengert train mlp --epochs 50 --seed 7 --out runs/mine
  wengert train mlp --help              all options of one model";

impl TrainArgs {
    pub(crate) fn run(self) -> Result<String> {
        let (model, options) = self.with_file()?;
        if options.force && options.out.is_none() {
            let missing = "the following required arguments were not provided:\n  --out <DIR>";
            bail!(command().error(ErrorKind::MissingRequiredArgument, missing));
        }
        run::threads(options.threads)?;
        let config = Config::new(model, options.clone());
        config.check()?;
        let prepared = config.prepare()?;
        // After the data are read and before training: results that cannot be saved need not be computed.
        let folder = folder(&options, &config)?;
        let _lock = run::lock(&folder)?;
        folder.write_config(&config)?;
        Run { config: &config, folder: &folder, resume: None }.train(prepared)
    }

    /// The options of the command line, and those of the `--config` file where the command line does not have them.
    fn with_file(self) -> Result<(Architecture, TrainOptions)> {
        let TrainArgs { model, options } = self;
        let Some(path) = &options.config else { return Ok((model.architecture, options)) };
        let file = TrainArgs::read(path, model.architecture.model().about().name)?;
        Ok((model.over(file.model.architecture)?, options.over(file.options)))
    }

    /// The options of a file for a model. They are parsed, and rejected, like those of a command line.
    fn read(path: &Path, model: &str) -> Result<Self> {
        let file = ConfigFile::read(path).with_context(|| path.display().to_string())?;
        if let Some(other) = file.model.filter(|name| name != model) {
            bail!("{} is of a run of {other}, not of {model}", path.display());
        }
        let words = ["train".to_owned(), model.to_owned()].into_iter().chain(file.words);
        Ok(TrainArgs::from_arg_matches(&command().try_get_matches_from(words)?)?)
    }
}

/// A command with only this subcommand's options.
fn command() -> Command {
    offer_what_models_take(TrainArgs::augment_args(Command::new("train").bin_name("wengert train")))
}

/// The folder for the results.
fn folder(options: &TrainOptions, config: &Config) -> Result<RunFolder> {
    let Some(out) = &options.out else {
        let name = format!("{}-seed{}", config.model.model().about().name, config.seed);
        return Ok(RunFolder::numbered("runs", &name)?);
    };
    let existing = match options.force {
        true => Existing::Overwrite,
        false => Existing::Refuse,
    };
    match RunFolder::create(out, existing) {
        Err(Error::Occupied { path }) => bail!(
            "the folder {} is not empty; name another with --out, or overwrite its results with --force",
            path.display()
        ),
        other => Ok(other?),
    }
}
