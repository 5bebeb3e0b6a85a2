//! Convolutional classifiers: LeNet-5 on garments with Adam, a small VGG on digits with momentum and a cosine schedule.

use crate::mlp::{digits_as, garments};
use crate::model::{Entry, Single};
use crate::plan::{Method, Pace, Plan};
use wengert::nn::optim::{AdamConfig, SgdConfig};
use wengert::nn::zoo::{self, VggConfig};
use wengert::prelude::*;

pub(crate) fn lenet() -> Entry {
    let adam = AdamConfig { learning_rate: 1e-3, weight_decay: 1e-4, amsgrad: true, ..AdamConfig::default() };
    fn build<T: Float>(rng: &mut Rng) -> Box<dyn crate::Model<T>> {
        Box::new(Single::classifier(zoo::lenet(1, 28, 10, rng)))
    }
    Entry::new(
        "lenet",
        Plan::classifier(Method::Adam(adam), Pace::Exponential(0.995), 25, 16),
        garments,
        build,
        build,
    )
}

pub(crate) fn vgg() -> Entry {
    let sgd = SgdConfig { learning_rate: 0.05, momentum: 0.9, weight_decay: 5e-4, ..SgdConfig::default() };
    fn build<T: Float>(rng: &mut Rng) -> Box<dyn crate::Model<T>> {
        let config =
            VggConfig { stages: vec![vec![8, 8], vec![16, 16]], dropout: 0.0, ..VggConfig::default() };
        Box::new(Single::classifier(zoo::vgg(&config, rng)))
    }
    Entry::new(
        "vgg",
        Plan::classifier(Method::Sgd(sgd), Pace::Cosine(1e-3), 32, 2),
        || digits_as(&[1, 8, 8]),
        build,
        build,
    )
}
