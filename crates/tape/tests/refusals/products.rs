//! Products.

use super::*;

#[test]
fn equations_are_refused_at_the_position() {
    let tape = Tape::<f64>::new();
    let (x, v) = (tape.var(Tensor::<f64>::zeros([2, 3])), tape.var(Tensor::<f64>::zeros([3])));
    let one = |equation: &str, words: &[&str]| refused_here(tape.einsum(equation, &[x]), words);
    let two = |equation: &str, words: &[&str]| refused_here(tape.einsum(equation, &[x, v]), words);
    #[track_caller]
    fn refused_here(y: Var<'_, f64>, words: &[&str]) {
        refused(y, "einsum", words);
    }
    one("i1->i", &["'1'", "position 1", "i1->i"]);
    one("ij->k", &["index k", "position 4"]);
    one("ij->ii", &["twice", "position 5"]);
    one("ij->i->j", &["second", "position 5"]);
    one("ij->i,j", &["comma", "position 5"]);
    one("ij-", &["'-'", "position 2"]);
    one("i..j", &["'.'", "position 1"]);
    one("...i...", &["second", "position 4"]);
    one("ij>i", &["'>'", "position 2"]);
    one("îj", &["'î'", "position 0"]);
    one("i", &["names 1 axes", "[2, 3]"]);
    one("ijk", &["names 3 axes"]);
    one("...ijk", &["names 3 axes"]);
    one("ii", &["index i", "2 and 3", "[2, 3]"]);
    one("ij,j", &["has 2 operands, found 1"]);
    two("ij", &["has 1 operands, found 2"]);
    two("ij,i", &["index i", "size 2", "3"]);
    refused(tape.einsum("", &[]), "einsum", &["found 0"]);
    let w = tape.var(Tensor::<f64>::zeros([2, 4]));
    refused(tape.einsum("...,...", &[x, w]), "einsum", &["ellipsis", "3", "4"]);
    let long = tape.var(Tensor::<f64>::zeros([1 << 19]));
    refused(tape.einsum("i,j->ij", &[long, long]), "einsum", &["too many"]);
    let other = Tape::<f64>::new();
    refused(tape.einsum("ij,j", &[x, other.var(Tensor::zeros([3]))]), "operand", &["another tape"]);
}

#[test]
fn products_of_vectors_refuse_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let (x, v) = (tape.var(Tensor::<f64>::zeros([2, 3])), tape.var(Tensor::<f64>::zeros([3])));
    refused(x.outer(v), "outer", &["two vectors", "[2, 3]"]);
    refused(v.dot(Tensor::zeros([4])), "dot", &["one size", "[4]"]);
    refused(v.dot(x), "dot", &["[2, 3]"]);
    refused(x.cross(v, 0), "cross", &["axis 0", "2 and 1"]);
    refused(x.cross(Tensor::zeros([2, 1]), 1), "cross", &["3 and 1"]);
    refused(x.cross(Tensor::zeros([4, 3]), 1), "cross", &["[4, 3]"]);
    refused(x.cross(v, 2), "cross", &["axis 2"]);
    let w = tape.var(Tensor::<f64>::zeros([4, 3, 3]));
    refused(v.bilinear(v, x, None), "bilinear", &["[2, 3]", "[out, n, m]"]);
    refused(x.bilinear(Tensor::zeros([2]), w, None), "bilinear", &["2 features"]);
    refused(x.bilinear(Tensor::zeros([3, 3]), w, None), "bilinear", &["broadcast"]);
    refused(v.bilinear(v, w, Some(v)), "bilinear", &["bias [3]", "[4]"]);
    refused(tape.var(1.0).bilinear(v, w, None), "bilinear", &["[]"]);
    refused(x.cdist(v, 2.0), "cdist", &["[3]"]);
    refused(x.cdist(Tensor::zeros([2, 4]), 2.0), "cdist", &["3 coordinates", "4"]);
    refused(x.cdist(x, -1.0), "cdist", &["at least 0", "-1"]);
    refused(x.cdist(x, f64::NAN), "cdist", &["NaN"]);
    refused(x.expand([2, 2, 3]).cdist(x.expand([3, 2, 3]), 2.0), "cdist", &["broadcast"]);
    // An operand that failed earlier reports its own error.
    let failed = x.cumsum(7);
    assert_eq!(tape.einsum("ij,j", &[failed, v]).value().unwrap_err().op(), "cumsum");
    assert_eq!(v.bilinear(v, failed, None).value().unwrap_err().op(), "cumsum");
}

#[test]
fn batches_that_do_not_broadcast_are_named_with_both_shapes() {
    let tape = Tape::<f64>::new();
    let of = |shape: &[usize]| tape.var(Tensor::<f64>::zeros(shape));
    let (x, y) = (of(&[6, 2, 3]), of(&[7, 3, 5]));
    refused(
        x.matmul(y),
        "matmul",
        &["cannot multiply [6, 2, 3] by [7, 3, 5]", "leading axes [6] and [7] do not broadcast"],
    );
    refused(x.matmul(of(&[6, 4, 5])), "matmul", &["[6, 2, 3] by [6, 4, 5]", "inner sizes are 3 and 4"]);
}
