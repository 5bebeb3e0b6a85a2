//! One model and one loss: the usual experiment.

use super::{Experiment, RECORDED, Sample, Wanted};
use crate::commands::EVALUATION_BATCH;
use crate::config::Config;
use anyhow::{Result, bail};
use std::sync::Arc;
use wengert::data::{Dataset, Loader};
use wengert::ops::Tensor;
use wengert::train::{Ended, FitConfig, Fitted, Measures, Minimize, Observer, Task, evaluate, fit};
use wengert::{Module, Tape, Var};

type Make<M> = Box<dyn Fn(&M, &Wanted) -> Result<Sample>>;
type Pictures<M> = Box<dyn Fn(&M) -> Result<Vec<(&'static str, Tensor<f32>)>>>;

/// A model, batches of one kind, and a task.
pub(super) struct Supervised<M, B> {
    model: M,
    train: Arc<dyn Dataset<Batch = B>>,
    test: Arc<dyn Dataset<Batch = B>>,
    task: Box<dyn Task<M, B>>,
    make: Option<Make<M>>,
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
        Supervised { model, train, test, task, make: None, pictures: None }
    }

    /// The same, with something that it makes.
    pub(super) fn makes(mut self, make: impl Fn(&M, &Wanted) -> Result<Sample> + 'static) -> Self {
        self.make = Some(Box::new(make));
        self
    }

    /// The same, with pictures at the end.
    pub(super) fn shows(
        mut self,
        pictures: impl Fn(&M) -> Result<Vec<(&'static str, Tensor<f32>)>> + 'static,
    ) -> Self {
        self.pictures = Some(Box::new(pictures));
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

    fn fit(&mut self, config: &Config, how: &FitConfig, observer: &mut dyn Observer) -> Result<Fitted> {
        let loader = Loader::new(Arc::clone(&self.train), config.batch_size, config.seed)?;
        let mut optimizer = config.optimizer.build(config.lr, config.weight_decay);
        let mut learner = Minimize::new(&mut self.model, &mut *optimizer, &*self.task);
        if let Some(max) = config.clip_norm {
            learner = learner.clip_norm(max);
        }
        if let Some(decay) = config.average {
            learner = learner.average(decay);
        }
        let fitted = fit(&mut learner, &loader, &*self.test, how, observer)?;
        if how.watch.is_none() && fitted.ended != Ended::Interrupted {
            learner.keep_average()?;
        }
        Ok(fitted)
    }

    fn evaluate(&mut self, _: &Config) -> Result<Measures> {
        Ok(evaluate(&self.model, &*self.task, &*self.test, EVALUATION_BATCH)?)
    }

    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        let batch = self.test.fetch(&RECORDED[..RECORDED.len().min(self.test.len())])?;
        Ok(self.task.outcome(&self.model, &batch, tape)?.loss)
    }

    fn sample(&self, wanted: &Wanted) -> Result<Sample> {
        match &self.make {
            Some(make) => make(&self.model, wanted),
            None => bail!("it tells classes apart and makes nothing"),
        }
    }

    fn pictures(&self) -> Result<Vec<(&'static str, Tensor<f32>)>> {
        self.pictures.as_ref().map_or_else(|| Ok(Vec::new()), |pictures| pictures(&self.model))
    }
}
