//! The model zoo: one readable file a model.

mod char_rnn;
mod forecaster;
mod gan;
mod gpt;
mod language;
mod mlp;
mod seq2seq;
mod vae;

pub use char_rnn::{CharRnn, CharRnnConfig, CharRnnMemory, Recurrence};
pub use forecaster::{Forecaster, ForecasterConfig};
pub use gan::{Game, GanConfig, dense_gan, gradient_penalty, noise};
pub use gpt::{Gpt, GptConfig, GptMemory};
pub use language::{Decoding, LanguageModel, generate};
pub use mlp::{Mlp, MlpConfig};
pub use seq2seq::{Seq2Seq, Seq2SeqConfig};
pub use vae::{Elbo, Observation, Vae, VaeConfig};
