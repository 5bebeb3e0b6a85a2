//! [`Check`]: compares the derivatives of one function at one point with finite differences.

use crate::error::Result;
use crate::gradcheck::difference::{Precision, Tolerance};
use crate::gradcheck::report::Report;
use crate::gradcheck::subject::{Claim, Fallible, OnTape, OverSlices, Subject, convert, flat};
use crate::gradcheck::{demands, jacobian};
use crate::number::Float;
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
    /// Whether the first order is compared; the second needs no first.
    pub(crate) first: bool,
    pub(crate) demands: bool,
    pub(crate) precision: Precision,
    /// Names and shapes of the parts of a slice.
    parts: Vec<(String, Vec<usize>)>,
    /// Outputs are computed from terms of at least this size.
    pub(crate) floor: f64,
}

pub(crate) type Function<'f, T> = dyn for<'t> Fn(&[Var<'t, T>]) -> Vec<Var<'t, T>> + 'f;

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
            first: true,
            demands: true,
            precision: Precision::Double,
            parts: Vec::new(),
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

    /// Checks only the other properties, not the derivatives.
    pub(crate) fn demands_only(mut self) -> Self {
        (self.first, self.order) = (false, 1);
        self
    }

    /// Checks only the second order.
    pub(crate) fn second_order_only(mut self) -> Self {
        (self.first, self.demands, self.order) = (false, false, 2);
        self
    }

    /// The values have the rounding errors of single precision, such as those of closures that call a library for `f32`: steps are
    /// larger (from 2⁻¹⁰ to 2⁻²), and both tolerances are 10⁻³. Methods whose name ends in `f32` do this themselves. A mistake below
    /// the tolerance is only found by comparing with a function in double precision, as
    /// [`run_f32_against`](Check::run_f32_against) does.
    ///
    /// ```
    /// use wengert_tape::gradcheck::Check;
    /// let f = |x: &[f64]| x.iter().map(|x| (*x as f32).sin()).sum::<f32>() as f64;
    /// let df = |x: &[f64]| x.iter().map(|x| (*x as f32).cos() as f64).collect();
    /// let report = Check::new("sin").single_precision().gradient(f, df, &[0.5, 2.0]);
    /// assert!(report.passed(), "{report}");
    /// ```
    #[must_use]
    pub fn single_precision(mut self) -> Self {
        self.precision = Precision::Single;
        self.tolerance(1e-3)
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
        self.report(&f, None, inputs)
    }

    /// Checks a function whose gradient is, on purpose, that of another: a straight-through estimator, whose values jump, or any
    /// other surrogate gradient. The gradient of `f` is compared with differences of `surrogate`. All other properties, and the
    /// second order, are those of `f` alone.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::gradcheck::Check;
    /// use wengert_tape::Var;
    /// // Rounds, with the gradient of the identity.
    /// fn quantize<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
    ///     x + x.value().unwrap().map(|x| x.round() - x)
    /// }
    /// let x = Tensor::from([0.2, 1.7, -3.4]);
    /// let report = Check::new("quantize").run_against(|x| quantize(x[0]), |x| x[0], &[x.clone()]);
    /// assert!(report.passed(), "{report}");
    /// assert!(!Check::new("quantize").run(|x| quantize(x[0]), &[x]).passed());    // the slope of a step is 0
    /// ```
    #[doc(alias = "straight-through")]
    pub fn run_against(
        &self,
        f: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
        surrogate: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
        inputs: &[Tensor<f64>],
    ) -> Report {
        self.report(&|x| vec![f(x)], Some(&|x| vec![surrogate(x)]), inputs)
    }

    /// Checks a function that exists in single precision only, by differences with larger steps, as
    /// [`single_precision`](Check::single_precision) says. The second order is checked in the same way.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::Var;
    /// use wengert_tape::gradcheck::Check;
    /// fn swish<'t>(x: Var<'t, f32>) -> Var<'t, f32> {
    ///     x * x.sigmoid()
    /// }
    /// let x = Tensor::from([0.5f32, -2.0]);
    /// let report = Check::new("swish").run_f32(|x| swish(x[0]), &[x.clone()]);
    /// assert!(report.passed(), "{report}");
    /// assert!(!Check::new("swish").run_f32(|x| swish(x[0]) + x[0].detach() * 0.01, &[x]).passed());
    /// ```
    pub fn run_f32(
        &self,
        f: impl for<'t> Fn(&[Var<'t, f32>]) -> Var<'t, f32>,
        inputs: &[Tensor<f32>],
    ) -> Report {
        let inputs: Vec<_> = inputs.iter().map(convert).collect();
        self.clone().single_precision().report_f32(&|x| vec![f(x)], None, &inputs)
    }

    /// Compares the gradient of a function in single precision with differences of the same function in double precision, which is
    /// written for the test. Tolerances are 10⁻⁴.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::gradcheck::Check;
    /// let x = Tensor::from([0.5f32, -2.0]);
    /// let check = Check::new("swish");
    /// let report = check.run_f32_against(|x| x[0] * x[0].sigmoid(), |x| x[0] * x[0].sigmoid(), &[x]);
    /// assert!(report.passed() && report.worst < 1e-5, "{report}");
    /// ```
    pub fn run_f32_against(
        &self,
        f: impl for<'t> Fn(&[Var<'t, f32>]) -> Var<'t, f32>,
        reference: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
        inputs: &[Tensor<f32>],
    ) -> Report {
        let inputs: Vec<_> = inputs.iter().map(convert).collect();
        self.report_f32(&|x| vec![f(x)], Some(&|x| vec![reference(x)]), &inputs)
    }

    /// Checks a gradient that does not come from a tape: `df` returns the derivatives of `f` with respect to each number. Both may
    /// call anything: C code, another program, a formula on paper.
    ///
    /// ```
    /// use wengert_tape::gradcheck::Check;
    /// let rosenbrock = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
    /// let wrong = |x: &[f64]| vec![-2.0 * (1.0 - x[0]), 200.0 * (x[1] - x[0] * x[0])];      // half of ∂/∂x[0] is missing
    /// let report = Check::new("rosenbrock").input_names(["x"]).gradient(rosenbrock, wrong, &[0.5, 1.0]);
    /// assert_eq!(report.mismatches.len(), 1);
    /// assert!(report.to_string().contains("x [0] = 0.5, output 0: by differences -151.0"), "{report}");
    /// ```
    pub fn gradient(&self, f: impl Fn(&[f64]) -> f64, df: impl Fn(&[f64]) -> Vec<f64>, x: &[f64]) -> Report {
        self.over_slices(&|x: &[f64]| vec![f(x)], Claim::Jacobian(&df), x)
    }

    /// The same as [`gradient`](Check::gradient) for a function with several outputs. `df` returns the Jacobian row by row:
    /// ∂f\[j]/∂x\[k] is at `j * x.len() + k`. A Hessian is the Jacobian of a gradient.
    ///
    /// ```
    /// use wengert_tape::gradcheck::Check;
    /// let polar = |x: &[f64]| vec![x[0] * x[1].cos(), x[0] * x[1].sin()];
    /// let jacobian = |x: &[f64]| vec![x[1].cos(), -x[0] * x[1].sin(), x[1].sin(), x[0] * x[1].cos()];
    /// let report = Check::new("polar").jacobian(polar, jacobian, &[2.0, 0.5]);
    /// assert!(report.passed() && report.compared == 4, "{report}");
    /// ```
    pub fn jacobian(
        &self,
        f: impl Fn(&[f64]) -> Vec<f64>,
        df: impl Fn(&[f64]) -> Vec<f64>,
        x: &[f64],
    ) -> Report {
        self.over_slices(&f, Claim::Jacobian(&df), x)
    }

    /// The same for a reverse-mode derivative: `vjp` gets x and a cotangent u of the outputs, and returns Jᵀu. With
    /// [`directions`](Check::directions), it is called for one or a few cotangents instead of one per output.
    ///
    /// ```
    /// use wengert_tape::gradcheck::Check;
    /// let f = |x: &[f64]| x.iter().map(|x| x.sin()).collect::<Vec<_>>();
    /// let vjp = |x: &[f64], u: &[f64]| x.iter().zip(u).map(|(x, u)| u * x.cos()).collect();
    /// let x: Vec<f64> = (0..1000).map(|i| 0.01 * i as f64).collect();
    /// let report = Check::new("sin").directions(2).vjp(f, vjp, &x);
    /// assert!(report.passed(), "{report}");
    /// ```
    pub fn vjp(
        &self,
        f: impl Fn(&[f64]) -> Vec<f64>,
        vjp: impl Fn(&[f64], &[f64]) -> Vec<f64>,
        x: &[f64],
    ) -> Report {
        self.over_slices(&f, Claim::Vjp(&vjp), x)
    }

    /// The same for a forward-mode derivative: `jvp` gets x and a direction v, and returns J v.
    ///
    /// ```
    /// use wengert_tape::gradcheck::Check;
    /// let f = |x: &[f64]| vec![x[0] * x[1]];
    /// let report = Check::new("product").jvp(f, |x, v| vec![v[0] * x[1] + x[0] * v[1]], &[2.0, 0.5]);
    /// assert!(report.passed(), "{report}");
    /// ```
    pub fn jvp(
        &self,
        f: impl Fn(&[f64]) -> Vec<f64>,
        jvp: impl Fn(&[f64], &[f64]) -> Vec<f64>,
        x: &[f64],
    ) -> Report {
        self.over_slices(&f, Claim::Jvp(&jvp), x)
    }

    /// For checks of functions over slices: the names and shapes of the parts of x, in order, so that a report says `w [1, 2]` where
    /// it would say `input 0 [5]`.
    ///
    /// ```
    /// use wengert_tape::gradcheck::Check;
    /// // w₀ x + b, with x = 3.
    /// let report = Check::new("line")
    ///     .parts([("w", &[1, 1][..]), ("b", &[])])
    ///     .gradient(|p| 3.0 * p[0] + p[1], |_| vec![3.0, 0.0], &[0.5, 1.0]);
    /// assert!(report.to_string().contains("order 1, b [] = 1.0, output 0: by differences 1.0"), "{report}");
    /// ```
    #[must_use]
    pub fn parts<'s, S: Into<String>>(mut self, parts: impl IntoIterator<Item = (S, &'s [usize])>) -> Self {
        self.parts = parts.into_iter().map(|(name, shape)| (name.into(), shape.to_vec())).collect();
        self
    }

    /// The parts of a slice, as tensors.
    fn split(&self, x: &[f64]) -> Result<Vec<Tensor<f64>>> {
        if self.parts.is_empty() {
            return Ok(vec![Tensor::from(x.to_vec())]);
        }
        let expected: usize = self.parts.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        if expected != x.len() {
            let detail = format!("the parts have {expected} numbers, and x has {}", x.len());
            return Err(crate::Error::new(crate::ErrorKind::Rule, "gradcheck", detail));
        }
        let mut rest = x;
        let part = |(_, shape): &(String, Vec<usize>)| {
            let (here, after) = rest.split_at(shape.iter().product());
            rest = after;
            Ok(Tensor::from_vec(here.to_vec(), &shape[..])?)
        };
        self.parts.iter().map(part).collect()
    }

    fn over_slices(&self, f: &dyn Fn(&[f64]) -> Vec<f64>, claim: Claim<'_>, x: &[f64]) -> Report {
        let mut report = Report::named(&self.name);
        let mut check = self.clone().first_order();
        if !self.parts.is_empty() {
            check.inputs = self.parts.iter().map(|(name, _)| name.clone()).collect();
        }
        let subject = OverSlices { f, claim };
        let mut inputs = Vec::new();
        guarded("first order", &mut report, |report| {
            inputs = check.split(x)?;
            jacobian::compare(&check, 1, &subject, &inputs, inputs.len(), &[check.floor], report)
        });
        if report.passed() {
            guarded("evaluated again", &mut report, |report| repeated(&subject, &inputs, report));
        }
        check.finish(&inputs, &mut report);
        report
    }

    /// Checks a function whose values are compared with differences of `against`, or of itself.
    pub(crate) fn report(
        &self,
        f: &Function<'_, f64>,
        against: Option<&Function<'_, f64>>,
        inputs: &[Tensor<f64>],
    ) -> Report {
        let mut report = Report::named(&self.name);
        if self.first {
            self.first_phase(f, against, inputs, &mut report);
        }
        if self.demands && report.passed() {
            guarded("recorded gradient, cotangents and demands", &mut report, |report| {
                demands::hold(self, f, inputs, report)
            });
        }
        if self.order > 1 && report.passed() {
            guarded("second order", &mut report, |report| jacobian::second_order(self, f, inputs, report));
        }
        self.finish(inputs, &mut report);
        report
    }

    /// The same for a function in single precision, without the properties that do not depend on the precision.
    pub(crate) fn report_f32(
        &self,
        f: &Function<'_, f32>,
        against: Option<&Function<'_, f64>>,
        inputs: &[Tensor<f64>],
    ) -> Report {
        let mut report = Report::named(&self.name);
        let mut check = self.clone();
        if against.is_some() {
            check = check.tolerance(self.tolerance.rtol.max(1e-4));
        }
        if check.first {
            check.first_phase(f, against, inputs, &mut report);
        }
        if check.order > 1 && report.passed() {
            let check = check.clone().single_precision();
            guarded("second order", &mut report, |report| jacobian::second_order(&check, f, inputs, report));
        }
        check.finish(inputs, &mut report);
        report
    }

    fn first_phase<T: Float>(
        &self,
        f: &Function<'_, T>,
        against: Option<&Function<'_, f64>>,
        inputs: &[Tensor<f64>],
        report: &mut Report,
    ) {
        let (f, n): (&Fallible<'_, T>, _) = (&|x| Ok(f(x)), inputs.len());
        guarded("first order", report, |report| match against {
            None => jacobian::compare(self, 1, &OnTape::new(f), inputs, n, &[self.floor], report),
            Some(against) => {
                let against: &Fallible<'_, f64> = &|x| Ok(against(x));
                let subject = OnTape::against(f, against);
                jacobian::compare(self, 1, &subject, inputs, n, &[self.floor], report)
            }
        });
    }

    /// A check that compared nothing fails.
    fn finish(&self, inputs: &[Tensor<f64>], report: &mut Report) {
        if (self.first || self.order > 1) && report.compared == 0 && report.passed() && !self.allow_empty {
            let why = match inputs.iter().map(Tensor::numel).sum::<usize>() {
                0 => "the inputs have no elements",
                _ if report.skipped > 0 => "no derivative could be compared",
                _ => "the outputs have no elements",
            };
            report.failures.push(format!("nothing was compared: {why}"));
        }
    }
}

/// A second evaluation gives the same bits.
fn repeated(subject: &dyn Subject, inputs: &[Tensor<f64>], report: &mut Report) -> Result<()> {
    let rows = |rows: Vec<Vec<Vec<f64>>>| rows.into_iter().flatten().flatten().collect::<Vec<_>>();
    let (y, again) = (flat(&subject.values(inputs)?), flat(&subject.values(inputs)?));
    let (dy, dy_again) = (rows(subject.jacobian(inputs)?), rows(subject.jacobian(inputs)?));
    for (what, a, b) in [("output", y, again), ("derivative", dy, dy_again)] {
        if let Some(k) = a.iter().zip(&b).position(|(a, b)| a.to_bits() != b.to_bits()) {
            report.failures.push(format!("{what} {k}: {:?}, and {:?} when evaluated again", a[k], b[k]));
        }
    }
    Ok(())
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
