//! The tape: it records operations as they are computed and sweeps back through them.
//!
//! - [`Tape`] and [`Var`]: recording, errors that stay with the value, [`backward`](Var::backward) and
//!   [`grad`](Var::grad);
//! - [`derivatives`]: Jacobians, Hessians and products with them, as tensors;
//! - [`Op`] and [`Pointwise`]: how an operation is written, ours or a user's;
//! - [`scalar`]: a tape for programs on single numbers, dual numbers, lanes;
//! - [`rules`]: one file an operation, and the table that enrols them;
//! - [`gradcheck`]: the tests that prove every gradient, for our ops and for a user's.
#![forbid(unsafe_code)]

mod backward;
mod checkpoint;
mod contract;
pub mod derivatives;
mod error;
mod error_scope;
mod evaluating;
pub mod formula;
pub mod gradcheck;
mod grads;
mod inspect;
mod node;
mod op;
mod param;
mod per_sample;
mod pointwise;
mod real;
pub mod rules;
pub mod scalar;
mod scope;
mod substitute;
mod sweep;
mod tape;
mod term;
mod updates;
mod var;

pub use error::{Error, ErrorKind, Result};
pub use error_scope::ErrorScope;
pub use formula::{Elementary, Expr};
pub use grads::Grads;
pub use inspect::{NodeInfo, SweepStep};
pub use op::{BackwardContext, Cotangents, ForwardOutput, Op, Outputs, Saves, VjpContext, cotangents};
pub use param::{Param, ParamId};
pub use per_sample::{PerSample, per_sample};
pub use pointwise::{Pointwise, Pointwise2};
pub use real::{Float, Real};
pub use rules::Operand;
pub use rules::RecurrenceOptions;
pub use scope::{Scope, ScopeOutput};
pub use substitute::Replay;
pub use sweep::RetainGraph;
pub use tape::Tape;
pub use term::{Equation, Term};
pub use updates::{BufferId, BufferUpdate, Change, Updates};
pub use var::{Dims, Var};
