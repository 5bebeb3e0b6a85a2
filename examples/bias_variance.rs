//! Bias and variance: the expected squared error of a network that is trained on a random data set is
//! bias² + variance + noise. Each term is measured by training on many data sets.
//!
//! `cargo run --release --example bias_variance`

use wengert::nn::optim::Schedule;
use wengert::prelude::*;
use wengert_examples::{
    BLACK, BLUE, Corner, Failure, GRAY, GREEN, ORANGE, Plot, Run, linspace, mean, standard_error,
};

/// The standard deviation of y around f(x).
const NOISE: f64 = 0.3;
/// The number of samples in a data set.
const SAMPLES: usize = 16;

fn truth(x: f64) -> f64 {
    (2.0 * x).sin() + 0.5 * x
}

/// Many networks x ↦ Σ vⱼ tanh(wⱼ x + bⱼ) + c at once, one for each data set: no product mixes two of them.
#[derive(Module)]
struct Networks {
    w: Param<f64>, // [sets, 1, D]
    b: Param<f64>, // [sets, 1, D]
    v: Param<f64>, // [sets, D, 1]
    c: Param<f64>, // [sets, 1, 1]
}

impl Networks {
    fn new(sets: usize, width: usize, rng: &mut Rng) -> Result<Self, Error> {
        let mut draw =
            |shape: [usize; 3], std: f64| Ok::<_, Error>(Param::new(Tensor::randn(shape, rng)?.scale(std)));
        Ok(Networks {
            w: draw([sets, 1, width], 2.0)?,
            b: draw([sets, 1, width], 2.0)?,
            v: draw([sets, width, 1], (width as f64).sqrt().recip())?,
            c: draw([sets, 1, 1], 0.0)?,
        })
    }

    /// `[sets, n, 1]` → `[sets, n, 1]`.
    fn forward<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
        let tape = x.tape();
        let h = (x.matmul(tape.param(&self.w)) + tape.param(&self.b)).tanh();
        h.matmul(tape.param(&self.v)) + tape.param(&self.c)
    }
}

/// The predictions of the networks at `grid`, `[sets][grid]`.
fn predictions(
    width: usize,
    sets: usize,
    steps: usize,
    grid: &[f64],
    rng: &mut Rng,
) -> Result<Vec<Vec<f64>>, Error> {
    let x = Tensor::rand([sets, SAMPLES, 1], rng)?.map(|u: f64| 6.0 * u - 3.0);
    let y = x.map(truth).add(Tensor::randn([sets, SAMPLES, 1], rng)?.scale(NOISE))?;
    let mut nets = Networks::new(sets, width, rng)?;
    let (mut adam, mut tape) = (Adam::new(0.0), Tape::new());
    for step in 0..steps {
        tape.reset();
        // A sum over data sets: each network's gradient is that of its own loss.
        let loss = (nets.forward(tape.constant(&x)) - &y).square().mean_axes(1).sum();
        adam.set_learning_rate(Schedule::Cosine { from: 0.05, to: 0.0, steps }.at(step));
        adam.step(&mut nets, &loss.backward()?)?;
    }
    let tape = Tape::eval();
    let inputs = Tensor::from(grid.to_vec()).reshape([1, grid.len(), 1])?.expand([sets, grid.len(), 1])?;
    let outputs = nets.forward(tape.constant(inputs)).value()?.to_vec();
    Ok(outputs.chunks(grid.len()).map(<[f64]>::to_vec).collect())
}

fn analyse(run: &Run) -> Result<(), Failure> {
    let widths: &[usize] = run.pick(&[1, 2, 3, 4, 6, 8, 12, 16, 24], &[1, 4, 16]);
    let (sets, steps) = run.pick((200, 3000), (60, 1000));
    let grid = linspace(-2.8, 2.8, 60);
    let mut rng = Rng::seed(0);
    let mut curves: [Vec<(f64, f64)>; 4] = Default::default();
    let mut measured = Vec::new();
    let mut fits = Vec::new();
    for &width in widths {
        let all = predictions(width, sets, steps, &grid, &mut rng)?;
        let at = |i: usize| all.iter().map(|f| f[i]).collect::<Vec<_>>();
        let average: Vec<f64> = (0..grid.len()).map(|i| mean(&at(i))).collect();
        let bias = mean(&grid.iter().zip(&average).map(|(x, f)| (truth(*x) - f).powi(2)).collect::<Vec<_>>());
        // Division by n - 1, since the average is that of the same networks.
        let spread =
            |i: usize| at(i).iter().map(|f| (f - average[i]).powi(2)).sum::<f64>() / (sets - 1) as f64;
        let variance = mean(&(0..grid.len()).map(spread).collect::<Vec<_>>());
        // The squared average is too large by 1/n of the variance.
        let bias = bias - variance / sets as f64;
        let noise = NOISE * NOISE;

        // The error, measured independently on new, noisy samples for each network. It differs from the sum by the
        // random noise of these samples.
        let (mut errors, mut by_chance) = (Vec::new(), Vec::new());
        for f in &all {
            let fresh: Vec<f64> = Tensor::randn([grid.len()], &mut rng)?.to_vec();
            let off = |e: &[f64]| {
                grid.iter().zip(f).zip(e).map(|((x, f), e)| (truth(*x) + NOISE * e - f).powi(2)).sum::<f64>()
            };
            let (noisy, clean) = (off(&fresh), off(&vec![0.0; grid.len()]));
            errors.push(noisy / grid.len() as f64);
            by_chance.push((noisy - clean) / grid.len() as f64);
        }
        let (error, uncertain, sum) = (mean(&errors), standard_error(&by_chance), bias + variance + noise);
        println!(
            "D = {width:2}: bias² {bias:.4} + variance {variance:.4} + noise {noise:.4} = {sum:.4}; measured {error:.4} ± {uncertain:.4}"
        );
        assert!((sum - error).abs() < 4.0 * uncertain, "D = {width}: {sum} against {error} ± {uncertain}");
        for (curve, value) in curves.iter_mut().zip([bias, variance, noise, sum]) {
            curve.push((width as f64, value));
        }
        measured.push((width as f64, error));
        fits.push((width, all, average));
    }
    let [bias, variance, noise, sum] = curves;
    assert!(bias[0].1 > 3.0 * bias[bias.len() - 1].1, "more units have less bias: {bias:?}");
    assert!(variance[0].1 < variance[variance.len() - 1].1, "and more variance: {variance:?}");

    let decomposed = Plot::new("Expected error and its parts")
        .x("hidden units D")
        .y("squared error")
        .y_range(0.0, 0.8)
        .log_x()
        .x_ticks(widths.iter().map(|&d| (d as f64, d)))
        .line(BLUE, "bias²", bias)
        .line(ORANGE, "variance", variance)
        .dashed(GRAY, "noise", noise)
        .line(BLACK, "their sum", sum)
        .dots(GREEN, "measured error", measured)
        .legend(Corner::UpperRight);
    let panel = |(width, all, average): &(usize, Vec<Vec<f64>>, Vec<f64>)| {
        let mut plot = Plot::new(format!("D = {width}: twelve data sets")).x("x").y("y").y_range(-3.5, 5.0);
        for f in &all[..12] {
            plot = plot.thin(GRAY, "", grid.iter().copied().zip(f.iter().map(|v| v.clamp(-3.5, 5.0))));
        }
        let mean = grid.iter().copied().zip(average.iter().copied());
        plot.line(ORANGE, "mean prediction", mean).line(BLUE, "truth", grid.iter().map(|x| (*x, truth(*x))))
    };
    let (simple, rich) = (panel(&fits[0]), panel(&fits[fits.len() - 1]));
    run.draw("bias-variance.svg", &[&[decomposed, simple, rich]])
}

fn main() -> Result<(), Failure> {
    analyse(&Run::from_args())
}

#[test]
fn runs() {
    analyse(&Run::test()).unwrap();
}
