//! A program that checks the gradients of your operations, with reports for people and for continuous integration.
//!
//! [`main`] is the whole program. Its entries are made by
//! [`#[gradcheck(.., spec)]`](https://docs.rs/wengert/latest/wengert/attr.gradcheck.html), or by hand with [`Spec`]. As the file
//! `tests/gradients.rs`, with
//!
//! ```toml
//! [[test]]
//! name = "gradients"
//! harness = false
//! ```
//!
//! it runs under `cargo test` and `cargo nextest`, where each op is a test; as `src/bin/check.rs` or `examples/check.rs` under `cargo run`.
//!
//! ```
//! use std::process::ExitCode;
//! use wengert_tape::case;
//! use wengert_tape::gradcheck::{Domain, Spec};
//!
//! fn cube() -> Spec {
//!     Spec::unary("cube", Domain::Real, |x| case!(x, [], |x| x[0] * x[0] * x[0]))
//! }
//!
//! fn main() -> ExitCode {
//!     wengert_check::main([cube()])
//! }
//! ```
//!
//! `--help` lists the options. They choose ops (`--op 'log*'`), cases (`--seed`, `--cases`, `--time 60s`, `--shard 1/4`) and reports
//! (`--format github --format junit=report.xml`).
//!
//! # Exit codes
//! | | |
//! |---|---|
//! | 0 | every gradient is right |
//! | 1 | a gradient is wrong |
//! | 2 | the command line is wrong, or a report cannot be written |
//! | 3 | not everything was checked: no op is selected, or the time was over before an op had a case |
//! | 4 | with `--mutants`: the gradients are right, but there are wrong rules that no check notices |
//! | 128 + n | ended by signal n, with a report of what was done: 130 for Ctrl-C, 143 for SIGTERM |
#![forbid(unsafe_code)]

mod command;
mod files;
mod options;
mod panics;
mod place;
mod progress;
mod report;
mod results;
mod run;
mod schedule;
mod select;
mod signals;

pub use options::Options;

use clap::{Args as _, FromArgMatches as _};
use files::Pending;
use options::Format;
use place::Places;
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;
use wengert_tape::gradcheck::Spec;

/// The exit code of a wrong command line, or of a report that cannot be written.
const USAGE: u8 = 2;
/// The exit code if no op is selected.
const NOTHING: u8 = 3;

/// The exit codes of [`main`] and [`run`], for the help of a program.
pub const EXIT_CODES: &str = "\
Exit codes:
  0         every gradient is right
  1         a gradient is wrong
  2         the command line is wrong, or a report cannot be written
  3         not everything was checked: no op is selected, or the time was over before an op had a case
  4         with --mutants: there are wrong rules that no check notices
  128 + n   ended by signal n, with a report of what was done: 130 for Ctrl-C, 143 for SIGTERM";

const ENVIRONMENT: &str = "\
Environment:
  WENGERT_SEED, WENGERT_CASES  the seed and the number of cases, if no option gives them
  NO_COLOR                     no colours
  GITHUB_STEP_SUMMARY          with --format github, the Markdown report is added to this file";

/// The program: reads the command line, checks the gradients of these ops, and writes the reports. `main` returns its exit code.
///
/// Panics in the functions of ops are failures, with their place.
pub fn main(specs: impl IntoIterator<Item = Spec>) -> ExitCode {
    let command = clap::Command::new("check")
        .bin_name(command::command())
        .about("Check the gradients of operations against finite differences")
        .after_help(format!("{EXIT_CODES}\n\n{ENVIRONMENT}"));
    let mut command = Options::augment_args(command);
    let matches = command.clone().try_get_matches_from(std::env::args_os());
    let options = match matches.and_then(|matches| Options::from_arg_matches(&matches)) {
        Ok(options) => options,
        Err(e) => {
            let e = e.format(&mut command);
            // If nobody reads it, the exit code still says it.
            let _ = e.print();
            return ExitCode::from(u8::try_from(e.exit_code()).unwrap_or(USAGE));
        }
    };
    ExitCode::from(run(specs, &options, None))
}

/// Checks as [`main`] does, for a program that has read the [`Options`] itself. `command` is the command that runs these checks, for the
/// reports, if it is not that of the process. Returns the exit code.
pub fn run(specs: impl IntoIterator<Item = Spec>, options: &Options, command: Option<&str>) -> u8 {
    match checked(specs.into_iter().collect(), options, command) {
        Ok(code) => code,
        Err((code, message)) => {
            // If nobody reads it, the exit code still says it.
            let _ = writeln!(io::stderr(), "error: {}", results::visible(&message));
            code
        }
    }
}

/// The exit code; or that of an error, with its message.
fn checked(specs: Vec<Spec>, options: &Options, command: Option<&str>) -> Result<u8, (u8, String)> {
    let places = Places::of_process();
    let cannot_write = |e: io::Error| (USAGE, format!("a report cannot be written: {e}"));
    let known = specs.len();
    let specs = options.select(specs, |spec| spec.name).map_err(|message| (NOTHING, message))?;
    if options.list {
        return print(&list(&specs, options, &places)).map(|()| 0).map_err(cannot_write);
    }
    let test = command.is_none() && command::is_test();
    if specs.is_empty() && !options.nothing && !test {
        return Err((NOTHING, format!("no operation is selected, of {known}; `--list` lists all")));
    }
    let mut files = Vec::new();
    for (format, path) in &options.written {
        files.push((*format, Pending::create(path).map_err(cannot_write)?));
    }
    if let Some(threads) = options.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|e| (USAGE, format!("{threads} threads cannot be started: {e}")))?;
    }
    if options.random && !options.quiet {
        // Before the work: if the process is killed, nothing else says it.
        let _ = writeln!(io::stderr(), "seed {}", options.seed);
    }
    let command = command.map_or_else(command::command, str::to_owned);
    let mut results = run::run(&specs, options, command);
    results.may_be_empty |= test;
    let code = results.verdict().code();
    let report = |format, colored| report::write(&results, format, &places, colored);
    for (format, file) in files {
        file.write(&report(format, false)).map_err(cannot_write)?;
    }
    let formats = || options.written.iter().map(|(format, _)| *format).chain([options.shown]);
    if let Some(summary) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())
        && formats().any(|format| format == Format::GitHub)
    {
        files::append(summary.as_ref(), &report(Format::Markdown, false)).map_err(cannot_write)?;
    }
    if !(options.quiet && code == 0 && options.shown == Format::Text) {
        print(&report(options.shown, progress::colored_report(options))).map_err(cannot_write)?;
    }
    Ok(code)
}

/// The ops, one per line: as a test program lists them, or with their places.
fn list(specs: &[Spec], options: &Options, places: &Places) -> String {
    let width = specs.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
    let line = |spec: &Spec| {
        let at = spec.location;
        format!("{:width$}  {}:{}", spec.name, places.shown(at.file()), at.line())
    };
    match options.shown {
        Format::Terse => {
            specs.iter().map(|spec| format!("{}: test", spec.name)).collect::<Vec<_>>().join("\n")
        }
        Format::Json => report::json_list(specs, places),
        _ => specs.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

/// Prints a report. A reader that closes the pipe, such as `head`, is not a failure.
fn print(text: &str) -> io::Result<()> {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(e),
        _ => Ok(()),
    }
}
