//! Checkpoints: regions of the tape whose values are computed again in the reverse sweep instead of being kept.
//!
//! A node is a recipe: an op with everything it needs, the position of a random stream included, and ops are
//! deterministic. So a region can drop all its values but its results; when the sweep gets there, it runs the same ops again and
//! has the same bits. Memory is then that of the results and of one region, for the price of one more forward pass.

use crate::number::Float;
use crate::tape::Tape;
use crate::tape::scope::{Scope, ScopeOutput};
use std::panic::Location;

impl<T: Float> Tape<T> {
    /// Runs `f` and drops every value made inside except its result and what was [`keep`](crate::Var::keep)t; the
    /// reverse sweep computes them again when it gets there. So a deep network needs the memory of one part at a time, for one more
    /// forward pass. Values, gradients and random draws have the same bits as without.
    ///
    /// Checkpoints may be nested, and in an evaluating tape they are [`scope`](Tape::scope)s. A recorded sweep
    /// ([`Tape::grad`]) brings the values back for good, since its result refers to them.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::<f64>::ones([1000]));
    /// let y = tape.checkpoint(|| x.sin().exp().tanh());
    /// assert!(tape.bytes() < 2 * 8 * 1000 + 100);              // x and y
    /// let gradient = y.sum().backward()?.wrt(x)?;
    /// let plain = x.sin().exp().tanh().sum().backward()?.wrt(x)?;
    /// assert_eq!(gradient, plain);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn checkpoint<K: ScopeOutput>(&self, f: impl FnOnce() -> K) -> K {
        let region = self.open_checkpoint();
        region.close(f())
    }

    /// Opens a checkpoint that [`close`](Scope::close) ends, where a closure would hide the caller's line.
    #[track_caller]
    pub fn open_checkpoint(&self) -> Scope<'_, T> {
        Scope::open(self, self.mode.records, Location::caller())
    }
}
