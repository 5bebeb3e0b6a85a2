//! The loader: which samples are in each batch of an epoch, and which threads prepare them.

use crate::batches::{Batches, Plan};
use crate::dataset::{Dataset, IntoDataset};
use crate::error::{Error, Result};
use crate::sampler::Sampler;
use crate::state::State;
use std::sync::Arc;

/// Minibatches without replacement: an epoch visits each sample once, in an order that the seed and the number of the
/// epoch determine.
///
/// Threads prepare batches ahead of use, up to a bounded number. Neither the order of batches nor their contents depend
/// on the number of threads. A [`Sampler`] visits samples in another order, or visits some more often than others.
///
/// ```
/// use wengert_data::{Loader, digits};
/// let loader = Loader::new(&digits()?, 500, 7)?;
/// let sizes: Vec<usize> = loader.epoch(0).map(|batch| Ok(batch?.len())).collect::<wengert_data::Result<_>>()?;
/// assert_eq!(sizes, [500, 500, 500, 297]);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[doc(alias = "DataLoader")]
#[derive(Debug)]
pub struct Loader<D: ?Sized> {
    data: Arc<D>,
    batch_size: usize,
    seed: u64,
    drop_last: bool,
    workers: usize,
    prefetch: usize,
    sampler: Sampler,
}

impl<D: ?Sized> Clone for Loader<D> {
    fn clone(&self) -> Self {
        Loader { data: Arc::clone(&self.data), sampler: self.sampler.clone(), ..*self }
    }
}

impl<D: Dataset + ?Sized> Loader<D> {
    /// A loader of batches of `batch_size` samples from `&data`, which is cloned, or from an [`Arc`] of it, which is
    /// shared.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wengert_data::{Loader, digits};
    /// let data = digits()?;
    /// let e = Loader::new(&data, 0, 7).unwrap_err();
    /// assert_eq!(e.to_string(), "loader: expected a batch size of at least 1, found 0");
    /// assert!(Loader::new(Arc::new(data), 32, 7).is_ok());
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the batch size is 0.
    #[doc(alias = "BatchSampler")]
    pub fn new(data: impl IntoDataset<Dataset = D>, batch_size: usize, seed: u64) -> Result<Self> {
        if batch_size == 0 {
            return Err(Error::argument("loader", "a batch size of at least 1", batch_size));
        }
        Ok(Loader {
            data: data.into_dataset(),
            batch_size,
            seed,
            drop_last: false,
            workers: 1,
            prefetch: 2,
            sampler: Sampler::shuffled(),
        })
    }

    /// The same loader without the smaller last batch of an epoch. Default: `false`: it is one of them. Its samples, which differ from epoch to epoch, are
    /// left out.
    ///
    /// ```
    /// use wengert_data::{Loader, digits};
    /// let loader = Loader::new(&digits()?, 500, 7)?.drop_last();
    /// assert_eq!(loader.epoch(0).count(), 3);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    #[must_use]
    pub fn drop_last(mut self) -> Self {
        self.drop_last = true;
        self
    }

    /// The same loader with up to `depth` batches prepared ahead of use. Default: `2`. With 0, each batch is prepared
    /// on the calling thread when it is requested.
    ///
    /// ```
    /// use wengert_data::{Loader, Result, digits};
    /// let ahead = Loader::new(&digits()?, 100, 7)?.prefetch(4);
    /// let here = ahead.clone().prefetch(0);
    /// assert_eq!(ahead.epoch(0).collect::<Result<Vec<_>>>()?, here.epoch(0).collect::<Result<Vec<_>>>()?);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    #[doc(alias = "prefetch_factor")]
    #[must_use]
    pub fn prefetch(mut self, depth: usize) -> Self {
        self.prefetch = depth;
        self
    }

    /// The same loader with batches prepared by this number of threads (Default: `1`) or, with 0, on the calling
    /// thread. If there are more threads than [`prefetch`](Loader::prefetch) has batches, each keeps one ready.
    ///
    /// ```
    /// use wengert_data::{Loader, Result, digits};
    /// let one = Loader::new(&digits()?, 100, 7)?;
    /// let four = one.clone().workers(4);
    /// assert!(one.epoch(0).collect::<Result<Vec<_>>>()? == four.epoch(0).collect::<Result<Vec<_>>>()?);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    #[doc(alias = "num_workers")]
    #[must_use]
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = threads;
        self
    }

    /// The same loader with another order than a new shuffle per epoch.
    ///
    /// ```
    /// use wengert_data::{Loader, Sampler, digits};
    /// let loader = Loader::new(&digits()?, 4, 7)?.sampler(Sampler::sequential())?;
    /// assert_eq!(loader.epoch(0).next().unwrap()?.indices, [0, 1, 2, 3]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the sampler was made for another number of samples.
    pub fn sampler(mut self, sampler: Sampler) -> Result<Self> {
        sampler.check(self.data.len())?;
        self.sampler = sampler;
        Ok(self)
    }

    /// The dataset.
    ///
    /// ```
    /// use wengert_data::{Loader, digits};
    /// let loader = Loader::new(&digits()?, 32, 7)?;
    /// assert_eq!(loader.dataset().len(), 1797);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn dataset(&self) -> &D {
        &self.data
    }

    /// The number of batches in an epoch.
    ///
    /// ```
    /// use wengert_data::{Loader, digits};
    /// let loader = Loader::new(&digits()?, 500, 7)?;
    /// assert_eq!((loader.num_batches(), loader.drop_last().num_batches()), (4, 3));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn num_batches(&self) -> usize {
        self.samples_an_epoch().div_ceil(self.batch_size)
    }

    fn samples_an_epoch(&self) -> usize {
        let n = self.sampler.count(self.data.len());
        if self.drop_last { n - n % self.batch_size } else { n }
    }

    /// The batches of one epoch. Training uses epochs 0, 1, 2, …; any of them can be repeated by its number.
    ///
    /// ```
    /// use wengert_data::{Loader, digits};
    /// let loader = Loader::new(&digits()?, 32, 7)?;
    /// let first = |epoch| loader.epoch(epoch).next().unwrap();
    /// assert_eq!(first(3)?, first(3)?);
    /// assert_ne!(first(3)?.indices, first(4)?.indices);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn epoch(&self, epoch: u64) -> Batches<D> {
        self.from(epoch, 0)
    }

    /// The batches that remained when [`Batches::state`] was called.
    ///
    /// ```
    /// use wengert_data::{Loader, State, digits};
    /// let loader = Loader::new(&digits()?, 32, 7)?;
    /// let mut batches = loader.epoch(2);
    /// assert_eq!(batches.by_ref().take(50).count(), 50);
    /// let saved = batches.state().to_string();
    /// let state: State = saved.parse()?;
    /// assert_eq!(loader.resume(&state)?.count(), 7);
    /// let other = Loader::new(&digits()?, 64, 7)?;
    /// assert!(other.resume(&state).is_err());
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the state comes from a loader with another seed, batch size or number of samples, or is past the end of the
    /// epoch.
    pub fn resume(&self, state: &State) -> Result<Batches<D>> {
        let own = self.state(state.epoch, state.batch);
        if own != *state {
            return Err(Error::argument("resume", format!("a state like {own}"), state));
        }
        if state.batch > self.num_batches() {
            return Err(Error::argument(
                "resume",
                format!("a batch up to {}", self.num_batches()),
                state.batch,
            ));
        }
        Ok(self.from(state.epoch, state.batch))
    }

    fn state(&self, epoch: u64, batch: usize) -> State {
        State { epoch, batch, seed: self.seed, batch_size: self.batch_size, samples: self.samples_an_epoch() }
    }

    fn from(&self, epoch: u64, batch: usize) -> Batches<D> {
        let mut order = self.sampler.order(self.data.len(), self.batch_size, self.seed, epoch);
        order.truncate(self.samples_an_epoch());
        let plan = Plan::new(Arc::clone(&self.data), order, self.batch_size, epoch);
        Batches::new(plan, self.state(epoch, batch), self.workers, self.prefetch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Samples whose values are their positions.
    #[derive(Clone)]
    struct Numbers(usize);

    impl Dataset for Numbers {
        type Batch = Vec<usize>;
        fn len(&self) -> usize {
            self.0
        }
        fn fetch(&self, indices: &[usize]) -> Result<Vec<usize>> {
            Ok(indices.to_vec())
        }
    }

    fn batches(loader: &Loader<Numbers>, epoch: u64) -> Vec<Vec<usize>> {
        loader.epoch(epoch).collect::<Result<_>>().unwrap()
    }

    proptest! {
        #[test]
        fn an_epoch_visits_each_sample_once(
            n in 0usize..300, size in 1usize..50, seed: u64, epoch: u64, depth in 0usize..4,
        ) {
            let loader = Loader::new(&Numbers(n), size, seed).unwrap().prefetch(depth);
            let all = batches(&loader, epoch);
            prop_assert_eq!(all.len(), loader.num_batches());
            prop_assert!(all.iter().rev().skip(1).all(|b| b.len() == size));
            let order = all.concat();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..n));

            // Without the last batch, the loader is otherwise the same.
            let full = loader.drop_last();
            prop_assert_eq!(full.num_batches(), n / size);
            prop_assert_eq!(&batches(&full, epoch).concat()[..], &order[..n / size * size]);
        }

        #[test]
        fn an_epoch_can_be_left_and_taken_up_at_any_batch(
            n in 0usize..200, size in 1usize..50, seed: u64, epoch: u64, part in 0.0..=1.0f64, workers in 0usize..4,
        ) {
            let loader = Loader::new(&Numbers(n), size, seed).unwrap().workers(workers);
            let all = batches(&loader, epoch);
            let taken = (part * all.len() as f64) as usize;
            let mut first = loader.epoch(epoch);
            prop_assert_eq!(first.by_ref().take(taken).count(), taken);
            let state: State = first.state().to_string().parse().unwrap();
            drop(first);
            let rest = loader.clone().workers(1).resume(&state).unwrap();
            prop_assert_eq!(rest.state(), state);
            let rest: Vec<Vec<usize>> = rest.collect::<Result<_>>().unwrap();
            prop_assert_eq!(&rest[..], &all[taken..]);
            let beyond = State { batch: all.len() + 1, ..state };
            prop_assert!(loader.resume(&beyond).is_err());
            let other = State { seed: !seed, ..state };
            prop_assert!(loader.resume(&other).is_err());
        }

        #[test]
        fn preparing_ahead_changes_nothing(
            n in 0usize..300, size in 1usize..50, seed: u64, depth in 1usize..6, workers in 1usize..6,
        ) {
            let ahead = Loader::new(&Numbers(n), size, seed).unwrap().prefetch(depth).workers(workers);
            let here = ahead.clone().prefetch(0);
            prop_assert_eq!(batches(&ahead, 1), batches(&here, 1));
        }
    }

    #[test]
    fn the_order_is_fixed_by_seed_and_epoch() {
        let loader = |seed| Loader::new(&Numbers(100), 10, seed).unwrap();
        assert_eq!(batches(&loader(1), 5), batches(&loader(1), 5));
        assert_ne!(batches(&loader(1), 5), batches(&loader(1), 6));
        assert_ne!(batches(&loader(1), 5), batches(&loader(2), 5));
    }

    #[test]
    fn a_batch_may_be_larger_than_the_data() {
        let loader = Loader::new(&Numbers(3), usize::MAX, 0).unwrap();
        assert_eq!((batches(&loader, 0).len(), loader.num_batches()), (1, 1));
        assert_eq!(batches(&loader.drop_last(), 0).len(), 0);
    }
}
