//! The autoencoder's options.

use super::pixels::{first_samples, images_or_rows, reconstructions};
use super::{About, Experiment, Model, NOT_FOR_ROWS, Supervised};
use crate::data::Scale;
use crate::options::names::{ActivationName, Data, IMAGES};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::data::Batch;
use wengert::nn::zoo;
use wengert::nn::{GaussianNoise, Layer};
use wengert::ops::random::Rng;
use wengert::train::{Outcome, task};

const MAX_WIDTH: usize = 1 << 14;

const EXAMPLES: &str = "\
Examples:
  wengert train autoencoder
  wengert train autoencoder --data fashion-mnist --convolutional --latent 32
  wengert train autoencoder --noise 0.3          a denoising autoencoder";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct AutoencoderOptions {
    /// The widths of the encoder's hidden layers; the decoder has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "128")]
    #[arg(value_parser = values::count::<MAX_WIDTH>, help_heading = "Model")]
    hidden: Vec<usize>,

    /// Convolutions instead of fully connected layers, for images whose side is a multiple of 4
    #[arg(long, help_heading = "Model")]
    convolutional: bool,

    /// The channels of the convolutions next to the image
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = values::count::<1024>)]
    #[arg(help_heading = "Model")]
    channels: usize,

    /// The dimensions of z
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = values::count::<4096>)]
    #[arg(help_heading = "Model")]
    latent: usize,

    /// The function after each hidden layer
    #[arg(long, value_name = "NAME", default_value = "relu", help_heading = "Model")]
    activation: ActivationName,

    /// The standard deviation of noise that it learns to take out
    #[arg(long, value_name = "STD", default_value_t = 0.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    noise: f64,
}

impl Model for AutoencoderOptions {
    fn about(&self) -> About {
        About {
            name: "autoencoder",
            data: IMAGES,
            expect: "a mean square error of 0.02 a pixel of the digits, from 8 numbers each",
            refuses: NOT_FOR_ROWS,
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 128, lr: 0.001, ..Defaults::epochs(10) },
            false => Defaults::epochs(100),
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let (data, shape) = images_or_rows(options, self.convolutional, Scale::Unit)?;
        let mut rng = Rng::seed(options.seed);
        let model = if self.convolutional {
            let [channels, size, _] = shape;
            zoo::Autoencoder::convolutional(channels, size, self.channels, self.latent, &mut rng)
        } else {
            let config = zoo::AutoencoderConfig {
                inputs: data.first_axis(),
                hidden: self.hidden.clone(),
                latent: self.latent,
                activation: self.activation.into(),
                loss: zoo::ReconstructionLoss::Squared,
            };
            zoo::Autoencoder::dense(&config, &mut rng)
        };
        let noise = GaussianNoise::new(self.noise);
        let reconstruct = task(move |model: &zoo::Autoencoder<f32>, batch: &Batch, tape: &Tape<f32>| {
            let x = tape.constant(&batch.inputs);
            Outcome::of(model.denoising_loss(noise.forward(x), x), batch.len())
        });
        let originals = first_samples(&data.test)?;
        Supervised::new(model, data.train, data.test, reconstruct)
            .pictures(move |model| {
                Ok(vec![reconstructions(&originals, &model.reconstruct(&originals)?, shape)?])
            })
            .boxed()
    }
}
