//! [`Settings`]: what the results of a run depend on, so that weights and checkpoints can say of which run they are.

use crate::error::{Error, Result};
use crate::fingerprint::fingerprint;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The options that the results of a run depend on, by name. They are kept in its checkpoints and beside its weights; whoever reads
/// these compares them with the options at hand, lest the weights of one run pass for those of another.
///
/// ```
/// use wengert_train::Settings;
/// #[derive(serde::Serialize)]
/// struct Options { seed: u64, lr: f64, threads: usize, model: Model }
/// #[derive(serde::Serialize)]
/// struct Model { widths: [usize; 2] }
/// let of = |seed, threads| {
///     let options = Options { seed, lr: 0.1, threads, model: Model { widths: [20, 10] } };
///     Settings::of(&options).map(|all| all.without(&["threads"]))
/// };
/// assert_eq!(of(1, 2)?.get("model.widths"), Some("[20,10]"));
/// assert_eq!(of(1, 2)?, of(1, 3)?);
/// assert_eq!(of(1, 2)?.differences(&of(4, 2)?), ["seed is 4 there and 1 here"]);
/// assert_ne!(of(1, 2)?.fingerprint(), of(4, 2)?.fingerprint());
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// All options of a configuration; those inside others have names such as `model.widths`. See [`Settings`] for an example.
    ///
    /// # Errors
    /// If they cannot be written as JSON.
    pub fn of(configuration: &impl Serialize) -> Result<Self> {
        let unwritten = |e: serde_json::Error| Error::Argument {
            call: "settings",
            expected: "options that can be written as JSON",
            found: e.to_string(),
        };
        let mut all = BTreeMap::new();
        flatten("", &serde_json::to_value(configuration).map_err(unwritten)?, &mut all);
        Ok(Settings(all))
    }

    /// The same but for these: options that change nothing about the results. See [`Settings`] for an example.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    /// An option, as JSON has it. See [`Settings`] for an example.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// One word for all of them. See [`Settings`] for an example.
    pub fn fingerprint(&self) -> u64 {
        let lines: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        fingerprint(lines.concat().as_bytes())
    }

    /// In what others, *there*, differ from these, *here*. See [`Settings`] for an example.
    pub fn differences(&self, there: &Settings) -> Vec<String> {
        let names: std::collections::BTreeSet<&String> = self.0.keys().chain(there.0.keys()).collect();
        let said = |all: &Settings, name: &str| all.get(name).unwrap_or("not given").to_owned();
        let both = names.into_iter().map(|name| (name, said(there, name), said(self, name)));
        both.filter(|(_, there, here)| there != here)
            .map(|(name, there, here)| format!("{name} is {there} there and {here} here"))
            .collect()
    }

    /// Whether these are also those that a file says that it was made with.
    pub(crate) fn check(&self, said: Option<&Settings>, path: Option<&std::path::Path>) -> Result<()> {
        let differences = match said {
            Some(said) => self.differences(said),
            None => vec!["it does not say with which options it was made".to_owned()],
        };
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Error::Foreign { path: path.map(Into::into), differences }),
        }
    }
}

fn flatten(name: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(parts) => {
            for (key, value) in parts {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, all);
            }
        }
        // What is not given is not there.
        Value::Null => {}
        other => drop(all.insert(name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Settings {
        Settings::of(&serde_json::from_str::<Value>(json).unwrap()).unwrap()
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let here =
            settings(r#"{"seed": 0, "lr": 0.1, "model": {"name": "mlp", "widths": [3, 4]}, "clip": null}"#);
        let there = settings(r#"{"seed": 0, "model": {"name": "mlp", "widths": [3, 5]}, "clip": 1.5}"#);
        let expected = [
            "clip is 1.5 there and not given here",
            "lr is not given there and 0.1 here",
            "model.widths is [3,5] there and [3,4] here",
        ];
        assert_eq!(here.differences(&there), expected);
        assert!(here.differences(&here.clone()).is_empty() && here.check(Some(&here.clone()), None).is_ok());
        let e = here.check(Some(&there), Some("m.safetensors".as_ref())).unwrap_err().to_string();
        assert!(e.starts_with("m.safetensors: of another run: clip is 1.5 there and"), "{e}");
        let e = here.check(None, None).unwrap_err().to_string();
        assert_eq!(e, "of another run: it does not say with which options it was made");
    }
}
