//! The options of learning from few labels and many images.

use super::represented::Represented;
use super::vae::{elbo, laid_out, side_by_side};
use super::{Experiment, Model, SHOWN, Sample, Usual};
use crate::config::Config;
use crate::data::{Data, IMAGES, Scale};
use crate::values;
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::nn::Activation;
use wengert::nn::dist::Distribution;
use wengert::nn::zoo::{self, Observation};
use wengert::ops::Tensor;
use wengert::ops::random::Rng;

const WIDEST: usize = 1 << 14;
/// The labels that are known if nothing else is said.
const LABELS: usize = 100;

const EXAMPLES: &str = "\
Examples:
  wengert train semi-supervised
  wengert train semi-supervised --data fashion-mnist --labels 600 --seed 3";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SemiSupervised {
    /// The widths of the encoder's hidden layers; the decoder has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "400")]
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
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = values::count::<4096>)]
    #[arg(help_heading = "Model")]
    latent: usize,

    /// The weight of the divergence
    #[arg(long, value_name = "WEIGHT", default_value_t = 1.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    beta: f64,
}

impl Model for SemiSupervised {
    fn name(&self) -> &'static str {
        "semi-supervised"
    }

    fn data(&self) -> &'static [Data] {
        IMAGES
    }

    fn expect(&self) -> &'static str {
        "more right on z than on pixels, with the labels of 100 images"
    }

    fn usual(&self, data: Data) -> Usual {
        match data.is_large() {
            true => Usual { batch_size: 128, lr: 0.001, ..Usual::epochs(20) },
            false => Usual { batch_size: 64, ..Usual::epochs(50) },
        }
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let fits = self.hidden.iter().chain([&self.latent]).all(|w| (1..=WIDEST).contains(w));
        ensure!(fits, "expected widths from 1 to {WIDEST}, found {:?} and {}", self.hidden, self.latent);
        // All images are looked at, and few labels.
        let (labels, all) = (config.labels.unwrap_or(LABELS), Config { labels: None, ..config.clone() });
        let few = Config { labels: Some(labels), augment: Vec::new(), ..config.clone() };
        let images = config.data.images(&all, Scale::Unit)?;
        let (channels, size) = images.square()?;
        let mut rng = Rng::seed(config.seed);
        let (data, labelled, vae) = if self.convolutional {
            ensure!(size.is_multiple_of(4), "expected images whose side is a multiple of 4, found {size}");
            let vae = zoo::Vae::convolutional(channels, size, self.channels, self.latent, &mut rng);
            (
                images,
                config.data.images(&few, Scale::Unit)?.plain,
                vae.with(Observation::Bernoulli, self.beta),
            )
        } else {
            let data = config.data.rows(&all, Scale::Unit)?;
            let shape = zoo::VaeConfig {
                inputs: data.first(),
                hidden: self.hidden.clone(),
                latent: self.latent,
                activation: Activation::Relu,
                observation: Observation::Bernoulli,
                beta: self.beta,
            };
            let labelled = config.data.rows(&few, Scale::Unit)?.plain;
            (data, labelled, zoo::Vae::dense(&shape, &mut rng))
        };
        let shape = [channels, size, size];
        let held_out = data.test.inputs().slice(0, ..SHOWN.min(data.test.len()))?;
        let z =
            |vae: &zoo::Vae<f32>, x: &Tensor<f32>| Ok(vae.encode(Tape::eval().constant(x)).mean().value()?);
        Represented::new(vae, (data.train, data.test), elbo(), (self.latent, z), labelled)
            .makes(move |vae, wanted| {
                let made = vae.sample(wanted.count.unwrap_or(SHOWN), &mut Rng::seed(wanted.seed))?;
                Ok(Sample::Images(laid_out(&made, shape)?))
            })
            .shows(move |vae| {
                Ok(vec![("reconstructions", side_by_side(&held_out, &vae.reconstruct(&held_out)?, shape)?)])
            })
            .boxed()
    }
}
