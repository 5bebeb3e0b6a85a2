//! The contract between rules and the sweep: errors of rules that break it, for both sweeps.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::tape::op::OpRef;
use crate::tape::slot::Slot;
use wengert_ops::Shape;

/// The error of an op that defines no derivative in any form.
pub(crate) fn no_rule<T: Float>(op: &OpRef<T>) -> Error {
    let detail = "the op has no rule: it needs one of vjp(), backward(), composite() and selection()";
    Error::new(ErrorKind::Rule, op.name(), detail)
}

/// Checks that a selection has one input and one output.
pub(crate) fn selects<T: Float>(op: &OpRef<T>, inputs: usize, outputs: usize) -> Result<()> {
    if (inputs, outputs) == (1, 1) {
        return Ok(());
    }
    let detail = format!("a selection has one input and one output, this op has {inputs} and {outputs}");
    Err(Error::new(ErrorKind::Rule, op.name(), detail))
}

/// The error of a rule that does not return one cotangent per input.
pub(crate) fn other_number<T: Float>(op: &OpRef<T>, given: usize, inputs: usize) -> Error {
    if given == 0 {
        return no_rule(op);
    }
    let detail = format!("the rule returned {given} cotangents for {inputs} inputs");
    Error::new(ErrorKind::Rule, op.name(), detail)
}

/// The error of a rule that read a freed value. If the op did not declare that it reads the value, this is the op's fault,
/// and advice about scopes would not help.
pub(crate) fn undeclared<'s, T: Float>(
    e: Error,
    op: &OpRef<T>,
    needs: &[bool],
    inputs: impl Iterator<Item = &'s Slot<T>> + Clone,
    mut outputs: impl Iterator<Item = &'s Slot<T>>,
) -> Error {
    let is_gone = |slot: &&Slot<T>| matches!(slot, Slot::Gone(..) | Slot::Pending(_));
    if e.kind() != ErrorKind::Freed {
        return e;
    }
    let Ok(saves) = op.saves_guarded(needs, inputs.clone().map(Slot::shape)) else { return e };
    let declared = |i: usize| saves.inputs >> i.min(31) & 1 == 1;
    let mut gone = inputs.enumerate().filter(|(_, slot)| is_gone(slot));
    let of_op =
        gone.clone().all(|(i, _)| !declared(i)) && !(saves.outputs && outputs.any(|slot| is_gone(&slot)));
    let read = match gone.next() {
        Some((i, _)) => format!("input {i}"),
        None => "an output".to_owned(),
    };
    if !of_op {
        return e;
    }
    let detail = format!("the rule reads {read}, which saves() does not name, so that its value was freed");
    Error::new(ErrorKind::Rule, op.name(), detail)
}

/// The error of a rule that returns no cotangent where one is needed.
pub(crate) fn missing<T: Float>(op: &OpRef<T>, shape: &Shape) -> Error {
    let detail = format!("the rule returned no cotangent for an input of shape {shape}");
    Error::new(ErrorKind::Rule, op.name(), detail)
}

/// The error of a rule that returns a cotangent of another shape than its input's.
pub(crate) fn misshapen<T: Float>(op: &OpRef<T>, given: &Shape, shape: &Shape) -> Error {
    let detail = format!("the rule returned a cotangent of shape {given} for an input of shape {shape}");
    Error::new(ErrorKind::Rule, op.name(), detail)
}

/// The error of a composite form whose outputs differ from the op's.
pub(crate) fn other_outputs<T: Float>(op: &OpRef<T>) -> Error {
    Error::new(ErrorKind::Rule, op.name(), "the composite form returns other outputs than the op")
}
