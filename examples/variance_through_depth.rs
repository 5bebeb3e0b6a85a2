//! Initialisation: the variance of activations forwards through fifty layers, and of gradients backwards, with weights
//! of the right variance, and of a variance that is too small or too large.
//!
//! `cargo run --release --example variance_through_depth`

use wengert::nn::init::{Gain, Scheme};
use wengert::prelude::*;
use wengert_examples::{BLUE, Corner, Failure, GREEN, ORANGE, PURPLE, Plot, Run};

const DEPTH: usize = 50;

/// E\[h²\] of every layer's output, and E\[(∂L/∂h)²\], each relative to where it begins: the first layer, and the last.
fn moments(scheme: Scheme, activation: Activation, width: usize, seed: u64) -> Result<[Vec<f64>; 2], Error> {
    let mut rng = Rng::seed(seed);
    let layers: Vec<_> =
        (0..DEPTH).map(|_| Linear::<f64>::new(width, width, &mut rng).init(scheme, &mut rng)).collect();
    let tape = Tape::new();
    let mut h = tape.var(Tensor::randn([64, width], &mut rng)?);
    let mut all = Vec::new();
    for layer in &layers {
        h = activation.forward(layer.forward(h)).keep();
        all.push(h);
    }
    let second = |t: Tensor<f64>| t.to_vec().iter().map(|v| v * v).sum::<f64>() / t.numel() as f64;
    let up: Vec<f64> = all.iter().map(|h| h.value().map(second)).collect::<Result<_, _>>()?;
    let grads = h.backward_from(Tensor::randn([64, width], &mut rng)?)?;
    let down: Vec<f64> = all.iter().map(|h| grads.wrt(*h).map(second)).collect::<Result<_, _>>()?;
    let relative = |values: &[f64], to: f64| values.iter().map(|v| v / to).collect();
    Ok([relative(&up, up[0]), relative(&down, down[DEPTH - 1])])
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let width = run.pick(256, 128);
    let relu = Activation::Relu;
    let tanh = Activation::Tanh;
    let (half, twice) = (Gain::Value(2f64.sqrt() * 0.5f64.sqrt()), Gain::Value(2f64.sqrt() * 2f64.sqrt()));
    type Case<'c> = (&'c str, Scheme, Activation, [f64; 2]);
    // With D inputs and D outputs; the range that must contain the last moment, relative to the first.
    let cases: [Case<'_>; 6] = [
        ("He, 2/D", Scheme::KaimingNormal(Gain::Relu), relu, [0.02, 20.0]),
        ("half of it, 1/D", Scheme::KaimingNormal(half), relu, [1e-17, 1e-11]),
        ("twice, 4/D", Scheme::KaimingNormal(twice), relu, [1e11, 1e17]),
        ("Xavier, 1/D", Scheme::XavierNormal(Gain::Unit), tanh, [0.01, 0.2]),
        ("a quarter, 1/4D", Scheme::XavierNormal(Gain::Value(0.5)), tanh, [1e-33, 1e-27]),
        ("four times, 4/D", Scheme::XavierNormal(Gain::Value(2.0)), tanh, [0.7, 1.1]),
    ];
    let title = |name: &str, what: &str| Plot::new(format!("{name}: {what}")).x("layer").log_y();
    let up =
        |name| title(name, "activations").y("E[h²], relative to the first layer's").legend(Corner::UpperLeft);
    let down = |name| title(name, "gradients").y("E[(∂L/∂h)²], relative to the last layer's");
    let mut panels = [
        [up("ReLU"), down("ReLU")],
        [up("tanh").legend(Corner::LowerLeft), down("tanh").legend(Corner::LowerRight)],
    ];
    for ((name, scheme, activation, [low, high]), color) in
        cases.into_iter().zip([BLUE, GREEN, ORANGE, BLUE, GREEN, PURPLE])
    {
        let [up, down] = moments(scheme, activation, width, 1)?;
        println!(
            "{activation:?}, {name}: activations by {:.1e}, gradients by {:.1e}",
            up[DEPTH - 1],
            down[0]
        );
        assert!((low..high).contains(&up[DEPTH - 1]), "{activation:?}, {name}: {}", up[DEPTH - 1]);
        let row = &mut panels[usize::from(activation == tanh)];
        for (panel, moments) in row.iter_mut().zip([up, down]) {
            let points = moments.into_iter().enumerate().map(|(l, m)| ((l + 1) as f64, m));
            *panel = panel.clone().line(color, name, points);
        }
    }
    run.draw("variance-through-depth.svg", &[&panels[0], &panels[1]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
