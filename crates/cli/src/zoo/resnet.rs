//! The residual network's options.

use super::{About, Experiment, Model, Supervised};
use crate::data::Scale;
use crate::options::names::{Data, IMAGES};
use crate::options::{DataOptions, Defaults};
use anyhow::{Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::Classify;

const EXAMPLES: &str = "\
Examples:
  wengert train resnet
  wengert train resnet --data fashion-mnist --augment crop,flip
  wengert train resnet --layers 18 --data folder --data-path photographs";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ResnetOptions {
    /// The layers: 8, 14, 20, 32, 44 or 56 for small images, 18 or 34 for large ones
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Model")]
    layers: usize,
}

impl Model for ResnetOptions {
    fn about(&self) -> About {
        About {
            name: "resnet",
            data: IMAGES,
            expect: "99 % of the digits; 93 % on Fashion-MNIST",
            refuses: &[],
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 64, ..Defaults::epochs(8) },
            false => Defaults::epochs(10),
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let data = options.images(Scale::Standard)?;
        let (channels, classes) = (data.first_axis(), data.plain.classes());
        let shape = match self.layers {
            18 => zoo::ResNetConfig::resnet18(classes),
            34 => zoo::ResNetConfig::resnet34(classes),
            n if n % 6 == 2 && (8..=110).contains(&n) => zoo::ResNetConfig::cifar((n - 2) / 6),
            n => bail!("expected 18, 34, or 6 n + 2 layers up to 110, such as 20 or 32, found {n}"),
        };
        let shape = zoo::ResNetConfig { channels, classes, ..shape };
        let model = zoo::ResNet::with_config(&shape, &mut Rng::seed(options.seed));
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}
