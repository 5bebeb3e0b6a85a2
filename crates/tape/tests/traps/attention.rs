//! Attention: rectangular causal masks, rows that see no key, cross attention, long rows.

use super::*;
use wengert_tape::rules::Attention;

fn values(shape: &[usize], phase: f64) -> Tensor<f64> {
    let n = shape.iter().product();
    Tensor::<f64>::steps(phase, 0.61, n).map(|v| (v * v).sin() * 1.5).reshape(shape).unwrap()
}

type Options = for<'t> fn(Var<'t, f64>) -> Attention<'t, f64>;

/// y, and the cotangents of q, k, v for the cotangent y, swept and recorded.
fn attend(q: &Tensor<f64>, k: &Tensor<f64>, v: &Tensor<f64>, options: Options) -> Vec<Vec<f64>> {
    let tape = Tape::<f64>::new();
    let x = [tape.var(q), tape.var(k), tape.var(v)];
    let y = x[0].scaled_dot_product_attention(x[1], x[2], options(x[0]));
    let seed = y.value().unwrap();
    let recorded = tape.grad(&[(y, tape.constant(&seed))], &x).unwrap();
    let mut found: Vec<_> = recorded.iter().map(|g| g.value().unwrap().to_vec()).collect();
    let swept = y.backward_from(&seed).unwrap();
    for (x, recorded) in x.iter().zip(&found) {
        let swept = swept.wrt(*x).unwrap().to_vec();
        let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-11;
        assert!(swept.iter().zip(recorded).all(near), "{swept:?} {recorded:?}");
    }
    found.insert(0, seed.to_vec());
    found
}

#[test]
fn causal_masks_of_rectangles_are_aligned_as_asked() {
    // All scores are equal: the result is the mean over the visible keys.
    let (v, zeros) = (Tensor::from([[1.0], [2.0], [4.0], [8.0]]), |n: usize| Tensor::<f64>::zeros([n, 2]));
    let y = |t: usize, options: Options| attend(&zeros(t), &zeros(4), &v, options).swap_remove(0);
    assert!(close(&y(2, |_| Attention::new().causal()), &[7.0 / 3.0, 3.75]));
    assert!(close(&y(2, |_| Attention::new().causal_top_left()), &[1.0, 1.5]));
    // More queries than keys: the first queries see no key.
    assert!(close(&y(6, |_| Attention::new().causal()), &[0.0, 0.0, 1.0, 1.5, 7.0 / 3.0, 3.75]));
    assert!(close(&y(6, |_| Attention::new().causal_top_left())[3..], &[3.75, 3.75, 3.75]));
}

#[test]
fn a_query_that_sees_nothing_gives_zeros_and_no_gradient() {
    let (q, k, v) = (values(&[3, 2], 0.3), values(&[4, 2], 1.0), values(&[4, 2], 2.0));
    let blind: [Options; 3] = [
        |_| Attention::new().mask(Tensor::from([[true], [false], [true]])),
        |q| Attention::new().bias(q.tape().constant(Tensor::from([[0.0], [-INF], [0.0]]))),
        |q| Attention::new().bias(q.tape().var(Tensor::from([[0.0], [-INF], [0.0]]))),
    ];
    for options in blind {
        let [y, gq, gk, gv] = <[Vec<f64>; 4]>::try_from(attend(&q, &k, &v, options)).unwrap();
        assert!(y[2..4] == [0.0, 0.0] && gq[2..4] == [0.0, 0.0], "{y:?} {gq:?}");
        assert!(gk.iter().chain(&gv).all(|g| g.is_finite() && *g != 0.0), "{gk:?} {gv:?}");
    }
    // No visible keys: none exist, or all are masked; the second order is finite too.
    let [y, gq, ..] =
        <[Vec<f64>; 4]>::try_from(attend(&q, &values(&[0, 2], 0.0), &values(&[0, 2], 0.0), |_| {
            Attention::new()
        }))
        .unwrap();
    assert!(y == [0.0; 6] && gq == [0.0; 6]);
    let hidden = |x: &[Var<'_, f64>]| -> bool {
        let options = Attention::new().mask(Tensor::from([[true], [false], [true]]));
        let y = x[0].scaled_dot_product_attention(x[1], x[2], options).square().sum();
        let g = y.grad(x[0]).unwrap().square().sum().grad(x[1]).unwrap();
        g.value().unwrap().to_vec().iter().all(|g| g.is_finite())
    };
    let tape = Tape::new();
    assert!(hidden(&[tape.var(&q), tape.var(&k), tape.var(&v)]));
}

#[test]
fn an_added_infinity_is_a_mask() {
    let (q, k, v) = (values(&[2, 3, 2], 0.3), values(&[2, 4, 2], 1.0), values(&[2, 4, 3], 2.0));
    let masked = attend(&q, &k, &v, |_| Attention::new().mask(Tensor::from([true, false, true, false])));
    let added = attend(&q, &k, &v, |q| {
        Attention::new().bias(q.tape().constant(Tensor::from([0.0, -INF, 0.0, -INF])))
    });
    for (a, b) in masked.iter().zip(&added) {
        assert!(close(a, b), "{a:?} {b:?}");
    }
    // The gradient is 0 there, and adds up where the bias was broadcast.
    let tape = Tape::new();
    let bias = tape.var(Tensor::from([0.5, -INF, 0.0, -INF]));
    let y = tape.var(&q).scaled_dot_product_attention(&k, &v, Attention::new().bias(bias)).square().sum();
    let recorded = y.grad(bias).unwrap().value().unwrap().to_vec();
    let swept = y.backward().unwrap().wrt(bias).unwrap().to_vec();
    assert!(close(&swept, &recorded) && swept[1] == 0.0 && swept[3] == 0.0 && swept[0] != 0.0, "{swept:?}");
}

/// Masked keys do not affect gradients, and large scores cause no overflow.
#[test]
fn extreme_scores_are_shifted() {
    let (q, k) = (Tensor::from([[1e3, 0.0]]), Tensor::from([[1e3, 0.0], [-1e3, 0.0], [1e3, 0.0]]));
    let v = Tensor::from([[1.0], [2.0], [5.0]]);
    let [y, ..] = <[Vec<f64>; 4]>::try_from(attend(&q, &k, &v, |_| Attention::new())).unwrap();
    assert!(close(&y, &[3.0]));
}

/// Longer than a block of keys, more queries than a block, few heads and many.
#[test]
fn long_rows_are_what_is_written_out() {
    for heads in [1, 9] {
        let (t, s) = (140, 600);
        let of = |n, phase| values(&[heads, n, 3], phase);
        let (q, k, v) = (of(t, 0.1), of(s, 0.7), of(s, 1.9));
        let plain = attend(&q, &k, &v, |_| Attention::new().scale(0.9));
        let tape = Tape::<f64>::new();
        let x = [tape.var(&q), tape.var(&k), tape.var(&v)];
        let y = (x[0].matmul(x[1].transpose(1, 2)) * 0.9).softmax(-1).matmul(x[2]);
        let value = y.value().unwrap();
        let grads = y.backward_from(&value).unwrap();
        let near = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-10);
        assert!(near(&plain[0], &value.to_vec()));
        for (x, g) in x.iter().zip(&plain[1..]) {
            assert!(near(g, &grads.wrt(*x).unwrap().to_vec()));
        }
        // Causal, swept compared with recorded.
        attend(&q, &k, &v, |_| Attention::new().causal());
        attend(&k, &q, &q, |_| Attention::new().causal());
    }
}

#[test]
fn dropout_of_probabilities_is_drawn_in_training_only() {
    let (q, k, v) = (values(&[3, 2], 0.3), values(&[4, 2], 1.0), values(&[4, 2], 2.0));
    let run = |tape: &Tape<f64>| {
        let options = Attention::new().dropout(0.5);
        tape.var(&q).scaled_dot_product_attention(&k, &v, options).value().unwrap().to_vec()
    };
    let plain = run(&Tape::new());
    assert_eq!(plain, attend(&q, &k, &v, |_| Attention::new())[0]);
    let (a, b) = (run(&Tape::train(1)), run(&Tape::train(1)));
    assert!(a == b && a != plain);
}

#[test]
fn values_by_pytorch() {
    // Values computed with PyTorch 2.15: `F.scaled_dot_product_attention` of the same numbers, with a boolean mask.
    let (q, k, v) = (values(&[2, 3], 0.3), values(&[3, 3], 1.0), values(&[3, 2], 2.0));
    let y = attend(&q, &k, &v, |_| {
        Attention::new().mask(Tensor::from([[true, true, false], [true, true, true]]))
    });
    assert!(close(&y[0], &MASKED), "{:?}", y[0]);
}

const MASKED: [f64; 4] = [-1.1598042354357614, 0.9231105609974688, -0.36371039767338864, 0.7230997248459574];
