//! What the tape guarantees for every operation.

use super::*;

#[test]
fn a_gradient_has_its_variables_shape_whatever_was_done_to_it() {
    for shape in [&[][..], &[1], &[1, 1], &[2, 1, 3], &[0], &[3, 0, 2]] {
        let tape = Tape::<f32>::new();
        let x = tape.var(Tensor::<f32>::ones(shape));
        let y = (x.unsqueeze(0).expand([&[2], shape].concat()) * 2.0).flatten(0).sum()
            + x.sum() * x.numel() as f64;
        let recorded = y.grad(x).unwrap();
        assert_eq!(recorded.shape().as_shape()[..], *shape);
        let g = y.backward().unwrap().wrt(x).unwrap();
        assert_eq!(g.shape()[..], *shape);
        assert!(g.to_vec().iter().all(|g| *g == 4.0 + x.numel() as f32));
        assert_eq!(g, recorded.value().unwrap());
    }
}

#[test]
fn nothing_is_cut_silently() {
    // Every fused op passes a gradient to every input, at first and second order.
    type G = for<'t> fn(&[Var<'t, f64>]) -> Var<'t, f64>;
    let ops: [(&str, G); 7] = [
        ("linear", |x| x[0].linear(x[1], Some(x[2])).square()),
        ("matmul", |x| x[0].matmul(x[1]).square() * x[2]),
        ("softmax", |x| (x[0].softmax(1) * x[1]).log_softmax(0) * x[2]),
        ("cross_entropy", |x| (x[0] * x[1] + x[2]).cross_entropy(&Tensor::from([0, 1]))),
        ("logsumexp", |x| (x[0] * x[1] + x[2].square()).logsumexp(1)),
        ("norm", |x| (x[0].square() * x[1] + x[2].square()).norm()),
        ("concat", |x| x[0].tape().concat(&[x[0], x[1]], 0).square().sum_axes(0) * x[2]),
    ];
    for (name, f) in ops {
        let tape = Tape::<f64>::new();
        let values = [
            Tensor::from([[0.4, -0.3], [1.2, 0.7]]),
            Tensor::from([[0.9, 0.2], [-0.6, 1.1]]),
            vector(&[0.5, -0.8]),
        ];
        let x: Vec<_> = values.iter().map(|v| tape.var(v)).collect();
        let y = f(&x).sum();
        let g = tape.grad(&[(y, tape.constant(1.0))], &x).unwrap();
        let total = g.iter().fold(tape.constant(0.0), |sum, g| sum + g.square().sum());
        let second = total.backward_retaining().unwrap();
        let first = y.backward().unwrap();
        for (i, x) in x.iter().enumerate() {
            assert!(first.wrt(*x).unwrap().to_vec().iter().all(|g| *g != 0.0), "{name}, input {i}");
            assert!(
                second.wrt(*x).unwrap().to_vec().iter().any(|g| *g != 0.0),
                "{name}, input {i}, second order"
            );
        }
    }
}

#[test]
fn dropout_drops_and_scales_and_is_the_same_in_its_gradient() {
    let x = Tensor::<f64>::ones([1000]);
    for (p, kept) in [(0.0, 1.0), (0.3, 1.0 / 0.7), (1.0, 0.0)] {
        let tape = Tape::<f64>::train(11);
        let v = tape.var(&x);
        let y = v.dropout(p);
        let recorded = y.sum().grad(v).unwrap().value().unwrap();
        let values = y.value().unwrap();
        let swept = y.sum().backward().unwrap().wrt(v).unwrap();
        assert_eq!((&values, &values), (&swept, &recorded), "for ones, the value is the mask");
        assert!(values.to_vec().iter().all(|y| *y == 0.0 || (y - kept).abs() < 1e-15), "{p}");
        let share = values.to_vec().iter().filter(|y| **y == 0.0).count() as f64 / 1000.0;
        assert!((share - p).abs() < 0.06, "{share} dropped of {p}");
    }
    let tape = Tape::<f64>::new();
    let v = tape.var(&x);
    assert_eq!(v.dropout(0.9).value().unwrap(), x, "outside training nothing is dropped");
    let tape = Tape::<f64>::train(11);
    let v = tape.var(&x);
    assert_ne!(v.dropout(0.5).value().unwrap(), v.dropout(0.5).value().unwrap(), "two draws differ");
}
