//! [`fit`]: the loop, from minibatches to epochs, with checkpoints.

use crate::checkpoints::Checkpoints;
use crate::epoch::{Epoch, SavedEpoch};
use crate::error::{Error, Result};
use crate::evaluate;
use crate::learner::{self, Context, Learner};
use crate::measures::{Measures, SavedMeasures};
use crate::monitor::Monitor;
use crate::observer::{Observer, RunPlan, StepReport};
use crate::run_schedule::RunSchedule;
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use wengert_data::{Dataset, Loader, State};
use wengert_ops::random::{Key, Rng};
use wengert_tape::profile::{Pass, span};
use wengert_tape::{Param, Tape};

/// The name of the note with the options that a run was started with.
const BEGUN: &str = "begun";

/// The options of [`fit`].
///
/// ```
/// use wengert_train::{FitConfig, RunSchedule};
/// let config = FitConfig { epochs: 5, ..FitConfig::default() };
/// assert_eq!((config.seed, config.schedule, config.accumulate), (0, RunSchedule::Constant, 1));
/// ```
#[derive(Debug, Clone)]
pub struct FitConfig {
    /// The number of epochs: how often each sample is learned from. Default: `30`.
    pub epochs: usize,
    /// The seed of random layers. Default: `0`.
    pub seed: u64,
    /// The schedule of the learning rate, relative to the optimiser's rate at the start. Default: `Constant`.
    pub schedule: RunSchedule,
    /// The number of batches whose gradients make up one step. Default: `1`.
    pub accumulate: usize,
    /// The number of samples that are evaluated at once. Default: `256`.
    pub evaluation_batch: usize,
    /// The measure that determines the best epoch, whose weights the models have at the end, and whether the run stops early.
    /// Default: `None`: the weights are the last ones.
    pub monitor: Option<Monitor>,
    /// Where and when the run saves itself. Default: `None`: it does not.
    pub checkpoints: Option<Checkpoints>,
    /// The snapshot that the run continues from, made by a run like this one. Default: `None`: it begins.
    pub resume: Option<Snapshot>,
    /// The options that the results depend on. They are stored in the checkpoints, and the run continues only from a checkpoint
    /// with the same options. Without them, [`fit`] compares what it knows itself: seed, schedule, learning rates and loader
    /// (seed, batch size, number of samples). Default: `None`.
    pub settings: Option<Settings>,
    /// A flag that ends the run after the step in which it becomes true, with a checkpoint if there are any. Default: `None`.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for FitConfig {
    fn default() -> Self {
        FitConfig {
            epochs: 30,
            seed: 0,
            schedule: RunSchedule::Constant,
            accumulate: 1,
            evaluation_batch: 256,
            monitor: None,
            checkpoints: None,
            resume: None,
            settings: None,
            stop: None,
        }
    }
}

/// Why a run ended.
///
/// ```
/// use wengert_train::StopReason;
/// assert_ne!(StopReason::Done, StopReason::Interrupted);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// All epochs are done.
    Done,
    /// The watched measure did not improve for too long.
    Early,
    /// The run was asked to stop, and can be resumed from its checkpoint.
    Interrupted,
}

/// The result of a run. See [`fit`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FitReport {
    /// The measures of each epoch, including those before the run was resumed.
    pub epochs: Vec<Epoch>,
    /// The number of the best epoch, whose weights the models now have, if a measure was watched.
    pub best: Option<usize>,
    /// Why the run ended.
    pub ended: StopReason,
}

impl FitReport {
    /// The epoch whose weights the models have: the best one if a measure was watched, otherwise the last. See [`fit`] for an
    /// example.
    pub fn epoch(&self) -> Option<&Epoch> {
        match self.best {
            Some(number) => self.epochs.iter().find(|e| e.number == number),
            None => self.epochs.last(),
        }
    }
}

/// Trains on minibatches, and evaluates on held-out samples after each epoch.
///
/// The result depends on the learner, the loader and the configuration. It does not depend on the observer, on the number of
/// threads, or on whether the run was interrupted: it continues from a snapshot with the same bits. A model whose type is not
/// known at compile time can be a `Box<dyn Layer<f32>>`. If no samples are held out, pass [`NoValidation`].
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Activation, Layer, Linear, Sequential, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Minimize, RunSchedule, fit};
///
/// let (train, test) = digits()?.stratified_split(0.2, 1)?;
/// let mut rng = Rng::seed(1);
/// let net = Sequential::new()
///     .push(Linear::new(64, 32, &mut rng))
///     .push(Activation::Tanh)
///     .push(Linear::new(32, 10, &mut rng));
/// let mut model: Box<dyn Layer<f32>> = Box::new(net);
/// let mut adam = Adam::new(0.01);
/// let mut learner = Minimize::new(&mut model, &mut adam, Classify);
/// let config = FitConfig { epochs: 3, schedule: RunSchedule::Cosine, ..FitConfig::default() };
/// let fitted = fit(&mut learner, &Loader::new(&train, 32, 1)?, &test, &config, &mut ())?;
/// assert_eq!(fitted.epochs.len(), 3);
/// assert!(fitted.epoch().unwrap().test.accuracy() > 0.9);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If a loss, a gradient, a weight, a buffer or the state of an optimiser becomes NaN or infinite. The run then ends: before the
/// step in the case of a loss or a gradient, otherwise without a checkpoint of the new state. If the models cannot be run on the
/// data, the loader has no batch, there is nothing to evaluate on, the snapshot to continue from belongs to another run (the
/// learner is then unchanged), or the observer ends the run.
pub fn fit<L, D, E>(
    learner: &mut L,
    train: &Loader<D>,
    test: &E,
    config: &FitConfig,
    observer: &mut dyn Observer,
) -> Result<FitReport>
where
    L: Learner<D::Batch> + ?Sized,
    D: Dataset + ?Sized,
    E: Validation<D::Batch> + ?Sized,
{
    let accumulate = config.accumulate.max(1);
    let steps = train.num_batches().div_ceil(accumulate);
    if steps == 0 {
        return Err(Error::Argument {
            call: "fit",
            expected: "at least one training batch an epoch",
            found: "none".to_owned(),
        });
    }
    let mut run = Run {
        learner,
        train,
        config,
        accumulate,
        steps,
        tape: Tape::train(config.seed),
        place: Place::default(),
        best: None,
        begun: Settings::default(),
        odd: BTreeSet::new(),
    };
    run.begun = run.begun()?;
    if let Some(snapshot) = &config.resume {
        run.resume(snapshot)?;
    }
    run.odd = run.state()?.odd().map(|(name, _)| name.to_owned()).collect();
    observer.start(&RunPlan { epochs: config.epochs, steps, done: run.done() });
    let fitted = run.epochs(test, observer);
    observer.finish();
    fitted
}

/// Samples to evaluate on, or [`NoValidation`]. It is implemented for every [`Dataset`]. See [`fit`] for an example.
pub trait Validation<B> {
    /// The measures on all samples.
    ///
    /// # Errors
    /// As [`evaluate`](crate::evaluate()).
    fn measured(
        &self,
        batch_size: usize,
        measure: &mut dyn FnMut(&B, &Tape<f32>) -> Result<Measures>,
    ) -> Result<Measures>;
}

impl<D: Dataset + ?Sized> Validation<D::Batch> for D {
    fn measured(
        &self,
        batch_size: usize,
        measure: &mut dyn FnMut(&D::Batch, &Tape<f32>) -> Result<Measures>,
    ) -> Result<Measures> {
        evaluate::evaluate_with(self, batch_size, measure)
    }
}

/// The state of a run between two steps, and its measures so far.
#[derive(Debug, Default)]
struct Place {
    /// The finished epochs.
    epochs: Vec<Epoch>,
    /// The number of finished steps of the current epoch.
    step: usize,
    /// The measures of these steps.
    running: Measures,
    /// The state of the loader, if within an epoch.
    loader: Option<State>,
    /// The duration of the current epoch, in seconds, before the run was resumed.
    seconds: f64,
}

#[derive(Serialize, Deserialize)]
struct SavedPlace {
    epochs: Vec<SavedEpoch>,
    step: usize,
    steps: usize,
    accumulate: usize,
    running: SavedMeasures,
    loader: Option<String>,
    seconds: String,
    /// Seed and stream of the tape's random numbers.
    random: (u64, u64),
    best: Option<usize>,
}

struct Run<'r, L: ?Sized, D: ?Sized> {
    learner: &'r mut L,
    train: &'r Loader<D>,
    config: &'r FitConfig,
    accumulate: usize,
    /// The number of steps per epoch.
    steps: usize,
    /// One tape for the whole run: its memory and its random stream continue from step to step.
    tape: Tape<f32>,
    place: Place,
    /// The best epoch and the weights after it.
    best: Option<(usize, Snapshot)>,
    /// The options that `fit` knows itself.
    begun: Settings,
    /// The names of the tensors that were not finite before the first step, such as a mask with -∞. They may stay so.
    odd: BTreeSet<String>,
}

const BEST: &str = "best-";

impl<L, D> Run<'_, L, D>
where
    L: Learner<D::Batch> + ?Sized,
    D: Dataset + ?Sized,
{
    /// The number of finished steps since the start.
    fn done(&self) -> usize {
        self.place.epochs.len() * self.steps + self.place.step
    }

    fn epochs<E: Validation<D::Batch> + ?Sized>(
        &mut self,
        test: &E,
        observer: &mut dyn Observer,
    ) -> Result<FitReport> {
        let mut ended = StopReason::Done;
        while self.place.epochs.len() < self.config.epochs {
            if self.is_over()? {
                ended = StopReason::Early;
                break;
            }
            if !self.epoch(test, observer)? {
                let (epochs, best) = (self.place.epochs.clone(), None);
                return Ok(FitReport { epochs, best, ended: StopReason::Interrupted });
            }
        }
        let best = self.best.take();
        if let Some((_, weights)) = &best {
            for part in self.learner.parts_mut() {
                weights.get_module(part.name, part.model)?;
            }
        }
        Ok(FitReport { epochs: self.place.epochs.clone(), best: best.map(|(number, _)| number), ended })
    }

    fn is_over(&self) -> Result<bool> {
        self.config.monitor.as_ref().map_or(Ok(false), |monitor| monitor.is_over(&self.place.epochs))
    }

    /// Runs the rest of an epoch; returns `false` if it was interrupted.
    fn epoch<E: Validation<D::Batch> + ?Sized>(
        &mut self,
        test: &E,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let (start, number) = (Instant::now(), self.place.epochs.len() + 1);
        let before = self.place.seconds;
        // Whether the run was resumed after the last step of an epoch. Once the epoch is evaluated, the run does not return to
        // this position.
        let unevaluated = self.place.step == self.steps;
        let mut batches = match &self.place.loader {
            Some(state) => self.train.resume(state)?,
            None => self.train.epoch(number as u64 - 1),
        };
        loop {
            let together: Vec<D::Batch> = {
                let _span = span(Pass::Data);
                batches.by_ref().take(self.accumulate).collect::<wengert_data::Result<_>>()?
            };
            if together.is_empty() {
                break;
            }
            self.step(&together, number, observer)?;
            self.place.loader = Some(batches.state());
            self.place.seconds = before + start.elapsed().as_secs_f64();
            let stop = self.config.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
            // After the last step, the run is saved after the evaluation, so that a run that is resumed from its end repeats
            // nothing.
            if stop || self.place.step < self.steps {
                self.save(stop, false, observer)?;
            }
            if stop {
                return Ok(false);
            }
        }
        let evaluation = span(Pass::Evaluation);
        self.learner.begin_evaluation()?;
        let learner = &*self.learner;
        let measured =
            test.measured(self.config.evaluation_batch, &mut |batch, tape| learner.measure(batch, tape));
        let done = measured.and_then(|test| {
            self.check_weights()?;
            let seconds = before + start.elapsed().as_secs_f64();
            let train = std::mem::take(&mut self.place.running);
            self.place.epochs.push(Epoch { number, train, test, seconds });
            self.keep_best(observer)
        });
        self.learner.end_evaluation()?;
        drop(evaluation);
        done?;
        (self.place.step, self.place.loader, self.place.seconds) = (0, None, 0.0);
        {
            let _span = span(Pass::Observers);
            observer.epoch(&self.place.epochs)?;
        }
        self.save(unevaluated, true, observer)?;
        Ok(true)
    }

    fn step(&mut self, batches: &[D::Batch], epoch: usize, observer: &mut dyn Observer) -> Result<()> {
        let done = self.done();
        let mut context = Context {
            tape: &mut self.tape,
            factor: self.config.schedule.factor(done, self.config.epochs * self.steps),
            epoch,
            step: self.place.step + 1,
            steps: self.steps,
            observer,
            rate: f64::NAN,
            warned: Vec::new(),
        };
        let measures = self.learner.learn(batches, &mut context)?;
        let learning_rate = context.rate;
        self.place.running.add(&measures);
        self.place.step += 1;
        let (step, samples, loss) = (self.place.step, measures.samples(), measures.loss());
        let _span = span(Pass::Observers);
        observer.step(&StepReport { epoch, step, done: done + 1, samples, loss, learning_rate });
        Ok(())
    }

    /// Keeps the weights that were just evaluated, if they are the best.
    fn keep_best(&mut self, observer: &mut dyn Observer) -> Result<()> {
        let Some(monitor) = &self.config.monitor else { return Ok(()) };
        let best = monitor.best(&self.place.epochs)?;
        if let Some(number) = best.filter(|n| Some(*n) != self.best.as_ref().map(|(n, _)| *n)) {
            let mut weights = Snapshot::new();
            for part in self.learner.parts() {
                weights.put_module(part.name, part.model)?;
            }
            weights.put_note("epoch", &number)?;
            if let Some(settings) = &self.config.settings {
                weights.put_settings(settings)?;
            }
            if let Some(checkpoints) = &self.config.checkpoints
                && let Err(e) = checkpoints.write_best(&weights)
                && !observer.unsaved(&weights, &e)
            {
                return Err(e);
            }
            self.best = Some((number, weights));
        }
        Ok(())
    }

    /// Seed, schedule, learning rates and loader, which identify a run without [`FitConfig::settings`].
    fn begun(&self) -> Result<Settings> {
        // Without prefetching, so that no batch is prepared.
        let loader = self.train.clone().prefetch(0).epoch(0).state();
        let mut all = BTreeMap::from([
            ("seed".to_owned(), Value::from(self.config.seed)),
            ("schedule".to_owned(), format!("{:?}", self.config.schedule).into()),
            ("loader seed".to_owned(), loader.seed.into()),
            ("batch size".to_owned(), loader.batch_size.into()),
            ("samples".to_owned(), loader.samples.into()),
        ]);
        for part in self.learner.parts() {
            all.insert(format!("learning rate of {}", part.name), part.optimizer.learning_rate().into());
        }
        Settings::of(&all)
    }

    /// The whole state of the learner.
    fn state(&self) -> Result<Snapshot> {
        let mut state = Snapshot::new();
        learner::save(self.learner, &mut state)?;
        Ok(state)
    }

    /// Checks that everything that is learned is finite, and everything that is saved with it: buffers, optimiser states,
    /// averages. A state that is not finite is neither saved nor kept as the best.
    fn check_weights(&self) -> Result<()> {
        for part in self.learner.parts() {
            let odd = |p: &Param<f32>| p.is_trainable().then(|| learner::odd_element(p.value())).flatten();
            if let Some((parameter, value)) = learner::not_finite(part.name, part.model, &odd) {
                return Err(Error::Weights { parameter, value, step: self.done() });
            }
        }
        let state = self.state()?;
        let odd = state.odd().filter(|(name, _)| !self.odd.contains(*name));
        // A model's own buffer is the origin of the fault; its average only follows it.
        let own = |name: &str| self.learner.parts().iter().any(|p| name.split('/').next() == Some(p.name));
        match odd.min_by_key(|(name, _)| !own(name)) {
            Some((name, value)) => {
                let tensor = learner::described(name);
                Err(Error::Infinite { tensor, value, step: self.done() })
            }
            None => Ok(()),
        }
    }

    fn save(&self, now: bool, epoch_ended: bool, observer: &mut dyn Observer) -> Result<()> {
        let Some(checkpoints) = &self.config.checkpoints else { return Ok(()) };
        let (steps, epochs) = (self.done(), self.place.epochs.len());
        let every = checkpoints.every();
        let due = every.is_due(steps, false) || epoch_ended && every.is_due(epochs, true);
        if now || due {
            let _span = span(Pass::Saving);
            self.check_weights()?;
            observer.saving()?;
            let snapshot = self.snapshot()?;
            match checkpoints.write(steps, &snapshot) {
                Ok(path) => observer.saved(&path),
                Err(e) if observer.unsaved(&snapshot, &e) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let mut snapshot = self.state()?;
        if let Some((_, weights)) = &self.best {
            for part in self.learner.parts() {
                snapshot.put_dict(&format!("{BEST}{}", part.name), &weights.dict(part.name))?;
            }
        }
        let random = self.tape.rng().position();
        let place = SavedPlace {
            epochs: self.place.epochs.iter().map(Epoch::saved).collect(),
            step: self.place.step,
            steps: self.steps,
            accumulate: self.accumulate,
            running: self.place.running.saved(),
            loader: self.place.loader.as_ref().map(ToString::to_string),
            seconds: self.place.seconds.to_string(),
            random: (random.seed, random.stream),
            best: self.best.as_ref().map(|(number, _)| *number),
        };
        snapshot.put_note("run", &place)?;
        snapshot.put_note(BEGUN, &self.begun)?;
        if let Some(settings) = &self.config.settings {
            snapshot.put_settings(settings)?;
        }
        Ok(snapshot)
    }

    /// Restores the state of a snapshot, or changes nothing on an error.
    fn resume(&mut self, snapshot: &Snapshot) -> Result<()> {
        if let Some(settings) = &self.config.settings {
            snapshot.check_settings(settings, &[])?;
        }
        let saved: SavedPlace = snapshot.note("run")?;
        if (saved.steps, saved.accumulate) != (self.steps, self.accumulate) {
            return Err(snapshot.misfit(format!(
                "made in a run of {} steps an epoch, each of {} batches, and this one has {} of {}",
                saved.steps, saved.accumulate, self.steps, self.accumulate
            )));
        }
        if self.config.settings.is_none() && snapshot.has_note(BEGUN) {
            let there: Settings = snapshot.note(BEGUN)?;
            self.begun.check(Some(&there), snapshot.origin())?;
        }
        let begun = saved.epochs.len() + usize::from(saved.step > 0);
        if begun > self.config.epochs {
            return Err(snapshot.misfit(format!(
                "made in epoch {begun} of its run, and this one has {} epochs",
                self.config.epochs
            )));
        }
        let broken = || snapshot.misfit("what it says about its run is impossible".to_owned());
        let loader = saved.loader.map(|text| text.parse::<State>()).transpose()?;
        if let Some(state) = &loader {
            // Checks that the loader accepts the state. Its threads, if any, end at once.
            drop(self.train.resume(state)?);
        }
        let epochs = saved.epochs.into_iter().map(SavedEpoch::restored).collect::<Option<Vec<_>>>();
        let place = Place {
            epochs: epochs.ok_or_else(broken)?,
            step: saved.step,
            running: saved.running.restored().ok_or_else(broken)?,
            loader,
            seconds: saved.seconds.parse().map_err(|_| broken())?,
        };
        let whole = place.epochs.iter().enumerate().all(|(i, e)| e.number == i + 1);
        let batch = place.step.saturating_mul(self.accumulate).min(self.train.num_batches());
        let stands = match &place.loader {
            Some(state) => (state.epoch, state.batch) == (place.epochs.len() as u64, batch),
            None => place.step == 0,
        };
        if !whole || place.step > self.steps || !stands {
            return Err(broken());
        }
        learner::load(self.learner, snapshot)?;
        self.best = match saved.best {
            None => None,
            Some(number) => {
                let mut weights = Snapshot::new();
                for part in self.learner.parts() {
                    weights.put_dict(part.name, &snapshot.dict(&format!("{BEST}{}", part.name)))?;
                }
                weights.put_note("epoch", &number)?;
                Some((number, weights))
            }
        };
        let (seed, stream) = saved.random;
        self.tape.set_rng(Rng::at(Key { seed, stream }));
        self.place = place;
        Ok(())
    }
}

/// No held-out samples: nothing is evaluated.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Linear, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Minimize, NoValidation, fit};
/// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
/// let mut learner = Minimize::new(&mut model, &mut adam, Classify);
/// let config = FitConfig { epochs: 1, ..FitConfig::default() };
/// let fitted = fit(&mut learner, &Loader::new(&digits()?, 64, 0)?, &NoValidation, &config, &mut ())?;
/// assert!(fitted.epochs[0].test.names().next().is_none());
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoValidation;

impl<B> Validation<B> for NoValidation {
    fn measured(&self, _: usize, _: &mut dyn FnMut(&B, &Tape<f32>) -> Result<Measures>) -> Result<Measures> {
        Ok(Measures::default())
    }
}

#[cfg(test)]
mod tests;
