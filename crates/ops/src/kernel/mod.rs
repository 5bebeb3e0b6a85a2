//! The kernels, one file per family. Every kernel is a checked, safe function on tensors.

pub mod attention;
pub mod conv;
pub(crate) mod copy;
mod distance;
mod eigh;
pub(crate) mod elementwise;
pub mod embedding;
pub mod find;
pub mod fold;
pub mod index;
mod interpolate;
pub mod join;
pub mod linalg;
mod logic;
mod lu;
pub mod matmul;
pub mod normalize;
pub mod pointwise;
pub mod pool;
mod rank;
pub mod recurrent;
pub mod rows;
pub mod scan;
pub mod softmax;
pub mod sort;
mod statistics;
pub mod update;
