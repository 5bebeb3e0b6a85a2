//! [`fit`]: the loop, from minibatches to epochs, with checkpoints.

use crate::checkpoints::Checkpoints;
use crate::epoch::{Epoch, SavedEpoch};
use crate::error::{Error, Result};
use crate::evaluate;
use crate::learner::{self, Context, Learner};
use crate::measures::{Measures, SavedMeasures};
use crate::observer::{Observer, Plan, Step};
use crate::schedule::Schedule;
use crate::snapshot::Snapshot;
use crate::watch::Watch;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use wengert_data::{Dataset, Loader, State};
use wengert_ops::random::{Key, Rng};
use wengert_tape::Tape;

/// How long, and in what way, [`fit`] trains.
///
/// ```
/// use wengert_train::{FitConfig, Schedule};
/// let config = FitConfig { epochs: 5, ..FitConfig::default() };
/// assert_eq!((config.seed, config.schedule, config.accumulate), (0, Schedule::Constant, 1));
/// ```
#[derive(Debug, Clone)]
pub struct FitConfig {
    /// How often each sample is learned from.
    pub epochs: usize,
    /// What random layers draw from.
    pub seed: u64,
    /// How the learning rate goes, from what the optimiser has at the start.
    pub schedule: Schedule,
    /// The number of batches whose gradients make up one step.
    pub accumulate: usize,
    /// The number of samples that are evaluated at once.
    pub evaluation_batch: usize,
    /// Which measure decides about the best epoch, whose weights the models have at the end, and about stopping early.
    pub watch: Option<Watch>,
    /// Where and when the run saves itself.
    pub checkpoints: Option<Checkpoints>,
    /// What the run goes on from: a snapshot that a run like this one made.
    pub resume: Option<Snapshot>,
    /// Ends the run after the step at which it becomes true, with a checkpoint if there are any.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for FitConfig {
    fn default() -> Self {
        FitConfig {
            epochs: 30,
            seed: 0,
            schedule: Schedule::Constant,
            accumulate: 1,
            evaluation_batch: 256,
            watch: None,
            checkpoints: None,
            resume: None,
            stop: None,
        }
    }
}

/// Why a run ended.
///
/// ```
/// use wengert_train::Ended;
/// assert_ne!(Ended::Done, Ended::Interrupted);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All epochs are done.
    Done,
    /// The watched measure had not become better for too long.
    Early,
    /// It was told to stop, and can be taken up again from its checkpoint.
    Interrupted,
}

/// What a run came to. See [`fit`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// What was measured in each epoch, also in those before the run was taken up.
    pub epochs: Vec<Epoch>,
    /// The number of the best epoch, whose weights the models now have, if a measure was watched.
    pub best: Option<usize>,
    /// Why it ended.
    pub ended: Ended,
}

impl Fitted {
    /// The epoch whose weights the models have: the best one if a measure was watched, or else the last. See [`fit`] for an
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
/// What comes out depends on the learner, the loader and the configuration, not on the observer, the number of threads, or on
/// whether the run was stopped in between: it goes on from a snapshot with the same bits. A model whose type is not known
/// fits as a `Box<dyn Layer<f32>>`. With nothing to hold out, give [`Nothing`].
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Activation, Layer, Linear, Sequential, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Minimize, Schedule, fit};
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
/// let config = FitConfig { epochs: 3, schedule: Schedule::Cosine, ..FitConfig::default() };
/// let fitted = fit(&mut learner, &Loader::new(&train, 32, 1)?, &test, &config, &mut ())?;
/// assert_eq!(fitted.epochs.len(), 3);
/// assert!(fitted.epoch().unwrap().test.accuracy() > 0.9);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If a loss becomes NaN or infinite, which ends the run there, if the models cannot be run on the data, if the loader
/// gives no batch or there is nothing to test on, if the snapshot to go on from is of another run (the learner is then as it
/// was), or if the observer ends the run.
pub fn fit<L, D, E>(
    learner: &mut L,
    train: &Loader<D>,
    test: &E,
    config: &FitConfig,
    observer: &mut dyn Observer,
) -> Result<Fitted>
where
    L: Learner<D::Batch> + ?Sized,
    D: Dataset + ?Sized,
    E: HeldOut<D::Batch> + ?Sized,
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
    };
    if let Some(snapshot) = &config.resume {
        run.resume(snapshot)?;
    }
    observer.start(&Plan { epochs: config.epochs, steps, done: run.done() });
    let fitted = run.epochs(test, observer);
    observer.finish();
    fitted
}

/// Samples to evaluate on, or [`Nothing`]; every [`Dataset`] is some. See [`fit`] for an example.
pub trait HeldOut<B> {
    /// What is measured on all of them.
    ///
    /// # Errors
    /// As [`evaluate`](crate::evaluate()).
    fn measured(
        &self,
        batch_size: usize,
        measure: &mut dyn FnMut(&B, &Tape<f32>) -> Result<Measures>,
    ) -> Result<Measures>;
}

impl<D: Dataset + ?Sized> HeldOut<D::Batch> for D {
    fn measured(
        &self,
        batch_size: usize,
        measure: &mut dyn FnMut(&D::Batch, &Tape<f32>) -> Result<Measures>,
    ) -> Result<Measures> {
        evaluate::evaluate_with(self, batch_size, measure)
    }
}

/// Where a run stands between two steps, and what it has measured.
#[derive(Debug, Default)]
struct Place {
    /// Epochs that are over.
    epochs: Vec<Epoch>,
    /// Steps of the epoch that are done.
    step: usize,
    /// What was measured in them.
    running: Measures,
    /// Where the loader stands, if within an epoch.
    loader: Option<State>,
    /// What the epoch took before the run was taken up.
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
    /// The steps of an epoch.
    steps: usize,
    /// One for the whole run: its memory and its random stream go on from step to step.
    tape: Tape<f32>,
    place: Place,
    /// The best epoch and the weights after it.
    best: Option<(usize, Snapshot)>,
}

const BEST: &str = "best-";

impl<L, D> Run<'_, L, D>
where
    L: Learner<D::Batch> + ?Sized,
    D: Dataset + ?Sized,
{
    /// Steps that are done since the beginning.
    fn done(&self) -> usize {
        self.place.epochs.len() * self.steps + self.place.step
    }

    fn epochs<E: HeldOut<D::Batch> + ?Sized>(
        &mut self,
        test: &E,
        observer: &mut dyn Observer,
    ) -> Result<Fitted> {
        let mut ended = Ended::Done;
        while self.place.epochs.len() < self.config.epochs {
            if self.is_over()? {
                ended = Ended::Early;
                break;
            }
            if !self.epoch(test, observer)? {
                let (epochs, best) = (self.place.epochs.clone(), None);
                return Ok(Fitted { epochs, best, ended: Ended::Interrupted });
            }
        }
        let best = self.best.take();
        if let Some((_, weights)) = &best {
            for part in self.learner.parts_mut() {
                weights.get_module(part.name, part.model)?;
            }
        }
        Ok(Fitted { epochs: self.place.epochs.clone(), best: best.map(|(number, _)| number), ended })
    }

    fn is_over(&self) -> Result<bool> {
        self.config.watch.as_ref().map_or(Ok(false), |watch| watch.is_over(&self.place.epochs))
    }

    /// The rest of an epoch; `false` if it was interrupted.
    fn epoch<E: HeldOut<D::Batch> + ?Sized>(
        &mut self,
        test: &E,
        observer: &mut dyn Observer,
    ) -> Result<bool> {
        let (start, number) = (Instant::now(), self.place.epochs.len() + 1);
        let before = self.place.seconds;
        let mut batches = match &self.place.loader {
            Some(state) => self.train.resume(state)?,
            None => self.train.epoch(number as u64 - 1),
        };
        loop {
            let together: Vec<D::Batch> =
                batches.by_ref().take(self.accumulate).collect::<wengert_data::Result<_>>()?;
            if together.is_empty() {
                break;
            }
            self.step(&together, number, observer)?;
            self.place.loader = Some(batches.state());
            self.place.seconds = before + start.elapsed().as_secs_f64();
            let stop = self.config.stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
            self.save(stop, false, observer)?;
            if stop {
                return Ok(false);
            }
        }
        self.learner.begin_evaluation()?;
        let learner = &*self.learner;
        let measured =
            test.measured(self.config.evaluation_batch, &mut |batch, tape| learner.measure(batch, tape));
        let done = measured.and_then(|test| {
            let seconds = before + start.elapsed().as_secs_f64();
            let train = std::mem::take(&mut self.place.running);
            self.place.epochs.push(Epoch { number, train, test, seconds });
            self.keep_best()
        });
        self.learner.end_evaluation()?;
        done?;
        (self.place.step, self.place.loader, self.place.seconds) = (0, None, 0.0);
        observer.epoch(&self.place.epochs)?;
        self.save(false, true, observer)?;
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
        observer.step(&Step { epoch, step, done: done + 1, samples, loss, learning_rate });
        Ok(())
    }

    /// Keeps the weights that were just evaluated, if they are the best.
    fn keep_best(&mut self) -> Result<()> {
        let Some(watch) = &self.config.watch else { return Ok(()) };
        let best = watch.best(&self.place.epochs)?;
        if let Some(number) = best.filter(|n| Some(*n) != self.best.as_ref().map(|(n, _)| *n)) {
            let mut weights = Snapshot::new();
            for part in self.learner.parts() {
                weights.put_module(part.name, part.model)?;
            }
            weights.put_note("epoch", &number)?;
            if let Some(checkpoints) = &self.config.checkpoints {
                checkpoints.write_best(&weights)?;
            }
            self.best = Some((number, weights));
        }
        Ok(())
    }

    fn save(&self, now: bool, epoch_ended: bool, observer: &mut dyn Observer) -> Result<()> {
        let Some(checkpoints) = &self.config.checkpoints else { return Ok(()) };
        let done = if epoch_ended { self.place.epochs.len() } else { self.done() };
        if now || checkpoints.every().is_due(done, epoch_ended) {
            let path = checkpoints.write(self.done(), &self.snapshot()?)?;
            observer.saved(&path);
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let mut snapshot = Snapshot::new();
        learner::save(self.learner, &mut snapshot)?;
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
        Ok(snapshot)
    }

    /// Goes where a snapshot was made, or stays.
    fn resume(&mut self, snapshot: &Snapshot) -> Result<()> {
        let saved: SavedPlace = snapshot.note("run")?;
        if (saved.steps, saved.accumulate) != (self.steps, self.accumulate) {
            return Err(snapshot.misfit(format!(
                "made in a run of {} steps an epoch, each of {} batches, and this one has {} of {}",
                saved.steps, saved.accumulate, self.steps, self.accumulate
            )));
        }
        let broken = || snapshot.misfit("what it says about its run is impossible".to_owned());
        let loader = saved.loader.map(|text| text.parse::<State>()).transpose()?;
        if let Some(state) = &loader {
            // Whether the loader would take it; its threads, if any, end at once.
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
        let batch = (place.step * self.accumulate).min(self.train.num_batches());
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
/// use wengert_train::{Classify, FitConfig, Minimize, Nothing, fit};
/// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
/// let mut learner = Minimize::new(&mut model, &mut adam, Classify);
/// let config = FitConfig { epochs: 1, ..FitConfig::default() };
/// let fitted = fit(&mut learner, &Loader::new(&digits()?, 64, 0)?, &Nothing, &config, &mut ())?;
/// assert!(fitted.epochs[0].test.names().next().is_none());
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nothing;

impl<B> HeldOut<B> for Nothing {
    fn measured(&self, _: usize, _: &mut dyn FnMut(&B, &Tape<f32>) -> Result<Measures>) -> Result<Measures> {
        Ok(Measures::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoints::Every;
    use crate::learner::Minimize;
    use crate::task::Classify;
    use std::path::{Path as FilePath, PathBuf};
    use wengert_data::Classification;
    use wengert_nn::Layer;
    use wengert_nn::optim::{Adam, Optimizer, Sgd};
    use wengert_nn::{Dropout, Linear, Module, Path, Visitor, VisitorMut};
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;
    use wengert_tape::Var;

    /// Remembers what it is told.
    #[derive(Default)]
    struct Log {
        plan: Option<Plan>,
        steps: Vec<Step>,
        warnings: Vec<String>,
        epochs: usize,
        finished: usize,
    }

    impl Observer for Log {
        fn start(&mut self, plan: &Plan) {
            self.plan = Some(*plan);
        }
        fn step(&mut self, step: &Step) {
            self.steps.push(*step);
        }
        fn warning(&mut self, message: &str) {
            self.warnings.push(message.to_owned());
        }
        fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
            self.epochs += 1;
            assert_eq!(epochs.len(), self.epochs);
            Ok(())
        }
        fn finish(&mut self) {
            self.finished += 1;
        }
    }

    /// Two classes, told apart by the sign of the first number.
    fn data(n: usize) -> Classification {
        let x: Tensor<f32> = Tensor::randn([n, 3], &mut Rng::seed(5)).unwrap();
        let labels: Vec<i64> = x.to_vec().chunks(3).map(|row| i64::from(row[0] > 0.0)).collect();
        Classification::new(x, labels.into(), 2).unwrap()
    }

    fn linear() -> Linear<f32> {
        Linear::new(3, 2, &mut Rng::seed(0))
    }

    /// Classification by one model.
    fn fit<M: Layer<f32>>(
        model: &mut M,
        optimizer: &mut dyn Optimizer<f32>,
        train: &Loader<Classification>,
        test: &Classification,
        config: &FitConfig,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Epoch>> {
        Ok(super::fit(&mut Minimize::new(model, optimizer, Classify), train, test, config, observer)?.epochs)
    }

    fn config(epochs: usize) -> FitConfig {
        FitConfig { epochs, ..FitConfig::default() }
    }

    #[test]
    fn everything_is_told_in_order() {
        let data = data(50);
        let loader = Loader::new(&data, 20, 0).unwrap();
        let (mut log, mut sgd) = (Log::default(), Sgd::new(1.0));
        let epochs = fit(&mut linear(), &mut sgd, &loader, &data, &config(2), &mut log).unwrap();
        assert_eq!(log.plan, Some(Plan { epochs: 2, steps: 3, done: 0 }));
        let places: Vec<_> = log.steps.iter().map(|s| (s.epoch, s.step, s.samples)).collect();
        let one = |epoch| [(epoch, 1, 20), (epoch, 2, 20), (epoch, 3, 10)];
        assert_eq!(places, [one(1), one(2)].concat());
        assert_eq!((log.epochs, log.finished, log.warnings.len()), (2, 1, 0));
        let mean: f64 = log.steps[3..].iter().map(|s| s.loss * s.samples as f64).sum();
        assert_eq!(epochs[1].train.loss(), mean / 50.0);
        assert!(epochs[1].test.accuracy() > 0.9, "{epochs:?}");
    }

    #[test]
    fn a_run_can_be_had_again() {
        let data = data(60);
        let loader = Loader::new(&data, 7, 3).unwrap();
        let run = |seed| {
            let mut model = wengert_nn::Sequential::new().push(Dropout::new(0.5)).push(linear());
            let config = FitConfig { seed, schedule: Schedule::Cosine, ..config(3) };
            let epochs = fit(&mut model, &mut Adam::new(0.1), &loader, &data, &config, &mut ()).unwrap();
            epochs.into_iter().map(|e| (e.train, e.test)).collect::<Vec<_>>()
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2), "dropout draws from the seed");
    }

    #[test]
    fn the_learning_rate_is_given_back() {
        let data = data(20);
        let loader = Loader::new(&data, 5, 3).unwrap();
        let mut adam = Adam::<f32>::new(0.1);
        let config = FitConfig { schedule: Schedule::Cosine, ..config(2) };
        fit(&mut linear(), &mut adam, &loader, &data, &config, &mut ()).unwrap();
        assert_eq!(Optimizer::<f32>::learning_rate(&adam), 0.1);
    }

    #[test]
    fn a_loss_that_is_not_finite_ends_the_run() {
        let mut values = data(30).inputs().to_vec();
        values[13 * 3] = f32::NAN;
        let bad =
            Classification::new(Tensor::from_vec(values, [30, 3]).unwrap(), data(30).labels().clone(), 2)
                .unwrap();
        let loader = Loader::new(&bad, 1, 0).unwrap();
        let at = loader.epoch(0).position(|b| b.unwrap().indices == [13]).unwrap();
        let mut log = Log::default();
        let e = fit(&mut linear(), &mut Sgd::new(0.1), &loader, &data(30), &config(2), &mut log).unwrap_err();
        assert!(
            matches!(e, Error::Diverged { epoch: 1, step, steps: 30, loss } if step == at + 1 && loss.is_nan()),
            "{e}"
        );
        assert_eq!((log.steps.len(), log.finished), (at, 1));
    }

    #[test]
    fn an_optimizer_that_runs_away_is_noticed() {
        let data = data(30);
        let loader = Loader::new(&data, 30, 0).unwrap();
        let mut sgd = Sgd::new(f64::from(f32::MAX));
        let e = fit(&mut linear(), &mut sgd, &loader, &data, &config(3), &mut ()).unwrap_err();
        assert!(matches!(e, Error::NotFinite { .. } | Error::Diverged { .. }), "{e}");
    }

    /// A layer and another that is never asked.
    struct Idle {
        used: Linear<f32>,
        idle: Linear<f32>,
    }

    impl Module for Idle {
        fn visit(&self, path: &mut Path, visitor: &mut dyn Visitor) {
            path.enter("used", |path| self.used.visit(path, visitor));
            path.enter("idle", |path| self.idle.visit(path, visitor));
        }
        fn visit_mut(&mut self, path: &mut Path, visitor: &mut dyn VisitorMut) {
            path.enter("used", |path| self.used.visit_mut(path, visitor));
            path.enter("idle", |path| self.idle.visit_mut(path, visitor));
        }
    }

    impl Layer<f32> for Idle {
        fn forward<'t>(&self, x: Var<'t, f32>) -> Var<'t, f32> {
            self.used.forward(x)
        }
    }

    #[test]
    fn unused_parameters_are_told_once() {
        let data = data(30);
        let loader = Loader::new(&data, 10, 0).unwrap();
        let mut model = Idle { used: linear(), idle: linear() };
        let mut log = Log::default();
        fit(&mut model, &mut Sgd::new(0.1), &loader, &data, &config(3), &mut log).unwrap();
        let expected = "the loss does not depend on idle.weight, idle.bias: these parameters are not trained";
        assert_eq!(log.warnings, [expected]);
    }

    #[test]
    fn nothing_to_learn_from_is_an_error() {
        let none = data(5).select(&[]).unwrap();
        let fails = |train: &Classification, test: &Classification| {
            let loader = Loader::new(train, 5, 0).unwrap();
            let mut sgd = Sgd::new(0.1);
            fit(&mut linear(), &mut sgd, &loader, test, &config(1), &mut ()).unwrap_err()
        };
        let e = fails(&none, &data(5)).to_string();
        assert!(e.contains("at least one training batch"), "{e}");
        let e = fails(&data(5), &none).to_string();
        assert!(e.contains("at least one sample"), "{e}");
    }

    /// A net with everything that has a state: dropout, running statistics, moments, averages.
    fn net() -> wengert_nn::Sequential<f32> {
        let mut rng = Rng::seed(1);
        wengert_nn::Sequential::new()
            .push(Linear::new(3, 8, &mut rng))
            .push(wengert_nn::BatchNorm::new(8))
            .push(wengert_nn::Activation::Relu)
            .push(Dropout::new(0.3))
            .push(Linear::new(8, 2, &mut rng))
    }

    struct Whole {
        weights: wengert_nn::state::Dict,
        moments: wengert_nn::state::Dict,
        epochs: Vec<(Measures, Measures)>,
        best: Option<usize>,
        ended: Ended,
    }

    /// Stops the run after so many steps.
    struct StopAfter(usize, Arc<AtomicBool>, Vec<PathBuf>);

    impl Observer for StopAfter {
        fn step(&mut self, step: &Step) {
            self.1.store(step.done == self.0, Ordering::Relaxed);
        }
        fn saved(&mut self, path: &FilePath) {
            self.2.push(path.to_owned());
        }
    }

    fn run(folder: Option<&FilePath>, resume: Option<Snapshot>, stop_after: usize) -> Whole {
        let data = data(70);
        let (train, test) = data.stratified_split(0.3, 0).unwrap();
        let loader = Loader::new(&train, 6, 3).unwrap().drop_last();
        let (mut model, mut adam) = (net(), Adam::adamw(0.03));
        let mut learner = Minimize::new(&mut model, &mut adam, Classify).clip_norm(0.5).average(0.8);
        let mut observer = StopAfter(stop_after, Arc::default(), Vec::new());
        let config = FitConfig {
            schedule: Schedule::Cosine.after_warmup(3),
            accumulate: 2,
            watch: Some(Watch::new("loss").patience(3)),
            checkpoints: folder.map(|f| Checkpoints::new(f, Every::Steps(3)).keep(1000)),
            resume,
            stop: Some(observer.1.clone()),
            ..config(6)
        };
        let fitted = super::fit(&mut learner, &loader, &test, &config, &mut observer).unwrap();
        if folder.is_some() {
            assert!(!observer.2.is_empty());
        }
        Whole {
            weights: wengert_nn::state::dict(&model),
            moments: Optimizer::<f32>::state(&adam, &model),
            epochs: fitted.epochs.into_iter().map(|e| (e.train, e.test)).collect(),
            best: fitted.best,
            ended: fitted.ended,
        }
    }

    #[test]
    fn a_run_that_is_stopped_at_any_step_goes_on_with_the_same_bits() {
        let folder = std::env::temp_dir().join(format!("wengert-fit-{}", std::process::id()));
        let straight = run(None, None, 0);
        assert!(straight.ended != Ended::Interrupted && straight.best.is_some());
        let steps = 4 * straight.epochs.len();
        for stop in 1..steps {
            let _ = std::fs::remove_dir_all(&folder);
            let first = run(Some(&folder), None, stop);
            assert_eq!(first.ended, Ended::Interrupted);
            let checkpoints = Checkpoints::new(&folder, Every::Steps(1));
            let newest = checkpoints.newest().unwrap().unwrap().0;
            let second = run(None, Some(newest), 0);
            assert!(second.weights == straight.weights && second.moments == straight.moments, "step {stop}");
            assert_eq!((&second.epochs, second.best), (&straight.epochs, straight.best), "step {stop}");
            assert_eq!(second.ended, straight.ended);
        }
        // From every snapshot, as after a kill.
        let _ = std::fs::remove_dir_all(&folder);
        let _ = run(Some(&folder), None, 0);
        let all = Checkpoints::new(&folder, Every::Steps(1)).list().unwrap();
        assert!(all.len() >= steps / 3, "{all:?}");
        for (step, path) in all {
            let again = run(None, Some(Snapshot::read(path).unwrap()), 0);
            assert!(again.weights == straight.weights && again.epochs == straight.epochs, "step {step}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_snapshot_of_another_run_is_refused_and_changes_nothing() {
        let folder = std::env::temp_dir().join(format!("wengert-foreign-{}", std::process::id()));
        let _ = run(Some(&folder), None, 7);
        let snapshot = Checkpoints::new(&folder, Every::Steps(1)).newest().unwrap().unwrap().0;
        let data = data(70);
        let refused =
            |model: &mut wengert_nn::Sequential<f32>, size: usize, accumulate: usize, words: &str| {
                let before = wengert_nn::state::dict(model);
                let (train, test) = data.stratified_split(0.3, 0).unwrap();
                let loader = Loader::new(&train, size, 3).unwrap().drop_last();
                let mut adam = Adam::adamw(0.03);
                let mut learner = Minimize::new(model, &mut adam, Classify).average(0.8);
                let config = FitConfig { accumulate, resume: Some(snapshot.clone()), ..config(6) };
                let e = super::fit(&mut learner, &loader, &test, &config, &mut ()).unwrap_err().to_string();
                assert!(e.contains(words), "{e}");
                assert_eq!(wengert_nn::state::dict(model), before);
            };
        refused(&mut net(), 6, 1, "4 steps an epoch");
        refused(&mut net(), 7, 2, "expected a state like");
        refused(&mut net().push(Linear::new(2, 2, &mut Rng::seed(0))), 6, 2, "no tensor 5.");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn accumulated_gradients_are_those_of_one_large_batch() {
        let data = data(50);
        let weights = |size: usize, accumulate: usize| {
            let (mut model, mut sgd) = (linear(), Sgd::new(0.5));
            let config = FitConfig { accumulate, ..config(3) };
            fit(&mut model, &mut sgd, &Loader::new(&data, size, 0).unwrap(), &data, &config, &mut ())
                .unwrap();
            model.weight.value().to_vec()
        };
        // The last batch is smaller than the others.
        let (large, small) = (weights(20, 1), weights(4, 5));
        assert!(large.iter().zip(&small).all(|(a, b)| (a - b).abs() < 1e-5), "{large:?} {small:?}");
        assert_ne!(weights(4, 1), small);
    }

    #[test]
    fn the_best_epoch_is_kept_and_waiting_ends() {
        let data = data(40);
        let (train, test) = data.stratified_split(0.5, 0).unwrap();
        let loader = Loader::new(&train, 20, 0).unwrap();
        let (mut model, mut sgd) = (linear(), Sgd::new(30.0));
        let watch = Watch::new("loss").patience(4);
        let config = FitConfig { watch: Some(watch), ..config(200) };
        let mut learner = Minimize::new(&mut model, &mut sgd, Classify);
        let fitted = super::fit(&mut learner, &loader, &test, &config, &mut ()).unwrap();
        assert_eq!(fitted.ended, Ended::Early);
        let best = fitted.epoch().unwrap();
        assert_eq!(best.number + 4, fitted.epochs.len());
        let again = evaluate::evaluate(&model, &Classify, &test, 256).unwrap();
        assert_eq!(again, best.test);
    }
}
