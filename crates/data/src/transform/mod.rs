//! Transforms of image batches `[N, C, H, W]`: normalisation and random augmentation.
//!
//! The random numbers of a transform depend on the seed, the epoch and the position of the sample. The result does not
//! depend on the batch of the sample, or on the thread that prepares it.
//!
//! ```
//! use wengert_data::transform::{Augmented, Compose, Crop, Flip};
//! use wengert_data::{Loader, Result, digits};
//! let images = digits()?.reshaped([1, 8, 8])?;
//! let transform = Compose::new().then(Crop::padded(1)?).then(Flip::horizontal(0.5)?);
//! let loader = Loader::new(&Augmented::new(&images, transform, 7), 32, 7)?.workers(2);
//! let first = |epoch| loader.epoch(epoch).next().unwrap();
//! assert_eq!(first(3)?, first(3)?);
//! assert_eq!(*first(0)?.inputs.shape(), [32, 1, 8, 8]);
//! # Ok::<(), wengert_data::Error>(())
//! ```

mod augmented;
mod compose;
mod crop;
mod cutout;
mod draw;
mod flip;
mod mixup;
mod noise;
mod normalize;
mod resize;
mod rotate;
mod shift;
mod views;

pub use augmented::Augmented;
pub use compose::Compose;
pub use crop::Crop;
pub use cutout::{Cutout, Erase};
pub use draw::Draw;
pub use flip::{Flip, flip_horizontal, flip_vertical};
pub use mixup::{Mixup, SoftBatch};
pub use noise::Noise;
pub use normalize::Normalize;
pub use resize::{Filter, Resize, resize};
pub use rotate::{Rotate, rotate};
pub use shift::{Shift, shift};
pub use views::{ViewBatch, Views};

use crate::error::{Error, Result};
use std::fmt;
use wengert_ops::{Float, Tensor};

/// A function of image batches that may be random.
///
/// ```
/// use wengert_data::Result;
/// use wengert_data::transform::{Draw, Transform, apply};
/// use wengert_ops::Tensor;
///
/// /// Each image with its own random brightness.
/// #[derive(Debug)]
/// struct Brightness;
///
/// impl Transform<f32> for Brightness {
///     fn apply(&self, images: Tensor<f32>, draws: &mut [Draw]) -> Result<Tensor<f32>> {
///         let factors: Vec<f32> = draws.iter_mut().map(|draw| draw.uniform(0.5, 1.5) as f32).collect();
///         let size = images.numel() / factors.len().max(1);
///         let scaled = images.to_vec().iter().enumerate().map(|(i, v)| v * factors[i / size]).collect();
///         Ok(Tensor::from_vec(scaled, images.shape())?)
///     }
/// }
///
/// let images = Tensor::ones([2, 1, 2, 2]);
/// let out = apply(&Brightness, &images, 7, 0)?;
/// assert_eq!(out, apply(&Brightness, &images, 7, 0)?);
/// assert_ne!(out.get(&[0, 0, 0, 0])?, out.get(&[1, 0, 0, 0])?);
/// # Ok::<(), wengert_data::Error>(())
/// ```
pub trait Transform<T: Float>: fmt::Debug + Send + Sync + 'static {
    /// The transformed images; `draws` has the random numbers of each image.
    ///
    /// # Errors
    /// If the transform does not take images of this shape.
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>>;
}

/// Transforms images `[N, C, H, W]` that are samples 0 to N - 1 of their dataset. See [`Transform`] for an example.
///
/// # Errors
/// As [`Transform::apply`].
pub fn apply<T: Float>(
    transform: &(impl Transform<T> + ?Sized),
    images: &Tensor<T>,
    seed: u64,
    epoch: u64,
) -> Result<Tensor<T>> {
    let n = images.shape().first().copied().unwrap_or(0);
    let indices: Vec<usize> = (0..n).collect();
    transform.apply(images.clone(), &mut Draw::batch(seed, epoch, &indices))
}

/// The sizes of a batch of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sizes {
    n: usize,
    c: usize,
    h: usize,
    w: usize,
}

impl Sizes {
    fn of<T: Float>(call: &'static str, images: &Tensor<T>) -> Result<Self> {
        match images.shape()[..] {
            [n, c, h, w] => Ok(Sizes { n, c, h, w }),
            _ => Err(Error::argument(call, "images [N, C, H, W]", images.shape())),
        }
    }

    /// The same as `of`, with a check that there is a draw for each image.
    fn drawn<T: Float>(call: &'static str, images: &Tensor<T>, draws: &[Draw]) -> Result<Self> {
        let sizes = Sizes::of(call, images)?;
        if draws.len() != sizes.n {
            let expected = format!("a source of random numbers for each of {} images", sizes.n);
            return Err(Error::argument(call, expected, draws.len()));
        }
        Ok(sizes)
    }
}

/// Changes images in place, in order: the function gets the planes of an image and its number.
fn each_image<T: Float>(
    mut images: Tensor<T>,
    sizes: Sizes,
    mut f: impl FnMut(usize, &mut [T]),
) -> Tensor<T> {
    let size = sizes.c * sizes.h * sizes.w;
    if size > 0 {
        images.data_mut().chunks_exact_mut(size).enumerate().for_each(|(i, image)| f(i, image));
    }
    images
}

/// Images of another size, plane by plane: the function gets the number of the image, the plane before and the plane
/// after.
fn each_plane<T: Float>(
    images: &Tensor<T>,
    sizes: Sizes,
    (height, width): (usize, usize),
    mut f: impl FnMut(usize, &[T], &mut [T]),
) -> Result<Tensor<T>> {
    let mut out = Tensor::try_full([sizes.n, sizes.c, height, width], T::ZERO)?;
    if images.numel() > 0 && out.numel() > 0 {
        let before = images.to_vec();
        let planes = before.chunks_exact(sizes.h * sizes.w);
        let places = out.data_mut().chunks_exact_mut(height * width);
        planes.zip(places).enumerate().for_each(|(i, (plane, place))| f(i / sizes.c, plane, place));
    }
    Ok(out)
}

/// Checks that the value of an option is finite.
fn finite(call: &'static str, what: &str, value: f64) -> Result<f64> {
    if value.is_finite() { Ok(value) } else { Err(Error::argument(call, format!("a finite {what}"), value)) }
}

fn probability(call: &'static str, p: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&p) { Ok(p) } else { Err(Error::argument(call, "a probability from 0 to 1", p)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digits;

    /// Every transform, with options that change the images.
    fn all() -> Vec<Box<dyn Transform<f32>>> {
        vec![
            Box::new(Compose::new().then(Crop::padded(2).unwrap()).then(Flip::horizontal(0.5).unwrap())),
            Box::new(Crop::to((5, 6), 1).unwrap()),
            Box::new(Cutout::new(3, 0.5).unwrap()),
            Box::new(Erase::new(0.7).unwrap()),
            Box::new(Flip::vertical(0.5).unwrap()),
            Box::new(Noise::new(0.1).unwrap()),
            Box::new(Normalize::new(&[0.3], &[0.2]).unwrap()),
            Box::new(Resize::new((3, 11), Filter::Bilinear).unwrap()),
            Box::new(Rotate::new(30.0).unwrap()),
            Box::new(Shift::new(2).unwrap()),
        ]
    }

    #[test]
    fn a_sample_is_transformed_alike_in_every_batch_and_layout() {
        let images = digits().unwrap().reshaped([1, 8, 8]).unwrap();
        let some = images.select(&[5, 9, 2]).unwrap();
        for transform in all() {
            let of = |indices: &[usize], images: &Tensor<f32>| {
                transform.apply(images.clone(), &mut Draw::batch(7, 3, indices)).unwrap()
            };
            let together = of(&[5, 9, 2], some.inputs());
            let alone = of(&[9], images.select(&[9]).unwrap().inputs());
            assert_eq!(together.slice(0, 1..2).unwrap(), alone, "{transform:?}");
            let turned = some.inputs().transpose(2, 3).unwrap().contiguous().transpose(2, 3).unwrap();
            assert_eq!(of(&[5, 9, 2], &turned), together, "{transform:?}");
        }
    }

    #[test]
    fn wrong_shapes_are_refused_and_empty_ones_are_not() {
        for transform in all() {
            assert!(
                transform.apply(Tensor::zeros([2, 8]), &mut Draw::batch(0, 0, &[0, 1])).is_err()
                    || format!("{transform:?}").contains("Normalize")
            );
            assert!(apply(&*transform, &Tensor::zeros([0, 1, 8, 8]), 0, 0).is_ok(), "{transform:?}");
            assert!(
                apply(&*transform, &Tensor::zeros([2, 1, 0, 8]), 0, 0).is_ok()
                    || format!("{transform:?}").contains("Crop")
                    || format!("{transform:?}").contains("Resize")
            );
            assert!(
                apply(&*transform, &Tensor::zeros([2, 1, 1, 1]), 0, 0).is_ok()
                    || format!("{transform:?}").contains("Crop")
            );
            let random = !format!("{transform:?}").contains("Normalize")
                && !format!("{transform:?}").contains("Resize");
            if random {
                assert!(transform.apply(Tensor::zeros([2, 1, 8, 8]), &mut Draw::batch(0, 0, &[0])).is_err());
            }
        }
    }
}
