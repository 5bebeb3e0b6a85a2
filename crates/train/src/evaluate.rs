//! [`evaluate`]: how well a classifier does on samples it does not learn from.

use crate::error::{Error, Result};
use crate::metrics::{Score, Tally};
use wengert_data::{Classification, Dataset};
use wengert_nn::{Layer, loss};
use wengert_ops::Tensor;
use wengert_tape::Tape;

/// The score of a classifier, `[n, ..]` → logits `[n, classes]`, with its layers behaving as in evaluation. The
/// samples are taken in order, `batch_size` at a time; nothing is recorded.
///
/// ```
/// use wengert_data::digits;
/// use wengert_nn::Linear;
/// use wengert_ops::random::Rng;
/// use wengert_train::evaluate;
/// let score = evaluate(&Linear::new(64, 10, &mut Rng::seed(0)), &digits()?, 256)?;
/// assert_eq!(score.samples, 1797);
/// assert!((score.loss - 10f64.ln()).abs() < 0.2);            // nothing learned yet
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If the model cannot be run on the samples, the loss is NaN or infinite, or there are no samples.
pub fn evaluate(model: &dyn Layer<f32>, data: &Classification, batch_size: usize) -> Result<Score> {
    if data.is_empty() {
        return Err(Error::Argument {
            call: "evaluate",
            expected: "at least one sample",
            found: "none".to_owned(),
        });
    }
    let mut tape = Tape::eval();
    let mut tally = Tally::default();
    let positions: Vec<usize> = (0..data.len()).collect();
    for batch in positions.chunks(batch_size.max(1)) {
        let batch = data.fetch(batch)?;
        tape.reset();
        let logits = model.forward(tape.constant(&batch.inputs)); // [n, classes]
        let loss = loss::cross_entropy(logits, &batch.labels).item()?;
        tally.add(loss, correct(&logits.value()?, &batch.labels)?, batch.len());
    }
    let score = tally.score();
    if !score.loss.is_finite() {
        return Err(Error::NotFinite { loss: score.loss, samples: score.samples });
    }
    Ok(score)
}

/// How many rows of `logits`, `[n, classes]`, are largest at their label.
pub(crate) fn correct(logits: &Tensor<f32>, labels: &Tensor<i64>) -> Result<usize> {
    let predicted = logits.argmax(-1).map_err(wengert_tape::Error::from)?.to_vec();
    let labels = labels.to_vec();
    Ok(predicted.iter().zip(&labels).filter(|(p, l)| p == l).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_nn::{Activation, Dropout, Sequential};

    /// Samples that are their own logits.
    fn samples() -> Classification {
        let logits = [[2.0f32, 0.0], [0.0, 1.0], [3.0, 1.0]];
        Classification::new(Tensor::from(logits), Tensor::from([0i64, 1, 1]), 2).unwrap()
    }

    #[test]
    fn the_score_is_the_mean_over_samples_for_any_batch_size() {
        let expected = [2.0f64, 1.0, -2.0].map(|margin| (-margin).exp().ln_1p()).iter().sum::<f64>() / 3.0;
        for batch_size in [0, 1, 2, 3, 100] {
            let score = evaluate(&Activation::Identity, &samples(), batch_size).unwrap();
            assert_eq!((score.correct, score.samples), (2, 3));
            assert!((score.loss - expected).abs() < 1e-6, "{score:?}");
        }
    }

    #[test]
    fn nothing_is_dropped() {
        let model = Sequential::new().push(Dropout::new(0.9));
        let plain = evaluate(&Activation::Identity, &samples(), 2).unwrap();
        assert_eq!(evaluate(&model, &samples(), 2).unwrap(), plain);
    }

    #[test]
    fn what_has_no_score_is_an_error() {
        let none = samples().select(&[]).unwrap();
        let e = evaluate(&Activation::Identity, &none, 2).unwrap_err();
        assert_eq!(e.to_string(), "evaluate: expected at least one sample, found none");

        let infinite = Tensor::from([[f32::INFINITY, 0.0]]);
        let infinite = Classification::new(infinite, Tensor::from([0i64]), 2).unwrap();
        let e = evaluate(&Activation::Identity, &infinite, 2).unwrap_err();
        assert!(matches!(e, Error::NotFinite { samples: 1, .. }), "{e}");

        let scalar_logits = Classification::new(Tensor::from([1.0f32]), Tensor::from([0i64]), 2).unwrap();
        assert!(evaluate(&Activation::Identity, &scalar_logits, 2).is_err());
    }
}
