//! [`Checkpoints`]: a folder of snapshots of a run, the newest of which it goes on from.

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::temporary;
use std::fs;
use std::path::{Path, PathBuf};

/// When a run is to be saved. Its text is `100steps` or `2epochs`.
///
/// ```
/// use wengert_train::Every;
/// assert!(Every::Steps(10).is_due(20, false) && !Every::Steps(10).is_due(25, true));
/// assert!(Every::Epochs(2).is_due(4, true) && !Every::Epochs(2).is_due(4, false));
/// assert_eq!("100steps".parse::<Every>()?, Every::Steps(100));
/// assert_eq!(Every::Epochs(2).to_string(), "2epochs");
/// assert!("0steps".parse::<Every>().is_err() && "2".parse::<Every>().is_err());
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// After every so many steps.
    Steps(usize),
    /// After every so many epochs.
    Epochs(usize),
}

impl Every {
    /// Whether it is time, after so many steps or, at an epoch's end, epochs. See [`Every`] for an example.
    pub fn is_due(self, done: usize, epoch_ended: bool) -> bool {
        match self {
            Every::Steps(n) => !epoch_ended && done.is_multiple_of(n.max(1)),
            Every::Epochs(n) => epoch_ended && done.is_multiple_of(n.max(1)),
        }
    }
}

impl std::str::FromStr for Every {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = text[number.len()..].trim();
        match (number.parse(), unit) {
            (Ok(n), "step" | "steps") if n > 0 => Ok(Every::Steps(n)),
            (Ok(n), "epoch" | "epochs") if n > 0 => Ok(Every::Epochs(n)),
            _ => Err(Error::Argument {
                call: "every",
                expected: "a number of steps or epochs, such as 100steps or 2epochs",
                found: text.to_owned(),
            }),
        }
    }
}

impl std::fmt::Display for Every {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Every::Steps(n) => write!(f, "{n}steps"),
            Every::Epochs(n) => write!(f, "{n}epochs"),
        }
    }
}

/// A folder in which a run saves itself: `step-000000000017.safetensors` after 17 steps, the last few of them, and `best.safetensors`,
/// the weights of the best epoch, if that is watched for.
///
/// ```
/// use wengert_train::{Checkpoints, Every, Snapshot};
/// let folder = std::env::temp_dir().join(format!("wengert-checkpoints-{}", std::process::id()));
/// let checkpoints = Checkpoints::new(&folder, Every::Epochs(1)).keep(2);
/// for step in [10, 20, 30] {
///     let mut snapshot = Snapshot::new();
///     snapshot.put_note("step", &step)?;
///     checkpoints.write(step, &snapshot)?;
/// }
/// assert_eq!(checkpoints.list()?.len(), 2);
/// let (newest, refused) = checkpoints.newest()?.unwrap();
/// assert_eq!((newest.note::<u64>("step")?, refused.len()), (30, 0));
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[doc(alias = "save")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoints {
    folder: PathBuf,
    every: Every,
    keep: usize,
}

const BEST: &str = "best.safetensors";

impl Checkpoints {
    /// Snapshots in this folder, which is made when it is needed; the last three are kept. See [`Checkpoints`] for an example.
    pub fn new(folder: impl Into<PathBuf>, every: Every) -> Self {
        Checkpoints { folder: folder.into(), every, keep: 3 }
    }

    /// The same, keeping the last `n`, at least 1. Default: `3`. See [`Checkpoints`] for an example.
    #[must_use]
    pub fn keep(mut self, n: usize) -> Self {
        self.keep = n.max(1);
        self
    }

    /// When a run is to be saved.
    ///
    /// ```
    /// use wengert_train::{Checkpoints, Every};
    /// assert_eq!(Checkpoints::new("here", Every::Steps(5)).every(), Every::Steps(5));
    /// ```
    pub fn every(&self) -> Every {
        self.every
    }

    /// The folder.
    ///
    /// ```
    /// use wengert_train::{Checkpoints, Every};
    /// assert!(Checkpoints::new("here", Every::Steps(5)).folder().ends_with("here"));
    /// ```
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Saves a run after so many steps and takes away the oldest snapshots that are not to be kept, and temporary files that were
    /// left by a run that was killed: those that are an hour old and whose process is gone, or a day old on a system that does not
    /// say which processes there are. See [`Checkpoints`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written; the older ones are then all still there.
    pub fn write(&self, step: usize, snapshot: &Snapshot) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        let path = self.folder.join(format!("step-{step:012}.safetensors"));
        snapshot.write(&path)?;
        let mut all = self.list()?;
        // Snapshots of later steps are of a run that was taken up before them.
        all.retain(|(at, old)| *at <= step || fs::remove_file(old).is_err());
        let old = all.len().saturating_sub(self.keep);
        for (_, path) in &all[..old] {
            // What cannot be taken away does no harm.
            let _ = fs::remove_file(path);
        }
        self.sweep();
        Ok(path)
    }

    /// Saves the weights of the best epoch.
    pub(crate) fn write_best(&self, snapshot: &Snapshot) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        snapshot.write(self.folder.join(BEST))
    }

    /// The snapshots that are there, by the number of steps. See [`Checkpoints`] for an example.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self) -> Result<Vec<(usize, PathBuf)>> {
        let mut found = Vec::new();
        if !self.folder.is_dir() {
            return Ok(found);
        }
        for entry in fs::read_dir(&self.folder).map_err(Error::io(&self.folder))? {
            let path = entry.map_err(Error::io(&self.folder))?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            let step = name.strip_prefix("step-").and_then(|n| n.strip_suffix(".safetensors"));
            if let Some(step) = step.and_then(|s| s.parse().ok()) {
                found.push((step, path));
            }
        }
        found.sort();
        Ok(found)
    }

    /// The newest snapshot that is whole, and why each newer one was refused; `None` if there are no snapshots. It only reads: the
    /// run may be going on. See [`Checkpoints`] for an example.
    ///
    /// # Errors
    /// If the folder cannot be read, or there are snapshots, but none is whole.
    pub fn newest(&self) -> Result<Option<(Snapshot, Vec<Error>)>> {
        let mut refused = Vec::new();
        for (_, path) in self.list()?.into_iter().rev() {
            match Snapshot::read(&path) {
                Ok(snapshot) => return Ok(Some((snapshot, refused))),
                Err(e) => refused.push(e),
            }
        }
        match refused.into_iter().next() {
            Some(first) => Err(first),
            None => Ok(None),
        }
    }

    /// Takes away the temporary files that nobody will rename any more.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.filter_map(|e| Some(e.ok()?.path())) {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if (name.starts_with("step-") || name.starts_with(BEST)) && temporary::is_abandoned(&path) {
                // What cannot be taken away does no harm.
                let _ = fs::remove_file(&path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(step: usize) -> Snapshot {
        let mut snapshot = Snapshot::new();
        snapshot.put_note("step", &step).unwrap();
        snapshot
    }

    #[test]
    fn a_damaged_newest_snapshot_gives_way_to_the_one_before() {
        let folder = std::env::temp_dir().join(format!("wengert-newest-{}", std::process::id()));
        let checkpoints = Checkpoints::new(&folder, Every::Steps(1));
        assert!(checkpoints.newest().unwrap().is_none() && checkpoints.list().unwrap().is_empty());
        for step in 1..=5 {
            checkpoints.write(step, &numbered(step)).unwrap();
        }
        let files = checkpoints.list().unwrap();
        assert_eq!(files.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [3, 4, 5]);
        let whole = fs::read(&files[2].1).unwrap();
        fs::write(&files[2].1, &whole[..whole.len() - 1]).unwrap();
        let left = folder.join("step-000000000006.safetensors.4294967294.tmp");
        fs::write(&left, "half").unwrap();
        temporary::age(&left);
        fs::write(folder.join("notes.txt"), "mine").unwrap();
        let (newest, refused) = checkpoints.newest().unwrap().unwrap();
        assert_eq!((newest.note::<usize>("step").unwrap(), refused.len()), (4, 1));
        assert!(refused[0].to_string().contains("step-000000000005"), "{}", refused[0]);

        // The run that goes on from there leaves no snapshot of the one that is given up, and nothing that is half written.
        checkpoints.write(4, &numbered(4)).unwrap();
        assert!(!left.exists() && folder.join("notes.txt").exists());
        assert_eq!(checkpoints.list().unwrap().last().unwrap().0, 4);
        for (_, path) in checkpoints.list().unwrap() {
            fs::write(path, "x").unwrap();
        }
        assert!(checkpoints.newest().unwrap_err().to_string().contains("step-000000000004"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn whoever_looks_at_a_run_takes_nothing_away_from_it() {
        let folder = std::env::temp_dir().join(format!("wengert-looked-at-{}", std::process::id()));
        let checkpoints = Checkpoints::new(&folder, Every::Steps(1));
        checkpoints.write(1, &numbered(1)).unwrap();
        // Being written by this process, by one of another machine, and left by one that was killed.
        let half = |process: &str| folder.join(format!("step-000000000009.safetensors.{process}.tmp"));
        let here = std::process::id().to_string();
        let files = [here.as_str(), "4294967294", "4294967293"].map(half);
        files.iter().for_each(|path| fs::write(path, "half").unwrap());
        temporary::age(&files[2]);
        assert_eq!(checkpoints.newest().unwrap().unwrap().0.note::<usize>("step").unwrap(), 1);
        assert!(files.iter().all(|path| path.exists()));
        // Nor does another writer take away what is being written.
        checkpoints.write(2, &numbered(2)).unwrap();
        assert_eq!(files.map(|path| path.exists()), [true, true, false]);
        fs::remove_dir_all(folder).unwrap();
    }
}
