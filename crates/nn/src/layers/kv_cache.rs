//! [`KvCache`]: what an attention layer keeps while it decodes step by step.

use crate::layers::attention::OP;
use crate::layers::refused;
use wengert_ops::{Shape, Tensor};
use wengert_tape::{Float, Var};

/// Keys and values of the steps so far, with which [`MultiHeadAttention`](crate::MultiHeadAttention) goes on without looking at them again. It holds
/// plain tensors: no gradient flows into what is cached.
#[derive(Debug, Clone)]
pub struct KvCache<T: Float> {
    /// `[batch, heads, steps, width / heads]` each.
    kept: Option<[Tensor<T>; 2]>,
}

impl<T: Float> Default for KvCache<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> KvCache<T> {
    /// No steps.
    pub fn new() -> Self {
        KvCache { kept: None }
    }

    /// The number of steps.
    pub fn len(&self) -> usize {
        self.kept.as_ref().map_or(0, |[k, _]| k.shape()[2])
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.kept = None;
    }

    /// Forgets the steps from `steps` on.
    pub fn truncate(&mut self, steps: usize) {
        if steps < self.len()
            && let Some(kept) = &mut self.kept
        {
            for t in kept {
                // Ranges are cut at the end of the axis, and the axis exists.
                *t = t.slice(2, ..steps).unwrap_or_else(|_| t.clone());
            }
        }
    }

    /// Goes on with the sequences at these positions of the batch, in this order: what a beam search does.
    ///
    /// # Errors
    /// If a position is out of range; the cache is then as it was.
    pub fn select(&mut self, batch: &Tensor<i64>) -> wengert_ops::Result<()> {
        if let Some([k, v]) = &self.kept {
            self.kept = Some([k.index_select(0, batch)?, v.index_select(0, batch)?]);
        }
        Ok(())
    }

    /// Keys and values of all steps, `[batch, heads, steps, width / heads]` each, if there are any.
    pub(super) fn kept(&self) -> Option<&[Tensor<T>; 2]> {
        self.kept.as_ref()
    }

    /// Keys and values of all steps, the given ones last.
    #[track_caller]
    pub(super) fn extend<'t>(&mut self, k: Var<'t, T>, v: Var<'t, T>) -> [Var<'t, T>; 2] {
        let tape = k.tape();
        let mut all = [k, v];
        if let Some(kept) = &self.kept {
            let (mut sizes, new) = (kept[0].shape().to_vec(), k.shape());
            sizes[2] = k.dim(2);
            if !k.is_failed() && *new.as_shape() != Shape::from(sizes) {
                let detail = format!("keys cached are {}, those that follow {new}", kept[0].shape());
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
