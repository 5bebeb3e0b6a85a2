//! `tape`: products of matrices, and recurrences.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, table};
use wengert::tape::{Float, RecurrenceOptions, Var};

fn product<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let [b, n, k, m] = a.sizes().map(|n: usize| n.min(4));
    match a.below(6) {
        0 => a.of(&[k]).matmul(a.operand(&[k])),
        1 => a.of(&[k]).matmul(a.operand(&[k, m])),
        2 => a.of(&[n, k]).matmul(a.operand(&[k])),
        3 => a.of(&[n, k]).matmul(a.operand(&[k, m])),
        4 => a.of(&[b, n, k]).matmul(a.operand(&[k, m])),
        _ => a.of(&[1, n, k]).matmul(a.operand(&[b, k, m])),
    }
}

/// Input, weight, bias, state, and steps of a recurrence with a given number of gates.
type Recurrent<'t, T> =
    (Var<'t, T>, Var<'t, T>, Option<Var<'t, T>>, Var<'t, T>, Var<'t, T>, RecurrenceOptions);

fn recurrent<'t, T: Float>(a: &mut Arguments<'t, T>, gates: usize) -> Recurrent<'t, T> {
    let [steps, batch, hidden] = a.sizes().map(|n: usize| n.min(3));
    let width = gates * hidden;
    let lengths = a.once_in(3).then(|| a.index_of(&[batch], steps + 1));
    let x = a.of(&[steps, batch, width]);
    let weight = a.more(&[width, hidden]);
    let bias = a.once_in(2).then(|| a.more(&[width]));
    (
        x,
        weight,
        bias,
        a.more(&[batch, hidden]),
        a.more(&[batch, hidden]),
        RecurrenceOptions { reverse: a.flag(), lengths },
    )
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Var" {
            matmul: product(a);
            linear: { let [n, i, o] = a.sizes(); let x = a.of(&[n, i]); let w = a.operand(&[o, i]);
                let b = a.once_in(2).then(|| a.more(&[o])); x.linear(w, b) };
            lstm: { let (x, w, b, h, c, steps) = recurrent(a, 4); x.lstm(w, b, h, c, &steps) };
            gru: { let (x, w, b, h, _, steps) = recurrent(a, 3); x.gru(w, b, h, &steps) };
            rnn_tanh: { let (x, w, b, h, _, steps) = recurrent(a, 1); x.rnn_tanh(w, b, h, &steps) };
            rnn_relu: { let (x, w, b, h, _, steps) = recurrent(a, 1); x.rnn_relu(w, b, h, &steps) };
        }
    }
}
