//! The subcommands, one per file. Each returns the text to print.

#[cfg(feature = "check")]
mod check;
#[cfg(not(feature = "check"))]
#[path = "no_check.rs"]
mod check;
mod completions;
mod config_file;
mod eval;
mod man;
mod models;
mod resume;
mod run;
mod sample;
mod step;
mod summary;
mod train;

use anyhow::Result;
use clap::Subcommand;
pub(crate) use config_file::with_model_of_file;
use wengert::train::{Measures, MetricKind};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model and keep weights, options, metrics and learning curves in a folder
    ///
    /// A part of the data is held out to test on. The same options give the same weights, bit by bit, on any number of threads,
    /// and however often the run was stopped and resumed. Ctrl-C ends it after the step, with a checkpoint.
    Train(Box<train::TrainArgs>),
    /// Continue a run that was stopped, from its newest checkpoint
    ///
    /// The results are those of a run that was not stopped, to the last bit.
    Resume(resume::ResumeArgs),
    /// Evaluate a trained model on its held-out samples again
    ///
    /// The model and the test split are rebuilt from the config.toml of its run: the numbers are those that training
    /// ended with, to the last digit.
    Eval(eval::EvalArgs),
    /// Let a trained model make something: text, images, a translation, a forecast
    Sample(sample::SampleArgs),
    /// Show the layers of a model and their parameters
    Summary(summary::SummaryArgs),
    /// List the models that can be trained
    Models(models::ModelsArgs),
    /// Prove the gradient of every operation against finite differences, on this machine
    ///
    /// Each operation is put through its property tests on generated inputs: first and second order, broadcast, empty and
    /// strided operands, kinks, f32 against f64, one thread against three. The exit code is 1 if anything fails.
    ///
    /// With --bits, it prints hashes of results instead, to compare them with those of another machine, or with docs/bits.txt.
    Check(check::CheckArgs),
    /// Step through a computation and its gradient, forward and back
    ///
    /// In a terminal, arrow keys step; each step shows the node, its local derivative, the formula with numbers put in,
    /// and what is accumulated where. As a page (--out page.html) it does the same in a browser, from a single file.
    Step(step::StepArgs),
    /// Print the script with which a shell completes this command line
    Completions(completions::CompletionsArgs),
    /// Print the manual page, or write the page of every command into a folder
    Man(man::ManArgs),
}

impl Command {
    pub(crate) fn run(self) -> Result<String> {
        match self {
            Command::Train(train) => train.run(),
            Command::Resume(resume) => resume.run(),
            Command::Eval(eval) => eval.run(),
            Command::Sample(sample) => sample.run(),
            Command::Summary(summary) => summary.run(),
            Command::Models(models) => Ok(models.run()),
            Command::Check(check) => check.run(),
            Command::Step(step) => step.run(),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(),
        }
    }
}

/// A test score as both `train` and `eval` print it, with all digits; shares are first.
fn test_lines(score: &Measures) -> String {
    let (shares, others): (Vec<_>, Vec<_>) = score.iter().partition(|m| m.form() == MetricKind::Share);
    let lines = shares.into_iter().chain(others).map(|m| match m.form() {
        MetricKind::Share => {
            let (percent, count, of) = (100.0 * m.value(), m.sum(), m.weight());
            format!("test {} {percent:.2} % ({count} of {of})", m.name())
        }
        _ => format!("test {} {}", m.name(), m.value()),
    });
    lines.collect::<Vec<_>>().join("\n")
}
