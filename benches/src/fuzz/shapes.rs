//! `tape`: views and rearrangements.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, table};
use wengert::tape::Float;

/// Widths for both ends of each axis, usually at most `most` of its size, and sometimes one pair too many.
fn ends<T: Float>(a: &mut Arguments<'_, T>, most: impl Fn(usize) -> usize) -> Vec<(usize, usize)> {
    let shape = a.shape.clone();
    let mut widths: Vec<_> = shape.iter().map(|&n| (a.count(0..=most(n)), a.count(0..=most(n)))).collect();
    if a.once_in(12) {
        widths.push((0, 0));
    }
    widths
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Var" {
            reshape: a.var().reshape(a.reshaped());
            view: a.var().view(a.reshaped());
            flatten: { let x = a.var(); x.flatten(a.count(0..=x.rank())) };
            flatten_axes: { let x = a.var_ranked(1..=5); let i = a.axis();
                let j = if a.once_in(2) { -1 } else { a.axis() };
                x.flatten_axes(i, j) };
            unflatten: { let [m, n] = a.sizes(); let x = a.of(&[2, m * n]);
                if a.once_in(3) { x.unflatten(a.axis(), a.reshaped()) } else { x.unflatten(1, [m, n]) } };
            squeeze_all: a.var().squeeze_all();
            squeeze: { let x = a.var(); let s = x.shape().as_shape().clone();
                let ones: Vec<_> = (0..s.len()).filter(|&i| s[i] == 1).collect();
                if a.once_in(3) { x.squeeze(a.axes()) } else { x.squeeze(ones) } };
            unsqueeze: a.var().unsqueeze(a.new_axis());
            permute: a.var().permute(a.permutation());
            transpose: a.var_ranked(1..=5).transpose(a.axis(), a.axis());
            t: a.var_ranked(2..=4).t();
            expand: a.var().expand(a.wider());
            sum_to: a.var().sum_to(a.narrower());
            unfold: { let x = a.var_ranked(1..=4); let axis = a.axis(); let n = a.along();
                x.unfold(axis, a.count(0..=n), a.count(1..=3)) };
            flip: a.var().flip(a.axes());
            roll: { let x = a.var_ranked(1..=4); let axes = a.axes();
                let shifts: Vec<_> = axes.iter().map(|_| a.offset()).collect(); x.roll(axes, shifts) };
            movedim: { let x = a.var_ranked(1..=5); let from = a.axes();
                let to: Vec<_> = a.permutation().into_iter().take(from.len()).collect(); x.movedim(from, to) };
            chunk: a.var_ranked(1..=4).chunk(a.axis(), a.count(1..=4));
            unbind: a.var_ranked(1..=4).unbind(a.axis());
            repeat: a.var_ranked(0..=3).repeat(&a.each_axis(0..=2));
            tile: a.var_ranked(0..=3).tile(&a.each_axis(0..=2));
            rot90: { let x = a.var_ranked(2..=4); let order = a.permutation();
                x.rot90(a.offset(), [order.first().copied().unwrap_or(0),
                    order.get(1).copied().unwrap_or(1)]) };
            repeat_interleave: a.var_ranked(1..=4).repeat_interleave(a.axis(), a.count(0..=3));
            pad: a.var_ranked(0..=3).pad(&a.widths(), a.number());
            pad_reflect: { let x = a.var_ranked(0..=3); x.pad_reflect(&ends(a, |n| n.min(4).saturating_sub(1))) };
            pad_replicate: { let x = a.var_ranked(0..=3); x.pad_replicate(&ends(a, |n| 2 * n.min(1))) };
            pad_circular: { let x = a.var_ranked(0..=3); x.pad_circular(&ends(a, |n| n.min(3))) };
            tril: a.var_ranked(2..=4).tril(a.offset());
            triu: a.var_ranked(2..=4).triu(a.offset());
            diagonal: a.var_ranked(2..=4).diagonal(a.offset());
            trace: a.var_ranked(2..=4).trace();
            diag_embed: a.var_ranked(1..=3).diag_embed(a.offset());
        }
        "tape::Tape" {
            concat: a.tape.concat(&a.vars(), a.axis());
            stack: a.tape.stack(&a.vars(), a.new_axis());
            meshgrid: a.tape.meshgrid(&a.vars_ranked(1..=1));
            meshgrid_xy: a.tape.meshgrid_xy(&a.vars_ranked(1..=1));
            block_diag: a.tape.block_diag(&a.vars_ranked(0..=2));
        }
    }
}
