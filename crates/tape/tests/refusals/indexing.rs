//! Indices, masks and tables.

use super::*;

#[test]
fn shapes_of_indices_and_sources() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 3]));
    let scalar = tape.var(1.0);
    let (i, none) = (Tensor::from([0i64, 1]), Vec::<Tensor<i64>>::new());
    refused(x.scatter(2, &Tensor::from([[0]]), 1.0), "scatter", &["axis 2"]);
    refused(x.scatter(0, &i, 1.0), "scatter", &["[2]", "[2, 3]"]);
    refused(x.scatter(0, &Tensor::from([[0, 1]]), Tensor::zeros([3])), "scatter", &["[1, 2]", "[3]"]);
    refused(scalar.scatter(0, &Tensor::scalar(0), 1.0), "scatter", &["rank 0"]);
    refused(x.index_copy(0, &i, 1.0), "index_copy", &["[2, 3]", "[]"]);
    refused(x.index_copy(0, &Tensor::scalar(0), 1.0), "index_copy", &["rank 1"]);
    refused(x.put(&i, Tensor::zeros([3]), false), "put", &["[2]", "[3]"]);
    refused(x.index_get(&none), "index_get", &["1 to 2", "found 0"]);
    refused(x.index_get(&[i.clone(), i.clone(), i.clone()]), "index_get", &["1 to 2", "found 3"]);
    refused(x.index_get(&[i.clone(), Tensor::from([0, 1, 2])]), "index_get", &["[2]", "[3]"]);
    refused(scalar.index_put(std::slice::from_ref(&i), 1.0, true), "index_put", &["[]"]);
    refused(
        x.index_put(std::slice::from_ref(&i), Tensor::zeros([3, 3]), false),
        "index_put",
        &["[2, 3]", "[3, 3]"],
    );
    refused(x.masked_select(Tensor::from([true, false])), "masked_select", &["[2, 3]", "[2]"]);
    refused(x.masked_scatter(Tensor::from([true, false]), 1.0), "masked_scatter", &["[2, 3]", "[2]"]);
    let all = Tensor::scalar(true);
    refused(x.masked_scatter(&all, Tensor::zeros([5])), "masked_scatter", &["at least 6", "[5]"]);
    refused(x.embedding_padded(&i, 2), "embedding_padded", &["padding index 2", "2 rows"]);
    refused(scalar.embedding(&i), "embedding", &["rank 2", "[]"]);
    // Axes too large to be indexed are an error at creation, even next to an empty axis.
    let huge = tape.var(Tensor::try_full([1usize << 20, 1 << 20, 0], 0.0));
    refused(huge.index_get(&[i.clone(), i]), "full", &["1048576"]);
    let wide = tape.var(1.0).expand([1usize, 1 << 30]);
    let many = [Tensor::from(vec![0i64; 100])];
    refused(wide.index_get(&many), "index_get", &["too many elements"]);
    refused(wide.index_put(&many, 1.0, true), "index_put", &["too many elements"]);
    assert!(x.value().is_ok());
}

#[test]
fn what_failed_before_is_passed_on() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 3])).reshape([7]);
    let i = Tensor::from([0i64]);
    let results = [
        x.scatter(0, &i, 1.0),
        x.take(&i),
        x.put(&i, 1.0, false),
        x.index_get(std::slice::from_ref(&i)),
        x.index_put(std::slice::from_ref(&i), 1.0, true),
        x.masked_select(x.gt(0.0)),
        x.masked_scatter(x.gt(0.0), 1.0),
        x.embedding(&i),
        tape.var(1.0).masked_select(x.gt(0.0)),
        tape.var(Tensor::<f64>::zeros([2])).put(&i, x, true),
    ];
    for y in results {
        refused(y, "reshape", &["[2, 3]"]);
    }
}

#[test]
fn sorting_along_what_is_not_there() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::<f64>::zeros([2, 3]));
    refused(x.sort(2, false).0, "sort", &["axis 2", "rank 2"]);
    refused(x.topk(-3, 1, true).0, "topk", &["axis -3", "rank 2"]);
    refused(x.topk(1, 4, true).0, "topk", &["at most 3", "k = 4"]);
    refused(x.topk(1, usize::MAX, false).0, "topk", &[]);
    refused(tape.var(1.0).sort(0, true).0, "sort", &["rank 0"]);
    assert_eq!(x.sort(2, false).1.numel(), 0);
    let e = x.argsort(isize::MIN, true).unwrap_err();
    assert!(e.op() == "argsort" && e.location().is_some_and(|at| at.file().contains("refusals")), "{e}");
    refused(x.reshape([7]).sort(0, true).0, "reshape", &[]);
}
