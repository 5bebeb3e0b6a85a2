//! [`Reshape`] and [`Unflatten`].

use crate::Module;
use crate::layers::{Layer, refused};
use wengert_ops::ToShape;
use wengert_tape::{Float, Var};

/// Reshapes all axes but the first: `[n, ..]` → `[n, sizes..]`, where one of the sizes may be -1.
///
/// ```
/// use wengert_nn::{Layer, Reshape};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::<f32>::zeros([5, 64]));
/// assert_eq!(Reshape::new([1isize, 8, -1]).forward(x).shape(), [5, 1, 8, 8]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Module)]
pub struct Reshape {
    /// The sizes after the first axis.
    #[module(skip)]
    pub sizes: Vec<isize>,
}

impl Reshape {
    /// Reshapes the axes after the first into the given sizes.
    pub fn new(sizes: impl ToShape) -> Self {
        Reshape { sizes: sizes.sizes().to_vec() }
    }
}

impl<T: Float> Layer<T> for Reshape {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        if x.is_failed() {
            return x;
        }
        if x.rank() == 0 {
            return refused(x.tape(), "reshape", "expected x [n, ..], found a scalar".into());
        }
        let sizes: Vec<isize> =
            std::iter::once(x.dim(0) as isize).chain(self.sizes.iter().copied()).collect();
        x.reshape(&sizes[..])
    }
}

/// Splits one axis into several, like PyTorch's `Unflatten`: `[.., n, ..]` → `[.., sizes.., ..]`, where one of the sizes may
/// be -1.
///
/// ```
/// use wengert_nn::{Layer, Unflatten};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::<f32>::zeros([5, 6, 7]));
/// assert_eq!(Unflatten::new(1, [2, 3]).forward(x).shape(), [5, 2, 3, 7]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Module)]
pub struct Unflatten {
    /// The axis to split; a negative axis counts from the last.
    pub axis: isize,
    /// The sizes into which the axis is split.
    #[module(skip)]
    pub sizes: Vec<isize>,
}

impl Unflatten {
    /// Splits `axis` into the given sizes.
    pub fn new(axis: isize, sizes: impl ToShape) -> Self {
        Unflatten { axis, sizes: sizes.sizes().to_vec() }
    }
}

impl<T: Float> Layer<T> for Unflatten {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.unflatten(self.axis, &self.sizes[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    #[test]
    fn what_does_not_fit_is_refused() {
        let tape = Tape::<f64>::new();
        let x = tape.constant(Tensor::ones([2, 6]));
        for (y, op) in [
            (Reshape::new([4]).forward(x), "reshape"),
            (Reshape::new([1]).forward(x.sum()), "reshape"),
            (Unflatten::new(1, [4, 2]).forward(x), "unflatten"),
            (Unflatten::new(2, [1]).forward(x), "unflatten"),
        ] {
            let e = y.value().unwrap_err();
            assert!(e.op() == op && e.location().map(|at| at.file()) == Some(file!()), "{e}");
        }
    }
}
