//! [`Var`]: a `Copy` handle of a value on a tape.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::tape::Tape;
use crate::tape::slot::Slot;
use std::fmt;
use std::ops::Index;
use std::panic::Location;
use wengert_ops::{Shape, Tensor, normalize_axis};

/// A value on a tape: the tape and the number of a node.
///
/// Handles are `Copy`; arithmetic and functions on them record operations. Operands may be handles, tensors, numbers or
/// results of tensor operations. An operation that fails leaves its error on the tape (see [`Tape`]).
#[must_use]
pub struct Var<'t, T: Float> {
    pub(crate) tape: &'t Tape<T>,
    pub(crate) id: u32,
}

impl<T: Float> Clone for Var<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Float> Copy for Var<'_, T> {}

impl<T: Float> fmt::Debug for Var<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value that cannot be computed is shown as failed.
        let _ = self.tape.revive(&[self.id]);
        self.with(|slot| match slot {
            Slot::Ready(t) => write!(f, "#{} {t:?}", self.id),
            Slot::Pending(p) => write!(f, "#{} {} (not computed)", self.id, p.shape),
            Slot::Gone(shape, _) => write!(f, "#{} {shape} (freed)", self.id),
            Slot::Failed(e) => write!(f, "#{} failed: {e}", self.id),
        })
    }
}

/// The sizes of a value's axes. For a failed value every size is 1, so that code that computes with sizes continues to
/// where the error is reported.
#[derive(Clone, PartialEq, Eq)]
pub struct Dims {
    shape: Shape,
    failed: bool,
}

impl Dims {
    /// The number of axes (0 for a failed value).
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements.
    pub fn numel(&self) -> usize {
        self.shape.numel()
    }

    /// The sizes.
    pub fn as_shape(&self) -> &Shape {
        &self.shape
    }
}

impl Index<usize> for Dims {
    type Output = usize;
    fn index(&self, axis: usize) -> &usize {
        if self.failed { &1 } else { &self.shape[axis] }
    }
}

impl fmt::Display for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.shape, f)
    }
}

impl fmt::Debug for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.shape, f)
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Dims {
    fn eq(&self, o: &[usize; N]) -> bool {
        self.shape == *o
    }
}

impl wengert_ops::ToShape for Dims {
    fn sizes(&self) -> smallvec::SmallVec<[isize; 4]> {
        self.shape.sizes()
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The tape this value is on.
    pub fn tape(self) -> &'t Tape<T> {
        self.tape
    }

    /// Runs `f` on the tape's slot of this handle.
    pub(crate) fn with<R>(self, f: impl FnOnce(&Slot<T>) -> R) -> R {
        match self.tape.state.borrow().nodes.get(self.id as usize) {
            Some(node) => f(&node.value),
            None => {
                f(&Slot::Failed(Error::new(ErrorKind::ForeignTape, "value", "this value is not on its tape")))
            }
        }
    }

    /// The value.
    ///
    /// # Errors
    /// The error that made it fail, or an error if it was freed.
    #[track_caller]
    pub fn value(self) -> Result<Tensor<T>> {
        let at = Location::caller();
        self.ready().map_err(|e| e.at(at))
    }

    /// The only element of the value.
    ///
    /// # Errors
    /// As [`value`](Var::value), or if there is not exactly one element.
    #[track_caller]
    pub fn item(self) -> Result<T> {
        Ok(self.value()?.item()?)
    }

    /// Whether this is a leaf, whether a gradient flows to it, and its parameter if it is one.
    pub(crate) fn kind(self) -> (bool, bool, Option<crate::tape::param::ParamId>) {
        match self.tape.state.borrow().nodes.get(self.id as usize) {
            Some(n) => (n.op.is_none() && n.first == self.id, n.needs, n.param.as_ref().map(|p| p.id)),
            None => (false, false, None),
        }
    }

    /// The sizes of the axes; known even when the value has failed or was freed.
    pub fn shape(self) -> Dims {
        self.with(|slot| Dims { shape: slot.shape().clone(), failed: matches!(slot, Slot::Failed(_)) })
    }

    pub(crate) fn raw_shape(self) -> Shape {
        self.with(|slot| slot.shape().clone())
    }

    /// The number of axes.
    #[doc(alias = "dim")]
    #[doc(alias = "ndim")]
    pub fn rank(self) -> usize {
        self.with(|slot| slot.shape().len())
    }

    /// The number of elements.
    pub fn numel(self) -> usize {
        self.with(|slot| slot.shape().numel())
    }

    /// The error that made the value fail, if there is one.
    #[inline]
    pub(crate) fn succeeded(self) -> Result<()> {
        self.with(|slot| if let Slot::Failed(e) = slot { Err(e.clone()) } else { Ok(()) })
    }

    /// Whether the value has failed.
    pub fn is_failed(self) -> bool {
        self.with(|slot| matches!(slot, Slot::Failed(_)))
    }

    /// The size of one axis; a negative axis counts from the last. It is 1 for an axis out of range and for a failed value.
    ///
    /// The program continues with that number, so after an axis out of range every later computation on the tape fails with
    /// this error. Existing values are unchanged.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(wengert_ops::Tensor::from([1.0, 2.0]));
    /// let n = x.dim(3);
    /// let e = (x.sum() / n as f64).backward().unwrap_err();
    /// assert!(e.op() == "dim" && e.location().is_some() && x.value().is_ok());
    /// ```
    #[doc(alias = "size")]
    #[track_caller]
    pub fn dim(self, axis: isize) -> usize {
        let dims = self.shape();
        if dims.failed {
            return 1;
        }
        match normalize_axis("dim", axis, dims.rank()) {
            Ok(a) => dims.shape[a],
            Err(e) => {
                self.tape.break_with(Error::from(e));
                1
            }
        }
    }

    /// All sizes as an array, for destructuring. For another rank, and for a failed value, they are all 1; after another
    /// rank, as after [`dim`](Var::dim), every later computation on the tape fails with this error.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(wengert_ops::Tensor::<f32>::zeros([2, 3]));
    /// let [rows, columns] = x.dims();
    /// assert_eq!((rows, columns), (2, 3));
    /// ```
    #[track_caller]
    pub fn dims<const N: usize>(self) -> [usize; N] {
        let dims = self.shape();
        match <[usize; N]>::try_from(&dims.shape[..]) {
            Ok(sizes) if !dims.failed => sizes,
            _ => {
                if !dims.failed {
                    let kind = ErrorKind::Op(wengert_ops::ErrorKind::Shape);
                    let detail = format!("expected rank {N}, found shape {dims}");
                    self.tape.break_with(Error::new(kind, "dims", detail));
                }
                [1; N]
            }
        }
    }

    /// Keeps the value through scopes and sweeps, and its cotangent in the [`Grads`](crate::Grads) of a sweep.
    #[doc(alias = "retain_grad")]
    pub fn keep(self) -> Self {
        // A value that cannot be recomputed is reported when it is read.
        let _ = self.tape.revive(&[self.id]);
        if let Some(node) = self.tape.state.borrow_mut().nodes.get_mut(self.id as usize) {
            node.kept = true;
            node.wanted = true;
        }
        self
    }

    /// The same value as a constant: no gradient flows back through it.
    #[track_caller]
    pub fn detach(self) -> Self {
        if !self.tape.is_recording() {
            return self;
        }
        match self.value() {
            Ok(v) => self.tape.constant(v),
            Err(e) => self.tape.failed(e),
        }
    }

    /// Zeros of this value's shape, as a constant.
    #[track_caller]
    pub fn zeros_like(self) -> Self {
        self.tape.constant(Tensor::try_full(self.raw_shape(), T::ZERO))
    }

    /// Ones of this value's shape, as a constant.
    #[track_caller]
    pub fn ones_like(self) -> Self {
        self.tape.constant(Tensor::try_full(self.raw_shape(), T::ONE))
    }
}
