//! [`Dropout`].

use crate::Module;
use crate::layers::Layer;
use wengert_tape::{Float, Var};

/// On a training tape, drops each element with probability `p` and divides the others by 1 - p; on any other, the
/// identity. The draws come from the tape's random stream.
///
/// ```
/// use wengert_nn::{Dropout, Layer};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::train(3);
/// let y = Dropout::new(0.5).forward(tape.constant(Tensor::<f32>::ones([100])));
/// assert!(y.value()?.to_vec().contains(&0.0) && y.value()?.to_vec().contains(&2.0));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Module)]
pub struct Dropout {
    /// The probability of dropping an element.
    pub p: f64,
}

impl Dropout {
    /// Dropout with probability `p`, which is checked when it is used.
    pub fn new(p: f64) -> Self {
        Dropout { p }
    }
}

impl<T: Float> Layer<T> for Dropout {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.dropout(self.p)
    }
}
