//! The autoencoder's options.

use super::vae::side_by_side;
use super::{Experiment, Model, SHOWN, Supervised, Usual};
use crate::config::Config;
use crate::data::{Data, IMAGES, Scale};
use crate::values::{self, Activation};
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::data::Batch;
use wengert::nn::zoo;
use wengert::nn::{GaussianNoise, Layer};
use wengert::ops::random::Rng;
use wengert::train::{Outcome, task};

const WIDEST: usize = 1 << 14;

const EXAMPLES: &str = "\
Examples:
  wengert train autoencoder
  wengert train autoencoder --data fashion-mnist --convolutional --latent 32
  wengert train autoencoder --noise 0.3          a denoising autoencoder";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Autoencoder {
    /// The widths of the encoder's hidden layers; the decoder has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "128")]
    #[arg(value_parser = values::count::<WIDEST>, help_heading = "Model")]
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
    activation: Activation,

    /// The standard deviation of noise that it learns to take out
    #[arg(long, value_name = "STD", default_value_t = 0.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    noise: f64,
}

impl Model for Autoencoder {
    fn name(&self) -> &'static str {
        "autoencoder"
    }

    fn data(&self) -> &'static [Data] {
        IMAGES
    }

    fn expect(&self) -> &'static str {
        "a mean square error of 0.02 a pixel of the digits, from 8 numbers each"
    }

    fn usual(&self, data: Data) -> Usual {
        match data.is_large() {
            true => Usual { batch_size: 128, lr: 0.001, ..Usual::epochs(10) },
            false => Usual::epochs(100),
        }
    }

    fn refuses(&self) -> &'static [&'static str] {
        super::OF_ROWS
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let images = config.data.images(config, Scale::Unit)?;
        let (channels, size) = images.square()?;
        let mut rng = Rng::seed(config.seed);
        let (data, model) = if self.convolutional {
            ensure!(size.is_multiple_of(4), "expected images whose side is a multiple of 4, found {size}");
            (images, zoo::Autoencoder::convolutional(channels, size, self.channels, self.latent, &mut rng))
        } else {
            let data = config.data.rows(config, Scale::Unit)?;
            let shape = zoo::AutoencoderConfig {
                inputs: data.first(),
                hidden: self.hidden.clone(),
                latent: self.latent,
                activation: self.activation.into(),
                loss: zoo::ReconstructionLoss::Squared,
            };
            (data, zoo::Autoencoder::dense(&shape, &mut rng))
        };
        let noise = GaussianNoise::new(self.noise);
        let reconstruct = task(move |model: &zoo::Autoencoder<f32>, batch: &Batch, tape: &Tape<f32>| {
            let x = tape.constant(&batch.inputs);
            Outcome::of(model.denoising_loss(noise.forward(x), x), batch.len())
        });
        let shape = [channels, size, size];
        let held_out = data.test.inputs().slice(0, ..SHOWN.min(data.test.len()))?;
        Supervised::new(model, data.train, data.test, reconstruct)
            .shows(move |model| {
                Ok(vec![("reconstructions", side_by_side(&held_out, &model.reconstruct(&held_out)?, shape)?)])
            })
            .boxed()
    }
}
