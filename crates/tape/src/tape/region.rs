//! [`Region`]: nodes whose values a checkpoint dropped, and how a sweep computes them again.

use super::forward::forward_of;
use super::node::Node;
use super::slot::{Gone, Slot};
use crate::error::Result;
use crate::number::Float;
use smallvec::SmallVec;
use std::panic::Location;

/// A region of nodes that has been dropped.
#[derive(Clone)]
pub(crate) struct Region {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Nodes at whose value a rule looks, or at what their op saved.
    wanted: Vec<u32>,
    /// Nodes whose values were kept.
    results: Vec<u32>,
}

/// Drops the values of `nodes[start..]` that `stays` does not name, and says what it takes to have them again.
pub(crate) fn drop_values<T: Float>(
    nodes: &mut [Node<T>],
    start: usize,
    stays: &[u32],
    at: &'static Location<'static>,
) -> Region {
    let end = nodes.len();
    let mut wanted = Vec::new();
    let mut outside: SmallVec<[u32; 8]> = SmallVec::new();
    for (id, node) in nodes.iter_mut().enumerate().skip(start) {
        outside.extend(node.inputs.iter().copied().filter(|&i| (i as usize) < start));
        let has_saved = !node.saved.is_empty();
        if has_saved {
            node.saved = Vec::new();
        }
        if node.wanted || has_saved {
            wanted.push(id as u32);
        }
        let made = node.op.is_some() || node.first as usize != id;
        if let Slot::Ready(t) = &node.value
            && made
            && !(node.kept || stays.contains(&(id as u32)))
        {
            node.value = Slot::Gone(t.shape().clone(), Gone::Checkpoint(at));
        }
    }
    // What the region reads must still be there when it is computed again.
    for i in outside {
        nodes[i as usize].wanted = true;
    }
    Region { start, end, wanted, results: stays.to_vec() }
}

/// Computes again the values of a region that rules read. Regions inside it stay dropped: the sweep comes to them.
pub(crate) fn recompute<T: Float>(nodes: &mut [Node<T>], region: &Region, inner: &[Region]) -> Result<()> {
    let elsewhere =
        |id: usize| inner.iter().any(|r| (r.start..r.end).contains(&id) && !r.results.contains(&(id as u32)));
    let mut wanted = vec![false; region.end - region.start];
    for &id in region.wanted.iter().filter(|&&id| !elsewhere(id as usize)) {
        wanted[id as usize - region.start] = true;
    }
    // What it takes to have them.
    let mut needed = wanted.clone();
    for id in (region.start..region.end).rev() {
        if needed[id - region.start] {
            let first = nodes[id].first as usize;
            needed[first - region.start] = true;
            for &i in &nodes[first].inputs {
                if i as usize >= region.start && matches!(nodes[i as usize].value, Slot::Gone(..)) {
                    needed[i as usize - region.start] = true;
                }
            }
        }
    }
    let mut revived = Vec::new();
    for id in region.start..region.end {
        let node = &nodes[id];
        let (needs, at, outputs) = (node.needs, node.at, id..id + node.outputs as usize);
        let Some(op) = node.op.clone().filter(|_| outputs.clone().any(|o| needed[o - region.start])) else {
            continue;
        };
        let again = forward_of(nodes, &op, &node.inputs).map_err(|e| e.at(at))?;
        if needs && outputs.clone().any(|o| wanted[o - region.start]) {
            nodes[id].saved = again.saved;
        }
        for (o, y) in outputs.zip(again.outputs) {
            // Also what a scope inside freed, if something has to come from it.
            if let Slot::Gone(_, by) = nodes[o].value {
                nodes[o].value = Slot::Ready(y);
                revived.push((o, by));
            }
        }
    }
    // What was only on the way goes again.
    for (id, by) in revived {
        if let (Slot::Ready(t), false) = (&nodes[id].value, wanted[id - region.start]) {
            nodes[id].value = Slot::Gone(t.shape().clone(), by);
        }
    }
    Ok(())
}

/// The regions of a tape in the order in which a sweep from the last node comes to them.
pub(crate) struct Regions {
    /// The next one is the last.
    pending: Vec<Region>,
    /// Those that no cotangent reached.
    pub(crate) left: Vec<Region>,
}

impl Regions {
    pub(crate) fn new(mut all: Vec<Region>) -> Self {
        // The outer of two that end together comes first.
        all.sort_by_key(|r| (r.end, std::cmp::Reverse(r.start)));
        Regions { pending: all, left: Vec::new() }
    }

    /// Computes again what the sweep needs before it looks at node `id`; `reached` says whether a cotangent is in a range.
    pub(crate) fn before<T: Float>(
        &mut self,
        id: usize,
        nodes: &mut [Node<T>],
        reached: impl Fn(std::ops::Range<usize>) -> bool,
    ) -> Result<()> {
        while let Some(region) = self.pending.pop_if(|r| r.end > id) {
            let first = self.pending.iter().position(|r| r.end > region.start).unwrap_or(self.pending.len());
            if region.start <= id && reached(region.start..region.end) {
                recompute(nodes, &region, &self.pending[first..])?;
            } else {
                self.left.push(region);
            }
        }
        Ok(())
    }

    /// All regions, for a sweep that is over.
    pub(crate) fn rest(mut self) -> Vec<Region> {
        self.left.append(&mut self.pending);
        self.left
    }
}
