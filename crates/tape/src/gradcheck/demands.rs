//! Every kind of cotangent that a rule can get, and every request for a gradient: the gradient must not depend on the
//! memory layout of a cotangent, on which inputs are constants, on which outputs are used, or on how often it is
//! computed.

use crate::error::Result;
use crate::gradcheck::check::{Check, Function};
use crate::gradcheck::jacobian::{extent, index_of, input_name, largest, random, swept};
use crate::gradcheck::layout::LayoutKind;
use crate::gradcheck::report::Report;
use crate::tape::Tape;
use crate::tape::var::Var;
use wengert_ops::Tensor;

/// Cotangents, one for each output; `None` for an unused output.
type Seeds = Vec<Option<Tensor<f64>>>;

pub(crate) fn hold(
    check: &Check,
    f: &Function<'_, f64>,
    inputs: &[Tensor<f64>],
    report: &mut Report,
) -> Result<()> {
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
    let y = f(&x);
    let mut g = Vec::new();
    for (i, y) in y.iter().enumerate() {
        g.push(random(y.value()?.shape(), check.seed ^ 0x5eed, i)?);
    }
    let mut size = 0.0f64;
    for (y, g) in y.iter().zip(&g) {
        size = size.max(largest(&y.value()?.to_vec()) * largest(&g.to_vec()));
    }
    let terms = inputs.iter().map(|x| size / extent(x)).collect();
    let here = Here { check, tape: &tape, x, y, terms };
    let all = vec![true; inputs.len()];
    let seeds: Seeds = g.iter().cloned().map(Some).collect();
    let expected = here.by(How::Swept, &seeds, &all)?;
    let recorded = here.by(How::Recorded, &seeds, &all)?;
    here.same("swept", &expected, "recorded", &recorded, check.tolerance.rtol, report);
    if !report.passed() {
        return Ok(());
    }
    here.repeated(f, inputs, &seeds, &expected, report)?;
    // Swept and recorded gradients are each compared with those of the same kind.
    let expected = [expected, recorded];
    here.layouts(&g, &expected, report)?;
    here.combinations(&g, &expected, report)?;
    here.constants(f, inputs, &seeds, &expected, report)?;
    here.outputs(&g, report)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Swept,
    Recorded,
}

const BOTH: [How; 2] = [How::Swept, How::Recorded];

impl How {
    fn word(self) -> &'static str {
        if self == How::Swept { "swept" } else { "recorded" }
    }
}

/// The function, evaluated on a tape.
struct Here<'c, 't> {
    check: &'c Check,
    tape: &'t Tape<f64>,
    x: Vec<Var<'t, f64>>,
    y: Vec<Var<'t, f64>>,
    /// For each input, the size of the terms that may cancel in its gradient.
    terms: Vec<f64>,
}

/// The gradients of all inputs: swept, and recorded.
type Expected = [Vec<Option<Tensor<f64>>>; 2];

/// Gradients that are computed from the same numbers in the same way may differ by rounding.
const ROUNDING: f64 = 1e-9;

impl<'t> Here<'_, 't> {
    /// The gradients with respect to the wanted inputs; `None` for the others.
    fn by(&self, how: How, seeds: &Seeds, wanted: &[bool]) -> Result<Vec<Option<Tensor<f64>>>> {
        let pairs = self.y.iter().zip(seeds).filter_map(|(y, g)| Some((*y, g.clone()?)));
        let pairs: Vec<_> = pairs.filter(|(y, _)| y.kind().1).collect();
        let x: Vec<_> = self.x.iter().zip(wanted).filter(|(_, w)| **w).map(|(x, _)| *x).collect();
        let gradients = match how {
            How::Swept => swept(self.tape, &pairs, &x)?,
            How::Recorded => {
                let pairs: Vec<_> = pairs.into_iter().map(|(y, g)| (y, self.tape.constant(g))).collect();
                let gradients = self.tape.grad(&pairs, &x)?;
                gradients.into_iter().map(|g| g.value()).collect::<Result<_>>()?
            }
        };
        let mut gradients = gradients.into_iter();
        Ok(wanted.iter().map(|w| if *w { gradients.next() } else { None }).collect())
    }

    /// Compares gradients element by element; where one of them was not requested, nothing is compared.
    fn same(
        &self,
        first: &str,
        a: &[Option<Tensor<f64>>],
        second: &str,
        b: &[Option<Tensor<f64>>],
        tolerance: f64,
        report: &mut Report,
    ) {
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            let (Some(a), Some(b)) = (a, b) else { continue };
            let shape = a.shape();
            let (a, b) = (a.to_vec(), b.to_vec());
            let finite = a.iter().chain(&b).filter(|v| v.is_finite());
            // Numbers below the smallest normal number have fewer digits.
            let size = finite.fold((1e-5 * self.terms[i]).max(f64::MIN_POSITIVE), |m, v| m.max(v.abs()));
            let wrong = |(a, b): (&f64, &f64)| {
                let close = (a - b).abs() <= tolerance * size;
                let same = if tolerance == 0.0 { a.to_bits() == b.to_bits() } else { a == b };
                !(same || close && tolerance > 0.0 || a.is_nan() && b.is_nan())
            };
            let count = a.iter().zip(&b).filter(|p| wrong(*p)).count();
            if let Some(k) = a.iter().zip(&b).position(wrong) {
                let more =
                    if count > 1 { format!(" (and {} more elements)", count - 1) } else { String::new() };
                report.failures.push(format!(
                    "gradient of {} {:?}: {first} {:?}, {second} {:?}{more}",
                    input_name(self.check, i),
                    index_of(k, shape),
                    a[k],
                    b[k],
                ));
            }
        }
    }

    /// A second evaluation and a second sweep give the same bits.
    fn repeated(
        &self,
        f: &Function<'_, f64>,
        inputs: &[Tensor<f64>],
        seeds: &Seeds,
        expected: &[Option<Tensor<f64>>],
        report: &mut Report,
    ) -> Result<()> {
        let all = vec![true; inputs.len()];
        let again = self.by(How::Swept, seeds, &all)?;
        self.same("swept", expected, "swept a second time", &again, 0.0, report);
        let tape = Tape::new();
        let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
        let there = Here { check: self.check, tape: &tape, y: f(&x), x, terms: self.terms.clone() };
        for (i, (a, b)) in self.y.iter().zip(&there.y).enumerate() {
            let (a, b) = (a.value()?, b.value()?);
            let shape = a.shape().clone();
            let (a, b) = (a.to_vec(), b.to_vec());
            if a.len() != b.len() {
                report.failures.push(format!(
                    "output {i} has {} elements, and {} when evaluated again",
                    a.len(),
                    b.len()
                ));
            } else if let Some(k) = a.iter().zip(&b).position(|(a, b)| a.to_bits() != b.to_bits()) {
                let index = index_of(k, &shape);
                report
                    .failures
                    .push(format!("output {i} {index:?}: {:?}, and {:?} when evaluated again", a[k], b[k]));
            }
        }
        let again = there.by(How::Swept, seeds, &all)?;
        self.same("swept", expected, "swept after a second evaluation", &again, 0.0, report);
        Ok(())
    }

    /// The same cotangents in other memory layouts.
    fn layouts(&self, g: &[Tensor<f64>], expected: &Expected, report: &mut Report) -> Result<()> {
        let all = vec![true; self.x.len()];
        for kind in &LayoutKind::ALL[1..] {
            for axis in [0, usize::MAX] {
                let lay = |g: &Tensor<f64>| kind.of(g, axis.min(g.rank().saturating_sub(1)));
                let seeds: Vec<_> = g.iter().map(lay).collect::<wengert_ops::Result<_>>()?;
                if seeds.iter().all(Tensor::is_contiguous) || (axis > 0 && g.iter().all(|g| g.rank() < 2)) {
                    continue;
                }
                let strides: Vec<_> = seeds.iter().map(|s| s.strides().to_vec()).collect();
                let seeds: Seeds = seeds.into_iter().map(Some).collect();
                for (how, expected) in BOTH.into_iter().zip(expected) {
                    let got = self.by(how, &seeds, &all)?;
                    let second = format!("with a cotangent of strides {strides:?} {}", how.word());
                    self.same("with a contiguous cotangent", expected, &second, &got, ROUNDING, report);
                }
            }
        }
        // Stride 0: the cotangent of a sum.
        for whole in [true, false] {
            let expanded: Vec<_> = g.iter().map(|g| expand(g, whole)).collect::<Result<_>>()?;
            if expanded.iter().all(Tensor::is_contiguous) {
                continue;
            }
            let strides: Vec<_> = expanded.iter().map(|s| s.strides().to_vec()).collect();
            let dense: Seeds = expanded.iter().map(|s| Some(s.contiguous())).collect();
            let seeds: Seeds = expanded.into_iter().map(Some).collect();
            for how in BOTH {
                let expected = self.by(how, &dense, &all)?;
                let got = self.by(how, &seeds, &all)?;
                let second = format!("with a cotangent of strides {strides:?} {}", how.word());
                self.same("with a contiguous cotangent", &expected, &second, &got, ROUNDING, report);
            }
        }
        Ok(())
    }

    /// Zero gives zero, and g(Σ) = Σ g, with one element of the cotangent separated from the others.
    fn combinations(&self, g: &[Tensor<f64>], expected: &Expected, report: &mut Report) -> Result<()> {
        let all = vec![true; self.x.len()];
        let zeros: Seeds = g.iter().map(|g| Some(Tensor::full_like(g, 0.0))).collect();
        for how in BOTH {
            let got = self.by(how, &zeros, &all)?;
            for (i, (want, got)) in expected[0].iter().zip(&got).enumerate() {
                let (Some(want), Some(got)) = (want, got) else { continue };
                let wrong =
                    want.to_vec().iter().zip(got.to_vec()).position(|(w, g)| w.is_finite() && g != 0.0);
                if let Some(k) = wrong {
                    report.failures.push(format!(
                        "gradient of {} {:?}: {:?} {} for a cotangent of zero",
                        input_name(self.check, i),
                        index_of(k, got.shape()),
                        got.to_vec()[k],
                        how.word(),
                    ));
                }
            }
        }
        let Some(which) = g.iter().rposition(|g| g.numel() > 1) else { return Ok(()) };
        let k = (self.check.seed % g[which].numel() as u64) as usize;
        let (mut one, mut rest) = (zeros, g.iter().cloned().map(Some).collect::<Seeds>());
        if let (Some(one), Some(rest)) = (&mut one[which], &mut rest[which]) {
            one.data_mut()[k] = g[which].to_vec()[k];
            rest.data_mut()[k] = 0.0;
        }
        for (how, expected) in BOTH.into_iter().zip(expected) {
            let (one, rest) = (self.by(how, &one, &all)?, self.by(how, &rest, &all)?);
            let mut sum = Vec::new();
            for (i, (a, b)) in one.iter().zip(&rest).enumerate() {
                let (Some(a), Some(b)) = (a, b) else {
                    sum.push(None);
                    continue;
                };
                let mut sum_of_both = a.add(b)?;
                // Where a derivative is infinite, its product with a cotangent of zero is NaN.
                if let Some(whole) = &expected[i] {
                    for (s, &w) in sum_of_both.data_mut().iter_mut().zip(&whole.to_vec()) {
                        *s = if w.is_infinite() && s.is_nan() { w } else { *s };
                    }
                }
                sum.push(Some(sum_of_both));
            }
            let second = format!("{} as the sum of two", how.word());
            self.same("with a contiguous cotangent", expected, &second, &sum, ROUNDING, report);
        }
        Ok(())
    }

    /// Each input as a constant, and each alone as a variable.
    fn constants(
        &self,
        f: &Function<'_, f64>,
        inputs: &[Tensor<f64>],
        seeds: &Seeds,
        expected: &Expected,
        report: &mut Report,
    ) -> Result<()> {
        let n = inputs.len();
        if n < 2 {
            return Ok(());
        }
        let one_constant = (0..n).map(|c| (0..n).map(|i| i != c).collect::<Vec<_>>());
        let one_variable = (0..n).map(|v| (0..n).map(|i| i == v).collect::<Vec<_>>());
        let mut demands: Vec<_> = one_constant.chain(one_variable).collect();
        demands.dedup();
        for wanted in demands {
            // The recorded sweep can also be limited to some of the variables.
            let got = self.by(How::Recorded, seeds, &wanted)?;
            let names = |of: bool| {
                let chosen = (0..n).filter(|i| wanted[*i] == of).map(|i| input_name(self.check, i));
                chosen.collect::<Vec<_>>().join(", ")
            };
            let second = format!("recorded for {} alone", names(true));
            self.same("with respect to all", &expected[1], &second, &got, ROUNDING, report);
            let tape = Tape::new();
            let leaf = |(t, w): (&Tensor<f64>, &bool)| if *w { tape.var(t) } else { tape.constant(t) };
            let x: Vec<_> = inputs.iter().zip(&wanted).map(leaf).collect();
            let there = Here { check: self.check, tape: &tape, y: f(&x), x, terms: self.terms.clone() };
            if there.y.iter().all(|y| !y.kind().1) {
                continue;
            }
            for (how, expected) in BOTH.into_iter().zip(expected) {
                let got = there.by(how, seeds, &wanted)?;
                let second = format!("{} while {} is constant", how.word(), names(false));
                self.same("with respect to all", expected, &second, &got, ROUNDING, report);
            }
        }
        Ok(())
    }

    /// Each output alone, and each left out: the result equals that with cotangents of zero for the missing outputs.
    fn outputs(&self, g: &[Tensor<f64>], report: &mut Report) -> Result<()> {
        let n = g.len();
        if n < 2 {
            return Ok(());
        }
        let all = vec![true; self.x.len()];
        let alone = (0..n).map(|j| (0..n).map(|i| i == j).collect::<Vec<_>>());
        let without = (0..n).map(|j| (0..n).map(|i| i != j).collect::<Vec<_>>());
        for present in alone.chain(without) {
            let some: Seeds = g.iter().zip(&present).map(|(g, p)| p.then(|| g.clone())).collect();
            let zeros =
                |(g, p): (&Tensor<f64>, &bool)| if *p { g.clone() } else { Tensor::full_like(g, 0.0) };
            let zeroed: Seeds = g.iter().zip(&present).map(zeros).map(Some).collect();
            for how in BOTH {
                let (expected, got) = (self.by(how, &zeroed, &all)?, self.by(how, &some, &all)?);
                let which: Vec<_> = (0..n).filter(|i| present[*i]).collect();
                let second = format!("{} from outputs {which:?} alone", how.word());
                self.same("with zeros for the other outputs", &expected, &second, &got, ROUNDING, report);
            }
        }
        Ok(())
    }
}

/// One number, or one row, of `g`, expanded to its whole shape with strides of 0.
fn expand(g: &Tensor<f64>, whole: bool) -> Result<Tensor<f64>> {
    if g.numel() == 0 || g.rank() == 0 {
        return Ok(g.clone());
    }
    if whole {
        let first = Tensor::scalar(g.to_vec()[0]);
        return Ok(first.expand(g.shape())?);
    }
    Ok(g.select(0, 0)?.contiguous().unsqueeze(0)?.expand(g.shape())?)
}
