//! The multilayer perceptron on the digits, by gradient descent with Nesterov's momentum.

use crate::model::{Entry, Model, Single};
use crate::plan::{Method, Pace, Plan};
use crate::samples::{Samples, Sets};
use anyhow::Result;
use wengert::data::{Classification, digits, fashion_sample};
use wengert::nn::optim::SgdConfig;
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::prelude::*;

pub(crate) fn entry() -> Entry {
    let sgd = SgdConfig {
        learning_rate: 0.05,
        momentum: 0.9,
        nesterov: true,
        weight_decay: 1e-4,
        ..SgdConfig::default()
    };
    Entry::new(
        "mlp",
        Plan::classifier(Method::Sgd(sgd), Pace::Step { every: 20, factor: 0.8 }, 32, 4),
        || digits_as(&[64]),
        build,
        build,
    )
}

fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
    Box::new(Single::classifier(Mlp::with_config(&MlpConfig::default(), rng)))
}

/// The digits, each reshaped to the given shape.
pub(crate) fn digits_as(shape: &[usize]) -> Result<Sets> {
    let (train, test) = digits()?.reshaped(shape)?.stratified_split(0.25, 0)?;
    Ok(Sets { train: classes(&train), test: classes(&test) })
}

/// 375 garments for training and 125 for testing.
pub(crate) fn garments() -> Result<Sets> {
    let (train, test) = fashion_sample()?.stratified_split(0.25, 0)?;
    Ok(Sets { train: classes(&train), test: classes(&test) })
}

fn classes(data: &Classification) -> Samples {
    Samples::default().numbers("x", data.inputs().clone()).ids("y", data.labels().clone())
}
