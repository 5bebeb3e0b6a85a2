//! Prints results, warnings and errors, so that nothing in them controls the terminal.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use wengert::data::Printable;

/// The reason why a run ended early without an error.
#[derive(Debug)]
pub(crate) struct Interrupted {
    pub(crate) message: String,
    /// The number of the signal.
    pub(crate) signal: u8,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Interrupted {}

/// The end of a command that has printed its results, or why there are none, itself.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code.
    pub(crate) code: u8,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ended with exit code {}", self.code)
    }
}

impl std::error::Error for Ended {}

/// Prints a result. A reader that closes the pipe, such as `head`, is not a failure.
pub(crate) fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    // A generated text may contain any character of the file that the model learned from.
    let text: Cow<'_, str> = if out.is_terminal() { visible(text).into() } else { text.into() };
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) if e.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints a warning.
pub(crate) fn warn(warning: &str) {
    // If the standard error is closed, there is no reader.
    let _ = writeln!(io::stderr(), "warning: {}", printable(warning));
}

/// Prints why the command ended without a result, and returns its exit code.
pub(crate) fn print_error(e: &anyhow::Error) -> ExitCode {
    // If the standard error is closed, the exit code still shows the failure.
    if let Some(ended) = e.downcast_ref::<Interrupted>() {
        let _ = writeln!(io::stderr(), "{}", printable(&ended.message));
        // The exit code that a shell reports for a program that a signal ended.
        return ExitCode::from(128 + ended.signal);
    }
    if let Some(ended) = e.downcast_ref::<Ended>() {
        return ExitCode::from(ended.code);
    }
    let Some(usage) = e.downcast_ref::<clap::Error>() else {
        let _ = writeln!(io::stderr(), "error: {}", message(e));
        return ExitCode::FAILURE;
    };
    // Help, or the error of a command line, which quotes it.
    let plain = usage.render().to_string();
    let _ = match usage.use_stderr() && plain.contains(|c: char| c.is_control() && c != '\n') {
        true => write!(io::stderr(), "{}", printable(&plain)),
        false => usage.print(),
    };
    ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
}

/// The messages of an error and its causes, each once.
pub(crate) fn message(e: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in e.chain() {
        let cause = cause.to_string();
        // Some errors quote their cause themselves.
        if message.contains(&cause) {
            continue;
        }
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&cause);
    }
    printable(&message)
}

/// A message in which every invisible character except line ends is escaped. Messages quote files and command lines, and a
/// terminal interprets control characters.
fn printable(message: &str) -> String {
    message.split('\n').map(|line| Printable(line).to_string()).collect::<Vec<_>>().join("\n")
}

/// The same for a result, in which tabs are kept too.
fn visible(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn nothing_in_a_message_steers_a_terminal() {
        let e = anyhow!("unknown field `\u{1b}]0;x\u{7}\u{9b}2J\r\u{202e}\0é\"'\\\n`");
        assert_eq!(message(&e), "unknown field `\\u{1b}]0;x\\u{7}\\u{9b}2J\\r\\u{202e}\\0é\"'\\\n`");
    }

    #[test]
    fn every_cause_is_said_once() {
        let e = anyhow!("file.json: gone").context("the options cannot be read");
        assert_eq!(message(&e), "the options cannot be read: file.json: gone");
        let e = anyhow!("gone").context("file.json: gone");
        assert_eq!(message(&e), "file.json: gone");
    }
}
