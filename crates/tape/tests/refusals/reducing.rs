//! Reductions and scans.

use super::*;

#[test]
fn reductions_refuse_impossible_arguments() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 3]));
    let empty = tape.var(Tensor::<f64>::zeros([2, 0]));
    refused(x.prod_axes(2), "prod", &["axis 2", "rank 2"]);
    refused(x.prod_keepdim([0, -2]), "prod", &["twice"]);
    refused(x.norm_p(f64::NAN, 0), "norm_p", &["not a number"]);
    refused(x.norm_p(3.0, 5), "norm_p", &["axis 5", "rank 2"]);
    refused(x.norm_p_keepdim(3.0, [0, 0]), "norm_p_keepdim", &["twice"]);
    refused(empty.norm_p(f64::INFINITY, 1), "norm_p", &["[2, 0]", "order inf"]);
    refused(empty.norm_p(-1.0, 1), "norm_p", &["order -1"]);
    refused(x.normalize(2.0, 2, 1e-12), "normalize", &["axis 2"]);
    refused(x.cosine_similarity(tape.var(Tensor::zeros([2, 4])), 1, 1e-8), "cosine_similarity", &["[2, 4]"]);
    refused(x.cosine_similarity(x, 2, 1e-8), "cosine_similarity", &["axis 2"]);
    refused(x.max_along(2).0, "max_along", &["axis 2"]);
    refused(empty.min_along(-1).0, "min_along", &["empty", "[2, 0]"]);
    refused(x.median_along(isize::MIN).0, "median_along", &["axis"]);
    refused(empty.median_along(1).0, "median_along", &["[2, 0]"]);
    refused(empty.median(), "median", &["axis 0", "[0]", "empty"]);
    refused(x.quantile(1.5, 0), "quantile", &["from 0 to 1", "1.5"]);
    refused(x.quantile(f64::NAN, 0), "quantile", &["from 0 to 1"]);
    refused(empty.quantile(0.5, 1), "quantile", &["[2, 0]"]);
    refused(x.quantile(0.5, 3), "quantile", &["axis 3"]);
    assert!(x.argmax(2).is_err() && empty.argmin(1).is_err());
    // Unusual but valid calls work.
    assert_eq!(empty.prod_axes(1).value().unwrap().to_vec(), [1.0, 1.0]);
    assert_eq!(empty.norm_p(3.0, 1).value().unwrap().to_vec(), [0.0, 0.0]);
    assert_eq!(empty.norm_p(f64::INFINITY, 0).shape(), [0]);
    assert_eq!(empty.max_along(0).0.shape(), [0]);
}

#[test]
fn scans_refuse_impossible_axes() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 3]));
    let scalar = tape.var(1.0);
    refused(x.cumsum(2), "cumsum", &["axis 2", "rank 2"]);
    refused(x.cumprod(isize::MIN), "cumprod", &["axis"]);
    refused(scalar.logcumsumexp(0), "logcumsumexp", &["rank 0"]);
    refused(x.cummax(-3).0, "cummax", &["axis -3"]);
    refused(scalar.cummin(-1).0, "cummin", &["rank 0"]);
    // An operand that failed earlier reports its own error, and there are no positions.
    let failed = x.cumsum(7);
    assert_eq!(failed.cummax(0).0.value().unwrap_err().op(), "cumsum");
    assert_eq!(failed.max_along(0).1.numel(), 0);
    assert_eq!(failed.norm_p(3.0, 0).value().unwrap_err().op(), "cumsum");
    assert_eq!(failed.variance(1.0).value().unwrap_err().op(), "cumsum");
}
