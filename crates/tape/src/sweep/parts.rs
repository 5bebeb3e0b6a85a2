//! The recorded sweep's sum of the cotangents of selections.

use super::contract;
use crate::error::Result;
use crate::number::Float;
use crate::tape::op::{Cotangents, ForwardOutput, Op, OpRef, Saves, VjpContext};
use crate::tape::var::Var;
use wengert_ops::{Shape, Tensor};

/// The sum of parts over zeros of the given shape, each added where its selection took it from.
struct ScatterAdd<T: Float> {
    selections: Vec<OpRef<T>>,
    shape: Shape,
}

impl<T: Float> Op<T> for ScatterAdd<T> {
    fn name(&self) -> &'static str {
        "scatter_add"
    }

    fn arguments(&self) -> Option<String> {
        Some(format!("{} parts of {}", self.selections.len(), self.shape))
    }

    fn forward(&self, parts: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let mut sum = Tensor::try_full(&self.shape, T::ZERO)?;
        for (op, part) in self.selections.iter().zip(parts) {
            if let Some(selection) = op.selection() {
                sum = selection.scatter_add(part, sum)?;
            }
        }
        Ok(sum.into())
    }

    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let parts = self.selections.iter().enumerate();
        parts.map(|(i, op)| r.when(i, || r.gy().tape.record(op.clone(), &[r.gy()]))).collect()
    }

    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

/// Cotangents of selections from one value that have not been added up yet.
pub(super) struct Parts<'t, T: Float> {
    selections: Vec<OpRef<T>>,
    cotangents: Vec<Var<'t, T>>,
}

impl<T: Float> Default for Parts<'_, T> {
    fn default() -> Self {
        Parts { selections: Vec::new(), cotangents: Vec::new() }
    }
}

impl<'t, T: Float> Parts<'t, T> {
    /// Adds the cotangent of what `op` selected.
    pub(super) fn push(&mut self, op: &OpRef<T>, gy: &[Option<Var<'t, T>>], inputs: usize) -> Result<()> {
        contract::selects(op, inputs, gy.len())?;
        if let [Some(g)] = gy {
            self.selections.push(op.clone());
            self.cotangents.push(*g);
        }
        Ok(())
    }

    /// Their sum, a value of the given shape.
    #[track_caller]
    pub(super) fn sum(self, shape: Shape) -> Option<Var<'t, T>> {
        let tape = self.cotangents.first()?.tape;
        Some(tape.apply(ScatterAdd { selections: self.selections, shape }, &self.cotangents))
    }
}
