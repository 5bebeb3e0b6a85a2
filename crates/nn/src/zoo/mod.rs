//! The model zoo: one readable file a model.

mod autoencoder;
mod char_rnn;
mod cnn;
mod forecaster;
mod gan;
mod gpt;
mod language;
mod mlp;
mod pairs;
mod resnet;
mod seq2seq;
mod text_classifier;
mod translator;
mod vae;
mod vit;

pub use autoencoder::{Autoencoder, AutoencoderConfig, ReconstructionLoss};
pub use char_rnn::{CharRnn, CharRnnConfig, CharRnnMemory, Recurrence};
pub use cnn::{VggConfig, lenet, vgg};
pub use forecaster::{Forecaster, ForecasterConfig};
pub use gan::{DcganConfig, Game, GanConfig, dcgan, dense_gan, gradient_penalty, noise};
pub use gpt::{Gpt, GptConfig, GptMemory};
pub use language::{Decoding, LanguageModel, generate};
pub use mlp::{Mlp, MlpConfig};
pub use resnet::{BasicBlock, ResNet, ResNetConfig, Shortcut};
pub use seq2seq::{Seq2Seq, Seq2SeqConfig};
pub use text_classifier::{Pooling, TextClassifier, TextClassifierConfig};
pub use translator::{Translator, TranslatorConfig};
pub use vae::{Elbo, Observation, Vae, VaeConfig};
pub use vit::{Vit, VitConfig};
