//! The results of a check.

use std::fmt;
use wengert_ops::{Element, Tensor};

/// A wrong derivative.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The order, 1 or 2.
    pub order: u8,
    /// The number of the input. In the second order, the cotangents of the outputs follow the inputs.
    pub input: usize,
    /// The name of the input: the name that was given to the check, or `input 0`, `cotangent 0`.
    pub name: String,
    /// The position of the element in the input, in row-major order.
    pub element: usize,
    /// The indices of the same element.
    pub index: Vec<usize>,
    /// The value of that element.
    pub at: f64,
    /// The shape of the input.
    pub shape: Vec<usize>,
    /// The strides of the input.
    pub strides: Vec<isize>,
    /// The position of the element among those of all outputs; `None` for a random combination of all.
    pub output: Option<usize>,
    /// The derivatives by differences from the left and from the right, which are equal away from kinks.
    pub differences: (f64, f64),
    /// The derivative by the tape.
    pub tape: f64,
}

impl Mismatch {
    /// |differences - tape| / |differences|; infinite where one is infinite or NaN.
    pub fn relative_error(&self) -> f64 {
        let nearest = if (self.differences.0 - self.tape).abs() < (self.differences.1 - self.tape).abs() {
            self.differences.0
        } else {
            self.differences.1
        };
        let error = (nearest - self.tape).abs() / nearest.abs();
        if error.is_nan() { f64::INFINITY } else { error }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mismatch { order, name, index, at, shape, strides, output, differences: (l, r), tape, .. } = self;
        write!(f, "order {order}, {name} {index:?} = {at:?}")?;
        if !is_row_major(shape, strides) {
            write!(f, " (strides {strides:?})")?;
        }
        match output {
            Some(j) => write!(f, ", output {j}: ")?,
            None => write!(f, ", random combination of the outputs: ")?,
        }
        if (l - r).abs() <= 1e-6 * l.abs() || l == r {
            write!(f, "by differences {}", digits(*l))?;
        } else {
            write!(f, "by differences between {} and {}", digits(l.min(*r)), digits(l.max(*r)))?;
        }
        let how = if *order == 1 { "swept" } else { "swept through the recorded gradient" };
        write!(f, ", {how} {tape:?}, relative error {:.1e}", self.relative_error())
    }
}

/// Whether the strides are those of a contiguous tensor; those of axes with one position do not matter.
fn is_row_major(shape: &[usize], strides: &[isize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let right = size == 1 || stride == expected;
        expected *= size as isize;
        right
    })
}

/// The number with as many digits as differences can determine.
fn digits(v: f64) -> String {
    match v.abs() {
        0.0 => "0".to_owned(),
        size if (1e-4..1e7).contains(&size) => format!("{v:.9}"),
        _ => format!("{v:.9e}"),
    }
}

/// A tensor as it can be written in a test, with all digits, and its memory layout. For a large tensor only shape and
/// strides.
pub(crate) fn literal<T: Element>(t: &Tensor<T>) -> String {
    if t.numel() > 64 {
        let lies = if t.is_contiguous() { String::new() } else { format!(", strides {:?}", t.strides()) };
        return format!("{} elements, shape {:?}{lies}", t.numel(), t.shape().to_vec());
    }
    let dense = if t.is_contiguous() { Ok(t.clone()) } else { Tensor::from_vec(t.to_vec(), t.shape()) };
    match dense {
        Ok(dense) if !t.is_contiguous() => format!("{dense:?}, strides {:?}", t.strides()),
        _ => format!("{t:?}"),
    }
}

/// The results of a check: the numbers of comparisons, the worst error, and every mismatch.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The name of the checked function.
    pub name: String,
    /// The number of derivatives that were compared.
    pub compared: usize,
    /// The number of compared derivatives at a kink.
    pub kinks: usize,
    /// The number of derivatives that could not be compared, since the function is not finite or too rough around the
    /// point. They are failures unless they are allowed.
    pub skipped: usize,
    /// The largest relative error away from kinks; NaN if an error is NaN.
    pub worst: f64,
    /// The derivatives that are wrong.
    pub mismatches: Vec<Mismatch>,
    /// Errors that stopped the check, and other properties that do not hold.
    pub failures: Vec<String>,
}

impl Report {
    pub(crate) fn named(name: &str) -> Self {
        Report { name: name.to_owned(), ..Report::default() }
    }

    /// Whether there is no mismatch and no failure.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty() && self.failures.is_empty()
    }

    pub(crate) fn error(&mut self, relative: f64) {
        self.worst = worse(self.worst, relative);
    }

    /// Adds another report on the same subject.
    pub fn merge(&mut self, o: Report) {
        self.compared += o.compared;
        self.kinks += o.kinks;
        self.skipped += o.skipped;
        self.worst = worse(self.worst, o.worst);
        self.mismatches.extend(o.mismatches);
        self.failures.extend(o.failures);
    }

    /// A one-line summary.
    pub(crate) fn summary(&self) -> String {
        let Report { name, compared, skipped, kinks, worst, .. } = self;
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        format!(
            "{name}: {verdict}, {compared} compared, {skipped} skipped, {kinks} at kinks, worst error {worst:.1e}"
        )
    }

    /// What is wrong, a line for each: at most ten failures and ten mismatches, and the number of the others.
    pub fn wrong(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.failures.iter().take(10).cloned().collect();
        lines.extend(self.mismatches.iter().take(10).map(ToString::to_string));
        match (self.failures.len() + self.mismatches.len()).saturating_sub(lines.len()) {
            0 => {}
            more => lines.push(format!("and {more} more")),
        }
        lines
    }
}

/// The larger number; NaN is larger than all others.
pub(crate) fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        self.wrong().iter().try_for_each(|line| write!(f, "\n  {}: {line}", self.name))
    }
}
