//! The tape: it records operations as they are computed and sweeps back through them.
//!
//! - [`Tape`] and [`Var`]: recording, errors that stay with the value, [`backward`](Var::backward) and
//!   [`grad`](Var::grad);
//! - [`jacobian`], [`hessian`], [`vjp`], [`jvp`] and [`hvp`]: derivatives of a function of one value, as tensors; for a
//!   function of several values, capture the others in the closure, or record on a [`Tape`] and use
//!   [`backward`](Var::backward) and [`grad`](Var::grad), on which these are built;
//! - [`Op`] and [`Pointwise`]: how an operation is written, built in or custom;
//! - [`scalar`]: a tape for programs on single numbers, dual numbers, lanes;
//! - [`profile`]: where the time of a computation goes;
//! - [`rules`]: one file per operation, and the table that lists them;
//! - [`gradcheck`]: the tests that check every gradient, of built-in and of custom ops.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod derivatives;
mod error;
pub mod formula;
pub mod gradcheck;
mod number;
pub mod profile;
pub mod rules;
pub mod scalar;
mod substitute;
mod sweep;
mod tape;
mod term;

pub use derivatives::{hessian, hvp, jacobian, jvp, vjp};
pub use error::{Error, ErrorKind, Result};
pub use formula::{Elementary, Expr};
pub use number::{Float, Pointwise, Pointwise2, Real};
pub use rules::Operand;
pub use rules::RecurrenceOptions;
pub use substitute::Replay;
pub use sweep::{Grads, NodeInfo, PerSample, RetainGraph, SweepStep, per_sample};
pub use tape::{
    BackwardContext, BufferId, BufferUpdate, Change, Cotangents, Dims, ElementwiseOp, ErrorScope,
    ForwardOutput, FusedPass, Op, Outputs, Param, ParamId, Saves, Scope, ScopeOutput, Selection, Tape,
    Updates, Var, VjpContext, cotangents,
};
pub use term::{Equation, Term};

/// What `#[gradcheck]` refers to.
#[doc(hidden)]
pub mod __private {
    pub use crate::gradcheck::suite::assert_property;
    pub use crate::gradcheck::{Case, Domain, Gen, Order, Property, Spec, outputs};
    pub use wengert_ops::Tensor;
}
