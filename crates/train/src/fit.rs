//! [`fit`]: minibatch training of a classifier.

use crate::error::{Error, Result};
use crate::evaluate::{correct, evaluate};
use crate::metrics::{Epoch, Score, Tally};
use crate::observer::{Observer, Plan, Step};
use crate::schedule::Schedule;
use std::time::Instant;
use wengert_data::{Batch, Classification, Dataset, Loader};
use wengert_nn::optim::Optimizer;
use wengert_nn::{GradsExt, Layer, loss};
use wengert_tape::Tape;

/// How long, and in what way, [`fit`] trains.
///
/// ```
/// use wengert_train::{FitConfig, Schedule};
/// let config = FitConfig { epochs: 5, ..FitConfig::default() };
/// assert_eq!((config.seed, config.schedule), (0, Schedule::Constant));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FitConfig {
    /// How often each sample is learned from.
    pub epochs: usize,
    /// What random layers draw from.
    pub seed: u64,
    /// How the learning rate goes, from what the optimiser has at the start.
    pub schedule: Schedule,
    /// The number of samples that are evaluated at once.
    pub evaluation_batch: usize,
}

impl Default for FitConfig {
    fn default() -> Self {
        FitConfig { epochs: 30, seed: 0, schedule: Schedule::Constant, evaluation_batch: 256 }
    }
}

/// Trains a classifier, `[n, ..]` → logits `[n, classes]`, by cross-entropy on minibatches, and evaluates it on
/// held-out samples after each epoch.
///
/// What comes out depends on the model, the optimiser, the loader and the configuration, not on the observer or the
/// number of threads. A model whose type is not known fits as a `Box<dyn Layer<f32>>`.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Activation, Layer, Linear, Sequential, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_train::{FitConfig, Schedule, fit};
///
/// let (train, test) = digits()?.stratified_split(0.2, 1)?;
/// let mut rng = Rng::seed(1);
/// let net = Sequential::new()
///     .push(Linear::new(64, 32, &mut rng))
///     .push(Activation::Tanh)
///     .push(Linear::new(32, 10, &mut rng));
/// let mut model: Box<dyn Layer<f32>> = Box::new(net);
/// let config = FitConfig { epochs: 3, schedule: Schedule::Cosine, ..FitConfig::default() };
/// let epochs = fit(&mut model, &mut Adam::new(0.01), &Loader::new(&train, 32, 1)?, &test, &config, &mut ())?;
/// assert_eq!(epochs.len(), 3);
/// assert!(epochs[2].test.accuracy() > 0.9 && epochs[2].train.loss < epochs[0].train.loss);
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If a loss becomes NaN or infinite, which ends the run there, if the model cannot be run on the data, if the loader
/// gives no batch or there is nothing to test on, or if the observer ends the run.
pub fn fit<M, D>(
    model: &mut M,
    optimizer: &mut dyn Optimizer<f32>,
    train: &Loader<D>,
    test: &Classification,
    config: &FitConfig,
    observer: &mut dyn Observer,
) -> Result<Vec<Epoch>>
where
    M: Layer<f32>,
    D: Dataset<Batch = Batch> + ?Sized,
{
    let plan = Plan { epochs: config.epochs, steps: train.num_batches() };
    if plan.steps == 0 {
        return Err(Error::Argument {
            call: "fit",
            expected: "at least one training batch an epoch",
            found: "none".to_owned(),
        });
    }
    observer.start(&plan);
    let rate = optimizer.learning_rate();
    let tape = Tape::train(config.seed);
    let mut run = Run { model, optimizer, tape, plan, schedule: config.schedule, rate };
    let epochs = run.epochs(train, test, config, observer);
    optimizer.set_learning_rate(rate);
    observer.finish();
    epochs
}

struct Run<'r, M> {
    model: &'r mut M,
    optimizer: &'r mut dyn Optimizer<f32>,
    /// One for the whole run: its memory and its random stream go on from step to step.
    tape: Tape<f32>,
    plan: Plan,
    schedule: Schedule,
    /// η before the schedule.
    rate: f64,
}

impl<M: Layer<f32>> Run<'_, M> {
    fn epochs<D: Dataset<Batch = Batch> + ?Sized>(
        &mut self,
        train: &Loader<D>,
        test: &Classification,
        config: &FitConfig,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Epoch>> {
        let mut epochs = Vec::with_capacity(self.plan.epochs);
        for number in 1..=self.plan.epochs {
            let start = Instant::now();
            let train = self.epoch(number, train, observer)?;
            let test = evaluate(self.model, test, config.evaluation_batch)?;
            epochs.push(Epoch { number, train, test, seconds: start.elapsed().as_secs_f64() });
            observer.epoch(&epochs)?;
        }
        Ok(epochs)
    }

    fn epoch<D: Dataset<Batch = Batch> + ?Sized>(
        &mut self,
        epoch: usize,
        train: &Loader<D>,
        observer: &mut dyn Observer,
    ) -> Result<Score> {
        let mut tally = Tally::default();
        for (i, batch) in train.epoch(epoch as u64 - 1).enumerate() {
            let (batch, step) = (batch?, i + 1);
            let (loss, correct) = self.step(&batch, epoch, step, observer)?;
            tally.add(loss, correct, batch.len());
            observer.step(&Step { epoch, step, samples: batch.len(), loss });
        }
        Ok(tally.score())
    }

    /// One update; the loss and the number of correct samples are those before it.
    fn step(
        &mut self,
        batch: &Batch,
        epoch: usize,
        step: usize,
        observer: &mut dyn Observer,
    ) -> Result<(f32, usize)> {
        let (done, steps) = ((epoch - 1) * self.plan.steps + step - 1, self.plan.steps);
        let factor = self.schedule.factor(done, self.plan.epochs * steps);
        self.optimizer.set_learning_rate(self.rate * factor);

        self.tape.reset();
        let logits = self.model.forward(self.tape.constant(&batch.inputs)); // [n, classes]
        let loss = loss::cross_entropy(logits, &batch.labels);
        let (value, correct) = (loss.item()?, correct(&logits.value()?, &batch.labels)?);
        if !value.is_finite() {
            return Err(Error::Diverged { loss: value, epoch, step, steps });
        }
        let grads = loss.backward()?;
        if done == 0 {
            warn_of_unused(&grads.unused(self.model), observer);
        }
        self.optimizer.step(self.model, &grads)?;
        Ok((value, correct))
    }
}

fn warn_of_unused(names: &[String], observer: &mut dyn Observer) {
    if !names.is_empty() {
        let names = names.join(", ");
        observer.warning(&format!("the loss does not depend on {names}: these parameters are not trained"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_nn::optim::{Adam, Sgd};
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

    fn config(epochs: usize) -> FitConfig {
        FitConfig { epochs, ..FitConfig::default() }
    }

    #[test]
    fn everything_is_told_in_order() {
        let data = data(50);
        let loader = Loader::new(&data, 20, 0).unwrap();
        let (mut log, mut sgd) = (Log::default(), Sgd::new(1.0));
        let epochs = fit(&mut linear(), &mut sgd, &loader, &data, &config(2), &mut log).unwrap();
        assert_eq!(log.plan, Some(Plan { epochs: 2, steps: 3 }));
        let places: Vec<_> = log.steps.iter().map(|s| (s.epoch, s.step, s.samples)).collect();
        let one = |epoch| [(epoch, 1, 20), (epoch, 2, 20), (epoch, 3, 10)];
        assert_eq!(places, [one(1), one(2)].concat());
        assert_eq!((log.epochs, log.finished, log.warnings.len()), (2, 1, 0));
        let mean: f64 = log.steps[3..].iter().map(|s| f64::from(s.loss) * s.samples as f64).sum();
        assert_eq!(epochs[1].train.loss, mean / 50.0);
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
            epochs.iter().map(|e| (e.train, e.test)).collect::<Vec<_>>()
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
}
