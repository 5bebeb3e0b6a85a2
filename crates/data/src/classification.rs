//! Inputs with class labels.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use wengert_ops::{Float, Tensor, ToShape};

/// Tables with an entry per class must fit in memory, whatever number of classes a caller gives.
const MOST_CLASSES: usize = 1 << 24;

/// Inputs with a class label for each. Axis 0 of the inputs is the samples; labels are counted from 0.
///
/// ```
/// use wengert_data::Classification;
/// use wengert_ops::Tensor;
/// let data = Classification::new(Tensor::from([[0.0f32], [1.0], [2.0]]), Tensor::from([0i64, 1, 1]), 2)?;
/// assert_eq!((data.len(), data.classes(), data.class_counts()), (3, 2, vec![1, 2]));
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "TensorDataset")]
#[derive(Debug, Clone, PartialEq)]
pub struct Classification<T: Float = f32> {
    inputs: Tensor<T>,
    labels: Tensor<i64>,
    classes: usize,
}

/// Some samples of a [`Classification`].
///
/// ```
/// use wengert_data::{Dataset, digits};
/// let batch = digits()?.fetch(&[5, 3])?;
/// assert_eq!((batch.len(), batch.is_empty(), batch.indices), (2, false, vec![5, 3]));
/// assert_eq!(batch.labels.to_vec(), [5, 3]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Batch<T: Float = f32> {
    /// The inputs; axis 0 is the samples.
    pub inputs: Tensor<T>,
    /// The class of each sample, `[samples]`.
    pub labels: Tensor<i64>,
    /// The position of each sample in the dataset.
    pub indices: Vec<usize>,
}

impl<T: Float> Batch<T> {
    /// The number of samples. See [`Batch`] for an example.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no samples. See [`Batch`] for an example.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

impl<T: Float> Classification<T> {
    /// Inputs, whose axis 0 is the samples, and a label below `classes` for each.
    ///
    /// ```
    /// use wengert_data::Classification;
    /// use wengert_ops::Tensor;
    /// let inputs = Tensor::<f32>::zeros([2, 8, 8]);
    /// assert!(Classification::new(inputs.clone(), Tensor::from([0i64, 9]), 10).is_ok());
    /// let e = Classification::new(inputs.clone(), Tensor::from([0i64, 10]), 10).unwrap_err();
    /// assert_eq!(e.to_string(), "classification: expected labels from 0 to 9, found 10 at sample 1");
    /// assert!(Classification::new(inputs, Tensor::from([0i64]), 10).is_err());
    /// ```
    ///
    /// # Errors
    /// If the inputs are a scalar, the number of labels is not the number of samples, a label is out of range, or the
    /// number of classes is not from 1 to 2^24.
    pub fn new(inputs: Tensor<T>, labels: Tensor<i64>, classes: usize) -> Result<Self> {
        const CALL: &str = "classification";
        let Some(&n) = inputs.shape().first() else {
            return Err(Error::argument(CALL, "inputs with an axis of samples", "a scalar"));
        };
        if labels.shape()[..] != [n] {
            return Err(Error::argument(
                CALL,
                format!("labels of shape [{n}] for inputs of shape {}", inputs.shape()),
                format!("shape {}", labels.shape()),
            ));
        }
        if !(1..=MOST_CLASSES).contains(&classes) {
            let expected = format!("from 1 to {MOST_CLASSES} classes");
            return Err(Error::argument(CALL, expected, classes));
        }
        // Fetching gathers rows, which would copy the whole of a view each time: it is made contiguous once, here.
        let (inputs, labels) = (inputs.contiguous(), labels.contiguous());
        let in_range = |&label: &i64| usize::try_from(label).is_ok_and(|label| label < classes);
        let values = labels.as_slice().unwrap_or_default();
        if let Some(i) = values.iter().position(|label| !in_range(label)) {
            return Err(Error::argument(
                CALL,
                format!("labels from 0 to {}", classes - 1),
                format!("{} at sample {i}", values[i]),
            ));
        }
        Ok(Classification { inputs, labels, classes })
    }

    /// The number of samples.
    ///
    /// ```
    /// assert_eq!(wengert_data::digits()?.len(), 1797);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.labels.numel()
    }

    /// Whether there are no samples.
    ///
    /// ```
    /// let digits = wengert_data::digits()?;
    /// assert!(!digits.is_empty() && digits.select(&[])?.is_empty());
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs; axis 0 is the samples.
    ///
    /// ```
    /// assert_eq!(*wengert_data::digits()?.inputs().shape(), [1797, 64]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn inputs(&self) -> &Tensor<T> {
        &self.inputs
    }

    /// The class of each sample.
    ///
    /// ```
    /// assert_eq!(wengert_data::digits()?.labels().to_vec()[..4], [0, 1, 2, 3]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn labels(&self) -> &Tensor<i64> {
        &self.labels
    }

    /// The number of classes.
    ///
    /// ```
    /// assert_eq!(wengert_data::digits()?.classes(), 10);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of samples of each class.
    ///
    /// ```
    /// let some = wengert_data::digits()?.select(&[0, 10, 1])?;
    /// assert_eq!(some.class_counts(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes];
        for class in self.class_of_each() {
            counts[class] += 1;
        }
        counts
    }

    /// The labels as positions in a table of classes; `new` has checked their range.
    pub(crate) fn class_of_each(&self) -> impl Iterator<Item = usize> {
        let labels = self.labels.as_slice().unwrap_or_default();
        labels.iter().map(|&label| label as usize)
    }

    /// The samples at the given positions, in that order; positions may repeat.
    ///
    /// ```
    /// let digits = wengert_data::digits()?;
    /// assert_eq!(digits.select(&[7, 2, 7])?.labels().to_vec(), [7, 2, 7]);
    /// let e = digits.select(&[0, 1797]).unwrap_err();
    /// assert_eq!(e.to_string(), "select: expected positions below 1797, found 1797");
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a position is out of range.
    #[doc(alias = "Subset")]
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let (inputs, labels) = self.rows("select", indices)?;
        Ok(Classification { inputs, labels, classes: self.classes })
    }

    /// The same samples with inputs of another element type.
    ///
    /// ```
    /// let digits = wengert_data::digits()?.cast::<f64>();
    /// assert_eq!(digits.inputs().get(&[0, 2])?, 5.0 / 16.0);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn cast<U: Float>(&self) -> Classification<U> {
        Classification { inputs: self.inputs.cast(), labels: self.labels.clone(), classes: self.classes }
    }

    /// The same samples with each input in another shape: rows of pixels as images, or images as rows.
    ///
    /// ```
    /// let images = wengert_data::digits()?.reshaped([1, 8, 8])?;
    /// assert_eq!(*images.inputs().shape(), [1797, 1, 8, 8]);
    /// assert!(images.reshaped([9, 9]).is_err());
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a sample has a different number of elements than the shape.
    pub fn reshaped(&self, sample: impl ToShape) -> Result<Self> {
        let sample = sample.to_shape("reshaped")?;
        let shape: Vec<usize> = std::iter::once(self.len()).chain(sample.iter().copied()).collect();
        self.with_inputs(self.inputs.reshape(shape)?)
    }

    /// The same labels with other inputs, such as normalised ones.
    ///
    /// ```
    /// let digits = wengert_data::digits()?;
    /// let inverted = digits.with_inputs(digits.inputs().map(|pixel| 1.0 - pixel))?;
    /// assert_eq!((inverted.inputs().get(&[0, 0])?, inverted.labels()), (1.0, digits.labels()));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the number of inputs is not the number of labels.
    pub fn with_inputs<U: Float>(&self, inputs: Tensor<U>) -> Result<Classification<U>> {
        Classification::new(inputs, self.labels.clone(), self.classes)
    }

    fn rows(&self, call: &'static str, indices: &[usize]) -> Result<(Tensor<T>, Tensor<i64>)> {
        let n = self.len();
        if let Some(i) = indices.iter().find(|&&i| i >= n) {
            return Err(Error::argument(call, format!("positions below {n}"), i));
        }
        let at: Tensor<i64> = indices.iter().map(|&i| i as i64).collect::<Vec<_>>().into();
        Ok((self.inputs.index_select(0, &at)?, self.labels.index_select(0, &at)?))
    }
}

impl<T: Float> Dataset for Classification<T> {
    type Batch = Batch<T>;

    fn len(&self) -> usize {
        Classification::len(self)
    }

    fn fetch(&self, indices: &[usize]) -> Result<Batch<T>> {
        let (inputs, labels) = self.rows("fetch", indices)?;
        Ok(Batch { inputs, labels, indices: indices.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let inputs = Tensor::<f32>::zeros([3, 2]);
        let labels = Tensor::from([0i64, 1, 2]);
        assert!(Classification::new(inputs.clone(), labels.clone(), 3).is_ok());
        assert!(Classification::new(inputs.clone(), labels.clone(), 2).is_err());
        assert!(Classification::new(inputs.clone(), labels.reshape([3, 1]).unwrap(), 3).is_err());
        assert!(Classification::new(inputs.clone(), Tensor::from([0i64, -1, 2]), 3).is_err());
        assert!(Classification::new(inputs.slice(0, 0..2).unwrap(), labels, 3).is_err());
        assert!(Classification::new(Tensor::scalar(0.0f32), Tensor::scalar(0), 1).is_err());
        for classes in [0, usize::MAX] {
            assert!(
                Classification::new(Tensor::<f32>::zeros([0, 2]), Tensor::from(vec![]), classes).is_err()
            );
        }
    }

    #[test]
    fn samples_keep_their_inputs_whatever_the_layout() {
        let inputs = Tensor::from([[0.0f32, 1.0, 2.0], [10.0, 11.0, 12.0]]);
        let labels = Tensor::from([0i64, 0, 1, 0, 2]).slice(0, 0..5).unwrap();
        let labels = labels.slice(0, wengert_ops::Slice::all().step(2)).unwrap();
        let data = Classification::new(inputs.transpose(0, 1).unwrap(), labels, 3).unwrap();
        let some = data.select(&[2, 0]).unwrap();
        assert_eq!(*some.inputs(), Tensor::from([[2.0f32, 12.0], [0.0, 10.0]]));
        assert_eq!(some.labels().to_vec(), [2, 0]);
        assert!(data.fetch(&[3]).is_err());
    }
}
