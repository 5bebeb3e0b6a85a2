//! [`RmsNorm`]: the last axes of each sample divided by their root mean square.

use crate::Module;
use crate::layers::{Layer, ones, optional};
use wengert_ops::ToShape;
use wengert_tape::{Float, Param, Var};

/// RMS norm (Zhang and Sennrich 2019) over the last axes of `[.., normalized]`, into the same shape: x/√(mean x² + ε)
/// times a weight.
///
/// ```
/// use wengert_nn::{Layer, RmsNorm};
/// use wengert_ops::Tensor;
/// let layer = RmsNorm::<f64> { eps: 0.0, ..RmsNorm::new([4]) };
/// let x = Tensor::from([[4.0, 0.0, 0.0, 0.0]]);
/// let y = layer.forward(wengert_tape::Tape::eval().constant(x)).value()?;
/// assert_eq!(y, Tensor::from([[2.0, 0.0, 0.0, 0.0]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "RMSNorm")]
#[derive(Debug, Clone, Module)]
pub struct RmsNorm<T: Float> {
    /// The scale, of the shape `normalized`, initially one.
    pub weight: Option<Param<T>>,
    /// The sizes of the axes that are normalised together.
    #[module(skip)]
    pub normalized: Vec<usize>,
    /// The number that is added to the mean square: the machine epsilon of the element type by default, as in PyTorch.
    pub eps: f64,
}

impl<T: Float> RmsNorm<T> {
    /// A layer that normalises the last axes, of the given sizes, with a weight.
    ///
    /// # Panics
    /// If a size is negative or the elements do not fit in memory.
    pub fn new(normalized: impl ToShape) -> Self {
        let weight = ones(normalized);
        let normalized = weight.shape().to_vec();
        RmsNorm { weight: Some(weight), normalized, eps: T::EPSILON.to_f64() }
    }

    /// The layer without its weight.
    #[must_use]
    pub fn without_affine(mut self) -> Self {
        self.weight = None;
        self
    }
}

impl<T: Float> Layer<T> for RmsNorm<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.rms_norm(&self.normalized, optional(x.tape(), &self.weight), self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::has_right_gradient;

    #[test]
    fn the_gradient_is_right() {
        let mut layer = RmsNorm::<f64>::new([4]);
        has_right_gradient(&mut layer, &[3, 4]);
        assert_eq!(layer.without_affine().num_params(), 0);
    }
}
