//! Mean and standard deviation of every channel.

use super::{Draw, Transform};
use crate::error::{Error, Result};
use wengert_ops::{Float, Tensor};

/// (x - mean) / std, for each channel (axis 1 of `[N, C, ..]`: the channels of images, or the columns of a table).
///
/// Fit it on the training part alone and apply it to both parts.
///
/// ```
/// use wengert_data::transform::Normalize;
/// use wengert_ops::Tensor;
/// let train = Tensor::from([[1.0f32, 10.0], [3.0, 10.0]]);
/// let normalize = Normalize::fit(&train)?;
/// assert_eq!((normalize.mean(), normalize.std()), (&[2.0, 10.0][..], &[1.0, 0.0][..]));
/// let out = normalize.apply(&train)?;
/// assert_eq!(out.to_vec(), [-1.0, 0.0, 1.0, 0.0]);
/// assert_eq!(normalize.invert(&out)?, train);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Normalize {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Normalize {
    /// The given means and standard deviations, one per channel. A channel whose standard deviation is 0 is not
    /// divided.
    ///
    /// ```
    /// use wengert_data::transform::Normalize;
    /// assert!(Normalize::new(&[0.5], &[0.5]).is_ok());
    /// assert!(Normalize::new(&[0.5], &[-0.5]).is_err());
    /// ```
    ///
    /// # Errors
    /// If the numbers of means and of standard deviations differ, one is not finite, or a standard deviation is
    /// negative.
    pub fn new(mean: &[f64], std: &[f64]) -> Result<Self> {
        const CALL: &str = "normalize";
        if mean.len() != std.len() {
            let expected = format!("{} standard deviations for as many means", mean.len());
            return Err(Error::argument(CALL, expected, std.len()));
        }
        if let Some(bad) = mean.iter().find(|v| !v.is_finite()) {
            return Err(Error::argument(CALL, "finite means", bad));
        }
        if let Some(bad) = std.iter().find(|v| !(v.is_finite() && **v >= 0.0)) {
            return Err(Error::argument(CALL, "finite standard deviations of at least 0", bad));
        }
        Ok(Normalize { mean: mean.to_vec(), std: std.to_vec() })
    }

    /// The means and standard deviations of the data (dividing by the number of elements, not by one less), computed in
    /// two passes in `f64`. See [`Normalize`] for an example.
    ///
    /// # Errors
    /// If the data has fewer than two axes, a channel has no element, or an element is not finite.
    pub fn fit<T: Float>(data: &Tensor<T>) -> Result<Self> {
        let (channels, inner) = channels(data)?;
        let count = data.numel() / channels.max(1);
        if count == 0 {
            return Err(Error::argument("normalize", "at least one element a channel", data.shape()));
        }
        let values = data.to_vec();
        let mut sums = vec![0.0; channels];
        each(&values, channels, inner, |c, v| sums[c] += v);
        let mean: Vec<f64> = sums.iter().map(|sum| sum / count as f64).collect();
        let mut squares = vec![0.0; channels];
        each(&values, channels, inner, |c, v| squares[c] += (v - mean[c]) * (v - mean[c]));
        let std: Vec<f64> = squares.iter().map(|square| (square / count as f64).sqrt()).collect();
        Normalize::new(&mean, &std)
    }

    /// The mean of each channel. See [`Normalize`] for an example.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The standard deviation of each channel. See [`Normalize`] for an example.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// (x - mean) / std. See [`Normalize`] for an example.
    ///
    /// # Errors
    /// If the data has a different number of channels.
    pub fn apply<T: Float>(&self, data: &Tensor<T>) -> Result<Tensor<T>> {
        self.each_channel(data, |x, mean, std| (x - mean) / std)
    }

    /// x · std + mean, the inverse of [`apply`](Normalize::apply). See [`Normalize`] for an example.
    ///
    /// # Errors
    /// If the data has a different number of channels.
    pub fn invert<T: Float>(&self, data: &Tensor<T>) -> Result<Tensor<T>> {
        self.each_channel(data, |x, mean, std| x * std + mean)
    }

    fn each_channel<T: Float>(
        &self,
        data: &Tensor<T>,
        f: impl Fn(f64, f64, f64) -> f64,
    ) -> Result<Tensor<T>> {
        let (channels, inner) = channels(data)?;
        if channels != self.mean.len() {
            let expected = format!("{} channels", self.mean.len());
            return Err(Error::argument("normalize", expected, format!("shape {}", data.shape())));
        }
        let mut out = data.clone();
        for (i, plane) in out.data_mut().chunks_exact_mut(inner.max(1)).enumerate() {
            let (mean, std) = (self.mean[i % channels], self.std[i % channels]);
            let std = if std == 0.0 { 1.0 } else { std };
            plane.iter_mut().for_each(|v| *v = T::from_f64(f(v.to_f64(), mean, std)));
        }
        Ok(out)
    }
}

/// The number of channels, and the number of consecutive elements of a channel.
fn channels<T: Float>(data: &Tensor<T>) -> Result<(usize, usize)> {
    match &data.shape()[..] {
        [_, c, rest @ ..] => Ok((*c, rest.iter().product())),
        _ => Err(Error::argument("normalize", "data [N, C, ..]", format!("shape {}", data.shape()))),
    }
}

fn each<T: Float>(values: &[T], channels: usize, inner: usize, mut f: impl FnMut(usize, f64)) {
    for (i, plane) in values.chunks_exact(inner.max(1)).enumerate() {
        plane.iter().for_each(|v| f(i % channels, v.to_f64()));
    }
}

impl<T: Float> Transform<T> for Normalize {
    fn apply(&self, images: Tensor<T>, _: &mut [Draw]) -> Result<Tensor<T>> {
        Normalize::apply(self, &images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fitted_data_has_mean_0_and_deviation_1() {
        let data =
            Tensor::from_vec((0..120).map(|i| f64::from(i * i % 37) + 1e6).collect(), [4, 3, 2, 5]).unwrap();
        let out = Normalize::fit(&data).unwrap().apply(&data).unwrap();
        let again = Normalize::fit(&out).unwrap();
        // A mean of a million has an error of about 1e-10.
        assert!(again.mean().iter().all(|m| m.abs() < 1e-10), "{again:?}");
        assert!(again.std().iter().all(|s| (s - 1.0).abs() < 1e-12), "{again:?}");
    }

    #[test]
    fn what_cannot_be_fitted_or_applied_is_refused() {
        assert!(Normalize::fit(&Tensor::<f32>::zeros([3])).is_err());
        assert!(Normalize::fit(&Tensor::<f32>::zeros([0, 3])).is_err());
        assert!(Normalize::fit(&Tensor::from([[f32::NAN]])).is_err());
        assert!(Normalize::fit(&Tensor::from([[f32::INFINITY]])).is_err());
        let n = Normalize::new(&[0.0, 1.0], &[1.0, 1.0]).unwrap();
        assert!(n.apply(&Tensor::<f32>::zeros([2, 3])).is_err() && Normalize::new(&[0.0], &[]).is_err());
        assert_eq!(*n.apply(&Tensor::<f32>::zeros([0, 2])).unwrap().shape(), [0, 2]);
    }
}
