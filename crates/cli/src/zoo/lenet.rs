//! LeNet's options.

use super::{About, Experiment, Model, Supervised};
use crate::data::Scale;
use crate::options::names::{Data, LARGER_IMAGES};
use crate::options::{DataOptions, Defaults};
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
pub(crate) struct LenetOptions {}

impl Model for LenetOptions {
    fn about(&self) -> About {
        About {
            name: "lenet",
            data: LARGER_IMAGES,
            expect: "73 % of 100 clothes after learning from 400",
            refuses: &[],
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 64, lr: 0.002, ..Defaults::epochs(10) },
            false => Defaults::epochs(30),
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let data = options.images(Scale::Standard)?;
        let (channels, size) = data.square()?;
        ensure!(size >= 12, "lenet needs images of at least 12 × 12 pixels, found {size} × {size}");
        let model = zoo::lenet(channels, size, data.plain.classes(), &mut Rng::seed(options.seed));
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}
