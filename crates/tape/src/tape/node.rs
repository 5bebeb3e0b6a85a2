//! A node of the tape: its value or why it is gone, its operation, and its location.

use super::op::OpRef;
use super::param::ParamId;
use super::slot::Slot;
use crate::number::Float;
use smallvec::SmallVec;
use std::panic::Location;
use std::sync::Arc;
use wengert_ops::Tensor;

/// A value and its recipe.
pub(crate) struct Node<T: Float> {
    pub(crate) value: Slot<T>,
    pub(crate) op: Option<OpRef<T>>,
    pub(crate) inputs: SmallVec<[u32; 4]>,
    pub(crate) saved: Vec<Tensor<T>>,
    /// The first output of the op that made this node, and the number of the op's outputs.
    pub(crate) first: u32,
    pub(crate) outputs: u32,
    /// Whether a gradient flows through here.
    pub(crate) needs: bool,
    /// Whether a rule will read the value.
    pub(crate) wanted: bool,
    pub(crate) kept: bool,
    pub(crate) param: Option<ParamInfo>,
    pub(crate) at: &'static Location<'static>,
}

pub(crate) struct ParamInfo {
    pub(crate) id: ParamId,
    pub(crate) name: Option<Arc<str>>,
}

/// The path of the module in which a node with these inputs was made: that of a parameter among them, otherwise the common
/// prefix of the inputs' paths. It is computed only on request, so that recording costs nothing.
pub(crate) fn path_of<T: Float>(nodes: &[Node<T>], inputs: &[u32]) -> Option<String> {
    Paths::default().of(nodes, inputs)
}

/// The paths of nodes, each computed once.
#[derive(Default)]
pub(crate) struct Paths(Vec<Option<Path>>);

/// A prefix of a parameter's name.
#[derive(Clone, Copy, PartialEq)]
struct Path {
    /// The parameter's node.
    param: u32,
    len: u32,
}

impl Path {
    fn text<T: Float>(self, nodes: &[Node<T>]) -> Option<&str> {
        let param = nodes.get(self.param as usize)?.param.as_ref()?;
        param.name.as_deref()?.get(..self.len as usize)
    }
}

impl Paths {
    /// The path of a node with these inputs.
    pub(crate) fn of<T: Float>(&mut self, nodes: &[Node<T>], inputs: &[u32]) -> Option<String> {
        self.extend(nodes, *inputs.iter().max()? as usize + 1);
        Some(self.common(nodes, inputs)?.text(nodes)?.to_owned())
    }

    /// The paths of all nodes; a parameter has its own path.
    pub(crate) fn all<T: Float>(mut self, nodes: &[Node<T>]) -> Vec<Option<&str>> {
        self.extend(nodes, nodes.len());
        self.0.into_iter().map(|p| p?.text(nodes)).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Finds the paths of the first `len` nodes; returns the number of paths that were not known before.
    fn extend<T: Float>(&mut self, nodes: &[Node<T>], len: usize) -> usize {
        let missing = self.0.len()..len.min(nodes.len());
        for id in missing.clone() {
            let node = &nodes[id];
            let path = match &node.param {
                Some(p) => p.name.as_ref().map(|name| Path { param: id as u32, len: name.len() as u32 }),
                None => self.common(nodes, &nodes[node.first as usize].inputs),
            };
            self.0.push(path);
        }
        missing.len()
    }

    fn common<T: Float>(&self, nodes: &[Node<T>], inputs: &[u32]) -> Option<Path> {
        let of = |i: &u32| self.0.get(*i as usize).copied().flatten();
        let text = |p: Path| p.text(nodes).unwrap_or_default();
        let is_param = |i: &&u32| nodes.get(**i as usize).is_some_and(|n| n.param.is_some());
        if let Some(p) = inputs.iter().filter(is_param).find_map(of) {
            let len = text(p).rfind('.').unwrap_or(0);
            return Some(Path { len: len as u32, ..p });
        }
        let mut shared: Option<Path> = None;
        for p in inputs.iter().filter_map(of) {
            shared = Some(match shared {
                None => p,
                Some(s) if s == p => s,
                Some(s) => {
                    let pairs = text(s).split('.').zip(text(p).split('.'));
                    let len: usize = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a.len() + 1).sum();
                    Path { len: len.saturating_sub(1) as u32, ..s }
                }
            });
        }
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tape;
    use wengert_ops::Tensor;

    #[test]
    fn errors_find_the_path_of_a_node_once() {
        let tape = Tape::<f64>::new();
        let (one, mut grown) = (tape.var(Tensor::ones([2])), tape.var(Tensor::ones([2])));
        for _ in 0..50 {
            grown += 1.0;
            assert!((one + grown).matmul(Tensor::ones([3])).is_failed());
        }
        let mut paths = Paths::default();
        let state = tape.state.borrow();
        let found: usize = (1..=state.nodes.len()).map(|len| paths.extend(&state.nodes, len)).sum();
        assert_eq!(found, state.nodes.len());
        // The tape keeps the paths from one error to the next.
        assert!(state.paths.0.len() > 90);
    }
}
