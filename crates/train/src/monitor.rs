//! [`Monitor`]: which epoch is the best so far, and when to stop waiting for a better one.

use crate::epoch::Epoch;
use crate::error::{Error, Result};
use crate::measures::Measures;

/// The measure that is watched over the epochs. The weights of the best epoch are kept. With patience, training stops when the
/// measure has not improved for a number of epochs (early stopping).
///
/// ```
/// use wengert_train::{Epoch, Measures, Monitor};
/// let epoch = |(number, loss)| Epoch {
///     number,
///     train: Measures::default(),
///     test: Measures::new(1).mean("loss", loss, 1.0),
///     seconds: 0.0,
/// };
/// let epochs: Vec<Epoch> = [(1, 3.0), (2, 1.0), (3, 0.95), (4, 1.2)].map(epoch).into();
/// let monitor = Monitor::new("loss").min_delta(0.1).patience(2);
/// assert_eq!(monitor.best(&epochs)?, Some(2));                     // 0.95 is not better by 0.1
/// assert!(monitor.is_over(&epochs)? && !monitor.is_over(&epochs[..3])?);
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    measure: String,
    min_delta: f64,
    patience: Option<usize>,
}

impl Monitor {
    /// Keeps the epoch at which this measure is best on held-out samples, or on the training samples if its name starts with
    /// `train_`. More is better for a [`Share`](crate::MetricKind::Share) and a [`Score`](crate::MetricKind::Score), less for all
    /// others. See [`Monitor`] for an example.
    pub fn new(measure: impl Into<String>) -> Self {
        Monitor { measure: measure.into(), min_delta: 0.0, patience: None }
    }

    /// The same, but an epoch is better only if it improves by more than `delta`. Default: `0`. See [`Monitor`] for an example.
    #[must_use]
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.min_delta = delta;
        self
    }

    /// The same, but stops after `epochs` epochs, at least 1, without a better one. Default: `None`: it does not stop early.
    /// See [`Monitor`] for an example.
    #[must_use]
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = Some(epochs.max(1));
        self
    }

    /// The number of the best epoch, the first of several equal ones. See [`Monitor`] for an example.
    ///
    /// # Errors
    /// If an epoch has no such measure.
    pub fn best(&self, epochs: &[Epoch]) -> Result<Option<usize>> {
        let mut best: Option<(usize, f64)> = None;
        for epoch in epochs {
            let value = self.value(epoch)?;
            // NaN is never better.
            let better = best.map_or(!value.is_nan(), |(_, so_far)| value > so_far + self.min_delta);
            if better {
                best = Some((epoch.number, value));
            }
        }
        Ok(best.map(|(number, _)| number))
    }

    /// Whether the patience is exhausted. See [`Monitor`] for an example.
    ///
    /// # Errors
    /// If an epoch has no such measure.
    pub fn is_over(&self, epochs: &[Epoch]) -> Result<bool> {
        let (Some(patience), Some(last)) = (self.patience, epochs.last()) else { return Ok(false) };
        let best = self.best(epochs)?.unwrap_or(0);
        Ok(last.number - best >= patience)
    }

    /// The value of the measure, negated if less is better.
    fn value(&self, epoch: &Epoch) -> Result<f64> {
        let found = match self.measure.strip_prefix("train_") {
            Some(name) => epoch.train.measure(name),
            None => epoch.test.measure(&self.measure),
        };
        let Some(m) = found else {
            let list = |part: &str, m: &Measures| -> Vec<String> {
                m.names().map(|n| format!("{part}{n}")).collect()
            };
            let all = [list("", &epoch.test), list("train_", &epoch.train)].concat();
            return Err(Error::Argument {
                call: "watch",
                expected: "the name of a measure",
                found: format!("{:?}; there are {}", self.measure, all.join(", ")),
            });
        };
        Ok(if m.form().more_is_better() { m.value() } else { -m.value() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(values: &[f64]) -> Vec<Epoch> {
        let epoch = |(i, &v): (usize, &f64)| Epoch {
            number: i + 1,
            train: Measures::new(1).mean("loss", -v, 1.0),
            test: Measures::new(1).mean("loss", v, 1.0).with("accuracy", crate::MetricKind::Share, v, 1.0),
            seconds: 0.0,
        };
        values.iter().enumerate().map(epoch).collect()
    }

    #[test]
    fn the_direction_is_that_of_the_measure() {
        let epochs = epochs(&[0.5, 0.9, 0.1, 0.9, 0.1]);
        assert_eq!(Monitor::new("loss").best(&epochs).unwrap(), Some(3));
        assert_eq!(Monitor::new("accuracy").best(&epochs).unwrap(), Some(2));
        assert_eq!(Monitor::new("train_loss").best(&epochs).unwrap(), Some(2));
        let e = Monitor::new("los").best(&epochs).unwrap_err().to_string();
        assert_eq!(
            e,
            "watch: expected the name of a measure, found \"los\"; there are loss, accuracy, train_loss"
        );
    }

    #[test]
    fn patience_counts_from_the_best_epoch_and_nan_is_never_better() {
        let monitor = Monitor::new("loss").patience(3);
        let stops =
            |values: &[f64]| (1..=values.len()).find(|n| monitor.is_over(&epochs(&values[..*n])).unwrap());
        assert_eq!(stops(&[5.0, 4.0, 4.0, 4.0, 4.0, 1.0]), Some(5));
        assert_eq!(stops(&[5.0, 4.0, 3.0, 2.0]), None);
        assert_eq!(stops(&[f64::NAN; 9]), Some(3));
        assert_eq!(monitor.best(&epochs(&[f64::NAN, 2.0, f64::NAN])).unwrap(), Some(2));
        assert_eq!(monitor.best(&[]).unwrap(), None);
    }
}
