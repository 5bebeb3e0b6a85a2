//! Duplicate indices; slices in steps and backwards.

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
    // An index out of range is named, negative ones too; they do not count from the end.
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
        let x = tape.var(Tensor::arange(0.0, 1.0, 5));
        let y = f(x);
        assert_eq!(y.value().unwrap().to_vec(), value, "case {i}");
        let grads = y.backward_from(Tensor::arange(1.0, 1.0, value.len())).unwrap();
        assert_eq!(grads.wrt(x).unwrap().to_vec(), gradient, "case {i}");
    }
}
