//! The values that options take, each checked where it is read.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Reads a number and says what was expected if it is another.
fn number(text: &str, expected: &str, fits: impl Fn(f64) -> bool) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if fits(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

pub(crate) fn learning_rate(text: &str) -> Result<f64, String> {
    number(text, "a number above 0, such as 0.001", |v| v > 0.0 && v.is_finite())
}

pub(crate) fn weight_decay(text: &str) -> Result<f64, String> {
    number(text, "a number from 0, such as 0.01", |v| v >= 0.0 && v.is_finite())
}

pub(crate) fn dropout(text: &str) -> Result<f64, String> {
    number(text, "a probability from 0 to below 1, such as 0.2", |v| (0.0..1.0).contains(&v))
}

pub(crate) fn test_fraction(text: &str) -> Result<f64, String> {
    number(text, "a fraction between 0 and 1, such as 0.2", |v| v > 0.0 && v < 1.0)
}

/// A count of things, of which there is at least one and at most `MOST`.
pub(crate) fn count<const MOST: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MOST).contains(&n) => Ok(n),
        _ => Err(format!("expected a whole number from 1 to {MOST}")),
    }
}

/// How weights are updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Optimizer {
    /// Adam; weight decay goes through the gradient
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
    /// Stochastic gradient descent with Nesterov momentum 0.9
    Sgd,
}

/// How the learning rate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Schedule {
    /// As it is
    Constant,
    /// Down to 0 along half a cosine
    Cosine,
}

/// The function between layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Activation {
    Relu,
    LeakyRelu,
    Elu,
    Gelu,
    Silu,
    Hardswish,
    Softplus,
    Tanh,
    Sigmoid,
}

impl From<Activation> for wengert::nn::Activation {
    fn from(name: Activation) -> Self {
        match name {
            Activation::Relu => Self::Relu,
            Activation::LeakyRelu => Self::LeakyRelu(0.01),
            Activation::Elu => Self::Elu(1.0),
            Activation::Gelu => Self::Gelu,
            Activation::Silu => Self::Silu,
            Activation::Hardswish => Self::Hardswish,
            Activation::Softplus => Self::Softplus,
            Activation::Tanh => Self::Tanh,
            Activation::Sigmoid => Self::Sigmoid,
        }
    }
}

impl From<Schedule> for wengert::train::Schedule {
    fn from(name: Schedule) -> Self {
        match name {
            Schedule::Constant => Self::Constant,
            Schedule::Cosine => Self::Cosine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_kept() {
        for (read, good, bad) in [
            (learning_rate as fn(&str) -> Result<f64, String>, ["0.1", "1e-9"], ["0", "inf"]),
            (weight_decay, ["0", "0.5"], ["-0.1", "nan"]),
            (dropout, ["0", "0.99"], ["1", "half"]),
            (test_fraction, ["0.01", "0.99"], ["0", "1"]),
        ] {
            assert!(good.iter().all(|text| read(text).is_ok()));
            assert!(bad.iter().all(|text| read(text).unwrap_err().starts_with("expected ")));
        }
        assert_eq!(count::<8>("8"), Ok(8));
        assert!(["0", "9", "-1", "1.5", ""].iter().all(|text| count::<8>(text).is_err()));
    }
}
