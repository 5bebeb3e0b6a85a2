//! Models that generate samples: autoencoders, and adversarial pairs.

use super::{descend, mean_sample, survives, trains_alike, trains_otherwise};
use wengert_data::{Classification, Loader, digits};
use wengert_nn::optim::{Adam, AdamConfig};
use wengert_nn::zoo::{
    Autoencoder, AutoencoderConfig, DcganConfig, GanConfig, GanLoss, Observation, ReconstructionLoss, Vae,
    VaeConfig, dcgan, dense_gan, noise,
};
use wengert_nn::{Layer, Sequential};
use wengert_ops::Tensor;
use wengert_ops::random::{Key, Rng};
use wengert_tape::Tape;
use wengert_train::{Adversarial, FitConfig, fit};

/// Training and test digits, each sample in the given shape.
fn data(sample: &[usize]) -> (Classification, Classification) {
    digits().unwrap().reshaped(sample.to_vec()).unwrap().stratified_split(0.2, 0).unwrap()
}

/// The batch of a step.
fn batch(data: &Classification, step: usize) -> Tensor<f32> {
    let from = step * 64 % (data.len() - 64);
    data.inputs().slice(0, from..from + 64).unwrap().contiguous()
}

fn mean_square(x: &Tensor<f32>) -> f64 {
    x.to_vec().iter().map(|v| f64::from(v * v)).sum::<f64>() / x.numel() as f64
}

/// The share of the pixels' variance that is lost: 1 if every image is reconstructed as the mean image, 0 if it is reconstructed
/// exactly.
fn lost(data: &Classification, back: &Tensor<f32>) -> f64 {
    let x = data.inputs();
    let spread = x.sub(mean_sample(x)).unwrap();
    mean_square(&x.sub(back).unwrap()) / mean_square(&spread)
}

fn autoencoder(new: impl Fn(u64) -> Autoencoder<f32>, sample: &[usize], rate: f64, steps: usize, most: f64) {
    let ((train, test), mut model) = (data(sample), new(0));
    descend(&mut model, rate, steps, |model, tape, step| model.loss(tape.constant(batch(&train, step))));
    let lost = lost(&test, &model.reconstruct(test.inputs()).unwrap());
    assert!(lost < most, "{lost}");
    let code = |model: &Autoencoder<f32>, tape: &Tape<f32>| {
        model.decode(model.encode(tape.constant(test.inputs()))).value().unwrap()
    };
    survives(&model, new(1), code);
    trains_alike(&model, code);
}

#[test]
fn dense_autoencoder() {
    for loss in [ReconstructionLoss::Squared, ReconstructionLoss::Bernoulli] {
        let config = AutoencoderConfig {
            inputs: 64,
            hidden: vec![48],
            latent: 10,
            loss,
            ..AutoencoderConfig::default()
        };
        autoencoder(|seed| Autoencoder::dense(&config, &mut Rng::seed(seed)), &[64], 3e-3, 400, 0.4);
    }
}

#[test]
fn convolutional_autoencoder() {
    let new = |seed| Autoencoder::convolutional(1, 8, 8, 10, &mut Rng::seed(seed));
    autoencoder(new, &[1, 8, 8], 5e-3, 300, 0.4);
}

/// A model whose bound is better than that of independent pixels, and that reconstructs its input.
fn vae(new: impl Fn(u64) -> Vae<f32>, sample: &[usize], rate: f64, steps: usize, most: f64) -> Vae<f32> {
    let ((train, test), mut model) = (data(sample), new(0));
    descend(&mut model, rate, steps, |model, tape, step| {
        -model.elbo(tape.constant(batch(&train, step))).bound.mean()
    });
    let lost = lost(&test, &model.reconstruct(test.inputs()).unwrap());
    assert!(lost < most, "{lost}");
    let tape = Tape::eval();
    let elbo = model.elbo(tape.constant(test.inputs()));
    let bound = elbo.bound.mean().item().unwrap();
    // The same observation model with the mean image for every sample.
    let mean = mean_sample(train.inputs()).expand(test.inputs().shape()).unwrap();
    let decoded = match model.observation {
        Observation::Bernoulli => mean.map(|p| (p.clamp(1e-3, 0.999) / (1.0 - p.clamp(1e-3, 0.999))).ln()),
        Observation::Gaussian(_) => mean,
    };
    let known =
        model.log_likelihood(tape.constant(decoded), tape.constant(test.inputs())).mean().item().unwrap();
    assert!(bound > known + 1.0, "{bound} nats, {known} by the mean image");
    assert!(elbo.divergence.mean().item().unwrap() > 1.0, "z says something");
    let decoded = |model: &Vae<f32>, _: &Tape<f32>| model.reconstruct(test.inputs()).unwrap();
    survives(&model, new(1), decoded);
    // Samples are images: no pixel is outside the range from white to black, and the mean brightness is that of the digits.
    let made = model.sample(200, &mut Rng::seed(0)).unwrap().to_vec();
    let brightness = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
    let (real, made) = (brightness(&test.inputs().to_vec()), brightness(&made));
    assert!((real - made).abs() < 0.05, "{real} {made}");
    model
}

#[test]
fn dense_vae() {
    let config = VaeConfig { inputs: 64, hidden: vec![48], latent: 6, ..VaeConfig::default() };
    let model = vae(|seed| Vae::dense(&config, &mut Rng::seed(seed)), &[64], 5e-3, 400, 0.75);
    // z is drawn from the tape's stream.
    let x = data(&[64]).1.inputs().slice(0, ..4).unwrap();
    trains_otherwise(&model, |model, tape| model.elbo(tape.constant(&x)).bound.value().unwrap());
}

#[test]
fn gaussian_vae() {
    let observation = Observation::Gaussian(0.2);
    let config = VaeConfig { inputs: 64, hidden: vec![48], latent: 6, observation, ..VaeConfig::default() };
    vae(|seed| Vae::dense(&config, &mut Rng::seed(seed)), &[64], 5e-3, 400, 0.6);
}

#[test]
fn convolutional_vae() {
    vae(|seed| Vae::convolutional(1, 8, 8, 6, &mut Rng::seed(seed)), &[1, 8, 8], 5e-3, 700, 0.75);
}

const LATENT: usize = 8;

/// Samples of a generator in [-1, 1].
fn made(generator: &Sequential<f32>, n: usize) -> Tensor<f32> {
    let z = noise(n, LATENT, Key { seed: 99, stream: 0 }).unwrap();
    generator.forward(Tape::eval().constant(z)).value().unwrap()
}

/// How far the mean and the spread of each pixel of the generated samples are from those of the data: 1 for mid-grey images.
fn distance(data: &Classification, made: &Tensor<f32>) -> f64 {
    let moments = |x: &Tensor<f32>| {
        let x = x.reshape([x.shape()[0], 64]).unwrap();
        let mean = mean_sample(&x);
        let spread = x.sub(&mean).unwrap();
        (mean, mean_sample(&spread.mul(&spread).unwrap()).map(f32::sqrt))
    };
    let (real, made) = (moments(data.inputs()), moments(made));
    let all = mean_square(&real.0) + mean_square(&real.1);
    (mean_square(&real.0.sub(&made.0).unwrap()) + mean_square(&real.1.sub(&made.1).unwrap())) / all
}

/// Trains for a number of epochs, until the generated samples have the pixels' means and spreads.
fn played(
    new: impl Fn(u64) -> (Sequential<f32>, Sequential<f32>),
    sample: &[usize],
    game: GanLoss,
    critics: usize,
    rate: f64,
    epochs: usize,
    most: f64,
) -> (Sequential<f32>, Sequential<f32>) {
    let (train, test) = data(sample);
    let scaled = |data: &Classification| {
        Classification::new(data.inputs().map(|v| 2.0 * v - 1.0), data.labels().clone(), 10).unwrap()
    };
    let (train, test) = (scaled(&train), scaled(&test));
    let (mut generator, mut discriminator) = new(0);
    let before = distance(&test, &made(&generator, 200));
    let adam = || Adam::with_config(AdamConfig { learning_rate: rate, beta1: 0.5, ..AdamConfig::default() });
    let (mut g, mut d) = (adam(), adam());
    let players = ((&mut generator, &mut g as _), (&mut discriminator, &mut d as _));
    let mut learner = Adversarial::new(players.0, players.1, game, LATENT).critic_steps(critics);
    let config = FitConfig { epochs, ..FitConfig::default() };
    fit(&mut learner, &Loader::new(&train, 64, 0).unwrap(), &test, &config, &mut ()).unwrap();
    drop(learner);
    let after = distance(&test, &made(&generator, 200));
    assert!(before > 0.8 && after < most, "{before} before, {after} after");
    let (fresh, other) = new(1);
    survives(&generator, fresh, |generator, _| made(generator, 4));
    let x = test.inputs().slice(0, ..8).unwrap();
    survives(&discriminator, other, |d, tape| d.forward(tape.constant(&x)).value().unwrap());
    (generator, discriminator)
}

fn dense(seed: u64) -> (Sequential<f32>, Sequential<f32>) {
    let config = GanConfig { latent: LATENT, hidden: vec![64], outputs: 64, ..GanConfig::default() };
    dense_gan(&config, &mut Rng::seed(seed))
}

#[test]
fn gan() {
    played(dense, &[64], GanLoss::NonSaturating, 1, 2e-3, 15, 0.2);
}

#[test]
fn wasserstein_gan() {
    played(dense, &[64], GanLoss::Wasserstein(10.0), 3, 3e-3, 15, 0.2);
}

#[test]
fn convolutional_gan() {
    let config = DcganConfig { latent: LATENT, channels: 1, size: 8, width: 8 };
    let new = |seed| dcgan(&config, &mut Rng::seed(seed));
    let (generator, _) = played(new, &[1, 8, 8], GanLoss::NonSaturating, 1, 2e-3, 6, 0.3);
    let z = noise(16, LATENT, Key { seed: 1, stream: 0 }).unwrap();
    trains_otherwise(&generator, |g, tape| g.forward(tape.constant(&z)).value().unwrap());
}
