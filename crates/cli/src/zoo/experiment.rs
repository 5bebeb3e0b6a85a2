//! What every model of the table can do: say what it takes, and become an experiment, which every subcommand works with.

use crate::options::names::Data;
use crate::options::{DataOptions, Defaults, StepOptions};
use anyhow::Result;
use wengert::Module;
use wengert::nn::zoo::Decoding;
use wengert::ops::Tensor;
use wengert::train::{FitConfig, FitReport, Measures, Observer};
use wengert::{Tape, Var};

/// The number of samples that are evaluated at once: sums depend on it in their last bits, so it is the same everywhere.
pub(crate) const EVALUATION_BATCH: usize = 256;

/// Which of the held-out samples are recorded: two, so that they can be compared with each other.
pub(super) const RECORDED_SAMPLES: [usize; 2] = [0, 1];

/// The options of a model.
pub(crate) trait Model {
    /// What the command says about it.
    fn about(&self) -> About;

    /// How it is trained on these data by default.
    fn defaults(&self, data: Data) -> Defaults;

    /// Whether it can be trained with these options.
    fn check(&self, _: &StepOptions) -> Result<()> {
        Ok(())
    }

    /// The model before training, with its data.
    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>>;
}

/// What the command says about a model.
pub(crate) struct About {
    /// Its name in `train` and `models`.
    pub(crate) name: &'static str,
    /// The data that it can learn from, the default first.
    pub(crate) data: &'static [Data],
    /// The result with the default data and options.
    pub(crate) expect: &'static str,
    /// The shared options of `train` that it does not take, and so does not offer.
    pub(crate) refuses: &'static [&'static str],
}

/// The options that models of rows of numbers do not take.
pub(super) const NOT_FOR_ROWS: &[&str] = &["augment"];
/// The options that models of texts and of numbers over time do not take.
pub(super) const NOT_FOR_SEQUENCES: &[&str] = &["augment", "labels"];

/// A model, what it learns from, and what for.
pub(crate) trait Experiment {
    /// What is saved and shown.
    fn model(&self) -> &dyn Module;

    /// What is saved, to be given weights.
    fn model_mut(&mut self) -> &mut dyn Module;

    /// Trains, and leaves the weights that are to be kept.
    fn fit(
        &mut self,
        options: &StepOptions,
        config: &FitConfig,
        observer: &mut dyn Observer,
    ) -> Result<FitReport>;

    /// The score on the held-out samples.
    fn evaluate(&mut self) -> Result<Measures>;

    /// Records the loss of the first held-out samples: what `step` shows.
    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>>;

    /// What the model generates.
    fn sample(&self, options: &SampleOptions) -> Result<Sample>;

    /// Images that the run folder gets at the end.
    fn pictures(&self) -> Result<Vec<Picture>> {
        Ok(Vec::new())
    }
}

/// What `sample` is asked for.
pub(crate) struct SampleOptions {
    /// The number of texts or images, or the model's default.
    pub(crate) count: Option<usize>,
    pub(crate) prompt: Option<String>,
    pub(crate) length: usize,
    pub(crate) decoding: Decoding,
    pub(crate) seed: u64,
}

/// What a model generates.
pub(crate) enum Sample {
    /// Lines of text.
    Text(String),
    /// Images `[n, channels, height, width]` from 0 to 1.
    Images(Tensor<f32>),
}

/// Images `[n, channels, height, width]` for the run folder, and their name.
pub(crate) type Picture = (&'static str, Tensor<f32>);
