//! [`KvCache`]: the keys and values that an attention layer keeps while it decodes step by step.

use crate::layers::attention::OP;
use crate::layers::refused;
use wengert_ops::{Shape, Tensor};
use wengert_tape::{Float, Var};

/// Keys and values of the steps so far, so that [`MultiHeadAttention`](crate::MultiHeadAttention) can continue without
/// computing them again. It holds plain tensors: no gradient flows into cached steps.
#[derive(Debug, Clone)]
pub struct KvCache<T: Float> {
    /// Keys and values, `[batch, heads, steps, width / heads]` each; `None` before the first step.
    kept: Option<[Tensor<T>; 2]>,
}

impl<T: Float> Default for KvCache<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> KvCache<T> {
    /// A cache without steps.
    pub fn new() -> Self {
        KvCache { kept: None }
    }

    /// The number of cached steps.
    pub fn len(&self) -> usize {
        self.kept.as_ref().map_or(0, |[k, _]| k.shape()[2])
    }

    /// Whether no steps are cached.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Removes all steps.
    pub fn clear(&mut self) {
        self.kept = None;
    }

    /// Keeps the first `steps` steps and removes the others.
    pub fn truncate(&mut self, steps: usize) {
        if steps < self.len()
            && let Some(kept) = &mut self.kept
        {
            for t in kept {
                // A range that exceeds the axis is cut at its end, and the axis exists: this cannot fail.
                *t = t.slice(2, ..steps).unwrap_or_else(|_| t.clone());
            }
        }
    }

    /// Keeps the sequences at these positions of the batch, in this order, as a beam search requires.
    ///
    /// # Errors
    /// If a position is out of range; the cache is then unchanged.
    pub fn select(&mut self, batch: &Tensor<i64>) -> wengert_ops::Result<()> {
        if let Some([k, v]) = &self.kept {
            self.kept = Some([k.index_select(0, batch)?, v.index_select(0, batch)?]);
        }
        Ok(())
    }

    /// Keys and values of all steps, `[batch, heads, steps, width / heads]` each; `None` before the first step.
    pub(super) fn kept(&self) -> Option<&[Tensor<T>; 2]> {
        self.kept.as_ref()
    }

    /// Adds the given steps; returns keys and values of all steps.
    #[track_caller]
    pub(super) fn extend<'t>(&mut self, k: Var<'t, T>, v: Var<'t, T>) -> [Var<'t, T>; 2] {
        let tape = k.tape();
        let mut all = [k, v];
        if let Some(kept) = &self.kept {
            let (mut sizes, new) = (kept[0].shape().to_vec(), k.shape());
            sizes[2] = k.dim(2);
            if !k.is_failed() && *new.as_shape() != Shape::from(sizes) {
                let detail = format!("the cached keys have shape {}, the new ones {new}", kept[0].shape());
                return [refused(tape, OP, detail); 2];
            }
            for (all, kept) in all.iter_mut().zip(kept) {
                *all = tape.concat(&[tape.constant(kept), *all], 2);
            }
        }
        if let (Ok(k), Ok(v)) = (all[0].value(), all[1].value()) {
            self.kept = Some([k, v]);
        }
        all
    }
}
