//! Formulas that a user types: `tanh(w*x + b)^2`, also with named parts, `z = w*x + b; tanh(z)^2`.
//!
//! Precedence is that of mathematics: powers, from right to left; then signs, so that -x^2 is -(x^2); then products and
//! quotients; then sums. An error shows its column and what was expected there.

mod evaluate;
mod functions;
mod parse;

pub use parse::Mistake;

/// A parsed expression.
///
/// ```
/// use wengert_trace::expression::Expression;
/// let f = Expression::parse("tanh(w*x + b)^2")?;
/// assert_eq!(f.variables(), ["w", "x", "b"]);
/// let y: f64 = f.evaluate(&[2.0, -1.0, 0.5])?;
/// assert!((y - (-1.5f64).tanh().powi(2)).abs() < 1e-15);
///
/// let mistake = Expression::parse("tanh(w*x +").unwrap_err();
/// assert_eq!(mistake.to_string(), "\
/// column 11: expected a number, a name, - or (, found the end
///   tanh(w*x +
///             ^");
/// # Ok::<(), wengert_trace::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub(crate) source: String,
    pub(crate) variables: Vec<String>,
    /// The parts in the order in which they are computed; the last is the result.
    pub(crate) parts: Vec<Part>,
}

/// The expression between two semicolons.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) name: Option<String>,
    pub(crate) tree: Tree,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    Number(f64),
    Variable(usize),
    /// An earlier part.
    Part(usize),
    Neg(Box<Tree>),
    Binary(char, Box<Tree>, Box<Tree>),
    Call(&'static str, Vec<Tree>),
}

impl Expression {
    /// The variables in the order of their first occurrence.
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// The text of the expression.
    pub fn source(&self) -> &str {
        &self.source
    }
}
