//! The marks of a logarithmic axis: round numbers, as few as an axis can be read by.

/// With fewer marks than this, values cannot be read.
const FEWEST: usize = 4;
/// With more marks than this, their labels overlap.
const MOST: usize = 10;

/// Round numbers from `low` to `high`, where 0 < `low` ≤ `high`: powers of ten. Where there are too few of these, also their
/// multiples by 2 and 5, then all multiples, then the multiples of a round step.
pub(crate) fn ticks(low: f64, high: f64) -> Vec<f64> {
    for digits in [&[1][..], &[1, 2, 5], &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        let marks = multiples(digits, low, high);
        if marks.len() >= FEWEST {
            return marks.iter().copied().step_by(marks.len().div_ceil(MOST)).collect();
        }
    }
    steps(low, high)
}

/// The powers of ten times each of the digits.
fn multiples(digits: &[i32], low: f64, high: f64) -> Vec<f64> {
    let exponents = low.log10().floor() as i32..=high.log10().ceil() as i32;
    exponents
        // Parsed from text, each mark is the double nearest to its decimal value.
        .flat_map(|e| digits.iter().filter_map(move |d| format!("{d}e{e}").parse().ok()))
        .filter(|mark| (low..=high).contains(mark))
        .collect()
}

/// Multiples of the largest round step with enough marks.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let most = (high - low) / FEWEST as f64;
    let power = 10f64.powi(most.log10().floor() as i32);
    let step = [5.0, 2.0, 1.0].map(|d| d * power).into_iter().find(|&s| s <= most).unwrap_or(power);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).map(|i| i as f64 * step).collect()
}

/// The label of a mark, without superfluous digits.
pub(crate) fn label(v: f64) -> String {
    if v != 0.0 && !(1e-4..1e5).contains(&v.abs()) {
        return format!("{v:e}");
    }
    let rounded = format!("{v:.6}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_neither_few_nor_many() {
        assert_eq!(ticks(0.002, 30.0), [0.01, 0.1, 1.0, 10.0]);
        assert_eq!(ticks(0.03, 1.8), [0.05, 0.1, 0.2, 0.5, 1.0]);
        assert_eq!(ticks(0.24, 0.75), [0.3, 0.4, 0.5, 0.6, 0.7]);
        let labels: Vec<String> = ticks(0.405, 0.475).into_iter().map(label).collect();
        assert_eq!(labels, ["0.41", "0.42", "0.43", "0.44", "0.45", "0.46", "0.47"]);
        for (low, high) in
            [(1e-6, 1e-5), (1e-6, 1e30), (0.8, 1.25), (3.0, 3.1), (8e-7, 1.25e-6), (1e20, 3e20)]
        {
            let ticks = ticks(low, high);
            assert!((FEWEST..=MOST).contains(&ticks.len()), "{low} to {high}: {ticks:?}");
            assert!(ticks.is_sorted() && ticks.iter().all(|t| (low..=high).contains(t)), "{ticks:?}");
        }
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.0, 100.0, 97.5, 0.3, 1e-6, 2e30].map(label);
        assert_eq!(labels, ["0", "100", "97.5", "0.3", "1e-6", "2e30"]);
    }
}
