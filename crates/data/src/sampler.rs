//! The order in which an epoch visits samples.

use crate::classification::Classification;
use crate::error::{Error, Result};
use crate::order::{permutation, shuffle, unit};
use std::sync::Arc;
use wengert_ops::Float;
use wengert_ops::random::{Key, Purpose};

/// The order in which an epoch visits samples: what [`Loader::sampler`](crate::Loader::sampler) takes. The loader's
/// seed and the number of the epoch determine it.
///
/// ```
/// use wengert_data::{Loader, Sampler, digits};
/// // A rare class is seen as often as the others.
/// let data = digits()?.select(&[0, 1, 11, 21, 42, 47, 56, 70, 81, 90])?;
/// let loader = Loader::new(&data, 5, 7)?.sampler(Sampler::balanced(&data, 1000)?)?;
/// let mut counts = [0; 10];
/// for batch in loader.epoch(0) {
///     batch?.labels.to_vec().into_iter().for_each(|label| counts[label as usize] += 1);
/// }
/// assert_eq!(counts.iter().sum::<i32>(), 1000);
/// let classes = data.class_counts().iter().filter(|count| **count > 0).count() as i32;
/// assert!(counts.iter().all(|&count| count == 0 || (count - 1000 / classes).abs() < 60));
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sampler(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Shuffled,
    Sequential,
    Weighted { sums: Arc<[f64]>, draws: usize },
    Buckets { lengths: Arc<[usize]>, pool: usize },
}

/// An epoch's order must fit in memory, whatever number of draws a caller gives.
const MOST_DRAWS: usize = 1 << 32;

impl Sampler {
    /// Each sample once, in a new random order per epoch: the default of a loader.
    ///
    /// ```
    /// use wengert_data::{Loader, Sampler, digits};
    /// let loader = Loader::new(&digits()?, 4, 7)?;
    /// let same = loader.clone().sampler(Sampler::shuffled())?;
    /// assert_eq!(loader.epoch(0).next().unwrap()?, same.epoch(0).next().unwrap()?);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    #[doc(alias = "RandomSampler")]
    pub fn shuffled() -> Self {
        Sampler(Kind::Shuffled)
    }

    /// Each sample once, in the dataset's order.
    ///
    /// ```
    /// use wengert_data::{Loader, Sampler, digits};
    /// let loader = Loader::new(&digits()?, 2, 7)?.sampler(Sampler::sequential())?;
    /// assert_eq!(loader.epoch(3).next().unwrap()?.indices, [0, 1]);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    #[doc(alias = "SequentialSampler")]
    pub fn sequential() -> Self {
        Sampler(Kind::Sequential)
    }

    /// `draws` samples with replacement, each drawn with a probability proportional to its weight.
    ///
    /// ```
    /// use wengert_data::{Loader, Sampler, digits};
    /// let data = digits()?.select(&[0, 1, 2])?;
    /// let loader = Loader::new(&data, 10, 7)?.sampler(Sampler::weighted(&[1.0, 0.0, 3.0], 10)?)?;
    /// assert!(loader.epoch(0).next().unwrap()?.indices.iter().all(|i| [0, 2].contains(i)));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a weight is negative or not finite, the sum of the weights is 0 or not finite, or there are more than 2³²
    /// draws.
    #[doc(alias = "WeightedRandomSampler")]
    pub fn weighted(weights: &[f64], draws: usize) -> Result<Self> {
        const CALL: &str = "weighted";
        let good = |weight: f64| weight.is_finite() && weight >= 0.0;
        if let Some(i) = weights.iter().position(|&weight| !good(weight)) {
            let found = format!("{} at sample {i}", weights[i]);
            return Err(Error::argument(CALL, "finite weights of at least 0", found));
        }
        if draws > MOST_DRAWS {
            return Err(Error::argument(CALL, format!("at most {MOST_DRAWS} draws"), draws));
        }
        let sums: Arc<[f64]> = weights
            .iter()
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        let total = sums.last().copied().unwrap_or(0.0);
        if !(total > 0.0 && total.is_finite()) {
            return Err(Error::argument(CALL, "weights with a positive sum", total));
        }
        Ok(Sampler(Kind::Weighted { sums, draws }))
    }

    /// `draws` samples with replacement, with equal probability for each class that has samples. See [`Sampler`] for an
    /// example.
    ///
    /// # Errors
    /// If there are no samples.
    pub fn balanced<T: Float>(data: &Classification<T>, draws: usize) -> Result<Self> {
        let counts = data.class_counts();
        let weights: Vec<f64> = data.class_of_each().map(|class| 1.0 / counts[class] as f64).collect();
        Sampler::weighted(&weights, draws)
    }

    /// Each sample once, with samples of similar length in a batch, so that little is padded. A random order is cut
    /// into pools of `pool` batches, each pool is sorted by length, and the batches are visited in random order (a
    /// smaller batch last). Larger pools give less padding and less random batches.
    ///
    /// ```
    /// use wengert_data::{Dataset, Loader, Sampler, digits};
    /// let lengths: Vec<usize> = (0..1797).map(|i| i % 50).collect();
    /// let loader = Loader::new(&digits()?, 32, 7)?.sampler(Sampler::buckets(&lengths, 20)?)?;
    /// let batch = loader.epoch(0).next().unwrap()?;
    /// let of_batch = || batch.indices.iter().map(|&i| lengths[i]);
    /// assert!(of_batch().max().unwrap() - of_batch().min().unwrap() <= 8);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `pool` is 0.
    pub fn buckets(lengths: &[usize], pool: usize) -> Result<Self> {
        if pool == 0 {
            return Err(Error::argument("buckets", "pools of at least one batch", pool));
        }
        Ok(Sampler(Kind::Buckets { lengths: lengths.into(), pool }))
    }

    pub(crate) fn check(&self, samples: usize) -> Result<()> {
        let (what, own) = match &self.0 {
            Kind::Weighted { sums, .. } => ("a weight", sums.len()),
            Kind::Buckets { lengths, .. } => ("a length", lengths.len()),
            _ => return Ok(()),
        };
        if own != samples {
            return Err(Error::argument("sampler", format!("{what} for each of {samples} samples"), own));
        }
        Ok(())
    }

    /// The number of samples that an epoch visits.
    pub(crate) fn count(&self, samples: usize) -> usize {
        match self.0 {
            Kind::Weighted { draws, .. } => draws,
            _ => samples,
        }
    }

    /// The samples of an epoch in order. `check` must have been called.
    pub(crate) fn order(&self, samples: usize, batch_size: usize, seed: u64, epoch: u64) -> Vec<usize> {
        let key = Key::of(seed, Purpose::Order, epoch);
        match &self.0 {
            Kind::Shuffled => permutation(samples, key),
            Kind::Sequential => (0..samples).collect(),
            Kind::Weighted { sums, draws } => {
                let mut rng = Key::of(seed, Purpose::Sample, epoch).generator();
                let total = sums.last().copied().unwrap_or(0.0);
                // Rounding may lift the product to the sum; the result is then the last sample with a positive weight.
                let last = sums.partition_point(|&sum| sum < total);
                let draw = |_| {
                    let at = unit(&mut rng) * total;
                    sums.partition_point(|&sum| sum <= at).min(last)
                };
                (0..*draws).map(draw).collect()
            }
            Kind::Buckets { lengths, pool } => {
                let mut rng = key.generator();
                let mut order: Vec<usize> = (0..samples).collect();
                shuffle(&mut order, &mut rng);
                for pool in order.chunks_mut(batch_size.saturating_mul(*pool)) {
                    pool.sort_by_key(|&i| lengths[i]);
                }
                let (full, rest) = order.split_at(samples - samples % batch_size);
                let mut batches: Vec<&[usize]> = full.chunks_exact(batch_size).collect();
                shuffle(&mut batches, &mut rng);
                batches.push(rest);
                batches.concat()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_probabilities() {
        let sampler = Sampler::weighted(&[0.0, 1.0, 0.0, 3.0, 6.0, 0.0], 20_000).unwrap();
        let order = sampler.order(6, 1, 3, 4);
        let count = |i| order.iter().filter(|&&j| j == i).count() as f64 / 20_000.0;
        assert!(
            (count(1) - 0.1).abs() < 0.01 && (count(3) - 0.3).abs() < 0.015 && (count(4) - 0.6).abs() < 0.015
        );
        assert_eq!(count(0) + count(2) + count(5), 0.0);
        assert_eq!(order, sampler.order(6, 7, 3, 4));
        assert_ne!(order, sampler.order(6, 7, 3, 5));
        for bad in [&[][..], &[0.0], &[-1.0, 2.0], &[f64::NAN], &[f64::MAX, f64::MAX]] {
            assert!(Sampler::weighted(bad, 1).is_err(), "{bad:?}");
        }
        assert!(Sampler::weighted(&[1.0], usize::MAX).is_err());
        assert!(sampler.check(5).is_err() && sampler.check(6).is_ok());
    }

    #[test]
    fn buckets_visit_each_sample_once_and_pad_little() {
        let lengths: Vec<usize> = (0..103).map(|i| i * 37 % 60).collect();
        let waste = |order: &[usize]| -> usize {
            let pad = |batch: &[usize]| {
                let longest = batch.iter().map(|&i| lengths[i]).max().unwrap_or(0);
                batch.iter().map(|&i| longest - lengths[i]).sum::<usize>()
            };
            order.chunks(10).map(pad).sum()
        };
        let sampler = Sampler::buckets(&lengths, 5).unwrap();
        let order = sampler.order(103, 10, 1, 2);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..103));
        assert!(waste(&order) < waste(&Sampler::shuffled().order(103, 10, 1, 2)) / 3);
        assert_ne!(order, sampler.order(103, 10, 1, 3));
        assert!(Sampler::buckets(&lengths, 0).is_err() && sampler.check(102).is_err());
        assert_eq!(Sampler::buckets(&lengths, usize::MAX).unwrap().order(103, usize::MAX, 1, 2).len(), 103);
    }
}
