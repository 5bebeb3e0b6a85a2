//! Images rotated about their centre.

use super::{Draw, Sizes, Transform, each_plane, finite};
use crate::error::{Error, Result};
use wengert_ops::math::portable;
use wengert_ops::{Float, Tensor};

/// Rotates each image about its centre by a random angle, uniform between two bounds.
///
/// ```
/// use wengert_data::transform::{Rotate, apply};
/// use wengert_ops::Tensor;
/// let images = Tensor::<f32>::ones([3, 1, 8, 8]);
/// assert_eq!(apply(&Rotate::new(0.0)?, &images, 0, 0)?, images);
/// assert_ne!(apply(&Rotate::new(20.0)?, &images, 0, 0)?, images);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "RandomRotation")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rotate {
    most: f64,
    fill: f64,
}

impl Rotate {
    /// Rotates by up to `most` degrees in both directions; pixels from outside of the image are 0. See [`Rotate`] for
    /// an example.
    ///
    /// # Errors
    /// If `most` is not from 0 to 180.
    pub fn new(most: f64) -> Result<Self> {
        if !(0.0..=180.0).contains(&most) {
            return Err(Error::argument("rotate", "an angle from 0 to 180 degrees", most));
        }
        Ok(Rotate { most, fill: 0.0 })
    }

    /// The same with a value other than 0 for pixels from outside of the image.
    ///
    /// ```
    /// use wengert_data::transform::{Rotate, apply};
    /// use wengert_ops::Tensor;
    /// let images = Tensor::<f64>::ones([3, 1, 8, 8]);
    /// let out = apply(&Rotate::new(45.0)?.fill(1.0)?, &images, 0, 0)?;
    /// assert!(out.to_vec().iter().all(|v| (v - 1.0).abs() < 1e-12));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the value is not finite.
    pub fn fill(self, value: f64) -> Result<Self> {
        Ok(Rotate { fill: finite("rotate", "fill", value)?, ..self })
    }
}

impl<T: Float> Transform<T> for Rotate {
    fn apply(&self, images: Tensor<T>, draws: &mut [Draw]) -> Result<Tensor<T>> {
        let sizes = Sizes::drawn("rotate", &images, draws)?;
        let angles: Vec<f64> = draws.iter_mut().map(|draw| draw.uniform(-self.most, self.most)).collect();
        rotated(&images, sizes, |i| angles[i], self.fill)
    }
}

/// Images `[N, C, H, W]`, rotated about their centre by an angle in degrees, counter-clockwise, with bilinear
/// interpolation between pixels and `fill` outside. Multiples of 90 degrees are exact for square images, multiples of
/// 180 for all.
///
/// ```
/// use wengert_data::transform::rotate;
/// use wengert_ops::Tensor;
/// let images = Tensor::from([[[1.0f32, 2.0], [3.0, 4.0]]]).unsqueeze(0)?;
/// assert_eq!(rotate(&images, 90.0, 0.0)?.to_vec(), [2.0, 4.0, 1.0, 3.0]);
/// assert_eq!(rotate(&images, 360.0, 0.0)?, images);
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the images do not have four axes, or the angle is not finite.
pub fn rotate<T: Float>(images: &Tensor<T>, degrees: f64, fill: f64) -> Result<Tensor<T>> {
    let sizes = Sizes::of("rotate", images)?;
    let degrees = finite("rotate", "angle", degrees)?;
    rotated(images, sizes, |_| degrees, fill)
}

fn rotated<T: Float>(
    images: &Tensor<T>,
    sizes: Sizes,
    angle: impl Fn(usize) -> f64,
    fill: f64,
) -> Result<Tensor<T>> {
    let (h, w) = (sizes.h, sizes.w);
    let (cy, cx) = ((h as f64 - 1.0) / 2.0, (w as f64 - 1.0) / 2.0);
    each_plane(images, sizes, (h, w), |i, plane, place| {
        let (sin, cos) = sin_cos(angle(i));
        let pixel = |y: f64, x: f64| {
            let inside = y >= 0.0 && x >= 0.0 && y < h as f64 && x < w as f64;
            if inside { plane[y as usize * w + x as usize].to_f64() } else { fill }
        };
        for (at, out) in place.iter_mut().enumerate() {
            let (dy, dx) = ((at / w) as f64 - cy, (at % w) as f64 - cx);
            // The position of this pixel in the old image, by the inverse rotation. Rows are counted downwards.
            let (y, x) = (cy + sin * dx + cos * dy, cx + cos * dx - sin * dy);
            let (top, left) = (y.floor(), x.floor());
            let (fy, fx) = (y - top, x - left);
            let mut value = 0.0;
            for (row, weight_y) in [(top, 1.0 - fy), (top + 1.0, fy)] {
                for (column, weight_x) in [(left, 1.0 - fx), (left + 1.0, fx)] {
                    // A pixel with weight 0 must not contribute its infinity.
                    if weight_y * weight_x > 0.0 {
                        value += weight_y * weight_x * pixel(row, column);
                    }
                }
            }
            *out = T::from_f64(value);
        }
    })
}

/// Sine and cosine of an angle in degrees, exact at multiples of 90.
fn sin_cos(degrees: f64) -> (f64, f64) {
    let degrees = degrees.rem_euclid(360.0);
    match degrees {
        0.0 | 360.0 => (0.0, 1.0),
        90.0 => (1.0, 0.0),
        180.0 => (0.0, -1.0),
        270.0 => (-1.0, 0.0),
        _ => portable::sin_cos(degrees.to_radians()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::{flip_horizontal, flip_vertical};

    #[test]
    fn whole_quarter_turns_are_exact() {
        let images = Tensor::from_vec((0..50).map(|i| i as f32).collect(), [1, 2, 5, 5]).unwrap();
        let turn = |degrees: f64| rotate(&images, degrees, 0.0).unwrap();
        assert_eq!(turn(0.0), images);
        assert_eq!(turn(360.0), images);
        assert_eq!(turn(-720.0), images);
        let quarter = flip_vertical(&images.transpose(2, 3).unwrap()).unwrap();
        assert_eq!(turn(90.0), quarter);
        assert_eq!(turn(-270.0), quarter);
        assert_eq!(turn(180.0), flip_vertical(&flip_horizontal(&images).unwrap()).unwrap());
        let wide = Tensor::from_vec((0..8).map(|i| i as f32).collect(), [1, 1, 2, 4]).unwrap();
        assert_eq!(rotate(&wide, 180.0, 0.0).unwrap().to_vec(), [7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn there_and_back_is_near_the_start_for_smooth_images() {
        let smooth = |at: usize| {
            let (y, x) = ((at / 21) as f64 - 10.0, (at % 21) as f64 - 10.0);
            (-((y - 1.0).powi(2) + x * x) / 18.0).exp()
        };
        let images = Tensor::from_vec((0..441).map(smooth).collect(), [1, 1, 21, 21]).unwrap();
        let back = rotate(&rotate(&images, 33.0, 0.0).unwrap(), -33.0, 0.0).unwrap();
        let worst = images.to_vec().iter().zip(back.to_vec()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        // Twice the error of bilinear interpolation, (|f_xx| + |f_yy|) / 8 with |f_xx| at most 1/9.
        assert!(worst < 2.0 * (2.0 / 9.0) / 8.0, "{worst}");
        let mass: f64 = rotate(&images, 33.0, 0.0).unwrap().to_vec().iter().sum();
        assert!((mass / images.to_vec().iter().sum::<f64>() - 1.0).abs() < 1e-3);
    }

    #[test]
    fn angles_out_of_range_are_refused() {
        assert!(Rotate::new(-1.0).is_err() && Rotate::new(181.0).is_err() && Rotate::new(f64::NAN).is_err());
        assert!(rotate(&Tensor::<f32>::zeros([1, 1, 2, 2]), f64::INFINITY, 0.0).is_err());
    }
}
