//! Formulas as text and in LaTeX.

use std::fmt;

/// An expression for display. The derivative of a pointwise function comes from the formula that computes it, so the
/// expression that is shown is the one that is computed.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// An input of the operation.
    Input(usize),
    /// The operation's output.
    Output,
    /// A number.
    Number(f64),
    /// A function call: the function's name and its arguments.
    Call(&'static str, Vec<Term>),
    /// The negative.
    Neg(Box<Term>),
    /// A sum.
    Add(Box<Term>, Box<Term>),
    /// A difference.
    Sub(Box<Term>, Box<Term>),
    /// A product.
    Mul(Box<Term>, Box<Term>),
    /// A quotient.
    Div(Box<Term>, Box<Term>),
    /// A power.
    Pow(Box<Term>, Box<Term>),
    /// A comparison: its sign and both sides.
    Compare(&'static str, Box<Term>, Box<Term>),
    /// `Select(condition, a, b)`: a where the condition holds, else b.
    Select(Box<Term>, Box<Term>, Box<Term>),
}

/// What an operation computes, and its derivative with respect to each input.
#[derive(Debug, Clone, PartialEq)]
pub struct Equation {
    /// The output.
    pub value: Term,
    /// ∂output/∂input, one per input.
    pub slopes: Vec<Term>,
}

/// These constructors simplify: they leave out + 0 and · 1, and evaluate operations on two numbers.
impl Term {
    /// -a.
    pub(crate) fn opposite(self) -> Term {
        match self {
            Term::Number(c) => Term::Number(-c),
            Term::Neg(a) => *a,
            a => Term::Neg(Box::new(a)),
        }
    }

    /// a + b.
    pub(crate) fn plus(self, o: Term) -> Term {
        match (self, o) {
            (Term::Number(a), Term::Number(b)) => Term::Number(a + b),
            (a, Term::Number(0.0)) => a,
            (Term::Number(0.0), b) => b,
            (a, Term::Neg(b)) => a.minus(*b),
            (a, Term::Number(c)) if c < 0.0 => Term::Sub(Box::new(a), Box::new(Term::Number(-c))),
            (a, b) => Term::Add(Box::new(a), Box::new(b)),
        }
    }

    /// a - b.
    pub(crate) fn minus(self, o: Term) -> Term {
        match (self, o) {
            (Term::Number(a), Term::Number(b)) => Term::Number(a - b),
            (a, Term::Number(0.0)) => a,
            (Term::Number(0.0), b) => b.opposite(),
            (a, b) => Term::Sub(Box::new(a), Box::new(b)),
        }
    }

    /// a b.
    pub(crate) fn times(self, o: Term) -> Term {
        match (self, o) {
            (Term::Number(a), Term::Number(b)) => Term::Number(a * b),
            (a, Term::Number(1.0)) => a,
            (Term::Number(1.0), b) => b,
            (a, Term::Number(-1.0)) | (Term::Number(-1.0), a) => a.opposite(),
            (a, Term::Number(c)) => Term::Mul(Box::new(Term::Number(c)), Box::new(a)),
            (a, b) if a == b => Term::Pow(Box::new(a), Box::new(Term::Number(2.0))),
            (a, b) => Term::Mul(Box::new(a), Box::new(b)),
        }
    }

    /// a / b.
    pub(crate) fn over(self, o: Term) -> Term {
        match (self, o) {
            (Term::Number(a), Term::Number(b)) if b != 0.0 && (a / b * b) == a => Term::Number(a / b),
            (a, Term::Number(1.0)) => a,
            (a, b) => Term::Div(Box::new(a), Box::new(b)),
        }
    }

    /// aᵇ.
    pub(crate) fn power(self, p: f64) -> Term {
        match p {
            0.0 => Term::Number(1.0),
            1.0 => self,
            p => Term::Pow(Box::new(self), Box::new(Term::Number(p))),
        }
    }

    /// The term as text, with the given names for inputs and output.
    ///
    /// ```
    /// use wengert_tape::Term;
    /// let square = Term::Pow(Box::new(Term::Output), Box::new(Term::Number(2.0)));
    /// let slope = Term::Sub(Box::new(Term::Number(1.0)), Box::new(square));      // of tanh
    /// assert_eq!(slope.text(&["x"], "y"), "1 - y²");
    /// assert_eq!(slope.text(&["x"], "0.5"), "1 - 0.5²");
    /// assert_eq!(slope.latex(&["x"], "y"), "1 - y^{2}");
    /// ```
    pub fn text<S: AsRef<str>>(&self, inputs: &[S], output: &str) -> String {
        self.write(&Style { latex: false }, &|i| inputs.get(i).map_or("?", S::as_ref).to_owned(), output, 0)
    }

    /// The term in LaTeX, with the given names for inputs and output.
    pub fn latex<S: AsRef<str>>(&self, inputs: &[S], output: &str) -> String {
        self.write(&Style { latex: true }, &|i| inputs.get(i).map_or("?", S::as_ref).to_owned(), output, 0)
    }

    /// How tightly the outermost sign binds: comparisons and selections 0, sums 1, products 2, powers 3, everything else 4.
    fn binding(&self) -> u8 {
        match self {
            Term::Compare(..) | Term::Select(..) => 0,
            Term::Add(..) | Term::Sub(..) | Term::Neg(_) => 1,
            Term::Number(c) if *c < 0.0 => 1,
            Term::Mul(..) | Term::Div(..) => 2,
            Term::Pow(..) => 3,
            _ => 4,
        }
    }

    fn write(&self, style: &Style, input: &dyn Fn(usize) -> String, output: &str, outer: u8) -> String {
        let inner = |t: &Term, least: u8| t.write(style, input, output, least);
        // A name that is itself a negative number needs brackets next to a sign.
        let name = |name: String, outer: u8| {
            if outer > 1 && name.starts_with(['-', '−']) { format!("({name})") } else { name }
        };
        let text = match self {
            Term::Input(i) => return name(input(*i), outer),
            Term::Output => return name(output.to_owned(), outer),
            Term::Number(c) => number(*c),
            Term::Call(f, x) => {
                let x: Vec<String> = x.iter().map(|t| inner(t, 0)).collect();
                return style.call(f, &x);
            }
            Term::Neg(a) => format!("-{}", inner(a, 2)),
            Term::Add(a, b) => format!("{} + {}", inner(a, 1), inner(b, 1)),
            Term::Sub(a, b) => format!("{} - {}", inner(a, 1), inner(b, 2)),
            Term::Mul(a, b) => format!("{} {} {}", inner(a, 2), style.dot(), inner(b, 3)),
            Term::Div(a, b) if style.latex => {
                return format!("\\frac{{{}}}{{{}}}", inner(a, 0), inner(b, 0));
            }
            Term::Div(a, b) => format!("{} / {}", inner(a, 2), inner(b, 3)),
            Term::Pow(a, b) => style.power(&inner(a, 4), b, &inner(b, if style.latex { 0 } else { 4 })),
            Term::Compare(sign, a, b) => format!("{} {} {}", inner(a, 1), style.sign(sign), inner(b, 1)),
            Term::Select(c, a, b) => {
                let (c, a, b) = (inner(c, 0), inner(a, 0), inner(b, 0));
                if style.latex {
                    return format!(
                        "\\begin{{cases}} {a} & {c} \\\\ {b} & \\text{{otherwise}} \\end{{cases}}"
                    );
                }
                format!("{a} if {c}, else {b}")
            }
        };
        if self.binding() < outer { format!("({text})") } else { text }
    }
}

struct Style {
    latex: bool,
}

impl Style {
    fn dot(&self) -> &'static str {
        if self.latex { "\\cdot" } else { "·" }
    }

    fn sign(&self, sign: &'static str) -> &'static str {
        match (self.latex, sign) {
            (true, "≤") => "\\le",
            _ => sign,
        }
    }

    fn call(&self, f: &str, x: &[String]) -> String {
        let arguments = x.join(", ");
        if !self.latex {
            return format!("{f}({arguments})");
        }
        match f {
            "sqrt" => format!("\\sqrt{{{arguments}}}"),
            "exp" | "log" | "sin" | "cos" | "tan" | "tanh" | "sinh" | "cosh" => {
                format!("\\{f}\\left({arguments}\\right)")
            }
            "sigmoid" => format!("\\sigma\\left({arguments}\\right)"),
            "abs" => format!("\\left|{arguments}\\right|"),
            f => {
                let f = f.replace('_', "\\_");
                format!("\\operatorname{{{f}}}\\left({arguments}\\right)")
            }
        }
    }

    fn power(&self, base: &str, exponent: &Term, written: &str) -> String {
        if self.latex {
            return format!("{base}^{{{written}}}");
        }
        match exponent {
            Term::Number(c) if c.fract() == 0.0 && c.abs() < 100.0 => {
                let digits = "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().collect::<Vec<_>>();
                let raise = |d: char| d.to_digit(10).map_or('⁻', |d| digits[d as usize]);
                format!("{base}{}", format!("{c}").chars().map(raise).collect::<String>())
            }
            _ => format!("{base}^{written}"),
        }
    }
}

/// A number with at most five significant digits.
pub(crate) fn number(c: f64) -> String {
    if c == 0.0 || !c.is_finite() {
        return format!("{c}");
    }
    let size = c.abs();
    if !(1e-4..1e6).contains(&size) {
        return format!("{c:.3e}");
    }
    let decimals = (4 - size.log10().floor() as i32).max(0) as usize;
    let text = format!("{c:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}",
            self.write(
                &Style { latex: false },
                &|i| ["a", "b", "c"].get(i).unwrap_or(&"x").to_string(),
                "y",
                0
            )
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Term::{Input, Number, Output};

    #[test]
    fn brackets_stand_where_they_must() {
        let (a, b) = (|| Input(0), || Input(1));
        let sum = a().plus(b());
        assert_eq!(sum.clone().times(a()).to_string(), "(a + b) · a");
        assert_eq!(a().minus(sum.clone()).to_string(), "a - (a + b)");
        assert_eq!(a().minus(b()).plus(a()).to_string(), "a - b + a");
        assert_eq!(sum.clone().power(3.0).to_string(), "(a + b)³");
        assert_eq!(Number(1.0).over(sum.clone().over(b())).to_string(), "1 / ((a + b) / b)");
        assert_eq!(a().times(a()).opposite().to_string(), "-a²");
        assert_eq!(a().times(b().opposite()).to_string(), "a · (-b)");
        assert_eq!(Term::Call("atan2", vec![a().minus(b()), b()]).to_string(), "atan2(a - b, b)");
        assert_eq!(a().power(-1.5).to_string(), "a^(-1.5)");
        // Numbers in place of names.
        assert_eq!(a().minus(b()).times(Output).text(&["2", "-3"], "-0.5"), "(2 - (-3)) · (-0.5)");
        assert_eq!(sum.over(b()).latex(&["a", "b"], "y"), "\\frac{a + b}{b}");
    }

    #[test]
    fn what_is_nothing_is_left_out() {
        let a = || Input(0);
        assert_eq!(a().plus(Number(0.0)), a());
        assert_eq!(Number(1.0).times(a()), a());
        assert_eq!(a().times(Number(-1.0)).to_string(), "-a");
        assert_eq!(a().opposite().opposite(), a());
        assert_eq!(a().power(1.0), a());
        assert_eq!(Number(2.0).plus(Number(3.0)), Number(5.0));
        assert_eq!(
            [1.0, 0.1, 1234567.0, -0.333333, 1e-7, 0.0].map(number),
            ["1", "0.1", "1.235e6", "-0.33333", "1.000e-7", "0"]
        );
    }
}
