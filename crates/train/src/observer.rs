//! [`Observer`]: who watches a run.

use crate::error::Result;
use crate::metrics::Epoch;

/// What a run is going to do. See [`Observer`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The number of epochs.
    pub epochs: usize,
    /// The number of steps in an epoch.
    pub steps: usize,
}

/// One step of training. See [`Observer`] for an example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step of the epoch, counted from 1.
    pub step: usize,
    /// The number of samples in the batch.
    pub samples: usize,
    /// Their mean loss, before the step.
    pub loss: f32,
}

/// Who watches a run: told what happens, asked nothing. `()` looks away.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Linear, optim::Sgd};
/// use wengert_ops::random::Rng;
/// use wengert_train::{FitConfig, Observer, Plan, Step, fit};
///
/// #[derive(Default)]
/// struct Count { planned: usize, done: usize }
///
/// impl Observer for Count {
///     fn start(&mut self, plan: &Plan) {
///         self.planned = plan.epochs * plan.steps;
///     }
///     fn step(&mut self, step: &Step) {
///         assert!(step.loss.is_finite());
///         self.done += 1;
///     }
/// }
///
/// let (train, test) = digits()?.stratified_split(0.5, 0)?;
/// let mut count = Count::default();
/// let mut model = Linear::new(64, 10, &mut Rng::seed(0));
/// let config = FitConfig { epochs: 2, ..FitConfig::default() };
/// fit(&mut model, &mut Sgd::new(0.1), &Loader::new(&train, 100, 0)?, &test, &config, &mut count)?;
/// assert_eq!((count.planned, count.done), (18, 18));
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[allow(unused_variables, reason = "what an observer does not care for, it passes over")]
pub trait Observer {
    /// The run begins.
    fn start(&mut self, plan: &Plan) {}

    /// A step was made.
    fn step(&mut self, step: &Step) {}

    /// Something is odd, but the run goes on. Each oddity is told once.
    fn warning(&mut self, message: &str) {}

    /// An epoch is over: the last of those that are.
    ///
    /// # Errors
    /// Whatever shall end the run, such as a full disk.
    fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
        Ok(())
    }

    /// The run is over, whether or not it came to its end.
    fn finish(&mut self) {}
}

impl Observer for () {}
