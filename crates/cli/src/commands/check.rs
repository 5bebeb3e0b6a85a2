//! `wengert check`: the property tests of every operation, on this machine; and hashes of their results.

mod bits;

use super::run;
use crate::output::Ended;
use anyhow::{Result, anyhow};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use wengert::check::{self, EXIT_CODES, Options};
use wengert::tape::rules;

#[derive(Debug, Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    options: Options,

    /// Print a hash of the results of every operation on fixed cases, of layers, random numbers and optimisers. The lines are the same on
    /// every machine with fused multiply-add, and with every number of threads
    #[arg(long, conflicts_with_all = CASES_AND_REPORTS)]
    bits: bool,
}

/// The options that say nothing about hashes.
const CASES_AND_REPORTS: [&str; 12] = [
    "cases",
    "seed",
    "case",
    "time",
    "shard",
    "property",
    "fail-fast",
    "mutants",
    "format",
    "output",
    "list",
    "color",
];

const EXAMPLES: &str = "\
Examples:
  wengert check                         every operation, 100 cases each
  wengert check --op softmax --op 'log*'
  wengert check --seed 7 --cases 1000   other cases, and more of them
  wengert check --seed random --time 5m
  wengert check --mutants               what the checks would miss
  wengert check --bits                  hashes, to compare with those of another machine";

impl CheckArgs {
    pub(crate) fn run(self) -> Result<String> {
        if self.bits {
            run::threads(self.options.threads())?;
            return self.bits();
        }
        let code = check::run(rules::table(), &self.options, Some("wengert check"));
        Err(Ended { code }.into())
    }

    fn bits(&self) -> Result<String> {
        let entries = self.options.select(bits::entries(rules::table()), |entry| &entry.name);
        let entries = entries.map_err(|message| anyhow!(message))?;
        let bar = bar("hashing", entries.len())?;
        let lines = bits::lines(&entries, |name| {
            bar.set_message(name.to_owned());
            bar.inc(1);
        })?;
        bar.finish_and_clear();
        Ok(lines.join("\n"))
    }
}

/// A progress bar; hidden if the standard error is not a terminal.
fn bar(doing: &str, length: usize) -> Result<ProgressBar> {
    let bar = ProgressBar::new(length as u64);
    bar.set_style(ProgressStyle::with_template(&format!("{doing} {{wide_bar}} {{pos}}/{{len}} {{msg:24}}"))?);
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    fn parse(words: &[&str]) -> clap::error::Result<CheckArgs> {
        let command = CheckArgs::augment_args(Command::new("check").no_binary_name(true));
        CheckArgs::from_arg_matches(&command.try_get_matches_from(words)?)
    }

    #[test]
    fn hashes_are_printed_by_name() {
        let text = parse(&["--bits", "--op", "soft*", "--op", "optim::Lion"]).unwrap().run().unwrap();
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
        let e = parse(&["--bits", "--op", "soft"]).unwrap().run().unwrap_err().to_string();
        assert!(e.contains("soft:") && e.contains("softmax") && e.contains("softplus"), "{e}");
        let hashes_alone =
            ["--cases=2", "--seed=2", "--case=2", "--time=2s", "--shard=1/2", "--list", "--format=json"];
        assert!(hashes_alone.iter().all(|option| parse(&["--bits", option]).is_err()));
    }
}
