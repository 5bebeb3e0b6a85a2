//! Elementwise functions: kinks, NaN, infinities, poles, and large arguments.

use super::*;

#[test]
fn kinks_take_the_documented_side() {
    at("abs", |x| x.abs(), &[-2.0, 0.0, -0.0, 3.0], &[2.0, 0.0, 0.0, 3.0], &[-1.0, 0.0, 0.0, 1.0]);
    at("relu", |x| x.relu(), &[-2.0, 0.0, -0.0, 3.0], &[0.0, 0.0, 0.0, 3.0], &[0.0, 0.0, 0.0, 1.0]);
    at("leaky_relu", |x| x.leaky_relu(0.1), &[-2.0, 0.0, 3.0], &[-0.2, 0.0, 3.0], &[0.1, 0.1, 1.0]);
    at(
        "clamp",
        |x| x.clamp(-1.0, 2.0),
        &[-3.0, -1.0, 0.0, 2.0, 5.0],
        &[-1.0, -1.0, 0.0, 2.0, 2.0],
        &[0.0, 0.0, 1.0, 0.0, 0.0],
    );
    at("clamp, bounds crossed", |x| x.clamp(1.0, -1.0), &[-3.0, 0.0, 3.0], &[-1.0; 3], &[0.0; 3]);
    at("hardsigmoid", |x| x.hardsigmoid(), &[-3.0, 3.0, 0.0], &[0.0, 1.0, 0.5], &[0.0, 0.0, 1.0 / 6.0]);
    at("hardswish", |x| x.hardswish(), &[-3.0, 3.0, 9.0], &[0.0, 3.0, 9.0], &[0.0, 1.0, 1.0]);
    at("elu", |x| x.elu(2.0), &[-1e4, 0.0, 1e4], &[-2.0, 0.0, 1e4], &[0.0, 2.0, 1.0]);
}

#[test]
fn nan_is_never_dropped() {
    let functions: [(&str, F); 26] = [
        ("max", |x| x.max()),
        ("min", |x| x.min()),
        ("maximum", |x| x.maximum(0.0)),
        ("maximum, on the right", |x| x.zeros_like().maximum(x)),
        ("minimum", |x| x.minimum(0.0)),
        ("minimum, on the right", |x| x.zeros_like().minimum(x)),
        ("clamp", |x| x.clamp(-1.0, 1.0)),
        ("relu", |x| x.relu()),
        ("leaky_relu", |x| x.leaky_relu(0.1)),
        ("abs", |x| x.abs()),
        ("elu", |x| x.elu(1.0)),
        ("gelu", |x| x.gelu()),
        ("gelu_tanh", |x| x.gelu_tanh()),
        ("silu", |x| x.silu()),
        ("softplus", |x| x.softplus()),
        ("log_sigmoid", |x| x.log_sigmoid()),
        ("hardsigmoid", |x| x.hardsigmoid()),
        ("hardswish", |x| x.hardswish()),
        ("tanh", |x| x.tanh()),
        ("sum", |x| x.sum()),
        ("norm", |x| x.norm()),
        ("softmax", |x| x.softmax(0)),
        ("log_softmax", |x| x.log_softmax(0)),
        ("logsumexp", |x| x.logsumexp(0)),
        ("var", |x| x.variance_axes(0, 1.0)),
        ("pow", |x| x.pow(3.0)),
    ];
    for n in [1, 2, 7, 64, 1001] {
        for (name, f) in functions {
            // In every lane of a vectorised loop, and in its tail.
            for place in [0, n / 3, n - 1] {
                let mut v = vec![0.5; n];
                v[place] = NAN;
                let tape = Tape::<f64>::new();
                let y = f(tape.var(vector(&v))).value().unwrap().to_vec();
                let there = if y.len() == n { y[place] } else { y[0] };
                assert!(there.is_nan(), "{name} of {n} numbers with NaN at {place} gives {there}");
                let tape = Tape::<f32>::new();
                let x = tape.var(vector(&v).cast::<f32>());
                assert!(
                    x.relu().max().item().unwrap().is_nan() && x.minimum(9.0).min().item().unwrap().is_nan()
                );
            }
        }
    }
    let masks = vector(&[NAN, 1.0]);
    let tape = Tape::<f64>::new();
    let x = tape.var(&masks);
    assert_eq!(x.eq(&masks).unwrap().to_vec(), [false, true]);
    assert_eq!(x.ne(&masks).unwrap().to_vec(), [true, false]);
    for mask in [x.lt(&masks), x.gt(&masks)] {
        assert_eq!(mask.unwrap().to_vec(), [false, false]);
    }
    for mask in [x.le(&masks), x.ge(&masks)] {
        assert_eq!(mask.unwrap().to_vec(), [false, true]);
    }
}

#[test]
fn powers_at_zero_and_of_negative_bases() {
    at("x^0", |x| x.pow(0.0), &[0.0, -0.0, 5.0, -3.0, INF, NAN], &[1.0; 6], &[0.0; 6]);
    at("x^1", |x| x.pow(1.0), &[0.0, -2.0], &[0.0, -2.0], &[1.0, 1.0]);
    at("x^2", |x| x.pow(2.0), &[0.0, -3.0], &[0.0, 9.0], &[0.0, -6.0]);
    at("x^3", |x| x.pow(3.0), &[0.0, -2.0], &[0.0, -8.0], &[0.0, 12.0]);
    at("x^-1", |x| x.pow(-1.0), &[-2.0, 0.0], &[-0.5, INF], &[-0.25, -INF]);
    at("x^½", |x| x.pow(0.5), &[0.0, 4.0, -1.0], &[0.0, 2.0, NAN], &[INF, 0.25, NAN]);
    // Both operands are differentiable: 0⁰ is 1, with derivative 0 with respect to the base; the derivative with respect to
    // the exponent at base 0 is 0, as in PyTorch.
    let cases: [(f64, f64, f64, f64, f64); 9] = [
        (0.0, 0.0, 1.0, 0.0, 0.0),
        (-0.0, 0.0, 1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0, 1.0, 0.0),
        (0.0, 2.0, 0.0, 0.0, 0.0),
        (0.0, 0.5, 0.0, INF, 0.0),
        (2.0, 0.0, 1.0, 0.0, 2f64.ln()),
        (2.0, 3.0, 8.0, 12.0, 8.0 * 2f64.ln()),
        (-2.0, 3.0, -8.0, 12.0, NAN),
        (-2.0, 0.0, 1.0, 0.0, NAN),
    ];
    for (a, b, value, da, db) in cases {
        let tape = Tape::<f64>::new();
        let (x, p) = (tape.var(a), tape.var(b));
        let y = x.pow(p);
        let recorded = tape.grad(&[(y, tape.constant(1.0))], &[x, p]).unwrap();
        let recorded = [recorded[0].item().unwrap(), recorded[1].item().unwrap()];
        let grads = y.backward().unwrap();
        let swept = [grads.wrt(x).unwrap().item().unwrap(), grads.wrt(p).unwrap().item().unwrap()];
        assert!(close(&[y.item().unwrap()], &[value]), "{a}^{b}: {y:?}");
        assert!(close(&swept, &[da, db]), "{a}^{b}: {swept:?}, expected {:?}", [da, db]);
        assert!(close(&recorded, &[da, db]), "{a}^{b}, recorded: {recorded:?}, expected {:?}", [da, db]);
        // Only the base is differentiable: the exponent's part of the rule must not affect it.
        let x = tape.var(a);
        let g = x.pow(tape.constant(b)).backward().unwrap().wrt(x).unwrap();
        assert!(close(&[g.item().unwrap()], &[da]), "{a}^{b}: {g}");
    }
    // Second order of x^p for integers p at 0: 0, 0, 2, 0.
    for (p, want) in [(0.0, 0.0), (1.0, 0.0), (2.0, 2.0), (3.0, 0.0)] {
        let tape = Tape::<f64>::new();
        let x = tape.var(0.0);
        let dd = x.pow(p).grad(x).unwrap().grad(x).unwrap();
        assert_eq!(dd.item().unwrap(), want, "the second derivative of x^{p} at 0");
    }
}

#[test]
fn roots_norms_and_logarithms_at_zero() {
    at("sqrt", |x| x.sqrt(), &[0.0, 4.0], &[0.0, 2.0], &[INF, 0.25]);
    at("log", |x| x.log(), &[0.0, -1.0, 2.0], &[-INF, NAN, 2f64.ln()], &[INF, -1.0, 0.5]);
    at("norm", |x| x.norm(), &[0.0, 0.0], &[0.0], &[0.0, 0.0]);
    at("norm of one", |x| x.norm(), &[-2.0], &[2.0], &[-1.0]);
    at("std of equals", |x| x.std_axes(0, 1.0), &[3.0, 3.0, 3.0], &[0.0], &[0.0; 3]);
    at("var of equals", |x| x.variance_axes(0, 1.0), &[3.0, 3.0], &[0.0], &[0.0, 0.0]);
    at("var of one", |x| x.variance_axes(0, 0.0), &[3.0], &[0.0], &[0.0]);
    let [g, ..] = run::<f64>(|x| x.norm_keepdim(1) + 0.0 * x, &Tensor::from([[0.0, 0.0], [3.0, 4.0]]));
    assert_eq!(g, [0.0, 0.0, 5.0, 5.0]);
    // The sample variance of one element is 0/0.
    assert!(run::<f64>(|x| x.variance_axes(0, 1.0), &vector(&[3.0]))[0][0].is_nan());
    // A large mean with a tiny variance costs no accuracy, forward or back.
    let [v, g, _] = run::<f64>(|x| x.variance_axes(0, 0.0), &vector(&[1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0]));
    assert!(close(&v, &[2.0 / 3.0]) && close(&g, &[-2.0 / 3.0, 0.0, 2.0 / 3.0]), "{v:?} {g:?}");
    let [v, ..] = run::<f32>(|x| x.variance_axes(0, 1.0), &vector(&[4096.0, 4097.0, 4098.0, 4099.0]));
    assert!((v[0] - 5.0 / 3.0).abs() < 1e-5, "{v:?}");
}

#[test]
fn the_branch_not_taken_has_no_influence() {
    let tape = || Tape::<f64>::new();
    type G = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    // NaN or infinity, as value or as derivative, in the branch not taken: its cotangent is zero, not NaN.
    let branches: [(&str, G); 5] = [
        ("log", |x| x.log()),
        ("sqrt", |x| x.sqrt()),
        ("recip", |x| x.recip()),
        ("pow", |x| x.pow(-0.5)),
        ("exp", |x| (x * -1e4).exp()),
    ];
    for (name, f) in branches {
        for masked in [false, true] {
            let t = tape();
            let x = t.var(vector(&[-1.0, 0.0, -0.0, 4.0]));
            let (h, other) = (f(x).keep(), (x * 3.0).keep());
            let y = if masked { h.masked_fill(x.le(0.0), other) } else { h.where_cond(x.gt(0.0), other) };
            let alone = tape();
            let z = alone.var(4.0);
            let (value, slope) =
                (f(z).item().unwrap(), f(z).backward().unwrap().wrt(z).unwrap().item().unwrap());
            assert!(same(&y.value().unwrap().to_vec(), &[-3.0, 0.0, -0.0, value]), "{name}: {y:?}");
            let grads = y.sum().backward().unwrap();
            assert_eq!(grads.wrt(h).unwrap().to_vec(), [0.0, 0.0, 0.0, 1.0], "{name}");
            assert_eq!(grads.wrt(other).unwrap().to_vec(), [1.0, 1.0, 1.0, 0.0], "{name}");
            assert_eq!(grads.wrt(x).unwrap().to_vec()[3], slope, "{name}");
        }
    }
    // So a branch whose derivative is finite there does no harm, even if its value is not finite.
    at(
        "log where positive",
        |x| x.log().where_cond(x.gt(0.0), x * 3.0),
        &[-1.0, 4.0],
        &[-3.0, 4f64.ln()],
        &[3.0, 0.25],
    );
    // The double-where: an argument made safe before the pole has finite gradients of both orders.
    for f in [(|x| x.sqrt()) as G, |x| x.log(), |x| x.recip(), |x| x.pow(-1.5)] {
        let t = tape();
        let x = t.var(vector(&[0.0, -1.0, 4.0]));
        let safe = x.masked_fill(x.le(0.0), 1.0);
        let y = f(safe).masked_fill(x.le(0.0), 0.0).sum();
        let g = y.grad(x).unwrap();
        let (first, second) =
            (g.value().unwrap().to_vec(), g.sum().backward().unwrap().wrt(x).unwrap().to_vec());
        assert!(first[..2] == [0.0, 0.0] && first[2] != 0.0 && first[2].is_finite(), "{first:?}");
        assert!(second[..2] == [0.0, 0.0] && second[2] != 0.0 && second[2].is_finite(), "{second:?}");
    }
    // A cotangent that is itself infinite or NaN does not reach the branch not taken.
    let t = tape();
    let (a, b) = (t.var(vector(&[1.0, 2.0])), t.var(vector(&[3.0, 4.0])));
    let y = a.where_cond(Tensor::from([true, false]), b);
    let grads = y.backward_from(vector(&[INF, NAN])).unwrap();
    let (ga, gb) = (grads.wrt(a).unwrap().to_vec(), grads.wrt(b).unwrap().to_vec());
    assert!(same(&ga, &[INF, 0.0]) && same(&gb, &[0.0, NAN]), "{ga:?} {gb:?}");
}

#[test]
fn activations_far_out_are_finite() {
    let far = [-1e30, -1e4, -700.0, -40.0, 40.0, 700.0, 1e4, 1e30];
    let step = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let cases: [(&str, F, Reference, [f64; 8]); 8] = [
        ("sigmoid", |x| x.sigmoid(), |x| if x < 0.0 { x.exp() } else { 1.0 }, [0.0; 8]),
        ("tanh", |x| x.tanh(), f64::signum, [0.0; 8]),
        ("softplus", |x| x.softplus(), |x| if x < 0.0 { x.exp() } else { x }, step),
        (
            "log_sigmoid",
            |x| x.log_sigmoid(),
            |x| if x < 0.0 { x } else { -(-x).exp() },
            step.map(|s| 1.0 - s),
        ),
        ("silu", |x| x.silu(), |x| if x < 0.0 { x * x.exp() } else { x }, step),
        ("gelu", |x| x.gelu(), |x| x.max(0.0), step),
        ("gelu_tanh", |x| x.gelu_tanh(), |x| x.max(0.0), step),
        ("elu", |x| x.elu(1.0), |x| if x < 0.0 { -1.0 } else { x }, step),
    ];
    for (name, f, value, slope) in cases {
        let [y, g, r] = run::<f64>(f, &vector(&far));
        for (i, x) in far.into_iter().enumerate() {
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-15 * (1.0 + b.abs());
            assert!(near(y[i], value(x)), "{name}({x}) is {}, expected {}", y[i], value(x));
            assert!(
                near(g[i], slope[i]) && near(r[i], slope[i]),
                "{name}'({x}) is {} and {}, expected {}",
                g[i],
                r[i],
                slope[i]
            );
        }
        // In single precision squares and cubes overflow much earlier.
        let far = [-1e30, -1e20, -1e13, -1e4, 1e4, 1e13, 1e20, 1e30];
        let call = |x: &Tensor<f64>| match name {
            "sigmoid" => run::<f32>(|x| x.sigmoid(), x),
            "tanh" => run::<f32>(|x| x.tanh(), x),
            "softplus" => run::<f32>(|x| x.softplus(), x),
            "log_sigmoid" => run::<f32>(|x| x.log_sigmoid(), x),
            "silu" => run::<f32>(|x| x.silu(), x),
            "gelu" => run::<f32>(|x| x.gelu(), x),
            "gelu_tanh" => run::<f32>(|x| x.gelu_tanh(), x),
            _ => run::<f32>(|x| x.elu(1.0), x),
        };
        let [y, g, r] = call(&vector(&far));
        assert!(y.iter().all(|v| v.is_finite()), "{name} in f32: {y:?}");
        assert_eq!((&g[..], &r[..]), (&slope[..], &slope[..]), "{name}' in f32 at {far:?}");
    }
}

#[test]
fn negative_zero_is_a_zero() {
    at("1/x", |x| 1.0 / x, &[-0.0, 0.0], &[-INF, INF], &[-INF, -INF]);
    at("sqrt", |x| x.sqrt(), &[-0.0], &[-0.0], &[-INF]);
    at("atan", |x| x.atan(), &[-0.0], &[-0.0], &[1.0]);
    let functions: [(&str, F); 7] = [
        ("sin", |x| x.sin()),
        ("tan", |x| x.tan()),
        ("tanh", |x| x.tanh()),
        ("expm1", |x| x.expm1()),
        ("log1p", |x| x.log1p()),
        ("erf", |x| x.erf()),
        ("x * 1", |x| x * 1.0),
    ];
    for (name, f) in functions {
        let [y, g, _] = run::<f64>(f, &vector(&[-0.0, 0.0]));
        assert!(same(&y, &[-0.0, 0.0]), "{name} is odd: {y:?}");
        assert_eq!(g[0].to_bits(), g[1].to_bits(), "{name}: {g:?}");
    }
    let tape = Tape::<f64>::new();
    let zeros = tape.var(vector(&[-0.0]));
    assert!(zeros.eq(0.0).unwrap().to_vec()[0] && !zeros.lt(0.0).unwrap().to_vec()[0]);
    assert_eq!((-tape.var(0.0)).item().unwrap().to_bits(), (-0.0f64).to_bits());
}

/// Values and gradients where a formula alone would be 0/0, 0 · ∞ or ∞ - ∞: name, function, operands, value, derivatives.
type Corner = (&'static str, Binary, [f64; 2], f64, [f64; 2]);

#[test]
fn functions_of_two_numbers_at_their_corners() {
    let cases: [Corner; 10] = [
        ("hypot", |a, b| a.hypot(b), [0.0, 0.0], 0.0, [0.0, 0.0]),
        ("hypot", |a, b| a.hypot(b), [3e200, 4e200], 5e200, [0.6, 0.8]),
        ("logaddexp", |a, b| a.logaddexp(b), [-INF, -INF], -INF, [0.5, 0.5]),
        ("logaddexp", |a, b| a.logaddexp(b), [INF, INF], INF, [0.5, 0.5]),
        ("logaddexp", |a, b| a.logaddexp(b), [-INF, 2.0], 2.0, [0.0, 1.0]),
        ("logaddexp", |a, b| a.logaddexp(b), [1000.0, -1000.0], 1000.0, [1.0, 0.0]),
        ("xlogy", |a, b| a.xlogy(b), [0.0, 0.0], 0.0, [0.0, 0.0]),
        ("xlogy", |a, b| a.xlogy(b), [0.0, -2.0], 0.0, [0.0, 0.0]),
        ("xlogy", |a, b| a.xlogy(b), [0.0, NAN], NAN, [NAN, 0.0]),
        ("atan2", |a, b| a.atan2(b), [0.0, -1.0], std::f64::consts::PI, [-1.0, 0.0]),
    ];
    for (name, f, [a, b], value, [ga, gb]) in cases {
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(a), tape.var(b));
        let y = f(a, b);
        let got = y.item().unwrap();
        let grads = y.backward().unwrap();
        let at = |x| grads.wrt(x).unwrap().item().unwrap();
        let near = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-15 * b.abs();
        assert!(near(got, value), "{name}: {got}, expected {value}");
        // If one operand is NaN, the other operand's derivative may be NaN too.
        let right = near(at(a), ga) && (near(at(b), gb) || (value.is_nan() && at(b).is_nan()));
        assert!(right, "{name} at {value}: ({}, {}), expected ({ga}, {gb})", at(a), at(b));
    }
}
