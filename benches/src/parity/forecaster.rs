//! A probabilistic forecast of sunspots.

use crate::model::{Entry, Model, Single};
use crate::plan::{Method, Pace, Plan};
use crate::samples::{Samples, Sets};
use anyhow::Result;
use wengert::data::{Dataset, Series, sunspots};
use wengert::nn::optim::AdamConfig;
use wengert::nn::zoo::{Forecaster, ForecasterConfig};
use wengert::prelude::*;

const PAST: usize = 22;
const HORIZON: usize = 3;

pub(crate) fn entry() -> Entry {
    let adam = AdamConfig { learning_rate: 1e-2, ..AdamConfig::default() };
    Entry::new(
        "forecaster",
        Plan {
            method: Method::Adam(adam),
            pace: Pace::Cosine(1e-4),
            clip: Some(1.0),
            batch: 16,
            epochs: 10,
            parts: 1,
            metric: "loss, nats a number",
        },
        sets,
        build,
        build,
    )
}

fn build<T: Float>(rng: &mut Rng) -> Box<dyn Model<T>> {
    let config = ForecasterConfig { hidden: 16, layers: 2, horizon: HORIZON, ..ForecasterConfig::default() };
    Box::new(Single {
        model: Forecaster::with_config(&config, rng),
        loss: |model, tape, batch| Ok(model.loss(tape.constant(batch.numbers("x")?), batch.numbers("y")?)),
        metric: Single::test_loss,
    })
}

/// Windows of the earlier years for training and of the later ones for testing, standardised by the earlier years.
fn sets() -> Result<Sets> {
    let (train, test) = sunspots()?.split(0.3)?;
    let normalize = train.normalize()?;
    let part = |series: &Series| -> Result<Samples> {
        let windows = series.normalized(&normalize)?.windows(PAST, HORIZON, 1)?;
        let all = windows.fetch(&(0..windows.len()).collect::<Vec<_>>())?;
        Ok(Samples::default().numbers("x", all.inputs).numbers("y", all.targets.squeeze(2)?))
    };
    Ok(Sets { train: part(&train)?, test: part(&test)? })
}
