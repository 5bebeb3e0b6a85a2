//! [`Observer`]: a trait to follow a run.

use crate::epoch::Epoch;
use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use std::path::Path;
use wengert_nn::Module;
use wengert_tape::Grads;

/// The size of a run, known at its start. See [`Observer`] for an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunPlan {
    /// The number of epochs.
    pub epochs: usize,
    /// The number of steps per epoch.
    pub steps: usize,
    /// The number of steps that were done before: 0, or more if the run was resumed.
    pub done: usize,
}

/// A report on a training step. See [`Observer`] for an example.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step of the epoch, counted from 1.
    pub step: usize,
    /// The number of steps since the run began, including this one.
    pub done: usize,
    /// The number of samples in the step.
    pub samples: usize,
    /// The mean loss of the samples, before the step.
    pub loss: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
}

/// The gradients of a step, before the update, for an observer such as [`GradientFlow`](crate::GradientFlow).
pub struct Gradients<'g> {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The step of the epoch, counted from 1.
    pub step: usize,
    /// The name of the learner's part.
    pub part: &'static str,
    /// The part's model.
    pub model: &'g dyn Module,
    /// The gradients, as the optimiser will receive them.
    pub grads: &'g Grads<f32>,
}

/// Follows a run: it is informed of each event, and cannot change the results. `()` ignores all events; a tuple, a vector or an
/// option of observers informs each in turn.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Linear, optim::Sgd};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Minimize, Observer, RunPlan, Progress, StepReport, fit};
///
/// #[derive(Default)]
/// struct Count { planned: usize, done: usize }
///
/// impl Observer for Count {
///     fn start(&mut self, plan: &RunPlan) {
///         self.planned = plan.epochs * plan.steps;
///     }
///     fn step(&mut self, step: &StepReport) {
///         assert!(step.loss.is_finite() && step.learning_rate == 0.1);
///         self.done += 1;
///     }
/// }
///
/// let (train, test) = digits()?.stratified_split(0.5, 0)?;
/// let mut both = (Count::default(), Progress::lines(Vec::new()));
/// let (mut model, mut sgd) = (Linear::new(64, 10, &mut Rng::seed(0)), Sgd::new(0.1));
/// let mut learner = Minimize::new(&mut model, &mut sgd, Classify);
/// let config = FitConfig { epochs: 2, ..FitConfig::default() };
/// fit(&mut learner, &Loader::new(&train, 100, 0)?, &test, &config, &mut both)?;
/// assert_eq!((both.0.planned, both.0.done), (18, 18));
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[allow(unused_variables, reason = "what an observer does not care for, it passes over")]
pub trait Observer {
    /// The run starts or continues.
    fn start(&mut self, plan: &RunPlan) {}

    /// The gradients of a step are known, and the weights are not changed yet.
    fn gradients(&mut self, gradients: &Gradients<'_>) {}

    /// A step was made.
    fn step(&mut self, step: &StepReport) {}

    /// Something is unusual, but the run continues. Each warning is given once.
    fn warning(&mut self, message: &str) {}

    /// An epoch is over: the last of `epochs`.
    ///
    /// # Errors
    /// Any error, such as a full disk. It ends the run.
    fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
        Ok(())
    }

    /// The run is about to save itself. An observer must store what it was informed of before that, since a run that continues
    /// from the checkpoint does not repeat it.
    ///
    /// # Errors
    /// Any error. It ends the run.
    fn saving(&mut self) -> Result<()> {
        Ok(())
    }

    /// The run could not save itself, for example on a full disk. Returns whether it continues; by default, the error ends it.
    fn unsaved(&mut self, snapshot: &Snapshot, error: &Error) -> bool {
        false
    }

    /// The run saved itself.
    fn saved(&mut self, path: &Path) {}

    /// The run is over, whether or not it was completed.
    fn finish(&mut self) {}
}

impl Observer for () {}

/// An observer that informs several observers.
macro_rules! tell_each {
    ([$($generics:tt)*] $several:ty) => {
        impl<$($generics)*> Observer for $several {
            fn start(&mut self, plan: &RunPlan) {
                for o in self.iter_mut() {
                    o.start(plan);
                }
            }
            fn gradients(&mut self, gradients: &Gradients<'_>) {
                for o in self.iter_mut() {
                    o.gradients(gradients);
                }
            }
            fn step(&mut self, step: &StepReport) {
                for o in self.iter_mut() {
                    o.step(step);
                }
            }
            fn warning(&mut self, message: &str) {
                for o in self.iter_mut() {
                    o.warning(message);
                }
            }
            fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
                for o in self.iter_mut() {
                    o.epoch(epochs)?;
                }
                Ok(())
            }
            fn saving(&mut self) -> Result<()> {
                for o in self.iter_mut() {
                    o.saving()?;
                }
                Ok(())
            }
            fn unsaved(&mut self, snapshot: &Snapshot, error: &Error) -> bool {
                let mut goes_on = false;
                for o in self.iter_mut() {
                    goes_on |= o.unsaved(snapshot, error);
                }
                goes_on
            }
            fn saved(&mut self, path: &Path) {
                for o in self.iter_mut() {
                    o.saved(path);
                }
            }
            fn finish(&mut self) {
                for o in self.iter_mut() {
                    o.finish();
                }
            }
        }
    };
}

tell_each!([] Vec<Box<dyn Observer + '_>>);
tell_each!([O: Observer] Option<O>);

impl<O: Observer + ?Sized> Observer for &mut O {
    fn start(&mut self, plan: &RunPlan) {
        (**self).start(plan);
    }
    fn gradients(&mut self, gradients: &Gradients<'_>) {
        (**self).gradients(gradients);
    }
    fn step(&mut self, step: &StepReport) {
        (**self).step(step);
    }
    fn warning(&mut self, message: &str) {
        (**self).warning(message);
    }
    fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
        (**self).epoch(epochs)
    }
    fn saving(&mut self) -> Result<()> {
        (**self).saving()
    }
    fn unsaved(&mut self, snapshot: &Snapshot, error: &Error) -> bool {
        (**self).unsaved(snapshot, error)
    }
    fn saved(&mut self, path: &Path) {
        (**self).saved(path);
    }
    fn finish(&mut self) {
        (**self).finish();
    }
}

impl<A: Observer, B: Observer> Observer for (A, B) {
    fn start(&mut self, plan: &RunPlan) {
        self.0.start(plan);
        self.1.start(plan);
    }
    fn gradients(&mut self, gradients: &Gradients<'_>) {
        self.0.gradients(gradients);
        self.1.gradients(gradients);
    }
    fn step(&mut self, step: &StepReport) {
        self.0.step(step);
        self.1.step(step);
    }
    fn warning(&mut self, message: &str) {
        self.0.warning(message);
        self.1.warning(message);
    }
    fn epoch(&mut self, epochs: &[Epoch]) -> Result<()> {
        self.0.epoch(epochs)?;
        self.1.epoch(epochs)
    }
    fn saving(&mut self) -> Result<()> {
        self.0.saving()?;
        self.1.saving()
    }
    fn unsaved(&mut self, snapshot: &Snapshot, error: &Error) -> bool {
        // Both observers are informed.
        self.0.unsaved(snapshot, error) | self.1.unsaved(snapshot, error)
    }
    fn saved(&mut self, path: &Path) {
        self.0.saved(path);
        self.1.saved(path);
    }
    fn finish(&mut self) {
        self.0.finish();
        self.1.finish();
    }
}
