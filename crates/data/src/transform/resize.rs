//! Images in another size.

use super::{Draw, Sizes, Transform, each_plane};
use crate::error::{Error, Result};
use wengert_ops::{Float, Tensor, ToShape};

/// How the pixels of the new image are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// The old pixel that contains the upper left corner of the new pixel.
    Nearest,
    /// Interpolation between the four old pixels whose centres surround the centre of the new pixel. Images are not
    /// smoothed before they are made smaller.
    Bilinear,
}

/// Resizes images to a height and a width.
///
/// ```
/// use wengert_data::transform::{Filter, Resize, apply};
/// use wengert_ops::Tensor;
/// let images = Tensor::<f32>::ones([2, 3, 8, 8]);
/// assert_eq!(*apply(&Resize::new((28, 20), Filter::Nearest)?, &images, 0, 0)?.shape(), [2, 3, 28, 20]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    size: (usize, usize),
    filter: Filter,
}

impl Resize {
    /// Resizes to the given height and width. See [`Resize`] for an example.
    ///
    /// # Errors
    /// If a side is 0.
    pub fn new(size: (usize, usize), filter: Filter) -> Result<Self> {
        check(size)?;
        Ok(Resize { size, filter })
    }
}

impl<T: Float> Transform<T> for Resize {
    fn apply(&self, images: Tensor<T>, _: &mut [Draw]) -> Result<Tensor<T>> {
        resize(&images, self.size, self.filter)
    }
}

fn check(size: (usize, usize)) -> Result<()> {
    if size.0 == 0 || size.1 == 0 {
        return Err(Error::argument("resize", "sides of at least one pixel", format!("{size:?}")));
    }
    Ok(())
}

/// Images `[N, C, H, W]` with the given height and width. The corners of the old and the new grid coincide, not the
/// centres of the corner pixels ("align corners" in other libraries).
///
/// ```
/// use wengert_data::transform::{Filter, resize};
/// use wengert_ops::Tensor;
/// let images = Tensor::from([[[0.0f32, 1.0]]]).unsqueeze(0)?;
/// assert_eq!(resize(&images, (1, 4), Filter::Bilinear)?.to_vec(), [0.0, 0.25, 0.75, 1.0]);
/// assert_eq!(resize(&images, (1, 4), Filter::Nearest)?.to_vec(), [0.0, 0.0, 1.0, 1.0]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the images do not have four axes, an old or new side is 0, or the result does not fit in memory.
pub fn resize<T: Float>(images: &Tensor<T>, size: (usize, usize), filter: Filter) -> Result<Tensor<T>> {
    let sizes = Sizes::of("resize", images)?;
    check(size)?;
    let shape = [sizes.n, sizes.c, size.0, size.1].to_shape("resize")?;
    if sizes.n * sizes.c == 0 {
        return Ok(Tensor::try_full(shape, T::ZERO)?);
    }
    check((sizes.h, sizes.w))?;
    let (rows, columns) = (taps(sizes.h, size.0, filter), taps(sizes.w, size.1, filter));
    each_plane(images, sizes, size, |_, plane, place| {
        for (line, &(y0, y1, fy)) in place.chunks_exact_mut(size.1).zip(&rows) {
            for (out, &(x0, x1, fx)) in line.iter_mut().zip(&columns) {
                let pixel = |y: usize, x: usize| plane[y * sizes.w + x].to_f64();
                let mix = |a: f64, b: f64, f: f64| if f == 0.0 { a } else { a * (1.0 - f) + b * f };
                let (top, bottom) =
                    (mix(pixel(y0, x0), pixel(y0, x1), fx), mix(pixel(y1, x0), pixel(y1, x1), fx));
                *out = T::from_f64(mix(top, bottom, fy));
            }
        }
    })
}

/// For each new position, the two old positions around it and the distance from the first.
fn taps(old: usize, new: usize, filter: Filter) -> Vec<(usize, usize, f64)> {
    let last = old.saturating_sub(1);
    let tap = |i: usize| match filter {
        Filter::Nearest => {
            let at = ((i as u128 * old as u128) / new as u128) as usize;
            (at, at, 0.0)
        }
        Filter::Bilinear => {
            let at = ((i as f64 + 0.5) * (old as f64 / new as f64) - 0.5).clamp(0.0, last as f64);
            let low = at as usize;
            (low, (low + 1).min(last), at - low as f64)
        }
    };
    (0..new).map(tap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_size_is_the_same_image() {
        let images = Tensor::from_vec((0..24).map(f64::from).collect(), [1, 2, 3, 4]).unwrap();
        for filter in [Filter::Nearest, Filter::Bilinear] {
            assert_eq!(resize(&images, (3, 4), filter).unwrap(), images);
            let constant = Tensor::<f32>::ones([1, 1, 3, 5]);
            assert_eq!(resize(&constant, (7, 2), filter).unwrap(), Tensor::ones([1, 1, 7, 2]));
        }
        // Twice as large and back: every second pixel.
        let large = resize(&images, (6, 8), Filter::Nearest).unwrap();
        assert_eq!(resize(&large, (3, 4), Filter::Nearest).unwrap(), images);
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let images = Tensor::<f32>::ones([1, 1, 2, 2]);
        assert!(resize(&images, (0, 2), Filter::Nearest).is_err());
        assert!(resize(&images, (usize::MAX, 2), Filter::Nearest).is_err());
        assert!(resize(&images, (usize::MAX, usize::MAX), Filter::Bilinear).is_err());
        assert!(resize(&Tensor::<f32>::ones([1, 1, 0, 2]), (1, 1), Filter::Bilinear).is_err());
        assert!(Resize::new((1, 0), Filter::Nearest).is_err());
    }
}
