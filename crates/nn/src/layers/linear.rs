//! [`Linear`]: y = x Wᵀ + b.

use crate::Module;
use crate::init;
use crate::layers::{Layer, optional, redraw, weight_and_bias};
use wengert_ops::random::Rng;
use wengert_tape::{Float, Param, Var};

/// An affine map `[.., inputs]` → `[.., outputs]`; weight `[outputs, inputs]` and bias `[outputs]`, as in PyTorch.
///
/// ```
/// use wengert_nn::{Layer, Linear};
/// use wengert_ops::{Tensor, random::Rng};
/// let layer = Linear::<f32>::new(3, 2, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(layer.forward(tape.constant(Tensor::zeros([5, 3]))).shape(), [5, 2]);
/// ```
#[derive(Debug, Clone, Module)]
pub struct Linear<T: Float> {
    /// The weight, `[outputs, inputs]`.
    pub weight: Param<T>,
    /// The bias, `[outputs]`.
    pub bias: Option<Param<T>>,
}

impl<T: Float> Linear<T> {
    /// A layer with weights and biases uniform on ±1/√inputs, PyTorch's default.
    ///
    /// # Panics
    /// If the weight does not fit in memory.
    pub fn new(inputs: usize, outputs: usize, rng: &mut Rng) -> Self {
        let (weight, bias) = weight_and_bias(&[outputs, inputs], outputs, inputs as f64, rng);
        Linear { weight, bias }
    }

    /// The layer without its bias.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.bias = None;
        self
    }

    /// The layer with its weights drawn from `scheme` and a bias of zero.
    #[must_use]
    pub fn init(mut self, scheme: init::Scheme, rng: &mut Rng) -> Self {
        redraw(&mut self.weight, &mut self.bias, scheme, rng);
        self
    }
}

impl<T: Float> Layer<T> for Linear<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        x.linear(tape.param(&self.weight), optional(tape, &self.bias))
    }
}
