//! Normalisation: small batches, tiny variances, large means.

use super::*;

/// Compares values and gradients of a fused op with those of the same function in other ops, at the given numbers.
#[track_caller]
fn agree(what: &str, fused: F, composed: F, x: &Tensor<f64>) {
    let results = [run::<f64>(fused, x), run::<f64>(composed, x)];
    for (a, b) in results[0].iter().zip(&results[1]) {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * (1.0 + b.abs());
        assert!(a.iter().zip(b).all(near), "{what}: {a:?} {b:?}");
    }
}

fn standardized<'t>(x: Var<'t, f64>, axes: &[usize]) -> Var<'t, f64> {
    let centred = x - x.mean_keepdim(axes);
    centred * (centred.square().mean_keepdim(axes) + 1e-5).rsqrt()
}

#[test]
fn fused_norms_are_what_is_written_out() {
    let x = Tensor::<f64>::steps(-2.0, 0.37, 48).map(|v| v.sin()).reshape([2, 4, 2, 3]).unwrap();
    // The sum of normalised values has a zero gradient, their squares do not.
    let cases: [(&str, F, F); 5] = [
        ("layer_norm", |x| x.layer_norm([2, 3], None, None, 1e-5).exp(), |x| standardized(x, &[2, 3]).exp()),
        (
            "rms_norm",
            |x| x.rms_norm([3], None, 1e-5).exp(),
            |x| (x * (x.square().mean_keepdim(3) + 1e-5).rsqrt()).exp(),
        ),
        (
            "group_norm",
            |x| x.group_norm(2, None, None, 1e-5).exp(),
            |x| standardized(x.reshape([2, 2, 2, 2, 3]), &[2, 3, 4]).exp().reshape([2, 4, 2, 3]),
        ),
        ("instance_norm", |x| x.instance_norm(None, None, 1e-5).exp(), |x| standardized(x, &[2, 3]).exp()),
        ("batch_norm", |x| x.batch_norm(None, None, 1e-5).exp(), |x| standardized(x, &[0, 2, 3]).exp()),
    ];
    let strided = x.transpose(0, 3).unwrap().contiguous().transpose(0, 3).unwrap();
    let one = x.slice(0, 1..2).unwrap();
    for (what, fused, composed) in cases {
        for x in [&x, &strided] {
            agree(what, fused, composed, x);
        }
        if what == "batch_norm" || what == "layer_norm" {
            agree(what, fused, composed, &one);
        }
    }
}

/// Large enough to be split into tasks and blocks.
#[test]
fn fused_norms_of_large_tensors_are_what_is_written_out() {
    let x = Tensor::<f64>::steps(0.0, 0.71, 6 * 4 * 5000).map(|v| v.sin()).reshape([6, 4, 5000]).unwrap();
    agree("batch_norm", |x| x.batch_norm(None, None, 1e-5).exp(), |x| standardized(x, &[0, 2]).exp(), &x);
    agree(
        "layer_norm",
        |x| x.layer_norm([5000], None, None, 1e-5).exp(),
        |x| standardized(x, &[2]).exp(),
        &x,
    );
    agree(
        "layer_norm of many rows",
        |x| x.reshape([12000, 10]).layer_norm([10], None, None, 1e-5).exp(),
        |x| standardized(x.reshape([12000, 10]), &[1]).exp(),
        &x,
    );
    agree(
        "group_norm",
        |x| x.group_norm(2, None, None, 1e-5).exp(),
        |x| standardized(x.reshape([6, 2, 2, 5000]), &[2, 3]).exp().reshape([6, 4, 5000]),
        &x,
    );
    // One element per channel and sample.
    agree(
        "batch_norm of rows",
        |x| x.reshape([12000, 10]).batch_norm(None, None, 1e-5).exp(),
        |x| standardized(x.reshape([12000, 10]), &[0]).exp(),
        &x,
    );
}

#[test]
fn equal_elements_have_zero_deviation_and_a_finite_gradient() {
    let x = Tensor::from([[3.0, 3.0, 3.0], [7.0, 7.0, 7.0]]);
    let cases: [(&str, F); 3] = [
        ("layer_norm", |x| x.layer_norm([3], None, None, 1e-5) * Tensor::from([1.0, 2.0, 4.0])),
        ("group_norm", |x| x.group_norm(1, None, None, 1e-5) * Tensor::from([1.0, 2.0, 4.0])),
        ("batch_norm", |x| x.t().batch_norm(None, None, 1e-5).t() * Tensor::from([1.0, 2.0, 4.0])),
    ];
    for (what, f) in cases {
        let [y, swept, recorded] = run::<f64>(f, &x);
        assert!(y.iter().all(|v| *v == 0.0), "{what}: {y:?}");
        // (w - mean w)/√ε, without a term in x̂.
        let scale = 1.0 / 1e-5f64.sqrt();
        let want: Vec<f64> = [1.0, 2.0, 4.0, 1.0, 2.0, 4.0].iter().map(|w| (w - 7.0 / 3.0) * scale).collect();
        assert!(close(&swept, &want) && close(&recorded, &want), "{what}: {swept:?} {recorded:?}");
    }
    // RMS norm of zeros, which subtracts no mean.
    let [y, g, _] = run::<f64>(|x| x.rms_norm([2], None, 1e-6), &Tensor::from([[0.0, 0.0]]));
    assert!(y == [0.0, 0.0] && close(&g, &[1e3, 1e3]), "{y:?} {g:?}");
}

/// In single precision, with mean 10⁴ and deviation 10⁻², E(x²) - (E x)² would have no digits left.
#[test]
fn a_large_mean_costs_no_accuracy_in_single_precision() {
    let x =
        Tensor::from([[1e4, 1e4 + 0.015625, 1e4 - 0.0078125, 1e4 + 0.0029296875]]).reshape([4, 1]).unwrap();
    type Single = for<'t> fn(Var<'t, f32>) -> Var<'t, f32>;
    let cases: [(&str, Single, F); 2] = [
        ("batch_norm", |x| x.batch_norm(None, None, 1e-7).exp(), |x| x.batch_norm(None, None, 1e-7).exp()),
        (
            "layer_norm",
            |x| x.t().layer_norm([4], None, None, 1e-7).exp().t(),
            |x| x.t().layer_norm([4], None, None, 1e-7).exp().t(),
        ),
    ];
    for (what, single, double) in cases {
        let exact = x.cast::<f32>().cast::<f64>();
        let ([y, g, _], [want, wanted, _]) = (run::<f32>(single, &exact), run::<f64>(double, &exact));
        for (a, b) in y.iter().zip(&want).chain(g.iter().zip(&wanted)) {
            assert!((a - b).abs() < 2e-5 * (1.0 + b.abs()), "{what}: {a} {b}");
        }
    }
}

#[test]
fn not_a_number_stays_in_its_row_or_channel() {
    let x = Tensor::from([[1.0, NAN], [2.0, 5.0]]);
    let [y, g, _] = run::<f64>(|x| x.layer_norm([2], None, None, 1e-5), &x);
    assert!(y[0].is_nan() && y[1].is_nan() && y[2] < 0.0 && y[3] > 0.0, "{y:?}");
    assert!(g[0].is_nan() && g[2].is_finite(), "{g:?}");
    let [y, ..] = run::<f64>(|x| x.batch_norm(None, None, 1e-5), &x);
    assert!(y[0] < 0.0 && y[1].is_nan() && y[2] > 0.0 && y[3].is_nan(), "{y:?}");
}

/// Values computed with PyTorch 2.15: `F.layer_norm`, `F.group_norm` and `F.batch_norm` of `torch.arange(8.) ** 2 / 4`,
/// weighted.
#[test]
fn values_by_pytorch() {
    let x = Tensor::<f64>::steps(0.0, 1.0, 8).map(|v| v * v / 4.0);
    let numbers = |y: Var<'_, f64>| y.value().unwrap().to_vec();
    let near = |a: Vec<f64>, b: [f64; 8]| {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9), "{a:?} {b:?}");
    };
    let tape = Tape::new();
    let w = tape.var(Tensor::from([1.0, 2.0, -1.0, 0.5]));
    let b = tape.var(Tensor::from([0.0, 0.5, 1.0, -1.0]));
    let rows = tape.var(x.reshape([2, 4]).unwrap());
    near(numbers(rows.layer_norm([4], Some(w), Some(b), 1e-5)), LAYER);
    near(numbers(rows.rms_norm([4], Some(w), 1e-5)), RMS);
    near(numbers(rows.group_norm(2, Some(w), Some(b), 1e-5)), GROUP);
    near(numbers(rows.batch_norm(Some(w), Some(b), 1e-5)), BATCH);
    near(numbers(rows.local_response_norm(3, 0.1, 0.75, 1.0)), LOCAL);
}
const LAYER: [f64; 8] = [
    -0.9999934694517277,
    -0.9285620992167538,
    0.8571437900783246,
    -0.21429084543078536,
    -1.2561827325703143,
    -0.553572614413812,
    0.6353017873182958,
    -0.2908645864522419,
];
const RMS: [f64; 8] = [
    0.0,
    0.40405969844443124,
    -0.8081193968888625,
    0.9091343214999703,
    0.47294654131364855,
    1.4779579416051518,
    -1.0641297179557092,
    0.7241993913865243,
];
const GROUP: [f64; 8] = [
    -0.9996801535181259,
    2.499360307036252,
    1.9999872002457548,
    -0.5000063998771224,
    -0.9999960494061271,
    2.499992098812254,
    1.9999981065142534,
    -0.500000946742873,
];
const BATCH: [f64; 8] = [
    -0.9999987500023437,
    -1.4999988888898146,
    1.9999996875001465,
    -1.4999999000000301,
    0.9999987500023437,
    2.499998888889815,
    3.124998535497525e-07,
    -0.50000009999997,
];
const LOCAL: [f64; 8] = [
    0.0,
    0.24355869877829492,
    0.8699314847654758,
    1.9598895003127494,
    1.8306163017288761,
    1.731877936777213,
    1.5999515102244426,
    2.417790463631835,
];
