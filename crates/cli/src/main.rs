//! The `wengert` command: trains models, evaluates them and shows their parts.
//!
//! Results go to the standard output, progress and errors to the standard error. The exit code is 0 for success, 1
//! for a failure, 2 for a wrong command line, and 128 plus the number of the signal for a run that a signal
//! ended: 130 for Ctrl-C. `check` has some more, which its help lists.

mod commands;
mod config;
mod data;
mod input;
mod options;
mod output;
mod version;
mod zoo;

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser};
use commands::{Command, with_model_of_file};
use std::ffi::OsString;
use std::process::ExitCode;
use zoo::Architecture;

/// Train neural networks on the wengert automatic differentiation engine.
#[derive(Debug, Parser)]
#[command(name = "wengert", version, propagate_version = true, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  wengert train mlp                     train on the digits, into runs/mlp-seed0
  wengert eval runs/mlp-seed0           evaluate what was trained
  wengert resume runs/mlp-seed0         go on with a run that was stopped
  wengert summary mlp                   layers and parameters
  wengert check                         prove every gradient on this machine
  wengert train mlp --help              all options of training";

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    match parse(&words).and_then(|cli| cli.command.run()) {
        Ok(text) => output::print(&text),
        Err(e) => match long_version(&e) {
            Some(text) => output::print(&text),
            None => output::print_error(&e),
        },
    }
}

/// The text of `--version`, if that is what was asked for. Only the lines about the build come from clap, since those about the
/// machine are found out by starting the threads.
fn long_version(e: &anyhow::Error) -> Option<String> {
    let asked = e.downcast_ref::<clap::Error>().filter(|e| e.kind() == ErrorKind::DisplayVersion)?;
    let text = asked.to_string();
    text.trim_end().contains('\n').then(|| format!("{}\n{}", text.trim_end(), version::machine()))
}

/// All commands, with models that show only the options that they take.
fn command() -> clap::Command {
    Cli::command().mut_subcommand("train", zoo::offer_what_models_take)
}

/// Parses the command line. If it does not name a model, the `--config` file may.
fn parse(words: &[OsString]) -> Result<Cli> {
    let parse = |words: &[OsString]| {
        let matches = command().long_version(version::BUILD).try_get_matches_from(words);
        let cli = matches.and_then(|matches| Cli::from_arg_matches(&matches));
        cli.map_err(|e| e.format(&mut command()))
    };
    let wrong = match parse(words) {
        Ok(cli) => return Ok(cli),
        Err(e) => e,
    };
    let Some(longer) = with_model_of_file(words, wrong.kind())? else { return Err(wrong.into()) };
    parse(&longer).map_err(|e| match e.get(ContextKind::InvalidArg) {
        // The command line named a model, so the first error is the right one.
        Some(ContextValue::String(word)) if Architecture::named(word).is_some() => wrong.into(),
        _ => e.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        command().debug_assert();
    }
}
