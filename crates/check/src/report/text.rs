//! The report for people: a row per op, then what is wrong.

use super::{ended, nothing, seconds};
use crate::place::Places;
use crate::results::{Mode, OpResult, OpVerdict, Results};
use std::fmt::Write as _;
use wengert_tape::gradcheck::Order;
use wengert_tape::gradcheck::mutants::Mutation;

const GREEN: &str = "32";
const RED: &str = "1;31";
const YELLOW: &str = "33";

pub(crate) fn write(results: &Results, places: &Places, colored: bool) -> String {
    let paint = |text: &str, color: &str| match colored {
        true => format!("\x1b[{color}m{text}\x1b[0m"),
        false => text.to_owned(),
    };
    let mut text = match nothing(results) {
        Some(nothing) => format!("{nothing}\n"),
        None => match results.mode {
            Mode::Gradients => table(results, &paint),
            Mode::Mutants => mutants(results, &paint),
        },
    };
    let _ = writeln!(text, "{}", summary(results));
    for op in results.ops.iter().filter(|op| matches!(op.verdict, OpVerdict::Failed | OpVerdict::Survived)) {
        let _ = writeln!(text, "\n{}", paint(&heading(op, places), RED));
        for line in op.lines(results) {
            let _ = writeln!(text, "  {line}");
        }
    }
    let not_checked = results.ops.iter().filter(|op| op.verdict == OpVerdict::Incomplete).map(|op| op.name);
    let not_checked: Vec<_> = not_checked.collect();
    if !not_checked.is_empty() {
        let _ = writeln!(text, "\nnot checked: {}", not_checked.join(", "));
    }
    text.truncate(text.trim_end().len());
    text
}

/// The op and its line.
fn heading(op: &OpResult, places: &Places) -> String {
    let what = if op.verdict == OpVerdict::Survived { "wrong rules are not noticed" } else { "failed" };
    format!("{} at {}:{}: {what}", op.name, places.shown(op.file), op.line)
}

fn word(verdict: OpVerdict) -> (&'static str, &'static str) {
    match verdict {
        OpVerdict::Passed => ("passed", GREEN),
        OpVerdict::Failed => ("FAILED", RED),
        OpVerdict::Survived => ("survived", YELLOW),
        OpVerdict::Incomplete => ("incomplete", YELLOW),
        OpVerdict::Skipped => ("skipped", YELLOW),
    }
}

fn width(results: &Results) -> usize {
    results.ops.iter().map(|op| op.name.len()).max().unwrap_or(0).max("operation".len())
}

fn table(results: &Results, paint: &dyn Fn(&str, &str) -> String) -> String {
    let width = width(results);
    let mut text = format!(
        "{:width$}  order  cases  compared  skipped  worst error  strided  broadcast  empty  kinks  largest  f32 ulp  verdict\n",
        "operation"
    );
    let count = |n: Option<usize>| n.map_or("-".to_owned(), |n| n.to_string());
    for op in &results.ops {
        let o = &op.outcome;
        let order = if op.order == Order::Second { 2 } else { 1 };
        let (verdict, color) = word(op.verdict);
        let _ = writeln!(
            text,
            "{:width$}  {order:5}  {:5}  {:8}  {:7}  {:11.1e}  {:7}  {:>9}  {:>5}  {:>5}  {:7}  {:>7}  {}",
            op.name,
            o.cases,
            o.report.compared,
            o.report.skipped,
            o.report.worst,
            o.strided,
            count(o.broadcast),
            count(o.empty),
            count(o.kinked),
            o.largest,
            o.accuracy.map_or("-".to_owned(), |a| format!("{:.1}", a.value.max(a.gradient))),
            paint(verdict, color),
        );
    }
    text
}

/// A row per op, with the mutations that survived.
fn mutants(results: &Results, paint: &dyn Fn(&str, &str) -> String) -> String {
    let width = width(results);
    let mut text = format!("{:width$}  mutants  caught  share   survived\n", "operation");
    for op in &results.ops {
        let (effective, caught, survived) = op.caught();
        let share = 100.0 * caught as f64 / effective.max(1) as f64;
        let last = match op.verdict {
            OpVerdict::Passed | OpVerdict::Survived => survived.join(", "),
            other => word(other).0.to_owned(),
        };
        let row = format!("{:width$}  {effective:7}  {caught:6}  {share:4.0} %  ", op.name);
        let last = if last.is_empty() { last } else { paint(&last, word(op.verdict).1) };
        let _ = writeln!(text, "{}", format!("{row}{last}").trim_end());
    }
    text
}

/// The run in a line.
pub(super) fn summary(results: &Results) -> String {
    let ops = results.ops.len();
    let shard = results.shard.map_or(String::new(), |s| format!(", shard {}/{}", s.index + 1, s.count));
    let end = ended(results).map_or(String::new(), |end| format!("; {end}"));
    let tail = format!("seed {}{shard}, {}{end}", results.seed, seconds(results.elapsed));
    match results.mode {
        Mode::Gradients => {
            let passed = results.count(OpVerdict::Passed);
            let totals = results.totals();
            format!(
                "{passed} of {ops} operations passed, {} derivatives compared ({} at kinks), {} skipped, {tail}",
                totals.compared, totals.kinks, totals.skipped
            )
        }
        Mode::Mutants => {
            let sums = results.ops.iter().map(OpResult::caught);
            let (of, all) =
                sums.fold((0, 0), |(of, all), (effective, caught, _)| (of + effective, all + caught));
            let share = 100.0 * all as f64 / of.max(1) as f64;
            let kinds = Mutation::ALL.len();
            format!(
                "{all} of {of} mutants caught, {share:.2} %: {kinds} kinds of mistake in {ops} operations, {tail}"
            )
        }
    }
}
