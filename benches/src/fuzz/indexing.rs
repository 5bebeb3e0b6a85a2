//! `tape`: parts and positions.

use crate::arguments::{Arguments, Given};
use crate::function::{Function, Seen, table};
use wengert::ops::{Tensor, broadcast_shapes, normalize_axis};
use wengert::tape::Float;

/// An axis, positions along it, and an operand to put there.
fn sources<'t, T: Float>(a: &mut Arguments<'t, T>) -> (isize, Tensor<i64>, Given<'t, T>) {
    let axis = a.axis();
    let at = a.along_axis();
    let mut shape = a.shape.clone();
    let i = normalize_axis("fuzz", axis, shape.len()).unwrap_or(0);
    if let Some(d) = shape.get_mut(i) {
        *d = at.numel();
    }
    (axis, at, a.operand(&shape))
}

/// An operand to put at the positions that several index tensors give.
fn placed<'t, T: Float>(a: &mut Arguments<'t, T>, indices: &[Tensor<i64>]) -> Given<'t, T> {
    let mut common = wengert::ops::Shape::scalar();
    for index in indices {
        common = broadcast_shapes("fuzz", &common, index.shape()).unwrap_or(common);
    }
    let rest = a.shape.get(indices.len()..).unwrap_or_default();
    let shape: Vec<_> = common.iter().chain(rest).copied().collect();
    a.operand(&shape)
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Var" {
            slice: a.var_ranked(1..=5).slice(a.axis(), a.slice());
            select: a.var_ranked(1..=5).select(a.axis(), a.position());
            narrow: { let x = a.var_ranked(1..=5); let axis = a.axis(); let start = a.position();
                let left = a.along().saturating_sub(start); x.narrow(axis, start, a.count(0..=left)) };
            split: a.var_ranked(1..=4).split(a.axis(), &a.parts());
            split_every: a.var_ranked(1..=4).split_every(a.axis(), a.count(1..=4));
            index_select: a.var_ranked(1..=4).index_select(a.axis(), &a.along_axis());
            index_add: { let x = a.var_ranked(1..=4); let (axis, at, src) = sources(a);
                x.index_add(axis, &at, src) };
            index_copy: { let x = a.var_ranked(1..=4); let (axis, at, src) = sources(a);
                x.index_copy(axis, &at, src) };
            gather: a.var_ranked(1..=4).gather(a.axis(), &a.gathered());
            scatter_add: { let x = a.var_ranked(1..=4); let axis = a.axis(); let at = a.gathered();
                x.scatter_add(axis, &at, a.operand(at.shape())) };
            scatter: { let x = a.var_ranked(1..=4); let axis = a.axis(); let at = a.gathered();
                x.scatter(axis, &at, a.operand(at.shape())) };
            take: { let x = a.var(); x.take(&a.index(x.numel())) };
            put: { let x = a.var(); let at = a.index(x.numel());
                x.put(&at, a.operand(at.shape()), a.flag()) };
            index_get: a.var_ranked(1..=4).index_get(&a.indices());
            index_put: { let x = a.var_ranked(1..=4); let at = a.indices(); let src = placed(a, &at);
                x.index_put(&at, src, a.flag()) };
            masked_select: a.var().masked_select(a.mask());
            masked_scatter: { let x = a.var(); let mask = a.mask(); let n = x.numel();
                x.masked_scatter(mask, a.operand(&[n])) };
            embedding: { let [n, width] = a.sizes(); a.of(&[n, width]).embedding(&a.index(n)) };
            embedding_padded: { let [n, width] = a.sizes();
                a.of(&[n, width]).embedding_padded(&a.index(n), a.count(0..=n.max(1) - 1)) };
            sort: a.var_ranked(1..=4).sort(a.axis(), a.flag());
            argsort: a.var_ranked(1..=4).argsort(a.axis(), a.flag());
            topk: { let x = a.var_ranked(1..=4); let axis = a.axis(); let n = a.along();
                x.topk(axis, a.count(0..=n), a.flag()) };
        }
    }
}
