use super::*;
use crate::random::{Key, uniform};

fn values(shape: &[usize], seed: u64) -> Tensor<f64> {
    uniform(shape, -1.0, 1.0, Key { seed, stream: 0 }).unwrap()
}

/// Calls `f(y position, x position, w position)` for every product of a convolution.
fn products(
    x: &[usize],
    w: &[usize],
    y: &[usize],
    o: &ConvOptions<2>,
    before: [usize; 2],
    mut f: impl FnMut(usize, usize, usize),
) {
    let (co, ci) = (w[0] / o.groups, w[1]);
    for n in 0..x[0] {
        for c in 0..w[0] {
            for i in 0..y[2] {
                for j in 0..y[3] {
                    for d in 0..ci {
                        for k in 0..w[2] {
                            for l in 0..w[3] {
                                let h = (i * o.stride[0] + k * o.dilation[0]).wrapping_sub(before[0]);
                                let v = (j * o.stride[1] + l * o.dilation[1]).wrapping_sub(before[1]);
                                if h < x[2] && v < x[3] {
                                    let source = c / co * ci + d;
                                    f(
                                        ((n * w[0] + c) * y[2] + i) * y[3] + j,
                                        ((n * x[1] + source) * x[2] + h) * x[3] + v,
                                        ((c * ci + d) * w[2] + k) * w[3] + l,
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn close(a: &Tensor<f64>, b: &[f64], what: &str) {
    let a = a.to_vec();
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 1e-11 * (1.0 + b.abs()), "{what}: element {i}, expected {b}, got {a}");
    }
}

fn nearly(a: &Tensor<f32>, b: &[f64], what: &str) {
    for (a, b) in a.to_vec().iter().zip(b) {
        assert!((f64::from(*a) - b).abs() <= 1e-3 * (1.0 + b.abs()), "in f32, {what}: expected {b}, got {a}");
    }
}

/// The shapes of input and weight, stride, padding, dilation, groups.
type Case = ([usize; 4], [usize; 4], [usize; 2], [usize; 2], [usize; 2], usize);

#[test]
fn all_three_agree_with_loops() {
    let cases: &[Case] = &[
        ([2, 3, 5, 7], [4, 3, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([1, 1, 1, 1], [1, 1, 1, 1], [1, 1], [0, 0], [1, 1], 1),
        // Kernels that cover the input: one product of matrices.
        ([3, 4, 1, 1], [5, 4, 1, 1], [1, 1], [0, 0], [1, 1], 1),
        ([3, 4, 1, 1], [5, 4, 1, 1], [2, 3], [0, 0], [2, 1], 1),
        ([3, 4, 5, 3], [6, 4, 5, 3], [1, 1], [0, 0], [1, 1], 1),
        ([3, 4, 5, 3], [6, 4, 5, 3], [2, 1], [0, 0], [1, 1], 1),
        ([3, 4, 1, 3], [6, 2, 1, 3], [1, 1], [0, 0], [1, 1], 2),
        ([2, 2, 6, 5], [9, 2, 2, 3], [1, 1], [0, 2], [1, 1], 1),
        ([2, 2, 8, 9], [3, 2, 3, 3], [2, 2], [1, 1], [1, 1], 1),
        ([1, 2, 8, 11], [3, 2, 2, 3], [3, 2], [2, 0], [2, 3], 1),
        ([3, 4, 7, 7], [5, 4, 1, 1], [2, 2], [0, 0], [1, 1], 1),
        ([3, 4, 7, 7], [17, 4, 1, 1], [1, 1], [0, 0], [1, 1], 1),
        ([2, 6, 6, 6], [9, 2, 3, 3], [1, 1], [1, 1], [1, 1], 3),
        ([2, 5, 9, 4], [10, 1, 3, 2], [2, 1], [1, 1], [1, 2], 5),
        ([2, 3, 4, 4], [2, 3, 5, 5], [1, 1], [3, 3], [1, 1], 1),
        ([1, 2, 3, 3], [2, 2, 2, 2], [5, 5], [1, 1], [1, 1], 1),
        ([1, 2, 4, 4], [2, 2, 2, 1], [1, 1], [6, 5], [3, 1], 1),
        ([0, 2, 4, 4], [2, 2, 3, 3], [1, 1], [0, 0], [1, 1], 1),
        ([2, 0, 4, 4], [2, 0, 3, 3], [1, 1], [0, 0], [1, 1], 1),
        ([1, 3, 70, 61], [10, 3, 7, 7], [2, 2], [3, 3], [1, 1], 1),
        ([9, 16, 14, 14], [24, 16, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([1, 16, 40, 40], [32, 16, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([3, 32, 4, 4], [32, 32, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([2, 64, 2, 2], [64, 64, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        // A copy of the source for each kernel column: planes that end inside a vector, and channels that end inside a panel.
        ([2, 16, 7, 7], [12, 16, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([2, 17, 9, 8], [21, 17, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([1, 24, 6, 8], [32, 24, 3, 5], [1, 1], [1, 2], [1, 1], 1),
        ([2, 32, 9, 9], [32, 32, 3, 3], [2, 2], [1, 1], [1, 1], 1),
        ([2, 32, 9, 7], [16, 32, 3, 3], [1, 1], [2, 2], [2, 2], 1),
        ([1, 32, 8, 2], [16, 32, 3, 3], [1, 1], [4, 4], [1, 4], 1),
        ([1, 40, 90, 8], [16, 40, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([2, 16, 16, 16], [16, 16, 3, 3], [1, 1], [1, 1], [1, 1], 1),
        ([2, 8, 5, 5], [20, 8, 1, 1], [1, 1], [0, 0], [1, 1], 1),
    ];
    for (case, &(x, w, stride, padding, dilation, groups)) in cases.iter().enumerate() {
        let o = ConvOptions::<2>::default().stride(stride).padding(padding).dilation(dilation).groups(groups);
        let what = format!("{x:?} {w:?} {o:?}");
        let (xs, ws, b) = (values(&x, 1), values(&w, 2), values(&[w[0]], 3));
        let y = xs.conv(&ws, Some(&b), &o).unwrap();
        let shape = y.shape().to_vec();
        let (xv, wv) = (xs.to_vec(), ws.to_vec());
        let plane = shape[2] * shape[3];
        let mut want: Vec<f64> = (0..y.numel()).map(|i| b.to_vec()[i / plane % w[0]]).collect();
        products(&x, &w, &shape, &o, padding, |y, x, w| want[y] += xv[x] * wv[w]);
        close(&y, &want, &format!("forward {what}"));
        let single = xs.cast::<f32>().conv(&ws.cast(), Some(&b.cast()), &o).unwrap();
        nearly(&single, &want, &format!("forward {what}"));

        // The cotangent in another memory layout for each case.
        let g = values(&shape, 4);
        let g =
            if case % 2 == 0 { g } else { g.transpose(2, 3).unwrap().contiguous().transpose(2, 3).unwrap() };
        let gv = g.to_vec();
        let mut want = vec![0.0; xs.numel()];
        products(&x, &w, &shape, &o, padding, |y, x, w| want[x] += gv[y] * wv[w]);
        let wt = ws.transpose(2, 3).unwrap().contiguous().transpose(2, 3).unwrap();
        close(&g.conv_adjoint(&wt, None, &o, [x[2], x[3]]).unwrap(), &want, &format!("adjoint {what}"));
        let single = g.cast::<f32>().conv_adjoint(&ws.cast(), None, &o, [x[2], x[3]]).unwrap();
        nearly(&single, &want, &format!("adjoint {what}"));

        let mut want = vec![0.0; ws.numel()];
        products(&x, &w, &shape, &o, padding, |y, x, w| want[w] += gv[y] * xv[x]);
        let xt = xs.transpose(0, 3).unwrap().contiguous().transpose(0, 3).unwrap();
        close(&xt.conv_weight(&g, &o, [w[2], w[3]]).unwrap(), &want, &format!("weight {what}"));
        // In single precision the tiles have other widths.
        nearly(
            &xs.cast::<f32>().conv_weight(&g.cast(), &o, [w[2], w[3]]).unwrap(),
            &want,
            &format!("weight {what}"),
        );
    }
}

#[test]
fn a_transposed_convolution_of_single_elements_has_its_bias() {
    let (x, w, b) = (values(&[3, 4, 1, 1], 1), values(&[4, 5, 2, 3], 2), values(&[5], 3));
    let y = x.conv_transpose(&w, Some(&b), &ConvTransposeOptions::<2>::default()).unwrap();
    assert_eq!(y.shape()[..], [3, 5, 2, 3]);
    let product = |n: usize, o: usize, i: usize, j: usize| -> f64 {
        (0..4).map(|c| x.get(&[n, c, 0, 0]).unwrap() * w.get(&[c, o, i, j]).unwrap()).sum()
    };
    for at in 0..y.numel() {
        let (n, o, i, j) = (at / 30, at / 6 % 5, at / 3 % 2, at % 3);
        let want = product(n, o, i, j) + b.get(&[o]).unwrap();
        assert!((y.get(&[n, o, i, j]).unwrap() - want).abs() < 1e-14);
    }
}

#[test]
fn one_axis_is_two_with_a_first_of_size_one() {
    let (x, w) = (values(&[2, 3, 9], 1), values(&[4, 3, 3], 2));
    let o = ConvOptions::<1>::default().stride(2).padding(1);
    let y = x.conv(&w, None, &o).unwrap();
    let flat = ConvOptions::<2>::default().stride([1, 2]).padding([0, 1]);
    let want = x.unsqueeze(2).unwrap().conv(&w.unsqueeze(2).unwrap(), None, &flat).unwrap();
    assert_eq!(y, want.squeeze(2).unwrap());
    assert_eq!(*y.conv_adjoint(&w, None, &o, [9]).unwrap().shape(), [2, 3, 9]);
    assert_eq!(*x.conv_weight(&y, &o, [3]).unwrap().shape(), [4, 3, 3]);
}

#[test]
fn same_puts_the_excess_at_the_end() {
    let x = Tensor::from([[[1.0, 2.0, 3.0]]]);
    let y = x.conv(&Tensor::from([[[1.0, 0.0]]]), None, &ConvOptions::<1>::default().same()).unwrap();
    assert_eq!(y, x);
    let y = x.conv(&Tensor::from([[[0.0, 1.0]]]), None, &ConvOptions::<1>::default().same()).unwrap();
    assert_eq!(y, Tensor::from([[[2.0, 3.0, 0.0]]]));
}
