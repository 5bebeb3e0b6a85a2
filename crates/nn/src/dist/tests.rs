//! What holds for every distribution, checked for all in one place.

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

/// Draws have the moments, the mode is the peak, the entropy is -E log p, and the draws are the same for the same seed. Moments are
/// within five standard errors.
#[track_caller]
fn is_consistent<'t>(d: &impl Distribution<'t, f64>) {
    let n = 40_000;
    let draws = d.sample_n(n, &mut Rng::seed(3)).unwrap();
    assert_eq!(draws, d.sample_n(n, &mut Rng::seed(3)).unwrap());
    assert_ne!(draws, d.sample_n(n, &mut Rng::seed(4)).unwrap());
    assert_eq!(d.sample(&mut Rng::seed(0)).unwrap().shape(), &d.shape());
    let tape = d.tape();
    let x = tape.constant(&draws);
    let (mean, variance) = (x.mean_axes(0), x.var_axes(0, 0.0));
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

/// The closed form against the mean over draws.
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
fn normal() {
    let tape = Tape::new();
    let d = Normal::new(tape.var(t(&[0.5, -1.0])), t(&[2.0, 0.3]));
    is_pytorchs(
        &d,
        &[1.7, -0.9],
        [
            &[-1.792085713764618, 0.22947871556570787],
            &[0.5, -1.0],
            &[0.5, -1.0],
            &[4.0, 0.09],
            &[2.112085713764618, 0.21496572887873655],
        ],
    );
    is_consistent(&d);
    integrates(&Normal::new(tape.var(0.5), 2.0), -20.0, 20.0);
    let one = |m: f64, s: f64| Normal::new(tape.var(m), s);
    kl_is_monte_carlos(&one(0.5, 2.0), &one(-1.0, 0.7), 4.827728895909485);
    let inputs = [t(&[0.5, -1.0]), t(&[2.0, 0.6]), t(&[1.7, -0.9])];
    gradients(
        "normal",
        |x| Normal::new(x[0], x[1]).log_prob(x[2]) + Normal::new(x[0], x[1]).entropy(),
        &inputs,
    );
    gradients("normal kl", |x| kl(&Normal::new(x[0], x[1]), &Normal::new(x[2], x[1].square())), &inputs);
    gradients(
        "normal rsample",
        |x| Normal::new(x[0], x[1]).rsample_n(3, &mut Rng::seed(1)).square(),
        &inputs[..2],
    );
    let diagonal = Normal::diagonal(tape.var(Tensor::zeros([5, 3])), t(&[1.0, 2.0, 3.0]));
    assert_eq!(
        (diagonal.log_prob(0.0).shape().as_shape(), diagonal.event_rank()),
        (&[5].into_iter().collect(), 1)
    );
    assert!(close(kl(&diagonal, &diagonal).sum().item().unwrap(), 0.0, 1e-14));
}

#[test]
fn laplace() {
    let tape = Tape::new();
    let d = Laplace::new(tape.var(t(&[0.5, -1.0])), t(&[2.0, 0.3]));
    is_pytorchs(
        &d,
        &[1.7, -0.9],
        [
            &[-1.9862943611198904, 0.17749229043265746],
            &[0.5, -1.0],
            &[0.5, -1.0],
            &[8.0, 0.18],
            &[2.386294361119891, 0.4891743762340093],
        ],
    );
    is_consistent(&d);
    integrates(&Laplace::new(tape.var(0.5), 2.0), -50.0, 50.0);
    let one = |m: f64, s: f64| Laplace::new(tape.var(m), s);
    kl_is_monte_carlos(&one(0.5, 2.0), &one(-1.0, 0.7), 1.44265374047565);
    let inputs = [t(&[0.5, -1.0]), t(&[2.0, 0.6]), t(&[1.7, -0.7])];
    gradients(
        "laplace",
        |x| Laplace::new(x[0], x[1]).log_prob(x[2]) + Laplace::new(x[0], x[1]).entropy(),
        &inputs,
    );
    gradients("laplace kl", |x| kl(&Laplace::new(x[0], x[1]), &Laplace::new(x[2], x[1].square())), &inputs);
    gradients("laplace rsample", |x| Laplace::new(x[0], x[1]).rsample(&mut Rng::seed(1)), &inputs[..2]);
}

#[test]
fn exponential() {
    let tape = Tape::new();
    let d = Exponential::new(tape.var(t(&[0.7, 3.0])));
    is_pytorchs(
        &d,
        &[1.2, 0.1],
        [
            &[-1.1966749439387323, 0.7986122886681097],
            &[1.4285714285714286, 0.3333333333333333],
            &[0.0, 0.0],
            &[2.0408163265306127, 0.1111111111111111],
            &[1.3566749439387324, -0.09861228866810978],
        ],
    );
    is_consistent(&d);
    integrates(&Exponential::new(tape.var(0.7)), -1.0, 60.0);
    kl_is_monte_carlos(
        &Exponential::new(tape.var(0.7)),
        &Exponential::new(tape.var(3.0)),
        1.8304270531074436,
    );
    let inputs = [t(&[0.7, 3.0]), t(&[1.2, 0.1])];
    gradients(
        "exponential",
        |x| Exponential::new(x[0]).log_prob(x[1]) + Exponential::new(x[0]).entropy(),
        &inputs,
    );
    gradients("exponential kl", |x| kl(&Exponential::new(x[0]), &Exponential::new(x[1])), &inputs);
    gradients("exponential rsample", |x| Exponential::new(x[0]).rsample(&mut Rng::seed(1)), &inputs[..1]);
}

#[test]
fn uniform() {
    let tape = Tape::new();
    let d = Uniform::new(tape.var(t(&[-1.0, 2.0])), t(&[2.5, 2.25]));
    is_pytorchs(
        &d,
        &[0.3, 2.1],
        [
            &[-1.252762968495368, 1.3862943611198906],
            &[0.75, 2.125],
            &[],
            &[1.0208333333333333, 0.005208333333333333],
            &[1.252762968495368, -1.3862943611198906],
        ],
    );
    is_consistent(&d);
    let one = |a: f64, b: f64| Uniform::new(tape.var(a), b);
    integrates(&one(-1.0, 2.0), -3.0, 3.0);
    kl_is_monte_carlos(&one(0.0, 1.0), &one(-1.0, 3.0), 1.3862943611198906);
    assert_eq!(kl(&one(-1.0, 3.0), &one(0.0, 1.0)).item().unwrap(), INF);
    let inputs = [t(&[-1.0, 2.0]), t(&[2.5, 2.25])];
    gradients("uniform", |x| Uniform::new(x[0], x[1]).log_prob(t(&[0.3, 2.1])), &inputs);
    gradients("uniform rsample", |x| Uniform::new(x[0], x[1]).rsample(&mut Rng::seed(1)).square(), &inputs);
}

#[test]
fn log_normal() {
    let tape = Tape::new();
    let d = LogNormal::new(tape.var(t(&[0.5, -1.0])), t(&[0.8, 0.3]));
    is_pytorchs(
        &d,
        &[1.7, 0.4],
        [
            &[-1.2271561155800765, 1.1623958831611705],
            &[2.270499837532406, 0.3848121445529786],
            &[0.8693582353988057, 0.33621649370673334],
            &[4.621510897294226, 0.01394536433841831],
            &[1.695794981890463, -0.7850342711212634],
        ],
    );
    is_consistent(&d);
    integrates(&LogNormal::new(tape.var(0.5), 0.8), -1.0, 100.0);
    let one = |m: f64, s: f64| LogNormal::new(tape.var(m), s);
    kl_is_monte_carlos(&one(0.5, 2.0), &one(-1.0, 0.7), 4.827728895909485);
    let inputs = [t(&[0.5, -1.0]), t(&[0.8, 0.3]), t(&[1.7, 0.4])];
    gradients("log_normal", |x| LogNormal::new(x[0], x[1]).log_prob(x[2]), &inputs);
    gradients("log_normal rsample", |x| LogNormal::new(x[0], x[1]).rsample(&mut Rng::seed(1)), &inputs[..2]);
}

#[test]
fn bernoulli() {
    let tape = Tape::new();
    let logits = t(&[0.8, -1.3]);
    let probs = logits.map(|x| 1.0 / (1.0 + (-x).exp()));
    let (a, b) = (Bernoulli::from_logits(tape.var(&logits)), Bernoulli::from_probs(tape.var(&probs)));
    for d in [a, b] {
        is_pytorchs(
            &d,
            &[1.0, 0.0],
            [
                &[-0.3711006659477777, -0.2410084538329922],
                &[0.6899744811276125, 0.2141650169574414],
                &[1.0, 0.0],
                &[0.2139096965202944, 0.16829836246906024],
                &[0.6191210810456877, 0.5194229758776661],
            ],
        );
        is_consistent(&d);
        let all = [0.0, 1.0].map(|x| d.log_prob(x).exp().value().unwrap().to_vec());
        assert!(all[0].iter().zip(&all[1]).all(|(a, b)| close(a + b, 1.0, 1e-15)));
        assert_eq!(d.log_prob(0.5).value().unwrap().to_vec(), [-INF, -INF]);
    }
    let one = |x: f64| Bernoulli::from_logits(tape.var(x));
    kl_is_monte_carlos(&one(0.8), &one(-1.3), 0.5188541982532008);
    assert!(close(
        kl(&b, &Bernoulli::from_logits(tape.var(-1.3))).value().unwrap().to_vec()[0],
        0.5188541982532008,
        1e-12
    ));
    let certain = Bernoulli::from_probs(tape.var(t(&[0.0, 1.0])));
    assert_eq!(certain.entropy().value().unwrap().to_vec(), [0.0, 0.0]);
    assert_eq!(certain.log_prob(t(&[0.0, 0.0])).value().unwrap().to_vec(), [0.0, -INF]);
    let x = t(&[1.0, 0.0]);
    gradients(
        "bernoulli",
        |v| Bernoulli::from_logits(v[0]).log_prob(&x) + Bernoulli::from_logits(v[0]).entropy(),
        &[logits],
    );
    gradients(
        "bernoulli",
        |v| Bernoulli::from_probs(v[0]).log_prob(&x) + Bernoulli::from_probs(v[0]).entropy(),
        &[probs],
    );
}

#[test]
fn categorical() {
    let tape = Tape::new();
    let logits = t(&[0.2, -1.0, 1.4]);
    let d = Categorical::new(tape.var(&logits));
    is_pytorchs(
        &d,
        &[0.0, 0.0, 1.0],
        [
            &[-0.33067846020987357],
            &[0.21638880630702367, 0.06517505598226614, 0.7184361377107101],
            &[0.0, 0.0, 1.0],
            &[0.1695646908120451, 0.060927268059974615, 0.20228565374202767],
            &[0.7467651621357407],
        ],
    );
    is_consistent(&d);
    kl_is_monte_carlos(&d, &Categorical::new(tape.var(t(&[1.0, 0.5, 0.0]))), 0.6845281742078371);
    let total = (0..3).map(|k| d.log_prob_of(&Tensor::scalar(k)).item().unwrap().exp()).sum::<f64>();
    assert!(close(total, 1.0, 1e-15));
    for soft in [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 0.0]] {
        assert_eq!(d.log_prob(t(&soft)).item().unwrap(), -INF);
    }
    assert!(d.log_prob_of(&Tensor::scalar(3)).item().is_err());
    // An impossible class.
    let barred = tape.var(t(&[0.0, -INF, 0.0]));
    let d = Categorical::new(barred);
    assert!(close(d.entropy().item().unwrap(), 2f64.ln(), 1e-15));
    assert_eq!(d.log_prob(t(&[0.0, 1.0, 0.0])).item().unwrap(), -INF);
    let slope = d.log_prob(t(&[1.0, 0.0, 0.0])).backward_retaining().unwrap().wrt(barred).unwrap();
    assert_eq!(slope.to_vec(), [0.5, 0.0, -0.5]);
    assert!(!d.sample_n(1000, &mut Rng::seed(0)).unwrap().select(1, 1).unwrap().to_vec().contains(&1.0));
    let x = t(&[0.0, 0.0, 1.0]);
    gradients(
        "categorical",
        |v| Categorical::new(v[0]).log_prob(&x) + Categorical::new(v[0]).entropy(),
        std::slice::from_ref(&logits),
    );
    gradients("relaxed", |v| Categorical::new(v[0]).relaxed_sample(0.7, &mut Rng::seed(1)), &[logits]);
    assert!(d.relaxed_sample(0.0, &mut Rng::seed(1)).is_failed());
}

#[test]
fn mixture() {
    let tape = Tape::new();
    let (logits, mean, std) = (t(&[0.3, -0.4]), t(&[0.5, -1.0]), t(&[2.0, 0.3]));
    let d = Mixture::new(Categorical::new(tape.var(&logits)), Normal::new(tape.var(&mean), &std));
    assert!(close(d.log_prob(0.2).item().unwrap(), -2.0253992563443246, 1e-12));
    assert!(close(d.mean().item().unwrap(), 0.0022816582522492412, 1e-12));
    assert!(close(d.variance().item().unwrap(), 3.201468154087025, 1e-12));
    is_consistent(&d);
    integrates(&d, -20.0, 20.0);
    assert!(d.entropy().item().unwrap_err().to_string().contains("no closed form"));
    gradients(
        "mixture",
        |x| Mixture::new(Categorical::new(x[0]), Normal::new(x[1], x[2])).log_prob(t(&[0.2, 1.0, -3.0])),
        &[logits, mean, std],
    );
    // Over vectors, in a batch.
    let parts = Normal::diagonal(tape.var(Tensor::zeros([5, 2, 3])), 1.0);
    let d = Mixture::new(Categorical::new(tape.var(Tensor::zeros([5, 2]))), parts);
    assert_eq!(d.shape(), [5, 3]);
    assert_eq!(d.log_prob(Tensor::zeros([7, 5, 3])).shape(), [7, 5]);
    assert_eq!(d.sample_n(4, &mut Rng::seed(0)).unwrap().shape(), &[4, 5, 3]);
    assert_eq!(d.log_prob(Tensor::zeros([3])).shape(), [5]);
    let numbers = Normal::new(tape.var(Tensor::zeros([6, 5, 2])), 1.0);
    let d6 = Mixture::new(Categorical::new(tape.var(Tensor::zeros([6, 5, 2]))), numbers);
    assert_eq!(d6.log_prob(Tensor::zeros([5])).shape(), [6, 5]);
    assert_eq!(d6.log_prob(0.0).shape(), [6, 5]);
    let same = Normal::diagonal(tape.var(Tensor::zeros([5, 3])), 1.0).log_prob(0.5).value().unwrap();
    let found = d.log_prob(Tensor::full_like(&Tensor::<f64>::zeros([5, 3]), 0.5)).value().unwrap();
    assert!(found.to_vec().iter().zip(same.to_vec()).all(|(a, b)| close(*a, b, 1e-14)));
}

#[test]
fn gamma() {
    let tape = Tape::new();
    let d = Gamma::new(tape.var(t(&[2.5, 0.7])), t(&[1.5, 3.0]));
    is_pytorchs(
        &d,
        &[1.2, 0.1],
        [
            &[-0.797537765011576, 0.898936883434224],
            &[1.6666666666666667, 0.2333333333333333],
            &[1.0, 0.0],
            &[1.1111111111111112, 0.07777777777777778],
            &[1.32448280139689, -0.5037521082458237],
        ],
    );
    is_consistent(&d);
    is_consistent(&Gamma::new(tape.var(t(&[0.05, 1.0, 300.0])), 2.0));
    let one = |a: f64, b: f64| Gamma::new(tape.var(a), b);
    integrates(&one(2.5, 1.5), -1.0, 40.0);
    kl_is_monte_carlos(&one(2.5, 1.5), &one(0.7, 3.0), 3.2566633028282235);
    assert_eq!(one(1.0, 2.0).log_prob(t(&[0.0, -1.0])).value().unwrap().to_vec(), [2f64.ln(), -INF]);
    let inputs = [t(&[2.5, 0.7]), t(&[1.5, 3.0]), t(&[1.2, 0.3])];
    gradients("gamma", |x| Gamma::new(x[0], x[1]).log_prob(x[2]) + Gamma::new(x[0], x[1]).entropy(), &inputs);
    gradients("gamma kl", |x| kl(&Gamma::new(x[0], x[1]), &Gamma::new(x[2], x[1].square())), &inputs);
    let tiny = Gamma::new(Tape::<f32>::new().var(Tensor::from([0.001f32; 50])), 1.0)
        .sample(&mut Rng::seed(0))
        .unwrap();
    assert!(tiny.to_vec().iter().all(|x| *x > 0.0));
}

#[test]
fn beta() {
    let tape = Tape::new();
    let d = Beta::new(tape.var(t(&[2.5, 1.7])), t(&[1.5, 3.0]));
    is_pytorchs(
        &d,
        &[0.6, 0.1],
        [
            &[0.40347503480431746, 0.31653506675120313],
            &[0.625, 0.36170212765957444],
            &[0.75, 0.25925925925925924],
            &[0.046875, 0.040504157632651104],
            &[-0.1886034474839331, -0.2495735597652562],
        ],
    );
    is_consistent(&d);
    let one = |a: f64, b: f64| Beta::new(tape.var(a), b);
    integrates(&one(2.5, 1.5), -0.5, 1.5);
    kl_is_monte_carlos(&one(2.5, 1.5), &one(1.7, 3.0), 0.8758658926782841);
    let modes =
        Beta::new(tape.var(t(&[0.5, 2.0, 0.5])), t(&[2.0, 0.5, 0.5])).mode().value().unwrap().to_vec();
    assert!(modes[..2] == [0.0, 1.0] && modes[2].is_nan());
    let inputs = [t(&[2.5, 1.7]), t(&[1.5, 3.0]), t(&[0.6, 0.3])];
    gradients("beta", |x| Beta::new(x[0], x[1]).log_prob(x[2]) + Beta::new(x[0], x[1]).entropy(), &inputs);
    gradients("beta kl", |x| kl(&Beta::new(x[0], x[1]), &Beta::new(x[2], x[1].square())), &inputs);
}

#[test]
fn dirichlet() {
    let tape = Tape::new();
    let alpha = t(&[2.5, 1.7, 3.0]);
    let d = Dirichlet::new(tape.var(&alpha));
    is_pytorchs(
        &d,
        &[0.5, 0.2, 0.3],
        [
            &[1.5005528080668813],
            &[0.3472222222222222, 0.2361111111111111, 0.41666666666666663],
            &[0.35714285714285715, 0.16666666666666666, 0.47619047619047616],
            &[0.027641335441132193, 0.021995445648900935, 0.029640921409214097],
            &[-1.1283778639040514],
        ],
    );
    is_consistent(&d);
    kl_is_monte_carlos(&d, &Dirichlet::new(tape.var(t(&[1.0, 2.0, 0.5]))), 1.7041295692925047);
    // With two classes it is a beta distribution.
    let pair = Dirichlet::new(tape.var(t(&[2.5, 1.5]))).log_prob(t(&[0.6, 0.4])).item().unwrap();
    assert!(close(pair, 0.40347503480431746, 1e-12));
    for outside in [[0.5, 0.2, 0.2], [1.2, -0.4, 0.2]] {
        assert_eq!(d.log_prob(t(&outside)).item().unwrap(), -INF);
    }
    let x = t(&[0.5, 0.2, 0.3]);
    gradients(
        "dirichlet",
        |v| Dirichlet::new(v[0]).log_prob(&x) + Dirichlet::new(v[0]).entropy(),
        std::slice::from_ref(&alpha),
    );
    gradients("dirichlet kl", |v| kl(&Dirichlet::new(v[0]), &Dirichlet::new(v[0].square())), &[alpha]);
}

#[test]
fn poisson() {
    let tape = Tape::new();
    let d = Poisson::new(tape.var(t(&[2.5, 17.0])));
    is_pytorchs(
        &d,
        &[3.0, 11.0],
        [&[-1.5428872736055896, -3.336961061255508], &[2.5, 17.0], &[2.0, 17.0], &[2.5, 17.0], &[]],
    );
    is_consistent(&d);
    is_consistent(&Poisson::new(tape.var(t(&[0.01, 0.99, 400.0]))));
    // The logarithm of the probability has few digits left here, but counts are drawn.
    let many = Poisson::new(tape.var(1e12)).sample_n(10_000, &mut Rng::seed(0)).unwrap();
    let (mean, variance) =
        (tape.var(&many).mean().item().unwrap(), tape.var(&many).var_axes(0, 0.0).item().unwrap());
    assert!((mean - 1e12).abs() < 5e4 && (variance / 1e12 - 1.0).abs() < 0.1, "{mean} {variance}");
    let total: f64 = (0..200).map(|k| d.log_prob(f64::from(k)).value().unwrap().to_vec()[1].exp()).sum();
    assert!(close(total, 1.0, 1e-12));
    let one = |rate: f64| Poisson::new(tape.var(rate));
    kl_is_monte_carlos(&one(2.5), &one(4.0), 0.3249909268856612);
    assert_eq!(
        one(0.0).log_prob(t(&[0.0, 1.0, 0.5, -1.0])).value().unwrap().to_vec(),
        [0.0, -INF, -INF, -INF]
    );
    assert_eq!(one(0.0).sample(&mut Rng::seed(0)).unwrap().to_vec(), [0.0]);
    let x = t(&[3.0, 11.0]);
    gradients(
        "poisson",
        |v| Poisson::new(v[0]).log_prob(&x) + kl(&Poisson::new(v[0]), &Poisson::new(v[1])),
        &[t(&[2.5, 17.0]), t(&[3.0, 9.0])],
    );
}

#[test]
fn student_t() {
    let tape = Tape::new();
    let d = StudentT::new(tape.var(t(&[5.0, 3.5])), t(&[0.5, -1.0]), t(&[2.0, 0.3]));
    is_pytorchs(
        &d,
        &[1.7, -0.9],
        [
            &[-1.8703449575605002, 0.14418099018219926],
            &[0.5, -1.0],
            &[0.5, -1.0],
            &[6.666666666666667, 0.21],
            &[2.3206498529743413, 0.5169173163565316],
        ],
    );
    is_consistent(&StudentT::new(tape.var(t(&[9.0, 12.0])), t(&[0.5, -1.0]), t(&[2.0, 0.3])));
    integrates(&StudentT::new(tape.var(3.5), 0.5, 0.3), -60.0, 60.0);
    let heavy = StudentT::new(tape.var(t(&[0.5, 1.5, 2.0])), 0.0, 1.0);
    let variances = heavy.variance().value().unwrap().to_vec();
    assert!(variances[0].is_nan() && variances[1..] == [INF, INF]);
    let inputs = [t(&[5.0, 3.5]), t(&[0.5, -1.0]), t(&[2.0, 0.6]), t(&[1.7, -0.9])];
    gradients(
        "student_t",
        |x| StudentT::new(x[0], x[1], x[2]).log_prob(x[3]) + StudentT::new(x[0], x[1], x[2]).entropy(),
        &inputs,
    );
    gradients("student_t variance", |x| StudentT::new(x[0], x[1], x[2]).variance(), &inputs[..3]);
}

#[test]
fn multivariate_normal() {
    let tape = Tape::new();
    let l = Tensor::from([[1.2, 0.0, 0.0], [0.3, 0.8, 0.0], [-0.5, 0.2, 1.5]]);
    let mean = t(&[0.5, -1.0, 2.0]);
    let d = MultivariateNormal::from_factor(tape.var(&mean), &l);
    let same = MultivariateNormal::from_covariance(tape.var(&mean), d.covariance());
    for d in [d, same] {
        is_pytorchs(
            &d,
            &[1.7, -0.9, 0.4],
            [
                &[-3.8977087132019275],
                &[0.5, -1.0, 2.0],
                &[0.5, -1.0, 2.0],
                &[1.44, 0.73, 2.54],
                &[4.621458713201927],
            ],
        );
        is_consistent(&d);
    }
    let other = Tensor::from([[0.9, 0.0, 0.0], [0.1, 1.1, 0.0], [0.4, -0.3, 0.7]]);
    kl_is_monte_carlos(
        &d,
        &MultivariateNormal::from_factor(tape.var(t(&[0.0, 0.0, 1.0])), &other),
        3.2632781337339156,
    );
    let x = t(&[1.7, -0.9, 0.4]);
    let inputs = [mean, l, other];
    gradients(
        "mvn",
        |v| {
            MultivariateNormal::from_factor(v[0], v[1]).log_prob(&x)
                + MultivariateNormal::from_factor(v[0], v[1]).entropy()
        },
        &inputs[..2],
    );
    gradients(
        "mvn kl",
        |v| {
            kl(
                &MultivariateNormal::from_factor(v[0], v[1]),
                &MultivariateNormal::from_factor(v[0] * 0.5, v[2]),
            )
        },
        &inputs,
    );
    gradients(
        "mvn rsample",
        |v| MultivariateNormal::from_factor(v[0], v[1]).rsample_n(2, &mut Rng::seed(1)),
        &inputs[..2],
    );
    // A batch of means, one covariance; several draws.
    let wide = MultivariateNormal::from_factor(tape.var(Tensor::zeros([5, 3])), &inputs[1]);
    assert_eq!(wide.sample_n(4, &mut Rng::seed(0)).unwrap().shape(), &[4, 5, 3]);
    assert_eq!(wide.log_prob(Tensor::zeros([4, 5, 3])).shape(), [4, 5]);
    assert_eq!(
        (wide.entropy().shape(), wide.variance().shape()),
        (tape.var(Tensor::zeros([5])).shape(), tape.var(Tensor::zeros([5, 3])).shape())
    );
    let flat =
        MultivariateNormal::from_factor(tape.var(Tensor::zeros([2])), Tensor::from([[1.0, 0.0], [0.0, 0.0]]));
    assert!(
        flat.entropy()
            .value()
            .unwrap_err()
            .to_string()
            .contains("diagonal of the factor of more than 0, found 0")
    );
    let misfit = MultivariateNormal::from_factor(tape.var(Tensor::zeros([2])), &inputs[1]);
    assert!(misfit.mean().value().unwrap_err().to_string().contains("[3, 3]"));
}

#[test]
fn impossible_parameters_are_failed_values_that_say_why() {
    let tape = Tape::<f64>::new();
    let refused = |v: Var<'_, f64>, words: &[&str]| {
        let e = v.value().unwrap_err().to_string();
        assert!(words.iter().all(|w| e.contains(w)), "{e} does not say {words:?}");
    };
    let zero = tape.var(0.0);
    for bad in [0.0, -1.0, f64::NAN] {
        let found = format!("more than 0, found {bad}");
        refused(Normal::new(zero, bad).log_prob(0.0), &["normal", "standard deviation", &found]);
        refused(Laplace::new(zero, bad).entropy(), &["laplace", &found]);
        refused(LogNormal::new(zero, bad).mean(), &["normal", &found]);
        refused(Exponential::new(tape.var(bad)).mode(), &["exponential", &found]);
        refused(Gamma::new(tape.var(1.0), bad).mean(), &["gamma", "rate", &found]);
        refused(Gamma::new(tape.var(bad), 1.0).mean(), &["gamma", "concentration", &found]);
        refused(Beta::new(tape.var(bad), 1.0).entropy(), &["beta", &found]);
        refused(Dirichlet::new(tape.var(t(&[1.0, bad]))).mode(), &["dirichlet", &found]);
        refused(StudentT::new(tape.var(1.0), 0.0, bad).log_prob(0.0), &["student_t", "scale", &found]);
    }
    refused(Uniform::new(tape.var(t(&[0.0, 1.0])), 1.0).log_prob(0.5), &["uniform", "low below high"]);
    refused(Bernoulli::from_probs(tape.var(1.5)).log_prob(1.0), &["probability", "1.5"]);
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
