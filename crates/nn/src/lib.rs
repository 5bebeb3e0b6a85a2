//! Modules, initialisers, losses and optimisers.
//!
//! A module is a plain struct whose fields are parameters, buffers and other modules; `#[derive(Module)]` makes its
//! parts accessible by name. A module holds no handle of a tape, and [`forward`](Layer::forward) changes nothing in it, so
//! the same model can run on several tapes, and from several threads, at once.
//!
//! ```
//! use wengert_nn::{Layer, Linear, Module, loss, optim::{Optimizer, Sgd}};
//! use wengert_ops::{Tensor, random::Rng};
//! use wengert_tape::Tape;
//!
//! let mut model = Linear::<f64>::new(1, 1, &mut Rng::seed(0));
//! let (x, y) = (Tensor::from([[0.0], [1.0]]), Tensor::from([[1.0], [3.0]]));
//! let mut optimizer = Sgd::new(0.5);
//! for _ in 0..200 {
//!     let tape = Tape::new();
//!     let loss = loss::mse(model.forward(tape.constant(&x)), &y);
//!     optimizer.step(&mut model, &loss.backward()?)?;
//! }
//! assert!((model.weight.value().item()? - 2.0).abs() < 1e-6);      // y = 2 x + 1
//! # Ok::<(), wengert_tape::Error>(())
//! ```
#![forbid(unsafe_code)]

// The code of `#[derive(Module)]` refers to the facade `wengert`; inside this crate, that path is this crate.
extern crate self as wengert;

pub mod dist;
mod domain;
pub mod gradcheck;
pub mod init;
mod layers;
pub mod loss;
mod module;
pub mod optim;
pub mod penalty;
pub mod sizes;
pub mod state;
mod summary;
mod weighed;
pub mod zoo;

pub use layers::*;
pub use module::{
    Buffer, GradsExt, Leaf, LeafMut, Module, ModulePath, UpdatesExt, Visitor, VisitorMut, for_each_leaf,
    for_each_leaf_mut, for_each_param, for_each_param_mut,
};
pub use summary::Summary;
pub use wengert_derive::Module;

/// The paths that the code of `#[derive(Module)]` and `#[gradcheck]` refers to.
#[doc(hidden)]
pub mod __private {
    pub use crate::{Module, ModulePath, Visitor, VisitorMut};
    pub use wengert_tape::__private::*;
}
