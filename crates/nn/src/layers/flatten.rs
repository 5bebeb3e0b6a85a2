//! [`Flatten`]: all axes but the first as one.

use crate::Module;
use crate::layers::Layer;
use wengert_tape::{Float, Var};

/// Merges all axes but the first into one: `[n, ..]` → `[n, features]`.
///
/// ```
/// use wengert_nn::{Flatten, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(Flatten.forward(tape.constant(Tensor::<f32>::zeros([2, 3, 4]))).shape(), [2, 12]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
pub struct Flatten;

impl<T: Float> Layer<T> for Flatten {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.flatten(1)
    }
}
