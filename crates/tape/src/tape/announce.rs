//! Changes of buffers that layers announce on a tape.

use super::Tape;
use super::updates::{BufferId, Change, Updates};
use crate::number::Float;

impl<T: Float> Tape<T> {
    /// Announces how a buffer should change after this step. An optimiser's step on gradients of this tape carries the
    /// change out, once.
    ///
    /// ```
    /// use wengert_tape::{BufferId, Change, Tape};
    /// let tape = Tape::<f32>::train(0);
    /// let steps = BufferId::fresh();
    /// tape.announce(steps, Change::Count(1));
    /// let (updates, again) = (tape.updates(), tape.updates());
    /// assert!(updates.iter().all(|u| u.id() == steps && u.take().is_some()));
    /// assert!(again.iter().all(|u| u.take().is_none()));               // already carried out
    /// ```
    pub fn announce(&self, id: BufferId, change: Change<T>) {
        self.state.borrow_mut().updates.push(id, change, true);
    }

    /// As [`announce`](Tape::announce), for a layer whose parameters are frozen: a step of its own model carries the change
    /// out, and it is no error if there is no such step.
    pub fn announce_frozen(&self, id: BufferId, change: Change<T>) {
        self.state.borrow_mut().updates.push(id, change, false);
    }

    /// The number of changes of a buffer that were announced since the tape was made or reset.
    pub fn announced(&self, id: BufferId) -> usize {
        self.state.borrow().updates.iter().filter(|u| u.id() == id).count()
    }

    /// The changes announced since the tape was made or reset: for training that never computes a gradient, or to settle
    /// running statistics.
    pub fn updates(&self) -> Updates<T> {
        self.state.borrow().updates.clone()
    }
}
