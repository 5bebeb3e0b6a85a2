//! Tensors whose element type is known only when a file is read.

use super::budget::tensor_bytes;
use crate::error::{Error, Result};
use wengert_ops::{DType, Element, Float, Shape, Tensor};

/// A tensor of any element type: the contents of a file. Integers and floating-point numbers narrower than those of
/// [`DType`] are widened on reading.
///
/// ```
/// use wengert_data::format::Array;
/// use wengert_ops::{DType, Tensor};
/// let array = Array::from(Tensor::from([1i64, 2]));
/// assert_eq!((array.dtype(), array.shape()[..].to_vec()), (DType::I64, vec![2]));
/// assert_eq!(array.to_float::<f32>().to_vec(), [1.0, 2.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Array {
    /// 32-bit floating point.
    F32(Tensor<f32>),
    /// 64-bit floating point.
    F64(Tensor<f64>),
    /// Signed integers.
    I64(Tensor<i64>),
    /// Bytes.
    U8(Tensor<u8>),
    /// Booleans.
    Bool(Tensor<bool>),
}

impl Array {
    /// The shape. See [`Array`] for an example.
    pub fn shape(&self) -> &Shape {
        match self {
            Array::F32(t) => t.shape(),
            Array::F64(t) => t.shape(),
            Array::I64(t) => t.shape(),
            Array::U8(t) => t.shape(),
            Array::Bool(t) => t.shape(),
        }
    }

    /// The element type. See [`Array`] for an example.
    pub fn dtype(&self) -> DType {
        match self {
            Array::F32(_) => DType::F32,
            Array::F64(_) => DType::F64,
            Array::I64(_) => DType::I64,
            Array::U8(_) => DType::U8,
            Array::Bool(_) => DType::Bool,
        }
    }

    /// An upper bound of its bytes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        let size = match self {
            Array::Bool(_) | Array::U8(_) => 1,
            Array::F32(_) => 4,
            Array::F64(_) | Array::I64(_) => 8,
        };
        tensor_bytes(self.shape().iter().product::<usize>() as u64, size)
    }

    /// The nearest floating-point numbers; booleans become 0 and 1. See [`Array`] for an example.
    pub fn to_float<T: Float>(&self) -> Tensor<T> {
        match self {
            Array::F32(t) => t.cast(),
            Array::F64(t) => t.cast(),
            Array::I64(t) => t.map(|v| T::from_f64(v as f64)),
            Array::U8(t) => t.map(|v| T::from_f64(f64::from(v))),
            Array::Bool(t) => t.map(|v| if v { T::ONE } else { T::ZERO }),
        }
    }

    /// The same integers; floating-point numbers are an error.
    ///
    /// ```
    /// use wengert_data::format::Array;
    /// use wengert_ops::Tensor;
    /// assert_eq!(Array::from(Tensor::from([7u8])).to_i64()?.to_vec(), [7]);
    /// let e = Array::from(Tensor::from([7.0f32])).to_i64().unwrap_err();
    /// assert_eq!(e.to_string(), "to_i64: expected integers, found f32");
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the elements are floating-point numbers.
    pub fn to_i64(&self) -> Result<Tensor<i64>> {
        match self {
            Array::I64(t) => Ok(t.clone()),
            Array::U8(t) => Ok(t.map(i64::from)),
            Array::Bool(t) => Ok(t.map(i64::from)),
            Array::F32(_) | Array::F64(_) => Err(Error::argument("to_i64", "integers", self.dtype())),
        }
    }
}

/// A tensor of values that come one by one, each stored as it comes.
pub(crate) fn collect<T: Element>(
    shape: &[usize],
    values: impl IntoIterator<Item = T>,
) -> wengert_ops::Result<Tensor<T>> {
    let mut tensor = Tensor::try_full(shape, T::default())?;
    tensor.data_mut().iter_mut().zip(values).for_each(|(slot, value)| *slot = value);
    Ok(tensor)
}

macro_rules! from_tensor {
    ($($t:ty, $name:ident;)*) => {$(
        impl From<Tensor<$t>> for Array {
            fn from(tensor: Tensor<$t>) -> Self {
                Array::$name(tensor)
            }
        }
        impl From<&Tensor<$t>> for Array {
            fn from(tensor: &Tensor<$t>) -> Self {
                Array::$name(tensor.clone())
            }
        }
    )*};
}
from_tensor! {
    f32, F32;
    f64, F64;
    i64, I64;
    u8, U8;
    bool, Bool;
}

impl From<&Array> for Array {
    fn from(array: &Array) -> Self {
        array.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_keep_values() {
        let bits = Array::from(&Tensor::from([true, false]));
        assert_eq!(bits.to_float::<f64>().to_vec(), [1.0, 0.0]);
        assert_eq!(bits.to_i64().unwrap().to_vec(), [1, 0]);
        assert_eq!(Array::from(Tensor::from([0.5f64])).to_float::<f32>().to_vec(), [0.5]);
        assert!(Array::from(Tensor::from([0.5f64])).to_i64().is_err());
    }
}
