//! Gaussian noise on every pixel.

use super::{Draw, Sizes, Transform, each_image};
use crate::error::{Error, Result};
use wengert_ops::{Float, Tensor};

/// Adds independent normal noise with mean 0 to every element.
///
/// ```
/// use wengert_data::transform::{Noise, apply};
/// use wengert_ops::Tensor;
/// let noise = apply(&Noise::new(0.5)?, &Tensor::<f64>::zeros([1, 1, 50, 50]), 0, 0)?;
/// let variance = noise.to_vec().iter().map(|v| v * v).sum::<f64>() / 2500.0;
/// assert!((variance - 0.25).abs() < 0.02);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "GaussianNoise")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    std: f64,
}

impl Noise {
    /// Noise with the given standard deviation. See [`Noise`] for an example.
    ///
    /// # Errors
    /// If the standard deviation is negative or not finite.
    pub fn new(std: f64) -> Result<Self> {
        if !(std >= 0.0 && std.is_finite()) {
            return Err(Error::argument("noise", "a finite standard deviation of at least 0", std));
        }
        Ok(Noise { std })
    }
}

impl<T: Float> Transform<T> for Noise {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        let sizes = Sizes::drawn("noise", &images, draws)?;
        Ok(each_image(images, sizes, |i, image| {
            for pair in image.chunks_mut(2) {
                let noise = draws[i].normals();
                pair.iter_mut().zip(noise).for_each(|(v, noise)| *v += T::from_f64(self.std * noise));
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_deviations_are_refused() {
        assert!([-0.1, f64::NAN, f64::INFINITY].into_iter().all(|std| Noise::new(std).is_err()));
    }
}
