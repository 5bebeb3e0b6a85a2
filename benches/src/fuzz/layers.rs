//! `nn`: convolutions, pools, layers that combine others, and the computation of sizes.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use crate::windows::{conv, divisor, each, planes, shapes, transposed, window};
use wengert::nn::init::{Gain, Scheme};
use wengert::nn::{
    Activation, AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d,
    AvgPool2d, Branches, ChannelDropout, Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, DropPath,
    GaussianNoise, GlobalAvgPool, GlobalMaxPool, Identity, Lambda, Layer, Linear, MaxPool1d, MaxPool2d,
    MaxUnpool1d, MaxUnpool2d, NoisyWeights, PixelShuffle, Reshape, Residual, Unflatten, Upsample1d,
    Upsample2d, ZeroPad, sizes,
};
use wengert::ops::Tensor;
use wengert::tape::{Float, Var};

const HE: Scheme = Scheme::KaimingNormal(Gain::Relu);

/// A layer and the shape of a valid input.
fn conv1<T: Float>(a: &mut Arguments<'_, T>) -> (Conv1d<T>, Vec<usize>) {
    let s = shapes(a, 1, false);
    let options = conv(a, s.groups);
    (Conv1d::with_config(s.x[1], s.outputs, [s.kernel[0]], options, &mut a.rng()), s.x)
}

fn conv2<T: Float>(a: &mut Arguments<'_, T>) -> (Conv2d<T>, Vec<usize>) {
    let s = shapes(a, 2, false);
    let options = conv(a, s.groups);
    (Conv2d::with_config(s.x[1], s.outputs, [s.kernel[0], s.kernel[1]], options, &mut a.rng()), s.x)
}

fn transposed1<T: Float>(a: &mut Arguments<'_, T>) -> (ConvTranspose1d<T>, Vec<usize>) {
    let s = shapes(a, 1, true);
    let options = transposed(a, s.groups);
    (ConvTranspose1d::with_config(s.x[1], s.outputs, [s.kernel[0]], options, &mut a.rng()), s.x)
}

fn transposed2<T: Float>(a: &mut Arguments<'_, T>) -> (ConvTranspose2d<T>, Vec<usize>) {
    let s = shapes(a, 2, true);
    let options = transposed(a, s.groups);
    (ConvTranspose2d::with_config(s.x[1], s.outputs, [s.kernel[0], s.kernel[1]], options, &mut a.rng()), s.x)
}

fn plane<'t, T: Float>(a: &mut Arguments<'t, T>, axes: usize) -> Var<'t, T> {
    let shape = planes(a, axes);
    a.of(&shape)
}

/// The positions found, or sometimes others.
fn at<T: Float>(a: &mut Arguments<'_, T>, at: Tensor<i64>) -> Tensor<i64> {
    if a.once_in(6) { a.index_of(at.shape(), 9) } else { at }
}

fn signal<'t, T: Float>(a: &mut Arguments<'t, T>, n: usize) -> Var<'t, T> {
    let rows = a.size();
    a.of(&[rows, n])
}

/// A layer with the given numbers of inputs and outputs, or sometimes with others.
fn linear<T: Float>(a: &mut Arguments<'_, T>, i: usize, o: usize) -> Linear<T> {
    let o = if a.once_in(6) { o + 1 } else { o };
    Linear::new(i, o, &mut a.rng())
}

fn branches<T: Float>(a: &mut Arguments<'_, T>) -> Branches<T> {
    let axis = if a.once_in(6) { a.offset() } else { -1 };
    let first = linear(a, 3, 2);
    (0..a.below(3)).fold(Branches::new(axis).push(first), |b, _| b.push(linear(a, 3, 1)))
}

/// A standard deviation, or sometimes any number.
fn std<T: Float>(a: &mut Arguments<'_, T>) -> f64 {
    if a.once_in(6) { a.number() } else { a.positive() }
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "nn::Conv1d" {
            new: { let s = shapes(a, 1, false); let layer = Conv1d::new(s.x[1], s.outputs, [s.kernel[0]], &mut a.rng());
                layer.forward(a.of(&s.x)) };
            with_config: { let (layer, x) = conv1(a); layer.forward(a.of(&x)) };
            without_bias: { let (layer, x) = conv1(a); layer.without_bias().forward(a.of(&x)) };
            init: { let (layer, x) = conv1(a); layer.init(HE, &mut a.rng()).forward(a.of(&x)) };
        }
        "nn::Conv2d" {
            new: { let s = shapes(a, 2, false); let layer = Conv2d::new(s.x[1], s.outputs, [s.kernel[0], s.kernel[1]], &mut a.rng());
                layer.forward(a.of(&s.x)) };
            with_config: { let (layer, x) = conv2(a); layer.forward(a.of(&x)) };
            without_bias: { let (layer, x) = conv2(a); layer.without_bias().forward(a.of(&x)) };
            init: { let (layer, x) = conv2(a); layer.init(HE, &mut a.rng()).forward(a.of(&x)) };
        }
        "nn::ConvTranspose1d" {
            new: { let s = shapes(a, 1, true); let layer = ConvTranspose1d::new(s.x[1], s.outputs, [s.kernel[0]], &mut a.rng());
                layer.forward(a.of(&s.x)) };
            with_config: { let (layer, x) = transposed1(a); layer.forward(a.of(&x)) };
            without_bias: { let (layer, x) = transposed1(a); layer.without_bias().forward(a.of(&x)) };
            init: { let (layer, x) = transposed1(a); layer.init(HE, &mut a.rng()).forward(a.of(&x)) };
        }
        "nn::ConvTranspose2d" {
            new: { let s = shapes(a, 2, true); let layer = ConvTranspose2d::new(s.x[1], s.outputs, [s.kernel[0], s.kernel[1]], &mut a.rng());
                layer.forward(a.of(&s.x)) };
            with_config: { let (layer, x) = transposed2(a); layer.forward(a.of(&x)) };
            without_bias: { let (layer, x) = transposed2(a); layer.without_bias().forward(a.of(&x)) };
            init: { let (layer, x) = transposed2(a); layer.init(HE, &mut a.rng()).forward(a.of(&x)) };
        }
        "nn::MaxPool1d" {
            new: { let x = plane(a, 1); MaxPool1d::new(window::<T, 1>(a)).forward(x) };
            forward_with_indices: { let x = plane(a, 1);
                MaxPool1d::new(window::<T, 1>(a)).forward_with_indices(x) };
        }
        "nn::AvgPool1d" {
            new: { let x = plane(a, 1); AvgPool1d::new(window::<T, 1>(a)).forward(x) };
            divisor: { let x = plane(a, 1);
                AvgPool1d::new(window::<T, 1>(a)).divisor(divisor(a)).forward(x) };
        }
        "nn::AdaptiveMaxPool1d" {
            new: { let x = plane(a, 1); AdaptiveMaxPool1d::new(each::<T, 1>(a, 1, 3)).forward(x) };
        }
        "nn::AdaptiveAvgPool1d" {
            new: { let x = plane(a, 1); AdaptiveAvgPool1d::new(each::<T, 1>(a, 1, 3)).forward(x) };
        }
        "nn::MaxUnpool1d" {
            new: done(MaxUnpool1d::new(window::<T, 1>(a)));
            forward: { let (x, w) = (plane(a, 1), window::<T, 1>(a));
                let (y, i) = MaxPool1d::new(w).forward_with_indices(x);
                MaxUnpool1d::new(w).forward(y, &at(a, i)) };
            forward_to: { let (x, w) = (plane(a, 1), window::<T, 1>(a));
                let (y, i) = MaxPool1d::new(w).forward_with_indices(x);
                let i = at(a, i); MaxUnpool1d::new(w).forward_to(y, &i, each(a, 5, 9)) };
        }
        "nn::MaxPool2d" {
            new: { let x = plane(a, 2); MaxPool2d::new(window::<T, 2>(a)).forward(x) };
            forward_with_indices: { let x = plane(a, 2);
                MaxPool2d::new(window::<T, 2>(a)).forward_with_indices(x) };
        }
        "nn::AvgPool2d" {
            new: { let x = plane(a, 2); AvgPool2d::new(window::<T, 2>(a)).forward(x) };
            divisor: { let x = plane(a, 2);
                AvgPool2d::new(window::<T, 2>(a)).divisor(divisor(a)).forward(x) };
        }
        "nn::AdaptiveMaxPool2d" {
            new: { let x = plane(a, 2); AdaptiveMaxPool2d::new(each::<T, 2>(a, 1, 3)).forward(x) };
        }
        "nn::AdaptiveAvgPool2d" {
            new: { let x = plane(a, 2); AdaptiveAvgPool2d::new(each::<T, 2>(a, 1, 3)).forward(x) };
        }
        "nn::MaxUnpool2d" {
            new: done(MaxUnpool2d::new(window::<T, 2>(a)));
            forward: { let (x, w) = (plane(a, 2), window::<T, 2>(a));
                let (y, i) = MaxPool2d::new(w).forward_with_indices(x);
                MaxUnpool2d::new(w).forward(y, &at(a, i)) };
            forward_to: { let (x, w) = (plane(a, 2), window::<T, 2>(a));
                let (y, i) = MaxPool2d::new(w).forward_with_indices(x);
                let i = at(a, i); MaxUnpool2d::new(w).forward_to(y, &i, each(a, 5, 9)) };
        }
        "nn::PixelShuffle" {
            new: done(PixelShuffle::new(a.below(5)));
            forward: { let f = a.below(4); let x = if a.once_in(4) { plane(a, 2) } else {
                    a.of(&[2, 2 * f * f, 3, 2]) };
                PixelShuffle::new(f).forward(x) };
        }
        "nn::Upsample1d" {
            nearest: { let x = plane(a, 1); Upsample1d::nearest([a.below(6)]).forward(x) };
            linear: { let x = plane(a, 1); Upsample1d::linear([a.below(6)]).forward(x) };
        }
        "nn::Upsample2d" {
            nearest: { let x = plane(a, 2); Upsample2d::nearest([a.below(6), 3]).forward(x) };
            linear: { let x = plane(a, 2); Upsample2d::linear([a.below(6), 3]).forward(x) };
        }
        "nn::GlobalAvgPool" {
            forward: GlobalAvgPool.forward(plane(a, 2));
        }
        "nn::GlobalMaxPool" {
            forward: GlobalMaxPool.forward(a.var_ranked(3..=4));
        }
        "nn::ZeroPad" {
            new: done(ZeroPad::new([(a.count(0..=2), a.count(0..=2))]));
            forward: { let x = a.var_ranked(1..=4); let mut widths = a.widths(); widths.truncate(2);
                ZeroPad::new(widths).forward(x) };
        }
        "nn::Residual" {
            new: { let body = linear(a, 3, 3); Residual::new(body).forward(signal(a, 3)) };
            shortcut: { let (f, g) = (linear(a, 3, 2), linear(a, 3, 2));
                Residual::new(f).shortcut(g).forward(signal(a, 3)) };
            forward: Residual::new(Activation::Tanh).forward(a.var());
        }
        "nn::Branches" {
            new: done(Branches::<T>::new(a.offset()));
            push: { let b = branches(a).push(Identity); b.forward(signal(a, 3)) };
            layers: branches(a).layers().len();
            forward: { let b = branches(a); b.forward(signal(a, 3)) };
        }
        "nn::ChannelDropout" {
            new: done(ChannelDropout::new(a.number()));
            forward: ChannelDropout::new(a.probability()).forward(a.var_ranked(2..=4));
        }
        "nn::DropPath" {
            new: done(DropPath::new(a.number()));
            forward: DropPath::new(a.probability()).forward(a.var_ranked(1..=4));
        }
        "nn::GaussianNoise" {
            new: done(GaussianNoise::new(a.number()));
            forward: GaussianNoise::new(std(a)).forward(a.var());
        }
        "nn::NoisyWeights" {
            new: done(NoisyWeights::new(Identity, a.number()));
            forward: { let layer = linear(a, 3, 2); NoisyWeights::new(layer, std(a)).forward(signal(a, 3)) };
        }
        "nn::Identity" {
            forward: Identity.forward(a.var());
        }
        "nn::Lambda" {
            new: done(Lambda::new(|x: Var<'_, T>| x.tanh()));
            forward: Lambda::new(|x: Var<'_, T>| x.t()).forward(a.var_ranked(2..=3));
        }
        "nn::Reshape" {
            new: done(Reshape::new(a.new_shape()));
            forward: { let [m, n] = a.sizes(); let x = signal(a, m * n);
                if a.once_in(3) { Reshape::new(a.reshaped()).forward(x) } else { Reshape::new([n, m]).forward(x) } };
        }
        "nn::Unflatten" {
            new: done(Unflatten::new(a.offset(), a.new_shape()));
            forward: { let [m, n] = a.sizes(); let x = signal(a, m * n);
                let axis = if a.once_in(3) { a.axis() } else { 1 }; Unflatten::new(axis, [m, n]).forward(x) };
        }
        "nn::sizes" {
            conv: { let (n, k) = (each::<T, 2>(a, 3, 6), each(a, 1, 3)); sizes::conv(n, k, &conv(a, 1)) };
            conv_transpose: { let (n, k) = (each::<T, 2>(a, 3, 6), each(a, 1, 3));
                sizes::conv_transpose(n, k, &transposed(a, 1)) };
            pool: { let n = each::<T, 2>(a, 3, 6); sizes::pool(n, &window(a)) };
            receptive_field: { let layers: Vec<_> = (0..a.below(4)).map(|_| each::<T, 3>(a, 1, 3).into()).collect();
                sizes::receptive_field(&layers) };
        }
    }
}
