//! [`Activation`]: the activation functions as layers.

use crate::Module;
use crate::layers::Layer;
use wengert_tape::rules::{self, clamp::Clamp};
use wengert_tape::{Elementary, Float, Real, Var};

/// An activation function, applied elementwise except for the softmaxes.
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
    /// x above 0, and the given slope times x below.
    LeakyRelu(f64),
    /// x above 0, and α (eˣ - 1) below, with the given α.
    Elu(f64),
    /// x Φ(x), with the normal distribution function Φ.
    Gelu,
    /// The tanh approximation of GELU.
    GeluTanh,
    /// x σ(x), with the sigmoid σ.
    Silu,
    /// log(1 + eˣ).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// x tanh(log(1 + eˣ)).
    Mish,
    /// The scaled ELU (Klambauer et al. 2017), which keeps mean 0 and variance 1.
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

impl Activation {
    /// The function of a single number of any kind: a plain number, a dual number, a handle of the scalar tape. `None` for the
    /// softmaxes, which are functions of a whole axis.
    ///
    /// ```
    /// use wengert_nn::Activation;
    /// use wengert_tape::scalar::Tape;
    /// assert_eq!(Activation::Relu.of(-2.0), Some(0.0));
    /// let tape = Tape::new();
    /// let x = tape.var(0.5);
    /// let y = Activation::Tanh.of(x).unwrap();
    /// assert_eq!(tape.gradient(y)?.wrt(x)?, 1.0 - 0.5f64.tanh().powi(2));
    /// assert!(Activation::Softmax.of(0.5).is_none());
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn of<R: Real>(self, x: R) -> Option<R> {
        Some(match self {
            Activation::Identity => x,
            Activation::Sigmoid => x.sigmoid(),
            Activation::Atan => x.atan(),
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.relu(),
            Activation::LeakyRelu(slope) => x.apply(rules::leaky_relu::LeakyRelu(slope)),
            Activation::Elu(alpha) => x.apply(rules::elu::Elu(alpha)),
            Activation::Gelu => x.gelu(),
            Activation::GeluTanh => x.apply(rules::gelu_tanh::GeluTanh),
            Activation::Silu => x.silu(),
            Activation::Softplus => x.softplus(),
            Activation::Softsign => x.apply(rules::softsign::Softsign),
            Activation::Mish => x.apply(rules::mish::Mish),
            Activation::Selu => x.apply(rules::elu::Elu(rules::selu::ALPHA)).scale(rules::selu::SCALE),
            Activation::Relu6 => x.apply(Clamp { low: 0.0, high: 6.0 }),
            Activation::Hardtanh => x.apply(Clamp { low: -1.0, high: 1.0 }),
            Activation::Hardsigmoid => x.apply(rules::hardsigmoid::Hardsigmoid),
            Activation::Hardswish => x.apply(rules::hardswish::Hardswish),
            Activation::Softmax | Activation::LogSoftmax => return None,
        })
    }
}

impl<T: Float> Layer<T> for Activation {
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        match *self {
            Activation::Softmax => x.softmax(-1),
            Activation::LogSoftmax => x.log_softmax(-1),
            pointwise => pointwise.of(x).unwrap_or(x),
        }
    }
}
