//! The options of contrastive learning.

use super::represented::Represented;
use super::{Experiment, Model, Usual};
use crate::config::Config;
use crate::data::{Data, IMAGES, Scale, augmentation};
use crate::values::{self, Augment};
use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use wengert::Tape;
use wengert::data::transform::{ViewBatch, Views};
use wengert::nn::zoo;
use wengert::nn::{Activation, BatchNorm, Conv2d, GlobalAvgPool, Layer, Sequential};
use wengert::ops::random::Rng;
use wengert::ops::{ConvOptions, Tensor};
use wengert::train::{Outcome, task};

const EXAMPLES: &str = "\
Examples:
  wengert train contrastive
  wengert train contrastive --data fashion-mnist --augment crop,flip,noise --labels 600";

/// The labels that the linear head learns from if nothing else is said.
const LABELS: usize = 100;

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Contrastive {
    /// The channels of each stage of the encoder; every one but the first halves the image
    #[arg(long, value_name = "C,C,…", value_delimiter = ',', default_value = "16,32,64")]
    #[arg(value_parser = values::count::<2048>, help_heading = "Model")]
    widths: Vec<usize>,

    /// The dimensions in which views are compared
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = values::count::<4096>)]
    #[arg(help_heading = "Model")]
    outputs: usize,

    /// What cosine similarities are divided by: the smaller, the more the nearest of the others count
    #[arg(long, value_name = "T", default_value_t = 0.2, value_parser = values::clip, help_heading = "Model")]
    compare_at: f64,
}

impl Model for Contrastive {
    fn name(&self) -> &'static str {
        "contrastive"
    }

    fn data(&self) -> &'static [Data] {
        IMAGES
    }

    fn expect(&self) -> &'static str {
        "features on which a linear head with 100 labels is right for 91 % of the digits"
    }

    fn usual(&self, data: Data) -> Usual {
        match data.is_large() {
            true => Usual { batch_size: 128, ..Usual::epochs(10) },
            false => Usual { batch_size: 128, ..Usual::epochs(30) },
        }
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        let few =
            Config { labels: Some(config.labels.unwrap_or(LABELS)), augment: Vec::new(), ..config.clone() };
        // Without a change there would be nothing to tell apart.
        let usual = vec![Augment::Crop, Augment::Rotate, Augment::Noise];
        let augment = if config.augment.is_empty() { usual } else { config.augment.clone() };
        let changed = Config { augment, labels: None, ..config.clone() };
        let labelled = config.data.images(&few, Scale::Standard)?.plain;
        let plain = Config { augment: Vec::new(), labels: None, ..config.clone() };
        let data = config.data.images(&plain, Scale::Standard)?;
        let mut rng = Rng::seed(config.seed);
        let mut encoder = Sequential::new();
        let (mut inputs, features) = (data.first(), self.widths.last().copied().unwrap_or(1));
        for (stage, &outputs) in self.widths.iter().enumerate() {
            let options = ConvOptions::default().padding(1).stride(if stage == 0 { 1 } else { 2 });
            encoder = encoder
                .push(Conv2d::with_config(inputs, outputs, 3, options, &mut rng))
                .push(BatchNorm::new(outputs))
                .push(Activation::Relu);
            inputs = outputs;
        }
        let shape = zoo::ContrastiveConfig {
            features,
            hidden: features,
            outputs: self.outputs,
            temperature: self.compare_at,
        };
        let model = zoo::Contrastive::new(encoder.push(GlobalAvgPool), &shape, &mut rng);
        let views = |data: &wengert::data::Classification| -> Result<Views<_>> {
            let change = augmentation(&changed, data)?.unwrap_or_default();
            Ok(Views::new(data, change, config.seed))
        };
        type Net = zoo::Contrastive<f32, Sequential<f32>>;
        let compare = task(|model: &Net, batch: &ViewBatch, tape: &Tape<f32>| {
            Outcome::of(model.loss(tape.constant(&batch.first), &batch.second), batch.len())
        });
        let features_of =
            |model: &Net, x: &Tensor<f32>| Ok(model.encoder.forward(Tape::eval().constant(x)).value()?);
        let (train, test) = (views(&data.plain)?, views(&data.test)?);
        Represented::new(model, (Arc::new(train), test), compare, (features, features_of), labelled).boxed()
    }
}
