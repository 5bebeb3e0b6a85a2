//! [`Classify`]: cross-entropy and accuracy.

use super::{Outcome, Task};
use crate::error::Result;
use wengert_data::Batch;
use wengert_nn::{Layer, loss};
use wengert_ops::Tensor;
use wengert_tape::Tape;

/// Classification by a model from `[n, ..]` to logits `[n, classes]`: minimises the cross-entropy, and measures the accuracy as
/// well.
///
/// ```
/// use wengert_data::digits;
/// use wengert_nn::Linear;
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, evaluate};
/// let scores = evaluate(&Linear::new(64, 10, &mut Rng::seed(0)), &Classify, &digits()?, 256)?;
/// assert_eq!(scores.names().collect::<Vec<_>>(), ["loss", "accuracy"]);
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Classify;

impl<M: Layer<f32> + ?Sized> Task<M, Batch> for Classify {
    fn outcome<'t>(&self, model: &M, batch: &Batch, tape: &'t Tape<f32>) -> Result<Outcome<'t>> {
        let logits = model.forward(tape.constant(&batch.inputs)); // [n, classes]
        let outcome = Outcome::of(loss::cross_entropy(logits, &batch.labels), batch.len())?;
        let correct = correct(&logits.value()?, &batch.labels)?;
        Ok(outcome.measured(|m| m.share("accuracy", correct, batch.len())))
    }
}

/// The number of rows of `logits`, `[n, classes]`, whose largest element is that of their label.
fn correct(logits: &Tensor<f32>, labels: &Tensor<i64>) -> Result<usize> {
    let predicted = logits.argmax(-1).map_err(wengert_tape::Error::from)?.to_vec();
    let labels = labels.to_vec();
    Ok(predicted.iter().zip(&labels).filter(|(p, l)| p == l).count())
}
