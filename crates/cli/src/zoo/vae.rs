//! The variational autoencoder's options.

use super::pixels::{PICTURE_IMAGES, as_images, first_samples, images_or_rows, reconstructions, vae_samples};
use super::{About, Experiment, Model, NOT_FOR_ROWS, Supervised};
use crate::data::Scale;
use crate::options::names::{ActivationName, Data, IMAGES};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::data::Batch;
use wengert::nn::zoo::{self, Observation};
use wengert::ops::random::Rng;
use wengert::train::metrics::bits_per_dim;
use wengert::train::{Outcome, Task, task};

const MAX_WIDTH: usize = 1 << 14;

const EXAMPLES: &str = "\
Examples:
  wengert train vae
  wengert train vae --data fashion-mnist --hidden 400 --latent 20
  wengert train vae --data fashion-mnist --convolutional
  wengert sample runs/vae-seed0 --count 100 --out samples.png";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct VaeOptions {
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

    /// The weight of the divergence
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    beta: f64,

    /// Pixels are normal with this standard deviation, instead of shades as of a Bernoulli
    #[arg(long, value_name = "STD", value_parser = values::learning_rate, help_heading = "Model")]
    gaussian: Option<f64>,
}

impl Model for VaeOptions {
    fn about(&self) -> About {
        About {
            name: "vae",
            data: IMAGES,
            expect: "about 20 nats an image of the digits",
            refuses: NOT_FOR_ROWS,
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 128, lr: 0.001, ..Defaults::epochs(20) },
            false => Defaults::epochs(100),
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let (data, shape) = images_or_rows(options, self.convolutional, Scale::Unit)?;
        let observation = self.gaussian.map_or(Observation::Bernoulli, Observation::Gaussian);
        let mut rng = Rng::seed(options.seed);
        let model = if self.convolutional {
            let [channels, size, _] = shape;
            let model = zoo::Vae::convolutional(channels, size, self.channels, self.latent, &mut rng);
            model.with(observation, self.beta)
        } else {
            let config = zoo::VaeConfig {
                inputs: data.first_axis(),
                hidden: self.hidden.clone(),
                latent: self.latent,
                activation: self.activation.into(),
                observation,
                beta: self.beta,
            };
            zoo::Vae::dense(&config, &mut rng)
        };
        let originals = first_samples(&data.test)?;
        let seed = options.seed;
        Supervised::new(model, data.train, data.test, elbo())
            .generates(move |model, options| vae_samples(model, options, shape))
            .pictures(move |model| {
                let samples = model.sample(PICTURE_IMAGES, &mut Rng::seed(seed))?;
                Ok(vec![
                    ("samples", as_images(&samples, shape)?),
                    reconstructions(&originals, &model.reconstruct(&originals)?, shape)?,
                ])
            })
            .boxed()
    }
}

/// The evidence lower bound, in nats per sample, and its parts.
pub(super) fn elbo() -> impl Task<zoo::Vae<f32>, Batch> {
    task(|model: &zoo::Vae<f32>, batch: &Batch, tape: &Tape<f32>| {
        let elbo = model.elbo(tape.constant(&batch.inputs));
        let n = batch.len() as f64;
        let (likelihood, divergence) = (elbo.likelihood.mean().item()?, elbo.divergence.mean().item()?);
        let (likelihood, divergence) = (f64::from(likelihood), f64::from(divergence));
        let dims = batch.inputs.numel() / batch.len().max(1);
        // Without the weight of the divergence: it changes the loss, but not the bound.
        let nats = divergence - likelihood;
        Ok(Outcome::of(-elbo.bound.mean(), batch.len())?.measured(|m| {
            m.mean("reconstruction", -likelihood, n).mean("divergence", divergence, n).mean(
                "bits_per_dim",
                bits_per_dim(nats, dims),
                n,
            )
        }))
    })
}
