//! Positions for the nodes of a graph: in layers, inputs before the nodes that read them, with few crossings and short
//! edges (the method of Sugiyama, Tagawa and Toda, 1981).

/// An edge: from, to, and the points between.
pub(crate) type Edge = (usize, usize, Vec<(f64, f64)>);

/// A position for every node, and a line for every edge.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The centre of each node, in units of one layer and one place.
    pub(crate) at: Vec<(f64, f64)>,
    /// Each edge, from an input to the node that reads it, with the points it passes through, including both ends.
    pub(crate) edges: Vec<Edge>,
    /// The number of layers, and the number of places in the longest layer.
    pub(crate) size: (f64, f64),
}

/// The number of sweeps over the layers, forwards and backwards.
const SWEEPS: usize = 12;
/// The largest number of points of long edges for which edges are led around nodes; in a graph with more, edges are
/// straight.
const POINTS: usize = 20_000;

/// Lays out a graph, given the nodes that each node reads; inputs come first.
pub(crate) fn layered(inputs: &[Vec<usize>]) -> Layout {
    let count = inputs.len();
    let mut layer = vec![0usize; count];
    for i in 0..count {
        layer[i] = inputs[i].iter().map(|&x| layer[x] + 1).max().unwrap_or(0);
    }
    // A leaf is in the layer just before its first reader.
    let mut first_reader = vec![usize::MAX; count];
    for (i, all) in inputs.iter().enumerate() {
        all.iter().for_each(|&x| first_reader[x] = first_reader[x].min(layer[i]));
    }
    for i in 0..count {
        if inputs[i].is_empty() && first_reader[i] != usize::MAX {
            layer[i] = first_reader[i] - 1;
        }
    }
    // An edge across several layers has a point in each of them.
    let spans = inputs.iter().enumerate().flat_map(|(i, all)| all.iter().map(move |&x| (i, x)));
    let led = spans.map(|(i, x)| layer[i] - layer[x] - 1).sum::<usize>() <= POINTS;
    let mut graph = Graph { layer, before: vec![Vec::new(); count], after: vec![Vec::new(); count] };
    let mut edges: Vec<(usize, usize, Vec<usize>)> = Vec::new();
    for (i, all) in inputs.iter().enumerate() {
        let mut distinct = all.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for x in distinct {
            let mut chain = vec![x];
            let between = if led { graph.layer[x] + 1..graph.layer[i] } else { 0..0 };
            for l in between {
                let point = graph.add(l);
                graph.join(*chain.last().unwrap_or(&x), point);
                chain.push(point);
            }
            graph.join(*chain.last().unwrap_or(&x), i);
            chain.push(i);
            edges.push((x, i, chain));
        }
    }
    let layers = graph.ordered();
    let y = graph.places(&layers, count);
    let at = |i: usize| (graph.layer[i] as f64, y[i]);
    let low = y.iter().copied().fold(f64::INFINITY, f64::min).min(0.0);
    let high = y.iter().copied().fold(0.0, f64::max);
    let shifted = |(x, y): (f64, f64)| (x, y - low);
    Layout {
        at: (0..count).map(|i| shifted(at(i))).collect(),
        edges: edges
            .into_iter()
            .map(|(a, b, c)| (a, b, c.into_iter().map(|i| shifted(at(i))).collect()))
            .collect(),
        size: (layers.len() as f64, high - low + 1.0),
    }
}

struct Graph {
    layer: Vec<usize>,
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
}

impl Graph {
    fn add(&mut self, layer: usize) -> usize {
        self.layer.push(layer);
        self.before.push(Vec::new());
        self.after.push(Vec::new());
        self.layer.len() - 1
    }

    fn join(&mut self, a: usize, b: usize) {
        self.after[a].push(b);
        self.before[b].push(a);
    }

    /// The nodes of each layer, in the order with the fewest crossings that was found.
    fn ordered(&self) -> Vec<Vec<usize>> {
        let depth = self.layer.iter().max().map_or(0, |d| d + 1);
        let mut layers: Vec<Vec<usize>> = vec![Vec::new(); depth];
        (0..self.layer.len()).for_each(|i| layers[self.layer[i]].push(i));
        let (mut best, mut fewest) = (layers.clone(), self.crossings(&layers));
        for sweep in 0..SWEEPS {
            let forward = sweep % 2 == 0;
            let order: Vec<usize> =
                if forward { (1..depth).collect() } else { (0..depth.saturating_sub(1)).rev().collect() };
            for l in order {
                let fixed = if forward { l - 1 } else { l + 1 };
                let mut place = vec![0.0; self.layer.len()];
                layers[fixed].iter().enumerate().for_each(|(p, &i)| place[i] = p as f64);
                let near = if forward { &self.before } else { &self.after };
                let own: Vec<usize> = layers[l].clone();
                let middle = |(p, &i): (usize, &usize)| match near[i].len() {
                    0 => p as f64,
                    n => near[i].iter().map(|&k| place[k]).sum::<f64>() / n as f64,
                };
                let mut keyed: Vec<(f64, usize)> =
                    own.iter().enumerate().map(|(p, i)| (middle((p, i)), *i)).collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                layers[l] = keyed.into_iter().map(|(_, i)| i).collect();
            }
            let crossings = self.crossings(&layers);
            if crossings < fewest {
                (best, fewest) = (layers.clone(), crossings);
            }
        }
        best
    }

    fn crossings(&self, layers: &[Vec<usize>]) -> usize {
        let mut place = vec![0; self.layer.len()];
        layers.iter().for_each(|l| l.iter().enumerate().for_each(|(p, &i)| place[i] = p));
        let mut crossings = 0;
        for (l, layer) in layers.iter().enumerate().skip(1) {
            let mut ends: Vec<(usize, usize)> = Vec::new();
            for &b in layer {
                ends.extend(self.before[b].iter().map(|&a| (place[a], place[b])));
            }
            ends.sort_unstable();
            // The number of ends of earlier edges beyond this one, counted in a tree of sums.
            let mut tree = vec![0usize; layers[l].len() + 1];
            for (seen, &(_, b)) in ends.iter().enumerate() {
                let mut at = b + 1;
                let mut within = 0;
                while at > 0 {
                    within += tree[at];
                    at &= at - 1;
                }
                crossings += seen - within;
                let mut at = b + 1;
                while at < tree.len() {
                    tree[at] += 1;
                    at += at & at.wrapping_neg();
                }
            }
        }
        crossings
    }

    /// The place of each node in its layer: near its neighbours, in order, at a distance of one for nodes and less for
    /// edges.
    fn places(&self, layers: &[Vec<usize>], nodes: usize) -> Vec<f64> {
        let half = |i: usize| if i < nodes { 0.5 } else { 0.2 };
        let mut y = vec![0.0; self.layer.len()];
        for l in layers {
            let whole: f64 = l.iter().map(|&i| 2.0 * half(i)).sum();
            let mut at = -whole / 2.0;
            for &i in l {
                y[i] = at + half(i);
                at += 2.0 * half(i);
            }
        }
        for sweep in 0..2 * SWEEPS {
            let order: Vec<usize> =
                if sweep % 2 == 0 { (0..layers.len()).collect() } else { (0..layers.len()).rev().collect() };
            for l in order {
                let wanted: Vec<f64> = layers[l]
                    .iter()
                    .map(|&i| {
                        let near: Vec<usize> = self.before[i].iter().chain(&self.after[i]).copied().collect();
                        if near.is_empty() {
                            y[i]
                        } else {
                            near.iter().map(|&k| y[k]).sum::<f64>() / near.len() as f64
                        }
                    })
                    .collect();
                let gaps: Vec<f64> = layers[l].windows(2).map(|w| half(w[0]) + half(w[1])).collect();
                for (&i, place) in layers[l].iter().zip(apart(&wanted, &gaps)) {
                    y[i] = place;
                }
            }
        }
        y
    }
}

/// The places nearest to the wanted ones (in the mean square) that keep their order and these distances: neighbours
/// that would overlap move as one block.
fn apart(wanted: &[f64], gaps: &[f64]) -> Vec<f64> {
    let mut offset = vec![0.0];
    gaps.iter().for_each(|g| offset.push(offset[offset.len() - 1] + g));
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (w, o) in wanted.iter().zip(&offset) {
        let mut block = (w - o, 1usize);
        while let Some(&(mean, n)) = blocks.last().filter(|(mean, _)| *mean > block.0) {
            blocks.pop();
            block = ((mean * n as f64 + block.0 * block.1 as f64) / (n + block.1) as f64, n + block.1);
        }
        blocks.push(block);
    }
    let means = blocks.into_iter().flat_map(|(mean, n)| std::iter::repeat_n(mean, n));
    means.zip(offset).map(|(mean, o)| mean + o).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_overlaps_and_inputs_come_first() {
        // A diamond with a long edge, and a node that reads another node twice.
        let inputs = vec![vec![], vec![], vec![0, 1], vec![2, 2], vec![3], vec![4, 0], vec![5, 3]];
        let layout = layered(&inputs);
        for (i, all) in inputs.iter().enumerate() {
            assert!(all.iter().all(|&x| layout.at[x].0 < layout.at[i].0));
            for j in 0..i {
                let ((a, b), (c, d)) = (layout.at[i], layout.at[j]);
                assert!((a - c).abs() >= 1.0 || (b - d).abs() >= 0.999, "{i} and {j}");
            }
        }
        assert!(layout.at.iter().all(|(_, y)| *y >= 0.0 && *y < layout.size.1));
        assert_eq!(layout.edges.len(), 8);
        assert_eq!(layered(&[]).at.len(), 0);
    }

    #[test]
    fn two_edges_that_cross_are_untangled() {
        let layout = layered(&[vec![], vec![], vec![1], vec![0]]);
        assert_eq!((layout.at[0].1 < layout.at[1].1), (layout.at[3].1 < layout.at[2].1));
    }
}
