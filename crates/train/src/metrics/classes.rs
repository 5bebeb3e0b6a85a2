//! Metrics of classifiers.

use super::{argument, matrix};
use crate::error::Result;
use std::fmt;
use wengert_ops::{Float, Tensor};

/// The share of the rows of `logits`, `[n, classes]`, whose largest element is that of their label, from 0 to 1; NaN if there are
/// no rows.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_train::metrics::accuracy;
/// let logits = Tensor::from([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0]]);
/// assert_eq!(accuracy(&logits, &Tensor::from([0i64, 1, 1]))?, 2.0 / 3.0);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// As [`top_k`].
#[doc(alias = "Accuracy")]
pub fn accuracy<T: Float>(logits: &Tensor<T>, labels: &Tensor<i64>) -> Result<f64> {
    top_k(logits, labels, 1)
}

/// The share of the rows of `logits`, `[n, classes]`, whose label is among the `k` largest elements, from 0 to 1; NaN if there
/// are no rows. Of equal logits the first counts as larger, so equal logits for all classes score only where the label is one of
/// the first `k`. NaN never counts as one of the largest.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_train::metrics::top_k;
/// let logits = Tensor::from([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 1.0, 1.0]]);
/// let labels = Tensor::from([0i64, 1, 2, 1]);
/// assert_eq!([1, 2, 3].map(|k| top_k(&logits, &labels, k).unwrap()), [0.25, 0.75, 1.0]);
/// ```
///
/// # Errors
/// If the shapes do not match, a label is not a class, or `k` is 0.
pub fn top_k<T: Float>(logits: &Tensor<T>, labels: &Tensor<i64>, k: usize) -> Result<f64> {
    const CALL: &str = "top_k";
    let (values, n, classes) = matrix(CALL, logits)?;
    if labels.shape()[..] != [n] {
        return Err(argument(CALL, "a label for each row", format!("shape {}", labels.shape())));
    }
    if k == 0 {
        return Err(argument(CALL, "k of at least 1", k));
    }
    let mut hits = 0;
    for (i, label) in labels.to_vec().into_iter().enumerate() {
        let label = class(CALL, label, classes)?;
        let row = &values[i * classes..][..classes];
        let own = row[label];
        let before = row.iter().enumerate().filter(|(j, v)| **v > own || (**v == own && *j < label)).count();
        hits += usize::from(!own.is_nan() && before < k);
    }
    Ok(hits as f64 / n as f64)
}

fn class(call: &'static str, label: i64, classes: usize) -> Result<usize> {
    let class = usize::try_from(label).ok().filter(|c| *c < classes);
    class.ok_or_else(|| argument(call, "labels that are classes", format!("{label} of {classes}")))
}

/// How the scores of the classes become one score.
///
/// ```
/// assert_ne!(wengert_train::metrics::Average::Macro, wengert_train::metrics::Average::Micro);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// The mean of the scores: each class counts the same.
    Macro,
    /// The score of all samples together: each sample counts the same. With one label per sample, all micro scores equal the
    /// accuracy.
    Micro,
}

/// A confusion matrix: rows are the true classes, columns the predicted ones.
///
/// ```
/// use wengert_train::metrics::{Average, Confusion};
/// let mut c = Confusion::new(2)?;
/// c.add(&[0, 0, 0, 1, 1], &[0, 0, 1, 1, 0])?;
/// assert_eq!((c.count(0, 0), c.count(0, 1), c.accuracy()), (2, 1, 0.6));
/// assert_eq!((c.precision(0), c.recall(0)), (2.0 / 3.0, 2.0 / 3.0));
/// assert_eq!(c.f1(Average::Micro), 0.6);
/// assert!((c.f1(Average::Macro) - (2.0 / 3.0 + 0.5) / 2.0).abs() < 1e-15);
/// assert!(c.to_string().contains("recall"));
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// A class that was never predicted has precision 0, and a class without samples has recall 0, as in scikit-learn.
#[doc(alias = "ConfusionMatrix")]
#[doc(alias = "F1Score")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// An empty matrix. See [`Confusion`] for an example.
    ///
    /// # Errors
    /// If the number of classes is not from 1 to 2¹².
    pub fn new(classes: usize) -> Result<Self> {
        if !(1..=1 << 12).contains(&classes) {
            return Err(argument("confusion", "from 1 to 4096 classes", classes));
        }
        Ok(Confusion { classes, counts: vec![0; classes * classes] })
    }

    /// Counts samples by their true and their predicted class. See [`Confusion`] for an example.
    ///
    /// # Errors
    /// If the two slices have different lengths, or an element is not a class; nothing is counted in that case.
    pub fn add(&mut self, labels: &[i64], predicted: &[i64]) -> Result<()> {
        const CALL: &str = "confusion";
        if labels.len() != predicted.len() {
            return Err(argument(
                CALL,
                "a prediction for each label",
                format!("{} and {}", predicted.len(), labels.len()),
            ));
        }
        let cell = |(&l, &p): (&i64, &i64)| {
            Ok(class(CALL, l, self.classes)? * self.classes + class(CALL, p, self.classes)?)
        };
        let cells = labels.iter().zip(predicted).map(cell).collect::<Result<Vec<_>>>()?;
        cells.into_iter().for_each(|cell| self.counts[cell] += 1);
        Ok(())
    }

    /// The number of samples of class `label` that were predicted as `predicted`; 0 if either is not a class. See [`Confusion`]
    /// for an example.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        match label < self.classes && predicted < self.classes {
            true => self.counts[label * self.classes + predicted],
            false => 0,
        }
    }

    fn of_label(&self, class: usize) -> u64 {
        (0..self.classes).map(|p| self.count(class, p)).sum()
    }

    fn of_prediction(&self, class: usize) -> u64 {
        (0..self.classes).map(|l| self.count(l, class)).sum()
    }

    /// The share of all samples that were predicted correctly; NaN if there are no samples. See [`Confusion`] for an example.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|c| self.count(c, c)).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    /// The share of correct predictions among the samples predicted as `class`. See [`Confusion`] for an example.
    pub fn precision(&self, class: usize) -> f64 {
        part(self.count(class, class), self.of_prediction(class))
    }

    /// The share of correct predictions among the samples of `class`. See [`Confusion`] for an example.
    pub fn recall(&self, class: usize) -> f64 {
        part(self.count(class, class), self.of_label(class))
    }

    /// The harmonic mean of precision and recall of a class, 2 TP / (2 TP + FP + FN).
    ///
    /// ```
    /// let mut c = wengert_train::metrics::Confusion::new(2)?;
    /// c.add(&[0, 0, 1], &[0, 1, 1])?;
    /// assert_eq!(c.f1_of(0), 2.0 / 3.0);
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn f1_of(&self, class: usize) -> f64 {
        part(2 * self.count(class, class), self.of_label(class) + self.of_prediction(class))
    }

    /// The F1 score over all classes. See [`Confusion`] for an example.
    pub fn f1(&self, average: Average) -> f64 {
        self.average(average, Self::f1_of)
    }

    /// The precision over all classes.
    ///
    /// ```
    /// use wengert_train::metrics::{Average, Confusion};
    /// let mut c = Confusion::new(2)?;
    /// c.add(&[0, 0, 1], &[0, 1, 1])?;
    /// assert_eq!((c.mean_precision(Average::Macro), c.mean_recall(Average::Macro)), (0.75, 0.75));
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn mean_precision(&self, average: Average) -> f64 {
        self.average(average, Self::precision)
    }

    /// The recall over all classes. See [`mean_precision`](Confusion::mean_precision) for an example.
    pub fn mean_recall(&self, average: Average) -> f64 {
        self.average(average, Self::recall)
    }

    fn average(&self, average: Average, score: impl Fn(&Self, usize) -> f64) -> f64 {
        match average {
            Average::Macro => (0..self.classes).map(|c| score(self, c)).sum::<f64>() / self.classes as f64,
            Average::Micro => self.accuracy(),
        }
    }
}

/// `count` / `of`, or 0 if `of` is 0.
fn part(count: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { count as f64 / of as f64 }
}

/// A table with one row per true class, one column per predicted class, and the recall.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.counts.iter().max().map_or(1, |n| n.to_string().len()).max(4);
        write!(f, "{:>5}", "")?;
        for p in 0..self.classes {
            write!(f, " {p:>width$}")?;
        }
        writeln!(f, "   recall")?;
        for l in 0..self.classes {
            write!(f, "{l:>5}")?;
            for p in 0..self.classes {
                write!(f, " {:>width$}", self.count(l, p))?;
            }
            writeln!(f, "  {:>5.1} %", 100.0 * self.recall(l))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_nan_and_bad_labels() {
        let logits = Tensor::from([[f64::NAN, 1.0], [1.0, f64::NAN], [2.0, 2.0]]);
        let k = |labels: [i64; 3], k| top_k(&logits, &Tensor::from(labels), k).unwrap();
        assert_eq!(k([0, 1, 1], 1), 0.0);
        assert_eq!(k([1, 0, 0], 1), 1.0);
        assert_eq!(k([0, 1, 1], 9), 1.0 / 3.0);
        for bad in [[0i64, 1, 2], [0, 1, -1]] {
            assert!(top_k(&logits, &Tensor::from(bad), 1).is_err());
        }
        assert!(top_k(&logits, &Tensor::from([0i64]), 1).is_err());
        assert!(top_k(&logits, &Tensor::from([0i64, 0, 0]), 0).is_err());
        assert!(top_k(&Tensor::from([1.0]), &Tensor::from([0i64]), 1).is_err());
        assert!(accuracy(&Tensor::<f32>::zeros([0, 3]), &Tensor::from(Vec::<i64>::new())).unwrap().is_nan());
    }

    /// Computed from the definitions, on labels 0 1 2 0 1 2 2 and predictions 0 2 1 0 0 1 2.
    #[test]
    fn scores_are_those_of_their_definitions() {
        let mut c = Confusion::new(4).unwrap();
        c.add(&[0, 1, 2, 0, 1, 2, 2], &[0, 2, 1, 0, 0, 1, 2]).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a}, not {b}");
        near(c.precision(0), 2.0 / 3.0);
        near(c.recall(2), 1.0 / 3.0);
        near(c.f1_of(0), 0.8);
        near(c.f1_of(2), 0.4);
        near(c.f1(Average::Macro), (0.8 + 0.0 + 0.4 + 0.0) / 4.0);
        near(c.f1(Average::Micro), 3.0 / 7.0);
        near(c.mean_recall(Average::Macro), (1.0 + 1.0 / 3.0) / 4.0);
        assert_eq!((c.precision(3), c.recall(3)), (0.0, 0.0));
        let before = c.clone();
        assert!(c.add(&[0, 4], &[0, 0]).is_err() && c.add(&[0], &[]).is_err());
        assert_eq!(c, before);
        assert!(Confusion::new(0).is_err() && Confusion::new(usize::MAX).is_err());
    }
}
