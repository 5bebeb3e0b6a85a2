//! Multi-task learning: a trunk with two heads and a joint loss. Few images have the wanted label, the digit; many have
//! a cheap one, whether the digit is even. The second task shapes the trunk that both use.
//!
//! `cargo run --release --example multi_task`

use wengert::data::{Classification, digits};
use wengert::prelude::*;
use wengert_examples::{BLUE, Corner, Failure, GRAY, ORANGE, Plot, Run, mean, standard_error};

#[derive(Module)]
struct TwoHeads {
    trunk: Sequential<f32>,
    digit: Linear<f32>,
    parity: Linear<f32>,
}

impl TwoHeads {
    fn new(rng: &mut Rng) -> Self {
        let trunk = Sequential::new()
            .push(Linear::new(64, 96, rng))
            .push(Activation::Relu)
            .push(Linear::new(96, 48, rng))
            .push(Activation::Relu);
        TwoHeads { trunk, digit: Linear::new(48, 10, rng), parity: Linear::new(48, 2, rng) }
    }
}

/// Accuracy on the digits after training on `few` images with digits and `many` with parity: loss = L_digit + λ
/// L_parity.
fn accuracy(
    few: &Classification,
    many: &Classification,
    test: &Classification,
    weight: f64,
    seed: u64,
    steps: usize,
) -> Result<f64, Failure> {
    let mut net = TwoHeads::new(&mut Rng::seed(seed));
    let parity = many.labels().map(|l: i64| l % 2);
    let (mut adam, mut tape) = (Adam::new(3e-3), Tape::train(seed));
    for _ in 0..steps {
        tape.reset();
        let mut loss = loss::cross_entropy(
            net.digit.forward(net.trunk.forward(tape.constant(few.inputs()))),
            few.labels(),
        );
        if weight > 0.0 {
            let logits = net.parity.forward(net.trunk.forward(tape.constant(many.inputs())));
            loss += loss::cross_entropy(logits, &parity) * weight;
        }
        adam.step(&mut net, &loss.backward()?)?;
    }
    let tape = Tape::eval();
    let guesses = net.digit.forward(net.trunk.forward(tape.constant(test.inputs()))).argmax(-1)?;
    let right = guesses.eq(test.labels())?.to_vec().into_iter().filter(|r| *r).count();
    Ok(right as f64 / test.len() as f64)
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let (rest, test) = digits()?.stratified_split(0.4, 0)?;
    let weights: &[f64] = run.pick(&[0.0, 0.1, 0.3, 1.0, 3.0, 10.0], &[0.0, 1.0]);
    let (seeds, steps) = run.pick((10, 200), (3, 150));
    let mut all = Vec::new();
    for &weight in weights {
        let mut scores = Vec::new();
        for seed in 0..seeds {
            let few = rest.select(&rest.labelled(3, seed)?.chosen)?;
            scores.push(100.0 * accuracy(&few, &rest, &test, weight, seed, steps)?);
        }
        println!(
            "λ = {weight}: {:.2} ± {:.2} % right with 30 labelled digits",
            mean(&scores),
            standard_error(&scores)
        );
        all.push(scores);
    }
    let joint = weights.iter().position(|w| *w == 1.0).unwrap_or(0);
    let gains: Vec<f64> = all[joint].iter().zip(&all[0]).map(|(a, b)| a - b).collect();
    println!("the second task brings {:.2} ± {:.2} points", mean(&gains), standard_error(&gains));
    assert!(mean(&gains) > 1.0 && mean(&gains) > 2.0 * standard_error(&gains), "{gains:?}");

    let place = |i: usize| i as f64;
    let curve = all.iter().enumerate().map(|(i, s)| (place(i), mean(s)));
    let band = all
        .iter()
        .enumerate()
        .map(|(i, s)| (place(i), mean(s) - standard_error(s), mean(s) + standard_error(s)));
    let dots = all.iter().enumerate().flat_map(|(i, s)| s.iter().map(move |s| (place(i), *s)));
    let alone = mean(&all[0]);
    let plot = Plot::new(format!("30 labelled digits, and the parity of {}", rest.len()))
        .x("weight λ of the second task")
        .y("digits right (%)")
        .y_range(60.0, 90.0)
        .x_ticks(weights.iter().enumerate().map(|(i, w)| (place(i), w)))
        .dots(GRAY, "one draw of the labels", dots)
        .band(BLUE, band)
        .line(BLUE, "mean ± its standard error", curve)
        .dashed(ORANGE, "one task alone", [(0.0, alone), (place(weights.len() - 1), alone)])
        .legend(Corner::LowerRight);
    run.draw("multi-task.svg", &[&[plot]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
