//! Tensors and CPU kernels. This crate does not depend on the tape: it is the arithmetic that the tape records.
//!
//! A [`Tensor`] is a reference-counted buffer and a layout (shape, strides, offset), so transposing, slicing,
//! broadcasting and most reshapes copy nothing. Every operation returns a [`Result`]. A call that fails is an [`Error`]
//! that names the operation, the shapes and the rule, never a panic.
//!
//! ```
//! use wengert_ops::Tensor;
//!
//! let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
//! let b = a.transpose(0, 1)?;                     // a view
//! assert_eq!(a.matmul(&b)?.to_vec(), [5.0, 11.0, 11.0, 25.0]);
//! assert!(a.matmul(&Tensor::<f64>::ones([3, 2])).is_err());
//! # Ok::<(), wengert_ops::Error>(())
//! ```

pub mod arena;
pub mod buffer;
mod display;
mod dtype;
mod error;
mod float;
pub mod kernel;
pub mod math;
pub mod parallel;
pub mod random;
mod rearrange;
mod shape;
mod short;
pub mod simd;
mod tensor;
mod view;
mod window;

pub use dtype::{DType, Element};
pub use error::{Error, ErrorKind, Result};
pub use float::Float;
pub use kernel::linalg::Triangle;
pub use kernel::scan::Direction;
pub use rearrange::moved_order;
pub use shape::{Axes, Layout, Shape, ToShape, broadcast_shapes, normalize_axis};
pub use tensor::{IntoTensor, Tensor};
pub use view::Slice;
pub use window::{
    AlignCorners, AvgDivisor, ConvOptions, ConvTransposeOptions, Padding, PerAxis, Resize, Window,
};
