//! The `wengert` command: trains models, evaluates them and shows what they are made of.
//!
//! Results go to the standard output, progress and errors to the standard error. The exit code is 0 for success, 1
//! for a failure, 2 for a command that could not be understood, and 128 and the number of the signal for a run that a
//! signal ended: 130 for Ctrl-C.

mod commands;
mod config;
mod data;
mod expand;
mod failure;
mod values;
mod zoo;

use clap::{CommandFactory, FromArgMatches, Parser};
use commands::Command;
use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

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

/// Why a run ended before its time without anything being wrong.
#[derive(Debug)]
struct Interrupted {
    message: String,
    /// The number of the signal.
    signal: u8,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Interrupted {}

fn main() -> ExitCode {
    let arguments = expand::expand(std::env::args_os().collect());
    match arguments.and_then(|all| parsed(&all).command.run()) {
        Ok(text) => print(&text),
        Err(e) => {
            if let Some(ended) = e.downcast_ref::<Interrupted>() {
                let _ = writeln!(io::stderr(), "{}", failure::printable(&ended.message));
                // As a shell says that a program was ended by a signal.
                return ExitCode::from(128 + ended.signal);
            }
            // If the standard error is closed, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {}", failure::message(&e));
            ExitCode::FAILURE
        }
    }
}

/// All commands, with models that offer only what they take.
fn command() -> clap::Command {
    Cli::command().mut_subcommand("train", zoo::offered)
}

/// The command line, understood; or the end of the program, with help or with what is wrong.
fn parsed(words: &[OsString]) -> Cli {
    let understood = || Cli::from_arg_matches(&command().try_get_matches_from(words)?);
    understood().map_err(|e| e.format(&mut command())).unwrap_or_else(|e| {
        // What is wrong is quoted, and a terminal must not obey it; help is as it is.
        let plain = |word: &OsString| word.to_string_lossy().chars().all(|c| !c.is_control());
        if !e.use_stderr() || words.iter().all(plain) {
            e.exit();
        }
        let _ = write!(io::stderr(), "{}", failure::printable(&e.render().to_string()));
        std::process::exit(e.exit_code());
    })
}

/// Prints the result; a reader who has seen enough, such as `head`, is no failure.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    // Texts that a model makes may hold whatever was in the file that it learned from.
    let text: Cow<'_, str> = if out.is_terminal() { failure::visible(text).into() } else { text.into() };
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
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
