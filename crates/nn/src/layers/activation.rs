//! [`Activation`]: the activation functions as layers.

use crate::Module;
use crate::layers::Layer;
use wengert_tape::{Float, Var};

/// An activation function, elementwise except for the softmaxes.
///
/// ```
/// use wengert_nn::{Activation, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let y = Activation::Relu.forward(tape.constant(Tensor::from([-1.0, 2.0])));
/// assert_eq!(y.value()?.to_vec(), [0.0, 2.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Module)]
#[non_exhaustive]
pub enum Activation {
    /// x.
    Identity,
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// arctan x.
    Atan,
    /// tanh x.
    Tanh,
    /// max(0, x).
    Relu,
    /// x above 0, the slope times x below.
    LeakyRelu(f64),
    /// x above 0, α (eˣ - 1) below.
    Elu(f64),
    /// x Φ(x).
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// x σ(x).
    Silu,
    /// log(1 + eˣ).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// x tanh(log(1 + eˣ)).
    Mish,
    /// The scaled ELU that keeps mean 0 and variance 1.
    Selu,
    /// clamp(x, 0, 6).
    Relu6,
    /// clamp(x, -1, 1).
    Hardtanh,
    /// clamp(x/6 + 1/2, 0, 1).
    Hardsigmoid,
    /// x · hardsigmoid(x).
    Hardswish,
    /// Softmax along the last axis.
    Softmax,
    /// Log-softmax along the last axis.
    LogSoftmax,
}

impl<T: Float> Layer<T> for Activation {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        match *self {
            Activation::Identity => x,
            Activation::Sigmoid => x.sigmoid(),
            Activation::Atan => x.atan(),
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.relu(),
            Activation::LeakyRelu(slope) => x.leaky_relu(slope),
            Activation::Elu(alpha) => x.elu(alpha),
            Activation::Gelu => x.gelu(),
            Activation::GeluTanh => x.gelu_tanh(),
            Activation::Silu => x.silu(),
            Activation::Softplus => x.softplus(),
            Activation::Softsign => x.softsign(),
            Activation::Mish => x.mish(),
            Activation::Selu => x.selu(),
            Activation::Relu6 => x.relu6(),
            Activation::Hardtanh => x.hardtanh(),
            Activation::Hardsigmoid => x.hardsigmoid(),
            Activation::Hardswish => x.hardswish(),
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
        }
    }
}
