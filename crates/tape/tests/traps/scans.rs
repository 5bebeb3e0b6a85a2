//! Products, scans, order statistics and norms: zeros, infinities, ties, NaN.

use super::*;

/// Gradients of the first and second order against finite differences, at a point.
#[track_caller]
fn checked(what: &str, f: F, x: &[f64]) {
    let report = Check::new(what).run(|x| f(x[0]), &[vector(x)]);
    assert!(report.passed(), "{what} at {x:?}: {report}");
}

#[test]
fn products_with_zeros_have_gradients_of_both_orders() {
    at("prod", |x| x.prod(), &[2.0, 3.0, 4.0], &[24.0], &[12.0, 8.0, 6.0]);
    at("one zero", |x| x.prod(), &[2.0, 0.0, 4.0], &[0.0], &[0.0, 8.0, 0.0]);
    at("two zeros", |x| x.prod(), &[0.0, 3.0, 0.0], &[0.0], &[0.0, 0.0, 0.0]);
    at("of nothing", |x| x.prod(), &[], &[1.0], &[]);
    at("of one", |x| x.prod(), &[0.0], &[0.0], &[1.0]);
    for x in
        [&[2.0, 3.0, 4.0, -1.0][..], &[2.0, 0.0, 4.0, -1.0], &[0.0, 3.0, 0.0, 2.0], &[0.0, 0.0, 0.0, 5.0]]
    {
        checked("prod", |x| x.prod(), x);
        checked("cumprod", |x| x.cumprod(0), x);
    }
    // Two zeros: the first order vanishes, the second does not.
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[0.0, 3.0, 0.0]));
    let g = x.prod().grad(x).unwrap();
    let h = g.get(0, 0).grad(x).unwrap().value().unwrap();
    assert_eq!(h.to_vec(), [0.0, 0.0, 3.0]);
}

#[test]
fn running_products_with_zeros() {
    at("no zero", |x| x.cumprod(0), &[2.0, 3.0], &[2.0, 6.0], &[4.0, 2.0]);
    at("one", |x| x.cumprod(0), &[2.0, 0.0, 3.0], &[2.0, 0.0, 0.0], &[1.0, 8.0, 0.0]);
    at("two", |x| x.cumprod(0), &[2.0, 0.0, 3.0, 0.0], &[2.0, 0.0, 0.0, 0.0], &[1.0, 8.0, 0.0, 0.0]);
    at("empty", |x| x.cumprod(0), &[], &[], &[]);
    // The first factor meets nothing before it, infinite or not.
    at("infinite", |x| x.cumprod(0), &[INF, 2.0], &[INF, INF], &[3.0, INF]);
}

#[test]
fn running_sums_go_backwards_in_the_gradient() {
    at(
        "cumsum",
        |x| x.cumsum(0) * vector(&[1.0, 10.0, 100.0]),
        &[1.0, 2.0, 3.0],
        &[1.0, 30.0, 600.0],
        &[111.0, 110.0, 100.0],
    );
    at("reversed", |x| x.flip(0).cumsum(0) * vector(&[1.0, 10.0]), &[1.0, 2.0], &[2.0, 30.0], &[10.0, 11.0]);
    let [y, g, _] = run::<f64>(|x| x.cumsum(-2), &Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    assert_eq!((y, g), (vec![1.0, 2.0, 4.0, 6.0], vec![2.0, 2.0, 1.0, 1.0]));
}

#[test]
fn running_log_sums_of_extremes() {
    let f: F = |x| x.logcumsumexp(0);
    at("large", f, &[1000.0, 1000.0], &[1000.0, 1000.0 + 2f64.ln()], &[1.5, 0.5]);
    at("far apart", f, &[1000.0, -1000.0, 1000.0], &[1000.0, 1000.0, 1000.0 + 2f64.ln()], &[2.5, 0.0, 0.5]);
    at("from -infinity", f, &[-INF, -INF, 0.0, -INF], &[-INF, -INF, 0.0, 0.0], &[0.0, 0.0, 2.0, 0.0]);
    at("only -infinity", f, &[-INF, -INF], &[-INF, -INF], &[0.0, 0.0]);
    at("tiny", f, &[-1000.0, -1000.0], &[-1000.0, -1000.0 + 2f64.ln()], &[1.5, 0.5]);
    checked("logcumsumexp", f, &[0.5, -3.0, 40.0, 39.0, 2.0]);
    // The second order through -∞ is 0, not NaN.
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[-INF, 0.0, 1.0]));
    let h = f(x).sum().grad(x).unwrap().square().sum().grad(x).unwrap().value().unwrap();
    assert!(h.to_vec().iter().all(|v| v.is_finite()) && h.to_vec()[0] == 0.0, "{h}");
}

#[test]
fn running_extremes_keep_the_first_of_equals() {
    at("cummax", |x| x.cummax(0).0, &[1.0, 3.0, 3.0, 2.0], &[1.0, 3.0, 3.0, 3.0], &[1.0, 3.0, 0.0, 0.0]);
    at("cummin", |x| x.cummin(0).0, &[1.0, 0.0, 3.0, 0.0], &[1.0, 0.0, 0.0, 0.0], &[1.0, 3.0, 0.0, 0.0]);
    at("nan stays", |x| x.cummax(0).0, &[1.0, NAN, 9.0], &[1.0, NAN, NAN], &[1.0, 2.0, 0.0]);
    let tape = Tape::<f64>::new();
    assert_eq!(tape.var(vector(&[2.0, 2.0, 5.0])).cummax(0).1.to_vec(), [0, 0, 2]);
}

#[test]
fn positions_of_ties_and_nan() {
    at("max", |x| x.max_along(0).0, &[1.0, 3.0, 3.0], &[3.0], &[0.0, 1.0, 0.0]);
    at("min", |x| x.min_along(-1).0, &[1.0, 0.0, 0.0], &[0.0], &[0.0, 1.0, 0.0]);
    at("max with nan", |x| x.max_along(0).0, &[INF, NAN, NAN], &[NAN], &[0.0, 1.0, 0.0]);
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([[1.0, 5.0], [NAN, 7.0], [5.0, 7.0]]));
    assert_eq!(x.argmax(0).unwrap().to_vec(), [1, 1]);
    assert_eq!(x.argmin(-1).unwrap().to_vec(), [0, 0, 0]);
    assert_eq!(x.max_along(0).1, x.argmax(0).unwrap());
}

#[test]
fn medians_are_one_of_the_elements() {
    at("odd", |x| x.median(), &[3.0, 1.0, 2.0], &[2.0], &[0.0, 0.0, 1.0]);
    at("even: the lower", |x| x.median(), &[4.0, 1.0, 2.0, 3.0], &[2.0], &[0.0, 0.0, 1.0, 0.0]);
    at("ties", |x| x.median(), &[2.0, 2.0, 2.0], &[2.0], &[0.0, 1.0, 0.0]);
    at("nan", |x| x.median(), &[3.0, NAN, 2.0, 1.0], &[NAN], &[0.0, 1.0, 0.0, 0.0]);
    at("infinities", |x| x.median(), &[INF, -INF, 2.0], &[2.0], &[0.0, 0.0, 1.0]);
    at("a quarter", |x| x.quantile(0.25, 0), &[3.0, 1.0, 2.0], &[1.5], &[0.0, 0.5, 0.5]);
    at("beside infinity", |x| x.quantile(0.5, 0), &[3.0, 1.0, INF], &[3.0], &[1.0, 0.0, 0.0]);
    let tape = Tape::<f64>::new();
    let (y, at) = tape.var(Tensor::from([[3.0, 0.0], [1.0, 9.0], [2.0, 5.0]])).median_along(0);
    assert_eq!((y.value().unwrap().to_vec(), at.to_vec()), (vec![2.0, 5.0], vec![2, 2]));
}

#[test]
fn norms_at_zero_have_zero_gradients() {
    for p in [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, INF, -INF, -1.0] {
        let tape = Tape::<f64>::new();
        let x = tape.var(vector(&[0.0, 0.0]));
        let y = x.norm_p(p, 0);
        assert_eq!(y.item().unwrap(), 0.0, "{p}");
        assert_eq!(y.grad(x).unwrap().value().unwrap().to_vec(), [0.0, 0.0], "{p}");
        let z = y.backward();
        assert!(z.is_err() || z.unwrap().wrt(x).map_or(true, |g| g.to_vec() == [0.0, 0.0]), "{p}");
    }
    at("p = 3", |x| x.norm_p(3.0, 0), &[0.0, -2.0], &[2.0], &[0.0, -1.0]);
    at("p = 1/2", |x| x.norm_p(0.5, 0), &[0.0, 4.0], &[4.0], &[0.0, 1.0]);
    at("p = -1", |x| x.norm_p(-1.0, 0), &[0.0, 4.0], &[0.0], &[0.0, 0.0]);
    at("largest", |x| x.norm_p(INF, 0), &[-3.0, 3.0, 1.0], &[3.0], &[-0.5, 0.5, 0.0]);
    for p in [INF, -INF] {
        let x = Tensor::from([[1.0, -2.0, 0.5], [4.0, 3.0, -6.0]]);
        for f in [(|x, p| x.norm_p(p, 1)) as for<'t> fn(Var<'t, f64>, f64) -> Var<'t, f64>, |x, p| {
            x.norm_p_keepdim(p, [0, 1])
        }] {
            let report = Check::new("norm_p").run(|x| f(x[0], p), std::slice::from_ref(&x));
            assert!(report.passed(), "{p}: {report}");
        }
    }
    at("of nothing", |x| x.norm_p(3.0, 0), &[], &[0.0], &[]);
    at("deviation", |x| x.std(1.0), &[2.0, 2.0, 2.0], &[0.0], &[0.0, 0.0, 0.0]);
    at("no deviation", |x| x.variance(1.0), &[2.0], &[NAN], &[NAN]);
    at("of a population", |x| x.variance(0.0), &[2.0], &[0.0], &[0.0]);
    at("normalized zeros", |x| x.normalize(2.0, 0, 0.5), &[0.0, 0.0], &[0.0, 0.0], &[2.0, 2.0]);
    at(
        "cosine with zeros",
        |x| x.cosine_similarity(vector(&[1.0, 0.0]), 0, 0.5),
        &[0.0, 0.0],
        &[0.0],
        &[2.0, 0.0],
    );
}

#[test]
fn norms_of_huge_and_tiny_numbers_are_finite() {
    at("huge", |x| x.norm_p(3.0, 0), &[1e200, 0.0], &[1e200], &[1.0, 0.0]);
    at("tiny", |x| x.norm_p(3.0, 0), &[1e-200, 0.0], &[1e-200], &[1.0, 0.0]);
    at("infinite", |x| x.norm_p(3.0, 0), &[INF, 0.0], &[INF], &[NAN, 0.0]);
}
