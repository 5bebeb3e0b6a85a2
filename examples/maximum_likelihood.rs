//! Maximum likelihood: gradient descent on -1/N Σ log p finds the parameters that have a closed form. A normal distribution is
//! fitted to a hundred years of the Nile, a categorical one to the vowels of a play.
//!
//! `cargo run --release --example maximum_likelihood`

use wengert::data::{hamlet, nile};
use wengert::nn::dist::{Categorical, Distribution, Normal};
use wengert::prelude::*;
use wengert_examples::{BLACK, BLUE, Corner, Failure, GRAY, ORANGE, Palette, Plot, Run, linspace};

/// μ and log σ.
#[derive(Module)]
struct Bell {
    mean: Param<f64>,
    log_std: Param<f64>,
}

const VOWELS: [char; 5] = ['a', 'e', 'i', 'o', 'u'];

/// The parameters and the loss at each step of gradient descent.
fn fit_normal(x: &Tensor<f64>, start: (f64, f64), steps: usize) -> Result<Vec<(f64, f64)>, Error> {
    let mut bell =
        Bell { mean: Param::new(Tensor::scalar(start.0)), log_std: Param::new(Tensor::scalar(start.1.ln())) };
    let (mut descent, mut tape) = (Sgd::new(0.2), Tape::new());
    let mut path = vec![start];
    for _ in 0..steps {
        tape.reset();
        let p = Normal::new(tape.param(&bell.mean), tape.param(&bell.log_std).exp());
        let loss = -p.log_prob(tape.constant(x)).mean();
        descent.step(&mut bell, &loss.backward()?)?;
        path.push((bell.mean.value().item()?, bell.log_std.value().item()?.exp()));
    }
    Ok(path)
}

/// The fitted probabilities, from logits that begin at 0.
fn fit_categorical(letters: &Tensor<i64>, classes: usize, steps: usize) -> Result<Vec<f64>, Error> {
    let mut logits: Param<f64> = Param::new(Tensor::zeros([classes]));
    let (mut descent, mut tape, n) = (Sgd::new(2.0), Tape::new(), letters.numel());
    for _ in 0..steps {
        tape.reset();
        let loss = -Categorical::new(tape.param(&logits).expand([n, classes])).log_prob_of(letters).mean();
        descent.step(&mut logits, &loss.backward()?)?;
    }
    let tape = Tape::eval();
    Ok(Categorical::new(tape.param(&logits)).probs().value()?.to_vec())
}

fn analyse(run: &Run) -> Result<(), Failure> {
    // In 10¹⁰ m³ per year.
    let volumes: Vec<f64> = nile()?.values().to_vec().into_iter().map(|v| f64::from(v) / 100.0).collect();
    let n = volumes.len() as f64;
    let mean = volumes.iter().sum::<f64>() / n;
    let std = (volumes.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let path = fit_normal(&volumes.clone().into(), (6.0, 4.0), 1500)?;
    let (found_mean, found_std) = path[path.len() - 1];
    println!(
        "normal: mean {found_mean:.12}, closed form {mean:.12}; deviation {found_std:.12}, closed form {std:.12}"
    );
    assert!((found_mean - mean).abs() < 1e-9 && (found_std - std).abs() < 1e-9, "{path:?}");

    let vowels = hamlet()?
        .to_lowercase()
        .chars()
        .filter_map(|c| VOWELS.iter().position(|v| *v == c))
        .collect::<Vec<_>>();
    let vowels: Vec<i64> = vowels.into_iter().take(2000).map(|v| v as i64).collect();
    let shares: Vec<f64> =
        (0..5).map(|c| vowels.iter().filter(|v| **v == c).count() as f64 / vowels.len() as f64).collect();
    let found = fit_categorical(&vowels.into(), 5, 400)?;
    println!("categorical: {found:.4?}, shares {shares:.4?}");
    assert!(found.iter().zip(&shares).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?} {shares:?}");

    // -1/N Σ log p over (μ, σ), minus its minimum.
    let loss = |m: f64, s: f64| s.ln() + (std * std + (mean - m).powi(2)) / (2.0 * s * s);
    let least = loss(mean, std);
    let cell = |low: f64, high: f64, n: usize| {
        let half = 0.5 * (high - low) / n as f64;
        linspace(low + half, high - half, n)
    };
    let surface = cell(1.0, 5.0, 28).into_iter().map(|s| {
        // The colour depends on the square root, in steps of 1/8, so that the valley is visible.
        cell(5.0, 13.0, 40)
            .into_iter()
            .map(|m| -((loss(m, s) - least).sqrt().min(2.0) * 8.0).round() / 8.0)
            .collect()
    });
    let surface = Plot::new("The loss, from its least upwards")
        .x("μ")
        .y("σ")
        .x_range(5.0, 13.0)
        .y_range(1.0, 5.0)
        .cells(5.0..13.0, 1.0..5.0, surface.collect(), Palette::Rising)
        .line(ORANGE, "gradient descent", path.iter().copied().take(80))
        .dots(ORANGE, "", path.iter().copied().take(80).step_by(4))
        .words(BLACK, [(mean, std, "+")]);

    let density = |x: f64| {
        (-0.5 * ((x - found_mean) / found_std).powi(2)).exp()
            / (found_std * (2.0 * std::f64::consts::PI).sqrt())
    };
    let bins = (4..15).map(|b| {
        let (low, high) = (b as f64, b as f64 + 1.0);
        (low..high, volumes.iter().filter(|v| (low..high).contains(*v)).count() as f64 / n)
    });
    let bell = Plot::new("The Nile at Aswan, 1871 to 1970")
        .x("volume of a year (10¹⁰ m³)")
        .y("density")
        .bars(GRAY, "years", bins)
        .line(BLUE, "fitted normal", linspace(4.0, 15.0, 120).into_iter().map(|x| (x, density(x))))
        .legend(Corner::UpperRight);
    let bar = |i: usize, left: f64, width: f64| i as f64 + left..i as f64 + left + width;
    let letters = Plot::new("Vowels of Hamlet")
        .x("vowel")
        .y("probability")
        .x_ticks(VOWELS.iter().enumerate().map(|(i, v)| (i as f64 + 0.5, v)))
        .bars(GRAY, "share", shares.iter().enumerate().map(|(i, s)| (bar(i, 0.15, 0.35), *s)))
        .bars(BLUE, "fitted categorical", found.iter().enumerate().map(|(i, p)| (bar(i, 0.5, 0.35), *p)));
    run.draw("maximum-likelihood.svg", &[&[surface, bell, letters]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
