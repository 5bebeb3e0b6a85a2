//! [`Comparison`]: all checks of a model at one point, in one mode.

use super::check::ModuleCheck;
use super::line::{Judged, Line, cancelled, largest, size};
use super::report::{Compared, ModuleMismatch, ModuleReport, Setting, worse};
use super::subject::{Subject, Swept};
use crate::module::Module;
use std::ops::Range;
use wengert_ops::Shape;
use wengert_tape::Result;
use wengert_tape::gradcheck::{Differences, Verdict};

const ALLOW: &str = "allow_non_finite() if that is meant";

pub(super) struct Comparison<'c, 'a, M> {
    check: &'c ModuleCheck,
    setting: Setting,
    subject: &'c mut Subject<'a, M>,
    report: &'c mut ModuleReport,
    /// The derivatives that were already reported as not comparable.
    said: Vec<(Compared, String)>,
}

impl<'c, 'a, M: Module> Comparison<'c, 'a, M> {
    pub(super) fn new(
        check: &'c ModuleCheck,
        setting: Setting,
        subject: &'c mut Subject<'a, M>,
        report: &'c mut ModuleReport,
    ) -> Self {
        Comparison { check, setting, subject, report, said: Vec::new() }
    }

    /// Checks everything; returns the names of parameters without a gradient.
    pub(super) fn run(&mut self) -> Result<Vec<String>> {
        let before = self.report.faults();
        let swept = self.subject.swept_at(&[], 0.0)?;
        if !swept.value.is_finite() {
            self.report.skipped += 1;
            if !self.check.allow_non_finite {
                self.report.fail(format!("{}: the loss is {:?}; {ALLOW}", self.setting, swept.value));
            }
        } else if self.repeats(&swept)? && self.subject.len() > 0 {
            self.recorded(&swept)?;
            for d in 0..self.check.directions {
                self.slopes(d, &swept)?;
            }
            if self.check.order > 1 && self.report.faults() == before {
                for d in 0..self.check.directions {
                    self.curvature(d, &swept)?;
                }
            }
        }
        Ok(swept.unused)
    }

    /// Whether a second evaluation and a second sweep give the same bits.
    fn repeats(&mut self, swept: &Swept) -> Result<bool> {
        let again = self.subject.swept_at(&[], 0.0)?;
        let differs = |(a, b): (&f64, &f64)| a.to_bits() != b.to_bits();
        let what = if again.value.to_bits() != swept.value.to_bits() {
            format!("the loss is {:?}, and {:?} when evaluated again", swept.value, again.value)
        } else if let Some(k) = swept.gradient.iter().zip(&again.gradient).position(differs) {
            let (part, index, _) = self.element(k);
            let (name, a, b) = (&self.subject.parts[part].name, swept.gradient[k], again.gradient[k]);
            format!("the gradient of {name} {index:?} is {a:?}, and {b:?} when computed again")
        } else {
            return Ok(true);
        };
        self.report.fail(format!("{}: not deterministic: {what}", self.setting));
        Ok(false)
    }

    /// Compares the recorded gradient with the swept one, element by element.
    fn recorded(&mut self, swept: &Swept) -> Result<()> {
        let (recorded, _) = self.subject.recorded(None)?;
        let rounding = 1e-11 * size(swept);
        for (k, (&s, &r)) in swept.gradient.iter().zip(&recorded).enumerate() {
            let close = (s - r).abs() <= self.check.tolerance.rtol * s.abs() + rounding;
            if !(close || s == r || s.is_nan() && r.is_nan()) {
                let m = self.mismatch(Compared::Recorded, Ok(k), (s, s), r, None);
                self.report.error(m.relative_error());
                self.report.mismatch(m);
            }
        }
        Ok(())
    }

    /// Checks the first order along a direction: each part alone, on its own scale, and all together.
    fn slopes(&mut self, d: usize, swept: &Swept) -> Result<()> {
        let v = self.subject.direction(self.seed(d))?;
        let all = 0..v.len();
        let parts: Vec<(usize, Range<usize>)> = self
            .subject
            .parts
            .iter()
            .map(|p| p.range.clone())
            .enumerate()
            .filter(|(_, r)| !r.is_empty())
            .collect();
        let mut alone = Vec::new();
        let mut line = Line { check: self.check, subject: self.subject, swept, v: &v };
        let mut together = line.judge(all.clone())?;
        let mut place = Err(None);
        if let [(only, _)] = parts[..] {
            place = Err(Some(only));
        } else {
            for (part, range) in parts {
                let (judged, k) = line.resolve(range)?;
                alone.push((judged, k.ok_or(Some(part))));
            }
        }
        let explained = alone.iter().any(|(judged, _)| !judged.is_right());
        if alone.iter().any(|(judged, _)| judged.is_kink()) && !together.is_right() && !explained {
            together = together.at_kink();
        } else if !together.is_right() && !explained || together.is_kink() && alone.is_empty() {
            let (judged, k) = line.find(all, together)?;
            (together, place) = (judged, k.map_or(place, Ok));
        }
        for (judged, place) in alone {
            let error = self.settle(Compared::Swept, place, judged, d);
            self.report.error(error.unwrap_or(0.0));
        }
        if together.is_right() || !explained {
            let error = self.settle(Compared::Swept, place, together, d);
            self.report.first.extend(error);
        } else {
            // The fault has been reported already.
            self.report.compared += 1;
            self.report.first.push(together.error());
        }
        Ok(())
    }

    /// Checks the second order along a direction: H v on the tape against differences of the gradient.
    fn curvature(&mut self, d: usize, swept: &Swept) -> Result<()> {
        let v = self.subject.direction(self.seed(d))?;
        let (_, curvature) = self.subject.recorded(Some(&v))?;
        let rounding = cancelled(v.len(), size(swept).max(largest(&curvature)), largest(&v));
        let parts: Vec<Range<usize>> = self.subject.parts.iter().map(|p| p.range.clone()).collect();
        let subject = &mut *self.subject;
        let gradient = |t: f64| Ok(subject.swept_at(&v, t)?.gradient);
        let mut differences = Differences::new(gradient, swept.gradient.clone(), 0.0, self.check.step);
        let mut all = Vec::with_capacity(v.len());
        for part in parts {
            let scale = largest(&curvature[part.clone()]);
            for k in part {
                let got = curvature[k];
                let verdict = differences.judge(k, got, scale, rounding, self.check.tolerance)?;
                all.push(Judged::new(verdict, got, scale.max(rounding)));
            }
        }
        drop(differences);
        let mut worst: Option<f64> = None;
        for (k, judged) in all.into_iter().enumerate() {
            if let Some(error) = self.settle(Compared::Curvature, Ok(k), judged, d) {
                worst = Some(worse(worst.unwrap_or(0.0), error));
            }
        }
        self.report.second.extend(worst);
        Ok(())
    }

    /// Counts a verdict and records a fault; returns the error, or `None` if an unknown verdict is allowed.
    fn settle(&mut self, compared: Compared, place: Place, judged: Judged, d: usize) -> Option<f64> {
        let expected = match judged.verdict {
            Verdict::Different(l, r) => (l, r),
            Verdict::Unknown(_) => (f64::NAN, f64::NAN),
            Verdict::Equal(_) | Verdict::Kink => {
                self.report.compared += 1;
                self.report.kinks += usize::from(judged.is_kink());
                return Some(judged.error());
            }
        };
        let m = self.mismatch(compared, place, expected, judged.got, Some(d));
        if let Verdict::Unknown(why) = judged.verdict {
            self.report.skipped += 1;
            if self.check.allow_non_finite {
                return None;
            }
            let key = (compared, m.name.clone());
            if !self.said.contains(&key) {
                self.said.push(key);
                let what = m.place();
                self.report
                    .fail(format!("{what}: cannot be compared with the tape's {:?}: {why}; {ALLOW}", m.tape));
            }
        } else {
            self.report.compared += 1;
            self.report.mismatch(m);
        }
        Some(judged.error())
    }

    fn mismatch(
        &self,
        compared: Compared,
        place: Place,
        expected: (f64, f64),
        tape: f64,
        direction: Option<usize>,
    ) -> ModuleMismatch {
        let parts = &self.subject.parts;
        let (name, index, at) = match place {
            Ok(k) => {
                let (part, index, at) = self.element(k);
                (parts[part].name.clone(), Some(index), at)
            }
            Err(Some(part)) => (parts[part].name.clone(), None, f64::NAN),
            Err(None) => ("all parameters".to_owned(), None, f64::NAN),
        };
        let (setting, seed) = (self.setting, self.check.seed);
        ModuleMismatch { setting, compared, name, index, at, expected, tape, more: 0, seed, direction }
    }

    /// The part, the indices and the value of an element, by its number among those of all parts.
    fn element(&self, k: usize) -> (usize, Vec<usize>, f64) {
        let parts = &self.subject.parts;
        let part = parts.iter().position(|p| p.range.contains(&k)).unwrap_or(0);
        let index = index_of(k - parts[part].range.start, parts[part].start.shape());
        let at = parts[part].start.get(&index).unwrap_or(f64::NAN);
        (part, index, at)
    }

    fn seed(&self, direction: usize) -> u64 {
        // The stream differs from that of a program with the same seed.
        (self.check.seed ^ 0x5eed).wrapping_add((direction as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The subject of a verdict: `Ok(k)` for element k, `Err(Some(part))` for a part, `Err(None)` for all parts.
type Place = std::result::Result<usize, Option<usize>>;

/// The indices of an element, by its number.
fn index_of(element: usize, shape: &Shape) -> Vec<usize> {
    let mut rest = element;
    let mut index = vec![0; shape.len()];
    for (i, d) in index.iter_mut().zip(shape.iter()).rev() {
        *i = rest % (*d).max(1);
        rest /= (*d).max(1);
    }
    index
}
