//! What a loader needs from its data.

use crate::error::Result;
use std::sync::Arc;

/// Samples that can be counted and fetched in batches. A loader fetches from its own threads.
///
/// ```
/// use wengert_data::{Dataset, Loader, Result};
/// use wengert_ops::Tensor;
///
/// /// Each window of a series, as one row.
/// #[derive(Clone)]
/// struct Windows { series: Vec<f32>, width: usize }
///
/// impl Dataset for Windows {
///     type Batch = Tensor<f32>;
///     fn len(&self) -> usize {
///         (self.series.len() + 1).saturating_sub(self.width)
///     }
///     fn fetch(&self, indices: &[usize]) -> Result<Tensor<f32>> {
///         let rows: Vec<f32> = indices.iter().flat_map(|&i| &self.series[i..i + self.width]).copied().collect();
///         Ok(Tensor::from_vec(rows, [indices.len(), self.width])?)
///     }
/// }
///
/// let windows = Windows { series: vec![0.0, 1.0, 2.0, 3.0], width: 2 };
/// assert!(windows.len() == 3 && !windows.is_empty());
/// assert_eq!(windows.fetch(&[2, 0])?, Tensor::from([[2.0, 3.0], [0.0, 1.0]]));
/// let loader = Loader::new(&windows, 2, 0)?;
/// assert_eq!(loader.epoch(0).count(), 2);
/// # Ok::<(), wengert_data::Error>(())
/// ```
pub trait Dataset: Send + Sync + 'static {
    /// Some samples as one batch.
    type Batch: Send + 'static;

    /// The number of samples.
    fn len(&self) -> usize;

    /// The samples at the given positions, in that order.
    ///
    /// # Errors
    /// If a position is out of range or its sample cannot be read.
    #[doc(alias = "collate_fn")]
    #[doc(alias = "default_collate")]
    #[doc(alias = "default_convert")]
    fn fetch(&self, indices: &[usize]) -> Result<Self::Batch>;

    /// The same as [`fetch`](Dataset::fetch), for an epoch: this is what a loader calls. A dataset whose samples differ
    /// between epochs implements it; others keep the default.
    ///
    /// ```
    /// use wengert_data::{Dataset, digits};
    /// assert_eq!(digits()?.fetch_in(3, &[1])?, digits()?.fetch(&[1])?);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`fetch`](Dataset::fetch).
    fn fetch_in(&self, epoch: u64, indices: &[usize]) -> Result<Self::Batch> {
        let _ = epoch;
        self.fetch(indices)
    }

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What a loader can be made from: a reference to a dataset, which is cloned (this is cheap for datasets that hold
/// tensors, since clones share their buffers), or a dataset in an [`Arc`], which is shared.
///
/// ```
/// use std::sync::Arc;
/// use wengert_data::{IntoDataset, digits};
/// let data = Arc::new(digits()?);
/// assert!(Arc::ptr_eq(&data, &Arc::clone(&data).into_dataset()));
/// assert!((&*data).into_dataset().inputs().shares_buffer(data.inputs()));
/// # Ok::<(), wengert_data::Error>(())
/// ```
pub trait IntoDataset {
    /// The dataset's type.
    type Dataset: Dataset + ?Sized;

    /// The dataset, ready to be shared with a thread.
    fn into_dataset(self) -> Arc<Self::Dataset>;
}

impl<D: Dataset + ?Sized> IntoDataset for Arc<D> {
    type Dataset = D;
    fn into_dataset(self) -> Arc<D> {
        self
    }
}

impl<D: Dataset + Clone> IntoDataset for &D {
    type Dataset = D;
    fn into_dataset(self) -> Arc<D> {
        Arc::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Loader, digits};

    #[test]
    fn a_loader_takes_datasets_whose_type_is_not_known() {
        let data: Arc<dyn Dataset<Batch = Batch>> = Arc::new(digits().unwrap());
        let loader = Loader::new(data, 1000, 0).unwrap();
        let sizes: Vec<usize> = loader.epoch(0).map(|b| b.unwrap().len()).collect();
        assert_eq!(sizes, [1000, 797]);
    }
}
