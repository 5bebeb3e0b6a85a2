//! [`Checkpoints`]: a folder of snapshots of a run, which continues from the newest.

use crate::error::{Error, Result};
use crate::snapshot::Snapshot;
use crate::temporary;
use std::fs;
use std::path::{Path, PathBuf};

/// When a run is saved. Its text is `100steps` or `2epochs`.
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
    /// After each multiple of this number of steps.
    Steps(usize),
    /// After each multiple of this number of epochs.
    Epochs(usize),
}

impl Every {
    /// Whether a save is due after `done` steps or, at the end of an epoch, `done` epochs. See [`Every`] for an example.
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

/// A folder in which a run saves itself: the last few snapshots, such as `step-000000000017.safetensors` after 17 steps, and
/// `best.safetensors`, the weights of the best epoch, if a measure is watched.
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
    /// Snapshots in this folder, which is created when it is needed; the last three are kept. See [`Checkpoints`] for an example.
    pub fn new(folder: impl Into<PathBuf>, every: Every) -> Self {
        Checkpoints { folder: folder.into(), every, keep: 3 }
    }

    /// The same, keeping the last `n`, at least 1. Default: `3`. See [`Checkpoints`] for an example.
    #[must_use]
    pub fn keep(mut self, n: usize) -> Self {
        self.keep = n.max(1);
        self
    }

    /// When a run is saved.
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

    /// Saves a run after `step` steps. Deletes the oldest snapshots that are not to be kept, and temporary files left by a run
    /// that was killed: those that are an hour old and whose process is gone, or that are a day old on a system that does not
    /// list its processes. See [`Checkpoints`] for an example.
    ///
    /// # Errors
    /// If the file cannot be written; no older snapshot is deleted in that case.
    pub fn write(&self, step: usize, snapshot: &Snapshot) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).map_err(Error::io(&self.folder))?;
        let path = self.folder.join(format!("step-{step:012}.safetensors"));
        snapshot.write(&path)?;
        let mut all = self.list()?;
        // Snapshots of later steps belong to a run from before this one was resumed.
        all.retain(|(at, old)| *at <= step || fs::remove_file(old).is_err());
        let old = all.len().saturating_sub(self.keep);
        for (_, path) in &all[..old] {
            // A file that cannot be deleted does no harm.
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

    /// The snapshots in the folder, in the order of their steps. See [`Checkpoints`] for an example.
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

    /// The newest snapshot that is undamaged, and the reason why each newer one was refused; `None` if there are no snapshots. It
    /// only reads, so the run may still be writing. See [`Checkpoints`] for an example.
    ///
    /// # Errors
    /// If the folder cannot be read, or there are snapshots but all are damaged.
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

    /// Deletes abandoned temporary files, which no process will rename.
    fn sweep(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for path in entries.filter_map(|e| Some(e.ok()?.path())) {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if (name.starts_with("step-") || name.starts_with(BEST)) && temporary::is_abandoned(&path) {
                // A file that cannot be deleted does no harm.
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

        // The run that continues from there keeps no snapshot of the abandoned one, and no partial file.
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
        // One file is being written by this process, one by a process of another machine, and one was left by a process that was
        // killed.
        let half = |process: &str| folder.join(format!("step-000000000009.safetensors.{process}.tmp"));
        let here = std::process::id().to_string();
        let files = [here.as_str(), "4294967294", "4294967293"].map(half);
        files.iter().for_each(|path| fs::write(path, "half").unwrap());
        temporary::age(&files[2]);
        assert_eq!(checkpoints.newest().unwrap().unwrap().0.note::<usize>("step").unwrap(), 1);
        assert!(files.iter().all(|path| path.exists()));
        // Another writer does not delete a file that is being written either.
        checkpoints.write(2, &numbered(2)).unwrap();
        assert_eq!(files.map(|path| path.exists()), [true, true, false]);
        fs::remove_dir_all(folder).unwrap();
    }
}
