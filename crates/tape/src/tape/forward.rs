//! Runs an op on the values of nodes.

use super::Mode;
use super::node::Node;
use super::op::{ForwardOutput, OpRef, Saves};
use super::slot::{Slot, range};
use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::profile::{self, Work, bytes};
use smallvec::SmallVec;
use wengert_ops::{Shape, Tensor};

/// What an op computed, and what of it must be kept.
pub(super) struct Made<T: Float> {
    pub(super) forward: ForwardOutput<T>,
    /// Whether a gradient flows through the op.
    pub(super) needs: bool,
    pub(super) saves: Saves,
}

/// Everything that recording needs from an op, computed while the tape is not borrowed. `module` finds the path of its module, for
/// the profiler.
pub(super) fn run<T: Float>(
    op: &OpRef<T>,
    nodes: &[Node<T>],
    ids: &[u32],
    mode: Mode,
    module: impl FnOnce() -> Option<String>,
) -> Result<Made<T>> {
    let mut x: SmallVec<[&Tensor<T>; 4]> = SmallVec::new();
    for &i in ids {
        let Some(node) = nodes.get(i as usize) else {
            return Err(Error::new(ErrorKind::ForeignTape, op.name(), "an operand is not on this tape"));
        };
        x.push(match &node.value {
            Slot::Ready(x) => x,
            other => other.ready(op.name())?,
        });
    }
    let forward = forward(op, &x, module)?;
    if forward.outputs.is_empty() {
        return Err(Error::new(ErrorKind::Rule, op.name(), "the op returned no output"));
    }
    if mode.anomaly
        && let Some(y) = forward.outputs.iter().find(|y| y.has_non_finite())
    {
        let inputs = ids.iter().map(|&i| range(&nodes[i as usize].value)).collect::<Vec<_>>().join(", ");
        let detail = format!("the value of shape {} is not finite; inputs: {inputs}", y.shape());
        return Err(Error::new(ErrorKind::NonFinite, op.name(), detail));
    }
    let mut each: SmallVec<[bool; 8]> = SmallVec::new();
    let mut needs = false;
    for &i in ids {
        each.push(nodes[i as usize].needs);
        needs |= nodes[i as usize].needs;
    }
    needs &= mode.records;
    let saves = if needs { op.saves_guarded(&each, x.iter().map(|x| x.shape()))? } else { Saves::NOTHING };
    Ok(Made { forward, needs, saves })
}

fn forward<T: Float>(
    op: &OpRef<T>,
    x: &[&Tensor<T>],
    module: impl FnOnce() -> Option<String>,
) -> Result<ForwardOutput<T>> {
    let forward = profile::operation(
        || op.name(),
        module,
        || op.guarded("forward", x.iter().map(|x| x.shape()), || op.forward(x)),
        |forward| match forward {
            Ok(Ok(made)) => forward_work(op, x, made),
            _ => Work::default(),
        },
    );
    forward?.map_err(|e| Error::new(ErrorKind::Op(e.kind()), e.op(), e.detail()))
}

/// Runs an op on the values of its input nodes, which must be present.
pub(crate) fn forward_of<T: Float>(
    nodes: &[Node<T>],
    op: &OpRef<T>,
    inputs: &[u32],
    module: impl FnOnce() -> Option<String>,
) -> Result<ForwardOutput<T>> {
    let x: Result<SmallVec<[&Tensor<T>; 4]>> =
        inputs.iter().map(|&i| nodes[i as usize].value.ready(op.name())).collect();
    forward(op, &x?, module)
}

/// The work of an op that computed its outputs. None, if they are views of its inputs.
fn forward_work<T: Float>(op: &OpRef<T>, x: &[&Tensor<T>], made: &ForwardOutput<T>) -> Work {
    let is_view = |y: &Tensor<T>| x.iter().any(|x| x.buffer_address() == y.buffer_address());
    if made.outputs.iter().all(is_view) {
        return Work::default();
    }
    let shapes: SmallVec<[&Shape; 4]> = x.iter().map(|x| x.shape()).collect();
    let outputs: SmallVec<[&Shape; 4]> = made.outputs.iter().map(Tensor::shape).collect();
    let flops = op.guarded("flops", shapes.iter().copied(), || op.flops(&shapes, &outputs)).unwrap_or(0);
    let bytes_written = made.outputs.iter().chain(&made.saved).map(bytes).sum();
    let bytes_read = match op.selection_guarded(shapes.iter().copied()) {
        Ok(Some(_)) => bytes_written,
        _ => x.iter().map(|x| bytes(x)).sum(),
    };
    Work { flops, bytes_read, bytes_written }
}
