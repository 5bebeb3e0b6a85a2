//! The summary of a job: a table of all ops, the failures first.

use super::{nothing, seconds, text};
use crate::place::Places;
use crate::results::{Mode, OpResult, OpVerdict, Results, Verdict};
use std::fmt::Write as _;

/// The number of failures whose details are written: a job summary of GitHub has at most a megabyte.
const DETAILS: usize = 25;
/// The number of lines of one of them.
const LINES: usize = 60;

pub(crate) fn write(results: &Results, places: &Places) -> String {
    let title = match (results.verdict(), results.mode) {
        (Verdict::Passed, Mode::Gradients) => "✅ Gradients are right",
        (Verdict::Passed, Mode::Mutants) => "✅ Every wrong rule is noticed",
        (Verdict::Failed, _) => "❌ A gradient is wrong",
        (Verdict::Incomplete, _) => "⚠️ Not everything was checked",
        (Verdict::Survived, _) => "⚠️ Wrong rules that no check notices",
        (Verdict::Interrupted(_), _) => "⚠️ Interrupted",
    };
    let mut out = format!("## {title}\n\n{}.\n", escaped(&text::summary(results)));
    if let Some(nothing) = nothing(results) {
        let _ = writeln!(out, "\n{nothing}");
        return out;
    }
    let mut ops: Vec<&OpResult> = results.ops.iter().collect();
    ops.sort_by_key(|op| match op.verdict {
        OpVerdict::Failed => 0,
        OpVerdict::Survived => 1,
        OpVerdict::Incomplete => 2,
        OpVerdict::Passed | OpVerdict::Skipped => 3,
    });
    match results.mode {
        Mode::Gradients => {
            out.push_str("\n| Operation | Verdict | Worst error | Cases | Derivatives | Time |\n|---|---|--:|--:|--:|--:|\n");
        }
        Mode::Mutants => {
            out.push_str(
                "\n| Operation | Verdict | Mutants | Caught | Survived | Time |\n|---|---|--:|--:|---|--:|\n",
            );
        }
    }
    for op in &ops {
        let (name, verdict, time) = (escaped(op.name), verdict(op.verdict), seconds(op.spent));
        let _ = match results.mode {
            Mode::Gradients => {
                let report = &op.outcome.report;
                let (worst, cases) = (report.worst, op.outcome.cases);
                writeln!(out, "| {name} | {verdict} | {worst:.1e} | {cases} | {} | {time} |", report.compared)
            }
            Mode::Mutants => {
                let (effective, caught, survived) = op.caught();
                let survived = escaped(&survived.join(", "));
                writeln!(out, "| {name} | {verdict} | {effective} | {caught} | {survived} | {time} |")
            }
        };
    }
    let wrong: Vec<_> =
        ops.into_iter().filter(|op| matches!(op.verdict, OpVerdict::Failed | OpVerdict::Survived)).collect();
    for op in wrong.iter().take(DETAILS) {
        let mut lines = op.lines(results);
        if lines.len() > LINES {
            lines.truncate(LINES);
            lines.push("..".to_owned());
        }
        let fence = "`".repeat(longest_run(&lines.join("\n"), '`').max(2) + 1);
        let place = escaped(&format!("{}:{}", places.shown(op.file), op.line));
        let _ = writeln!(
            out,
            "\n### {}\n\n{place}\n\n{fence}text\n{}\n{fence}",
            escaped(op.name),
            lines.join("\n")
        );
    }
    if wrong.len() > DETAILS {
        let _ = writeln!(out, "\nand {} more", wrong.len() - DETAILS);
    }
    out
}

fn verdict(verdict: OpVerdict) -> &'static str {
    match verdict {
        OpVerdict::Passed => "✅ passed",
        OpVerdict::Failed => "❌ failed",
        OpVerdict::Survived => "⚠️ survived",
        OpVerdict::Incomplete => "⚠️ incomplete",
        OpVerdict::Skipped => "skipped",
    }
}

/// Text in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let c = if matches!(c, '\n' | '\r') { ' ' } else { c };
        if "\\`*_|[]<>#~&$!@".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The length of the longest run of a character.
fn longest_run(text: &str, of: char) -> usize {
    text.split(|c| c != of).map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(escaped("a|b_c*<img>\n"), "a\\|b\\_c\\*\\<img\\> ");
        assert_eq!(longest_run("a ``` b `````", '`'), 5);
    }
}
