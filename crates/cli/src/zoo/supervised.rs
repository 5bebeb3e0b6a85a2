//! One model and one loss: the usual experiment.

use super::{EVALUATION_BATCH, Experiment, Picture, RECORDED_SAMPLES, Sample, SampleOptions};
use crate::options::StepOptions;
use anyhow::{Result, bail};
use std::sync::Arc;
use wengert::data::{Dataset, Loader};
use wengert::nn::optim::Optimizer;
use wengert::train::{
    FitConfig, FitReport, Learner, Measures, Minimize, Observer, StopReason, Task, evaluate, fit,
};
use wengert::{Module, Tape, Var};

type Generate<M> = Box<dyn Fn(&M, &SampleOptions) -> Result<Sample>>;
type Pictures<M> = Box<dyn Fn(&M) -> Result<Vec<Picture>>>;

/// A model with data of one kind of batch, and a task.
pub(super) struct Supervised<M, B> {
    pub(super) model: M,
    pub(super) setup: Setup<M, B>,
}

/// The parts of an experiment other than its model: data, a task, and the functions that generate samples and pictures.
pub(super) struct Setup<M, B> {
    pub(super) train: Arc<dyn Dataset<Batch = B>>,
    pub(super) test: Arc<dyn Dataset<Batch = B>>,
    pub(super) task: Box<dyn Task<M, B>>,
    generate: Option<Generate<M>>,
    pictures: Option<Pictures<M>>,
}

impl<M: Module + 'static, B: Send + 'static> Supervised<M, B> {
    pub(super) fn new(
        model: M,
        train: Arc<dyn Dataset<Batch = B>>,
        test: impl Dataset<Batch = B>,
        task: impl Task<M, B> + 'static,
    ) -> Self {
        let (test, task) = (Arc::new(test), Box::new(task));
        Supervised { model, setup: Setup { train, test, task, generate: None, pictures: None } }
    }

    /// The same, with a function that generates samples for `sample`.
    pub(super) fn generates(
        mut self,
        generate: impl Fn(&M, &SampleOptions) -> Result<Sample> + 'static,
    ) -> Self {
        self.setup.generate = Some(Box::new(generate));
        self
    }

    /// The same, with pictures at the end of training.
    pub(super) fn pictures(mut self, pictures: impl Fn(&M) -> Result<Vec<Picture>> + 'static) -> Self {
        self.setup.pictures = Some(Box::new(pictures));
        self
    }

    pub(super) fn boxed(self) -> Result<Box<dyn Experiment>> {
        Ok(Box::new(self))
    }
}

impl<M: Module, B: Send + 'static> Setup<M, B> {
    /// A learner with the options of a step.
    pub(super) fn learner<'m>(
        &'m self,
        options: &StepOptions,
        model: &'m mut M,
        optimizer: &'m mut dyn Optimizer<f32>,
    ) -> Minimize<'m, M, &'m dyn Task<M, B>> {
        let mut learner = Minimize::new(model, optimizer, &*self.task);
        if let Some(max) = options.clip_norm {
            learner = learner.clip_norm(max);
        }
        if let Some(decay) = options.average {
            learner = learner.average(decay);
        }
        learner
    }

    /// The batches to learn from.
    pub(super) fn loader(
        &self,
        options: &StepOptions,
        fit: &FitConfig,
    ) -> Result<Loader<dyn Dataset<Batch = B>>> {
        Ok(Loader::new(Arc::clone(&self.train), options.batch_size, fit.seed)?)
    }

    /// Records the loss of the first held-out samples.
    pub(super) fn record<'t>(&self, model: &M, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        let batch = self.test.fetch(&RECORDED_SAMPLES[..RECORDED_SAMPLES.len().min(self.test.len())])?;
        Ok(self.task.outcome(model, &batch, tape)?.loss)
    }

    pub(super) fn sample(&self, model: &M, options: &SampleOptions) -> Result<Sample> {
        match &self.generate {
            Some(generate) => generate(model, options),
            None => bail!(
                "it makes nothing; what does are language models, translators, forecasters, vae and gan"
            ),
        }
    }

    pub(super) fn pictures(&self, model: &M) -> Result<Vec<Picture>> {
        self.pictures.as_ref().map_or_else(|| Ok(Vec::new()), |pictures| pictures(model))
    }
}

impl<M: Module, B: Send + 'static> Experiment for Supervised<M, B> {
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
        let loader = self.setup.loader(options, config)?;
        let mut optimizer = options.optimizer();
        let mut learner = self.setup.learner(options, &mut self.model, &mut *optimizer);
        // A `dyn Learner`, so that the loop is compiled once per kind of batch, not once per model.
        let fitted = fit(&mut learner as &mut dyn Learner<_>, &loader, &*self.setup.test, config, observer)?;
        if config.monitor.is_none() && fitted.ended != StopReason::Interrupted {
            learner.keep_average()?;
        }
        Ok(fitted)
    }

    fn evaluate(&mut self) -> Result<Measures> {
        Ok(evaluate(&self.model, &*self.setup.task, &*self.setup.test, EVALUATION_BATCH)?)
    }

    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        self.setup.record(&self.model, tape)
    }

    fn sample(&self, options: &SampleOptions) -> Result<Sample> {
        self.setup.sample(&self.model, options)
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        self.setup.pictures(&self.model)
    }
}
