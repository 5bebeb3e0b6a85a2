//! Files that are complete or not there: written under another name, and renamed.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file to be written at the end of a run. It is created at once, so that a path that cannot be written is known before the work.
pub(crate) struct Pending {
    path: PathBuf,
    /// The file under its other name; `None` for what is no file, such as a pipe, which is written in place.
    temporary: Option<PathBuf>,
    file: File,
}

impl Pending {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
        if path.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                format!("{} is a folder", path.display()),
            ));
        }
        if path.exists() && !path.is_file() {
            let file = OpenOptions::new().write(true).open(path).map_err(named)?;
            return Ok(Pending { path: path.to_owned(), temporary: None, file });
        }
        // A link keeps pointing to the file.
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = File::create(&temporary).map_err(named)?;
        Ok(Pending { path: path.to_owned(), temporary: Some(temporary), file })
    }

    /// Writes the text, and gives the file its name.
    pub(crate) fn write(mut self, text: &str) -> io::Result<()> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", self.path.display()));
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.flush()).map_err(named)?;
        if let Some(temporary) = &self.temporary {
            self.file.sync_all().and_then(|()| fs::rename(temporary, &self.path)).map_err(named)?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Adds text to the end of a file.
pub(crate) fn append(path: &Path, text: &str) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}
