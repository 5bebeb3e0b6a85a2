//! Convolutions, pools, resampling and padding.

use super::refused;
use wengert_ops::{AlignCorners, AvgDivisor, ConvOptions, ConvTransposeOptions, Resize, Tensor, Window};
use wengert_tape::{Tape, Var};

fn ones<'t>(tape: &'t Tape<f64>, shape: &[usize]) -> Var<'t, f64> {
    tape.var(Tensor::try_full(shape, 1.0).unwrap())
}

#[test]
fn convolutions_name_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let (x, w) = (ones(&tape, &[1, 4, 5, 5]), ones(&tape, &[6, 4, 3, 3]));
    let o = ConvOptions::default();
    refused(x.conv2d(w, None, o.groups(4)), "conv2d", &["groups", "6 output channels", "found 4"]);
    refused(x.conv2d(w, None, o.groups(0)), "conv2d", &["found 0"]);
    refused(x.conv2d(w, None, o.groups(2)), "conv2d", &["has 4 channels", "in 2 groups expects 8"]);
    refused(x.conv2d(w, None, o.stride(0)), "conv2d", &["at least 1", "[0, 0]"]);
    refused(x.conv2d(w, None, o.dilation([1, 0])), "conv2d", &["at least 1"]);
    refused(x.conv2d(w, None, o.dilation(3)), "conv2d", &["reaches over 7", "axis 2", "has 5"]);
    refused(x.conv2d(w, None, o.same().stride(2)), "conv2d", &["same", "stride 1", "[2, 2]"]);
    refused(x.conv2d(w, None, o.padding(usize::MAX)), "conv2d", &["too large"]);
    refused(x.conv2d(w, None, o.dilation(usize::MAX)), "conv2d", &["too large"]);
    refused(x.conv2d(w, Some(ones(&tape, &[4])), o), "conv2d", &["bias", "[4]", "[6]"]);
    refused(x.conv2d(ones(&tape, &[6, 4, 3]), None, o), "conv2d", &["rank 4", "[6, 4, 3]"]);
    refused(x.conv2d(ones(&tape, &[6, 4, 0, 3]), None, o), "conv2d", &["empty"]);
    refused(ones(&tape, &[5, 5]).conv2d(w, None, o), "conv2d", &["[batch, channels, height, width]"]);
    refused(ones(&tape, &[3, 5, 5]).conv2d(w, None, o), "conv2d", &["has 3 channels"]);
    let mut freed = ones(&tape, &[4, 5, 5]);
    let _ = tape.scope(|| {
        freed += 1.0;
        freed * 2.0
    });
    refused(freed.conv2d(w, None, o), "conv2d", &["freed"]);
    refused(x.conv1d(w, None, ConvOptions::default()), "conv1d", &["rank 3"]);
    let g = ones(&tape, &[1, 6, 4, 3]);
    refused(x.conv2d_weight(g, [3, 3], o), "conv2d_weight", &["3 places", "axis 2", "[1, 6, 4, 3]"]);
    refused(x.conv2d_weight(ones(&tape, &[2, 6, 3, 3]), [3, 3], o), "conv2d_weight", &["[2, 6, 3, 3]"]);
    refused(x.conv2d_weight(g, [3, 3], o.groups(3)), "conv2d_weight", &["groups", "found 3"]);
}

#[test]
fn transposed_convolutions_name_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let (x, w) = (ones(&tape, &[1, 4, 3, 3]), ones(&tape, &[4, 2, 3, 3]));
    let o = ConvTransposeOptions::default();
    let name = "conv_transpose2d";
    refused(x.conv_transpose2d(w, None, o.output_padding(1)), name, &["output padding 1", "below stride 1"]);
    refused(x.conv_transpose2d(w, None, o.padding(3)), name, &["padding of 3 leaves nothing of 5"]);
    refused(x.conv_transpose2d(w, None, o.padding(usize::MAX)), name, &["too large"]);
    refused(x.conv_transpose2d(w, None, o.stride(usize::MAX)), name, &["too large"]);
    refused(x.conv_transpose2d(w, None, o.groups(3)), name, &["found 3"]);
    refused(x.conv_transpose2d(w, Some(ones(&tape, &[4])), o), name, &["bias", "[2]"]);
    refused(ones(&tape, &[1, 4, 0, 3]).conv_transpose2d(w, None, o), name, &["axis 2", "empty"]);
    let line = ones(&tape, &[4, 2, 3]);
    refused(x.conv_transpose1d(line, None, ConvTransposeOptions::default()), "conv_transpose1d", &["length"]);
}

#[test]
fn pools_name_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let x = ones(&tape, &[1, 2, 4, 4]);
    let w = Window::<2>::new;
    refused(x.max_pool2d(0), "max_pool2d", &["at least 1"]);
    refused(x.max_pool2d(w(2).stride(0)), "max_pool2d", &["at least 1"]);
    refused(x.max_pool2d(5), "max_pool2d", &["reaches over 5", "size 4"]);
    refused(x.max_pool2d(w(3).padding(2)), "max_pool2d", &["padding of 2", "half"]);
    refused(x.max_pool2d(usize::MAX), "max_pool2d", &["too large"]);
    refused(x.max_pool2d(w(3).dilation(usize::MAX)), "max_pool2d", &["too large"]);
    refused(x.max_pool2d_with_indices(9).0, "max_pool2d_with_indices", &["does not fit"]);
    assert_eq!(x.max_pool2d_with_indices(9).1.numel(), 0);
    refused(x.avg_pool2d(2, AvgDivisor::Of(0)), "avg_pool2d", &["at least 1"]);
    refused(ones(&tape, &[3]).max_pool1d(1), "max_pool1d", &["[.., channels, length]"]);
    refused(ones(&tape, &[1, 0]).max_pool1d(1), "max_pool1d", &["size 0"]);
    refused(ones(&tape, &[1, 0]).adaptive_avg_pool1d([2]), "adaptive_avg_pool1d", &["empty"]);
    refused(x.adaptive_max_pool2d([usize::MAX, 1]), "adaptive_max_pool2d", &["too many"]);
    let at = Tensor::from([[0i64, 7]]);
    refused(ones(&tape, &[1, 2]).max_unpool1d(&at, [4]), "max_unpool1d", &["index 7", "plane of 4"]);
    refused(ones(&tape, &[1, 3]).max_unpool1d(&at, [8]), "max_unpool1d", &["[1, 3]", "[1, 2]"]);
}

#[test]
fn resampling_names_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let x = ones(&tape, &[1, 3, 4, 4]);
    refused(x.upsample_nearest2d([0, 2]), "upsample_nearest2d", &["axis 2", "nothing would be left"]);
    refused(x.upsample_nearest2d(Resize::by(-1.0)), "upsample_nearest2d", &["positive and finite", "-1"]);
    refused(x.upsample_nearest2d(Resize::by(f64::NAN)), "upsample_nearest2d", &["NaN"]);
    refused(
        x.upsample_bilinear2d([usize::MAX, 1], AlignCorners::Edges),
        "upsample_bilinear2d",
        &["too many"],
    );
    refused(ones(&tape, &[4]).upsample_linear1d([2], AlignCorners::Edges), "upsample_linear1d", &["[4]"]);
    refused(x.pixel_shuffle(2), "pixel_shuffle", &["factor 2", "[1, 3, 4, 4]"]);
    refused(x.pixel_shuffle(0), "pixel_shuffle", &["at least 1"]);
    refused(x.pixel_unshuffle(3), "pixel_unshuffle", &["factor 3"]);
    refused(x.pixel_shuffle(usize::MAX), "pixel_shuffle", &["factor"]);
    // Any factor divides an empty axis, but the product of a factor's square and the channels can overflow.
    refused(ones(&tape, &[8, 0, 0]).pixel_unshuffle(1 << 31), "pixel_unshuffle", &["factor 2147483648"]);
}

#[test]
fn patches_and_padding_name_what_does_not_fit() {
    let tape = Tape::<f64>::new();
    let x = ones(&tape, &[1, 1, 3, 3]);
    refused(x.im2col(4), "im2col", &["reaches over 4"]);
    refused(x.im2col(0), "im2col", &["at least 1"]);
    refused(x.im2col(Window::new(1).padding(usize::MAX)), "im2col", &["too large"]);
    refused(ones(&tape, &[3, 3]).im2col(1), "im2col", &["[3, 3]"]);
    refused(x.col2im([3, 3], 2), "col2im", &["[1, 1, 3, 3]"]);
    refused(ones(&tape, &[1, 3, 4]).col2im([4, 4], 2), "col2im", &["channels · 4", "[1, 3, 4]"]);
    let line = ones(&tape, &[3]);
    refused(line.pad_reflect(&[(3, 0)]), "pad_reflect", &["axis 0", "(3, 0)", "below"]);
    refused(line.pad_circular(&[(0, 4)]), "pad_circular", &["(0, 4)"]);
    refused(line.pad_replicate(&[]), "pad_replicate", &["expected 1 pairs"]);
    refused(line.pad_replicate(&[(usize::MAX, 1)]), "pad_replicate", &["cannot pad"]);
    refused(ones(&tape, &[0]).pad_replicate(&[(1, 1)]), "pad_replicate", &["not empty"]);
}
