//! Why a gradient has its value: the terms whose sum it is, and the paths from the output that contribute most.

use crate::Error;
use crate::math::Markup;
use crate::number::shown;
use crate::record::Traceable;
use crate::trace::{Kind, Trace};
use crate::value::Value;
use wengert_tape::scalar::{self, Traced};
use wengert_tape::{Float, Tape, Var};

/// The number of paths that are kept.
const KEPT: usize = 5;
/// The number of nodes that are named at each end of a long path.
const ENDS: usize = 6;

/// Why a gradient has its value; its `Display` is text.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The explained node.
    pub node: usize,
    /// Its gradient; `None` if the output does not depend on it.
    pub gradient: Option<Value>,
    /// What each node that reads it added, the largest share first.
    pub terms: Vec<Term>,
    /// The paths from the output that contribute most, the largest first; empty unless all values on the paths are
    /// numbers.
    pub paths: Vec<Path>,
    /// The number of paths.
    pub path_count: f64,
    text: String,
}

/// What one node added to a gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The node that reads the value.
    pub from: usize,
    /// The added value.
    pub adds: Value,
    /// Its share of the gradient: ⟨adds, gradient⟩ / ‖gradient‖². All shares add up to 1; NaN if the gradient is zero
    /// or the value is summarised.
    pub share: f64,
}

/// A path from the output to the node, and the product of the local derivatives along it.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The nodes, from the output to the explained node.
    pub nodes: Vec<usize>,
    /// The local derivatives between them.
    pub slopes: Vec<f64>,
    /// The product of the slopes: the contribution of the path to the gradient.
    pub product: f64,
}

/// Why the derivative of `output` by `wrt` has its value.
///
/// ```
/// let tape = wengert_tape::Tape::<f64>::new();
/// let x = tape.var(2.0).named("x");
/// let y = (x.square() + x * -3.0).named("y");
/// let why = wengert_trace::explain(y, x)?;
/// assert_eq!((why.paths[0].product, why.paths[1].product), (4.0, -3.0));
/// let text = why.to_string();
/// assert!(text.starts_with("∂y/∂x = 1 is the sum of 2 terms"), "{text}");
/// # Ok::<(), wengert_trace::Error>(())
/// ```
///
/// # Errors
/// As [`Trace::of`], and if the output was not computed from `wrt`.
#[track_caller]
pub fn explain<V: Traceable>(output: V, wrt: V) -> Result<Explanation, Error> {
    let trace = Trace::of(output)?;
    trace.explain(output.number_of(wrt)?)
}

/// [`explain`] as a method of the tape, of tensors or of traced numbers.
pub trait Explain {
    /// The values of the tape.
    type Value<'t>: Traceable
    where
        Self: 't;

    /// Why the derivative of `output` by `wrt` has its value; see [`explain`].
    ///
    /// # Errors
    /// As [`explain`].
    #[track_caller]
    fn explain<'t>(&'t self, output: Self::Value<'t>, wrt: Self::Value<'t>) -> Result<Explanation, Error> {
        explain(output, wrt)
    }
}

impl<T: Float> Explain for Tape<T> {
    type Value<'t> = Var<'t, T>;
}

impl<T: Float + scalar::Number> Explain for scalar::Tape<Traced<T>> {
    type Value<'t> = scalar::Var<'t, Traced<T>>;
}

impl Trace {
    /// Why the gradient of a node has its value.
    ///
    /// # Errors
    /// If there is no such node, or if it is a constant.
    pub fn explain(&self, node: usize) -> Result<Explanation, Error> {
        let Some(n) = self.nodes.get(node) else {
            return Err(Error::Refused(format!("there is no node {node}")));
        };
        let name = self.name(node, Markup::Text);
        if n.kind == Kind::Constant {
            return Err(Error::Refused(format!("{name} is a constant: it has no gradient")));
        }
        let mut terms: Vec<Term> = self
            .reverse
            .iter()
            .filter(|g| g.to == node)
            .map(|g| Term { from: g.from, adds: g.adds.clone(), share: share(&g.adds, n.gradient.as_ref()) })
            .collect();
        let weight = |t: &Term| if t.share.is_nan() { t.adds.norm() } else { t.share.abs() };
        terms.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        let (paths, path_count) = self.best_paths(node);
        let gradient = n.gradient.clone();
        let mut why = Explanation { node, gradient, terms, paths, path_count, text: String::new() };
        why.text = self.say(&why, &name);
        Ok(why)
    }

    /// The paths from the output to a node with the largest products of derivatives. Each node keeps the best paths
    /// that reach it, so the work is proportional to the number of edges, not of paths.
    fn best_paths(&self, node: usize) -> (Vec<Path>, f64) {
        let on_the_way = self.paths(node);
        let start = Path { nodes: vec![self.output], slopes: Vec::new(), product: 1.0 };
        let mut best: Vec<Vec<Path>> = vec![Vec::new(); self.nodes.len()];
        let mut counts = vec![0.0; self.nodes.len()];
        best[self.output].push(start);
        counts[self.output] = 1.0;
        let mut numbers = true;
        for g in self.reverse.iter().filter(|g| on_the_way[g.to] && on_the_way[g.from]) {
            counts[g.to] += counts[g.from];
            let Some(slope) = g.slope.as_ref().and_then(Value::as_number) else {
                numbers = false;
                continue;
            };
            let longer = best[g.from].iter().map(|p| {
                let mut p = p.clone();
                p.nodes.push(g.to);
                p.slopes.push(slope);
                p.product *= slope;
                p
            });
            let longer: Vec<Path> = longer.collect();
            best[g.to].extend(longer);
            best[g.to].sort_by(|a, b| b.product.abs().total_cmp(&a.product.abs()));
            best[g.to].truncate(KEPT);
        }
        (if numbers { std::mem::take(&mut best[node]) } else { Vec::new() }, counts[node])
    }

    fn say(&self, why: &Explanation, name: &str) -> String {
        let whole = format!("∂{}/∂{name}", self.name(self.output, Markup::Text));
        let Some(gradient) = &why.gradient else {
            return format!("{whole} does not exist: no gradient reaches {name}");
        };
        if why.node == self.output {
            return format!("{whole} = {gradient}: it is what the sweep starts from");
        }
        let through = |t: &Term| {
            let n = &self.nodes[t.from];
            let source = n.source.as_deref().map(|s| format!("  ({s})")).unwrap_or_default();
            format!("through {}, {}{source}", self.name(t.from, Markup::Text), n.op.as_deref().unwrap_or(""))
        };
        let mut text = match &why.terms[..] {
            [only] => format!("{whole} = {gradient} is one term, {}", through(only)),
            all => format!("{whole} = {gradient} is the sum of {} terms", all.len()),
        };
        if why.terms.len() > 1 {
            for t in why.terms.iter().take(KEPT) {
                // Only the size of a summary is known.
                let weight = match &t.adds.summary {
                    Some(s) => format!("norm {}", shown(s.norm)),
                    None => percent(t.share),
                };
                text += &format!("\n  {weight:>8}  {} {}", t.adds, through(t));
            }
        }
        if why.terms.len() > KEPT {
            text += &format!("\n  and {} smaller ones", why.terms.len() - KEPT);
        }
        if !why.paths.is_empty() {
            let total = gradient.as_number().unwrap_or(f64::NAN);
            let kept = why.paths.len();
            text += &match why.path_count {
                1.0 => "\nIt comes along one path:".to_owned(),
                n if n == kept as f64 => format!("\nIt comes along {kept} paths:"),
                n => {
                    let part = percent(why.paths.iter().map(|p| p.product).sum::<f64>() / total);
                    let part = if part == "–" { String::new() } else { format!(", {part} of it together") };
                    format!("\nIt comes along {} paths; the {kept} that contribute most{part}:", shown(n))
                }
            };
            for p in &why.paths {
                let names: Vec<String> = p.nodes.iter().map(|&i| self.name(i, Markup::Text)).collect();
                let factors = |c: &f64| if *c < 0.0 { format!("({})", shown(*c)) } else { shown(*c) };
                let product = match &p.slopes[..] {
                    [only] => shown(*only),
                    all => {
                        let all: Vec<String> = all.iter().map(factors).collect();
                        format!("{} = {}", all.join(" · "), shown(p.product))
                    }
                };
                let share = match why.path_count {
                    1.0 => String::new(),
                    _ => format!("{:>8}  ", percent(p.product / total)),
                };
                text += &format!("\n  {share}{product} along {}", names.join(" → "));
            }
        } else if let Some(way) = self.largest_way(why.node) {
            text += &format!("\nIts largest terms come along {way}");
        }
        let parts: f64 = why.terms.iter().map(|t| t.adds.norm()).sum();
        if why.terms.len() > 1 && parts > 0.0 {
            text += match gradient.norm() {
                0.0 => "\nThe terms cancel.",
                norm if norm < 0.01 * parts => "\nThe terms nearly cancel.",
                _ => "",
            };
        }
        text
    }

    /// The path back to the output through the largest term at each node; of a long path, both ends.
    fn largest_way(&self, node: usize) -> Option<String> {
        let mut way = vec![node];
        let mut at = node;
        while at != self.output {
            let given = self.reverse.iter().filter(|g| g.to == at);
            at = given.max_by(|a, b| a.adds.norm().total_cmp(&b.adds.norm()))?.from;
            way.push(at);
        }
        way.reverse();
        // A node without a name is described by its operation.
        let said = |&i: &usize| match &self.nodes[i] {
            n if n.name.is_some() => self.name(i, Markup::Text),
            n => format!("{} {}", self.name(i, Markup::Text), n.op.as_deref().unwrap_or("")),
        };
        let mut names: Vec<String> = way.iter().map(said).collect();
        if names.len() > 2 * ENDS + 2 {
            let between = names.len() - 2 * ENDS;
            names.splice(ENDS..names.len() - ENDS, [format!("{between} more")]);
        }
        (names.len() > 2).then(|| names.join(" → "))
    }
}

fn share(adds: &Value, gradient: Option<&Value>) -> f64 {
    let Some(g) = gradient.filter(|g| g.numbers.len() == adds.numbers.len() && !g.numbers.is_empty()) else {
        return f64::NAN;
    };
    let dot = |a: &[f64]| a.iter().zip(&g.numbers).map(|(a, b)| a * b).sum::<f64>();
    dot(&adds.numbers) / dot(&g.numbers)
}

fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { "–".into() }
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There are 2^40 paths; the largest are found without visiting all of them.
    #[test]
    fn the_best_of_very_many_paths() {
        let tape = Tape::<f64>::new();
        let x = tape.var(1.5).named("x");
        let mut y = x;
        for _ in 0..40 {
            y = y * 0.4 + y * 0.5;
        }
        let why = explain(y, x).unwrap();
        assert_eq!(why.path_count, 2f64.powi(40));
        assert!((why.paths[0].product - 0.5f64.powi(40)).abs() < 1e-20);
        assert!(why.paths[0].product >= why.paths[4].product);
        let gradient = why.gradient.unwrap().as_number().unwrap();
        assert!((gradient - 0.9f64.powi(40)).abs() < 1e-12);
    }

    #[test]
    fn tensors_have_terms_whose_shares_add_up() {
        let tape = Tape::<f64>::new();
        let x = tape.var(wengert_ops::Tensor::from([1.0, -2.0])).named("x");
        let y = (x.square() + x.sin()).sum();
        let why = tape.explain(y, x).unwrap();
        assert_eq!(why.terms.len(), 2);
        assert!((why.terms.iter().map(|t| t.share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(why.to_string().contains("through v₁, square"), "{why}");
        let c = tape.constant(1.0).named("c");
        let refused = explain(x.sum() * c, c).unwrap_err().to_string();
        assert_eq!(refused, "c is a constant: it has no gradient");
        let refused = explain(y, tape.var(1.0)).unwrap_err().to_string();
        assert_eq!(refused, "the output was not computed from this value");
        let other = Tape::<f64>::new();
        let refused = explain(y, other.var(1.0)).unwrap_err().to_string();
        assert_eq!(refused, "the two values are on different tapes");
    }
}
