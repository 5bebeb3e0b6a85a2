//! A trace as a file: JSON with a version, checked when it is read.

use crate::error::Error;
use crate::math::{Markup, Math};
use crate::trace::{Contribution, Kind, Node, Trace};
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// The version of files that are written.
const VERSION: u32 = 1;
/// The largest depth and size of a formula that is kept.
const DEEPEST: usize = 40;
const LARGEST: usize = 200;

/// The contents of a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The kind of the file.
    format: String,
    version: u32,
    title: String,
    output: usize,
    nodes: Vec<Line>,
    reverse: Vec<Contribution>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cotangent_name: Option<String>,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    op: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    inputs: Vec<usize>,
    shape: Vec<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gradient: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    formula: Option<Math>,
    /// The formula written out for other programs; it is computed again when a trace is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equation: Option<Written>,
}

/// An equation in every form.
#[derive(Serialize, Deserialize)]
struct Written {
    text: String,
    latex: String,
    text_with_numbers: String,
    latex_with_numbers: String,
}

impl From<Trace> for File {
    fn from(trace: Trace) -> Self {
        let line = |(number, n): (usize, &Node)| {
            let equation = n.formula.as_ref().map(|m| {
                let side = |markup, numbers| {
                    format!("{} = {}", trace.name(number, markup), trace.write(m, markup, numbers))
                };
                Written {
                    text: side(Markup::Text, false),
                    latex: side(Markup::Latex, false),
                    text_with_numbers: side(Markup::Text, true),
                    latex_with_numbers: side(Markup::Latex, true),
                }
            });
            let n = n.clone();
            Line {
                number,
                name: n.name,
                cotangent_name: n.cotangent_name,
                kind: n.kind,
                op: n.op,
                inputs: n.inputs,
                shape: n.shape,
                value: n.value,
                gradient: n.gradient,
                source: n.source,
                module: n.module,
                formula: n.formula,
                equation,
            }
        };
        File {
            format: "wengert trace".into(),
            version: VERSION,
            title: trace.title.clone(),
            output: trace.output,
            nodes: trace.nodes.iter().enumerate().map(line).collect(),
            reverse: trace.reverse,
        }
    }
}

impl TryFrom<File> for Trace {
    type Error = Error;

    /// Refuses an inconsistent trace, so that code that shows a trace need not check it.
    fn try_from(file: File) -> Result<Self, Error> {
        let bad = |what: String| Err(Error::Damaged(what));
        if file.format != "wengert trace" {
            return bad(format!("its format is {:?}, not \"wengert trace\"", file.format));
        }
        if file.version != VERSION {
            return bad(format!("its version is {}, this program reads {VERSION}", file.version));
        }
        let mut nodes = Vec::with_capacity(file.nodes.len());
        for (i, n) in file.nodes.into_iter().enumerate() {
            if n.number != i {
                return bad(format!("node {} is where node {i} should be", n.number));
            }
            nodes.push(Node {
                name: n.name,
                cotangent_name: n.cotangent_name,
                kind: n.kind,
                op: n.op,
                inputs: n.inputs,
                shape: n.shape,
                value: n.value,
                source: n.source,
                module: n.module,
                formula: n.formula,
                gradient: n.gradient,
            });
        }
        let trace = Trace { title: file.title, nodes, output: file.output, reverse: file.reverse };
        match trace.fault() {
            Some(what) => bad(what),
            None => Ok(trace),
        }
    }
}

impl Trace {
    /// The trace as JSON.
    ///
    /// # Errors
    /// If it cannot be written, which does not happen for a trace that was made by this crate.
    pub fn to_json(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map_err(|e| Error::Damaged(e.to_string()))
    }

    /// The most bytes of JSON that [`from_json`](Trace::from_json) reads: what is parsed takes many times the memory of its text. The
    /// JSON of a trace of 20 000 nodes is shorter.
    pub const LARGEST_JSON: usize = 128 << 20;

    /// A trace from JSON.
    ///
    /// ```
    /// use wengert_trace::Trace;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let json = Trace::of(tape.var(0.5).sin())?.to_json()?;
    /// let damaged = json.replace("\"inputs\": [\n        0", "\"inputs\": [\n        7");
    /// let refused = Trace::from_json(&damaged).unwrap_err().to_string();
    /// assert_eq!(refused, "the trace is damaged: node 1 reads node 7, which does not come before it");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the text is not JSON, is longer than [`LARGEST_JSON`](Trace::LARGEST_JSON), has another version, or is inconsistent; the
    /// message says what is wrong.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        if text.len() > Trace::LARGEST_JSON {
            let (most, found) = (Trace::LARGEST_JSON, text.len());
            return Err(Error::Damaged(format!("expected at most {most} bytes of JSON, found {found}")));
        }
        let said = |e: serde_json::Error| {
            let what = e.to_string();
            // The place in the text is meaningless for our own messages; serde appends one.
            match what.strip_prefix("the trace is damaged: ") {
                Some(own) => own.split(" at line ").next().unwrap_or(own).to_owned(),
                None => what,
            }
        };
        serde_json::from_str(text).map_err(|e| Error::Damaged(said(e)))
    }

    /// What is inconsistent in the trace.
    pub(crate) fn fault(&self) -> Option<String> {
        let count = self.nodes.len();
        if self.output >= count {
            return Some(format!("the output is node {}, and there are {count} nodes", self.output));
        }
        let known = |m: &Math| {
            let mut open = vec![m];
            while let Some(m) = open.pop() {
                if let Math::Call(name, _) | Math::Compare(name, ..) | Math::Words(name) = m
                    && name.chars().any(char::is_control)
                {
                    return Some("a formula has control characters in a name".into());
                }
                let missing = match *m {
                    Math::Node(i) | Math::Cotangent(i) => (i >= count).then_some(i),
                    Math::Slope(a, b) => [a, b].into_iter().find(|&i| i >= count),
                    _ => None,
                };
                if let Math::Value(v) = m
                    && let Some(fault) = v.fault()
                {
                    return Some(fault);
                }
                if let Some(i) = missing {
                    return Some(format!("a formula refers to node {i}, and there are {count} nodes"));
                }
                open.extend(m.parts());
            }
            None
        };
        // Printed text must not steer a terminal.
        let texts = |n: &Node| {
            let all = [&n.name, &n.cotangent_name, &n.op, &n.source, &n.module];
            all.into_iter().flatten().any(|t| t.chars().any(char::is_control))
        };
        if self.title.chars().any(char::is_control) {
            return Some("the title has control characters".into());
        }
        for (i, n) in self.nodes.iter().enumerate() {
            if texts(n) {
                return Some(format!("node {i} has control characters in a name"));
            }
            if let Some(x) = n.inputs.iter().find(|&&x| x >= i) {
                return Some(format!("node {i} reads node {x}, which does not come before it"));
            }
            if n.op.is_none() && !n.inputs.is_empty() {
                return Some(format!("node {i} has inputs, but no operation"));
            }
            for v in [&n.value, &n.gradient].into_iter().flatten() {
                if let Some(fault) = v.fault() {
                    return Some(format!("node {i}: {fault}"));
                }
                if v.shape != n.shape {
                    return Some(format!("node {i} has shape {:?}, and a value of {:?}", n.shape, v.shape));
                }
            }
            if let Some(fault) = n.formula.as_ref().and_then(known) {
                return Some(format!("node {i}: {fault}"));
            }
        }
        for (i, g) in self.reverse.iter().enumerate() {
            let fits = self.nodes.get(g.from).is_some_and(|n| n.inputs.get(g.input) == Some(&g.to));
            if !fits {
                return Some(format!("reverse step {i}: node {} does not read node {}", g.from, g.to));
            }
            let formulas = [Some(&g.by), g.derivative.as_ref()].into_iter().flatten().find_map(known);
            let values = [Some(&g.cotangent), Some(&g.adds), Some(&g.sum), g.slope.as_ref()];
            let values = values.into_iter().flatten().find_map(Value::fault);
            if let Some(fault) = formulas.or(values) {
                return Some(format!("reverse step {i}: {fault}"));
            }
        }
        None
    }
}

/// A formula, unless it is too large to be readable.
pub(crate) fn readable(m: Math) -> Option<Math> {
    let (depth, parts) = m.size();
    (depth <= DEEPEST && parts <= LARGEST).then_some(m)
}
