//! Several transforms in sequence.

use super::{Draw, Transform};
use crate::error::Result;
use std::sync::Arc;
use wengert_ops::{Float, Tensor};

/// Applies transforms one after the other. They share one sequence of random numbers per sample.
///
/// ```
/// use wengert_data::transform::{Compose, Flip, Noise, apply};
/// use wengert_ops::Tensor;
/// let transform = Compose::new().then(Flip::horizontal(1.0)?).then(Noise::new(0.0)?);
/// let images = Tensor::from([[[0.0f32, 1.0]]]).unsqueeze(0)?;
/// assert_eq!(apply(&transform, &images, 0, 0)?.to_vec(), [1.0, 0.0]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Compose<T: Float> {
    steps: Vec<Arc<dyn Transform<T>>>,
}

impl<T: Float> Compose<T> {
    /// An empty sequence of transforms. See [`Compose`] for an example.
    pub fn new() -> Self {
        Compose { steps: Vec::new() }
    }

    /// The same sequence with another transform at the end. See [`Compose`] for an example.
    #[must_use]
    pub fn then(mut self, transform: impl Transform<T>) -> Self {
        self.steps.push(Arc::new(transform));
        self
    }
}

impl<T: Float> Default for Compose<T> {
    fn default() -> Self {
        Compose::new()
    }
}

impl<T: Float> Transform<T> for Compose<T> {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        self.steps.iter().try_fold(images, |images, step| step.apply(images, draws))
    }
}
