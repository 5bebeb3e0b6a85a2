//! What a run found out, before it is written in any form.

use crate::schedule::Shard;
use std::time::Duration;
use wengert_tape::gradcheck::mutants::{Fate, Mutation};
use wengert_tape::gradcheck::suite::{FailedCase, Outcome};
use wengert_tape::gradcheck::{Order, Property};

/// The results of a run over several ops.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) mode: Mode,
    pub(crate) seed: u64,
    /// The number of cases of an op that was asked for.
    pub(crate) cases: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) shard: Option<Shard>,
    pub(crate) properties: Vec<Property>,
    pub(crate) threads: usize,
    pub(crate) elapsed: Duration,
    pub(crate) ended: Ended,
    /// The command that runs this program; arguments can be added.
    pub(crate) command: String,
    pub(crate) ops: Vec<OpResult>,
    /// Whether no op was selected, and that is all right: in a shard that has none, or in a test program with a filter.
    pub(crate) may_be_empty: bool,
}

/// What was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Gradients,
    /// The checks themselves, by rules that are wrong on purpose.
    Mutants,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    Complete,
    /// The time of `--time` was over.
    Time,
    /// After the first failure.
    FailFast,
    /// By a signal, with its number.
    Signal(u8),
}

/// The results for one op.
#[derive(Debug)]
pub(crate) struct OpResult {
    pub(crate) name: &'static str,
    /// The line of the source that makes its checks.
    pub(crate) file: &'static str,
    pub(crate) line: u32,
    pub(crate) order: Order,
    pub(crate) outcome: Outcome,
    pub(crate) verdict: OpVerdict,
    /// The time of its cases, on all threads together.
    pub(crate) spent: Duration,
    /// The places of panics.
    pub(crate) panics: Vec<String>,
    /// Whether what is declared at single points does not hold.
    pub(crate) points_failed: bool,
    /// What became of the mutants; `None` for those that were not tried.
    pub(crate) mutants: Vec<(Mutation, Option<Fate>)>,
}

/// The verdict on an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpVerdict {
    Passed,
    Failed,
    /// The op is right, but there are wrong rules that its checks do not notice.
    Survived,
    /// The run ended before it was checked.
    Incomplete,
    /// No case says anything about the properties that were asked for.
    Skipped,
}

impl OpVerdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            OpVerdict::Passed => "passed",
            OpVerdict::Failed => "failed",
            OpVerdict::Survived => "survived",
            OpVerdict::Incomplete => "incomplete",
            OpVerdict::Skipped => "skipped",
        }
    }
}

/// The verdict on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// Nothing was checked, or an op had no case.
    Incomplete,
    Survived,
    Interrupted(u8),
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Incomplete => "incomplete",
            Verdict::Survived => "survived",
            Verdict::Interrupted(_) => "interrupted",
        }
    }

    /// The exit code of the program.
    pub(crate) fn code(self) -> u8 {
        match self {
            Verdict::Passed => 0,
            Verdict::Failed => 1,
            Verdict::Incomplete => 3,
            Verdict::Survived => 4,
            Verdict::Interrupted(signal) => 128 + signal,
        }
    }
}

impl Results {
    pub(crate) fn count(&self, verdict: OpVerdict) -> usize {
        self.ops.iter().filter(|op| op.verdict == verdict).count()
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let some = |verdict| self.count(verdict) > 0;
        let nothing = self.ops.iter().all(|op| op.verdict == OpVerdict::Skipped);
        match self.ended {
            Ended::Signal(signal) => Verdict::Interrupted(signal),
            _ if some(OpVerdict::Failed) => Verdict::Failed,
            _ if some(OpVerdict::Incomplete) => Verdict::Incomplete,
            _ if self.ops.is_empty() && self.may_be_empty => Verdict::Passed,
            _ if nothing => Verdict::Incomplete,
            _ if some(OpVerdict::Survived) => Verdict::Survived,
            _ => Verdict::Passed,
        }
    }

    /// The numbers of all ops together: cases, derivatives compared, those at kinks, those skipped.
    pub(crate) fn totals(&self) -> Totals {
        let sum = |f: fn(&Outcome) -> usize| self.ops.iter().map(|op| f(&op.outcome)).sum();
        Totals {
            cases: sum(|o| o.cases),
            compared: sum(|o| o.report.compared),
            kinks: sum(|o| o.report.kinks),
            skipped: sum(|o| o.report.skipped),
        }
    }
}

/// Sums over all ops.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Totals {
    pub(crate) cases: usize,
    pub(crate) compared: usize,
    pub(crate) kinks: usize,
    pub(crate) skipped: usize,
}

impl OpResult {
    /// The mutants that changed a number, those that were noticed, and the names of the others.
    pub(crate) fn caught(&self) -> (usize, usize, Vec<&'static str>) {
        let fates = || self.mutants.iter().filter_map(|(m, fate)| Some((m, (*fate)?)));
        let effective = fates().filter(|(_, f)| *f != Fate::NoEffect).count();
        let caught = fates().filter(|(_, f)| matches!(f, Fate::Caught(_))).count();
        let survived = fates().filter(|(_, f)| *f == Fate::Survived).map(|(m, _)| m.name()).collect();
        (effective, caught, survived)
    }

    /// What is wrong, in lines, without the cases: declarations at points, and failures of the run as a whole.
    pub(crate) fn general(&self) -> Vec<String> {
        let of_cases: Vec<&String> =
            self.outcome.failed.iter().flat_map(|case| &case.report.failures).collect();
        let failures = &self.outcome.report.failures;
        if self.outcome.failed.is_empty() {
            return self.outcome.report.wrong();
        }
        failures.iter().filter(|f| !of_cases.contains(f)).take(10).cloned().collect()
    }

    /// The first line of what is wrong.
    pub(crate) fn first_line(&self) -> String {
        let case = self.outcome.failed.first().and_then(|case| case.report.wrong().into_iter().next());
        let general = || self.general().into_iter().next();
        let line = match self.verdict {
            OpVerdict::Survived => None,
            _ => case.or_else(general),
        };
        visible(&line.unwrap_or_else(|| format!("survived: {}", self.caught().2.join(", "))))
    }

    /// All that is wrong, in lines: the cases with their inputs, and the commands that repeat them. For an op that is right, the
    /// mutants that survived.
    pub(crate) fn lines(&self, of: &Results) -> Vec<String> {
        let mut lines = Vec::new();
        if self.verdict == OpVerdict::Survived {
            lines.extend(self.caught().2.into_iter().map(|name| format!("survived: {name}")));
        }
        for case in &self.outcome.failed {
            lines.push(format!("case of seed {} ({})", case.seed, format!("{:?}", case.kind).to_lowercase()));
            lines.extend(case.report.wrong().into_iter().map(|line| format!("  {line}")));
            lines.extend(case.input_texts().into_iter().map(|(name, text)| format!("  {name}: {text}")));
            if !case.arguments.is_empty() {
                lines.push(format!("  {}", case.arguments));
            }
        }
        lines.extend(self.general());
        lines.extend(self.panics.iter().cloned());
        lines.extend(self.again(of).into_iter().map(|command| format!("again: {command}")));
        // Messages of the user's code may have several lines.
        lines.iter().flat_map(|line| line.lines()).map(visible).collect()
    }

    /// The commands that repeat what is wrong: a case each, or the whole run of this op.
    pub(crate) fn again(&self, of: &Results) -> Vec<String> {
        let property = |p: Property| format!(" --property {}", p.name());
        let start = format!("{} --op {}", of.command, quoted(self.name));
        match self.verdict {
            OpVerdict::Passed | OpVerdict::Incomplete | OpVerdict::Skipped => Vec::new(),
            OpVerdict::Survived => {
                let cases = of.cases.map_or(String::new(), |n| format!(" --cases {n}"));
                vec![format!("{start} --mutants --seed {}{cases}", of.seed)]
            }
            OpVerdict::Failed if self.outcome.failed.is_empty() && self.points_failed => {
                vec![format!("{start}{}", property(Property::Points))]
            }
            OpVerdict::Failed if self.outcome.failed.is_empty() => {
                let properties: String = of.properties.iter().map(|p| property(*p)).collect();
                let cases = of.cases.unwrap_or(self.outcome.cases.max(1) as u64);
                vec![format!("{start} --seed {} --cases {cases}{properties}", of.seed)]
            }
            OpVerdict::Failed => {
                let one = |case: &FailedCase| {
                    format!("{start} --case {}{}", case.seed, case.property.map_or(String::new(), property))
                };
                self.outcome.failed.iter().map(one).collect()
            }
        }
    }
}

/// Text in which every invisible character is escaped, since a terminal would interpret it.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Controls, and characters that change the direction of text.
        let hidden =
            c.is_control() && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if hidden { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// A word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
