//! What layers announce on a tape about their buffers.

use super::Tape;
use super::updates::{BufferId, Change, Updates};
use crate::number::Float;

impl<T: Float> Tape<T> {
    /// Announces how a buffer should change once this step is done; an optimiser's step on gradients of this tape carries
    /// it out, once.
    ///
    /// ```
    /// use wengert_tape::{BufferId, Change, Tape};
    /// let tape = Tape::<f32>::train(0);
    /// let steps = BufferId::fresh();
    /// tape.announce(steps, Change::Count(1));
    /// let (updates, again) = (tape.updates(), tape.updates());
    /// assert!(updates.iter().all(|u| u.id() == steps && u.take().is_some()));
    /// assert!(again.iter().all(|u| u.take().is_none()));               // carried out already
    /// ```
    pub fn announce(&self, id: BufferId, change: Change<T>) {
        self.state.borrow_mut().updates.push(id, change, true);
    }

    /// As [`announce`](Tape::announce), for a layer whose parameters are frozen: a step of its own model carries the change out,
    /// and nobody misses it if there is none.
    pub fn announce_frozen(&self, id: BufferId, change: Change<T>) {
        self.state.borrow_mut().updates.push(id, change, false);
    }

    /// How many changes of a buffer have been announced since the tape was made or reset.
    pub fn announced(&self, id: BufferId) -> usize {
        self.state.borrow().updates.iter().filter(|u| u.id() == id).count()
    }

    /// What has been announced since the tape was made or reset: for training that never asks for a gradient, or to
    /// settle running statistics.
    pub fn updates(&self) -> Updates<T> {
        self.state.borrow().updates.clone()
    }
}
