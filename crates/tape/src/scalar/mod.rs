//! The scalar tape: derivatives of programs on single numbers, for pricing, physics and statistics, and for learning
//! how a tape works.
//!
//! [`Tape`] and [`Var`] are the tensor tape's idea in its smallest form: a node is two derivatives and two positions,
//! and handles carry an edge, so that most operations write nothing.
//!
//! ```
//! use wengert_tape::Elementary;
//! use wengert_tape::scalar::Tape;
//!
//! let mut tape = Tape::new();
//! for start in [1.0, 2.0] {
//!     tape.reset();
//!     let x = tape.var(start);
//!     let y = (x * x + 1.0).sqrt() * x.exp();
//!     let slope = tape.gradient(y)?.wrt(x)?;
//!     let root = (start * start + 1.0).sqrt();
//!     assert!((slope - (start / root + root) * start.exp()).abs() < 1e-12);
//! }
//! # Ok::<(), wengert_tape::Error>(())
//! ```
//!
//! | to | see |
//! |---|---|
//! | record and sweep | [`Tape`], [`Var`], [`Gradient`] |
//! | use a tape again | [`Tape::reset`], [`Tape::rewind`] with [`Tape::revive`] |
//! | sweep several outputs | [`Tape::jacobian`], [`Tape::gradients`], [`Tape::gradient_of`] |
//! | bound memory | [`checkpoint`], [`preaccumulate`], [`Tape::accumulate`] |
//! | write fewer nodes | [`fuse`] for long expressions; [`dot`], [`affine`], [`weighted_sum`], `iter.sum()` |
//! | run several inputs at once | [`Lanes`] |
//! | compute second and higher orders, or forward mode | [`Dual`], [`Jet`], [`hessian`] |
//! | put a derivative of your own on the tape | [`block`] |
//! | look at what a program does, step by step | [`Traced`] |
//! | use a scalar program on tensors, and tensors in a scalar program | [`Function`], [`tensor_block`] |
//!
//! Any function that is generic over [`Real`](crate::Real) or [`Number`] runs on all of these and on plain numbers,
//! where it has no extra cost.

mod block;
mod derivatives;
mod dual;
mod function;
mod fused;
mod jet;
mod lanes;
mod number;
mod operators;
mod sweep;
mod tape;
mod trace;
mod var;

pub use block::{block, checkpoint, preaccumulate};
pub use derivatives::{gradient, hessian};
pub use dual::Dual;
pub use function::{Function, tensor_block};
pub use fused::{affine, dot, statement, sum_of_products, weighted_sum};
pub use jet::{Jet, fuse, fuse_all};
pub use lanes::Lanes;
pub use number::Number;
pub use sweep::{CotangentArray, Cotangents, Gradient};
pub use tape::{Position, Tape, VarId};
pub use trace::{NodeInfo, Operation, Traced};
pub use var::Var;
