//! Splitting a dataset into a part to train on and a part to test on.

use crate::classification::Classification;
use crate::error::{Error, Result};
use crate::order::{permutation, shuffle};
use wengert_ops::Float;
use wengert_ops::random::{Key, Purpose};

/// The number of test samples, to the nearest whole number.
pub(crate) fn test_count(call: &'static str, n: usize, test_fraction: f64) -> Result<usize> {
    if !(0.0..=1.0).contains(&test_fraction) {
        return Err(Error::argument(call, "a test fraction from 0 to 1", test_fraction));
    }
    Ok(((n as f64 * test_fraction).round() as usize).min(n))
}

/// The number of samples to test on: the fraction `test_fraction` of them, to the nearest whole number, as in
/// [`Classification::split`], but neither 0 nor all. Callers that need both parts call this first; the splits
/// themselves return a part without samples if that is nearest.
///
/// ```
/// use wengert_data::held_out;
/// assert_eq!(held_out(150, 0.2)?, 30);
/// let e = held_out(1, 0.2).unwrap_err();
/// assert_eq!(e.to_string(), "split: expected at least 3 samples for a test fraction of 0.2, found 1");
/// # Ok::<(), wengert_data::Error>(())
/// ```
///
/// # Errors
/// If the fraction is not between 0 and 1, or there are too few samples for two parts.
pub fn held_out(samples: usize, test_fraction: f64) -> Result<usize> {
    const CALL: &str = "split";
    let parts = |n: usize| test_count(CALL, n, test_fraction).map(|test| (1..n).contains(&test));
    if parts(samples)? {
        return test_count(CALL, samples, test_fraction);
    }
    // The smaller part needs at least about half a sample; rounding decides which number is the first that is
    // sufficient.
    let least = (0.5 / test_fraction.min(1.0 - test_fraction)).floor();
    if least.is_infinite() {
        return Err(Error::argument(CALL, "a test fraction between 0 and 1", test_fraction));
    }
    let first = (least as usize).saturating_sub(1).max(samples);
    let mut near = (0..4).map(|more| first.saturating_add(more));
    let needed = near.find(|&n| parts(n).unwrap_or(false)).unwrap_or(first.saturating_add(4));
    let expected = format!("at least {needed} samples for a test fraction of {test_fraction}");
    Err(Error::argument(CALL, expected, samples))
}

/// Distributes `total` over the counts in proportion to them, by largest remainder (ties go to the first): each share
/// is the exact one rounded down or up. `total` must not exceed the sum of the counts.
fn shares(counts: &[usize], total: usize) -> Vec<usize> {
    let n = counts.iter().sum::<usize>().max(1) as u128;
    // Integers, so that rounding does not decide who gets the last sample.
    let exact = |count: usize| count as u128 * total as u128;
    let mut shares: Vec<usize> = counts.iter().map(|&c| (exact(c) / n) as usize).collect();
    let left = total - shares.iter().sum::<usize>();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&i| std::cmp::Reverse(exact(counts[i]) % n));
    for &i in &by_remainder[..left] {
        shares[i] += 1;
    }
    shares
}

impl<T: Float> Classification<T> {
    /// A random train part and test part: the test part has the fraction `test_fraction` of the samples, to the nearest
    /// whole number. Both are shuffled; the seed determines the samples of each part and their order.
    ///
    /// ```
    /// let digits = wengert_data::digits()?;
    /// let (train, test) = digits.split(0.25, 42)?;
    /// assert_eq!((train.len(), test.len()), (1348, 449));
    /// assert_eq!((train, test), digits.split(0.25, 42)?);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the fraction is not from 0 to 1.
    #[doc(alias = "random_split")]
    pub fn split(&self, test_fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let count = test_count("split", self.len(), test_fraction)?;
        let order = permutation(self.len(), Key::of(seed, Purpose::Split, 0));
        let (test, train) = order.split_at(count);
        Ok((self.select(train)?, self.select(test)?))
    }

    /// The same as [`split`](Classification::split), but each class has its proportion of the test part, to within one
    /// sample: what rounding leaves goes to the classes with the largest remainders.
    ///
    /// ```
    /// use wengert_data::Classification;
    /// use wengert_ops::Tensor;
    /// let labels: Vec<i64> = (0..100).map(|i| i64::from(i % 10 == 0)).collect();
    /// let data = Classification::new(Tensor::<f32>::zeros([100, 3]), labels.into(), 2)?;
    /// let (train, test) = data.stratified_split(0.2, 42)?;
    /// assert_eq!((train.class_counts(), test.class_counts()), (vec![72, 8], vec![18, 2]));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the fraction is not from 0 to 1.
    pub fn stratified_split(&self, test_fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let count = test_count("stratified_split", self.len(), test_fraction)?;
        let mut wanted = shares(&self.class_counts(), count);
        let classes: Vec<usize> = self.class_of_each().collect();
        let mut rng = Key::of(seed, Purpose::Split, 0).generator();
        let mut order: Vec<usize> = (0..self.len()).collect();
        shuffle(&mut order, &mut rng);
        let (mut test, mut train): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&i| {
            let wanted = &mut wanted[classes[i]];
            let take = *wanted > 0;
            *wanted -= usize::from(take);
            take
        });
        // The first samples of each class went to the test part, so rare classes come late in one part and early in the
        // other: shuffling again makes every order equally likely.
        shuffle(&mut train, &mut rng);
        shuffle(&mut test, &mut rng);
        Ok((self.select(&train)?, self.select(&test)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wengert_ops::Tensor;

    /// Samples whose inputs are their positions, so that a test can follow each of them.
    fn numbered(labels: &[i64], classes: usize) -> Classification {
        let n = labels.len();
        let inputs = Tensor::from((0..n).map(|i| i as f32).collect::<Vec<_>>());
        Classification::new(inputs.reshape([n, 1]).unwrap(), labels.to_vec().into(), classes).unwrap()
    }

    fn is_a_partition(data: &Classification, (train, test): &(Classification, Classification)) -> bool {
        let mut all = [train.inputs().to_vec(), test.inputs().to_vec()].concat();
        all.sort_by(f32::total_cmp);
        let labels_follow = [train, test].iter().all(|part| {
            let numbers = part.inputs().to_vec();
            let of_data = data.labels().to_vec();
            let expected = numbers.iter().map(|&i| of_data[i as usize]);
            expected.eq(part.labels().to_vec())
        });
        all == data.inputs().to_vec() && labels_follow
    }

    proptest! {
        #[test]
        fn both_splits_partition_and_stratified_ones_keep_proportions(
            labels in prop::collection::vec(0i64..5, 0..200), fraction in 0.0..=1.0f64, seed: u64,
        ) {
            let data = numbered(&labels, 5);
            let plain = data.split(fraction, seed).unwrap();
            prop_assert!(is_a_partition(&data, &plain));
            let stratified = data.stratified_split(fraction, seed).unwrap();
            prop_assert!(is_a_partition(&data, &stratified));
            prop_assert_eq!(stratified.1.len(), plain.1.len());
            let total = plain.1.len() as f64 / labels.len().max(1) as f64;
            for (all, test) in data.class_counts().into_iter().zip(stratified.1.class_counts()) {
                prop_assert!((all as f64 * total - test as f64).abs() < 1.0 + 1e-9);
            }
            prop_assert_eq!(stratified, data.stratified_split(fraction, seed).unwrap());
        }
    }

    #[test]
    fn what_is_left_over_goes_to_the_largest_remainders() {
        assert_eq!(shares(&[5, 3, 2], 5), [3, 1, 1], "2.5, 1.5, 1: a tie, to the first");
        assert_eq!(shares(&[14, 3, 3], 10), [7, 2, 1], "7, 1.5, 1.5");
        assert_eq!(shares(&[7, 0, 3], 10), [7, 0, 3]);
        assert_eq!(shares(&[0, 0], 0), [0, 0]);
    }

    #[test]
    fn too_few_samples_to_hold_some_out_are_an_error_that_says_how_many_are_needed() {
        for fraction in [0.2, 0.5, 1.0 / 3.0, 0.1, 0.9, 0.75, 0.01, 0.99, 0.001, 0.45, 0.55] {
            let both = |n: usize| (1..n).contains(&test_count("split", n, fraction).unwrap());
            let needed = (0..).find(|&n| both(n)).unwrap();
            for n in 0..needed {
                let e = held_out(n, fraction).unwrap_err().to_string();
                let expected = format!(
                    "split: expected at least {needed} samples for a test fraction of {fraction}, found {n}"
                );
                assert_eq!(e, expected);
            }
            for n in needed..needed + 100 {
                assert!(both(n), "{n} {fraction}");
                assert_eq!(held_out(n, fraction).unwrap(), test_count("split", n, fraction).unwrap());
            }
        }
        for fraction in [0.0, 1.0] {
            let e = held_out(10, fraction).unwrap_err().to_string();
            assert_eq!(e, format!("split: expected a test fraction between 0 and 1, found {fraction}"));
        }
        assert!(held_out(10, f64::NAN).is_err() && held_out(10, 1.1).is_err());
        assert!(held_out(10, f64::MIN_POSITIVE).is_err() && held_out(10, 1e-12).is_err());
    }

    #[test]
    fn parts_come_shuffled_and_another_seed_gives_another_split() {
        let data = numbered(&[0; 100], 1);
        let numbers = |part: &Classification| part.inputs().to_vec();
        for split in [Classification::<f32>::split, Classification::stratified_split] {
            let (train, test) = split(&data, 0.3, 1).unwrap();
            assert!(!numbers(&train).is_sorted() && !numbers(&test).is_sorted());
            let other = split(&data, 0.3, 2).unwrap();
            assert_ne!(train, other.0);
            for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
                assert!(split(&data, bad, 1).is_err());
            }
        }
    }
}
