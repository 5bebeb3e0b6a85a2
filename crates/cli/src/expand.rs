//! `--config FILE`: the options in a file, before those on the command line, which win.

use crate::Cli;
use crate::zoo::{Architecture, RECURRENCES};
use anyhow::{Context, Result, bail};
use clap::{Command, CommandFactory};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The command line with what the file says put in, if it names one.
pub(crate) fn expand(given: Vec<OsString>) -> Result<Vec<OsString>> {
    let given = with_recurrence(given);
    let words: Vec<String> = given.iter().map(|w| w.to_string_lossy().into_owned()).collect();
    if words.get(1).map(String::as_str) != Some("train") {
        return Ok(given);
    }
    let Some((at, length, file)) = named(&given, &words) else { return Ok(given) };
    let mut rest = given[2..].to_vec();
    rest.drain(at - 2..at - 2 + length);
    let model = (0..rest.len()).find(|&i| is_model(&rest, i)).map(|i| by_its_own_name(rest.remove(i)));
    let (said, options) = read(&file, &words).with_context(|| format!("{}", file.display()))?;
    let model = match (model, said) {
        (Some(model), Some(said)) if model != *said => {
            bail!("{} is of a run of {said}, not of {}", file.display(), model.to_string_lossy())
        }
        (Some(model), _) => model,
        (None, Some(said)) => said.into(),
        (None, None) => {
            bail!("{} names no model; give one, as `wengert train mlp --config ..`", file.display())
        }
    };
    let head = given[..2].iter().cloned().chain([model]);
    Ok(head.chain(options.into_iter().map(OsString::from)).chain(rest).collect())
}

/// A model's name, of which it may have several.
fn by_its_own_name(model: OsString) -> OsString {
    let named = model.to_str().and_then(Architecture::named);
    named.map_or(model, |architecture| architecture.model().name().into())
}

/// `train lstm` is `train char-rnn --recurrence lstm`.
fn with_recurrence(mut given: Vec<OsString>) -> Vec<OsString> {
    let is_train = given.get(1).is_some_and(|w| w == "train");
    let named = |i: &usize| RECURRENCES.iter().any(|r| given[*i] == *r) && is_model(&given, *i);
    let said = given.iter().any(|w| w.to_string_lossy().starts_with("--recurrence"));
    if let Some(at) = (2..given.len()).find(named).filter(|_| is_train) {
        let recurrence = std::mem::replace(&mut given[at], "char-rnn".into());
        if !said {
            given.splice(at + 1..at + 1, ["--recurrence".into(), recurrence]);
        }
    }
    given
}

/// Whether a word is a model, and not the value of the option before it.
fn is_model(words: &[OsString], i: usize) -> bool {
    let takes_a_value =
        |option: &str| option.starts_with("--") && !option.contains('=') && !is_flag(&option[2..]);
    let is_value = i > 0 && words[i - 1].to_str().is_some_and(takes_a_value);
    !is_value && words[i].to_str().is_some_and(|w| Architecture::named(w).is_some())
}

/// Whether an option of `train` has no value.
fn is_flag(name: &str) -> bool {
    fn has(command: &Command, name: &str) -> bool {
        let flag = |a: &clap::Arg| a.get_long() == Some(name) && !a.get_action().takes_values();
        command.get_arguments().any(flag) || command.get_subcommands().any(|c| has(c, name))
    }
    let cli = Cli::command();
    name == "help" || cli.find_subcommand("train").is_some_and(|train| has(train, name))
}

/// Where the command line names a file, by how many words, and which.
fn named(given: &[OsString], words: &[String]) -> Option<(usize, usize, PathBuf)> {
    let at = words.iter().position(|w| w == "--config" || w.starts_with("--config="))?;
    match words[at].split_once('=') {
        Some((_, file)) => Some((at, 1, file.into())),
        None => Some((at, 2, given.get(at + 1)?.into())),
    }
}

/// The model of a file and its options, without those that the command line has.
fn read(path: &Path, words: &[String]) -> Result<(Option<String>, Vec<String>)> {
    let text = std::fs::read_to_string(path)?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| anyhow::anyhow!("{}", e.message()))?;
    let mut model = None;
    let mut options = Vec::new();
    let mut option = |key: &str, value: &toml::Value| -> Result<()> {
        let flag = format!("--{}", key.replace('_', "-"));
        let overridden = |w: &String| *w == flag || w.starts_with(&format!("{flag}="));
        if words.iter().any(overridden) {
            return Ok(());
        }
        options.extend(word(flag, value)?);
        Ok(())
    };
    for (key, value) in &table {
        match (key.as_str(), value) {
            ("version", _) => {}
            ("model", toml::Value::String(name)) => model = Some(name.clone()),
            ("model", toml::Value::Table(part)) => {
                for (key, value) in part {
                    match (key.as_str(), value.as_str()) {
                        ("name", Some(name)) => model = Some(name.to_owned()),
                        _ => option(key, value)?,
                    }
                }
            }
            _ => option(key, value)?,
        }
    }
    Ok((model, options))
}

/// The word of a command line that says the same as a key of a file, if one has to be said.
fn word(flag: String, value: &toml::Value) -> Result<Option<String>> {
    Ok(match value {
        toml::Value::Boolean(true) => Some(flag),
        toml::Value::Boolean(false) => None,
        toml::Value::Array(all) if all.is_empty() => None,
        toml::Value::Array(all) => {
            let all = all.iter().map(plain).collect::<Result<Vec<_>>>()?;
            Some(format!("{flag}={}", all.join(",")))
        }
        value => Some(format!("{flag}={}", plain(value)?)),
    })
}

/// The command line of a model's options: its name, and a word for each.
pub(crate) fn spoken(model: &impl serde::Serialize) -> Result<Vec<String>> {
    let table = toml::Table::try_from(model)?;
    let mut words = Vec::new();
    for (key, value) in &table {
        match (key.as_str(), value) {
            ("name", value) => words.insert(0, plain(value)?),
            _ => words.extend(word(format!("--{key}"), value)?),
        }
    }
    Ok(words)
}

fn plain(value: &toml::Value) -> Result<String> {
    match value {
        toml::Value::String(s) => Ok(s.clone()),
        toml::Value::Integer(n) => Ok(n.to_string()),
        toml::Value::Float(x) => Ok(x.to_string()),
        other => bail!("expected a number or a text, found {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recurrence_is_a_name_of_the_model_that_has_it() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        let same = |line: &str, want: &str| assert_eq!(with_recurrence(words(line)), words(want));
        same("wengert train lstm --seed 1", "wengert train char-rnn --recurrence lstm --seed 1");
        same("wengert train --seed 1 gru", "wengert train --seed 1 char-rnn --recurrence gru");
        same("wengert train rnn --recurrence gru", "wengert train char-rnn --recurrence gru");
        same("wengert train mlp --out gru", "wengert train mlp --out gru");
        same("wengert eval gru", "wengert eval gru");
        assert_eq!(by_its_own_name("transformer".into()), "gpt");
        assert_eq!(by_its_own_name("cnn".into()), "vgg");
    }
}
