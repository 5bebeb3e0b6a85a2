//! The element types a tensor can hold.

use std::fmt;

/// The name of an element type, as it appears in messages and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// 64-bit signed integers: indices, class labels, token ids.
    I64,
    /// 8-bit unsigned integers: raw images.
    U8,
    /// Booleans: masks.
    Bool,
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::Bool => "bool",
        })
    }
}

mod sealed {
    /// Restricts [`Element`](super::Element) to the types of this crate: kernels rely on their sizes and alignments,
    /// and buffers are recycled from one type to another.
    pub trait Sealed {}
}

/// A type that a [`Tensor`](crate::Tensor) can hold: `f32`, `f64`, `i64`, `u8` or `bool`. Other crates cannot add any.
///
/// ```compile_fail
/// unsafe impl wengert_ops::Element for (u8, u16) {         // has padding; the trait is sealed
///     const DTYPE: wengert_ops::DType = wengert_ops::DType::U8;
///     const ANY_BITS: bool = true;
/// }
/// ```
///
/// # Safety
/// If [`ANY_BITS`](Element::ANY_BITS) is true, every bit pattern must be a valid value. The all-zero pattern must
/// always be valid, and the type must not need dropping.
pub unsafe trait Element:
    sealed::Sealed + Copy + Send + Sync + PartialEq + PartialOrd + Default + fmt::Debug + fmt::Display + 'static
{
    /// The type's name.
    const DTYPE: DType;
    /// Whether every bit pattern is a valid value, so that a recycled buffer needs no clearing.
    const ANY_BITS: bool;
}

macro_rules! elements {
    ($($t:ty, $name:ident, $any:expr;)*) => {$(
        impl sealed::Sealed for $t {}
        // SAFETY: numbers accept any bits and bool accepts zero; all are plain data.
        unsafe impl Element for $t {
            const DTYPE: DType = DType::$name;
            const ANY_BITS: bool = $any;
        }
    )*};
}
elements! {
    f32, F32, true;
    f64, F64, true;
    i64, I64, true;
    u8, U8, true;
    bool, Bool, false;
}
