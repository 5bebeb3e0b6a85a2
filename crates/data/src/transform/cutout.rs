//! Rectangles that are cut out of images.

use super::{Draw, Sizes, Transform, each_image, finite, probability};
use crate::error::{Error, Result};
use std::ops::Range;
use wengert_ops::math::portable::{exp, ln};
use wengert_ops::{Float, Tensor};

/// Fills a square whose centre is a random pixel and whose part outside of the image is ignored (DeVries and Taylor
/// 2017, *Improved Regularization of Convolutional Neural Networks with Cutout*).
///
/// ```
/// use wengert_data::transform::{Cutout, apply};
/// use wengert_ops::Tensor;
/// let images = Tensor::<f32>::ones([1, 1, 8, 8]);
/// let left = apply(&Cutout::new(2, 0.0)?, &images, 0, 0)?.to_vec().iter().sum::<f32>();
/// assert!((60.0..64.0).contains(&left));
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cutout {
    side: usize,
    fill: f64,
}

impl Cutout {
    /// A square of `side` by `side` pixels, filled with `fill`. See [`Cutout`] for an example.
    ///
    /// # Errors
    /// If `fill` is not finite.
    pub fn new(side: usize, fill: f64) -> Result<Self> {
        Ok(Cutout { side, fill: finite("cutout", "fill", fill)? })
    }
}

impl<T: Float> Transform<T> for Cutout {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        let sizes = Sizes::drawn("cutout", &images, draws)?;
        let span = |centre: usize, size: usize| {
            let begin = centre.saturating_sub(self.side / 2);
            let end = centre.saturating_add(self.side - self.side / 2).min(size);
            begin..end
        };
        Ok(each_image(images, sizes, |i, image| {
            let draw = &mut draws[i];
            let (rows, columns) = (span(draw.below(sizes.h), sizes.h), span(draw.below(sizes.w), sizes.w));
            fill(image, sizes, rows, columns, T::from_f64(self.fill));
        }))
    }
}

fn fill<T: Float>(image: &mut [T], sizes: Sizes, rows: Range<usize>, columns: Range<usize>, value: T) {
    for plane in image.chunks_exact_mut(sizes.h * sizes.w) {
        for row in rows.clone() {
            plane[row * sizes.w..][columns.clone()].fill(value);
        }
    }
}

/// Fills, with a given probability, a rectangle of random area, shape and position (Zhong et al. 2020, *Random Erasing
/// Data Augmentation*): from 2 to 33 % of the image, with a ratio of the sides from 0.3 to 1/0.3. The rectangle lies
/// inside the image; if ten tries give none that does, the image is not changed.
///
/// ```
/// use wengert_data::transform::{Erase, apply};
/// use wengert_ops::Tensor;
/// let images = Tensor::<f32>::ones([4, 3, 16, 16]);
/// assert_eq!(apply(&Erase::new(0.0)?, &images, 0, 0)?, images);
/// assert_ne!(apply(&Erase::new(1.0)?, &images, 0, 0)?, images);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "RandomErasing")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Erase {
    p: f64,
    area: (f64, f64),
    fill: f64,
}

/// The smallest and the largest ratio of width to height.
const RATIO: (f64, f64) = (0.3, 1.0 / 0.3);
const TRIES: usize = 10;

impl Erase {
    /// Erases with probability `p`, filling with 0. See [`Erase`] for an example.
    ///
    /// # Errors
    /// If `p` is not from 0 to 1.
    pub fn new(p: f64) -> Result<Self> {
        Ok(Erase { p: probability("erase", p)?, area: (0.02, 0.33), fill: 0.0 })
    }

    /// The same with other bounds of the erased fraction of the image.
    ///
    /// ```
    /// use wengert_data::transform::{Erase, apply};
    /// use wengert_ops::Tensor;
    /// let erase = Erase::new(1.0)?.area(0.25, 0.25)?;
    /// let left = apply(&erase, &Tensor::<f32>::ones([1, 1, 32, 32]), 0, 0)?.to_vec().iter().sum::<f32>();
    /// assert!((left / 1024.0 - 0.75).abs() < 0.05);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the bounds are not in order or not from 0 to 1.
    pub fn area(self, least: f64, most: f64) -> Result<Self> {
        if !(0.0 <= least && least <= most && most <= 1.0) {
            let found = format!("{least} and {most}");
            return Err(Error::argument("erase", "parts from 0 to 1 in order", found));
        }
        Ok(Erase { area: (least, most), ..self })
    }

    /// The same with a value other than 0 in the rectangle.
    ///
    /// ```
    /// use wengert_data::transform::{Erase, apply};
    /// use wengert_ops::Tensor;
    /// let images = Tensor::<f32>::ones([4, 3, 16, 16]);
    /// assert_eq!(apply(&Erase::new(1.0)?.fill(1.0)?, &images, 0, 0)?, images);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value is not finite.
    pub fn fill(self, value: f64) -> Result<Self> {
        Ok(Erase { fill: finite("erase", "fill", value)?, ..self })
    }

    fn rectangle(&self, sizes: Sizes, draw: &mut Draw) -> Option<(Range<usize>, Range<usize>)> {
        for _ in 0..TRIES {
            let area = draw.uniform(self.area.0, self.area.1) * (sizes.h * sizes.w) as f64;
            let ratio = exp(draw.uniform(ln(RATIO.0), ln(RATIO.1)));
            let (h, w) = ((area / ratio).sqrt().round() as usize, (area * ratio).sqrt().round() as usize);
            if (1..=sizes.h).contains(&h) && (1..=sizes.w).contains(&w) {
                let (top, left) = (draw.below(sizes.h - h + 1), draw.below(sizes.w - w + 1));
                return Some((top..top + h, left..left + w));
            }
        }
        None
    }
}

impl<T: Float> Transform<T> for Erase {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        let sizes = Sizes::drawn("erase", &images, draws)?;
        Ok(each_image(images, sizes, |i, image| {
            let draw = &mut draws[i];
            if draw.coin(self.p)
                && let Some((rows, columns)) = self.rectangle(sizes, draw)
            {
                fill(image, sizes, rows, columns, T::from_f64(self.fill));
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::apply;

    /// The rows and columns that were cut out of an image of ones.
    fn hole(image: &[f64], w: usize) -> (Vec<usize>, Vec<usize>) {
        let at: Vec<usize> = (0..image.len()).filter(|&i| image[i] != 1.0).collect();
        let collect = |f: &dyn Fn(usize) -> usize| {
            let mut all: Vec<usize> = at.iter().map(|&i| f(i)).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (rows, columns) = (collect(&|i| i / w), collect(&|i| i % w));
        assert_eq!(rows.len() * columns.len(), at.len(), "a rectangle");
        (rows, columns)
    }

    #[test]
    fn a_square_is_cut_in_all_channels_and_clipped_at_the_edges() {
        let images = Tensor::<f64>::ones([300, 2, 6, 7]);
        let out = apply(&Cutout::new(3, 0.5).unwrap(), &images, 2, 0).unwrap().to_vec();
        let mut sizes = std::collections::BTreeSet::new();
        for image in out.chunks_exact(84) {
            assert_eq!(image[..42], image[42..]);
            let (rows, columns) = hole(&image[..42], 7);
            sizes.insert((rows.len(), columns.len()));
        }
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [(2, 2), (2, 3), (3, 2), (3, 3)]);
        assert_eq!(apply(&Cutout::new(0, 0.5).unwrap(), &images, 2, 0).unwrap(), images);
        let all = apply(&Cutout::new(usize::MAX, 0.5).unwrap(), &images, 2, 0).unwrap();
        assert!(all.to_vec().iter().all(|&v| v == 0.5));
    }

    #[test]
    fn erased_rectangles_keep_to_their_bounds() {
        let images = Tensor::<f64>::ones([300, 1, 20, 30]);
        let out = apply(&Erase::new(1.0).unwrap(), &images, 2, 0).unwrap().to_vec();
        for image in out.chunks_exact(600) {
            let (rows, columns) = hole(image, 30);
            let part = (rows.len() * columns.len()) as f64 / 600.0;
            assert!((0.01..0.36).contains(&part), "{part}");
            let ratio = columns.len() as f64 / rows.len() as f64;
            assert!((0.2..5.0).contains(&ratio), "{ratio}");
        }
        assert!(Erase::new(1.0).unwrap().area(0.5, 0.4).is_err());
        assert!(Erase::new(2.0).is_err() && Cutout::new(1, f64::NAN).is_err());
    }
}
