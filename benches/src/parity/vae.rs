//! A dense variational autoencoder for the digits.

use crate::mlp::digits_as;
use crate::model::{Entry, Model, Single};
use crate::plan::{Method, Pace, Plan};
use wengert::nn::optim::AdamConfig;
use wengert::nn::zoo::{Vae, VaeConfig};
use wengert::prelude::*;

const BATCH: usize = 32;
const LATENT: usize = 4;

pub(crate) fn entry() -> Entry {
    let adam = AdamConfig { learning_rate: 3e-3, ..AdamConfig::default() };
    Entry {
        name: "vae",
        plan: Plan {
            method: Method::Adam(adam),
            pace: Pace::Constant,
            clip: None,
            batch: BATCH,
            epochs: 5,
            parts: 1,
            metric: "loss, nats an image",
        },
        sets: || digits_as(&[64]),
        noise: Some(vec![BATCH, LATENT]),
        single: build,
        double: build,
    }
}

fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
    let config = VaeConfig { inputs: 64, hidden: vec![64, 32], latent: LATENT, ..VaeConfig::default() };
    Box::new(Single {
        model: Vae::dense(&config, rng),
        loss: |model: &Vae<T>, tape, batch| Ok(-model.elbo(tape.constant(batch.numbers("x")?)).bound.mean()),
        metric: |this, test| {
            let tape = Tape::eval();
            tape.set_rng(test.rng.clone());
            Ok((this.loss)(&this.model, &tape, test)?.item()?.to_f64())
        },
    })
}
