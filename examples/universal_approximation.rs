//! Universal approximation: how well a network with one hidden layer fits continuous functions on [-1, 1], by its
//! width.
//!
//! `cargo run --release --example universal_approximation`

use wengert::nn::optim::{Lbfgs, LbfgsConfig};
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::prelude::*;
use wengert_examples::{BLACK, BLUE, Corner, Failure, GREEN, ORANGE, Plot, Run, linspace, quantile};

type Function = fn(f64) -> f64;

/// Name, formula, and the range of the vertical axis.
const FUNCTIONS: [(&str, Function, f64, f64); 3] = [
    ("sin 3πx", |x| (3.0 * std::f64::consts::PI * x).sin(), -1.4, 2.2),
    ("√|x|", |x| x.abs().sqrt(), -0.1, 1.6),
    ("a saw's sum", takagi, -0.1, 1.2),
];

/// Σ 2⁻ᵏ s(2ᵏ x), where s is the distance to the nearest whole number: the infinite sum is continuous and nowhere
/// differentiable.
fn takagi(x: f64) -> f64 {
    (0..10).map(|k| 2f64.powi(k)).map(|two| (two * x - (two * x).round()).abs() / two).sum()
}

/// y(x) = Σ vⱼ max(0, wⱼ x + bⱼ) + c through the function at D + 1 evenly spaced points: constructed, not trained.
fn interpolate(f: Function, width: usize) -> Result<Mlp<f64>, Error> {
    let knots = linspace(-1.0, 1.0, width + 1);
    let slope = |i: usize| (f(knots[i + 1]) - f(knots[i])) / (knots[i + 1] - knots[i]);
    let change = |i: usize| if i == 0 { slope(0) } else { slope(i) - slope(i - 1) };
    let mut net = network(width, &mut Rng::seed(0));
    let [hidden, output] = &mut net.layers[..] else { unreachable!("one hidden layer") };
    hidden.weight.set(Tensor::ones([width, 1]))?;
    set_bias(hidden, knots[..width].iter().map(|t| -t).collect())?;
    output.weight.set(Tensor::from_vec((0..width).map(change).collect(), [1, width])?)?;
    set_bias(output, vec![f(-1.0)])?;
    Ok(net)
}

fn network(width: usize, rng: &mut Rng) -> Mlp<f64> {
    let config = MlpConfig { widths: vec![1, width, 1], activation: Activation::Relu, dropout: 0.0 };
    Mlp::with_config(&config, rng)
}

fn set_bias(layer: &mut Linear<f64>, values: Vec<f64>) -> Result<(), Error> {
    layer.bias.as_mut().map_or(Ok(()), |b| b.set(values.into()))
}

/// A network with random kinks in [-1, 1], trained on 200 points.
fn train(f: Function, width: usize, steps: usize, seed: u64) -> Result<Mlp<f64>, Error> {
    let mut rng = Rng::seed(seed);
    let mut net = network(width, &mut rng);
    let kinks: Tensor<f64> = Tensor::rand([width], &mut rng)?;
    let signs: Tensor<f64> = Tensor::randn([width], &mut rng)?.map(|v: f64| v.signum());
    net.layers[0].weight.set(signs.unsqueeze(1)?)?;
    set_bias(&mut net.layers[0], kinks.map(|u| 1.0 - 2.0 * u).mul(&signs)?.to_vec())?;
    let x = linspace(-1.0, 1.0, 200);
    let y: Vec<f64> = x.iter().map(|&x| f(x)).collect();
    let (x, y) = (Tensor::from(x).unsqueeze(1)?, Tensor::from(y).unsqueeze(1)?);
    let config = LbfgsConfig {
        max_iter: steps,
        max_eval: Some(2 * steps),
        tolerance_change: 1e-12,
        ..LbfgsConfig::default()
    };
    Lbfgs::with_config(config).step(&mut net, |net, tape| loss::mse(net.forward(tape.constant(&x)), &y))?;
    Ok(net)
}

/// The output of the network at 1001 points.
fn curve(net: &Mlp<f64>) -> Result<Vec<(f64, f64)>, Error> {
    let x = linspace(-1.0, 1.0, 1001);
    let tape = Tape::eval();
    let y = net.forward(tape.constant(Tensor::from(x.clone()).unsqueeze(1)?)).value()?.to_vec();
    Ok(x.into_iter().zip(y).collect())
}

/// The largest error at these points.
fn sup_error(net: &Mlp<f64>, f: Function) -> Result<f64, Error> {
    Ok(curve(net)?.into_iter().map(|(x, y)| (y - f(x)).abs()).fold(0.0, f64::max))
}

/// ω(h) = sup |f(x) - f(x')| over |x - x'| ≤ h.
fn modulus(f: Function, h: f64) -> f64 {
    let y: Vec<f64> = linspace(-1.0, 1.0, 1001).into_iter().map(f).collect();
    let reach = (h * 500.0).round() as usize;
    let spread =
        |w: &[f64]| w.iter().fold(f64::MIN, |m, v| m.max(*v)) - w.iter().fold(f64::MAX, |m, v| m.min(*v));
    y.windows(reach + 1).map(spread).fold(0.0, f64::max)
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let widths: &[usize] = run.pick(&[2, 4, 8, 16, 32, 64, 128], &[4, 16, 64]);
    let (steps, seeds) = run.pick((1000, 5), (300, 3));
    let mut errors = Plot::new("Trained (median and range), constructed (dashed)")
        .x("hidden units D")
        .y("sup |f - f̂|")
        .log_x()
        .log_y();
    let mut fits = Vec::new();
    for ((name, f, bottom, top), color) in FUNCTIONS.into_iter().zip([BLUE, ORANGE, GREEN]) {
        let (mut median, mut spread, mut constructed) = (Vec::new(), Vec::new(), Vec::new());
        for &width in widths {
            let mut all = Vec::new();
            for seed in 0..seeds {
                all.push(sup_error(&train(f, width, steps, seed)?, f)?);
            }
            let d = width as f64;
            median.push((d, quantile(&all, 0.5)));
            spread.push((d, quantile(&all, 0.0), quantile(&all, 1.0)));
            constructed.push((d, sup_error(&interpolate(f, width)?, f)?));
        }
        let (first, last) = (median[0].1, median[median.len() - 1].1);
        println!(
            "{name}: sup error {first:.3} with {} units, {last:.4} with {}",
            widths[0],
            widths[widths.len() - 1]
        );
        assert!(last < 0.35 * first && last < 0.2, "{name}: {median:?}");
        // Between two points of the function, the error of the construction is at most the variation of the function
        // between them.
        let bounded = |&(d, error): &(f64, f64)| error <= modulus(f, 2.0 / d) + 1e-12;
        assert!(constructed.iter().all(bounded), "{name}: {constructed:?}");
        errors = errors.band(color, spread).line(color, name, median.clone()).dots(color, "", median);
        errors = errors.dashed(color, "", constructed);

        let mut fit = Plot::new(name).x("x").y("y").y_range(bottom, top);
        for (width, color) in [(4, GREEN), (16, ORANGE), (64, BLUE)] {
            fit = fit.line(color, &format!("D = {width}"), thinned(curve(&train(f, width, steps, 0)?)?));
        }
        fits.push(fit.thin(
            BLACK,
            "f",
            thinned(linspace(-1.0, 1.0, 1001).into_iter().map(|x| (x, f(x))).collect()),
        ));
    }
    errors = errors.x_ticks(widths.iter().map(|&d| (d as f64, d))).legend(Corner::LowerLeft);
    let [a, b, c] = &fits[..] else { unreachable!("three functions") };
    run.draw("universal-approximation.svg", &[&[errors, a.clone()], &[b.clone(), c.clone()]])
}

/// Every fourth point, for a picture.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.into_iter().step_by(4).collect()
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
