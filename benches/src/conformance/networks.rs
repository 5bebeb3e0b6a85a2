//! Parts of networks: recurrences.

use crate::{Entry, Sample};
use wengert::tape::gradcheck::Domain::Between;
use wengert::tape::gradcheck::Gen;
use wengert::tape::{RecurrenceOptions, Var};

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::new("lstm", |g| recurrent(g, "lstm", 4)),
        Entry::new("gru", |g| recurrent(g, "gru", 3)),
        Entry::new("rnn_tanh", |g| recurrent(g, "rnn_tanh", 1)),
        Entry::new("rnn_relu", |g| recurrent(g, "rnn_relu", 1)),
    ]
}

/// One layer: x, W_ih, W_hh, b_ih, b_hh, first state, first cell; all outputs are concatenated.
fn recurrent(g: &mut Gen, name: &'static str, gates: usize) -> Sample {
    let (steps, batch, inputs, n) = (g.within(1..=4), g.within(1..=3), g.within(1..=3), g.within(1..=4));
    let width = gates * n;
    let mut shapes = vec![
        vec![steps, batch, inputs],
        vec![width, inputs],
        vec![width, n],
        vec![width],
        vec![width],
        vec![batch, n],
    ];
    let mut state = "x[5][None]".to_owned();
    if name == "lstm" {
        shapes.push(vec![batch, n]);
        state = "(x[5][None], x[6][None])".into();
    }
    let x = shapes.iter().map(|s| g.tensor(s, Between(-1.5, 1.5))).collect();
    let torch = format!(
        "torch.cat([t.reshape(-1) for t in torch._VF.{name}(x[0], {state}, x[1:5], True, 1, 0.0, False, False, False)])"
    );
    Sample::new(torch, x, move |x: &[Var<'_, f64>]| {
        let (gates, steps) = (x[0].linear(x[1], Some(x[3])), RecurrenceOptions::default());
        let (w, b) = (x[2], Some(x[4]));
        let all = match name {
            "lstm" => gates.lstm(w, b, x[5], x[6], &steps).to_vec(),
            "gru" => gates.gru(w, b, x[5], &steps).to_vec(),
            "rnn_tanh" => gates.rnn_tanh(w, b, x[5], &steps).to_vec(),
            _ => gates.rnn_relu(w, b, x[5], &steps).to_vec(),
        };
        let flat: Vec<_> = all.into_iter().map(|v| v.flatten(0)).collect();
        x[0].tape().concat(&flat, 0)
    })
}
