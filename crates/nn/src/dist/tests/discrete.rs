//! Distributions of classes and counts, and mixtures.

use super::*;

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
    // The log-probability has few correct digits at this rate, but counts can be drawn.
    let many = Poisson::new(tape.var(1e12)).sample_n(10_000, &mut Rng::seed(0)).unwrap();
    let (mean, variance) =
        (tape.var(&many).mean().item().unwrap(), tape.var(&many).variance_axes(0, 0.0).item().unwrap());
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
    // The divergence of two rates of 0 is 0; that of a positive rate from a rate of 0 is ∞.
    let (p, q) = (tape.var(t(&[0.0, 0.0, 2.0])), tape.var(t(&[0.0, 3.0, 0.0])));
    let apart = kl(&Poisson::new(p), &Poisson::new(q));
    assert_eq!(apart.value().unwrap().to_vec(), [0.0, 3.0, INF]);
    let (p, q) = (tape.var(0.0), tape.var(0.0));
    let g = kl(&Poisson::new(p), &Poisson::new(q)).backward().unwrap();
    assert_eq!((g.wrt(p).unwrap().to_vec(), g.wrt(q).unwrap().to_vec()), (vec![-1.0], vec![1.0]));
    let x = t(&[3.0, 11.0]);
    gradients(
        "poisson",
        |v| Poisson::new(v[0]).log_prob(&x) + kl(&Poisson::new(v[0]), &Poisson::new(v[1])),
        &[t(&[2.5, 17.0]), t(&[3.0, 9.0])],
    );
}

/// A component of weight 0 has no influence: mean, variance, density and gradients are those of the other component.
#[test]
fn a_component_of_weight_zero_counts_nowhere() {
    let tape = Tape::new();
    let logits = tape.var(t(&[0.0, -INF]));
    let weights = Categorical::new(logits);
    // The second has a variance of ∞, or no variance and no mean.
    for freedom in [1.5, 0.5] {
        let freedom = tape.var(t(&[5.0, freedom]));
        let location = tape.var(t(&[1.0, 2.0]));
        let d = Mixture::new(weights, StudentT::new(freedom, location, 1.0));
        assert_eq!(d.mean().item().unwrap(), 1.0);
        assert!(close(d.variance().item().unwrap(), 5.0 / 3.0, 1e-15));
        let g = (d.mean() + d.variance() + d.log_prob(0.5)).backward().unwrap();
        for v in [freedom, location, logits] {
            let g = g.wrt(v).unwrap().to_vec();
            assert!(g[0].is_finite() && g[1] == 0.0, "{g:?}");
        }
    }
    // The density of the second is infinite at 0; that of the first is 0 or its rate there.
    let x = t(&[0.0, 1.0]);
    let parts = Gamma::new(tape.var(t(&[2.0, 0.5])), 1.0);
    assert_eq!(parts.log_prob(0.0).value().unwrap().to_vec(), [-INF, INF]);
    let alone = Gamma::new(tape.var(2.0), 1.0).log_prob(&x);
    assert_eq!(Mixture::new(weights, parts).log_prob(&x).value().unwrap(), alone.value().unwrap());
    let rate = tape.var(t(&[2.0, 2.0]));
    let y = Mixture::new(weights, Gamma::new(tape.var(t(&[1.0, 0.5])), rate)).log_prob(0.0);
    assert!(close(y.item().unwrap(), 2f64.ln(), 1e-15));
    let g = y.backward().unwrap();
    assert_eq!(
        (g.wrt(rate).unwrap().to_vec(), g.wrt(logits).unwrap().to_vec()),
        (vec![0.5, 0.0], vec![0.0; 2])
    );
    // Over vectors.
    let spread = tape.var(Tensor::from([[1.0, 2.0], [1.5, 1.5]]));
    let d = Mixture::new(weights, Dirichlet::new(spread));
    assert_eq!(d.mean().value().unwrap(), Dirichlet::new(spread.select(0, 0)).mean().value().unwrap());
    let parts = Dirichlet::new(tape.var(Tensor::from([[1.0, 2.0], [0.5, 1.5]])));
    let y = Mixture::new(weights, parts).log_prob(t(&[0.0, 1.0]));
    assert!(close(y.item().unwrap(), 2f64.ln(), 1e-14), "{y:?}");
}
