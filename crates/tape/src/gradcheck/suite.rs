//! All property tests of an enrolled op.

use crate::gradcheck::accuracy;
use crate::gradcheck::check::{Check, Function, guarded};
use crate::gradcheck::generate::Kind;
use crate::gradcheck::jacobian::{named, random};
use crate::gradcheck::layout::LayoutKind;
use crate::gradcheck::report::{Report, literal, worse};
use crate::gradcheck::spec::{Accuracy, Against, AtPoint, Case, Expected, Order, Run, Spec};
use crate::gradcheck::subject::convert;
use crate::number::Float;
use crate::sweep::RetainGraph;
use crate::tape::Tape;
use crate::tape::var::Var;
use std::fmt;
use wengert_ops::{Tensor, parallel};

/// One of the properties of an op, for a test of it alone; [`run`] tests all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// The gradients equal differences of the values.
    FirstOrder,
    /// The derivatives of the recorded gradients equal differences of these gradients.
    SecondOrder,
    /// The gradient does not depend on how it is requested: memory layouts of cotangents, constants, unused outputs, swept or
    /// recorded, once or twice.
    Cotangents,
    /// Values and gradients do not depend on the memory layout of the inputs.
    Layouts,
    /// All properties, for inputs of different shapes.
    Broadcast,
    /// All properties, for inputs without elements.
    Empty,
    /// Values and gradients in single precision have the accuracy that the op [states](Accuracy).
    F32,
    /// One thread and three give the same bits.
    Threads,
    /// A tape that only evaluates gives the same values as one that records.
    Modes,
    /// What the op declares at [single points](Spec::gradient_at).
    Points,
}

impl Property {
    /// All properties.
    pub const ALL: [Property; 10] = [
        Property::FirstOrder,
        Property::SecondOrder,
        Property::Cotangents,
        Property::Layouts,
        Property::Broadcast,
        Property::Empty,
        Property::F32,
        Property::Threads,
        Property::Modes,
        Property::Points,
    ];

    /// The name of the property's test.
    pub fn name(self) -> &'static str {
        match self {
            Property::FirstOrder => "first_order",
            Property::SecondOrder => "second_order",
            Property::Cotangents => "cotangents",
            Property::Layouts => "layouts",
            Property::Broadcast => "broadcast",
            Property::Empty => "empty",
            Property::F32 => "f32",
            Property::Threads => "threads",
            Property::Modes => "modes",
            Property::Points => "points",
        }
    }

    /// Whether cases of a kind say something about the property.
    fn needs(self, kind: Kind) -> bool {
        match self {
            Property::Empty => kind == Kind::Empty,
            Property::F32 => kind != Kind::Extreme,
            Property::FirstOrder | Property::SecondOrder => kind != Kind::Empty,
            Property::Broadcast => true,
            _ => kind != Kind::Scaled,
        }
    }
}

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
    /// The first cases that failed, or the simplest, if one property was tested.
    pub failed: Vec<FailedCase>,
}

/// A failed case, with what is needed to reproduce it.
#[derive(Debug, Clone)]
pub struct FailedCase {
    /// The seed with which the same case can be drawn again.
    pub seed: u64,
    /// The purpose of the case.
    pub kind: Kind,
    /// The property that was tested; `None` for all.
    pub property: Option<Property>,
    /// The inputs in their memory layouts.
    pub inputs: Vec<Tensor<f64>>,
    /// The names of the inputs, if they have any.
    pub names: Vec<String>,
    /// The other arguments of the call.
    pub arguments: String,
    /// What is wrong.
    pub report: Report,
}

impl fmt::Display for FailedCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FailedCase { seed, kind, property, arguments, report, .. } = self;
        write!(f, "{}: case of seed {seed} ({kind:?}); again: suite::", report.name)?;
        match property {
            None => write!(f, "run(&spec, {seed}, 1)")?,
            Some(property) => write!(f, "run_property(&spec, Property::{property:?}, {seed}, 1)")?,
        }
        report.wrong().iter().try_for_each(|line| write!(f, "\n    {line}"))?;
        self.input_texts().iter().try_for_each(|(name, text)| write!(f, "\n    {name}: {text}"))?;
        if arguments.is_empty() { Ok(()) } else { write!(f, "\n    {arguments}") }
    }
}

impl FailedCase {
    /// The inputs with their names, each as an expression that can be written in a test. For a large tensor only shape and strides.
    pub fn input_texts(&self) -> Vec<(String, String)> {
        self.inputs.iter().enumerate().map(|(i, x)| (named(&self.names, i), literal(x))).collect()
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
    let mut outcome = run_points(spec);
    (outcome.seed, outcome.cases) = (seed, cases);
    let mut failed = 0;
    for i in 0..cases as u64 {
        one(spec, seed.wrapping_add(i), None, &mut outcome);
        failed += usize::from(!outcome.passed());
        if failed >= failures {
            return outcome;
        }
    }
    outcome.complete();
    outcome
}

/// Tests what an op declares [at single points](Spec::gradient_at): the part of [`run`] that does not depend on a seed.
pub fn run_points(spec: &Spec) -> Outcome {
    let mut outcome = Outcome { report: Report::named(spec.name), ..Outcome::default() };
    points(spec, &mut outcome.report);
    outcome
}

/// Tests one case of an op: all properties, or one. `None` if the case of this seed says nothing about it.
///
/// A program that decides after each case whether there is time for another runs an op in these parts, on any thread, and adds them up
/// in order. The sum is that of [`run`]:
///
/// ```
/// use wengert_tape::case;
/// use wengert_tape::gradcheck::{Domain, Spec, suite};
/// let spec = Spec::unary("cube", Domain::Real, |x| case!(x, [], |x| x[0] * x[0] * x[0]));
/// let mut sum = suite::run_points(&spec);
/// for seed in 0..20 {
///     sum.merge(suite::run_case(&spec, seed, None).unwrap());
/// }
/// sum.complete();
/// assert_eq!(sum.to_string(), suite::run(&spec, 0, 20).to_string());
/// ```
pub fn run_case(spec: &Spec, seed: u64, property: Option<Property>) -> Option<Outcome> {
    let mut outcome = Outcome { report: Report::named(spec.name), seed, cases: 1, ..Outcome::default() };
    let runs = match property {
        Some(Property::Points) => false,
        Some(property) => property.needs(Kind::of(seed)) && one(spec, seed, Some(property), &mut outcome),
        None => one(spec, seed, None, &mut outcome),
    };
    runs.then_some(outcome)
}

impl Outcome {
    /// Adds the results of further cases, which come after those of this outcome. The seed stays that of the first case.
    pub fn merge(&mut self, other: Outcome) {
        let add = |a: Option<usize>, b: Option<usize>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        let Outcome { report, seed, cases, broadcast, empty, strided, kinked, largest, accuracy, failed } =
            other;
        if self.cases == 0 {
            self.seed = seed;
        }
        self.report.merge(report);
        self.cases += cases;
        self.broadcast = add(self.broadcast, broadcast);
        self.empty = add(self.empty, empty);
        self.strided += strided;
        self.kinked = add(self.kinked, kinked);
        self.largest = self.largest.max(largest);
        if let Some(other) = accuracy {
            let worst = self.accuracy.get_or_insert(Accuracy { value: 0.0, gradient: 0.0, ..other });
            worst.value = worse(worst.value, other.value);
            worst.gradient = worse(worst.gradient, other.gradient);
        }
        let room = KEPT.saturating_sub(self.failed.len());
        self.failed.extend(failed.into_iter().take(room));
    }

    /// Adds, after the last case, the failures that only the whole run can show: that nothing was compared, or that none of at least
    /// forty cases was broadcast or empty although the generator can make such cases.
    pub fn complete(&mut self) {
        let Outcome { broadcast, empty, cases, seed, .. } = *self;
        let none = [(broadcast, "broadcast"), (empty, "empty")];
        for (_, what) in none.into_iter().filter(|(count, _)| *count == Some(0) && cases >= 40) {
            self.report.failures.push(format!("none of {cases} cases of seed {seed} was {what}"));
        }
        // There is nothing to compare in a few cases that are all empty.
        if self.largest > 0 || cases >= ROUND {
            compared_something(self);
        }
    }
}

/// Among this number of successive seeds, there are cases of every [`Kind`].
const ROUND: usize = 10;

fn compared_something(outcome: &mut Outcome) {
    let Outcome { cases, seed, .. } = *outcome;
    if outcome.report.compared == 0 && cases > 0 {
        outcome.report.failures.push(format!("nothing was compared in {cases} cases of seed {seed}"));
    }
}

/// Tests one property of an op, on `cases` cases drawn from `seed` on. Seeds whose [`Kind`] says nothing about the property are passed
/// over; for broadcast and empty cases, up to twenty times as many are tried. Of the failed cases, the simplest are kept.
///
/// ```
/// use wengert_tape::case;
/// use wengert_tape::gradcheck::{Domain, Spec, suite};
/// let spec = Spec::unary("cube", Domain::Real, |x| case!(x, [], |x| x[0] * x[0] * x[0]));
/// let outcome = suite::run_property(&spec, suite::Property::SecondOrder, 0, 10);
/// assert!(outcome.passed() && outcome.cases == 10, "{outcome}");
/// ```
pub fn run_property(spec: &Spec, property: Property, seed: u64, cases: usize) -> Outcome {
    let mut outcome = Outcome { seed, ..Outcome::default() };
    outcome.report = Report::named(spec.name);
    if property == Property::Points {
        points(spec, &mut outcome.report);
        outcome.cases = spec.at_points.len();
        return outcome;
    }
    for i in 0..20 * cases as u64 {
        if outcome.cases >= cases {
            break;
        }
        let seed = seed.wrapping_add(i);
        if property.needs(Kind::of(seed)) && one(spec, seed, Some(property), &mut outcome) {
            outcome.cases += 1;
        }
    }
    // The simplest cases say most.
    outcome.failed.sort_by_key(|case| {
        let hard = [Kind::Usual, Kind::Empty, Kind::Scaled, Kind::Large, Kind::Extreme];
        let elements: usize = case.inputs.iter().map(Tensor::numel).sum();
        (hard.iter().position(|kind| *kind == case.kind), elements)
    });
    outcome.failed.truncate(KEPT);
    match property {
        _ if outcome.cases == 0 && cases > 0 => {
            let what = match property {
                Property::Broadcast => "had inputs of different shapes",
                Property::Empty => "was without elements",
                _ => "could be tested",
            };
            outcome.report.failures.push(format!("none of {} cases of seed {seed} {what}", 20 * cases));
        }
        Property::FirstOrder | Property::SecondOrder | Property::Broadcast
            if cases > 1 && outcome.passed() =>
        {
            compared_something(&mut outcome);
        }
        _ => {}
    }
    outcome
}

/// The number of cases of a test, unless the environment variable `WENGERT_CASES` gives another.
pub const CASES: usize = 20;

/// The test of one property, as [`#[gradcheck]`](https://docs.rs/wengert) writes it: [`run_property`] on `cases` cases, at least ten of
/// each [combination](Spec::combinations) of arguments, from `seed` on. The environment variables `WENGERT_CASES` and `WENGERT_SEED`
/// replace the two numbers, for long runs with other seeds.
///
/// ```
/// use wengert_tape::case;
/// use wengert_tape::gradcheck::{Domain, Spec, suite};
/// let spec = Spec::unary("cube", Domain::Real, |x| case!(x, [], |x| x[0] * x[0] * x[0]));
/// suite::assert_property(&spec, suite::Property::Layouts, 0, suite::CASES);
/// ```
///
/// # Panics
/// If the property does not hold, with the report, the failing inputs, and the seed with which they are drawn again. If one of the
/// variables is not a number.
#[track_caller]
pub fn assert_property(spec: &Spec, property: Property, seed: u64, cases: usize) {
    let seed = variable("WENGERT_SEED").unwrap_or(seed);
    let cases = variable("WENGERT_CASES").map_or_else(
        || cases.max(10 * spec.combinations),
        |cases| usize::try_from(cases).unwrap_or(usize::MAX / 20),
    );
    let outcome = run_property(spec, property, seed, cases);
    if outcome.passed() {
        return;
    }
    let thread = std::thread::current();
    let test = thread.name().filter(|name| name.contains("::")).unwrap_or(property.name());
    let again = match outcome.failed.first() {
        Some(case) => {
            let FailedCase { seed, .. } = case;
            format!("\n  again: WENGERT_SEED={seed} WENGERT_CASES=1 cargo test {test}")
        }
        None => String::new(),
    };
    let Spec { name, location, .. } = spec;
    panic!("{} of {name} at {location}:\n{outcome}{again}", property.name());
}

/// A number from the environment.
#[track_caller]
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.trim().parse();
    Some(number.unwrap_or_else(|_| panic!("{name}: expected a number that is not negative, found {text:?}")))
}

/// What an op declares at single points.
fn points(spec: &Spec, report: &mut Report) {
    for point in &spec.at_points {
        guarded("points", report, |report| at_point(spec, point, report));
    }
}

fn at_point(spec: &Spec, point: &AtPoint, report: &mut Report) -> crate::Result<()> {
    let case = (point.case)();
    let place = |i: usize| format!("{} at {}", named(&spec.inputs, i), literal(&case.inputs[i]));
    let all = || (0..case.inputs.len()).map(place).collect::<Vec<_>>().join(", ");
    let [swept, recorded] = match (&case.double, &case.single) {
        (Some(call), _) => gradients_of_sum(call, &case.inputs)?,
        (None, Some(call)) => gradients_of_sum(call, &case.inputs)?,
        (None, None) => return Ok(()),
    };
    match &point.expected {
        Expected::Gradient(declared) => {
            for (i, declared) in declared.iter().enumerate() {
                for (how, got) in [("swept", &swept), ("recorded", &recorded)] {
                    let Some(got) = got.get(i) else {
                        report
                            .failures
                            .push(format!("a gradient is declared for input {i}, which does not exist"));
                        continue;
                    };
                    let tolerance = if case.double.is_some() { 1e-12 } else { 1e-5 };
                    let same = got.shape() == declared.shape()
                        && close(&got.to_vec(), &declared.to_vec(), tolerance);
                    if !same {
                        report.failures.push(format!(
                            "gradient of {}: {how} {}, declared {}",
                            place(i),
                            literal(got),
                            literal(declared)
                        ));
                    }
                }
            }
        }
        Expected::NotDifferentiable => {
            let mut found = Report::named(spec.name);
            let check = Check::new(spec.name).derivatives_only().first_order().allow_non_finite();
            found.merge(compare_case(&check.input_names(spec.inputs.iter().cloned()), &case));
            let finite = swept.iter().all(|g| g.to_vec().iter().all(|g| g.is_finite()));
            if found.passed() && found.kinks == 0 && found.skipped == 0 && finite {
                report.failures.push(format!("is differentiable, and declared not to be: {}", all()));
            }
            report.merge(found);
        }
    }
    Ok(())
}

/// The gradients of the sum of all outputs, swept and recorded.
fn gradients_of_sum<T: Float>(call: &Run<T>, inputs: &[Tensor<f64>]) -> crate::Result<[Vec<Tensor<f64>>; 2]> {
    let inputs: Vec<Tensor<T>> = inputs.iter().map(convert).collect();
    let ones = {
        let tape = Tape::new();
        let x: Vec<_> = inputs.iter().map(|t| tape.constant(t)).collect();
        call(&x)
            .into_iter()
            .map(|y| Ok(Tensor::full_like(&y.value()?, T::ONE)))
            .collect::<crate::Result<Vec<_>>>()?
    };
    let accuracy::Evaluated { swept, recorded, .. } = accuracy::evaluate(call, &inputs, &ones)?;
    let split = |all: Vec<f64>| {
        let mut rest = all.as_slice();
        let part = |x: &Tensor<T>| {
            let (here, after) = rest.split_at(x.numel());
            rest = after;
            Ok(Tensor::from_vec(here.to_vec(), x.shape())?)
        };
        inputs.iter().map(part).collect::<crate::Result<Vec<_>>>()
    };
    Ok([split(swept)?, split(recorded)?])
}

/// Compares the derivatives of a case with differences, as `check` says.
fn compare_case(check: &Check, case: &Case) -> Report {
    let against = case.against.as_ref().map(|against| &**against.run() as &Function<'_, f64>);
    match (&case.double, &case.single) {
        (Some(call), _) => check.report(&**call, against, &case.inputs),
        (None, Some(call)) => {
            let check = if against.is_none() { check.clone().single_precision() } else { check.clone() };
            check.report_f32(&**call, against, &case.inputs)
        }
        (None, None) => Report::named(&check.name),
    }
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

/// Draws the case of a seed, and runs the tests of its kind: of all properties, or of one. Returns whether the case says something
/// about that one.
fn one(spec: &Spec, seed: u64, which: Option<Property>, outcome: &mut Outcome) -> bool {
    if !spec.scaled && Kind::of(seed) == Kind::Scaled {
        return false;
    }
    let mut report = Report::named(spec.name);
    let mut drawn = None;
    // Away from its kinks, a function has a second order as well.
    let away = which == Some(Property::SecondOrder) && spec.order == Order::First;
    guarded("drawing a case", &mut report, |_| {
        drawn = Some(spec.drawn(seed, away));
        Ok(())
    });
    let failed = |kind, inputs, arguments, report| {
        let names = spec.inputs.clone();
        FailedCase { seed, kind, property: which, inputs, names, arguments, report }
    };
    let Some((case, g)) = drawn else {
        outcome.failed.push(failed(Kind::of(seed), Vec::new(), String::new(), report.clone()));
        outcome.report.merge(report);
        return true;
    };
    let says = match which {
        Some(Property::Broadcast) => g.broadcast,
        Some(Property::Empty) => g.empty,
        _ => true,
    };
    if !says {
        return false;
    }
    if g.broadcasts {
        *outcome.broadcast.get_or_insert(0) += usize::from(g.broadcast);
    }
    if g.empties {
        *outcome.empty.get_or_insert(0) += usize::from(g.empty);
    }
    outcome.strided += usize::from(g.strided);
    outcome.largest = case.inputs.iter().map(Tensor::numel).fold(outcome.largest, usize::max);
    properties(spec, &case, g.kind, seed, which, &mut report, &mut outcome.accuracy);
    if report.kinks > 0 {
        *outcome.kinked.get_or_insert(0) += 1;
    }
    if !report.passed() && (outcome.failed.len() < KEPT || which.is_some()) {
        let (inputs, arguments) = (case.inputs.clone(), case.arguments.clone());
        outcome.failed.push(failed(g.kind, inputs, arguments, report.clone()));
    }
    outcome.report.merge(report);
    true
}

/// All the Jacobians of the second order are computed in one of this number of cases; in the others, two directions.
const FULL_SECOND_ORDER: u64 = 5;

/// The property tests of a case: all that its kind allows, or those of one property.
pub(crate) fn properties(
    spec: &Spec,
    case: &Case,
    kind: Kind,
    seed: u64,
    which: Option<Property>,
    report: &mut Report,
    accuracy: &mut Option<Accuracy>,
) {
    let all = matches!(which, None | Some(Property::Broadcast | Property::Empty));
    let wanted = |property: Property| all || which == Some(property);
    let both = case.double.is_some() && case.single.is_some();
    if kind == Kind::Scaled && wanted(Property::F32) && both {
        guarded("f32 against f64", report, |report| {
            let got = accuracy::hold(case, &spec.inputs, spec.accuracy, seed, report)?;
            let worst = accuracy.get_or_insert(Accuracy { value: 0.0, gradient: 0.0, ..spec.accuracy });
            worst.value = worse(worst.value, got.value);
            worst.gradient = worse(worst.gradient, got.gradient);
            Ok(())
        });
    }
    let mut check = Check::new(spec.name).seed(seed).allow_empty().floor(spec.accuracy.floor);
    check = check.input_names(spec.inputs.iter().cloned()).step(spec.step);
    check = check.rtol(spec.tolerance.rtol).atol(spec.tolerance.atol);
    let second = match spec.order {
        Order::Second => true,
        // Large cases keep away from kinks, and between kinks there is a second order as well.
        Order::First => kind == Kind::Large || which == Some(Property::SecondOrder),
        Order::FirstOnly => false,
    };
    if !second {
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
    let derivatives = match which {
        Some(Property::FirstOrder) => Some(check.clone().first_order().derivatives_only()),
        Some(Property::SecondOrder) => second.then(|| check.clone().second_order_only()),
        Some(Property::Cotangents) => Some(check.clone().demands_only()),
        _ => all.then(|| check.clone()),
    };
    // With offsets and at the ends of the range, differences in single precision alone have no digits.
    let rough = case.double.is_none() && matches!(kind, Kind::Extreme | Kind::Scaled);
    if let Some(check) = derivatives.filter(|_| !rough) {
        report.merge(compare_case(&check, case));
    }
    if !report.passed() || kind == Kind::Scaled {
        return; // the next checks would only repeat it
    }
    if wanted(Property::FirstOrder) {
        if let Some(call) = &case.double {
            report.merge(used_twice(&check, call, case));
        }
        if let Some(Against::Reference(reference)) = &case.against {
            guarded("reference", report, |report| extend(report, values_of_reference(case, reference)));
        }
    }
    if wanted(Property::Layouts) {
        guarded("layouts", report, |report| extend(report, layouts(case)));
    }
    if kind != Kind::Extreme && wanted(Property::F32) && both {
        guarded("f32", report, |report| {
            let failures = precision(case)?;
            // A badly conditioned case is judged by its conditioning.
            if failures.is_empty() || many {
                report.failures.extend(failures);
            } else {
                accuracy::hold(case, &spec.inputs, spec.accuracy, seed, report)?;
            }
            Ok(())
        });
    }
    if let (None, Some(call)) = (&case.double, &case.single)
        && wanted(Property::Cotangents)
    {
        guarded("recorded gradient", report, |report| extend(report, recorded(call, case, seed)));
    }
    if wanted(Property::Modes) {
        guarded("evaluating tape", report, |report| extend(report, in_any(case, modes::<f64>, modes::<f32>)));
    }
    if wanted(Property::Threads) {
        guarded("threads", report, |report| extend(report, in_any(case, threads::<f64>, threads::<f32>)));
    }
}

type Failures = crate::Result<Vec<String>>;

/// A test of the call in double precision, or in single precision if there is no other.
fn in_any(
    case: &Case,
    double: fn(&Run<f64>, &[Tensor<f64>]) -> Failures,
    single: fn(&Run<f32>, &[Tensor<f32>]) -> Failures,
) -> Failures {
    match (&case.double, &case.single) {
        (Some(call), _) => double(call, &case.inputs),
        (None, Some(call)) => single(call, &case.inputs.iter().map(Tensor::cast).collect::<Vec<_>>()),
        (None, None) => Ok(Vec::new()),
    }
}

/// Each input is used twice, with cotangents that differ from element to element.
fn used_twice(check: &Check, call: &Run<f64>, case: &Case) -> Report {
    let check = check.clone().first_order().directions(1).derivatives_only();
    fn twice<'t>(call: &Run<f64>, x: &[Var<'t, f64>]) -> Vec<Var<'t, f64>> {
        let both = call(x).into_iter().zip(call(x));
        let each = both.map(|(a, b)| {
            let weights = Tensor::steps(0.5, 0.37, a.numel()).reshape(a.shape());
            a * weights + b * 2.0
        });
        each.collect()
    }
    match &case.against {
        None => check.report(&|x| twice(call, x), None, &case.inputs),
        Some(against) => check.report(&|x| twice(call, x), Some(&|x| twice(against.run(), x)), &case.inputs),
    }
}

/// The values of a call equal those of its reference.
fn values_of_reference(case: &Case, reference: &Run<f64>) -> Failures {
    let want = values(reference, &case.inputs)?;
    let (got, tolerance) = match (&case.double, &case.single) {
        (Some(call), _) => (values(call, &case.inputs)?, 1e-9),
        (None, Some(call)) => {
            let inputs: Vec<Tensor<f32>> = case.inputs.iter().map(Tensor::cast).collect();
            (values(call, &inputs)?.iter().map(Tensor::cast).collect(), 1e-4)
        }
        (None, None) => return Ok(Vec::new()),
    };
    Ok(compare("value of output", "of the reference", &got, &want, tolerance))
}

/// In single precision, the swept gradient equals the recorded one.
fn recorded(call: &Run<f32>, case: &Case, seed: u64) -> Failures {
    let inputs: Vec<Tensor<f32>> = case.inputs.iter().map(Tensor::cast).collect();
    let mut cotangents = Vec::new();
    for (i, y) in values(call, &inputs)?.iter().enumerate() {
        cotangents.push(random(y.shape(), seed, i)?.cast());
    }
    let accuracy::Evaluated { swept, recorded, .. } = accuracy::evaluate(call, &inputs, &cotangents)?;
    Ok(compare("gradient of all inputs", "recorded", &[Tensor::from(swept)], &[Tensor::from(recorded)], 1e-4))
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

/// The inputs with every element in row-major order.
fn contiguous<T: Float>(inputs: &[Tensor<T>]) -> crate::Result<Vec<Tensor<T>>> {
    inputs.iter().map(|t| Ok(Tensor::from_vec(t.to_vec(), t.shape())?)).collect()
}

fn layouts(case: &Case) -> Failures {
    let Some(call) = &case.double else { return single_layouts(case) };
    let dense = contiguous(&case.inputs)?;
    let [y, gradients] = value_and_gradients(call, &case.inputs)?;
    let [want, want_gradients] = value_and_gradients(call, &dense)?;
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

/// The same in single precision, for every layout.
fn single_layouts(case: &Case) -> Failures {
    let Some(call) = &case.single else { return Ok(Vec::new()) };
    let dense = case.inputs.iter().map(|x| x.cast::<f32>()).collect::<Vec<_>>();
    let [want, want_gradients] = value_and_gradients(call, &dense)?;
    let mut failures = Vec::new();
    for kind in &LayoutKind::ALL[1..] {
        let inputs = dense.iter().map(|t| kind.of(t, 0)).collect::<wengert_ops::Result<Vec<_>>>()?;
        let [y, gradients] = value_and_gradients(call, &inputs)?;
        let what = format!("layout {kind:?}: value");
        failures.extend(compare(&what, "with contiguous inputs", &wide(&y), &wide(&want), 1e-5));
        let what = format!("layout {kind:?}: gradient");
        let (got, want) = (wide(&gradients), wide(&want_gradients));
        failures.extend(compare(&what, "with contiguous inputs", &got, &want, 1e-5));
    }
    Ok(failures)
}

fn wide(t: &[Tensor<f32>]) -> Vec<Tensor<f64>> {
    t.iter().map(Tensor::cast).collect()
}

fn precision(case: &Case) -> Failures {
    let (Some(in_double), Some(in_single)) = (&case.double, &case.single) else { return Ok(Vec::new()) };
    let single: Vec<Tensor<f32>> = case.inputs.iter().map(Tensor::cast).collect();
    let double: Vec<Tensor<f64>> = single.iter().map(Tensor::cast).collect();
    let [y, gradients] = value_and_gradients(in_single, &single)?;
    let [want, want_gradients] = value_and_gradients(in_double, &double)?;
    // The rounding errors of a sum grow with the square root of the number of its terms.
    let terms = (case.inputs.iter().map(Tensor::numel).fold(256, usize::max) as f64 / 256.0).sqrt();
    let mut failures = compare("f32: value", "in f64", &wide(&y), &want, 2e-5 * terms);
    failures.extend(compare("f32: gradient", "in f64", &wide(&gradients), &want_gradients, 2e-4 * terms));
    Ok(failures)
}

/// The values of a call on a tape that records.
fn values<T: Float>(call: &Run<T>, inputs: &[Tensor<T>]) -> crate::Result<Vec<Tensor<T>>> {
    values_on(&Tape::new(), call, inputs)
}

fn values_on<T: Float>(tape: &Tape<T>, call: &Run<T>, inputs: &[Tensor<T>]) -> crate::Result<Vec<Tensor<T>>> {
    let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
    call(&x).iter().map(|y| y.value()).collect()
}

fn as_double<T: Float>(t: &[Tensor<T>]) -> Vec<Tensor<f64>> {
    t.iter().map(convert).collect()
}

fn modes<T: Float>(call: &Run<T>, inputs: &[Tensor<T>]) -> Failures {
    let (evaluating, recording) = (values_on(&Tape::eval(), call, inputs)?, values(call, inputs)?);
    let (got, want) = (as_double(&evaluating), as_double(&recording));
    Ok(compare("evaluating tape: value", "on a recording tape", &got, &want, 0.0))
}

fn threads<T: Float>(call: &Run<T>, inputs: &[Tensor<T>]) -> Failures {
    let on = |threads| parallel::in_small_pieces(threads, || value_and_gradients(call, inputs));
    let ([y, gradients], [want, want_gradients]) = (on(3)?, on(1)?);
    let mut failures = compare("three threads: value", "on one", &as_double(&y), &as_double(&want), 0.0);
    let (got, want) = (as_double(&gradients), as_double(&want_gradients));
    failures.extend(compare("three threads: gradient", "on one", &got, &want, 0.0));
    Ok(failures)
}
