//! [`Region`]: nodes whose values a checkpoint dropped, and how a sweep recomputes them.

use super::Tape;
use super::forward::forward_of;
use super::node::Node;
use super::pending::compute_in;
use super::slot::{Gone, Slot};
use crate::error::Result;
use crate::number::Float;
use crate::profile::{Pass, span};
use smallvec::SmallVec;
use std::panic::Location;

/// A region of nodes whose values were dropped.
#[derive(Clone)]
pub(crate) struct Region {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Nodes of which a rule reads the value or what their op saved.
    wanted: Vec<u32>,
    /// Nodes whose values were kept.
    results: Vec<u32>,
}

/// Drops the values of `nodes[start..]` that are not in `stays`, and returns what is needed to recompute them.
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
        if let Slot::Ready(_) | Slot::Pending(_) = &node.value
            && made
            && !(node.kept || stays.contains(&(id as u32)))
        {
            node.value = Slot::Gone(node.value.shape().clone(), Gone::Checkpoint(at));
        }
    }
    // The values that the region reads must still exist when it is recomputed.
    for i in outside {
        nodes[i as usize].wanted = true;
    }
    Region { start, end, wanted, results: stays.to_vec() }
}

/// Recomputes the values of a region that rules read. Regions inside it stay dropped until the sweep reaches them.
pub(crate) fn recompute<T: Float>(
    tape: &Tape<T>,
    nodes: &mut [Node<T>],
    region: &Region,
    inner: &[Region],
) -> Result<()> {
    let _span = span(Pass::Recompute);
    let elsewhere =
        |id: usize| inner.iter().any(|r| (r.start..r.end).contains(&id) && !r.results.contains(&(id as u32)));
    let mut wanted = vec![false; region.end - region.start];
    for &id in region.wanted.iter().filter(|&&id| !elsewhere(id as usize)) {
        wanted[id as usize - region.start] = true;
    }
    // The nodes to run for them.
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
    let read = (region.start..region.end).filter(|id| needed[id - region.start]);
    let outside: Vec<u32> = read.flat_map(|id| nodes[id].inputs.iter().copied()).collect();
    compute_in(tape, nodes, &outside)?;
    let mut revived = Vec::new();
    for id in region.start..region.end {
        let node = &nodes[id];
        let (needs, at, outputs) = (node.needs, node.at, id..id + node.outputs as usize);
        let Some(op) = node.op.clone().filter(|_| outputs.clone().any(|o| needed[o - region.start])) else {
            continue;
        };
        let again = forward_of(nodes, &op, &node.inputs, || tape.module_of(nodes, &node.inputs))
            .map_err(|e| e.at(at))?;
        if needs && outputs.clone().any(|o| wanted[o - region.start]) {
            nodes[id].saved = again.saved;
        }
        for (o, y) in outputs.zip(again.outputs) {
            // Also restores what a scope inside freed, if something is computed from it.
            if let Slot::Gone(_, by) = nodes[o].value {
                nodes[o].value = Slot::Ready(y);
                revived.push((o, by));
            }
        }
    }
    // Intermediate values are freed again.
    for (id, by) in revived {
        if let (Slot::Ready(t), false) = (&nodes[id].value, wanted[id - region.start]) {
            nodes[id].value = Slot::Gone(t.shape().clone(), by);
        }
    }
    Ok(())
}

/// The regions of a tape in the order in which a sweep from the last node reaches them.
pub(crate) struct Regions {
    /// The last one is the next.
    pending: Vec<Region>,
    /// Regions that no cotangent reached.
    pub(crate) left: Vec<Region>,
}

impl Regions {
    pub(crate) fn new(mut all: Vec<Region>) -> Self {
        // Of two regions that end together, the outer one comes first.
        all.sort_by_key(|r| (r.end, std::cmp::Reverse(r.start)));
        Regions { pending: all, left: Vec::new() }
    }

    /// Whether no region is left that a sweep could reach.
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Recomputes what the sweep needs before it processes node `id`; `reached` says whether a range holds a cotangent.
    pub(crate) fn before<T: Float>(
        &mut self,
        tape: &Tape<T>,
        id: usize,
        nodes: &mut [Node<T>],
        reached: impl Fn(std::ops::Range<usize>) -> bool,
    ) -> Result<()> {
        while let Some(region) = self.pending.pop_if(|r| r.end > id) {
            let first = self.pending.iter().position(|r| r.end > region.start).unwrap_or(self.pending.len());
            if region.start <= id && reached(region.start..region.end) {
                recompute(tape, nodes, &region, &self.pending[first..])?;
            } else {
                self.left.push(region);
            }
        }
        Ok(())
    }

    /// All remaining regions, at the end of a sweep.
    pub(crate) fn rest(mut self) -> Vec<Region> {
        self.left.append(&mut self.pending);
        self.left
    }
}
