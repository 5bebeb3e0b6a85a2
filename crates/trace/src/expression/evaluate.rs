//! Evaluating expressions with any type that behaves like a number.

use super::functions::{CONSTANTS, binary, unary};
use super::{Expression, Tree};
use crate::error::Error;
use crate::trace::Trace;
use wengert_ops::math::portable;
use wengert_tape::rules::scalar::{AddScalar, DivScalar, RDivScalar, RSubScalar};
use wengert_tape::scalar::{Tape, Traced};
use wengert_tape::{Elementary, Real};

/// A number that is part of the expression, or a value that depends on the variables.
#[derive(Clone, Copy)]
enum Known<R> {
    Number(f64),
    Value(R),
}

impl Expression {
    /// The result for these values of the variables: numbers, values of a tape, or any other [`Real`].
    ///
    /// ```
    /// use wengert_trace::expression::Expression;
    /// let f = Expression::parse("2^-x + sin(pi/2)")?;
    /// assert_eq!(f.evaluate(&[1.0])?, 1.5);
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(1.0);
    /// let slope: f64 = f.evaluate(&[x])?.backward()?.wrt(x)?.item()?;
    /// assert!((slope + 0.5 * 2f64.ln()).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If the number of values is not the number of variables, or there are no variables.
    pub fn evaluate<R: Real>(&self, at: &[R]) -> Result<R, Error> {
        self.evaluate_named(at, &mut |value, _| value)
    }

    /// The same as [`evaluate`](Expression::evaluate), but every part with a name goes through `named`.
    ///
    /// # Errors
    /// As [`evaluate`](Expression::evaluate).
    pub fn evaluate_named<R: Real>(&self, at: &[R], named: &mut dyn FnMut(R, &str) -> R) -> Result<R, Error> {
        let (found, expected) = (at.len(), self.variables.len());
        let Some(&first) = at.first().filter(|_| found == expected) else {
            return Err(Error::Refused(match expected {
                0 => "the expression has no variable, so there is nothing to differentiate".into(),
                _ => format!("the expression has {expected} variables, and there are {found} values"),
            }));
        };
        let mut parts: Vec<Known<R>> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            let value = walk(&part.tree, at, &parts);
            // A variable under another name keeps its own name.
            let renamed = matches!(part.tree, Tree::Variable(_) | Tree::Part(_));
            parts.push(match (value, &part.name) {
                (Known::Value(v), Some(name)) if !renamed => Known::Value(named(v, name)),
                (value, _) => value,
            });
        }
        match parts.pop() {
            Some(Known::Value(v)) => Ok(v),
            Some(Known::Number(c)) => Ok(first.like(c)),
            None => Err(Error::Refused("the expression is empty".into())),
        }
    }

    /// The trace of the expression on the scalar tape.
    ///
    /// # Errors
    /// If a variable has no value, a value has no variable (the message gives their names), or the expression has no
    /// variable.
    pub fn trace(&self, at: &[(&str, f64)]) -> Result<Trace, Error> {
        let values = self.values(at)?;
        let tape = Tape::<Traced>::default();
        let named = |(&v, name): (&f64, &String)| tape.var(Traced(v)).named(name.as_str());
        let vars: Vec<_> = values.iter().zip(&self.variables).map(named).collect();
        let y = self.evaluate_named(&vars, &mut |v, name| v.named(name))?;
        let mut trace = Trace::of(y)?;
        trace.title.clone_from(&self.source);
        // The lines of the program are lines of this file, which mean nothing to the user.
        trace.nodes.iter_mut().for_each(|n| n.source = None);
        Ok(trace)
    }

    /// The values in the order of the variables.
    ///
    /// # Errors
    /// If a variable has no value, or a value has no variable.
    pub fn values(&self, at: &[(&str, f64)]) -> Result<Vec<f64>, Error> {
        if let Some((name, _)) = at.iter().find(|(name, _)| !self.variables.iter().any(|v| v == name)) {
            if let Some((_, c)) = CONSTANTS.iter().find(|(c, _)| c == name) {
                return Err(Error::Refused(format!(
                    "{name} is a constant, {c:.6}, and takes no other value"
                )));
            }
            let like = crate::like(name, self.variables.iter().cloned());
            return Err(Error::Unknown { what: "variable", name: (*name).to_owned(), like });
        }
        let value = |v: &String| at.iter().rev().find(|(name, _)| name == v).map(|(_, c)| *c);
        let missing: Vec<String> =
            self.variables.iter().filter(|v| value(v).is_none()).map(|v| format!("{v}=..")).collect();
        if missing.is_empty() {
            return Ok(self.variables.iter().filter_map(value).collect());
        }
        let names: Vec<&str> = missing.iter().map(|m| m.trim_end_matches("=..")).collect();
        let have = if names.len() == 1 { "has" } else { "have" };
        Err(Error::Refused(format!("{} {have} no value: add {}", names.join(", "), missing.join(","))))
    }
}

fn walk<R: Real>(tree: &Tree, at: &[R], parts: &[Known<R>]) -> Known<R> {
    use Known::{Number, Value};
    match tree {
        Tree::Number(c) => Number(*c),
        Tree::Variable(i) => Value(at[*i]),
        Tree::Part(i) => parts[*i],
        Tree::Neg(a) => match walk(a, at, parts) {
            Number(c) => Number(-c),
            Value(v) => Value(-v),
        },
        Tree::Call(f, x) => {
            let x: Vec<Known<R>> = x.iter().map(|t| walk(t, at, parts)).collect();
            match x[..] {
                [Number(c)] => Number(unary(f, c).unwrap_or(f64::NAN)),
                [Value(v)] => Value(unary(f, v).unwrap_or(v)),
                [a, b] if *f == "pow" => power(a, b),
                [Number(a), Number(b)] => Number(binary(f, a, b).unwrap_or(f64::NAN)),
                [Value(a), Number(b)] => Value(binary(f, a, a.like(b)).unwrap_or(a)),
                [Number(a), Value(b)] => Value(binary(f, b.like(a), b).unwrap_or(b)),
                [Value(a), Value(b)] => Value(binary(f, a, b).unwrap_or(a)),
                _ => Number(f64::NAN),
            }
        }
        Tree::Binary(sign, a, b) => {
            let (a, b) = (walk(a, at, parts), walk(b, at, parts));
            match (sign, a, b) {
                ('^', a, b) => power(a, b),
                ('+', Number(a), Number(b)) => Number(a + b),
                ('-', Number(a), Number(b)) => Number(a - b),
                ('*', Number(a), Number(b)) => Number(a * b),
                (_, Number(a), Number(b)) => Number(a / b),
                ('*', Number(c), Value(v)) | ('*', Value(v), Number(c)) => Value(v.scale(c)),
                ('+', Number(c), Value(v)) | ('+', Value(v), Number(c)) => Value(v.apply(AddScalar(c))),
                ('-', Value(v), Number(c)) => Value(v.apply(AddScalar(-c))),
                ('-', Number(c), Value(v)) => Value(v.apply(RSubScalar(c))),
                (_, Value(v), Number(c)) => Value(v.apply(DivScalar(c))),
                (_, Number(c), Value(v)) => Value(v.apply(RDivScalar(c))),
                ('+', Value(a), Value(b)) => Value(a + b),
                ('-', Value(a), Value(b)) => Value(a - b),
                ('*', Value(a), Value(b)) => Value(a * b),
                (_, Value(a), Value(b)) => Value(a / b),
            }
        }
    }
}

fn power<R: Real>(a: Known<R>, b: Known<R>) -> Known<R> {
    use Known::{Number, Value};
    match (a, b) {
        (Number(a), Number(b)) => Number(portable::powf(a, b)),
        (Value(a), Number(2.0)) => Value(a.square()),
        (Value(a), Number(p)) => Value(a.power(p)),
        (Number(a), Value(b)) => Value(b.like(a).power_of(b)),
        (Value(a), Value(b)) => Value(a.power_of(b)),
    }
}
