//! `tape`: normalisation, attention, and what the tape announces for them.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::nn::UpdatesExt;
use wengert::nn::{BatchNorm, Layer};
use wengert::tape::rules::Attention;
use wengert::tape::{BufferId, Change, Float, Updates, Var};

/// An optional weight or bias of the given shape.
fn maybe<'t, T: Float>(a: &mut Arguments<'t, T>, shape: &[usize]) -> Option<Var<'t, T>> {
    a.once_in(2).then(|| a.more(shape))
}

/// The sizes of the last axes of a value.
fn last<T: Float>(a: &mut Arguments<'_, T>) -> Vec<usize> {
    let n = a.below(a.shape.len());
    a.shape[n..].to_vec()
}

/// A batch, and the number of its channels.
fn batch<'t, T: Float>(a: &mut Arguments<'t, T>) -> (Var<'t, T>, usize) {
    let [n, c, k] = a.sizes().map(|n: usize| n.clamp(1, 4));
    let x = if a.once_in(3) { a.of(&[n, c]) } else { a.of(&[n, c, k]) };
    (x, c)
}

fn attention<'t, T: Float>(a: &mut Arguments<'t, T>, which: usize) -> Var<'t, T> {
    let [b, t, s, d, e] = a.sizes().map(|n: usize| n.min(3));
    let (q, k, v) = (a.of(&[b, t, d]), a.operand(&[b, s, d]), a.operand(&[s, e]));
    let options = Attention::new();
    let options = match which {
        0 => options,
        1 => options.causal(),
        2 => options.causal_top_left(),
        3 => options.mask(a.mask_of(&[t, s])),
        4 => options.bias(a.more(&[t, s])).causal(),
        5 => options.scale(a.number()),
        _ => options.dropout(a.probability()).mask(a.mask_of(&[b, t, s])),
    };
    q.scaled_dot_product_attention(k, v, options)
}

/// The changes of a layer's statistics that a training tape announces.
fn announced<T: Float>(a: &mut Arguments<'_, T>) -> wengert::Result<Updates<T>> {
    let (x, c) = batch(a);
    let mut layer = BatchNorm::new(c);
    layer.momentum = a.once_in(2).then(|| a.number());
    let _ = layer.forward(x);
    if a.once_in(3) {
        let value = a.like(&[c]);
        if let Some(mean) = &layer.running_mean {
            a.tape.announce(mean.id(), Change::Towards { value, rate: a.number() });
        }
    }
    let updates = a.tape.updates();
    updates.apply(&mut layer)?;
    Ok(updates)
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Var" {
            scaled_dot_product_attention: { let which = a.below(7); attention(a, which) };
            layer_norm: { let x = a.var_ranked(1..=4); let n = last(a);
                let (w, b) = (maybe(a, &n), maybe(a, &n)); x.layer_norm(n, w, b, a.positive()) };
            rms_norm: { let x = a.var_ranked(1..=4); let n = last(a); let w = maybe(a, &n);
                x.rms_norm(n, w, a.positive()) };
            group_norm: { let [n, g, c] = a.sizes().map(|n: usize| n.clamp(1, 3));
                let x = a.of(&[n, g * c, 2]);
                let (w, b) = (maybe(a, &[g * c]), maybe(a, &[g * c]));
                    x.group_norm(a.count(g..=g), w, b, a.positive()) };
            instance_norm: { let (x, c) = batch(a); let (w, b) = (maybe(a, &[c]), maybe(a, &[c]));
                x.instance_norm(w, b, a.positive()) };
            batch_norm: { let (x, c) = batch(a); let (w, b) = (maybe(a, &[c]), maybe(a, &[c]));
                x.batch_norm(w, b, a.positive()) };
            batch_norm_with_moments: { let (x, c) = batch(a); let (w, b) = (maybe(a, &[c]), maybe(a, &[c]));
                x.batch_norm_with_moments(w, b, a.positive()) };
            batch_norm_eval: { let (x, c) = batch(a); let (w, b) = (maybe(a, &[c]), maybe(a, &[c]));
                let (m, v) = (a.operand(&[c]), a.operand(&[c]));
                    x.batch_norm_eval(m, v, w, b, a.positive()) };
            local_response_norm: a.var_ranked(2..=4).local_response_norm(a.count(1..=4), a.number(),
                a.number(), a.positive());
        }
        "tape::Attention" {
            new: attention(a, 0);
            causal: attention(a, 1);
            causal_top_left: attention(a, 2);
            mask: attention(a, 3);
            bias: attention(a, 4);
            scale: attention(a, 5);
            dropout: attention(a, 6);
        }
        "tape::BufferId" {
            fresh: done(BufferId::fresh());
        }
        "tape::BufferUpdate" {
            id: announced(a).map(|u| done(u.iter().map(|u| u.id()).max()));
            take: announced(a).map(|u| u.iter().filter_map(|u| u.take()).count());
            change: announced(a).map(|u| u.iter().map(|u| done(u.change())).count());
            is_owed: announced(a).map(|u| u.iter().filter(|u| u.is_owed()).count());
        }
        "tape::Updates" {
            iter: announced(a).map(|u| u.iter().count());
            len: announced(a).map(|u| u.len());
            is_empty: announced(a).map(|u| u.is_empty());
            discard: announced(a).map(|u| u.discard());
        }
        "tape::Tape" {
            announce: a.tape.announce(BufferId::fresh(), Change::Count(a.bits() as i64));
            announce_frozen: a.tape.announce_frozen(BufferId::fresh(), Change::Count(a.bits() as i64));
            announced: a.tape.announced(BufferId::fresh());
            updates: announced(a).map(done);
        }
    }
}
