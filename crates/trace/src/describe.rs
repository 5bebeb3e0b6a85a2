//! What happens in a step, in words and equations: the same text for the terminal, the page and screen readers.

use crate::math::{Markup, Math};
use crate::trace::{Step, Trace};
use crate::value::Value;

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// A sentence.
    pub title: String,
    /// Equations, each with a caption and the sides that are equal.
    pub equations: Vec<(String, Vec<Side>)>,
}

/// One side of an equation: a formula, written with names or with numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// The formula.
    pub math: Math,
    /// Whether the formula is written with numbers.
    pub numbers: bool,
}

/// The largest number of local derivatives of which a forward step shows all, and the number that it shows of more.
const DERIVATIVES: (usize, usize) = (6, 3);

/// The description of a step that does not exist.
fn nothing() -> Description {
    Description { title: "there is no such step".into(), equations: Vec::new() }
}

fn named(math: Math) -> Side {
    Side { math, numbers: false }
}

fn with_numbers(math: Math) -> Side {
    Side { math, numbers: true }
}

fn value(v: &Value) -> Side {
    named(Math::Value(v.clone()))
}

impl Trace {
    /// What happens in a step.
    ///
    /// ```
    /// use wengert_trace::{Step, Trace};
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(3.0).named("x");
    /// let y = (x * x).named("y");
    /// let trace = Trace::of(y)?;
    /// let second = trace.describe(Step::Reverse(1));
    /// assert_eq!(second.title, "y gives 3 to x");
    /// assert_eq!(trace.equations(&second), ["∂y/∂x = x = 3", "ȳ · x = 1 · 3 = 3", "x̄ = 3 + 3 = 6"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn describe(&self, step: Step) -> Description {
        match step {
            Step::Forward(i) if i >= self.nodes.len() => nothing(),
            Step::Reverse(i) if i >= self.reverse.len() => nothing(),
            Step::Forward(i) => self.forward(i),
            Step::Seed => {
                let name = self.name(self.output, Markup::Text);
                let mut sides =
                    vec![named(Math::Cotangent(self.output)), named(Math::Slope(self.output, self.output))];
                sides.extend(self.nodes[self.output].gradient.as_ref().map(value));
                let title = format!("the sweep starts at {name}");
                Description { title, equations: vec![("seed".into(), sides)] }
            }
            Step::Reverse(i) => self.back(i),
        }
    }

    /// The sides of each equation joined by equals signs, as text.
    pub fn equations(&self, d: &Description) -> Vec<String> {
        d.equations.iter().map(|(_, sides)| self.equation(sides, Markup::Text)).collect()
    }

    /// Sides joined by equals signs.
    pub fn equation(&self, sides: &[Side], markup: Markup) -> String {
        let equals = if markup == Markup::MathMl { "<mo>=</mo>" } else { " = " };
        self.sides(sides, markup).join(equals)
    }

    /// The sides of an equation; equal consecutive sides are written once.
    pub fn sides(&self, sides: &[Side], markup: Markup) -> Vec<String> {
        let mut written: Vec<String> = sides.iter().map(|s| self.write(&s.math, markup, s.numbers)).collect();
        written.dedup();
        written
    }

    fn forward(&self, i: usize) -> Description {
        let n = &self.nodes[i];
        let name = self.name(i, Markup::Text);
        let mut sides = vec![named(Math::Node(i))];
        if let Some(formula) = &n.formula {
            sides.push(named(formula.clone()));
            // For an operation without a formula, numbers add nothing.
            sides.push(with_numbers(formula.clone()));
        }
        sides.extend(n.value.as_ref().map(value));
        let of = n.op.as_deref().unwrap_or("");
        let title = match &n.value {
            Some(v) if v.fits_a_formula() => format!("{name} is computed: {of}, {v}"),
            _ => format!("{name} is computed: {of}"),
        };
        let mut equations = vec![("value".to_owned(), sides)];
        // The local derivatives are known as soon as the value is.
        let slopes: Vec<_> =
            self.reverse.iter().filter(|g| g.from == i).filter_map(|g| self.slope(g)).collect();
        let count = slopes.len();
        if count <= DERIVATIVES.0 {
            equations.extend(slopes);
        } else {
            let numbered = |(k, (caption, sides)): (usize, (String, Vec<Side>))| {
                (format!("{caption} {} of {count}", k + 1), sides)
            };
            equations.extend(slopes.into_iter().take(DERIVATIVES.1).enumerate().map(numbered));
        }
        Description { title, equations }
    }

    fn slope(&self, g: &crate::Contribution) -> Option<(String, Vec<Side>)> {
        let mut sides = vec![named(Math::Slope(g.from, g.to))];
        if let Some(derivative) = &g.derivative {
            sides.push(named(derivative.clone()));
            sides.push(with_numbers(derivative.clone()));
        }
        sides.extend(g.slope.as_ref().filter(|s| s.fits_a_formula()).map(value));
        (sides.len() > 1).then(|| ("local derivative".to_owned(), sides))
    }

    fn back(&self, i: usize) -> Description {
        let g = &self.reverse[i];
        let (from, to) = (self.name(g.from, Markup::Text), self.name(g.to, Markup::Text));
        let title = match g.adds.fits_a_formula() {
            true => format!("{from} gives {} to {to}", g.adds),
            false => format!("{from} gives {to} a cotangent"),
        };
        let mut equations: Vec<_> = self.slope(g).into_iter().collect();
        let adds = vec![named(g.by.clone()), with_numbers(g.by.clone()), value(&g.adds)];
        equations.push(("given".into(), adds));
        let before = self.reverse[..i].iter().rev().find(|b| b.to == g.to).map(|b| &b.sum);
        let before =
            before.or_else(|| if g.to == self.output { self.nodes[g.to].gradient.as_ref() } else { None });
        let mut sum = vec![named(Math::Cotangent(g.to))];
        // No sum can be read off two summaries.
        if let Some(before) = before.filter(|b| b.fits_a_formula()) {
            let value = |v: &Value| Box::new(Math::Value(v.clone()));
            sum.push(named(Math::Add(value(before), value(&g.adds))));
        }
        sum.push(value(&g.sum));
        let terms = self.reverse.iter().filter(|b| b.to == g.to).count();
        let caption = match self.reverse[..=i].iter().filter(|b| b.to == g.to).count() {
            _ if terms == 1 => "accumulated".to_owned(),
            k => format!("accumulated, term {k} of {terms}"),
        };
        equations.push((caption, sum));
        Description { title, equations }
    }
}
