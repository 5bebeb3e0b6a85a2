//! Errors as values: where, what was expected and what was found.

use std::io;
use std::path::PathBuf;

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
    #[error("{}, line {line}: expected {expected}, found {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_where_and_what() {
        let e = Error::Malformed {
            path: "some/file.csv".into(),
            line: 3,
            expected: "65 columns".into(),
            found: "64".into(),
        };
        assert_eq!(e.to_string(), "some/file.csv, line 3: expected 65 columns, found 64");
        let e = Error::Read { path: "some/file.csv".into(), source: io::Error::other("gone") };
        assert_eq!(e.to_string(), "some/file.csv: gone");
        assert!(std::error::Error::source(&e).is_some());
    }
}
