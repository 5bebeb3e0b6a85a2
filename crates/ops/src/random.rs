//! Random tensors: the same key gives the same bits on any number of threads.
//!
//! A [`Key`] is a seed and a stream of the ChaCha8 generator. A fill is cut into fixed blocks, each of which starts
//! at its own position of the stream, so blocks can be drawn in any order.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::ToShape;
use crate::simd;
use crate::tensor::Tensor;
use rand::Rng as _;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const BLOCK: usize = 4096;

/// Determines one sequence of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The generator's seed.
    pub seed: u64,
    /// The generator's stream: sequences of different streams are independent.
    pub stream: u64,
}

/// The purpose of a sequence. Under one seed, sequences of different purposes never overlap, so one seed can serve a
/// whole program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Initial weights and other values that a program draws ([`Rng::seed`]).
    Values = 0,
    /// The layers of a training tape: dropout, noise.
    Layers = 1,
    /// The orders of samples in epochs.
    Order = 2,
    /// Splits of data sets.
    Split = 3,
    /// The augmentation of each sample.
    Augment = 4,
    /// Samples drawn with replacement: bootstrap, weights.
    Sample = 5,
}

/// A source of keys: each call takes the next stream of its seed.
///
/// ```
/// use wengert_ops::{Tensor, random::Rng};
/// let (mut a, mut b) = (Rng::seed(7), Rng::seed(7));
/// let x = Tensor::<f32>::randn([2, 3], &mut a)?;
/// assert_eq!(x, Tensor::randn([2, 3], &mut b)?);
/// assert_ne!(x, Tensor::randn([2, 3], &mut b)?);
/// # Ok::<(), wengert_ops::Error>(())
/// ```
#[doc(alias = "Generator")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    next: Key,
}

impl Rng {
    /// The source with the given seed, at its start.
    #[doc(alias = "manual_seed")]
    pub fn seed(seed: u64) -> Self {
        Rng { next: Key { seed, stream: 0 } }
    }

    /// The next key. After the last stream of a seed, its first follows again.
    pub fn next_key(&mut self) -> Key {
        let key = self.next;
        self.next.stream = self.next.stream.wrapping_add(1);
        key
    }

    /// The position of the source: [`Rng::at`] continues from there.
    pub fn position(&self) -> Key {
        self.next
    }

    /// The source whose next key is `next`.
    pub fn at(next: Key) -> Self {
        Rng { next }
    }
}

impl Key {
    /// Sequence number `index` of a purpose.
    ///
    /// ```
    /// use wengert_ops::random::{Key, Purpose};
    /// assert_ne!(Key::of(7, Purpose::Order, 0), Key::of(7, Purpose::Split, 0));
    /// ```
    pub fn of(seed: u64, purpose: Purpose, index: u64) -> Self {
        Key { seed, stream: (purpose as u64) << 56 | (index & ((1 << 56) - 1)) }
    }

    /// The generator at the start of this sequence.
    pub fn generator(self) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.stream);
        rng
    }
}

/// Uniform in [0, 1) from the top bits of a word.
#[inline(always)]
fn unit<T: Float>(bits: u64) -> T {
    // 24 bits for f32 and 53 for f64, so that 1 is never reached by rounding.
    if size_of::<T>() == 4 {
        T::from_f64((bits >> 40) as f64 * 2f64.powi(-24))
    } else {
        T::from_f64((bits >> 11) as f64 * 2f64.powi(-53))
    }
}

fn fill<T: Float>(n: usize, key: Key, f: impl Fn(&mut ChaCha8Rng, &mut [T]) + Sync + Send) -> Buffer<T> {
    let mut out = Buffer::unspecified(n);
    let start = key.generator();
    parallel::chunks_mut(&mut out, BLOCK, 8, |at, piece| {
        let mut rng = start.clone();
        // Two 32-bit words per element, for every element type; a partial block draws whole pairs.
        rng.set_word_pos(2 * at as u128);
        f(&mut rng, piece);
    });
    out
}

/// Uniform on `[low, high)`.
///
/// # Errors
/// If the shape is invalid, or the bounds are not finite or not in order.
pub fn uniform<T: Float>(shape: impl ToShape, low: f64, high: f64, key: Key) -> Result<Tensor<T>> {
    if !(low <= high && (high - low).is_finite()) {
        return Err(Error::argument(
            "uniform",
            format!("expected finite bounds in order, found {low} and {high}"),
        ));
    }
    let shape = shape.to_shape("uniform")?;
    let (a, width) = (T::from_f64(low), T::from_f64(high - low));
    let top = T::from_f64(high);
    let buf = fill(shape.numel(), key, |rng, out| {
        for v in out {
            let x = unit::<T>(rng.next_u64()) * width + a;
            *v = if x < top { x } else { a };
        }
    });
    Ok(Tensor::from_buffer(buf, shape))
}

struct BoxMuller<'a, T> {
    out: &'a mut [T],
    mean: T,
    std: T,
}

impl<T: Float> pulp::NullaryFnOnce for BoxMuller<'_, T> {
    type Output = ();
    /// Turns the uniforms u in the first half of `out` and v in its second half into the two normal numbers of each
    /// pair: √(-2 ln(1-u)) times the cosine and the sine of 2πv.
    #[inline(always)]
    fn call(self) {
        let (us, vs) = self.out.split_at_mut(self.out.len() / 2);
        for (u, v) in us.iter_mut().zip(vs) {
            let r = (T::from_f64(-2.0) * (T::ONE - *u).log()).sqrt() * self.std;
            let angle = T::from_f64(std::f64::consts::TAU) * *v;
            (*u, *v) = (r * angle.cos() + self.mean, r * angle.sin() + self.mean);
        }
    }
}

/// Normal with the given mean and standard deviation, by the transform of Box and Muller (1958).
///
/// # Errors
/// If the shape is invalid, or `std` is negative or NaN.
pub fn normal<T: Float>(shape: impl ToShape, mean: f64, std: f64, key: Key) -> Result<Tensor<T>> {
    if !(std >= 0.0 && mean.is_finite()) {
        return Err(Error::argument(
            "normal",
            format!("expected std >= 0 and a finite mean, found {std} and {mean}"),
        ));
    }
    let shape = shape.to_shape("normal")?;
    let (mean, std) = (T::from_f64(mean), T::from_f64(std));
    let buf = fill(shape.numel(), key, |rng, out| {
        if out.len() % 2 == 0 {
            out.iter_mut().for_each(|v| *v = unit(rng.next_u64()));
            simd::dispatch(BoxMuller { out, mean, std });
        } else {
            let mut even = vec![T::ZERO; out.len() + 1];
            even.iter_mut().for_each(|v| *v = unit(rng.next_u64()));
            simd::dispatch(BoxMuller { out: &mut even, mean, std });
            out.copy_from_slice(&even[..out.len()]);
        }
    });
    Ok(Tensor::from_buffer(buf, shape))
}

/// `value` with probability `p`, else 0.
///
/// # Errors
/// If the shape is invalid or `p` is not a probability.
pub fn bernoulli<T: Float>(shape: impl ToShape, p: f64, value: f64, key: Key) -> Result<Tensor<T>> {
    if !(0.0..=1.0).contains(&p) {
        return Err(Error::argument("bernoulli", format!("expected a probability, found {p}")));
    }
    let shape = shape.to_shape("bernoulli")?;
    let value = T::from_f64(value);
    let buf = fill(shape.numel(), key, |rng, out| {
        for v in out {
            *v = if unit::<f64>(rng.next_u64()) < p { value } else { T::ZERO };
        }
    });
    Ok(Tensor::from_buffer(buf, shape))
}

impl<T: Float> Tensor<T> {
    /// Standard normal elements.
    ///
    /// # Errors
    /// If the shape is invalid.
    pub fn randn(shape: impl ToShape, rng: &mut Rng) -> Result<Self> {
        normal(shape, 0.0, 1.0, rng.next_key())
    }

    /// Elements uniform on [0, 1).
    ///
    /// # Errors
    /// If the shape is invalid.
    pub fn rand(shape: impl ToShape, rng: &mut Rng) -> Result<Self> {
        uniform(shape, 0.0, 1.0, rng.next_key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_stream_comes_the_first() {
        let mut rng = Rng::at(Key { seed: 3, stream: u64::MAX });
        assert_eq!([rng.next_key().stream, rng.next_key().stream], [u64::MAX, 0]);
    }

    #[test]
    fn moments_are_right_and_sequences_differ() {
        let n = 400_000;
        let x: Tensor<f64> = normal([n], 2.0, 3.0, Key { seed: 1, stream: 2 }).unwrap();
        let mean = x.sum().item().unwrap() / n as f64;
        let var = x.map(|v| (v - mean) * (v - mean)).sum().item().unwrap() / n as f64;
        assert!((mean - 2.0).abs() < 0.02 && (var - 9.0).abs() < 0.1, "{mean} {var}");
        let u: Tensor<f32> = uniform([n], -1.0, 1.0, Key { seed: 1, stream: 2 }).unwrap();
        assert!(u.to_vec().iter().all(|v| (-1.0..1.0).contains(v)));
        let ones: Tensor<f32> = bernoulli([n], 0.25, 1.0, Key { seed: 3, stream: 0 }).unwrap();
        assert!((ones.sum().item().unwrap() / n as f32 - 0.25).abs() < 0.005);
        assert_ne!(x, normal([n], 2.0, 3.0, Key { seed: 1, stream: 3 }).unwrap());
    }

    #[test]
    fn a_longer_fill_begins_like_a_shorter_one_block_by_block() {
        let key = Key { seed: 5, stream: 1 };
        let long: Tensor<f32> = uniform([3 * BLOCK], 0.0, 1.0, key).unwrap();
        let short: Tensor<f32> = uniform([2 * BLOCK], 0.0, 1.0, key).unwrap();
        assert_eq!(long.to_vec()[..2 * BLOCK], short.to_vec()[..]);
        assert!(normal::<f32>([3], 0.0, -1.0, key).is_err() && bernoulli::<f32>([3], 1.5, 1.0, key).is_err());
    }
}
