//! A model that learns without labels, and a linear head on its features that learns from few: how all models of representations
//! are judged.

use super::products::Products;
use super::supervised::{first_loss, minimize};
use super::{Experiment, Picture, Sample, Wanted};
use crate::commands::EVALUATION_BATCH;
use crate::config::Config;
use anyhow::Result;
use std::sync::Arc;
use wengert::data::{Classification, Dataset, Loader};
use wengert::nn::zoo::linear_probe;
use wengert::nn::{Layer, Linear};
use wengert::ops::Tensor;
use wengert::ops::random::Rng;
use wengert::train::{
    self, Context, FitConfig, FitReport, Learner, Measures, Minimize, ModelAndOptimizer,
    ModelAndOptimizerMut, Observer, Snapshot, StopReason, Task, fit,
};
use wengert::{Module, Tape, Var};

/// How strongly the weights of heads may be drawn to 0; which is best is found by cross-validation on the labelled samples.
const DECAYS: [f64; 6] = [1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0];
const FOLDS: usize = 5;

/// What is saved: the model, and the head on its features.
#[derive(Module)]
struct Headed<M: Module> {
    model: M,
    head: Linear<f32>,
}

/// Features of inputs, `[n, ..]` → `[n, features]`.
type Features<M> = Box<dyn Fn(&M, &Tensor<f32>) -> train::Result<Tensor<f32>>>;

/// What a batch has besides what its task looks at.
pub(super) trait Labelled: Send + 'static {
    /// The inputs as they are, and their classes.
    fn labelled(&self) -> (&Tensor<f32>, &Tensor<i64>);
}

impl Labelled for wengert::data::Batch {
    fn labelled(&self) -> (&Tensor<f32>, &Tensor<i64>) {
        (&self.inputs, &self.labels)
    }
}

impl Labelled for wengert::data::transform::ViewBatch {
    fn labelled(&self) -> (&Tensor<f32>, &Tensor<i64>) {
        (&self.plain, &self.labels)
    }
}

/// A model, what it learns from without labels, and the samples that have some.
pub(super) struct Represented<M: Module, B> {
    saved: Headed<M>,
    train: Arc<dyn Dataset<Batch = B>>,
    test: Arc<dyn Dataset<Batch = B>>,
    task: Box<dyn Task<M, B>>,
    features: Features<M>,
    labelled: Classification,
    /// The same head on the inputs themselves.
    on_inputs: Option<Linear<f32>>,
    products: Products<M>,
}

impl<M: Module + 'static, B: Labelled> Represented<M, B> {
    /// `width` is the number of features.
    pub(super) fn new(
        model: M,
        (train, test): (Arc<dyn Dataset<Batch = B>>, impl Dataset<Batch = B>),
        task: impl Task<M, B> + 'static,
        (width, features): (usize, impl Fn(&M, &Tensor<f32>) -> train::Result<Tensor<f32>> + 'static),
        labelled: Classification,
    ) -> Self {
        let head = Linear::new(width, labelled.classes(), &mut Rng::seed(0));
        Represented {
            saved: Headed { model, head },
            train,
            test: Arc::new(test),
            task: Box::new(task),
            features: Box::new(features),
            labelled,
            on_inputs: None,
            products: Products::default(),
        }
    }

    pub(super) fn makes(mut self, make: impl Fn(&M, &Wanted) -> Result<Sample> + 'static) -> Self {
        self.products.make = Some(Box::new(make));
        self
    }

    pub(super) fn shows(mut self, pictures: impl Fn(&M) -> Result<Vec<Picture>> + 'static) -> Self {
        self.products.pictures = Some(Box::new(pictures));
        self
    }

    pub(super) fn boxed(self) -> Result<Box<dyn Experiment>> {
        Ok(Box::new(self))
    }

    /// The head on the inputs, to compare with: it learns once.
    fn learn_on_inputs(&mut self) -> Result<()> {
        if self.on_inputs.is_none() {
            self.on_inputs = Some(probe(&flat(self.labelled.inputs())?, &self.labelled)?);
        }
        Ok(())
    }
}

fn flat(inputs: &Tensor<f32>) -> train::Result<Tensor<f32>> {
    let n = inputs.shape()[0];
    let numbers = inputs.shape()[1..].iter().product::<usize>();
    Ok(inputs.reshape([n, numbers]).map_err(wengert::Error::from)?)
}

/// A linear head on features, with the decay that cross-validation finds best.
fn probe(features: &Tensor<f32>, labelled: &Classification) -> train::Result<Linear<f32>> {
    let (labels, classes) = (labelled.labels(), labelled.classes());
    let rows = Classification::new(features.clone(), labels.clone(), classes)?;
    let least = rows.class_counts().into_iter().min().unwrap_or(0);
    let mut right = [0; DECAYS.len()];
    if least >= 2 {
        for fold in rows.stratified_k_fold(FOLDS.min(least), 0)? {
            let (learn, ask) = (rows.select(&fold.train)?, rows.select(&fold.test)?);
            for (decay, right) in DECAYS.iter().zip(&mut right) {
                let head = linear_probe(learn.inputs(), learn.labels(), classes, *decay)?;
                *right += rightly(&head, ask.inputs(), ask.labels())?;
            }
        }
    }
    // Of those as good as the best, the strongest.
    let best = (0..DECAYS.len()).max_by_key(|&i| right[i]).map_or(DECAYS[2], |i| DECAYS[i]);
    Ok(linear_probe(features, labels, classes, best)?)
}

/// How many samples a head classifies rightly.
fn rightly(head: &Linear<f32>, features: &Tensor<f32>, labels: &Tensor<i64>) -> train::Result<usize> {
    let tape = Tape::eval();
    let logits = head.forward(tape.constant(features)).value()?;
    let said = logits.argmax(-1).map_err(wengert::Error::from)?.to_vec();
    Ok(said.iter().zip(labels.to_vec()).filter(|(a, b)| **a == *b).count())
}

/// Minimises the task's loss, and fits the head anew before each evaluation.
struct Representing<'m, M: Module, B> {
    minimize: Minimize<'m, M, &'m dyn Task<M, B>>,
    head: &'m mut Linear<f32>,
    features: &'m Features<M>,
    labelled: &'m Classification,
    on_inputs: Option<&'m Linear<f32>>,
}

impl<M: Module, B: Labelled> Representing<'_, M, B> {
    fn fit_head(&mut self) -> train::Result<()> {
        let features = (self.features)(self.minimize.model(), self.labelled.inputs())?;
        *self.head = probe(&features, self.labelled)?;
        Ok(())
    }
}

/// What the task measures, and how often the head is right.
fn measured<M: Module, B: Labelled>(
    (model, head, on_inputs): (&M, &Linear<f32>, Option<&Linear<f32>>),
    features: &Features<M>,
    measures: Measures,
    batch: &B,
) -> train::Result<Measures> {
    let (inputs, labels) = batch.labelled();
    let n = labels.numel();
    let right = rightly(head, &features(model, inputs)?, labels)?;
    let measures = measures.share("accuracy", right, n);
    Ok(match on_inputs {
        Some(head) => measures.share("accuracy_on_inputs", rightly(head, &flat(inputs)?, labels)?, n),
        None => measures,
    })
}

impl<M: Module, B: Labelled> Learner<B> for Representing<'_, M, B> {
    fn parts(&self) -> Vec<ModelAndOptimizer<'_>> {
        Learner::<B>::parts(&self.minimize)
    }

    fn parts_mut(&mut self) -> Vec<ModelAndOptimizerMut<'_>> {
        Learner::<B>::parts_mut(&mut self.minimize)
    }

    fn learn(&mut self, batches: &[B], context: &mut Context<'_>) -> train::Result<Measures> {
        self.minimize.learn(batches, context)
    }

    fn measure(&self, batch: &B, tape: &Tape<f32>) -> train::Result<Measures> {
        let measures = self.minimize.measure(batch, tape)?;
        measured((self.minimize.model(), self.head, self.on_inputs), self.features, measures, batch)
    }

    fn begin_evaluation(&mut self) -> train::Result<()> {
        Learner::<B>::begin_evaluation(&mut self.minimize)?;
        self.fit_head()
    }

    fn end_evaluation(&mut self) -> train::Result<()> {
        Learner::<B>::end_evaluation(&mut self.minimize)
    }

    fn save_more(&self, to: &mut Snapshot) -> train::Result<()> {
        Learner::<B>::save_more(&self.minimize, to)
    }

    fn load_more(&mut self, from: &Snapshot) -> train::Result<()> {
        Learner::<B>::load_more(&mut self.minimize, from)
    }
}

impl<M: Module + 'static, B: Labelled> Experiment for Represented<M, B> {
    fn model(&self) -> &dyn Module {
        &self.saved
    }

    fn model_mut(&mut self) -> &mut dyn Module {
        &mut self.saved
    }

    fn fit(&mut self, config: &Config, how: &FitConfig, observer: &mut dyn Observer) -> Result<FitReport> {
        self.learn_on_inputs()?;
        let loader = Loader::new(Arc::clone(&self.train), config.batch_size, config.seed)?;
        let mut optimizer = config.optimizer.build(config.lr, config.weight_decay, config.momentum);
        let minimize = minimize(config, &mut self.saved.model, &mut *optimizer, &*self.task);
        let mut learner = Representing {
            minimize,
            head: &mut self.saved.head,
            features: &self.features,
            labelled: &self.labelled,
            on_inputs: self.on_inputs.as_ref(),
        };
        let fitted = fit(&mut learner, &loader, &*self.test, how, observer)?;
        if fitted.ended != StopReason::Interrupted {
            if how.watch.is_none() {
                learner.minimize.keep_average()?;
            }
            // The weights may be those of an earlier epoch.
            learner.fit_head()?;
        }
        Ok(fitted)
    }

    fn evaluate(&mut self, _: &Config) -> Result<Measures> {
        self.learn_on_inputs()?;
        let Headed { model, head } = &self.saved;
        let with_head = |model: &M, batch: &B, tape: &Tape<f32>| {
            let measures = self.task.outcome(model, batch, tape)?.measures;
            measured((model, head, self.on_inputs.as_ref()), &self.features, measures, batch)
        };
        Ok(train::evaluate_with(&*self.test, EVALUATION_BATCH, |batch, tape| with_head(model, batch, tape))?)
    }

    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        first_loss(&self.saved.model, &*self.test, &*self.task, tape)
    }

    fn sample(&self, wanted: &Wanted) -> Result<Sample> {
        self.products.sample(&self.saved.model, wanted)
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        self.products.pictures(&self.saved.model)
    }
}
