//! [`Check`]: compares the derivatives of one function at one point with finite differences.

use crate::error::Result;
use crate::gradcheck::difference::Tolerance;
use crate::gradcheck::report::Report;
use crate::gradcheck::{demands, jacobian};
use crate::tape::var::Var;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wengert_ops::Tensor;

/// A gradient check of one function at one point.
///
/// A check passes if all of these hold:
/// - the derivatives by the tape equal those by finite differences, to first order, and to second order unless
///   [`first_order`](Check::first_order) is set;
/// - the swept gradient equals the recorded one;
/// - the gradient is the same for cotangents in every memory layout (transposed, stepped, reversed, a part, stride 0),
///   linear in the cotangent, and zero for a cotangent of zero;
/// - it is the same for each input when other inputs are constants, and for each output when other outputs have no
///   cotangent;
/// - a second evaluation and a second sweep give the same bits.
///
/// A derivative that cannot be compared is a failure unless it is [allowed](Check::allow_non_finite), and so is a check
/// that compared nothing. A panic inside the function is a failure with its message.
#[doc(alias = "gradcheck")]
#[doc(alias = "gradgradcheck")]
#[derive(Debug, Clone)]
pub struct Check {
    pub(crate) name: String,
    pub(crate) tolerance: Tolerance,
    pub(crate) order: u8,
    pub(crate) directions: [usize; 2],
    pub(crate) seed: u64,
    pub(crate) step: f64,
    pub(crate) inputs: Vec<String>,
    pub(crate) allow_non_finite: bool,
    pub(crate) allow_empty: bool,
    pub(crate) demands: bool,
    /// Outputs are computed from terms of at least this size.
    pub(crate) floor: f64,
}

pub(crate) type Function<'f> = dyn for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> + 'f;

impl Check {
    /// A check of first and second order with the default tolerance.
    pub fn new(name: impl Into<String>) -> Self {
        Check {
            name: name.into(),
            tolerance: Tolerance::default(),
            order: 2,
            directions: [0; 2],
            seed: 0,
            step: 1e-4,
            inputs: Vec::new(),
            allow_non_finite: false,
            allow_empty: false,
            demands: true,
            floor: 0.0,
        }
    }

    /// Sets the relative and the absolute tolerance to the same value; see [`Tolerance`].
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        self.rtol(tolerance).atol(tolerance)
    }

    /// Sets the relative tolerance, 10⁻⁶ by default.
    #[must_use]
    pub fn rtol(mut self, rtol: f64) -> Self {
        self.tolerance.rtol = rtol;
        self
    }

    /// Sets the absolute tolerance, 10⁻⁶ by default: for outputs whose derivatives have a size of one or more. For
    /// smaller derivatives it shrinks in proportion.
    #[must_use]
    pub fn atol(mut self, atol: f64) -> Self {
        self.tolerance.atol = atol;
        self
    }

    /// Sets the step of the differences that is tried first, for a coordinate of size one; 10⁻⁴ by default. If it
    /// decides nothing, steps up to 10⁴ times larger and 10⁶ times smaller are tried.
    #[must_use]
    pub fn step(mut self, step: f64) -> Self {
        self.step = step;
        self
    }

    /// Checks the first order only.
    #[must_use]
    pub fn first_order(mut self) -> Self {
        self.order = 1;
        self
    }

    /// Checks `n` random directions instead of the full Jacobian, for functions of many numbers: compares ⟨u, J v⟩ by
    /// finite differences along v with ⟨Jᵀu, v⟩ by the tape. If they differ, it then searches for a wrong element.
    #[must_use]
    pub fn directions(mut self, n: usize) -> Self {
        self.directions = [n; 2];
        self
    }

    /// The same as [`directions`](Check::directions), for the second order only.
    #[must_use]
    pub(crate) fn second_order_directions(mut self, n: usize) -> Self {
        self.directions[1] = n;
        self
    }

    /// Sets the seed of directions and cotangents.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the names of the inputs in the report, in order.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::gradcheck::Check;
    /// let inputs = [Tensor::from([0.5, 2.0]), Tensor::from([3.0, 1.0])];
    /// let report = Check::new("no gradient for w")
    ///     .input_names(["x", "w"])
    ///     .run(|x| x[0] * x[1].detach() + x[1], &inputs);
    /// assert!(report.to_string().contains("order 1, w [0] = 3.0, output 0: by differences 1.5"), "{report}");
    /// ```
    #[must_use]
    pub fn input_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.inputs = names.into_iter().map(Into::into).collect();
        self
    }

    /// Derivatives that cannot be compared, since the function is NaN or infinite at the point or on both sides of it,
    /// are counted as skipped and are not failures.
    #[must_use]
    pub fn allow_non_finite(mut self) -> Self {
        self.allow_non_finite = true;
        self
    }

    /// A check that compares nothing, since an input or the output has no elements, is not a failure.
    #[must_use]
    pub fn allow_empty(mut self) -> Self {
        self.allow_empty = true;
        self
    }

    /// Outputs smaller than `size` are computed from terms of this size, and have their rounding errors.
    pub(crate) fn floor(mut self, size: f64) -> Self {
        self.floor = size;
        self
    }

    /// Checks only the derivatives, not the other properties.
    pub(crate) fn derivatives_only(mut self) -> Self {
        self.demands = false;
        self
    }

    /// Checks `f` at `inputs`.
    pub fn run(&self, f: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>, inputs: &[Tensor<f64>]) -> Report {
        self.run_many(|x| vec![f(x)], inputs)
    }

    /// Checks a function with several outputs.
    pub fn run_many(
        &self,
        f: impl for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>>,
        inputs: &[Tensor<f64>],
    ) -> Report {
        let mut report = Report::named(&self.name);
        self.phases(&f, inputs, &mut report);
        if report.compared == 0 && report.passed() && !self.allow_empty {
            let why = match inputs.iter().map(Tensor::numel).sum::<usize>() {
                0 => "the inputs have no elements",
                _ if report.skipped > 0 => "no derivative could be compared",
                _ => "the outputs have no elements",
            };
            report.failures.push(format!("nothing was compared: {why}"));
        }
        report
    }

    fn phases(&self, f: &Function<'_>, inputs: &[Tensor<f64>], report: &mut Report) {
        let n = inputs.len();
        let first =
            |report: &mut Report| jacobian::compare(self, 1, &|x| Ok(f(x)), inputs, n, &[self.floor], report);
        guarded("first order", report, first);
        if self.demands && report.passed() {
            guarded("recorded gradient, cotangents and demands", report, |report| {
                demands::hold(self, f, inputs, report)
            });
        }
        if self.order > 1 && report.passed() {
            guarded("second order", report, |report| jacobian::second_order(self, f, inputs, report));
        }
    }
}

/// Runs a phase of a check; an error or a panic in it is a failure of the check.
pub(crate) fn guarded(phase: &str, report: &mut Report, run: impl FnOnce(&mut Report) -> Result<()>) {
    match catch_unwind(AssertUnwindSafe(|| run(report))) {
        Ok(Ok(())) => {}
        Ok(Err(e)) => report.failures.push(format!("{phase}: {e}")),
        Err(panic) => {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
            report.failures.push(format!("{phase}: panicked: {message}"));
        }
    }
}
