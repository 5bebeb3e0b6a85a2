//! Random numbers for one sample.

use crate::order;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use wengert_ops::math::portable::{exp, ln, sin_cos};
use wengert_ops::random::{Key, Purpose};

/// The random numbers of one sample in one epoch.
///
/// ```
/// use wengert_data::transform::Draw;
/// let (mut a, mut b) = (Draw::of(7, 0, 12), Draw::of(7, 0, 12));
/// assert_eq!(a.unit(), b.unit());
/// assert_ne!(Draw::of(7, 0, 13).unit(), Draw::of(7, 0, 12).unit());
/// ```
#[derive(Debug, Clone)]
pub struct Draw {
    rng: ChaCha8Rng,
}

impl Draw {
    /// The random numbers of a sample in an epoch. They differ between samples below 2³² and epochs below 2²⁴. See
    /// [`Draw`] for an example.
    pub fn of(seed: u64, epoch: u64, sample: usize) -> Self {
        let index = epoch << 32 | (sample as u64 & u64::from(u32::MAX));
        Draw { rng: Key::of(seed, Purpose::Augment, index).generator() }
    }

    /// The random numbers of several samples, one `Draw` for each.
    ///
    /// ```
    /// use wengert_data::transform::Draw;
    /// let mut draws = Draw::batch(7, 0, &[12, 13]);
    /// assert_eq!(draws[1].unit(), Draw::of(7, 0, 13).unit());
    /// ```
    pub fn batch(seed: u64, epoch: u64, samples: &[usize]) -> Vec<Self> {
        samples.iter().map(|&sample| Draw::of(seed, epoch, sample)).collect()
    }

    /// Uniform on [0, 1). See [`Draw`] for an example.
    pub fn unit(&mut self) -> f64 {
        order::unit(&mut self.rng)
    }

    /// Uniform on [low, high).
    ///
    /// ```
    /// use wengert_data::transform::Draw;
    /// assert!((2.0..3.0).contains(&Draw::of(7, 0, 0).uniform(2.0, 3.0)));
    /// ```
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    ///
    /// ```
    /// use wengert_data::transform::Draw;
    /// assert!(Draw::of(7, 0, 0).coin(1.0) && !Draw::of(7, 0, 0).coin(0.0));
    /// ```
    pub fn coin(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A uniform integer below `n`; 0 if `n` is 0.
    ///
    /// ```
    /// use wengert_data::transform::Draw;
    /// assert!(Draw::of(7, 0, 0).below(3) < 3);
    /// ```
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { order::below(n as u64, &mut self.rng) as usize }
    }

    /// A standard normal number, by the Box–Muller transform.
    ///
    /// ```
    /// use wengert_data::transform::Draw;
    /// let mut draw = Draw::of(7, 0, 0);
    /// let mean = (0..1000).map(|_| draw.normal()).sum::<f64>() / 1000.0;
    /// assert!(mean.abs() < 0.15);
    /// ```
    pub fn normal(&mut self) -> f64 {
        self.normals()[0]
    }

    /// Two independent standard normal numbers: the transform computes both at the cost of one.
    pub(super) fn normals(&mut self) -> [f64; 2] {
        let radius = (-2.0 * ln(1.0 - self.unit())).sqrt();
        let (sin, cos) = sin_cos(TAU * self.unit());
        [radius * cos, radius * sin]
    }

    /// The logarithm of a gamma-distributed number with the given shape and scale 1, by the method of Marsaglia and
    /// Tsang (2000); for shapes below 1, G(a) = G(a + 1) U^(1/a). The logarithm does not underflow for small shapes.
    fn ln_gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.ln_gamma(shape + 1.0) + ln(1.0 - self.unit()) / shape;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.unit();
            if v > 0.0 && ln(u) < x * x / 2.0 + d - d * v + d * ln(v) {
                return ln(d) + ln(v);
            }
        }
    }

    /// A beta-distributed number. The distribution is uniform for a = b = 1; for small a = b, its numbers are close to
    /// 0 or 1. Both parameters must be positive.
    ///
    /// ```
    /// use wengert_data::transform::Draw;
    /// assert!((0.0..=1.0).contains(&Draw::of(7, 0, 0).beta(0.2, 0.2)));
    /// ```
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.ln_gamma(a), self.ln_gamma(b));
        1.0 / (1.0 + exp(y - x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut f: impl FnMut(&mut Draw) -> f64) -> (f64, f64) {
        let mut draw = Draw::of(3, 1, 4);
        let n = 100_000;
        let values: Vec<f64> = (0..n).map(|_| f(&mut draw)).collect();
        let mean = values.iter().sum::<f64>() / f64::from(n);
        (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / f64::from(n))
    }

    #[test]
    fn distributions_have_their_moments() {
        let near = |(mean, var): (f64, f64), (m, v): (f64, f64)| {
            assert!((mean - m).abs() < 0.01 && (var - v).abs() < 0.02, "{mean} {var}, expected {m} {v}");
        };
        near(moments(Draw::unit), (0.5, 1.0 / 12.0));
        near(moments(Draw::normal), (0.0, 1.0));
        near(moments(|d| d.below(3) as f64), (1.0, 2.0 / 3.0));
        near(moments(|d| f64::from(u8::from(d.coin(0.25)))), (0.25, 0.1875));
        for (a, b) in [(1.0f64, 1.0f64), (0.2, 0.2), (2.0, 5.0), (0.01, 0.01)] {
            let s = a + b;
            near(moments(|d| d.beta(a, b)), (a / s, a * b / (s * s * (s + 1.0))));
        }
        assert!((0..1000).all(|i| (0.0..=1.0).contains(&Draw::of(0, 0, i).beta(1e-6, 1e-6))));
        assert_eq!(Draw::of(0, 0, 0).below(0), 0);
    }

    #[test]
    fn sources_differ_between_samples_epochs_and_seeds() {
        let first = |seed, epoch, sample| Draw::of(seed, epoch, sample).unit();
        let mut all = Vec::new();
        for seed in 0..3 {
            for epoch in 0..5 {
                all.extend((0..20).map(|sample| first(seed, epoch, sample)));
            }
        }
        all.sort_by(f64::total_cmp);
        assert!(all.windows(2).all(|w| w[0] < w[1]));
    }
}
