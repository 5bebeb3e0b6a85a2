//! `--config FILE`: options from a file, such as the config.toml of a run.

use crate::input::read_text;
use crate::options::words;
use crate::zoo::Architecture;
use anyhow::{Context, Result, anyhow, bail};
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The largest file of options, in bytes. Usual files have a few hundred bytes; a parsed file takes about a hundred times the
/// memory of its text.
const LARGEST_CONFIG: usize = 1 << 20;

/// The contents of a file of options.
pub(super) struct ConfigFile {
    /// The model's name.
    pub(super) model: Option<String>,
    /// The options as words of a command line.
    pub(super) words: Vec<String>,
}

impl ConfigFile {
    /// Reads a table of options, in which `model` is a name, or a table of a name and options of the model.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = read_text(path, LARGEST_CONFIG)?;
        let mut options: toml::Table = toml::from_str(&text).map_err(|e| anyhow!("{}", e.message()))?;
        options.remove("version");
        let mut model = options.remove("model");
        if let Some(toml::Value::Table(mut of_model)) = model {
            model = of_model.remove("name");
            options.extend(of_model);
        }
        let model = match model {
            None => None,
            Some(toml::Value::String(name)) => Some(name),
            Some(other) => bail!("model: expected a name, found {other}"),
        };
        // A model may have several names.
        let own_name = |name: String| match Architecture::named(&name) {
            Some(model) => model.model().about().name.to_owned(),
            None => name,
        };
        let words = words(&options)?;
        Ok(ConfigFile { model: model.map(own_name), words })
    }
}

/// A rejected command line of `train`, with the model of its `--config` file added; `None` if a missing model cannot be the
/// reason for the error `wrong`, or no file names a model.
pub(crate) fn with_model_of_file(words: &[OsString], wrong: ErrorKind) -> Result<Option<Vec<OsString>>> {
    let may_lack_model = matches!(wrong, ErrorKind::MissingSubcommand | ErrorKind::UnknownArgument);
    if !may_lack_model || words.get(1).is_none_or(|word| word != "train") {
        return Ok(None);
    }
    let Some(path) = file(words) else { return Ok(None) };
    let shown = path.display();
    match ConfigFile::read(&path).with_context(|| shown.to_string())?.model {
        Some(model) => {
            let mut words = words.to_vec();
            words.insert(2, model.into());
            Ok(Some(words))
        }
        None if wrong == ErrorKind::MissingSubcommand => {
            bail!("{shown} names no model; give one, as `wengert train mlp --config ..`")
        }
        None => Ok(None),
    }
}

/// The value of `--config`.
fn file(words: &[OsString]) -> Option<PathBuf> {
    words.iter().enumerate().find_map(|(i, word)| match word.to_str()? {
        "--config" => words.get(i + 1).map(PathBuf::from),
        other => other.strip_prefix("--config=").map(PathBuf::from),
    })
}
