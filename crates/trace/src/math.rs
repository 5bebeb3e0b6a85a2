//! [`Math`]: a formula over the nodes of a trace, written with their names or with their numbers.

use crate::number::{self, shown};
use crate::value::Value;
use serde::{Deserialize, Serialize};
use wengert_tape::Term;

/// A formula over nodes.
///
/// Leaves are nodes, so that the same tree can be written with names or with numbers; see
/// [`Trace::text`](crate::Trace::text).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Math {
    /// The value of a node.
    Node(usize),
    /// The cotangent of a node: the derivative of the output with respect to it.
    Cotangent(usize),
    /// The derivative of the first node with respect to the second.
    Slope(usize, usize),
    /// A number.
    Number(#[serde(with = "number::one")] f64),
    /// A value.
    Value(Value),
    /// A function of some arguments.
    Call(String, Vec<Math>),
    /// An option of a function, in words.
    Words(String),
    /// The negative.
    Neg(Box<Math>),
    /// A sum.
    Add(Box<Math>, Box<Math>),
    /// A difference.
    Sub(Box<Math>, Box<Math>),
    /// A product of numbers.
    Mul(Box<Math>, Box<Math>),
    /// An elementwise product ⊙.
    Hadamard(Box<Math>, Box<Math>),
    /// A product of matrices.
    Product(Box<Math>, Box<Math>),
    /// A quotient.
    Div(Box<Math>, Box<Math>),
    /// A power.
    Pow(Box<Math>, Box<Math>),
    /// A transposed matrix.
    Transpose(Box<Math>),
    /// A sum over elements.
    Sum(Box<Math>),
    /// A comparison, with its sign.
    Compare(String, Box<Math>, Box<Math>),
    /// The second if the first holds, otherwise the third.
    Select(Box<Math>, Box<Math>, Box<Math>),
}

/// The markup of a formula.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markup {
    /// Unicode text.
    Text,
    /// LaTeX.
    Latex,
    /// MathML, without the `<math>` around it.
    MathMl,
}

/// How tightly the outermost operator of a formula binds.
const LOOSE: u8 = 0;
const SUM: u8 = 1;
pub(crate) const PRODUCT: u8 = 2;
const POWER: u8 = 3;
const ATOM: u8 = 4;

/// How the leaves are written.
pub(crate) type Leaves<'a> = dyn Fn(&Math) -> Written + 'a;

/// A written formula, and how tightly it binds.
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) binding: u8,
}

impl Written {
    pub(crate) fn atom(text: String) -> Self {
        Written { text, binding: ATOM }
    }

    /// Text that needs brackets before an exponent.
    pub(crate) fn raised(text: String) -> Self {
        Written { text, binding: POWER }
    }
}

impl Math {
    /// A formula of the tape whose inputs and output are these nodes.
    pub fn of(term: &Term, inputs: &[usize], output: usize) -> Math {
        let of = |t: &Term| Box::new(Math::of(t, inputs, output));
        match term {
            Term::Input(i) => inputs.get(*i).map_or(Math::Call("?".into(), Vec::new()), |&n| Math::Node(n)),
            Term::Output => Math::Node(output),
            Term::Number(c) => Math::Number(*c),
            Term::Call(f, x) => {
                Math::Call((*f).to_owned(), x.iter().map(|t| Math::of(t, inputs, output)).collect())
            }
            Term::Neg(a) => Math::Neg(of(a)),
            Term::Add(a, b) => Math::Add(of(a), of(b)),
            Term::Sub(a, b) => Math::Sub(of(a), of(b)),
            Term::Mul(a, b) => Math::Mul(of(a), of(b)),
            Term::Div(a, b) => Math::Div(of(a), of(b)),
            Term::Pow(a, b) => Math::Pow(of(a), of(b)),
            Term::Compare(sign, a, b) => Math::Compare((*sign).to_owned(), of(a), of(b)),
            Term::Select(c, a, b) => Math::Select(of(c), of(a), of(b)),
        }
    }

    /// A cotangent times a derivative, without factors that change nothing.
    pub(crate) fn times(self, slope: Math, elementwise: bool) -> Math {
        match slope {
            Math::Number(1.0) => self,
            Math::Number(-1.0) => Math::Neg(Box::new(self)),
            slope if elementwise && !matches!(slope, Math::Number(_)) => {
                Math::Hadamard(Box::new(self), Box::new(slope))
            }
            slope => Math::Mul(Box::new(self), Box::new(slope)),
        }
    }

    /// The subformulas.
    pub(crate) fn parts(&self) -> Vec<&Math> {
        match self {
            Math::Node(_)
            | Math::Cotangent(_)
            | Math::Slope(..)
            | Math::Number(_)
            | Math::Value(_)
            | Math::Words(_) => Vec::new(),
            Math::Call(_, x) => x.iter().collect(),
            Math::Neg(a) | Math::Transpose(a) | Math::Sum(a) => vec![a],
            Math::Add(a, b)
            | Math::Sub(a, b)
            | Math::Mul(a, b)
            | Math::Hadamard(a, b)
            | Math::Product(a, b)
            | Math::Div(a, b)
            | Math::Pow(a, b)
            | Math::Compare(_, a, b) => vec![a, b],
            Math::Select(c, a, b) => vec![c, a, b],
        }
    }

    /// The nesting depth, and the number of parts.
    pub(crate) fn size(&self) -> (usize, usize) {
        let inner = self.parts().into_iter().map(Math::size);
        let (depth, parts) = inner.fold((0, 0), |(d, n), (depth, parts)| (d.max(depth), n + parts));
        (depth + 1, parts + 1)
    }

    pub(crate) fn write(&self, m: Markup, leaves: &Leaves<'_>) -> Written {
        let inner = |a: &Math, least: u8| a.within(m, leaves, least);
        let operator = |sign: &str| match m {
            Markup::MathMl => format!("<mo>{}</mo>", escaped(sign)),
            Markup::Text => format!(" {sign} "),
            Markup::Latex => format!(" {} ", latex_sign(sign)),
        };
        let between = |a: &Math, least_a: u8, sign: &str, b: &Math, least_b: u8, binding: u8| Written {
            text: row(m, format!("{}{}{}", inner(a, least_a), operator(sign), inner(b, least_b))),
            binding,
        };
        match self {
            Math::Node(_) | Math::Cotangent(_) | Math::Slope(..) => leaves(self),
            Math::Number(c) => number_in(m, *c),
            Math::Value(v) => value_in(m, v),
            Math::Words(words) => Written::atom(match m {
                Markup::Text => words.clone(),
                Markup::Latex => format!("\\text{{{}}}", words.replace('_', "\\_")),
                Markup::MathMl => format!("<mtext>{}</mtext>", escaped(words)),
            }),
            Math::Call(f, x) => {
                let x: Vec<String> = x.iter().map(|a| inner(a, LOOSE)).collect();
                Written::atom(call(m, f, &x))
            }
            Math::Neg(a) => {
                let sign = if m == Markup::MathMl { "<mo>-</mo>" } else { "-" };
                Written { text: row(m, format!("{sign}{}", inner(a, PRODUCT))), binding: SUM }
            }
            Math::Add(a, b) => between(a, SUM, "+", b, PRODUCT, SUM),
            Math::Sub(a, b) => between(a, SUM, "-", b, PRODUCT, SUM),
            Math::Mul(a, b) => between(a, PRODUCT, "·", b, POWER, PRODUCT),
            Math::Hadamard(a, b) => between(a, PRODUCT, "⊙", b, POWER, PRODUCT),
            Math::Product(a, b) => {
                let space = if m == Markup::MathMl { "<mspace width=\"0.2em\"/>" } else { " " };
                let text = row(m, format!("{}{space}{}", inner(a, PRODUCT), inner(b, POWER)));
                Written { text, binding: PRODUCT }
            }
            Math::Div(a, b) => match m {
                Markup::Text => between(a, PRODUCT, "/", b, POWER, PRODUCT),
                Markup::Latex => Written {
                    text: format!("\\frac{{{}}}{{{}}}", inner(a, LOOSE), inner(b, LOOSE)),
                    binding: POWER,
                },
                Markup::MathMl => Written {
                    text: format!("<mfrac>{}{}</mfrac>", inner(a, LOOSE), inner(b, LOOSE)),
                    binding: POWER,
                },
            },
            Math::Pow(a, b) => {
                let base = inner(a, ATOM);
                let text = match (m, &**b) {
                    (Markup::MathMl, b) => format!("<msup>{base}{}</msup>", inner(b, LOOSE)),
                    (Markup::Latex, b) => format!("{{{base}}}^{{{}}}", inner(b, LOOSE)),
                    (Markup::Text, Math::Number(c)) if c.fract() == 0.0 && c.abs() < 1000.0 => {
                        format!("{base}{}", raised(&format!("{c}")))
                    }
                    (Markup::Text, b) => format!("{base}^{}", inner(b, ATOM)),
                };
                Written { text, binding: POWER }
            }
            Math::Transpose(a) => {
                let base = inner(a, ATOM);
                let text = match m {
                    Markup::Text => format!("{base}ᵀ"),
                    Markup::Latex => format!("{{{base}}}^{{\\top}}"),
                    Markup::MathMl => format!("<msup>{base}<mo>⊤</mo></msup>"),
                };
                Written { text, binding: POWER }
            }
            Math::Sum(a) => {
                let sign = match m {
                    Markup::Text => "Σ ",
                    Markup::Latex => "\\sum ",
                    Markup::MathMl => "<mo>∑</mo>",
                };
                Written { text: row(m, format!("{sign}{}", inner(a, POWER))), binding: PRODUCT }
            }
            Math::Compare(sign, a, b) => between(a, SUM, sign, b, SUM, LOOSE),
            Math::Select(c, a, b) => {
                let (c, a, b) = (inner(c, LOOSE), inner(a, LOOSE), inner(b, LOOSE));
                let text = match m {
                    Markup::Text => format!("{a} if {c}, else {b}"),
                    Markup::Latex => {
                        format!("\\begin{{cases}} {a} & {c} \\\\ {b} & \\text{{else}} \\end{{cases}}")
                    }
                    Markup::MathMl => format!(
                        "<mrow><mo>{{</mo><mtable><mtr><mtd>{a}</mtd><mtd>{c}</mtd></mtr>\
                         <mtr><mtd>{b}</mtd><mtd><mtext>else</mtext></mtd></mtr></mtable></mrow>"
                    ),
                };
                Written { text, binding: if m == Markup::Text { LOOSE } else { ATOM } }
            }
        }
    }

    /// The terms of a sum from left to right, each with the sign before it: a line may be broken between them.
    pub(crate) fn terms(&self) -> Vec<(&'static str, &Math)> {
        match self {
            Math::Add(a, b) | Math::Sub(a, b) => {
                let sign = if matches!(self, Math::Add(..)) { "+" } else { "-" };
                let mut terms = a.terms();
                terms.push((sign, b));
                terms
            }
            one => vec![("", one)],
        }
    }

    fn within(&self, m: Markup, leaves: &Leaves<'_>, least: u8) -> String {
        let Written { text, binding } = self.write(m, leaves);
        if binding >= least {
            return text;
        }
        match m {
            Markup::Text => format!("({text})"),
            Markup::Latex => format!("\\left({text}\\right)"),
            Markup::MathMl => format!("<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"),
        }
    }
}

fn row(m: Markup, text: String) -> String {
    if m == Markup::MathMl { format!("<mrow>{text}</mrow>") } else { text }
}

fn latex_sign(sign: &str) -> &str {
    match sign {
        "·" => "\\cdot",
        "⊙" => "\\odot",
        "≤" => "\\le",
        sign => sign,
    }
}

/// A number; a negative number binds like a difference.
pub(crate) fn number_in(m: Markup, c: f64) -> Written {
    let binding = if c < 0.0 { SUM } else { ATOM };
    let text = shown(c);
    let exponent = m != Markup::Text && text.contains('e');
    let text = match (m, text.split_once('e')) {
        (Markup::Text, _) => text.clone(),
        (Markup::Latex, None) => text.replace('∞', "\\infty").replace("NaN", "\\mathrm{NaN}"),
        (Markup::Latex, Some((digits, power))) => format!("{digits} \\cdot 10^{{{power}}}"),
        (Markup::MathMl, None) => format!("<mn>{text}</mn>"),
        (Markup::MathMl, Some((digits, power))) => {
            format!("<mrow><mn>{digits}</mn><mo>·</mo><msup><mn>10</mn><mn>{power}</mn></msup></mrow>")
        }
    };
    Written { text, binding: if exponent && binding == ATOM { PRODUCT } else { binding } }
}

/// A value in a formula.
pub(crate) fn value_in(m: Markup, v: &Value) -> Written {
    if let Some(c) = v.as_number() {
        return number_in(m, c);
    }
    if m == Markup::Text || !v.fits_a_formula() {
        let text = v.to_string();
        return Written::atom(match m {
            Markup::Text => text,
            Markup::Latex => format!("\\text{{{text}}}"),
            Markup::MathMl => format!("<mtext>{}</mtext>", escaped(&text)),
        });
    }
    // A vector is written as a column.
    let columns = if v.shape.len() == 2 { v.shape[1] } else { 1 };
    let rows = v.numbers.chunks(columns.max(1)).map(|r| r.iter().map(|c| number_in(m, *c).text));
    Written::atom(match m {
        Markup::MathMl => {
            let rows = rows.map(|r| {
                let cells: String = r.map(|c| format!("<mtd>{c}</mtd>")).collect();
                format!("<mtr>{cells}</mtr>")
            });
            let rows: String = rows.collect();
            format!("<mtable class=\"tensor\">{rows}</mtable>")
        }
        _ => {
            let rows: Vec<String> = rows.map(|r| r.collect::<Vec<_>>().join(" & ")).collect();
            format!("\\begin{{bmatrix}} {} \\end{{bmatrix}}", rows.join(" \\\\ "))
        }
    })
}

fn call(m: Markup, f: &str, x: &[String]) -> String {
    let comma = if m == Markup::MathMl { "<mo>,</mo>" } else { ", " };
    let arguments = x.join(comma);
    match (m, f) {
        (Markup::Text, f) => format!("{f}({arguments})"),
        (Markup::Latex, "sqrt") => format!("\\sqrt{{{arguments}}}"),
        (Markup::Latex, "abs") => format!("\\left|{arguments}\\right|"),
        (Markup::Latex, "exp" | "log" | "sin" | "cos" | "tan" | "tanh" | "sinh" | "cosh") => {
            format!("\\{f}\\left({arguments}\\right)")
        }
        (Markup::Latex, f) => {
            format!("\\operatorname{{{}}}\\left({arguments}\\right)", f.replace('_', "\\_"))
        }
        (Markup::MathMl, "sqrt") => format!("<msqrt>{arguments}</msqrt>"),
        (Markup::MathMl, "abs") => format!("<mrow><mo>|</mo>{arguments}<mo>|</mo></mrow>"),
        (Markup::MathMl, f) => {
            format!("<mrow><mi>{}</mi><mo>(</mo>{arguments}<mo>)</mo></mrow>", escaped(f))
        }
    }
}

/// Digits as superscripts.
fn raised(digits: &str) -> String {
    let up = |d: char| match d.to_digit(10) {
        Some(d) => "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().nth(d as usize).unwrap_or(' '),
        None => '⁻',
    };
    digits.chars().map(up).collect()
}

/// Text escaped for HTML, so that it is not taken for markup.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
