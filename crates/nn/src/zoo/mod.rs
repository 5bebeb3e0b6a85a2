//! The model zoo: one readable file a model.

mod mlp;

pub use mlp::{Mlp, MlpConfig};
