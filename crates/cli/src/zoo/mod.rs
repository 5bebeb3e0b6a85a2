//! The models of the command. Each has a file, which defines its data, builds the model and defines its task, and a variant of
//! [`Architecture`], the table.

mod architecture;
mod autoencoder;
mod char_rnn;
mod contrastive;
mod experiment;
mod forecaster;
mod gan;
mod given;
mod gpt;
mod lenet;
mod masked;
mod mlp;
mod pixels;
mod resnet;
mod self_supervised;
mod semi_supervised;
mod seq2seq;
mod supervised;
mod text_classifier;
mod translator;
mod vae;
mod vgg;
mod vit;

pub(crate) use architecture::Architecture;
pub(crate) use experiment::{About, EVALUATION_BATCH, Experiment, Model, Picture, Sample, SampleOptions};
use experiment::{NOT_FOR_ROWS, NOT_FOR_SEQUENCES, RECORDED_SAMPLES};
pub(crate) use given::{GivenModel, offer_what_models_take};
use supervised::Supervised;
