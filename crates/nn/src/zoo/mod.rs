//! The model zoo: one readable file a model.

mod forecaster;
mod gan;
mod mlp;
mod vae;

pub use forecaster::{Forecaster, ForecasterConfig};
pub use gan::{Game, GanConfig, dense_gan, gradient_penalty, noise};
pub use mlp::{Mlp, MlpConfig};
pub use vae::{Elbo, Observation, Vae, VaeConfig};
