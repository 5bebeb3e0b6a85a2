//! [`Moments`]: mean and variance of numbers that arrive one by one.

/// Mean and variance of numbers that arrive one by one, without storing them, and without cancellation (Welford 1962; merged as
/// by Chan, Golub and LeVeque 1979).
///
/// ```
/// use wengert_train::metrics::Moments;
/// let mut all = Moments::new();
/// [2.0, 4.0, 4.0, 6.0].into_iter().for_each(|x| all.add(x));
/// assert_eq!((all.count(), all.mean(), all.variance(), all.sample_variance()), (4, 4.0, 2.0, 8.0 / 3.0));
/// assert_eq!(all.std(), 2f64.sqrt());
///
/// let (mut a, mut b) = (Moments::new(), Moments::new());
/// (a.add(2.0), b.add(4.0));
/// b.add(4.0);
/// b.add(6.0);
/// a.merge(&b);
/// assert_eq!((a.mean(), a.variance()), (4.0, 2.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    count: u64,
    mean: f64,
    /// Σ (x - mean)².
    squares: f64,
}

impl Moments {
    /// The moments of no numbers. See [`Moments`] for an example.
    pub fn new() -> Self {
        Moments::default()
    }

    /// Adds a number. See [`Moments`] for an example.
    pub fn add(&mut self, x: f64) {
        self.count += 1;
        let before = x - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (x - self.mean);
    }

    /// Adds all numbers of another. See [`Moments`] for an example.
    pub fn merge(&mut self, other: &Moments) {
        if other.count == 0 {
            return;
        }
        let (n, m) = (self.count as f64, other.count as f64);
        let apart = other.mean - self.mean;
        self.count += other.count;
        self.mean += apart * m / (n + m);
        self.squares += other.squares + apart * apart * n * m / (n + m);
    }

    /// The number of numbers. See [`Moments`] for an example.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; NaN if there are no numbers. See [`Moments`] for an example.
    pub fn mean(&self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.mean }
    }

    /// The variance about the mean, 1/n Σ (x - x̄)²; NaN if there are no numbers. See [`Moments`] for an example.
    pub fn variance(&self) -> f64 {
        self.squares / self.count as f64
    }

    /// The unbiased estimate 1/(n - 1) Σ (x - x̄)² of the variance of the distribution; NaN for fewer than two numbers. See
    /// [`Moments`] for an example.
    pub fn sample_variance(&self) -> f64 {
        if self.count < 2 { f64::NAN } else { self.squares / (self.count - 1) as f64 }
    }

    /// The square root of the [variance](Moments::variance). See [`Moments`] for an example.
    pub fn std(&self) -> f64 {
        self.variance().sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_mean_costs_no_accuracy_and_order_hardly_matters() {
        let numbers: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 7)).collect();
        let mut all = Moments::new();
        numbers.iter().for_each(|x| all.add(*x));
        let shifted: Vec<f64> = numbers.iter().map(|x| x - 1e9).collect();
        let mean = shifted.iter().sum::<f64>() / 1000.0;
        let variance = shifted.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 1000.0;
        assert!((all.variance() - variance).abs() < 1e-6 && (all.mean() - 1e9 - mean).abs() < 1e-6);
        let mut parts = Moments::new();
        for part in numbers.chunks(13) {
            let mut m = Moments::new();
            part.iter().for_each(|x| m.add(*x));
            parts.merge(&m);
        }
        assert!((parts.variance() - variance).abs() < 1e-6 && parts.count() == 1000);
        let none = Moments::new();
        assert!(none.mean().is_nan() && none.variance().is_nan() && none.sample_variance().is_nan());
    }
}
