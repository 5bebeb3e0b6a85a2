//! All property tests of an enrolled op.

use crate::gradcheck::accuracy;
use crate::gradcheck::check::{Check, guarded};
use crate::gradcheck::generate::Kind;
use crate::gradcheck::report::{Report, literal, worse};
use crate::gradcheck::spec::{Accuracy, Case, Order, Run, Spec};
use crate::number::Float;
use crate::sweep::RetainGraph;
use crate::tape::Tape;
use std::fmt;
use wengert_ops::{Tensor, parallel};

/// The results of a run over the cases of an op, and statistics of the cases.
///
/// A count is `None` if it does not apply: an op with one input has nothing to broadcast, and an empty axis has no
/// maximum.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The results of all comparisons.
    pub report: Report,
    /// The seed of the first case; case `i` is drawn with seed `seed + i`.
    pub seed: u64,
    /// The number of cases.
    pub cases: usize,
    /// The number of cases with operands of different shapes.
    pub broadcast: Option<usize>,
    /// The number of cases with a tensor without elements.
    pub empty: Option<usize>,
    /// The number of cases with a tensor that is not in row-major order.
    pub strided: usize,
    /// The number of cases with a kink.
    pub kinked: Option<usize>,
    /// The number of elements of the largest input.
    pub largest: usize,
    /// The largest error of single precision, if it was measured.
    pub accuracy: Option<Accuracy>,
    /// The first cases that failed.
    pub failed: Vec<FailedCase>,
}

/// A failed case, with what is needed to reproduce it.
#[derive(Debug, Clone)]
pub struct FailedCase {
    /// The seed with which the same case can be drawn again.
    pub seed: u64,
    /// The purpose of the case.
    pub kind: Kind,
    /// The inputs in their memory layouts.
    pub inputs: Vec<Tensor<f64>>,
    /// What is wrong.
    pub report: Report,
}

impl fmt::Display for FailedCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedCase { seed, kind, inputs, report } = self;
        write!(f, "{}: case of seed {seed} ({kind:?}); again: suite::run(&spec, {seed}, 1)", report.name)?;
        report.wrong().iter().try_for_each(|line| write!(f, "\n    {line}"))?;
        inputs.iter().enumerate().try_for_each(|(i, x)| write!(f, "\n    input {i}: {}", literal(x)))
    }
}

/// The number of failed cases that are kept.
const KEPT: usize = 3;

impl Outcome {
    /// Whether there is no failure.
    pub fn passed(&self) -> bool {
        self.report.passed()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { report, cases, broadcast, empty, strided, kinked, largest, .. } = self;
        write!(f, "{}\n  {cases} cases: {strided} strided", report.summary())?;
        for (count, what) in [(broadcast, "broadcast"), (empty, "empty"), (kinked, "at kinks")] {
            if let Some(count) = count {
                write!(f, ", {count} {what}")?;
            }
        }
        write!(f, ", up to {largest} elements")?;
        if let Some(Accuracy { value, gradient, .. }) = self.accuracy {
            write!(f, "; f32 off by at most {value:.1} units, its gradients {gradient:.1}")?;
        }
        if self.failed.is_empty() {
            return report.wrong().iter().try_for_each(|line| write!(f, "\n  {}: {line}", report.name));
        }
        self.failed.iter().try_for_each(|case| write!(f, "\n  {case}"))
    }
}

/// Runs every property test on `cases` calls of an op, drawn from `seed`:
/// - all that [`Check`] requires, to the second order if the op is smooth; large cases along random directions;
/// - every input used twice, with cotangents that differ from element to element;
/// - the drawn layouts against contiguous ones: equal values, equal gradients;
/// - `f32` against `f64`, within the bound that the op [states](Accuracy);
/// - a tape that only evaluates against one that records: equal bits;
/// - one thread against three, with the work in pieces of a few elements: equal bits.
///
/// The seed of a case determines its purpose, see [`Kind`]. In extreme cases, derivatives that overflow are skipped; in
/// all others, a derivative that cannot be compared is a failure, unless the op [allows](Spec::allow_non_finite) it. A
/// generator that can make broadcast or empty cases must have made some if there are at least forty cases.
pub fn run(spec: &Spec, seed: u64, cases: usize) -> Outcome {
    run_until(spec, seed, cases, usize::MAX)
}

/// The same as [`run`], but it ends after `failures` failed cases.
pub(crate) fn run_until(spec: &Spec, seed: u64, cases: usize, failures: usize) -> Outcome {
    let mut outcome = Outcome { seed, cases, ..Outcome::default() };
    outcome.report = Report::named(spec.name);
    let mut failed = 0;
    for i in 0..cases as u64 {
        one(spec, seed.wrapping_add(i), &mut outcome);
        failed += usize::from(!outcome.passed());
        if failed >= failures {
            return outcome;
        }
    }
    let Outcome { broadcast, empty, .. } = outcome;
    let none =
        [(broadcast, "broadcast"), (empty, "empty")].into_iter().filter(|(count, _)| *count == Some(0));
    for (_, what) in none.filter(|_| cases >= 40) {
        outcome.report.failures.push(format!("none of {cases} cases of seed {seed} was {what}"));
    }
    if outcome.report.compared == 0 && cases > 0 {
        outcome.report.failures.push(format!("nothing was compared in {cases} cases of seed {seed}"));
    }
    outcome
}

/// Runs the suite on several ops on all threads, in their order; `done` is called with each when it is finished.
///
/// This is a complete test of a crate with its own ops:
///
/// ```
/// use wengert_tape::case;
/// use wengert_tape::gradcheck::{Domain, Spec, suite};
///
/// let mine = [Spec::unary("cube", Domain::Real, |x| case!(x, [], |x| x[0] * x[0] * x[0]))];
/// for outcome in suite::run_all(&mine, 0, 20, |_| {}) {
///     assert!(outcome.passed(), "{outcome}");
/// }
/// ```
pub fn run_all(
    specs: &[Spec],
    seed: u64,
    cases: usize,
    done: impl Fn(&Outcome) + Sync + Send,
) -> Vec<Outcome> {
    let one = |i: usize| {
        let outcome = run(&specs[i], seed, cases);
        done(&outcome);
        outcome
    };
    parallel::collect(specs.len(), one)
}

/// Draws the case of a seed, and runs all property tests of its kind.
fn one(spec: &Spec, seed: u64, outcome: &mut Outcome) {
    let mut report = Report::named(spec.name);
    let mut drawn = None;
    guarded("drawing a case", &mut report, |_| {
        drawn = Some(spec.draw(seed));
        Ok(())
    });
    let Some((case, g)) = drawn else {
        let kind = Kind::of(seed);
        outcome.failed.push(FailedCase { seed, kind, inputs: Vec::new(), report: report.clone() });
        return outcome.report.merge(report);
    };
    if g.broadcasts {
        *outcome.broadcast.get_or_insert(0) += usize::from(g.broadcast);
    }
    if g.empties {
        *outcome.empty.get_or_insert(0) += usize::from(g.empty);
    }
    outcome.strided += usize::from(g.strided);
    outcome.largest = case.inputs.iter().map(Tensor::numel).fold(outcome.largest, usize::max);
    properties(spec, &case, g.kind, seed, &mut report, &mut outcome.accuracy);
    if report.kinks > 0 {
        *outcome.kinked.get_or_insert(0) += 1;
    }
    if !report.passed() && outcome.failed.len() < KEPT {
        outcome.failed.push(FailedCase {
            seed,
            kind: g.kind,
            inputs: case.inputs.clone(),
            report: report.clone(),
        });
    }
    outcome.report.merge(report);
}

/// All the Jacobians of the second order are computed in one of this number of cases; in the others, two directions.
const FULL_SECOND_ORDER: u64 = 5;

pub(crate) fn properties(
    spec: &Spec,
    case: &Case,
    kind: Kind,
    seed: u64,
    report: &mut Report,
    accuracy: &mut Option<Accuracy>,
) {
    if kind == Kind::Scaled {
        guarded("f32 against f64", report, |report| {
            let got = accuracy::hold(case, spec.accuracy, seed, report)?;
            let worst = accuracy.get_or_insert(Accuracy { value: 0.0, gradient: 0.0, ..spec.accuracy });
            worst.value = worse(worst.value, got.value);
            worst.gradient = worse(worst.gradient, got.gradient);
            Ok(())
        });
    }
    let mut check = Check::new(spec.name).seed(seed).allow_empty().floor(spec.accuracy.floor);
    // Large cases keep away from kinks, and between kinks there is a second order as well.
    if spec.order == Order::First && kind != Kind::Large {
        check = check.first_order();
    }
    if spec.allow_non_finite || matches!(kind, Kind::Extreme | Kind::Scaled) {
        check = check.allow_non_finite();
    }
    let many = kind == Kind::Large || case.inputs.iter().map(Tensor::numel).sum::<usize>() > 100;
    check = match kind {
        _ if many => check.directions(1),
        Kind::Scaled => check.directions(1).derivatives_only(),
        Kind::Usual if seed.is_multiple_of(FULL_SECOND_ORDER) => check,
        _ => check.second_order_directions(2),
    };
    report.merge(check.run_many(|x| (case.double)(x), &case.inputs));
    if !report.passed() || kind == Kind::Scaled {
        return; // the next checks would only repeat it
    }
    // Each input is used twice, with cotangents that differ from element to element.
    let twice = check.first_order().directions(1).derivatives_only();
    report.merge(twice.run_many(
        |x| {
            let (a, b) = ((case.double)(x), (case.double)(x));
            let both = a.into_iter().zip(b);
            let each = both.map(|(a, b)| {
                let weights = Tensor::steps(0.5, 0.37, a.numel()).reshape(a.shape());
                a * weights + b * 2.0
            });
            each.collect()
        },
        &case.inputs,
    ));
    guarded("layouts", report, |report| extend(report, layouts(case)));
    if kind != Kind::Extreme {
        guarded("f32", report, |report| {
            let failures = precision(case)?;
            // A badly conditioned case is judged by its conditioning.
            if failures.is_empty() || many {
                report.failures.extend(failures);
            } else {
                accuracy::hold(case, spec.accuracy, seed, report)?;
            }
            Ok(())
        });
    }
    guarded("evaluating tape", report, |report| extend(report, modes(case)));
    guarded("threads", report, |report| extend(report, threads(case)));
}

fn extend(report: &mut Report, failures: crate::Result<Vec<String>>) -> crate::Result<()> {
    report.failures.extend(failures?);
    Ok(())
}

/// The values of a call, and the gradients of the sum of their squares.
fn value_and_gradients<T: Float>(call: &Run<T>, inputs: &[Tensor<T>]) -> crate::Result<[Vec<Tensor<T>>; 2]> {
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
    let y = call(&x);
    let values: Vec<_> = y.iter().map(|y| y.value()).collect::<crate::Result<_>>()?;
    let seeds: Vec<_> = y.into_iter().zip(values.iter().cloned()).collect();
    let grads = tape.swept(&seeds, RetainGraph::Nothing, None)?;
    let gradients = x.iter().map(|x| match grads.wrt(*x) {
        Err(e) if e.kind() == crate::ErrorKind::Unreached => Ok(Tensor::try_full(x.raw_shape(), T::ZERO)?),
        other => other,
    });
    Ok([values, gradients.collect::<crate::Result<_>>()?])
}

/// Whether all numbers are within `tolerance` of each other, relative to the largest; NaN equals NaN.
fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let size = b.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * size)
}

fn compare(what: &str, against: &str, a: &[Tensor<f64>], b: &[Tensor<f64>], tolerance: f64) -> Vec<String> {
    let wrong = a
        .iter()
        .zip(b)
        .enumerate()
        .filter(|(_, (a, b))| a.shape() != b.shape() || !close(&a.to_vec(), &b.to_vec(), tolerance));
    wrong.map(|(i, (a, b))| format!("{what} {i}: {}, {against} {}", literal(a), literal(b))).collect()
}

fn layouts(case: &Case) -> crate::Result<Vec<String>> {
    let dense: Vec<_> =
        case.inputs.iter().map(|t| Tensor::from_vec(t.to_vec(), t.shape())).collect::<Result<_, _>>()?;
    let [y, gradients] = value_and_gradients(&case.double, &case.inputs)?;
    let [want, want_gradients] = value_and_gradients(&case.double, &dense)?;
    let mut failures = compare("layout: value", "with contiguous inputs", &y, &want, 1e-12);
    failures.extend(compare(
        "layout: gradient",
        "with contiguous inputs",
        &gradients,
        &want_gradients,
        1e-12,
    ));
    Ok(failures)
}

fn precision(case: &Case) -> crate::Result<Vec<String>> {
    let single: Vec<Tensor<f32>> = case.inputs.iter().map(Tensor::cast).collect();
    let double: Vec<Tensor<f64>> = single.iter().map(Tensor::cast).collect();
    let [y, gradients] = value_and_gradients(&case.single, &single)?;
    let [want, want_gradients] = value_and_gradients(&case.double, &double)?;
    let wide = |t: Vec<Tensor<f32>>| t.iter().map(Tensor::cast).collect::<Vec<_>>();
    // The rounding errors of a sum grow with the square root of the number of its terms.
    let terms = (case.inputs.iter().map(Tensor::numel).fold(256, usize::max) as f64 / 256.0).sqrt();
    let mut failures = compare("f32: value", "in f64", &wide(y), &want, 2e-5 * terms);
    failures.extend(compare("f32: gradient", "in f64", &wide(gradients), &want_gradients, 2e-4 * terms));
    Ok(failures)
}

fn modes(case: &Case) -> crate::Result<Vec<String>> {
    let on = |tape: &Tape<f64>| {
        let x: Vec<_> = case.inputs.iter().map(|t| tape.var(t)).collect();
        (case.double)(&x).iter().map(|y| y.value()).collect::<crate::Result<Vec<_>>>()
    };
    let (evaluating, recording) = (on(&Tape::eval())?, on(&Tape::new())?);
    Ok(compare("evaluating tape: value", "on a recording tape", &evaluating, &recording, 0.0))
}

fn threads(case: &Case) -> crate::Result<Vec<String>> {
    let on = |threads| parallel::in_small_pieces(threads, || value_and_gradients(&case.double, &case.inputs));
    let ([y, gradients], [want, want_gradients]) = (on(3)?, on(1)?);
    let mut failures = compare("three threads: value", "on one", &y, &want, 0.0);
    failures.extend(compare("three threads: gradient", "on one", &gradients, &want_gradients, 0.0));
    Ok(failures)
}
