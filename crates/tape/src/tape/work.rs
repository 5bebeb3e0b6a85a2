//! What an operation did, by its formulas and the sizes of its operands, for the profiler.

use super::op::{BackwardContext, Cotangents, ForwardOutput, OpRef};
use super::slot::Slot;
use crate::number::Float;
use crate::profile::Work;
use smallvec::SmallVec;
use wengert_ops::{Shape, Tensor};

type Shapes<'a> = SmallVec<[&'a Shape; 4]>;

/// The bytes that are stored of a tensor: a repeated element counts once.
fn bytes<T: Float>(t: &Tensor<T>) -> u64 {
    (t.numel().min(t.buffer_len()) * size_of::<T>()) as u64
}

/// The work of an op that computed its outputs. None, if they are views of its inputs.
pub(crate) fn forward_work<T: Float>(op: &OpRef<T>, x: &[&Tensor<T>], made: &ForwardOutput<T>) -> Work {
    let is_view = |y: &Tensor<T>| x.iter().any(|x| x.buffer_address() == y.buffer_address());
    if made.outputs.iter().all(is_view) {
        return Work::default();
    }
    let shapes: Shapes<'_> = x.iter().map(|x| x.shape()).collect();
    let outputs: Shapes<'_> = made.outputs.iter().map(Tensor::shape).collect();
    let flops = op.guarded("flops", shapes.iter().copied(), || op.flops(&shapes, &outputs)).unwrap_or(0);
    let bytes_written = made.outputs.iter().chain(&made.saved).map(bytes).sum();
    let bytes_read = match op.selection_guarded(shapes.iter().copied()) {
        Ok(Some(_)) => bytes_written,
        _ => x.iter().map(|x| bytes(x)).sum(),
    };
    Work { flops, bytes_read, bytes_written }
}

/// The work of an op that computed the cotangents of its inputs.
pub(crate) fn backward_work<T: Float>(
    op: &OpRef<T>,
    r: &BackwardContext<'_, T>,
    made: &Cotangents<Tensor<T>>,
) -> Work {
    let given = || r.cotangents.iter().flatten();
    let made = || made.iter().flatten();
    if made().all(|gx| given().any(|gy| gx.buffer_address() == gy.buffer_address())) {
        return Work::default();
    }
    let inputs: Shapes<'_> = r.inputs.iter().map(|x| x.shape()).collect();
    let outputs: Shapes<'_> = r.outputs.iter().map(|y| y.shape()).collect();
    let flops = || op.backward_flops(&inputs, &outputs, r.needs);
    let flops = op.guarded("backward_flops", inputs.iter().copied(), flops).unwrap_or(0);
    let saves = op.saves_guarded(r.needs, inputs.iter().copied());
    let (saved_inputs, saved_outputs) = saves.map_or((0, false), |s| (s.inputs, s.outputs));
    let ready = |slot: &Slot<T>| if let Slot::Ready(t) = slot { bytes(t) } else { 0 };
    let read = |(i, x): (usize, &&Slot<T>)| if saved_inputs >> i.min(31) & 1 == 1 { ready(x) } else { 0 };
    let mut bytes_read = given().chain(r.saved).map(bytes).sum::<u64>();
    bytes_read += r.inputs.iter().enumerate().map(read).sum::<u64>();
    if saved_outputs {
        bytes_read += r.outputs.iter().map(|y| ready(y)).sum::<u64>();
    }
    Work { flops, bytes_read, bytes_written: made().map(bytes).sum() }
}

/// The work of adding the cotangents of all parts of a value into one buffer.
pub(crate) fn scatter_work<T: Float>(r: &BackwardContext<'_, T>) -> Work {
    let moved = r.cotangents.iter().flatten().map(|g| bytes(g)).sum::<u64>();
    let flops = r.cotangents.iter().flatten().map(|g| g.numel() as u64).sum();
    Work { flops, bytes_read: 2 * moved, bytes_written: moved }
}

/// The work of adding a cotangent to another one.
pub(crate) fn sum_work<T: Float>(g: &Tensor<T>) -> Work {
    Work { flops: g.numel() as u64, bytes_read: 2 * bytes(g), bytes_written: bytes(g) }
}
