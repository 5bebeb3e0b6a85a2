//! The vision Transformer.

use crate::Module;
use crate::init::Scheme;
use crate::layers::{
    Activation, Dropout, Layer, LearnedPositions, Linear, NormOrder, TransformerConfig, TransformerEncoder,
};
use wengert_ops::random::Rng;
use wengert_tape::{Error, ErrorKind, Float, Param, Var};

/// The shape of a [`Vit`].
#[derive(Debug, Clone, PartialEq)]
pub struct VitConfig {
    /// The number of channels of the images. Default: `1`.
    pub channels: usize,
    /// The height and width of the images. Default: `28`.
    pub size: usize,
    /// The height and width of a patch, a divisor of the size. Default: `4`.
    pub patch: usize,
    /// The number of classes. Default: `10`.
    pub classes: usize,
    /// The number of features of each patch. Default: `64`.
    pub width: usize,
    /// The number of heads, which divides the width. Default: `4`.
    pub heads: usize,
    /// The number of blocks. Default: `4`.
    pub layers: usize,
    /// The probability of dropping a feature. Default: `0.1`.
    pub dropout: f64,
}

impl Default for VitConfig {
    /// A network for images of 28 × 28 pixels with one channel.
    fn default() -> Self {
        VitConfig {
            channels: 1,
            size: 28,
            patch: 4,
            classes: 10,
            width: 64,
            heads: 4,
            layers: 4,
            dropout: 0.1,
        }
    }
}

/// A Transformer encoder over patches of an image, `[n, channels, size, size]` → logits `[n, classes]`: patches are mapped to
/// vectors, a learned class vector is put before them, positions are added, and the head reads the class vector's output.
/// (Dosovitskiy et al. 2021, eq. 1 to 4.)
///
/// ```
/// use wengert_nn::{Layer, zoo::{Vit, VitConfig}};
/// use wengert_ops::{Tensor, random::Rng};
/// let net = Vit::<f32>::with_config(&VitConfig { layers: 1, ..VitConfig::default() }, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(net.forward(tape.constant(Tensor::zeros([2, 1, 28, 28]))).shape(), [2, 10]);
/// ```
#[derive(Debug, Clone, Module)]
pub struct Vit<T: Float> {
    /// The linear map from a patch's elements to features, channels · patch² → width.
    pub embed: Linear<T>,
    /// The class vector, whose output the head reads, `[1, 1, width]`.
    pub class: Param<T>,
    /// The position vectors of the class vector and of each patch, `[1 + patches, width]`.
    pub positions: LearnedPositions<T>,
    /// The dropout after the positions are added.
    pub dropout: Dropout,
    /// The blocks, with the norms first.
    pub encoder: TransformerEncoder<T>,
    /// The linear map from features to logits, width → classes.
    pub head: Linear<T>,
    /// The height and width of a patch.
    pub patch: usize,
}

impl<T: Float> Vit<T> {
    /// A network with PyTorch's default weights, and position vectors of standard deviation 0.02.
    pub fn with_config(config: &VitConfig, rng: &mut Rng) -> Self {
        let patches = (config.size / config.patch.max(1)).pow(2);
        let blocks = blocks(config.width, config.heads, config.layers, config.dropout);
        Vit {
            embed: Linear::new(config.channels * config.patch * config.patch, config.width, rng),
            class: Param::new(Scheme::Normal(0.02).sample(&[1, 1, config.width].into(), rng)),
            positions: LearnedPositions::new(patches + 1, config.width, rng),
            dropout: Dropout::new(config.dropout),
            encoder: TransformerEncoder::with_config(&blocks, rng),
            head: Linear::new(config.width, config.classes, rng),
            patch: config.patch,
        }
    }

    /// The patches of images, `[n, channels, h, w]` → `[n, patches, channels · patch²]`, row by row.
    #[track_caller]
    pub fn patches<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        patches(x, self.patch)
    }
}

/// The patches of images, `[n, channels, h, w]` → `[n, patches, channels · patch²]`, row by row.
#[track_caller]
pub(super) fn patches<T: Float>(x: Var<'_, T>, patch: usize) -> Var<'_, T> {
    if x.is_failed() {
        return x;
    }
    let (dims, p) = (x.shape(), patch.max(1));
    let &[n, channels, height, width] = &dims.as_shape()[..] else {
        return x.tape().failed(misfit(format!("expected images [n, channels, h, w], found {dims}")));
    };
    if !height.is_multiple_of(p) || !width.is_multiple_of(p) {
        let detail = format!("expected images of a height and width that are multiples of {p}, found {dims}");
        return x.tape().failed(misfit(detail));
    }
    let (rows, columns) = (height / p, width / p);
    x.reshape([n, channels, rows, p, columns, p])
        .permute([0, 2, 4, 1, 3, 5]) // [n, rows, columns, channels, p, p]
        .reshape([n, rows * columns, channels.saturating_mul(p).saturating_mul(p)])
}

fn misfit(detail: String) -> Error {
    Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), "patches", detail)
}

/// The configuration of blocks with the norms first, GELU, and feed-forward parts four times as wide.
pub(super) fn blocks(width: usize, heads: usize, layers: usize, dropout: f64) -> TransformerConfig {
    TransformerConfig {
        width,
        heads,
        hidden: width.saturating_mul(4),
        layers,
        dropout,
        activation: Activation::Gelu,
        order: NormOrder::Pre,
        ..TransformerConfig::default()
    }
}

impl<T: Float> Layer<T> for Vit<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        let scope = tape.open_scope();
        let patches = self.embed.forward(self.patches(x)); // [n, patches, width]
        if patches.is_failed() {
            return scope.close(patches);
        }
        let class = tape.param(&self.class).expand([patches.dim(0), 1, patches.dim(2)]);
        let h = self.positions.forward(tape.concat(&[class, patches], 1));
        let h = self.encoder.forward(self.dropout.forward(h));
        scope.close(self.head.forward(h.select(1, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    #[test]
    fn a_patch_that_divides_nothing_is_refused() {
        let config = VitConfig { size: 4, patch: 2, width: 4, heads: 2, layers: 1, ..VitConfig::default() };
        let mut net = Vit::<f32>::with_config(&config, &mut Rng::seed(0));
        let tape = Tape::eval();
        for patch in [3, usize::MAX] {
            net.patch = patch;
            assert!(net.forward(tape.constant(Tensor::zeros([2, 1, 4, 4]))).value().is_err());
        }
    }
}
