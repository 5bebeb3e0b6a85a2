//! Generative models.

use super::{RATE, Step};
use anyhow::Result;
use wengert::nn::zoo::{GanConfig, GanLoss, Vae, VaeConfig, dense_gan};
use wengert::prelude::*;

/// W7: VAE 784-400-(20, 20)-400-784, Bernoulli, batch 128, Adam. Each step draws new noise.
pub(super) fn vae() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let mut model = Vae::<f32>::dense(&VaeConfig::default(), &mut rng);
    let x = Tensor::rand([128, 784], &mut rng)?;
    let mut optimizer = Adam::new(RATE);
    let mut tape = Tape::train(0);
    Ok(Box::new(move || {
        tape.reset();
        let loss = -model.elbo(tape.constant(&x)).bound.mean();
        optimizer.step(&mut model, &loss.backward()?)?;
        Ok(())
    }))
}

/// W8: GAN, G 64-256-512-784 with tanh, D 784-512-256-1, leaky ReLU, batch 64; a step of D, then one of G, Adam each. Each
/// step generates one batch for both.
pub(super) fn gan() -> Result<Step> {
    let mut rng = Rng::seed(0);
    let (mut generator, mut discriminator) = dense_gan::<f32>(&GanConfig::default(), &mut rng);
    let real = Tensor::<f32>::rand([64, 784], &mut rng)?.map(|v| 2.0 * v - 1.0);
    let noise = Tensor::randn([64, 64], &mut rng)?;
    let (mut g, mut d) = (Adam::new(RATE), Adam::new(RATE));
    let (mut game, mut judge) = (Tape::train(0), Tape::train(1));
    Ok(Box::new(move || {
        game.reset();
        judge.reset();
        let fake = generator.forward(game.constant(&noise));
        let both = [judge.constant(&real), judge.constant(fake.value()?)].map(|x| discriminator.forward(x));
        let loss = GanLoss::NonSaturating.discriminator_loss(both[0], both[1]);
        d.step(&mut discriminator, &loss.backward()?)?;
        let loss = GanLoss::NonSaturating.generator_loss(discriminator.forward(fake));
        g.step(&mut generator, &loss.backward()?)?;
        Ok(())
    }))
}
