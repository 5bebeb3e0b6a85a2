//! A trace as a graph in the language of Graphviz.

use crate::math::Markup;
use crate::trace::{Kind, Trace};
use std::fmt::Write;

/// The largest number of columns of a value that is shown whole in a box.
const LINE: usize = 40;

/// The graph: a box for each node with equation, value and cotangent, and an arrow for each input with its local
/// derivative.
///
/// ```
/// use wengert_trace::expression::Expression;
/// let trace = Expression::parse("sin(x)")?.trace(&[("x", 0.0)])?;
/// let dot = wengert_trace::dot::graph(&trace);
/// assert!(dot.starts_with("digraph trace {") && dot.contains("n0 -> n1 [label=\"1\"]"), "{dot}");
/// # Ok::<(), wengert_trace::Error>(())
/// ```
pub fn graph(trace: &Trace) -> String {
    let mut out = String::from(
        "digraph trace {\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n",
    );
    let _ = writeln!(out, "  label={};", quoted(&trace.title));
    for (i, n) in trace.nodes.iter().enumerate() {
        let name = trace.name(i, Markup::Text);
        let mut lines = vec![match &n.formula {
            Some(m) => format!("{name} = {}", trace.text(m)),
            None => name,
        }];
        lines.extend(n.value.as_ref().map(|v| v.brief(LINE)));
        let cotangent =
            |g: &crate::Value| format!("{} = {}", trace.cotangent_name(i, Markup::Text), g.brief(LINE));
        lines.extend(n.gradient.as_ref().map(cotangent));
        let fill = match n.kind {
            Kind::Computed => "white",
            Kind::Input => "lightblue",
            Kind::Parameter => "lightgoldenrod1",
            Kind::Constant => "gray92",
        };
        let _ = writeln!(out, "  n{i} [label={}, fillcolor={fill}];", quoted(&lines.join("\n")));
    }
    for (i, n) in trace.nodes.iter().enumerate() {
        for (input, x) in n.inputs.iter().enumerate() {
            let given = trace.reverse.iter().find(|g| g.from == i && g.input == input);
            let slope = given.and_then(|g| g.slope.as_ref()).filter(|s| s.fits_a_formula());
            let _ = match slope {
                Some(slope) => writeln!(out, "  n{x} -> n{i} [label={}];", quoted(&slope.to_string())),
                None => writeln!(out, "  n{x} -> n{i};"),
            };
        }
    }
    out + "}"
}

/// A string of the Graphviz language; line breaks are kept in the box.
fn quoted(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|c| match c {
            '"' => "\\\"".into(),
            '\\' => "\\\\".into(),
            '\n' => "\\n".into(),
            c if c.is_control() => " ".into(),
            c => c.to_string(),
        })
        .collect();
    format!("\"{safe}\"")
}
