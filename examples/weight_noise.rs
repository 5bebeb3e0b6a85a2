//! Noise in training, on inputs, on activations and on weights, and the error on test images if there are few labels.
//!
//! `cargo run --release --example weight_noise`

use wengert::data::{Classification, digits};
use wengert::nn::{GaussianNoise, NoisyWeights};
use wengert::prelude::*;
use wengert_examples::{BLACK, BLUE, Color, Corner, Failure, GREEN, ORANGE, Plot, Run, mean, standard_error};

/// The values to which noise is added.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Inputs,
    Activations,
    Weights,
}

fn network(place: Place, std: f64, rng: &mut Rng) -> Sequential<f32> {
    let at = |here: Place| if place == here { std } else { 0.0 };
    let mut net = Sequential::new().push(GaussianNoise::new(at(Place::Inputs)));
    for (inputs, outputs) in [(64, 128), (128, 64)] {
        net = net
            .push(NoisyWeights::new(Linear::new(inputs, outputs, rng), at(Place::Weights)))
            .push(Activation::Relu)
            .push(GaussianNoise::new(at(Place::Activations)));
    }
    net.push(NoisyWeights::new(Linear::new(64, 10, rng), at(Place::Weights)))
}

/// The test error in percent, without noise, of a network that was trained with noise.
fn error(
    data: &Classification,
    test: &Classification,
    place: Place,
    std: f64,
    seed: u64,
    steps: usize,
) -> Result<f64, Failure> {
    let mut net = network(place, std, &mut Rng::seed(seed));
    let (mut adam, mut tape) = (Adam::new(3e-3), Tape::train(seed));
    for _ in 0..steps {
        tape.reset();
        let loss = loss::cross_entropy(net.forward(tape.constant(data.inputs())), data.labels());
        adam.step(&mut net, &loss.backward()?)?;
    }
    // On a tape for evaluation, the layers add no noise.
    let tape = Tape::eval();
    let guesses = net.forward(tape.constant(test.inputs())).argmax(-1)?;
    let wrong = guesses.ne(test.labels())?.to_vec().into_iter().filter(|w| *w).count();
    Ok(100.0 * wrong as f64 / test.len() as f64)
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let (rest, test) = digits()?.stratified_split(0.4, 0)?;
    let (seeds, steps) = run.pick((6, 200), (3, 120));
    let kinds: [(&str, Place, &[f64], f64, Color); 3] = [
        ("inputs", Place::Inputs, &[0.03, 0.1, 0.2, 0.3, 0.5, 0.8], 0.3, BLUE),
        ("activations", Place::Activations, &[0.03, 0.1, 0.3, 0.5, 1.0, 2.0], 0.5, ORANGE),
        ("weights", Place::Weights, &[0.01, 0.03, 0.06, 0.1, 0.13], 0.03, GREEN),
    ];
    let samples: Vec<_> = (0..seeds)
        .map(|s| Ok(rest.select(&rest.labelled(10, s)?.chosen)?))
        .collect::<Result<_, Failure>>()?;
    let measure = |place: Place, std: f64| -> Result<Vec<f64>, Failure> {
        samples.iter().enumerate().map(|(s, data)| error(data, &test, place, std, s as u64, steps)).collect()
    };
    let without = measure(Place::Inputs, 0.0)?;
    println!("without noise: {:.2} ± {:.2} % wrong", mean(&without), standard_error(&without));
    let mut plot =
        Plot::new("100 labelled digits").x("standard deviation of the noise").y("test error (%)").log_x();
    plot =
        plot.dashed(BLACK, "none", [(0.01, mean(&without)), (2.0, mean(&without))]).legend(Corner::UpperLeft);
    for (name, place, stds, good, color) in kinds {
        let stds = run.pick(stds.to_vec(), vec![good]);
        let (mut line, mut band) = (Vec::new(), Vec::new());
        for std in stds {
            let errors = measure(place, std)?;
            let (m, e) = (mean(&errors), standard_error(&errors));
            println!("{std} on {name}: {m:.2} ± {e:.2} % wrong");
            line.push((std, m));
            band.push((std, m - e, m + e));
            let gains: Vec<f64> = without.iter().zip(&errors).map(|(a, b)| a - b).collect();
            if std == good && place == Place::Inputs {
                assert!(
                    mean(&gains) > 1.0 && mean(&gains) > 2.0 * standard_error(&gains),
                    "{name}: {gains:?}"
                );
            } else if std == good {
                // There is no reliable gain, but no harm.
                assert!(mean(&gains) > -1.5, "{name}: {gains:?}");
            }
        }
        plot = plot.band(color, band).line(color, name, line.clone()).dots(color, "", line);
    }
    run.draw("weight-noise.svg", &[&[plot]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
