//! The tape: it records operations as they are computed and sweeps back through them.
//!
//! - [`Tape`] and [`Var`]: recording, errors that stay with the value, [`backward`](Var::backward) and
//!   [`grad`](Var::grad);
//! - [`jacobian`], [`hessian`], [`vjp`], [`jvp`] and [`hvp`]: derivatives of a function of one value, as tensors; for functions of
//!   several, close over the others, or record on a [`Tape`] and use [`backward`](Var::backward) and [`grad`](Var::grad), which
//!   these are made of;
//! - [`Op`] and [`Pointwise`]: how an operation is written, ours or a user's;
//! - [`scalar`]: a tape for programs on single numbers, dual numbers, lanes;
//! - [`rules`]: one file an operation, and the table that enrols them;
//! - [`gradcheck`]: the tests that prove every gradient, for our ops and for a user's.
#![forbid(unsafe_code)]

mod derivatives;
mod error;
pub mod formula;
pub mod gradcheck;
mod number;
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
    BackwardContext, BufferId, BufferUpdate, Change, Cotangents, Dims, ErrorScope, ForwardOutput, Op,
    Outputs, Param, ParamId, Saves, Scope, ScopeOutput, Selection, Tape, Updates, Var, VjpContext,
    cotangents,
};
pub use term::{Equation, Term};
