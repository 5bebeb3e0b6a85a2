//! [`Lambda`]: a function as a layer.

use crate::layers::Layer;
use crate::module::{Module, ModulePath, Visitor, VisitorMut};
use std::fmt;
use wengert_tape::{Float, Var};

/// A function without parameters as a layer, for a [`Sequential`](crate::Sequential).
///
/// ```
/// use wengert_nn::{Lambda, Layer, Linear, Sequential};
/// use wengert_ops::{Tensor, random::Rng};
/// let net = Sequential::<f64>::new()
///     .push(Linear::new(2, 3, &mut Rng::seed(0)))
///     .push(Lambda::new(|x| x.sin() * 30.0));
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(net.forward(tape.constant(Tensor::zeros([1, 2]))).shape(), [1, 3]);
/// ```
#[derive(Clone, Copy)]
pub struct Lambda<T: Float, F>(F, std::marker::PhantomData<fn(T)>);

impl<T: Float, F: for<'t> Fn(Var<'t, T>) -> Var<'t, T> + Send + Sync> Lambda<T, F> {
    /// The layer that calls `f`.
    pub fn new(f: F) -> Self {
        Lambda(f, std::marker::PhantomData)
    }
}

impl<T: Float, F> fmt::Debug for Lambda<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lambda")
    }
}

impl<T: Float, F> Module for Lambda<T, F> {
    fn kind(&self) -> &'static str {
        "Lambda"
    }
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        visitor.enter(path, "Lambda");
        visitor.leave(path);
    }
    fn visit_mut(&mut self, _: &mut ModulePath, _: &mut dyn VisitorMut) {}
}

impl<T: Float, F: for<'t> Fn(Var<'t, T>) -> Var<'t, T> + Send + Sync> Layer<T> for Lambda<T, F> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        (self.0)(x)
    }
}
