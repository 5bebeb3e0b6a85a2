//! The loop around a model, in parts that can be used one by one.
//!
//! - [`fit`] trains a classifier and gives its [`Epoch`]s; [`evaluate`] scores one;
//! - an [`Observer`] watches, such as [`Progress`], a bar in a terminal and plain lines elsewhere;
//! - a [`RunFolder`] keeps what a run leaves behind: weights, options, [metrics](metrics_csv) and
//!   [learning curves](curves);
//! - a [`fingerprint`] tells in one word whether two runs gave the same weights.
//!
//! ```
//! use wengert_data::{Loader, digits};
//! use wengert_nn::{optim::Adam, zoo::{Mlp, MlpConfig}};
//! use wengert_ops::random::Rng;
//! use wengert_train::{FitConfig, fit};
//!
//! let (train, test) = digits()?.stratified_split(0.2, 0)?;
//! let loader = Loader::new(&train, 32, 0)?;
//! let mut model = Mlp::new(&MlpConfig::default(), &mut Rng::seed(0));
//! let config = FitConfig { epochs: 2, ..FitConfig::default() };
//! let epochs = fit(&mut model, &mut Adam::new(3e-3), &loader, &test, &config, &mut ())?;
//! assert!(epochs[1].test.accuracy() > 0.8);
//! # Ok::<(), wengert_train::Error>(())
//! ```
#![forbid(unsafe_code)]

mod curves;
mod error;
mod evaluate;
mod fingerprint;
mod fit;
mod folder;
mod metrics;
mod observer;
mod progress;
mod schedule;
mod ticks;

pub use curves::{Curves, curves};
pub use error::{Error, Result};
pub use evaluate::evaluate;
pub use fingerprint::fingerprint;
pub use fit::{FitConfig, fit};
pub use folder::{Existing, RunFolder};
pub use metrics::{Epoch, Score, metrics_csv};
pub use observer::{Observer, Plan, Step};
pub use progress::Progress;
pub use schedule::Schedule;
