//! A dataset whose inputs are transformed when they are fetched.

use super::{Compose, Draw, Transform};
use crate::classification::Batch;
use crate::dataset::{Dataset, IntoDataset};
use crate::error::Result;
use std::sync::Arc;
use wengert_ops::Float;

/// A dataset of images whose batches are transformed on the thread that prepares them. A sample is transformed
/// differently in each epoch, and in the same way whenever an epoch is repeated.
///
/// ```
/// use wengert_data::transform::{Augmented, Noise};
/// use wengert_data::{Dataset, digits};
/// let images = digits()?.reshaped([1, 8, 8])?;
/// let noisy = Augmented::new(&images, Noise::new(0.1)?, 7);
/// assert_eq!(noisy.fetch_in(2, &[5, 6])?, noisy.fetch_in(2, &[5, 6])?);
/// assert_ne!(noisy.fetch_in(2, &[5, 6])?, noisy.fetch_in(3, &[5, 6])?);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug)]
pub struct Augmented<D: ?Sized, T: Float = f32> {
    data: Arc<D>,
    transform: Compose<T>,
    seed: u64,
}

impl<D: ?Sized, T: Float> Clone for Augmented<D, T> {
    fn clone(&self) -> Self {
        Augmented { data: Arc::clone(&self.data), transform: self.transform.clone(), seed: self.seed }
    }
}

impl<T: Float, D: Dataset<Batch = Batch<T>> + ?Sized> Augmented<D, T> {
    /// The dataset, from `&data`, which is cloned, or from an [`Arc`] of it, with a transform. See [`Augmented`] for an
    /// example.
    pub fn new(data: impl IntoDataset<Dataset = D>, transform: impl Transform<T>, seed: u64) -> Self {
        Augmented { data: data.into_dataset(), transform: Compose::new().then(transform), seed }
    }
}

impl<T: Float, D: Dataset<Batch = Batch<T>> + ?Sized> Dataset for Augmented<D, T> {
    type Batch = Batch<T>;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn fetch(&self, indices: &[usize]) -> Result<Batch<T>> {
        self.fetch_in(0, indices)
    }

    fn fetch_in(&self, epoch: u64, indices: &[usize]) -> Result<Batch<T>> {
        let batch = self.data.fetch_in(epoch, indices)?;
        let mut draws = Draw::batch(self.seed, epoch, indices);
        Ok(Batch { inputs: self.transform.apply(batch.inputs, &mut draws)?, ..batch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{Crop, Cutout, Flip, Noise, Rotate};
    use crate::{Loader, digits};

    #[test]
    fn any_number_of_workers_gives_the_same_bits() {
        let images = digits().unwrap().reshaped([1, 8, 8]).unwrap();
        let transform = Compose::new()
            .then(Crop::padded(1).unwrap())
            .then(Flip::horizontal(0.5).unwrap())
            .then(Rotate::new(15.0).unwrap())
            .then(Cutout::new(2, 0.0).unwrap())
            .then(Noise::new(0.1).unwrap());
        let data = Augmented::new(&images, transform, 3);
        let epoch = |workers| {
            let loader = Loader::new(&data, 100, 5).unwrap().workers(workers);
            loader.epoch(4).collect::<Result<Vec<_>>>().unwrap()
        };
        let one = epoch(1);
        assert_eq!(one.len(), 18);
        for workers in [0, 2, 5, 30] {
            assert!(epoch(workers) == one, "{workers} workers");
        }
    }

    #[test]
    fn a_transform_that_fails_is_an_error_of_the_epoch() {
        let data = Augmented::new(&digits().unwrap(), Flip::horizontal(0.5).unwrap(), 0);
        let all: Vec<_> = Loader::new(&data, 100, 5).unwrap().workers(3).epoch(0).collect();
        assert!(all.len() == 1 && all[0].is_err());
    }
}
