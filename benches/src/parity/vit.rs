//! A small vision Transformer on the digits, with AdamW in one cycle and clipped gradients.

use crate::mlp::digits_as;
use crate::model::{Entry, Model, Single};
use crate::plan::{Method, Pace, Plan};
use wengert::nn::optim::AdamConfig;
use wengert::nn::zoo::{Vit, VitConfig};
use wengert::prelude::*;

pub(crate) fn entry() -> Entry {
    let adam =
        AdamConfig { learning_rate: 3e-3, weight_decay: 0.05, decoupled: true, ..AdamConfig::default() };
    Entry::new(
        "vit",
        Plan { clip: Some(1.0), ..Plan::classifier(Method::Adam(adam), Pace::OneCycle, 32, 8) },
        || digits_as(&[1, 8, 8]),
        build,
        build,
    )
}

fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
    let config =
        VitConfig { size: 8, patch: 2, width: 32, heads: 4, layers: 2, dropout: 0.0, ..VitConfig::default() };
    Box::new(Single::classifier(Vit::with_config(&config, rng)))
}
