//! A model that learns without labels, and a linear head on its features that learns from few labels. All models of
//! representations are evaluated this way.

use super::supervised::{Setup, Supervised};
use super::{EVALUATION_BATCH, Experiment, Picture, Sample, SampleOptions};
use crate::options::StepOptions;
use anyhow::Result;
use wengert::data::Classification;
use wengert::nn::zoo::linear_probe;
use wengert::nn::{Layer, Linear};
use wengert::ops::Tensor;
use wengert::ops::random::Rng;
use wengert::train::{
    self, Context, FitConfig, FitReport, Learner, Measures, Minimize, ModelAndOptimizer,
    ModelAndOptimizerMut, Observer, Snapshot, StopReason, Task, fit,
};
use wengert::{Module, Tape, Var};

/// The weight decays of a head among which cross-validation on the labelled samples chooses.
const DECAYS: [f64; 6] = [1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0];
const FOLDS: usize = 5;

/// The modules that are saved: the model, and the head on its features.
#[derive(Module)]
struct ModelAndHead<M: Module> {
    model: M,
    head: Linear<f32>,
}

/// Computes the features of inputs, `[n, ..]` → `[n, features]`.
type Features<M> = Box<dyn Fn(&M, &Tensor<f32>) -> train::Result<Tensor<f32>>>;

/// A batch whose original inputs and classes are available.
pub(super) trait Labelled: Send + 'static {
    /// The inputs without augmentation, and their classes.
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

/// A model, the data that it learns from without labels, and the labelled samples.
pub(super) struct SelfSupervised<M: Module, B> {
    saved: ModelAndHead<M>,
    setup: Setup<M, B>,
    features: Features<M>,
    labelled: Classification,
    /// The same kind of head on the inputs themselves, for comparison.
    input_head: Option<Linear<f32>>,
}

impl<M: Module + 'static, B: Labelled> Supervised<M, B> {
    /// The experiment of the same model with a linear head on its `width` features, which learns from the labelled samples.
    pub(super) fn with_head(
        self,
        (width, features): (usize, impl Fn(&M, &Tensor<f32>) -> train::Result<Tensor<f32>> + 'static),
        labelled: Classification,
    ) -> Result<Box<dyn Experiment>> {
        let head = Linear::new(width, labelled.classes(), &mut Rng::seed(0));
        let Supervised { model, setup } = self;
        let saved = ModelAndHead { model, head };
        Ok(Box::new(SelfSupervised {
            saved,
            setup,
            features: Box::new(features),
            labelled,
            input_head: None,
        }))
    }
}

impl<M: Module, B> SelfSupervised<M, B> {
    /// Fits the head on the inputs, for comparison; it is fitted only once.
    fn fit_input_head(&mut self) -> Result<()> {
        if self.input_head.is_none() {
            self.input_head = Some(fit_head(&flat(self.labelled.inputs())?, &self.labelled)?);
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
fn fit_head(features: &Tensor<f32>, labelled: &Classification) -> train::Result<Linear<f32>> {
    let (labels, classes) = (labelled.labels(), labelled.classes());
    let rows = Classification::new(features.clone(), labels.clone(), classes)?;
    let least = rows.class_counts().into_iter().min().unwrap_or(0);
    let mut correct_of = [0; DECAYS.len()];
    if least >= 2 {
        for fold in rows.stratified_k_fold(FOLDS.min(least), 0)? {
            let (train, test) = (rows.select(&fold.train)?, rows.select(&fold.test)?);
            for (decay, count) in DECAYS.iter().zip(&mut correct_of) {
                let head = linear_probe(train.inputs(), train.labels(), classes, *decay)?;
                *count += correct(&head, test.inputs(), test.labels())?;
            }
        }
    }
    // The strongest of the decays with the best result.
    let best = (0..DECAYS.len()).max_by_key(|&i| correct_of[i]).map_or(DECAYS[2], |i| DECAYS[i]);
    Ok(linear_probe(features, labels, classes, best)?)
}

/// The number of samples that a head classifies correctly.
fn correct(head: &Linear<f32>, features: &Tensor<f32>, labels: &Tensor<i64>) -> train::Result<usize> {
    let tape = Tape::eval();
    let logits = head.forward(tape.constant(features)).value()?;
    let predicted = logits.argmax(-1).map_err(wengert::Error::from)?.to_vec();
    Ok(predicted.iter().zip(labels.to_vec()).filter(|(a, b)| **a == *b).count())
}

/// Minimises the task's loss, and fits the head again before each evaluation.
struct HeadLearner<'m, M: Module, B> {
    minimize: Minimize<'m, M, &'m dyn Task<M, B>>,
    head: &'m mut Linear<f32>,
    features: &'m Features<M>,
    labelled: &'m Classification,
    input_head: Option<&'m Linear<f32>>,
}

impl<M: Module, B: Labelled> HeadLearner<'_, M, B> {
    fn fit_head(&mut self) -> train::Result<()> {
        let features = (self.features)(self.minimize.model(), self.labelled.inputs())?;
        *self.head = fit_head(&features, self.labelled)?;
        Ok(())
    }
}

/// The task's measures, and the accuracy of the head.
fn measured<M: Module, B: Labelled>(
    (model, head, input_head): (&M, &Linear<f32>, Option<&Linear<f32>>),
    features: &Features<M>,
    measures: Measures,
    batch: &B,
) -> train::Result<Measures> {
    let (inputs, labels) = batch.labelled();
    let n = labels.numel();
    let count = correct(head, &features(model, inputs)?, labels)?;
    let measures = measures.share("accuracy", count, n);
    Ok(match input_head {
        Some(head) => measures.share("accuracy_on_inputs", correct(head, &flat(inputs)?, labels)?, n),
        None => measures,
    })
}

impl<M: Module, B: Labelled> Learner<B> for HeadLearner<'_, M, B> {
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
        measured((self.minimize.model(), self.head, self.input_head), self.features, measures, batch)
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

impl<M: Module + 'static, B: Labelled> Experiment for SelfSupervised<M, B> {
    fn model(&self) -> &dyn Module {
        &self.saved
    }

    fn model_mut(&mut self) -> &mut dyn Module {
        &mut self.saved
    }

    fn fit(
        &mut self,
        options: &StepOptions,
        config: &FitConfig,
        observer: &mut dyn Observer,
    ) -> Result<FitReport> {
        self.fit_input_head()?;
        let loader = self.setup.loader(options, config)?;
        let mut optimizer = options.optimizer();
        let minimize = self.setup.learner(options, &mut self.saved.model, &mut *optimizer);
        let mut learner = HeadLearner {
            minimize,
            head: &mut self.saved.head,
            features: &self.features,
            labelled: &self.labelled,
            input_head: self.input_head.as_ref(),
        };
        let fitted = fit(&mut learner as &mut dyn Learner<_>, &loader, &*self.setup.test, config, observer)?;
        if fitted.ended != StopReason::Interrupted {
            if config.monitor.is_none() {
                learner.minimize.keep_average()?;
            }
            // The weights may be those of an earlier epoch.
            learner.fit_head()?;
        }
        Ok(fitted)
    }

    fn evaluate(&mut self) -> Result<Measures> {
        self.fit_input_head()?;
        let ModelAndHead { model, head } = &self.saved;
        let with_head = |model: &M, batch: &B, tape: &Tape<f32>| {
            let measures = self.setup.task.outcome(model, batch, tape)?.measures;
            measured((model, head, self.input_head.as_ref()), &self.features, measures, batch)
        };
        Ok(train::evaluate_with(&*self.setup.test, EVALUATION_BATCH, |batch, tape| {
            with_head(model, batch, tape)
        })?)
    }

    fn record<'t>(&self, tape: &'t Tape<f32>) -> Result<Var<'t, f32>> {
        self.setup.record(&self.saved.model, tape)
    }

    fn sample(&self, options: &SampleOptions) -> Result<Sample> {
        self.setup.sample(&self.saved.model, options)
    }

    fn pictures(&self) -> Result<Vec<Picture>> {
        self.setup.pictures(&self.saved.model)
    }
}
