//! Random orders: the Fisher–Yates shuffle with the library's own generator.
//!
//! The bounded draw is written here and not taken from a library, so that an order depends on its key alone and stays
//! the same when dependencies change.

use rand::Rng;
use wengert_ops::random::Key;

/// A uniform integer below `bound`, which is not 0, by the method of Lemire (2019): the high half of a product, redrawn
/// when the low half would favour some values.
pub(crate) fn below(bound: u64, rng: &mut impl Rng) -> u64 {
    let unfair = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= unfair {
            return (product >> 64) as u64;
        }
    }
}

/// Uniform on [0, 1).
pub(crate) fn unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 * 2f64.powi(-53)
}

/// Puts the items in a uniformly random order.
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut impl Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(i as u64 + 1, rng) as usize);
    }
}

/// The numbers `0..n` in the random order that `key` determines.
///
/// ```
/// use wengert_data::permutation;
/// use wengert_ops::random::Key;
/// let order = permutation(100, Key { seed: 7, stream: 0 });
/// assert_eq!(order, permutation(100, Key { seed: 7, stream: 0 }));
/// assert_ne!(order, permutation(100, Key { seed: 7, stream: 1 }));
/// let mut sorted = order;
/// sorted.sort_unstable();
/// assert!(sorted.into_iter().eq(0..100));
/// ```
#[doc(alias = "randperm")]
pub fn permutation(n: usize, key: Key) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    shuffle(&mut order, &mut key.generator());
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for stream in 0..24_000 {
            *counts.entry(permutation(4, Key { seed: 3, stream })).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Five standard deviations of a count whose mean is 1000.
        assert!(counts.values().all(|c| c.abs_diff(1000) < 155), "{counts:?}");
    }

    #[test]
    fn draws_stay_below_their_bound() {
        let mut rng = Key { seed: 1, stream: 1 }.generator();
        for bound in [1, 2, 3, 1 << 32, u64::MAX] {
            assert!((0..100).all(|_| below(bound, &mut rng) < bound));
        }
    }

    #[test]
    fn an_order_is_pinned() {
        // Recorded from this code: a change here changes every training run with a fixed seed.
        let order = permutation(8, Key { seed: 0, stream: 0 });
        assert_eq!(order, [7, 2, 1, 6, 0, 4, 3, 5]);
    }
}
