//! The options of the generative adversarial network.

use super::pixels::{PICTURE_IMAGES, as_images, images_or_rows};
use super::{About, EVALUATION_BATCH, Experiment, Model, Picture, RECORDED_SAMPLES, Sample, SampleOptions};
use crate::data::{Images, Scale};
use crate::options::names::{Data, IMAGES, OptimizerName, ScheduleName};
use crate::options::{DataOptions, Defaults, StepOptions, values};
use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::sync::Arc;
use wengert::data::{Classification, Loader};
use wengert::nn::optim::{Adam, AdamConfig};
use wengert::nn::zoo::{self, GanLoss, noise};
use wengert::nn::{Activation, Layer, Linear, Sequential};
use wengert::ops::Tensor;
use wengert::ops::random::{Key, Purpose, Rng};
use wengert::train::metrics::{FeatureStats, frechet_distance, inception_score};
use wengert::train::{
    self, Adversarial, Classify, FitConfig, FitReport, Measures, MetricKind, Minimize, NoValidation,
    Observer, evaluate_learner, fit,
};
use wengert::{Module, Tape, Var};

const MAX_WIDTH: usize = 1 << 14;
/// The number of images over which the Fréchet distance and the inception score are computed.
const SCORED_IMAGES: usize = 10_000;

const EXAMPLES: &str = "\
Examples:
  wengert train gan
  wengert train gan --convolutional --data fashion-mnist
  wengert train gan --game wasserstein --critic-steps 5
  wengert sample runs/gan-seed0 --count 100 --out samples.png";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct GanOptions {
    /// Convolutions instead of fully connected layers (DCGAN), for images whose side is a multiple of 4
    #[arg(long, help_heading = "Model")]
    convolutional: bool,

    /// The dimensions of the noise
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<4096>)]
    #[arg(help_heading = "Model")]
    latent: usize,

    /// The widths of the generator's hidden layers; the discriminator has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "128,256")]
    #[arg(value_parser = values::count::<MAX_WIDTH>, help_heading = "Model")]
    hidden: Vec<usize>,

    /// The channels of the convolutions next to the image
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = values::count::<1024>)]
    #[arg(help_heading = "Model")]
    channels: usize,

    /// What both play for
    #[arg(long, value_name = "NAME", default_value = "non-saturating", help_heading = "Model")]
    game: Game,

    /// The discriminator's steps for each of the generator's
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = values::count::<100>, help_heading = "Model")]
    critic_steps: usize,

    /// The weight of the gradient penalty in the Wasserstein game
    #[arg(long, value_name = "WEIGHT", default_value_t = 10.0, value_parser = values::weight_decay)]
    #[arg(help_heading = "Model")]
    penalty: f64,

    /// The epochs in which the classifier learns that judges what is generated; with 0 there is no judge [default: 3 of large
    /// data, 30 of others]
    #[arg(long, value_name = "N", help_heading = "Model")]
    judge_epochs: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Game {
    /// log D(x) + log(1 - D(G(z))), both ways
    Minimax,
    /// The generator makes log D(G(z)) large
    NonSaturating,
    /// Wasserstein distance with a gradient penalty
    Wasserstein,
}

impl Model for GanOptions {
    fn about(&self) -> About {
        About {
            name: "gan",
            data: IMAGES,
            expect: "an inception score of 6.5 on the digits, where 10 is the most",
            refuses: &["augment", "average", "clip_norm", "optimizer", "momentum"],
        }
    }

    fn defaults(&self, data: Data) -> Defaults {
        Defaults {
            batch_size: 64,
            optimizer: OptimizerName::Adam,
            lr: if data.is_large() { 0.0002 } else { 0.0005 },
            weight_decay: 0.0,
            schedule: ScheduleName::Constant,
            ..Defaults::epochs(if data.is_large() { 10 } else { 200 })
        }
    }

    fn check(&self, options: &StepOptions) -> Result<()> {
        ensure!(
            options.average.is_none()
                && options.clip_norm.is_none()
                && options.optimizer == OptimizerName::Adam,
            "gan trains both its networks with adam, without --average and --clip-norm"
        );
        Ok(())
    }

    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>> {
        let (data, shape) = images_or_rows(options, self.convolutional, Scale::Symmetric)?;
        let latent = self.latent;
        let mut rng = Rng::seed(options.seed);
        let (generator, discriminator) = if self.convolutional {
            let [channels, size, _] = shape;
            let config = zoo::DcganConfig { latent, channels, size, width: self.channels };
            zoo::dcgan(&config, &mut rng)
        } else {
            let (hidden, outputs) = (self.hidden.clone(), data.first_axis());
            let config = zoo::GanConfig { latent, hidden, outputs, output: Activation::Tanh };
            zoo::dense_gan(&config, &mut rng)
        };
        let judge_epochs = self.judge_epochs.unwrap_or(if options.data.is_large() { 3 } else { 30 });
        let judge = (judge_epochs > 0).then(|| Judge::new(shape, data.plain.classes(), &mut rng));
        let game = match self.game {
            Game::Minimax => GanLoss::Minimax,
            Game::NonSaturating => GanLoss::NonSaturating,
            Game::Wasserstein => GanLoss::Wasserstein(self.penalty),
        };
        let model = Players { generator, discriminator, judge };
        let (options, seed) = (self.clone(), options.seed);
        Ok(Box::new(GanExperiment { model, options, game, data, shape, judge_epochs, seed }))
    }
}

/// The modules that are saved.
#[derive(Module)]
struct Players {
    generator: Sequential<f32>,
    discriminator: Sequential<f32>,
    judge: Option<Judge>,
}

/// A classifier of the real images. Its features and probabilities measure how good generated ones are.
#[derive(Module)]
struct Judge {
    /// Maps images to features.
    trunk: Sequential<f32>,
    /// Maps features to logits.
    head: Linear<f32>,
    #[module(skip)]
    shape: [usize; 3],
}

/// The number of features of an image for the Fréchet distance.
const FEATURES: usize = 64;

impl Judge {
    fn new(shape: [usize; 3], classes: usize, rng: &mut Rng) -> Self {
        use wengert::nn::{Conv2d, Flatten, MaxPool2d};
        let [channels, size, _] = shape;
        let same = wengert::ops::ConvOptions::default().padding(1);
        let trunk = Sequential::new()
            .push(Conv2d::with_config(channels, 16, 3, same, rng))
            .push(Activation::Relu)
            .push(MaxPool2d::new(2))
            .push(Conv2d::with_config(16, 32, 3, same, rng))
            .push(Activation::Relu)
            .push(MaxPool2d::new(2))
            .push(Flatten)
            .push(Linear::new(32 * (size / 4) * (size / 4), FEATURES, rng))
            .push(Activation::Relu);
        Judge { trunk, head: Linear::new(FEATURES, classes, rng), shape }
    }

    /// Features and class probabilities of images or rows with values from -1 to 1.
    fn features_and_probabilities(&self, images: &Tensor<f32>) -> train::Result<(Tensor<f32>, Tensor<f32>)> {
        let [c, h, w] = self.shape;
        let tape = Tape::eval();
        let n = images.shape()[0];
        let features = self.trunk.forward(tape.constant(images).reshape([n, c, h, w]));
        let probabilities = self.head.forward(features).softmax(-1);
        Ok((features.value()?, probabilities.value()?))
    }
}

impl Layer<f32> for Judge {
    fn forward<'t>(&self, x: Var<'t, f32>) -> Var<'t, f32> {
        let [c, h, w] = self.shape;
        let n = x.dim(0);
        self.head.forward(self.trunk.forward(x.reshape([n, c, h, w])))
    }
}

/// Features and class probabilities of `n` images, batch by batch.
fn judge_batches(
    judge: &Judge,
    n: usize,
    mut images: impl FnMut(std::ops::Range<usize>) -> train::Result<Tensor<f32>>,
) -> train::Result<(Tensor<f32>, Tensor<f32>)> {
    let (mut features, mut probabilities) = (Vec::new(), Vec::new());
    for from in (0..n).step_by(EVALUATION_BATCH) {
        let (f, p) = judge.features_and_probabilities(&images(from..n.min(from + EVALUATION_BATCH))?)?;
        features.push(f);
        probabilities.push(p);
    }
    let joined = |parts: &[Tensor<f32>]| Tensor::concat(parts, 0).map_err(wengert::Error::from);
    Ok((joined(&features)?, joined(&probabilities)?))
}

struct GanExperiment {
    model: Players,
    options: GanOptions,
    game: GanLoss,
    data: Images,
    shape: [usize; 3],
    judge_epochs: usize,
    seed: u64,
}

/// Images that a generator makes from the noise of a key.
fn generate(generator: &Sequential<f32>, n: usize, latent: usize, key: Key) -> train::Result<Tensor<f32>> {
    let tape = Tape::eval();
    Ok(generator.forward(tape.constant(noise(n, latent, key)?)).value()?)
}

/// The Fréchet distance and the inception score of a generator.
fn scores(
    judge: &Judge,
    real: &FeatureStats,
    n: usize,
    images: impl FnMut(std::ops::Range<usize>) -> train::Result<Tensor<f32>>,
) -> train::Result<Measures> {
    let (features, probabilities) = judge_batches(judge, n, images)?;
    let distance = frechet_distance(real, &FeatureStats::of(&features)?)?;
    let (inception, _) = inception_score(&probabilities, 10.min(n))?;
    Ok(Measures::default().mean("fid", distance, 1.0).with(
        "inception_score",
        MetricKind::Score,
        inception,
        1.0,
    ))
}

impl GanExperiment {
    /// Trains the judge to classify the images.
    fn train_judge(&mut self, batch_size: usize) -> Result<()> {
        let Some(judge) = &mut self.model.judge else { return Ok(()) };
        let loader = Loader::new(&self.data.plain, batch_size, self.seed)?;
        let mut adam = Adam::new(0.002);
        let config = FitConfig {
            epochs: self.judge_epochs,
            seed: self.seed,
            schedule: train::RunSchedule::Cosine,
            ..FitConfig::default()
        };
        // On large data this takes a while. If the standard error is closed, there is no reader.
        let _ =
            writeln!(io::stderr(), "the judge learns to tell the classes apart: {} epochs", config.epochs);
        fit(&mut Minimize::new(judge, &mut adam, Classify), &loader, &NoValidation, &config, &mut ())?;
        Ok(())
    }

    /// The statistics of the features of held-out images.
    fn real_features(judge: &Judge, test: &Classification) -> Result<FeatureStats> {
        let n = test.len().min(SCORED_IMAGES);
        let (features, _) = judge_batches(judge, n, |range| {
            Ok(test.inputs().slice(0, range).map_err(wengert::Error::from)?)
        })?;
        Ok(FeatureStats::of(&features)?)
    }

    /// Generated images with values from 0 to 1.
    fn images(&self, count: usize, seed: u64) -> Result<Tensor<f32>> {
        let made = generate(&self.model.generator, count, self.options.latent, sample_key(seed, 0))?;
        as_images(&made.map(|v| 0.5 * v + 0.5), self.shape)
    }

    /// Calls a function with a learner of both players.
    fn learner<R>(
        &mut self,
        (learning_rate, weight_decay): (f64, f64),
        with: impl FnOnce(&mut Learner<'_>, &Images) -> Result<R>,
    ) -> Result<R> {
        // Adam's decay rates: of Gulrajani et al. 2017 for the Wasserstein game, of Radford et al. 2016 for the others.
        let (beta1, beta2) = match self.game {
            GanLoss::Wasserstein(_) => (0.0, 0.9),
            _ => (0.5, 0.999),
        };
        let adam = AdamConfig { learning_rate, beta1, beta2, weight_decay, ..AdamConfig::default() };
        let (mut of_generator, mut of_discriminator) = (Adam::with_config(adam), Adam::with_config(adam));
        let Players { generator, discriminator, judge } = &mut self.model;
        let (latent, test, seed) = (self.options.latent, &self.data.test, self.seed);
        let players = ((generator, &mut of_generator as _), (discriminator, &mut of_discriminator as _));
        let mut learner =
            Adversarial::new(players.0, players.1, self.game, latent).critic_steps(self.options.critic_steps);
        if let Some(judge) = judge {
            let real = GanExperiment::real_features(judge, test)?;
            let n = test.len().min(SCORED_IMAGES);
            learner = learner.judge(move |generator: &Sequential<f32>| {
                scores(judge, &real, n, |range| {
                    generate(generator, range.len(), latent, sample_key(seed, range.start))
                })
            });
        }
        with(&mut learner, &self.data)
    }
}

type Learner<'l> = Adversarial<'l, Sequential<f32>, Sequential<f32>>;

/// The key of the noise of generated images, whose stream differs from that of training.
fn sample_key(seed: u64, first: usize) -> Key {
    Key::of(seed, Purpose::Sample, first as u64)
}

impl Experiment for GanExperiment {
    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn model_mut(&mut self) -> &mut dyn Module {
        &mut self.model
    }

    fn fit(
        &mut self,
        options: &StepOptions,
        config: &FitConfig,
        observer: &mut dyn Observer,
    ) -> Result<FitReport> {
        self.train_judge(options.batch_size)?;
        self.learner((options.lr, options.weight_decay), |learner, data| {
            let loader = Loader::new(Arc::clone(&data.train), options.batch_size, config.seed)?.drop_last();
            Ok(fit(learner, &loader, &data.test, config, observer)?)
        })
    }

    fn evaluate(&mut self) -> Result<Measures> {
        // Nothing is learned, so neither number has an effect.
        self.learner((0.001, 0.0), |learner, data| {
            Ok(evaluate_learner(learner, &data.test, EVALUATION_BATCH)?)
        })
    }

    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        let z = noise(RECORDED_SAMPLES.len(), self.options.latent, sample_key(self.seed, 0))?;
        let fake = self.model.generator.forward(tape.constant(z));
        Ok(self.game.generator_loss(self.model.discriminator.forward(fake)))
    }

    fn sample(&self, options: &SampleOptions) -> Result<Sample> {
        let count = options.count.unwrap_or(PICTURE_IMAGES);
        Ok(Sample::Images(self.images(count, options.seed)?))
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        Ok(vec![("samples", self.images(PICTURE_IMAGES, self.seed)?)])
    }
}
