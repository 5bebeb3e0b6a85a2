//! [`Builder`]: makes a trace from plain numbers, for the scalar tape and for other engines.

use crate::error::Error;
use crate::file::readable;
use crate::math::Math;
use crate::trace::{Contribution, Kind, Node, Trace};
use crate::value::Value;
use wengert_tape::Equation;

/// Makes a [`Trace`] line by line from numbers, values and local derivatives; any engine can use it.
///
/// The builder computes the reverse sweep itself: cotangent times local derivative, from the last line to the first,
/// inputs in order.
///
/// ```
/// use wengert_trace::{Builder, Math};
/// let mut list = Builder::new("w x");
/// let (w, x) = (list.input("w", 3.0), list.input("x", 2.0));
/// let y = list.op("mul", &[w, x], 6.0, &[2.0, 3.0]);          // ∂y/∂w = x, ∂y/∂x = w
/// list.named(y, "y").derivatives(y, [Math::Node(x), Math::Node(w)]);
/// let trace = list.finish(y)?;
/// assert_eq!(trace.nodes[w].gradient.as_ref().unwrap().as_number(), Some(2.0));
/// assert_eq!(trace.text(&trace.reverse[0].by), "ȳ · x");
/// # Ok::<(), wengert_trace::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Builder {
    title: String,
    nodes: Vec<Node>,
    /// The local derivatives of each node by its inputs, as numbers and as formulas.
    slopes: Vec<Vec<f64>>,
    derivatives: Vec<Vec<Option<Math>>>,
    /// The steps of a sweep that was done elsewhere.
    reverse: Vec<Contribution>,
}

impl Builder {
    /// A list with a title and no lines.
    pub fn new(title: impl Into<String>) -> Self {
        Builder {
            title: title.into(),
            nodes: Vec::new(),
            slopes: Vec::new(),
            derivatives: Vec::new(),
            reverse: Vec::new(),
        }
    }

    /// A leaf with a gradient.
    pub fn input(&mut self, name: impl Into<String>, value: f64) -> usize {
        let value = Some(Value::number(value));
        self.push(Node { name: Some(name.into()), kind: Kind::Input, value, ..Node::default() })
    }

    /// A leaf without a gradient.
    pub fn constant(&mut self, name: impl Into<String>, value: f64) -> usize {
        let value = Some(Value::number(value));
        self.push(Node { name: Some(name.into()), kind: Kind::Constant, value, ..Node::default() })
    }

    /// The result of an operation, with the local derivative by each input.
    pub fn op(&mut self, op: impl Into<String>, inputs: &[usize], value: f64, slopes: &[f64]) -> usize {
        let value = Some(Value::number(value));
        let node = self.push(Node { op: Some(op.into()), inputs: inputs.to_vec(), value, ..Node::default() });
        self.slopes(node, slopes);
        node
    }

    /// The local derivatives of a line as numbers.
    pub fn slopes(&mut self, node: usize, slopes: &[f64]) -> &mut Self {
        if let Some(all) = self.slopes.get_mut(node) {
            slopes.clone_into(all);
        }
        self
    }

    /// Any line; other methods set its derivatives.
    pub fn push(&mut self, node: Node) -> usize {
        self.derivatives.push(vec![None; node.inputs.len()]);
        self.slopes.push(Vec::new());
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Gives a line a name.
    pub fn named(&mut self, node: usize, name: impl Into<String>) -> &mut Self {
        if let Some(n) = self.nodes.get_mut(node) {
            n.name = Some(name.into());
        }
        self
    }

    /// Gives the cotangent of a line its own name, such as `δ_1^(2)`.
    pub fn cotangent_named(&mut self, node: usize, name: impl Into<String>) -> &mut Self {
        if let Some(n) = self.nodes.get_mut(node) {
            n.cotangent_name = Some(name.into());
        }
        self
    }

    /// The place in a program where a line was made, as `file:line:column`.
    pub fn source(&mut self, node: usize, source: impl Into<String>) -> &mut Self {
        if let Some(n) = self.nodes.get_mut(node) {
            n.source = Some(source.into());
        }
        self
    }

    /// The formula of a line and its derivatives, as formulas of the tape.
    pub fn equation(&mut self, node: usize, equation: &Equation) -> &mut Self {
        let Some(inputs) = self.nodes.get(node).map(|n| n.inputs.clone()) else { return self };
        self.nodes[node].formula = readable(Math::of(&equation.value, &inputs, node));
        self.derivatives(node, equation.slopes.iter().map(|t| Math::of(t, &inputs, node)))
    }

    /// The formula of a line.
    pub fn formula(&mut self, node: usize, formula: Math) -> &mut Self {
        if let Some(n) = self.nodes.get_mut(node) {
            n.formula = readable(formula);
        }
        self
    }

    /// The local derivatives of a line as formulas.
    pub fn derivatives(&mut self, node: usize, derivatives: impl IntoIterator<Item = Math>) -> &mut Self {
        if let Some(all) = self.derivatives.get_mut(node) {
            all.iter_mut().zip(derivatives).for_each(|(to, m)| *to = readable(m));
        }
        self
    }

    /// The derivative of a node by one of its inputs, if there is a formula for it.
    pub(crate) fn derivative(&self, node: usize, input: usize) -> Option<&Math> {
        self.derivatives.get(node).and_then(|all| all.get(input)).and_then(Option::as_ref)
    }

    /// A step of a sweep that was done elsewhere; the builder then does no sweep of its own.
    pub fn given(&mut self, given: Contribution) -> &mut Self {
        self.reverse.push(given);
        self
    }

    /// Sets the final cotangent of a node in a sweep that was done elsewhere.
    pub fn gradient(&mut self, node: usize, gradient: Value) -> &mut Self {
        if let Some(n) = self.nodes.get_mut(node) {
            n.gradient = Some(gradient);
        }
        self
    }

    /// The lines so far.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The trace, with the reverse sweep from the line `output`, a number, unless steps were given.
    ///
    /// # Errors
    /// If the lines are inconsistent, or the local derivatives of a line are missing.
    pub fn finish(mut self, output: usize) -> Result<Trace, Error> {
        let plain = |text: &mut String| *text = text.replace(char::is_control, " ");
        plain(&mut self.title);
        for n in &mut self.nodes {
            let all = [&mut n.name, &mut n.cotangent_name, &mut n.op, &mut n.source, &mut n.module];
            all.into_iter().flatten().for_each(plain);
        }
        if self.reverse.is_empty() && self.nodes.get(output).is_some_and(|n| n.gradient.is_none()) {
            self.sweep(output)?;
        }
        let trace = Trace { title: self.title, nodes: self.nodes, output, reverse: self.reverse };
        match trace.fault() {
            Some(what) => Err(Error::Damaged(what)),
            None => Ok(trace),
        }
    }

    fn sweep(&mut self, output: usize) -> Result<(), Error> {
        let mut needs: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for n in &self.nodes {
            let leaf = matches!(n.kind, Kind::Input | Kind::Parameter);
            needs.push(leaf || n.inputs.iter().any(|&x| needs.get(x).copied().unwrap_or(false)));
        }
        let mut cotangents: Vec<Option<f64>> = vec![None; self.nodes.len()];
        cotangents[output] = Some(1.0);
        for from in (0..=output).rev() {
            let Some(g) = cotangents[from] else { continue };
            let n = &self.nodes[from];
            if n.op.is_some() && needs[from] && n.inputs.len() != self.slopes[from].len() {
                let (inputs, slopes) = (n.inputs.len(), self.slopes[from].len());
                return Err(Error::Damaged(format!(
                    "node {from} has {inputs} inputs and {slopes} local derivatives"
                )));
            }
            for (input, (&to, &slope)) in n.inputs.iter().zip(&self.slopes[from]).enumerate() {
                let Some(true) = needs.get(to).copied().filter(|_| to < from) else { continue };
                let adds = g * slope;
                let sum = cotangents[to].map_or(adds, |sum| sum + adds);
                cotangents[to] = Some(sum);
                let derivative = self.derivatives[from][input].clone();
                let factor = derivative.clone().unwrap_or(Math::Slope(from, to));
                self.reverse.push(Contribution {
                    from,
                    to,
                    input,
                    cotangent: Value::number(g),
                    derivative,
                    slope: Some(Value::number(slope)),
                    by: Math::Cotangent(from).times(factor, false),
                    adds: Value::number(adds),
                    sum: Value::number(sum),
                });
            }
        }
        for (n, g) in self.nodes.iter_mut().zip(cotangents) {
            n.gradient = g.map(Value::number);
        }
        Ok(())
    }
}
