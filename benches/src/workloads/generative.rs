//! Generative models.

use super::RATE;
use super::run::{Run, start, training_on};
use anyhow::Result;
use wengert::nn::state::AnyTensor;
use wengert::nn::zoo::{GanConfig, GanLoss, Vae, VaeConfig, dense_gan};
use wengert::ops::random::normal;
use wengert::prelude::*;

/// W7: VAE 784-400-(20, 20)-400-784, Bernoulli, batch 128, Adam. Each step draws new noise.
pub(super) fn vae() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let model = Vae::<f32>::dense(&VaeConfig::default(), &mut rng);
    let x = Tensor::<f32>::rand([128, 784], &mut rng)?;
    // The numbers that the first step draws from its tape.
    let tape = Tape::train(0);
    tape.set_rng(rng.clone());
    let noise = normal::<f32>([128, 20], 0.0, 1.0, rng.next_key())?;
    let inputs = [("x", AnyTensor::of(&x)), ("noise", AnyTensor::of(&noise))];
    training_on(tape, model, Adam::new(RATE), &inputs, move |model, tape| {
        -model.elbo(tape.constant(&x)).bound.mean()
    })
}

/// W8: GAN, G 64-256-512-784 with tanh, D 784-512-256-1, leaky ReLU, batch 64; a step of D, then one of G, Adam each. Each
/// step generates one batch for both. Its loss is the sum of both losses.
pub(super) fn gan() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let (mut generator, mut discriminator) = dense_gan::<f32>(&GanConfig::default(), &mut rng);
    let real = Tensor::<f32>::rand([64, 784], &mut rng)?.map(|v| 2.0 * v - 1.0);
    let noise = Tensor::<f32>::randn([64, 64], &mut rng)?;
    let inputs = [("real", AnyTensor::of(&real)), ("noise", AnyTensor::of(&noise))];
    let start = start(&[("model.generator", &generator), ("model.discriminator", &discriminator)], &inputs);
    let (mut g, mut d) = (Adam::new(RATE), Adam::new(RATE));
    let (mut game, mut judge) = (Tape::train(0), Tape::train(1));
    let step = move || {
        game.reset();
        judge.reset();
        let fake = generator.forward(game.constant(&noise));
        let both = [judge.constant(&real), judge.constant(fake.value()?)].map(|x| discriminator.forward(x));
        let loss = GanLoss::NonSaturating.discriminator_loss(both[0], both[1]);
        let first = loss.item()?;
        d.step(&mut discriminator, &loss.backward()?)?;
        let loss = GanLoss::NonSaturating.generator_loss(discriminator.forward(fake));
        let second = loss.item()?;
        g.step(&mut generator, &loss.backward()?)?;
        Ok(Tensor::scalar(first + second))
    };
    Ok(Run { step: Box::new(step), start })
}
