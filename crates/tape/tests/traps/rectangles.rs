//! Matrices that are not square, and repetition along several axes.

use super::*;

#[test]
fn traces_diagonals_and_triangles_of_rectangles() {
    let wide = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let tall = wide.transpose(0, 1).unwrap();
    type Case = (F, &'static [f64], &'static [f64]);
    let cases: [Case; 7] = [
        (|x| x.trace(), &[6.0], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]),
        (|x| x.diagonal(1), &[2.0, 6.0], &[0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        (|x| x.diagonal(-1), &[4.0], &[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]),
        (|x| x.diagonal(3), &[], &[0.0; 6]),
        (|x| x.tril(0), &[1.0, 0.0, 0.0, 4.0, 5.0, 0.0], &[1.0, 0.0, 0.0, 1.0, 1.0, 0.0]),
        (|x| x.triu(1), &[0.0, 2.0, 3.0, 0.0, 0.0, 6.0], &[0.0, 1.0, 1.0, 0.0, 0.0, 1.0]),
        (|x| x.tril(-2), &[0.0; 6], &[0.0; 6]),
    ];
    for (i, (f, values, gradient)) in cases.into_iter().enumerate() {
        let [y, g, r] = run::<f64>(f, &wide);
        assert_eq!((&y[..], &g[..], &r[..]), (values, gradient, gradient), "case {i}");
    }
    // For the transpose: the same diagonal, and the triangles are exchanged.
    let [y, g, r] = run::<f64>(|x| x.trace(), &tall);
    assert_eq!(
        (y, g, r),
        (vec![6.0], vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0], vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    );
    let [y, g, _] = run::<f64>(|x| x.triu(0).t(), &tall);
    assert_eq!(y, [1.0, 0.0, 0.0, 4.0, 5.0, 0.0]);
    assert_eq!(g, [1.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn repetitions_along_several_axes_add_up() {
    let x = Tensor::from([[0.5, -1.0]]);
    // [1, 2] three, two and four times: [3, 2, 8].
    let weights = || Tensor::<f64>::steps(1.0, 1.0, 48).reshape([3, 2, 8]);
    let want: Vec<f64> = (0..2).map(|c| (0..24).map(|i| f64::from(1 + 2 * i + c)).sum()).collect();
    for f in [(|x, w| x.repeat(&[3, 2, 4]) * w) as Binary, |x, w| x.tile(&[3, 2, 4]) * w] {
        let tape = Tape::<f64>::new();
        let v = tape.var(&x);
        let y = f(v, tape.constant(weights()));
        assert_eq!(y.sum().grad(v).unwrap().value().unwrap().to_vec(), want);
        assert_eq!(y.sum().backward().unwrap().wrt(v).unwrap().to_vec(), want);
    }
}
