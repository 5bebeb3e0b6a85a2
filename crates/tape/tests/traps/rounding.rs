//! Functions with jumps, poles and removable singularities: remainders, rounding, sinc, gamma functions, shrinking, bounds.
//! shrinking, bounds.

use super::*;

#[test]
fn sinc_is_smooth_at_zero_to_every_order() {
    let third = std::f64::consts::PI.powi(2) / 3.0;
    let x = [0.0, -0.0, 1e-200, 1e-9, 1.0, -2.0, INF, NAN];
    at(
        "sinc",
        |x| x.sinc(),
        &x,
        &[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, NAN],
        &[0.0, 0.0, -third * 1e-200, -third * 1e-9, -1.0, -0.5, 0.0, NAN],
    );
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[0.0, 1e-9, 1e-5]));
    let g = x.sinc().sum().grad(x).unwrap();
    let h = g.sum().grad(x).unwrap();
    assert!(h.value().unwrap().to_vec().iter().all(|h| (h + third).abs() < 1e-9));
    let third_order = h.sum().grad(x).unwrap();
    assert_eq!(third_order.value().unwrap().to_vec()[0], 0.0);
    // The argument's distance to an integer is exact, so the zeros at large arguments are exact.
    assert_eq!(tape.var(1e15).sinc().item().unwrap().abs(), 0.0);
}

#[test]
fn remainders_have_the_sign_of_the_divisor_or_the_dividend() {
    type G = for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;
    let a = [7.0, -7.0, 7.0, -7.0, 6.0, -6.0, 0.0, 1.0, 5.0, -1.0, NAN, 0.3];
    let b = [3.0, 3.0, -3.0, -3.0, 3.0, 3.0, 2.0, 0.0, INF, INF, 1.0, 0.1];
    let cases: [(&str, G, [f64; 12], [f64; 12]); 2] = [
        (
            "remainder",
            |a, b| a.remainder(b),
            [1.0, 2.0, -2.0, -1.0, 0.0, 0.0, 0.0, NAN, 5.0, INF, NAN, 0.3 % 0.1],
            [-2.0, 3.0, 3.0, -2.0, -2.0, 2.0, 0.0, NAN, 0.0, 1.0, NAN, -2.0],
        ),
        (
            "fmod",
            |a, b| a.fmod(b),
            [1.0, -1.0, 1.0, -1.0, 0.0, 0.0, 0.0, NAN, 5.0, -1.0, NAN, 0.3 % 0.1],
            [-2.0, 2.0, 2.0, -2.0, -2.0, 2.0, 0.0, NAN, 0.0, 0.0, NAN, -2.0],
        ),
    ];
    for (name, f, values, gradients) in cases {
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(vector(&a)), tape.var(vector(&b)));
        let y = f(a, b);
        assert!(close(&y.value().unwrap().to_vec(), &values), "{name}: {:?}", y.value());
        let y = y.sum();
        let recorded = y.grad(b).unwrap().value().unwrap().to_vec();
        let grads = y.backward().unwrap();
        assert_eq!(grads.wrt(a).unwrap().to_vec(), [1.0; 12], "{name}");
        for g in [grads.wrt(b).unwrap().to_vec(), recorded] {
            assert!(close(&g, &gradients), "{name}: {g:?}");
        }
    }
}

#[test]
fn roundings_leave_the_tape_and_keep_signs() {
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[-2.5, -0.5, -0.0, 0.5, NAN]));
    assert!(same(&x.round().unwrap().to_vec(), &[-2.0, -0.0, -0.0, 0.0, NAN]));
    assert!(same(&x.floor().unwrap().to_vec(), &[-3.0, -1.0, -0.0, 0.0, NAN]));
    assert!(same(&x.ceil().unwrap().to_vec(), &[-2.0, -0.0, -0.0, 1.0, NAN]));
    assert!(same(&x.trunc().unwrap().to_vec(), &[-2.0, -0.0, -0.0, 0.0, NAN]));
    assert!(same(&x.sign().unwrap().to_vec(), &[-1.0, -1.0, 0.0, 1.0, NAN]));
    let e = x.reshape([7]).floor().unwrap_err();
    assert_eq!(e.op(), "reshape");
    at("frac", |x| x.frac(), &[2.25, -1.5, 3.0, NAN], &[0.25, -0.5, 0.0, NAN], &[1.0; 4]);
}

#[test]
fn gamma_functions_at_poles_and_far_out() {
    let euler = 0.577_215_664_901_532_9;
    at(
        "lgamma",
        |x| x.lgamma(),
        &[1.0, 2.0, INF, NAN],
        &[0.0, 0.0, INF, NAN],
        &[-euler, 1.0 - euler, INF, NAN],
    );
    at("lgamma at a pole", |x| x.lgamma(), &[-1.0, 0.0], &[INF, INF], &[NAN, -INF]);
    let trigamma = std::f64::consts::PI.powi(2) / 6.0;
    at("digamma", |x| x.digamma(), &[1.0], &[-euler], &[trigamma]);
    at("polygamma(0)", |x| x.polygamma(0), &[1.0], &[-euler], &[trigamma]);
    // Single precision is the rounded double result.
    let tape = Tape::<f32>::new();
    assert_eq!(tape.var(0.5).lgamma().item().unwrap(), std::f64::consts::PI.sqrt().ln() as f32);
}

#[test]
fn logit_and_erfinv_at_the_ends() {
    at(
        "logit",
        |x| x.logit(),
        &[0.0, 0.5, 1.0, 1.5, NAN],
        &[-INF, 0.0, INF, NAN, NAN],
        &[INF, 4.0, INF, 1.0 / (1.5 * -0.5), NAN],
    );
    let near = 0.5 + 1e-12;
    at("logit near a half", |x| x.logit(), &[near], &[4.0 * (near - 0.5)], &[4.0]);
    let end = (0.25f64 / 0.75).ln();
    at(
        "logit_within",
        |x| x.logit_within(0.25),
        &[0.0, 0.25, 0.5, 2.0],
        &[end, end, 0.0, -end],
        &[0.0, 16.0 / 3.0, 4.0, 0.0],
    );
    let slope = std::f64::consts::PI.sqrt() / 2.0;
    at(
        "erfinv",
        |x| x.erfinv(),
        &[0.0, 1.0, -1.0, 1.5, NAN],
        &[0.0, INF, -INF, NAN, NAN],
        &[slope, INF, INF, NAN, NAN],
    );
}

#[test]
fn shrinking_at_its_bounds() {
    let x = [-1.0, -0.5, 0.0, 0.5, 0.75, INF, NAN];
    at(
        "hardshrink",
        |x| x.hardshrink(0.5),
        &x,
        &[-1.0, 0.0, 0.0, 0.0, 0.75, INF, NAN],
        &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
    );
    at(
        "softshrink",
        |x| x.softshrink(0.5),
        &x,
        &[-0.5, 0.0, 0.0, 0.0, 0.25, INF, NAN],
        &[1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
    );
    at(
        "tanhshrink",
        |x| x.tanhshrink(),
        &[0.0, 50.0, -INF, NAN],
        &[0.0, 49.0, -INF, NAN],
        &[0.0, 1.0, 1.0, NAN],
    );
}

#[test]
fn nan_to_num_gives_what_it_replaces_no_gradient() {
    let x = [NAN, INF, -INF, 2.0, -0.0];
    at(
        "nan_to_num",
        |x| x.nan_to_num(7.0, None, None),
        &x,
        &[7.0, f64::MAX, f64::MIN, 2.0, 0.0],
        &[0.0, 0.0, 0.0, 1.0, 1.0],
    );
    let y = Tape::<f32>::new().var(f64::INFINITY).nan_to_num(0.0, None, None).item().unwrap();
    assert_eq!(y, f32::MAX);
}

#[test]
fn bounds_of_their_own_share_with_equals() {
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[-1.0, 0.0, 0.5, 1.0, 2.0, NAN, 0.0, 0.0, 5.0]));
    let low = tape.var(vector(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, NAN, 0.0, 4.0]));
    let high = tape.var(vector(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, NAN, 3.0]));
    let y = x.clamp_between(low, high);
    assert!(close(&y.value().unwrap().to_vec(), &[0.0, 0.0, 0.5, 1.0, 1.0, NAN, NAN, NAN, 3.0]));
    let grads = y.sum().backward().unwrap();
    assert_eq!(grads.wrt(x).unwrap().to_vec()[..6], [0.0, 0.5, 1.0, 0.5, 0.0, 1.0]);
    assert_eq!(grads.wrt(low).unwrap().to_vec()[..6], [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(grads.wrt(high).unwrap().to_vec()[..6], [0.0, 0.0, 0.0, 0.5, 1.0, 0.0]);
    assert_eq!(grads.wrt(high).unwrap().to_vec()[8], 1.0);
    // Crossing and equal bounds, also with x on one of them; PyTorch 2.15 has the same.
    let x = tape.var(vector(&[3.0, 4.0, 3.5, 1.0, 2.0, 3.0]));
    let low = tape.var(vector(&[4.0, 4.0, 4.0, 2.0, 2.0, 2.0]));
    let high = tape.var(vector(&[3.0, 3.0, 3.0, 2.0, 2.0, 2.0]));
    let y = x.clamp_between(low, high);
    assert_eq!(y.value().unwrap().to_vec(), [3.0, 3.0, 3.0, 2.0, 2.0, 2.0]);
    let recorded = tape.grad(&[(y.sum(), tape.constant(1.0))], &[x, low, high]).unwrap();
    let swept = y.sum().backward_retaining().unwrap();
    let want =
        [[0.0, 0.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0, 0.0, 1.0]];
    for ((v, recorded), want) in [x, low, high].into_iter().zip(recorded).zip(want) {
        assert_eq!(swept.wrt(v).unwrap().to_vec(), want);
        assert_eq!(recorded.value().unwrap().to_vec(), want);
    }
    at(
        "clamp_min",
        |x| x.clamp_min(0.0),
        &[-1.0, 0.0, INF, NAN],
        &[0.0, 0.0, INF, NAN],
        &[0.0, 0.0, 1.0, 1.0],
    );
    at(
        "clamp_max",
        |x| x.clamp_max(0.0),
        &[1.0, 0.0, -INF, NAN],
        &[0.0, 0.0, -INF, NAN],
        &[0.0, 0.0, 1.0, 1.0],
    );
}
