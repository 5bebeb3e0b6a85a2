//! [`Plot`]: lines, bands, dots, bars, words and heat maps in one coordinate system; [`figure`] arranges several in
//! rows.

mod axis;
mod heat;

pub use heat::Palette;

use crate::Failure;
use axis::{Axis, Span};
use heat::{color_bar, tiles};
use plotters::prelude::*;
use plotters::style::Color as _;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::ops::Range;

/// Red, green and blue.
pub type Color = RGBColor;

// Colours that colour-blind readers can distinguish (Okabe and Ito 2008).
pub const BLUE: Color = RGBColor(0, 114, 178);
pub const ORANGE: Color = RGBColor(213, 94, 0);
pub const GREEN: Color = RGBColor(0, 158, 115);
pub const PURPLE: Color = RGBColor(204, 121, 167);
pub const SKY: Color = RGBColor(86, 180, 233);
pub const YELLOW: Color = RGBColor(230, 159, 0);
pub const BLACK: Color = RGBColor(0, 0, 0);
pub const GRAY: Color = RGBColor(120, 120, 120);

/// The size of a panel, in half pixels: coordinates are integers, and lines would be jagged in whole pixels.
const SIZE: (u32, u32) = (860, 680);
/// The width of a heat map's colour bar.
const BAR: u32 = 132;

/// The position of the legend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corner {
    UpperLeft,
    UpperRight,
    LowerLeft,
    LowerRight,
}

#[derive(Debug, Clone)]
enum Mark {
    Line { color: Color, name: String, points: Vec<(f64, f64)>, width: u32, dash: bool },
    Band { color: Color, points: Vec<(f64, f64, f64)> },
    Dots { color: Color, name: String, points: Vec<(f64, f64)>, size: u32 },
    Bars { color: Color, name: String, bars: Vec<(Range<f64>, f64)> },
    Words { color: Color, words: Vec<(f64, f64, String)>, size: u32 },
    Cells { x: Range<f64>, y: Range<f64>, rows: Vec<Vec<f64>>, palette: Palette },
}

/// A drawing in one coordinate system.
#[derive(Debug, Clone)]
pub struct Plot {
    title: String,
    x: Axis,
    y: Axis,
    marks: Vec<Mark>,
    legend: Corner,
}

impl Plot {
    /// An empty plot.
    pub fn new(title: impl Into<String>) -> Self {
        let (x, y) = (Axis::default(), Axis::default());
        Plot { title: title.into(), x, y, marks: Vec::new(), legend: Corner::UpperRight }
    }

    /// The name of the horizontal axis.
    pub fn x(mut self, name: impl Into<String>) -> Self {
        self.x.name = name.into();
        self
    }

    /// The name of the vertical axis.
    pub fn y(mut self, name: impl Into<String>) -> Self {
        self.y.name = name.into();
        self
    }

    /// A logarithmic horizontal axis.
    pub fn log_x(mut self) -> Self {
        self.x.is_log = true;
        self
    }

    /// A logarithmic vertical axis.
    pub fn log_y(mut self) -> Self {
        self.y.is_log = true;
        self
    }

    /// The range of the horizontal axis.
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x.range = Some((low, high));
        self
    }

    /// The range of the vertical axis; it points downwards if the first number is the larger one.
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y.range = Some((low, high));
        self
    }

    /// The labels of the horizontal axis, and their positions.
    pub fn x_ticks<S: ToString>(mut self, ticks: impl IntoIterator<Item = (f64, S)>) -> Self {
        self.x.ticks = Some(ticks.into_iter().map(|(at, s)| (at, s.to_string())).collect());
        self
    }

    /// The labels of the vertical axis, and their positions.
    pub fn y_ticks<S: ToString>(mut self, ticks: impl IntoIterator<Item = (f64, S)>) -> Self {
        self.y.ticks = Some(ticks.into_iter().map(|(at, s)| (at, s.to_string())).collect());
        self
    }

    /// The position of the legend, which is drawn if there are names.
    pub fn legend(mut self, corner: Corner) -> Self {
        self.legend = corner;
        self
    }

    /// A line; it is not in the legend if its name is empty.
    pub fn line(self, color: Color, name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.mark(Mark::Line {
            color,
            name: name.into(),
            points: points.into_iter().collect(),
            width: 4,
            dash: false,
        })
    }

    /// A thin line.
    pub fn thin(self, color: Color, name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.mark(Mark::Line {
            color,
            name: name.into(),
            points: points.into_iter().collect(),
            width: 2,
            dash: false,
        })
    }

    /// A dashed line.
    pub fn dashed(self, color: Color, name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.mark(Mark::Line {
            color,
            name: name.into(),
            points: points.into_iter().collect(),
            width: 4,
            dash: true,
        })
    }

    /// The area between two lines, given as (x, lower y, upper y).
    pub fn band(self, color: Color, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Self {
        self.mark(Mark::Band { color, points: points.into_iter().collect() })
    }

    /// Dots.
    pub fn dots(self, color: Color, name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.mark(Mark::Dots { color, name: name.into(), points: points.into_iter().collect(), size: 6 })
    }

    /// Bars from 0 to a height.
    pub fn bars(self, color: Color, name: &str, bars: impl IntoIterator<Item = (Range<f64>, f64)>) -> Self {
        self.mark(Mark::Bars { color, name: name.into(), bars: bars.into_iter().collect() })
    }

    /// Words around points.
    pub fn words<S: ToString>(self, color: Color, words: impl IntoIterator<Item = (f64, f64, S)>) -> Self {
        let words = words.into_iter().map(|(x, y, s)| (x, y, s.to_string())).collect();
        self.mark(Mark::Words { color, words, size: 26 })
    }

    /// A heat map of numbers in rows, the first row at the beginning of `y`, with a bar that shows the number of each
    /// colour. NaN is white.
    pub fn cells(self, x: Range<f64>, y: Range<f64>, rows: Vec<Vec<f64>>, palette: Palette) -> Self {
        self.mark(Mark::Cells { x, y, rows, palette })
    }

    /// A matrix as a heat map, its first row at the top, with the numbers of rows and columns at the axes.
    pub fn matrix(self, rows: Vec<Vec<f64>>, palette: Palette) -> Self {
        let (height, width) = (rows.len() as f64, rows.first().map_or(0, Vec::len) as f64);
        let ticks = |n: f64| {
            let step = [1.0, 2.0, 4.0, 5.0, 8.0, 10.0, 16.0, 20.0]
                .into_iter()
                .find(|s| n / s <= 12.0)
                .unwrap_or(50.0);
            (0..=((n - 1.0) / step) as usize).map(move |i| (i as f64 * step + 0.5, i * step as usize))
        };
        let plot = self.x_range(0.0, width).y_range(height, 0.0).x_ticks(ticks(width)).y_ticks(ticks(height));
        plot.cells(0.0..width, 0.0..height, rows, palette)
    }

    fn mark(mut self, mark: Mark) -> Self {
        self.marks.push(mark);
        self
    }

    /// All x, or all y.
    fn numbers(&self, is_x: bool) -> Vec<f64> {
        let pick = |x: f64, y: f64| if is_x { x } else { y };
        let of = |mark: &Mark| -> Vec<f64> {
            match mark {
                Mark::Line { points, .. } | Mark::Dots { points, .. } => {
                    points.iter().map(|&(x, y)| pick(x, y)).collect()
                }
                Mark::Band { points, .. } => {
                    points.iter().flat_map(|&(x, low, high)| [pick(x, low), pick(x, high)]).collect()
                }
                Mark::Bars { bars, .. } => {
                    bars.iter().flat_map(|(x, y)| [pick(x.start, 0.0), pick(x.end, *y)]).collect()
                }
                Mark::Words { words, .. } => words.iter().map(|(x, y, _)| pick(*x, *y)).collect(),
                Mark::Cells { x, y, .. } => vec![pick(x.start, y.start), pick(x.end, y.end)],
            }
        };
        self.marks.iter().flat_map(of).collect()
    }

    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Failure> {
        let cells = self.marks.iter().find_map(|m| match m {
            Mark::Cells { rows, palette, .. } => Some((palette.range(rows), *palette)),
            _ => None,
        });
        let (width, _) = area.dim_in_pixel();
        let (area, bar) = match cells {
            Some(_) => area.split_horizontally(width - BAR),
            None => (area.clone(), area.clone()),
        };
        let (x, y) = (Span::new(&self.x, self.numbers(true)), Span::new(&self.y, self.numbers(false)));
        let labels = (x.labels.clone(), y.labels.clone());
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", 32))
            .margin(20)
            .margin_right(28)
            .x_label_area_size(84)
            .y_label_area_size(116)
            .build_cartesian_2d(x, y)?;
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(&self.x.name)
            .y_desc(&self.y.name)
            .label_style(("sans-serif", 26))
            .axis_desc_style(("sans-serif", 28))
            .bold_line_style(BLACK.mix(if cells.is_some() { 0.0 } else { 0.12 }))
            .light_line_style(TRANSPARENT);
        mesh.x_label_formatter(&|v| find(&labels.0, *v))
            .y_label_formatter(&|v| find(&labels.1, *v))
            .draw()?;

        let mut has_names = false;
        for mark in &self.marks {
            match mark {
                Mark::Line { color, name, points, width, dash } => {
                    let style = color.stroke_width(*width);
                    let color = *color;
                    let dash = *dash;
                    let drawn = if dash {
                        chart.draw_series(DashedLineSeries::new(self.shown(points), 12, 8, style))?
                    } else {
                        chart.draw_series(LineSeries::new(self.shown(points), style))?
                    };
                    if !name.is_empty() {
                        has_names = true;
                        drawn.label(padded(name)).legend(move |(x, y)| {
                            let ends =
                                if dash { vec![(x, y), (x + 16, y)] } else { vec![(x, y), (x + 44, y)] };
                            PathElement::new(ends, color.stroke_width(6))
                        });
                    }
                }
                Mark::Band { color, points } => {
                    let there = points.iter().filter(|p| self.has(p.0, p.1) && self.has(p.0, p.2));
                    let mut outline: Vec<_> = there.clone().map(|&(x, low, _)| (x, low)).collect();
                    outline.extend(there.rev().map(|&(x, _, high)| (x, high)));
                    chart.draw_series([Polygon::new(outline, color.mix(0.2))])?;
                }
                Mark::Dots { color, name, points, size } => {
                    let dots =
                        self.shown(points).into_iter().map(|at| Circle::new(at, *size, color.filled()));
                    let drawn = chart.draw_series(dots)?;
                    if !name.is_empty() {
                        has_names = true;
                        let color = *color;
                        drawn
                            .label(padded(name))
                            .legend(move |(x, y)| Circle::new((x + 22, y), 8, color.filled()));
                    }
                }
                Mark::Bars { color, name, bars } => {
                    let boxes = bars.iter().map(|(x, height)| {
                        Rectangle::new([(x.start, 0.0), (x.end, *height)], color.mix(0.7).filled())
                    });
                    let drawn = chart.draw_series(boxes)?;
                    if !name.is_empty() {
                        has_names = true;
                        let color = *color;
                        drawn.label(padded(name)).legend(move |(x, y)| {
                            Rectangle::new([(x + 8, y - 10), (x + 36, y + 10)], color.mix(0.7).filled())
                        });
                    }
                }
                Mark::Words { color, words, size } => {
                    let style = TextStyle::from(("sans-serif", *size)).color(color);
                    let style = style.pos(Pos::new(HPos::Center, VPos::Center));
                    chart.draw_series(
                        words.iter().map(|(x, y, s)| Text::new(s.clone(), (*x, *y), style.clone())),
                    )?;
                }
                Mark::Cells { x, y, rows, palette } => {
                    chart.draw_series(tiles(x, y, rows, *palette))?;
                }
            }
        }
        if has_names {
            let position = match self.legend {
                Corner::UpperLeft => SeriesLabelPosition::UpperLeft,
                Corner::UpperRight => SeriesLabelPosition::UpperRight,
                Corner::LowerLeft => SeriesLabelPosition::LowerLeft,
                Corner::LowerRight => SeriesLabelPosition::LowerRight,
            };
            let mut legend = chart.configure_series_labels();
            legend.position(position).legend_area_size(56).margin(16).label_font(("sans-serif", 26));
            legend.background_style(WHITE.mix(0.85)).border_style(BLACK.mix(0.25)).draw()?;
        }
        if let Some((range, palette)) = cells {
            color_bar(&bar, range, palette)?;
        }
        Ok(())
    }

    fn has(&self, x: f64, y: f64) -> bool {
        let there = |axis: &Axis, v: f64| v.is_finite() && (!axis.is_log || v > 0.0);
        there(&self.x, x) && there(&self.y, y)
    }

    fn shown(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        points.iter().copied().filter(|p| self.has(p.0, p.1)).collect()
    }
}

/// The legend reserves too little width for a name.
fn padded(name: &str) -> String {
    format!("{name}  ")
}

fn find(labels: &[(f64, String)], v: f64) -> String {
    labels.iter().find(|(at, _)| *at == v).map(|(_, s)| s.clone()).unwrap_or_default()
}

/// Panels, row by row, as one SVG file.
///
/// # Errors
/// If drawing fails.
pub fn figure(rows: &[&[Plot]]) -> Result<String, Failure> {
    let widest = rows.iter().map(|row| row.len()).max().unwrap_or(1) as u32;
    let size = (widest * SIZE.0, rows.len() as u32 * SIZE.1);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        area.fill(&WHITE)?;
        for (row, plots) in area.split_evenly((rows.len(), 1)).iter().zip(rows) {
            for (panel, plot) in row.split_evenly((1, plots.len())).iter().zip(*plots) {
                plot.draw(panel)?;
            }
        }
        area.present()?;
    }
    // In pixels, with the edges of rectangles on whole pixels, so that neighbours touch, and without attributes that
    // are the default.
    let (outer, inner) = ((size.0 / 2, size.1 / 2), format!("width=\"{}\" height=\"{}\"", size.0, size.1));
    let svg = svg.replacen(&inner, &format!("width=\"{}\" height=\"{}\"", outer.0, outer.1), 1);
    let svg =
        svg.replacen("\">\n", "\">\n<style>rect:not([stroke]){shape-rendering:crispEdges}</style>\n", 1);
    Ok(svg.replace(" opacity=\"1\"", "").replace(" stroke=\"none\"", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_drawn() {
        let plot =
            Plot::new("a < b").x("x").y("y").line(BLUE, "one", [(0.0, 1.0), (1.0, f64::NAN), (2.0, 2.0)]);
        let plot = plot
            .dashed(ORANGE, "two", [(0.0, 0.0), (2.0, 1.0)])
            .band(BLUE, [(0.0, 0.5, 1.5), (2.0, 1.0, 3.0)]);
        let plot = plot
            .dots(GREEN, "three", [(1.0, 1.0)])
            .bars(GRAY, "four", [(0.0..1.0, 2.0)])
            .words(BLACK, [(1.0, 2.0, 7)]);
        let heat = Plot::new("heat").matrix(vec![vec![-1.0, 0.0], vec![0.0, 2.0]], Palette::Signed);
        let log = Plot::new("log").log_x().log_y().thin(SKY, "", [(1.0, 1e-3), (10.0, 0.0), (100.0, 1.0)]);
        let svg = figure(&[&[plot, heat], &[log]]).unwrap();
        assert!(
            ["a &lt; b", "one", "two", "three", "four", "heat", "10⁻²"].iter().all(|s| svg.contains(s)),
            "{svg}"
        );
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"));
    }
}
