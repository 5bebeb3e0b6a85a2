//! A trace as one page for a browser: the graph, every step forward and back, equations with numbers. It contains
//! everything it needs, makes no network requests, and opens from a file.

use crate::describe::Side;
use crate::layout::{Layout, layered};
use crate::math::{Markup, Math, escaped};
use crate::trace::{Kind, Step, Trace};
use crate::value::Value;
use serde::Serialize;
use std::fmt::Write;
use unicode_width::UnicodeWidthStr;

/// The size of a box and of its cell.
const BOX: (f64, f64) = (190.0, 66.0);
const CELL: (f64, f64) = (240.0, 82.0);
const MARGIN: f64 = 16.0;
/// The largest number of nodes for which the page explains each.
const EXPLAINED: usize = 1000;
/// The number of letters of a line that fit into a box. `LETTERS` is the width of a letter of the name and of one of
/// the operation, in units of the box.
const COLUMNS: usize = 22;
/// The number of letters of an equation that fit into a row of the table.
const ROW: usize = 140;
const LETTERS: (f64, f64) = (8.5, 7.3);

#[derive(Serialize)]
struct Data {
    output: usize,
    nodes: Vec<PageNode>,
    steps: Vec<PageStep>,
}

#[derive(Serialize)]
struct PageNode {
    name: String,
    cotangent: String,
    inputs: Vec<usize>,
    leaf: bool,
    value: Number,
    /// Equation, source, and explanation.
    about: Vec<(&'static str, String)>,
    math: Option<String>,
}

/// A value as it is shown in the table and in the graph, and in full if it is a number.
#[derive(Serialize, Default)]
struct Number {
    text: String,
    label: String,
    exact: Option<String>,
}

#[derive(Serialize)]
struct PageStep {
    kind: &'static str,
    /// The node that changes in the step.
    node: usize,
    /// The node that adds to its cotangent.
    from: Option<usize>,
    /// Its cotangent after the step.
    sum: Option<Number>,
    title: String,
    /// Equations with captions: pieces of markup, and the whole as text.
    equations: Vec<(String, Vec<String>, String)>,
}

impl Number {
    fn of(v: Option<&Value>) -> Self {
        v.map_or_else(Number::default, |v| Number {
            // A row has only a few lines.
            text: if v.summary.is_some() { v.to_string() } else { v.brief(ROW / 2) },
            label: shortened(&v.brief(COLUMNS), COLUMNS),
            // In JavaScript's notation.
            exact: v.as_number().map(|c| format!("{c:?}").replace("inf", "Infinity")),
        })
    }

    /// A cotangent, with its name if there is room for it.
    fn cotangent(name: &str, v: &Value) -> Self {
        let whole = v.summary.is_none().then(|| [format!("{name} = {v}"), format!("∂ = {v}")]);
        let range = [format!("{name}: {}", v.range()), format!("∂: {}", v.range())];
        let all: Vec<&String> = whole.iter().flatten().chain(&range).collect();
        let label = all.iter().find(|l| l.width() <= COLUMNS).unwrap_or(&all[all.len() - 1]);
        Number { label: shortened(label, COLUMNS), ..Number::of(Some(v)) }
    }
}

/// The page.
///
/// ```
/// use wengert_trace::expression::Expression;
/// let trace = Expression::parse("sin(x)")?.trace(&[("x", 0.5)])?;
/// let page = wengert_trace::page::html(&trace);
/// assert!(page.contains("<svg") && !page.contains("src=\"http"));
/// # Ok::<(), wengert_trace::Error>(())
/// ```
pub fn html(trace: &Trace) -> String {
    let inputs: Vec<Vec<usize>> = trace.nodes.iter().map(|n| n.inputs.clone()).collect();
    let layout = layered(&inputs);
    // Inside a script element, no text may look like its end tag.
    let data = serde_json::to_string(&data(trace)).unwrap_or_else(|_| "null".into()).replace('<', "\\u003c");
    let mut page = String::with_capacity(data.len() + 40_000);
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; img-src data:\">\n\
         <title>{} – wengert step</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>\n{}</style>\n</head>\n<body>\n",
        escaped(&trace.title),
        include_str!("page.css")
    );
    // Text of the trace is inserted between pieces of the frame, so that none of it is taken for a placeholder.
    let frame = include_str!("page.html");
    let (before, rest) = frame.split_once("{{graph}}").unwrap_or((frame, ""));
    let (between, after) = rest.split_once("{{rows}}").unwrap_or((rest, ""));
    let before = before.replace("{{title}}", &escaped(&trace.title));
    let between = between.replace("{{last}}", &trace.steps().len().to_string());
    page += &before;
    drawing(&mut page, trace, &layout);
    page += &between;
    rows(&mut page, trace);
    page += after;
    let _ = write!(
        page,
        "<script id=\"data\" type=\"application/json\">{data}</script>\n<script>\n{}</script>\n</body>\n</html>\n",
        include_str!("page.js")
    );
    page
}

fn data(trace: &Trace) -> Data {
    let mathml = |inner: String| format!("<math display=\"block\"><mrow>{inner}</mrow></math>");
    let node = |(i, n): (usize, &crate::Node)| {
        let mut about = Vec::new();
        let kind = match n.kind {
            Kind::Computed => n.op.clone().unwrap_or_default(),
            Kind::Input => "an input".into(),
            Kind::Parameter => "a parameter".into(),
            Kind::Constant => "a constant".into(),
        };
        about.push(("operation", kind));
        if !n.shape.is_empty() {
            about.push(("shape", format!("{:?}", n.shape)));
        }
        about.extend(n.source.clone().map(|s| ("source", s)));
        // A parameter is named by its path.
        about.extend(
            n.module.clone().filter(|m| !m.is_empty() && Some(m) != n.name.as_ref()).map(|m| ("module", m)),
        );
        if trace.nodes.len() <= EXPLAINED {
            about.extend(trace.explain(i).ok().map(|why| ("why", why.to_string())));
        }
        let equation = n.formula.as_ref().map(|m| {
            let side = trace.write(m, Markup::MathMl, false);
            mathml(format!("{}<mo>=</mo>{side}", trace.name(i, Markup::MathMl)))
        });
        PageNode {
            name: trace.name(i, Markup::Text),
            cotangent: trace.cotangent_name(i, Markup::Text),
            inputs: n.inputs.clone(),
            leaf: n.op.is_none(),
            value: Number::of(n.value.as_ref()),
            about,
            math: equation,
        }
    };
    let step = |step: Step| {
        let d = trace.describe(step);
        let (kind, node, from, sum) = match step {
            Step::Forward(i) => ("forward", i, None, None),
            Step::Seed => {
                let name = trace.cotangent_name(trace.output, Markup::Text);
                let seed = trace.nodes[trace.output].gradient.as_ref();
                (
                    "seed",
                    trace.output,
                    None,
                    Some(seed.map_or_else(Number::default, |v| Number::cotangent(&name, v))),
                )
            }
            Step::Reverse(i) => {
                let g = &trace.reverse[i];
                let name = trace.cotangent_name(g.to, Markup::Text);
                ("reverse", g.to, Some(g.from), Some(Number::cotangent(&name, &g.sum)))
            }
        };
        let equation = |(caption, sides): &(String, Vec<Side>)| {
            (caption.clone(), pieces(trace, sides), trace.equation(sides, Markup::Text))
        };
        let equations = d.equations.iter().map(equation).collect();
        PageStep { kind, node, from, sum, title: d.title, equations }
    };
    Data {
        output: trace.output,
        nodes: trace.nodes.iter().enumerate().map(node).collect(),
        steps: trace.steps().into_iter().map(step).collect(),
    }
}

/// The sides of an equation, in pieces between which a narrow window can break the line: sides, and terms of sums.
fn pieces(trace: &Trace, sides: &[Side]) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut before = String::new();
    for (i, side) in sides.iter().enumerate() {
        let whole = trace.write(&side.math, Markup::MathMl, side.numbers);
        if i > 0 && whole == before {
            continue;
        }
        before = whole;
        let equals = if i > 0 { "=" } else { "" };
        // A summary is text, not a formula.
        if let Math::Value(v) = &side.math
            && !v.fits_a_formula()
        {
            pieces.push(format!("<span>{equals} {}</span>", escaped(&v.to_string())));
            continue;
        }
        for (k, (sign, term)) in side.math.terms().into_iter().enumerate() {
            let sign = if k == 0 { equals } else { sign };
            let sign =
                if sign.is_empty() { String::new() } else { format!("<mo form=\"infix\">{sign}</mo>") };
            let term = trace.term(term, side.numbers, k > 0);
            pieces.push(format!("<math displaystyle=\"true\"><mrow>{sign}{term}</mrow></math>"));
        }
    }
    pieces
}

/// The graph as SVG; the script fills in its values and cotangents.
fn drawing(page: &mut String, trace: &Trace, layout: &Layout) {
    let place = |(x, y): (f64, f64)| (MARGIN + x * CELL.0, MARGIN + y * CELL.1);
    let size = (
        2.0 * MARGIN + (layout.size.0 - 1.0).max(0.0) * CELL.0 + BOX.0,
        2.0 * MARGIN + (layout.size.1 - 1.0).max(0.0) * CELL.1 + BOX.1,
    );
    let _ = write!(
        page,
        "<svg id=\"graph\" viewBox=\"0 0 {:.0} {:.0}\" role=\"img\" aria-label=\"the graph; the table below says the \
         same\" tabindex=\"0\">\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"9\" \
         markerHeight=\"9\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"context-stroke\"/></marker>\
         </defs>\n<g id=\"world\">\n<g>\n",
        size.0, size.1
    );
    for (a, b, points) in &layout.edges {
        let points: Vec<(f64, f64)> = points.iter().map(|&p| place(p)).collect();
        let last = points.len() - 1;
        let middle = |i: usize| {
            let (x, y) = points[i];
            // An edge leaves a box on the right, enters the next on the left, and passes straight through the points
            // between.
            (
                if i == 0 { x + BOX.0 } else { x },
                if i == 0 || i == last { x } else { x + BOX.0 },
                y + BOX.1 / 2.0,
            )
        };
        let mut path = format!("M{:.1} {:.1}", middle(0).0, middle(0).2);
        for i in 1..=last {
            let (from, to) = (middle(i - 1), middle(i));
            let out = if i == 1 { from.0 } else { from.1 };
            let bend = 0.5 * (to.0 - out);
            let _ = write!(
                path,
                "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
                out + bend,
                from.2,
                to.0 - bend,
                to.2,
                to.0,
                to.2
            );
            if i < last {
                let _ = write!(path, "L{:.1} {:.1}", to.1, to.2);
            }
        }
        let _ =
            writeln!(page, "<path class=\"edge\" id=\"e{a}-{b}\" d=\"{path}\" marker-end=\"url(#tip)\"/>");
    }
    page.push_str("</g>\n<g>\n");
    for (i, n) in trace.nodes.iter().enumerate() {
        let (x, y) = place(layout.at[i]);
        let class = match n.kind {
            Kind::Computed => "computed",
            Kind::Input => "input",
            Kind::Parameter => "parameter",
            Kind::Constant => "constant",
        };
        let name = trace.name(i, Markup::Text);
        // The kind of a leaf is shown by its colour, and is left out if the name is long.
        let leaf = n.op.is_none();
        let op = if leaf && name.width() > 11 { "" } else { n.op.as_deref().unwrap_or(class) };
        let name_columns = if op.is_empty() { COLUMNS - 2 } else { 12 };
        let short = ending(&name, name_columns);
        let room = (BOX.0 - 26.0 - LETTERS.0 * short.width() as f64) / LETTERS.1;
        let _ = writeln!(
            page,
            "<g class=\"node {class}\" id=\"n{i}\" data-node=\"{i}\" transform=\"translate({x:.1} {y:.1})\">\
             <title>{0}</title><rect width=\"{1}\" height=\"{2}\" rx=\"9\"/>\
             <text class=\"name\" x=\"10\" y=\"21\">{3}</text><text class=\"op\" x=\"{4}\" y=\"21\">{5}</text>\
             <text class=\"value\" x=\"10\" y=\"40\"></text><text class=\"cotangent\" x=\"10\" y=\"57\"></text></g>",
            escaped(&name),
            BOX.0,
            BOX.1,
            escaped(&short),
            BOX.0 - 8.0,
            escaped(&shortened(op, room as usize)),
        );
    }
    page.push_str("</g>\n</g>\n</svg>\n");
}

/// A text, cut off at the end of the box.
fn shortened(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut cut = String::new();
    for c in text.chars() {
        if cut.width() + 1 >= most {
            break;
        }
        cut.push(c);
    }
    cut + "…"
}

/// A name with its beginning cut off: the end of a path is more informative.
fn ending(name: &str, most: usize) -> String {
    if name.width() <= most {
        return name.to_owned();
    }
    let mut cut: Vec<char> = Vec::new();
    for c in name.chars().rev() {
        if cut.iter().collect::<String>().width() + 1 >= most {
            break;
        }
        cut.push(c);
    }
    format!("…{}", cut.into_iter().rev().collect::<String>())
}

/// Text in which a line may be broken after each part of a path.
fn breakable(name: &str) -> String {
    escaped(name).replace('.', ".<wbr>").replace('_', "_<wbr>")
}

fn rows(page: &mut String, trace: &Trace) {
    for (i, n) in trace.nodes.iter().enumerate() {
        let equation =
            n.formula.as_ref().map(|m| shortened(&format!("= {}", trace.text(m)), ROW)).unwrap_or_default();
        let kind = match n.kind {
            Kind::Computed => n.op.as_deref().unwrap_or(""),
            Kind::Input => "input",
            Kind::Parameter => "parameter",
            Kind::Constant => "constant",
        };
        let _ = writeln!(
            page,
            "<tr id=\"r{i}\"><th scope=\"row\"><button type=\"button\" data-node=\"{i}\">{}</button></th><td>{}</td>\
             <td>{}</td><td class=\"value\"></td><td class=\"cotangent\"></td></tr>",
            breakable(&trace.name(i, Markup::Text)),
            breakable(kind),
            escaped(&equation),
        );
    }
}
