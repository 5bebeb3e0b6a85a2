//! [`Param`]: a learnable tensor that lives outside any tape.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_ops::{Shape, Tensor};

/// The identity of a parameter. Copies of a parameter have identities of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParamId(u64);

impl ParamId {
    fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        ParamId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A learnable tensor.
///
/// A model holds parameters, never handles of a tape: [`Tape::param`](crate::Tape::param) returns the handle. `clone` makes
/// an independent parameter with an identity of its own (a target network, an average, a bagged model).
#[derive(Debug)]
pub struct Param<T: Float> {
    value: Tensor<T>,
    id: ParamId,
    version: u64,
    name: Option<Arc<str>>,
    trainable: bool,
}

impl<T: Float> Param<T> {
    /// A trainable parameter that starts at `value`.
    pub fn new(value: Tensor<T>) -> Self {
        Param { value, id: ParamId::fresh(), version: 0, name: None, trainable: true }
    }

    /// The current value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// The shape, which never changes.
    pub fn shape(&self) -> &Shape {
        self.value.shape()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.value.numel()
    }

    /// The identity, by which gradients are looked up.
    pub fn id(&self) -> ParamId {
        self.id
    }

    /// The number of times the value has been changed; a tape that holds an older version makes a new node.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// If the shape differs; then the parameter is unchanged.
    pub fn set(&mut self, value: Tensor<T>) -> Result<()> {
        if value.shape() != self.value.shape() {
            let name = self.name().unwrap_or("parameter");
            let detail = format!("{name} has shape {}, found {}", self.value.shape(), value.shape());
            return Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), "set", detail));
        }
        self.version += 1;
        self.value = value;
        Ok(())
    }

    /// Changes the elements in place.
    pub fn update<R>(&mut self, f: impl FnOnce(&mut Tensor<T>) -> R) -> R {
        self.version += 1;
        let shape = self.value.shape().clone();
        let result = f(&mut self.value);
        debug_assert_eq!(*self.value.shape(), shape, "an update keeps the shape");
        result
    }

    /// The name in its model, such as `encoder.0.weight`, once a walk over the model has set it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn shared_name(&self) -> Option<Arc<str>> {
        self.name.clone()
    }

    /// Sets the parameter's name.
    pub fn set_name(&mut self, name: &str) {
        if self.name.as_deref() != Some(name) {
            self.name = Some(name.into());
        }
    }

    /// Whether gradients are computed for this parameter.
    pub fn is_trainable(&self) -> bool {
        self.trainable
    }

    /// Freezes (`false`) or unfreezes (`true`) the parameter.
    pub fn set_trainable(&mut self, trainable: bool) {
        // On a tape, a frozen and a trainable use are different nodes.
        self.version += u64::from(self.trainable != trainable);
        self.trainable = trainable;
    }
}

impl<T: Float> Clone for Param<T> {
    fn clone(&self) -> Self {
        Param {
            value: self.value.clone(),
            id: ParamId::fresh(),
            version: 0,
            name: self.name.clone(),
            trainable: self.trainable,
        }
    }
}
