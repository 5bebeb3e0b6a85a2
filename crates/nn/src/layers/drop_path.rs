//! [`DropPath`]: stochastic depth.

use crate::Module;
use crate::layers::Layer;
use crate::layers::dropout::drop_whole;
use wengert_tape::{Float, Var};

/// On a training tape, sets each sample of `[batch, ..]` to zero with probability `p` and divides the others by 1 - p; on any
/// other, the identity. As the last layer of a [`Residual`](crate::Residual)'s body, it skips the body (Huang et al. 2016).
///
/// ```
/// use wengert_nn::{DropPath, Layer, Linear, Residual, Sequential};
/// use wengert_ops::{Tensor, random::Rng};
/// let body = Sequential::<f32>::new().push(Linear::new(3, 3, &mut Rng::seed(0))).push(DropPath::new(1.0));
/// let tape = wengert_tape::Tape::train(0);
/// let x = tape.constant(Tensor::ones([2, 3]));
/// assert_eq!(Residual::new(body).forward(x).value()?, x.value()?);         // always skipped
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Module)]
pub struct DropPath {
    /// The probability of dropping a sample.
    pub p: f64,
}

impl DropPath {
    /// Dropout of samples with probability `p`, which is checked when the layer is used.
    pub fn new(p: f64) -> Self {
        DropPath { p }
    }
}

impl<T: Float> Layer<T> for DropPath {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        drop_whole(x, 1, self.p, "drop_path", "[batch, ..]")
    }
}
