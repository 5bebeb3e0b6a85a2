//! The multilayer perceptron's options.

use super::{Experiment, Model, Supervised, Usual};
use crate::config::Config;
use crate::data::{CLASSES, Data, Scale};
use crate::values::{self, Activation};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::Classify;

/// Between two layers of this width there is a gigabyte of weights.
const WIDEST: usize = 1 << 14;

const EXAMPLES: &str = "\
Examples:
  wengert train mlp
  wengert train mlp --widths 256,128 --dropout 0.3 --epochs 50
  wengert train mlp --widths 30 --activation tanh --optimizer sgd --lr 0.1 --out runs/tanh";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Mlp {
    /// The widths of the hidden layers
    #[arg(long = "widths", value_name = "W,W,…", value_delimiter = ',', default_value = "128,64")]
    #[arg(value_parser = values::count::<WIDEST>, help_heading = "Model")]
    widths: Vec<usize>,

    /// The function after each hidden layer
    #[arg(long, value_name = "NAME", default_value = "relu", help_heading = "Model")]
    activation: Activation,

    /// The probability of dropping a hidden activation in training
    #[arg(long, value_name = "P", default_value_t = 0.2, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,
}

impl Model for Mlp {
    fn name(&self) -> &'static str {
        "mlp"
    }

    fn data(&self) -> &'static [Data] {
        CLASSES
    }

    fn expect(&self) -> &'static str {
        "99 % of the digits in 2 seconds"
    }

    fn usual(&self, data: Data) -> Usual {
        Usual::epochs(if data.is_large() { 10 } else { 100 })
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let data = config.data.rows(config, Scale::Unit)?;
        let widths = [&[data.first()], &self.widths[..], &[data.plain.classes()]].concat();
        let shape = zoo::MlpConfig { widths, activation: self.activation.into(), dropout: self.dropout };
        let model = zoo::Mlp::new(&shape, &mut Rng::seed(config.seed));
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}
