//! The models that the command knows: a file each, which says what data the model takes, builds it and what it is trained for; and
//! a variant of [`Architecture`], which is the table.

mod autoencoder;
mod char_rnn;
mod contrastive;
mod forecaster;
mod gan;
mod gpt;
mod lenet;
mod masked;
mod mlp;
mod products;
mod represented;
mod resnet;
mod semi_supervised;
mod seq2seq;
mod supervised;
mod text_classifier;
mod translator;
mod vae;
mod vgg;
mod vit;

use crate::config::Config;
use crate::data::Data;
use crate::expand::spoken;
use crate::values::{Optimizer, Schedule};
use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command, FromArgMatches, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use supervised::Supervised;
use wengert::Module;
use wengert::nn::zoo::Decoding;
use wengert::ops::Tensor;
use wengert::train::{FitConfig, FitReport, Measures, Observer};
use wengert::{Tape, Var};

/// A model of the zoo with its options. Its variants are the subcommands of `train`, the lines of `models`, and what
/// stands in a run's config.toml.
#[derive(Debug, Clone, PartialEq, Subcommand, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub(crate) enum Architecture {
    /// A multilayer perceptron: fully connected layers that classify
    Mlp(mlp::Mlp),
    /// LeNet-5: two convolutions and three fully connected layers that classify images
    Lenet(lenet::Lenet),
    /// A small VGG: stages of 3 × 3 convolutions with batch norm that classify images
    #[command(visible_alias = "cnn")]
    Vgg(vgg::Vgg),
    /// A residual network that classifies images
    Resnet(resnet::Resnet),
    /// A vision Transformer: self-attention over patches of an image
    Vit(vit::Vit),
    /// A recurrent language model of characters: RNN, LSTM or GRU
    #[command(visible_aliases = RECURRENCES)]
    CharRnn(char_rnn::CharRnn),
    /// A GPT-style language model of characters
    #[command(visible_alias = "transformer")]
    Gpt(gpt::Gpt),
    /// A Transformer encoder that classifies texts
    TextClassifier(text_classifier::TextClassifier),
    /// A recurrent encoder and decoder with attention: from one sequence to another
    #[serde(rename = "seq2seq")]
    #[command(name = "seq2seq")]
    Seq2Seq(seq2seq::Seq2Seq),
    /// An encoder-decoder Transformer: from one sequence to another
    Translator(translator::Translator),
    /// A forecaster of time series that says how sure it is
    Forecaster(forecaster::Forecaster),
    /// An autoencoder, dense or convolutional; also one that takes out noise
    Autoencoder(autoencoder::Autoencoder),
    /// A variational autoencoder, dense or convolutional
    Vae(vae::Vae),
    /// A variational autoencoder of all images and a classifier of its z from few labels
    SemiSupervised(semi_supervised::SemiSupervised),
    /// An encoder that learns without labels to know two views of an image again (InfoNCE)
    Contrastive(contrastive::Contrastive),
    /// A Transformer that learns without labels to guess hidden parts of an image
    Masked(masked::Masked),
    /// A generative adversarial network, dense or convolutional (DCGAN)
    Gan(gan::Gan),
}

impl Architecture {
    /// What every model can say and do.
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

    /// The model of this name with all options as they are by default.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let matches = table().try_get_matches_from([table().get_name(), name]).ok()?;
        Architecture::from_arg_matches(&matches).ok()
    }

    /// Whether every option is within its bounds: those from a file that was changed by hand need not be.
    pub(crate) fn check(&self) -> Result<()> {
        let words = [vec![table().get_name().to_owned()], spoken(self)?].concat();
        match table().try_get_matches_from(words) {
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
        table().get_subcommands().map(|c| (c.get_name().to_owned(), about(c))).collect()
    }

    /// The other names of a model.
    pub(crate) fn aliases(name: &str) -> Vec<String> {
        let table = table();
        let model = table.get_subcommands().find(|c| c.get_name() == name);
        model.map(|c| c.get_visible_aliases().map(str::to_owned).collect()).unwrap_or_default()
    }
}

/// Names of `char-rnn` that also choose its recurrence.
pub(crate) const RECURRENCES: [&str; 3] = ["rnn", "lstm", "gru"];

/// What models of rows of numbers do not take.
const OF_ROWS: &[&str] = &["augment"];
/// What models of texts and of numbers over time do not take.
const OF_SEQUENCES: &[&str] = &["augment", "labels"];

/// `train` with models that offer only what they take. What is not offered is still understood, so that it can be refused with the
/// reason.
pub(crate) fn offered(mut train: Command) -> Command {
    let shared: Vec<Arg> = train.get_arguments().cloned().collect();
    for (name, _) in Architecture::all() {
        let Some(architecture) = Architecture::named(&name) else { continue };
        let model = architecture.model();
        let changed = shared.iter().filter_map(|arg| match arg.get_id().as_str() {
            "data" => Some(arg.clone().value_parser(data_of(model))),
            id if model.refuses().contains(&id) => Some(arg.clone().hide(true)),
            _ => None,
        });
        let changed: Vec<Arg> = changed.collect();
        train = train.mut_subcommand(name, |c| c.args(changed));
    }
    train
}

/// The data that a model learns from, of which only these are shown.
fn data_of(model: &dyn Model) -> impl TypedValueParser<Value = Data> + use<> {
    let fits = model.data();
    let values = Data::value_variants().iter().filter_map(|data| {
        let value = data.to_possible_value()?;
        Some(value.hide(!fits.contains(data)))
    });
    // Whatever is no name of any was refused before.
    PossibleValuesParser::new(values).map(|name| Data::from_str(&name, false).unwrap_or(Data::Digits))
}

fn table() -> Command {
    let table = Command::new("models").disable_help_subcommand(true).subcommand_required(true);
    Architecture::augment_subcommands(table)
}

/// The options of a model.
pub(crate) trait Model {
    /// What `train` and `models` call it.
    fn name(&self) -> &'static str;

    /// The data that it can learn from, the usual one first.
    fn data(&self) -> &'static [Data];

    /// What comes out with the usual data and options.
    fn expect(&self) -> &'static str;

    /// How it is trained on these data if nothing else is asked for.
    fn usual(&self, data: Data) -> Usual;

    /// The shared options of `train` that it does not take, and so does not offer.
    fn refuses(&self) -> &'static [&'static str] {
        &[]
    }

    /// The model before training, with its data.
    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>>;
}

/// Options of training that depend on the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Usual {
    pub(crate) epochs: usize,
    pub(crate) batch_size: usize,
    pub(crate) optimizer: Optimizer,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) schedule: Schedule,
    pub(crate) clip_norm: Option<f64>,
}

impl Usual {
    /// So many epochs with AdamW.
    pub(crate) fn epochs(epochs: usize) -> Self {
        Usual {
            epochs,
            batch_size: 32,
            optimizer: Optimizer::Adamw,
            lr: 0.003,
            weight_decay: 0.01,
            schedule: Schedule::Cosine,
            clip_norm: None,
        }
    }
}

/// A model, what it learns from, and what for.
pub(crate) trait Experiment {
    /// What is saved and shown.
    fn model(&self) -> &dyn Module;

    /// The same, to be given weights.
    fn model_mut(&mut self) -> &mut dyn Module;

    /// Trains, and leaves the weights that are to be kept.
    fn fit(&mut self, config: &Config, how: &FitConfig, observer: &mut dyn Observer) -> Result<FitReport>;

    /// The score on the samples that are held out.
    fn evaluate(&mut self, config: &Config) -> Result<Measures>;

    /// Records the loss of the first held-out samples: what `step` shows.
    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>>;

    /// What the model makes.
    fn sample(&self, wanted: &Wanted) -> Result<Sample>;

    /// Images that the run folder gets at the end, by name.
    fn pictures(&self) -> Result<Vec<Picture>> {
        Ok(Vec::new())
    }
}

/// What `sample` is asked for.
pub(crate) struct Wanted {
    /// Texts or images; without a number, as many as are usual.
    pub(crate) count: Option<usize>,
    pub(crate) prompt: Option<String>,
    pub(crate) length: usize,
    pub(crate) decoding: Decoding,
    pub(crate) seed: u64,
}

/// What a model makes.
pub(crate) enum Sample {
    /// Lines of text.
    Text(String),
    /// Images `[n, channels, height, width]` from 0 to 1.
    Images(Tensor<f32>),
}

/// Images `[n, channels, height, width]` for the run folder, and their name.
pub(crate) type Picture = (&'static str, Tensor<f32>);

/// How many samples are recorded: two, so that they can be compared with each other.
const RECORDED: [usize; 2] = [0, 1];

/// How many images the pictures of a run folder have.
const SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_takes_what_it_offers_and_nothing_else() {
        use crate::values::{Augment, Optimizer};
        type Change = fn(&mut Config);
        let options: [(&str, Change); 6] = [
            ("augment", |c| c.augment = vec![Augment::Noise]),
            ("labels", |c| c.labels = Some(100)),
            ("average", |c| c.average = Some(0.9)),
            ("clip_norm", |c| c.clip_norm = Some(1.0)),
            ("optimizer", |c| c.optimizer = Optimizer::Lion),
            ("momentum", |c| (c.optimizer, c.momentum) = (Optimizer::Sgd, Some(0.5))),
        ];
        for (name, _) in Architecture::all() {
            let architecture = Architecture::named(&name).unwrap();
            let model = architecture.model();
            for (option, change) in options {
                let mut config = Config::usual(architecture.clone());
                change(&mut config);
                let taken = config.check().and_then(|()| model.experiment(&config).map(drop));
                assert_eq!(taken.is_err(), model.refuses().contains(&option), "{name} {option}: {taken:?}");
            }
        }
    }

    #[test]
    fn every_model_can_be_had_by_its_name_with_each_of_its_data() {
        for (name, about) in Architecture::all() {
            let architecture = Architecture::named(&name).unwrap();
            let model = architecture.model();
            assert_eq!(model.name(), name);
            assert!(!about.is_empty() && !model.expect().is_empty());
            for &data in model.data() {
                if !data.needs_path() && data != Data::FashionMnist {
                    let config = Config::on(architecture.clone(), data);
                    let experiment = model.experiment(&config).unwrap();
                    assert!(experiment.model().num_params() > 0, "{name} {}", data.name());
                    // There are samples, and the model takes them.
                    let tape = Tape::new();
                    let loss = experiment.record(&tape).unwrap().item().unwrap();
                    assert!(loss.is_finite(), "{name} {}", data.name());
                }
            }
        }
        assert!(Architecture::named("help").is_none() && Architecture::named("--version").is_none());
    }
}
