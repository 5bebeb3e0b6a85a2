//! [`Progress`]: the progress of a run, on the standard error stream.
//!
//! In a terminal, it is one bar with epoch, remaining time, samples per second, loss, and a measure of the held-out samples. The
//! text next to the bar takes at most 59 columns, so that it fits into 60. Elsewhere, and in a terminal with `TERM=dumb`, it is
//! one plain line per epoch. If `NO_COLOR` is set (<https://no-color.org>), the bar has no colours.

use crate::epoch::Epoch;
use crate::error::Result;
use crate::measures::Measures;
use crate::observer::{Observer, RunPlan, StepReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal, Write};

/// How often the bar is drawn, per second.
const DRAWS: u8 = 12;
/// The weight of the last step in the loss that is shown. The loss of single batches varies too much to be read.
const SMOOTHING: f64 = 0.1;

/// An [`Observer`] that shows the progress of a run.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Linear, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Minimize, Progress, fit};
///
/// let (train, test) = digits()?.stratified_split(0.2, 0)?;
/// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
/// let (loader, mut learner) = (Loader::new(&train, 64, 0)?, Minimize::new(&mut model, &mut adam, Classify));
/// let config = FitConfig { epochs: 2, ..FitConfig::default() };
/// let mut lines = Vec::new();
/// fit(&mut learner, &loader, &test, &config, &mut Progress::lines(&mut lines))?;
/// let lines = String::from_utf8(lines).unwrap();
/// assert!(lines.lines().count() == 2 && lines.starts_with("epoch 1/2  train loss "));
/// # Ok::<(), wengert_train::Error>(())
/// ```
pub struct Progress<'w> {
    plan: RunPlan,
    /// The number of samples that were learned from.
    samples: usize,
    /// The loss, smoothed over steps.
    loss: Option<f64>,
    /// The text for the held-out samples of the last epoch.
    test: String,
    shown: Shown<'w>,
}

enum Shown<'w> {
    Bar { bar: ProgressBar, look: Look },
    Lines(Box<dyn Write + 'w>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    Coloured,
    Plain,
}

impl<'w> Progress<'w> {
    /// The form for the standard error stream: a bar in a terminal, plain lines elsewhere.
    ///
    /// ```
    /// use wengert_data::{Loader, digits};
    /// use wengert_nn::{Linear, optim::Adam};
    /// use wengert_ops::random::Rng;
    /// use wengert_train::{Classify, FitConfig, Minimize, Progress, fit};
    ///
    /// let (train, test) = digits()?.stratified_split(0.2, 0)?;
    /// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
    /// let (loader, mut learner) = (Loader::new(&train, 64, 0)?, Minimize::new(&mut model, &mut adam, Classify));
    /// let config = FitConfig { epochs: 1, ..FitConfig::default() };
    /// let fitted = fit(&mut learner, &loader, &test, &config, &mut Progress::stderr())?;
    /// assert_eq!(fitted.epochs.len(), 1);
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn stderr() -> Self {
        let (term, no_color) = (std::env::var_os("TERM"), std::env::var_os("NO_COLOR"));
        match look(io::stderr().is_terminal(), term.as_deref(), no_color.as_deref()) {
            None => Self::lines(io::stderr()),
            Some(look) => {
                let bar = ProgressBar::hidden();
                Self::new(Shown::Bar { bar, look })
            }
        }
    }

    /// Plain lines to any writer; write errors are ignored. See [`Progress`] for an example.
    pub fn lines(to: impl Write + 'w) -> Self {
        Self::new(Shown::Lines(Box::new(to)))
    }

    fn new(shown: Shown<'w>) -> Self {
        Progress {
            plan: RunPlan { epochs: 0, steps: 0, done: 0 },
            samples: 0,
            loss: None,
            test: String::new(),
            shown,
        }
    }
}

impl Observer for Progress<'_> {
    fn start(&mut self, plan: &RunPlan) {
        (self.plan, self.samples, self.loss, self.test) = (*plan, 0, None, String::new());
        if let Shown::Bar { bar, look } = &mut self.shown {
            let target = ProgressDrawTarget::stderr_with_hz(DRAWS);
            *bar = ProgressBar::with_draw_target(Some((plan.epochs * plan.steps) as u64), target);
            bar.set_style(style(*look));
            // Steps from before the run was resumed count, but took no time in this session.
            bar.set_position(plan.done as u64);
            bar.reset_eta();
        }
    }

    fn step(&mut self, step: &StepReport) {
        let loss = self.loss.get_or_insert(step.loss);
        *loss += SMOOTHING * (step.loss - *loss);
        self.samples += step.samples;
        if let Shown::Bar { bar, .. } = &self.shown {
            bar.set_prefix(format!("{}/{}", step.epoch, self.plan.epochs));
            let rate = rate(self.samples as f64 / bar.elapsed().as_secs_f64());
            bar.set_message(format!("{rate}  loss {loss:.4}{}", self.test));
            bar.inc(1);
        }
    }

    fn warning(&mut self, message: &str) {
        match &mut self.shown {
            Shown::Bar { bar, .. } => bar.println(format!("warning: {message}")),
            Shown::Lines(to) => lost(writeln!(to, "warning: {message}")),
        }
    }

    fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
        if let Some(epoch) = epochs.last() {
            self.test = short(&epoch.test);
            if let Shown::Lines(to) = &mut self.shown {
                lost(writeln!(to, "{}", line(epoch, self.plan.epochs)));
            }
        }
        Ok(())
    }

    fn finish(&mut self) {
        if let Shown::Bar { bar, .. } = &self.shown {
            bar.abandon();
        }
    }
}

/// A write error of the progress stream must not stop a run.
fn lost(_: io::Result<()>) {}

/// The look of the bar, or `None` for lines.
fn look(terminal: bool, term: Option<&OsStr>, no_color: Option<&OsStr>) -> Option<Look> {
    if !terminal || term.is_some_and(|term| term == "dumb") {
        return None;
    }
    match no_color.is_some_and(|value| !value.is_empty()) {
        true => Some(Look::Plain),
        false => Some(Look::Coloured),
    }
}

fn style(look: Look) -> ProgressStyle {
    let template = match look {
        Look::Coloured => "{prefix:.bold}  {wide_bar:.cyan/dim}  {left}  {msg}",
        Look::Plain => "{prefix}  {wide_bar}  {left}  {msg}",
    };
    // The templates are constants, so they do not fail; if one did, only the look of the bar would change.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
        .with_key("left", |state: &ProgressState, w: &mut dyn fmt::Write| {
            let left = match state.is_finished() {
                true => format!("{:.1} s", state.elapsed().as_secs_f64()),
                false => format!("{} left", duration(state.eta().as_secs())),
            };
            let _ = w.write_str(&left);
        })
}

fn line(epoch: &Epoch, of: usize) -> String {
    let part = |name: &str, measures: &Measures| -> String {
        let each = measures.iter().map(|m| format!("{} {}", m.name(), m.form().show(m.value())));
        let all: Vec<String> = each.collect();
        if all.is_empty() { String::new() } else { format!("  {name} {}", all.join("  ")) }
    };
    format!(
        "epoch {number:>width$}/{of}{}{}  {:.2} s",
        part("train", &epoch.train),
        part("test", &epoch.test),
        epoch.seconds,
        number = epoch.number,
        width = of.to_string().len(),
    )
}

/// The most informative measure of the held-out samples: a share if there is one.
fn short(test: &Measures) -> String {
    let best = test.iter().find(|m| m.form().more_is_better()).or_else(|| test.iter().last());
    best.map_or_else(String::new, |m| format!("  test {}", m.form().show(m.value())))
}

fn rate(samples_a_second: f64) -> String {
    match samples_a_second {
        r if r < 1e3 => format!("{r:.0}/s"),
        r if r < 1e5 => format!("{:.1}k/s", r / 1e3),
        r => format!("{:.0}k/s", r / 1e3),
    }
}

fn duration(seconds: u64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{:02}", seconds % 60),
        _ => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_needs_a_terminal_that_can_draw_it() {
        let (xterm, dumb) = (Some(OsStr::new("xterm")), Some(OsStr::new("dumb")));
        let (empty, set) = (Some(OsStr::new("")), Some(OsStr::new("1")));
        assert_eq!(look(true, xterm, None), Some(Look::Coloured));
        assert_eq!(look(true, xterm, empty), Some(Look::Coloured));
        assert_eq!(look(true, xterm, set), Some(Look::Plain));
        assert_eq!(look(true, None, None), Some(Look::Coloured));
        assert_eq!(look(true, dumb, None), None);
        assert_eq!(look(false, xterm, None), None);
    }

    #[test]
    fn lines_are_plain_and_aligned() {
        let score =
            |loss, correct| Measures::new(400).mean("loss", loss, 1.0).share("accuracy", correct, 400);
        let epoch = Epoch { number: 7, train: score(0.125, 390), test: score(0.25, 371), seconds: 0.0449 };
        let mut out = Vec::new();
        let mut progress = Progress::lines(&mut out);
        progress.start(&RunPlan { epochs: 10, steps: 2, done: 0 });
        progress.warning("odd");
        progress.epoch(&[epoch]).unwrap();
        progress.finish();
        drop(progress);
        let expected = "warning: odd\n\
            epoch  7/10  train loss 0.1250  accuracy 97.50 %  test loss 0.2500  accuracy 92.75 %  0.04 s\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn numbers_are_short() {
        let rates = [0.4, 999.0, 51_234.0, 512_345.0].map(rate);
        let expected = ["0/s", "999/s", "51.2k/s", "512k/s"];
        assert_eq!(rates, expected);
        assert_eq!([9, 75, 3725].map(duration), ["9 s", "1:15", "1:02:05"]);
    }
}
