//! Numbers as they are shown, and as they are saved in files.

/// A number in at most six significant digits.
///
/// ```
/// use wengert_trace::number::shown;
/// assert_eq!([0.1 + 0.2, -1234567.0, 1e-9, 2.0, f64::NAN].map(shown), ["0.3", "-1.23457e6", "1e-9", "2", "NaN"]);
/// ```
pub fn shown(c: f64) -> String {
    if c == 0.0 {
        return "0".into();
    }
    if !c.is_finite() {
        return if c.is_nan() { "NaN".into() } else { (if c > 0.0 { "∞" } else { "-∞" }).into() };
    }
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if !(1e-4..1e6).contains(&c.abs()) {
        let text = format!("{c:.5e}");
        return match text.split_once('e') {
            Some((digits, power)) => format!("{}e{power}", trimmed(digits)),
            None => text,
        };
    }
    let decimals = (5 - c.abs().log10().floor() as i32).max(0) as usize;
    trimmed(&format!("{c:.decimals$}"))
}

/// A number in two significant digits, for narrow places.
pub(crate) fn rough(c: f64) -> String {
    if c == 0.0 || !c.is_finite() {
        return shown(c);
    }
    let rounded = format!("{c:.1e}").parse().unwrap_or(c);
    shown(rounded)
}

/// Numbers in JSON, which cannot represent numbers that are not finite.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
enum Written {
    Finite(f64),
    Word(Word),
}

#[derive(serde::Serialize, serde::Deserialize)]
enum Word {
    #[serde(rename = "nan")]
    NotANumber,
    #[serde(rename = "inf")]
    Infinite,
    #[serde(rename = "-inf")]
    MinusInfinite,
}

impl From<f64> for Written {
    fn from(c: f64) -> Self {
        match c {
            c if c.is_nan() => Written::Word(Word::NotANumber),
            f64::INFINITY => Written::Word(Word::Infinite),
            f64::NEG_INFINITY => Written::Word(Word::MinusInfinite),
            c => Written::Finite(c),
        }
    }
}

impl From<Written> for f64 {
    fn from(c: Written) -> Self {
        match c {
            Written::Finite(c) => c,
            Written::Word(Word::NotANumber) => f64::NAN,
            Written::Word(Word::Infinite) => f64::INFINITY,
            Written::Word(Word::MinusInfinite) => f64::NEG_INFINITY,
        }
    }
}

/// Any number, finite or not, for `#[serde(with)]`.
pub(crate) mod one {
    use super::Written;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
    pub(crate) fn serialize<S: Serializer>(c: &f64, s: S) -> Result<S::Ok, S::Error> {
        Written::from(*c).serialize(s)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Written::deserialize(d)?.into())
    }
}

/// A list of such numbers.
pub(crate) mod many {
    use super::Written;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(c: &[f64], s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(c.iter().map(|&c| Written::from(c)))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<f64>, D::Error> {
        Ok(Vec::<Written>::deserialize(d)?.into_iter().map(f64::from).collect())
    }
}
