//! [`Line`]: the slope of a loss along a direction, and the search for the wrong element.

use super::check::ModuleCheck;
use super::subject::{Subject, Swept};
use crate::module::Module;
use std::ops::Range;
use wengert_tape::Result;
use wengert_tape::gradcheck::{Differences, Verdict};

/// The rounding error that may remain of terms that cancel, relative to their size.
const CANCELLED: f64 = 64.0 * f64::EPSILON;

/// A verdict and the tape's derivative.
#[derive(Clone, Copy)]
pub(super) struct Judged {
    pub(super) verdict: Verdict,
    pub(super) got: f64,
    /// The remaining error if they are equal.
    left: f64,
}

impl Judged {
    /// `scale` is the smallest value to which the verdict's error is relative.
    pub(super) fn new(verdict: Verdict, got: f64, scale: f64) -> Self {
        let left = match verdict {
            Verdict::Equal(error) => error * got.abs().max(scale.min(1.0)) / (1.0 + got.abs()),
            _ => 0.0,
        };
        Judged { verdict, got, left }
    }

    pub(super) fn is_right(&self) -> bool {
        matches!(self.verdict, Verdict::Equal(_) | Verdict::Kink)
    }

    pub(super) fn is_kink(&self) -> bool {
        self.verdict == Verdict::Kink
    }

    pub(super) fn at_kink(self) -> Self {
        Judged { verdict: Verdict::Kink, ..self }
    }

    /// |differences - tape|: relative to 1 + |tape| if they are equal, to the differences if not, and 0 at a kink.
    pub(super) fn error(&self) -> f64 {
        match self.verdict {
            Verdict::Equal(_) | Verdict::Kink => self.left,
            Verdict::Different(l, r) => relative((l, r), self.got),
            Verdict::Unknown(_) => f64::NAN,
        }
    }
}

/// The loss as a function of one number t: all elements of a range are moved by t v.
pub(super) struct Line<'l, 'a, M> {
    pub(super) check: &'l ModuleCheck,
    pub(super) subject: &'l mut Subject<'a, M>,
    pub(super) swept: &'l Swept,
    pub(super) v: &'l [f64],
}

/// The largest number of ranges at a kink that a search divides further.
const CLOSER: usize = 32;

/// The findings of a search on its way.
struct Met {
    kinks: bool,
    unknown: Option<(Judged, usize)>,
    closer: usize,
}

impl<M: Module> Line<'_, '_, M> {
    /// The verdict on a range, or on a single wrong element of it, with the element's number.
    pub(super) fn resolve(&mut self, range: Range<usize>) -> Result<(Judged, Option<usize>)> {
        let judged = self.judge(range.clone())?;
        // A kink is wide, and a fault near it can hide in it.
        if judged.is_right() && !judged.is_kink() { Ok((judged, None)) } else { self.find(range, judged) }
    }

    /// Finds the element that explains a verdict, if there is one.
    pub(super) fn find(&mut self, range: Range<usize>, judged: Judged) -> Result<(Judged, Option<usize>)> {
        let mut met = Met { kinks: judged.is_kink(), unknown: None, closer: CLOSER };
        let wrong = self.search(range, &mut met)?;
        Ok(match wrong.or(met.unknown) {
            Some((element, k)) => (element, Some(k)),
            // One-sided slopes of several kinks together give no bounds, but those of each kink alone do.
            None if met.kinks => (judged.at_kink(), None),
            None => (judged, None),
        })
    }

    /// Finds a single wrong element by halving the wrong ranges.
    fn search(&mut self, range: Range<usize>, met: &mut Met) -> Result<Option<(Judged, usize)>> {
        let middle = range.start + range.len() / 2;
        for half in [range.start..middle, middle..range.end] {
            if half.is_empty() || met.unknown.is_some() && !self.check.allow_non_finite {
                continue;
            }
            let judged = self.judge(half.clone())?;
            if judged.is_kink() {
                met.kinks = true;
                met.closer = met.closer.saturating_sub(1);
            }
            if judged.is_right() && (!judged.is_kink() || half.len() == 1 || met.closer == 0) {
                continue;
            }
            if half.len() > 1 {
                if let Some(found) = self.search(half, met)? {
                    return Ok(Some(found));
                }
                continue;
            }
            // The derivative with respect to the element, computed from that along v.
            let (k, v) = (half.start, self.v[half.start]);
            let got = self.swept.gradient[k];
            match judged.verdict {
                Verdict::Different(l, r) => {
                    return Ok(Some((
                        Judged { verdict: Verdict::Different(l / v, r / v), got, left: 0.0 },
                        k,
                    )));
                }
                verdict => met.unknown = met.unknown.or(Some((Judged { verdict, got, left: 0.0 }, k))),
            }
        }
        Ok(None)
    }

    /// Judges the slope along v for the elements of a range, on the range's own scale.
    pub(super) fn judge(&mut self, range: Range<usize>) -> Result<Judged> {
        let Line { check, subject, swept, v } = self;
        let terms: Vec<f64> = range.clone().map(|k| swept.gradient[k] * v[k]).collect();
        let (got, scale) = (terms.iter().sum::<f64>(), largest(&terms));
        let rounding = cancelled(terms.len(), size(swept), largest(&v[range.clone()]));
        let loss = |t: f64| Ok(vec![subject.loss_at(v, &range, t)?]);
        let mut differences = Differences::new(loss, vec![swept.value], 0.0, check.step);
        let verdict = differences.judge(0, got, scale, rounding, check.tolerance)?;
        Ok(Judged::new(verdict, got, scale.max(rounding)))
    }
}

/// The relative error compared with the nearer of two numbers.
pub(super) fn relative((l, r): (f64, f64), got: f64) -> f64 {
    let nearest = if (l - got).abs() < (r - got).abs() { l } else { r };
    (nearest - got).abs() / nearest.abs()
}

/// The rounding error that may remain of `count` terms of a size that cancel, along a direction.
pub(super) fn cancelled(count: usize, size: f64, direction: f64) -> f64 {
    CANCELLED * (count as f64).sqrt() * size * direction
}

/// The size of loss and gradient; intermediate terms are assumed to be as large.
pub(super) fn size(swept: &Swept) -> f64 {
    largest(&swept.gradient).max(swept.value.abs())
}

/// The largest finite absolute value.
pub(super) fn largest(of: &[f64]) -> f64 {
    of.iter().filter(|v| v.is_finite()).fold(0.0, |m, v| m.max(v.abs()))
}
