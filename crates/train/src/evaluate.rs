//! [`evaluate`]: the measures of a model on samples that it does not learn from.

use crate::error::{Error, Result};
use crate::learner::Learner;
use crate::measures::Measures;
use crate::task::Task;
use wengert_data::Dataset;
use wengert_tape::Tape;

/// The measures of a task for a model, with its layers in evaluation mode. The samples are read in order, `batch_size` at a time;
/// nothing is recorded. Tasks that draw random numbers draw the same ones in each evaluation.
///
/// ```
/// use wengert_data::digits;
/// use wengert_nn::Linear;
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, evaluate};
/// let score = evaluate(&Linear::new(64, 10, &mut Rng::seed(0)), &Classify, &digits()?, 256)?;
/// assert_eq!(score.samples(), 1797);
/// assert!((score.loss() - 10f64.ln()).abs() < 0.2);            // nothing learned yet
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If the model cannot be run on the samples, the loss is NaN or infinite, or there are no samples.
pub fn evaluate<M, D, T>(model: &M, task: &T, data: &D, batch_size: usize) -> Result<Measures>
where
    M: ?Sized,
    D: Dataset + ?Sized,
    T: Task<M, D::Batch> + ?Sized,
{
    evaluate_with(data, batch_size, |batch, tape| Ok(task.outcome(model, batch, tape)?.measures))
}

/// The measures of a learner on samples that it does not learn from, as [`fit`](crate::fit) takes them after each epoch.
///
/// ```
/// use wengert_data::digits;
/// use wengert_nn::{Linear, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, Minimize, evaluate_learner};
/// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
/// let score = evaluate_learner(&mut Minimize::new(&mut model, &mut adam, Classify), &digits()?, 256)?;
/// assert!((score.loss() - 10f64.ln()).abs() < 0.2);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_learner<L, D>(learner: &mut L, data: &D, batch_size: usize) -> Result<Measures>
where
    L: Learner<D::Batch> + ?Sized,
    D: Dataset + ?Sized,
{
    learner.begin_evaluation()?;
    let measured = evaluate_with(data, batch_size, |batch, tape| learner.measure(batch, tape));
    learner.end_evaluation()?;
    measured
}

/// The measures of a closure over all batches of samples, in order, each batch on a tape in evaluation mode.
///
/// ```
/// use wengert_data::digits;
/// use wengert_train::{Measures, evaluate_with};
/// let ink = evaluate_with(&digits()?, 256, |batch, tape| {
///     let mean = tape.constant(&batch.inputs).mean().item()?;
///     Ok(Measures::new(batch.len()).mean("ink", mean.into(), batch.len() as f64))
/// })?;
/// assert_eq!(ink.samples(), 1797);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with<D: Dataset + ?Sized>(
    data: &D,
    batch_size: usize,
    mut measure: impl FnMut(&D::Batch, &Tape<f32>) -> Result<Measures>,
) -> Result<Measures> {
    if data.is_empty() {
        return Err(Error::Argument {
            call: "evaluate",
            expected: "at least one sample",
            found: "none".to_owned(),
        });
    }
    let mut tape = Tape::eval();
    let mut all = Measures::default();
    let positions: Vec<usize> = (0..data.len()).collect();
    for positions in positions.chunks(batch_size.max(1)) {
        let batch = data.fetch(positions)?;
        tape.reset();
        all.add(&measure(&batch, &tape)?);
    }
    match all.measure("loss") {
        Some(loss) if !loss.value().is_finite() => {
            Err(Error::NotFinite { loss: loss.value(), samples: all.samples() })
        }
        _ => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Classify;
    use wengert_data::Classification;
    use wengert_nn::{Activation, Dropout, Sequential};
    use wengert_ops::Tensor;

    /// Samples whose inputs are their logits.
    fn samples() -> Classification {
        let logits = [[2.0f32, 0.0], [0.0, 1.0], [3.0, 1.0]];
        Classification::new(Tensor::from(logits), Tensor::from([0i64, 1, 1]), 2).unwrap()
    }

    #[test]
    fn the_score_is_the_mean_over_samples_for_any_batch_size() {
        let expected = [2.0f64, 1.0, -2.0].map(|margin| (-margin).exp().ln_1p()).iter().sum::<f64>() / 3.0;
        for batch_size in [0, 1, 2, 3, 100] {
            let score = evaluate(&Activation::Identity, &Classify, &samples(), batch_size).unwrap();
            assert_eq!((score.measure("accuracy").unwrap().sum(), score.samples()), (2.0, 3));
            assert!((score.loss() - expected).abs() < 1e-6, "{score:?}");
        }
    }

    #[test]
    fn nothing_is_dropped() {
        let model = Sequential::new().push(Dropout::new(0.9));
        let plain = evaluate(&Activation::Identity, &Classify, &samples(), 2).unwrap();
        assert_eq!(evaluate(&model, &Classify, &samples(), 2).unwrap(), plain);
    }

    #[test]
    fn what_has_no_score_is_an_error() {
        let none = samples().select(&[]).unwrap();
        let e = evaluate(&Activation::Identity, &Classify, &none, 2).unwrap_err();
        assert_eq!(e.to_string(), "evaluate: expected at least one sample, found none");

        let infinite = Tensor::from([[f32::INFINITY, 0.0]]);
        let infinite = Classification::new(infinite, Tensor::from([0i64]), 2).unwrap();
        let e = evaluate(&Activation::Identity, &Classify, &infinite, 2).unwrap_err();
        assert!(matches!(e, Error::NotFinite { samples: 1, .. }), "{e}");

        let scalar_logits = Classification::new(Tensor::from([1.0f32]), Tensor::from([0i64]), 2).unwrap();
        assert!(evaluate(&Activation::Identity, &Classify, &scalar_logits, 2).is_err());
    }
}
