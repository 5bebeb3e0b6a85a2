//! [`Measures`]: the measures of some samples, by name, in a fixed order.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use wengert_ops::math::portable;

/// How the mean of a measure becomes its value.
///
/// ```
/// use wengert_train::MetricKind;
/// assert_eq!(MetricKind::Share.of(0.25), 0.25);
/// assert_eq!(MetricKind::Exp.of(0.0), 1.0);
/// assert_eq!(MetricKind::Root.of(9.0), 3.0);
/// assert!(MetricKind::Share.more_is_better() && !MetricKind::Mean.more_is_better());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// The mean itself; less is better, such as a loss.
    Mean,
    /// The mean itself; more is better, such as an inception score.
    Score,
    /// The mean as a share from 0 to 1, shown in percent; more is better, such as an accuracy.
    Share,
    /// The exponential of the mean, such as the perplexity of a mean negative log-likelihood.
    Exp,
    /// The square root of the mean, such as the root of a mean squared error.
    Root,
}

impl MetricKind {
    /// The value for a mean. See [`MetricKind`] for an example.
    pub fn of(self, mean: f64) -> f64 {
        match self {
            MetricKind::Mean | MetricKind::Score | MetricKind::Share => mean,
            MetricKind::Exp => portable::exp(mean),
            MetricKind::Root => mean.sqrt(),
        }
    }

    /// Whether a larger value is better. See [`MetricKind`] for an example.
    pub fn more_is_better(self) -> bool {
        matches!(self, MetricKind::Share | MetricKind::Score)
    }

    /// The value as text.
    pub(crate) fn show(self, value: f64) -> String {
        match self {
            MetricKind::Share => format!("{:.2} %", 100.0 * value),
            _ => format!("{value:.4}"),
        }
    }
}

/// A weighted mean with a name. See [`Measures`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    name: Cow<'static, str>,
    form: MetricKind,
    sum: f64,
    weight: f64,
}

impl Measure {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the mean becomes the value.
    pub fn form(&self) -> MetricKind {
        self.form
    }

    /// Σ wᵢ xᵢ.
    pub fn sum(&self) -> f64 {
        self.sum
    }

    /// Σ wᵢ: the number of samples, tokens or pixels that the mean is over.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The value of the mean, by its kind; NaN if the weight is 0.
    pub fn value(&self) -> f64 {
        self.form.of(self.sum / self.weight)
    }
}

/// The measures of some samples: named weighted means, in the order in which they were added. The measures of batches add up to
/// those of all samples.
///
/// ```
/// use wengert_train::{MetricKind, Measures};
/// let mut all = Measures::new(3).mean("loss", 1.0, 3.0).share("accuracy", 3, 3);
/// all.add(&Measures::new(1).mean("loss", 5.0, 1.0).share("accuracy", 0, 1));
/// assert_eq!((all.samples(), all.loss(), all.accuracy()), (4, 2.0, 0.75));
/// assert_eq!(all.names().collect::<Vec<_>>(), ["loss", "accuracy"]);
///
/// // Perplexity is the exponential of a mean over tokens, not the mean of exponentials.
/// let mut text = Measures::new(1).with("perplexity", MetricKind::Exp, 0.0, 10.0);
/// text.add(&Measures::new(1).with("perplexity", MetricKind::Exp, 2.0, 10.0));
/// assert!((text.get("perplexity").unwrap() - std::f64::consts::E).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures {
    samples: usize,
    list: Vec<Measure>,
}

impl Measures {
    /// No measures yet, of this number of samples. See [`Measures`] for an example.
    pub fn new(samples: usize) -> Self {
        Measures { samples, list: Vec::new() }
    }

    /// Adds a mean with a weight, usually the number of things that it is over. See [`Measures`] for an example.
    #[must_use]
    pub fn mean(self, name: impl Into<Cow<'static, str>>, mean: f64, weight: f64) -> Self {
        self.with(name, MetricKind::Mean, mean, weight)
    }

    /// Adds the share of `count` things among `of`. See [`Measures`] for an example.
    #[must_use]
    pub fn share(mut self, name: impl Into<Cow<'static, str>>, count: usize, of: usize) -> Self {
        self.put(Measure {
            name: name.into(),
            form: MetricKind::Share,
            sum: count as f64,
            weight: of as f64,
        });
        self
    }

    /// Adds a mean of the given kind. It replaces a measure with the same name. See [`Measures`] for an example.
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        form: MetricKind,
        mean: f64,
        weight: f64,
    ) -> Self {
        self.put(Measure { name: name.into(), form, sum: mean * weight, weight });
        self
    }

    fn put(&mut self, measure: Measure) {
        match self.list.iter_mut().find(|m| m.name == measure.name) {
            Some(own) => *own = measure,
            None => self.list.push(measure),
        }
    }

    /// Adds the measures of other samples. See [`Measures`] for an example.
    pub fn add(&mut self, other: &Measures) {
        self.samples += other.samples;
        for m in &other.list {
            match self.list.iter_mut().find(|own| own.name == m.name) {
                Some(own) => {
                    own.sum += m.sum;
                    own.weight += m.weight;
                }
                None => self.list.push(m.clone()),
            }
        }
    }

    /// The number of samples. See [`Measures`] for an example.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The value of the measure with this name. See [`Measures`] for an example.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.measure(name).map(Measure::value)
    }

    /// The measure with this name.
    ///
    /// ```
    /// use wengert_train::Measures;
    /// let measures = Measures::new(4).share("accuracy", 3, 4);
    /// let accuracy = measures.measure("accuracy").unwrap();
    /// assert_eq!((accuracy.sum(), accuracy.weight(), accuracy.value()), (3.0, 4.0, 0.75));
    /// ```
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.list.iter().find(|m| m.name == name)
    }

    /// The value of `loss`; NaN if there is no such measure. See [`Measures`] for an example.
    pub fn loss(&self) -> f64 {
        self.get("loss").unwrap_or(f64::NAN)
    }

    /// The value of `accuracy`, from 0 to 1; NaN if there is no such measure. See [`Measures`] for an example.
    pub fn accuracy(&self) -> f64 {
        self.get("accuracy").unwrap_or(f64::NAN)
    }

    /// The names, in order. See [`Measures`] for an example.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(Measure::name)
    }

    /// The measures, in order.
    ///
    /// ```
    /// let measures = wengert_train::Measures::new(1).mean("loss", 0.5, 1.0).share("accuracy", 1, 1);
    /// let values: Vec<_> = measures.iter().map(|m| (m.name(), m.value())).collect();
    /// assert_eq!(values, [("loss", 0.5), ("accuracy", 1.0)]);
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &Measure> {
        self.list.iter()
    }

    /// The form of the measures in a checkpoint. Sums are written as text, which preserves every bit, also of NaN and ∞.
    pub(crate) fn saved(&self) -> SavedMeasures {
        let list = self.list.iter().map(|m| SavedMeasure {
            name: m.name.to_string(),
            form: m.form,
            sum: m.sum.to_string(),
            weight: m.weight.to_string(),
        });
        SavedMeasures { samples: self.samples, list: list.collect() }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SavedMeasures {
    samples: usize,
    list: Vec<SavedMeasure>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedMeasure {
    name: String,
    form: MetricKind,
    sum: String,
    weight: String,
}

impl SavedMeasures {
    pub(crate) fn restored(self) -> Option<Measures> {
        let list = self.list.into_iter().map(|m| {
            let (sum, weight) = (m.sum.parse().ok()?, m.weight.parse().ok()?);
            Some(Measure { name: m.name.into(), form: m.form, sum, weight })
        });
        Some(Measures { samples: self.samples, list: list.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_measures_have_the_same_bits() {
        let measures = Measures::new(7)
            .mean("loss", 0.1 + 0.2, 3.0)
            .with("perplexity", MetricKind::Exp, f64::INFINITY, 1.0)
            .mean("tiny", 5e-324, 1.0)
            .mean("zero", -0.0, 1.0);
        let json = serde_json::to_string(&measures.saved()).unwrap();
        let again = serde_json::from_str::<SavedMeasures>(&json).unwrap().restored().unwrap();
        assert_eq!(again, measures);
        assert!(again.get("zero").unwrap().is_sign_negative());
        let nan = Measures::new(1).mean("x", f64::NAN, 1.0).saved().restored().unwrap();
        assert!(nan.get("x").unwrap().is_nan());
    }

    #[test]
    fn names_are_unique_and_nothing_is_nan() {
        let m = Measures::new(1).mean("loss", 1.0, 1.0).mean("loss", 2.0, 1.0);
        assert_eq!((m.iter().count(), m.loss()), (1, 2.0));
        assert!(
            Measures::default().loss().is_nan()
                && Measures::new(0).share("a", 0, 0).get("a").unwrap().is_nan()
        );
    }
}
