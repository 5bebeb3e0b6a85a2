//! The functions of expressions: those of [`Elementary`], by name.

use wengert_tape::{Elementary, Real};

/// Constants by name.
pub(crate) const CONSTANTS: [(&str, f64); 4] = [
    ("pi", std::f64::consts::PI),
    ("π", std::f64::consts::PI),
    ("tau", std::f64::consts::TAU),
    ("e", std::f64::consts::E),
];

/// Functions of two arguments.
pub(crate) const BINARY: [&str; 5] = ["pow", "max", "min", "hypot", "atan2"];

/// Other names of the same functions.
const ALIASES: [(&str, &str); 8] = [
    ("ln", "log"),
    ("arcsin", "asin"),
    ("arccos", "acos"),
    ("arctan", "atan"),
    ("σ", "sigmoid"),
    ("logistic", "sigmoid"),
    ("maximum", "max"),
    ("minimum", "min"),
];

macro_rules! functions {
    ($($name:ident)*) => {
        /// Functions of one argument.
        pub(crate) const UNARY: &[&str] = &[$(stringify!($name)),*];

        /// A function of one argument, if there is one with this name.
        pub(crate) fn unary<R: Real>(name: &str, x: R) -> Option<R> {
            Some(match name {
                $(stringify!($name) => Elementary::$name(x),)*
                _ => return None,
            })
        }
    };
}
functions! {
    abs sqrt rsqrt recip square exp exp2 expm1 log log1p log2 log10 sin cos tan asin acos atan sinh cosh tanh asinh
    acosh atanh erf erfc sigmoid softplus log_sigmoid relu silu gelu
}

/// A function of two arguments, if there is one with this name.
pub(crate) fn binary<R: Real>(name: &str, a: R, b: R) -> Option<R> {
    Some(match name {
        "pow" => a.power_of(b),
        "max" => a.larger(b),
        "min" => a.smaller(b),
        "hypot" => a.hypot(b),
        "atan2" => a.atan2(b),
        _ => return None,
    })
}

/// The function with this name, and its number of arguments.
pub(crate) fn known(name: &str) -> Option<(&'static str, usize)> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, to)| to);
    let among = |all: &[&'static str]| all.iter().copied().find(|f| *f == name);
    among(UNARY).map(|f| (f, 1)).or_else(|| among(&BINARY).map(|f| (f, 2)))
}

/// The names of all functions.
pub(crate) fn names() -> impl Iterator<Item = String> {
    UNARY.iter().chain(&BINARY).copied().chain(ALIASES.iter().map(|(alias, _)| *alias)).map(str::to_owned)
}
