//! A trace as text: the list, the sweep, and the gradients, in columns if they fit.

use crate::math::Markup;
use crate::trace::{Kind, Step, Trace};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The largest width of a table.
const WIDEST: usize = 160;

/// The trace as a text of at most `width` columns.
///
/// ```
/// use wengert_trace::expression::Expression;
/// let trace = Expression::parse("w*x")?.trace(&[("w", 2.0), ("x", 3.0)])?;
/// let text = wengert_trace::text::table(&trace, 80);
/// assert!(text.contains("ȳ") || text.contains("v̄₂ · x"), "{text}");
/// let narrow = wengert_trace::text::table(&trace, 24);
/// assert!(narrow.lines().all(|l| l.chars().count() <= 30), "{narrow}");
/// # Ok::<(), wengert_trace::Error>(())
/// ```
pub fn table(trace: &Trace, width: usize) -> String {
    let width = width.clamp(20, WIDEST);
    let mut out = format!("{}\n", trace.title);
    out += "\nForward\n";
    out += &grid(&["node", "operation", "equation", "value"], &forward(trace), width);
    out += "\nReverse\n";
    out += &grid(&["from", "to", "local derivative", "adds", "sum"], &reverse(trace), width);
    out += "\nGradients\n";
    out += &grid(&["", "value"], &gradients(trace), width);
    out.truncate(out.trim_end().len());
    out
}

fn forward(trace: &Trace) -> Vec<Vec<String>> {
    let row = |(i, n): (usize, &crate::Node)| {
        let name = trace.name(i, Markup::Text);
        let kind = match n.kind {
            Kind::Computed => n.op.clone().unwrap_or_default(),
            Kind::Input => "input".into(),
            Kind::Parameter => "parameter".into(),
            Kind::Constant => "constant".into(),
        };
        let equation = n.formula.as_ref().map(|m| format!("{name} = {}", trace.text(m))).unwrap_or_default();
        let value = n.value.as_ref().map_or("freed".into(), ToString::to_string);
        vec![name, kind, equation, value]
    };
    trace.nodes.iter().enumerate().map(row).collect()
}

fn reverse(trace: &Trace) -> Vec<Vec<String>> {
    let row = |g: &crate::Contribution| {
        let slope = g.derivative.as_ref().map(|d| trace.text(d));
        let slope = match (slope, g.slope.as_ref().filter(|s| s.fits_a_formula())) {
            (Some(d), Some(v)) if d != v.to_string() => format!("{d} = {v}"),
            (Some(d), _) => d,
            (None, Some(v)) => v.to_string(),
            (None, None) => String::new(),
        };
        let adds = format!("{} = {}", trace.text(&g.by), g.adds);
        let sum = format!("{} = {}", trace.cotangent_name(g.to, Markup::Text), g.sum);
        vec![trace.name(g.from, Markup::Text), trace.name(g.to, Markup::Text), slope, adds, sum]
    };
    trace.reverse.iter().map(row).collect()
}

fn gradients(trace: &Trace) -> Vec<Vec<String>> {
    let name = trace.name(trace.output, Markup::Text);
    let leaves =
        trace.nodes.iter().enumerate().filter(|(_, n)| matches!(n.kind, Kind::Input | Kind::Parameter));
    let row = |(i, n): (usize, &crate::Node)| {
        let of = format!("∂{name}/∂{}", trace.name(i, Markup::Text));
        vec![of, n.gradient.as_ref().map_or("none".into(), ToString::to_string)]
    };
    leaves.map(row).collect()
}

/// Rows in columns; if they do not fit, one line for each cell.
fn grid(heads: &[&str], rows: &[Vec<String>], width: usize) -> String {
    let columns = heads.len();
    let measure = |c: usize| {
        let cells = rows.iter().map(|r| r[c].width());
        cells.max().unwrap_or(0).max(heads[c].width())
    };
    let widths: Vec<usize> = (0..columns).map(measure).collect();
    let whole = 2 + widths.iter().sum::<usize>() + 2 * (columns - 1);
    if whole <= width {
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).map(|(c, w)| format!("{c}{}", " ".repeat(w - c.width())));
            format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
        };
        let heads: Vec<String> = heads.iter().map(|h| (*h).to_owned()).collect();
        let head = if heads.iter().any(|h| !h.is_empty()) { line(&heads) } else { String::new() };
        return head + &rows.iter().map(|r| line(r)).collect::<String>();
    }
    let mut out = String::new();
    for row in rows {
        for (c, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let (indent, head) = if c == 0 { ("  ", "") } else { ("    ", heads[c]) };
            let space = if head.is_empty() { "" } else { " " };
            out += &wrapped(&format!("{head}{space}{cell}"), indent, width);
        }
    }
    out
}

/// A text broken into lines at spaces, and inside words that are longer than a line.
pub fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let room = width.saturating_sub(indent.width()).max(8);
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            out += &format!("{indent}{line}\n");
            line = "  ".into();
        } else if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > room {
                out += &format!("{indent}{line}\n");
                line = "  ".into();
            }
            line.push(c);
        }
    }
    out + &format!("{indent}{line}\n")
}

/// One step as text.
pub fn step(trace: &Trace, step: Step, width: usize) -> String {
    let d = trace.describe(step);
    let mut out = wrapped(&d.title, "", width);
    for ((caption, _), equation) in d.equations.iter().zip(trace.equations(&d)) {
        out += &wrapped(&format!("{caption}: {equation}"), "  ", width);
    }
    out
}
