//! The tape's derivatives compared with differences: all of them, or along random directions.

use crate::error::Result;
use crate::gradcheck::check::{Check, Function};
use crate::gradcheck::difference::{Differences, Precision, Tolerance, Unknown, Verdict, relative};
use crate::gradcheck::report::{Mismatch, Report};
use crate::gradcheck::subject::{Fallible, OnTape, Subject, convert, flat};
use crate::number::Float;
use crate::sweep::Grads;
use crate::sweep::RetainGraph;
use crate::tape::Tape;
use crate::tape::var::Var;
use std::ops::Range;
use wengert_ops::Tensor;
use wengert_ops::random::{Key, normal};

/// The outputs of an evaluated function, flattened, as numbers.
pub(crate) type Numbers = Vec<f64>;

/// A tensor of normal numbers.
pub(crate) fn random(shape: &wengert_ops::Shape, seed: u64, stream: usize) -> Result<Tensor<f64>> {
    Ok(normal(shape, 0.0, 1.0, Key { seed, stream: stream as u64 })?)
}

/// Compares derivatives of one order; the inputs from `own` on are cotangents. `sizes` are the sizes of the terms of
/// the outputs, if known.
pub(crate) fn compare(
    check: &Check,
    order: u8,
    subject: &dyn Subject,
    inputs: &[Tensor<f64>],
    own: usize,
    sizes: &[f64],
    report: &mut Report,
) -> Result<()> {
    Comparison { check, order, subject, inputs, own, sizes, function: None }.run(report)
}

impl Comparison<'_> {
    fn run(&self, report: &mut Report) -> Result<()> {
        match self.check.directions[usize::from(self.order) - 1] {
            0 => self.full(report),
            n => (0..n).try_for_each(|d| self.direction(d, report)),
        }
    }
}

/// The gradient itself, as a function of the inputs and of the cotangents of the outputs, is checked like any function.
pub(crate) fn second_order<T: Float>(
    check: &Check,
    f: &Function<'_, T>,
    inputs: &[Tensor<f64>],
    report: &mut Report,
) -> Result<()> {
    let n = inputs.len();
    let mut extended = inputs.to_vec();
    let mut size = check.floor;
    let function: &Fallible<'_, T> = &|x| Ok(f(x));
    let function = OnTape::new(function);
    for (i, value) in function.values(inputs)?.iter().enumerate() {
        let g = convert::<T, f64>(&convert::<f64, T>(&random(value.shape(), check.seed ^ 0x5eed, i)?));
        size = size.max(largest(&value.to_vec()) * largest(&g.to_vec()));
        extended.push(g);
    }
    let sizes: Vec<f64> = inputs.iter().map(|x| size / extent(x)).collect();
    let gradient: &Fallible<'_, T> = &|x| gradient_of(f, x, n);
    let subject = OnTape::new(gradient);
    let (inputs, function): (_, Option<&dyn Subject>) = (&extended, Some(&function));
    Comparison { check, order: 2, subject: &subject, inputs, own: n, sizes: &sizes, function }.run(report)
}

/// The largest absolute value of a tensor's numbers, but at least 10⁻³ and at most one.
pub(crate) fn extent(x: &Tensor<f64>) -> f64 {
    largest(&x.to_vec()).clamp(1e-3, 1.0)
}

/// The possible error of a gradient from terms that cancel, if values have the given size and the inputs that are moved have an
/// extent of 1/`per_input`. In single precision, this would hide mistakes, and inputs count as having an extent of one.
fn cancelled(precision: Precision, size: f64, per_input: f64) -> f64 {
    match precision {
        Precision::Double => 64.0 * precision.epsilon() * size * per_input,
        Precision::Single => 8.0 * precision.epsilon() * size,
    }
}

struct Comparison<'a> {
    check: &'a Check,
    order: u8,
    subject: &'a dyn Subject,
    inputs: &'a [Tensor<f64>],
    own: usize,
    sizes: &'a [f64],
    /// In the second order, the function whose gradient is compared.
    function: Option<&'a dyn Subject>,
}

impl Comparison<'_> {
    /// Every entry of the Jacobian.
    fn full(&self, report: &mut Report) -> Result<()> {
        let y = flat(&self.subject.values(self.inputs)?);
        let jacobian = self.subject.jacobian(self.inputs)?;
        let terms = largest(self.sizes);
        let size = largest(&y).max(terms);
        let scales: Vec<f64> = jacobian.iter().map(|row| largest(row.iter().flatten())).collect();
        for (i, input) in self.inputs.iter().enumerate() {
            let base = input.to_vec();
            let rounding = cancelled(self.check.precision, size, 1.0 / extent(input));
            let finite = || base.iter().copied().filter(|x| x.is_finite());
            let spread = finite().fold(f64::NEG_INFINITY, f64::max) - finite().fold(f64::INFINITY, f64::min);
            for (k, &at) in base.iter().enumerate() {
                let moved = |d: f64| {
                    let mut inputs = self.inputs.to_vec();
                    inputs[i].data_mut()[k] = at + d;
                    Ok(flat(&self.subject.values(&inputs)?))
                };
                let differences = Differences::new(moved, y.clone(), at, self.check.step);
                let mut differences =
                    differences.in_precision(self.check.precision).of_terms(terms).among(spread);
                for (j, row) in jacobian.iter().enumerate() {
                    let got = row[i][k];
                    // A cotangent of zero times an infinite slope of an infinite value: this is not the number of any
                    // derivative.
                    let beyond = |(row, y): (&Vec<Numbers>, &f64)| !y.is_finite() && !row[i][k].is_finite();
                    let verdict = if got.is_nan() && jacobian.iter().zip(&y).any(beyond) {
                        Verdict::Unknown(Unknown::Value)
                    } else {
                        differences.judge(j, got, scales[j], rounding, self.check.tolerance)?
                    };
                    self.count(verdict, got, (i, k), Some(j), report)?;
                }
            }
        }
        Ok(())
    }

    /// A random combination of the outputs, along a random direction.
    fn direction(&self, d: usize, report: &mut Report) -> Result<()> {
        let seed = self.check.seed.wrapping_add((d as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut cotangents, mut weights) = (Vec::new(), Numbers::new());
        for (i, y) in self.subject.values(self.inputs)?.iter().enumerate() {
            let u = random(y.shape(), seed, self.inputs.len() + i)?;
            weights.extend(u.to_vec());
            cotangents.push(u);
        }
        let gradient = flat(&self.subject.vjp(self.inputs, &cotangents)?);
        let mut v = Numbers::new();
        for (i, x) in self.inputs.iter().enumerate() {
            v.extend(random(x.shape(), seed, i)?.to_vec());
        }
        if v.is_empty() || weights.is_empty() {
            return Ok(());
        }
        let size = self.sizes.iter().fold(0.0f64, |m, s| m.max(*s));
        let line = Line { at: self, weights, gradient, v, size };
        let (verdict, got, place) = line.judge_all()?;
        self.count(verdict, got, self.place(place), None, report)
    }

    /// The input and the element at a position among all elements of all inputs.
    fn place(&self, mut place: usize) -> (usize, usize) {
        for (i, x) in self.inputs.iter().enumerate() {
            if place < x.numel() {
                return (i, place);
            }
            place -= x.numel();
        }
        (0, 0)
    }

    /// Whether the function itself has a kink along a coordinate, so that it has no second derivative there.
    fn kink_at(&self, input: usize, element: usize) -> Result<bool> {
        let Some(function) = self.function.filter(|_| input < self.own) else { return Ok(false) };
        let inputs = &self.inputs[..self.own];
        let mut u = Vec::new();
        for (i, y) in function.values(inputs)?.iter().enumerate() {
            u.push(random(y.shape(), self.check.seed, i)?);
        }
        let weights = flat(&u);
        let got = function.vjp(inputs, &u)?[input].to_vec()[element];
        let at = inputs[input].to_vec()[element];
        let terms = |d: f64| -> Result<Numbers> {
            let mut inputs = inputs.to_vec();
            inputs[input].data_mut()[element] = at + d;
            Ok(flat(&function.values(&inputs)?).iter().zip(&weights).map(|(y, u)| y * u).collect())
        };
        let moved = |d: f64| Ok(vec![terms(d)?.iter().sum()]);
        let (y, size) = (moved(0.0)?, terms(0.0)?.iter().map(|t| t.abs()).sum());
        let differences = Differences::new(moved, y, at, self.check.step);
        let mut differences = differences.in_precision(self.check.precision).of_terms(size);
        let verdict = differences.judge(0, got, got.abs(), 0.0, self.check.tolerance)?;
        Ok(matches!(verdict, Verdict::Kink) || matches!(verdict, Verdict::Different(l, r) if l != r))
    }

    fn count(
        &self,
        verdict: Verdict,
        tape: f64,
        (input, element): (usize, usize),
        output: Option<usize>,
        report: &mut Report,
    ) -> Result<()> {
        let doubtful = matches!(verdict, Verdict::Different(..) | Verdict::Unknown(Unknown::Rough));
        let verdict = match doubtful && tape.is_finite() && self.kink_at(input, element)? {
            true => Verdict::Kink,
            false => verdict,
        };
        let x = &self.inputs[input];
        let mismatch = |differences| {
            let (index, name) = (index_of(element, x.shape()), self.name(input));
            let at = x.get(&index).unwrap_or(f64::NAN);
            let (shape, strides) = (x.shape().to_vec(), x.strides().to_vec());
            Mismatch {
                order: self.order,
                input,
                name,
                element,
                index,
                at,
                shape,
                strides,
                output,
                differences,
                tape,
            }
        };
        match verdict {
            Verdict::Equal(error) => {
                report.compared += 1;
                report.error(error);
            }
            Verdict::Kink => {
                report.compared += 1;
                report.kinks += 1;
            }
            Verdict::Different(left, right) => {
                report.compared += 1;
                let m = mismatch((left, right));
                report.error(relative(left, tape, tape.abs()));
                report.mismatches.push(m);
            }
            Verdict::Unknown(why) => {
                report.skipped += 1;
                if !self.check.allow_non_finite {
                    let m = mismatch((f64::NAN, f64::NAN));
                    let output =
                        output.map_or("a combination of the outputs".to_owned(), |j| format!("output {j}"));
                    report.failures.push(format!(
                        "order {}, {} {:?} = {:?}, {output}: cannot be compared with the tape's {tape:?}: {why}; \
                         allow_non_finite() if that is meant",
                        self.order, m.name, m.index, m.at
                    ));
                }
            }
        }
        Ok(())
    }

    fn name(&self, input: usize) -> String {
        match input.checked_sub(self.own) {
            Some(cotangent) => format!("cotangent {cotangent}"),
            None => input_name(self.check, input),
        }
    }
}

/// The name of an input in the check.
pub(crate) fn input_name(check: &Check, input: usize) -> String {
    named(&check.inputs, input)
}

/// The name of an input; `input 0` if it has none.
pub(crate) fn named(names: &[String], input: usize) -> String {
    names.get(input).cloned().unwrap_or_else(|| format!("input {input}"))
}

/// The indices of an element, given its number.
pub(crate) fn index_of(element: usize, shape: &[usize]) -> Vec<usize> {
    let mut rest = element;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|&d| {
            let i = rest % d.max(1);
            rest /= d.max(1);
            i
        })
        .collect();
    index.reverse();
    index
}

/// A function of many numbers reduced to a function of one number: ⟨u, f(x + t v)⟩, on the elements of a range.
struct Line<'a> {
    at: &'a Comparison<'a>,
    /// u.
    weights: Numbers,
    /// Jᵀu by the tape.
    gradient: Numbers,
    v: Numbers,
    size: f64,
}

/// A verdict, the tape's number, and the position of the element that it is about.
type Judged = (Verdict, f64, usize);

impl Line<'_> {
    /// Judges all elements together; if they are wrong, searches for an element that is wrong alone.
    fn judge_all(&self) -> Result<Judged> {
        let (verdict, got) = self.judge(0..self.v.len())?;
        if matches!(verdict, Verdict::Equal(_) | Verdict::Kink) {
            return Ok((verdict, got, 0));
        }
        let mut kinks = false;
        match self.search(0..self.v.len(), &mut kinks)? {
            Some(found) => Ok(found),
            // Together, the sides of several kinks bound nothing, but those of each kink alone do.
            None if kinks => Ok((Verdict::Kink, got, 0)),
            None => Ok((verdict, got, 0)),
        }
    }

    /// An element that is wrong alone, found by repeatedly halving a wrong range.
    fn search(&self, range: Range<usize>, kinks: &mut bool) -> Result<Option<Judged>> {
        if range.len() == 1 {
            let (verdict, got) = self.judge(range.clone())?;
            let v = self.v[range.start];
            *kinks |= verdict == Verdict::Kink;
            return Ok(match verdict {
                Verdict::Equal(_) | Verdict::Kink => None,
                Verdict::Different(l, r) => Some((Verdict::Different(l / v, r / v), got / v, range.start)),
                Verdict::Unknown(_) => Some((verdict, got / v, range.start)),
            });
        }
        let middle = range.start + range.len() / 2;
        for half in [range.start..middle, middle..range.end] {
            let (verdict, _) = self.judge(half.clone())?;
            *kinks |= verdict == Verdict::Kink;
            if matches!(verdict, Verdict::Equal(_) | Verdict::Kink) {
                continue;
            }
            if let Some(found) = self.search(half, kinks)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn judge(&self, range: Range<usize>) -> Result<(Verdict, f64)> {
        let Comparison { check, subject, inputs, .. } = *self.at;
        let gradient = self.gradient[range.clone()].iter();
        let terms: Vec<f64> = gradient.zip(&self.v[range.clone()]).map(|(g, v)| g * v).collect();
        let (got, scale) = (terms.iter().sum::<f64>(), largest(&terms));
        let (mut start, mut moving) = (0, 0.0f64);
        for x in inputs {
            let here = start..start + x.numel();
            if range.start < here.end && here.start < range.end {
                moving = moving.max(1.0 / extent(x));
            }
            start = here.end;
        }
        let moved = |t: f64| -> Result<Numbers> {
            let mut inputs = inputs.to_vec();
            let mut start = 0;
            for x in &mut inputs {
                let here = start..start + x.numel();
                let (low, high) = (range.start.max(here.start), range.end.min(here.end));
                if low < high {
                    let data = x.data_mut();
                    for k in low..high {
                        data[k - start] += t * self.v[k];
                    }
                }
                start = here.end;
            }
            let y = flat(&subject.values(&inputs)?);
            Ok(vec![y.iter().zip(&self.weights).map(|(y, u)| y * u).sum()])
        };
        // The numbers that are rounded: the terms of the sum, and the coordinates that are moved.
        let terms =
            flat(&subject.values(inputs)?).iter().zip(&self.weights).map(|(y, u)| (y * u).abs()).sum::<f64>();
        let all = inputs.iter().flat_map(Tensor::to_vec).skip(range.start).take(range.len());
        let all: Numbers = all.collect();
        let coordinates =
            self.gradient[range.clone()].iter().zip(&all).map(|(g, x)| (g * x).abs()).sum::<f64>();
        // Near the largest number, a product on the way to the gradient has overflowed, and the sum of values has not.
        if got.is_infinite() && terms > f64::MAX / 1e3 {
            return Ok((Verdict::Unknown(Unknown::Value), got));
        }
        let y = moved(0.0)?;
        let rounding = cancelled(check.precision, self.size.max(terms), moving);
        // One wrong element among many must be visible in the sum of all.
        let rtol = check.tolerance.rtol / (range.len() as f64).sqrt();
        let tolerance = Tolerance { rtol, ..check.tolerance };
        let differences = Differences::new(moved, y, 0.0, check.step);
        let mut differences = differences.in_precision(check.precision).along(largest(&all));
        differences =
            differences.of_terms(self.size.max((terms + coordinates) / (range.len() as f64).sqrt()));
        Ok((differences.judge(0, got, scale, rounding, tolerance)?, got))
    }
}

/// The largest finite absolute value.
pub(crate) fn largest<'a>(of: impl IntoIterator<Item = &'a f64>) -> f64 {
    of.into_iter().filter(|v| v.is_finite()).fold(0.0, |m, v| m.max(v.abs()))
}

/// The recorded gradients of Σ⟨cotangent, output⟩, as functions of inputs and cotangents.
fn gradient_of<'t, T: Float>(f: &Function<'_, T>, x: &[Var<'t, T>], n: usize) -> Result<Vec<Var<'t, T>>> {
    let (inputs, cotangents) = x.split_at(n);
    let y = f(inputs);
    let pairs: Vec<_> = y.into_iter().zip(cotangents.iter().copied()).collect();
    match x.first() {
        Some(first) => first.tape().grad(&pairs, inputs),
        None => Ok(Vec::new()),
    }
}

/// The gradients with respect to `x` by one sweep; zeros for inputs that the sweep did not reach.
pub(crate) fn swept<'t, T: Float>(
    tape: &'t Tape<T>,
    seeds: &[(Var<'t, T>, Tensor<T>)],
    x: &[Var<'t, T>],
) -> Result<Vec<Tensor<T>>> {
    let grads = tape.swept(seeds, RetainGraph::Values, None)?;
    x.iter().map(|x| gradient(&grads, *x)).collect()
}

fn gradient<T: Float>(grads: &Grads<T>, x: Var<'_, T>) -> Result<Tensor<T>> {
    match grads.wrt(x) {
        Err(e) if e.kind() == crate::ErrorKind::Unreached => Ok(Tensor::try_full(x.raw_shape(), T::ZERO)?),
        other => other,
    }
}

/// The outputs and, for each output element, the gradient with respect to each input.
fn both(f: &Fallible<'_, f64>, inputs: &[Tensor<f64>]) -> Result<(Numbers, Vec<Vec<Numbers>>)> {
    let subject = OnTape::new(f);
    Ok((flat(&subject.values(inputs)?), subject.jacobian(inputs)?))
}

/// The same as [`both`], for a function that fails only on the tape.
pub(crate) fn jacobian_of(
    f: &Function<'_, f64>,
    inputs: &[Tensor<f64>],
) -> Result<(Numbers, Vec<Vec<Numbers>>)> {
    both(&|x| Ok(f(x)), inputs)
}

/// The gradient of Σ⟨u, output⟩, and its Jacobian with respect to inputs and cotangents.
pub(crate) fn second_jacobian_of(
    f: &Function<'_, f64>,
    inputs: &[Tensor<f64>],
    u: &[Tensor<f64>],
) -> Result<(Numbers, Vec<Vec<Numbers>>)> {
    let n = inputs.len();
    both(&|x| gradient_of(f, x, n), &[inputs, u].concat())
}
