//! File formats. Every reader takes a file whole or refuses it whole, and checks sizes against the file's length before
//! it allocates: at most [`MOST_PER_BYTE`] times that length or, if that is more, [`MOST_FOR_ANY_FILE`] bytes. What is refused
//! for that in a compressed file can still be read from one that is not compressed.

mod array;
mod budget;
mod bytes;
mod chunks;
pub(crate) mod columns;
pub mod csv;
pub mod idx;
pub mod image;
pub mod npy;
pub mod npz;
mod pixels;
pub(crate) mod text;

pub use array::Array;
pub use budget::{MOST_FOR_ANY_FILE, MOST_PER_BYTE};
pub(crate) use bytes::gunzip;
