//! [`Buffer`]: state of a module that is not learned.

use wengert_ops::{DType, Element, Tensor};
use wengert_tape::{BufferId, Error, ErrorKind, Result};

/// Non-learned state that belongs to a model and is saved with it, such as running statistics.
///
/// A layer does not write its buffers. It [announces](wengert_tape::Tape::announce) on the tape how they change, and an
/// optimiser's step, or [`UpdatesExt::apply`](super::UpdatesExt::apply), changes them. `clone` makes an independent buffer
/// with its own identity.
#[derive(Debug)]
pub struct Buffer<T: Element> {
    value: Tensor<T>,
    id: BufferId,
}

impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer::new(self.value.clone())
    }
}

impl<T: Element> Buffer<T> {
    /// A buffer that starts at `value`. Element types other than `f32`, `f64` and `i64` do not compile, since no visitor
    /// would receive them.
    pub fn new(value: Tensor<T>) -> Self {
        const { assert!(matches!(T::DTYPE, DType::F32 | DType::F64 | DType::I64), "a buffer is f32, f64 or i64") };
        Buffer { value, id: BufferId::fresh() }
    }

    /// The identity under which changes are announced.
    pub fn id(&self) -> BufferId {
        self.id
    }

    /// The current value.
    pub fn value(&self) -> &Tensor<T> {
        &self.value
    }

    /// Replaces the value with one of the same shape.
    ///
    /// # Errors
    /// If the shape differs; the buffer is then unchanged.
    pub fn set(&mut self, value: Tensor<T>) -> Result<()> {
        if value.shape() != self.value.shape() {
            let detail = format!("the buffer has shape {}, found {}", self.value.shape(), value.shape());
            return Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), "set", detail));
        }
        self.value = value;
        Ok(())
    }
}
