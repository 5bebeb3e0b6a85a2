//! The variational autoencoder's options.

use super::{Setup, Use};
use crate::config::Config;
use crate::data::{Data, Source};
use crate::values::{self, Activation};
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use wengert::Tape;
use wengert::data::Batch;
use wengert::nn::zoo::{self, Observation};
use wengert::ops::random::Rng;
use wengert::train::{Outcome, task};

const WIDEST: usize = 1 << 14;

pub(crate) const DATA: &[Data] = &[Data::Digits, Data::FashionSample, Data::FashionMnist];
pub(crate) const EXPECT: &str = "about 20 nats an image of the digits";

const EXAMPLES: &str = "\
Examples:
  wengert train vae
  wengert train vae --data fashion-sample --hidden 400 --latent 20 --beta 1";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Vae {
    /// The widths of the encoder's hidden layers; the decoder has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "128")]
    #[arg(value_parser = values::count::<WIDEST>, help_heading = "Model")]
    hidden: Vec<usize>,

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
}

impl Vae {
    pub(crate) fn with<U: Use>(&self, config: &Config, to: U) -> Result<U::Out> {
        let fits = self.hidden.iter().chain([&self.latent]).all(|w| (1..=WIDEST).contains(w));
        ensure!(fits, "expected widths from 1 to {WIDEST}, found {:?} and {}", self.hidden, self.latent);
        let (train, test) = config.data.classes(config)?;
        let shape = zoo::VaeConfig {
            inputs: train.inputs().shape()[1],
            hidden: self.hidden.clone(),
            latent: self.latent,
            activation: self.activation.into(),
            observation: Observation::Bernoulli,
            beta: self.beta,
        };
        let model = zoo::Vae::dense(&shape, &mut Rng::seed(config.seed));
        let task = task(|model: &zoo::Vae<f32>, batch: &Batch, tape: &Tape<f32>| {
            let elbo = model.elbo(tape.constant(&batch.inputs));
            let n = batch.len() as f64;
            let (likelihood, divergence) = (elbo.likelihood.mean().item()?, elbo.divergence.mean().item()?);
            Ok(Outcome::of(-elbo.bound.mean(), batch.len())?.measured(|m| {
                m.mean("reconstruction", -f64::from(likelihood), n).mean("divergence", divergence.into(), n)
            }))
        });
        to.with(Setup { model, train, test, task })
    }
}
