//! [`Updates`]: what layers have found out about a batch, and want put into their buffers after the step.
//!
//! `forward` changes nothing in a model, so a layer in training *announces* on the tape how a buffer of it should move.
//! The announcements leave with the gradients, or by [`Tape::updates`], and an optimiser's step carries them out. Each is
//! carried out once, however many copies of it there are and whoever offers it: they share a mark.

use crate::number::Float;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use wengert_ops::Tensor;

/// The identity of a buffer. Copies of a buffer have identities of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(u64);

impl BufferId {
    /// An identity that no other buffer has.
    pub fn fresh() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        BufferId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// How a buffer b is to change.
#[derive(Debug, Clone)]
pub enum Change<T: Float> {
    /// b ← (1 - rate) b + rate · value, for a buffer of the tape's element type.
    Towards {
        /// Where the buffer moves to.
        value: Tensor<T>,
        /// How far: 0 is not at all, 1 is all the way.
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
    /// Whether it is missed if nobody carries it out.
    owed: bool,
    taken: Arc<AtomicBool>,
}

impl<T: Float> BufferUpdate<T> {
    /// The buffer that is meant.
    pub fn id(&self) -> BufferId {
        self.id
    }

    /// The change, for whoever asks first; `None` for everybody after that, whichever copy they ask.
    pub fn take(&self) -> Option<&Change<T>> {
        (!self.taken.swap(true, Ordering::Relaxed)).then_some(&self.change)
    }

    /// Whether the change is missed: it was not carried out or [discarded](Updates::discard) yet, and the layer that announced it
    /// is not [frozen](Tape::announce_frozen).
    pub fn is_owed(&self) -> bool {
        self.owed && !self.taken.load(Ordering::Relaxed)
    }

    /// The change, whether it has been carried out or not.
    pub fn change(&self) -> &Change<T> {
        &self.change
    }
}

/// Announced changes of buffers, in the order in which they were announced. Clones share what has been carried out.
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

    /// Gives up what was not carried out yet: nobody will, whichever copy they have.
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
