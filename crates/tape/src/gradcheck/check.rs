//! [`Check`]: the tape's Jacobian against finite differences.

use crate::error::Result;
use crate::gradcheck::report::{Mismatch, Report};
use crate::sweep::Retain;
use crate::tape::Tape;
use crate::var::Var;
use wengert_ops::Tensor;
use wengert_ops::random::{Key, normal};

/// A gradient check of one function at one point.
#[derive(Debug, Clone)]
pub struct Check {
    name: String,
    tolerance: f64,
    order: u8,
    directions: usize,
    seed: u64,
}

/// A function under test, already evaluated: its outputs, flattened, as numbers.
type Numbers = Vec<f64>;
type Function<'f> = dyn for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>> + 'f;
type Fallible<'f> = dyn for<'t> Fn(&[Var<'t, f64>]) -> Result<Vec<Var<'t, f64>>> + 'f;

impl Check {
    /// A check of first and second order with the usual tolerance.
    pub fn new(name: impl Into<String>) -> Self {
        Check { name: name.into(), tolerance: 1e-6, order: 2, directions: 0, seed: 0 }
    }

    /// The relative and absolute tolerance, 10⁻⁶ unless told otherwise.
    #[must_use]
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Only the first order.
    #[must_use]
    pub fn first_order(mut self) -> Self {
        self.order = 1;
        self
    }

    /// `n` random directions instead of the full Jacobian, for functions of many numbers: compares ⟨u, J v⟩ by
    /// finite differences along v with ⟨Jᵀu, v⟩ by the tape.
    #[must_use]
    pub fn directions(mut self, n: usize) -> Self {
        self.directions = n;
        self
    }

    /// The seed of directions and cotangents.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
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
        if let Err(e) = self.compare(1, &|x| Ok(f(x)), inputs, &mut report) {
            report.failures.push(format!("first order: {e}"));
            return report;
        }
        if let Err(e) = self.recorded(&f, inputs, &mut report) {
            report.failures.push(format!("recorded gradient: {e}"));
        }
        if self.order < 2 || !report.passed() {
            return report;
        }
        if let Err(e) = self.second_order(&f, inputs, &mut report) {
            report.failures.push(format!("second order: {e}"));
        }
        report
    }

    /// The recorded gradient against the swept one: where an op has a first-order kernel, two rules are at work.
    fn recorded(&self, f: &Function<'_>, inputs: &[Tensor<f64>], report: &mut Report) -> Result<()> {
        let tape = Tape::new();
        let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
        let mut seeds = Vec::new();
        for (i, y) in f(&x).into_iter().enumerate() {
            let key = Key { seed: self.seed ^ 0x5eed, stream: i as u64 };
            seeds.push((y, normal(y.value()?.shape(), 0.0, 1.0, key)?));
        }
        let pairs: Vec<_> = seeds.iter().map(|(y, s)| (*y, tape.constant(s))).collect();
        let recorded = tape.grad(&pairs, &x)?;
        let swept = tape.backward(&seeds, Retain::Values)?;
        for (i, (x, got)) in x.iter().zip(recorded).enumerate() {
            let (want, got) = (gradient(&swept, *x)?.to_vec(), got.value()?.to_vec());
            for (k, (want, got)) in want.into_iter().zip(got).enumerate() {
                let same = want == got || (want.is_nan() && got.is_nan());
                let close = (want - got).abs() <= self.tolerance * (1.0 + want.abs());
                if !(same || close) {
                    report.failures.push(format!(
                        "{}: recorded gradient, input {i}, element {k}: expected {want:.9}, got {got:.9}",
                        self.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// The gradient itself, as a function of the inputs and of the outputs' cotangents, is checked like any function.
    fn second_order(&self, f: &Function<'_>, inputs: &[Tensor<f64>], report: &mut Report) -> Result<()> {
        let n = inputs.len();
        let tape = Tape::new();
        let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
        let mut extended = inputs.to_vec();
        for (i, y) in f(&x).into_iter().enumerate() {
            let key = Key { seed: self.seed ^ 0x5eed, stream: i as u64 };
            extended.push(normal(y.value()?.shape(), 0.0, 1.0, key)?);
        }
        self.compare(2, &|x| grad_of(f, x, n), &extended, report)
    }

    fn compare(
        &self,
        order: u8,
        f: &Fallible<'_>,
        inputs: &[Tensor<f64>],
        report: &mut Report,
    ) -> Result<()> {
        if self.directions > 0 {
            return self.compare_directions(order, f, inputs, report);
        }
        let (y, jacobian) = jacobian(f, inputs)?;
        for (i, input) in inputs.iter().enumerate() {
            let base = input.to_vec();
            for (k, &at) in base.iter().enumerate() {
                let moved = |d: f64| {
                    let mut inputs = inputs.to_vec();
                    inputs[i].data_mut()[k] = at + d;
                    evaluate(f, &inputs)
                };
                let h = 1e-4 * (1.0 + at.abs());
                let stencil = Stencil::measure(moved, h)?;
                for (j, row) in jacobian.iter().enumerate() {
                    let got = row[i][k];
                    let entry =
                        Mismatch { order, input: i, element: k, output: j, expected: (0.0, 0.0), got };
                    self.judge(&stencil, &y, j, entry, report);
                }
            }
        }
        Ok(())
    }

    fn compare_directions(
        &self,
        order: u8,
        f: &Fallible<'_>,
        inputs: &[Tensor<f64>],
        report: &mut Report,
    ) -> Result<()> {
        for d in 0..self.directions {
            let key = |i: usize| Key { seed: self.seed.wrapping_add(d as u64), stream: i as u64 };
            let v: Vec<Tensor<f64>> = inputs
                .iter()
                .enumerate()
                .map(|(i, x)| normal(x.shape(), 0.0, 1.0, key(i)))
                .collect::<Result<_, _>>()?;
            let tape = Tape::new();
            let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
            let y = f(&x)?;
            let mut seeds = Vec::new();
            for (i, y) in y.iter().enumerate() {
                seeds.push((*y, normal(y.value()?.shape(), 0.0, 1.0, key(inputs.len() + i))?));
            }
            let u: Vec<Numbers> = seeds.iter().map(|(_, s)| s.to_vec()).collect();
            let grads = tape.backward(&seeds, Retain::Values)?;
            let mut got = 0.0;
            for (x, v) in x.iter().zip(&v) {
                got += gradient(&grads, *x)?.to_vec().iter().zip(v.to_vec()).map(|(a, b)| a * b).sum::<f64>();
            }
            let moved = |t: f64| -> Result<Numbers> {
                let at: Vec<_> =
                    inputs.iter().zip(&v).map(|(x, v)| x.add(&v.scale(t))).collect::<Result<_, _>>()?;
                let y = evaluate(f, &at)?;
                Ok(vec![y.iter().zip(u.iter().flatten()).map(|(y, u)| y * u).sum()])
            };
            let y = moved(0.0)?;
            let stencil = Stencil::measure(moved, 1e-4)?;
            let entry = Mismatch { order, input: 0, element: d, output: 0, expected: (0.0, 0.0), got };
            self.judge(&stencil, &y, 0, entry, report);
        }
        Ok(())
    }

    /// Compares one entry; rounding in `f` itself, of the size of its value, is allowed for.
    fn judge(&self, stencil: &Stencil, y: &[f64], j: usize, mut entry: Mismatch, report: &mut Report) {
        let (central, left, right) = stencil.derivatives(j, y[j]);
        if !(central.is_finite() && left.is_finite() && right.is_finite()) {
            report.skipped += 1;
            return;
        }
        report.compared += 1;
        let got = entry.got;
        // The rounding of f, of relative size 2⁻⁵², is divided by the step.
        let noise = 64.0 * f64::EPSILON * y[j].abs() / stencil.h;
        let allowed = self.tolerance * (1.0 + central.abs()) + noise;
        let error = (central - got).abs();
        // One-sided differences are less exact: what they cannot tell from a smooth function is no kink.
        let slack = 1e-5 * (1.0 + left.abs().max(right.abs())) + 16.0 * noise;
        let kink = (left - right).abs() > slack;
        if kink && left.min(right) - slack <= got && got <= left.max(right) + slack {
            report.kinks += 1;
            return;
        }
        report.worst = report.worst.max(error / (1.0 + central.abs()));
        if error <= allowed {
            return;
        }
        entry.expected = if kink { (left, right) } else { (central, central) };
        report.mismatches.push(entry);
    }
}

fn grad_of<'t>(f: &Function<'_>, x: &[Var<'t, f64>], n: usize) -> Result<Vec<Var<'t, f64>>> {
    let (inputs, cotangents) = x.split_at(n);
    let y = f(inputs);
    let pairs: Vec<_> = y.into_iter().zip(cotangents.iter().copied()).collect();
    match x.first() {
        Some(first) => first.tape().grad(&pairs, inputs),
        None => Ok(Vec::new()),
    }
}

fn gradient(grads: &crate::Grads<f64>, x: Var<'_, f64>) -> Result<Tensor<f64>> {
    match grads.wrt(x) {
        Err(e) if e.kind() == crate::ErrorKind::Unreached => Ok(Tensor::try_full(x.raw_shape(), 0.0)?),
        other => other,
    }
}

/// The outputs and, for each output element, the gradient with respect to each input.
fn jacobian(f: &Fallible<'_>, inputs: &[Tensor<f64>]) -> Result<(Numbers, Vec<Vec<Numbers>>)> {
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
    let outputs = f(&x)?;
    let mut y = Vec::new();
    let mut rows = Vec::new();
    for output in outputs {
        let value = output.value()?;
        y.extend(value.to_vec());
        for j in 0..value.numel() {
            let mut seed = Tensor::try_full(value.shape(), 0.0)?;
            seed.data_mut()[j] = 1.0;
            if !output.kind().1 {
                rows.push(inputs.iter().map(|t| vec![0.0; t.numel()]).collect());
                continue;
            }
            let grads = tape.backward(&[(output, seed)], Retain::Values)?;
            rows.push(x.iter().map(|x| Ok(gradient(&grads, *x)?.to_vec())).collect::<Result<_>>()?);
        }
    }
    Ok((y, rows))
}

fn evaluate(f: &Fallible<'_>, inputs: &[Tensor<f64>]) -> Result<Numbers> {
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
    let mut y = Vec::new();
    for output in f(&x)? {
        y.extend(output.value()?.to_vec());
    }
    Ok(y)
}

/// f at x ± h/2, ± h, ± 2h.
struct Stencil {
    h: f64,
    at: [(Numbers, Numbers); 3],
}

impl Stencil {
    fn measure(f: impl Fn(f64) -> Result<Numbers>, h: f64) -> Result<Self> {
        let pair = |d: f64| Ok::<_, crate::Error>((f(-d)?, f(d)?));
        Ok(Stencil { h, at: [pair(h / 2.0)?, pair(h)?, pair(2.0 * h)?] })
    }

    /// The derivative of output j by extrapolated central differences, and from the left and the right.
    fn derivatives(&self, j: usize, y: f64) -> (f64, f64, f64) {
        let [half, one, two] = &self.at;
        let central = |(l, r): &(Numbers, Numbers), h: f64| (r[j] - l[j]) / (2.0 * h);
        let (a, b, c) = (central(half, self.h / 2.0), central(one, self.h), central(two, 2.0 * self.h));
        // Richardson: errors in h² and h⁴ cancel.
        let (ab, bc) = ((4.0 * a - b) / 3.0, (4.0 * b - c) / 3.0);
        // And here, in h and h².
        let side = |f: [f64; 3]| {
            let [a, b, c] = [0.5, 1.0, 2.0].map(|s| s * self.h);
            let (a, b, c) = ((f[0] - y) / a, (f[1] - y) / b, (f[2] - y) / c);
            (4.0 * (2.0 * a - b) - (2.0 * b - c)) / 3.0
        };
        let (left, right) = (-side([half.0[j], one.0[j], two.0[j]]), side([half.1[j], one.1[j], two.1[j]]));
        ((16.0 * ab - bc) / 15.0, left, right)
    }
}
