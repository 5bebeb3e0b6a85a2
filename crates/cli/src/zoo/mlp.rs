//! The multilayer perceptron's options.

use super::{About, Experiment, Model, NOT_FOR_ROWS, Supervised};
use crate::data::Scale;
use crate::options::names::{ActivationName, CLASSES, Data};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use wengert::nn::init::{Gain, Scheme};
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::Classify;

/// The largest width: the weights between two layers of this width take a gigabyte.
const MAX_WIDTH: usize = 1 << 14;

const EXAMPLES: &str = "\
Examples:
  wengert train mlp
  wengert train mlp --widths 256,128 --dropout 0.3 --epochs 50
  wengert train mlp --widths 64,64,64,64,64 --init small --gradient-flow
  wengert train mlp --widths 30 --activation tanh --optimizer sgd --lr 0.1 --out runs/tanh";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MlpOptions {
    /// The widths of the hidden layers
    #[arg(long = "widths", value_name = "W,W,…", value_delimiter = ',', default_value = "128,64")]
    #[arg(value_parser = values::count::<MAX_WIDTH>, help_heading = "Model")]
    widths: Vec<usize>,

    /// The function after each hidden layer
    #[arg(long, value_name = "NAME", default_value = "relu", help_heading = "Model")]
    activation: ActivationName,

    /// How weights are drawn; xavier and kaiming keep the variance from layer to layer [default: kaiming-uniform]
    #[arg(long, value_name = "SCHEME", help_heading = "Model")]
    init: Option<Init>,

    /// The probability of dropping a hidden activation in training
    #[arg(long, value_name = "P", default_value_t = 0.2, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,
}

/// How the first weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Init {
    /// Uniform, with variance g² / fan-in
    KaimingUniform,
    /// Normal, with variance g² / fan-in
    KaimingNormal,
    /// Uniform, with variance 2 g² / (fan-in + fan-out)
    XavierUniform,
    /// Normal, with variance 2 g² / (fan-in + fan-out)
    XavierNormal,
    /// Normal, with standard deviation 0.01 whatever the widths are: deep networks hardly learn from it
    Small,
}

impl Init {
    /// The scheme for weights before this activation.
    fn scheme(self, activation: ActivationName) -> Scheme {
        let gain = match activation {
            ActivationName::Relu => Gain::Relu,
            ActivationName::LeakyRelu => Gain::LeakyRelu(0.01),
            _ => Gain::Unit,
        };
        match self {
            Init::KaimingUniform => Scheme::KaimingUniform(gain),
            Init::KaimingNormal => Scheme::KaimingNormal(gain),
            Init::XavierUniform => Scheme::XavierUniform(gain),
            Init::XavierNormal => Scheme::XavierNormal(gain),
            Init::Small => Scheme::Normal(0.01),
        }
    }
}

impl Model for MlpOptions {
    fn about(&self) -> About {
        About { name: "mlp", data: CLASSES, expect: "99 % of the digits in 2 seconds", refuses: NOT_FOR_ROWS }
    }

    fn defaults(&self, data: Data) -> Defaults {
        Defaults::epochs(if data.is_large() { 10 } else { 100 })
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let data = options.rows(Scale::Unit)?;
        let widths = [&[data.first_axis()], &self.widths[..], &[data.plain.classes()]].concat();
        let shape = zoo::MlpConfig { widths, activation: self.activation.into(), dropout: self.dropout };
        let mut rng = Rng::seed(options.seed);
        let mut model = zoo::Mlp::with_config(&shape, &mut rng);
        if let Some(init) = self.init {
            let scheme = init.scheme(self.activation);
            model.layers = model.layers.into_iter().map(|layer| layer.init(scheme, &mut rng)).collect();
        }
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}
