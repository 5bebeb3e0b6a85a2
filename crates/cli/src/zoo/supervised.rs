//! One model and one loss: the usual experiment.

use super::products::Products;
use super::{Experiment, Picture, RECORDED, Sample, Wanted};
use crate::commands::EVALUATION_BATCH;
use crate::config::Config;
use anyhow::Result;
use std::sync::Arc;
use wengert::data::{Dataset, Loader};
use wengert::nn::optim::Optimizer;
use wengert::train::{FitConfig, FitReport, Measures, Minimize, Observer, StopReason, Task, evaluate, fit};
use wengert::{Module, Tape, Var};

/// A model, batches of one kind, and a task.
pub(super) struct Supervised<M, B> {
    model: M,
    train: Arc<dyn Dataset<Batch = B>>,
    test: Arc<dyn Dataset<Batch = B>>,
    task: Box<dyn Task<M, B>>,
    products: Products<M>,
}

impl<M: Module + 'static, B: Send + 'static> Supervised<M, B> {
    pub(super) fn new(
        model: M,
        train: Arc<dyn Dataset<Batch = B>>,
        test: impl Dataset<Batch = B>,
        task: impl Task<M, B> + 'static,
    ) -> Self {
        let (test, task) = (Arc::new(test), Box::new(task));
        Supervised { model, train, test, task, products: Products::default() }
    }

    /// The same, with something that it makes.
    pub(super) fn makes(mut self, make: impl Fn(&M, &Wanted) -> Result<Sample> + 'static) -> Self {
        self.products.make = Some(Box::new(make));
        self
    }

    /// The same, with pictures at the end.
    pub(super) fn shows(mut self, pictures: impl Fn(&M) -> Result<Vec<Picture>> + 'static) -> Self {
        self.products.pictures = Some(Box::new(pictures));
        self
    }

    pub(super) fn boxed(self) -> Result<Box<dyn Experiment>> {
        Ok(Box::new(self))
    }
}

impl<M: Module, B: Send + 'static> Experiment for Supervised<M, B> {
    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn model_mut(&mut self) -> &mut dyn Module {
        &mut self.model
    }

    fn fit(&mut self, config: &Config, how: &FitConfig, observer: &mut dyn Observer) -> Result<FitReport> {
        let loader = Loader::new(Arc::clone(&self.train), config.batch_size, config.seed)?;
        let mut optimizer = config.optimizer.build(config.lr, config.weight_decay, config.momentum);
        let mut learner = minimize(config, &mut self.model, &mut *optimizer, &*self.task);
        let fitted = fit(&mut learner, &loader, &*self.test, how, observer)?;
        if how.watch.is_none() && fitted.ended != StopReason::Interrupted {
            learner.keep_average()?;
        }
        Ok(fitted)
    }

    fn evaluate(&mut self, _: &Config) -> Result<Measures> {
        Ok(evaluate(&self.model, &*self.task, &*self.test, EVALUATION_BATCH)?)
    }

    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        first_loss(&self.model, &*self.test, &*self.task, tape)
    }

    fn sample(&self, wanted: &Wanted) -> Result<Sample> {
        self.products.sample(&self.model, wanted)
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        self.products.pictures(&self.model)
    }
}

/// A learner with what the options ask for.
pub(super) fn minimize<'m, M: Module, B>(
    config: &Config,
    model: &'m mut M,
    optimizer: &'m mut dyn Optimizer<f32>,
    task: &'m dyn Task<M, B>,
) -> Minimize<'m, M, &'m dyn Task<M, B>> {
    let mut learner = Minimize::new(model, optimizer, task);
    if let Some(max) = config.clip_norm {
        learner = learner.clip_norm(max);
    }
    if let Some(decay) = config.average {
        learner = learner.average(decay);
    }
    learner
}

/// The loss of the first samples.
pub(super) fn first_loss<'t, M, B>(
    model: &M,
    data: &dyn Dataset<Batch = B>,
    task: &dyn Task<M, B>,
    tape: &'t Tape<f32>,
) -> Result<Var<'t, f32>>
where
    B: Send + 'static,
{
    let batch = data.fetch(&RECORDED[..RECORDED.len().min(data.len())])?;
    Ok(task.outcome(model, &batch, tape)?.loss)
}
