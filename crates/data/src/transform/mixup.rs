//! Mixup: convex combinations of pairs of samples and of their labels.

use super::Draw;
use crate::classification::Batch;
use crate::dataset::{Dataset, IntoDataset};
use crate::error::{Error, Result};
use std::sync::Arc;
use wengert_ops::{Float, Tensor};

/// Samples whose labels are distributions over the classes.
///
/// ```
/// use wengert_data::transform::Mixup;
/// use wengert_data::{Dataset, digits};
/// let batch = Mixup::new(&digits()?, 10, 0.2, 7)?.fetch(&[0, 1, 2])?;
/// assert_eq!((batch.len(), batch.is_empty(), *batch.targets.shape() == [3, 10]), (3, false, true));
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SoftBatch<T: Float = f32> {
    /// The inputs; axis 0 is the samples.
    pub inputs: Tensor<T>,
    /// The probability of each class: `[samples, classes]`.
    pub targets: Tensor<T>,
    /// The position of the first sample of each pair in the dataset.
    pub indices: Vec<usize>,
}

impl<T: Float> SoftBatch<T> {
    /// The number of samples. See [`SoftBatch`] for an example.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no samples. See [`SoftBatch`] for an example.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// Mixes each sample with another of its batch: λ x + (1 - λ) x′ and λ y + (1 - λ) y′, with λ from Beta(α, α) for each
/// pair (Zhang et al. 2018, *mixup: Beyond Empirical Risk Minimization*).
///
/// The result depends on the seed, the epoch and the samples of the batch.
///
/// ```
/// use wengert_data::transform::Mixup;
/// use wengert_data::{Loader, digits};
/// let mixed = Mixup::new(&digits()?, 10, 0.2, 7)?;
/// for batch in Loader::new(&mixed, 100, 7)?.epoch(0) {
///     let batch = batch?;
///     assert!(batch.targets.to_vec().chunks(10).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
/// }
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "MixUp")]
#[derive(Debug)]
pub struct Mixup<D: ?Sized> {
    data: Arc<D>,
    classes: usize,
    alpha: f64,
    seed: u64,
}

impl<D: ?Sized> Clone for Mixup<D> {
    fn clone(&self) -> Self {
        Mixup { data: Arc::clone(&self.data), ..*self }
    }
}

impl<D: Dataset + ?Sized> Mixup<D> {
    /// The dataset, from `&data`, which is cloned, or from an [`Arc`] of it, with mixed samples. See [`Mixup`] for an
    /// example.
    ///
    /// # Errors
    /// If `classes` is 0, or `alpha` is not positive and finite.
    pub fn new(data: impl IntoDataset<Dataset = D>, classes: usize, alpha: f64, seed: u64) -> Result<Self> {
        if !(alpha > 0.0 && alpha.is_finite()) {
            return Err(Error::argument("mixup", "a positive alpha", alpha));
        }
        if classes == 0 {
            return Err(Error::argument("mixup", "at least one class", classes));
        }
        Ok(Mixup { data: data.into_dataset(), classes, alpha, seed })
    }
}

impl<T: Float, D: Dataset<Batch = Batch<T>> + ?Sized> Dataset for Mixup<D> {
    type Batch = SoftBatch<T>;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn fetch(&self, indices: &[usize]) -> Result<SoftBatch<T>> {
        self.fetch_in(0, indices)
    }

    fn fetch_in(&self, epoch: u64, indices: &[usize]) -> Result<SoftBatch<T>> {
        let batch = self.data.fetch_in(epoch, indices)?;
        // A different seed than that of an augmentation inside, which draws for the same samples.
        let mut draws = Draw::batch(!self.seed, epoch, indices);
        let pairs =
            draws.iter_mut().map(|draw| (draw.below(indices.len()), draw.beta(self.alpha, self.alpha)));
        let pairs: Vec<(usize, f64)> = pairs.collect();
        let targets = Tensor::one_hot(&batch.labels, self.classes)?;
        Ok(SoftBatch {
            inputs: mix(&batch.inputs, &pairs),
            targets: mix(&targets, &pairs),
            indices: batch.indices,
        })
    }
}

/// λ of each row and 1 - λ of its partner.
fn mix<T: Float>(rows: &Tensor<T>, pairs: &[(usize, f64)]) -> Tensor<T> {
    let before = rows.to_vec();
    let size = before.len() / pairs.len().max(1);
    let mut out = rows.clone();
    if size > 0 {
        for (row, &(partner, lambda)) in out.data_mut().chunks_exact_mut(size).zip(pairs) {
            let other = &before[partner * size..(partner + 1) * size];
            let mixed = |a: T, b: T| T::from_f64(lambda * a.to_f64() + (1.0 - lambda) * b.to_f64());
            row.iter_mut().zip(other).for_each(|(a, &b)| *a = mixed(*a, b));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Loader, digits};

    #[test]
    fn inputs_and_targets_are_mixed_alike() {
        // Inputs that equal their one-hot labels.
        let labels: Vec<i64> = (0..60).map(|i| i % 3).collect();
        let inputs = Tensor::<f64>::one_hot(&labels.clone().into(), 3).unwrap();
        let data = crate::Classification::new(inputs, labels.into(), 3).unwrap();
        let mixed = Mixup::new(&data, 3, 1.0, 5).unwrap();
        let batch = mixed.fetch(&(0..60).collect::<Vec<_>>()).unwrap();
        assert_eq!(batch.inputs, batch.targets);
        assert!(batch.targets.to_vec().iter().any(|&v| v > 0.1 && v < 0.9));
        assert_eq!(*mixed.fetch(&[]).unwrap().targets.shape(), [0, 3]);
        assert_eq!(mixed.fetch(&[4]).unwrap().targets.to_vec(), [0.0, 1.0, 0.0], "mixed with itself");
    }

    #[test]
    fn workers_change_nothing_and_bad_options_are_refused() {
        let digits = digits().unwrap();
        let mixed = Mixup::new(&digits, 10, 0.2, 1).unwrap();
        let epoch = |workers| {
            let loader = Loader::new(&mixed, 100, 5).unwrap().workers(workers);
            loader.epoch(1).collect::<Result<Vec<_>>>().unwrap()
        };
        assert!(epoch(1) == epoch(3));
        assert!(Mixup::new(&digits, 0, 0.2, 1).is_err() && Mixup::new(&digits, 10, 0.0, 1).is_err());
        // Labels that are not below the number of classes.
        assert!(Mixup::new(&digits, 3, 0.2, 1).unwrap().fetch(&[0, 9]).is_err());
    }
}
