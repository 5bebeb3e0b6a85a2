//! Linear algebra.

use super::*;
use wengert_ops::Triangle;

#[test]
fn linear_algebra_refuses_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let (x, v) = (tape.var(Tensor::<f64>::zeros([2, 3])), tape.var(Tensor::<f64>::ones([3])));
    let eye = tape.var(Tensor::eye(3));
    refused(x.det(), "det", &["square", "[2, 3]"]);
    refused(v.slogdet().1, "slogdet", &["square", "[3]"]);
    refused(x.logdet(), "logdet", &["square"]);
    refused(x.inverse(), "inverse", &["square"]);
    refused(tape.var(1.0).cholesky(), "cholesky", &["square", "[]"]);
    refused(x.eigh().0, "eigh", &["square"]);
    refused(x.eigvalsh(), "eigvalsh", &["square"]);
    refused(x.solve(v), "solve", &["square", "[2, 3]"]);
    refused(eye.solve(Tensor::zeros([2])), "solve", &["[3, 3]", "[2]"]);
    refused(eye.solve(Tensor::zeros([2, 1])), "solve", &["3 rows", "2"]);
    refused(eye.solve(1.0), "solve", &["[.., n, k]", "[]"]);
    refused(v.solve(v), "solve", &["[3]"]);
    refused(eye.expand([2, 3, 3]).solve(Tensor::zeros([5, 3, 1])), "solve", &["broadcast"]);
    refused(x.solve_triangular(Tensor::zeros([2, 1]), Triangle::LOWER), "solve_triangular", &["square"]);
    refused(eye.solve_triangular(Tensor::zeros([2]), Triangle::UPPER), "solve_triangular", &["[2]"]);
}

#[test]
fn matrices_without_an_answer_are_named() {
    let tape = Tape::<f64>::new();
    let singular = tape.var(Tensor::from([[1.0, 2.0], [2.0, 4.0]]));
    let batch = tape.stack(&[tape.var(Tensor::eye(2)), singular], 0);
    let b = Tensor::<f64>::ones([2]);
    refused(singular.inverse(), "inverse", &["singular", "pivot 1 is zero"]);
    refused(batch.inverse(), "inverse", &["matrix 1 of the batch", "singular"]);
    refused(singular.solve(&b), "solve", &["singular"]);
    refused(
        singular.triu(1).solve_triangular(&b, Triangle::UPPER),
        "solve_triangular",
        &["element 0 is zero"],
    );
    refused(singular.cholesky(), "cholesky", &["positive definite", "order 2"]);
    refused(batch.cholesky(), "cholesky", &["matrix 1 of the batch", "order 2"]);
    refused(tape.var(Tensor::from([[f64::NAN]])).cholesky(), "cholesky", &["order 1"]);
    let e = singular.slogdet().1.backward().unwrap_err();
    assert!(e.op() == "inverse" && e.location().is_some_and(|at| at.file().contains("refusals")), "{e}");
    let large = tape.var(Tensor::zeros([33, 33]));
    let gradient = large.det().grad(large).unwrap();
    assert!(gradient.value().unwrap().to_vec().iter().all(|&g| g == 0.0));
    let e = gradient.sum().grad(large).and_then(Var::value).unwrap_err();
    assert!(e.op() == "det" && e.to_string().contains("up to size 32, found 33"), "{e}");
}
