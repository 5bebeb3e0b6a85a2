//! Heat maps: numbers as colours.

use super::Color;
use crate::Failure;
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

/// The number of colours.
const STEPS: usize = 40;

/// The palette of a heat map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// Dark for the smallest number, or for 0 if there is no smaller one, bright for the largest (viridis).
    Rising,
    /// White for 0, blue below and orange above, both ends at the same distance from 0.
    Signed,
}

impl Palette {
    /// The colour at `t`, from 0 to 1.
    pub(super) fn at(self, t: f64) -> Color {
        const VIRIDIS: [[f64; 3]; 9] = [
            [68.0, 1.0, 84.0],
            [71.0, 45.0, 123.0],
            [59.0, 82.0, 139.0],
            [44.0, 114.0, 142.0],
            [33.0, 145.0, 140.0],
            [40.0, 174.0, 128.0],
            [94.0, 201.0, 98.0],
            [173.0, 220.0, 48.0],
            [253.0, 231.0, 37.0],
        ];
        const SIGNED: [[f64; 3]; 5] = [
            [0.0, 60.0, 110.0],
            [86.0, 160.0, 210.0],
            [250.0, 250.0, 250.0],
            [240.0, 150.0, 70.0],
            [170.0, 60.0, 0.0],
        ];
        let anchors: &[[f64; 3]] = if self == Palette::Rising { &VIRIDIS } else { &SIGNED };
        let at = t.clamp(0.0, 1.0) * (anchors.len() - 1) as f64;
        let (low, part) =
            ((at as usize).min(anchors.len() - 2), at - at.floor().min((anchors.len() - 2) as f64));
        let mixed =
            |c: usize| (anchors[low][c] + part * (anchors[low + 1][c] - anchors[low][c])).round() as u8;
        RGBColor(mixed(0), mixed(1), mixed(2))
    }

    /// The smallest and the largest number that have a colour.
    pub(super) fn range(self, values: &[Vec<f64>]) -> (f64, f64) {
        let all = values.iter().flatten().copied().filter(|v| v.is_finite());
        let (low, high) = all.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        match self {
            Palette::Rising => (low.min(0.0), if high > low.min(0.0) { high } else { low + 1.0 }),
            Palette::Signed => {
                let most = low.abs().max(high.abs()).max(f64::MIN_POSITIVE);
                (-most, most)
            }
        }
    }
}

/// One rectangle for neighbours of one colour, none for NaN.
pub(super) fn tiles(
    x: &Range<f64>,
    y: &Range<f64>,
    rows: &[Vec<f64>],
    palette: Palette,
) -> Vec<Rectangle<(f64, f64)>> {
    let (low, high) = palette.range(rows);
    let step = |v: f64| v.is_finite().then(|| ((v - low) / (high - low) * STEPS as f64).round());
    let mut tiles = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let edge = |i: usize, n: usize, r: &Range<f64>| r.start + (r.end - r.start) * i as f64 / n as f64;
        let mut start = 0;
        for j in 1..=row.len() {
            if j == row.len() || step(row[j]) != step(row[start]) {
                let corners = [
                    (edge(start, row.len(), x), edge(i, rows.len(), y)),
                    (edge(j, row.len(), x), edge(i + 1, rows.len(), y)),
                ];
                if let Some(step) = step(row[start]) {
                    tiles.push(Rectangle::new(corners, palette.at(step / STEPS as f64).filled()));
                }
                start = j;
            }
        }
    }
    tiles
}

/// A bar that shows the number of each colour.
pub(super) fn color_bar(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    (low, high): (f64, f64),
    palette: Palette,
) -> Result<(), Failure> {
    let (_, height) = area.dim_in_pixel();
    let (top, bottom) = (72, height as i32 - 108);
    let y = |t: f64| bottom + ((top - bottom) as f64 * t).round() as i32;
    for i in 0..STEPS {
        let (from, to) = (i as f64 / STEPS as f64, (i + 1) as f64 / STEPS as f64);
        let color = palette.at(0.5 * (from + to));
        area.draw(&Rectangle::new([(4, y(to)), (28, y(from) + 1)], color.filled()))?;
    }
    let style = TextStyle::from(("sans-serif", 24)).pos(Pos::new(HPos::Left, VPos::Center));
    for (at, said) in [(0.0, low), (0.5, 0.5 * (low + high)), (1.0, high)] {
        area.draw(&Text::new(short(said), (36, y(at)), style.clone()))?;
    }
    Ok(())
}

/// Two significant digits.
fn short(v: f64) -> String {
    match v.abs() {
        0.0 => "0".into(),
        a if !(1e-3..1e5).contains(&a) => format!("{v:.1e}"),
        a if a >= 9.95 => format!("{v:.0}"),
        a => format!("{v:.*}", (1.0 - a.log10().floor()) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([short(0.0), short(0.1234), short(-12.3), short(2.46)], ["0", "0.12", "-12", "2.5"]);
    }
}
