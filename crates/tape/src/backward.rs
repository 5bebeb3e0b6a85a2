//! The gradients of a value, as methods: [`Var::backward`] on tensors, [`Var::grad`] on the tape.

use crate::error::{Error, ErrorKind, Result};
use crate::grads::Grads;
use crate::node::Slot;
use crate::real::Float;
use crate::sweep::RetainGraph;
use crate::var::Var;
use std::panic::Location;
use wengert_ops::{IntoTensor, Tensor};

impl<'t, T: Float> Var<'t, T> {
    /// The gradients of this scalar with respect to every leaf that it depends on.
    ///
    /// Every value recorded up to this one is freed as the sweep goes on, except leaves, rank-0 values, this output, and
    /// what was [`keep`](Var::keep)t. For two losses on one tape, sweep once from both ([`Tape::backward`](crate::Tape::backward)) or use
    /// [`backward_retaining`](Var::backward_retaining) first. Parameters are handed back, so that an optimiser can update them in place.
    ///
    /// # Errors
    /// The error that made this value fail; that the value is not a scalar (see [`backward_from`](Var::backward_from));
    /// that the tape records nothing; that the value depends on no [`var`](crate::Tape::var) and no trainable parameter.
    #[track_caller]
    pub fn backward(self) -> Result<Grads<T>> {
        self.tape.backward(&[(self, self.one()?)], RetainGraph::Nothing)
    }

    /// As [`backward`](Var::backward), but every value stays: a second sweep, or a look at the values, is possible.
    ///
    /// # Errors
    /// As [`backward`](Var::backward).
    #[doc(alias = "backward")]
    #[doc(alias = "retain_graph")]
    #[track_caller]
    pub fn backward_retaining(self) -> Result<Grads<T>> {
        self.tape.backward(&[(self, self.one()?)], RetainGraph::Values)
    }

    /// As [`backward`](Var::backward) for an output of any shape: `seed` is its cotangent (the vector of the
    /// vector-Jacobian product).
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let grads = x.square().backward_from(Tensor::from([1.0, 0.0, 10.0]))?;
    /// assert_eq!(grads.wrt(x)?, Tensor::from([2.0, 0.0, 60.0]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`backward`](Var::backward), and if the seed's shape is not the value's.
    #[doc(alias = "backward")]
    #[track_caller]
    pub fn backward_from(self, seed: impl IntoTensor<T>) -> Result<Grads<T>> {
        self.tape.backward(&[(self, seed.into_tensor()?)], RetainGraph::Nothing)
    }

    /// The gradient of this scalar with respect to `x`, recorded, so that it can be differentiated again. Zeros if
    /// this value does not depend on `x`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([2.0]));
    /// let y = (x * x * x).sum();
    /// let dy = y.grad(x)?;                       // 3x²
    /// let ddy = dy.sum().grad(x)?;               // 6x
    /// assert_eq!((dy.item()?, ddy.item()?), (12.0, 12.0));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`backward`](Var::backward).
    #[track_caller]
    pub fn grad(self, x: Var<'t, T>) -> Result<Var<'t, T>> {
        Ok(self.tape.grad(&[(self, self.tape.constant(self.one()?))], &[x])?[0])
    }

    #[track_caller]
    fn one(self) -> Result<Tensor<T>> {
        let at = Location::caller();
        let shape = self.with(|slot| match slot {
            Slot::Failed(e) => Err(e.clone()),
            other => Ok(other.shape().clone()),
        })?;
        if shape.numel() != 1 {
            let detail =
                format!("expected a scalar, found shape {shape}; give its cotangent to backward_from()");
            return Err(Error::new(ErrorKind::NoGradient, "backward", detail).at(at));
        }
        Ok(Tensor::try_full(shape, T::ONE)?)
    }
}
