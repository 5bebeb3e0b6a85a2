//! The different memory layouts of the same tensor.

use crate::number::Float;
use wengert_ops::{Slice, Tensor};

/// The memory layout of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutKind {
    /// Row-major.
    Dense,
    /// First and last axis exchanged.
    Transposed,
    /// An axis in reverse order: a negative stride.
    Reversed,
    /// Every second position along an axis.
    Stepped,
    /// A part of a longer tensor: the elements before it are different, so that a forgotten offset is noticed.
    Part,
}

impl LayoutKind {
    /// All layouts.
    pub const ALL: [LayoutKind; 5] = [
        LayoutKind::Dense,
        LayoutKind::Transposed,
        LayoutKind::Reversed,
        LayoutKind::Stepped,
        LayoutKind::Part,
    ];

    /// The same tensor in this layout, along `axis` for layouts that affect one axis; a scalar is not changed.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::gradcheck::LayoutKind;
    /// let t = Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// let stepped = LayoutKind::Stepped.of(&t, 1)?;
    /// assert_eq!((stepped.strides(), &stepped), (&[6, 2][..], &t));
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn of<T: Float>(self, t: &Tensor<T>, axis: usize) -> wengert_ops::Result<Tensor<T>> {
        if t.rank() == 0 {
            return Ok(t.clone());
        }
        let at = axis as isize;
        match self {
            LayoutKind::Dense => Ok(t.contiguous()),
            LayoutKind::Transposed => t.transpose(0, -1)?.contiguous().transpose(0, -1),
            LayoutKind::Reversed => {
                t.slice(at, Slice::all().step(-1))?.contiguous().slice(at, Slice::all().step(-1))
            }
            LayoutKind::Stepped => {
                let twice = Tensor::stack(&[t.clone(), t.map(|v| v * T::from_f64(3.0))], at + 1)?;
                let mut shape = t.shape().to_vec();
                shape[axis] *= 2;
                twice.reshape(shape)?.slice(at, Slice::all().step(2))
            }
            LayoutKind::Part => {
                let wide = Tensor::concat(&[t.map(|v| v * T::from_f64(3.0)), t.clone()], at)?;
                let n = wide.shape()[axis] / 2;
                wide.slice(at, n..)
            }
        }
    }
}
