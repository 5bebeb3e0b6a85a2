//! Parsers of option values, which check each value as it is read.

use clap::ValueEnum;
use wengert::train::Every;

/// The name of a value in an option.
pub(crate) fn name_of(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned())
}

/// A number within bounds, or an error that says what was expected.
fn number(text: &str, expected: &str, fits: impl Fn(f64) -> bool) -> Result<f64, String> {
    match text.parse() {
        Ok(value) if fits(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

pub(crate) fn learning_rate(text: &str) -> Result<f64, String> {
    number(text, "a number above 0, such as 0.001", |v| v > 0.0 && v.is_finite())
}

pub(crate) fn weight_decay(text: &str) -> Result<f64, String> {
    number(text, "a number from 0, such as 0.01", |v| v >= 0.0 && v.is_finite())
}

pub(crate) fn decay(text: &str) -> Result<f64, String> {
    number(text, "a part from 0 to below 1, such as 0.999", |v| (0.0..1.0).contains(&v))
}

pub(crate) fn clip(text: &str) -> Result<f64, String> {
    number(text, "a number above 0, such as 1", |v| v > 0.0 && v.is_finite())
}

pub(crate) fn dropout(text: &str) -> Result<f64, String> {
    number(text, "a probability from 0 to below 1, such as 0.2", |v| (0.0..1.0).contains(&v))
}

pub(crate) fn test_fraction(text: &str) -> Result<f64, String> {
    number(text, "a fraction between 0 and 1, such as 0.2", |v| v > 0.0 && v < 1.0)
}

/// A count from 1 to `MOST`.
pub(crate) fn count<const MOST: usize>(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MOST).contains(&n) => Ok(n),
        _ => Err(format!("expected a whole number from 1 to {MOST}")),
    }
}

/// The interval at which a run is saved: `100steps`, or `2epochs`.
pub(crate) fn every(text: &str) -> Result<Every, String> {
    text.parse().map_err(|_| "expected a number of steps or epochs, such as 100steps or 2epochs".to_owned())
}

/// An [`Every`] in a file: the text that the option takes.
pub(crate) mod every_as_text {
    use super::{Every, every};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(value: &Option<Every>, to: S) -> Result<S::Ok, S::Error> {
        value.map(|every| every.to_string()).serialize(to)
    }

    pub(crate) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Every>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| every(&text).map_err(D::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_kept() {
        for (read, good, bad) in [
            (learning_rate as fn(&str) -> Result<f64, String>, ["0.1", "1e-9"], ["0", "inf"]),
            (weight_decay, ["0", "0.5"], ["-0.1", "nan"]),
            (dropout, ["0", "0.99"], ["1", "half"]),
            (test_fraction, ["0.01", "0.99"], ["0", "1"]),
        ] {
            assert!(good.iter().all(|text| read(text).is_ok()));
            assert!(bad.iter().all(|text| read(text).unwrap_err().starts_with("expected ")));
        }
        for good in ["100steps", "1step", "2epochs", "1 epoch"] {
            let value = every(good).unwrap();
            assert_eq!(every(&value.to_string()), Ok(value));
        }
        assert!(["0steps", "100", "steps", "", "1.5epochs", "-1steps"].iter().all(|bad| every(bad).is_err()));
        assert_eq!(count::<8>("8"), Ok(8));
        assert!(["0", "9", "-1", "1.5", ""].iter().all(|text| count::<8>(text).is_err()));
    }
}
