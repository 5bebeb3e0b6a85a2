//! What a sweep did at a node, by formulas and the sizes of its operands, for the profiler.

use crate::number::Float;
use crate::profile::{Work, bytes};
use crate::tape::op::{BackwardContext, Cotangents, OpRef};
use crate::tape::slot::Slot;
use smallvec::SmallVec;
use wengert_ops::{Shape, Tensor};

/// The work of an op that computed the cotangents of its inputs.
pub(super) fn backward_work<T: Float>(
    op: &OpRef<T>,
    r: &BackwardContext<'_, T>,
    made: &Cotangents<Tensor<T>>,
) -> Work {
    let given = || r.cotangents.iter().flatten();
    let made = || made.iter().flatten();
    if made().all(|gx| given().any(|gy| gx.buffer_address() == gy.buffer_address())) {
        return Work::default();
    }
    let inputs: SmallVec<[&Shape; 4]> = r.input_shapes().collect();
    let outputs: SmallVec<[&Shape; 4]> = r.output_slots().map(Slot::shape).collect();
    let flops = || op.backward_flops(&inputs, &outputs, r.needs);
    let flops = op.guarded("backward_flops", inputs.iter().copied(), flops).unwrap_or(0);
    let saves = op.saves_guarded(r.needs, inputs.iter().copied());
    let (saved_inputs, saved_outputs) = saves.map_or((0, false), |s| (s.inputs, s.outputs));
    let ready = |slot: &Slot<T>| if let Slot::Ready(t) = slot { bytes(t) } else { 0 };
    let read = |(i, x): (usize, &Slot<T>)| if saved_inputs >> i.min(31) & 1 == 1 { ready(x) } else { 0 };
    let mut bytes_read = given().chain(r.saved).map(bytes).sum::<u64>();
    bytes_read += r.input_slots().enumerate().map(read).sum::<u64>();
    if saved_outputs {
        bytes_read += r.output_slots().map(ready).sum::<u64>();
    }
    Work { flops, bytes_read, bytes_written: made().map(bytes).sum() }
}

/// The work of adding the cotangents of all parts of a value into one buffer.
pub(super) fn scatter_work<T: Float>(r: &BackwardContext<'_, T>) -> Work {
    let moved = r.cotangents.iter().flatten().map(|g| bytes(g)).sum::<u64>();
    let flops = r.cotangents.iter().flatten().map(|g| g.numel() as u64).sum();
    Work { flops, bytes_read: 2 * moved, bytes_written: moved }
}

/// The work of adding a cotangent to another one.
pub(super) fn sum_work<T: Float>(g: &Tensor<T>) -> Work {
    Work { flops: g.numel() as u64, bytes_read: 2 * bytes(g), bytes_written: bytes(g) }
}
