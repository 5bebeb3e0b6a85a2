//! File formats. A reader accepts or refuses a file as a whole, and checks sizes against the length of the file before
//! it allocates: at most [`MOST_PER_BYTE`] times that length or, if that is more, [`MOST_FOR_ANY_FILE`] bytes. If a
//! compressed file is refused for this reason, the same file can still be read uncompressed.

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
