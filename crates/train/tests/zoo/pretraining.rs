//! Representations learned without labels, judged by the accuracy that they allow with a few labels.

use super::{accuracy, descend, mean_sample, survives, trains_alike, trains_otherwise};
use wengert_data::transform::{Compose, Cutout, Noise, Rotate, Shift, apply};
use wengert_data::{Classification, digits};
use wengert_nn::zoo::{
    Contrastive, ContrastiveConfig, LatentClassifier, LatentClassifierConfig, MaskedAutoencoder,
    MaskedConfig, Mlp, MlpConfig, Vae, VaeConfig, linear_probe,
};
use wengert_nn::{Activation, Conv2d, Flatten, Layer, Linear, Module, Sequential, loss};
use wengert_ops::random::Rng;
use wengert_ops::{ConvOptions, Tensor};
use wengert_tape::{Tape, Var};

/// Training digits, of which a few of each class have labels, and test digits.
struct Data {
    all: Tensor<f32>,
    few: Classification,
    test: Classification,
}

fn data(sample: &[usize], of_each: usize, skip: usize) -> Data {
    let digits = digits().unwrap().reshaped(sample.to_vec()).unwrap();
    let (train, test) = digits.stratified_split(0.3, 0).unwrap();
    let mut counts = [0; 10];
    let mut few = Vec::new();
    for (i, label) in train.labels().to_vec().into_iter().enumerate().skip(skip) {
        counts[label as usize] += 1;
        if counts[label as usize] <= of_each {
            few.push(i);
        }
    }
    Data { all: train.inputs().clone(), few: train.select(&few).unwrap(), test }
}

/// The accuracy on new images of a linear classifier of features that is trained with a few labels.
fn probed(data: &Data, features: impl for<'t> Fn(Var<'t, f32>) -> Var<'t, f32>) -> f64 {
    let of = |x: &Tensor<f32>| -> Tensor<f32> {
        let tape = Tape::eval();
        features(tape.constant(x)).value().unwrap()
    };
    let head = linear_probe(&of(data.few.inputs()), data.few.labels(), 10, 1e-2).unwrap();
    let tape = Tape::eval();
    accuracy(&head.forward(tape.constant(of(data.test.inputs()))).value().unwrap(), data.test.labels())
}

fn batch(all: &Tensor<f32>, step: usize, n: usize) -> Tensor<f32> {
    let from = step * n % (all.shape()[0] - n);
    all.slice(0, from..from + n).unwrap().contiguous()
}

#[test]
fn contrastive() {
    let data = data(&[1, 8, 8], 5, 0);
    let half = ConvOptions::default().stride(2).padding(1);
    let new = |seed| {
        let rng = &mut Rng::seed(seed);
        let encoder = Sequential::<f32>::new()
            .push(Conv2d::with_config(1, 16, 3, ConvOptions::default().padding(1), rng))
            .push(Activation::Relu)
            .push(Conv2d::with_config(16, 32, 4, half, rng))
            .push(Activation::Relu)
            .push(Flatten)
            .push(Linear::new(32 * 16, 48, rng));
        let config = ContrastiveConfig { features: 48, ..ContrastiveConfig::default() };
        Contrastive::new(encoder, &config, rng)
    };
    let mut model = new(0);
    let raw = probed(&data, |x| model.features(x));
    let views = Compose::new()
        .then(Rotate::new(15.0).unwrap())
        .then(Shift::new(1).unwrap())
        .then(Noise::new(0.1).unwrap())
        .then(Cutout::new(2, 0.0).unwrap());
    descend(&mut model, 2e-3, 250, |model, tape, step| {
        let x = batch(&data.all, step, 64);
        let view = |which| apply(&views, &x, which, step as u64).unwrap();
        model.loss(tape.constant(view(1)), view(2))
    });
    let learned = probed(&data, |x| model.features(x));
    assert!(learned > 0.82 && learned > raw, "{learned}, {raw} before");
    let x = data.test.inputs().slice(0, ..8).unwrap();
    let features = |model: &Contrastive<f32, Sequential<f32>>, tape: &Tape<f32>| {
        model.features(tape.constant(&x)).value().unwrap()
    };
    survives(&model, new(1), features);
    trains_alike(&model, features);
}

#[test]
fn masked() {
    let data = data(&[1, 8, 8], 20, 0);
    let config = MaskedConfig {
        size: 8,
        patch: 4,
        width: 32,
        heads: 2,
        layers: 1,
        decoder_width: 32,
        hidden: 0.25,
        ..MaskedConfig::default()
    };
    let new = |seed| MaskedAutoencoder::<f32>::with_config(&config, &mut Rng::seed(seed));
    let mut model = new(0);
    let raw = probed(&data, |x| model.features(x));
    descend(&mut model, 3e-3, 600, |model, tape, step| model.loss(tape.constant(batch(&data.all, step, 64))));
    // The error of the mean image on the hidden pixels, which is the same as on all others.
    let (x, tape) = (data.test.inputs(), Tape::eval());
    let mean = mean_sample(&data.all).expand(x.shape()).unwrap();
    let known = loss::mse(tape.constant(x), mean).item().unwrap();
    let guessed = model.loss(tape.constant(x)).item().unwrap();
    assert!(guessed < 0.7 * known, "{guessed}, where the mean image gives {known}");
    let learned = probed(&data, |x| model.features(x));
    assert!(learned > 0.82 && learned > raw, "{learned}, {raw} before");
    let few = x.slice(0, ..8).unwrap();
    let features = |model: &MaskedAutoencoder<f32>, tape: &Tape<f32>| {
        model.features(tape.constant(&few)).value().unwrap()
    };
    survives(&model, new(1), features);
    trains_alike(&model, features);
}

/// Trains on ten labelled images alone, and tests on the others.
fn from_few<M: Layer<f32>>(model: &mut M, data: &Data) -> f64 {
    descend(model, 5e-3, 800, |model, tape, _| {
        loss::cross_entropy(model.forward(tape.constant(data.few.inputs())), data.few.labels())
    });
    let logits = model.forward(Tape::eval().constant(data.test.inputs())).value().unwrap();
    accuracy(&logits, data.test.labels())
}

/// One label for each digit, four times with other images: compares a network on the latents of all images with one on pixels.
#[test]
fn latent_classifier() {
    let shape = VaeConfig { inputs: 64, hidden: vec![256], latent: 8, ..VaeConfig::default() };
    let head = LatentClassifierConfig::default();
    let new = |seed| {
        let rng = &mut Rng::seed(seed);
        LatentClassifier::new(Vae::<f32>::dense(&shape, rng), &head, rng)
    };
    let mut model = new(0);
    model.vae.unfreeze();
    let all = data(&[64], 1, 0).all;
    descend(&mut model.vae, 3e-3, 2000, |vae, tape, step| {
        -vae.elbo(tape.constant(batch(&all, step, 64))).bound.mean()
    });
    model.vae.freeze();
    let (mut latent, mut pixels) = (0.0, 0.0);
    for skip in [0, 100, 200, 300] {
        let data = data(&[64], 1, skip);
        model.head = new(0).head;
        latent += from_few(&mut model, &data) / 4.0;
        let alone = MlpConfig { widths: vec![64, 64, 10], ..MlpConfig::default() };
        pixels += from_few(&mut Mlp::with_config(&alone, &mut Rng::seed(0)), &data) / 4.0;
    }
    assert!(latent > 0.65 && latent > pixels + 0.01, "{latent} from latents, {pixels} from pixels");
    let logits = |model: &LatentClassifier<f32>, tape: &Tape<f32>| {
        model.forward(tape.constant(all.slice(0, ..8))).value().unwrap()
    };
    survives(&model, new(1), logits);
    trains_otherwise(&model, logits);
}
