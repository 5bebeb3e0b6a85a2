//! The models that the command knows: a file each, which says what data the model takes, builds it and says what it is trained for; and
//! a variant of [`Architecture`], which is the table.

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

use crate::options::words;
use anyhow::{Result, bail};
use clap::{Command, Subcommand};
pub(crate) use experiment::{About, EVALUATION_BATCH, Experiment, Model, Picture, Sample, SampleOptions};
use experiment::{NOT_FOR_ROWS, NOT_FOR_SEQUENCES, RECORDED_SAMPLES};
pub(crate) use given::{GivenModel, offer_what_models_take};
use serde::{Deserialize, Serialize};
use supervised::Supervised;

/// A model of the zoo with its options. Its variants are the subcommands of `train`, the lines of `models`, and what
/// stands in a run's config.toml.
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
    /// Its options.
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

    /// The model of this name with default options.
    pub(crate) fn named(name: &str) -> Option<Self> {
        GivenModel::parse([name.to_owned()]).ok().map(|given| given.architecture)
    }

    /// Whether every option is within its bounds: in a file that was changed by hand it need not be.
    pub(crate) fn check(&self) -> Result<()> {
        let mut options = toml::Table::try_from(self)?;
        options.remove("name");
        let name = self.model().about().name.to_owned();
        match GivenModel::parse(std::iter::once(name).chain(words(&options)?)) {
            Ok(_) => Ok(()),
            // The first line says what is wrong; the others are for a command line.
            Err(e) => {
                bail!("{}", e.to_string().lines().next().unwrap_or_default().trim_start_matches("error: "))
            }
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

    /// A subcommand for each model.
    fn commands() -> Command {
        let models = Command::new("models").disable_help_subcommand(true).subcommand_required(true);
        Architecture::augment_subcommands(models)
    }
}

/// Names of `char-rnn` that also choose its recurrence.
const RECURRENCES: [&str; 3] = ["rnn", "lstm", "gru"];
