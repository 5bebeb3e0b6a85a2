//! Errors as values: the operation, the rule that was broken, and the shapes that broke it.

use std::fmt;

/// What kind of rule a call broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Shapes that are not consistent, or an element count that does not match a shape.
    Shape,
    /// An axis outside the tensor's rank, or named twice.
    Axis,
    /// An element index out of range.
    Index,
    /// Any other argument outside its domain (a negative size, an empty list, a probability above one).
    Argument,
    /// A size whose element count does not fit in memory.
    Overflow,
}

/// A call that failed. The message says what was expected and what was found.
///
/// ```
/// use wengert_ops::{ErrorKind, Tensor};
/// let e = Tensor::<f32>::zeros([2, 3]).matmul(&Tensor::zeros([4, 5])).unwrap_err();
/// assert_eq!(e.op(), "matmul");
/// assert_eq!(e.kind(), ErrorKind::Shape);
/// assert!(e.to_string().contains("[2, 3]") && e.to_string().contains("[4, 5]"));
/// ```
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", .0.op, .0.detail)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    op: &'static str,
    kind: ErrorKind,
    detail: String,
}

/// The result of an operation on tensors.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of operation `op`; `detail` says what was expected and found, in lower case without a final dot.
    pub fn new(op: &'static str, kind: ErrorKind, detail: impl Into<String>) -> Self {
        Error(Box::new(Inner { op, kind, detail: detail.into() }))
    }

    pub(crate) fn shape(op: &'static str, detail: impl Into<String>) -> Self {
        Self::new(op, ErrorKind::Shape, detail)
    }

    pub(crate) fn argument(op: &'static str, detail: impl Into<String>) -> Self {
        Self::new(op, ErrorKind::Argument, detail)
    }

    /// The operation that was called.
    pub fn op(&self) -> &'static str {
        self.0.op
    }

    /// The kind of rule that was broken.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was expected and what was found, without the operation's name.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The same error under the name of the operation that the user called.
    #[must_use]
    pub fn in_op(mut self, op: &'static str) -> Self {
        self.0.op = op;
        self
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({:?}, {self})", self.0.kind)
    }
}
