//! Two adversarial pairs on the digits, dense and convolutional: a step of the discriminator, then one of the generator.

use crate::mlp::digits_as;
use crate::model::{Entry, Model};
use crate::plan::{Method, Pace, Plan, Updater};
use crate::samples::{Batch, Sets};
use anyhow::Result;
use wengert::nn::optim::AdamConfig;
use wengert::nn::zoo::{DcganConfig, GanConfig, GanLoss, dcgan, dense_gan};
use wengert::prelude::*;

const BATCH: usize = 32;
const LATENT: usize = 8;

struct Gan<T: Float> {
    generator: Sequential<T>,
    discriminator: Sequential<T>,
}

impl<T: Float> Model<T> for Gan<T> {
    fn parts(&self) -> Vec<(&'static str, &dyn Module)> {
        vec![("generator", &self.generator), ("discriminator", &self.discriminator)]
    }

    fn step(&mut self, tape: &mut Tape<T>, batch: &Batch<T>, updater: &mut Updater<T>) -> Result<Vec<f64>> {
        let Gan { generator, discriminator } = self;
        let noise = batch.noise(&[2, BATCH, LATENT])?;
        tape.reset();
        let fake = generator.forward(tape.constant(noise.select(0, 0)?)).detach();
        let real = tape.constant(batch.numbers("x")?);
        let loss = GanLoss::NonSaturating
            .discriminator_loss(discriminator.forward(real), discriminator.forward(fake));
        let d = updater.update(0, discriminator, Some(generator), loss)?;
        tape.reset();
        let fake = generator.forward(tape.constant(noise.select(0, 1)?));
        let loss = GanLoss::NonSaturating.generator_loss(discriminator.forward(fake));
        let g = updater.update(1, generator, Some(discriminator), loss)?;
        Ok(vec![d, g])
    }

    /// The energy distance between generated samples x and test samples y, 2 E|x - y| - E|x - x'| - E|y - y'|.
    fn metric(&self, test: &Batch<T>) -> Result<f64> {
        let real = test.numbers("x")?;
        let n = real.shape()[0];
        let real = real.reshape([n, real.numel() / n])?;
        let tape = Tape::eval();
        let fake = self.generator.forward(tape.constant(test.noise(&[n, LATENT])?)).value()?;
        let fake = fake.reshape([n, fake.numel() / n])?;
        let mean = |a: &Tensor<T>, b: &Tensor<T>| -> Result<f64> {
            Ok(a.cdist(b, 2.0)?.sum().item()?.to_f64() / (n * n) as f64)
        };
        Ok(2.0 * mean(&real, &fake)? - mean(&real, &real)? - mean(&fake, &fake)?)
    }
}

fn plan() -> Plan {
    let adam = AdamConfig { learning_rate: 2e-3, beta1: 0.5, ..AdamConfig::default() };
    Plan {
        method: Method::Adam(adam),
        pace: Pace::Constant,
        clip: None,
        batch: BATCH,
        epochs: 6,
        parts: 2,
        metric: "energy distance",
    }
}

/// The digits, scaled to [-1, 1].
fn signed(shape: &[usize]) -> Result<Sets> {
    let Sets { train, test } = digits_as(shape)?;
    Ok(Sets { train: train.map("x", |v| 2.0 * v - 1.0), test: test.map("x", |v| 2.0 * v - 1.0) })
}

pub(crate) fn dense() -> Entry {
    fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        let config =
            GanConfig { latent: LATENT, hidden: vec![32, 64], outputs: 64, output: Activation::Tanh };
        let (generator, discriminator) = dense_gan(&config, rng);
        Box::new(Gan { generator, discriminator })
    }
    Entry {
        name: "dense_gan",
        plan: plan(),
        sets: || signed(&[64]),
        noise: Some(vec![2, BATCH, LATENT]),
        single: build,
        double: build,
    }
}

pub(crate) fn convolutional() -> Entry {
    fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
        let (generator, discriminator) =
            dcgan(&DcganConfig { latent: LATENT, channels: 1, size: 8, width: 8 }, rng);
        Box::new(Gan { generator, discriminator })
    }
    Entry {
        name: "dcgan",
        plan: plan(),
        sets: || signed(&[1, 8, 8]),
        noise: Some(vec![2, BATCH, LATENT]),
        single: build,
        double: build,
    }
}
