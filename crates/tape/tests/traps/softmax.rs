//! Softmax and cross-entropy for extreme rows.

use super::*;

#[test]
fn softmax_of_large_equal_and_infinite_numbers() {
    let rows = Tensor::from([
        [1000.0, 1000.0, 999.0],
        [-1e30, 0.0, -1e30],
        [-INF, 0.0, 0.0],
        [-INF, -INF, 5.0],
        [1e300, -1e300, 1e300],
    ]);
    let e = (-1f64).exp();
    let p = [
        1.0 / (2.0 + e),
        1.0 / (2.0 + e),
        e / (2.0 + e),
        0.0,
        1.0,
        0.0,
        0.0,
        0.5,
        0.5,
        0.0,
        0.0,
        1.0,
        0.5,
        0.0,
        0.5,
    ];
    let [y, ..] = run::<f64>(|x| x.softmax(1), &rows);
    assert!(close(&y, &p), "{y:?}");
    let [y, g, r] = run::<f64>(|x| x.logsumexp(1), &rows.slice(0, ..4).unwrap());
    let want = [1000.0 + (2.0 + e).ln(), 0.0, 2f64.ln(), 5.0];
    let p4 = &p[..12];
    assert!(close(&y, &want) && close(&g, p4) && close(&r, p4), "{y:?} {g:?} {r:?}");
    // The gradient of one probability: p_i (δ - p).
    let [_, g, r] = run::<f64>(|x| x.softmax(1).slice(1, 1..2), &rows);
    let want: Vec<f64> =
        p.chunks(3).flat_map(|p| [-p[1] * p[0], p[1] * (1.0 - p[1]), -p[1] * p[2]]).collect();
    assert!(close(&g, &want) && close(&r, &want), "{g:?} {r:?}, expected {want:?}");
    let [y, g, r] = run::<f64>(|x| x.log_softmax(1).slice(1, 1..2), &rows.slice(0, ..3).unwrap());
    let want: Vec<f64> = p[..9].chunks(3).flat_map(|p| [-p[0], 1.0 - p[1], -p[2]]).collect();
    assert!(close(&y, &[-(2.0 + e).ln(), 0.0, -2f64.ln()]), "{y:?}");
    assert!(close(&g, &want) && close(&r, &want), "{g:?} {r:?}, expected {want:?}");
    // A row with only -∞: log Σ exp is -∞ with gradient 0, softmax is 0/0.
    let [y, g, r] = run::<f64>(|x| x.logsumexp(0), &vector(&[-INF, -INF]));
    assert_eq!((y, g, r), (vec![-INF], vec![0.0; 2], vec![0.0; 2]));
    let [y, ..] = run::<f64>(|x| x.softmax(0), &vector(&[-INF, -INF]));
    assert!(y.iter().all(|v| v.is_nan()));
    // A shift has no effect, far from zero or near it, in single precision too.
    let [y, g, _] = run::<f32>(|x| x.softmax(0).square(), &vector(&[1e4, 1e4 + 1.0]));
    let [z, h, _] = run::<f32>(|x| x.softmax(0).square(), &vector(&[0.0, 1.0]));
    assert_eq!((y, g), (z, h));
    // Along any axis, with one element, and at rank 1.
    let [y, g, _] = run::<f64>(|x| x.softmax(-2), &Tensor::from([[7.0, -INF]]));
    assert!(y[0] == 1.0 && y[1].is_nan() && g[0] == 0.0);
}

/// Log-softmax and cross-entropy of [c, c + 1, c + 2.5] for the middle class: values and gradients of both sweeps, and the
/// derivative of the gradient's middle element. None depends on c.
#[test]
fn an_offset_of_all_logits_costs_no_digits() {
    fn check<T: Float>(offsets: &[f64], within: f64) {
        // Computed with mpmath at 30 digits.
        let p = [0.062_890_013_245_867_5, 0.170_952_780_197_790_28, 0.766_157_206_556_342_2];
        let loss = 1.766_367_899_807_133_7;
        let gradient = [p[0], p[1] - 1.0, p[2]];
        let curvature = [-p[1] * p[0], p[1] * (1.0 - p[1]), -p[1] * p[2]];
        type G<T> = for<'t> fn(Var<'t, T>) -> Var<'t, T>;
        let forms: [(&str, G<T>); 3] = [
            ("cross_entropy", |x| x.cross_entropy(&Tensor::from([1]))),
            ("log_softmax", |x| -x.log_softmax(1).slice(1, 1..2)),
            ("log_softmax along another axis", |x| -x.t().log_softmax(0).slice(0, 1..2)),
        ];
        for &c in offsets {
            for (name, f) in forms {
                let near = |found: &[f64], want: &[f64]| {
                    let worst = found.iter().zip(want).map(|(f, w)| (f - w).abs()).fold(0.0, f64::max);
                    assert!(worst <= within, "{name} at {c}: {found:?}, expected {want:?}, off by {worst:e}");
                };
                let row = Tensor::from([[c, c + 1.0, c + 2.5]]);
                let [y, swept, recorded] = run::<T>(f, &row);
                near(&y, &[loss]);
                near(&swept, &gradient);
                near(&recorded, &gradient);
                let tape = Tape::<T>::new();
                let x = tape.var(row.cast::<T>());
                let g = f(x).sum().grad(x).unwrap().slice(1, 1..2).sum();
                near(&g.grad(x).unwrap().value().unwrap().cast::<f64>().to_vec(), &curvature);
                near(&g.backward().unwrap().wrt(x).unwrap().cast::<f64>().to_vec(), &curvature);
            }
        }
    }
    check::<f32>(&[0.0, 100.0, 1e3, 1e4, 1e6, -1e6], 2.5e-7);
    check::<f64>(&[0.0, 1e4, 1e6, 1e15, -1e15], 1e-15);
    // Three equal elements: -log 3 each, and gradients that sum to zero.
    let [y, g, r] = run::<f32>(|x| x.log_softmax(0), &vector(&[1e6; 3]));
    assert!(y.iter().all(|y| *y == f64::from(-1.098_612_3_f32)), "{y:?}");
    assert!(g.iter().chain(&r).all(|g| g.abs() < 5e-7), "{g:?} {r:?}");
    let [y, g, r] = run::<f64>(|x| x.log_softmax(0), &vector(&[1e50; 3]));
    assert!(
        close(&y, &[-(3f64.ln()); 3]) && close(&g, &[0.0; 3]) && close(&r, &[0.0; 3]),
        "{y:?} {g:?} {r:?}"
    );
}

#[test]
fn cross_entropy_of_extreme_logits() {
    let logits = Tensor::from([
        [1e4, 0.0, 0.0],
        [1e4, 0.0, 0.0],
        [-1e4, 1e4, -1e4],
        [-INF, 0.0, 0.0],
        [-INF, -INF, 3.0],
    ]);
    let tape = Tape::<f64>::new();
    let x = tape.var(&logits);
    let y = x.cross_entropy(&Tensor::from([0, 1, 1, 0, 2]));
    assert!(same(&y.value().unwrap().to_vec(), &[0.0, 1e4, 0.0, INF, 0.0]), "{y:?}");
    let g = y.sum().backward().unwrap().wrt(x).unwrap().to_vec();
    let want = [0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.5, 0.5, 0.0, 0.0, 0.0];
    assert!(close(&g, &want), "{g:?}");
    // Fused and composed forms agree where both are finite, to second order.
    let logits = Tensor::from([
        [0.3, 30.0, -2.0],
        [-700.0, 0.5, 700.0],
        [0.0, 0.0, 0.0],
        [5.0, 1.0, 1.0],
        [1e-9, 0.0, -1e-9],
    ]);
    let results = [run::<f64>(fused, &logits), run::<f64>(composed, &logits)];
    for (a, b) in results[0].iter().zip(&results[1]) {
        assert!(close(a, b), "{a:?} {b:?}");
    }
    fn fused<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        x.cross_entropy(&Tensor::from([0, 1, 1, 0, 2]))
    }
    fn composed<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        -x.log_softmax(1).gather(1, &Tensor::from([[0], [1], [1], [0], [2]])).squeeze(1)
    }
}
