//! The interface of every model in the table: it describes what it takes, and becomes an experiment, which all subcommands use.

use crate::options::names::Data;
use crate::options::{DataOptions, Defaults, StepOptions};
use anyhow::Result;
use wengert::Module;
use wengert::nn::zoo::Decoding;
use wengert::ops::Tensor;
use wengert::train::{FitConfig, FitReport, Measures, Observer};
use wengert::{Tape, Var};

/// The number of samples that are evaluated at once. It is the same everywhere, since the last bits of sums depend on it.
pub(crate) const EVALUATION_BATCH: usize = 256;

/// The held-out samples that are recorded: two, so that they can be compared with each other.
pub(super) const RECORDED_SAMPLES: [usize; 2] = [0, 1];

/// The options of a model.
pub(crate) trait Model {
    /// The description of the model.
    fn about(&self) -> About;

    /// The default options of training on these data.
    fn defaults(&self, data: Data) -> Defaults;

    /// Checks that the model can be trained with these options.
    fn check(&self, _: &StepOptions) -> Result<()> {
        Ok(())
    }

    /// The model before training, and its data.
    fn experiment(&self, options: &DataOptions) -> Result<Box<dyn Experiment>>;
}

/// The description of a model.
pub(crate) struct About {
    /// The model's name in `train` and `models`.
    pub(crate) name: &'static str,
    /// The data that the model can learn from; the first are the default.
    pub(crate) data: &'static [Data],
    /// The result with the default data and options.
    pub(crate) expect: &'static str,
    /// The shared options of `train` that the model does not take.
    pub(crate) refuses: &'static [&'static str],
}

/// The options that models of rows of numbers do not take.
pub(super) const NOT_FOR_ROWS: &[&str] = &["augment"];
/// The options that models of texts and of numbers over time do not take.
pub(super) const NOT_FOR_SEQUENCES: &[&str] = &["augment", "labels"];

/// A model, its data and its task.
pub(crate) trait Experiment {
    /// The module that is saved and shown.
    fn model(&self) -> &dyn Module;

    /// The module that is saved, for loading weights.
    fn model_mut(&mut self) -> &mut dyn Module;

    /// Trains; afterwards the model has the weights to save.
    fn fit(
        &mut self,
        options: &StepOptions,
        config: &FitConfig,
        observer: &mut dyn Observer,
    ) -> Result<FitReport>;

    /// The score on the held-out samples.
    fn evaluate(&mut self) -> Result<Measures>;

    /// Records the loss of the first held-out samples, which `step` shows.
    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>>;

    /// Generates samples.
    fn sample(&self, options: &SampleOptions) -> Result<Sample>;

    /// Images that are written to the run folder at the end.
    fn pictures(&self) -> Result<Vec<Picture>> {
        Ok(Vec::new())
    }
}

/// The options of `sample`.
pub(crate) struct SampleOptions {
    /// The number of texts or images; `None` for the model's default.
    pub(crate) count: Option<usize>,
    pub(crate) prompt: Option<String>,
    pub(crate) length: usize,
    pub(crate) decoding: Decoding,
    pub(crate) seed: u64,
}

/// The output of a generating model.
pub(crate) enum Sample {
    /// Lines of text.
    Text(String),
    /// Images `[n, channels, height, width]` from 0 to 1.
    Images(Tensor<f32>),
}

/// Images `[n, channels, height, width]` for the run folder, and their name.
pub(crate) type Picture = (&'static str, Tensor<f32>);
