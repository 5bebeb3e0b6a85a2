//! The profiler: where the time of a computation goes, by operation, module and pass.
//!
//! A [`Profiler`] records what its thread does until it is stopped: every operation of every tape, the reverse sweeps, the steps of
//! optimisers, and the [spans](span) that a program opens around other parts, such as reading data. It is part of the thread and
//! not of a tape, since a step uses several tapes: that of the model, those of rules that run other operations, and those that
//! evaluate. [`Tape::profile`](crate::Tape::profile) is the short form for one closure.
//!
//! ```
//! use wengert_ops::Tensor;
//! use wengert_tape::{Tape, profile::{Pass, Profiler, span}};
//!
//! let profiler = Profiler::start();
//! let mut tape = Tape::<f32>::new();
//! for _ in 0..3 {
//!     tape.reset();
//!     let batch = {
//!         let _span = span(Pass::Data);
//!         Tensor::ones([8, 16])
//!     };
//!     tape.var(batch).tanh().sum().backward()?;
//! }
//! let profile = profiler.stop().per_step(3);
//! println!("{profile}");                                          // tables by pass, operation and module
//! let tanh = profile.rows().iter().find(|r| r.operation == "tanh" && r.pass == Some(Pass::Forward)).unwrap();
//! assert_eq!((tanh.calls, tanh.flops), (3, 3 * 8 * 16));
//! assert_eq!(profile.rows().iter().map(|r| r.self_time).sum::<std::time::Duration>(), profile.wall());
//! assert!(profile.chrome_trace().starts_with("{\"traceEvents\":["));         // for https://ui.perfetto.dev
//! # Ok::<(), wengert_tape::Error>(())
//! ```
//!
//! # What is counted
//!
//! - **Time**: *self time* is the time of an operation or a span without the operations and spans inside it. Every moment belongs to
//!   exactly one row, so the self times add up to the wall-clock time. What is in no span is the row `between operations` of the pass
//!   `other`; the time of the profiler itself is the row `profiler`.
//! - **FLOP**: by the formula of the operation, [`Op::flops`](crate::Op::flops): 2 m k n for a product, and one per element for
//!   elementwise operations and reductions, whatever the function costs. Moving data counts as none.
//! - **Bytes**: the sizes of the operands and results, each once, as if nothing stayed in a cache. An operation whose result is a view
//!   moves none.
//! - **Allocations**: buffers of 1 KiB and more that the system had to allocate, and those that were recycled, on all threads (see
//!   [`wengert_ops::buffer`]).
//!
//! An operation whose rule runs other operations has only its own time; their counts are in their rows. Elementwise operations that are
//! computed together in one pass are one row, `fused`; [`Tape::eager`](crate::Tape::eager) gives each its own.
//!
//! # Costs
//!
//! Without a profiler, an operation checks one flag of its thread. With one, an operation costs about half a microsecond more.

mod chrome;
mod pass;
mod processor;
mod recorder;
mod report;

pub use pass::Pass;
pub use report::{Column, Profile, Row, Table};

pub(crate) use recorder::operation;
pub(crate) use report::{Work, bytes};

use pass::BETWEEN;
use std::marker::PhantomData;

/// A profiler of the current thread, from its start until it is stopped. If it is dropped, the profile is discarded.
///
/// Several profilers may run at the same time on one thread; each has a profile of its own time. See the [module](self) for an
/// example.
#[derive(Debug)]
#[doc(alias = "torch.profiler")]
#[must_use = "a profiler that is dropped discards its profile"]
pub struct Profiler {
    run: u64,
    /// The recorder belongs to the thread.
    thread: PhantomData<*const ()>,
}

impl Profiler {
    /// Starts to record what this thread does. Threads of the pool that compute parts of an operation are not recorded separately.
    #[doc(alias = "record")]
    pub fn start() -> Self {
        Profiler { run: recorder::start(), thread: PhantomData }
    }

    /// Stops, and returns what was recorded. Spans and operations that are still open are part of `between operations`.
    pub fn stop(self) -> Profile {
        let profile = recorder::stop(self.run);
        // The run is over, so that dropping the profiler has no effect.
        profile.unwrap_or_default()
    }
}

impl Drop for Profiler {
    fn drop(&mut self) {
        recorder::stop(self.run);
    }
}

/// A guard under which time and operations belong to a pass; see [`span`].
#[derive(Debug)]
#[must_use = "a span ends when its guard is dropped"]
pub struct Span {
    open: Option<recorder::Open>,
    thread: PhantomData<*const ()>,
}

/// Until the guard is dropped, time and operations on this thread belong to `pass` if a [`Profiler`] runs; otherwise nothing happens.
///
/// ```
/// use wengert_tape::{Tape, profile::{Pass, span}};
/// let tape = Tape::<f64>::new();
/// let x = tape.var(2.0);
/// let (_, profile) = tape.profile(|| {
///     let _span = span(Pass::Named("penalty"));
///     x * x
/// });
/// assert!(profile.rows().iter().any(|r| r.operation == "mul" && r.pass == Some(Pass::Named("penalty"))));
/// ```
#[doc(alias = "record_function")]
#[inline]
pub fn span(pass: Pass) -> Span {
    let operation = match pass {
        Pass::Data | Pass::Saving | Pass::Observers => pass.name(),
        _ => BETWEEN,
    };
    Span { open: recorder::open_span(operation, pass, || None), thread: PhantomData }
}

/// As [`span`], for work that is not an operation of a tape but should have its own row, with a name and the path of a module. The
/// path is computed only if a profiler runs.
///
/// ```
/// use wengert_tape::profile::{Pass, Profiler, span_of};
/// let profiler = Profiler::start();
/// drop(span_of("adam", Pass::Optimizer, || Some("head.weight".to_owned())));
/// let profile = profiler.stop();
/// assert!(profile.rows().iter().any(|r| r.operation == "adam" && r.module == "head.weight"));
/// ```
#[inline]
pub fn span_of(operation: &'static str, pass: Pass, module: impl FnOnce() -> Option<String>) -> Span {
    Span { open: recorder::open_span(operation, pass, module), thread: PhantomData }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(open) = self.open.take() {
            open.close(Work::default);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;
    use std::time::Duration;
    use wengert_ops::Tensor;

    fn sum(profile: &Profile) -> Duration {
        profile.rows().iter().map(|r| r.self_time).sum()
    }

    #[test]
    fn profilers_overlap_in_any_order() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::ones([100]));
        let outer = Profiler::start();
        let one = span(Pass::Named("one"));
        let _ = x.tanh();
        let inner = Profiler::start();
        drop(one);
        let _ = x.tanh();
        let outer = outer.stop();
        let _ = x.exp();
        let inner = inner.stop();
        let calls = |p: &Profile, op: &str| -> u64 {
            p.rows().iter().filter(|r| r.operation == op).map(|r| r.calls).sum()
        };
        assert_eq!((calls(&outer, "tanh"), calls(&outer, "exp")), (2, 0));
        assert_eq!((calls(&inner, "tanh"), calls(&inner, "exp")), (1, 1));
        assert_eq!((sum(&outer), sum(&inner)), (outer.wall(), inner.wall()));
        assert!(!recorder::is_on());
    }

    #[test]
    fn a_panic_or_a_dropped_profiler_stops_it() {
        let caught = std::panic::catch_unwind(|| {
            let _profiler = Profiler::start();
            let _span = span(Pass::Data);
            panic!("as it should");
        });
        assert!(caught.is_err() && !recorder::is_on());
    }

    #[test]
    fn a_guard_of_an_earlier_profiler_closes_nothing() {
        let first = Profiler::start();
        let early = span(Pass::Data);
        let _ = first.stop();
        let second = Profiler::start();
        let late = span(Pass::Saving);
        drop(early);
        drop(late);
        let profile = second.stop();
        assert!(profile.rows().iter().any(|r| r.pass == Some(Pass::Saving) && r.calls == 1));
        assert!(profile.rows().iter().all(|r| r.pass != Some(Pass::Data)));
    }
}
