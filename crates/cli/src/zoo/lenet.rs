//! LeNet's options.

use super::{Experiment, Model, Supervised, Usual};
use crate::config::Config;
use crate::data::{Data, LARGER_IMAGES, Scale};
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::Classify;

const EXAMPLES: &str = "\
Examples:
  wengert train lenet
  wengert train lenet --data fashion-mnist --augment crop,flip";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Lenet {}

impl Model for Lenet {
    fn name(&self) -> &'static str {
        "lenet"
    }

    fn data(&self) -> &'static [Data] {
        LARGER_IMAGES
    }

    fn expect(&self) -> &'static str {
        "73 % of 100 clothes after learning from 400"
    }

    fn usual(&self, data: Data) -> Usual {
        match data.is_large() {
            true => Usual { batch_size: 64, lr: 0.002, ..Usual::epochs(10) },
            false => Usual::epochs(30),
        }
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let data = config.data.images(config, Scale::Standard)?;
        let (channels, size) = data.square()?;
        ensure!(size >= 12, "lenet needs images of at least 12 × 12 pixels, found {size} × {size}");
        let model = zoo::lenet(channels, size, data.plain.classes(), &mut Rng::seed(config.seed));
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}
