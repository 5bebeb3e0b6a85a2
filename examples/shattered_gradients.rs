//! Shattered gradients: the correlation of the gradients at two inputs, by the distance between the inputs, in a
//! shallow network, in a deep one, and in a deep one with identity paths (Balduzzi et al. 2017, figures 1 and 2).
//!
//! `cargo run --release --example shattered_gradients`

use wengert::nn::Lambda;
use wengert::nn::init::{Gain, Scheme};
use wengert::prelude::*;
use wengert_examples::{BLACK, BLUE, Failure, GREEN, ORANGE, PURPLE, Plot, Run, linspace, mean};

const WIDTH: usize = 100;
const INPUTS: usize = 256;

/// How a layer computes the next h; f(h) = W relu(norm(h)) + b.
#[derive(Clone, Copy)]
enum Path {
    /// f(h).
    Plain,
    /// h + β f(h).
    Identity(f64),
}

/// dy/dx at evenly spaced inputs from -2 to 2, for a network x ↦ y with random weights.
fn gradients(blocks: usize, path: Path, seed: u64) -> Result<Vec<f64>, Error> {
    let mut rng = Rng::seed(seed);
    let he = Scheme::KaimingNormal(Gain::Relu);
    let mut layer = |inputs: usize, outputs: usize| {
        let mut layer = Linear::<f64>::new(inputs, outputs, &mut rng).init(he, &mut rng);
        // The first layer has its kinks all over the interval.
        let bias = Scheme::Normal(if inputs == 1 { 2.0 } else { 0.1 });
        layer.bias = Some(Param::new(bias.sample(&[outputs].into(), &mut rng)));
        layer
    };
    let mut net = Sequential::new().push(layer(1, WIDTH)).push(Activation::Relu);
    for _ in 0..blocks {
        let body =
            Sequential::new().push(BatchNorm::new(WIDTH)).push(Activation::Relu).push(layer(WIDTH, WIDTH));
        net = match path {
            Path::Plain => net.push(body),
            Path::Identity(beta) => {
                net.push(Residual::new(body.push(Lambda::new(move |h: Var<'_, f64>| h * beta))))
            }
        };
    }
    let net = net.push(layer(WIDTH, 1));
    let tape = Tape::train(0);
    // The batch extends a little beyond both ends: normalisation would give a unit that is on only for the outermost
    // inputs very large values.
    let x = tape.var(Tensor::from(linspace(-2.5, 2.5, INPUTS + 64)).unsqueeze(1)?);
    let all = net.forward(x).sum().backward()?.wrt(x)?.to_vec();
    Ok(all[32..32 + INPUTS].to_vec())
}

/// The correlation of the values with those `lag` positions later.
fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let m = mean(values);
    let product = |lag: usize| values.iter().zip(&values[lag..]).map(|(a, b)| (a - m) * (b - m)).sum::<f64>();
    product(lag) / product(0)
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let seeds = run.pick(20, 4);
    let lags = 16;
    let kinds = [
        ("1 layer", 0, Path::Plain, GREEN),
        ("51 layers", 50, Path::Plain, ORANGE),
        ("51, h + f(h)", 50, Path::Identity(1.0), PURPLE),
        ("51, h + 0.1 f(h)", 50, Path::Identity(0.1), BLUE),
    ];
    let mut panels = Vec::new();
    let mut decay = Plot::new("Correlation of gradients")
        .x("distance of the inputs, in 5/319")
        .y("autocorrelation")
        .y_range(-0.2, 1.6);
    let mut at = Vec::new();
    for (name, blocks, path, color) in kinds {
        let mut all = Vec::new();
        for seed in 0..seeds {
            let g = gradients(blocks, path, seed)?;
            all.push((0..lags).map(|lag| autocorrelation(&g, lag)).collect::<Vec<_>>());
        }
        let curve: Vec<f64> =
            (0..lags).map(|lag| mean(&all.iter().map(|a| a[lag]).collect::<Vec<_>>())).collect();
        println!("{name}: autocorrelation {:.3} to the next input, {:.3} to the fifth", curve[1], curve[5]);
        decay = decay.line(color, name, curve.iter().copied().enumerate().map(|(lag, r)| (lag as f64, r)));
        at.push(curve[1]);
        let g = gradients(blocks, path, 0)?;
        let panel = Plot::new(name).x("x").y("dy/dx");
        panels.push(panel.thin(color, "", linspace(-2.0, 2.0, INPUTS).into_iter().zip(g)));
    }
    let white: Vec<f64> = Tensor::randn([INPUTS], &mut Rng::seed(1))?.to_vec();
    decay =
        decay.dashed(BLACK, "white noise", (0..lags).map(|lag| (lag as f64, autocorrelation(&white, lag))));
    assert!(at[0] > 0.8 && at[1].abs() < 0.2, "depth shatters gradients: {at:?}");
    assert!(at[3] > 0.5 && at[3] > at[2] + 0.15, "identity paths keep them together: {at:?}");
    let [shallow, deep, _, residual] = &panels[..] else { unreachable!("four kinds") };
    run.draw("shattered-gradients.svg", &[&[shallow.clone(), deep.clone()], &[residual.clone(), decay]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
