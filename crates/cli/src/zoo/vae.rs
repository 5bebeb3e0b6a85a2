//! The variational autoencoder's options.

use super::{Experiment, Model, SHOWN, Sample, Supervised, Usual};
use crate::config::Config;
use crate::data::{Data, IMAGES, Scale};
use crate::values::{self, Activation};
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::data::Batch;
use wengert::nn::zoo::{self, Observation};
use wengert::ops::Tensor;
use wengert::ops::random::Rng;
use wengert::train::metrics::bits_per_dim;
use wengert::train::{Outcome, Task, task};

const WIDEST: usize = 1 << 14;

const EXAMPLES: &str = "\
Examples:
  wengert train vae
  wengert train vae --data fashion-mnist --hidden 400 --latent 20
  wengert train vae --data fashion-mnist --convolutional
  wengert sample runs/vae-seed0 --count 100 --out samples.png";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Vae {
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

    /// The weight of the divergence
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    beta: f64,

    /// Pixels are normal with this standard deviation, instead of shades as of a Bernoulli
    #[arg(long, value_name = "STD", value_parser = values::learning_rate, help_heading = "Model")]
    gaussian: Option<f64>,
}

impl Model for Vae {
    fn name(&self) -> &'static str {
        "vae"
    }

    fn data(&self) -> &'static [Data] {
        IMAGES
    }

    fn expect(&self) -> &'static str {
        "about 20 nats an image of the digits"
    }

    fn usual(&self, data: Data) -> Usual {
        match data.is_large() {
            true => Usual { batch_size: 128, lr: 0.001, ..Usual::epochs(20) },
            false => Usual::epochs(100),
        }
    }

    fn refuses(&self) -> &'static [&'static str] {
        super::OF_ROWS
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let images = config.data.images(config, Scale::Unit)?;
        let (channels, size) = images.square()?;
        let observation = self.gaussian.map_or(Observation::Bernoulli, Observation::Gaussian);
        let mut rng = Rng::seed(config.seed);
        let (data, model) = if self.convolutional {
            ensure!(size.is_multiple_of(4), "expected images whose side is a multiple of 4, found {size}");
            let model = zoo::Vae::convolutional(channels, size, self.channels, self.latent, &mut rng);
            (images, model.with(observation, self.beta))
        } else {
            let data = config.data.rows(config, Scale::Unit)?;
            let shape = zoo::VaeConfig {
                inputs: data.first(),
                hidden: self.hidden.clone(),
                latent: self.latent,
                activation: self.activation.into(),
                observation,
                beta: self.beta,
            };
            (data, zoo::Vae::dense(&shape, &mut rng))
        };
        let shape = [channels, size, size];
        let held_out = data.test.inputs().slice(0, ..SHOWN.min(data.test.len()))?;
        let seed = config.seed;
        Supervised::new(model, data.train, data.test, elbo())
            .makes(move |model, wanted| {
                let samples = model.sample(wanted.count.unwrap_or(SHOWN), &mut Rng::seed(wanted.seed))?;
                Ok(Sample::Images(laid_out(&samples, shape)?))
            })
            .shows(move |model| {
                let (samples, again) =
                    (model.sample(SHOWN, &mut Rng::seed(seed))?, model.reconstruct(&held_out)?);
                Ok(vec![
                    ("samples", laid_out(&samples, shape)?),
                    ("reconstructions", side_by_side(&held_out, &again, shape)?),
                ])
            })
            .boxed()
    }
}

/// The evidence lower bound, in nats a sample, and its parts.
pub(super) fn elbo() -> impl Task<zoo::Vae<f32>, Batch> {
    task(|model: &zoo::Vae<f32>, batch: &Batch, tape: &Tape<f32>| {
        let elbo = model.elbo(tape.constant(&batch.inputs));
        let n = batch.len() as f64;
        let (likelihood, divergence) = (elbo.likelihood.mean().item()?, elbo.divergence.mean().item()?);
        let (likelihood, divergence) = (f64::from(likelihood), f64::from(divergence));
        let dims = batch.inputs.numel() / batch.len().max(1);
        // Without the weight of the divergence, which makes another loss, not another bound.
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

/// Rows or images as images, with values from 0 to 1.
pub(super) fn laid_out(samples: &Tensor<f32>, shape: [usize; 3]) -> Result<Tensor<f32>> {
    let [c, h, w] = shape;
    let n = samples.shape()[0];
    Ok(samples.reshape([n, c, h, w])?.map(|v| v.clamp(0.0, 1.0)))
}

/// A row of eight images as they are, then the same eight as they come out, and so on.
pub(super) fn side_by_side(a: &Tensor<f32>, b: &Tensor<f32>, shape: [usize; 3]) -> Result<Tensor<f32>> {
    let (a, b) = (laid_out(a, shape)?, laid_out(b, shape)?);
    let n = a.shape()[0];
    let mut rows = Vec::new();
    for from in (0..n).step_by(8) {
        let row = from..(from + 8).min(n);
        // What is not a whole row would shift the rest.
        if row.len() == 8 {
            rows.push(a.slice(0, row.clone())?);
            rows.push(b.slice(0, row)?);
        }
    }
    Ok(Tensor::concat(&rows, 0)?)
}
