//! Learning curves: every measure over the epochs, drawn as SVG.

use crate::epoch::{Epoch, names};
use crate::error::{Error, Result};
use crate::measures::{Measures, MetricKind};
use crate::ticks::{label, ticks};
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

const SIZE: (u32, u32) = (800, 500);
/// Blue and orange that colour-blind readers can distinguish (Okabe and Ito 2008).
const TRAIN: RGBColor = RGBColor(0, 114, 178);
const TEST: RGBColor = RGBColor(213, 94, 0);
/// With more epochs than this, the dots that mark them would overlap and are left out.
const MOST_DOTS: usize = 40;
/// If the values of a measure span less than this factor, a logarithmic axis shows no more than a linear one.
const WIDE: f64 = 2.0;

/// A picture of one measure over the epochs. See [`curves`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// The measure.
    pub measure: String,
    /// The whole SVG file.
    pub svg: String,
}

/// Draws the learning curves of a run, one per measure, under `title`. Shares are drawn in percent; other measures are drawn on a
/// logarithmic axis if all values are above 0.
///
/// ```
/// use wengert_train::{Epoch, Measures, curves};
/// let score = |loss, correct| Measures::new(100).mean("loss", loss, 100.0).share("accuracy", correct, 100);
/// let epoch = |number, loss| Epoch { number, train: score(loss, 90), test: score(2.0 * loss, 85), seconds: 0.1 };
/// let pictures = curves("mlp on digits", &[epoch(1, 0.5), epoch(2, 0.25), epoch(3, 0.125)])?;
/// assert_eq!((&pictures[0].measure[..], &pictures[1].measure[..]), ("loss", "accuracy"));
/// assert!(pictures[0].svg.starts_with("<svg") && pictures[0].svg.contains("mlp on digits"));
/// assert!(pictures[1].svg.contains("epoch") && pictures[1].svg.contains("test"));
/// # Ok::<(), wengert_train::Error>(())
/// ```
///
/// # Errors
/// If drawing fails.
pub fn curves(title: &str, epochs: &[Epoch]) -> Result<Vec<Curve>> {
    let mut all = names(epochs, |e| &e.train);
    all.extend(names(epochs, |e| &e.test).into_iter().filter(|name| !all.contains(name)).collect::<Vec<_>>());
    let drawn = |e: Box<dyn std::error::Error>| Error::Curves(e.to_string());
    let picture = |measure: String| {
        let svg = curve(title, &measure, epochs).map_err(drawn)?;
        Ok(Curve { measure, svg })
    };
    all.into_iter().map(picture).collect()
}

fn curve(title: &str, name: &str, epochs: &[Epoch]) -> Result<String, Box<dyn std::error::Error>> {
    let forms = epochs.iter().flat_map(|e| [&e.train, &e.test]).filter_map(|m| m.measure(name));
    let share = forms.map(|m| m.form()).any(|form| form == MetricKind::Share);
    let scale = if share { 100.0 } else { 1.0 };
    let value = |m: &Measures| m.get(name).map(|v| scale * v).filter(|v| v.is_finite());
    let (upper, lower) = (SeriesLabelPosition::UpperRight, SeriesLabelPosition::LowerRight);
    // Losses fall and accuracies rise, so these corners are free.
    let found = range(epochs, value);
    if share {
        let lowest = found.map_or(0.0, |(lowest, _)| lowest);
        let axis = format!("{name} (%)");
        return draw([title, name, &axis], (lowest - 1.0).max(0.0).floor()..100.0, epochs, value, lower);
    }
    match found.unwrap_or((0.1, 1.0)) {
        (lowest, highest) if lowest > 0.0 && (epochs.len() < 2 || highest / lowest > WIDE) => {
            let (lowest, highest) = (0.8 * lowest, 1.25 * highest);
            let values = (lowest..highest).log_scale().with_key_points(ticks(lowest, highest));
            draw([title, name, name], values, epochs, value, upper)
        }
        (lowest, highest) => {
            let margin = (0.05 * (highest - lowest)).max(1e-3 * highest.abs()).max(1e-9);
            draw([title, name, name], lowest - margin..highest + margin, epochs, value, upper)
        }
    }
}

/// The smallest and the largest value over all epochs.
fn range(epochs: &[Epoch], value: impl Fn(&Measures) -> Option<f64>) -> Option<(f64, f64)> {
    let values = epochs.iter().flat_map(|e| [value(&e.train), value(&e.test)]).flatten();
    values.map(|v| (v, v)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn draw<Y>(
    [title, quantity, axis]: [&str; 3],
    range: Y,
    epochs: &[Epoch],
    value: impl Fn(&Measures) -> Option<f64>,
    legend: SeriesLabelPosition,
) -> Result<String, Box<dyn std::error::Error>>
where
    Y: AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let last = epochs.last().map_or(0, |e| e.number).max(2);
    let mut chart = ChartBuilder::on(&area)
        .caption(format!("{title}: {quantity}"), ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(72)
        .build_cartesian_2d(1..last, range)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .y_desc(axis)
        .x_labels(12)
        .y_labels(10)
        .y_label_formatter(&|v| label(*v))
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 17))
        .bold_line_style(BLACK.mix(0.15))
        .light_line_style(TRANSPARENT)
        .draw()?;
    let values = |part: fn(&Epoch) -> &Measures| -> Vec<_> {
        epochs.iter().filter_map(|e| Some((e.number, value(part(e))?))).collect()
    };
    let lines: [(&str, RGBColor, Vec<_>); 2] =
        [("train", TRAIN, values(|e| &e.train)), ("test", TEST, values(|e| &e.test))];
    for (name, color, points) in lines.into_iter().filter(|(_, _, points)| !points.is_empty()) {
        let dots = if points.len() <= MOST_DOTS { 3 } else { 0 };
        let line = LineSeries::new(points, color.stroke_width(2)).point_size(dots);
        let key = move |(x, y)| PathElement::new([(x, y), (x + 24, y)], color.stroke_width(3));
        chart.draw_series(line)?.label(name).legend(key);
    }
    chart
        .configure_series_labels()
        .position(legend)
        .legend_area_size(32)
        .margin(12)
        .label_font(("sans-serif", 16))
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    drop(chart);
    drop(area);
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(n: usize, loss: impl Fn(usize) -> f64) -> Vec<Epoch> {
        let score =
            |loss, correct| Measures::new(1000).mean("loss", loss, 1.0).share("accuracy", correct, 1000);
        let epoch = |number| Epoch {
            number,
            train: score(loss(number), 1000 - 500 / number).mean("a/b", -1.0, 1.0),
            test: score(1.5 * loss(number), 980 - 500 / number),
            seconds: 0.1,
        };
        (1..=n).map(epoch).collect()
    }

    /// Whether every element is closed in order, and no number is NaN or infinite.
    fn is_well_formed(svg: &str) -> bool {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let Some((tag, _)) = tag.split_once('>') else {
                return false;
            };
            let name = tag.split([' ', '/']).next().unwrap_or_default();
            match (tag.strip_prefix('/'), tag.ends_with('/')) {
                (Some(closed), _) if open.pop() != Some(closed) => return false,
                (None, false) => open.push(name),
                _ => {}
            }
        }
        open.is_empty() && !svg.contains("NaN") && !svg.contains("inf")
    }

    #[test]
    fn any_run_can_be_drawn() {
        let halves = |n: usize| 0.5f64.powi(n as i32);
        assert!(curves("nothing", &[]).unwrap().is_empty());
        for epochs in [
            epochs(1, halves),
            epochs(2, |_| 0.0),
            epochs(30, halves),
            epochs(30, |n| n as f64 - 15.0),
            epochs(500, |n| n as f64),
            epochs(3, |_| 1e30),
            epochs(3, |n| if n == 2 { f64::NAN } else { 1.0 }),
        ] {
            let pictures = curves("a < b & c", &epochs).unwrap();
            assert_eq!(pictures.len(), 3);
            for Curve { measure, svg } in pictures {
                assert!(is_well_formed(&svg), "{svg}");
                assert!(["train", "epoch", "a &lt; b &amp; c"].iter().all(|word| svg.contains(word)));
                assert_eq!(svg.contains("test"), measure != "a/b");
            }
        }
    }

    #[test]
    fn axes_carry_numbers() {
        let narrow = curves("run", &epochs(2, |n| 0.5 - 0.1 * n as f64)).unwrap();
        let pictures = curves("run", &epochs(30, |n| 1.0 / n as f64)).unwrap();
        let texts = |svg: &str| svg.lines().map(str::trim).filter(|l| l.parse::<f64>().is_ok()).count();
        for picture in pictures.iter().chain(&narrow).filter(|p| p.measure != "a/b") {
            assert!(texts(&picture.svg) >= 6, "{}", picture.svg);
        }
    }
}
