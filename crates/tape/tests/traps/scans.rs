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
    let h = g.select(0, 0).grad(x).unwrap().value().unwrap();
    assert_eq!(h.to_vec(), [0.0, 0.0, 3.0]);
}

#[test]
fn running_products_with_zeros() {
    at("no zero", |x| x.cumprod(0), &[2.0, 3.0], &[2.0, 6.0], &[4.0, 2.0]);
    at("one", |x| x.cumprod(0), &[2.0, 0.0, 3.0], &[2.0, 0.0, 0.0], &[1.0, 8.0, 0.0]);
    at("two", |x| x.cumprod(0), &[2.0, 0.0, 3.0, 0.0], &[2.0, 0.0, 0.0, 0.0], &[1.0, 8.0, 0.0, 0.0]);
    at("empty", |x| x.cumprod(0), &[], &[], &[]);
    // The first factor has no factor before it, even if it is infinite.
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
    // Elements before an infinity keep their gradient.
    let [y, g, r] = run::<f64>(f, &vector(&[0.0, INF, 5.0]));
    assert!(same(&y, &[0.0, INF, INF]) && same(&g, &[1.0, NAN, 0.0]) && same(&r, &g), "{y:?} {g:?} {r:?}");
    let [_, g, r] = run::<f64>(f, &vector(&[]));
    assert!(g.is_empty() && r.is_empty());
}

/// d/dx of the first element of the gradient of the sum minus the second.
fn second_order<T: Float>(f: impl for<'t> Fn(Var<'t, T>) -> Var<'t, T>, x: &[f64]) -> Vec<f64> {
    let tape = Tape::<T>::new();
    let x = tape.var(vector(x).cast::<T>());
    let g = f(x).sum().grad(x).unwrap();
    let swept = (g.select(0, 0) - g.select(0, 1)).backward().unwrap().wrt(x).unwrap();
    let g = f(x).sum().grad(x).unwrap();
    let recorded = (g.select(0, 0) - g.select(0, 1)).grad(x).unwrap().value().unwrap();
    assert!(close(swept.cast::<f64>().as_slice().unwrap(), recorded.cast::<f64>().as_slice().unwrap()));
    swept.cast::<f64>().to_vec()
}

#[test]
fn second_orders_of_log_sums_do_not_overflow() {
    // With p the share of the last of two elements, d(g₀ - g₁)/dx is 2 p (1 - p) [1, -1].
    let far = |a: f64, b: f64| 2.0 / ((1.0 + (b - a).exp()) * (1.0 + (a - b).exp()));
    for (a, b) in [(1000.0, 1000.0), (1.0, 710.0), (710.0, 1.0), (1e300, 1e300), (-1000.0, -1000.0)] {
        let want = [far(a, b), -far(a, b)];
        for (name, f) in [
            ("logcumsumexp", (|x| x.logcumsumexp(0)) as F),
            ("logsumexp", |x| x.logsumexp(0)),
            ("logaddexp", |x| x.select(0, 0).logaddexp(x.select(0, 1))),
        ] {
            let h = second_order(f, &[a, b]);
            assert!(close(&h, &want), "{name} of {a} and {b}: {h:?}, expected {want:?}");
        }
    }
    assert_eq!(second_order::<f32>(|x| x.logcumsumexp(0), &[90.0, 90.0]), [0.5, -0.5]);
    assert_eq!(second_order::<f32>(|x| x.logsumexp(0), &[1e6, 1e6]), [0.5, -0.5]);
    // For softplus, d(g₀ - g₁)/dx is [σ'(x₀), -σ'(x₁)].
    assert_eq!(second_order::<f64>(|x| x.softplus(), &[0.0, 1000.0]), [0.25, 0.0]);
    assert_eq!(second_order::<f64>(|x| x.log_sigmoid(), &[-1000.0, 0.0]), [0.0, 0.25]);
    assert_eq!(second_order::<f32>(|x| x.softplus(), &[-1000.0, 0.0]), [0.0, -0.25]);
}

#[test]
fn an_offset_costs_running_log_sums_no_digits() {
    // The gradient of the sum for [0, 1, 2.5] in double precision, from the definition: gᵢ = Σ_{j ≥ i} exp(xᵢ) / Σ_{k ≤ j}
    // exp(xₖ).
    let x = [0.0, 1.0, 2.5];
    let sums = [1.0, 1.0 + 1f64.exp(), 1.0 + 1f64.exp() + 2.5f64.exp()];
    let want: Vec<f64> = (0..3).map(|i| (i..3).map(|j| f64::exp(x[i]) / sums[j]).sum()).collect();
    let near =
        |found: &[f64], within: f64| found.iter().zip(&want).all(|(f, w)| (f / w - 1.0).abs() <= within);
    for c in [0.0, 1e2, 1e4, 1e6] {
        let x = vector(&x.map(|x| x + c));
        let [_, g, r] = run::<f32>(|x| x.logcumsumexp(0), &x);
        assert!(near(&g, 5e-7) && near(&r, 5e-7), "at {c}: {g:?} and {r:?}, expected {want:?}");
        let [_, g, r] = run::<f64>(|x| x.logcumsumexp(0), &x);
        assert!(near(&g, 1e-15) && near(&r, 1e-15), "at {c}: {g:?} and {r:?}, expected {want:?}");
    }
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
