//! Which values an evaluating tape keeps: the most recently used ones, within a limit.
//!
//! A handle is a plain number, so the tape cannot know which values will be read later. It drops the least recently used
//! values, and recomputes one in the rare case that it is read again. Ops are deterministic, so the recomputed value has
//! the same bits. Leaves, which cannot be recomputed, and values that were [kept](Var::keep) stay.

use crate::error::Result;
use crate::number::Float;
use crate::profile::{Pass, span};
use crate::tape::Borrowed;
use crate::tape::Tape;
use crate::tape::forward::forward_of;
use crate::tape::node::Node;
use crate::tape::slot::{Gone, Slot};
use crate::tape::var::Var;
use wengert_ops::Tensor;

fn is_dropped<T: Float>(nodes: &[Node<T>], id: u32) -> bool {
    nodes.get(id as usize).is_some_and(|n| matches!(n.value, Slot::Gone(_, Gone::Evaluating)))
}

impl<T: Float> Tape<T> {
    /// Makes the values of these nodes available: those that are pending, and those that an evaluating tape has dropped.
    #[inline(never)]
    pub(crate) fn revive(&self, ids: &[u32]) -> Result<()> {
        if self.mode.lazy {
            self.compute(ids)?;
        }
        {
            let state = self.state.borrow();
            if state.recent.is_none() || !ids.iter().any(|&id| is_dropped(&state.nodes, id)) {
                return Ok(());
            }
        }
        let _span = span(Pass::Recompute);
        let mut borrowed = Borrowed::take(self);
        let nodes = &mut borrowed.nodes;
        // Values that a scope has freed are restored only temporarily.
        let mut lent: Vec<(u32, Slot<T>)> = Vec::new();
        let mut made = Vec::new();
        let mut wanted: Vec<u32> = ids.iter().copied().filter(|&id| is_dropped(nodes, id)).collect();
        let outcome = loop {
            let Some(&id) = wanted.last() else { break Ok(()) };
            if matches!(nodes[id as usize].value, Slot::Ready(_)) {
                wanted.pop();
                continue;
            }
            let first = nodes[id as usize].first as usize;
            let inputs = nodes[first].inputs.clone();
            let missing = inputs.iter().filter(|&&i| matches!(nodes[i as usize].value, Slot::Gone(..)));
            let before = wanted.len();
            wanted.extend(missing);
            if wanted.len() > before {
                continue;
            }
            // A leaf is never dropped. Without an op there is nothing to run, and the value says why it is gone.
            let again = match &nodes[first].op {
                Some(op) => forward_of(nodes, op, &inputs, || self.module_of(nodes, &inputs)),
                None => break nodes[id as usize].value.ready("value").map(|_| ()),
            };
            let outputs = match again {
                Ok(again) => again.outputs,
                Err(e) => break Err(e),
            };
            for (id, y) in (first as u32..).zip(outputs) {
                let value = &mut nodes[id as usize].value;
                match value {
                    Slot::Gone(_, Gone::Evaluating) => made.push(id),
                    Slot::Gone(..) => lent.push((id, value.clone())),
                    _ => continue,
                }
                *value = Slot::Ready(y);
            }
        };
        for (id, slot) in lent {
            nodes[id as usize].value = slot;
        }
        drop(borrowed);
        let state = &mut *self.state.borrow_mut();
        if let Some(recent) = &mut state.recent {
            recent.restore(&state.nodes, made);
        }
        outcome
    }
}

impl<T: Float> Var<'_, T> {
    /// As [`value`](Var::value), without a location in the user's program.
    pub(crate) fn ready(self) -> Result<Tensor<T>> {
        self.tape.revive(&[self.id])?;
        self.with(|slot| slot.ready("value").cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::super::recent::BYTES;
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn memory_is_bounded_and_every_value_is_there_with_the_same_bits() {
        let tape = Tape::<f64>::eval();
        let x = Tensor::from_vec((0..MIB / 8).map(|i| (i as f64).sin()).collect(), [MIB / 8]).unwrap();
        let mut y = tape.constant(&x);
        let mut all = Vec::new();
        for _ in 0..200 {
            y = (y * 1.01).tanh() + 0.1;
            all.push(y);
        }
        assert!(tape.bytes() <= BYTES + MIB, "{}", tape.bytes());
        let recording = Tape::new();
        let (mut want, mut wanted) = (recording.var(&x), Vec::new());
        for y in &all {
            want = (want * 1.01).tanh() + 0.1;
            wanted.push(want);
            assert_eq!(y.value().unwrap(), want.value().unwrap());
        }
        // Reads all of them at once, as when the outputs of a recurrence are joined at its end.
        let joined = tape.concat(&all, 0).value().unwrap();
        assert_eq!(joined, recording.concat(&wanted, 0).value().unwrap());
    }

    #[test]
    fn what_was_kept_stays_and_what_a_scope_freed_stays_freed() {
        let tape = Tape::<f64>::eval();
        let x = tape.constant(Tensor::ones([MIB / 8]).scale(0.5));
        let kept = (x + 1.0).keep();
        let mut inner = x;
        let y = tape.scope(|| {
            inner = x.exp();
            inner * 2.0
        });
        for _ in 0..200 {
            let _ = x.sin() * 2.0;
        }
        assert!(matches!(tape.state.borrow().nodes[kept.id as usize].value, Slot::Ready(_)));
        assert!(is_dropped(&tape.state.borrow().nodes, y.id));
        assert_eq!(y.value().unwrap().get(&[7]).unwrap(), 0.5f64.exp() * 2.0);
        assert!(inner.value().unwrap_err().to_string().contains("end of the scope"));
        assert_eq!((y - x).value().unwrap().get(&[0]).unwrap(), 0.5f64.exp() * 2.0 - 0.5);
    }

    #[test]
    fn a_long_chain_is_computed_again_without_recursion() {
        let tape = Tape::<f32>::eval();
        let mut y = tape.constant(Tensor::ones([MIB / 128]).scale(0.5));
        let first = y * 1.0;
        y = first;
        for _ in 0..3000 {
            y += 0.25;
        }
        for _ in 0..2500 {
            let _ = tape.constant(Tensor::ones([MIB / 128]).scale(1.0)).exp();
        }
        assert_eq!(y.value().unwrap().get(&[3]).unwrap(), 750.5);
        assert_eq!(first.value().unwrap().get(&[3]).unwrap(), 0.5);
    }

    #[test]
    fn several_outputs_and_views_come_back() {
        let tape = Tape::<f64>::eval();
        let x = tape.constant(Tensor::ones([MIB / 8, 1]).scale(3.0));
        let doubled = x * 2.0;
        let view = doubled.t().reshape([MIB / 8]);
        let other = x.exp();
        for _ in 0..100 {
            let _ = x.sin() * 2.0;
        }
        assert!(
            is_dropped(&tape.state.borrow().nodes, view.id)
                && is_dropped(&tape.state.borrow().nodes, other.id)
        );
        assert_eq!(view.value().unwrap().get(&[1]).unwrap(), 6.0);
        assert_eq!(
            (other.detach() + view.reshape([MIB / 8, 1])).value().unwrap().get(&[0, 0]).unwrap(),
            3f64.exp() + 6.0
        );
    }
}
