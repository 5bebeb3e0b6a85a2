//! The options of the masked autoencoder.

use super::pixels::{first_samples, reconstructions};
use super::vit::{heads_fit, patch_of};
use super::{About, Experiment, Model, Supervised};
use crate::data::Scale;
use crate::options::names::{Data, IMAGES};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::data::Batch;
use wengert::nn::zoo::{MaskedAutoencoder, MaskedConfig};
use wengert::ops::Tensor;
use wengert::ops::random::Rng;
use wengert::train::{Outcome, task};

const EXAMPLES: &str = "\
Examples:
  wengert train masked
  wengert train masked --data fashion-mnist --hide 0.6 --labels 600";

/// The number of labels that the linear head learns from by default.
const DEFAULT_LABELS: usize = 100;

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MaskedOptions {
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

    /// The blocks of the encoder
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = values::count::<256>, help_heading = "Model")]
    layers: usize,

    /// The part of the patches that is hidden
    #[arg(long, value_name = "PART", default_value_t = 0.75, value_parser = values::test_fraction)]
    #[arg(help_heading = "Model")]
    hide: f64,
}

impl Model for MaskedOptions {
    fn about(&self) -> About {
        About {
            name: "masked",
            data: IMAGES,
            expect: "three quarters of an image guessed from the last one",
            refuses: &[],
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 128, lr: 0.001, ..Defaults::epochs(10) },
            false => Defaults { batch_size: 64, ..Defaults::epochs(50) },
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let all = DataOptions { labels: None, ..options.clone() };
        let labels = Some(options.labels.unwrap_or(DEFAULT_LABELS));
        let few = DataOptions { labels, augment: Vec::new(), ..options.clone() };
        let data = all.images(Scale::Unit)?;
        let labelled = few.images(Scale::Unit)?.plain;
        let (channels, size) = data.square()?;
        let patch = patch_of(self.patch, size)?;
        heads_fit(self.width, self.heads)?;
        // The decoder has half of the features, and the same number of heads.
        let decoder_width = (self.width / 2).next_multiple_of(self.heads);
        let shape = MaskedConfig {
            channels,
            size,
            patch,
            width: self.width,
            heads: self.heads,
            layers: self.layers,
            decoder_width,
            decoder_layers: 1,
            hidden: self.hide,
        };
        let model = MaskedAutoencoder::with_config(&shape, &mut Rng::seed(options.seed));
        let guess = task(|model: &MaskedAutoencoder<f32>, batch: &Batch, tape: &Tape<f32>| {
            Outcome::of(model.loss(tape.constant(&batch.inputs)), batch.len())
        });
        let features = |model: &MaskedAutoencoder<f32>, x: &Tensor<f32>| {
            Ok(model.features(Tape::eval().constant(x)).value()?)
        };
        let originals = first_samples(&data.test)?;
        let seed = options.seed;
        Supervised::new(model, data.train, data.test, guess)
            .pictures(move |model| {
                let (filled, _) = model.fill(&originals, &mut Rng::seed(seed))?;
                Ok(vec![reconstructions(&originals, &filled, [channels, size, size])?])
            })
            .with_head((self.width, features), labelled)
    }
}
