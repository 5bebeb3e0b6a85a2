//! Errors as values: where, what was expected and what was found.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Data that could not be read, or a call that failed. Messages contain no control characters, whatever a file or its
/// name contains: a message must not steer the terminal that it is printed on.
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
    /// An argument out of its range.
    #[error("{call}: expected {}, found {}", Printable(expected), Printable(found))]
    Argument {
        /// The call.
        call: &'static str,
        /// What the call takes.
        expected: String,
        /// What it got.
        found: String,
    },
    /// A file that was read but does not hold what its format requires.
    #[error("{}{at}: expected {}, found {}", shown(path), Printable(expected), Printable(found))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The place in the file.
        at: Location,
        /// What the format requires.
        expected: String,
        /// What the file has there.
        found: String,
    },
    /// A file that could not be read or decompressed.
    #[error("{}: {}", shown(path), Printable(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that could not be written.
    #[error("{} could not be written: {}", shown(path), Printable(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Data that must be on this machine and is not.
    #[error("{} was not found: looked for {}; {}", Printable(what), list(looked), Printable(advice))]
    Missing {
        /// The missing data.
        what: String,
        /// The paths where it was looked for.
        looked: Vec<PathBuf>,
        /// How to get it.
        advice: String,
    },
    /// An operation on tensors that failed.
    #[error(transparent)]
    Tensor(#[from] wengert_ops::Error),
    /// What a dataset of one's own met, made by [`Error::other`].
    #[error("{}", Printable(.0))]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The thread that prepares batches panicked: a bug in a dataset's `fetch`.
    #[error("a panic while batches were prepared: {}", Printable(message))]
    Worker {
        /// What the panic said.
        message: String,
    },
}

/// A place in a file.
///
/// ```
/// use wengert_data::Location;
/// assert_eq!(Location::Byte(12).to_string(), ", byte 12");
/// assert_eq!(Location::Whole.to_string(), "");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// The file as a whole.
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

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Whole => Ok(()),
            Location::Line(line) => write!(f, ", line {line}"),
            Location::Cell { line, column } => write!(f, ", line {line}, column {}", Printable(column)),
            Location::Byte(byte) => write!(f, ", byte {byte}"),
            Location::Member(name) => write!(f, ", member {}", Printable(shortened(name))),
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| shown(path).to_string()).collect::<Vec<_>>().join(", ")
}

fn shown(path: &Path) -> Printable<std::path::Display<'_>> {
    Printable(path.display())
}

/// Shows a text with escapes for characters that are not printed as themselves, such as control characters and marks of
/// direction: the contents of a file must not steer the terminal on which an error is printed. Quotes and backslashes
/// are kept, so that text that is already escaped is not escaped again.
///
/// ```
/// use wengert_data::Printable;
/// assert_eq!(Printable("no column \u{1b}[31m\"red\"").to_string(), "no column \\u{1b}[31m\"red\"");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = format!("{:?}", self.0.to_string());
        let mut characters = escaped[1..escaped.len() - 1].chars().peekable();
        while let Some(c) = characters.next() {
            let c = if c == '\\' { characters.next_if(|c| ['"', '\\'].contains(c)).unwrap_or(c) } else { c };
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

/// The largest number of characters of a file that a message repeats.
const MOST_QUOTED: usize = 60;

/// The contents of a file, for a message: in quotes, with escapes, and only the beginning if they are long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{:?}.. ({} bytes)", &text[..end], text.len()),
        None => format!("{text:?}"),
    }
}

/// The beginning of a name, or the whole name if it is short.
pub(crate) fn shortened(name: &str) -> std::borrow::Cow<'_, str> {
    match name.char_indices().nth(MOST_QUOTED) {
        Some((end, _)) => format!("{}.. ({} bytes)", &name[..end], name.len()).into(),
        None => name.into(),
    }
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
    /// Any other error, for a dataset of one's own: what its `fetch` meets outside of tensors and files, such as in a computation on a
    /// tape, ends the epoch as an error of this crate.
    ///
    /// ```
    /// use wengert_data::{Dataset, Error, Result};
    /// struct Parsed(Vec<String>);
    /// impl Dataset for Parsed {
    ///     type Batch = Vec<f32>;
    ///     fn len(&self) -> usize {
    ///         self.0.len()
    ///     }
    ///     fn fetch(&self, indices: &[usize]) -> Result<Vec<f32>> {
    ///         indices.iter().map(|&i| self.0[i].parse().map_err(Error::other)).collect()
    ///     }
    /// }
    /// let data = Parsed(vec!["1.5".to_owned(), "a".to_owned()]);
    /// assert_eq!(data.fetch(&[0])?, [1.5]);
    /// assert_eq!(data.fetch(&[1]).unwrap_err().to_string(), "invalid float literal");
    /// # Ok::<(), Error>(())
    /// ```
    pub fn other(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error::Other(source.into())
    }

    pub(crate) fn argument(call: &'static str, expected: impl Into<String>, found: impl ToString) -> Self {
        Error::Argument { call, expected: expected.into(), found: found.to_string() }
    }

    pub(crate) fn malformed(
        path: &Path,
        at: Location,
        expected: impl Into<String>,
        found: impl ToString,
    ) -> Self {
        Error::Malformed { path: path.into(), at, expected: expected.into(), found: found.to_string() }
    }

    /// Turns the system's error into one that contains the path of the file.
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
            at: Location::Line(3),
            expected: "65 columns".into(),
            found: "64".into(),
        };
        assert_eq!(e.to_string(), "some/file.csv, line 3: expected 65 columns, found 64");
        let e = Error::Read { path: "some/file.csv".into(), source: io::Error::other("gone") };
        assert_eq!(e.to_string(), "some/file.csv: gone");
        assert!(std::error::Error::source(&e).is_some());
    }

    #[test]
    fn what_a_file_holds_is_shown_with_escapes_and_in_short() {
        let path = PathBuf::from("a\u{1b}[2J\\ \"b\" é.csv");
        let shown = "a\\u{1b}[2J\\ \"b\" é.csv";
        let wild = "\u{1b}]0;x\u{7}\r\u{9b}\u{202e}".to_owned();
        let errors = [
            Error::malformed(&path, Location::Member(wild.clone()), &wild[..], &wild),
            Error::malformed(&path, Location::Cell { line: 1, column: wild.clone() }, &wild[..], &wild),
            Error::argument("call", &wild[..], &wild),
            Error::read(&path)(io::Error::other(wild.clone())),
            Error::write(&path)(io::Error::other(wild.clone())),
            Error::Missing { what: wild.clone(), looked: vec![path.clone()], advice: wild.clone() },
            Error::Worker { message: wild.clone() },
            Error::other(wild),
        ];
        for (i, e) in errors.into_iter().enumerate() {
            let message = e.to_string();
            assert!(message.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{message:?}");
            assert!(message.contains(r"\u{1b}]0;x\u{7}\r\u{9b}\u{202e}"), "{message}");
            assert!(message.contains(shown) || i == 2 || i > 5, "{message}");
        }
        let long = Location::Member("é".repeat(61)).to_string();
        assert_eq!(long, format!(", member {}.. (122 bytes)", "é".repeat(60)));
        assert_eq!(quoted("a\t\"b\""), r#""a\t\"b\"""#);
        assert_eq!(quoted(&"é".repeat(61)), format!("\"{}\".. (122 bytes)", "é".repeat(60)));
    }
}
