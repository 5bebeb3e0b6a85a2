//! The names that options take as values, and what they stand for.

use super::values::name_of;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use wengert::nn::optim::{
    Adagrad, AdagradConfig, Adam, AdamConfig, Lion, LionConfig, Nadam, NadamConfig, Optimizer, Radam,
    RadamConfig, Rmsprop, RmspropConfig, Sgd, SgdConfig,
};

/// An enum of names, in kebab case, and its conversion into the type whose variants it names.
macro_rules! names {
    ($(#[$meta:meta])* $name:ident for $target:ty {
        $($(#[$about:meta])* $variant:ident $(($argument:expr))?),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum $name { $($(#[$about])* $variant),+ }

        impl From<$name> for $target {
            fn from(name: $name) -> Self {
                match name { $($name::$variant => <$target>::$variant $(($argument))?),+ }
            }
        }
    };
}
pub(crate) use names;

names! {
    /// The function between layers: all of `nn::Activation`.
    ActivationName for wengert::nn::Activation {
        Identity,
        Sigmoid,
        Atan,
        Tanh,
        Relu,
        LeakyRelu(0.01),
        Elu(1.0),
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
}

names! {
    /// How the learning rate changes during a run.
    ScheduleName for wengert::train::RunSchedule {
        /// As it is
        Constant,
        /// Down to 0 along half a cosine
        Cosine,
        /// Down to 0 along a straight line
        Linear,
        /// Up over three tenths of the run, and down to 0
        OneCycle,
    }
}

/// How weights are updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OptimizerName {
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

impl OptimizerName {
    /// The default learning rate and weight decay.
    pub(crate) fn defaults(self) -> (f64, f64) {
        match self {
            OptimizerName::Adam | OptimizerName::Nadam | OptimizerName::Radam => (0.003, 0.0),
            OptimizerName::Adamw => (0.003, 0.01),
            OptimizerName::Sgd => (0.05, 1e-4),
            OptimizerName::Rmsprop => (0.001, 0.0),
            OptimizerName::Adagrad => (0.01, 0.0),
            OptimizerName::Lion => (0.0003, 0.1),
        }
    }

    /// The optimiser. Only sgd uses the momentum.
    pub(crate) fn build(
        self,
        learning_rate: f64,
        weight_decay: f64,
        momentum: Option<f64>,
    ) -> Box<dyn Optimizer<f32>> {
        macro_rules! build {
            ($optimizer:ident, $config:ident $(, $field:ident: $value:expr)*) => {{
                let config = $config { learning_rate, weight_decay, $($field: $value,)* ..$config::default() };
                Box::new($optimizer::with_config(config))
            }};
        }
        match self {
            OptimizerName::Adam => build!(Adam, AdamConfig),
            OptimizerName::Adamw => build!(Adam, AdamConfig, decoupled: true),
            OptimizerName::Nadam => build!(Nadam, NadamConfig),
            OptimizerName::Radam => build!(Radam, RadamConfig),
            OptimizerName::Sgd => {
                let momentum = momentum.unwrap_or(0.9);
                build!(Sgd, SgdConfig, momentum: momentum, nesterov: momentum > 0.0)
            }
            OptimizerName::Rmsprop => build!(Rmsprop, RmspropConfig),
            OptimizerName::Adagrad => build!(Adagrad, AdagradConfig),
            OptimizerName::Lion => build!(Lion, LionConfig),
        }
    }
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

/// A data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Data {
    /// 1797 handwritten digits of 8 × 8 pixels
    Digits,
    /// 500 pictures of clothes of 28 × 28 pixels
    FashionSample,
    /// 70 000 pictures of clothes, from Debian's package or the folder of --data-path
    FashionMnist,
    /// 70 000 handwritten digits of 28 × 28 pixels, from the folder of --data-path
    Mnist,
    /// The PNG images of --data-path, in a folder for each class
    Folder,
    /// 150 flowers, by four lengths
    Iris,
    /// 178 wines, by 13 properties
    Wine,
    /// The table of --data-path: numbers, and the class in the last column
    Csv,
    /// Shakespeare's Hamlet, by characters
    Hamlet,
    /// The text of --data-path, by characters
    Text,
    /// 939 names of countries and languages, English and German
    Names,
    /// The pairs of texts of --data-path: two a line, with a tab between them
    Pairs,
    /// The same names, each English or German
    Languages,
    /// The texts of --data-path: one a line, then a tab and its class
    Texts,
    /// Sunspots a year, 1700 to 2008
    Sunspots,
    /// Carbon dioxide in the air over Mauna Loa
    Co2,
    /// The Nile's flow a year, 1871 to 1970
    Nile,
    /// The numbers of --data-path: a point in time a line, its variables separated by commas
    Series,
}

/// Images with classes.
pub(crate) const IMAGES: &[Data] =
    &[Data::Digits, Data::FashionSample, Data::FashionMnist, Data::Mnist, Data::Folder];
/// Images of 28 × 28 pixels or more.
pub(crate) const LARGER_IMAGES: &[Data] =
    &[Data::FashionSample, Data::FashionMnist, Data::Mnist, Data::Folder];
/// All data with classes.
pub(crate) const CLASSES: &[Data] = &[
    Data::Digits,
    Data::FashionSample,
    Data::FashionMnist,
    Data::Mnist,
    Data::Folder,
    Data::Iris,
    Data::Wine,
    Data::Csv,
];
/// Sequences of tokens.
pub(crate) const TEXTS: &[Data] = &[Data::Hamlet, Data::Text];
/// Pairs of sequences.
pub(crate) const PAIRS: &[Data] = &[Data::Names, Data::Pairs];
/// Texts with classes.
pub(crate) const LABELLED_TEXTS: &[Data] = &[Data::Languages, Data::Texts];
/// Numbers over time.
pub(crate) const SERIES: &[Data] = &[Data::Sunspots, Data::Co2, Data::Nile, Data::Series];

impl Data {
    /// The name in the option.
    pub(crate) fn name(self) -> String {
        name_of(self)
    }

    /// The name in a title.
    pub(crate) fn title(self) -> String {
        match self {
            Data::Digits => "the digits".to_owned(),
            _ => self.name(),
        }
    }

    /// Whether the set has enough samples for few epochs to suffice.
    pub(crate) fn is_large(self) -> bool {
        matches!(self, Data::FashionMnist | Data::Mnist)
    }

    /// Whether it is read from the user's files, whose path must be given.
    pub(crate) fn needs_path(self) -> bool {
        use Data::{Csv, Folder, Mnist, Pairs, Series, Text, Texts};
        matches!(self, Mnist | Folder | Csv | Text | Pairs | Texts | Series)
    }

    pub(crate) fn is_table(self) -> bool {
        matches!(self, Data::Iris | Data::Wine | Data::Csv)
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
            let mut sgd = OptimizerName::Sgd.build(0.1, 0.0, momentum);
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
}
