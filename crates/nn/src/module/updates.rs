//! [`UpdatesExt`]: applies the changes of buffers that layers announced.

use super::{LeafMut, Module, for_each_leaf_mut};
use std::collections::HashMap;
use wengert_ops::Tensor;
use wengert_tape::{BufferId, BufferUpdate, Change, Error, ErrorKind, Float, Result, Updates};

/// Applies the changes of buffers that layers announced.
pub trait UpdatesExt<T: Float> {
    /// Changes the buffers of a model as announced. Each announcement is applied once, however often this is called; those for
    /// buffers of other models remain. An optimiser's step does this. Call it directly if there is no optimiser, for example to
    /// settle running statistics, or for a second model that took part in the loss:
    ///
    /// ```
    /// use wengert_nn::{BatchNorm, Layer, UpdatesExt};
    /// use wengert_ops::Tensor;
    /// let mut layer = BatchNorm::<f64>::new(1);
    /// let tape = wengert_tape::Tape::train(0);
    /// let _ = layer.forward(tape.constant(Tensor::from([[1.0], [3.0]])));
    /// tape.updates().apply(&mut layer)?;
    /// tape.updates().apply(&mut layer)?;                               // nothing is left to do
    /// assert_eq!(layer.running_mean.unwrap().value().item()?, 0.2);    // 0.9 · 0 + 0.1 · 2
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an announced value does not have its buffer's shape. The other changes are applied.
    fn apply(&self, model: &mut dyn Module) -> Result<()>;
}

impl<T: Float> UpdatesExt<T> for Updates<T> {
    fn apply(&self, model: &mut dyn Module) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut of: HashMap<BufferId, Vec<&BufferUpdate<T>>> = HashMap::new();
        for update in self.iter() {
            of.entry(update.id()).or_default().push(update);
        }
        let mut outcome = Ok(());
        for_each_leaf_mut(model, |path, mut leaf| {
            let updates = leaf.as_leaf().buffer_id().and_then(|id| of.get(&id));
            for change in updates.into_iter().flatten().filter_map(|u| u.take()) {
                let done = changed(&mut leaf, change);
                if outcome.is_ok() {
                    outcome = done.map_err(|e| e.inside(Some(path.as_str().to_owned())));
                }
            }
        });
        outcome
    }
}

/// Applies one change to a buffer.
fn changed<T: Float>(leaf: &mut LeafMut<'_>, change: &Change<T>) -> Result<()> {
    match change {
        Change::Towards { value, rate } => match leaf.buffer_mut::<T>() {
            Some(b) => moved(b.value(), value, *rate).and_then(|v| b.set(v)),
            None => Err(misfit("a value")),
        },
        Change::Count(n) => match leaf.buffer_mut::<i64>() {
            Some(b) => b.set(b.value().map(|v| v.saturating_add(*n))),
            None => Err(misfit("a count")),
        },
    }
}

/// (1 - rate) b + rate · value, in which a term with factor 0 is 0 even if it is infinite.
fn moved<T: Float>(b: &Tensor<T>, value: &Tensor<T>, rate: f64) -> Result<Tensor<T>> {
    if b.shape() == value.shape() && (rate == 0.0 || rate == 1.0) {
        return Ok(if rate == 0.0 { b.clone() } else { value.clone() });
    }
    Ok(b.scale(1.0 - rate).add(value.scale(rate))?)
}

fn misfit(what: &str) -> Error {
    let detail = format!("{what} was announced for a buffer of another element type");
    Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), "apply", detail)
}
