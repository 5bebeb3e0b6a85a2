//! Mirror images.

use super::{Draw, Sizes, Transform, each_image, probability};
use crate::error::Result;
use wengert_ops::{Float, Tensor};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Exchanges left and right.
    Horizontal,
    /// Exchanges top and bottom.
    Vertical,
}

/// Mirrors an image with a given probability.
///
/// ```
/// use wengert_data::transform::{Flip, apply, flip_horizontal};
/// use wengert_ops::Tensor;
/// let images = Tensor::from([[[0.0f32, 1.0], [2.0, 3.0]]]).unsqueeze(0)?;
/// assert_eq!(apply(&Flip::horizontal(1.0)?, &images, 0, 0)?, flip_horizontal(&images)?);
/// assert_eq!(apply(&Flip::vertical(0.0)?, &images, 0, 0)?, images);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "RandomHorizontalFlip")]
#[doc(alias = "RandomVerticalFlip")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flip {
    side: Side,
    p: f64,
}

impl Flip {
    /// Exchanges left and right with probability `p`. See [`Flip`] for an example.
    ///
    /// # Errors
    /// If `p` is not from 0 to 1.
    pub fn horizontal(p: f64) -> Result<Self> {
        Ok(Flip { side: Side::Horizontal, p: probability("flip", p)? })
    }

    /// Exchanges top and bottom with probability `p`. See [`Flip`] for an example.
    ///
    /// # Errors
    /// If `p` is not from 0 to 1.
    pub fn vertical(p: f64) -> Result<Self> {
        Ok(Flip { side: Side::Vertical, p: probability("flip", p)? })
    }
}

impl<T: Float> Transform<T> for Flip {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        let sizes = Sizes::drawn("flip", &images, draws)?;
        let flipped: Vec<bool> = draws.iter_mut().map(|draw| draw.coin(self.p)).collect();
        Ok(each_image(images, sizes, |i, image| {
            if flipped[i] {
                flip(image, sizes, self.side);
            }
        }))
    }
}

fn flip<T: Float>(image: &mut [T], sizes: Sizes, side: Side) {
    match side {
        Side::Horizontal => image.chunks_exact_mut(sizes.w).for_each(<[T]>::reverse),
        Side::Vertical => {
            for plane in image.chunks_exact_mut(sizes.h * sizes.w) {
                // Rotating a plane by 180 degrees mirrors it both ways.
                plane.reverse();
                plane.chunks_exact_mut(sizes.w).for_each(<[T]>::reverse);
            }
        }
    }
}

/// Images `[N, C, H, W]` with left and right exchanged.
///
/// ```
/// use wengert_data::transform::flip_horizontal;
/// use wengert_ops::Tensor;
/// let images = Tensor::from([[[0.0f32, 1.0], [2.0, 3.0]]]).unsqueeze(0)?;
/// assert_eq!(flip_horizontal(&images)?.to_vec(), [1.0, 0.0, 3.0, 2.0]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the images do not have four axes.
pub fn flip_horizontal<T: Float>(images: &Tensor<T>) -> Result<Tensor<T>> {
    let sizes = Sizes::of("flip", images)?;
    Ok(each_image(images.clone(), sizes, |_, image| flip(image, sizes, Side::Horizontal)))
}

/// Images `[N, C, H, W]` with top and bottom exchanged.
///
/// ```
/// use wengert_data::transform::flip_vertical;
/// use wengert_ops::Tensor;
/// let images = Tensor::from([[[0.0f32, 1.0], [2.0, 3.0]]]).unsqueeze(0)?;
/// assert_eq!(flip_vertical(&images)?.to_vec(), [2.0, 3.0, 0.0, 1.0]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the images do not have four axes.
pub fn flip_vertical<T: Float>(images: &Tensor<T>) -> Result<Tensor<T>> {
    let sizes = Sizes::of("flip", images)?;
    Ok(each_image(images.clone(), sizes, |_, image| flip(image, sizes, Side::Vertical)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::apply;

    #[test]
    fn twice_is_the_identity_and_both_are_half_a_turn() {
        let images = Tensor::from_vec((0..60).map(f64::from).collect(), [2, 2, 3, 5]).unwrap();
        for flip in [flip_horizontal::<f64>, flip_vertical] {
            assert_ne!(flip(&images).unwrap(), images);
            assert_eq!(flip(&flip(&images).unwrap()).unwrap(), images);
        }
        let both = flip_vertical(&flip_horizontal(&images).unwrap()).unwrap();
        assert_eq!(both.to_vec()[..15], images.to_vec()[..15].iter().rev().copied().collect::<Vec<_>>());
        assert_eq!(images.get(&[0, 0, 0, 0]).unwrap(), 0.0, "the images given are left as they are");
    }

    #[test]
    fn as_many_are_flipped_as_asked_for() {
        let images = Tensor::from_vec([0.0f32, 1.0].repeat(4000), [4000, 1, 1, 2]).unwrap();
        let out = apply(&Flip::horizontal(0.3).unwrap(), &images, 1, 2).unwrap().to_vec();
        let flipped = out.iter().step_by(2).sum::<f32>() / 4000.0;
        assert!((flipped - 0.3).abs() < 0.03, "{flipped}");
        assert!(Flip::horizontal(1.1).is_err() && Flip::vertical(f64::NAN).is_err());
    }
}
