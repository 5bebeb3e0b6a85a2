//! [`Residual`]: y = x + f(x).

use crate::Module;
use crate::layers::{Layer, refused};
use wengert_tape::{Float, Var};

/// A residual connection around a layer (He et al. 2016): the sum of the body's output and the input, or a shortcut's
/// output if the body changes the shape. Both must have the same shape; they are not broadcast.
///
/// ```
/// use wengert_nn::{Activation, Layer, Linear, Module, Residual, Sequential};
/// use wengert_ops::{Tensor, random::Rng};
/// let mut rng = Rng::seed(0);
/// let body = Sequential::<f32>::new().push(Linear::new(3, 5, &mut rng)).push(Activation::Tanh);
/// let block = Residual::new(body).shortcut(Linear::new(3, 5, &mut rng).without_bias());
/// assert_eq!(block.param_names(), ["body.0.weight", "body.0.bias", "shortcut.weight"]);
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(block.forward(tape.constant(Tensor::zeros([2, 3]))).shape(), [2, 5]);
/// ```
#[derive(Module)]
pub struct Residual<T: Float> {
    /// The layer f.
    pub body: Box<dyn Layer<T>>,
    /// The layer whose output replaces x in the sum, such as a projection; `None` for x itself.
    pub shortcut: Option<Box<dyn Layer<T>>>,
}

impl<T: Float> Residual<T> {
    /// x + body(x).
    pub fn new(body: impl Layer<T> + 'static) -> Self {
        Residual { body: Box::new(body), shortcut: None }
    }

    /// shortcut(x) + body(x).
    #[must_use]
    pub fn shortcut(mut self, shortcut: impl Layer<T> + 'static) -> Self {
        self.shortcut = Some(Box::new(shortcut));
        self
    }
}

impl<T: Float> Layer<T> for Residual<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let through = self.body.forward(x);
        let past = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        if !past.is_failed() && !through.is_failed() && past.shape() != through.shape() {
            let (what, past) = (if self.shortcut.is_some() { "the shortcut" } else { "x" }, past.shape());
            let detail = format!(
                "the body returns shape {}, {what} has {past}; use a shortcut that returns the body's shape",
                through.shape()
            );
            return scope.close(refused(x.tape(), "residual", detail));
        }
        scope.close(past + through)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::layers::{Activation, Linear, Sequential};
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;
    use wengert_tape::Tape;

    #[test]
    fn the_gradient_is_right() {
        let mut rng = Rng::seed(0);
        let mut linear = |i: usize, o: usize| Linear::<f64>::new(i, o, &mut rng);
        let inner = Residual::new(Sequential::new().push(linear(4, 4)).push(Activation::Tanh));
        let body = Sequential::new().push(linear(3, 4)).push(inner);
        let mut block = Residual::new(body).shortcut(linear(3, 4));
        let x = Tensor::randn([5, 3], &mut Rng::seed(1)).unwrap();
        let report =
            gradcheck::check(&mut block, |b, tape| b.forward(tape.constant(&x)).sin().sum(), 4).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn a_body_of_another_shape_is_an_error_of_the_layer() {
        // The output of a body with one feature would broadcast.
        for features in [5, 1] {
            let block = Residual::new(Linear::<f64>::new(3, features, &mut Rng::seed(0)));
            let tape = Tape::new();
            let e = block.forward(tape.constant(Tensor::ones([2, 3]))).value().unwrap_err();
            assert!(e.op() == "residual" && e.location().map(|at| at.file()) == Some(file!()), "{e}");
            let said = format!("returns shape [2, {features}], x has [2, 3]");
            assert!(e.detail().contains(&said), "{e}");
        }
    }
}
