//! Classifiers of images, on handwritten digits: the accuracy by chance is one in ten.

use super::{survives, trains_alike, trains_otherwise};
use wengert_data::transform::{Filter, resize};
use wengert_data::{Classification, Loader, digits};
use wengert_nn::optim::Adam;
use wengert_nn::zoo::{Mlp, MlpConfig, ResNet, ResNetConfig, VggConfig, Vit, VitConfig, lenet, vgg};
use wengert_nn::{Layer, Sequential};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::Tape;
use wengert_train::{Classify, FitConfig, Minimize, RunSchedule, fit};

/// The model after a number of epochs, if it classifies the given share of new images correctly.
#[track_caller]
fn learned<M: Layer<f32>>(mut model: M, data: &Classification, rate: f64, epochs: usize, least: f64) -> M {
    let (train, test) = data.stratified_split(0.2, 0).unwrap();
    let mut adam = Adam::new(rate);
    let mut learner = Minimize::new(&mut model, &mut adam, Classify);
    let config = FitConfig { epochs, schedule: RunSchedule::Cosine.after_warmup(45), ..FitConfig::default() };
    let fitted = fit(&mut learner, &Loader::new(&train, 32, 0).unwrap(), &test, &config, &mut ()).unwrap();
    let accuracy = fitted.epochs[epochs - 1].test.accuracy();
    assert!(accuracy >= least, "{accuracy}");
    model
}

/// The logits of a few images.
fn logits<M: Layer<f32>>(data: &Classification) -> impl Fn(&M, &Tape<f32>) -> Tensor<f32> {
    let x = data.select(&[0, 1, 2, 3, 4, 5, 6, 7]).unwrap().inputs().clone();
    move |model, tape| model.forward(tape.constant(&x)).value().unwrap()
}

fn images() -> Classification {
    digits().unwrap().reshaped([1, 8, 8]).unwrap()
}

#[test]
fn mlp() {
    let (data, config) = (digits().unwrap(), MlpConfig { dropout: 0.1, ..MlpConfig::default() });
    let new = |seed| Mlp::<f32>::with_config(&config, &mut Rng::seed(seed));
    let model = learned(new(0), &data, 3e-3, 5, 0.94);
    survives(&model, new(1), logits(&data));
    trains_otherwise(&model, logits(&data));
}

#[test]
fn lenet_5() {
    let small = images();
    let large = resize(small.inputs(), (16, 16), Filter::Bilinear).unwrap();
    let data = Classification::new(large, small.labels().clone(), 10).unwrap();
    let new = |seed| lenet::<f32>(1, 16, 10, &mut Rng::seed(seed));
    let model = learned(new(0), &data, 3e-3, 9, 0.93);
    survives(&model, new(1), logits(&data));
    trains_alike(&model, logits(&data));
}

#[test]
fn vgg_with_batch_norm() {
    let data = images();
    let config = VggConfig { stages: vec![vec![8], vec![16, 16]], ..VggConfig::default() };
    let new = |seed| -> Sequential<f32> { vgg(&config, &mut Rng::seed(seed)) };
    let model = learned(new(0), &data, 1e-2, 4, 0.94);
    survives(&model, new(1), logits(&data));
    trains_otherwise(&model, logits(&data));
}

#[test]
fn resnet() {
    let data = images();
    let config =
        ResNetConfig { channels: 1, classes: 10, widths: vec![8, 16], blocks: vec![1, 1], large: false };
    let new = |seed| ResNet::<f32>::with_config(&config, &mut Rng::seed(seed));
    let model = learned(new(0), &data, 1e-2, 3, 0.94);
    survives(&model, new(1), logits(&data));
    trains_otherwise(&model, logits(&data));
}

#[test]
fn vit() {
    let data = images();
    let config = VitConfig {
        size: 8,
        patch: 4,
        width: 32,
        heads: 2,
        layers: 1,
        dropout: 0.05,
        ..VitConfig::default()
    };
    let new = |seed| Vit::<f32>::with_config(&config, &mut Rng::seed(seed));
    let model = learned(new(0), &data, 1e-2, 8, 0.9);
    survives(&model, new(1), logits(&data));
    trains_otherwise(&model, logits(&data));
}
