//! [`GroupNorm`]: channels normalised in groups.

use crate::Module;
use crate::layers::{Layer, ones, optional, zeros};
use wengert_tape::{Float, Param, Var};

/// Group norm (Wu and He 2018) of `[samples, channels, ..]`, into the same shape: the channels of each sample are
/// normalised in groups of equal size.
///
/// ```
/// use wengert_nn::{GroupNorm, Layer};
/// use wengert_ops::Tensor;
/// let layer = GroupNorm::<f64> { eps: 0.0, ..GroupNorm::new(2, 4) };
/// let x = Tensor::from([[1.0, 3.0, 10.0, 30.0]]);
/// let y = layer.forward(wengert_tape::Tape::eval().constant(x)).value()?;
/// assert_eq!(y, Tensor::from([[-1.0, 1.0, -1.0, 1.0]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct GroupNorm<T: Float> {
    /// The scale, `[channels]`, initially one.
    pub weight: Option<Param<T>>,
    /// The shift, `[channels]`, initially zero.
    pub bias: Option<Param<T>>,
    /// The number of groups, which divides the number of channels.
    pub groups: usize,
    /// The number that is added to the variance, 10⁻⁵ by default.
    pub eps: f64,
}

impl<T: Float> GroupNorm<T> {
    /// A layer that divides `channels` channels into `groups` groups, with weight and bias. Whether this is possible is
    /// checked when the layer is used.
    ///
    /// # Panics
    /// If one number per channel does not fit in memory.
    pub fn new(groups: usize, channels: usize) -> Self {
        GroupNorm { weight: Some(ones([channels])), bias: Some(zeros([channels])), groups, eps: 1e-5 }
    }

    /// The layer without weight and bias.
    #[must_use]
    pub fn without_affine(mut self) -> Self {
        (self.weight, self.bias) = (None, None);
        self
    }
}

impl<T: Float> Layer<T> for GroupNorm<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        x.group_norm(self.groups, optional(tape, &self.weight), optional(tape, &self.bias), self.eps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::has_right_gradient;
    use wengert_ops::Tensor;

    #[test]
    fn the_gradient_is_right() {
        has_right_gradient(&mut GroupNorm::new(2, 4), &[2, 4, 2]);
        let x = Tensor::<f64>::ones([2, 4, 2]);
        let e = GroupNorm::new(3, 4).forward(wengert_tape::Tape::new().constant(x)).value().unwrap_err();
        assert!(e.to_string().contains("3 groups"), "{e}");
    }
}
