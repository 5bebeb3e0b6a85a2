//! Progress on the standard error stream: a bar in a terminal, a line every ten seconds elsewhere.

use crate::options::{Color, Format, Options};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The time between two lines.
const INTERVAL: Duration = Duration::from_secs(10);
/// The time between two pictures of the bar, and their number per second.
const TICK: Duration = Duration::from_millis(100);
const DRAWS: u8 = 10;

/// Shows the progress of a run until it is finished.
pub(crate) struct Progress {
    counts: Arc<Counts>,
    shown: Shown,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines { end: mpsc::Sender<()>, thread: JoinHandle<()> },
}

/// The numbers of a run.
struct Counts {
    doing: &'static str,
    seed: u64,
    start: Instant,
    done: AtomicU64,
    total: Option<u64>,
    time: Option<Duration>,
    failed: AtomicU64,
}

impl Counts {
    fn line(&self) -> String {
        let Counts { doing, seed, .. } = self;
        let (done, failed) = (self.done.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let what = if *doing == "breaking" { "mutants" } else { "cases" };
        let of = self.total.map_or(String::new(), |total| format!(" of {total}"));
        let limit = self.time.map_or(String::new(), |time| format!(" of {}", seconds(time)));
        let elapsed = seconds(self.start.elapsed());
        format!("{doing}: {done}{of} {what}, {failed} failed, {elapsed}{limit}, seed {seed}")
    }
}

/// A time in whole seconds; short ones in milliseconds.
fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{} s", time.as_secs())
    }
}

impl Progress {
    /// Progress of `total` cases, if their number is known.
    pub(crate) fn start(options: &Options, doing: &'static str, total: Option<u64>) -> Self {
        let time = options.time;
        let (done, failed, start) = (AtomicU64::new(0), AtomicU64::new(0), Instant::now());
        let counts = Arc::new(Counts { doing, seed: options.seed, start, done, total, time, failed });
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let shown = if options.quiet {
            Shown::Nothing
        } else if io::stderr().is_terminal() && !dumb {
            Shown::Bar(bar(&counts, colored(options.color, true)))
        } else {
            lines(Arc::clone(&counts), INTERVAL, io::stderr())
        };
        Progress { counts, shown }
    }

    /// A case of an op has ended.
    pub(crate) fn advance(&self, name: &'static str, failed: bool) {
        let done = self.counts.done.fetch_add(1, Ordering::Relaxed) + 1;
        let failures = self.counts.failed.fetch_add(u64::from(failed), Ordering::Relaxed) + u64::from(failed);
        let Shown::Bar(bar) = &self.shown else { return };
        let elapsed = || u64::try_from(self.counts.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        bar.set_position(self.counts.time.map_or(done, |_| elapsed()));
        let wrong = if failures > 0 { format!("{failures} failed, ") } else { String::new() };
        bar.set_message(format!("{wrong}{name}"));
    }

    /// The run has ended: the bar disappears.
    pub(crate) fn finish(self) {
        match self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.finish_and_clear(),
            Shown::Lines { end, thread } => {
                drop(end);
                let _ = thread.join();
            }
        }
    }
}

/// The bar counts cases, or the milliseconds of a limited time.
fn bar(counts: &Counts, colored: bool) -> ProgressBar {
    let length = match counts.time {
        Some(time) => u64::try_from(time.as_millis()).ok(),
        None => counts.total,
    };
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(DRAWS));
    let color = if colored { ":.cyan" } else { "" };
    let place = if counts.time.is_some() { "{elapsed} of {limit}" } else { "{pos}/{len}" };
    let template = format!("{} {{wide_bar{color}}} {place} {{msg:24}}", counts.doing);
    let whole = counts.time.unwrap_or_default();
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let written = move |_: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}", seconds(whole));
    };
    bar.set_style(style.with_key("limit", written));
    bar.enable_steady_tick(TICK);
    bar
}

/// Writes a line at every interval, from a thread of its own: a single case may take longer.
fn lines(counts: Arc<Counts>, interval: Duration, mut out: impl Write + Send + 'static) -> Shown {
    let (end, ended) = mpsc::channel::<()>();
    let write = move || {
        while ended.recv_timeout(interval) == Err(mpsc::RecvTimeoutError::Timeout) {
            // If nobody reads it, the run continues.
            let _ = writeln!(out, "{}", counts.line());
        }
    };
    match std::thread::Builder::new().name("progress".to_owned()).spawn(write) {
        Ok(thread) => Shown::Lines { end, thread },
        Err(_) => Shown::Nothing,
    }
}

/// Whether to use colours on a stream.
pub(crate) fn colored(color: Color, terminal: bool) -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !refused,
    }
}

/// Whether the report of the standard output is coloured.
pub(crate) fn colored_report(options: &Options) -> bool {
    options.shown == Format::Text && colored(options.color, io::stdout().is_terminal())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn counts(time: Option<Duration>) -> Counts {
        Counts {
            doing: "checking",
            seed: 7,
            start: Instant::now(),
            done: AtomicU64::new(3),
            total: time.is_none().then_some(10),
            time,
            failed: AtomicU64::new(1),
        }
    }

    #[test]
    fn a_line_comes_at_every_interval_and_none_after_the_end() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let counts = Arc::new(counts(None));
        let shown = lines(Arc::clone(&counts), Duration::from_millis(20), Shared(Arc::clone(&written)));
        std::thread::sleep(Duration::from_millis(200));
        Progress { counts, shown }.finish();
        let text = |w: &Mutex<Vec<u8>>| String::from_utf8(w.lock().unwrap().clone()).unwrap();
        let at_end = text(&written);
        let first = at_end.lines().next().unwrap();
        assert!(
            first.starts_with("checking: 3 of 10 cases, 1 failed, ") && first.ends_with(", seed 7"),
            "{first}"
        );
        assert!((2..=10).contains(&at_end.lines().count()), "{at_end}");
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(text(&written), at_end);
    }

    #[test]
    fn a_limited_time_is_in_the_line() {
        let line = counts(Some(Duration::from_secs(60))).line();
        assert!(
            line.starts_with("checking: 3 cases, 1 failed, ") && line.ends_with(" of 60 s, seed 7"),
            "{line}"
        );
    }

    #[test]
    fn the_bars_template_is_valid() {
        for place in ["{elapsed} of {limit}", "{pos}/{len}"] {
            for color in ["", ":.cyan"] {
                let template = format!("checking {{wide_bar{color}}} {place} {{msg:24}}");
                assert!(ProgressStyle::with_template(&template).is_ok(), "{template}");
            }
        }
        bar(&counts(Some(Duration::from_secs(2))), true).finish_and_clear();
    }
}
