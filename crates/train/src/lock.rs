//! [`RunLock`]: a lock that gives a run folder one writer.

use crate::error::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file that is locked.
pub(crate) const LOCK: &str = "run.lock";

/// How often to try again if the file is deleted just before it is locked, which happens when a run ends at that moment.
const ATTEMPTS: usize = 100;

/// Marks a folder as being written by a run, until it is dropped or the process ends for any reason. A second run is refused,
/// unless the file system [has no locks](RunLock::is_exclusive). See [`RunFolder::lock`](crate::RunFolder::lock) for an example.
#[derive(Debug)]
pub struct RunLock {
    path: PathBuf,
    file: File,
    exclusive: bool,
}

impl RunLock {
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        RunLock::take_by(folder, File::try_lock)
    }

    /// Like [`take`](RunLock::take), with a given system call.
    fn take_by(folder: &Path, try_lock: impl Fn(&File) -> Result<(), TryLockError>) -> Result<Self> {
        let path = folder.join(LOCK);
        for _ in 0..ATTEMPTS {
            let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
            let mut file = opened.map_err(Error::io(&path))?;
            let mut exclusive = true;
            match try_lock(&file) {
                Ok(()) => {}
                Err(TryLockError::Error(e)) if has_no_locks(&e) => exclusive = false,
                Err(TryLockError::WouldBlock) => {
                    let process = fs::read_to_string(&path).unwrap_or_default();
                    let process = process.trim().parse().ok();
                    return Err(Error::Busy { path: folder.into(), process });
                }
                Err(TryLockError::Error(e)) => return Err(Error::io(&path)(e)),
            }
            // The previous owner may have deleted the file between opening and locking. It is then no longer the folder's lock
            // file.
            if same(&file, &path) {
                // The process is only needed for messages.
                let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
                return Ok(RunLock { path, file, exclusive });
            }
        }
        Err(Error::Busy { path: folder.into(), process: None })
    }

    /// Whether a second run is refused. A file system without locks, such as some network file systems, cannot do that. The run
    /// starts all the same; the program should warn that nothing keeps a second run out of the folder.
    ///
    /// ```
    /// use wengert_train::{Existing, RunFolder};
    /// # let path = std::env::temp_dir().join(format!("wengert-exclusive-{}", std::process::id()));
    /// let folder = RunFolder::create(&path, Existing::Refuse)?;
    /// let lock = folder.lock()?;
    /// if !lock.is_exclusive() {
    ///     eprintln!("warning: do not write to {} from a second run", folder.path().display());
    /// }
    /// # assert!(lock.is_exclusive());
    /// # drop(lock);
    /// # std::fs::remove_dir_all(path).unwrap();
    /// # Ok::<(), wengert_train::Error>(())
    /// ```
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// Whether the locked file is still the folder's: the folder may have been deleted and created again.
    pub(crate) fn holds(&self) -> bool {
        same(&self.file, &self.path)
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if self.holds() {
            // The file is deleted while it is locked, so that a process that waits for the lock sees that the file is gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether an error means that the file system has no locks: ENOTSUP or ENOSYS, or ENOLCK, which has no kind of its own.
fn has_no_locks(e: &io::Error) -> bool {
    let no_lock = match () {
        () if cfg!(any(target_os = "linux", target_os = "android")) => Some(37),
        () if cfg!(any(
            target_vendor = "apple",
            target_os = "freebsd",
            target_os = "netbsd",
            target_os = "openbsd"
        )) =>
        {
            Some(77)
        }
        () => None,
    };
    e.kind() == io::ErrorKind::Unsupported || no_lock.is_some() && e.raw_os_error() == no_lock
}

/// Whether an open file is the one at this path.
#[cfg(unix)]
fn same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let of = |m: std::io::Result<fs::Metadata>| m.ok().map(|m| (m.dev(), m.ino()));
    let there = of(fs::metadata(path));
    there.is_some() && there == of(file.metadata())
}

/// On other systems, an open file is not deleted.
#[cfg(not(unix))]
fn same(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_written_to_and_other_errors_are_errors() {
        let folder = std::env::temp_dir().join(format!("wengert-no-locks-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let failing =
            |e: fn() -> io::Error| RunLock::take_by(&folder, move |_| Err(TryLockError::Error(e())));
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let (first, second) = (failing(unsupported).unwrap(), failing(unsupported).unwrap());
        assert!(!first.is_exclusive() && !second.is_exclusive() && first.holds());
        drop((first, second));
        assert!(!folder.join(LOCK).exists());
        #[cfg(target_os = "linux")]
        for (code, goes_on) in [(37, true), (95, true), (38, true), (5, false)] {
            let taken =
                RunLock::take_by(&folder, |_| Err(TryLockError::Error(io::Error::from_raw_os_error(code))));
            assert_eq!(taken.is_ok(), goes_on, "{code}: {taken:?}");
        }
        let e = failing(|| io::Error::other("broken")).unwrap_err();
        assert!(matches!(e, Error::Io { .. }), "{e}");
        assert!(RunLock::take(&folder).unwrap().is_exclusive());
        fs::remove_dir_all(folder).unwrap();
    }
}
