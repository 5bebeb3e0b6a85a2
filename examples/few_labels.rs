//! Few labels and many images: a classifier on the latents of an autoencoder that was trained on all images, compared
//! with the same classifier on pixels, by the number of labels.
//!
//! `cargo run --release --example few_labels`

use wengert::data::{Classification, Loader, digits};
use wengert::nn::zoo::{LatentClassifier, LatentClassifierConfig, Mlp, MlpConfig, Vae, VaeConfig};
use wengert::prelude::*;
use wengert_examples::{BLUE, Failure, ORANGE, Plot, Run, mean, standard_error};

/// Trains on the labelled samples only, and returns the accuracy on test samples.
fn accuracy(model: &mut dyn Layer<f32>, few: &Classification, test: &Classification) -> Result<f64, Failure> {
    let (mut adam, mut tape) = (Adam::new(0.005), Tape::train(0));
    for _ in 0..400 {
        tape.reset();
        let loss = loss::cross_entropy(model.forward(tape.constant(few.inputs())), few.labels());
        adam.step(model, &loss.backward()?)?;
    }
    let tape = Tape::eval();
    let said = model.forward(tape.constant(test.inputs())).value()?.argmax(-1)?;
    let right = said.to_vec().iter().zip(test.labels().to_vec()).filter(|(a, b)| **a == *b).count();
    Ok(right as f64 / test.len() as f64)
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let (train, test) = digits()?.stratified_split(0.3, 0)?;
    let shape = VaeConfig { inputs: 64, hidden: vec![256], latent: 8, ..VaeConfig::default() };
    let mut vae = Vae::<f32>::dense(&shape, &mut Rng::seed(0));
    let (mut adam, mut tape) = (Adam::new(0.003), Tape::train(0));
    let loader = Loader::new(&train, 64, 0)?;
    for epoch in 0..run.pick(100, 60) {
        for batch in loader.epoch(epoch) {
            tape.reset();
            let loss = -vae.elbo(tape.constant(batch?.inputs)).bound.mean();
            adam.step(&mut vae, &loss.backward()?)?;
        }
    }
    // No labels have been used so far. From here on the autoencoder is frozen.
    let head = LatentClassifierConfig::default();
    let mut on_latents = LatentClassifier::new(vae, &head, &mut Rng::seed(1));
    let (mut on_z, mut on_pixels) = (Vec::new(), Vec::new());
    let draws = run.pick(24, 16);
    for &per_class in run.pick(&[1, 2, 3, 5, 8, 12, 20][..], &[1]) {
        let mut scores = [Vec::new(), Vec::new()];
        for draw in 0..draws {
            let few = train.select(&train.labelled(per_class, draw)?.chosen)?;
            let mlp = |inputs, hidden| MlpConfig { widths: vec![inputs, hidden, 10], ..MlpConfig::default() };
            let mut rng = Rng::seed(draw);
            on_latents.head = Mlp::with_config(&mlp(8, 64), &mut rng);
            scores[0].push(100.0 * accuracy(&mut on_latents, &few, &test)?);
            scores[1].push(100.0 * accuracy(&mut Mlp::with_config(&mlp(64, 64), &mut rng), &few, &test)?);
        }
        let [z, pixels] = [0, 1].map(|i| (mean(&scores[i]), standard_error(&scores[i])));
        let labels = 10 * per_class;
        // Both use the same labelled samples, so the standard error is that of their difference.
        let gains: Vec<f64> = scores[0].iter().zip(&scores[1]).map(|(z, pixels)| z - pixels).collect();
        let (gain, error) = (mean(&gains), standard_error(&gains));
        println!(
            "{labels:3} labels: {:.1} % on z, {:.1} % on pixels: {gain:+.1} ± {error:.1} points",
            z.0, pixels.0
        );
        assert!(per_class > 1 || gain > 2.0 * error, "with one label a class z is better: {gains:?}");
        on_z.push((labels as f64, z));
        on_pixels.push((labels as f64, pixels));
    }
    let ticks = on_z.iter().map(|(labels, _)| (*labels, *labels as usize));
    let band = |points: &[(f64, (f64, f64))]| {
        points.iter().map(|(x, (m, s))| (*x, m - 2.0 * s, m + 2.0 * s)).collect::<Vec<_>>()
    };
    let line = |points: &[(f64, (f64, f64))]| points.iter().map(|(x, (m, _))| (*x, *m)).collect::<Vec<_>>();
    let plot = Plot::new("A classifier from few labels")
        .x("labels")
        .y("accuracy on test images (%)")
        .log_x()
        .x_ticks(ticks)
        .band(BLUE, band(&on_z))
        .band(ORANGE, band(&on_pixels))
        .line(BLUE, "on z of all images", line(&on_z))
        .line(ORANGE, "on pixels", line(&on_pixels));
    run.draw("few-labels.svg", &[&[plot]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
