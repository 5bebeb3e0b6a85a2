//! ResNet-20 on the digits, with momentum in one cycle: without the cycle's warm-up, ten steps in single precision
//! depend mainly on rounding, in PyTorch too (its losses in f32 and f64 then differ by 7e-3).

use crate::mlp::digits_as;
use crate::model::{Entry, Model, Single};
use crate::plan::{Method, Pace, Plan};
use wengert::nn::optim::SgdConfig;
use wengert::nn::zoo::{ResNet, ResNetConfig};
use wengert::prelude::*;

pub(crate) fn entry() -> Entry {
    let sgd = SgdConfig { learning_rate: 0.05, momentum: 0.9, weight_decay: 1e-4, ..SgdConfig::default() };
    Entry::new(
        "resnet20",
        Plan::classifier(Method::Sgd(sgd), Pace::OneCycle, 64, 3),
        || digits_as(&[1, 8, 8]),
        build,
        build,
    )
}

fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
    Box::new(Single::classifier(ResNet::with_config(
        &ResNetConfig { channels: 1, ..ResNetConfig::cifar(3) },
        rng,
    )))
}
