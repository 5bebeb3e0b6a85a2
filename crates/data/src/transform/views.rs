//! Two views of every sample.

use super::{Compose, Draw, Transform};
use crate::classification::Batch;
use crate::dataset::{Dataset, IntoDataset};
use crate::error::Result;
use std::sync::Arc;
use wengert_ops::{Float, Tensor};

/// A dataset of images that returns each image in two versions, transformed with independent random numbers: the input
/// of contrastive learning. A sample is transformed differently in each epoch, and in the same way whenever an epoch is
/// repeated.
///
/// ```
/// use wengert_data::transform::{Noise, Views};
/// use wengert_data::{Dataset, digits};
/// let views = Views::new(&digits()?.reshaped([1, 8, 8])?, Noise::new(0.1)?, 7);
/// let batch = views.fetch_in(2, &[5, 6])?;
/// assert_eq!((batch.first.shape(), batch.len()), (batch.second.shape(), 2));
/// assert_ne!(batch.first, batch.second);
/// assert_eq!(batch, views.fetch_in(2, &[5, 6])?);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug)]
pub struct Views<D: ?Sized, T: Float = f32> {
    data: Arc<D>,
    transform: Compose<T>,
    seed: u64,
}

/// Some samples, each in two versions. See [`Views`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewBatch<T: Float = f32> {
    /// The first version of each sample: `[N, ..]`.
    pub first: Tensor<T>,
    /// The second version of each sample: `[N, ..]`.
    pub second: Tensor<T>,
    /// The samples without the transform: `[N, ..]`.
    pub plain: Tensor<T>,
    /// The class of each sample, `[N]`, which contrastive learning does not use.
    pub labels: Tensor<i64>,
    /// The position of each sample in the dataset.
    pub indices: Vec<usize>,
}

impl<T: Float> ViewBatch<T> {
    /// The number of samples. See [`Views`] for an example.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

impl<D: ?Sized, T: Float> Clone for Views<D, T> {
    fn clone(&self) -> Self {
        Views { data: Arc::clone(&self.data), transform: self.transform.clone(), seed: self.seed }
    }
}

impl<T: Float, D: Dataset<Batch = Batch<T>> + ?Sized> Views<D, T> {
    /// The dataset, from `&data`, which is cloned, or from an [`Arc`] of it, and the transform. See [`Views`] for an
    /// example.
    pub fn new(data: impl IntoDataset<Dataset = D>, transform: impl Transform<T>, seed: u64) -> Self {
        Views { data: data.into_dataset(), transform: Compose::new().then(transform), seed }
    }
}

impl<T: Float, D: Dataset<Batch = Batch<T>> + ?Sized> Dataset for Views<D, T> {
    type Batch = ViewBatch<T>;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn fetch(&self, indices: &[usize]) -> Result<ViewBatch<T>> {
        self.fetch_in(0, indices)
    }

    fn fetch_in(&self, epoch: u64, indices: &[usize]) -> Result<ViewBatch<T>> {
        let Batch { inputs, labels, indices } = self.data.fetch_in(epoch, indices)?;
        // The second version continues the random numbers of the first.
        let mut draws = Draw::batch(self.seed, epoch, &indices);
        let first = self.transform.apply(inputs.clone(), &mut draws)?;
        let second = self.transform.apply(inputs.clone(), &mut draws)?;
        Ok(ViewBatch { first, second, plain: inputs, labels, indices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{Compose, Crop, Rotate};
    use crate::{Loader, digits};

    #[test]
    fn any_number_of_workers_gives_the_same_bits_and_epochs_differ() {
        let images = digits().unwrap().reshaped([1, 8, 8]).unwrap();
        let change = Compose::new().then(Crop::padded(1).unwrap()).then(Rotate::new(20.0).unwrap());
        let views = Views::new(&images, change, 3);
        let epoch = |workers, epoch| {
            let loader = Loader::new(&views, 100, 1).unwrap().workers(workers);
            loader.epoch(epoch).map(|b| b.unwrap()).collect::<Vec<_>>()
        };
        let batches = epoch(1, 0);
        assert!(batches == epoch(3, 0) && batches != epoch(1, 1));
        assert!(batches.iter().all(|b| b.first != b.second && b.plain.shape() == b.first.shape()));
        assert_eq!(views.fetch(&[3]).unwrap().plain, images.fetch(&[3]).unwrap().inputs);
    }
}
