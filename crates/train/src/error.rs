//! The errors of a run: what failed, and what may help.

use std::io;
use std::path::{Path, PathBuf};
use wengert_data::Printable;

/// Why a run could not continue, or its results could not be kept.
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
        /// The loss: NaN or an infinity.
        loss: f64,
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step of the epoch, counted from 1.
        step: usize,
        /// The number of steps per epoch.
        steps: usize,
    },
    /// A gradient that is NaN or infinite although the loss is finite. The step was not made: the weights are those before it.
    #[error(
        "the gradient of {} has an element {value} at epoch {epoch}, step {step} of {steps}, though the loss is \
         finite; the step was not made. Look for a root, a logarithm or a quotient at 0, or try a lower learning rate",
        Printable(parameter)
    )]
    Gradient {
        /// The parameter, with the name of its part of the learner if there are several.
        parameter: String,
        /// Its first element that is NaN or infinite.
        value: f64,
        /// The epoch, counted from 1.
        epoch: usize,
        /// The step of the epoch, counted from 1.
        step: usize,
        /// The number of steps per epoch.
        steps: usize,
    },
    /// Weights that are NaN or infinite after a step. They were not saved.
    #[error(
        "the parameter {} has an element {value} after {step} steps, and was not saved; a lower learning rate \
         may help",
        Printable(parameter)
    )]
    Weights {
        /// The parameter, with the name of its part of the learner if there are several.
        parameter: String,
        /// Its first element that is NaN or infinite.
        value: f64,
        /// The number of steps since the run began.
        step: usize,
    },
    /// A tensor of a run's state that became NaN or infinite and is not a trained weight: a buffer, such as a running variance, a
    /// tensor of an optimiser's state, or an average. It was not saved.
    #[error(
        "{} has an element {value} after {step} steps, and was not saved; inputs of a smaller scale, clipped gradients or a \
         lower learning rate may help",
        Printable(tensor)
    )]
    Infinite {
        /// The tensor, in words.
        tensor: String,
        /// Its first element that is NaN or infinite.
        value: f64,
        /// The number of steps since the run began.
        step: usize,
    },
    /// A loss on held-out data that is NaN or infinite.
    #[error("the loss of {samples} held-out samples is {loss}; the weights may not be finite")]
    NotFinite {
        /// The loss: NaN or an infinity.
        loss: f64,
        /// The number of samples.
        samples: usize,
    },
    /// An argument outside its domain.
    #[error("{call}: expected {expected}, found {}", Printable(found))]
    Argument {
        /// The name of the function.
        call: &'static str,
        /// What the function expects.
        expected: &'static str,
        /// What it was given.
        found: String,
    },
    /// A run folder that is not empty.
    #[error("the folder {} is not empty; name another, or let it be overwritten", shown(path))]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// A run folder that does not exist.
    #[error("there is no run folder {}", shown(path))]
    Missing {
        /// The folder.
        path: PathBuf,
    },
    /// A run folder that another run is writing.
    #[error(
        "the folder {} is being written by another run{}; wait for its end, or take another folder",
        shown(path),
        process.map_or_else(String::new, |id| format!(" (process {id})"))
    )]
    Busy {
        /// The folder.
        path: PathBuf,
        /// The number of the process that writes it, if known.
        process: Option<u32>,
    },
    /// Weights or a checkpoint that were made with other options.
    #[error(
        "{}of another run: {}",
        before(path),
        Printable(differences.join("; "))
    )]
    Foreign {
        /// The file, if the state was read from one.
        path: Option<PathBuf>,
        /// The differences: *there* is in the file, *here* in the given options.
        differences: Vec<String>,
    },
    /// A file that could not be read or written.
    #[error("{}: {source}", shown(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Options that could not be written, or read back.
    #[error("{}: {}", shown(path), Printable(detail))]
    Config {
        /// The file.
        path: PathBuf,
        /// The reason, with the line.
        detail: String,
    },
    /// A snapshot that is damaged, has other contents, or belongs to another run.
    #[error("{}{}", before(path), Printable(detail))]
    Snapshot {
        /// The file, if the snapshot was read from one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        detail: String,
    },
    /// A picture that could not be drawn.
    #[error("the learning curves could not be drawn: {0}")]
    Curves(String),
    /// Data that could not be read.
    #[error(transparent)]
    Data(#[from] wengert_data::Error),
    /// Weights that could not be saved or loaded.
    #[error(transparent)]
    State(#[from] wengert_nn::state::Error),
    /// A model or loss that could not be computed.
    #[error(transparent)]
    Tape(#[from] wengert_tape::Error),
}

/// The conversion lets one `?` serve for tensors, tapes and runs.
///
/// ```
/// fn prepared() -> wengert_train::Result<()> {
///     let x = wengert_ops::Tensor::<f32>::ones([2, 3]);
///     x.reshape([7])?;
///     Ok(())
/// }
/// assert!(prepared().unwrap_err().to_string().contains("reshape"));
/// ```
impl From<wengert_ops::Error> for Error {
    #[track_caller]
    fn from(e: wengert_ops::Error) -> Self {
        Error::Tape(e.into())
    }
}

/// The result of a function of this crate.
///
/// ```
/// fn options() -> wengert_train::Result<()> {
///     wengert_train::RunFolder::open("no/such/folder")?;
///     Ok(())
/// }
/// assert!(options().is_err());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A path, for a message.
fn shown(path: &Path) -> Printable<std::path::Display<'_>> {
    Printable(path.display())
}

/// A path and a colon, if there is one.
fn before(path: &Option<PathBuf>) -> String {
    path.as_ref().map_or_else(String::new, |path| format!("{}: ", shown(path)))
}

impl Error {
    /// Returns the function that turns an error of the system into one that names the file.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |source| Error::Io { path: path.into(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_files_is_shown_with_escapes() {
        let wild = || "\u{1b}]0;x\u{7}\r\u{9b}".to_owned();
        let path = PathBuf::from(wild());
        let errors = [
            Error::Occupied { path: path.clone() },
            Error::Missing { path: path.clone() },
            Error::Busy { path: path.clone(), process: None },
            Error::Foreign { path: Some(path.clone()), differences: vec![wild()] },
            Error::Config { path: path.clone(), detail: wild() },
            Error::Snapshot { path: Some(path.clone()), detail: wild() },
            Error::Argument { call: "call", expected: "less", found: wild() },
            Error::Gradient { parameter: wild(), value: f64::NAN, epoch: 1, step: 1, steps: 1 },
            Error::Weights { parameter: wild(), value: f64::NAN, step: 1 },
            Error::Infinite { tensor: wild(), value: f64::NAN, step: 1 },
            Error::io(&path)(io::Error::other("gone")),
        ];
        for e in errors {
            let message = e.to_string();
            assert!(!message.contains(char::is_control), "{message:?}");
            assert!(message.contains(r"\u{1b}]0;x\u{7}\r\u{9b}"), "{message}");
        }
    }

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
