//! [`AnyTensor`]: a tensor of any element type that a file can hold.

use std::any::Any;
use wengert_ops::{DType, Element, Shape, Tensor};
use wengert_tape::Float;

/// A tensor of one of the element types that a file can hold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AnyTensor {
    /// A tensor of 32-bit floating-point numbers.
    F32(Tensor<f32>),
    /// A tensor of 64-bit floating-point numbers.
    F64(Tensor<f64>),
    /// A tensor of 64-bit signed integers.
    I64(Tensor<i64>),
}

/// Evaluates an expression for the tensor, whatever its element type.
macro_rules! each {
    ($tensor:expr, $t:ident => $do:expr) => {
        match $tensor {
            AnyTensor::F32($t) => $do,
            AnyTensor::F64($t) => $do,
            AnyTensor::I64($t) => $do,
        }
    };
}

impl AnyTensor {
    /// A tensor whose element type is one of a tape.
    pub fn of<T: Float>(t: &Tensor<T>) -> Self {
        let any: &dyn Any = t;
        match (any.downcast_ref(), any.downcast_ref()) {
            (Some(t), _) => AnyTensor::F32(Tensor::clone(t)),
            (_, Some(t)) => AnyTensor::F64(Tensor::clone(t)),
            _ => AnyTensor::F64(t.cast()),
        }
    }

    /// The tensor, if its elements are of type `T`.
    pub fn to_float<T: Float>(&self) -> Option<Tensor<T>> {
        let any: &dyn Any = each!(self, t => t);
        any.downcast_ref().cloned()
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        each!(self, t => t.shape())
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        each!(self, t => t.dtype())
    }

    /// The number of bytes of its elements.
    pub fn nbytes(&self) -> usize {
        fn size<T: Element>(t: &Tensor<T>) -> usize {
            t.numel() * size_of::<T>()
        }
        each!(self, t => size(t))
    }
}
