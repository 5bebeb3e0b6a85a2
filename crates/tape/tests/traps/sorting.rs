//! Sorting with ties, NaN, and no elements.

use super::*;

#[test]
fn ties_keep_their_order_and_with_it_their_gradient() {
    let x = vector(&[2.0, 1.0, 2.0, 0.0, -0.0, 1.0]);
    let tape = Tape::<f64>::new();
    let v = tape.var(&x);
    for (down, order) in [(false, [3, 4, 1, 5, 0, 2]), (true, [0, 2, 1, 5, 3, 4])] {
        let (y, at) = v.sort(0, down);
        assert_eq!(at.to_vec(), order);
        assert_eq!(v.argsort(0, down).unwrap(), at);
        let grads = y.backward_from(Tensor::steps(1.0, 1.0, 6)).unwrap();
        let g = grads.wrt(v).unwrap().to_vec();
        for (place, from) in order.into_iter().enumerate() {
            assert_eq!(g[from as usize], place as f64 + 1.0);
        }
    }
    for (largest, order, gradient) in [
        (true, [0, 2, 1], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        (false, [3, 4, 1], [0.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
    ] {
        let (y, at) = v.topk(0, 3, largest);
        assert_eq!(at.to_vec(), order);
        assert_eq!(y.sum().backward().unwrap().wrt(v).unwrap().to_vec(), gradient);
    }
}

#[test]
fn nan_is_the_largest() {
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[1.0, NAN, INF, -INF, NAN]));
    let (y, at) = x.sort(0, false);
    assert!(same(&y.value().unwrap().to_vec(), &[-INF, 1.0, INF, NAN, NAN]));
    assert_eq!(at.to_vec(), [3, 0, 2, 1, 4]);
    let (y, at) = x.sort(0, true);
    assert!(same(&y.value().unwrap().to_vec(), &[NAN, NAN, INF, 1.0, -INF]));
    assert_eq!(at.to_vec(), [1, 4, 2, 0, 3]);
    let (y, at) = x.topk(0, 2, false);
    assert_eq!((y.value().unwrap().to_vec(), at.to_vec()), (vec![-INF, 1.0], vec![3, 0]));
    assert_eq!(x.topk(0, 3, true).1.to_vec(), [1, 4, 2]);
}

#[test]
fn nothing_to_sort_is_sorted() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::zeros([2, 0]));
    let (y, at) = x.sort(1, true);
    assert_eq!((y.shape().as_shape(), at.shape()), (x.shape().as_shape(), x.shape().as_shape()));
    assert_eq!(x.topk(0, 1, true).0.shape(), [1, 0]);
    let z = tape.var(Tensor::ones([2, 3]));
    let (y, _) = z.topk(1, 0, true);
    assert_eq!(y.shape(), [2, 0]);
    assert_eq!(y.sum().backward().unwrap().wrt(z).unwrap().to_vec(), [0.0; 6]);
}
