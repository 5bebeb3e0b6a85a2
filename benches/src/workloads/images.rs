//! Convolutional classifiers.

use super::run::{Run, training};
use super::{RATE, labels};
use anyhow::Result;
use wengert::nn::optim::SgdConfig;
use wengert::nn::state::AnyTensor;
use wengert::nn::zoo::{ResNet, ResNetConfig};
use wengert::ops::ConvOptions;
use wengert::prelude::*;

/// W2: CNN 1×28×28: convolutions 3×3 to 32 and 64 channels with ReLU and max-pools, linear 3136-128-10, batch 64, Adam.
pub(super) fn cnn() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let same = ConvOptions::default().padding(1);
    let model = Sequential::<f32>::new()
        .push(Conv2d::with_config(1, 32, 3, same, &mut rng))
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Conv2d::with_config(32, 64, 3, same, &mut rng))
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(3136, 128, &mut rng))
        .push(Activation::Relu)
        .push(Linear::new(128, 10, &mut rng));
    let x = Tensor::randn([64, 1, 28, 28], &mut rng)?;
    classifier(model, x, Adam::new(RATE))
}

/// W3: ResNet-20 on 3×32×32, widths 16, 32 and 64, batch norm, 1×1 shortcuts, batch 32, SGD with momentum 0.9.
pub(super) fn resnet() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let model = ResNet::<f32>::with_config(&ResNetConfig::cifar(3), &mut rng);
    let x = Tensor::randn([32, 3, 32, 32], &mut rng)?;
    let sgd = SgdConfig { learning_rate: RATE, momentum: 0.9, ..SgdConfig::default() };
    classifier(model, x, Sgd::with_config(sgd))
}

fn classifier(
    model: impl Layer<f32> + 'static,
    x: Tensor<f32>,
    optimizer: impl Optimizer<f32> + 'static,
) -> Result<Run> {
    let y = Tensor::from(labels(x.shape()[0], 10));
    let inputs = [("x", AnyTensor::of(&x)), ("y", AnyTensor::I64(y.clone()))];
    training(model, optimizer, &inputs, move |model, tape| {
        loss::cross_entropy(model.forward(tape.constant(&x)), &y)
    })
}
