//! [`Pass`]: the part of a step that time is spent in.

use std::fmt;

/// The operation of the rows for time that no operation took.
pub(super) const BETWEEN: &str = "between operations";
/// The operation of the row for the time that the profiler itself took.
pub(super) const PROFILER: &str = "profiler";

/// The part of a step that time is spent in.
///
/// An operation belongs to the pass of the innermost [`span`](super::span) that it runs in. [`backward`](crate::Var::backward),
/// [`grad`](crate::Var::grad) and an optimiser's step are such spans. Outside of all spans, an operation is part of the forward pass.
///
/// ```
/// use wengert_tape::profile::Pass;
/// assert_eq!(Pass::Backward.to_string(), "backward");
/// assert_eq!(Pass::Named("generator").to_string(), "generator");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Pass {
    /// Reading and preparing data.
    Data,
    /// Recording operations.
    Forward,
    /// A reverse sweep on plain tensors, [`backward`](crate::Var::backward).
    Backward,
    /// A recorded reverse sweep, [`grad`](crate::Var::grad).
    Grad,
    /// Values of a [checkpoint](crate::Tape::checkpoint) that a sweep computes again.
    Recompute,
    /// The step of an optimiser.
    Optimizer,
    /// Measures on samples that are not trained on.
    Evaluation,
    /// Writing weights and checkpoints.
    Saving,
    /// Observers of a run: progress, logs, reports.
    Observers,
    /// A part that the program names.
    Named(&'static str),
    /// What is in no span.
    Other,
}

impl Pass {
    /// The name in tables and traces.
    pub(super) fn name(self) -> &'static str {
        match self {
            Pass::Data => "data",
            Pass::Forward => "forward",
            Pass::Backward => "backward",
            Pass::Grad => "grad",
            Pass::Recompute => "recompute",
            Pass::Optimizer => "optimizer",
            Pass::Evaluation => "evaluation",
            Pass::Saving => "saving",
            Pass::Observers => "observers",
            Pass::Named(name) => name,
            Pass::Other => "other",
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
