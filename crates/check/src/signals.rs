//! Signals that end a program end the run after the cases that have begun, with a report of what was done.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The signals of a run. A second one ends the program at once.
pub(crate) struct Signals {
    number: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens from now on. Signals that the program was started to ignore, by `nohup` or in the background of a script, remain ignored.
    /// If the system does not allow to listen, signals do what they do by default.
    pub(crate) fn listen() -> Self {
        let (first, number): (Arc<AtomicBool>, Arc<AtomicUsize>) = (Arc::default(), Arc::default());
        let ignored = ignored();
        for signal in awaited().into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0) {
            let code = usize::try_from(signal).unwrap_or(0);
            // The order matters: the first handler reads the flag that the last one sets.
            let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&first))
                .and_then(|_| flag::register_usize(signal, Arc::clone(&number), code))
                .and_then(|_| flag::register(signal, Arc::clone(&first)));
        }
        Signals { number }
    }

    /// The number of the signal that came.
    pub(crate) fn received(&self) -> Option<u8> {
        u8::try_from(self.number.load(Ordering::Relaxed)).ok().filter(|number| *number > 0)
    }
}

/// The signals that end a program and can be waited for.
fn awaited() -> Vec<i32> {
    let mut all = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    all.push(signal_hook::consts::SIGHUP);
    all
}

/// The signals that the program was started to ignore: signal n is bit n - 1. Linux lists them; other systems need an `unsafe` call, and
/// the result is empty.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
