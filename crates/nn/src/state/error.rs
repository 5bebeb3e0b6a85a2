//! [`Error`]: why a state could not be saved or loaded.

use std::path::PathBuf;

/// Why a state could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read or written.
    #[error("{}: {source}", printable(path.display()))]
    Io {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not a complete, valid safetensors file.
    #[error("{}: not a valid safetensors file: {}", printable(path.display()), printable(detail))]
    Damaged {
        /// The path of the file.
        path: PathBuf,
        /// The fault in the file.
        detail: String,
    },
    /// The file's tensors do not match the model's.
    #[error("{}: {}", printable(path.display()), printable(detail))]
    Mismatch {
        /// The path of the file.
        path: PathBuf,
        /// The tensor, what was expected, and what was found.
        detail: String,
    },
    /// The tensors of a dict do not match the model's.
    #[error("{}", printable(.0))]
    Misfit(String),
    /// The state cannot be held by a file of this format.
    #[error("{}", printable(.0))]
    Unwritable(String),
    /// An operation of a model or an optimiser failed.
    #[error(transparent)]
    Tape(#[from] wengert_tape::Error),
    /// An operation of a tensor failed.
    #[error(transparent)]
    Tensor(#[from] wengert_ops::Error),
}

/// With this, one `?` serves for states, optimisers and tapes, whichever of their errors a function returns.
///
/// ```
/// use wengert_nn::{Linear, optim::{Adam, Optimizer}, state};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// fn resumed(file: &str) -> wengert_tape::Result<Adam<f32>> {
///     let model = Linear::<f32>::new(2, 1, &mut Rng::seed(0));
///     let mut adam = Adam::new(0.1);
///     adam.load_state(&model, &state::read(file)?)?;
///     Ok(adam)
/// }
/// let e = resumed("nowhere.safetensors").unwrap_err();
/// assert_eq!(e.op(), "state");
/// assert!(e.detail().starts_with("nowhere.safetensors: "));
/// ```
impl From<Error> for wengert_tape::Error {
    fn from(e: Error) -> Self {
        match e {
            Error::Tape(e) => e,
            Error::Tensor(e) => e.into(),
            e => {
                let kind = wengert_tape::ErrorKind::Op(wengert_ops::ErrorKind::Argument);
                wengert_tape::Error::new(kind, "state", e.to_string())
            }
        }
    }
}

/// The text with escapes for unprintable characters: text from a file must not control the terminal on which an error is
/// printed. Quotes and backslashes stay.
fn printable(text: impl std::fmt::Display) -> String {
    let shown = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.to_string().chars().map(shown).collect()
}
