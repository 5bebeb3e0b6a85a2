//! The table of the models.

use super::experiment::Model;
use super::{
    autoencoder, char_rnn, contrastive, forecaster, gan, gpt, lenet, masked, mlp, resnet, semi_supervised,
    seq2seq, text_classifier, translator, vae, vgg, vit,
};
use clap::{Command, Subcommand};
use serde::{Deserialize, Serialize};

/// A model of the zoo with its options. Its variants are the subcommands of `train`, the lines of `models`, and the model of a
/// config.toml.
#[derive(Debug, Clone, PartialEq, Subcommand, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum Architecture {
    /// A multilayer perceptron: fully connected layers that classify
    Mlp(mlp::MlpOptions),
    /// LeNet-5: two convolutions and three fully connected layers that classify images
    Lenet(lenet::LenetOptions),
    /// A small VGG: stages of 3 × 3 convolutions with batch norm that classify images
    #[command(visible_alias = "cnn")]
    Vgg(vgg::VggOptions),
    /// A residual network that classifies images
    Resnet(resnet::ResnetOptions),
    /// A vision Transformer: self-attention over patches of an image
    Vit(vit::VitOptions),
    /// A recurrent language model of characters: RNN, LSTM or GRU
    #[command(visible_aliases = RECURRENCES)]
    CharRnn(char_rnn::CharRnnOptions),
    /// A GPT-style language model of characters
    #[command(visible_alias = "transformer")]
    Gpt(gpt::GptOptions),
    /// A Transformer encoder that classifies texts
    TextClassifier(text_classifier::TextClassifierOptions),
    /// A recurrent encoder and decoder with attention: from one sequence to another
    #[serde(rename = "seq2seq")]
    #[command(name = "seq2seq")]
    Seq2Seq(seq2seq::Seq2SeqOptions),
    /// An encoder-decoder Transformer: from one sequence to another
    Translator(translator::TranslatorOptions),
    /// A forecaster of time series that says how sure it is
    Forecaster(forecaster::ForecasterOptions),
    /// An autoencoder, dense or convolutional; also one that takes out noise
    Autoencoder(autoencoder::AutoencoderOptions),
    /// A variational autoencoder, dense or convolutional
    Vae(vae::VaeOptions),
    /// A variational autoencoder of all images and a classifier of its z from few labels
    SemiSupervised(semi_supervised::SemiSupervisedOptions),
    /// An encoder that learns without labels to know two views of an image again (InfoNCE)
    Contrastive(contrastive::ContrastiveOptions),
    /// A Transformer that learns without labels to guess hidden parts of an image
    Masked(masked::MaskedOptions),
    /// A generative adversarial network, dense or convolutional (DCGAN)
    Gan(gan::GanOptions),
}

impl Architecture {
    /// The model's options.
    pub(crate) fn model(&self) -> &dyn Model {
        match self {
            Architecture::Mlp(m) => m,
            Architecture::Lenet(m) => m,
            Architecture::Vgg(m) => m,
            Architecture::Resnet(m) => m,
            Architecture::Vit(m) => m,
            Architecture::CharRnn(m) => m,
            Architecture::Gpt(m) => m,
            Architecture::Seq2Seq(m) => m,
            Architecture::Forecaster(m) => m,
            Architecture::Vae(m) => m,
            Architecture::TextClassifier(m) => m,
            Architecture::Translator(m) => m,
            Architecture::Autoencoder(m) => m,
            Architecture::SemiSupervised(m) => m,
            Architecture::Contrastive(m) => m,
            Architecture::Masked(m) => m,
            Architecture::Gan(m) => m,
        }
    }

    /// Names and descriptions of all models.
    pub(crate) fn all() -> Vec<(String, String)> {
        let about = |c: &Command| c.get_about().map(ToString::to_string).unwrap_or_default();
        Self::commands().get_subcommands().map(|c| (c.get_name().to_owned(), about(c))).collect()
    }

    /// The other names of a model.
    pub(crate) fn aliases(name: &str) -> Vec<String> {
        let commands = Self::commands();
        let model = commands.get_subcommands().find(|c| c.get_name() == name);
        model.map(|c| c.get_visible_aliases().map(str::to_owned).collect()).unwrap_or_default()
    }

    /// One subcommand per model.
    fn commands() -> Command {
        Architecture::augment_subcommands(table())
    }
}

/// A command with the models as subcommands.
pub(super) fn table() -> Command {
    Command::new("models").disable_help_subcommand(true).subcommand_required(true)
}

/// Names of `char-rnn` that also determine its recurrence.
pub(super) const RECURRENCES: [&str; 3] = ["rnn", "lstm", "gru"];
