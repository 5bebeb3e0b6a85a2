//! Properties of every distribution, checked for all in one place.

mod continuous;
mod discrete;

use super::*;
use wengert_tape::gradcheck::Check;

fn close(found: f64, want: f64, within: f64) -> bool {
    (found - want).abs() <= within * (1.0 + want.abs()) || found == want
}

/// Values of PyTorch 2.15 in f64: log-probabilities of x, mean, mode, variance, entropy.
#[track_caller]
fn is_pytorchs<'t>(d: &impl Distribution<'t, f64>, x: &[f64], want: [&[f64]; 5]) {
    let x = Tensor::from_slice(x, [x.len()]).unwrap();
    let found = [d.log_prob(&x), d.mean(), d.mode(), d.variance(), d.entropy()];
    let names = ["log_prob", "mean", "mode", "variance", "entropy"];
    for ((found, want), name) in found.into_iter().zip(want).zip(names) {
        if want.is_empty() {
            continue;
        }
        let found = found.value().unwrap().to_vec();
        let good = found.len() == want.len() && found.iter().zip(want).all(|(a, b)| close(*a, *b, 1e-12));
        assert!(good, "{name}: {found:?}, not {want:?}");
    }
}

/// Draws have the moments, the mode is the peak, the entropy is -E log p, and the draws are the same for the same seed. Moments
/// are within five standard errors.
#[track_caller]
fn is_consistent<'t>(d: &impl Distribution<'t, f64>) {
    let n = 40_000;
    let draws = d.sample_n(n, &mut Rng::seed(3)).unwrap();
    assert_eq!(draws, d.sample_n(n, &mut Rng::seed(3)).unwrap());
    assert_ne!(draws, d.sample_n(n, &mut Rng::seed(4)).unwrap());
    assert_eq!(d.sample(&mut Rng::seed(0)).unwrap().shape(), &d.shape());
    let tape = d.tape();
    let x = tape.constant(&draws);
    let (mean, variance) = (x.mean_axes(0), x.variance_axes(0, 0.0));
    let fourth = (x - mean).square().square().mean_axes(0);
    let each = |v: Var<'t, f64>| v.value().unwrap().contiguous().to_vec();
    let found = each(mean).into_iter().zip(each(variance)).zip(each(fourth));
    let want = each(d.mean()).into_iter().zip(each(d.variance())).zip(each(d.std()));
    for (((m, v), fourth), ((wm, wv), ws)) in found.zip(want) {
        let error = 5.0 / (n as f64).sqrt();
        assert!((m - wm).abs() <= error * ws + 1e-12, "mean {m}, not {wm}");
        assert!((v - wv).abs() <= error * (fourth - v * v).max(0.0).sqrt() + 1e-12, "variance {v}, not {wv}");
        assert!(close(ws * ws, wv, 1e-12));
    }
    let entropy = d.entropy();
    let surprise = -d.log_prob(x);
    assert!(!surprise.is_failed());
    if !entropy.is_failed() {
        let spread = surprise.std_axes(0, 0.0);
        for ((found, want), spread) in
            each(surprise.mean_axes(0)).into_iter().zip(each(entropy)).zip(each(spread))
        {
            assert!(
                (found - want).abs() <= 5.0 * spread / (n as f64).sqrt() + 1e-9,
                "entropy {want}, by samples {found}"
            );
        }
    }
    let mode = d.mode();
    if !mode.is_failed() {
        let peak = each(d.log_prob(mode));
        let seen = each((-surprise).max_axes(0));
        assert!(
            peak.iter().zip(&seen).all(|(p, s)| p >= s || (p - s).abs() < 1e-9 || p.is_nan()),
            "{peak:?} {seen:?}"
        );
    }
}

/// The density integrates to 1 between bounds.
#[track_caller]
fn integrates<'t>(d: &impl Distribution<'t, f64>, low: f64, high: f64) {
    let n = 200_000;
    let h = (high - low) / n as f64;
    let x = Tensor::from_vec((0..n).map(|i| low + (i as f64 + 0.5) * h).collect(), [n]).unwrap();
    let total = d.log_prob(x).exp().sum().item().unwrap() * h;
    assert!((total - 1.0).abs() < 1e-4, "{total}");
}

/// The closed form is compared with the mean over draws.
#[track_caller]
fn kl_is_monte_carlos<'t, D: Distribution<'t, f64> + Kl<'t, f64>>(p: &D, q: &D, want: f64) {
    let n = 40_000;
    let found = kl(p, q).value().unwrap().to_vec()[0];
    assert!(close(found, want, 1e-12), "{found}, not {want}");
    let x = p.tape().constant(p.sample_n(n, &mut Rng::seed(5)).unwrap());
    let gain = p.log_prob(x) - q.log_prob(x);
    let (mean, spread) =
        (gain.mean().item().unwrap(), gain.sub(gain.mean()).square().mean().item().unwrap().sqrt());
    assert!((mean - found).abs() <= 5.0 * spread / (n as f64).sqrt() + 1e-9, "{found}, by samples {mean}");
    assert!(kl(p, p).value().unwrap().to_vec()[0].abs() < 1e-12);
}

use std::ops::Sub;

#[track_caller]
fn gradients(
    name: &'static str,
    f: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
    inputs: &[Tensor<f64>],
) {
    let report = Check::new(name).run(f, inputs);
    assert!(report.passed(), "{name}: {report}");
}

fn t(values: &[f64]) -> Tensor<f64> {
    Tensor::from_slice(values, [values.len()]).unwrap()
}

const INF: f64 = f64::INFINITY;

#[test]
fn impossible_parameters_are_failed_values_that_say_why() {
    let tape = Tape::<f64>::new();
    let refused = |v: Var<'_, f64>, words: &[&str]| {
        let e = v.value().unwrap_err().to_string();
        assert!(words.iter().all(|w| e.contains(w)), "{e} does not say {words:?}");
    };
    let zero = tape.var(0.0);
    for bad in [0.0, -1.0, f64::NAN, INF] {
        let found = format!("more than 0 and finite, found {bad}");
        refused(Normal::new(zero, bad).log_prob(0.0), &["normal", "standard deviation", &found]);
        refused(Laplace::new(zero, bad).entropy(), &["laplace", &found]);
        refused(LogNormal::new(zero, bad).mean(), &["normal", &found]);
        refused(Exponential::new(tape.var(bad)).mode(), &["exponential", &found]);
        refused(Gamma::new(tape.var(1.0), bad).mean(), &["gamma", "rate", &found]);
        refused(Gamma::new(tape.var(bad), 1.0).mean(), &["gamma", "concentration", &found]);
        refused(Beta::new(tape.var(bad), 1.0).entropy(), &["beta", &found]);
        refused(Dirichlet::new(tape.var(t(&[1.0, bad]))).mode(), &["dirichlet", &found]);
        refused(StudentT::new(tape.var(1.0), 0.0, bad).log_prob(0.0), &["student_t", "scale", &found]);
        refused(StudentT::new(tape.var(bad), 0.0, 1.0).log_prob(0.0), &["student_t", "freedom", &found]);
    }
    for bad in [-0.5, f64::NAN, INF] {
        refused(
            Poisson::new(tape.var(bad)).log_prob(1.0),
            &["poisson", &format!("at least 0 and finite, found {bad}")],
        );
    }
    refused(
        Uniform::new(tape.var(t(&[0.0, 1.0])), 1.0).log_prob(0.5),
        &["low below high", "found 1 to 1 at [1]"],
    );
    refused(
        Uniform::new(tape.var(t(&[0.0, 1.0])), INF).log_prob(0.5),
        &["uniform", "upper end", "found inf"],
    );
    refused(Bernoulli::from_probs(tape.var(t(&[0.5, 1.5]))).log_prob(1.0), &["probability", "1.5 at [1]"]);
    // A parameter that may be any number must not be NaN, and only a logit may be infinite.
    for bad in [f64::NAN, INF, -INF] {
        let bad = || tape.var(t(&[0.0, bad]));
        let found = format!("a finite number, found {}", bad().value().unwrap().to_vec()[1]);
        for (name, v) in [
            ("normal", Normal::new(bad(), 1.0).entropy()),
            ("log_normal", LogNormal::new(bad(), 1.0).mode()),
            ("laplace", Laplace::new(bad(), 1.0).entropy()),
            ("student_t", StudentT::new(tape.var(1.0), bad(), 1.0).log_prob(0.0)),
            ("multivariate_normal", MultivariateNormal::from_factor(bad(), Tensor::eye(2)).entropy()),
        ] {
            refused(v, &[name, &found, "at [1]"]);
        }
    }
    let nan = || tape.var(t(&[0.0, f64::NAN]));
    for (name, v) in [
        ("bernoulli", Bernoulli::from_logits(nan()).entropy()),
        ("categorical", Categorical::new(nan()).entropy()),
    ] {
        refused(v, &[name, "a number, found NaN at [1]"]);
    }
    refused(LogNormal::new(zero, -1.0).mode(), &["log_normal", "found -1"]);
    let factor = Tensor::from([[1.0, 0.0], [f64::NAN, 1.0]]);
    refused(
        MultivariateNormal::from_factor(tape.var(t(&[0.0, 0.0])), factor).entropy(),
        &["factor", "NaN at [1, 0]"],
    );
    // A row of logits must have a possible class and no logit of +∞: the softmax would be NaN.
    for (bad, found) in [(-INF, "-inf at [1]"), (INF, "inf at [1]")] {
        let logits = tape.var(Tensor::from([[0.0, -INF], [bad, -INF]]));
        refused(
            Categorical::new(logits).log_prob_of(&Tensor::from([0, 0])),
            &["whose largest is finite", found],
        );
        assert!(Categorical::new(logits).sample_index(&mut Rng::seed(0)).is_err());
    }
    refused(Poisson::new(tape.var(-0.5)).mode(), &["poisson", "at least 0", "-0.5"]);
    refused(Dirichlet::new(zero).entropy(), &["dirichlet", "[.., classes]"]);
    refused(Categorical::new(zero).entropy(), &["categorical", "[.., classes]"]);
    refused(Normal::new(tape.var(Tensor::zeros([2])), Tensor::ones([3])).mean(), &["normal", "[2]", "[3]"]);
    assert!(Normal::new(zero, -1.0).sample(&mut Rng::seed(0)).is_err());
    let d = Normal::new(tape.var(Tensor::zeros([4, 1])), 1.0);
    refused(d.log_prob(Tensor::zeros([4])), &["[4]", "[4, 1]", "neither contains the other"]);
    assert_eq!(d.log_prob(Tensor::zeros([3, 4, 1])).shape(), [3, 4, 1]);
    refused(Independent::new(Normal::new(zero, 1.0), 1).log_prob(0.0), &["independent"]);
}

#[test]
fn outside_of_the_support_the_logarithm_is_minus_infinity_and_the_slope_zero() {
    let tape = Tape::<f64>::new();
    let rate = tape.var(t(&[2.0, 2.0, 2.0]));
    let y = Exponential::new(rate).log_prob(t(&[-1.0, 0.5, f64::NAN]));
    let values = y.value().unwrap().to_vec();
    assert!(values[0] == -INF && values[1].is_finite() && values[2].is_nan());
    let slope = y.backward_from(t(&[1.0, 1.0, 0.0])).unwrap().wrt(rate).unwrap().to_vec();
    assert_eq!(slope[..2], [0.0, 0.0]);
    let x = tape.var(t(&[-1.0, 0.0, 1.0]));
    let y = LogNormal::new(tape.constant(0.0), 1.0).log_prob(x);
    assert_eq!(y.value().unwrap().to_vec()[..2], [-INF, -INF]);
    assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [0.0, 0.0, -1.0]);
}

#[test]
fn a_tapes_stream_serves_and_reparameterised_draws_are_the_same_numbers() {
    let (a, b) = (Tape::<f64>::train(7), Tape::<f64>::train(7));
    let draw = |tape: &Tape<f64>| Normal::new(tape.var(Tensor::zeros([3])), 2.0).sample(tape).unwrap();
    let first = draw(&a);
    assert_eq!(first, draw(&b));
    assert_ne!(first, draw(&a));
    let d = Normal::new(a.var(Tensor::zeros([3])), 2.0);
    assert_eq!(d.sample(&mut Rng::seed(1)).unwrap(), d.rsample(&mut Rng::seed(1)).value().unwrap());
}
