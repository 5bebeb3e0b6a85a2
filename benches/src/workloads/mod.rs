//! The workloads: each a function that builds a closure which does one training step.

mod dense;
mod generative;
mod images;
mod sequences;

use anyhow::Result;

/// One training step.
pub(crate) type Step = Box<dyn FnMut() -> Result<()>>;

/// A workload by name.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) build: fn() -> Result<Step>,
}

/// All workloads.
pub(crate) fn table() -> Vec<Workload> {
    vec![
        Workload { name: "W1", build: dense::mlp },
        Workload { name: "W2", build: images::cnn },
        Workload { name: "W3", build: images::resnet },
        Workload { name: "W4", build: sequences::rnn },
        Workload { name: "W5", build: sequences::lstm },
        Workload { name: "W6", build: sequences::gpt },
        Workload { name: "W7", build: generative::vae },
        Workload { name: "W8", build: generative::gan },
        Workload { name: "W9", build: dense::tiny_mlp },
        Workload { name: "W10", build: dense::pointwise },
    ]
}

/// Their names, for a message.
pub(crate) fn names(table: &[Workload]) -> String {
    table.iter().map(|w| w.name).collect::<Vec<_>>().join(", ")
}

/// So small that a batch which stays the same is not fitted to a loss of zero, where numbers are denormal.
const RATE: f64 = 1e-6;

/// Labels of so many samples, one class after the other.
fn labels(n: usize, classes: i64) -> Vec<i64> {
    (0..n as i64).map(|i| i % classes).collect()
}
