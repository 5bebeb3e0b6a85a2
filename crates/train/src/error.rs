//! Errors as values: what a run met, and what can be done about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a run could not go on, or its results not be kept.
///
/// ```
/// use wengert_train::{Error, RunFolder};
/// let e = RunFolder::open("no/such/folder").unwrap_err();
/// assert!(matches!(e, Error::Missing { .. }));
/// assert_eq!(e.to_string(), "there is no run folder no/such/folder");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A training loss that is NaN or infinite.
    #[error(
        "the training loss became {loss} at epoch {epoch}, step {step} of {steps}; a lower learning rate may help"
    )]
    Diverged {
        /// NaN or an infinity.
        loss: f64,
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step of the epoch, counted from 1.
        step: usize,
        /// The steps of an epoch.
        steps: usize,
    },
    /// A loss on held-out data that is NaN or infinite.
    #[error("the loss of {samples} held-out samples is {loss}; the weights may not be finite")]
    NotFinite {
        /// NaN or an infinity.
        loss: f64,
        /// The number of samples.
        samples: usize,
    },
    /// An argument outside its domain.
    #[error("{call}: expected {expected}, found {found}")]
    Argument {
        /// The call.
        call: &'static str,
        /// What the call takes.
        expected: &'static str,
        /// What it was given.
        found: String,
    },
    /// A run folder that already holds something.
    #[error("the folder {} is not empty; name another, or let it be overwritten", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A run folder that is not there.
    #[error("there is no run folder {}", path.display())]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A file that could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Options that could not be written, or read back.
    #[error("{}: {detail}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why, with the line.
        detail: String,
    },
    /// A snapshot of a run that is damaged, of something else, or of another run.
    #[error("{}{detail}", path.as_ref().map_or_else(String::new, |p| format!("{}: ", p.display())))]
    Snapshot {
        /// The file, if it is one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        detail: String,
    },
    /// A picture that could not be drawn.
    #[error("the learning curves could not be drawn: {0}")]
    Curves(String),
    /// Data that could not be had.
    #[error(transparent)]
    Data(#[from] wengert_data::Error),
    /// Weights that could not be saved or loaded.
    #[error(transparent)]
    State(#[from] wengert_nn::state::Error),
    /// A model or loss that could not be computed.
    #[error(transparent)]
    Tape(#[from] wengert_tape::Error),
}

/// The result of a part of a run.
///
/// ```
/// fn options() -> wengert_train::Result<()> {
///     wengert_train::RunFolder::open("no/such/folder")?;
///     Ok(())
/// }
/// assert!(options().is_err());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What turns the system's error into one that names the file.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |source| Error::Io { path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_where_and_what_to_do() {
        let e = Error::Diverged { loss: f64::NAN, epoch: 3, step: 17, steps: 45 };
        let expected =
            "the training loss became NaN at epoch 3, step 17 of 45; a lower learning rate may help";
        assert_eq!(e.to_string(), expected);
        let e = Error::io(Path::new("runs/x"))(io::Error::other("gone"));
        assert_eq!(e.to_string(), "runs/x: gone");
    }
}
