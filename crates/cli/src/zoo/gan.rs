//! The options of the generative adversarial network.

use super::vae::laid_out;
use super::{Experiment, Model, Picture, RECORDED, SHOWN, Sample, Usual, Wanted};
use crate::commands::EVALUATION_BATCH;
use crate::config::Config;
use crate::data::{Data, IMAGES, Images, Scale};
use crate::values::{self, Optimizer, Schedule};
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

const WIDEST: usize = 1 << 14;
/// Images that the Fréchet distance and the inception score are taken over.
const JUDGED: usize = 10_000;

const EXAMPLES: &str = "\
Examples:
  wengert train gan
  wengert train gan --convolutional --data fashion-mnist
  wengert train gan --game wasserstein --critic-steps 5
  wengert sample runs/gan-seed0 --count 100 --out samples.png";

#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
#[command(after_help = EXAMPLES)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Gan {
    /// Convolutions instead of fully connected layers (DCGAN), for images whose side is a multiple of 4
    #[arg(long, help_heading = "Model")]
    convolutional: bool,

    /// The dimensions of the noise
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = values::count::<4096>)]
    #[arg(help_heading = "Model")]
    latent: usize,

    /// The widths of the generator's hidden layers; the discriminator has them the other way round
    #[arg(long, value_name = "W,W,…", value_delimiter = ',', default_value = "128,256")]
    #[arg(value_parser = values::count::<WIDEST>, help_heading = "Model")]
    hidden: Vec<usize>,

    /// The channels of the convolutions next to the image
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = values::count::<1024>)]
    #[arg(help_heading = "Model")]
    channels: usize,

    /// What both play for
    #[arg(long, value_name = "NAME", default_value = "non-saturating", help_heading = "Model")]
    game: Rules,

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
pub(crate) enum Rules {
    /// log D(x) + log(1 - D(G(z))), both ways
    Minimax,
    /// The generator makes log D(G(z)) large
    NonSaturating,
    /// Wasserstein distance with a gradient penalty
    Wasserstein,
}

impl Model for Gan {
    fn name(&self) -> &'static str {
        "gan"
    }

    fn data(&self) -> &'static [Data] {
        IMAGES
    }

    fn expect(&self) -> &'static str {
        "an inception score of 6.5 on the digits, where 10 is the most"
    }

    fn usual(&self, data: Data) -> Usual {
        Usual {
            batch_size: 64,
            optimizer: Optimizer::Adam,
            lr: if data.is_large() { 0.0002 } else { 0.0005 },
            weight_decay: 0.0,
            schedule: Schedule::Constant,
            ..Usual::epochs(if data.is_large() { 10 } else { 200 })
        }
    }

    fn refuses(&self) -> &'static [&'static str] {
        &["augment", "average", "clip_norm", "optimizer", "momentum"]
    }

    fn experiment(&self, config: &Config) -> Result<Box<dyn Experiment>> {
        ensure!(
            config.average.is_none() && config.clip_norm.is_none() && config.optimizer == Optimizer::Adam,
            "gan trains both its networks with adam, without --average and --clip-norm"
        );
        let images = config.data.images(config, Scale::Symmetric)?;
        let (channels, size) = images.square()?;
        let (latent, width) = (self.latent, self.channels);
        let mut rng = Rng::seed(config.seed);
        let (data, (generator, discriminator)) = if self.convolutional {
            ensure!(size.is_multiple_of(4), "expected images whose side is a multiple of 4, found {size}");
            let shape = zoo::DcganConfig { latent, channels, size, width };
            (images, zoo::dcgan(&shape, &mut rng))
        } else {
            let data = config.data.rows(config, Scale::Symmetric)?;
            let (hidden, outputs) = (self.hidden.clone(), data.first());
            let shape = zoo::GanConfig { latent, hidden, outputs, output: Activation::Tanh };
            (data, zoo::dense_gan(&shape, &mut rng))
        };
        let shape = [channels, size, size];
        let judge_epochs = self.judge_epochs.unwrap_or(if config.data.is_large() { 3 } else { 30 });
        let judge = (judge_epochs > 0).then(|| Judge::new(shape, data.plain.classes(), &mut rng));
        let game = match self.game {
            Rules::Minimax => GanLoss::Minimax,
            Rules::NonSaturating => GanLoss::NonSaturating,
            Rules::Wasserstein => GanLoss::Wasserstein(self.penalty),
        };
        let model = Players { generator, discriminator, judge };
        let options = self.clone();
        Ok(Box::new(Played { model, options, game, data, shape, judge_epochs, seed: config.seed }))
    }
}

/// What is saved.
#[derive(Module)]
struct Players {
    generator: Sequential<f32>,
    discriminator: Sequential<f32>,
    judge: Option<Judge>,
}

/// A classifier of the real images, whose features and probabilities say how good generated ones are.
#[derive(Module)]
struct Judge {
    /// Images to features.
    trunk: Sequential<f32>,
    /// Features to logits.
    head: Linear<f32>,
    #[module(skip)]
    shape: [usize; 3],
}

/// Features of an image that the Fréchet distance looks at.
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
    fn looks_at(&self, images: &Tensor<f32>) -> train::Result<(Tensor<f32>, Tensor<f32>)> {
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

/// What a judge thinks of images, batch by batch.
fn looked_at(
    judge: &Judge,
    n: usize,
    mut images: impl FnMut(std::ops::Range<usize>) -> train::Result<Tensor<f32>>,
) -> train::Result<(Tensor<f32>, Tensor<f32>)> {
    let (mut features, mut probabilities) = (Vec::new(), Vec::new());
    for from in (0..n).step_by(EVALUATION_BATCH) {
        let (f, p) = judge.looks_at(&images(from..n.min(from + EVALUATION_BATCH))?)?;
        features.push(f);
        probabilities.push(p);
    }
    let joined = |parts: &[Tensor<f32>]| Tensor::concat(parts, 0).map_err(wengert::Error::from);
    Ok((joined(&features)?, joined(&probabilities)?))
}

struct Played {
    model: Players,
    options: Gan,
    game: GanLoss,
    data: Images,
    shape: [usize; 3],
    judge_epochs: usize,
    seed: u64,
}

/// Images of a generator, always the same for a seed.
fn generated(generator: &Sequential<f32>, n: usize, latent: usize, key: Key) -> train::Result<Tensor<f32>> {
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
    let (features, probabilities) = looked_at(judge, n, images)?;
    let distance = frechet_distance(real, &FeatureStats::of(&features)?)?;
    let (inception, _) = inception_score(&probabilities, 10.min(n))?;
    Ok(Measures::default().mean("fid", distance, 1.0).with(
        "inception_score",
        MetricKind::Score,
        inception,
        1.0,
    ))
}

impl Played {
    /// Teaches the judge to tell the classes apart.
    fn teach(&mut self, batch_size: usize) -> Result<()> {
        let Some(judge) = &mut self.model.judge else { return Ok(()) };
        let loader = Loader::new(&self.data.plain, batch_size, self.seed)?;
        let mut adam = Adam::new(0.002);
        let how = FitConfig {
            epochs: self.judge_epochs,
            seed: self.seed,
            schedule: train::Schedule::Cosine,
            ..FitConfig::default()
        };
        // On large data it takes a while. If the standard error is closed, nobody waits.
        let _ = writeln!(io::stderr(), "the judge learns to tell the classes apart: {} epochs", how.epochs);
        fit(&mut Minimize::new(judge, &mut adam, Classify), &loader, &NoValidation, &how, &mut ())?;
        Ok(())
    }

    /// What the judge thinks of the held-out images.
    fn real(judge: &Judge, test: &Classification) -> Result<FeatureStats> {
        let n = test.len().min(JUDGED);
        let (features, _) =
            looked_at(judge, n, |range| Ok(test.inputs().slice(0, range).map_err(wengert::Error::from)?))?;
        Ok(FeatureStats::of(&features)?)
    }

    /// Does something with both players as a learner.
    fn learner<R>(
        &mut self,
        config: &Config,
        with: impl FnOnce(&mut Learner<'_>, &Images) -> Result<R>,
    ) -> Result<R> {
        // The moments of Radford et al. 2016 for the probabilities, those of Gulrajani et al. 2017 for the critic.
        let (beta1, beta2) = match self.game {
            GanLoss::Wasserstein(_) => (0.0, 0.9),
            _ => (0.5, 0.999),
        };
        let (learning_rate, weight_decay) = (config.lr, config.weight_decay);
        let adam = AdamConfig { learning_rate, beta1, beta2, weight_decay, ..AdamConfig::default() };
        let (mut of_generator, mut of_discriminator) = (Adam::with_config(adam), Adam::with_config(adam));
        let Players { generator, discriminator, judge } = &mut self.model;
        let (latent, test, seed) = (self.options.latent, &self.data.test, self.seed);
        let players = ((generator, &mut of_generator as _), (discriminator, &mut of_discriminator as _));
        let mut learner =
            Adversarial::new(players.0, players.1, self.game, latent).critic_steps(self.options.critic_steps);
        if let Some(judge) = judge {
            let real = Played::real(judge, test)?;
            let n = test.len().min(JUDGED);
            learner = learner.judge(move |generator: &Sequential<f32>| {
                scores(judge, &real, n, |range| {
                    generated(generator, range.len(), latent, key(seed, range.start))
                })
            });
        }
        with(&mut learner, &self.data)
    }
}

type Learner<'l> = Adversarial<'l, Sequential<f32>, Sequential<f32>>;

/// Where the noise of images to look at comes from: not where that of training does.
fn key(seed: u64, first: usize) -> Key {
    Key::of(seed, Purpose::Sample, first as u64)
}

impl Experiment for Played {
    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn model_mut(&mut self) -> &mut dyn Module {
        &mut self.model
    }

    fn fit(&mut self, config: &Config, how: &FitConfig, observer: &mut dyn Observer) -> Result<FitReport> {
        self.teach(config.batch_size)?;
        self.learner(config, |learner, data| {
            let loader = Loader::new(Arc::clone(&data.train), config.batch_size, config.seed)?.drop_last();
            Ok(fit(learner, &loader, &data.test, how, observer)?)
        })
    }

    fn evaluate(&mut self, config: &Config) -> Result<Measures> {
        self.learner(config, |learner, data| Ok(evaluate_learner(learner, &data.test, EVALUATION_BATCH)?))
    }

    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        let z = noise(RECORDED.len(), self.options.latent, key(self.seed, 0))?;
        let fake = self.model.generator.forward(tape.constant(z));
        Ok(self.game.generator_loss(self.model.discriminator.forward(fake)))
    }

    fn sample(&self, wanted: &Wanted) -> Result<Sample> {
        let key = key(wanted.seed, 0);
        let made = generated(&self.model.generator, wanted.count.unwrap_or(SHOWN), self.options.latent, key)?;
        Ok(Sample::Images(laid_out(&made.map(|v| 0.5 * v + 0.5), self.shape)?))
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        let key = key(self.seed, 0);
        let made = generated(&self.model.generator, SHOWN, self.options.latent, key)?;
        Ok(vec![("samples", laid_out(&made.map(|v| 0.5 * v + 0.5), self.shape)?)])
    }
}
