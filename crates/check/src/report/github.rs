//! The log of a job of GitHub Actions, with annotations on the lines of the ops.
//!
//! An annotation is a workflow command, `::error file=..,line=..,title=..::message`. See "Workflow commands for GitHub Actions" in
//! GitHub's documentation, and `toolkit/packages/core/src/command.ts` for what is escaped.

use super::text;
use crate::place::Places;
use crate::results::{Ended, OpResult, OpVerdict, Results};
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};

/// The text report, and an annotation for each op that is wrong. The token, which nobody can know before, stops the runner from reading
/// commands in messages of the user's code.
pub(crate) fn write(results: &Results, places: &Places, token: &str) -> String {
    let mut out = format!("::stop-commands::{token}\n{}\n::{token}::\n", text::write(results, places, false));
    for op in &results.ops {
        let (level, title) = match op.verdict {
            OpVerdict::Failed => ("error", format!("the gradient of {} is wrong", op.name)),
            OpVerdict::Survived => ("warning", format!("wrong rules of {} are not noticed", op.name)),
            // After a failure or a signal, that is not about these ops.
            OpVerdict::Incomplete if results.ended == Ended::Time => {
                ("warning", format!("{} was not checked", op.name))
            }
            OpVerdict::Incomplete | OpVerdict::Passed | OpVerdict::Skipped => continue,
        };
        let _ = writeln!(
            out,
            "::{level} file={},line={},title={}::{}",
            property(&places.in_repository(op.file)),
            op.line,
            property(&title),
            data(&message(results, op))
        );
    }
    out.truncate(out.trim_end().len());
    out
}

/// A word for `stop-commands`.
pub(crate) fn token() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn message(results: &Results, op: &OpResult) -> String {
    match op.verdict {
        OpVerdict::Incomplete => super::ended(results).unwrap_or_else(|| "the run was incomplete".to_owned()),
        _ => op.lines(results).join("\n"),
    }
}

/// The message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
