//! [`Bilinear`]: yₒ = aᵀ Wₒ b + biasₒ.

use crate::Module;
use crate::layers::{optional, weight_and_bias};
use wengert_ops::random::Rng;
use wengert_tape::{Float, Param, Var};

/// A bilinear map of two inputs, `[.., first]` and `[.., second]` → `[.., outputs]`; weight `[outputs, first, second]` and
/// bias `[outputs]`, as in PyTorch.
///
/// ```
/// use wengert_nn::Bilinear;
/// use wengert_ops::{Tensor, random::Rng};
/// let layer = Bilinear::<f32>::new(3, 4, 2, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// let (a, b) = (tape.constant(Tensor::zeros([5, 3])), tape.constant(Tensor::zeros([5, 4])));
/// assert_eq!(layer.forward(a, b).shape(), [5, 2]);
/// ```
#[derive(Debug, Clone, Module)]
pub struct Bilinear<T: Float> {
    /// The weight, `[outputs, first, second]`.
    pub weight: Param<T>,
    /// The bias, `[outputs]`.
    pub bias: Option<Param<T>>,
}

impl<T: Float> Bilinear<T> {
    /// A layer with weights and biases uniform on ±1/√first, PyTorch's default.
    ///
    /// # Panics
    /// If the weight does not fit in memory.
    pub fn new(first: usize, second: usize, outputs: usize, rng: &mut Rng) -> Self {
        let (weight, bias) = weight_and_bias(&[outputs, first, second], outputs, first as f64, rng);
        Bilinear { weight, bias }
    }

    /// The layer without its bias.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.bias = None;
        self
    }

    /// The output for `a`, `[.., first]`, and `b`, `[.., second]`: `[.., outputs]`.
    #[track_caller]
    pub fn forward<'t>(&self, a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
        let tape = a.tape();
        a.bilinear(b, tape.param(&self.weight), optional(tape, &self.bias))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    #[test]
    fn the_gradient_is_right() {
        let mut layer = Bilinear::<f64>::new(2, 3, 2, &mut Rng::seed(0));
        let mut rng = Rng::seed(1);
        let (a, b) = (Tensor::randn([4, 2], &mut rng).unwrap(), Tensor::randn([4, 3], &mut rng).unwrap());
        let report = gradcheck::check(
            &mut layer,
            |layer, tape| layer.forward(tape.constant(&a), tape.constant(&b)).tanh().sum(),
            4,
        )
        .unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        assert_eq!(layer.param_names(), ["weight", "bias"]);
        assert_eq!(layer.without_bias().num_params(), 12);
    }

    #[test]
    fn wrong_widths_are_refused() {
        let layer = Bilinear::<f64>::new(2, 3, 2, &mut Rng::seed(0));
        let tape = Tape::new();
        let x = tape.constant(Tensor::zeros([4, 2]));
        let e = layer.forward(x, x).value().unwrap_err();
        assert!(e.op() == "bilinear" && e.location().map(|at| at.file()) == Some(file!()), "{e}");
    }
}
