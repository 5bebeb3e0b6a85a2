//! [`Branches`]: layers beside each other, their outputs joined.

use crate::layers::{Layer, refused};
use crate::module::{Module, Path, Visitor, VisitorMut};
use wengert_tape::{Float, Var};

/// Layers that all see the same input, their outputs joined along an axis, as in an Inception block; with an
/// [`Identity`](crate::Identity) among them, as in a DenseNet. Named by their positions.
///
/// ```
/// use wengert_nn::{Branches, Identity, Layer, Linear, Module};
/// use wengert_ops::{Tensor, random::Rng};
/// let layer = Branches::<f32>::new(-1).push(Identity).push(Linear::new(3, 2, &mut Rng::seed(0)));
/// assert_eq!(layer.param_names(), ["1.weight", "1.bias"]);
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(layer.forward(tape.constant(Tensor::zeros([4, 3]))).shape(), [4, 5]);
/// ```
pub struct Branches<T: Float> {
    layers: Vec<Box<dyn Layer<T>>>,
    /// Along which the outputs are joined; a negative axis counts from the last.
    pub axis: isize,
}

impl<T: Float> Branches<T> {
    /// No layers yet, to be joined along `axis`.
    pub fn new(axis: isize) -> Self {
        Branches { layers: Vec::new(), axis }
    }

    /// The same with one more layer.
    #[must_use]
    pub fn push(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The layers, in order.
    pub fn layers(&self) -> &[Box<dyn Layer<T>>] {
        &self.layers
    }
}

impl<T: Float> Module for Branches<T> {
    fn kind(&self) -> &'static str {
        "Branches"
    }
    fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor) {
        visitor.enter(path, "Branches");
        self.layers.visit(path, visitor);
        visitor.leave(path);
    }
    fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut) {
        self.layers.visit_mut(path, visitor);
    }
}

impl<T: Float> Layer<T> for Branches<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        if self.layers.is_empty() {
            return refused(tape, "branches", "expected at least one branch, found none".into());
        }
        let scope = tape.open_scope();
        let mut outputs = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            outputs.push(layer.forward(x));
        }
        scope.close(tape.concat(&outputs, self.axis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::layers::{Identity, Linear};
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;
    use wengert_tape::Tape;

    #[test]
    fn the_gradient_is_right_and_nothing_to_join_is_refused() {
        let mut rng = Rng::seed(0);
        let linear = Linear::<f64>::new(3, 2, &mut rng);
        let mut layer = Branches::new(1).push(linear.clone()).push(Identity).push(linear);
        let x = Tensor::randn([5, 3], &mut rng).unwrap();
        let report =
            gradcheck::check(&mut layer, |l, tape| l.forward(tape.constant(&x)).sin().sum(), 4).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        let tape = Tape::new();
        let e = Branches::<f64>::new(0).forward(tape.constant(&x)).value().unwrap_err();
        assert!(e.op() == "branches" && e.location().map(|at| at.file()) == Some(file!()), "{e}");
    }
}
