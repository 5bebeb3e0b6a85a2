//! Comparisons: plain boolean tensors, off the tape. They have no gradient.

use super::prelude::*;
use crate::error::Error;

/// A mask: booleans, a reference to them, or the result of a comparison.
pub trait IntoMask {
    /// The mask, or the error that replaces it.
    #[track_caller]
    fn into_mask(self) -> Result<Tensor<bool>>;
}

impl IntoMask for Tensor<bool> {
    #[track_caller]
    fn into_mask(self) -> Result<Tensor<bool>> {
        Ok(self)
    }
}

impl IntoMask for &Tensor<bool> {
    #[track_caller]
    fn into_mask(self) -> Result<Tensor<bool>> {
        Ok(self.clone())
    }
}

impl IntoMask for Result<Tensor<bool>> {
    #[track_caller]
    fn into_mask(self) -> Result<Tensor<bool>> {
        self
    }
}

impl IntoMask for wengert_ops::Result<Tensor<bool>> {
    #[track_caller]
    fn into_mask(self) -> Result<Tensor<bool>> {
        match self {
            Ok(mask) => Ok(mask),
            Err(e) => Err(e.into()),
        }
    }
}

macro_rules! comparison {
    ($($(#[$doc:meta])* $name:ident)*) => {
        impl<'t, T: Float> Var<'t, T> {
            $($(#[$doc])*
            ///
            /// # Errors
            /// If an operand has failed or the shapes do not broadcast.
            #[track_caller]
            pub fn $name(self, o: impl Operand<'t, T>) -> Result<Tensor<bool>> {
                let at = std::panic::Location::caller();
                let o = match o.as_number() {
                    Some(c) => Tensor::scalar(T::from_f64(c)),
                    None => o.into_var(self.tape()).value()?,
                };
                self.value()?.$name(&o).map_err(|e| Error::from(e).relocated(at))
            })*
        }
    };
}
comparison! {
    /// Where this value is less than the other, as a plain mask.
    lt
    /// Where this value is at most the other, as a plain mask.
    le
    /// Where this value is greater than the other, as a plain mask.
    gt
    /// Where this value is at least the other, as a plain mask.
    ge
    /// Where the values are equal, as a plain mask; NaN equals no value.
    eq
    /// Where the values differ, as a plain mask.
    ne
}
