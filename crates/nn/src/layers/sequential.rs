//! [`Sequential`]: layers applied one after the other.

use crate::layers::Layer;
use crate::module::{Module, ModulePath, Visitor, VisitorMut};
use wengert_tape::{Float, Var};

/// Layers that are applied one after the other. Their names are their positions, as in PyTorch.
///
/// ```
/// use wengert_nn::{Activation, Layer, Linear, Module, Sequential};
/// use wengert_ops::{Tensor, random::Rng};
/// let mut rng = Rng::seed(0);
/// let net = Sequential::<f32>::new()
///     .push(Linear::new(4, 8, &mut rng))
///     .push(Activation::Tanh)
///     .push(Linear::new(8, 2, &mut rng));
/// assert_eq!(net.param_names(), ["0.weight", "0.bias", "2.weight", "2.bias"]);
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(net.forward(tape.constant(Tensor::zeros([3, 4]))).shape(), [3, 2]);
/// ```
#[derive(Default)]
pub struct Sequential<T: Float> {
    layers: Vec<Box<dyn Layer<T>>>,
}

impl<T: Float> Sequential<T> {
    /// No layers: the identity.
    pub fn new() -> Self {
        Sequential { layers: Vec::new() }
    }

    /// Adds a layer at the end.
    #[must_use]
    pub fn push(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Box<dyn Layer<T>>] {
        &self.layers
    }

    /// The layers, in order, to replace or change.
    pub fn layers_mut(&mut self) -> &mut Vec<Box<dyn Layer<T>>> {
        &mut self.layers
    }
}

impl<T: Float> Module for Sequential<T> {
    fn kind(&self) -> &'static str {
        "Sequential"
    }
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        visitor.enter(path, "Sequential");
        self.layers.visit(path, visitor);
        visitor.leave(path);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self.layers.visit_mut(path, visitor);
    }
}

impl<T: Float> Layer<T> for Sequential<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let mut x = x;
        for layer in &self.layers {
            x = layer.forward(x);
        }
        scope.close(x)
    }
}
