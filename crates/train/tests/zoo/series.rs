//! The forecaster, on three centuries of sunspots.

use super::{descend, survives, trains_alike};
use wengert_data::{Dataset, sunspots};
use wengert_nn::dist::Distribution;
use wengert_nn::zoo::{Forecaster, ForecasterConfig};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::Tape;

#[test]
fn forecaster() {
    let series = sunspots().unwrap();
    let (train, test) = series.normalized(&series.normalize().unwrap()).unwrap().split(0.2).unwrap();
    let fetch = |windows: wengert_data::SeriesWindows| {
        let all: Vec<usize> = (0..windows.len()).collect();
        let batch = windows.fetch(&all).unwrap();
        (batch.inputs, batch.targets.reshape([all.len(), 1]).unwrap())
    };
    let windows = |series: &wengert_data::Series| fetch(series.windows(22, 1, 1).unwrap());
    let ((past, future), (new_past, new_future)) = (windows(&train), windows(&test));
    let config = ForecasterConfig { hidden: 12, ..ForecasterConfig::default() };
    let new = |seed| Forecaster::<f32>::with_config(&config, &mut Rng::seed(seed));
    let mut model = new(0);
    descend(&mut model, 0.01, 120, |model, tape, _| model.loss(tape.constant(&past), &future));
    let mean = |model: &Forecaster<f32>, tape: &Tape<f32>| {
        model.predict(tape.constant(&new_past)).mean().value().unwrap()
    };
    let error = |guess: &Tensor<f32>| {
        let e = guess.sub(&new_future).unwrap();
        (e.to_vec().iter().map(|e| e * e).sum::<f32>() / e.numel() as f32).sqrt()
    };
    // The error of the forecast that next year is like this one.
    let last = new_past.slice(1, 21..).unwrap().squeeze(2).unwrap();
    let (same, guessed) = (error(&last), error(&mean(&model, &Tape::eval())));
    assert!(guessed < 0.8 * same, "{guessed}, where the last value gives {same}");
    // The density is better than that of all past values taken together, which were normalised to N(0, 1).
    let nats = model.loss(Tape::eval().constant(&new_past), &new_future).item().unwrap();
    let squares: f32 = new_future.to_vec().iter().map(|y| y * y).sum();
    let together = 0.5 * (2.0 * std::f32::consts::PI).ln() + 0.5 * squares / new_future.numel() as f32;
    assert!(nats < together - 0.5, "{nats} nats, {together} by all values together");
    survives(&model, new(1), mean);
    trains_alike(&model, mean);
}
