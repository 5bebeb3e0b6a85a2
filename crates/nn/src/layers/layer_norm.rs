//! [`LayerNorm`]: the last axes of each sample normalised.

use crate::Module;
use crate::layers::{Layer, ones, optional, zeros};
use wengert_ops::ToShape;
use wengert_tape::{Float, Param, Var};

/// Layer norm (Ba, Kiros and Hinton 2016) over the last axes of `[.., normalized]`, into the same shape.
///
/// ```
/// use wengert_nn::{Layer, LayerNorm};
/// use wengert_ops::Tensor;
/// let layer = LayerNorm::<f64> { eps: 0.0, ..LayerNorm::new([2]) };
/// let y = layer.forward(wengert_tape::Tape::eval().constant(Tensor::from([[1.0, 3.0]]))).value()?;
/// assert_eq!(y, Tensor::from([[-1.0, 1.0]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct LayerNorm<T: Float> {
    /// The scale, of the shape `normalized`, initially one.
    pub weight: Option<Param<T>>,
    /// The shift, of the shape `normalized`, initially zero.
    pub bias: Option<Param<T>>,
    /// The sizes of the axes that are normalised together.
    #[module(skip)]
    pub normalized: Vec<usize>,
    /// The number that is added to the variance, 10⁻⁵ by default.
    pub eps: f64,
}

impl<T: Float> LayerNorm<T> {
    /// A layer that normalises the last axes, of the given sizes, with weight and bias.
    ///
    /// # Panics
    /// If a size is negative or the elements do not fit in memory.
    pub fn new(normalized: impl ToShape) -> Self {
        let weight = ones(normalized);
        let (bias, normalized) = (zeros(weight.shape()), weight.shape().to_vec());
        LayerNorm { weight: Some(weight), bias: Some(bias), normalized, eps: 1e-5 }
    }

    /// The layer without its bias.
    #[must_use]
    pub fn without_bias(mut self) -> Self {
        self.bias = None;
        self
    }

    /// The layer without weight and bias.
    #[must_use]
    pub fn without_affine(mut self) -> Self {
        (self.weight, self.bias) = (None, None);
        self
    }
}

impl<T: Float> Layer<T> for LayerNorm<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        x.layer_norm(&self.normalized, optional(tape, &self.weight), optional(tape, &self.bias), self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::has_right_gradient;

    #[test]
    fn the_gradient_is_right() {
        let mut layer = LayerNorm::<f64>::new([2, 2]);
        has_right_gradient(&mut layer, &[3, 2, 2]);
        assert_eq!(layer.param_names(), ["weight", "bias"]);
        assert_eq!(layer.without_affine().num_params(), 0);
    }
}
