//! [`Epoch`]: what is measured in each epoch, and the table of it.

use std::fmt::Write;

/// How well a model did on some samples.
///
/// ```
/// use wengert_train::Score;
/// let score = Score { loss: 0.25, correct: 3, samples: 4 };
/// assert_eq!(score.accuracy(), 0.75);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The mean cross-entropy over the samples, in nats.
    pub loss: f64,
    /// How many samples were given their own class.
    pub correct: usize,
    /// How many samples there were.
    pub samples: usize,
}

impl Score {
    /// The share of samples that were given their own class, from 0 to 1; NaN of no samples. See [`Score`] for an
    /// example.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }
}

/// Adds up the scores of batches.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    loss: f64,
    correct: usize,
    samples: usize,
}

impl Tally {
    /// Adds a batch with mean loss `loss`.
    pub(crate) fn add(&mut self, loss: f32, correct: usize, samples: usize) {
        self.loss += f64::from(loss) * samples as f64;
        self.correct += correct;
        self.samples += samples;
    }

    pub(crate) fn score(&self) -> Score {
        Score { loss: self.loss / self.samples as f64, correct: self.correct, samples: self.samples }
    }
}

/// What was measured in one epoch.
///
/// ```
/// use wengert_train::{Epoch, Score};
/// let (train, test) = (Score { loss: 0.5, correct: 8, samples: 10 }, Score { loss: 0.75, correct: 3, samples: 5 });
/// let epoch = Epoch { number: 1, train, test, seconds: 0.1 };
/// assert!(epoch.test.accuracy() < epoch.train.accuracy());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Counted from 1.
    pub number: usize,
    /// On the training batches as they came: each before the step that learned from it, with dropout.
    pub train: Score,
    /// On the held-out samples, after the last step.
    pub test: Score,
    /// How long the epoch took, evaluation included.
    pub seconds: f64,
}

/// The epochs as comma-separated values: a header and a line each. Losses and accuracies are written in full, so
/// that reading gives the same numbers back.
///
/// ```
/// use wengert_train::{Epoch, Score, metrics_csv};
/// let (train, test) = (Score { loss: 0.5, correct: 8, samples: 10 }, Score { loss: 0.75, correct: 3, samples: 5 });
/// let csv = metrics_csv(&[Epoch { number: 1, train, test, seconds: 0.125 }]);
/// assert_eq!(csv, "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n1,0.5,0.8,0.75,0.6,0.125\n");
/// ```
pub fn metrics_csv(epochs: &[Epoch]) -> String {
    let mut csv = String::from("epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n");
    for e in epochs {
        let (train, test) = (e.train, e.test);
        // Writing to a string cannot fail.
        let _ = writeln!(
            csv,
            "{},{},{},{},{},{:.3}",
            e.number,
            train.loss,
            train.accuracy(),
            test.loss,
            test.accuracy(),
            e.seconds
        );
    }
    csv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_count_by_their_size() {
        let mut tally = Tally::default();
        tally.add(1.0, 3, 3);
        tally.add(5.0, 0, 1);
        let expected = Score { loss: 2.0, correct: 3, samples: 4 };
        assert_eq!(tally.score(), expected);
        assert!(Tally::default().score().accuracy().is_nan());
    }

    #[test]
    fn the_table_gives_the_numbers_back() {
        let score = |loss, correct| Score { loss, correct, samples: 359 };
        let epoch = |number| Epoch {
            number,
            train: score(0.1 + 0.2, 352),
            test: score(1.0 / 3.0, 349),
            seconds: 1.0,
        };
        let csv = metrics_csv(&[epoch(1), epoch(2)]);
        let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert!(rows.len() == 3 && rows.iter().all(|row| row.len() == 6));
        assert_eq!(rows[2][0], "2");
        assert_eq!(rows[2][1].parse(), Ok(0.1 + 0.2));
        assert_eq!(rows[2][4].parse(), Ok(349.0 / 359.0));
    }
}
