//! The workloads: functions that build a closure for one training step each.

mod dense;
mod generative;
mod images;
mod sequences;

use anyhow::Result;

/// Runs one training step.
pub(crate) type Step = Box<dyn FnMut() -> Result<()>>;

/// A workload and its name.
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

/// The names of all workloads, for a message.
pub(crate) fn names(table: &[Workload]) -> String {
    table.iter().map(|w| w.name).collect::<Vec<_>>().join(", ")
}

/// The learning rate. It is so small that the fixed batch is not fitted to a loss of zero, where numbers would be denormal.
const RATE: f64 = 1e-6;

/// Labels of `n` samples, with the classes in turn.
fn labels(n: usize, classes: i64) -> Vec<i64> {
    (0..n as i64).map(|i| i % classes).collect()
}
