//! Axes, linear and logarithmic, with round ticks.

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use std::ops::Range;

#[derive(Debug, Clone, Default)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) is_log: bool,
    pub(super) range: Option<(f64, f64)>,
    pub(super) ticks: Option<Vec<(f64, String)>>,
}

/// An axis with its ticks.
#[derive(Debug, Clone)]
pub(super) struct Span {
    low: f64,
    high: f64,
    is_log: bool,
    pub(super) labels: Vec<(f64, String)>,
}

impl Span {
    pub(super) fn new(axis: &Axis, numbers: Vec<f64>) -> Self {
        let there = numbers.into_iter().filter(|v| v.is_finite() && (!axis.is_log || *v > 0.0));
        let found = there.map(|v| (v, v)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let (low, high) = axis.range.unwrap_or_else(|| {
            let (low, high) = found.unwrap_or((0.1, 1.0));
            if axis.is_log {
                let margin = (high / low).powf(0.04).max(1.1);
                (low / margin, high * margin)
            } else {
                let margin = if high > low { 0.04 * (high - low) } else { 0.5 };
                // Data that begins at 0 is drawn from there.
                (if low == 0.0 { 0.0 } else { low - margin }, high + margin)
            }
        });
        let labels = axis.ticks.clone().unwrap_or_else(|| ticks(low.min(high), low.max(high), axis.is_log));
        Span { low, high, is_log: axis.is_log, labels }
    }
}

impl Ranged for Span {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, v: &f64, limit: (i32, i32)) -> i32 {
        let along = |v: f64| if self.is_log { v.max(f64::MIN_POSITIVE).ln() } else { v };
        let linear = RangedCoordf64::from(along(self.low)..along(self.high));
        linear.map(&along(*v), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.labels.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Span {
    fn format(v: &f64) -> String {
        v.to_string()
    }
}

/// Round numbers, about eight of them at most.
fn ticks(low: f64, high: f64, is_log: bool) -> Vec<(f64, String)> {
    if is_log {
        let (first, last) = (low.log10().ceil() as i32, high.log10().floor() as i32);
        if last - first >= 2 {
            let step = ((last - first) / 7).max(1);
            let all = (first..=last).filter(|e| e % step == 0);
            return all.map(|e| (10f64.powi(e), power(e))).collect();
        }
        let digits: &[f64] =
            if (high / low).log10() > 1.2 { &[1.0, 3.0] } else { &[1.0, 2.0, 3.0, 5.0, 7.0] };
        let all = (first - 1..=last).flat_map(|e| digits.iter().map(move |d| (d, e)));
        let all =
            all.map(|(d, e)| (d * 10f64.powi(e), format!("{:.*}", (-e).max(0) as usize, d * 10f64.powi(e))));
        return all.filter(|(v, _)| (low..=high).contains(v)).collect();
    }
    let rough = (high - low) / 6.0;
    let unit = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|s| s * unit >= 0.999 * rough).unwrap_or(10.0) * unit;
    let digits = (0..12).find(|&d| (step * 10f64.powi(d)).fract().abs() < 1e-9).unwrap_or(12) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|i| (i as f64 * step, format!("{:.digits$}", i as f64 * step))).collect()
}

/// 10 to a power.
fn power(e: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        _ => ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][c.to_digit(10).unwrap_or(0) as usize],
    };
    match e {
        0 => "1".into(),
        1 => "10".into(),
        _ => format!("10{}", e.to_string().chars().map(digit).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(low: f64, high: f64, is_log: bool) -> Vec<String> {
        ticks(low, high, is_log).into_iter().map(|(_, s)| s).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(written(-0.1, 1.1, false), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(written(0.0, 50.0, false), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(written(1e-6, 1.0, true).first().map(String::as_str), Some("10⁻⁶"));
        assert_eq!(written(0.01, 0.05, true), ["0.01", "0.02", "0.03", "0.05"]);
    }
}
