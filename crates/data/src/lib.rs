//! Datasets, splits and minibatches.
//!
//! A [`Dataset`] is a number of samples and a way to fetch some of them; a [`Loader`] visits each sample once an
//! epoch, in an order that its seed fixes, and prepares batches on a thread of its own while earlier ones are used.
//!
//! ```
//! use wengert_data::{Loader, digits};
//!
//! let (train, test) = digits()?.stratified_split(0.2, 0)?;
//! assert_eq!((train.len(), test.len()), (1438, 359));
//! let loader = Loader::new(&train, 32, 0)?;
//! for epoch in 0..2 {
//!     for batch in loader.epoch(epoch) {
//!         let batch = batch?;
//!         assert_eq!(batch.inputs.shape()[..], [batch.len(), 64]);
//!     }
//! }
//! # Ok::<(), wengert_data::Error>(())
//! ```
#![forbid(unsafe_code)]

mod batches;
mod classification;
mod dataset;
mod digits;
mod error;
mod loader;
mod order;
mod split;

pub use batches::Batches;
pub use classification::{Batch, Classification};
pub use dataset::{Dataset, IntoDataset};
pub use digits::digits;
pub use error::{Error, Result};
pub use loader::Loader;
pub use order::permutation;
