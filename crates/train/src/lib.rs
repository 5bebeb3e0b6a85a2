//! The training loop, in parts that can be used separately.
//!
//! - A [`Task`] defines how a batch becomes a loss, and what is measured on it: [`Classify`], [`NextToken`], or a closure.
//!   [`evaluate()`] measures a model.
//! - A [`Learner`] is what a run trains: [`Minimize`] is a model with an optimiser and a task, with clipping and averaged
//!   weights; several models with an optimiser each are a custom learner.
//! - [`fit`] is the loop: epochs, schedules, accumulated gradients, [early stopping](Monitor), and [checkpoints](Checkpoints)
//!   from which a run continues with the same bits, wherever it was interrupted. Your own loop can use [`Snapshot`] for that.
//! - An [`Observer`] follows a run: [`Progress`] shows a bar in a terminal and plain lines elsewhere, [`GradientFlow`] reports on
//!   gradients, [`TensorBoard`] writes event files, and a [`StepProfiler`] measures where the time goes.
//! - [`metrics`] are scores other than the loss.
//! - A [`RunFolder`] keeps the files of a run: weights, options, [metrics](metrics_csv) and [learning curves](curves).
//! - [`Settings`] in weights and checkpoints identify their run, and a [`RunLock`] keeps a second run out of the folder.
//! - A [`fingerprint`] shows whether two runs have the same weights.
//!
//! ```
//! use wengert_data::{Loader, digits};
//! use wengert_nn::{optim::Adam, zoo::{Mlp, MlpConfig}};
//! use wengert_ops::random::Rng;
//! use wengert_train::{Classify, FitConfig, Minimize, fit};
//!
//! let (train, test) = digits()?.stratified_split(0.2, 0)?;
//! let loader = Loader::new(&train, 32, 0)?;
//! let (mut model, mut adam) = (Mlp::with_config(&MlpConfig::default(), &mut Rng::seed(0)), Adam::new(3e-3));
//! let mut learner = Minimize::new(&mut model, &mut adam, Classify);
//! let config = FitConfig { epochs: 2, ..FitConfig::default() };
//! let fitted = fit(&mut learner, &loader, &test, &config, &mut ())?;
//! assert!(fitted.epochs[1].test.accuracy() > 0.8);
//! # Ok::<(), wengert_train::Error>(())
//! ```
#![forbid(unsafe_code)]

mod adversarial;
mod checkpoints;
mod curves;
mod epoch;
mod error;
mod evaluate;
mod fingerprint;
mod fit;
mod flow;
mod folder;
mod learner;
mod lock;
mod measures;
pub mod metrics;
mod monitor;
mod observer;
mod progress;
mod run_schedule;
mod settings;
mod snapshot;
mod step_profiler;
mod task;
mod temporary;
mod tensorboard;
mod ticks;

pub use adversarial::Adversarial;
pub use checkpoints::{Checkpoints, Every};
pub use curves::{Curve, curves};
pub use epoch::{Epoch, metrics_csv};
pub use error::{Error, Result};
pub use evaluate::{evaluate, evaluate_learner, evaluate_with};
pub use fingerprint::fingerprint;
pub use fit::{FitConfig, FitReport, NoValidation, StopReason, Validation, fit};
pub use flow::{Flow, FlowLine, GradientFlow};
pub use folder::{Existing, RunFolder};
pub use learner::{Context, Learner, Minimize, ModelAndOptimizer, ModelAndOptimizerMut};
pub use lock::RunLock;
pub use measures::{Measure, Measures, MetricKind};
pub use monitor::Monitor;
pub use observer::{Gradients, Observer, RunPlan, StepReport};
pub use progress::Progress;
pub use run_schedule::RunSchedule;
pub use settings::Settings;
pub use snapshot::Snapshot;
pub use step_profiler::StepProfiler;
pub use task::{Classify, NextToken, Outcome, Task, TaskFn, task};
pub use tensorboard::{EventFile, TensorBoard};
