//! [`InstanceNorm`]: each channel of each sample normalised separately.

use crate::Module;
use crate::layers::{Layer, ones, optional, zeros};
use wengert_tape::{Float, Param, Var};

/// Instance norm (Ulyanov et al. 2016) of `[samples, channels, ..]`, into the same shape: each channel of each sample is
/// normalised separately, both in training and in evaluation. As in PyTorch, there is no weight and bias by default.
///
/// ```
/// use wengert_nn::{InstanceNorm, Layer};
/// use wengert_ops::Tensor;
/// let layer = InstanceNorm::<f64> { eps: 0.0, ..InstanceNorm::new() };
/// let x = Tensor::from([[[1.0, 3.0], [20.0, 10.0]]]);
/// let y = layer.forward(wengert_tape::Tape::eval().constant(x)).value()?;
/// assert_eq!(y, Tensor::from([[[-1.0, 1.0], [1.0, -1.0]]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "InstanceNorm1d")]
#[doc(alias = "InstanceNorm2d")]
#[doc(alias = "InstanceNorm3d")]
#[derive(Debug, Clone, Module)]
pub struct InstanceNorm<T: Float> {
    /// The scale, `[channels]`, initially one; `None` by default.
    pub weight: Option<Param<T>>,
    /// The shift, `[channels]`, initially zero; `None` by default.
    pub bias: Option<Param<T>>,
    /// The number that is added to the variance, 10⁻⁵ by default.
    pub eps: f64,
}

impl<T: Float> Default for InstanceNorm<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> InstanceNorm<T> {
    /// A layer for any number of channels, without weight and bias.
    pub fn new() -> Self {
        InstanceNorm { weight: None, bias: None, eps: 1e-5 }
    }

    /// The layer with weight and bias for `channels` channels.
    ///
    /// # Panics
    /// If one number per channel does not fit in memory.
    #[must_use]
    pub fn with_affine(mut self, channels: usize) -> Self {
        (self.weight, self.bias) = (Some(ones([channels])), Some(zeros([channels])));
        self
    }
}

impl<T: Float> Layer<T> for InstanceNorm<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        x.instance_norm(optional(tape, &self.weight), optional(tape, &self.bias), self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::has_right_gradient;

    #[test]
    fn the_gradient_is_right() {
        has_right_gradient(&mut InstanceNorm::new().with_affine(2), &[2, 2, 3]);
    }
}
