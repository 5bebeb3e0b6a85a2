//! File formats. Every reader takes a file whole or refuses it whole, and checks sizes against the file's length before
//! it allocates.

mod array;
mod bytes;
pub mod csv;
pub mod idx;
pub mod image;
pub mod npy;
pub mod npz;

pub use array::Array;
pub(crate) use bytes::{gunzip, read_file};
