//! Tape-based reverse-mode automatic differentiation, with neural networks on top.
//!
//! An expression on a tape reads like mathematics, and its gradient is one call:
//!
//! ```
//! use wengert::prelude::*;
//!
//! let tape = Tape::new();
//! let x = tape.var(Tensor::from([0.5, -1.0, 2.0]));
//! let y = (x * x).tanh().sum();
//! let grads = y.backward()?;
//! println!("{}", grads.wrt(x)?);                  // 2x (1 - tanh²(x²))
//! # assert!((grads.wrt(x)?.to_vec()[0] - (1.0 - 0.25f64.tanh().powi(2))).abs() < 1e-12);
//! # Ok::<(), wengert::Error>(())
//! ```
//!
//! A model is a struct of parameters and layers:
//!
//! ```
//! use wengert::prelude::*;
//!
//! #[derive(Module)]
//! struct Net {
//!     hidden: Linear<f32>,
//!     output: Linear<f32>,
//! }
//!
//! impl Net {
//!     fn forward<'t>(&self, x: Var<'t, f32>) -> Var<'t, f32> {
//!         self.output.forward(self.hidden.forward(x).relu())
//!     }
//! }
//!
//! let mut rng = Rng::seed(0);
//! let mut net = Net { hidden: Linear::new(64, 32, &mut rng), output: Linear::new(32, 10, &mut rng) };
//! let (images, labels) = (Tensor::randn([8, 64], &mut rng)?, Tensor::from([0, 1, 2, 3, 4, 5, 6, 7]));
//!
//! let mut optimizer = Adam::new(1e-2);
//! let mut tape = Tape::train(0);
//! let mut losses = Vec::new();
//! for _ in 0..20 {
//!     tape.reset();
//!     let loss = loss::cross_entropy(net.forward(tape.constant(&images)), &labels);
//!     losses.push(loss.item()?);
//!     optimizer.step(&mut net, &loss.backward()?)?;
//! }
//! assert!(losses[19] < 0.5 * losses[0]);
//! # Ok::<(), wengert::Error>(())
//! ```
//!
//! Errors are values. [`Error`] is that of tapes, and `?` turns those of tensors and of saved states into it. A program that also reads
//! data or trains returns `wengert::train::Error`, which takes all of these, or `Box<dyn std::error::Error>`, which takes any:
//!
//! ```
//! # #[cfg(feature = "data")]
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     use wengert::prelude::*;
//!     let (train, _) = wengert::data::digits()?.stratified_split(0.2, 0)?;      // an error of data
//!     let images = train.inputs().slice(0, ..8)?;                               // of tensors
//!     let model = Linear::<f32>::new(64, 10, &mut Rng::seed(0));
//!     let loss = model.forward(Tape::new().constant(&images)).square().mean().item()?;   // of tapes
//!     assert!(loss > 0.0);
//!     Ok(())
//! }
//! # #[cfg(not(feature = "data"))]
//! # fn main() {}
//! ```
//!
//! | to learn about | see |
//! |---|---|
//! | tensors and kernels | [`ops`] |
//! | recording, gradients, errors, your own ops | [`tape`] |
//! | tests of the gradients of your own functions | [`macro@gradcheck`] |
//! | a program of these tests for continuous integration | `check` (feature `check`) |
//! | checking gradients of built-in and of your own ops | [`tape::gradcheck`] |
//! | layers, losses, optimisers, saving weights | [`nn`] |
//! | data sets and minibatches | `data` (feature `data`, on by default) |
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(doctest)]
mod book;

#[cfg(feature = "check")]
pub use wengert_check as check;
#[cfg(feature = "data")]
pub use wengert_data as data;
pub use wengert_nn as nn;
pub use wengert_ops as ops;
pub use wengert_tape as tape;
#[cfg(feature = "trace")]
pub use wengert_trace as trace;
#[cfg(feature = "train")]
pub use wengert_train as train;

pub use wengert_derive::{gradcheck, gradcheck_test};
#[doc(hidden)]
pub use wengert_nn::__private;
pub use wengert_nn::Module;
pub use wengert_ops::Tensor;
pub use wengert_tape::{Error, Result, Tape, Var};

/// The items that most programs use.
pub mod prelude {
    pub use wengert_derive::{gradcheck, gradcheck_test};
    pub use wengert_nn::optim::{Adam, Optimizer, Sgd};
    pub use wengert_nn::{
        Activation, AttentionMask, BatchNorm, Conv2d, Dropout, Embedding, Flatten, GradsExt, Identity, Layer,
        LayerNorm, Linear, MaxPool2d, Module, MultiHeadAttention, Residual, Sequential, Summary, init, loss,
        optim, state, zoo,
    };
    pub use wengert_ops::random::Rng;
    pub use wengert_ops::{Shape, Slice, Tensor};
    #[cfg(feature = "proptest")]
    pub use wengert_tape::gradcheck::strategies;
    pub use wengert_tape::{
        Elementary, Error, Expr, Float, Grads, Operand, Param, Pointwise, Real, ScopeOutput, Tape, Var,
    };
}
