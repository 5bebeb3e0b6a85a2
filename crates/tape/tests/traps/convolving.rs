//! Convolutions, pools, resampling and padding. The lists of numbers are PyTorch's, whose conventions are used.

use super::{NAN, close, run, vector};
use wengert_ops::{AlignCorners, AvgDivisor, ConvOptions, ConvTransposeOptions, Resize, Tensor, Window};
use wengert_tape::Tape;

/// Multiples of a quarter in no particular order, with ties.
fn sequence(shape: &[usize]) -> Tensor<f64> {
    let n = shape.iter().product::<usize>();
    let values = (0..n).map(|i| ((i * 7 % 11) as f64 - 5.0) / 4.0).collect();
    Tensor::from_vec(values, shape).unwrap()
}

#[test]
fn strided_dilated_grouped_convolution_with_a_rectangular_kernel() {
    let tape = Tape::new();
    let [x, w, b] = [&[1, 2, 5, 6][..], &[4, 1, 2, 3], &[4]].map(|s| tape.var(sequence(s)));
    let o = ConvOptions::default().stride([2, 3]).padding([1, 2]).dilation([2, 1]).groups(2);
    let y = x.conv2d(w, Some(b), o);
    assert!(close(
        &y.value().unwrap().to_vec(),
        &[
            -2.0, -2.0625, -1.875, -1.75, -3.0, -3.0, -1.25, 0.5, 0.5625, -0.75, -0.1875, 0.625, -0.5,
            -0.875, -0.8125, 0.5, -0.25, -0.75, 0.75, 1.125, 0.25, 1.3125, 0.3125, -0.8125, -0.1875, -1.375,
            -1.375, 1.875, 2.625, 2.5, 2.3125, 1.6875, 1.5625, 1.4375, 0.25, 0.5
        ]
    ));
    let grads = y.square().sum().backward().unwrap();
    assert!(close(
        &grads.wrt(x).unwrap().to_vec(),
        &[
            0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 7.625, 0.3125, -3.9375, 8.3125, 2.125, -4.25, 0.0, 0.0, 0.0, 0.0,
            0.0, 0.0, 4.125, -10.5625, -0.5625, 6.6875, -11.625, -0.53125, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            0.0, 0.0, 0.0, 0.0, 0.0, 10.125, -0.4375, -11.9375, 8.1875, -1.9375, -8.9375, 0.0, 0.0, 0.0, 0.0,
            0.0, 0.0, 6.625, -2.0625, -3.8125, -0.75, -2.5625, -2.3125, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        ]
    ));
    assert!(close(
        &grads.wrt(w).unwrap().to_vec(),
        &[
            -0.90625, 14.8125, -8.25, 14.4375, 1.3125, -5.59375, 2.78125, 2.65625, -2.1875, 3.46875, -3.3125,
            -1.34375, 4.96875, -3.65625, 3.8125, 1.71875, -2.78125, 4.78125, -0.53125, -4.40625, 9.875,
            -4.34375, -3.21875, 11.09375
        ]
    ));
    assert!(close(&grads.wrt(b).unwrap().to_vec(), &[-27.75, -6.0, 0.0, 29.5]));
}

#[test]
fn transposed_convolution_with_output_padding() {
    let tape = Tape::new();
    let (x, w) = (tape.var(sequence(&[1, 2, 2, 3])), tape.var(sequence(&[2, 1, 3, 2])));
    let o = ConvTransposeOptions::default().stride([3, 2]).padding([1, 0]).output_padding([2, 1]).groups(2);
    let y = x.conv_transpose2d(w, None, o);
    assert!(close(
        &y.value().unwrap().to_vec(),
        &[
            0.625, -1.5625, -0.25, 0.625, 0.25, -0.625, 0.0, -0.3125, 0.9375, 0.125, -0.375, -0.125, 0.375,
            0.0, -1.5625, 0.625, -0.3125, 0.125, 0.9375, -0.375, 0.0, -0.625, 1.5625, -0.125, 0.3125, 0.375,
            -0.9375, 0.0, 0.3125, -0.9375, 0.0625, -0.1875, -0.1875, 0.5625, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
            0.0, 0.0, -1.0, 0.75, 0.0, 0.0, 1.0, -0.75, 0.0, -0.25, -1.25, 0.0, 0.0, 0.25, 1.25, 0.0, 0.75,
            0.0, -0.25, 0.0, -1.25, 0.0, 0.0, -0.75, 0.5625, 0.25, -0.1875, 1.25, -0.9375, 0.0, -0.1875,
            -0.9375, 0.0625, 0.3125, 0.3125, 1.5625, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        ]
    ));
    let grads = y.square().sum().backward().unwrap();
    assert!(close(
        &grads.wrt(x).unwrap().to_vec(),
        &[-6.09375, 2.4375, -2.4375, 10.625, 2.125, -6.375, 6.375, 0.0, -6.375, 6.28125, -2.09375, -10.46875]
    ));
    assert!(close(
        &grads.wrt(w).unwrap().to_vec(),
        &[-5.46875, 2.1875, -4.25, 10.625, 2.125, -6.375, 4.375, 0.0, -8.375, 6.28125, -2.09375, -10.46875]
    ));
}

#[test]
fn a_tail_dropped_by_the_stride_has_no_gradient() {
    let w = Tensor::<f64>::ones([1, 1, 2]);
    for (n, want) in [(5, vec![1.0, 1.0, 0.0, 1.0, 1.0]), (7, vec![1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0])] {
        let tape = Tape::new();
        let x = tape.var(Tensor::<f64>::ones([1, 1, n]));
        let y = x.conv1d(&w, None, ConvOptions::default().stride(3));
        assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), want);
    }
}

#[test]
fn one_by_one_with_a_stride_reads_and_feeds_every_second_pixel() {
    let tape = Tape::new();
    let x = tape.var(sequence(&[1, 1, 3, 3]));
    let y = x.conv2d(Tensor::try_full([1, 1, 1, 1], 2.0).unwrap(), None, ConvOptions::default().stride(2));
    assert_eq!(y.value().unwrap().to_vec(), [-2.5, -1.0, 2.0, -2.0]);
    let gx = y.sum().backward().unwrap().wrt(x).unwrap();
    assert_eq!(gx.to_vec(), [2.0, 0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0]);
}

#[test]
fn an_empty_batch_convolves_to_an_empty_batch_and_zero_gradients() {
    let tape = Tape::new();
    let (x, w) = (tape.var(Tensor::<f64>::zeros([0, 2, 4, 4])), tape.var(sequence(&[3, 2, 3, 3])));
    let y = x.conv2d(w, None, ConvOptions::default());
    assert_eq!(*y.value().unwrap().shape(), [0, 3, 2, 2]);
    let grads = y.sum().backward().unwrap();
    assert_eq!(grads.wrt(w).unwrap(), Tensor::zeros([3, 2, 3, 3]));
    assert_eq!(grads.wrt(x).unwrap(), Tensor::zeros([0, 2, 4, 4]));
}

#[test]
fn a_convolution_with_itself_counts_both_uses() {
    // y = Σ x * x for one element: x², so 2x and 2.
    let tape = Tape::new();
    let x = tape.var(Tensor::try_full([1, 1, 1, 1], 3.0).unwrap());
    let y = x.conv2d(x, None, ConvOptions::default()).sum();
    let first = y.grad(x).unwrap();
    assert_eq!(first.item().unwrap(), 6.0);
    assert_eq!(first.sum().grad(x).unwrap().item().unwrap(), 2.0);
}

#[test]
fn overlapping_windows_of_a_max_pool_add_up() {
    let tape = Tape::new();
    let x = tape.var(sequence(&[1, 1, 5, 7]));
    let (y, at) = x.max_pool2d_with_indices(Window::new(3).stride(2).padding(1).ceil());
    assert!(close(
        &y.value().unwrap().to_vec(),
        &[0.5, 1.25, 1.25, 1.0, 1.25, 1.0, 1.25, 0.75, 1.0, 0.75, 1.25, 0.5]
    ));
    assert_eq!(at.to_vec(), [1, 3, 3, 6, 14, 17, 25, 20, 28, 31, 25, 34]);
    let gx = y.square().sum().backward().unwrap().wrt(x).unwrap();
    assert!(close(
        &gx.to_vec(),
        &[
            0.0, 1.0, 0.0, 5.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.5, 0.0, 0.0, 2.0, 0.0,
            0.0, 1.5, 0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 2.0, 0.0, 0.0, 1.5, 0.0, 0.0, 1.0
        ]
    ));
}

#[test]
fn the_first_of_equals_has_the_gradient_of_a_max_pool_and_nan_is_the_largest() {
    let pool = |v: &[f64], window: Window<1>| run::<f64>(|x| x.unsqueeze(0).max_pool1d(window), &vector(v));
    let [y, swept, recorded] = pool(&[2.0, 2.0, 1.0, 1.0], Window::new(2));
    assert_eq!(y, [2.0, 1.0]);
    assert_eq!((swept, recorded), (vec![1.0, 0.0, 1.0, 0.0], vec![1.0, 0.0, 1.0, 0.0]));
    let [y, swept, recorded] = pool(&[2.0, NAN, NAN, 1.0, 0.0, 3.0], Window::new(3).stride(1));
    assert!(y[0].is_nan() && y[1].is_nan() && y[2].is_nan() && y[3] == 3.0);
    assert_eq!(swept, [0.0, 2.0, 1.0, 0.0, 0.0, 1.0]);
    assert_eq!(recorded, swept);
    let [y, swept, _] = pool(&[-f64::INFINITY; 2], Window::new(3).stride(1).padding(1));
    assert_eq!((y, swept), (vec![-f64::INFINITY; 2], vec![2.0, 0.0]));
}

/// The averages over windows of 3 × 3 with stride 2 and padding 1 of a plane of 5 × 7, without the padding. They are also those of
/// adaptive windows, 3 × 4 of them.
const AVERAGES: [f64; 12] = [
    -0.4375,
    0.125,
    -0.0416666666666667,
    0.0625,
    -0.166666666666667,
    -0.138888888888889,
    0.0,
    -0.125,
    -0.125,
    -0.25,
    0.0416666666666667,
    -0.3125,
];

#[test]
fn averages_count_padding_or_do_not() {
    let tape = Tape::new();
    let x = tape.var(sequence(&[1, 1, 5, 7]));
    let w = Window::new(3).stride(2).padding(1).ceil();
    let with = x.avg_pool2d(w, AvgDivisor::Window).value().unwrap().to_vec();
    assert!(close(
        &with,
        &[
            -0.194444444444444,
            0.0833333333333333,
            -0.0277777777777778,
            0.0277777777777778,
            -0.111111111111111,
            -0.138888888888889,
            0.0,
            -0.0833333333333333,
            -0.0555555555555556,
            -0.166666666666667,
            0.0277777777777778,
            -0.138888888888889
        ]
    ));
    let without = x.avg_pool2d(w, AvgDivisor::Inside).value().unwrap().to_vec();
    assert!(close(&without, &AVERAGES));
    let of = x.avg_pool2d(Window::new(2), AvgDivisor::Of(3)).value().unwrap().to_vec();
    assert!(close(
        &of,
        &[
            -0.583333333333333,
            0.416666666666667,
            -0.416666666666667,
            0.0,
            0.0833333333333333,
            0.166666666666667
        ]
    ));
    // A last, partial window divides by the number of its elements inside input and padding.
    let last = Window::new(3).stride(2).ceil();
    let y = tape.var(sequence(&[1, 1, 6, 6])).avg_pool2d(last, AvgDivisor::Window).value().unwrap().to_vec();
    assert!(close(
        &y,
        &[
            0.0,
            0.138888888888889,
            -0.291666666666667,
            0.222222222222222,
            0.0555555555555556,
            0.0833333333333333,
            0.0833333333333333,
            -0.0833333333333333,
            0.25
        ]
    ));
}

#[test]
fn adaptive_windows_are_uneven() {
    let tape = Tape::new();
    let x = tape.var(sequence(&[1, 1, 5, 7]));
    let average = x.adaptive_avg_pool2d([3, 4]);
    assert!(close(&average.value().unwrap().to_vec(), &AVERAGES));
    let largest = x.adaptive_max_pool2d([2, 3]).value().unwrap().to_vec();
    assert!(close(&largest, &[1.25, 1.25, 1.0, 1.25, 1.25, 1.25]));
    assert_eq!(x.adaptive_avg_pool2d([1, 1]).item().unwrap(), x.mean().item().unwrap());
    // More windows than elements: they overlap.
    let y = tape.var(vector(&[1.0, 2.0])).unsqueeze(0).adaptive_max_pool1d([3]);
    assert_eq!(y.value().unwrap().to_vec(), [1.0, 2.0, 2.0]);
}

#[test]
fn unpooling_puts_elements_back_and_the_last_of_several_stays() {
    let tape = Tape::new();
    let x = tape.var(Tensor::from([[5.0, 6.0, 7.0]]));
    let y = x.max_unpool1d(&Tensor::from([[2i64, 0, 2]]), [4]);
    assert_eq!(y.value().unwrap().to_vec(), [6.0, 0.0, 7.0, 0.0]);
    assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [0.0, 1.0, 1.0]);
}

#[test]
fn resampling_by_size_and_by_factor() {
    let tape = Tape::new();
    let x = tape.var(sequence(&[1, 1, 3, 4]));
    let nearest = x.upsample_nearest2d([5, 3]).value().unwrap().to_vec();
    assert!(close(
        &nearest,
        &[-1.25, 0.5, -0.5, -1.25, 0.5, -0.5, 0.25, -0.75, 1.0, 0.25, -0.75, 1.0, -1.0, 0.75, -0.25]
    ));
    let nearest = x.upsample_nearest2d(Resize::by(1.6)).value().unwrap().to_vec();
    assert!(close(
        &nearest,
        &[
            -1.25, -1.25, 0.5, 0.5, -0.5, 1.25, -1.25, -1.25, 0.5, 0.5, -0.5, 1.25, 0.25, 0.25, -0.75, -0.75,
            1.0, 0.0, 0.25, 0.25, -0.75, -0.75, 1.0, 0.0
        ]
    ));
    let edges = x.upsample_bilinear2d([5, 3], AlignCorners::Edges).value().unwrap().to_vec();
    assert!(close(
        &edges,
        &[
            -0.958333333333333,
            0.0,
            0.958333333333333,
            -0.541666666666667,
            0.05,
            0.641666666666667,
            0.0833333333333334,
            0.125,
            0.166666666666667,
            -0.391666666666667,
            0.2,
            -0.583333333333333,
            -0.708333333333333,
            0.25,
            -1.08333333333333
        ]
    ));
    let centres = x.upsample_bilinear2d([5, 3], AlignCorners::Centres).value().unwrap().to_vec();
    assert!(close(
        &centres,
        &[-1.25, 0.0, 1.25, -0.5, 0.0625, 0.625, 0.25, 0.125, 0.0, -0.375, 0.1875, -0.625, -1.0, 0.25, -1.25]
    ));
    let factor = x.upsample_bilinear2d(Resize::by(1.6), AlignCorners::Edges).value().unwrap().to_vec();
    assert!(close(
        &factor,
        &[
            -1.25,
            -0.484375,
            0.4375,
            -0.1875,
            0.046875,
            1.140625,
            -0.59375,
            -0.3544921875,
            -0.0341796875,
            0.0927734375,
            0.3271484375,
            0.6689453125,
            0.171875,
            -0.1904296875,
            -0.5576171875,
            0.4287109375,
            0.609375,
            -0.015625,
            -0.609375,
            -0.2197265625,
            0.2724609375,
            0.1845703125,
            -0.171875,
            -0.796875
        ]
    ));
}

#[test]
fn a_neighbour_without_weight_does_not_spread_its_nan() {
    let tape = Tape::new();
    let x = tape.var(Tensor::from([[1.0, NAN, 3.0]]));
    let y = x.upsample_linear1d([5], AlignCorners::Centres).value().unwrap().to_vec();
    assert!(y[0] == 1.0 && y[1..4].iter().all(|v| v.is_nan()) && y[4] == 3.0, "{y:?}");
}

#[test]
fn an_upsampled_element_collects_all_its_copies() {
    let tape = Tape::new();
    let x = tape.var(sequence(&[1, 2, 2]));
    let y = x.upsample_nearest2d(Resize::by(3.0));
    assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [9.0; 4]);
}

#[test]
fn padding_with_elements_of_the_value() {
    let tape = Tape::new();
    let x = tape.var(sequence(&[3, 4]));
    let widths = [(1, 2), (2, 1)];
    assert!(close(
        &x.pad_reflect(&widths).value().unwrap().to_vec(),
        &[
            1.0, -0.75, 0.25, -0.75, 1.0, 0.0, 1.0, -0.5, 0.5, -1.25, 0.5, -0.5, 1.25, -0.5, 1.0, -0.75,
            0.25, -0.75, 1.0, 0.0, 1.0, -0.25, 0.75, -1.0, 0.75, -0.25, -1.25, -0.25, 1.0, -0.75, 0.25,
            -0.75, 1.0, 0.0, 1.0, -0.5, 0.5, -1.25, 0.5, -0.5, 1.25, -0.5
        ]
    ));
    assert!(close(
        &x.pad_circular(&widths).value().unwrap().to_vec(),
        &[
            -0.25, -1.25, -1.0, 0.75, -0.25, -1.25, -1.0, -0.5, 1.25, -1.25, 0.5, -0.5, 1.25, -1.25, 1.0,
            0.0, 0.25, -0.75, 1.0, 0.0, 0.25, -0.25, -1.25, -1.0, 0.75, -0.25, -1.25, -1.0, -0.5, 1.25,
            -1.25, 0.5, -0.5, 1.25, -1.25, 1.0, 0.0, 0.25, -0.75, 1.0, 0.0, 0.25
        ]
    ));
    assert!(close(
        &x.pad_replicate(&widths).value().unwrap().to_vec(),
        &[
            -1.25, -1.25, -1.25, 0.5, -0.5, 1.25, 1.25, -1.25, -1.25, -1.25, 0.5, -0.5, 1.25, 1.25, 0.25,
            0.25, 0.25, -0.75, 1.0, 0.0, 0.0, -1.0, -1.0, -1.0, 0.75, -0.25, -1.25, -1.25, -1.0, -1.0, -1.0,
            0.75, -0.25, -1.25, -1.25, -1.0, -1.0, -1.0, 0.75, -0.25, -1.25, -1.25
        ]
    ));
}

#[test]
fn a_convolution_is_a_product_with_columns() {
    let tape = Tape::new();
    let (x, w) = (tape.var(sequence(&[2, 3, 5, 4])), tape.var(sequence(&[4, 3, 2, 3])));
    let o = ConvOptions::default().stride([1, 2]).padding([1, 1]).dilation([2, 1]);
    let window = Window::new([2, 3]).stride([1, 2]).padding([1, 1]).dilation([2, 1]);
    let y = x.conv2d(w, None, o);
    let columns = w.reshape([4, 18]).matmul(x.im2col(window));
    assert!(close(&y.value().unwrap().to_vec(), &columns.value().unwrap().to_vec()));
    let (a, b) = (y.square().sum(), columns.square().sum());
    for v in [x, w] {
        let [a, b] = [a, b].map(|y| y.grad(v).unwrap().value().unwrap().to_vec());
        assert!(close(&a, &b));
    }
    let plain = tape
        .var(sequence(&[1, 1, 3, 4]))
        .im2col(Window::new([2, 3]).stride([1, 2]).padding(1).dilation([2, 1]));
    assert!(close(
        &plain.value().unwrap().to_vec(),
        &[
            0.0, 0.0, 0.0, 0.5, 0.0, -0.75, 0.0, 0.0, -1.25, -0.5, 0.25, 1.0, 0.0, 0.0, 0.5, 1.25, -0.75,
            0.0, 0.0, -0.75, 0.0, 0.75, 0.0, 0.0, 0.25, 1.0, -1.0, -0.25, 0.0, 0.0, -0.75, 0.0, 0.75, -1.25,
            0.0, 0.0
        ]
    ));
}
