//! Early stopping and dropout: learning curves of a network that is too large for its data, with and without dropout,
//! and the epochs where early stopping ends training.
//!
//! `cargo run --release --example early_stopping`

use wengert::data::{Classification, Loader, digits};
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::prelude::*;
use wengert::train::{Classify, FitConfig, FitReport, Minimize, Monitor, StopReason, fit};
use wengert_examples::{BLACK, BLUE, Failure, GRAY, ORANGE, Plot, Run};

fn train(
    epochs: usize,
    dropout: f64,
    watch: Option<Monitor>,
    data: &Classification,
    test: &Classification,
) -> Result<FitReport, Failure> {
    let config = MlpConfig { widths: vec![64, 256, 128, 10], activation: Activation::Relu, dropout };
    let (mut net, mut adam) = (Mlp::with_config(&config, &mut Rng::seed(0)), Adam::new(3e-3));
    let mut learner = Minimize::new(&mut net, &mut adam, Classify);
    let config = FitConfig { epochs, monitor: watch, ..FitConfig::default() };
    Ok(fit(&mut learner, &Loader::new(data, 32, 0)?, test, &config, &mut ())?)
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let (rest, test) = digits()?.stratified_split(0.4, 0)?;
    let data = rest.select(&rest.labelled(15, 0)?.chosen)?;
    // Some labels are wrong, as in real data: the network memorises them if training continues for long enough.
    let noisy: Vec<i64> = data
        .labels()
        .to_vec()
        .into_iter()
        .enumerate()
        .map(|(i, l)| if i % 8 == 0 { (l + 1) % 10 } else { l })
        .collect();
    let data = Classification::new(data.inputs().clone(), noisy.into(), 10)?;

    let epochs = run.pick(120, 60);
    let mut panels = Vec::new();
    let mut bests = Vec::new();
    for (name, dropout) in [("No dropout", 0.0), ("Dropout with rate 0.5", 0.5)] {
        let whole = train(epochs, dropout, None, &data, &test)?;
        let stopped = train(epochs, dropout, Some(Monitor::new("loss").patience(15)), &data, &test)?;
        let best = stopped.epoch().ok_or("no epoch")?;
        let end = whole.epochs.last().ok_or("no epoch")?;
        println!(
            "{name}: test loss {:.3} after {epochs} epochs; stopped after {}, back to epoch {} with {:.3}; accuracy {:.1} % and {:.1} %",
            end.test.loss(),
            stopped.epochs.len(),
            best.number,
            best.test.loss(),
            100.0 * end.test.accuracy(),
            100.0 * best.test.accuracy()
        );
        // Until it stopped, it was the same run.
        let same = stopped.epochs.iter().zip(&whole.epochs).all(|(a, b)| a.test == b.test);
        assert!(same && stopped.ended == StopReason::Early, "{:?}", stopped.ended);
        assert!(dropout > 0.0 || best.test.loss() < 0.9 * end.test.loss(), "it learns by heart");
        bests.push(best.test.loss());
        let curve = |part: fn(&wengert::train::Epoch) -> f64| {
            whole.epochs.iter().map(move |e| (e.number as f64, part(e)))
        };
        let mark = |epoch: usize| [(epoch as f64, 0.0), (epoch as f64, 2.5)];
        panels.push(
            Plot::new(name)
                .x("epoch")
                .y("cross-entropy")
                .y_range(0.0, 2.5)
                .line(BLUE, "train", curve(|e| e.train.loss().min(2.5)))
                .line(ORANGE, "test", curve(|e| e.test.loss()))
                .dashed(BLACK, "best epoch", mark(best.number))
                .dashed(GRAY, "stopped", mark(stopped.epochs.len())),
        );
    }
    assert!(bests[1] < bests[0], "dropout helps: {bests:?}");
    run.draw("early-stopping.svg", &[&panels])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
