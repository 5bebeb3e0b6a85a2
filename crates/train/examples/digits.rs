//! A classifier of handwritten digits, with the training loop, early stopping and the table of epochs.
//!
//! `cargo run -p wengert-train --example digits`

#![allow(clippy::print_stdout, reason = "an example prints")]

use wengert_data::{Loader, digits};
use wengert_nn::optim::Adam;
use wengert_nn::zoo::{Mlp, MlpConfig};
use wengert_ops::random::Rng;
use wengert_train::{
    Classify, FitConfig, Minimize, Monitor, Result, RunSchedule, evaluate, fit, metrics_csv,
};

fn main() -> Result<()> {
    let (train, test) = digits()?.stratified_split(0.2, 0)?;
    let loader = Loader::new(&train, 32, 0)?;
    let mut model = Mlp::with_config(&MlpConfig::default(), &mut Rng::seed(0));
    let mut adam = Adam::new(3e-3);
    let config = FitConfig {
        epochs: 10,
        schedule: RunSchedule::Cosine,
        monitor: Some(Monitor::new("loss").patience(3)),
        ..FitConfig::default()
    };
    let mut learner = Minimize::new(&mut model, &mut adam, Classify).clip_norm(5.0);
    let fitted = fit(&mut learner, &loader, &test, &config, &mut ())?;
    print!("{}", metrics_csv(&fitted.epochs));

    let score = evaluate(&model, &Classify, &test, 64)?;
    println!("accuracy {:.2} %", 100.0 * score.accuracy());
    assert!(score.accuracy() > 0.95);
    Ok(())
}
