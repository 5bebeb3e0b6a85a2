//! The written form of names: w_21^(1) is w₂₁⁽¹⁾ in text, `w_{21}^{(1)}` in LaTeX, and a letter with indices in MathML.

use crate::math::{Markup, escaped};

/// A name split into its parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Name {
    base: String,
    sub: String,
    sup: String,
}

impl Name {
    /// A single letter with indices (`w_21^(1)`, `x1`), otherwise a word that is written as it is (`layers.0.weight`).
    pub(crate) fn of(text: &str) -> Self {
        let word = || Name { base: text.to_owned(), sub: String::new(), sup: String::new() };
        let mut letters = text.chars();
        let Some(letter) = letters.next().filter(|c| c.is_alphabetic()) else { return word() };
        let rest = letters.as_str();
        let plain = |s: &str| s.chars().all(|c| c.is_alphanumeric() || "(),-+*'".contains(c));
        let parts = match rest.strip_prefix('_') {
            Some(rest) => rest.split_once('^').unwrap_or((rest, "")),
            None => match rest.strip_prefix('^') {
                Some(sup) => ("", sup),
                None if rest.chars().all(|c| c.is_ascii_digit()) => (rest, ""),
                None => return word(),
            },
        };
        match parts {
            (sub, sup) if plain(sub) && plain(sup) => {
                Name { base: letter.to_string(), sub: sub.to_owned(), sup: sup.to_owned() }
            }
            _ => word(),
        }
    }

    /// Whether it is a single letter, with or without indices.
    pub(crate) fn is_letter(&self) -> bool {
        self.base.chars().count() == 1
    }

    /// Whether it has a superscript, at the position of an exponent.
    pub(crate) fn is_raised(&self) -> bool {
        !self.sup.is_empty()
    }

    /// The name, with a bar over it for a cotangent, in bold type for a vector.
    pub(crate) fn write(&self, markup: Markup, bar: bool, bold: bool) -> String {
        match markup {
            Markup::Text => {
                let (base, bar) = if bar { barred(&self.base) } else { (self.base.clone(), "") };
                let indices = indices(&self.sub, false).zip(indices(&self.sup, true));
                match indices {
                    Some((sub, sup)) => format!("{}{bar}{sub}{sup}", base),
                    None => {
                        let mark = |sign: &str, s: &str| {
                            if s.is_empty() { String::new() } else { format!("{sign}{s}") }
                        };
                        format!("{}{bar}{}{}", base, mark("_", &self.sub), mark("^", &self.sup))
                    }
                }
            }
            Markup::Latex => {
                let base = latex_word(&self.base);
                let base = if bold && self.is_letter() { format!("\\mathbf{{{base}}}") } else { base };
                let base = if bar { format!("\\bar{{{base}}}") } else { base };
                let mark =
                    |sign: &str, s: &str| if s.is_empty() { String::new() } else { format!("{sign}{{{s}}}") };
                format!("{base}{}{}", mark("_", &self.sub), mark("^", &self.sup))
            }
            Markup::MathMl => {
                let class = if bold && self.is_letter() { " class=\"b\"" } else { "" };
                let base = format!("<mi{class}>{}</mi>", escaped(&self.base));
                let base =
                    if bar { format!("<mover accent=\"true\">{base}<mo>¯</mo></mover>") } else { base };
                let index = |s: &str| format!("<mtext>{}</mtext>", escaped(s));
                match (self.sub.is_empty(), self.sup.is_empty()) {
                    (true, true) => base,
                    (false, true) => format!("<msub>{base}{}</msub>", index(&self.sub)),
                    (true, false) => format!("<msup>{base}{}</msup>", index(&self.sup)),
                    (false, false) => {
                        format!("<msubsup>{base}{}{}</msubsup>", index(&self.sub), index(&self.sup))
                    }
                }
            }
        }
    }
}

/// A letter that has a form with a bar, otherwise the letter and a bar to be placed over it.
fn barred(base: &str) -> (String, &'static str) {
    let (plain, with_bar) = ("aegiouyAEGIOU", "āēḡīōūȳĀĒḠĪŌŪ");
    match plain.chars().zip(with_bar.chars()).find(|(c, _)| base.chars().eq([*c])) {
        Some((_, c)) => (c.to_string(), ""),
        None => (base.to_owned(), "\u{304}"),
    }
}

/// A word in LaTeX.
fn latex_word(word: &str) -> String {
    let greek =
        [("δ", "\\delta"), ("σ", "\\sigma"), ("μ", "\\mu"), ("π", "\\pi"), ("θ", "\\theta"), ("φ", "\\phi")];
    if let Some((_, command)) = greek.iter().find(|(letter, _)| *letter == word) {
        return (*command).to_owned();
    }
    if word.chars().count() == 1 {
        return word.to_owned();
    }
    let mut safe = String::new();
    for c in word.chars() {
        match c {
            '\\' => safe.push_str("\\backslash "),
            '_' | '{' | '}' | '#' | '%' | '&' | '$' => safe.extend(['\\', c]),
            '^' | '~' => safe.push_str(&format!("\\{c}{{}}")),
            c => safe.push(c),
        }
    }
    format!("\\mathrm{{{safe}}}")
}

/// The letters as subscripts or superscripts, if there is a character for each.
fn indices(text: &str, raised: bool) -> Option<String> {
    let (from, to) = match raised {
        true => ("0123456789()+-nijkTL", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾⁺⁻ⁿⁱʲᵏᵀᴸ"),
        false => ("0123456789()+-,aeijknx", "₀₁₂₃₄₅₆₇₈₉₍₎₊₋,ₐₑᵢⱼₖₙₓ"),
    };
    text.chars().map(|c| from.chars().zip(to.chars()).find(|(f, _)| *f == c).map(|(_, t)| t)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let text = |name: &str| Name::of(name).write(Markup::Text, false, false);
        assert_eq!(text("w_21^(1)"), "w₂₁⁽¹⁾");
        assert_eq!(text("w_10,3^(1)"), "w₁₀,₃⁽¹⁾");
        assert_eq!(text("x1"), "x₁");
        assert_eq!(text("W^(2)"), "W⁽²⁾");
        assert_eq!(text("layers.0.weight"), "layers.0.weight");
        assert_eq!(text("x_total"), "x_total");
        assert_eq!(text("x_<b>"), "x_<b>");
        assert_eq!(text(""), "");
        let latex = |name: &str| Name::of(name).write(Markup::Latex, true, false);
        assert_eq!(latex("δ_1^(2)"), "\\bar{\\delta}_{1}^{(2)}");
        assert_eq!(latex("my_name"), "\\bar{\\mathrm{my\\_name}}");
        let mathml = Name::of("a_<b>").write(Markup::MathMl, false, false);
        assert_eq!(mathml, "<mi>a_&lt;b&gt;</mi>");
    }
}
