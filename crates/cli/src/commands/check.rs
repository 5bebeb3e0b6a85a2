//! `wengert check`: the property tests of every operation, on this machine; and hashes of their results.

mod bits;

use super::run;
use crate::options::values;
use crate::output;
use anyhow::{Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::time::Instant;
use wengert::ops::parallel;
use wengert::tape::gradcheck::mutants::{self, Fate, Mutation};
use wengert::tape::gradcheck::suite::{self, Outcome};
use wengert::tape::gradcheck::{Order, Spec};
use wengert::tape::rules;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// Only operations with this name, or with this beginning if it ends in `*`; can be given several times
    #[arg(long, value_name = "NAME")]
    op: Vec<String>,

    /// Cases for each operation
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    cases: u32,

    /// Seed of the first case; case i of an operation is drawn from seed + i
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Check the checks: break every rule in each of the ways known, and print the share that is caught
    #[arg(long)]
    mutants: bool,

    /// Print a hash of the results of every operation on fixed cases, of layers, random numbers and optimisers. The lines are the same on
    /// every machine with fused multiply-add, and with every number of threads
    #[arg(long, conflicts_with_all = ["cases", "seed", "mutants"])]
    bits: bool,

    /// The number of threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = values::count::<1024>)]
    threads: Option<usize>,
}

const EXAMPLES: &str = "\
Examples:
  wengert check                         every operation, 100 cases each
  wengert check --op softmax --op 'log*'
  wengert check --seed 7 --cases 1000   other cases, and more of them
  wengert check --mutants               what the checks would miss
  wengert check --bits                  hashes, to compare with those of another machine";

impl CheckArgs {
    pub(crate) fn run(self) -> Result<String> {
        run::threads(self.threads)?;
        if self.bits {
            return self.bits();
        }
        let specs = self.chosen()?;
        if self.mutants { self.mutants(&specs) } else { self.check(&specs) }
    }

    fn check(&self, specs: &[Spec]) -> Result<String> {
        let start = Instant::now();
        let bar = bar("checking", specs.len())?;
        let outcomes = suite::run_all(specs, self.seed, self.cases as usize, |o| {
            bar.set_message(o.report.name.clone());
            bar.inc(1);
        });
        bar.finish_and_clear();
        let text = table(specs, &outcomes, start.elapsed().as_secs_f64());
        let failed: Vec<&Outcome> = outcomes.iter().filter(|o| !o.passed()).collect();
        if failed.is_empty() {
            return Ok(text);
        }
        let details: Vec<String> = failed.iter().map(|o| o.to_string()).collect();
        output::print(&format!("{text}\n\n{}\n\n{}\n", details.join("\n"), again(&failed)));
        bail!("{} of {} operations failed", failed.len(), outcomes.len());
    }

    fn mutants(&self, specs: &[Spec]) -> Result<String> {
        let start = Instant::now();
        let bar = bar("breaking", specs.len())?;
        let fates = parallel::collect(specs.len(), |i| {
            let fates = mutants::run(&specs[i], Mutation::ALL, self.seed, self.cases as usize);
            bar.set_message(specs[i].name);
            bar.inc(1);
            fates
        });
        bar.finish_and_clear();
        Ok(mutant_table(specs, &fates, start.elapsed().as_secs_f64()))
    }

    fn bits(&self) -> Result<String> {
        let entries = self.named(bits::entries(rules::table()), |entry| &entry.name)?;
        let bar = bar("hashing", entries.len())?;
        let lines = bits::lines(&entries, |name| {
            bar.set_message(name.to_owned());
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        Ok(lines.join("\n"))
    }

    fn chosen(&self) -> Result<Vec<Spec>> {
        self.named(rules::table(), |spec| spec.name)
    }

    /// Those that the options name.
    fn named<E>(&self, all: Vec<E>, name: impl Fn(&E) -> &str) -> Result<Vec<E>> {
        if self.op.is_empty() {
            return Ok(all);
        }
        let fits = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        };
        for pattern in &self.op {
            if !all.iter().any(|one| fits(pattern, name(one))) {
                let part = pattern.trim_end_matches('*');
                let near: Vec<_> = all.iter().map(&name).filter(|name| name.contains(part)).collect();
                let hint = if near.is_empty() {
                    "`wengert check --op '*' --cases 1` lists all".to_owned()
                } else {
                    format!("there are {}", near.join(", "))
                };
                bail!("no operation is named {pattern}: {hint}");
            }
        }
        Ok(all.into_iter().filter(|one| self.op.iter().any(|pattern| fits(pattern, name(one)))).collect())
    }
}

/// A progress bar; hidden if the standard error is not a terminal.
fn bar(doing: &str, length: usize) -> Result<ProgressBar> {
    let bar = ProgressBar::new(length as u64);
    bar.set_style(ProgressStyle::with_template(&format!("{doing} {{wide_bar}} {{pos}}/{{len}} {{msg:24}}"))?);
    Ok(bar)
}

/// The commands that run only the cases that failed.
fn again(failed: &[&Outcome]) -> String {
    let cases = failed.iter().flat_map(|o| o.failed.iter().take(1).map(|case| (&o.report.name, case.seed)));
    let lines = cases.map(|(name, seed)| format!("again: wengert check --op {name} --seed {seed} --cases 1"));
    lines.collect::<Vec<_>>().join("\n")
}

/// One line per operation with the mutations that survived, and the shares over all operations.
fn mutant_table(specs: &[Spec], fates: &[Vec<Fate>], seconds: f64) -> String {
    let width = specs.iter().map(|s| s.name.len()).max().unwrap_or(0).max("operation".len());
    let mut text = format!("{:width$}  mutants  caught  share   survived\n", "operation");
    let caught = |f: &Fate| matches!(f, Fate::Caught(_));
    let (mut all, mut of) = (0, 0);
    for (spec, fates) in specs.iter().zip(fates) {
        let effective = fates.iter().filter(|f| **f != Fate::NoEffect).count();
        let found = fates.iter().filter(|f| caught(f)).count();
        let survived = Mutation::ALL.iter().zip(fates).filter(|(_, f)| **f == Fate::Survived);
        let survived: Vec<_> = survived.map(|(m, _)| m.name()).collect();
        (all, of) = (all + found, of + effective);
        let share = 100.0 * found as f64 / effective.max(1) as f64;
        let line =
            format!("{:width$}  {effective:7}  {found:6}  {share:4.0} %  {}", spec.name, survived.join(", "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let share = 100.0 * all as f64 / of.max(1) as f64;
    let _ = write!(
        text,
        "{all} of {of} mutants caught, {share:.2} %: {} kinds of mistake in {} operations, {seconds:.1} s",
        Mutation::ALL.len(),
        specs.len()
    );
    text
}

/// One line per operation, and a summary.
fn table(specs: &[Spec], outcomes: &[Outcome], seconds: f64) -> String {
    let width = specs.iter().map(|s| s.name.len()).max().unwrap_or(0).max("operation".len());
    let mut text = format!(
        "{:width$}  order  cases  compared  skipped  worst error  strided  broadcast  empty  kinks  largest  f32 ulp  verdict\n",
        "operation"
    );
    let count = |n: Option<usize>| n.map_or("-".to_owned(), |n| n.to_string());
    for (spec, o) in specs.iter().zip(outcomes) {
        let order = if spec.order == Order::Second { 2 } else { 1 };
        let _ = writeln!(
            text,
            "{:width$}  {order:5}  {:5}  {:8}  {:7}  {:11.1e}  {:7}  {:>9}  {:>5}  {:>5}  {:7}  {:>7}  {}",
            spec.name,
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
            if o.passed() { "passed" } else { "FAILED" },
        );
    }
    let passed = outcomes.iter().filter(|o| o.passed()).count();
    let entries: usize = outcomes.iter().map(|o| o.report.compared).sum();
    let skipped: usize = outcomes.iter().map(|o| o.report.skipped).sum();
    let kinks: usize = outcomes.iter().map(|o| o.report.kinks).sum();
    let seed = outcomes.first().map_or(0, |o| o.seed);
    let _ = write!(
        text,
        "{passed} of {} operations passed, {entries} derivatives compared ({kinks} at kinks), {skipped} skipped, seed \
         {seed}, {seconds:.1} s",
        outcomes.len()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(op: &[&str]) -> CheckArgs {
        CheckArgs {
            op: op.iter().map(|&s| s.to_owned()).collect(),
            cases: 3,
            seed: 1,
            mutants: false,
            bits: false,
            threads: None,
        }
    }

    #[test]
    fn chosen_operations_are_checked_and_listed() {
        let text = check(&["softmax", "log1*"]).run().unwrap();
        let names: Vec<_> = text.lines().skip(1).map(|l| l.split(' ').next().unwrap()).collect();
        assert_eq!(names, ["log10", "log1p", "softmax", "3"]);
        assert!(text.contains("3 of 3 operations passed"), "{text}");
    }

    #[test]
    fn hashes_are_printed_by_name() {
        let text = CheckArgs { bits: true, ..check(&["soft*", "optim::Lion"]) }.run().unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap()).collect();
        assert!(
            lines.iter().any(|(name, _)| *name == "softmax") && lines.last().unwrap().0 == "optim::Lion",
            "{text}"
        );
        assert!(
            lines.iter().all(|(_, hash)| hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok()),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_like_it() {
        let e = check(&["soft"]).run().unwrap_err().to_string();
        assert!(e.contains("soft:") && e.contains("softmax") && e.contains("softplus"), "{e}");
    }
}
