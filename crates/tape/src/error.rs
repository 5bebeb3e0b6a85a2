//! Errors of the tape: the operation, what was wrong, the line of the user's code, and the module.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An operation on tensors that failed.
    Op(wengert_ops::ErrorKind),
    /// A handle of another tape, or of this tape before it was reset.
    ForeignTape,
    /// A value that a scope or a sweep has freed.
    Freed,
    /// A value or cotangent that became NaN or infinite, under [`detect_anomaly`](crate::Tape::detect_anomaly).
    NonFinite,
    /// A gradient with respect to something that the output does not depend on.
    Unreached,
    /// A gradient requested from a tape that records none, or of an output that needs a seed.
    NoGradient,
    /// An op whose rule breaks its contract (a missing cotangent, a wrong shape).
    Rule,
}

/// An error with its origin.
///
/// It prints at most three lines: the operation with all shapes; the user's file, line and column; and the path of the
/// module, if known.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::Tape;
///
/// let tape = Tape::new();
/// let x = tape.var(Tensor::<f32>::ones([2, 3]));
/// let y = x.matmul(Tensor::ones([4, 5])).tanh();       // fails; later operations pass the error on
/// let e = y.value().unwrap_err();
/// assert_eq!(e.op(), "matmul");
/// assert!(e.to_string().contains("[2, 3]") && e.to_string().contains("[4, 5]"));
/// assert!(e.location().is_some());                      // of the line with `matmul`
/// ```
#[derive(Clone, thiserror::Error)]
#[error("{}: {}{}", .0.op, .0.detail, place(.0))]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    op: &'static str,
    detail: String,
    at: Option<&'static Location<'static>>,
    path: Option<String>,
}

/// The result of a request to a tape.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of operation `op`; `detail` says what was expected and found.
    pub fn new(kind: ErrorKind, op: &'static str, detail: impl Into<String>) -> Self {
        Error(Arc::new(Inner { kind, op, detail: detail.into(), at: None, path: None }))
    }

    /// The kind of error.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed.
    pub fn op(&self) -> &'static str {
        self.0.op
    }

    /// What was expected and what was found.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The line of user code that called the operation.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.at
    }

    /// The path of the module whose parameters were involved, such as `encoder.0.attention`.
    pub fn module_path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The same error with a location, unless it has one already.
    #[must_use]
    pub fn at(mut self, at: &'static Location<'static>) -> Self {
        Arc::make_mut(&mut self.0).at.get_or_insert(at);
        self
    }

    /// The same error with a module path, unless it has one already.
    #[must_use]
    pub fn inside(mut self, path: Option<String>) -> Self {
        if self.0.path.is_none() && path.as_deref().is_some_and(|p| !p.is_empty()) {
            Arc::make_mut(&mut self.0).path = path;
        }
        self
    }
}

impl From<wengert_ops::Error> for Error {
    #[track_caller]
    fn from(e: wengert_ops::Error) -> Self {
        Error::new(ErrorKind::Op(e.kind()), e.op(), e.detail()).at(Location::caller())
    }
}

/// Location and module path of an error, one per line, as far as they are known.
fn place(e: &Inner) -> String {
    let at = e.at.map(|at| format!("\n  at {at}")).unwrap_or_default();
    let path = e.path.as_ref().map(|path| format!("\n  in {path}")).unwrap_or_default();
    at + &path
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}
