//! [`Settings`]: what the results of a run depend on, by which weights and checkpoints identify their run.

use crate::error::{Error, Result};
use crate::fingerprint::fingerprint;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use wengert_data::FileRead;

/// The options that the results of a run depend on, by name. They are stored in its checkpoints and with its weights. A program
/// that reads these compares them with the given options, so that the weights of one run are not mistaken for those of another.
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
    /// All options of a configuration. Nested options have names such as `model.widths`. See [`Settings`] for an example.
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

    /// The same without these options and those nested in them, such as options that do not change the results.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use wengert_train::Settings;
    /// let model = BTreeMap::from([("name", 1), ("width", 20)]);
    /// let all = Settings::of(&BTreeMap::from([("model", model)]))?;
    /// assert_eq!(all.clone().without(&["model.width"]).get("model.name"), Some("1"));
    /// assert_eq!(all.without(&["model"]), Settings::default());
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        let inside = |name: &str, of: &str| name.strip_prefix(of).is_some_and(|rest| rest.starts_with('.'));
        self.0.retain(|name, _| !names.iter().any(|of| name == of || inside(name, of)));
        self
    }

    /// The same with the contents of the files that the run reads, by their names. A run whose data were changed then counts as
    /// another run, and one whose data were moved does not. [`wengert_data::record_files`] returns the files that were read.
    /// `root` is the path of the data that the user gave: a file or a folder, which may be moved.
    ///
    /// ```
    /// use wengert_data::{FileRead, record_files};
    /// use wengert_train::Settings;
    /// let read = |path: &str, bytes: &[u8]| Settings::default().with_files(Some("old".as_ref()), &[FileRead::of(path, bytes)]);
    /// assert_eq!(read("old/a.png", b"123456789").get("data-files.a.png"), Some("9 bytes, CRC-32 cbf43926"));
    /// assert_ne!(read("old/a.png", b"123456789"), read("old/a.png", b"123456780"));
    /// ```
    ///
    /// With more than 64 files, there is one entry per folder: the number of its files, their bytes, and one checksum of their
    /// names and contents.
    #[must_use]
    pub fn with_files(mut self, root: Option<&Path>, files: &[FileRead]) -> Self {
        // A file that was read twice counts once.
        let named: BTreeMap<String, &FileRead> =
            files.iter().map(|file| (name_of(root, file), file)).collect();
        if named.len() <= MOST_FILES {
            for (name, FileRead { length, checksum, .. }) in named {
                let said = format!("{length} bytes, CRC-32 {checksum:08x}");
                let key = if name.is_empty() { FILES.to_owned() } else { format!("{FILES}.{name}") };
                self.0.insert(key, said);
            }
            return self;
        }
        let mut folders: BTreeMap<&str, (usize, u64, String)> = BTreeMap::new();
        for (name, FileRead { length, checksum, .. }) in &named {
            let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
            let (files, bytes, lines) = folders.entry(folder).or_default();
            (*files, *bytes) = (*files + 1, *bytes + length);
            lines.push_str(&format!("{name} {length} {checksum:08x}\n"));
        }
        for (folder, (files, bytes, lines)) in folders {
            let all = FileRead::of(folder, lines.as_bytes()).checksum;
            let said = format!("{files} files of {bytes} bytes, CRC-32 {all:08x}");
            self.0.insert(format!("{FILES}.{folder}/"), said);
        }
        self
    }

    /// The value of an option, as JSON. See [`Settings`] for an example.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A hash of all options. See [`Settings`] for an example.
    pub fn fingerprint(&self) -> u64 {
        let lines: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        fingerprint(lines.concat().as_bytes())
    }

    /// How other options, *there*, differ from these, *here*. See [`Settings`] for an example.
    pub fn differences(&self, there: &Settings) -> Vec<String> {
        let names: std::collections::BTreeSet<&String> = self.0.keys().chain(there.0.keys()).collect();
        let said = |all: &Settings, name: &str| all.get(name).unwrap_or("not given").to_owned();
        let both = names.into_iter().map(|name| (name, said(there, name), said(self, name)));
        both.filter(|(_, there, here)| there != here)
            .map(|(name, there, here)| format!("{name} is {there} there and {here} here"))
            .collect()
    }

    /// Checks that these options are those that a file was made with.
    pub(crate) fn check(&self, said: Option<&Settings>, path: Option<&Path>) -> Result<()> {
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

/// The name of the entries for files.
const FILES: &str = "data-files";

/// With more files than this, there is one entry per folder.
const MOST_FILES: usize = 64;

/// The name of a file in the settings: its path from the root, which is empty if the root is the file.
fn name_of(root: Option<&Path>, file: &FileRead) -> String {
    let inside = root.and_then(|root| file.path.strip_prefix(root).ok());
    let name = match inside {
        Some(inside) => inside,
        None => Path::new(file.path.file_name().unwrap_or_default()),
    };
    let parts: Vec<_> = name.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

fn flatten(name: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(parts) => {
            for (key, value) in parts {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, all);
            }
        }
        // An option that is not given has no entry.
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
    fn files_are_known_by_what_is_in_them_and_many_by_their_folder() {
        let of = |root: &str, files: &[(String, &str)]| {
            let files: Vec<FileRead> = files
                .iter()
                .map(|(path, text)| FileRead::of(format!("{root}/{path}"), text.as_bytes()))
                .collect();
            Settings::default().with_files(Some(root.as_ref()), &files)
        };
        let many = |odd: &'static str| -> Vec<(String, &str)> {
            (0..1000)
                .map(|i| (format!("class {}/{i:03}.png", i % 3), if i == 500 { odd } else { "same" }))
                .collect()
        };
        let here = of("here", &many("same"));
        assert_eq!(here, of("moved/there", &many("same")));
        assert_eq!(here.0.len(), 3, "{here:?}");
        let differences = here.differences(&of("here", &many("other")));
        assert!(
            differences.len() == 1
                && differences[0].starts_with("data-files.class 2/ is 333 files of 1333 bytes, CRC"),
            "{differences:?}"
        );
        // A file that moves to another folder, and a file that replaces another.
        let mut moved = many("same");
        moved[0].0 = "class 1/000.png".to_owned();
        assert_eq!(here.differences(&of("here", &moved)).len(), 2);
        // If the root is a file, its name does not matter.
        let one = |path: &str, text: &str| {
            Settings::default().with_files(Some(path.as_ref()), &[FileRead::of(path, text.as_bytes())])
        };
        assert_eq!(one("a.csv", "1,2"), one("x/b.csv", "1,2"));
        let differences = one("a.csv", "1,2").differences(&one("a.csv", "1,3"));
        assert!(differences[0].starts_with("data-files is 3 bytes, CRC-32 "), "{differences:?}");
        assert_eq!(one("a.csv", "1,2").without(&["data-files"]), Settings::default());
        assert!(
            Settings::default()
                .with_files(None, &[FileRead::of("/usr/x", b"")])
                .get("data-files.x")
                .is_some()
        );
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
