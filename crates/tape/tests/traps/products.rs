//! Matrix products of vectors, batches, and over an empty axis.

use super::*;

#[test]
fn an_empty_inner_axis_gives_zeros() {
    for f in [(|a, b| a.matmul(b)) as for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>, |a, b| {
        a.linear(b.t(), None)
    }] {
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(Tensor::zeros([2, 0])), tape.var(Tensor::zeros([0, 3])));
        let y = f(a, b);
        assert_eq!(y.value().unwrap(), Tensor::zeros([2, 3]));
        let grads = y.sum().backward().unwrap();
        assert_eq!((grads.wrt(a).unwrap().numel(), grads.wrt(b).unwrap().numel()), (0, 0));
    }
    let tape = Tape::<f64>::new();
    let bias = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    let y = tape.var(Tensor::zeros([2, 0])).linear(tape.var(Tensor::zeros([3, 0])), Some(bias));
    assert_eq!(y.value().unwrap().to_vec(), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(y.sum().backward().unwrap().wrt(bias).unwrap().to_vec(), [2.0; 3]);
}

#[test]
fn products_of_vectors_and_broadcast_batches() {
    let filled = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        Tensor::<f64>::steps(-0.9, 0.23, n).map(|v| (v * 3.7).sin()).reshape(shape).unwrap()
    };
    let shapes: [(&[usize], &[usize], &[usize]); 9] = [
        (&[3], &[3], &[]),
        (&[3], &[3, 2], &[2]),
        (&[2, 3], &[3], &[2]),
        (&[3], &[4, 3, 2], &[4, 2]),
        (&[4, 2, 3], &[3], &[4, 2]),
        (&[4, 1, 3], &[3, 2], &[4, 1, 2]),
        (&[2, 3], &[4, 3, 1], &[4, 2, 1]),
        (&[2, 1, 2, 3], &[4, 3, 2], &[2, 4, 2, 2]),
        (&[1, 2, 3], &[4, 3, 2], &[4, 2, 2]),
    ];
    for (a, b, y) in shapes {
        let inputs = [filled(a), filled(b)];
        let value = inputs[0].matmul(&inputs[1]).unwrap();
        assert_eq!(value.shape()[..], *y, "{a:?} by {b:?}");
        let report = Check::new(format!("{a:?} by {b:?}")).run(|x| x[0].matmul(x[1]), &inputs);
        assert!(report.passed(), "{report}");
    }
}
