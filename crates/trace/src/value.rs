//! [`Value`]: a number or a tensor of a trace, stored whole if it is small and summarised if it is large.

use crate::number::{self, rough, shown};
use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr;
use wengert_ops::Tensor;
use wengert_tape::Float;

/// The largest number of elements of a value that is stored whole.
pub const WHOLE: usize = 64;

/// A number or a tensor.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_trace::Value;
/// let small = Value::of(&Tensor::from([[1.0, 2.5], [0.0, -1.0]]));
/// assert_eq!(small.to_string(), "[[1, 2.5], [0, -1]]");
/// let large = Value::of(&Tensor::<f64>::steps(0.0, 1.0, 1000));
/// assert_eq!((large.numbers.len(), large.summary.unwrap().max), (0, 999.0));
/// assert_eq!(large.to_string(), "[1000] from 0 to 999, mean 499.5");
/// assert_eq!(Value::of(&Tensor::<f64>::ones([10, 10])).to_string(), "[10, 10] all 1");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// The sizes of the axes; empty for a number.
    pub shape: Vec<usize>,
    /// The elements, row by row; empty for a value that is summarised.
    #[serde(with = "number::many", default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<f64>,
    /// The summary of a large value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// The summary of a large value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The smallest finite element; NaN if there is none.
    #[serde(with = "number::one")]
    pub min: f64,
    /// The largest finite element; NaN if there is none.
    #[serde(with = "number::one")]
    pub max: f64,
    /// The mean of all elements.
    #[serde(with = "number::one")]
    pub mean: f64,
    /// The root of the sum of squares of all elements.
    #[serde(with = "number::one")]
    pub norm: f64,
    /// The number of elements that are NaN or infinite.
    pub not_finite: usize,
}

impl Value {
    /// A number.
    pub fn number(c: f64) -> Self {
        Value { shape: Vec::new(), numbers: vec![c], summary: None }
    }

    /// A tensor, stored whole if it has at most [`WHOLE`] elements.
    pub fn of<T: Float>(t: &Tensor<T>) -> Self {
        let all: Vec<f64> = t.to_vec().into_iter().map(T::to_f64).collect();
        let shape = t.shape().to_vec();
        if all.len() <= WHOLE {
            return Value { shape, numbers: all, summary: None };
        }
        let finite = || all.iter().copied().filter(|c| c.is_finite());
        let summary = Summary {
            min: finite().fold(f64::NAN, f64::min),
            max: finite().fold(f64::NAN, f64::max),
            mean: all.iter().sum::<f64>() / all.len() as f64,
            norm: all.iter().map(|c| c * c).sum::<f64>().sqrt(),
            not_finite: all.len() - finite().count(),
        };
        Value { shape, numbers: Vec::new(), summary: Some(summary) }
    }

    /// The number, if the value is one.
    pub fn as_number(&self) -> Option<f64> {
        if self.shape.is_empty() { self.numbers.first().copied() } else { None }
    }

    /// Whether the value is small enough to be written in a formula.
    pub(crate) fn fits_a_formula(&self) -> bool {
        self.summary.is_none() && self.numbers.len() <= 12 && self.shape.len() <= 2
    }

    /// The value in about `columns` columns: whole if it fits, otherwise its sizes, and its range in two digits.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_trace::Value;
    /// let large = Value::of(&Tensor::<f64>::steps(0.0, 1.0, 1000).reshape([10, 100])?);
    /// assert_eq!(large.brief(22), "[10×100] 0…1000");
    /// assert_eq!(Value::of(&Tensor::from([1.0, 2.5])).brief(22), "[1, 2.5]");
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    pub fn brief(&self, columns: usize) -> String {
        let whole = self.to_string();
        if self.summary.is_none() && whole.width() <= columns || self.as_number().is_some() {
            return whole;
        }
        let sizes: Vec<String> = self.shape.iter().map(usize::to_string).collect();
        format!("[{}] {}", sizes.join("×"), self.range())
    }

    /// The range of the elements in two digits, or the number itself.
    ///
    /// ```
    /// use wengert_trace::Value;
    /// assert_eq!(Value::number(0.25).range(), "0.25");
    /// let three = wengert_ops::Tensor::from([1.0, f64::NAN, -2.345]);
    /// assert_eq!(Value::of(&three).range(), "-2.3…1, NaN/∞");
    /// ```
    pub fn range(&self) -> String {
        if let Some(c) = self.as_number() {
            return shown(c);
        }
        let finite = || self.numbers.iter().copied().filter(|c| c.is_finite());
        let (min, max, not_finite) = match &self.summary {
            Some(s) => (s.min, s.max, s.not_finite),
            None => (
                finite().fold(f64::NAN, f64::min),
                finite().fold(f64::NAN, f64::max),
                self.numbers.len() - finite().count(),
            ),
        };
        let range = match (min, max) {
            (min, _) if min.is_nan() && not_finite > 0 => return "not finite".into(),
            (min, _) if min.is_nan() => return "empty".into(),
            (min, max) if min == max && not_finite == 0 => format!("all {}", rough(min)),
            (min, max) => format!("{}…{}", rough(min), rough(max)),
        };
        if not_finite > 0 { format!("{range}, NaN/∞") } else { range }
    }

    /// The root of the sum of squares.
    pub(crate) fn norm(&self) -> f64 {
        match &self.summary {
            Some(s) => s.norm,
            None => self.numbers.iter().map(|c| c * c).sum::<f64>().sqrt(),
        }
    }

    /// What is inconsistent in a value that was read from a file.
    pub(crate) fn fault(&self) -> Option<String> {
        let size = self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        match (size, &self.summary) {
            (None, _) => Some("a value has a shape too large to be one".into()),
            (Some(n), None) if n != self.numbers.len() => {
                Some(format!("a value of shape {:?} has {} numbers, not {n}", self.shape, self.numbers.len()))
            }
            (Some(_), Some(_)) if !self.numbers.is_empty() => {
                Some("a value has both numbers and a summary".into())
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(c) = self.as_number() {
            return f.write_str(&shown(c));
        }
        if let Some(s) = &self.summary {
            match s.min == s.max && s.not_finite == 0 {
                true => write!(f, "{:?} all {}", self.shape, shown(s.min))?,
                false => {
                    let (min, max, mean) = (shown(s.min), shown(s.max), shown(s.mean));
                    write!(f, "{:?} from {min} to {max}, mean {mean}", self.shape)?;
                }
            }
            return if s.not_finite > 0 { write!(f, ", {} not finite", s.not_finite) } else { Ok(()) };
        }
        if self.numbers.is_empty() {
            return write!(f, "{:?}, empty", self.shape);
        }
        // Brackets close at the end of an axis.
        let ends = |i: usize| {
            let mut block = 1;
            self.shape
                .iter()
                .rev()
                .filter(|&&d| {
                    block *= d;
                    i.is_multiple_of(block)
                })
                .count()
        };
        for (i, c) in self.numbers.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}{}{}", "[".repeat(ends(i)), shown(*c), "]".repeat(ends(i + 1)))?;
        }
        Ok(())
    }
}
