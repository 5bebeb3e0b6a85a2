//! The options of learning from few labels and many images.

use super::pixels::{first_samples, reconstructions, vae_samples};
use super::vae::elbo;
use super::{About, Experiment, Model, NOT_FOR_ROWS, Supervised};
use crate::data::Scale;
use crate::options::names::{Data, IMAGES};
use crate::options::{DataOptions, Defaults, values};
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::data::Batch;
use wengert::nn::dist::Distribution;
use wengert::nn::zoo::{self, Observation, ReconstructionLoss};
use wengert::nn::{Activation, Dropout, Layer, Linear, Sequential};
use wengert::ops::Tensor;
use wengert::ops::random::Rng;
use wengert::train::{Outcome, task};

const MAX_WIDTH: usize = 1 << 14;
/// The default number of labels.
const DEFAULT_LABELS: usize = 100;

const EXAMPLES: &str = "\
Examples:
  wengert train semi-supervised
  wengert train semi-supervised --data fashion-mnist --labels 600 --seed 3
  wengert train semi-supervised --autoencoder variational --latent 20 --hidden 400";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SemiSupervisedOptions {
    /// What learns from all images
    #[arg(long, value_name = "NAME", default_value = "denoising", help_heading = "Model")]
    autoencoder: AutoencoderKind,

    /// The dimensions of z [default: 1024 for the denoising one, 20 for the variational one]
    #[arg(long, value_name = "N", value_parser = values::count::<MAX_WIDTH>, help_heading = "Model")]
    latent: Option<usize>,

    /// The part of the pixels that is hidden from the denoising one
    #[arg(long, value_name = "PART", default_value_t = 0.3, value_parser = values::dropout)]
    #[arg(help_heading = "Model")]
    hide: f64,

    /// The widths of the variational encoder's hidden layers; the decoder has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "400")]
    #[arg(value_parser = values::count::<MAX_WIDTH>, help_heading = "Model")]
    hidden: Vec<usize>,

    /// The weight of the variational divergence
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    beta: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AutoencoderKind {
    /// Pixels are hidden, and guessed from a wide z (Vincent et al. 2008)
    Denoising,
    /// The model M1 of Kingma et al. 2014
    Variational,
}

impl Model for SemiSupervisedOptions {
    fn about(&self) -> About {
        About {
            name: "semi-supervised",
            data: IMAGES,
            expect: "94 % of the digits from 100 labels, where pixels give 90 %",
            refuses: NOT_FOR_ROWS,
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 128, lr: 0.001, ..Defaults::epochs(5) },
            false => Defaults { batch_size: 64, ..Defaults::epochs(50) },
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let latent = self.latent.unwrap_or(match self.autoencoder {
            AutoencoderKind::Denoising => 1024,
            AutoencoderKind::Variational => 20,
        });
        // The model learns from all images, but only from few labels.
        let all = DataOptions { labels: None, ..options.clone() };
        let few = DataOptions { labels: Some(options.labels.unwrap_or(DEFAULT_LABELS)), ..options.clone() };
        let data = all.rows(Scale::Unit)?;
        let labelled = few.rows(Scale::Unit)?.plain;
        let (channels, size) = few.images(Scale::Unit)?.square()?;
        let (inputs, shape) = (data.first_axis(), [channels, size, size]);
        let originals = first_samples(&data.test)?;
        let mut rng = Rng::seed(options.seed);
        match self.autoencoder {
            AutoencoderKind::Denoising => {
                let encoder =
                    Sequential::new().push(Linear::new(inputs, latent, &mut rng)).push(Activation::Relu);
                let decoder = Sequential::new().push(Linear::new(latent, inputs, &mut rng));
                let model = zoo::Autoencoder::new(encoder, decoder).with(ReconstructionLoss::Bernoulli);
                let hide = Dropout::new(self.hide);
                let guess = task(move |model: &zoo::Autoencoder<f32>, batch: &Batch, tape: &Tape<f32>| {
                    let x = tape.constant(&batch.inputs);
                    Outcome::of(model.denoising_loss(hide.forward(x), x), batch.len())
                });
                let z = |model: &zoo::Autoencoder<f32>, x: &Tensor<f32>| {
                    Ok(model.encode(Tape::eval().constant(x)).value()?)
                };
                Supervised::new(model, data.train, data.test, guess)
                    .pictures(move |model| {
                        Ok(vec![reconstructions(&originals, &model.reconstruct(&originals)?, shape)?])
                    })
                    .with_head((latent, z), labelled)
            }
            AutoencoderKind::Variational => {
                let config = zoo::VaeConfig {
                    inputs,
                    hidden: self.hidden.clone(),
                    latent,
                    activation: Activation::Relu,
                    observation: Observation::Bernoulli,
                    beta: self.beta,
                };
                let vae = zoo::Vae::dense(&config, &mut rng);
                let z = |vae: &zoo::Vae<f32>, x: &Tensor<f32>| {
                    Ok(vae.encode(Tape::eval().constant(x)).mean().value()?)
                };
                Supervised::new(vae, data.train, data.test, elbo())
                    .generates(move |vae, options| vae_samples(vae, options, shape))
                    .pictures(move |vae| {
                        Ok(vec![reconstructions(&originals, &vae.reconstruct(&originals)?, shape)?])
                    })
                    .with_head((latent, z), labelled)
            }
        }
    }
}
