//! Checkpoints: regions of the tape whose values are not kept but recomputed in the reverse sweep.
//!
//! A node is a recipe: an op with everything it needs, including its position in a random stream; and ops are
//! deterministic. So a region can drop all its values except its results. When the sweep reaches the region, it runs the
//! same ops again and obtains the same bits. The memory is then that of the results and of one region, at the cost of one
//! more forward pass.

use crate::number::Float;
use crate::tape::Tape;
use crate::tape::scope::{Scope, ScopeOutput};
use std::panic::Location;

impl<T: Float> Tape<T> {
    /// Runs `f` and drops every value made inside, except its result and the values that were [kept](crate::Var::keep);
    /// the reverse sweep recomputes the dropped values when it needs them. So a deep network needs the memory of one part
    /// at a time, at the cost of one more forward pass. Values, gradients and random draws have the same bits as without
    /// checkpoints.
    ///
    /// Checkpoints may be nested. On an evaluating tape they are [`scope`](Tape::scope)s. A recorded sweep ([`Tape::grad`])
    /// restores the values permanently, because its result refers to them.
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

    /// Opens a checkpoint that [`close`](Scope::close) ends, for code in which a closure would hide the caller's line.
    #[track_caller]
    pub fn open_checkpoint(&self) -> Scope<'_, T> {
        Scope::open(self, self.mode.records, Location::caller())
    }
}
