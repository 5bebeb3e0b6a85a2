//! Datasets, file formats, transforms, splits and minibatches.
//!
//! A [`Dataset`] has a number of samples and a method that fetches some of them. A [`Loader`] visits each sample once
//! per epoch, in an order that its seed determines, and prepares batches on its own threads while earlier ones are
//! used.
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
//!
//! | data | item |
//! |---|---|
//! | inputs with class labels | [`Classification`]; embedded: [`digits`], [`fashion_sample`], [`iris`], [`wine`] |
//! | inputs with class labels, from files on your machine | [`fashion_mnist`], [`mnist`] |
//! | text | [`Text`], [`Vocabulary`]; embedded: [`hamlet`] |
//! | pairs of texts | [`Pairs`]; embedded: [`country_and_language_names`] |
//! | time series | [`Series`]; embedded: [`sunspots`], [`co2`], [`nile`] |
//! | files | [`format`](mod@format): IDX, CSV, `.npy`, `.npz`, PNG |
//! | augmentation | [`transform`] |
//! | which files were read | [`record_files`] |
//! | splits | [`Classification::stratified_split`], [`k_fold`], [`bootstrap`], [`Classification::labelled`] |
#![forbid(unsafe_code)]

mod batches;
mod classification;
mod dataset;
mod error;
mod folds;
pub mod format;
mod loader;
mod order;
mod pairs;
mod record;
mod sampler;
mod series;
mod sets;
mod split;
mod state;
mod text;
mod texts;
pub mod transform;
mod vocabulary;

pub use batches::Batches;
pub use classification::{Batch, Classification};
pub use dataset::{Dataset, IntoDataset};
pub use error::{Error, Location, Printable, Result};
pub use folds::{Bootstrap, Fold, Subset, bootstrap, k_fold};
pub use format::image;
pub use loader::Loader;
pub use order::permutation;
pub use pairs::{BEGIN, END, PAD, PairBatch, Pairs, pad};
pub use record::{FileRead, record_files};
pub use sampler::Sampler;
pub use series::{Series, SeriesBatch, SeriesWindows};
pub use sets::{
    FASHION_CLASSES, IRIS_CLASSES, IRIS_FEATURES, WINE_FEATURES, co2, country_and_language_names, digits,
    fashion_mnist, fashion_sample, hamlet, iris, mnist, nile, sunspots, wine,
};
pub use split::held_out;
pub use state::State;
pub use text::{Text, TokenBatch, Windows};
pub use texts::{Texts, TextsBatch};
pub use vocabulary::{UNKNOWN, Unit, Vocabulary};
