//! The results of a check of a model.

use super::line::relative;
use std::fmt;

/// The tape on which a model was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// [`Tape::train`](wengert_tape::Tape::train) with the seed of the check, so that dropout draws the same numbers in every
    /// evaluation.
    Training,
    /// [`Tape::new`](wengert_tape::Tape::new), on which layers behave as in evaluation.
    Evaluation,
}

/// The two derivatives that a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// The swept gradient with differences of the loss.
    Swept,
    /// The recorded gradient with the swept one.
    Recorded,
    /// The derivative of the recorded gradient along a direction with differences of the swept gradient.
    Curvature,
}

/// The setting of a comparison: the mode and, if there are several, the batch size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Training or evaluation.
    pub mode: Mode,
    /// The batch size that was passed to the function that makes the inputs; `None` without such a function.
    pub batch_size: Option<usize>,
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.mode == Mode::Training { "training" } else { "evaluation" })?;
        self.batch_size.map_or(Ok(()), |n| write!(f, ", batch size {n}"))
    }
}

/// A wrong derivative, of one element or of all elements together.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleMismatch {
    /// The mode and the batch size.
    pub setting: Setting,
    /// The two derivatives that were compared.
    pub compared: Compared,
    /// The path of the parameter as in [`for_each_param`](crate::for_each_param), `input 0` for an input, or
    /// `all parameters` if each of them seems right alone.
    pub name: String,
    /// The indices of the element; `None` if no single element is wrong.
    pub index: Option<Vec<usize>>,
    /// The value of that element; NaN without one.
    pub at: f64,
    /// The derivatives by differences from the left and from the right, which are equal away from kinks. Where recorded and
    /// swept gradients differ, the swept one, twice.
    pub expected: (f64, f64),
    /// The derivative from the tape.
    pub tape: f64,
    /// The number of other elements of the same parameter that were found to be wrong.
    pub more: usize,
    /// The seed of the check.
    pub seed: u64,
    /// The number of the direction; `None` where recorded and swept gradients differ.
    pub direction: Option<usize>,
}

impl ModuleMismatch {
    /// |expected - tape| / |expected|; infinite if one of them is infinite or NaN.
    ///
    /// ```
    /// use wengert_nn::gradcheck::{Mode, ModuleCheck};
    /// use wengert_nn::{Layer, Linear};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let mut model = Linear::<f64>::new(1, 1, &mut Rng::seed(0)).without_bias();
    /// let x = Tensor::from([[0.5]]);
    /// let report = ModuleCheck::new("half of it is lost").modes([Mode::Training]).run(&mut model, |model, tape| {
    ///     let y = model.forward(tape.constant(&x));
    ///     (y + y.detach()).sum()
    /// })?;
    /// assert!((report.mismatches[0].relative_error() - 0.5).abs() < 1e-6, "{report}");
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn relative_error(&self) -> f64 {
        let error = relative(self.expected, self.tape);
        if error.is_nan() { f64::INFINITY } else { error }
    }

    /// The setting, order, parameter and element that are wrong.
    pub(super) fn place(&self) -> String {
        let order = if self.compared == Compared::Curvature { 2 } else { 1 };
        let place = format!("{}, order {order}, {}", self.setting, self.name);
        match &self.index {
            Some(index) => format!("{place} {index:?} = {:?}", self.at),
            None => format!("{place}, no element of which is wrong alone"),
        }
    }
}

impl fmt::Display for ModuleMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ModuleMismatch { expected: (l, r), tape, .. } = self;
        write!(f, "{}: ", self.place())?;
        if self.compared == Compared::Recorded {
            write!(f, "swept {l:?}, recorded {tape:?}")?;
        } else {
            if (l - r).abs() <= 1e-6 * l.abs() || l == r {
                write!(f, "by differences {}", digits(*l))?;
            } else {
                write!(f, "by differences between {} and {}", digits(l.min(*r)), digits(l.max(*r)))?;
            }
            let how = if self.compared == Compared::Swept {
                "swept"
            } else {
                "swept through the recorded gradient"
            };
            write!(f, ", {how} {tape:?}")?;
        }
        write!(f, ", relative error {:.1e}", self.relative_error())?;
        match self.more {
            0 => {}
            1 => f.write_str(" (and 1 more element)")?,
            more => write!(f, " (and {more} more elements)")?,
        }
        write!(f, " [seed {}", self.seed)?;
        self.direction.map_or(Ok(()), |d| write!(f, ", direction {d}"))?;
        f.write_str("]")
    }
}

/// The number with as many digits as differences can have.
fn digits(v: f64) -> String {
    match v.abs() {
        0.0 => "0".to_owned(),
        size if (1e-4..1e7).contains(&size) => format!("{v:.9}"),
        _ => format!("{v:.9e}"),
    }
}

/// The results of a [`ModuleCheck`](super::ModuleCheck): the number of comparisons, the errors, and all faults.
///
/// It is printed as one line with the verdict, and one line per fault.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModuleReport {
    /// The name of the check.
    pub name: String,
    /// The number of derivatives compared with differences: of the first order, one per direction for all parameters
    /// together and one for each alone; of the second order, one per element.
    pub compared: usize,
    /// The number of those that were at a kink.
    pub kinks: usize,
    /// The number of derivatives that could not be compared, since the loss is not finite or too rough around the point. This is
    /// a failure unless it is allowed.
    pub skipped: usize,
    /// |difference quotient - ⟨∇L, v⟩| / (1 + |⟨∇L, v⟩|), one per direction; the relative error if that is wrong, NaN if it
    /// could not be compared.
    pub first: Vec<f64>,
    /// The largest |difference quotient - H v| / (1 + |H v|) over all elements, one per direction, with the same
    /// exceptions.
    pub second: Vec<f64>,
    /// The names of trainable parameters that got no gradient in any mode.
    pub unused: Vec<String>,
    /// The names of frozen parameters, which are not moved.
    pub frozen: Vec<String>,
    /// The wrong derivatives, at most one of each kind per parameter, mode and batch size.
    pub mismatches: Vec<ModuleMismatch>,
    /// The other faults, as messages.
    pub failures: Vec<String>,
    /// The largest error that is neither in `first` nor in `second`.
    pub(super) rest: f64,
}

impl ModuleReport {
    /// The largest error of either order. NaN if an error is NaN, if something could not be compared and this was not allowed,
    /// or if the check failed without an error in numbers, so that `worst() < 1e-6` holds for no failed check.
    ///
    /// ```
    /// use wengert_nn::{Layer, Linear, gradcheck};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let mut model = Linear::<f64>::new(2, 1, &mut Rng::seed(0));
    /// model.bias.as_mut().unwrap().set(Tensor::from([0.0]))?;
    /// let x = Tensor::from([[0.5, 2.0]]);
    /// let report = gradcheck::check(
    ///     &mut model,
    ///     // The loss √(b²) is 0, which is finite. Its gradient is 0 · ∞.
    ///     |m, tape| m.forward(tape.constant(&x)).sum() + tape.param(m.bias.as_ref().unwrap()).square().sqrt().sum(),
    ///     3,
    /// )?;
    /// assert!(report.worst().is_nan() && !report.passed(), "{report}");
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn worst(&self) -> f64 {
        self.first.iter().chain(&self.second).fold(self.rest, |a, &b| worse(a, b))
    }

    /// Whether there are no faults.
    ///
    /// ```
    /// use wengert_nn::gradcheck::ModuleCheck;
    /// use wengert_nn::{Layer, Linear, Module};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let mut model = Linear::<f64>::new(2, 1, &mut Rng::seed(0));
    /// let x = Tensor::from([[0.5, 2.0]]);
    /// let report = ModuleCheck::new("linear").run(&mut model, |m, tape| m.forward(tape.constant(&x)).tanh().sum())?;
    /// assert!(report.passed(), "{report}");
    /// model.freeze();
    /// let report = ModuleCheck::new("frozen").run(&mut model, |m, tape| m.forward(tape.constant(&x)).tanh().sum())?;
    /// assert!(!report.passed());              // nothing was compared
    /// assert_eq!(report.frozen, ["weight", "bias"]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty() && self.failures.is_empty()
    }

    /// The number of faults.
    pub(super) fn faults(&self) -> usize {
        self.mismatches.len() + self.failures.len()
    }

    /// Adds a fault without a number.
    pub(super) fn fail(&mut self, what: String) {
        self.rest = f64::NAN;
        self.failures.push(what);
    }

    /// Adds an error.
    pub(super) fn error(&mut self, error: f64) {
        self.rest = worse(self.rest, error);
    }

    /// Adds a wrong derivative. One of each kind is kept per parameter; the others are counted.
    pub(super) fn mismatch(&mut self, m: ModuleMismatch) {
        let same =
            |o: &&mut ModuleMismatch| (o.setting, o.compared, &o.name) == (m.setting, m.compared, &m.name);
        match self.mismatches.iter_mut().find(same) {
            Some(first) => first.more += usize::from(first.direction == m.direction),
            None => self.mismatches.push(m),
        }
    }
}

impl fmt::Display for ModuleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ModuleReport { name, compared, skipped, kinks, .. } = self;
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        let worst = self.worst();
        write!(
            f,
            "{name}: {verdict}, {compared} compared, {skipped} skipped, {kinks} at kinks, worst error {worst:.1e}"
        )?;
        let shown = 20;
        let lines = self.failures.iter().cloned().chain(self.mismatches.iter().map(ToString::to_string));
        lines.take(shown).try_for_each(|line| write!(f, "\n  {name}: {line}"))?;
        match self.faults().saturating_sub(shown) {
            0 => Ok(()),
            more => write!(f, "\n  {name}: and {more} more"),
        }
    }
}

/// The larger number; NaN counts as larger than all others.
pub(super) fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}
