//! [`Trace`]: a computation and its reverse sweep, recorded step by step.

use crate::file::File;
use crate::math::{Markup, Math, Written, value_in};
use crate::name::Name;
use crate::value::Value;
use serde::{Deserialize, Serialize};

/// A computation and the reverse sweep from one of its values, as data: the tape is not needed any more.
///
/// [`Trace::of`] makes it from a value of a tape, a [`Builder`](crate::Builder) from plain numbers. It can be
/// serialised with [`to_json`](Trace::to_json) and [`from_json`](Trace::from_json). All of them check that it is
/// consistent; code that changes a field must keep it so.
///
/// ```
/// use wengert_trace::{Step, Trace};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let (w, x) = (tape.var(2.0).named("w"), tape.constant(-1.0).named("x"));
/// let y = (w * x).tanh().named("y");
/// let trace = Trace::of(y)?;
/// assert_eq!(trace.names(), ["w", "x", "v₂", "y"]);
/// // Two steps forward, the seed, two steps back (x is a constant).
/// assert_eq!(trace.steps(), [Step::Forward(2), Step::Forward(3), Step::Seed, Step::Reverse(0), Step::Reverse(1)]);
/// let given = &trace.reverse[1];                                       // what v₂ gives to w
/// assert_eq!(trace.text(&given.by), "v̄₂ · x");
/// let slope = 1.0 - y.item()? * y.item()?;
/// assert_eq!(given.sum.as_number(), Some(-slope));                     // the engine's own number
/// assert_eq!(Trace::from_json(&trace.to_json()?)?, trace);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "File", into = "File")]
#[non_exhaustive]
pub struct Trace {
    /// A one-line description of the computation.
    pub title: String,
    /// The nodes in the order in which they were computed.
    pub nodes: Vec<Node>,
    /// The node from which the sweep starts.
    pub output: usize,
    /// The steps of the reverse sweep, in order.
    pub reverse: Vec<Contribution>,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// The user's name, or the path of a parameter; without one, the name is v and the number of the node.
    pub name: Option<String>,
    /// The name of its cotangent, if it is not the usual one: `δ_1^(2)`.
    pub cotangent_name: Option<String>,
    /// The kind of node.
    pub kind: Kind,
    /// The operation; `None` for a leaf.
    pub op: Option<String>,
    /// The nodes that the operation read.
    pub inputs: Vec<usize>,
    /// The sizes of its axes.
    pub shape: Vec<usize>,
    /// Its value, unless it was freed before the trace was made.
    pub value: Option<Value>,
    /// The line of the program, as `file:line:column`.
    pub source: Option<String>,
    /// The module to which it belongs.
    pub module: Option<String>,
    /// What the operation computes.
    pub formula: Option<Math>,
    /// The derivative of the output with respect to this node, at the end of the sweep.
    pub gradient: Option<Value>,
}

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The result of an operation.
    #[default]
    Computed,
    /// A leaf that has a gradient.
    Input,
    /// A parameter of a model.
    Parameter,
    /// A leaf without a gradient.
    Constant,
}

/// One step of the reverse sweep: a node adds to the cotangent of one of its inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contribution {
    /// The node whose cotangent is complete.
    pub from: usize,
    /// The node whose cotangent is added to.
    pub to: usize,
    /// The position of that input among the inputs of the operation.
    pub input: usize,
    /// The cotangent of `from`.
    pub cotangent: Value,
    /// The local derivative ∂from/∂to, if it is elementwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derivative: Option<Math>,
    /// The value of the local derivative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slope: Option<Value>,
    /// The formula of the added value.
    pub by: Math,
    /// The added value.
    pub adds: Value,
    /// The cotangent of `to` after this step.
    pub sum: Value,
}

/// A position in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The value of this node is computed.
    Forward(usize),
    /// The cotangent of the output is set to one.
    Seed,
    /// This entry of [`Trace::reverse`] is added.
    Reverse(usize),
}

impl Trace {
    /// The steps in order: forward, seed, reverse.
    pub fn steps(&self) -> Vec<Step> {
        let forward = self.nodes.iter().enumerate().filter(|(_, n)| n.op.is_some());
        let forward = forward.map(|(i, _)| Step::Forward(i));
        let reverse = (0..self.reverse.len()).map(Step::Reverse);
        forward.chain([Step::Seed]).chain(reverse).collect()
    }

    /// The names of the nodes, as text.
    pub fn names(&self) -> Vec<String> {
        (0..self.nodes.len()).map(|i| self.name(i, Markup::Text)).collect()
    }

    /// The name of a node.
    pub fn name(&self, node: usize, markup: Markup) -> String {
        let (name, bold) = self.parsed(node);
        name.write(markup, false, bold)
    }

    /// The name of the cotangent of a node: v̄₃, or ∂L/∂loss if the name is not a letter that takes a bar.
    pub fn cotangent_name(&self, node: usize, markup: Markup) -> String {
        let (name, bold) = self.parsed(node);
        if let Some(own) = self.nodes.get(node).and_then(|n| n.cotangent_name.as_deref()) {
            match own.strip_prefix('∂') {
                None => return Name::of(own).write(markup, false, bold),
                Some(_) => return self.slope_name(self.output, node, markup),
            }
        }
        if name.is_letter() {
            return name.write(markup, true, bold);
        }
        self.slope_name(self.output, node, markup)
    }

    /// ∂of/∂by.
    fn slope_name(&self, of: usize, by: usize, markup: Markup) -> String {
        let (of, by) = (self.name(of, markup), self.name(by, markup));
        match markup {
            Markup::Text => format!("∂{of}/∂{by}"),
            Markup::Latex => format!("\\frac{{\\partial {of}}}{{\\partial {by}}}"),
            Markup::MathMl => {
                format!("<mfrac><mrow><mo>∂</mo>{of}</mrow><mrow><mo>∂</mo>{by}</mrow></mfrac>")
            }
        }
    }

    fn parsed(&self, node: usize) -> (Name, bool) {
        let known = self.nodes.get(node);
        let bold = known.is_some_and(|n| !n.shape.is_empty());
        match known.and_then(|n| n.name.as_deref()) {
            Some(name) => (Name::of(name), bold),
            None => (Name::of(&format!("v_{node}")), bold),
        }
    }

    /// A formula as text, with names.
    pub fn text(&self, m: &Math) -> String {
        self.write(m, Markup::Text, false)
    }

    /// A formula with markup, written with names or with numbers.
    pub fn write(&self, m: &Math, markup: Markup, numbers: bool) -> String {
        self.written(m, markup, numbers).text
    }

    /// A term of a sum in MathML, in brackets if the sign before it needs them.
    pub(crate) fn term(&self, m: &Math, numbers: bool, signed: bool) -> String {
        let Written { text, binding } = self.written(m, Markup::MathMl, numbers);
        if signed && binding < crate::math::PRODUCT {
            return format!("<mrow><mo>(</mo>{text}<mo>)</mo></mrow>");
        }
        text
    }

    pub(crate) fn written(&self, m: &Math, markup: Markup, numbers: bool) -> Written {
        let put_in = |value: Option<&Value>, name: String, raised: bool| match value {
            Some(v) if numbers && v.fits_a_formula() => value_in(markup, v),
            // (h⁽¹⁾)², not h⁽¹⁾².
            _ if raised => Written::raised(name),
            _ => Written::atom(name),
        };
        let leaves = |leaf: &Math| match *leaf {
            Math::Node(i) => {
                let value = self.nodes.get(i).and_then(|n| n.value.as_ref());
                put_in(value, self.name(i, markup), self.parsed(i).0.is_raised())
            }
            Math::Cotangent(i) => put_in(
                self.nodes.get(i).and_then(|n| n.gradient.as_ref()),
                self.cotangent_name(i, markup),
                true,
            ),
            Math::Slope(of, by) => Written::raised(self.slope_name(of, by, markup)),
            _ => Written::atom(String::new()),
        };
        m.write(markup, &leaves)
    }

    /// The number of a node, given its name as the user wrote it or as it is shown, or its number.
    ///
    /// # Errors
    /// If there is no such node; the message lists similar names.
    pub fn find(&self, name: &str) -> Result<usize, crate::Error> {
        let own = |n: &Node| n.name.as_deref() == Some(name);
        let at = |text: &str| text.parse::<usize>().ok().filter(|&i| i < self.nodes.len());
        let shown = self.names();
        let found = self.nodes.iter().position(own).or_else(|| shown.iter().position(|n| n == name));
        let numbered = name.strip_prefix("v_").or(name.strip_prefix('v')).or(Some(name)).and_then(at);
        found.or(numbered).ok_or_else(|| {
            let all = self.nodes.iter().enumerate().map(|(i, n)| n.name.clone().unwrap_or(format!("v{i}")));
            crate::Error::Unknown { what: "node", name: name.to_owned(), like: crate::like(name, all) }
        })
    }

    /// Which nodes are on a path from this node to the output, both included: its gradient passes through them.
    pub fn paths(&self, from: usize) -> Vec<bool> {
        let mut above = vec![false; self.nodes.len()];
        if let Some(first) = above.get_mut(from) {
            *first = true;
        }
        for (i, n) in self.nodes.iter().enumerate() {
            above[i] |= n.inputs.iter().any(|&x| above[x]);
        }
        let mut below = vec![false; self.nodes.len()];
        below[self.output] = true;
        for (i, n) in self.nodes.iter().enumerate().rev() {
            if below[i] {
                n.inputs.iter().for_each(|&x| below[x] = true);
            }
        }
        above.iter().zip(below).map(|(a, b)| *a && b).collect()
    }

    /// The cotangent of every node after the first `steps` of the [`steps`](Trace::steps), and whether its value has
    /// been computed by then.
    pub fn after(&self, steps: usize) -> Vec<(bool, Option<&Value>)> {
        let mut state: Vec<_> = self.nodes.iter().map(|n| (n.op.is_none(), None)).collect();
        for step in self.steps().into_iter().take(steps) {
            match step {
                Step::Forward(i) => state[i].0 = true,
                Step::Seed => state[self.output].1 = self.nodes[self.output].gradient.as_ref(),
                Step::Reverse(i) => state[self.reverse[i].to].1 = Some(&self.reverse[i].sum),
            }
        }
        state
    }
}
