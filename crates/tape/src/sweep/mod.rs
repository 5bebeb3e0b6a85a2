//! The reverse sweep, in two forms: on plain tensors for the first order ([`Var::backward`]), and recorded for higher
//! orders ([`Var::grad`]).
//!
//! Both process the nodes from the last to the first, once, without recursion. A rule returns cotangents; only the sweep
//! adds them up.

mod backward;
mod contract;
mod grad;
mod grads;
mod inspect;
mod lazy;
mod parts;
mod per_sample;
mod work;

pub use grads::Grads;
pub use inspect::NodeInfo;
pub use per_sample::{PerSample, per_sample};

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::tape::Tape;
use crate::tape::var::Var;
use wengert_ops::Tensor;

/// Which values a sweep leaves on the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainGraph {
    /// Only leaves, rank-0 values, the outputs of the sweep, and values that were kept.
    Nothing,
    /// Every value.
    Values,
}

/// One step of a reverse sweep: the cotangents of an operation's outputs, and what it adds to each input's cotangent.
#[derive(Debug, Clone)]
pub struct SweepStep<T: Float> {
    /// The first output of the operation.
    pub node: u32,
    /// The cotangents of its outputs; `None` where nothing depends on an output.
    pub cotangents: Vec<Option<Tensor<T>>>,
    /// Pairs of an input and what was added to its cotangent.
    pub given: Vec<(u32, Tensor<T>)>,
    /// The local derivatives, in the order of `given`: what the operation returns for a cotangent of ones. Present only for
    /// an elementwise operation (one with an [`Equation`](crate::Equation)); where an operand was broadcast, they are sums.
    pub slopes: Vec<Tensor<T>>,
}

impl<T: Float> Tape<T> {
    fn check_outputs<'a>(
        &self,
        outputs: impl Iterator<Item = (Var<'a, T>, wengert_ops::Shape)> + Clone,
    ) -> Result<()>
    where
        T: 'a,
    {
        let error = |kind, detail: String| Err(Error::new(kind, "backward", detail));
        // The error of a failed value says more than the other checks.
        for (y, _) in outputs.clone() {
            y.succeeded()?;
        }
        if !self.is_recording() {
            return error(
                ErrorKind::NoGradient,
                "an evaluating tape records nothing; use Tape::new() or Tape::train()".into(),
            );
        }
        for (y, seed) in outputs {
            if !std::ptr::eq(y.tape, self) {
                return error(ErrorKind::ForeignTape, "an output belongs to another tape".into());
            }
            let shape = y.raw_shape();
            if shape != seed {
                return error(
                    ErrorKind::Op(wengert_ops::ErrorKind::Shape),
                    format!("the output has shape {shape}, its seed {seed}"),
                );
            }
        }
        Ok(())
    }
}
