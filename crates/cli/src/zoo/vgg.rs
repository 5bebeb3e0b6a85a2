//! The small VGG's options.

use super::{About, Experiment, Model, Supervised};
use crate::data::Scale;
use crate::options::names::{Data, IMAGES};
use crate::options::{DataOptions, Defaults, values};
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::Classify;

const MAX_WIDTH: usize = 2048;

const EXAMPLES: &str = "\
Examples:
  wengert train vgg
  wengert train vgg --data fashion-mnist --augment flip
  wengert train vgg --widths 64,128,256 --depth 1";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct VggOptions {
    /// The channels of each stage; a pool halves the image after each
    #[arg(long, value_name = "C,C,…", value_delimiter = ',', default_value = "32,64,128")]
    #[arg(value_parser = values::count::<MAX_WIDTH>, help_heading = "Model")]
    widths: Vec<usize>,

    /// The convolutions of a stage
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count::<8>, help_heading = "Model")]
    depth: usize,

    /// The probability of dropping a feature before the last layer
    #[arg(long, value_name = "P", default_value_t = 0.2, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,
}

impl Model for VggOptions {
    fn about(&self) -> About {
        About { name: "vgg", data: IMAGES, expect: "99 % of the digits; 93 % on Fashion-MNIST", refuses: &[] }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 64, ..Defaults::epochs(5) },
            false => Defaults::epochs(20),
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let data = options.images(Scale::Standard)?;
        let (channels, size) = data.square()?;
        ensure!(
            size >> self.widths.len() > 0,
            "{} stages halve images of {size} × {size} pixels to nothing; take fewer --widths",
            self.widths.len()
        );
        let stages = self.widths.iter().map(|&w| vec![w; self.depth]).collect();
        let shape = zoo::VggConfig { channels, classes: data.plain.classes(), stages, dropout: self.dropout };
        let model = zoo::vgg(&shape, &mut Rng::seed(options.seed));
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}
