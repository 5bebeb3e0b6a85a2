//! [`Error`]: why a state could not be saved or loaded.

use std::path::PathBuf;

/// Why a state could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read or written.
    #[error("{}: {source}", printable(path.display()))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a whole, valid safetensors file.
    #[error("{}: not a valid safetensors file: {}", printable(path.display()), printable(detail))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// The file's tensors are not the model's.
    #[error("{}: {}", printable(path.display()), printable(detail))]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The tensor, what was expected, and what was found.
        detail: String,
    },
    /// The tensors of a dict are not the model's.
    #[error("{}", printable(.0))]
    Misfit(String),
    /// What a file of this format cannot hold.
    #[error("{}", printable(.0))]
    Unwritable(String),
    /// Something of a model or an optimiser that could not be done.
    #[error(transparent)]
    Tape(#[from] wengert_tape::Error),
    /// Something of a tensor that could not be done.
    #[error(transparent)]
    Tensor(#[from] wengert_ops::Error),
}

/// So that one `?` serves for states, optimisers and tapes, whichever of their errors a function has.
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

/// A text with escapes for what is not printed as itself: what stands in a file must not steer the terminal on which an error is
/// printed. Quotes and backslashes stay.
fn printable(text: impl std::fmt::Display) -> String {
    let shown = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        _ => c.escape_debug().to_string(),
    };
    text.to_string().chars().map(shown).collect()
}
