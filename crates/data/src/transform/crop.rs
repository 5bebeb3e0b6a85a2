//! Random crops of padded images.

use super::{Draw, Sizes, Transform, each_plane, finite};
use crate::error::{Error, Result};
use wengert_ops::{Float, Tensor};

/// A random part of the padded image: all positions are equally likely.
///
/// ```
/// use wengert_data::transform::{Crop, apply};
/// use wengert_ops::Tensor;
/// let images = Tensor::<f32>::ones([5, 3, 32, 32]);
/// assert_eq!(*apply(&Crop::padded(4)?, &images, 0, 0)?.shape(), [5, 3, 32, 32]);
/// assert_eq!(*apply(&Crop::to((28, 24), 0)?, &images, 0, 0)?.shape(), [5, 3, 28, 24]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "RandomCrop")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    size: Option<(usize, usize)>,
    padding: usize,
    fill: f64,
}

/// More padding than any image needs.
const MOST_PADDING: usize = 1 << 20;

impl Crop {
    /// A part as large as the image, after padding with `padding` pixels on each side. See [`Crop`] for an example.
    ///
    /// # Errors
    /// If `padding` is above 2²⁰.
    pub fn padded(padding: usize) -> Result<Self> {
        if padding > MOST_PADDING {
            return Err(Error::argument("crop", format!("a padding up to {MOST_PADDING}"), padding));
        }
        Ok(Crop { size: None, padding, fill: 0.0 })
    }

    /// A part with the given height and width, after padding with `padding` pixels on each side. See [`Crop`] for an
    /// example.
    ///
    /// # Errors
    /// If a side is 0 or `padding` is above 2²⁰.
    pub fn to(size: (usize, usize), padding: usize) -> Result<Self> {
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::argument("crop", "sides of at least one pixel", format!("{size:?}")));
        }
        Ok(Crop { size: Some(size), ..Crop::padded(padding)? })
    }

    /// The same with a value other than 0 in the padding.
    ///
    /// ```
    /// use wengert_data::transform::{Crop, apply};
    /// use wengert_ops::Tensor;
    /// let images = Tensor::<f32>::ones([4, 1, 8, 8]);
    /// assert_eq!(apply(&Crop::padded(2)?.fill(1.0)?, &images, 0, 0)?, images);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value is not finite.
    pub fn fill(self, value: f64) -> Result<Self> {
        Ok(Crop { fill: finite("crop", "fill", value)?, ..self })
    }
}

impl<T: Float> Transform<T> for Crop {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        let sizes = Sizes::drawn("crop", &images, draws)?;
        let (height, width) = self.size.unwrap_or((sizes.h, sizes.w));
        let (room_y, room_x) = match (
            (sizes.h + 2 * self.padding).checked_sub(height),
            (sizes.w + 2 * self.padding).checked_sub(width),
        ) {
            (Some(y), Some(x)) => (y, x),
            _ => {
                let expected =
                    format!("images of at least {height} by {width} with {} pixels around", self.padding);
                return Err(Error::argument("crop", expected, format!("{} by {}", sizes.h, sizes.w)));
            }
        };
        let corners: Vec<(usize, usize)> =
            draws.iter_mut().map(|draw| (draw.below(room_y + 1), draw.below(room_x + 1))).collect();
        let fill = T::from_f64(self.fill);
        each_plane(&images, sizes, (height, width), |i, plane, place| {
            let (top, left) = corners[i];
            window(
                plane,
                (sizes.h, sizes.w),
                place,
                width,
                top as isize - self.padding as isize,
                left as isize - self.padding as isize,
                fill,
            );
        })
    }
}

/// The part of a plane whose upper left corner is at (top, left); it may extend beyond the plane.
pub(super) fn window<T: Float>(
    plane: &[T],
    (h, w): (usize, usize),
    place: &mut [T],
    width: usize,
    top: isize,
    left: isize,
    fill: T,
) {
    for (y, row) in place.chunks_exact_mut(width).enumerate() {
        row.fill(fill);
        let Some(from) = top.checked_add_unsigned(y).and_then(|y| usize::try_from(y).ok()).filter(|&y| y < h)
        else {
            continue;
        };
        // The columns of the row that lie inside the plane: left <= x < left + width and 0 <= x < w.
        let begin = left.clamp(0, w as isize);
        let end = left.saturating_add_unsigned(width).clamp(begin, w as isize);
        let line = &plane[from * w + begin as usize..from * w + end as usize];
        if !line.is_empty() {
            let at = (begin - left) as usize;
            row[at..at + line.len()].copy_from_slice(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::apply;

    fn images() -> Tensor<f64> {
        Tensor::from_vec((1..=96).map(f64::from).collect(), [4, 2, 3, 4]).unwrap()
    }

    #[test]
    fn without_padding_the_image_stays() {
        assert_eq!(apply(&Crop::padded(0).unwrap(), &images(), 5, 1).unwrap(), images());
    }

    #[test]
    fn a_crop_is_a_window_of_the_padded_image_and_every_position_occurs() {
        let images = Tensor::<f64>::from_vec((0..9).map(f64::from).collect(), [1, 1, 3, 3]).unwrap();
        let padded = images.pad(&[(0, 0), (0, 0), (1, 1), (1, 1)], -1.0).unwrap();
        let windows: Vec<Tensor<f64>> = (0..4)
            .flat_map(|y| (0..4).map(move |x| (y, x)))
            .map(|(y, x)| padded.slice(2, y..y + 2).unwrap().slice(3, x..x + 2).unwrap())
            .collect();
        let mut seen = [0; 16];
        let crop = Crop::to((2, 2), 1).unwrap().fill(-1.0).unwrap();
        for epoch in 0..1000 {
            let out = apply(&crop, &images, 0, epoch).unwrap();
            let at = windows.iter().position(|window| *window == out);
            seen[at.expect("a window of the padded image")] += 1;
        }
        assert!(seen.iter().all(|count| (30..100).contains(count)), "{seen:?}");
    }

    #[test]
    fn crops_that_do_not_fit_are_refused() {
        assert!(apply(&Crop::to((4, 4), 0).unwrap(), &images(), 0, 0).is_err());
        assert!(apply(&Crop::to((4, 4), 1).unwrap(), &images(), 0, 0).is_ok());
        assert!(Crop::to((0, 1), 0).is_err() && Crop::padded(usize::MAX).is_err());
        assert!(Crop::padded(1).unwrap().fill(f64::NAN).is_err());
    }
}
