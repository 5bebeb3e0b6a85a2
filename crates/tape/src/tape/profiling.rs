//! [`Tape::profile`].

use super::Tape;
use super::node::Node;
use crate::number::Float;
use crate::profile::{Profile, Profiler};

impl<T: Float> Tape<T> {
    /// Runs `f`, and returns its result with the profile of what this thread did meanwhile: time, calls, FLOP, bytes and allocations by
    /// operation, module and pass. See [`profile`](crate::profile) for what is counted, and
    /// [`Profiler`](crate::profile::Profiler) for code that is not a closure, such as a loop that resets the tape.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::Tape;
    /// let tape = Tape::<f32>::new();
    /// let (a, b) = (tape.var(Tensor::ones([20, 30])), tape.var(Tensor::ones([30, 40])));
    /// let (grads, profile) = tape.profile(|| a.matmul(b).sum().backward());
    /// assert!(grads.is_ok());
    /// let flops: Vec<u64> = profile.rows().iter().filter(|r| r.operation == "matmul").map(|r| r.flops).collect();
    /// assert_eq!(flops.iter().sum::<u64>(), 3 * 2 * 20 * 30 * 40);        // forward, and one product per cotangent
    /// ```
    #[track_caller]
    pub fn profile<R>(&self, f: impl FnOnce() -> R) -> (R, Profile) {
        let profiler = Profiler::start();
        let result = f();
        (result, profiler.stop())
    }

    /// The path of the module in which an operation with these inputs is recorded. Unlike
    /// [`path_of`](super::node::path_of), it finds the path of each node only once.
    pub(crate) fn module_of(&self, nodes: &[Node<T>], inputs: &[u32]) -> Option<String> {
        self.state.borrow_mut().paths.of(nodes, inputs)
    }
}
