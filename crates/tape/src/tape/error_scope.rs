//! [`ErrorScope`]: errors of several operations are reported as those of the function made of them.

use crate::error::{Error, ErrorKind};
use crate::number::Float;
use crate::tape::Tape;

/// A guard under which errors carry a function's name; see [`Tape::error_scope`].
pub struct ErrorScope<'t, T: Float> {
    tape: &'t Tape<T>,
    outer: Option<&'static str>,
}

impl<T: Float> Drop for ErrorScope<'_, T> {
    fn drop(&mut self) {
        self.tape.state.borrow_mut().error_scope = self.outer;
    }
}

impl<T: Float> Tape<T> {
    /// Until the guard is dropped, errors of operations on this tape carry the name of the function that is made of them: a
    /// caller of `std_axes` does not know about the mean in it. Of nested guards, the outermost determines the name.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Tape, Var};
    ///
    /// #[track_caller]
    /// fn softsquare<'t>(x: Var<'t, f64>, y: Var<'t, f64>) -> Var<'t, f64> {
    ///     let _scope = x.tape().error_scope("softsquare");
    ///     (x - y).square().log1p()
    /// }
    /// let tape = Tape::new();
    /// let z = softsquare(tape.var(Tensor::zeros([2])), tape.var(Tensor::zeros([3])));
    /// assert_eq!(z.value().unwrap_err().op(), "softsquare");
    /// ```
    #[must_use]
    pub fn error_scope(&self, function: &'static str) -> ErrorScope<'_, T> {
        let state = &mut *self.state.borrow_mut();
        let outer = state.error_scope;
        state.error_scope = outer.or(Some(function));
        ErrorScope { tape: self, outer }
    }
}

impl Error {
    /// The same error, reported as one of the function that the operation is part of.
    pub(crate) fn in_function(self, name: &'static str) -> Self {
        // A value that is not finite is found by its operation; other messages describe the function's arguments.
        let detail = match self.kind() {
            ErrorKind::NonFinite => format!("in {}: {}", self.op(), self.detail()),
            _ => self.detail().to_owned(),
        };
        let named = Error::new(self.kind(), name, detail).inside(self.module_path().map(str::to_owned));
        self.location().map_or(named.clone(), |at| named.at(at))
    }
}
