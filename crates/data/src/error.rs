//! Errors as values: where, what was expected and what was found.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Data that could not be read, or a call that could not be done.
///
/// ```
/// use wengert_data::{Error, digits};
/// let e = digits()?.split(1.5, 0).unwrap_err();
/// assert!(matches!(e, Error::Argument { call: "split", .. }));
/// assert_eq!(e.to_string(), "split: expected a test fraction from 0 to 1, found 1.5");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument outside its domain.
    #[error("{call}: expected {expected}, found {found}")]
    Argument {
        /// The call.
        call: &'static str,
        /// What the call takes.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// A file that was read but does not hold what its format asks for.
    #[error("{}{at}: expected {expected}, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it.
        at: Place,
        /// What the format asks for.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A file that could not be read or decompressed.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that could not be written.
    #[error("{} could not be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Data that has to be on this machine and is not.
    #[error("{what} is not here: looked for {}; {advice}", list(looked))]
    Missing {
        /// The data.
        what: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
        /// How to get it.
        advice: String,
    },
    /// An operation on tensors that failed.
    #[error(transparent)]
    Tensor(#[from] wengert_ops::Error),
    /// The thread that prepares batches panicked: a bug in a dataset's `fetch`.
    #[error("a panic while batches were prepared: {message}")]
    Worker {
        /// What the panic said.
        message: String,
    },
}

/// Where in a file something stands.
///
/// ```
/// use wengert_data::Place;
/// assert_eq!(Place::Byte(12).to_string(), ", byte 12");
/// assert_eq!(Place::Whole.to_string(), "");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Nowhere in particular.
    Whole,
    /// A line, counted from 1.
    Line(usize),
    /// A field of a table.
    Cell {
        /// The line, counted from 1.
        line: usize,
        /// The column's name, or its number counted from 0 where it has none.
        column: String,
    },
    /// A position in bytes, counted from 0, after decompression.
    Byte(u64),
    /// A member of an archive.
    Member(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => Ok(()),
            Place::Line(line) => write!(f, ", line {line}"),
            Place::Cell { line, column } => write!(f, ", line {line}, column {column}"),
            Place::Byte(byte) => write!(f, ", byte {byte}"),
            Place::Member(name) => write!(f, ", member {name}"),
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The result of working with data.
///
/// ```
/// fn samples() -> wengert_data::Result<usize> {
///     Ok(wengert_data::digits()?.len())
/// }
/// assert_eq!(samples()?, 1797);
/// # Ok::<(), wengert_data::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn argument(call: &'static str, expected: impl Into<String>, found: impl ToString) -> Self {
        Error::Argument { call, expected: expected.into(), found: found.to_string() }
    }

    pub(crate) fn malformed(
        path: &Path,
        at: Place,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Error::Malformed { path: path.into(), at, expected: expected.into(), found: found.to_string() }
    }

    /// What turns the system's error into one that names the file.
    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |source| Error::Read { path: path.into(), source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |source| Error::Write { path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_where_and_what() {
        let e = Error::Malformed {
            path: "some/file.csv".into(),
            at: Place::Line(3),
            expected: "65 columns".into(),
            found: "64".into(),
        };
        assert_eq!(e.to_string(), "some/file.csv, line 3: expected 65 columns, found 64");
        let e = Error::Read { path: "some/file.csv".into(), source: io::Error::other("gone") };
        assert_eq!(e.to_string(), "some/file.csv: gone");
        assert!(std::error::Error::source(&e).is_some());
    }
}
