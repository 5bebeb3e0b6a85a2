//! [`Plateau`]: a learning rate that decreases when the loss stops decreasing.

use super::options::{fraction, refused};
use super::saved::{find_count, find_number};
use crate::state::{AnyTensor, Dict};
use wengert_ops::Tensor;
use wengert_tape::Result;

/// The options of [`Plateau`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlateauConfig {
    /// Whether smaller or larger observations are better. Default: `Least`.
    pub goal: Goal,
    /// The factor by which the learning rate is multiplied. Default: `0.1`.
    pub factor: f64,
    /// The number of observations in a row without improvement that are tolerated. Default: `10`.
    pub patience: u64,
    /// The difference by which an observation must be better to count as an improvement. Default: `Relative(1e-4)`.
    pub threshold: Threshold,
    /// The number of observations after a decrease that are not counted. Default: `0`.
    pub cooldown: u64,
    /// The smallest learning rate. Default: `0.0`.
    pub min_lr: f64,
    /// A decrease by at most this is skipped. Default: `1e-8`.
    pub epsilon: f64,
}

impl Default for PlateauConfig {
    fn default() -> Self {
        PlateauConfig {
            goal: Goal::Least,
            factor: 0.1,
            patience: 10,
            threshold: Threshold::Relative(1e-4),
            cooldown: 0,
            min_lr: 0.0,
            epsilon: 1e-8,
        }
    }
}

/// Which observations are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Smaller ones are better, such as losses.
    Least,
    /// Larger ones are better, such as accuracies.
    Most,
}

/// The difference by which an observation must be better than the best one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// This fraction of the absolute value of the best one.
    Relative(f64),
    /// This difference.
    Absolute(f64),
}

/// A learning rate that is multiplied by a factor when an observation, such as the loss on held-out data, has not improved for
/// more than `patience` times in a row. The rule is PyTorch's, except that there a relative threshold of a negative best
/// observation has the wrong sign. NaN is no improvement.
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer, Plateau, PlateauConfig};
/// let mut adam = Adam::<f32>::new(0.1);
/// let config = PlateauConfig { patience: 1, factor: 0.5, ..PlateauConfig::default() };
/// let mut plateau = Plateau::with_config(adam.learning_rate(), config);
/// for loss in [2.0, 1.0, 1.1, 1.2, 1.0] {
///     adam.set_learning_rate(plateau.observe(loss)?);
/// }
/// assert_eq!(adam.learning_rate(), 0.05);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "ReduceLROnPlateau")]
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    config: PlateauConfig,
    rate: f64,
    best: Option<f64>,
    /// The number of observations in a row without improvement.
    waited: u64,
    /// The number of next observations that are not counted.
    cooling: u64,
}

impl Plateau {
    /// A plateau with the given initial learning rate and the default options.
    pub fn new(rate: f64) -> Self {
        Self::with_config(rate, PlateauConfig::default())
    }

    /// A plateau with the given initial learning rate and options.
    pub fn with_config(rate: f64, config: PlateauConfig) -> Self {
        Plateau { config, rate, best: None, waited: 0, cooling: 0 }
    }

    /// The learning rate.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Adds an observation and returns the learning rate from now on.
    ///
    /// # Errors
    /// If the factor is not in [0, 1).
    pub fn observe(&mut self, value: f64) -> Result<f64> {
        let c = self.config;
        fraction("plateau", "factor", c.factor).map_err(refused)?;
        if self.is_better(value) {
            self.best = Some(value);
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.waited = 0;
        }
        if self.waited > c.patience {
            let next = (self.rate * c.factor).max(c.min_lr);
            if self.rate - next > c.epsilon {
                self.rate = next;
            }
            self.cooling = c.cooldown;
            self.waited = 0;
        }
        Ok(self.rate)
    }

    fn is_better(&self, value: f64) -> bool {
        let Some(best) = self.best else { return !value.is_nan() };
        let margin = match self.config.threshold {
            // Every finite observation is better than an infinite one, whatever the relative threshold.
            Threshold::Relative(_) if best.is_infinite() => 0.0,
            Threshold::Relative(part) => part * best.abs(),
            Threshold::Absolute(margin) => margin,
        };
        match self.config.goal {
            Goal::Least => value < best - margin,
            Goal::Most => value > best + margin,
        }
    }

    /// The learning rate, the best observation, and the counts, for saving.
    pub fn state(&self) -> Dict {
        let number = |x: f64| AnyTensor::F64(Tensor::scalar(x));
        let count = |n: u64| AnyTensor::I64(Tensor::scalar(n as i64));
        Dict::from([
            ("rate".to_owned(), number(self.rate)),
            ("best".to_owned(), number(self.best.unwrap_or(f64::NAN))),
            ("waited".to_owned(), count(self.waited)),
            ("cooling".to_owned(), count(self.cooling)),
        ])
    }

    /// Loads a saved state.
    ///
    /// # Errors
    /// If a tensor is missing or of another kind; the error names it, and the state is then unchanged.
    pub fn load_state(&mut self, state: &Dict) -> Result<()> {
        let best = find_number("plateau", state, "best")?;
        let rate = find_number("plateau", state, "rate")?;
        let (waited, cooling) =
            (find_count("plateau", state, "waited")?, find_count("plateau", state, "cooling")?);
        let best = (!best.is_nan()).then_some(best);
        *self = Plateau { config: self.config, rate, best, waited, cooling };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBSERVED: [f64; 22] = [
        5.0, 4.0, 4.1, 4.2, 4.0, 3.99999, 4.5, 4.6, 4.7, 4.8, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 3.8,
        3.9, 4.0, 4.1,
    ];

    /// Compares with PyTorch 2.15; the state is saved and loaded after every observation.
    #[track_caller]
    fn follows(config: PlateauConfig, want: &[f64]) {
        let mut plateau = Plateau::with_config(0.4, config);
        for (i, (value, want)) in OBSERVED.into_iter().zip(want).enumerate() {
            let found = plateau.observe(value).unwrap();
            assert!((found - want).abs() < 1e-15, "observation {i}: {found}, not {want}");
            let mut resumed = Plateau::with_config(1.0, config);
            resumed.load_state(&plateau.state()).unwrap();
            assert_eq!(resumed, plateau);
            plateau = resumed;
        }
    }

    #[test]
    fn runs_are_pytorchs() {
        let halve = PlateauConfig { factor: 0.5, patience: 1, ..PlateauConfig::default() };
        follows(
            halve,
            &[
                0.4, 0.4, 0.4, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.00625,
                0.00625, 0.003125, 0.003125, 0.0015625, 0.0015625, 0.00078125, 0.00078125,
            ],
        );
        follows(
            PlateauConfig { cooldown: 2, min_lr: 0.03, ..halve },
            &[
                0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.03,
                0.03, 0.03, 0.03, 0.03, 0.03,
            ],
        );
        follows(
            PlateauConfig {
                goal: Goal::Most,
                patience: 2,
                threshold: Threshold::Absolute(0.1),
                ..PlateauConfig::default()
            },
            &[
                0.4, 0.4, 0.4, 0.04, 0.04, 0.04, 0.004, 0.004, 0.004, 4e-4, 4e-4, 4e-4, 4e-5, 4e-5, 4e-5,
                4e-6, 4e-6, 4e-6, 4e-7, 4e-7, 4e-7, 4e-8,
            ],
        );
    }

    #[test]
    fn nan_is_no_better_and_a_negative_best_keeps_its_margin() {
        let config =
            PlateauConfig { patience: 0, threshold: Threshold::Relative(0.1), ..PlateauConfig::default() };
        let mut plateau = Plateau::with_config(1.0, config);
        assert_eq!(plateau.observe(-10.0).unwrap(), 1.0);
        assert_eq!(plateau.observe(-10.5).unwrap(), 0.1, "better by less than a tenth of 10");
        let after = plateau.observe(f64::NAN).unwrap();
        assert!((after - 0.01).abs() < 1e-15);
        assert!(Plateau::with_config(1.0, PlateauConfig { factor: 1.0, ..config }).observe(0.0).is_err());
        let mut missing = plateau.state();
        missing.remove("waited");
        assert!(plateau.load_state(&missing).unwrap_err().to_string().contains("no tensor waited"));
    }

    #[test]
    fn what_is_finite_is_better_than_an_infinity() {
        for threshold in [Threshold::Relative(1e-4), Threshold::Relative(0.0), Threshold::Absolute(0.1)] {
            let config = PlateauConfig { patience: 0, threshold, ..PlateauConfig::default() };
            let mut plateau = Plateau::with_config(1.0, config);
            assert_eq!(plateau.observe(f64::INFINITY).unwrap(), 1.0);
            assert_eq!(plateau.observe(5.0).unwrap(), 1.0, "{threshold:?}");
            assert!(plateau.observe(5.0).unwrap() < 1.0);
        }
    }
}
