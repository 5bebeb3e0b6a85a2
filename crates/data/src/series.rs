//! Time series and windows of them: a number of points as input, and the points after them as target.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::text::check_positions;
use crate::transform::Normalize;
use wengert_ops::{Float, Tensor};

/// Values of one or more variables over time: `[time, variables]`.
///
/// ```
/// use wengert_data::{Loader, sunspots};
/// let (train, test) = sunspots()?.split(0.2)?;
/// let normalize = train.normalize()?;
/// let windows = train.normalized(&normalize)?.windows(22, 1, 1)?;
/// let batch = Loader::new(&windows, 16, 7)?.epoch(0).next().unwrap()?;
/// assert_eq!((&batch.inputs.shape()[..], &batch.targets.shape()[..]), (&[16, 22, 1][..], &[16, 1, 1][..]));
/// assert_eq!((train.len(), test.len()), (247, 62));
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Series<T: Float = f32> {
    values: Tensor<T>,
}

impl<T: Float> Series<T> {
    /// A series with values of shape `[time, variables]` or `[time]`.
    ///
    /// ```
    /// use wengert_data::Series;
    /// use wengert_ops::Tensor;
    /// let series = Series::new(Tensor::from([1.0f32, 2.0, 3.0]))?;
    /// assert_eq!((series.len(), series.is_empty(), &series.values().shape()[..]), (3, false, &[3, 1][..]));
    /// assert!(Series::new(Tensor::from([1.0f32, f32::NAN])).is_err());
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shape is different or a value is not finite.
    pub fn new(values: Tensor<T>) -> Result<Self> {
        let values = match values.shape()[..] {
            [time] => values.reshape([time, 1])?,
            [_, _] => values,
            _ => return Err(Error::argument("series", "values [time, variables]", values.shape())),
        };
        if values.has_non_finite() {
            return Err(Error::argument("series", "finite values", "others"));
        }
        Ok(Series { values: values.contiguous() })
    }

    /// The number of points in time. See [`new`](Series::new) for an example.
    pub fn len(&self) -> usize {
        self.values.shape()[0]
    }

    /// Whether there are no points in time. See [`new`](Series::new) for an example.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values: `[time, variables]`. See [`new`](Series::new) for an example.
    pub fn values(&self) -> &Tensor<T> {
        &self.values
    }

    /// The earlier part, to train on, and the later part, which has the fraction `test_fraction` of the points, rounded
    /// to the nearest whole number. See [`Series`] for an example.
    ///
    /// # Errors
    /// If the fraction is not from 0 to 1.
    pub fn split(&self, test_fraction: f64) -> Result<(Self, Self)> {
        let held = crate::split::test_count("split", self.len(), test_fraction)?;
        let at = self.len() - held;
        let part = |range: std::ops::Range<usize>| -> Result<Self> {
            Ok(Series { values: self.values.slice(0, range)?.contiguous() })
        };
        Ok((part(0..at)?, part(at..self.len())?))
    }

    /// The mean and the standard deviation of each variable. See [`Series`] for an example.
    ///
    /// # Errors
    /// If there are no values.
    pub fn normalize(&self) -> Result<Normalize> {
        Normalize::fit(&self.values)
    }

    /// The same series, normalised. See [`Series`] for an example.
    ///
    /// # Errors
    /// If the series has a different number of variables.
    pub fn normalized(&self, normalize: &Normalize) -> Result<Self> {
        Series::new(normalize.apply(&self.values)?)
    }

    /// The same series in another element type.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let series = wengert_data::nile()?.cast::<f64>();
    /// assert_eq!(series.values().get(&[0, 0])?, 1120.0);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn cast<U: Float>(&self) -> Series<U> {
        Series { values: self.values.cast() }
    }

    /// Windows of `input` points followed by `horizon` points to be predicted, as a dataset. Each window begins
    /// `stride` points after the previous one. See [`Series`] for an example.
    ///
    /// # Errors
    /// If `input`, `horizon` or `stride` is 0, or the series is shorter than a window.
    pub fn windows(&self, input: usize, horizon: usize, stride: usize) -> Result<SeriesWindows<T>> {
        if input == 0 || horizon == 0 || stride == 0 {
            let found = format!("{input}, {horizon} and {stride}");
            return Err(Error::argument("windows", "an input, a horizon and a stride of at least 1", found));
        }
        if input.saturating_add(horizon) > self.len() {
            let expected = format!("a series of at least {input} + {horizon} points");
            return Err(Error::argument("windows", expected, self.len()));
        }
        Ok(SeriesWindows { series: self.clone(), input, horizon, stride })
    }
}

/// Windows of a series: what [`Series::windows`] returns.
#[derive(Debug, Clone)]
pub struct SeriesWindows<T: Float = f32> {
    series: Series<T>,
    input: usize,
    horizon: usize,
    stride: usize,
}

/// Some windows of a series and the points after each window. See [`Series`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesBatch<T: Float = f32> {
    /// The points of each window: `[windows, input, variables]`.
    pub inputs: Tensor<T>,
    /// The points after each window: `[windows, horizon, variables]`.
    pub targets: Tensor<T>,
    /// The position of each window in the dataset.
    pub indices: Vec<usize>,
}

impl<T: Float> Dataset for SeriesWindows<T> {
    type Batch = SeriesBatch<T>;

    fn len(&self) -> usize {
        (self.series.len() - self.input - self.horizon) / self.stride + 1
    }

    fn fetch(&self, indices: &[usize]) -> Result<SeriesBatch<T>> {
        check_positions(indices, self.len())?;
        let variables = self.series.values.shape()[1];
        let values = self.series.values.as_slice().unwrap_or_default();
        let part = |after: usize, length: usize| {
            let rows = indices.iter().flat_map(|&i| {
                let begin = (i * self.stride + after) * variables;
                &values[begin..begin + length * variables]
            });
            Tensor::from_vec(rows.copied().collect(), [indices.len(), length, variables])
        };
        Ok(SeriesBatch {
            inputs: part(0, self.input)?,
            targets: part(self.input, self.horizon)?,
            indices: indices.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_where_the_series_does() {
        let values = Tensor::from_vec((0..20).map(f64::from).collect(), [10, 2]).unwrap();
        let series = Series::new(values).unwrap();
        for (input, horizon, stride, count) in
            [(3, 2, 1, 6), (3, 2, 2, 3), (9, 1, 1, 1), (1, 1, 1, 9), (1, 1, 8, 2)]
        {
            let windows = series.windows(input, horizon, stride).unwrap();
            assert_eq!(windows.len(), count);
            let batch = windows.fetch(&[count - 1]).unwrap();
            let begin = ((count - 1) * stride * 2) as f64;
            let all = [batch.inputs.to_vec(), batch.targets.to_vec()].concat();
            assert!(all.iter().enumerate().all(|(i, &v)| v == begin + i as f64));
            assert!(windows.fetch(&[count]).is_err());
        }
        assert!(series.windows(9, 2, 1).is_err() && series.windows(usize::MAX, 2, 1).is_err());
        assert!(series.windows(0, 1, 1).is_err() && series.windows(1, 1, 0).is_err());
        let (train, test) = series.split(0.25).unwrap();
        assert_eq!((train.len(), test.len(), test.values().to_vec()[0]), (7, 3, 14.0));
        assert!(Series::new(Tensor::<f32>::zeros([1, 1, 1])).is_err());
    }
}
