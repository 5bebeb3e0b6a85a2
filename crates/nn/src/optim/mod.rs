//! Optimisers: one file each. They update a model in place from the gradients of a sweep, each parameter in one pass.

mod adam;
mod clip;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use clip::{clip_norm, clip_value};
pub use sgd::{Sgd, SgdConfig};

use crate::module::{Module, UpdatesExt, for_each_param_mut};
use std::collections::HashMap;
use wengert_ops::Tensor;
use wengert_tape::{Float, Grads, Param, ParamId, Result};

/// Something that improves a model by its gradients.
///
/// Parameters that got no gradient in this sweep, and frozen ones, are left as they are, state included.
pub trait Optimizer<T: Float> {
    /// One update of every parameter that has a gradient, and of the buffers for which layers announced a change
    /// ([`Grads::updates`]), which is carried out once, even if two optimisers step with the same gradients.
    ///
    /// # Errors
    /// If a gradient's shape is not its parameter's, or an announced value's not its buffer's.
    fn step(&mut self, model: &mut dyn Module, grads: &Grads<T>) -> Result<()>;

    /// The learning rate η.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate, as schedules do.
    fn set_learning_rate(&mut self, rate: f64);
}

/// What an optimiser remembers of each parameter.
#[derive(Debug, Clone)]
struct States<S>(HashMap<ParamId, S>);

impl<S> Default for States<S> {
    fn default() -> Self {
        States(HashMap::new())
    }
}

impl<S> States<S> {
    /// Calls `update` for every trainable parameter with a gradient, in the model's order, then updates the buffers. A
    /// state begins as `init` makes it.
    fn each<T: Float>(
        &mut self,
        model: &mut dyn Module,
        grads: &Grads<T>,
        init: impl Fn(&Param<T>) -> S,
        mut update: impl FnMut(&mut Param<T>, &Tensor<T>, &mut S) -> Result<()>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        for_each_param_mut::<T>(model, &mut |_, p| {
            if let (Some(g), true, true) = (grads.get(p.id()), p.is_trainable(), outcome.is_ok()) {
                let state = self.0.entry(p.id()).or_insert_with(|| init(p));
                outcome = update(p, g, state);
            }
        });
        outcome?;
        grads.updates().apply(model)
    }
}

/// Zeros of a parameter's shape.
fn zeros<T: Float>(p: &Param<T>) -> Tensor<T> {
    Tensor::full_like(p.value(), T::ZERO)
}
