//! Reductions: ties.

use super::*;

#[test]
fn ties_share_the_gradient() {
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.var(vector(&[1.0, 2.0, 3.0])), tape.var(vector(&[1.0, 5.0, 0.0])));
    for (y, ga, gb) in
        [(a.maximum(b), [0.5, 0.0, 1.0], [0.5, 1.0, 0.0]), (a.minimum(b), [0.5, 1.0, 0.0], [0.5, 0.0, 1.0])]
    {
        let grads = y.sum().backward_retaining().unwrap();
        assert_eq!(grads.wrt(a).unwrap().to_vec(), ga);
        assert_eq!(grads.wrt(b).unwrap().to_vec(), gb);
    }
    // For a value with itself, the two halves add up to the whole gradient.
    at("max(x, x)", |x| x.maximum(x), &[1.0, -2.0], &[1.0, -2.0], &[1.0, 1.0]);
    at("max", |x| x.max(), &[3.0, 1.0, 3.0, 3.0], &[3.0], &[1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0]);
    at("min", |x| x.min(), &[0.0, -0.0, 1.0], &[0.0], &[0.5, 0.5, 0.0]);
    let [_, g, _] = run::<f64>(|x| x.max_axes(0) + x.min_axes(0), &Tensor::from([[1.0, 5.0], [1.0, 2.0]]));
    assert_eq!(g, [1.0, 1.0, 1.0, 1.0]);
    // Infinities tie too.
    at("max of infinities", |x| x.max(), &[INF, 1.0, INF], &[INF], &[0.5, 0.0, 0.5]);
    at("max of -infinity alone", |x| x.max(), &[-INF, -INF], &[-INF], &[0.5, 0.5]);
}
