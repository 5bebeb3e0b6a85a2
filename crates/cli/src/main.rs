//! The `wengert` command: trains models, evaluates them and shows what they are made of.
//!
//! Results go to the standard output, progress and errors to the standard error. The exit code is 0 for success, 1
//! for a failure, 2 for a command that could not be understood, and 130 for a run that Ctrl-C ended.

mod commands;
mod config;
mod data;
mod expand;
mod failure;
mod values;
mod zoo;

use clap::Parser;
use commands::Command;
use std::io::{self, ErrorKind, Write};
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
struct Interrupted(String);

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Interrupted {}

fn main() -> ExitCode {
    let arguments = expand::expand(std::env::args_os().collect());
    match arguments.and_then(|all| Cli::parse_from(all).command.run()) {
        Ok(text) => print(&text),
        Err(e) if e.is::<Interrupted>() => {
            let _ = writeln!(io::stderr(), "{e}");
            // As a shell says that a program was ended by SIGINT.
            ExitCode::from(130)
        }
        Err(e) => {
            // If the standard error is closed, the exit code still tells.
            let _ = writeln!(io::stderr(), "error: {}", failure::message(&e));
            ExitCode::FAILURE
        }
    }
}

/// Prints the result; a reader who has seen enough, such as `head`, is no failure.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
