//! [`RunLock`]: one writer for a run folder.

use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file that is locked.
pub(crate) const LOCK: &str = "run.lock";

/// How often the file may be taken away just before it is locked: each time a run has ended at that very moment.
const ATTEMPTS: usize = 100;

/// Says that a run is being written in a folder, until it is dropped or the process ends, however that comes about. A second one is
/// refused. See [`RunFolder::lock`](crate::RunFolder::lock) for an example.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    file: File,
}

impl RunLock {
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(LOCK);
        for _ in 0..ATTEMPTS {
            let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = opened.map_err(Error::io(&path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let process = fs::read_to_string(&path).unwrap_or_default();
                    let process = process.trim().parse().ok();
                    return Err(Error::Busy { path: folder.into(), process });
                }
                Err(TryLockError::Error(e)) => return Err(Error::io(&path)(e)),
            }
            // Whoever had it may have taken it away between opening and locking: then it is no longer the folder's.
            if same(&file, &path) {
                // For messages only.
                let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
                return Ok(RunLock { path, file });
            }
        }
        Err(Error::Busy { path: folder.into(), process: None })
    }

    /// Whether the folder is still the one that was locked: it may have been taken away, and made anew.
    pub(crate) fn holds(&self) -> bool {
        same(&self.file, &self.path)
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if self.holds() {
            // While it is locked: whoever waits for it sees that it is gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether an open file is the one of this name.
#[cfg(unix)]
fn same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |m: std::io::Result<fs::Metadata>| m.ok().map(|m| (m.dev(), m.ino()));
    let there = of(fs::metadata(path));
    there.is_some() && there == of(file.metadata())
}

/// Elsewhere, a file that is open is not taken away.
#[cfg(not(unix))]
fn same(_: &File, path: &Path) -> bool {
    path.exists()
}
