//! [`Learner`]: what a run trains, and [`Minimize`], the usual one.

use crate::error::{Error, Result};
use crate::measures::Measures;
use crate::observer::{Gradients, Observer};
use crate::snapshot::Snapshot;
use crate::task::Task;
use wengert_nn::optim::{Ema, Optimizer, clip_norm};
use wengert_nn::{GradsExt, Module, for_each_param};
use wengert_ops::Tensor;
use wengert_tape::profile::{Pass, span, span_of};
use wengert_tape::{Float, Grads, Param, Tape};

/// A model with its optimiser, to read. See [`Learner`] for an example.
pub struct ModelAndOptimizer<'p> {
    /// The name of the part in files and messages.
    pub name: &'static str,
    /// The model.
    pub model: &'p dyn Module,
    /// Its optimiser.
    pub optimizer: &'p dyn Optimizer<f32>,
}

/// A model with its optimiser, to change. See [`Learner`] for an example.
pub struct ModelAndOptimizerMut<'p> {
    /// The name of the part in files and messages.
    pub name: &'static str,
    /// The model.
    pub model: &'p mut dyn Module,
    /// Its optimiser.
    pub optimizer: &'p mut dyn Optimizer<f32>,
}

/// What [`Learner::learn`] is given in addition to its batches.
pub struct Context<'c> {
    /// The tape of the run, in training mode. Its random stream continues from step to step; it may be [reset](Tape::reset) at
    /// any time.
    pub tape: &'c mut Tape<f32>,
    /// The factor by which the schedule multiplies the learning rates; [`step`](Context::step) applies it.
    pub factor: f64,
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step of the epoch, counted from 1.
    pub step: usize,
    /// The number of steps per epoch.
    pub steps: usize,
    pub(crate) observer: &'c mut dyn Observer,
    /// The learning rate of the last update.
    pub(crate) rate: f64,
    /// The parts that were searched for parameters without a gradient.
    pub(crate) warned: Vec<&'static str>,
}

impl Context<'_> {
    /// Checks that a loss is finite; a loss that is not ends the run. See [`Learner`] for an example.
    ///
    /// # Errors
    /// If it is NaN or infinite.
    pub fn check(&self, loss: f64) -> Result<()> {
        match loss.is_finite() {
            true => Ok(()),
            false => Err(Error::Diverged { loss, epoch: self.epoch, step: self.step, steps: self.steps }),
        }
    }

    /// One update of a part at the scheduled learning rate; the optimiser's own rate is restored afterwards. The observer
    /// receives the gradients. See [`Learner`] for an example.
    ///
    /// # Errors
    /// If a gradient has an element that is NaN or infinite; nothing is changed in that case. Otherwise as [`Optimizer::step`].
    pub fn step(&mut self, part: ModelAndOptimizerMut<'_>, grads: &Grads<f32>) -> Result<()> {
        if (self.epoch, self.step) == (1, 1) && !self.warned.contains(&part.name) {
            self.warned.push(part.name);
            warn_of_unused(&grads.unused(part.model), self.observer);
        }
        let (epoch, step) = (self.epoch, self.step);
        {
            let _span = span(Pass::Observers);
            self.observer.gradients(&Gradients { epoch, step, part: part.name, model: part.model, grads });
        }
        // Clipping or a moment would spread one such element to every weight.
        let bad = {
            let _span = span_of("check of gradients", Pass::Optimizer, || None);
            not_finite(part.name, part.model, &|p| grads.get(p.id()).and_then(odd_element))
        };
        if let Some((parameter, value)) = bad {
            return Err(Error::Gradient { parameter, value, epoch, step, steps: self.steps });
        }
        let rate = part.optimizer.learning_rate();
        self.rate = rate * self.factor;
        part.optimizer.set_learning_rate(self.rate);
        let stepped = part.optimizer.step(part.model, grads);
        part.optimizer.set_learning_rate(rate);
        Ok(stepped?)
    }
}

/// The first parameter for which `of` returns an element that is not finite, and that element.
pub(crate) fn not_finite(
    part: &str,
    model: &dyn Module,
    of: &dyn Fn(&Param<f32>) -> Option<f32>,
) -> Option<(String, f64)> {
    let mut found = None;
    for_each_param::<f32>(model, &mut |path, p| {
        if found.is_none() {
            let name = || match part {
                MODEL => path.as_str().to_owned(),
                _ => format!("{part}.{}", path.as_str()),
            };
            found = of(p).map(|value| (name(), value.into()));
        }
    });
    found
}

/// The first element that is NaN or infinite.
pub(crate) fn odd_element<T: Float>(tensor: &Tensor<T>) -> Option<T> {
    let first = |all: &[T]| {
        // Without a branch for each element, the search costs almost nothing.
        let odd = |block: &&[T]| block.iter().fold(false, |odd, v| odd | !v.is_finite());
        let mut blocks = all.chunks(1 << 10);
        blocks.find(odd)?.iter().copied().find(|v| !v.is_finite())
    };
    match tensor.as_slice() {
        Some(all) => first(all),
        None => first(&tensor.to_vec()),
    }
}

fn warn_of_unused(names: &[String], observer: &mut dyn Observer) {
    if !names.is_empty() {
        let names = names.join(", ");
        observer.warning(&format!("the loss does not depend on {names}: these parameters are not trained"));
    }
}

/// What a run trains: one model or several, each with its optimiser. [`Minimize`] is the learner for a single model and a loss. A
/// custom learner takes a few lines, and gets checkpoints, schedules and observers from [`fit`](crate::fit) as well.
///
/// Two models that are trained against each other:
///
/// ```
/// use wengert_data::{Batch, Loader, digits};
/// use wengert_nn::zoo::{GanLoss, GanConfig, dense_gan, noise};
/// use wengert_nn::{Layer, Sequential, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_tape::Tape;
/// use wengert_train::{Context, FitConfig, Learner, Measures, ModelAndOptimizer, ModelAndOptimizerMut, Result, fit};
///
/// struct Gan { generator: Sequential<f32>, discriminator: Sequential<f32>, adams: [Adam<f32>; 2] }
///
/// impl Learner<Batch> for Gan {
///     fn parts(&self) -> Vec<ModelAndOptimizer<'_>> {
///         let [g, d] = &self.adams;
///         vec![
///             ModelAndOptimizer { name: "generator", model: &self.generator, optimizer: g },
///             ModelAndOptimizer { name: "discriminator", model: &self.discriminator, optimizer: d },
///         ]
///     }
///     fn parts_mut(&mut self) -> Vec<ModelAndOptimizerMut<'_>> {
///         let [g, d] = &mut self.adams;
///         vec![
///             ModelAndOptimizerMut { name: "generator", model: &mut self.generator, optimizer: g },
///             ModelAndOptimizerMut { name: "discriminator", model: &mut self.discriminator, optimizer: d },
///         ]
///     }
///     fn learn(&mut self, batches: &[Batch], context: &mut Context<'_>) -> Result<Measures> {
///         let batch = &batches[0];
///         let z = noise(batch.len(), 8, context.tape.next_key())?;
///         let fake = self.generator.forward(Tape::eval().constant(&z)).value()?;
///         context.tape.reset();
///         let judge = |x: &_| self.discriminator.forward(context.tape.constant(x));
///         let loss = GanLoss::NonSaturating.discriminator_loss(judge(&batch.inputs), judge(&fake));
///         let d = f64::from(loss.item()?);
///         context.check(d)?;
///         let grads = loss.backward()?;
///         let [_, adam] = &mut self.adams;
///         context.step(ModelAndOptimizerMut { name: "discriminator", model: &mut self.discriminator, optimizer: adam }, &grads)?;
///
///         context.tape.reset();
///         let fake = self.generator.forward(context.tape.constant(&z));
///         let loss = GanLoss::NonSaturating.generator_loss(self.discriminator.forward(fake));
///         let g = f64::from(loss.item()?);
///         context.check(g)?;
///         let grads = loss.backward()?;
///         let [adam, _] = &mut self.adams;
///         context.step(ModelAndOptimizerMut { name: "generator", model: &mut self.generator, optimizer: adam }, &grads)?;
///         let n = batch.len() as f64;
///         Ok(Measures::new(batch.len()).mean("loss", d, n).mean("generator_loss", g, n))
///     }
///     fn measure(&self, batch: &Batch, tape: &Tape<f32>) -> Result<Measures> {
///         let real = self.discriminator.forward(tape.constant(&batch.inputs)).value()?;
///         let right = real.to_vec().iter().filter(|logit| **logit > 0.0).count();
///         Ok(Measures::new(batch.len()).share("taken_for_real", right, batch.len()))
///     }
/// }
///
/// let config = GanConfig { latent: 8, hidden: vec![32], outputs: 64, ..GanConfig::default() };
/// let (generator, discriminator) = dense_gan(&config, &mut Rng::seed(0));
/// let mut gan = Gan { generator, discriminator, adams: [Adam::new(2e-3), Adam::new(2e-3)] };
/// let (train, test) = digits()?.stratified_split(0.5, 0)?;
/// let config = FitConfig { epochs: 2, ..FitConfig::default() };
/// let fitted = fit(&mut gan, &Loader::new(&train, 64, 0)?, &test, &config, &mut ())?;
/// assert!(fitted.epochs[1].train.get("generator_loss").is_some());
/// # Ok::<(), wengert_train::Error>(())
/// ```
pub trait Learner<B> {
    /// The models with their optimisers, always in the same order. Checkpoints hold all of them.
    fn parts(&self) -> Vec<ModelAndOptimizer<'_>>;

    /// The same, to change.
    fn parts_mut(&mut self) -> Vec<ModelAndOptimizerMut<'_>>;

    /// Makes one step, from one batch or, where gradients are accumulated, from several. Returns the measures from before the
    /// step.
    ///
    /// # Errors
    /// Any error, which ends the run.
    fn learn(&mut self, batches: &[B], context: &mut Context<'_>) -> Result<Measures>;

    /// The measures of a held-out batch, on a tape in evaluation mode.
    ///
    /// # Errors
    /// Any error, which ends the run.
    fn measure(&self, batch: &B, tape: &Tape<f32>) -> Result<Measures>;

    /// Called before held-out samples are evaluated, for example to switch to averaged weights.
    ///
    /// # Errors
    /// Any error, which ends the run.
    fn begin_evaluation(&mut self) -> Result<()> {
        Ok(())
    }

    /// Called after the evaluation, to undo what [`begin_evaluation`](Learner::begin_evaluation) did.
    ///
    /// # Errors
    /// Any error, which ends the run.
    fn end_evaluation(&mut self) -> Result<()> {
        Ok(())
    }

    /// Adds to a checkpoint the state that the parts do not have.
    ///
    /// # Errors
    /// If the state cannot be added.
    fn save_more(&self, to: &mut Snapshot) -> Result<()> {
        let _ = to;
        Ok(())
    }

    /// Restores from a checkpoint what [`save_more`](Learner::save_more) added.
    ///
    /// # Errors
    /// If the state does not belong to this learner.
    fn load_more(&mut self, from: &Snapshot) -> Result<()> {
        let _ = from;
        Ok(())
    }
}

/// A learner that minimises the loss of a task for one model.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Linear, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Minimize, fit};
///
/// let (train, test) = digits()?.stratified_split(0.2, 0)?;
/// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
/// let mut learner = Minimize::new(&mut model, &mut adam, Classify).clip_norm(1.0).average(0.9);
/// let config = FitConfig { epochs: 3, ..FitConfig::default() };
/// let epochs = fit(&mut learner, &Loader::new(&train, 64, 0)?, &test, &config, &mut ())?.epochs;
/// assert!(epochs[2].test.accuracy() > 0.85);                    // of the averaged weights
/// learner.keep_average()?;                                       // which the model now has
/// # Ok::<(), wengert_train::Error>(())
/// ```
pub struct Minimize<'m, M, T> {
    model: &'m mut M,
    optimizer: &'m mut dyn Optimizer<f32>,
    task: T,
    clip: Option<f64>,
    average: Option<Ema>,
}

impl<'m, M: Module, T> Minimize<'m, M, T> {
    /// A model, its optimiser and its task. See [`Minimize`] for an example.
    pub fn new(model: &'m mut M, optimizer: &'m mut dyn Optimizer<f32>, task: T) -> Self {
        Minimize { model, optimizer, task, clip: None, average: None }
    }

    /// The same, with gradients scaled so that their joint norm is at most `max`. See [`Minimize`] for an example.
    #[must_use]
    pub fn clip_norm(mut self, max: f64) -> Self {
        self.clip = Some(max);
        self
    }

    /// The same, but evaluates an exponential moving average of the weights instead of the last ones. `decay` is the share of the
    /// average that remains after each step. See [`Minimize`] for an example.
    #[must_use]
    pub fn average(mut self, decay: f64) -> Self {
        self.average = Some(Ema::new(decay, self.model));
        self
    }

    /// The model in its current state. During an evaluation, that is, after [`begin_evaluation`](Learner::begin_evaluation), it
    /// has the averaged weights if weights are averaged.
    ///
    /// ```
    /// # use wengert_nn::{Linear, Module, optim::Adam};
    /// # use wengert_ops::random::Rng;
    /// # use wengert_train::{Classify, Minimize};
    /// # let (mut model, mut adam) = (Linear::<f32>::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
    /// let learner = Minimize::new(&mut model, &mut adam, Classify);
    /// assert_eq!(learner.model().num_params(), 650);
    /// ```
    pub fn model(&self) -> &M {
        self.model
    }

    /// Replaces the model's weights permanently by the averaged ones, if weights are averaged. See [`Minimize`] for an example.
    ///
    /// # Errors
    /// Only if the model's structure was changed.
    pub fn keep_average(&mut self) -> Result<()> {
        if let Some(average) = self.average.take() {
            average.store(self.model)?;
        }
        Ok(())
    }

    fn swap(&mut self) -> Result<()> {
        match &mut self.average {
            Some(average) => Ok(average.swap(self.model)?),
            None => Ok(()),
        }
    }
}

const MODEL: &str = "model";

impl<B, M: Module, T: Task<M, B>> Learner<B> for Minimize<'_, M, T> {
    fn parts(&self) -> Vec<ModelAndOptimizer<'_>> {
        vec![ModelAndOptimizer { name: MODEL, model: &*self.model, optimizer: &*self.optimizer }]
    }

    fn parts_mut(&mut self) -> Vec<ModelAndOptimizerMut<'_>> {
        vec![ModelAndOptimizerMut { name: MODEL, model: &mut *self.model, optimizer: &mut *self.optimizer }]
    }

    fn learn(&mut self, batches: &[B], context: &mut Context<'_>) -> Result<Measures> {
        let mut measures = Measures::default();
        let mut sum: Option<Grads<f32>> = None;
        let several = batches.len() > 1;
        for batch in batches {
            let forward = span(Pass::Forward);
            context.tape.reset();
            let outcome = self.task.outcome(self.model, batch, context.tape)?;
            context.check(outcome.measures.loss())?;
            drop(forward);
            let mut grads = outcome.loss.backward()?;
            if several {
                grads.scale(weight(&outcome.measures));
            }
            measures.add(&outcome.measures);
            match &mut sum {
                Some(sum) => sum.accumulate(grads)?,
                None => sum = Some(grads),
            }
        }
        let Some(mut grads) = sum else { return Ok(measures) };
        if several {
            // As with one large batch: each batch counts by its weight.
            grads.scale(1.0 / weight(&measures));
        }
        if let Some(max) = self.clip {
            clip_norm(&mut grads, max).map_err(wengert_tape::Error::from)?;
        }
        let part =
            ModelAndOptimizerMut { name: MODEL, model: &mut *self.model, optimizer: &mut *self.optimizer };
        context.step(part, &grads)?;
        if let Some(average) = &mut self.average {
            average.update(self.model)?;
        }
        Ok(measures)
    }

    fn measure(&self, batch: &B, tape: &Tape<f32>) -> Result<Measures> {
        Ok(self.task.outcome(self.model, batch, tape)?.measures)
    }

    fn begin_evaluation(&mut self) -> Result<()> {
        self.swap()
    }

    fn end_evaluation(&mut self) -> Result<()> {
        self.swap()
    }

    fn save_more(&self, to: &mut Snapshot) -> Result<()> {
        match &self.average {
            Some(average) => to.put_dict("average", average.state()),
            None => Ok(()),
        }
    }

    fn load_more(&mut self, from: &Snapshot) -> Result<()> {
        let saved = from.dict("average");
        match &mut self.average {
            Some(average) => average.load_state(&saved).map_err(|e| from.misfit(format!("average: {e}"))),
            None if saved.is_empty() => Ok(()),
            None => Err(from.misfit("its weights are averaged, those of this run are not".to_owned())),
        }
    }
}

fn weight(measures: &Measures) -> f64 {
    measures.measure("loss").map_or(1.0, |m| m.weight())
}

/// The name of a checkpoint's tensor in words: `model/1.running_var` is the buffer of a part.
pub(crate) fn described(name: &str) -> String {
    let Some((place, name)) = name.split_once('/') else { return name.to_owned() };
    match place.strip_suffix("-optimizer") {
        _ if place == MODEL => format!("the buffer {name}"),
        Some(MODEL) => format!("{name} of the optimizer"),
        Some(part) => format!("{name} of the optimizer of {part}"),
        None => format!("{name} of {place}"),
    }
}

/// Saves the whole state of a learner.
pub(crate) fn save<B>(learner: &(impl Learner<B> + ?Sized), to: &mut Snapshot) -> Result<()> {
    for part in learner.parts() {
        to.put_module(part.name, part.model)?;
        to.put_optimizer(&format!("{}-optimizer", part.name), part.optimizer, part.model)?;
    }
    learner.save_more(to)
}

/// Restores the whole state of a learner, or leaves the learner unchanged on an error.
pub(crate) fn load<B>(learner: &mut (impl Learner<B> + ?Sized), from: &Snapshot) -> Result<()> {
    let mut before = Snapshot::new();
    save(learner, &mut before)?;
    let loaded = put(learner, from);
    if loaded.is_err() {
        // The state that the learner just had is accepted.
        let _ = put(learner, &before);
    }
    loaded
}

fn put<B>(learner: &mut (impl Learner<B> + ?Sized), from: &Snapshot) -> Result<()> {
    for part in learner.parts_mut() {
        from.get_module(part.name, part.model)?;
        from.get_optimizer(&format!("{}-optimizer", part.name), part.optimizer, part.model)?;
    }
    learner.load_more(from)
}
