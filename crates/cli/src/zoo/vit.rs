//! The vision Transformer's options.

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

const EXAMPLES: &str = "\
Examples:
  wengert train vit
  wengert train vit --data fashion-mnist --patch 4 --width 96 --layers 6";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct VitOptions {
    /// The side of a patch, a divisor of the image's [default: a quarter or a seventh of the image's]
    #[arg(long, value_name = "N", value_parser = values::count::<1024>, help_heading = "Model")]
    patch: Option<usize>,

    /// The features of each patch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<4096>)]
    #[arg(help_heading = "Model")]
    width: usize,

    /// The heads of attention, which share the features evenly
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = values::count::<256>, help_heading = "Model")]
    heads: usize,

    /// The blocks
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = values::count::<256>, help_heading = "Model")]
    layers: usize,

    /// The probability of dropping a feature in training
    #[arg(long, value_name = "P", default_value_t = 0.1, value_parser = values::dropout, help_heading = "Model")]
    dropout: f64,
}

impl Model for VitOptions {
    fn about(&self) -> About {
        About { name: "vit", data: IMAGES, expect: "97 % of the digits", refuses: &[] }
    }

    fn defaults(&self, data: Data) -> Defaults {
        let lr = 0.001;
        match data.is_large() {
            true => Defaults { batch_size: 64, lr, ..Defaults::epochs(10) },
            false => Defaults { lr, ..Defaults::epochs(40) },
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let data = options.images(Scale::Standard)?;
        let (channels, size) = data.square()?;
        let VitOptions { width, heads, layers, dropout, .. } = *self;
        let patch = patch_of(self.patch, size)?;
        heads_fit(width, heads)?;
        let classes = data.plain.classes();
        let shape = zoo::VitConfig { channels, size, patch, classes, width, heads, layers, dropout };
        let model = zoo::Vit::with_config(&shape, &mut Rng::seed(options.seed));
        Supervised::new(model, data.train, data.test, Classify).boxed()
    }
}

/// The side of a patch, for images with the side `size`.
pub(super) fn patch_of(asked: Option<usize>, size: usize) -> Result<usize> {
    let patch = asked.unwrap_or(if size.is_multiple_of(7) { size / 7 } else { (size / 4).max(1) });
    ensure!(
        patch > 0 && size.is_multiple_of(patch),
        "--patch: expected a divisor of the image's side, {size}, found {patch}"
    );
    Ok(patch)
}

/// Checks that the heads share the features evenly.
pub(super) fn heads_fit(width: usize, heads: usize) -> Result<()> {
    ensure!(
        heads > 0 && width > 0 && width.is_multiple_of(heads),
        "--heads: expected a divisor of the width, {width}, found {heads}"
    );
    Ok(())
}
