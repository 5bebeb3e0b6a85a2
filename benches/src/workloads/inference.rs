//! Models of the zoo that answer one sample.

use super::labels;
use super::run::{Run, inference, start};
use super::sequences::decoder;
use anyhow::Result;
use wengert::nn::state::AnyTensor;
use wengert::nn::zoo::{
    CharRnn, CharRnnConfig, LanguageModel, Mlp, MlpConfig, ResNet, ResNetConfig, Vit, VitConfig,
};
use wengert::prelude::*;

/// A classifier's logits of an image or row, `shape`.
fn classifier(model: impl Layer<f32> + 'static, shape: &[usize]) -> Result<Run> {
    let x = Tensor::<f32>::randn(shape, &mut Rng::seed(1))?;
    inference(model, &[("x", AnyTensor::of(&x))], move |model, tape| model.forward(tape.constant(&x)))
}

/// MLP 784-512-512-10.
pub(super) fn mlp() -> Result<Run> {
    let config = MlpConfig { widths: vec![784, 512, 512, 10], activation: Activation::Relu, dropout: 0.0 };
    classifier(Mlp::with_config(&config, &mut Rng::seed(0)), &[1, 784])
}

/// LeNet-5 on 1×28×28.
pub(super) fn lenet() -> Result<Run> {
    classifier(zoo::lenet(1, 28, 10, &mut Rng::seed(0)), &[1, 1, 28, 28])
}

/// ResNet-20 on 3×32×32.
pub(super) fn resnet() -> Result<Run> {
    classifier(ResNet::with_config(&ResNetConfig::cifar(3), &mut Rng::seed(0)), &[1, 3, 32, 32])
}

/// The next id of a character LSTM, vocabulary 65, embedding 64, hidden 256, from the state that the last step left.
pub(super) fn lstm() -> Result<Run> {
    let model = CharRnn::<f32>::with_config(&CharRnnConfig::default(), &mut Rng::seed(0));
    let ids = Tensor::from([[7_i64]]);
    let start = start(&[("model", &model)], &[("x", AnyTensor::I64(ids.clone()))]);
    let mut memory = Default::default();
    Ok(Run { step: Box::new(move || Ok(model.go_on(&ids, &mut memory)?)), start })
}

/// The logits of 128 ids from the decoder of W6.
pub(super) fn gpt() -> Result<Run> {
    let x = Tensor::from_vec(labels(128, 96), [1, 128])?;
    inference(decoder(), &[("x", AnyTensor::I64(x.clone()))], move |model, tape| model.logits(tape, &x))
}

/// Vision Transformer on 1×28×28, patches of 4, width 64, 4 heads, 4 layers.
pub(super) fn vit() -> Result<Run> {
    classifier(Vit::with_config(&VitConfig::default(), &mut Rng::seed(0)), &[1, 1, 28, 28])
}
