//! [`Leaf`]: a parameter or a buffer of any element type, at which a walk over a module ends.

use super::Buffer;
use crate::state::AnyTensor;
use std::any::Any;
use wengert_ops::{DType, Element, Shape};
use wengert_tape::{BufferId, Error, ErrorKind, Float, Param, Result};

/// A parameter or a buffer of a module, as a [`Visitor`](super::Visitor) receives it.
///
/// ```
/// use wengert_nn::{BatchNorm, for_each_leaf};
/// let (mut learned, mut kept) = (0, 0);
/// for_each_leaf(&BatchNorm::<f32>::new(3), |_, leaf| {
///     *if leaf.is_param() { &mut learned } else { &mut kept } += leaf.numel();
/// });
/// assert_eq!((learned, kept), (3 + 3, 3 + 3 + 1));        // γ, β; the running mean and variance, and a count
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Leaf<'a> {
    /// A parameter of 32-bit floating-point numbers.
    ParamF32(&'a Param<f32>),
    /// A parameter of 64-bit floating-point numbers.
    ParamF64(&'a Param<f64>),
    /// A buffer of 32-bit floating-point numbers.
    BufferF32(&'a Buffer<f32>),
    /// A buffer of 64-bit floating-point numbers.
    BufferF64(&'a Buffer<f64>),
    /// A buffer of 64-bit signed integers.
    BufferI64(&'a Buffer<i64>),
}

/// A parameter or a buffer of a module that can be changed, as a [`VisitorMut`](super::VisitorMut) receives it.
///
/// ```
/// use wengert_nn::{Linear, for_each_leaf_mut};
/// use wengert_ops::random::Rng;
/// let mut layer = Linear::<f32>::new(3, 2, &mut Rng::seed(0));
/// for_each_leaf_mut(&mut layer, |path, mut leaf| {
///     if path.as_str() == "bias" {
///         leaf.set_trainable(false);
///     }
/// });
/// assert!(layer.weight.is_trainable() && !layer.bias.unwrap().is_trainable());
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum LeafMut<'a> {
    /// A parameter of 32-bit floating-point numbers.
    ParamF32(&'a mut Param<f32>),
    /// A parameter of 64-bit floating-point numbers.
    ParamF64(&'a mut Param<f64>),
    /// A buffer of 32-bit floating-point numbers.
    BufferF32(&'a mut Buffer<f32>),
    /// A buffer of 64-bit floating-point numbers.
    BufferF64(&'a mut Buffer<f64>),
    /// A buffer of 64-bit signed integers.
    BufferI64(&'a mut Buffer<i64>),
}

/// Evaluates an expression for the parameter or buffer in a leaf, whatever its type.
macro_rules! each {
    ($leaf:expr, $kind:ident, $x:ident => $do:expr) => {
        match $leaf {
            $kind::ParamF32($x) => $do,
            $kind::ParamF64($x) => $do,
            $kind::BufferF32($x) => $do,
            $kind::BufferF64($x) => $do,
            $kind::BufferI64($x) => $do,
        }
    };
}

impl<'a> Leaf<'a> {
    /// The sizes of the axes.
    pub fn shape(self) -> &'a Shape {
        each!(self, Leaf, x => x.value().shape())
    }

    /// The number of elements.
    pub fn numel(self) -> usize {
        each!(self, Leaf, x => x.value().numel())
    }

    /// The element type.
    pub fn dtype(self) -> DType {
        each!(self, Leaf, x => x.value().dtype())
    }

    /// Whether it is a parameter rather than a buffer.
    pub fn is_param(self) -> bool {
        matches!(self, Leaf::ParamF32(_) | Leaf::ParamF64(_))
    }

    /// Whether it is a parameter that is not frozen.
    pub fn is_trainable(self) -> bool {
        match self {
            Leaf::ParamF32(p) => p.is_trainable(),
            Leaf::ParamF64(p) => p.is_trainable(),
            _ => false,
        }
    }

    /// The value, which shares its memory with the module's value until one of them changes.
    pub fn value(self) -> AnyTensor {
        match self {
            Leaf::ParamF32(p) => AnyTensor::F32(p.value().clone()),
            Leaf::ParamF64(p) => AnyTensor::F64(p.value().clone()),
            Leaf::BufferF32(b) => AnyTensor::F32(b.value().clone()),
            Leaf::BufferF64(b) => AnyTensor::F64(b.value().clone()),
            Leaf::BufferI64(b) => AnyTensor::I64(b.value().clone()),
        }
    }

    /// The identity of a buffer; `None` for a parameter.
    pub fn buffer_id(self) -> Option<BufferId> {
        match self {
            Leaf::BufferF32(b) => Some(b.id()),
            Leaf::BufferF64(b) => Some(b.id()),
            Leaf::BufferI64(b) => Some(b.id()),
            _ => None,
        }
    }

    /// The parameter, if the leaf is one of element type `T`.
    pub fn param<T: Float>(self) -> Option<&'a Param<T>> {
        each!(self, Leaf, x => same(x))
    }

    /// The buffer, if the leaf is one of element type `T`.
    pub fn buffer<T: Element>(self) -> Option<&'a Buffer<T>> {
        each!(self, Leaf, x => same(x))
    }

    /// The leaf for a parameter. Every element type of a tape has one.
    pub(super) fn of_param<T: Float>(p: &'a Param<T>) -> Option<Self> {
        match T::DTYPE {
            DType::F32 => same(p).map(Leaf::ParamF32),
            _ => same(p).map(Leaf::ParamF64),
        }
    }

    /// The leaf for a buffer. Every element type that [`Buffer::new`] takes has one.
    pub(super) fn of_buffer<T: Element>(b: &'a Buffer<T>) -> Option<Self> {
        match T::DTYPE {
            DType::F32 => same(b).map(Leaf::BufferF32),
            DType::F64 => same(b).map(Leaf::BufferF64),
            _ => same(b).map(Leaf::BufferI64),
        }
    }
}

impl<'a> LeafMut<'a> {
    /// The same leaf for reading.
    pub fn as_leaf(&self) -> Leaf<'_> {
        match self {
            LeafMut::ParamF32(p) => Leaf::ParamF32(p),
            LeafMut::ParamF64(p) => Leaf::ParamF64(p),
            LeafMut::BufferF32(b) => Leaf::BufferF32(b),
            LeafMut::BufferF64(b) => Leaf::BufferF64(b),
            LeafMut::BufferI64(b) => Leaf::BufferI64(b),
        }
    }

    /// Replaces the value with one of the same shape and element type.
    ///
    /// # Errors
    /// If the shape or the element type differs; the value is then unchanged.
    pub fn set(&mut self, value: AnyTensor) -> Result<()> {
        match (self, value) {
            (LeafMut::ParamF32(p), AnyTensor::F32(t)) => p.set(t),
            (LeafMut::ParamF64(p), AnyTensor::F64(t)) => p.set(t),
            (LeafMut::BufferF32(b), AnyTensor::F32(t)) => b.set(t),
            (LeafMut::BufferF64(b), AnyTensor::F64(t)) => b.set(t),
            (LeafMut::BufferI64(b), AnyTensor::I64(t)) => b.set(t),
            (leaf, other) => {
                let (own, found) = (leaf.as_leaf().dtype(), other.dtype());
                let detail = format!("expected a tensor of {own}, found one of {found}");
                Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), "set", detail))
            }
        }
    }

    /// Unfreezes or freezes a parameter; does nothing to a buffer.
    pub fn set_trainable(&mut self, trainable: bool) {
        match self {
            LeafMut::ParamF32(p) => p.set_trainable(trainable),
            LeafMut::ParamF64(p) => p.set_trainable(trainable),
            _ => {}
        }
    }

    /// The parameter, if the leaf is one of element type `T`.
    pub fn param_mut<T: Float>(&mut self) -> Option<&mut Param<T>> {
        each!(self, LeafMut, x => same_mut(*x))
    }

    /// The buffer, if the leaf is one of element type `T`.
    pub fn buffer_mut<T: Element>(&mut self) -> Option<&mut Buffer<T>> {
        each!(self, LeafMut, x => same_mut(*x))
    }

    /// The leaf for a parameter.
    pub(super) fn of_param<T: Float>(p: &'a mut Param<T>) -> Option<Self> {
        match T::DTYPE {
            DType::F32 => same_mut(p).map(LeafMut::ParamF32),
            _ => same_mut(p).map(LeafMut::ParamF64),
        }
    }

    /// The leaf for a buffer.
    pub(super) fn of_buffer<T: Element>(b: &'a mut Buffer<T>) -> Option<Self> {
        match T::DTYPE {
            DType::F32 => same_mut(b).map(LeafMut::BufferF32),
            DType::F64 => same_mut(b).map(LeafMut::BufferF64),
            _ => same_mut(b).map(LeafMut::BufferI64),
        }
    }
}

/// `a` as a value of type `B`, if the two types are the same.
fn same<A: Any, B: Any>(a: &A) -> Option<&B> {
    let any: &dyn Any = a;
    any.downcast_ref()
}

fn same_mut<A: Any, B: Any>(a: &mut A) -> Option<&mut B> {
    let any: &mut dyn Any = a;
    any.downcast_mut()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;

    #[test]
    fn a_leaf_is_of_the_type_that_it_was_made_of() {
        let (mut p, mut b) = (Param::new(Tensor::from([1.0f64, 2.0])), Buffer::new(Tensor::scalar(3i64)));
        let leaf = Leaf::of_param(&p).unwrap();
        assert!(leaf.is_param() && leaf.is_trainable() && leaf.buffer_id().is_none());
        assert!(leaf.param::<f64>().is_some() && leaf.param::<f32>().is_none());
        assert!(leaf.buffer::<f64>().is_none());
        assert_eq!(
            (leaf.numel(), leaf.dtype(), leaf.value()),
            (2, DType::F64, AnyTensor::F64(p.value().clone()))
        );
        let leaf = Leaf::of_buffer(&b).unwrap();
        assert!(!leaf.is_param() && !leaf.is_trainable() && leaf.buffer_id() == Some(b.id()));
        assert!(leaf.buffer::<i64>().is_some() && leaf.buffer::<f64>().is_none());

        let mut leaf = LeafMut::of_param(&mut p).unwrap();
        assert!(leaf.param_mut::<f64>().is_some() && leaf.param_mut::<f32>().is_none());
        leaf.set_trainable(false);
        leaf.set(AnyTensor::F64(Tensor::from([3.0, 4.0]))).unwrap();
        let e = leaf.set(AnyTensor::F32(Tensor::from([3.0, 4.0]))).unwrap_err().to_string();
        assert!(e.contains("expected a tensor of f64, found one of f32"), "{e}");
        assert!(leaf.set(AnyTensor::F64(Tensor::from([3.0]))).is_err());
        assert!(!p.is_trainable() && p.value().to_vec() == [3.0, 4.0]);
        let mut leaf = LeafMut::of_buffer(&mut b).unwrap();
        assert!(leaf.buffer_mut::<i64>().is_some() && leaf.buffer_mut::<f32>().is_none());
        leaf.set(AnyTensor::I64(Tensor::scalar(4))).unwrap();
        assert_eq!(b.value().item().unwrap(), 4);
    }
}
