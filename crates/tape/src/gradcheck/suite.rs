//! All property tests of an enrolled op.

use crate::gradcheck::check::Check;
use crate::gradcheck::generate::Gen;
use crate::gradcheck::report::Report;
use crate::gradcheck::spec::{Case, Order, Spec};
use crate::real::Float;
use crate::sweep::Retain;
use crate::tape::Tape;
use crate::var::Var;
use std::fmt;
use wengert_ops::{Tensor, parallel};

/// What a run over an op's cases found, and what the cases were like.
///
/// A count is `None` where it does not apply: an op of one input has nothing to broadcast, and there is no maximum of an
/// empty axis.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Everything that was compared.
    pub report: Report,
    /// The seed of the first case; case `i` is drawn from `seed + i`.
    pub seed: u64,
    /// How many cases were drawn.
    pub cases: usize,
    /// How many had operands of different shapes.
    pub broadcast: Option<usize>,
    /// How many had a tensor without elements.
    pub empty: Option<usize>,
    /// How many had a tensor that does not lie in row-major order.
    pub strided: usize,
    /// How many met a kink.
    pub kinked: Option<usize>,
}

impl Outcome {
    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.report.passed()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { report, cases, broadcast, empty, strided, kinked, .. } = self;
        write!(f, "{report}\n  {cases} cases: {strided} strided")?;
        for (count, what) in [(broadcast, "broadcast"), (empty, "empty"), (kinked, "at kinks")] {
            if let Some(count) = count {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Puts `cases` calls of an op, drawn from `seed`, through every property:
/// - first order, and second where the op is smooth, against finite differences, with every input used once and twice;
/// - the layouts drawn against dense ones: equal values, equal gradients;
/// - `f32` against `f64`;
/// - an evaluating tape against a recording one: equal bits;
/// - one thread against three, with the work in pieces of a few elements: equal bits.
///
/// A generator that can make broadcast or empty cases must have made some, once there are forty cases.
pub fn run(spec: &Spec, seed: u64, cases: usize) -> Outcome {
    let mut outcome = Outcome { seed, cases, ..Outcome::default() };
    outcome.report = Report::named(spec.name);
    for i in 0..cases as u64 {
        let mut g = Gen::seeded(seed.wrapping_add(i));
        g.must_be_empty = i % 10 == 4;
        let case = (spec.sample)(&mut g);
        if g.broadcasts {
            *outcome.broadcast.get_or_insert(0) += usize::from(g.broadcast);
        }
        if g.empties {
            *outcome.empty.get_or_insert(0) += usize::from(g.empty);
        }
        outcome.strided += usize::from(g.strided);
        let mut report = one(spec, &case, seed.wrapping_add(i));
        if report.kinks > 0 {
            *outcome.kinked.get_or_insert(0) += 1;
        }
        for failure in &mut report.failures {
            let shapes = case.inputs.iter().map(|t| t.shape().to_string()).collect::<Vec<_>>().join(", ");
            *failure = format!("case {i} of seed {seed}, inputs {shapes}: {failure}");
        }
        outcome.report.merge(report);
    }
    if cases >= 40 {
        let Outcome { broadcast, empty, .. } = outcome;
        for (count, what) in [(broadcast, "broadcast"), (empty, "empty")] {
            if count == Some(0) {
                outcome.report.failures.push(format!("none of {cases} cases of seed {seed} was {what}"));
            }
        }
    }
    outcome
}

/// Runs the suite over several ops on all threads, in their order; `done` hears of each as it is finished.
///
/// This is a whole test of a crate with ops of its own:
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

fn one(spec: &Spec, case: &Case, seed: u64) -> Report {
    let check = Check::new(spec.name).seed(seed);
    let check = if spec.order == Order::First { check.first_order() } else { check };
    let mut report = check.run(|x| (case.double)(x), &case.inputs);
    if !report.passed() {
        return report; // what follows would only repeat it
    }
    // Each input counts twice, with cotangents that differ from element to element.
    let twice = Check::new(spec.name).first_order().seed(seed);
    report.merge(twice.run(
        |x| {
            let (a, b) = ((case.double)(x), (case.double)(x));
            let weights = Tensor::arange(0.5, 0.37, a.numel()).reshape(a.shape());
            a * weights + b * 2.0
        },
        &case.inputs,
    ));
    let outcome = layouts(case).and_then(|failures| {
        let more = precision(case)?.into_iter().chain(modes(case)?).chain(threads(case)?);
        Ok(failures.into_iter().chain(more).collect::<Vec<_>>())
    });
    match outcome {
        Ok(failures) => report.failures.extend(failures),
        Err(e) => report.failures.push(e.to_string()),
    }
    report
}

/// Value, and gradients of the sum of squares, of a call.
fn value_and_gradients<T: Float>(
    call: &dyn for<'t> Fn(&[Var<'t, T>]) -> Var<'t, T>,
    inputs: &[Tensor<T>],
) -> crate::Result<(Tensor<T>, Vec<Tensor<T>>)> {
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
    let y = call(&x);
    let value = y.value()?;
    let grads = tape.backward(&[(y, value.clone())], Retain::Nothing)?;
    let gradients = x.iter().map(|x| match grads.wrt(*x) {
        Err(e) if e.kind() == crate::ErrorKind::Unreached => Ok(Tensor::try_full(x.raw_shape(), T::ZERO)?),
        other => other,
    });
    Ok((value, gradients.collect::<crate::Result<_>>()?))
}

/// Whether every number is within `tolerance` of the other's, relative to the largest; NaN equals NaN.
fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let size = b.iter().filter(|v| v.is_finite()).fold(1.0f64, |m, v| m.max(v.abs()));
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * size)
}

fn compare(what: &str, a: &[Tensor<f64>], b: &[Tensor<f64>], tolerance: f64) -> Vec<String> {
    let wrong = a
        .iter()
        .zip(b)
        .enumerate()
        .filter(|(_, (a, b))| a.shape() != b.shape() || !close(&a.to_vec(), &b.to_vec(), tolerance));
    wrong.map(|(i, (a, b))| format!("{what} {i}: expected\n{b}\ngot\n{a}")).collect()
}

fn layouts(case: &Case) -> crate::Result<Vec<String>> {
    let dense: Vec<_> =
        case.inputs.iter().map(|t| Tensor::from_vec(t.to_vec(), t.shape())).collect::<Result<_, _>>()?;
    let (y, gradients) = value_and_gradients(&case.double, &case.inputs)?;
    let (want, want_gradients) = value_and_gradients(&case.double, &dense)?;
    let mut failures = compare("layout: value", &[y], &[want], 1e-12);
    failures.extend(compare("layout: gradient", &gradients, &want_gradients, 1e-12));
    Ok(failures)
}

fn precision(case: &Case) -> crate::Result<Vec<String>> {
    let single: Vec<Tensor<f32>> = case.inputs.iter().map(Tensor::cast).collect();
    let double: Vec<Tensor<f64>> = single.iter().map(Tensor::cast).collect();
    let (y, gradients) = value_and_gradients(&case.single, &single)?;
    let (want, want_gradients) = value_and_gradients(&case.double, &double)?;
    let gradients: Vec<_> = gradients.iter().map(Tensor::cast).collect();
    let mut failures = compare("f32: value", &[y.cast()], &[want], 2e-5);
    failures.extend(compare("f32: gradient", &gradients, &want_gradients, 2e-4));
    Ok(failures)
}

fn modes(case: &Case) -> crate::Result<Vec<String>> {
    let on = |tape: &Tape<f64>| {
        let x: Vec<_> = case.inputs.iter().map(|t| tape.var(t)).collect();
        (case.double)(&x).value()
    };
    Ok(compare("evaluating tape: value", &[on(&Tape::eval())?], &[on(&Tape::new())?], 0.0))
}

fn threads(case: &Case) -> crate::Result<Vec<String>> {
    let on = |threads| parallel::in_small_pieces(threads, || value_and_gradients(&case.double, &case.inputs));
    let ((y, gradients), (want, want_gradients)) = (on(3)?, on(1)?);
    let mut failures = compare("three threads: value", &[y], &[want], 0.0);
    failures.extend(compare("three threads: gradient", &gradients, &want_gradients, 0.0));
    Ok(failures)
}
