//! Signals that end a program end the run after the cases that have begun, with a report of what was done.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The signals of a run. A second one ends the program at once.
pub(crate) struct Signals {
    first: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens from now on. If the system does not allow it, signals do what they do by default.
    pub(crate) fn listen() -> Self {
        let first = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGTERM] {
            let second = Arc::new(AtomicBool::new(false));
            // In the order in which they act: the flag is still off when the first signal comes.
            let _ = flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&second));
            let _ = flag::register(signal, second);
            if let Ok(number) = usize::try_from(signal) {
                let _ = flag::register_usize(signal, Arc::clone(&first), number);
            }
        }
        Signals { first }
    }

    /// The number of the signal that came.
    pub(crate) fn received(&self) -> Option<u8> {
        match self.first.load(Ordering::Relaxed) {
            0 => None,
            number => u8::try_from(number).ok(),
        }
    }
}
