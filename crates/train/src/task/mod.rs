//! [`Task`]: how a batch becomes a loss, and what is measured on it.

mod classify;
mod next_token;

pub use classify::Classify;
pub use next_token::NextToken;

use crate::error::Result;
use crate::measures::Measures;
use wengert_tape::{Tape, Var};

/// The result of a [`Task`] for a batch. See [`Task`] for an example.
#[derive(Debug)]
pub struct Outcome<'t> {
    /// The loss to minimise, of rank 0.
    pub loss: Var<'t, f32>,
    /// The measures, with at least a `loss`, whose weight determines how much the batch counts.
    pub measures: Measures,
}

impl<'t> Outcome<'t> {
    /// A loss that is a mean over `samples` samples, and is the only measure. See [`Task`] for an example.
    ///
    /// # Errors
    /// If the loss could not be computed.
    pub fn of(loss: Var<'t, f32>, samples: usize) -> Result<Self> {
        Outcome::weighted(loss, samples, samples)
    }

    /// A loss that is a mean over `weight` things, such as tokens, of `samples` samples.
    ///
    /// ```
    /// use wengert_train::Outcome;
    /// let tape = wengert_tape::Tape::new();
    /// let outcome = Outcome::weighted(tape.var(wengert_ops::Tensor::scalar(0.5f32)), 2, 20)?;
    /// assert_eq!(outcome.measures.measure("loss").unwrap().weight(), 20.0);
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the loss could not be computed.
    pub fn weighted(loss: Var<'t, f32>, samples: usize, weight: usize) -> Result<Self> {
        let value = f64::from(loss.item()?);
        Ok(Outcome { loss, measures: Measures::new(samples).mean("loss", value, weight as f64) })
    }

    /// The same with more measures.
    ///
    /// ```
    /// use wengert_train::Outcome;
    /// let tape = wengert_tape::Tape::new();
    /// let outcome = Outcome::of(tape.var(wengert_ops::Tensor::scalar(0.5f32)), 2)?.measured(|m| m.share("hits", 1, 2));
    /// assert_eq!(outcome.measures.get("hits"), Some(0.5));
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    #[must_use]
    pub fn measured(mut self, with: impl FnOnce(Measures) -> Measures) -> Self {
        self.measures = with(self.measures);
        self
    }
}

/// How a batch of type `B` becomes a loss for a model of type `M`, and what is measured on it, both in training and in
/// evaluation; [`Tape::is_training`] distinguishes the two. A closure can be a task:
///
/// ```
/// use wengert_data::{Loader, SeriesBatch, sunspots};
/// use wengert_nn::{optim::Adam, zoo::{Forecaster, ForecasterConfig}};
/// use wengert_ops::random::Rng;
/// use wengert_tape::Tape;
/// use wengert_train::{FitConfig, Minimize, Outcome, fit, task};
///
/// let series = sunspots()?;
/// let (train, test) = series.normalized(&series.normalize()?)?.split(0.2)?;
/// let (train, test) = (train.windows(22, 1, 1)?, test.windows(22, 1, 1)?);
/// let likelihood = task(|model: &Forecaster<f32>, batch: &SeriesBatch, tape: &Tape<f32>| {
///     let n = batch.indices.len();
///     let future = batch.targets.reshape([n, 1]).map_err(wengert_tape::Error::from)?;
///     Outcome::of(model.loss(tape.constant(&batch.inputs), future), n)
/// });
/// let config = ForecasterConfig { hidden: 8, ..ForecasterConfig::default() };
/// let (mut model, mut adam) = (Forecaster::with_config(&config, &mut Rng::seed(0)), Adam::new(0.01));
/// let mut learner = Minimize::new(&mut model, &mut adam, likelihood);
/// let config = FitConfig { epochs: 5, ..FitConfig::default() };
/// let epochs = fit(&mut learner, &Loader::new(&train, 32, 0)?, &test, &config, &mut ())?.epochs;
/// assert!(epochs[4].test.loss() < epochs[0].test.loss());
/// # Ok::<(), wengert_train::Error>(())
/// ```
pub trait Task<M: ?Sized, B: ?Sized> {
    /// The loss on a batch and what is measured on it.
    ///
    /// # Errors
    /// If the model cannot be run on the batch.
    fn outcome<'t>(&self, model: &M, batch: &B, tape: &'t Tape<f32>) -> Result<Outcome<'t>>;
}

impl<M: ?Sized, B: ?Sized, T: Task<M, B> + ?Sized> Task<M, B> for &T {
    fn outcome<'t>(&self, model: &M, batch: &B, tape: &'t Tape<f32>) -> Result<Outcome<'t>> {
        (**self).outcome(model, batch, tape)
    }
}

impl<M: ?Sized, B: ?Sized, T: Task<M, B> + ?Sized> Task<M, B> for Box<T> {
    fn outcome<'t>(&self, model: &M, batch: &B, tape: &'t Tape<f32>) -> Result<Outcome<'t>> {
        (**self).outcome(model, batch, tape)
    }
}

/// A closure as a task: the result of [`task`].
#[derive(Debug, Clone, Copy)]
pub struct TaskFn<F>(F);

/// Makes a task of a closure. See [`Task`] for an example.
pub fn task<M: ?Sized, B: ?Sized, F>(f: F) -> TaskFn<F>
where
    F: for<'t> Fn(&M, &B, &'t Tape<f32>) -> Result<Outcome<'t>>,
{
    TaskFn(f)
}

impl<M: ?Sized, B: ?Sized, F> Task<M, B> for TaskFn<F>
where
    F: for<'t> Fn(&M, &B, &'t Tape<f32>) -> Result<Outcome<'t>>,
{
    fn outcome<'t>(&self, model: &M, batch: &B, tape: &'t Tape<f32>) -> Result<Outcome<'t>> {
        (self.0)(model, batch, tape)
    }
}
