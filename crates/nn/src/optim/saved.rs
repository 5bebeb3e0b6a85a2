//! Reading an optimiser's state from a dict.

use super::options::argument;
use crate::state::{AnyTensor, Dict};
use wengert_ops::Tensor;
use wengert_tape::{Float, Result};

/// The key of a parameter's slot. If the model is a single parameter, it has no name before the slot.
pub(super) fn join(name: &str, slot: &str) -> String {
    if name.is_empty() { slot.to_owned() } else { format!("{name}.{slot}") }
}

/// The tensor under a key of a dict.
pub(super) fn find<'d>(op: &'static str, dict: &'d Dict, key: &str) -> Result<&'d AnyTensor> {
    dict.get(key).ok_or_else(|| argument(op, format!("the state has no tensor {key}")))
}

pub(super) fn find_tensor<T: Float>(
    op: &'static str,
    dict: &Dict,
    key: &str,
    like: &Tensor<T>,
) -> Result<Tensor<T>> {
    let found = find(op, dict, key)?;
    let t = found.to_float::<T>().ok_or_else(|| {
        argument(op, format!("{key}: expected elements of {:?}, found {:?}", like.dtype(), found.dtype()))
    })?;
    if t.shape() != like.shape() {
        let detail = format!("{key}: the parameter has shape {}, the state {}", like.shape(), t.shape());
        return Err(argument(op, detail));
    }
    Ok(t)
}

pub(super) fn find_count(op: &'static str, dict: &Dict, key: &str) -> Result<u64> {
    match find(op, dict, key)? {
        AnyTensor::I64(t) if t.numel() == 1 && t.item()? >= 0 => Ok(t.item()? as u64),
        other => Err(argument(op, format!("{key}: expected one count, found {other:?}"))),
    }
}

pub(super) fn find_number(op: &'static str, dict: &Dict, key: &str) -> Result<f64> {
    match find(op, dict, key)? {
        AnyTensor::F64(t) if t.numel() == 1 => Ok(t.item()?),
        other => Err(argument(op, format!("{key}: expected one f64, found {other:?}"))),
    }
}
