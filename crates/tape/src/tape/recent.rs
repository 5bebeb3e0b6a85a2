//! [`Recent`]: when an evaluating tape last used each value, and which values it drops.

use super::node::Node;
use super::slot::{Gone, Slot};
use crate::number::Float;
use std::collections::HashMap;

/// The values may always take this number of bytes.
pub(super) const BYTES: usize = 64 << 20;
/// The values may always take this number of times the bytes of the largest one.
const VALUES: usize = 16;

/// When each value was last used, and the number of bytes that all may take.
#[derive(Default)]
pub(crate) struct Recent {
    /// The number of operations so far.
    now: u64,
    /// The last operation that used each node.
    used: Vec<u64>,
    /// Nodes that may hold a value that can be recomputed.
    live: Vec<u32>,
    /// The bytes of these values, or more.
    held: usize,
    largest: usize,
}

/// Handles of one buffer.
struct Shared {
    used: u64,
    bytes: usize,
    nodes: Vec<u32>,
    /// The number of its handles anywhere.
    owners: usize,
}

impl Recent {
    pub(crate) fn clear(&mut self) {
        *self = Recent::default();
    }

    /// Records an operation whose outputs are the nodes from `first` on.
    pub(crate) fn record<T: Float>(&mut self, nodes: &mut [Node<T>], first: u32, inputs: &[u32]) {
        self.now += 1;
        self.used.resize(nodes.len(), self.now);
        for &i in inputs {
            self.used[i as usize] = self.now;
        }
        for id in first..nodes.len() as u32 {
            self.hold(nodes, id, inputs);
        }
        if self.held > self.limit() {
            self.drop_oldest(nodes);
        }
    }

    /// Records values that were recomputed.
    pub(crate) fn restore<T: Float>(&mut self, nodes: &[Node<T>], ids: Vec<u32>) {
        for id in ids {
            self.used[id as usize] = self.now;
            self.hold(nodes, id, &[]);
        }
    }

    fn limit(&self) -> usize {
        BYTES.max(VALUES * self.largest)
    }

    /// Records a value that can be recomputed.
    fn hold<T: Float>(&mut self, nodes: &[Node<T>], id: u32, inputs: &[u32]) {
        let Slot::Ready(t) = &nodes[id as usize].value else { return };
        self.live.push(id);
        let is_view = |&i: &u32| matches!(&nodes[i as usize].value, Slot::Ready(x) if x.shares_buffer(t));
        if !inputs.iter().any(is_view) {
            let bytes = t.buffer_len() * size_of::<T>();
            self.held += bytes;
            self.largest = self.largest.max(bytes);
        }
    }

    /// Drops values until the rest take half the allowed bytes.
    fn drop_oldest<T: Float>(&mut self, nodes: &mut [Node<T>]) {
        let mut buffers: HashMap<usize, Shared> = HashMap::new();
        self.live.retain(|&id| {
            let node = &nodes[id as usize];
            let Slot::Ready(t) = &node.value else { return false };
            if node.kept {
                return false;
            }
            let used = self.used[id as usize];
            let bytes = t.buffer_len() * size_of::<T>();
            let buffer = buffers.entry(t.buffer_address()).or_insert_with(|| Shared {
                used,
                bytes,
                nodes: Vec::new(),
                owners: t.buffer_owners(),
            });
            buffer.used = buffer.used.max(used);
            buffer.nodes.push(id);
            true
        });
        // A buffer that a leaf or the user also holds would not be freed.
        let mut buffers: Vec<_> = buffers.into_values().filter(|b| b.owners == b.nodes.len()).collect();
        buffers.sort_unstable_by_key(|b| b.used);
        self.held = buffers.iter().map(|b| b.bytes).sum();
        for buffer in buffers {
            if self.held <= self.limit() / 2 || buffer.used == self.now {
                return;
            }
            self.held -= buffer.bytes;
            for id in buffer.nodes {
                let value = &mut nodes[id as usize].value;
                *value = Slot::Gone(value.shape().clone(), Gone::Evaluating);
            }
        }
    }
}
