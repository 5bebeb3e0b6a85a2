//! Images shifted by whole pixels.

use super::crop::window;
use super::{Draw, Sizes, Transform, each_plane, finite};
use crate::error::{Error, Result};
use wengert_ops::{Float, Tensor};

/// Shifts each image by a random whole number of pixels in each direction; all shifts are equally likely.
///
/// ```
/// use wengert_data::transform::{Shift, apply};
/// use wengert_ops::Tensor;
/// let images = Tensor::<f32>::ones([3, 1, 8, 8]);
/// assert_eq!(apply(&Shift::new(0)?, &images, 0, 0)?, images);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    most: usize,
    fill: f64,
}

const MOST: usize = 1 << 20;

impl Shift {
    /// Shifts by up to `most` pixels; pixels from outside of the image are 0. See [`Shift`] for an example.
    ///
    /// # Errors
    /// If `most` is above 2²⁰.
    pub fn new(most: usize) -> Result<Self> {
        if most > MOST {
            return Err(Error::argument("shift", format!("a shift up to {MOST}"), most));
        }
        Ok(Shift { most, fill: 0.0 })
    }

    /// The same with a value other than 0 for pixels from outside of the image.
    ///
    /// ```
    /// use wengert_data::transform::{Shift, apply};
    /// use wengert_ops::Tensor;
    /// let images = Tensor::<f32>::ones([3, 1, 8, 8]);
    /// assert_eq!(apply(&Shift::new(2)?.fill(1.0)?, &images, 0, 0)?, images);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value is not finite.
    pub fn fill(self, value: f64) -> Result<Self> {
        Ok(Shift { fill: finite("shift", "fill", value)?, ..self })
    }
}

impl<T: Float> Transform<T> for Shift {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        let sizes = Sizes::drawn("shift", &images, draws)?;
        let most = self.most as isize;
        let by: Vec<(isize, isize)> = draws
            .iter_mut()
            .map(|draw| {
                (draw.below(2 * self.most + 1) as isize - most, draw.below(2 * self.most + 1) as isize - most)
            })
            .collect();
        shifted(&images, sizes, |i| by[i], T::from_f64(self.fill))
    }
}

/// Images `[N, C, H, W]`, shifted down and to the right by whole pixels (negative: up and to the left); pixels from
/// outside of the image are `fill`.
///
/// ```
/// use wengert_data::transform::shift;
/// use wengert_ops::Tensor;
/// let images = Tensor::from([[[1.0f32, 2.0], [3.0, 4.0]]]).unsqueeze(0)?;
/// assert_eq!(shift(&images, (0, 1), 0.0)?.to_vec(), [0.0, 1.0, 0.0, 3.0]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the images do not have four axes.
pub fn shift<T: Float>(images: &Tensor<T>, (down, right): (isize, isize), fill: f64) -> Result<Tensor<T>> {
    let sizes = Sizes::of("shift", images)?;
    // A shift by the size of the image or more leaves nothing of it.
    let most = |side: usize| side.min(isize::MAX as usize) as isize;
    let by = (down.clamp(-most(sizes.h), most(sizes.h)), right.clamp(-most(sizes.w), most(sizes.w)));
    shifted(images, sizes, |_| by, T::from_f64(fill))
}

fn shifted<T: Float>(
    images: &Tensor<T>,
    sizes: Sizes,
    by: impl Fn(usize) -> (isize, isize),
    fill: T,
) -> Result<Tensor<T>> {
    each_plane(images, sizes, (sizes.h, sizes.w), |i, plane, place| {
        let (down, right) = by(i);
        window(plane, (sizes.h, sizes.w), place, sizes.w, -down, -right, fill);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::apply;

    #[test]
    fn mass_is_kept_where_nothing_leaves_the_image() {
        let mut blob = Tensor::<f64>::zeros([1, 1, 9, 9]);
        blob.data_mut()[4 * 9 + 4] = 2.0;
        blob.data_mut()[5 * 9 + 4] = 3.0;
        let moved: Vec<Vec<f64>> =
            (0..400).map(|epoch| apply(&Shift::new(3).unwrap(), &blob, 0, epoch).unwrap().to_vec()).collect();
        assert!(moved.iter().all(|m| m.iter().sum::<f64>() == 5.0 && m.contains(&3.0)));
        let mut distinct: Vec<usize> =
            moved.iter().map(|m| m.iter().position(|&v| v == 2.0).unwrap()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 49);
    }

    #[test]
    fn there_and_back_loses_only_what_left() {
        let images = Tensor::from_vec((1..=12).map(f64::from).collect(), [1, 1, 3, 4]).unwrap();
        let back = shift(&shift(&images, (1, -2), 0.0).unwrap(), (-1, 2), 0.0).unwrap();
        assert_eq!(back.to_vec(), [0.0, 0.0, 3.0, 4.0, 0.0, 0.0, 7.0, 8.0, 0.0, 0.0, 0.0, 0.0]);
        for far in [(isize::MIN, 0), (isize::MAX, isize::MIN), (0, 4), (-3, 0)] {
            assert_eq!(shift(&images, far, 9.0).unwrap().to_vec(), [9.0; 12]);
        }
        assert!(Shift::new(usize::MAX).is_err());
    }
}
