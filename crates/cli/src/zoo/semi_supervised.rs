//! The options of learning from few labels and many images.

use super::represented::Represented;
use super::vae::{elbo, laid_out, side_by_side};
use super::{Experiment, Model, Picture, SHOWN, Sample, Usual};
use crate::config::Config;
use crate::data::{Data, IMAGES, Scale};
use crate::values;
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

const WIDEST: usize = 1 << 14;
/// The labels that are known if nothing else is said.
const LABELS: usize = 100;

const EXAMPLES: &str = "\
Examples:
  wengert train semi-supervised
  wengert train semi-supervised --data fashion-mnist --labels 600 --seed 3
  wengert train semi-supervised --autoencoder variational --latent 20 --hidden 400";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SemiSupervised {
    /// What learns from all images
    #[arg(long, value_name = "NAME", default_value = "denoising", help_heading = "Model")]
    autoencoder: Kind,

    /// The dimensions of z [default: 1024 for the denoising one, 20 for the variational one]
    #[arg(long, value_name = "N", value_parser = values::count::<WIDEST>, help_heading = "Model")]
    latent: Option<usize>,

    /// The part of the pixels that is hidden from the denoising one
    #[arg(long, value_name = "PART", default_value_t = 0.3, value_parser = values::dropout)]
    #[arg(help_heading = "Model")]
    hide: f64,

    /// The widths of the variational encoder's hidden layers; the decoder has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "400")]
    #[arg(value_parser = values::count::<WIDEST>, help_heading = "Model")]
    hidden: Vec<usize>,

    /// The weight of the variational divergence
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    beta: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Pixels are hidden, and guessed from a wide z (Vincent et al. 2008)
    Denoising,
    /// The model M1 of Kingma et al. 2014
    Variational,
}

impl Model for SemiSupervised {
    fn name(&self) -> &'static str {
        "semi-supervised"
    }

    fn data(&self) -> &'static [Data] {
        IMAGES
    }

    fn expect(&self) -> &'static str {
        "94 % of the digits from 100 labels, where pixels give 90 %"
    }

    fn usual(&self, data: Data) -> Usual {
        match data.is_large() {
            true => Usual { batch_size: 128, lr: 0.001, ..Usual::epochs(5) },
            false => Usual { batch_size: 64, ..Usual::epochs(50) },
        }
    }

    fn refuses(&self) -> &'static [&'static str] {
        super::OF_ROWS
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let latent = self.latent.unwrap_or(match self.autoencoder {
            Kind::Denoising => 1024,
            Kind::Variational => 20,
        });
        // All images are looked at, and few labels.
        let (labels, all) = (config.labels.unwrap_or(LABELS), Config { labels: None, ..config.clone() });
        let few = Config { labels: Some(labels), ..config.clone() };
        let data = config.data.rows(&all, Scale::Unit)?;
        let labelled = config.data.rows(&few, Scale::Unit)?.plain;
        let (channels, size) = config.data.images(&few, Scale::Unit)?.square()?;
        let (inputs, shape) = (data.first(), [channels, size, size]);
        let held_out = data.test.inputs().slice(0, ..SHOWN.min(data.test.len()))?;
        let mut rng = Rng::seed(config.seed);
        match self.autoencoder {
            Kind::Denoising => {
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
                Represented::new(model, (data.train, data.test), guess, (latent, z), labelled)
                    .shows(move |model| reconstructions(&held_out, &model.reconstruct(&held_out)?, shape))
                    .boxed()
            }
            Kind::Variational => {
                let shape_of = zoo::VaeConfig {
                    inputs,
                    hidden: self.hidden.clone(),
                    latent,
                    activation: Activation::Relu,
                    observation: Observation::Bernoulli,
                    beta: self.beta,
                };
                let vae = zoo::Vae::dense(&shape_of, &mut rng);
                let z = |vae: &zoo::Vae<f32>, x: &Tensor<f32>| {
                    Ok(vae.encode(Tape::eval().constant(x)).mean().value()?)
                };
                Represented::new(vae, (data.train, data.test), elbo(), (latent, z), labelled)
                    .makes(move |vae, wanted| {
                        let n = wanted.count.unwrap_or(SHOWN);
                        Ok(Sample::Images(laid_out(&vae.sample(n, &mut Rng::seed(wanted.seed))?, shape)?))
                    })
                    .shows(move |vae| reconstructions(&held_out, &vae.reconstruct(&held_out)?, shape))
                    .boxed()
            }
        }
    }
}

fn reconstructions(held_out: &Tensor<f32>, again: &Tensor<f32>, shape: [usize; 3]) -> Result<Vec<Picture>> {
    Ok(vec![("reconstructions", side_by_side(held_out, again, shape)?)])
}
