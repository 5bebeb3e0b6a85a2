//! [`ModuleCheck`]: a gradient check of a whole model.

use super::compare::Comparison;
use super::report::{Mode, ModuleReport, Setting};
use super::subject::{Loss, Subject};
use crate::module::{Module, for_each_param};
use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::gradcheck::Tolerance;
use wengert_tape::{Error, Result, Tape, Var};

/// A gradient check of a loss of a model.
///
/// A check passes if the following holds, on a training tape and on one that only records:
/// - a second evaluation and a second sweep give the same bits;
/// - the swept gradient equals the recorded one, in every element of every parameter;
/// - along random directions it equals the differences of the loss: along a direction of all parameters together, and of each
///   parameter alone, so that a small one is judged on its own scale. If it does not, the wrong element is searched for;
/// - H v, the derivative of the recorded gradient along such a direction, equals the differences of the gradient, in
///   every element, unless the check is of [`first_order`](ModuleCheck::first_order) only.
///
/// A derivative that cannot be compared is a failure unless it is [allowed](ModuleCheck::allow_non_finite), and so is a
/// check that compared nothing. Frozen parameters are not moved. After the check, the parameters have their original bits.
/// A panic inside the loss is a failure with its message.
///
/// ```
/// use wengert_nn::gradcheck::ModuleCheck;
/// use wengert_nn::zoo::{Mlp, MlpConfig};
/// use wengert_nn::{Activation, Layer, loss};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = MlpConfig { widths: vec![3, 5, 2], activation: Activation::Gelu, dropout: 0.5 };
/// let mut mlp = Mlp::<f64>::with_config(&config, &mut Rng::seed(0));
/// let x = Tensor::from([[0.1, -0.4, 0.7], [1.0, 0.0, -1.0]]);
/// let report = ModuleCheck::new("mlp")
///     .run(&mut mlp, |mlp, tape| loss::cross_entropy(mlp.forward(tape.constant(&x)), &Tensor::from([0i64, 1])))?;
/// assert!(report.passed(), "{report}");
/// assert!(report.unused.is_empty());
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ModuleCheck {
    pub(super) name: String,
    pub(super) tolerance: Tolerance,
    pub(super) order: u8,
    pub(super) directions: usize,
    pub(super) seed: u64,
    pub(super) step: f64,
    pub(super) modes: Vec<Mode>,
    pub(super) batch_sizes: Vec<usize>,
    pub(super) allow_non_finite: bool,
}

impl ModuleCheck {
    /// A check of first and second order along three directions, in both modes, with the default tolerance.
    pub fn new(name: impl Into<String>) -> Self {
        ModuleCheck {
            name: name.into(),
            tolerance: Tolerance::default(),
            order: 2,
            directions: 3,
            seed: 0,
            step: 1e-4,
            modes: vec![Mode::Training, Mode::Evaluation],
            batch_sizes: vec![1, 2, 7],
            allow_non_finite: false,
        }
    }

    /// The number of random directions.
    #[must_use]
    pub fn directions(mut self, n: usize) -> Self {
        self.directions = n;
        self
    }

    /// The seed of the directions, of training tapes and of the batches that [`run_batches`](ModuleCheck::run_batches) draws.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks only the first order: for models with kinks (ReLU, max pools), whose second derivatives are not meaningful.
    ///
    /// ```
    /// use wengert_nn::gradcheck::ModuleCheck;
    /// use wengert_nn::zoo::{Mlp, MlpConfig};
    /// use wengert_nn::{Activation, Layer};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let config = MlpConfig { widths: vec![3, 8, 2], activation: Activation::Relu, dropout: 0.0 };
    /// let mut model = Mlp::<f64>::with_config(&config, &mut Rng::seed(0));
    /// let x = Tensor::from([[0.1, -0.4, 0.7], [0.0, 0.0, 0.0]]);       // the biases are 0, so the second row is at kinks
    /// let report = ModuleCheck::new("relu")
    ///     .first_order()
    ///     .run(&mut model, |model, tape| model.forward(tape.constant(&x)).sum())?;
    /// assert!(report.passed() && report.kinks > 0, "{report}");
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[must_use]
    pub fn first_order(mut self) -> Self {
        self.order = 1;
        self
    }

    /// Sets both the relative and the absolute tolerance; see [`Tolerance`].
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        self.rtol(tolerance).atol(tolerance)
    }

    /// The relative tolerance, 10⁻⁶ by default.
    #[must_use]
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.tolerance.rtol = rtol;
        self
    }

    /// The absolute tolerance, 10⁻⁶ by default: for derivatives of size one or more. For a parameter whose derivatives are
    /// smaller, it shrinks with them.
    #[must_use]
    pub fn atol(mut self, atol: f64) -> Self {
        self.tolerance.atol = atol;
        self
    }

    /// The step of the differences that is tried first, 10⁻⁴ by default. If it does not decide, steps up to
    /// 10⁴ times larger and 10⁶ times smaller are tried.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// The modes in which the model is run; both by default.
    ///
    /// ```
    /// use wengert_nn::gradcheck::{Mode, ModuleCheck};
    /// use wengert_nn::{Layer, Linear};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let mut model = Linear::<f64>::new(1, 1, &mut Rng::seed(0));
    /// let x = Tensor::from([[0.5]]);
    /// let report = ModuleCheck::new("cut in evaluation").first_order().run(&mut model, |model, tape| {
    ///     let y = model.forward(tape.constant(&x)).sum();
    ///     if tape.is_training() { y } else { y.detach() }
    /// })?;
    /// assert!(report.mismatches.iter().all(|m| m.setting.mode == Mode::Evaluation));
    /// assert!(report.to_string().contains("evaluation, order 1, weight [0, 0]"), "{report}");
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[must_use]
    pub fn modes(mut self, modes: impl IntoIterator<Item = Mode>) -> Self {
        self.modes = modes.into_iter().collect();
        self
    }

    /// The batch sizes of [`run_batches`](ModuleCheck::run_batches); 1, 2 and 7 by default.
    #[must_use]
    pub fn batch_sizes(mut self, sizes: impl IntoIterator<Item = usize>) -> Self {
        self.batch_sizes = sizes.into_iter().collect();
        self
    }

    /// Derivatives that cannot be compared are counted as skipped and are no failure. A derivative cannot be compared if the loss
    /// is NaN or infinite at the point or on both sides of it, or too rough there.
    #[must_use]
    pub fn allow_non_finite(mut self) -> Self {
        self.allow_non_finite = true;
        self
    }

    /// Checks the gradient of `loss` with respect to the parameters.
    ///
    /// # Errors
    /// If the loss fails or is not a scalar. The parameters are restored in any case.
    pub fn run<M: Module>(
        &self,
        model: &mut M,
        loss: impl for<'t> Fn(&M, &'t Tape<f64>) -> Var<'t, f64>,
    ) -> Result<ModuleReport> {
        let mut run = Run::new(self, model);
        run.batch(model, &|model, tape, _| loss(model, tape), &[], None)?;
        Ok(run.finish(model, 0))
    }

    /// Checks the gradient of `loss` with respect to the parameters and the `inputs`, which are called `input 0`, `input 1`, and
    /// so on.
    ///
    /// ```
    /// use wengert_nn::gradcheck::ModuleCheck;
    /// use wengert_nn::{Layer, Linear};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let mut model = Linear::<f64>::new(3, 2, &mut Rng::seed(0));
    /// let x = Tensor::from([[0.1, -0.4, 0.7], [1.0, 0.0, -1.0]]);
    /// let check = ModuleCheck::new("linear");
    /// let report = check.run_with_inputs(&mut model, &[x.clone()], |model, x| model.forward(x[0]).tanh().sum())?;
    /// assert!(report.passed(), "{report}");
    /// let cut = check.run_with_inputs(&mut model, &[x], |model, x| model.forward(x[0].detach()).tanh().sum())?;
    /// assert!(cut.to_string().contains("training, order 1, input 0 ["), "{cut}");
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](ModuleCheck::run).
    pub fn run_with_inputs<M: Module>(
        &self,
        model: &mut M,
        inputs: &[Tensor<f64>],
        loss: impl for<'t> Fn(&M, &[Var<'t, f64>]) -> Var<'t, f64>,
    ) -> Result<ModuleReport> {
        let mut run = Run::new(self, model);
        run.batch(model, &|model, _, x| loss(model, x), inputs, None)?;
        Ok(run.finish(model, inputs.len()))
    }

    /// As [`run_with_inputs`](ModuleCheck::run_with_inputs), for several [batch sizes](ModuleCheck::batch_sizes):
    /// `inputs` draws a batch of the given size.
    ///
    /// ```
    /// use wengert_nn::gradcheck::ModuleCheck;
    /// use wengert_nn::{Layer, Linear};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let mut model = Linear::<f64>::new(3, 2, &mut Rng::seed(0));
    /// let report = ModuleCheck::new("linear").batch_sizes([1, 4]).run_batches(
    ///     &mut model,
    ///     |n, rng| Ok(vec![Tensor::randn([n, 3], rng)?]),
    ///     |model, x| model.forward(x[0]).tanh().sum(),
    /// )?;
    /// assert!(report.passed(), "{report}");
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](ModuleCheck::run), and if `inputs` fails.
    pub fn run_batches<M: Module>(
        &self,
        model: &mut M,
        inputs: impl Fn(usize, &mut Rng) -> Result<Vec<Tensor<f64>>>,
        loss: impl for<'t> Fn(&M, &[Var<'t, f64>]) -> Var<'t, f64>,
    ) -> Result<ModuleReport> {
        let mut run = Run::new(self, model);
        let mut most = 0;
        for &n in &self.batch_sizes {
            let batch = inputs(n, &mut Rng::seed(self.seed ^ BATCHES))?;
            most = most.max(batch.len());
            run.batch(model, &|model, _, x| loss(model, x), &batch, Some(n))?;
        }
        Ok(run.finish(model, most))
    }
}

/// Batches have their own random stream, which differs from that of a program with the same seed.
const BATCHES: u64 = 0xba7c_4e55;

/// A check in progress.
struct Run<'c> {
    check: &'c ModuleCheck,
    report: ModuleReport,
    /// The parameters that have no gradient so far; `None` before the first sweep.
    unused: Option<Vec<String>>,
}

impl<'c> Run<'c> {
    fn new(check: &'c ModuleCheck, model: &dyn Module) -> Self {
        let mut report = ModuleReport { name: check.name.clone(), ..ModuleReport::default() };
        for_each_param::<f64>(model, &mut |path, p| {
            if !p.is_trainable() {
                report.frozen.push(path.as_str().to_owned());
            }
        });
        Run { check, report, unused: None }
    }

    /// Runs every mode with the same inputs.
    fn batch<M: Module>(
        &mut self,
        model: &mut M,
        loss: &Loss<'_, M>,
        inputs: &[Tensor<f64>],
        batch_size: Option<usize>,
    ) -> Result<()> {
        for &mode in &self.check.modes {
            let setting = Setting { mode, batch_size };
            let mut subject = Subject::new(model, loss, mode, self.check.seed, inputs);
            let report = &mut self.report;
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                Comparison::new(self.check, setting, &mut subject, report).run()
            }));
            subject.restore()?;
            match outcome {
                Ok(Ok(names)) => match &mut self.unused {
                    Some(unused) => unused.retain(|name| names.contains(name)),
                    none => *none = Some(names),
                },
                Ok(Err(e)) => return Err(inside(&e, setting)),
                Err(panic) => {
                    let message = panic.downcast_ref::<String>().map(String::as_str);
                    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
                    let message = message.unwrap_or("no message");
                    self.report.fail(format!("{setting}: panicked: {message}"));
                }
            }
        }
        Ok(())
    }

    fn finish(mut self, model: &dyn Module, inputs: usize) -> ModuleReport {
        self.report.unused = self.unused.unwrap_or_default();
        if self.report.compared == 0 && self.report.passed() {
            let mut numbers = 0;
            for_each_param::<f64>(model, &mut |_, p| numbers += p.numel());
            let why = match () {
                () if self.check.directions == 0 => "no directions",
                () if self.check.modes.is_empty() => "no modes",
                () if self.report.skipped > 0 => "no derivative could be compared",
                () if inputs > 0 => "parameters and inputs are frozen or have no elements",
                () if numbers == 0 => "the model has no parameters of f64",
                () => "all parameters are frozen",
            };
            self.report.fail(format!("nothing was compared: {why}"));
        }
        self.report
    }
}

/// The same error with the setting in its detail.
fn inside(e: &Error, setting: Setting) -> Error {
    let error = Error::new(e.kind(), e.op(), format!("{} ({setting})", e.detail()));
    let error = error.inside(e.module_path().map(str::to_owned));
    e.location().map_or(error.clone(), |at| error.at(at))
}
