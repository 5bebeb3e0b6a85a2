//! [`Updates`]: changes of buffers that layers compute from a batch, to be carried out after the step.
//!
//! `forward` changes nothing in a model, so a layer in training *announces* on the tape how one of its buffers should
//! change. The announcements leave the tape with the gradients, or through [`Tape::updates`], and an optimiser's step
//! carries them out. Each is carried out once, even if several copies of it are offered: copies share a mark.

use crate::number::Float;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use wengert_ops::Tensor;

/// The identity of a buffer. Copies of a buffer have identities of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(u64);

impl BufferId {
    /// A new identity, different from that of every other buffer.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        BufferId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// How a buffer b changes.
#[derive(Debug, Clone)]
pub enum Change<T: Float> {
    /// b ← (1 - rate) b + rate · value, for a buffer of the tape's element type.
    Towards {
        /// The value that the buffer moves towards.
        value: Tensor<T>,
        /// The fraction of the way: 0 is no change, 1 sets the buffer to the value.
        rate: f64,
    },
    /// b ← b + n, for a buffer of whole numbers.
    Count(i64),
}

/// An announced change of a buffer.
#[derive(Debug, Clone)]
pub struct BufferUpdate<T: Float> {
    id: BufferId,
    change: Change<T>,
    /// Whether it is an error if the change is never carried out.
    owed: bool,
    taken: Arc<AtomicBool>,
}

impl<T: Float> BufferUpdate<T> {
    /// The buffer that changes.
    pub fn id(&self) -> BufferId {
        self.id
    }

    /// Returns the change to the first caller, and `None` to all later ones, over all copies.
    pub fn take(&self) -> Option<&Change<T>> {
        (!self.taken.swap(true, Ordering::Relaxed)).then_some(&self.change)
    }

    /// Whether the change is still owed: it was not carried out or [discarded](Updates::discard) yet, and the layer that
    /// announced it is not [frozen](crate::Tape::announce_frozen).
    pub fn is_owed(&self) -> bool {
        self.owed && !self.taken.load(Ordering::Relaxed)
    }

    /// The change, whether it has been carried out or not.
    pub fn change(&self) -> &Change<T> {
        &self.change
    }
}

/// Announced changes of buffers, in the order in which they were announced. Clones share the record of what has been
/// carried out.
#[derive(Debug, Clone)]
pub struct Updates<T: Float>(Vec<BufferUpdate<T>>);

impl<T: Float> Default for Updates<T> {
    fn default() -> Self {
        Updates(Vec::new())
    }
}

impl<T: Float> Updates<T> {
    /// The announcements, in order.
    pub fn iter(&self) -> impl Iterator<Item = &BufferUpdate<T>> {
        self.0.iter()
    }

    /// The number of announcements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was announced.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Discards what was not carried out yet, for all copies.
    pub fn discard(&self) {
        self.0.iter().for_each(|u| u.taken.store(true, Ordering::Relaxed));
    }

    pub(crate) fn push(&mut self, id: BufferId, change: Change<T>, owed: bool) {
        self.0.push(BufferUpdate { id, change, owed, taken: Arc::default() });
    }

    pub(crate) fn extend(&mut self, other: Updates<T>) {
        self.0.extend(other.0);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
