//! Duplicate indices; slices with steps and in reverse.

use super::*;

#[test]
fn duplicate_indices_accumulate() {
    let index = Tensor::from([2, 0, 2, 2]);
    let [y, g, r] = run::<f64>(|x| x.index_select(0, &Tensor::from([2, 0, 2, 2])), &vector(&[1.0, 2.0, 3.0]));
    assert_eq!((y, g, r), (vec![3.0, 1.0, 3.0, 3.0], vec![1.0, 0.0, 3.0], vec![1.0, 0.0, 3.0]));
    let [y, g, _] = run::<f64>(
        |x| x.gather(1, &Tensor::from([[1, 1, 0], [1, 1, 1]])),
        &Tensor::from([[1.0, 2.0], [3.0, 4.0]]),
    );
    assert_eq!((y, g), (vec![2.0, 2.0, 1.0, 4.0, 4.0, 4.0], vec![1.0, 2.0, 0.0, 3.0]));
    let tape = Tape::<f64>::new();
    let (x, s) = (tape.var(vector(&[10.0, 20.0, 30.0])), tape.var(vector(&[1.0, 2.0, 3.0, 4.0])));
    for y in [x.index_add(0, &index, s), x.scatter_add(0, &index, s)] {
        assert_eq!(y.value().unwrap().to_vec(), [12.0, 20.0, 38.0]);
        let grads = (y * vector(&[1.0, 10.0, 100.0])).sum().backward_retaining().unwrap();
        assert_eq!(grads.wrt(x).unwrap().to_vec(), [1.0, 10.0, 100.0]);
        assert_eq!(grads.wrt(s).unwrap().to_vec(), [100.0, 1.0, 100.0, 100.0]);
    }
    // The error names an index out of range. Negative indices are out of range too; they do not count from the end.
    for bad in [3, -1, i64::MAX, i64::MIN] {
        let index = Tensor::from([0, bad]);
        let results = [
            x.index_select(0, &index),
            x.gather(0, &index),
            x.scatter_add(0, &index, vector(&[1.0, 2.0])),
            x.index_add(0, &index, vector(&[1.0, 2.0])),
        ];
        for y in results {
            let e = y.value().unwrap_err().to_string();
            assert!(e.contains(&bad.to_string()) && e.contains("size 3"), "{e}");
        }
        let e = x.unsqueeze(0).cross_entropy(&Tensor::from([bad])).value().unwrap_err().to_string();
        assert!(e.contains(&bad.to_string()) && e.contains("3 classes"), "{e}");
    }
}

#[test]
fn slices_stepped_and_reversed_put_back_where_they_took() {
    type G = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    let cases: [(G, &[f64], &[f64]); 7] = [
        (|x| x.slice(0, 1..4), &[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0, 3.0, 0.0]),
        (|x| x.slice(0, Slice::all().step(2)), &[0.0, 2.0, 4.0], &[1.0, 0.0, 2.0, 0.0, 3.0]),
        (|x| x.slice(0, Slice::all().step(-2)), &[4.0, 2.0, 0.0], &[3.0, 0.0, 2.0, 0.0, 1.0]),
        (|x| x.slice(0, -2..), &[3.0, 4.0], &[0.0, 0.0, 0.0, 1.0, 2.0]),
        (|x| x.slice(0, Slice::from(-2..0).step(-1)), &[3.0, 2.0, 1.0], &[0.0, 3.0, 2.0, 1.0, 0.0]),
        (|x| x.slice(0, 9..), &[], &[0.0; 5]),
        (|x| x.slice(0, 2..2), &[], &[0.0; 5]),
    ];
    for (i, (f, value, gradient)) in cases.into_iter().enumerate() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::steps(0.0, 1.0, 5));
        let y = f(x);
        assert_eq!(y.value().unwrap().to_vec(), value, "case {i}");
        let grads = y.backward_from(Tensor::steps(1.0, 1.0, value.len())).unwrap();
        assert_eq!(grads.wrt(x).unwrap().to_vec(), gradient, "case {i}");
    }
}

/// Both gradients of ⟨w, f(x, s)⟩.
fn both(f: Binary, x: &Tensor<f64>, s: &Tensor<f64>, w: &[f64]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let tape = Tape::<f64>::new();
    let (x, s) = (tape.var(x), tape.var(s));
    let y = f(x, s);
    let total = (y.flatten(0) * vector(w)).sum();
    let recorded = tape.grad(&[(total, tape.constant(1.0))], &[x, s]).unwrap();
    let grads = total.backward_retaining().unwrap();
    for (swept, recorded) in [x, s].into_iter().zip(recorded) {
        assert_eq!(grads.wrt(swept).unwrap(), recorded.value().unwrap());
    }
    let of = |v| grads.wrt(v).unwrap().to_vec();
    (y.value().unwrap().to_vec(), of(x), of(s))
}

#[test]
fn of_duplicates_the_last_writer_wins_and_has_the_gradient() {
    let (x, s) = (vector(&[10.0, 20.0, 30.0]), vector(&[1.0, 2.0, 3.0, 4.0]));
    let writers: [Binary; 5] = [
        |x, s| x.scatter(0, &Tensor::from([2, 0, 2, 2]), s),
        |x, s| x.index_copy(0, &Tensor::from([2, 0, 2, 2]), s),
        |x, s| x.put(&Tensor::from([2, 0, 2, 2]), s, false),
        |x, s| x.index_put(&[Tensor::from([2, 0, 2, 2])], s, false),
        |x, s| x.unsqueeze(1).index_put(&[Tensor::from([2, 0, 2, 2])], s.unsqueeze(1), false),
    ];
    for (i, f) in writers.into_iter().enumerate() {
        let (y, gx, gs) = both(f, &x, &s, &[1.0, 10.0, 100.0]);
        assert_eq!(y, [2.0, 20.0, 4.0], "writer {i}");
        assert_eq!(gx, [0.0, 10.0, 0.0], "writer {i}");
        assert_eq!(gs, [0.0, 1.0, 0.0, 100.0], "writer {i}");
    }
    let adders: [Binary; 2] = [
        |x, s| x.put(&Tensor::from([2, 0, 2, 2]), s, true),
        |x, s| x.index_put(&[Tensor::from([2, 0, 2, 2])], s, true),
    ];
    for f in adders {
        let (y, gx, gs) = both(f, &x, &s, &[1.0, 10.0, 100.0]);
        assert_eq!(y, [12.0, 20.0, 38.0]);
        assert_eq!((gx, gs), (vec![1.0, 10.0, 100.0], vec![100.0, 1.0, 100.0, 100.0]));
    }
    // The last in row-major order, whatever the axis: both rows of the index write column 0.
    let (y, _, gs) = both(
        |x, s| x.reshape([1, 3]).scatter(0, &Tensor::from([[0, 0], [0, 0]]), s.reshape([2, 2])),
        &x,
        &s,
        &[1.0, 10.0, 100.0],
    );
    assert_eq!((y, gs), (vec![3.0, 4.0, 30.0], vec![0.0, 0.0, 1.0, 10.0]));
}

#[test]
fn what_was_overwritten_does_no_harm_as_nan() {
    let (y, gx, gs) = both(
        |x, s| x.scatter(0, &Tensor::from([0, 0]), s),
        &vector(&[NAN, 2.0]),
        &vector(&[NAN, 5.0]),
        &[1.0, 1.0],
    );
    assert_eq!((y, gx, gs), (vec![5.0, 2.0], vec![0.0, 1.0], vec![0.0, 1.0]));
}

#[test]
fn one_source_broadcasts_to_all_places_and_collects_from_them() {
    let (y, gx, gs) = both(
        |x, s| x.reshape([2, 3]).index_put(&[Tensor::from([[0], [1]]), Tensor::from([2, 0])], s, false),
        &Tensor::steps(0.0, 1.0, 6),
        &vector(&[9.0]),
        &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
    );
    assert_eq!(y, [9.0, 1.0, 9.0, 9.0, 4.0, 9.0]);
    assert_eq!((gx, gs), (vec![0.0, 2.0, 0.0, 0.0, 16.0, 0.0], vec![45.0]));
}

#[test]
fn embedding_adds_up_repeated_ids_and_leaves_the_padding_row_alone() {
    let table = Tensor::from([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    let ids = || Tensor::from([[1, 0, 3], [3, 3, 0]]);
    let weights = || Tensor::<f64>::steps(1.0, 1.0, 12).reshape([2, 3, 2]);
    let [y, g, r] = run::<f64>(|x| x.embedding(&ids()) * weights(), &table);
    let unweighted: Vec<f64> = y.iter().zip(1..).map(|(y, w)| y / f64::from(w)).collect();
    assert_eq!(unweighted, [1.0, 2.0, 0.0, 0.0, 5.0, 6.0, 5.0, 6.0, 5.0, 6.0, 0.0, 0.0]);
    assert_eq!(g, [14.0, 16.0, 1.0, 2.0, 0.0, 0.0, 21.0, 24.0]);
    assert_eq!(r, g);
    let [_, g, r] = run::<f64>(|x| x.embedding_padded(&ids(), 0) * weights(), &table);
    assert_eq!(g, [0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 21.0, 24.0]);
    assert_eq!(r, g);
    // No ids, no columns, and ids as a scalar.
    for (rows, ids) in
        [([4, 2], Tensor::from(vec![])), ([4, 0], Tensor::from([1])), ([4, 2], Tensor::scalar(1))]
    {
        let [y, g, _] = run::<f64>(|x| x.embedding(&ids), &Tensor::zeros(rows));
        assert_eq!((y.len(), g.len()), (ids.numel() * rows[1], 4 * rows[1]));
    }
}

#[test]
fn indices_out_of_range_are_named_by_every_operation() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::zeros([3, 2]));
    for bad in [3, -1, i64::MAX, i64::MIN] {
        let index = Tensor::from([0, bad]);
        let both = [Tensor::from([0, 1]), Tensor::from([0, bad])];
        let results = [
            ("embedding", x.embedding(&index)),
            ("embedding_padded", x.embedding_padded(&index, 1)),
            ("index_copy", x.index_copy(0, &index, Tensor::zeros([2, 2]))),
            ("scatter", x.scatter(0, &Tensor::from([[bad]]), 1.0)),
            ("take", x.select(1, 0).take(&index)),
            ("put", x.select(1, 0).put(&index, 1.0, true)),
            ("index_get", x.index_get(std::slice::from_ref(&index))),
            ("index_put", x.index_put(&[index], 1.0, false)),
        ];
        for (op, y) in results {
            let e = y.value().unwrap_err();
            assert!(
                e.to_string().contains(&format!("index {bad} ")) && e.to_string().contains("size 3"),
                "{e}"
            );
            assert_eq!(e.op(), op);
        }
        let e = x.index_get(&both).value().unwrap_err().to_string();
        assert!(e.contains(&format!("index {bad} ")) && e.contains("size 2"), "{e}");
    }
}

#[test]
fn masks_that_choose_nothing_or_everything() {
    for all in [false, true] {
        let mask = || Tensor::scalar(all);
        let [y, g, r] = run::<f64>(|x| x.masked_select(mask()), &Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
        let want = if all { vec![1.0, 2.0, 3.0, 4.0] } else { vec![] };
        assert_eq!(y, want);
        let ones = vec![f64::from(u8::from(all)); 4];
        assert_eq!((g, r), (ones.clone(), ones));
    }
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[NAN, 2.0]));
    // A NaN that is not selected has no influence, and a repeated row of the mask adds up.
    let y = x.masked_select(Tensor::from([[false, true], [false, true]]));
    assert_eq!(y.value().unwrap().to_vec(), [2.0, 2.0]);
    assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [0.0, 2.0]);
    assert_eq!(tape.var(Tensor::zeros([0, 3])).masked_select(Tensor::scalar(true)).shape(), [0]);
}
