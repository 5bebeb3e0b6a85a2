//! [`ErrorScope`]: a function made of several operations, as whose their errors are reported.

use crate::error::{Error, ErrorKind};
use crate::number::Float;
use crate::tape::Tape;

/// Names errors after a function; see [`Tape::error_scope`].
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
    /// Until the guard is dropped, errors of operations on this tape bear the name of the function that is made of
    /// them: a caller of `std_axes` knows nothing of the mean in it. Of nested guards the outermost decides.
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
    /// The same error as one of the function that the operation was a part of.
    pub(crate) fn in_function(self, name: &'static str) -> Self {
        // What was not finite has to be found; other messages say what the function was given.
        let detail = match self.kind() {
            ErrorKind::NonFinite => format!("in {}: {}", self.op(), self.detail()),
            _ => self.detail().to_owned(),
        };
        let named = Error::new(self.kind(), name, detail).inside(self.module_path().map(str::to_owned));
        self.location().map_or(named.clone(), |at| named.at(at))
    }
}
