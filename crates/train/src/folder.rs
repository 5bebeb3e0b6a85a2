//! [`RunFolder`]: the files of a run.

use crate::curves::curves;
use crate::epoch::{Epoch, metrics_csv};
use crate::error::{Error, Result};
use crate::fingerprint::fingerprint;
use crate::lock::{LOCK, RunLock};
use crate::settings::Settings;
use crate::{temporary, tensorboard};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use wengert_nn::state::write_whole;
use wengert_nn::{Module, for_each_leaf, state};
use wengert_tape::profile::Profile;

const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.toml";
/// A configuration has a few hundred bytes. Parsing it takes about a hundred times the memory of its text.
const LARGEST_CONFIG: u64 = 1 << 20;
const METRICS: &str = "metrics.csv";
const PROFILE: &str = "profile.json";
const CHECKPOINTS: &str = "checkpoints";

/// What to do with a folder that is not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it unchanged, and return an error.
    Refuse,
    /// Delete the files of the previous run; other files stay.
    Overwrite,
}

/// A folder with the files of one run: `model.safetensors`, `config.toml`, `metrics.csv`, a picture of each measure, such as
/// `loss.svg`, and `checkpoints/`. Each file is written under a temporary name and then renamed, so that no file is ever
/// incomplete.
///
/// ```
/// use wengert_nn::Linear;
/// use wengert_ops::random::Rng;
/// use wengert_train::{Existing, RunFolder};
///
/// let path = std::env::temp_dir().join(format!("wengert-run-{}", std::process::id()));
/// let folder = RunFolder::create(&path, Existing::Refuse)?;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Widths { inputs: usize, outputs: usize }
/// folder.write_config(&Widths { inputs: 64, outputs: 10 })?;
/// let model = Linear::<f32>::new(64, 10, &mut Rng::seed(0));
/// folder.save(&model)?;
///
/// // Later, from what is there:
/// let folder = RunFolder::open(&path)?;
/// let widths: Widths = folder.read_config()?;
/// let mut again = Linear::<f32>::new(widths.inputs, widths.outputs, &mut Rng::seed(1));
/// folder.load(&mut again)?;
/// assert_eq!(again.weight.value(), model.weight.value());
/// # std::fs::remove_dir_all(path).unwrap();
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// A folder to write to, created if it does not exist.
    ///
    /// ```
    /// use wengert_train::{Error, Existing, RunFolder};
    /// let path = std::env::temp_dir().join(format!("wengert-create-{}", std::process::id()));
    /// RunFolder::create(&path, Existing::Refuse)?.write_metrics(&[])?;
    /// let e = RunFolder::create(&path, Existing::Refuse).unwrap_err();
    /// assert!(matches!(e, Error::Occupied { .. }));
    /// assert!(RunFolder::create(&path, Existing::Overwrite).is_ok());
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If the folder has files that must not be overwritten, a run is being written there, or it cannot be created.
    pub fn create(path: impl Into<PathBuf>, existing: Existing) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        let mut entries = fs::read_dir(&path).map_err(Error::io(&path))?;
        // A lock file that was left behind does not count.
        let occupied = entries.any(|e| e.is_ok_and(|e| e.file_name() != LOCK));
        let folder = RunFolder { path };
        match existing {
            Existing::Refuse if occupied => return Err(Error::Occupied { path: folder.path }),
            Existing::Refuse => {}
            Existing::Overwrite => {
                let _lock = folder.lock()?;
                folder.clear()?;
            }
        }
        Ok(folder)
    }

    /// A new folder inside `parent`: `name`, or the first of `name-2`, `name-3`, … that does not exist yet.
    ///
    /// ```
    /// use wengert_train::RunFolder;
    /// let parent = std::env::temp_dir().join(format!("wengert-numbered-{}", std::process::id()));
    /// assert!(RunFolder::numbered(&parent, "mlp")?.path().ends_with("mlp"));
    /// assert!(RunFolder::numbered(&parent, "mlp")?.path().ends_with("mlp-2"));
    /// # std::fs::remove_dir_all(parent).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn numbered(parent: impl AsRef<Path>, name: &str) -> Result<Self> {
        let parent = parent.as_ref();
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
        let mut path = parent.join(name);
        let mut number = 2u64;
        loop {
            // Creating the folder claims it: of two runs that start at the same time, one continues to the next number.
            match fs::create_dir(&path) {
                Ok(()) => return Ok(RunFolder { path }),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                    path = parent.join(format!("{name}-{number}"));
                    number += 1;
                }
                Err(e) => return Err(Error::io(&path)(e)),
            }
        }
    }

    /// The folder of a finished run, to read from. See [`RunFolder`] for an example.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        match path.is_dir() {
            true => Ok(RunFolder { path }),
            false => Err(Error::Missing { path }),
        }
    }

    /// The path of the folder.
    ///
    /// ```
    /// let folder = wengert_train::RunFolder::open(".")?;
    /// assert_eq!(folder.path(), std::path::Path::new("."));
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the weights, and returns their [`fingerprint`]. See [`RunFolder`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, model: &dyn Module) -> Result<u64> {
        self.save_noted(model, None)
    }

    /// Reads the weights, and returns their [`fingerprint`]. See [`RunFolder`] for an example.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or does not belong to this model. The model is then unchanged.
    pub fn load(&self, model: &mut dyn Module) -> Result<u64> {
        let path = self.path.join(WEIGHTS);
        state::load(model, &path)?;
        of_weights(model).map_err(|e| Error::Snapshot { path: Some(path), detail: e.to_string() })
    }

    /// Like [`save`](RunFolder::save), but stores with the weights the options that they were trained with, for
    /// [`load_of`](RunFolder::load_of) to compare.
    ///
    /// ```
    /// use wengert_nn::Linear;
    /// use wengert_ops::random::Rng;
    /// use wengert_train::{Error, Existing, RunFolder, Settings};
    /// # let path = std::env::temp_dir().join(format!("wengert-save-of-{}", std::process::id()));
    /// let settings = |seed| Settings::of(&std::collections::BTreeMap::from([("seed", seed)]));
    /// let folder = RunFolder::create(&path, Existing::Refuse)?;
    /// let mut model = Linear::<f32>::new(64, 10, &mut Rng::seed(7));
    /// let fingerprint = folder.save_of(&model, &settings(7)?)?;
    /// assert_eq!(folder.load_of(&mut model, &settings(7)?)?, fingerprint);
    /// let e = folder.load_of(&mut model, &settings(8)?).unwrap_err();
    /// assert!(e.to_string().ends_with("of another run: seed is 7 there and 8 here"));
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_of(&self, model: &dyn Module, settings: &Settings) -> Result<u64> {
        self.save_noted(model, Some(settings))
    }

    /// Like [`load`](RunFolder::load), but requires that the weights were trained with these options. See
    /// [`save_of`](RunFolder::save_of) for an example.
    ///
    /// # Errors
    /// As [`load`](RunFolder::load), and if the weights belong to another run, or their file does not have the options.
    pub fn load_of(&self, model: &mut dyn Module, settings: &Settings) -> Result<u64> {
        self.check_of(settings, &[])?;
        self.load(model)
    }

    /// Checks that the weights, if there are any, were trained with these options, apart from those named by `may_differ`.
    ///
    /// ```
    /// # let path = std::env::temp_dir().join(format!("wengert-check-of-{}", std::process::id()));
    /// let folder = wengert_train::RunFolder::create(&path, wengert_train::Existing::Refuse)?;
    /// folder.check_of(&wengert_train::Settings::default(), &[])?;
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If they belong to another run, their file does not have the options, or it cannot be read.
    pub fn check_of(&self, settings: &Settings, may_differ: &[&str]) -> Result<()> {
        let path = self.path.join(WEIGHTS);
        let bytes = match fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            read => read.map_err(Error::io(&path))?,
        };
        let (_, note) = state::decode(&bytes, &path)?;
        let refused = |e: serde_json::Error| Error::Snapshot {
            path: Some(path.clone()),
            detail: format!("what it says about its run cannot be read: {e}"),
        };
        let note: Option<Note> = note.map(|note| serde_json::from_str(&note)).transpose().map_err(refused)?;
        let said = note.map(|note| note.settings.without(may_differ));
        settings.clone().without(may_differ).check(said.as_ref(), Some(&path))
    }

    fn save_noted(&self, model: &dyn Module, settings: Option<&Settings>) -> Result<u64> {
        let path = self.path.join(WEIGHTS);
        let unwritten = |detail: String| Error::Snapshot { path: Some(path.clone()), detail };
        let note = settings.map(|s| serde_json::to_string(&Note { settings: s.clone() })).transpose();
        let note = note.map_err(|e| unwritten(e.to_string()))?;
        let dict = state::dict(model);
        let names = names(model);
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(unwritten(format!("two tensors of the model are named {}", twice[0])));
        }
        self.write_bytes(
            WEIGHTS,
            &state::encode(&dict, note.as_deref()).map_err(|e| unwritten(e.to_string()))?,
        )?;
        of_weights(model).map_err(|e| unwritten(e.to_string()))
    }

    /// Locks the folder for a run, and deletes the temporary files of a run that was killed. Until the lock is dropped or the
    /// process ends, nobody else can lock the folder, and [`create`](RunFolder::create) does not overwrite it. A file system
    /// without locks gives no such protection; see [`is_exclusive`](RunLock::is_exclusive).
    ///
    /// ```
    /// use wengert_train::{Error, Existing, RunFolder};
    /// # let path = std::env::temp_dir().join(format!("wengert-lock-{}", std::process::id()));
    /// let folder = RunFolder::create(&path, Existing::Refuse)?;
    /// let lock = folder.lock()?;
    /// assert!(matches!(folder.lock(), Err(Error::Busy { .. })));
    /// assert!(matches!(RunFolder::create(&path, Existing::Overwrite), Err(Error::Busy { .. })));
    /// drop(lock);
    /// assert!(folder.lock().is_ok());
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If a run is being written here, or the lock file cannot be created.
    pub fn lock(&self) -> Result<RunLock> {
        let lock = RunLock::take(&self.path)?;
        self.sweep(lock.is_exclusive());
        Ok(lock)
    }

    /// Deletes the temporary files of a process that was killed; all temporary files if the caller is the only writer.
    fn sweep(&self, alone: bool) {
        for folder in [&self.path, &self.checkpoints()] {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            for path in entries.filter_map(|e| Some(e.ok()?.path())) {
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                if path.is_file() && is_temporary(name) && (alone || temporary::is_abandoned(&path)) {
                    // A file that cannot be deleted does no harm.
                    let _ = fs::remove_file(&path);
                }
            }
        }
    }

    /// Writes the options of the run. See [`RunFolder`] for an example.
    ///
    /// # Errors
    /// If they cannot be written as TOML, or the file cannot be written.
    pub fn write_config(&self, config: &impl Serialize) -> Result<()> {
        let path = self.path.join(CONFIG);
        let text = toml::to_string(config);
        let text = text.map_err(|e| Error::Config { path: path.clone(), detail: e.to_string() })?;
        self.write(CONFIG, &text)
    }

    /// Reads the options of the run. See [`RunFolder`] for an example.
    ///
    /// # Errors
    /// If the file cannot be read, is larger than 1 MiB, or does not contain a `C`.
    pub fn read_config<C: DeserializeOwned>(&self) -> Result<C> {
        let path = self.path.join(CONFIG);
        let file = fs::File::open(&path).map_err(Error::io(&path))?;
        let mut bytes = Vec::new();
        file.take(LARGEST_CONFIG + 1).read_to_end(&mut bytes).map_err(Error::io(&path))?;
        let refused = |detail: String| Error::Config { path: path.clone(), detail };
        if bytes.len() as u64 > LARGEST_CONFIG {
            return Err(refused(format!("expected options of at most {LARGEST_CONFIG} bytes, found more")));
        }
        let text = String::from_utf8(bytes).map_err(|e| refused(format!("expected text in UTF-8: {e}")))?;
        toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|at| 1 + text[..at.start.min(text.len())].matches('\n').count());
            let line = line.map_or_else(String::new, |line| format!(" at line {line}"));
            Error::Config { path, detail: format!("{}{line}", e.message().replace('\n', " ")) }
        })
    }

    /// Writes the table of the epochs, and replaces an existing one.
    ///
    /// ```
    /// # use wengert_train::{Existing, RunFolder};
    /// # let path = std::env::temp_dir().join(format!("wengert-metrics-{}", std::process::id()));
    /// let folder = RunFolder::create(&path, Existing::Refuse)?;
    /// folder.write_metrics(&[])?;
    /// assert!(std::fs::read_to_string(path.join("metrics.csv")).unwrap().starts_with("epoch,"));
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_metrics(&self, epochs: &[Epoch]) -> Result<()> {
        self.write(METRICS, &metrics_csv(epochs))
    }

    /// Draws the learning curves, under `title`.
    ///
    /// ```
    /// # use wengert_train::{Epoch, Existing, Measures, RunFolder};
    /// # let path = std::env::temp_dir().join(format!("wengert-curves-{}", std::process::id()));
    /// # let score = Measures::new(10).mean("loss", 0.5, 10.0).share("accuracy", 8, 10);
    /// let folder = RunFolder::create(&path, Existing::Refuse)?;
    /// folder.write_curves("mlp", &[Epoch { number: 1, train: score.clone(), test: score, seconds: 0.1 }])?;
    /// assert!(path.join("loss.svg").exists() && path.join("accuracy.svg").exists());
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write_curves(&self, title: &str, epochs: &[Epoch]) -> Result<()> {
        for curve in curves(title, epochs)? {
            self.write(&picture(&curve.measure), &curve.svg)?;
        }
        Ok(())
    }

    /// Writes a profile as a [Chrome trace](Profile::chrome_trace), `profile.json`, and returns its path.
    ///
    /// ```
    /// # use wengert_train::{Existing, RunFolder};
    /// # let path = std::env::temp_dir().join(format!("wengert-write-profile-{}", std::process::id()));
    /// let folder = RunFolder::create(&path, Existing::Refuse)?;
    /// let ((), profile) = wengert_tape::Tape::<f32>::new().profile(|| ());
    /// assert_eq!(folder.write_profile(&profile)?, path.join("profile.json"));
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_profile(&self, profile: &Profile) -> Result<PathBuf> {
        self.write(PROFILE, &profile.chrome_trace())?;
        Ok(self.path.join(PROFILE))
    }

    /// The folder of the checkpoints.
    ///
    /// ```
    /// let folder = wengert_train::RunFolder::open(".")?;
    /// assert!(folder.checkpoints().ends_with("checkpoints"));
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn checkpoints(&self) -> PathBuf {
        self.path.join(CHECKPOINTS)
    }

    fn write(&self, name: &str, contents: &str) -> Result<()> {
        self.write_bytes(name, contents.as_bytes())
    }

    /// Creates the folder again if somebody deleted it during the run.
    fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        fs::create_dir_all(&self.path).map_err(Error::io(&self.path))?;
        write_whole(&path, bytes).map_err(Error::io(&path))
    }

    /// Deletes the files of an earlier run, so that a run that is stopped does not leave a mixture of both.
    fn clear(&self) -> Result<()> {
        let header = fs::read_to_string(self.path.join(METRICS)).unwrap_or_default();
        let columns = header.lines().next().unwrap_or_default().split(',');
        let measures = columns.filter_map(|c| c.strip_prefix("train_").or_else(|| c.strip_prefix("test_")));
        let pictures: Vec<String> = measures.map(picture).collect();
        let checkpoints = self.checkpoints();
        for folder in [&self.path, &checkpoints].into_iter().filter(|f| f.is_dir()) {
            for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
                let path = entry.map_err(Error::io(folder))?.path();
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
                let ours = match *folder == checkpoints {
                    true => name.starts_with("step-") || name.starts_with("best.safetensors"),
                    false => {
                        [WEIGHTS, CONFIG, METRICS, PROFILE].contains(&name)
                            || pictures.iter().any(|picture| picture == name)
                            || name.starts_with(tensorboard::NAME)
                    }
                };
                if ours && path.is_file() {
                    fs::remove_file(&path).map_err(Error::io(&path))?;
                }
            }
        }
        Ok(())
    }
}

/// The note in the file of the weights.
#[derive(Serialize, Deserialize)]
struct Note {
    settings: Settings,
}

/// The [`fingerprint`] of weights: of a file that holds nothing else.
fn of_weights(model: &dyn Module) -> Result<u64, state::Error> {
    Ok(fingerprint(&state::encode(&state::dict(model), None)?))
}

/// The names of all parameters and buffers, sorted.
fn names(model: &dyn Module) -> Vec<String> {
    let mut names = Vec::new();
    for_each_leaf(model, |path, _| names.push(path.as_str().to_owned()));
    names.sort();
    names
}

/// Whether a name is that of a temporary file that [`write_whole`] writes for a run: `NAME.PROCESS.tmp`.
fn is_temporary(name: &str) -> bool {
    let Some((name, _)) = temporary::parse(name) else { return false };
    [WEIGHTS, CONFIG, METRICS].contains(&name)
        || [".svg", ".png"].iter().any(|end| name.ends_with(end))
        || (name.starts_with("step-") || name.starts_with("best")) && name.ends_with(".safetensors")
}

/// The name of the file of a measure's learning curve. Characters that a file name may not have are replaced.
fn picture(measure: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = measure.chars().map(plain).collect();
    format!("{name}.svg")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temporary(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("wengert-folder-{name}-{}", std::process::id()))
    }

    type Numbers = std::collections::BTreeMap<String, Vec<f64>>;

    fn numbers(values: &[f64]) -> Numbers {
        Numbers::from([("values".to_owned(), values.to_vec())])
    }

    #[test]
    fn overwriting_takes_only_what_a_run_wrote() {
        let path = temporary("overwrite");
        let folder = RunFolder::create(path.join("deep/er"), Existing::Refuse).unwrap();
        folder.write_config(&numbers(&[1.0])).unwrap();
        for mine in ["notes.txt", "drawing.svg"] {
            fs::write(folder.path().join(mine), "mine").unwrap();
        }
        let score = crate::Measures::new(1).mean("a/b", 1.0, 1.0);
        let epoch = Epoch { number: 1, train: score.clone(), test: score, seconds: 0.1 };
        folder.write_metrics(std::slice::from_ref(&epoch)).unwrap();
        folder.write_curves("run", &[epoch]).unwrap();
        assert!(folder.path().join("a-b.svg").exists());
        let e = RunFolder::create(folder.path(), Existing::Refuse).unwrap_err().to_string();
        assert!(e.contains("deep/er is not empty"), "{e}");
        let folder = RunFolder::create(folder.path(), Existing::Overwrite).unwrap();
        assert!(folder.read_config::<Numbers>().is_err());
        assert!(folder.path().join("notes.txt").exists() && folder.path().join("drawing.svg").exists());
        assert!(!folder.path().join("a-b.svg").exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn options_that_are_damaged_or_not_there_name_the_file() {
        let path = temporary("config");
        let folder = RunFolder::create(&path, Existing::Refuse).unwrap();
        let message = || folder.read_config::<Numbers>().unwrap_err().to_string();
        assert!(message().contains("config.toml: No such file"), "{}", message());
        fs::write(path.join(CONFIG), "# numbers\nvalues = [1.0,").unwrap();
        assert!(message().contains("config.toml: ") && message().contains("at line 2"), "{}", message());
        // Half a million numbers would take a hundred times their size in memory.
        let long = format!("values = [{}]", "1,".repeat(1 << 19));
        fs::write(path.join(CONFIG), &long).unwrap();
        assert!(
            message().ends_with("config.toml: expected options of at most 1048576 bytes, found more"),
            "{}",
            message()
        );
        let most = format!("values = [1.0] # {}", "x".repeat((1 << 20) - 17));
        let cut = format!("{most}é");
        fs::write(path.join(CONFIG), cut).unwrap();
        assert!(message().ends_with("found more"), "{}", message());
        assert_eq!(most.len() as u64, LARGEST_CONFIG);
        fs::write(path.join(CONFIG), most).unwrap();
        assert_eq!(folder.read_config::<Numbers>().unwrap()["values"], [1.0]);
        // Reading returns exactly the same numbers.
        folder.write_config(&numbers(&[0.1, 1.0 / 3.0, 5e-324])).unwrap();
        assert_eq!(folder.read_config::<Numbers>().unwrap()["values"], [0.1, 1.0 / 3.0, 5e-324]);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn whoever_writes_a_run_takes_away_what_a_killed_one_left_and_nothing_else() {
        let path = temporary("sweep");
        let folder = RunFolder::create(&path, Existing::Refuse).unwrap();
        fs::create_dir(folder.checkpoints()).unwrap();
        let left = [
            "model.safetensors.77.tmp",
            "config.toml.4194304.tmp",
            "metrics.csv.1.tmp",
            "loss.svg.1.tmp",
            "samples.png.1.tmp",
            "checkpoints/step-000000000006.safetensors.77.tmp",
            "checkpoints/best.safetensors.77.tmp",
        ];
        let mine = ["notes.txt", "notes.77.tmp", "model.safetensors.old.tmp", "checkpoints/mine.77.tmp"];
        left.iter().chain(&mine).for_each(|name| fs::write(path.join(name), "half").unwrap());
        let lock = folder.lock().unwrap();
        assert!(left.iter().all(|name| !path.join(name).exists()));
        assert!(mine.iter().all(|name| path.join(name).exists()));
        // Nothing of a running run is deleted.
        fs::write(path.join(left[0]), "being written").unwrap();
        assert!(
            matches!(folder.lock(), Err(Error::Busy { process: Some(id), .. }) if id == std::process::id())
        );
        let e = RunFolder::create(&path, Existing::Overwrite).unwrap_err().to_string();
        assert!(e.contains("is being written by another run (process "), "{e}");
        assert!(path.join(left[0]).exists());
        drop(lock);
        assert!(!path.join(LOCK).exists());
        // A lock file left behind by a process that is gone does not lock.
        fs::write(path.join(LOCK), "77").unwrap();
        drop(folder.lock().unwrap());
        fs::remove_dir_all(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join(LOCK), "77").unwrap();
        RunFolder::create(&path, Existing::Refuse).unwrap();
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_folder_that_was_taken_away_is_made_again() {
        let path = temporary("gone");
        let folder = RunFolder::create(&path, Existing::Refuse).unwrap();
        let lock = folder.lock().unwrap();
        fs::remove_dir_all(&path).unwrap();
        assert!(!lock.holds());
        let model = wengert_nn::Linear::<f32>::new(3, 2, &mut wengert_ops::random::Rng::seed(0));
        folder.write_metrics(&[]).unwrap();
        folder.save(&model).unwrap();
        drop(lock);
        assert!(path.join(WEIGHTS).exists() && path.join(METRICS).exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn weights_know_of_which_run_they_are_and_their_fingerprint_is_that_of_the_numbers() {
        let path = temporary("whose");
        let folder = RunFolder::create(&path, Existing::Refuse).unwrap();
        let of = |seed: f64| Settings::of(&numbers(&[seed])).unwrap();
        let mut model = wengert_nn::Linear::<f32>::new(3, 2, &mut wengert_ops::random::Rng::seed(0));
        let plain = folder.save(&model).unwrap();
        let e = folder.load_of(&mut model, &of(1.0)).unwrap_err().to_string();
        assert!(
            e.ends_with("model.safetensors: of another run: it does not say with which options it was made"),
            "{e}"
        );
        assert_eq!(folder.save_of(&model, &of(1.0)).unwrap(), plain);
        assert_eq!(folder.load_of(&mut model, &of(1.0)).unwrap(), plain);
        assert_eq!(folder.load(&mut model).unwrap(), plain);
        let before = state::dict(&model);
        assert!(matches!(folder.load_of(&mut model, &of(2.0)), Err(Error::Foreign { .. })));
        assert_eq!(state::dict(&model), before);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_file_is_no_folder() {
        let path = temporary("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(RunFolder::open(&path), Err(Error::Missing { .. })));
        for e in [
            RunFolder::create(&path, Existing::Overwrite).unwrap_err(),
            RunFolder::numbered(&path, "mlp").unwrap_err(),
        ] {
            assert!(matches!(e, Error::Io { .. }), "{e}");
        }
        fs::remove_file(path).unwrap();
    }
}
