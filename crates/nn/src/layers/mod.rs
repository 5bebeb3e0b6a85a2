//! Layers, one file each.

mod activation;
mod attention;
mod attention_mask;
mod batch_norm;
mod bilinear;
mod branches;
mod channel_dropout;
mod conv;
mod drop_path;
mod dropout;
mod embedding;
mod flatten;
mod group_norm;
mod identity;
mod instance_norm;
mod kv_cache;
mod lambda;
mod layer_norm;
mod linear;
mod noise;
mod pool;
mod positions;
mod recurrent;
mod reshape;
mod residual;
mod rms_norm;
mod sequential;
mod transformer;
mod transformer_decoder;
mod transformer_encoder;
mod upsample;

pub use activation::Activation;
pub use attention::{AttentionConfig, MultiHeadAttention};
pub use attention_mask::AttentionMask;
pub use batch_norm::BatchNorm;
pub use bilinear::Bilinear;
pub use branches::Branches;
pub use channel_dropout::ChannelDropout;
pub use conv::{Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d};
pub use drop_path::DropPath;
pub use dropout::Dropout;
pub use embedding::Embedding;
pub use flatten::Flatten;
pub use group_norm::GroupNorm;
pub use identity::Identity;
pub use instance_norm::InstanceNorm;
pub use kv_cache::KvCache;
pub use lambda::Lambda;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use noise::{GaussianNoise, NoisyWeights};
pub use pool::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d, AvgPool2d,
    GlobalAvgPool, GlobalMaxPool, MaxPool1d, MaxPool2d, MaxUnpool1d, MaxUnpool2d, ZeroPad,
};
pub use positions::{LearnedPositions, Rotary, RotaryLayout, SinusoidalPositions};
pub use recurrent::{Gru, Lstm, RecurrentConfig, ReluRnn, Rnn, RnnInput, RnnOutput};
pub use reshape::{Reshape, Unflatten};
pub use residual::Residual;
pub use rms_norm::RmsNorm;
pub use sequential::Sequential;
pub use transformer::{NormOrder, Transformer, TransformerConfig, TransformerMasks};
pub use transformer_decoder::{DecoderCache, TransformerDecoder, TransformerDecoderLayer};
pub use transformer_encoder::{TransformerEncoder, TransformerEncoderLayer};
pub use upsample::{Interpolation, PixelShuffle, Upsample1d, Upsample2d};

use crate::init;
use crate::module::Module;
use wengert_ops::random::Rng;
use wengert_ops::{Tensor, ToShape};
use wengert_tape::{Error, ErrorKind, Float, Param, Tape, Var};

/// A module with one input and one output.
///
/// `forward` has `#[track_caller]` here, on the declaration, so that an error names the line that called the outermost layer,
/// even through `dyn Layer`.
pub trait Layer<T: Float>: Module + Send + Sync {
    /// The output for `x`; the layer itself does not change.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T>;
}

impl<T: Float, L: Layer<T> + ?Sized> Layer<T> for Box<L> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        (**self).forward(x)
    }
}

/// The handle of a parameter that may be absent, such as a bias.
#[track_caller]
fn optional<'t, T: Float>(tape: &'t Tape<T>, p: &Option<Param<T>>) -> Option<Var<'t, T>> {
    match p {
        Some(p) => Some(tape.param(p)),
        None => None,
    }
}

/// A weight of the given shape and a bias for `outputs` features, both uniform on ±1/√fan-in: PyTorch's default.
fn weight_and_bias<T: Float>(
    shape: &[usize],
    outputs: usize,
    fan_in: f64,
    rng: &mut Rng,
) -> (Param<T>, Option<Param<T>>) {
    let bound = 1.0 / fan_in.max(1.0).sqrt();
    let weight = Param::new(init::uniform(shape, bound, rng));
    let bias = Param::new(init::uniform(&[outputs], bound, rng));
    (weight, Some(bias))
}

/// Replaces a weight by one drawn from `scheme`, and a bias by zeros.
fn redraw<T: Float>(weight: &mut Param<T>, bias: &mut Option<Param<T>>, scheme: init::Scheme, rng: &mut Rng) {
    *weight = Param::new(scheme.sample(weight.shape(), rng));
    *bias = bias.take().map(|b| zeros(b.shape()));
}

/// A parameter of ones, the initial weight of a normalising layer.
fn ones<T: Float>(shape: impl ToShape) -> Param<T> {
    Param::new(Tensor::ones(shape))
}

/// A parameter of zeros, such as the initial bias of a normalising layer.
fn zeros<T: Float>(shape: impl ToShape) -> Param<T> {
    Param::new(Tensor::zeros(shape))
}

/// The failed value of a layer that refuses its input.
#[track_caller]
fn refused<'t, T: Float>(tape: &'t Tape<T>, op: &'static str, detail: String) -> Var<'t, T> {
    tape.failed(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), op, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gradcheck, loss};

    /// Asserts that the gradient of a normalising layer is right, for an input of the given shape.
    pub(super) fn has_right_gradient(layer: &mut impl Layer<f64>, shape: &[usize]) {
        let n = shape.iter().product();
        let x = Tensor::<f64>::steps(0.0, 0.7, n).map(|v| (v * v).sin()).reshape(shape).unwrap();
        let target = x.map(f64::cos);
        let report =
            gradcheck::check(layer, |layer, tape| loss::mse(layer.forward(tape.constant(&x)), &target), 4)
                .unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }
}
