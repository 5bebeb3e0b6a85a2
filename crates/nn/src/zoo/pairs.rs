//! Pairs of an encoder and the decoder that inverts it, for autoencoders of every kind.

use crate::layers::{Activation, Conv2d, ConvTranspose2d, Flatten, Linear, Reshape, Sequential};
use wengert_ops::random::Rng;
use wengert_ops::{ConvOptions, ConvTransposeOptions};
use wengert_tape::Float;

/// An encoder `[n, ..]` → `[n, features]` that ends in an activation, and a decoder `[n, latent]` → `[n, ..]` that ends in a
/// linear map. The model itself adds the map from features to z.
pub(super) struct Pair<T: Float> {
    pub(super) encoder: Sequential<T>,
    pub(super) features: usize,
    pub(super) decoder: Sequential<T>,
}

/// Dense layers of the `hidden` widths, in reverse order in the decoder.
pub(super) fn dense<T: Float>(
    inputs: usize,
    hidden: &[usize],
    latent: usize,
    activation: Activation,
    rng: &mut Rng,
) -> Pair<T> {
    let mut stack = |from: usize, widths: &mut dyn Iterator<Item = usize>| {
        let (mut net, mut last) = (Sequential::new(), from);
        for width in widths {
            net = net.push(Linear::new(last, width, rng)).push(activation);
            last = width;
        }
        (net, last)
    };
    let (encoder, features) = stack(inputs, &mut hidden.iter().copied());
    let (decoder, last) = stack(latent, &mut hidden.iter().rev().copied());
    Pair { encoder, features, decoder: decoder.push(Linear::new(last, inputs, rng)) }
}

/// Layers for images `[n, channels, size, size]`, where `size` is a multiple of 4: two strided convolutions with `width` and
/// 2 `width` channels, and two transposed ones back.
pub(super) fn convolutional<T: Float>(
    channels: usize,
    size: usize,
    width: usize,
    latent: usize,
    rng: &mut Rng,
) -> Pair<T> {
    let (inner, wide) = (size / 4, 2 * width);
    let features = wide * inner * inner;
    let half = ConvOptions::default().stride(2).padding(1);
    let encoder = Sequential::new()
        .push(Conv2d::with_config(channels, width, 4, half, rng))
        .push(Activation::Relu)
        .push(Conv2d::with_config(width, wide, 4, half, rng))
        .push(Activation::Relu)
        .push(Flatten);
    let double = ConvTransposeOptions::default().stride(2).padding(1);
    let decoder = Sequential::new()
        .push(Linear::new(latent, features, rng))
        .push(Activation::Relu)
        .push(Reshape::new([wide, inner, inner]))
        .push(ConvTranspose2d::with_config(wide, width, 4, double, rng))
        .push(Activation::Relu)
        .push(ConvTranspose2d::with_config(width, channels, 4, double, rng));
    Pair { encoder, features, decoder }
}
