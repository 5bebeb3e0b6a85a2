//! Distributions of numbers and of vectors.

use super::*;

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
            .contains("diagonal of the factor of more than 0 and finite, found 0")
    );
    let misfit = MultivariateNormal::from_factor(tape.var(Tensor::zeros([2])), &inputs[1]);
    assert!(misfit.mean().value().unwrap_err().to_string().contains("[3, 3]"));
}

/// Draws of a gamma distribution that are too small to be divided still have finite logarithms: with tiny concentrations a draw
/// is nearly a corner of the simplex, and each corner is as frequent as its share of the concentrations.
#[test]
fn tiny_concentrations_draw_corners() {
    let (tape, narrow) = (Tape::new(), Tape::<f32>::new());
    let n = 4000;
    for tiny in [1e-3, 1e-5, 1e-100, 1e-310] {
        let draws = Beta::new(tape.var(tiny), 3.0 * tiny).sample_n(n, &mut Rng::seed(1)).unwrap().to_vec();
        assert!(draws.iter().all(|x| *x > 0.0 && *x <= 1.0), "{tiny:e}");
        let mean = draws.iter().sum::<f64>() / n as f64;
        let share = if tiny < 1e-300 { 0.5 } else { 0.25 };
        assert!((mean - share).abs() < 5.0 * 0.5 / (n as f64).sqrt(), "{mean} of {tiny:e}");
        let alpha = t(&[tiny, 2.0 * tiny, tiny]);
        let draws = Dirichlet::new(tape.var(&alpha)).sample_n(n, &mut Rng::seed(2)).unwrap();
        assert!(draws.to_vec().iter().all(|x| *x > 0.0 && *x <= 1.0));
        let sums = draws.sum_axes(-1).unwrap().to_vec();
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-14));
    }
    let single = Dirichlet::new(narrow.var(t(&[1e-30; 3]).cast::<f32>()));
    let draws = single.sample_n(100, &mut Rng::seed(3)).unwrap().to_vec();
    assert!(draws.iter().all(|x| *x > 0.0 && *x <= 1.0));
    // Nearly the largest concentrations that f64 has.
    let draws = Dirichlet::new(tape.var(t(&[1.7e308, 1.7e308]))).sample(&mut Rng::seed(0)).unwrap();
    assert!(draws.to_vec().iter().all(|x| (x - 0.5).abs() < 1e-9), "{draws}");
}
