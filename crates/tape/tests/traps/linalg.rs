//! Linear algebra: singular matrices, symmetric arguments, equal eigenvalues, empty matrices.

use super::*;
use wengert_ops::Triangle;

fn matrix<const N: usize>(rows: [[f64; N]; N]) -> Tensor<f64> {
    Tensor::from(rows)
}

/// Value and both gradients of the sum of a function of a matrix.
#[track_caller]
fn of(f: F, a: &Tensor<f64>, value: f64, gradient: &[f64]) {
    let [y, swept, recorded] = run::<f64>(f, a);
    assert!(close(&[y.iter().sum()], &[value]), "value {y:?}, expected {value}");
    assert!(close(&swept, gradient), "gradient {swept:?}, expected {gradient:?}");
    assert!(close(&recorded, gradient), "recorded gradient {recorded:?}, expected {gradient:?}");
}

#[test]
fn determinants_of_singular_matrices_have_gradients_of_both_orders() {
    of(|a| a.det(), &matrix([[1.0, 2.0], [2.0, 4.0]]), 0.0, &[4.0, -2.0, -2.0, 1.0]);
    of(|a| a.det(), &matrix([[0.0, 0.0], [0.0, 0.0]]), 0.0, &[0.0; 4]);
    of(|a| a.det(), &matrix([[0.0]]), 0.0, &[1.0]);
    of(|a| a.det(), &Tensor::zeros([0, 0]), 1.0, &[]);
    of(|a| a.det(), &Tensor::zeros([2, 0, 0]), 2.0, &[]);
    for a in [
        matrix([[1.0, 2.0], [2.0, 4.0]]),
        matrix([[0.0, 0.0], [0.0, 0.0]]),
        matrix([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]), // singular except for rounding
        matrix([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]),
        matrix([[0.0, 1.0, 0.0], [0.0, 2.0, 0.0], [5.0, 3.0, 0.0]]),
        Tensor::zeros([3, 3]),
        matrix([[1.0, 1.0, 1.0], [1.0, 1.0 + 1e-11, 1.0], [0.0, 1.0, 2.0]]), // nearly singular
        matrix([[1e-9, 0.0], [0.0, 1e-9]]),                                  // small, not nearly singular
        matrix([[1.0, 0.0, 2.0, 1.0], [0.0, 3.0, 1.0, 1.0], [1.0, 3.0, 3.0, 2.0], [2.0, 0.0, 4.0, 2.0]]),
        Tensor::stack(&[matrix([[1.0, 2.0], [2.0, 4.0]]), matrix([[1.0, 2.0], [3.0, 4.0]])], 0).unwrap(),
    ] {
        let report = Check::new("det").run(|x| x[0].det(), std::slice::from_ref(&a));
        assert!(report.passed(), "{a}: {report}");
    }
}

#[test]
fn the_third_order_of_a_determinant_is_right_at_zero() {
    // The determinant of a 3 by 3 matrix is a cubic: its third derivatives are ±1 and 0.
    let tape = Tape::<f64>::new();
    let a = tape.var(Tensor::zeros([3, 3]));
    let first = a.det().grad(a).unwrap().select(0, 0).select(0, 0);
    let second = first.grad(a).unwrap().select(0, 1).select(0, 1);
    let third = second.grad(a).unwrap().value().unwrap();
    assert_eq!(third.to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn logarithms_of_determinants() {
    of(|a| a.slogdet().1, &matrix([[0.0, 2.0], [3.0, 0.0]]), 6f64.ln(), &[0.0, 0.5, 1.0 / 3.0, 0.0]);
    of(|a| a.slogdet().1, &Tensor::zeros([0, 0]), 0.0, &[]);
    of(
        |a| a.logdet(),
        &matrix([[1e300, 0.0], [0.0, 1e300]]),
        600.0 * 10f64.ln(),
        &[1e-300, 0.0, 0.0, 1e-300],
    );
    let tape = Tape::<f64>::new();
    let a = tape.var(matrix([[0.0, 2.0], [3.0, 0.0]]));
    assert!(a.logdet().item().unwrap().is_nan());
    let (sign, log) = tape.var(matrix([[1.0, 2.0], [2.0, 4.0]])).slogdet();
    assert_eq!((sign.item().unwrap(), log.item().unwrap()), (0.0, -INF));
    // The sign alone has no gradient, so none is computed.
    let g = (a.slogdet().0 + a.sum()).grad(a).unwrap();
    assert_eq!(g.value().unwrap().to_vec(), [1.0; 4]);
}

#[test]
fn cholesky_takes_its_argument_as_symmetric() {
    // Reference: PyTorch 2.
    let a = matrix([[2.0, NAN], [0.5, 1.0]]);
    let want = [
        0.033_407_655_239_053_04,
        -0.133_630_620_956_212_2,
        -0.133_630_620_956_212_2,
        0.534_522_483_824_848_7,
    ];
    of(|a| a.cholesky().select(0, 1).select(0, 1), &a, (1.0 - 0.125f64).sqrt(), &want);
    of(|a| a.cholesky(), &Tensor::zeros([0, 0]), 0.0, &[]);
    // The log-determinant of the factor is half that of the matrix.
    let b = Tensor::from([[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]]);
    let [y, half, _] = run::<f64>(|a| a.cholesky().diagonal(0).log(), &b);
    let [z, whole, _] = run::<f64>(|a| a.logdet() * 0.5, &b);
    assert!(close(&[y.iter().sum()], &z) && close(&half, &whole), "{half:?} {whole:?}");
}

#[test]
fn solutions_broadcast_and_take_vectors() {
    let a = Tensor::from([[[4.0, 1.0], [0.5, 3.0]], [[2.0, -1.0], [1.0, 5.0]]]);
    let triangles = [
        Triangle::LOWER,
        Triangle::UPPER,
        Triangle::LOWER.transposed(),
        Triangle::UPPER.transposed().unit(),
        Triangle::LOWER.unit(),
    ];
    for b in [
        Tensor::from([1.0, 2.0]),
        Tensor::from([[1.0], [2.0]]),
        Tensor::<f64>::steps(0.0, 1.0, 12).reshape([3, 1, 2, 2]).unwrap(),
    ] {
        let x = [a.clone(), b.clone()];
        let report = Check::new("solve").run(|x| x[0].solve(x[1]), &x);
        assert!(report.passed(), "{report}");
        for triangle in triangles {
            let report = Check::new("solve_triangular").run(|x| x[0].solve_triangular(x[1], triangle), &x);
            assert!(report.passed(), "{triangle:?}: {report}");
        }
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(&a), tape.var(&b));
        let x = a.solve(b);
        assert_eq!(x.shape().rank(), if b.rank() == 1 { 2 } else { b.rank().max(3) });
        let inverted = a.inverse().matmul(b);
        assert!(close(&x.value().unwrap().to_vec(), &inverted.value().unwrap().to_vec()));
    }
    // Elements that are not read have no gradient, and may have any value.
    of(
        |a| a.solve_triangular(vector(&[2.0, 3.0]), Triangle::UPPER),
        &matrix([[2.0, 0.0], [NAN, 1.0]]),
        4.0,
        &[-0.5, -1.5, 0.0, -3.0],
    );
}

#[test]
fn eigenvalues_that_are_equal() {
    // The gradient of the values alone is V diag(g) Vᵀ for any basis V.
    of(|a| a.eigvalsh(), &matrix([[2.0, 0.0], [0.0, 2.0]]), 4.0, &[1.0, 0.0, 0.0, 1.0]);
    of(|a| a.eigvalsh(), &Tensor::zeros([0, 0]), 0.0, &[]);
    of(|a| a.eigvalsh().square(), &matrix([[0.0, NAN], [2.0, 0.0]]), 8.0, &[0.0, 4.0, 4.0, 0.0]);
    let tape = Tape::<f64>::new();
    let a = tape.var(matrix([[2.0, 0.0], [0.0, 2.0]]));
    let e = a.eigh().1.square().sum().backward().unwrap_err();
    assert!(e.op() == "eigh" && e.to_string().contains("eigenvalues 0 and 1 are equal (2)"), "{e}");
    // A function of the matrix that is built from values and vectors does not depend on the sign of a vector: here it is
    // the matrix itself.
    let a = Tensor::from([[2.0, 0.3, 0.1], [0.3, -1.0, 0.4], [0.1, 0.4, 0.5]]);
    let report = Check::new("rebuilt").run(
        |x| {
            let (w, v) = ((x[0] + x[0].t()) * 0.5).eigh();
            (v * w.exp().unsqueeze(-2)).matmul(v.t())
        },
        &[a],
    );
    assert!(report.passed(), "{report}");
}
