//! The values that options take, each checked where it is read.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use wengert::nn::optim::{
    self, Adagrad, AdagradConfig, Adam, AdamConfig, Lion, LionConfig, Nadam, NadamConfig, Radam, RadamConfig,
    Rmsprop, RmspropConfig, Sgd, SgdConfig,
};

/// What an option calls a value.
pub(crate) fn spelt(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
}

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

pub(crate) fn decay(text: &str) -> Result<f64, String> {
    number(text, "a part from 0 to below 1, such as 0.999", |v| (0.0..1.0).contains(&v))
}

pub(crate) fn clip(text: &str) -> Result<f64, String> {
    number(text, "a number above 0, such as 1", |v| v > 0.0 && v.is_finite())
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
    /// Adam with Nesterov momentum
    Nadam,
    /// Adam with a rectified variance
    Radam,
    /// Stochastic gradient descent with Nesterov momentum; with --momentum 0 there is none
    Sgd,
    /// Steps divided by the root of the mean square
    Rmsprop,
    /// Steps divided by the root of the sum of squares
    Adagrad,
    /// Steps of the momentum's sign, with decoupled weight decay
    Lion,
}

impl Optimizer {
    /// Its usual learning rate and weight decay.
    pub(crate) fn usual(self) -> (f64, f64) {
        match self {
            Optimizer::Adam | Optimizer::Nadam | Optimizer::Radam => (0.003, 0.0),
            Optimizer::Adamw => (0.003, 0.01),
            Optimizer::Sgd => (0.05, 1e-4),
            Optimizer::Rmsprop => (0.001, 0.0),
            Optimizer::Adagrad => (0.01, 0.0),
            Optimizer::Lion => (0.0003, 0.1),
        }
    }

    /// One, ready to step. The momentum is that of sgd.
    pub(crate) fn build(
        self,
        learning_rate: f64,
        weight_decay: f64,
        momentum: Option<f64>,
    ) -> Box<dyn optim::Optimizer<f32>> {
        match self {
            Optimizer::Adam => Box::new(Adam::with_config(AdamConfig {
                learning_rate,
                weight_decay,
                ..AdamConfig::default()
            })),
            Optimizer::Adamw => {
                let decoupled = AdamConfig { decoupled: true, ..AdamConfig::default() };
                Box::new(Adam::with_config(AdamConfig { learning_rate, weight_decay, ..decoupled }))
            }
            Optimizer::Nadam => Box::new(Nadam::with_config(NadamConfig {
                learning_rate,
                weight_decay,
                ..NadamConfig::default()
            })),
            Optimizer::Radam => Box::new(Radam::with_config(RadamConfig {
                learning_rate,
                weight_decay,
                ..RadamConfig::default()
            })),
            Optimizer::Sgd => {
                let momentum = momentum.unwrap_or(0.9);
                let nesterov = SgdConfig { momentum, nesterov: momentum > 0.0, ..SgdConfig::default() };
                Box::new(Sgd::with_config(SgdConfig { learning_rate, weight_decay, ..nesterov }))
            }
            Optimizer::Rmsprop => Box::new(Rmsprop::with_config(RmspropConfig {
                learning_rate,
                weight_decay,
                ..RmspropConfig::default()
            })),
            Optimizer::Adagrad => Box::new(Adagrad::with_config(AdagradConfig {
                learning_rate,
                weight_decay,
                ..AdagradConfig::default()
            })),
            Optimizer::Lion => Box::new(Lion::with_config(LionConfig {
                learning_rate,
                weight_decay,
                ..LionConfig::default()
            })),
        }
    }
}

/// How the learning rate goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Schedule {
    /// As it is
    Constant,
    /// Down to 0 along half a cosine
    Cosine,
    /// Down to 0 along a straight line
    Linear,
    /// Up over three tenths of the run, and down to 0
    OneCycle,
}

/// What is done to images, anew in each epoch, before they are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Augment {
    /// Shift by a random distance of up to a 14th of the side
    Crop,
    /// Turn the left side to the right, every second time
    Flip,
    /// Rotate by a random angle of up to 10 degrees
    Rotate,
    /// Take out a random square of a quarter of the side
    Cutout,
    /// Add normal noise of standard deviation 0.1
    Noise,
}

/// The function between layers: all of `nn::Activation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Activation {
    Identity,
    Sigmoid,
    Atan,
    Tanh,
    Relu,
    LeakyRelu,
    Elu,
    Gelu,
    GeluTanh,
    Silu,
    Softplus,
    Softsign,
    Mish,
    Selu,
    #[value(name = "relu6")]
    #[serde(rename = "relu6")]
    Relu6,
    Hardtanh,
    Hardsigmoid,
    Hardswish,
    Softmax,
    LogSoftmax,
}

impl From<Activation> for wengert::nn::Activation {
    fn from(name: Activation) -> Self {
        match name {
            Activation::Identity => Self::Identity,
            Activation::Sigmoid => Self::Sigmoid,
            Activation::Atan => Self::Atan,
            Activation::Tanh => Self::Tanh,
            Activation::Relu => Self::Relu,
            Activation::LeakyRelu => Self::LeakyRelu(0.01),
            Activation::Elu => Self::Elu(1.0),
            Activation::Gelu => Self::Gelu,
            Activation::GeluTanh => Self::GeluTanh,
            Activation::Silu => Self::Silu,
            Activation::Softplus => Self::Softplus,
            Activation::Softsign => Self::Softsign,
            Activation::Mish => Self::Mish,
            Activation::Selu => Self::Selu,
            Activation::Relu6 => Self::Relu6,
            Activation::Hardtanh => Self::Hardtanh,
            Activation::Hardsigmoid => Self::Hardsigmoid,
            Activation::Hardswish => Self::Hardswish,
            Activation::Softmax => Self::Softmax,
            Activation::LogSoftmax => Self::LogSoftmax,
        }
    }
}

/// How often a run is saved: `100steps`, or `2epochs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Every {
    Steps(usize),
    Epochs(usize),
}

impl Every {
    pub(crate) const NEVER: Self = Every::Epochs(usize::MAX);
}

pub(crate) fn every(text: &str) -> Result<Every, String> {
    let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let expected = || "expected a number of steps or epochs, such as 100steps or 2epochs".to_owned();
    let n = number.parse().ok().filter(|n| *n > 0).ok_or_else(expected)?;
    match text[number.len()..].trim() {
        "steps" | "step" => Ok(Every::Steps(n)),
        "epochs" | "epoch" => Ok(Every::Epochs(n)),
        _ => Err(expected()),
    }
}

impl TryFrom<String> for Every {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        every(&text)
    }
}

impl From<Every> for String {
    fn from(every: Every) -> Self {
        match every {
            Every::Steps(n) => format!("{n}steps"),
            Every::Epochs(n) => format!("{n}epochs"),
        }
    }
}

impl From<Every> for wengert::train::Every {
    fn from(every: Every) -> Self {
        match every {
            Every::Steps(n) => Self::Steps(n),
            Every::Epochs(n) => Self::Epochs(n),
        }
    }
}

impl From<Schedule> for wengert::train::Schedule {
    fn from(name: Schedule) -> Self {
        match name {
            Schedule::Constant => Self::Constant,
            Schedule::Cosine => Self::Cosine,
            Schedule::Linear => Self::Linear,
            Schedule::OneCycle => Self::OneCycle,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sgd_without_momentum_is_plain_gradient_descent() {
        use wengert::ops::Tensor;
        use wengert::tape::{Param, Tape};
        let after = |momentum| {
            let mut p = Param::new(Tensor::from([1.0f32]));
            let mut sgd = Optimizer::Sgd.build(0.1, 0.0, momentum);
            for _ in 0..2 {
                let grads = Tape::new().param(&p).sum().backward().unwrap();
                sgd.step(&mut p, &grads).unwrap();
            }
            p.value().to_vec()[0]
        };
        // The gradient is 1: two steps of 0.1, or with Nesterov's momentum 1 + 0.9 and 1 + 0.9 (1 + 0.9) of them.
        assert!((after(Some(0.0)) - 0.8).abs() < 1e-6);
        assert!((after(None) - (1.0 - 0.1 * (1.9 + 2.71))).abs() < 1e-6 && after(None) == after(Some(0.9)));
    }

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
        for good in ["100steps", "1step", "2epochs", "1 epoch"] {
            let value = every(good).unwrap();
            assert_eq!(every(&String::from(value)), Ok(value));
        }
        assert!(["0steps", "100", "steps", "", "1.5epochs", "-1steps"].iter().all(|bad| every(bad).is_err()));
        assert_eq!(count::<8>("8"), Ok(8));
        assert!(["0", "9", "-1", "1.5", ""].iter().all(|text| count::<8>(text).is_err()));
    }
}
