//! Layers: one file each.

mod activation;
mod dropout;
mod flatten;
mod linear;
mod recurrent;
mod sequential;

pub use activation::Activation;
pub use dropout::Dropout;
pub use flatten::Flatten;
pub use linear::Linear;
pub use recurrent::{Gru, Lstm, Recurred, RecurrentConfig, ReluRnn, Rnn, Start};
pub use sequential::Sequential;

use crate::module::Module;
use wengert_tape::{Float, Var};

/// A module with one input and one output.
///
/// `forward` is annotated here, on the declaration, so that an error names the line that called the outermost layer
/// even through `dyn Layer`.
pub trait Layer<T: Float>: Module + Send + Sync {
    /// The output for `x`; the layer itself is not changed.
    #[track_caller]
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T>;
}

impl<T: Float, L: Layer<T> + ?Sized> Layer<T> for Box<L> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        (**self).forward(x)
    }
}
