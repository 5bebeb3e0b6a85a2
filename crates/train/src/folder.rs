//! [`RunFolder`]: what a run leaves behind.

use crate::curves::curves;
use crate::epoch::{Epoch, metrics_csv};
use crate::error::{Error, Result};
use crate::fingerprint::fingerprint;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use wengert_nn::state::write_whole;
use wengert_nn::{Module, state};

const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.csv";
const CHECKPOINTS: &str = "checkpoints";
/// What begins the files for TensorBoard.
const EVENTS: &str = "events.out.tfevents.";

/// What to do with a folder that already holds something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Leave it, and say so.
    Refuse,
    /// Take away the files of the run before; others stay.
    Overwrite,
}

/// A folder with the files of one run: `model.safetensors`, `config.toml`, `metrics.csv`, a
/// picture of each measure, as `loss.svg`, and `checkpoints/`. Each file is written aside and renamed, so that none is ever half there.
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
    /// A folder to be written to, made if it is not there.
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
    /// If the folder holds something that is not to be overwritten, or cannot be made.
    pub fn create(path: impl Into<PathBuf>, existing: Existing) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        let occupied = fs::read_dir(&path).map_err(Error::io(&path))?.next().is_some();
        let folder = RunFolder { path };
        match existing {
            Existing::Refuse if occupied => return Err(Error::Occupied { path: folder.path }),
            Existing::Refuse => {}
            Existing::Overwrite => folder.clear()?,
        }
        Ok(folder)
    }

    /// A new folder inside `parent`: `name`, or the first of `name-2`, `name-3`, … that is not there yet.
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
    /// If the folder cannot be made.
    pub fn numbered(parent: impl AsRef<Path>, name: &str) -> Result<Self> {
        let parent = parent.as_ref();
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
        let mut path = parent.join(name);
        let mut number = 2u64;
        loop {
            // Making the folder is what claims it: of two runs that start at once, one goes on to the next number.
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

    /// The folder of a run that is over, to read from. See [`RunFolder`] for an example.
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

    /// Where the folder is.
    ///
    /// ```
    /// let folder = wengert_train::RunFolder::open(".")?;
    /// assert_eq!(folder.path(), std::path::Path::new("."));
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the weights, and gives their [`fingerprint`]: that of the file. See [`RunFolder`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, model: &dyn Module) -> Result<u64> {
        state::save(model, self.path.join(WEIGHTS))?;
        self.fingerprint()
    }

    /// Reads the weights, and gives their [`fingerprint`]. See [`RunFolder`] for an example.
    ///
    /// # Errors
    /// If the file cannot be read, is damaged, or is not of this model, which is then as it was.
    pub fn load(&self, model: &mut dyn Module) -> Result<u64> {
        state::load(model, self.path.join(WEIGHTS))?;
        self.fingerprint()
    }

    fn fingerprint(&self) -> Result<u64> {
        let path = self.path.join(WEIGHTS);
        Ok(fingerprint(&fs::read(&path).map_err(Error::io(&path))?))
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
    /// If the file cannot be read, or does not hold what is asked for.
    pub fn read_config<C: DeserializeOwned>(&self) -> Result<C> {
        let path = self.path.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        toml::from_str(&text).map_err(|e| {
            let line = e.span().map(|at| 1 + text[..at.start.min(text.len())].matches('\n').count());
            let line = line.map_or_else(String::new, |line| format!(" at line {line}"));
            Error::Config { path, detail: format!("{}{line}", e.message().replace('\n', " ")) }
        })
    }

    /// Writes the table of the epochs, in place of one that is there.
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

    /// Draws the learning curves; `title` says of what.
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

    /// Where checkpoints go.
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
        let path = self.path.join(name);
        write_whole(&path, contents.as_bytes()).map_err(Error::io(&path))
    }

    /// Takes away the files of an earlier run, lest a run that is stopped leaves a mixture of both.
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
                        [WEIGHTS, CONFIG, METRICS].contains(&name)
                            || pictures.iter().any(|picture| picture == name)
                            || name.starts_with(EVENTS)
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

/// The file of a measure's learning curve. A measure may have any name; a file may not.
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
        // The very same numbers come back.
        folder.write_config(&numbers(&[0.1, 1.0 / 3.0, 5e-324])).unwrap();
        assert_eq!(folder.read_config::<Numbers>().unwrap()["values"], [0.1, 1.0 / 3.0, 5e-324]);
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
