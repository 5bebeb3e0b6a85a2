//! [`Identity`]: the layer that returns its input.

use crate::Module;
use crate::layers::Layer;
use wengert_tape::{Float, Var};

/// Returns its input: a placeholder where a layer is optional.
///
/// ```
/// use wengert_nn::{Identity, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::from([1.0, 2.0]));
/// assert_eq!(Identity.forward(x).value()?, x.value()?);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
pub struct Identity;

impl<T: Float> Layer<T> for Identity {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x
    }
}
