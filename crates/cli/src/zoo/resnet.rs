//! The residual network's options.

use super::{Experiment, Model, Supervised, Usual};
use crate::config::Config;
use crate::data::{Data, IMAGES, Scale};
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
pub(crate) struct Resnet {
    /// The layers: 8, 14, 20, 32, 44 or 56 for small images, 18 or 34 for large ones
    #[arg(long, value_name = "N", default_value_t = 20, help_heading = "Model")]
    layers: usize,
}

impl Model for Resnet {
    fn name(&self) -> &'static str {
        "resnet"
    }

    fn data(&self) -> &'static [Data] {
        IMAGES
    }

    fn expect(&self) -> &'static str {
        "99 % of the digits; 93 % on Fashion-MNIST"
    }

    fn usual(&self, data: Data) -> Usual {
        match data.is_large() {
            true => Usual { batch_size: 64, ..Usual::epochs(8) },
            false => Usual::epochs(10),
        }
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let data = config.data.images(config, Scale::Standard)?;
        let (channels, classes) = (data.first(), data.plain.classes());
        let shape = match self.layers {
            18 => zoo::ResNetConfig::resnet18(classes),
            34 => zoo::ResNetConfig::resnet34(classes),
            n if n % 6 == 2 && (8..=110).contains(&n) => zoo::ResNetConfig::cifar((n - 2) / 6),
            n => bail!("expected 18, 34, or 6 n + 2 layers up to 110, such as 20 or 32, found {n}"),
        };
        let shape = zoo::ResNetConfig { channels, classes, ..shape };
        let model = zoo::ResNet::with_config(&shape, &mut Rng::seed(config.seed));
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}
