//! Layers of shapes that people use and the training steps lack, forward and backward. The loss is the mean of the squares of
//! the output.

use super::labels;
use super::run::{Run, gradients, start};
use anyhow::Result;
use wengert::nn::optim::AdamConfig;
use wengert::nn::state::AnyTensor;
use wengert::nn::{Gru, RecurrentConfig};
use wengert::ops::ConvOptions;
use wengert::prelude::*;
use wengert::tape::rules::Attention;

/// A layer and the gradients of its parameters and of its input, `shape`.
fn layer(layer: impl Layer<f32> + 'static, shape: &[usize]) -> Result<Run> {
    let x = Tensor::<f32>::randn(shape, &mut Rng::seed(1))?;
    gradients(layer, &[("x", AnyTensor::of(&x))], move |layer, tape| layer.forward(tape.var(&x)))
}

/// Depthwise convolution 3×3 of 96 channels, 28×28, batch 16.
pub(super) fn depthwise() -> Result<Run> {
    let options = ConvOptions::default().padding(1).groups(96);
    layer(Conv2d::with_config(96, 96, 3, options, &mut Rng::seed(0)), &[16, 96, 28, 28])
}

/// Convolution 5×5 with stride 2, 32 to 64 channels, 56×56, batch 8.
pub(super) fn conv5x5s2() -> Result<Run> {
    let options = ConvOptions::default().stride(2).padding(2);
    layer(Conv2d::with_config(32, 64, 5, options, &mut Rng::seed(0)), &[8, 32, 56, 56])
}

/// Convolution 7×7 with stride 2, 3 to 64 channels, 224×224, batch 4: the first layer of a network, whose input is data.
pub(super) fn conv7x7s2() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let conv = Conv2d::with_config(3, 64, 7, ConvOptions::default().stride(2).padding(3), &mut rng);
    let x = Tensor::<f32>::randn([4, 3, 224, 224], &mut rng)?;
    gradients(conv, &[("x", AnyTensor::of(&x))], move |conv, tape| conv.forward(tape.constant(&x)))
}

/// GRU, 64 steps, input 64, hidden 128, batch 32.
pub(super) fn gru() -> Result<Run> {
    layer(Gru::with_config(&RecurrentConfig::new(64, 128), &mut Rng::seed(0)), &[32, 64, 64])
}

/// Attention of 1,000 steps, 8 heads of 64 features, batch 2, without a mask.
pub(super) fn attention1000() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let mut draw = || Tensor::<f32>::randn([2, 8, 1000, 64], &mut rng);
    let [q, k, v] = [draw()?, draw()?, draw()?];
    let inputs = [("q", AnyTensor::of(&q)), ("k", AnyTensor::of(&k)), ("v", AnyTensor::of(&v))];
    gradients(Identity, &inputs, move |_, tape| {
        tape.var(&q).scaled_dot_product_attention(tape.var(&k), tape.var(&v), Attention::default())
    })
}

/// Layer norm of 512 rows of 4,096 features.
pub(super) fn layernorm_wide() -> Result<Run> {
    layer(LayerNorm::new([4096]), &[512, 4096])
}

/// 4,096 of the 50,000 rows of a table, 256 wide, and the gradient of the whole table.
pub(super) fn embedding50k() -> Result<Run> {
    let table = Embedding::<f32>::new(50_000, 256, &mut Rng::seed(0));
    let ids = labels(32 * 128, 4096).into_iter().map(|i| i * 7919 % 50_000).collect();
    let ids = Tensor::from_vec(ids, [32, 128])?;
    gradients(table, &[("x", AnyTensor::I64(ids.clone()))], move |table, tape| table.forward(tape, &ids))
}

/// Batch norm of 4,096 samples of 512 features, in training.
pub(super) fn batchnorm_nc() -> Result<Run> {
    layer(BatchNorm::new(512), &[4096, 512])
}

#[derive(Module)]
struct Weights {
    weight: Param<f32>,
}

/// A step of AdamW on 10⁷ parameters, with fixed gradients g. Instead of a loss, the mean of g times the new parameters is
/// compared.
pub(super) fn adamw() -> Result<Run> {
    let mut rng = Rng::seed(0);
    let w = Tensor::<f32>::randn([10_000_000], &mut rng)?.map(|v| 0.01 * v);
    let g = Tensor::<f32>::randn([10_000_000], &mut rng)?;
    let mut model = Weights { weight: Param::new(w) };
    let start = start(&[("model", &model)], &[("g", AnyTensor::of(&g))]);
    let tape = Tape::train(0);
    let grads = (tape.param(&model.weight) * tape.constant(&g)).sum().backward()?;
    let adamw =
        AdamConfig { learning_rate: 1e-3, weight_decay: 0.01, decoupled: true, ..AdamConfig::default() };
    let mut optimizer = Adam::with_config(adamw);
    let mut first = true;
    let step = move || {
        optimizer.step(&mut model, &grads)?;
        if !std::mem::take(&mut first) {
            return Ok(Tensor::scalar(0.0));
        }
        let tape = Tape::eval();
        Ok((tape.param(&model.weight) * tape.constant(&g)).mean().value()?)
    };
    Ok(Run { step: Box::new(step), start })
}
