//! Formulas written as closures: traced once, differentiated symbolically, and run block by block.
//!
//! `x.map(|s| s * s.sin())` calls the closure a single time, with an [`Expr`] in place of a number. The operations of
//! the closure are recorded as steps (`expr.rs`). The derivative of the steps, found by a reverse sweep over them
//! (`derivative.rs`), is again a formula, so derivatives of every order exist. A formula runs as a small program over
//! blocks of elements in cache (`program.rs`): however long it is, only its inputs and its output are in memory.

mod derivative;
mod elementary;
mod expr;
mod program;

pub use elementary::Elementary;
pub use expr::{Condition, Expr};

use crate::number::Float;
use expr::Step;
use program::Program;
use std::sync::{Arc, OnceLock};

/// A traced function of `inputs` numbers.
pub(crate) struct Formula<T: Float> {
    pub(crate) inputs: usize,
    steps: Vec<Step<T>>,
    output: u32,
    pub(crate) program: Program<T>,
    /// The derivative with respect to each input, computed on first use.
    slopes: OnceLock<Vec<Arc<Formula<T>>>>,
    /// Each derivative times an additional input, the cotangent: the first-order kernels.
    adjoints: OnceLock<Vec<Program<T>>>,
}

impl<T: Float> Formula<T> {
    fn new(inputs: usize, steps: Vec<Step<T>>, output: u32) -> Self {
        let program = Program::compile(&steps, output);
        Formula { inputs, steps, output, program, slopes: OnceLock::new(), adjoints: OnceLock::new() }
    }

    /// ∂/∂input `i`, as a formula of the same inputs.
    pub(crate) fn slope(&self, i: usize) -> &Arc<Formula<T>> {
        let all = || {
            let with_respect_to = |i| {
                let (steps, output) = derivative::slope(self, i);
                Arc::new(Formula::new(self.inputs, steps, output))
            };
            (0..self.inputs).map(with_respect_to).collect()
        };
        &self.slopes.get_or_init(all)[i]
    }

    /// The cotangent of input `i`: a program of the inputs, followed by the cotangent of the output.
    pub(crate) fn adjoint(&self, i: usize) -> &Program<T> {
        let all = || {
            let with_respect_to = |i| {
                let (steps, output) = derivative::adjoint(self, i);
                Program::compile(&steps, output)
            };
            (0..self.inputs).map(with_respect_to).collect()
        };
        &self.adjoints.get_or_init(all)[i]
    }
}
