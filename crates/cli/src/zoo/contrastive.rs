//! The options of contrastive learning.

use super::{About, Experiment, Model, Supervised};
use crate::data::Scale;
use crate::options::names::{Augment, Data, IMAGES};
use crate::options::{DataOptions, Defaults, values};
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

/// The number of labels that the linear head learns from by default.
const DEFAULT_LABELS: usize = 100;

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ContrastiveOptions {
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

impl Model for ContrastiveOptions {
    fn about(&self) -> About {
        About {
            name: "contrastive",
            data: IMAGES,
            expect: "features on which a linear head with 100 labels is right for 91 % of the digits",
            refuses: &[],
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        match data.is_large() {
            true => Defaults { batch_size: 128, ..Defaults::epochs(10) },
            false => Defaults { batch_size: 128, ..Defaults::epochs(30) },
        }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let labels = Some(options.labels.unwrap_or(DEFAULT_LABELS));
        let few = DataOptions { labels, augment: Vec::new(), ..options.clone() };
        let all = DataOptions { labels: None, augment: Vec::new(), ..options.clone() };
        let mut changed = DataOptions { labels: None, ..options.clone() };
        if changed.augment.is_empty() {
            // Without augmentation, both views of an image would be the same.
            changed.augment = vec![Augment::Crop, Augment::Rotate, Augment::Noise];
        }
        let labelled = few.images(Scale::Standard)?.plain;
        let data = all.images(Scale::Standard)?;
        let mut rng = Rng::seed(options.seed);
        let mut encoder = Sequential::new();
        let (mut inputs, features) = (data.first_axis(), self.widths.last().copied().unwrap_or(1));
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
            let change = changed.augmentation(data)?.unwrap_or_default();
            Ok(Views::new(data, change, changed.seed))
        };
        type Net = zoo::Contrastive<f32, Sequential<f32>>;
        let compare = task(|model: &Net, batch: &ViewBatch, tape: &Tape<f32>| {
            Outcome::of(model.loss(tape.constant(&batch.first), &batch.second), batch.len())
        });
        let features_of =
            |model: &Net, x: &Tensor<f32>| Ok(model.encoder.forward(Tape::eval().constant(x)).value()?);
        let (train, test) = (views(&data.plain)?, views(&data.test)?);
        Supervised::new(model, Arc::new(train), test, compare).with_head((features, features_of), labelled)
    }
}
