//! The forecaster's options.

use super::{About, Experiment, Model, NOT_FOR_SEQUENCES, Sample, Supervised};
use crate::options::names::{Data, SERIES};
use crate::options::{DataOptions, Defaults, values};
use anyhow::{Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::sync::Arc;
use wengert::Tape;
use wengert::data::SeriesBatch;
use wengert::nn::dist::Distribution;
use wengert::nn::zoo;
use wengert::ops::random::Rng;
use wengert::train::{MetricKind, Outcome, task};

const EXAMPLES: &str = "\
Examples:
  wengert train forecaster
  wengert train forecaster --data co2 --past 52 --horizon 12
  wengert sample runs/forecaster-seed0           what comes after the end of the series, as CSV";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ForecasterOptions {
    /// The points that it looks back on
    #[arg(long, value_name = "N", default_value_t = 22, value_parser = values::count::<65536>)]
    #[arg(help_heading = "Model")]
    past: usize,

    /// The points that it predicts, of the first variable
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = values::count::<4096>, help_heading = "Model")]
    horizon: usize,

    /// The features of the state
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = values::count::<8192>)]
    #[arg(help_heading = "Model")]
    hidden: usize,

    /// The recurrent layers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count::<64>, help_heading = "Model")]
    layers: usize,
}

impl Model for ForecasterOptions {
    fn about(&self) -> About {
        About {
            name: "forecaster",
            data: SERIES,
            expect: "the next three years of sunspots to 0.9 standard deviations",
            refuses: NOT_FOR_SEQUENCES,
        }
    }

    fn defaults(&self, _: Data) -> Defaults {
        Defaults { clip_norm: Some(1.0), ..Defaults::epochs(100) }
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let (train, test, normalize) = options.series(self.past)?;
        let features = train.values().shape()[1];
        let shape = zoo::ForecasterConfig {
            features,
            hidden: self.hidden,
            layers: self.layers,
            horizon: self.horizon,
            ..zoo::ForecasterConfig::default()
        };
        let model = zoo::Forecaster::with_config(&shape, &mut Rng::seed(options.seed));
        let forecast = task(|model: &zoo::Forecaster<f32>, batch: &SeriesBatch, tape: &Tape<f32>| {
            let future = batch.targets.select(2, 0).map_err(wengert::Error::from)?;
            let predicted = model.predict(tape.constant(&batch.inputs));
            let n = batch.indices.len();
            let error = (predicted.mean() - &future).square().mean().item()?;
            let outcome = Outcome::of(-predicted.log_prob(&future).mean(), n)?;
            Ok(outcome.measured(|m| m.with("rmse", MetricKind::Root, error.into(), n as f64)))
        });
        let (past, horizon) = (self.past, self.horizon);
        let end = test.clone();
        let (train, test) = (train.windows(past, horizon, 1)?, test.windows(past, horizon, 1)?);
        Supervised::new(model, Arc::new(train), test, forecast)
            .generates(move |model, _| {
                let values = end.values();
                ensure!(
                    values.shape()[0] >= past,
                    "the series ends within the {past} points to look back on"
                );
                let last = values.slice(0, values.shape()[0] - past..)?.reshape([1, past, features])?;
                let tape = Tape::eval();
                let predicted = model.predict(tape.constant(last));
                // The predictions are converted to the units of the series.
                let (scale, shift) = (normalize.std()[0], normalize.mean()[0]);
                let (mean, std) = (predicted.mean().value()?.to_vec(), predicted.std().value()?.to_vec());
                let mut text = "step,mean,std,low,high".to_owned();
                for (step, (mean, std)) in mean.into_iter().zip(std).enumerate() {
                    let (mean, std) = (f64::from(mean) * scale + shift, f64::from(std) * scale);
                    // 95 % of a normal distribution.
                    let (low, high) = (mean - 1.96 * std, mean + 1.96 * std);
                    write!(text, "\n{},{mean:.4},{std:.4},{low:.4},{high:.4}", step + 1)?;
                }
                Ok(Sample::Text(text))
            })
            .boxed()
    }
}
