//! Tests of `fit`.

use super::*;
use crate::checkpoints::Every;
use crate::learner::Minimize;
use crate::task::Classify;
use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use wengert_data::Classification;
use wengert_nn::Layer;
use wengert_nn::optim::{Adam, Optimizer, Sgd};
use wengert_nn::{Dropout, Linear, Module, ModulePath, Visitor, VisitorMut};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::Var;

/// Records the events that it is informed of.
#[derive(Default)]
struct Log {
    plan: Option<RunPlan>,
    steps: Vec<StepReport>,
    warnings: Vec<String>,
    epochs: usize,
    finished: usize,
}

impl Observer for Log {
    fn start(&mut self, plan: &RunPlan) {
        self.plan = Some(*plan);
    }
    fn step(&mut self, step: &StepReport) {
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

/// Two classes, determined by the sign of the first number.
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
    assert_eq!(log.plan, Some(RunPlan { epochs: 2, steps: 3, done: 0 }));
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
        let config = FitConfig { seed, schedule: RunSchedule::Cosine, ..config(3) };
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
    let config = FitConfig { schedule: RunSchedule::Cosine, ..config(2) };
    fit(&mut linear(), &mut adam, &loader, &data, &config, &mut ()).unwrap();
    assert_eq!(Optimizer::<f32>::learning_rate(&adam), 0.1);
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run() {
    let mut values = data(30).inputs().to_vec();
    values[13 * 3] = f32::NAN;
    let bad = Classification::new(Tensor::from_vec(values, [30, 3]).unwrap(), data(30).labels().clone(), 2)
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

/// A task whose loss is finite and whose gradient is not, from one call on: the derivative of the root at 0 is infinite.
struct Rooted {
    from: usize,
    calls: std::cell::Cell<usize>,
}

impl crate::Task<Linear<f32>, wengert_data::Batch> for Rooted {
    fn outcome<'t>(
        &self,
        model: &Linear<f32>,
        batch: &wengert_data::Batch,
        tape: &'t Tape<f32>,
    ) -> Result<crate::Outcome<'t>> {
        self.calls.set(self.calls.get() + 1);
        let y = model.forward(tape.constant(&batch.inputs));
        let mut loss = y.square().mean();
        if self.calls.get() >= self.from {
            let same = y;
            let zero = y - same;
            loss += (zero.sqrt() * y).sum();
        }
        crate::Outcome::of(loss, batch.len())
    }
}

#[test]
fn a_gradient_that_is_not_finite_ends_the_run_before_the_step_and_nothing_of_it_is_saved() {
    let data = data(40);
    let folder = std::env::temp_dir().join(format!("wengert-gradient-{}", std::process::id()));
    // The first step, a later one, the second of two batches; with and without clipping and averaging.
    for (i, (from, accumulate, plain)) in
        [(1, 1, false), (3, 1, false), (3, 1, true), (2, 2, false), (4, 2, true)].into_iter().enumerate()
    {
        let _ = std::fs::remove_dir_all(&folder);
        let (mut model, mut adam) = (linear(), Adam::new(0.1));
        let task = Rooted { from, calls: std::cell::Cell::new(0) };
        let mut learner = Minimize::new(&mut model, &mut adam, task);
        if !plain {
            learner = learner.clip_norm(1.0).average(0.9);
        }
        let checkpoints = Checkpoints::new(&folder, Every::Steps(1));
        let config = FitConfig { accumulate, checkpoints: Some(checkpoints.clone()), ..config(2) };
        let loader = Loader::new(&data, 5, 0).unwrap();
        let mut log = Log::default();
        let e = super::fit(&mut learner, &loader, &NoValidation, &config, &mut log).unwrap_err();
        let stopped = from.div_ceil(accumulate);
        assert!(
            matches!(&e, Error::Gradient { parameter, epoch: 1, step, value, .. }
                if parameter == "weight" && *step == stopped && value.is_nan()),
            "{i}: {e}"
        );
        assert_eq!((log.steps.len(), log.finished), (stopped - 1, 1));
        assert!(model.weight.value().to_vec().iter().all(|w| w.is_finite()), "{i}: {model:?}");
        // The newest checkpoint has the state before the failed step.
        match checkpoints.newest().unwrap() {
            None => assert_eq!(stopped, 1),
            Some((newest, _)) => {
                let mut kept = linear();
                newest.get_module("model", &mut kept).unwrap();
                assert_eq!(kept.weight.value(), model.weight.value(), "{i}");
                assert_eq!(checkpoints.list().unwrap().last().unwrap().0, stopped - 1);
            }
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn weights_that_a_step_made_infinite_are_not_saved() {
    let data = data(30);
    let folder = std::env::temp_dir().join(format!("wengert-infinite-{}", std::process::id()));
    let checkpoints = Checkpoints::new(&folder, Every::Steps(1));
    let (mut model, mut sgd) = (linear(), Sgd::new(1e300));
    let config = FitConfig { checkpoints: Some(checkpoints.clone()), ..config(2) };
    let loader = Loader::new(&data, 10, 0).unwrap();
    let mut learner = Minimize::new(&mut model, &mut sgd, Classify);
    let e = super::fit(&mut learner, &loader, &NoValidation, &config, &mut ()).unwrap_err();
    assert!(matches!(&e, Error::Weights { parameter, step: 1, .. } if parameter == "weight"), "{e}");
    assert!(checkpoints.list().unwrap().is_empty());
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
fn an_optimizer_that_runs_away_is_noticed() {
    let data = data(30);
    let loader = Loader::new(&data, 30, 0).unwrap();
    let mut sgd = Sgd::new(f64::from(f32::MAX));
    let e = fit(&mut linear(), &mut sgd, &loader, &data, &config(3), &mut ()).unwrap_err();
    assert!(matches!(e, Error::NotFinite { .. } | Error::Diverged { .. }), "{e}");
}

/// A layer with another one that is never called.
struct Idle {
    used: Linear<f32>,
    idle: Linear<f32>,
}

impl Module for Idle {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        path.enter("used", |path| self.used.visit(path, visitor));
        path.enter("idle", |path| self.idle.visit(path, visitor));
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
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

/// A net with every kind of state: dropout, running statistics, moments, averages.
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
    ended: StopReason,
}

/// Stops the run after this number of steps.
struct StopAfter(usize, Arc<AtomicBool>, Vec<PathBuf>);

impl Observer for StopAfter {
    fn step(&mut self, step: &StepReport) {
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
        schedule: RunSchedule::Cosine.after_warmup(3),
        accumulate: 2,
        monitor: Some(Monitor::new("loss").patience(3)),
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
    assert!(straight.ended != StopReason::Interrupted && straight.best.is_some());
    let steps = 4 * straight.epochs.len();
    for stop in 1..steps {
        let _ = std::fs::remove_dir_all(&folder);
        let first = run(Some(&folder), None, stop);
        assert_eq!(first.ended, StopReason::Interrupted);
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
    let refused = |model: &mut wengert_nn::Sequential<f32>, size: usize, accumulate: usize, words: &str| {
        let before = wengert_nn::state::dict(model);
        let (train, test) = data.stratified_split(0.3, 0).unwrap();
        let loader = Loader::new(&train, size, 3).unwrap().drop_last();
        let mut adam = Adam::adamw(0.03);
        let mut learner = Minimize::new(model, &mut adam, Classify).average(0.8);
        let schedule = RunSchedule::Cosine.after_warmup(3);
        let config = FitConfig { accumulate, schedule, resume: Some(snapshot.clone()), ..config(6) };
        let e = super::fit(&mut learner, &loader, &test, &config, &mut ()).unwrap_err().to_string();
        assert!(e.contains(words), "{e}");
        assert_eq!(wengert_nn::state::dict(model), before);
    };
    refused(&mut net(), 6, 1, "4 steps an epoch");
    refused(&mut net(), 7, 2, "batch size is 6 there and 7 here");
    refused(&mut net().push(Linear::new(2, 2, &mut Rng::seed(0))), 6, 2, "no tensor 5.");
    std::fs::remove_dir_all(folder).unwrap();
}

/// `fit` compares what it knows itself if it is given no settings, also at the end of an epoch, where there is no loader state.
#[test]
fn a_snapshot_of_another_seed_schedule_rate_or_loader_is_refused_without_settings() {
    let folder = std::env::temp_dir().join(format!("wengert-begun-{}", std::process::id()));
    let data = data(40);
    let checkpoints = Checkpoints::new(&folder, Every::Epochs(1)).keep(10);
    let run = |config: &FitConfig, rate: f64, size: usize, seed: u64| {
        let (mut model, mut adam) = (linear(), Adam::new(rate));
        let mut learner = Minimize::new(&mut model, &mut adam, Classify);
        let loader = Loader::new(&data, size, seed).unwrap();
        super::fit(&mut learner, &loader, &NoValidation, config, &mut ()).map(|fitted| fitted.epochs.len())
    };
    run(&FitConfig { checkpoints: Some(checkpoints.clone()), ..config(2) }, 0.1, 10, 3).unwrap();
    let begun = || FitConfig { resume: checkpoints.newest().unwrap().map(|n| n.0), ..config(4) };
    assert_eq!(run(&begun(), 0.1, 10, 3).unwrap(), 4);
    let cosine = FitConfig { schedule: RunSchedule::Cosine, ..begun() };
    for (config, rate, size, seed, expected) in [
        (FitConfig { seed: 1, ..begun() }, 0.1, 10, 3, "seed is 0 there and 1 here"),
        (cosine, 0.1, 10, 3, "schedule is \"Constant\" there and \"Cosine\" here"),
        (begun(), 0.2, 10, 3, "learning rate of model is 0.1 there and 0.2 here"),
        (begun(), 0.1, 10, 4, "loader seed is 3 there and 4 here"),
        // The number of steps per epoch is the same, but the steps are not.
        (begun(), 0.1, 13, 3, "batch size is 10 there and 13 here"),
    ] {
        let e = run(&config, rate, size, seed).unwrap_err();
        assert!(
            matches!(&e, Error::Foreign { path: Some(_), differences } if differences[..] == [expected]),
            "{e}"
        );
    }
    // A caller that gives settings determines what may differ.
    let settings = Settings::of(&BTreeMap::from([("name", "mine")])).unwrap();
    let mut snapshot = begun().resume.unwrap();
    snapshot.put_settings(&settings).unwrap();
    let told = FitConfig { resume: Some(snapshot), settings: Some(settings), ..config(4) };
    assert_eq!(run(&told, 0.2, 10, 3).unwrap(), 4);
    std::fs::remove_dir_all(folder).unwrap();
}

/// The loss and the weights are finite; other parts of the checkpoint are not.
#[test]
fn buffers_and_moments_that_became_infinite_are_named_and_not_saved() {
    let folder = std::env::temp_dir().join(format!("wengert-odd-{}", std::process::id()));
    let checkpoints = Checkpoints::new(&folder, Every::Steps(1));
    let scaled = |by: f32| {
        let data = data(40);
        data.with_inputs(data.inputs().map(|v| v * by)).unwrap()
    };
    let fails = |data: &Classification, net: wengert_nn::Sequential<f32>, saved: bool, average: bool| {
        let _ = std::fs::remove_dir_all(&folder);
        let (mut model, mut adam) = (net, Adam::new(1e-3));
        let mut learner = Minimize::new(&mut model, &mut adam, Classify);
        if average {
            learner = learner.average(0.5);
        }
        let config = FitConfig { checkpoints: saved.then(|| checkpoints.clone()), ..config(1) };
        let loader = Loader::new(data, 10, 0).unwrap();
        let e = super::fit(&mut learner, &loader, &NoValidation, &config, &mut ()).unwrap_err();
        assert!(checkpoints.list().unwrap().is_empty());
        e.to_string()
    };
    let mut rng = Rng::seed(0);
    let mut normed = || {
        wengert_nn::Sequential::new().push(wengert_nn::BatchNorm::new(3)).push(Linear::new(3, 2, &mut rng))
    };
    // The variance of a batch of such numbers overflows in single precision.
    for (saved, average) in [(true, false), (false, false), (true, true)] {
        let e = fails(&scaled(1e20), normed(), saved, average);
        assert!(e.contains("the buffer 0.running_var has an element inf after "), "{e}");
    }
    // So does the square of a gradient.
    let mut zero = linear();
    zero.weight.set(Tensor::zeros([2, 3])).unwrap();
    let plain = wengert_nn::Sequential::new().push(zero);
    let e = fails(&scaled(1e22), plain, true, false);
    assert!(e.contains("0.weight") && e.contains("of the optimizer has an element inf after "), "{e}");
    // A value that was infinite before the first step is intended.
    struct Masked(Linear<f32>, wengert_nn::Buffer<f32>);
    impl Module for Masked {
        fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
            path.enter("linear", |path| self.0.visit(path, visitor));
            path.enter("mask", |path| self.1.visit(path, visitor));
        }
        fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
            path.enter("linear", |path| self.0.visit_mut(path, visitor));
            path.enter("mask", |path| self.1.visit_mut(path, visitor));
        }
    }
    impl Layer<f32> for Masked {
        fn forward<'t>(&self, x: Var<'t, f32>) -> Var<'t, f32> {
            self.0.forward(x)
        }
    }
    let mut model = Masked(linear(), wengert_nn::Buffer::new(Tensor::from([0.0, f32::NEG_INFINITY])));
    let config = FitConfig { checkpoints: Some(checkpoints.clone()), ..config(1) };
    let loader = Loader::new(&data(40), 10, 0).unwrap();
    let mut adam = Adam::new(1e-3);
    let mut learner = Minimize::new(&mut model, &mut adam, Classify);
    super::fit(&mut learner, &loader, &NoValidation, &config, &mut ()).unwrap();
    assert!(!checkpoints.list().unwrap().is_empty());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn accumulated_gradients_are_those_of_one_large_batch() {
    let data = data(50);
    let weights = |size: usize, accumulate: usize| {
        let (mut model, mut sgd) = (linear(), Sgd::new(0.5));
        let config = FitConfig { accumulate, ..config(3) };
        fit(&mut model, &mut sgd, &Loader::new(&data, size, 0).unwrap(), &data, &config, &mut ()).unwrap();
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
    let monitor = Monitor::new("loss").patience(4);
    let config = FitConfig { monitor: Some(monitor), ..config(200) };
    let mut learner = Minimize::new(&mut model, &mut sgd, Classify);
    let fitted = super::fit(&mut learner, &loader, &test, &config, &mut ()).unwrap();
    assert_eq!(fitted.ended, StopReason::Early);
    let best = fitted.epoch().unwrap();
    assert_eq!(best.number + 4, fitted.epochs.len());
    let again = evaluate::evaluate(&model, &Classify, &test, 256).unwrap();
    assert_eq!(again, best.test);
}
