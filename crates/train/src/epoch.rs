//! [`Epoch`]: the measures of an epoch, and their table.

use crate::measures::{Measures, SavedMeasures};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The measures of one epoch.
///
/// ```
/// use wengert_train::{Epoch, Measures};
/// let train = Measures::new(10).mean("loss", 0.5, 10.0).share("accuracy", 8, 10);
/// let test = Measures::new(5).mean("loss", 0.75, 5.0).share("accuracy", 3, 5);
/// let epoch = Epoch { number: 1, train, test, seconds: 0.1 };
/// assert!(epoch.test.accuracy() < epoch.train.accuracy());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// The number of the epoch, counted from 1.
    pub number: usize,
    /// The measures on the training batches, each taken before the step that learns from the batch, with dropout.
    pub train: Measures,
    /// The measures on the held-out samples, after the last step; empty if none are held out.
    pub test: Measures,
    /// The duration of the epoch in seconds, including the evaluation.
    pub seconds: f64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedEpoch {
    number: usize,
    train: SavedMeasures,
    test: SavedMeasures,
    seconds: String,
}

impl Epoch {
    pub(crate) fn saved(&self) -> SavedEpoch {
        SavedEpoch {
            number: self.number,
            train: self.train.saved(),
            test: self.test.saved(),
            seconds: self.seconds.to_string(),
        }
    }
}

impl SavedEpoch {
    pub(crate) fn restored(self) -> Option<Epoch> {
        Some(Epoch {
            number: self.number,
            train: self.train.restored()?,
            test: self.test.restored()?,
            seconds: self.seconds.parse().ok()?,
        })
    }
}

/// The epochs as comma-separated values: a header, one line per epoch, and a column for every measure of any epoch. Values are
/// written with all digits, so that reading returns the same numbers; a measure that an epoch does not have is left empty.
///
/// ```
/// use wengert_train::{Epoch, Measures, metrics_csv};
/// let train = Measures::new(10).mean("loss", 0.5, 10.0).share("accuracy", 8, 10);
/// let test = Measures::new(5).mean("loss", 0.75, 5.0).share("accuracy", 3, 5);
/// let csv = metrics_csv(&[Epoch { number: 1, train, test, seconds: 0.125 }]);
/// assert_eq!(csv, "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n1,0.5,0.8,0.75,0.6,0.125\n");
/// ```
pub fn metrics_csv(epochs: &[Epoch]) -> String {
    let (train, test) = (names(epochs, |e| &e.train), names(epochs, |e| &e.test));
    let mut csv = String::from("epoch");
    for (part, names) in [("train", &train), ("test", &test)] {
        for name in names {
            csv.push(',');
            csv.push_str(&field(&format!("{part}_{name}")));
        }
    }
    csv.push_str(",seconds\n");
    for e in epochs {
        // Writing to a string cannot fail.
        let _ = write!(csv, "{}", e.number);
        for (measures, names) in [(&e.train, &train), (&e.test, &test)] {
            for name in names {
                let _ = match measures.get(name) {
                    Some(value) => write!(csv, ",{value}"),
                    None => write!(csv, ","),
                };
            }
        }
        let _ = writeln!(csv, ",{:.3}", e.seconds);
    }
    csv
}

/// The names of all measures of a part, in the order of their first appearance.
pub(crate) fn names(epochs: &[Epoch], part: impl Fn(&Epoch) -> &Measures) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for e in epochs {
        for name in part(e).names() {
            if !names.iter().any(|n| n == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// A field of the table, quoted if necessary (RFC 4180).
fn field(name: &str) -> String {
    match name.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_gives_the_numbers_back() {
        let score =
            |loss, correct| Measures::new(359).mean("loss", loss, 1.0).share("accuracy", correct, 359);
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

    #[test]
    fn measures_that_come_and_go_have_columns() {
        let epoch =
            |number, train: Measures| Epoch { number, train, test: Measures::default(), seconds: 0.0 };
        let csv = metrics_csv(&[
            epoch(1, Measures::new(1).mean("loss", 1.0, 1.0)),
            epoch(2, Measures::new(1).mean("loss", 2.0, 1.0).mean("a,\"b\"", 3.0, 1.0)),
        ]);
        assert_eq!(csv, "epoch,train_loss,\"train_a,\"\"b\"\"\",seconds\n1,1,,0.000\n2,2,3,0.000\n");
    }
}
