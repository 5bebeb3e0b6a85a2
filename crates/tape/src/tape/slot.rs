//! [`Slot`]: a value of the tape, or the reason why it is absent.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use std::panic::Location;
use wengert_ops::{Shape, Tensor};

/// A value of the tape, or the reason why it is absent.
#[derive(Clone)]
pub(crate) enum Slot<T: Float> {
    Ready(Tensor<T>),
    /// Computed when it is read; see [`pending`](super::pending).
    Pending(Pending),
    Gone(Shape, Gone),
    Failed(Error),
}

/// A value that is not computed yet.
#[derive(Clone)]
pub(crate) struct Pending {
    pub(crate) shape: Shape,
    /// An upper bound of the number of operations that a pass for it runs.
    pub(crate) weight: u32,
    /// An upper bound of what computing one element costs, in additions.
    pub(crate) cost: u32,
    /// The number of passes that have computed it as an intermediate result, forward.
    pub(crate) computed: u32,
    /// The same in the reverse sweep.
    pub(crate) swept: u32,
    /// What freed it for the program, while other pending values are still computed from it. It is never written to memory.
    pub(crate) freed: Option<Gone>,
}

/// What freed a value.
#[derive(Clone, Copy)]
pub(crate) enum Gone {
    Scope(&'static Location<'static>),
    Checkpoint(&'static Location<'static>),
    Backward,
    Param,
    /// An evaluating tape, which recomputes it on request.
    Evaluating,
}

impl<T: Float> Slot<T> {
    /// Whether the program, or a rule, can read the value: it is there, or will be computed.
    pub(crate) fn is_readable(&self) -> bool {
        matches!(self, Slot::Ready(_) | Slot::Pending(Pending { freed: None, .. }))
    }

    /// Whether the value is computed when it is read.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Slot::Pending(Pending { freed: None, .. }))
    }

    #[inline]
    pub(crate) fn shape(&self) -> &Shape {
        static SCALAR: std::sync::LazyLock<Shape> = std::sync::LazyLock::new(Shape::scalar);
        match self {
            Slot::Ready(t) => t.shape(),
            Slot::Pending(pending) => &pending.shape,
            Slot::Gone(shape, _) => shape,
            Slot::Failed(_) => &SCALAR,
        }
    }

    /// The value, or why there is none; `op` is the operation that reads it.
    #[inline]
    pub(crate) fn ready(&self, op: &'static str) -> Result<&Tensor<T>> {
        match self {
            Slot::Ready(t) => Ok(t),
            Slot::Failed(e) => Err(e.clone()),
            Slot::Pending(Pending { shape, freed: Some(gone), .. }) => {
                Err(Error::new(ErrorKind::Freed, op, gone.explain(shape)))
            }
            Slot::Pending(p) => {
                let detail = format!("the value of shape {} is not computed", p.shape);
                Err(Error::new(ErrorKind::Freed, op, detail))
            }
            Slot::Gone(shape, gone) => Err(Error::new(ErrorKind::Freed, op, gone.explain(shape))),
        }
    }
}

impl Gone {
    #[cold]
    fn explain(self, shape: &Shape) -> String {
        match self {
            Gone::Scope(at) => format!(
                "this value of shape {shape} was freed at the end of the scope at {at}; return it from the scope, or keep() it"
            ),
            Gone::Checkpoint(at) => format!(
                "this value of shape {shape} was dropped by the checkpoint at {at}; return it from there, or keep() it"
            ),
            Gone::Backward => format!(
                "this value of shape {shape} was freed by backward(); keep() it before, or use backward_retaining()"
            ),
            Gone::Evaluating => {
                format!(
                    "this value of shape {shape} was dropped by the evaluating tape and cannot be computed again"
                )
            }
            Gone::Param => format!(
                "this parameter of shape {shape} was released by backward(); read it from the model, or ask tape.param again"
            ),
        }
    }
}

/// A tensor's shape and range, for error messages.
pub(crate) fn range<T: Float>(value: &Slot<T>) -> String {
    let Slot::Ready(t) = value else {
        return format!("{} (freed)", value.shape());
    };
    let v = t.to_vec();
    let finite = v.iter().filter(|v| v.is_finite()).map(|v| v.to_f64());
    let (lo, hi) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(x), hi.max(x)));
    let bad = v.iter().filter(|v| !v.is_finite()).count();
    let bad = if bad > 0 { format!(", {bad} not finite") } else { String::new() };
    if lo <= hi {
        format!("{} in [{lo:.4e}, {hi:.4e}]{bad}", t.shape())
    } else {
        format!("{}{bad}", t.shape())
    }
}
