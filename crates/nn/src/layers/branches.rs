//! [`Branches`]: parallel layers whose outputs are concatenated.

use crate::layers::{Layer, refused};
use crate::module::{Module, ModulePath, Visitor, VisitorMut};
use wengert_tape::{Float, Var};

/// Layers that all receive the same input, and whose outputs are concatenated along an axis, as in an Inception block; with
/// an [`Identity`](crate::Identity) among them, as in a DenseNet. Their names are their positions.
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
    /// The axis along which the outputs are concatenated; a negative axis counts from the last.
    pub axis: isize,
}

impl<T: Float> Branches<T> {
    /// No layers yet; outputs will be concatenated along `axis`.
    pub fn new(axis: isize) -> Self {
        Branches { layers: Vec::new(), axis }
    }

    /// Adds a layer.
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
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        visitor.enter(path, "Branches");
        self.layers.visit(path, visitor);
        visitor.leave(path);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
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
        match apart(&outputs, self.axis) {
            Some(detail) => scope.close(refused(tape, "branches", detail)),
            None => scope.close(tape.concat(&outputs, self.axis)),
        }
    }
}

/// Why the outputs cannot be concatenated; `None` if they can. A failed output reports its own error.
fn apart<T: Float>(outputs: &[Var<'_, T>], axis: isize) -> Option<String> {
    if outputs.iter().any(|y| y.is_failed()) {
        return None;
    }
    let shapes: Vec<_> = outputs.iter().map(|y| y.shape()).collect();
    let (first, rank) = (shapes.first()?, outputs.first()?.rank());
    let at = if axis < 0 { rank.checked_sub(axis.unsigned_abs()) } else { usize::try_from(axis).ok() };
    let Some(at) = at.filter(|at| *at < rank) else {
        return Some(format!("expected outputs that have an axis {axis}, found shape {first}"));
    };
    let rest = |s: &[usize]| {
        (s.len(), s.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, n)| *n).collect::<Vec<_>>())
    };
    let other = shapes.iter().position(|s| rest(s.as_shape()) != rest(first.as_shape()))?;
    Some(format!(
        "expected outputs that differ along axis {axis} alone, found {first} of branch 0 and {} of branch {other}",
        shapes[other]
    ))
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

    #[test]
    fn outputs_that_do_not_fit_are_an_error_of_the_layer() {
        let mut rng = Rng::seed(0);
        let tape = wengert_tape::Tape::<f64>::eval();
        let x = tape.constant(Tensor::ones([2, 3]));
        for axis in [0, 2, -3] {
            let layer =
                Branches::new(axis).push(Linear::new(3, 4, &mut rng)).push(Linear::new(3, 5, &mut rng));
            let e = layer.forward(x).value().unwrap_err();
            assert!(e.op() == "branches" && e.location().map(|at| at.file()) == Some(file!()), "{e}");
            let words =
                if axis == 0 { "[2, 4] of branch 0 and [2, 5] of branch 1" } else { "found shape [2, 4]" };
            assert!(e.detail().contains(words), "{e}");
        }
    }
}
