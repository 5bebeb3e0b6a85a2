//! Cross-validation, bootstrap samples, and few labels per class: samples chosen by position.

use crate::classification::Classification;
use crate::error::{Error, Result};
use crate::order::{below, permutation, shuffle};
use wengert_ops::Float;
use wengert_ops::random::{Key, Purpose};

/// The samples to train on and the samples to test on, in random order.
///
/// ```
/// use wengert_data::{digits, k_fold};
/// let digits = digits()?;
/// let fold = &k_fold(digits.len(), 5, 7)?[0];
/// let (train, test) = (digits.select(&fold.train)?, digits.select(&fold.test)?);
/// assert_eq!((train.len(), test.len()), (1437, 360));
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// The samples to train on.
    pub train: Vec<usize>,
    /// The samples to test on.
    pub test: Vec<usize>,
}

fn check(call: &'static str, k: usize, samples: usize) -> Result<()> {
    if samples < 2 {
        return Err(Error::argument(call, "at least 2 samples", samples));
    }
    if !(2..=samples).contains(&k) {
        let expected = format!("from 2 to {samples} folds of {samples} samples");
        return Err(Error::argument(call, expected, k));
    }
    Ok(())
}

/// `k` parts of `n` samples, whose sizes differ by at most one; each fold tests on one part and trains on the others.
/// See [`Fold`] for an example.
///
/// # Errors
/// If `k` is not from 2 to `n`, or `n` is less than 2.
pub fn k_fold(n: usize, k: usize, seed: u64) -> Result<Vec<Fold>> {
    check("k_fold", k, n)?;
    let order = permutation(n, Key::of(seed, Purpose::Split, 0));
    let part = |at: usize| at * k / n.max(1);
    Ok(folds(&order, k, &(0..n).map(part).collect::<Vec<_>>()))
}

/// The folds of samples in the given order; `parts` is the part of each.
fn folds(order: &[usize], k: usize, parts: &[usize]) -> Vec<Fold> {
    let of = |keep: &dyn Fn(usize) -> bool| -> Vec<usize> {
        order.iter().zip(parts).filter(|&(_, &part)| keep(part)).map(|(&i, _)| i).collect()
    };
    (0..k).map(|fold| Fold { train: of(&|part| part != fold), test: of(&|part| part == fold) }).collect()
}

impl<T: Float> Classification<T> {
    /// The same as [`k_fold`], but each part has its proportion of every class, to within one sample.
    ///
    /// ```
    /// let digits = wengert_data::digits()?;
    /// let folds = digits.stratified_k_fold(10, 7)?;
    /// let counts = digits.select(&folds[3].test)?.class_counts();
    /// assert!(counts.iter().all(|count| [17, 18, 19].contains(count)));
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `k` is not from 2 to the number of samples, or there are fewer than 2 samples.
    pub fn stratified_k_fold(&self, k: usize, seed: u64) -> Result<Vec<Fold>> {
        check("stratified_k_fold", k, self.len())?;
        let mut rng = Key::of(seed, Purpose::Split, 0).generator();
        let classes: Vec<usize> = self.class_of_each().collect();
        let mut order: Vec<usize> = (0..self.len()).collect();
        shuffle(&mut order, &mut rng);
        // Samples are dealt to the parts class by class. Each class continues at the part where the one before stopped,
        // so that the sizes of the parts differ by at most one.
        order.sort_by_key(|&i| classes[i]);
        let mut dealt: Vec<(usize, usize)> =
            order.into_iter().enumerate().map(|(at, i)| (i, at % k)).collect();
        shuffle(&mut dealt, &mut rng);
        let (order, parts): (Vec<usize>, Vec<usize>) = dealt.into_iter().unzip();
        Ok(folds(&order, k, &parts))
    }

    /// A random choice of `per_class` samples of each class, and all other samples: for learning from few labels.
    ///
    /// ```
    /// let digits = wengert_data::digits()?;
    /// let few = digits.labelled(10, 7)?;
    /// assert_eq!(digits.select(&few.chosen)?.class_counts(), [10; 10]);
    /// assert_eq!(few.rest.len(), 1697);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a class has fewer samples.
    pub fn labelled(&self, per_class: usize, seed: u64) -> Result<Subset> {
        let counts = self.class_counts();
        if let Some(class) = counts.iter().position(|&count| count < per_class) {
            let expected = format!("at least {per_class} samples of each class");
            let found = format!("{} of class {class}", counts[class]);
            return Err(Error::argument("labelled", expected, found));
        }
        let classes: Vec<usize> = self.class_of_each().collect();
        let mut left = vec![per_class; counts.len()];
        let order = permutation(self.len(), Key::of(seed, Purpose::Split, 0));
        let (chosen, rest) = order.into_iter().partition(|&i| {
            let take = left[classes[i]] > 0;
            left[classes[i]] -= usize::from(take);
            take
        });
        Ok(Subset { chosen, rest })
    }
}

/// Some samples and all others, in random order: what [`Classification::labelled`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subset {
    /// The chosen samples.
    pub chosen: Vec<usize>,
    /// The other samples.
    pub rest: Vec<usize>,
}

/// A bootstrap sample of `n` samples: `n` draws with replacement, and the samples that were never drawn.
///
/// ```
/// use wengert_data::{bootstrap, digits};
/// let digits = digits()?;
/// let sample = bootstrap(digits.len(), 7, 0);
/// assert_eq!(digits.select(&sample.drawn)?.len(), 1797);
/// let part = sample.out_of_bag.len() as f64 / 1797.0;
/// assert!((part - (-1.0f64).exp()).abs() < 0.03);
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bootstrap {
    /// The drawn samples; some occur more than once.
    pub drawn: Vec<usize>,
    /// The samples that were not drawn, in order: about 1/e of all.
    pub out_of_bag: Vec<usize>,
}

/// Bootstrap sample number `index` of `n` samples, for one of the models that bagging averages (Breiman 1996). See
/// [`Bootstrap`] for an example.
pub fn bootstrap(n: usize, seed: u64, index: u64) -> Bootstrap {
    let mut rng = Key::of(seed, Purpose::Sample, index).generator();
    let drawn: Vec<usize> = (0..n).map(|_| below(n as u64, &mut rng) as usize).collect();
    let mut seen = vec![false; n];
    drawn.iter().for_each(|&i| seen[i] = true);
    Bootstrap { drawn, out_of_bag: (0..n).filter(|&i| !seen[i]).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use wengert_ops::Tensor;

    fn sorted(mut indices: Vec<usize>) -> Vec<usize> {
        indices.sort_unstable();
        indices
    }

    fn are_folds(n: usize, folds: &[Fold]) -> bool {
        let tests = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        let sizes = folds.iter().map(|fold| fold.test.len());
        sorted(tests).into_iter().eq(0..n)
            && sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1
            && folds.iter().all(|f| sorted([&f.train[..], &f.test].concat()).into_iter().eq(0..n))
    }

    proptest! {
        #[test]
        fn folds_partition_and_stratified_ones_keep_proportions(
            labels in prop::collection::vec(0i64..4, 2..120), k in 2usize..9, seed: u64,
        ) {
            let n = labels.len();
            let k = k.min(n);
            let plain = k_fold(n, k, seed).unwrap();
            prop_assert!(are_folds(n, &plain));
            prop_assert_eq!(&plain, &k_fold(n, k, seed).unwrap());
            let data = Classification::new(Tensor::<f32>::zeros([n, 1]), labels.into(), 4).unwrap();
            let stratified = data.stratified_k_fold(k, seed).unwrap();
            prop_assert!(are_folds(n, &stratified));
            for fold in &stratified {
                let test = data.select(&fold.test).unwrap().class_counts();
                for (all, test) in data.class_counts().into_iter().zip(test) {
                    prop_assert!((all as f64 / k as f64 - test as f64).abs() < 1.0);
                }
            }
        }

        #[test]
        fn a_labelled_subset_has_its_number_of_each_class(
            labels in prop::collection::vec(0i64..3, 1..100), per_class in 0usize..20, seed: u64,
        ) {
            let n = labels.len();
            let data = Classification::new(Tensor::<f32>::zeros([n, 1]), labels.into(), 3).unwrap();
            let least = data.class_counts().into_iter().min().unwrap();
            match data.labelled(per_class, seed) {
                Err(_) => prop_assert!(least < per_class),
                Ok(few) => {
                    prop_assert_eq!(data.select(&few.chosen).unwrap().class_counts(), vec![per_class; 3]);
                    prop_assert!(sorted([few.chosen, few.rest].concat()).into_iter().eq(0..n));
                }
            }
        }
    }

    #[test]
    fn bootstrap_draws_are_uniform_and_the_rest_is_out_of_bag() {
        let mut counts = [0u32; 50];
        for index in 0..400 {
            let sample = bootstrap(50, 1, index);
            assert_eq!(sample.drawn.len(), 50);
            sample.drawn.iter().for_each(|&i| counts[i] += 1);
            assert!((0..50).all(|i| sample.drawn.contains(&i) != sample.out_of_bag.contains(&i)));
        }
        assert!(counts.iter().all(|count| count.abs_diff(400) < 110), "{counts:?}");
        assert_ne!(bootstrap(50, 1, 0), bootstrap(50, 1, 1));
        assert!(bootstrap(0, 1, 0).drawn.is_empty());
    }

    #[test]
    fn folds_out_of_range_are_refused() {
        assert!(k_fold(5, 1, 0).is_err() && k_fold(5, 6, 0).is_err() && k_fold(0, 2, 0).is_err());
        assert!(k_fold(5, 5, 0).is_ok());
        assert_eq!(k_fold(1, 2, 0).unwrap_err().to_string(), "k_fold: expected at least 2 samples, found 1");
    }
}
