//! What a check found.

use std::fmt;

/// One entry of a Jacobian that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// First or second order.
    pub order: u8,
    /// Which input (the cotangent counts as the last one in the second order).
    pub input: usize,
    /// Which element of it, in row-major order.
    pub element: usize,
    /// Which element of the outputs.
    pub output: usize,
    /// By finite differences: the derivatives from the left and from the right, equal away from kinks.
    pub expected: (f64, f64),
    /// By the tape.
    pub got: f64,
}

/// What a check found: how much was compared, the worst error, and every mismatch.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The name of what was checked.
    pub name: String,
    /// How many entries were compared.
    pub compared: usize,
    /// How many of them were at a kink.
    pub kinks: usize,
    /// How many could not be compared, since the function is not finite around the point.
    pub skipped: usize,
    /// The largest |expected - got| / (1 + |expected|) away from kinks.
    pub worst: f64,
    /// The entries that are wrong.
    pub mismatches: Vec<Mismatch>,
    /// An error that stopped the check, or another property that failed.
    pub failures: Vec<String>,
}

impl Report {
    pub(crate) fn named(name: &str) -> Self {
        Report { name: name.to_owned(), ..Report::default() }
    }

    /// Whether nothing is wrong.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty() && self.failures.is_empty()
    }

    /// Takes in another report on the same subject.
    pub fn merge(&mut self, o: Report) {
        self.compared += o.compared;
        self.kinks += o.kinks;
        self.skipped += o.skipped;
        self.worst = self.worst.max(o.worst);
        self.mismatches.extend(o.mismatches);
        self.failures.extend(o.failures);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { name, compared, kinks, worst, .. } = self;
        let verdict = if self.passed() { "passed" } else { "FAILED" };
        write!(
            f,
            "{name}: {verdict}, {compared} entries compared, {kinks} at kinks, worst error {worst:.1e}"
        )?;
        for failure in &self.failures {
            write!(f, "\n  {failure}")?;
        }
        for m in self.mismatches.iter().take(10) {
            let (l, r) = m.expected;
            let expected = if (l - r).abs() <= 1e-6 * (1.0 + l.abs()) {
                format!("{l:.9}")
            } else {
                format!("between {:.9} and {:.9}", l.min(r), l.max(r))
            };
            write!(
                f,
                "\n  {name}: order {}, input {}, element {}, output {}: expected {expected}, got {:.9}",
                m.order, m.input, m.element, m.output, m.got
            )?;
        }
        match self.mismatches.len().saturating_sub(10) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}
