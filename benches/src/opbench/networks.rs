//! Recurrences, and scalar programs on rows.

use crate::{Row, Values, between};
use wengert::tape::scalar::{Function, Number};
use wengert::tape::{Elementary, RecurrenceOptions, Var};

pub(crate) fn rows() -> Vec<Row> {
    let mut all = Vec::new();
    for (name, gates) in [("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1)] {
        all.push(recurrent(name, gates, [35, 64, 256, 256], Values::Ordinary));
        all.push(recurrent(name, gates, [28, 128, 28, 128], Values::Ordinary));
        all.push(recurrent(name, gates, [8, 8, 16, 16], Values::Ordinary));
        all.push(recurrent(name, gates, [200, 1, 64, 64], Values::Ordinary));
        all.push(recurrent(name, gates, [1000, 4, 3, 7], Values::Ordinary));
        all.push(recurrent(name, gates, [16, 16, 64, 64], Values::Denormal));
    }
    for shape in [[16_384, 3], [64, 8], [1024, 64]] {
        let torch = "(x[0].sin() * x[0]).sum(-1, keepdim=True)";
        all.push(Row::new("rows", torch, vec![between(&shape, -3.0, 3.0)], |x, _| x[0].rows(Sum)));
    }
    all
}

/// The sum of x sin x.
struct Sum;

impl Function for Sum {
    fn outputs(&self, _inputs: usize) -> usize {
        1
    }
    fn call<R: Number>(&self, x: &[R]) -> Vec<R> {
        vec![x.iter().map(|&x| x.sin() * x).reduce(|a, b| a + b).unwrap_or(R::of(0.0))]
    }
}

/// One layer: x, W_ih, W_hh, b_ih, b_hh, first state, first cell; it returns the outputs, the last state and the last cell.
fn recurrent(name: &'static str, gates: usize, [steps, batch, inputs, n]: [usize; 4], values: Values) -> Row {
    let width = gates * n;
    let mut shapes = vec![
        vec![steps, batch, inputs],
        vec![width, inputs],
        vec![width, n],
        vec![width],
        vec![width],
        vec![batch, n],
    ];
    let mut state = "x[5][None]";
    let mut states = "y[1][0]";
    if name == "lstm" {
        shapes.push(vec![batch, n]);
        state = "(x[5][None], x[6][None])";
        states = "y[1][0], y[2][0]";
    }
    let size = 1.0 / (n as f64).sqrt();
    let x = shapes.iter().map(|s| between(s, -size, size)).collect();
    let torch = format!(
        "(lambda y: (y[0], {states}))(torch._VF.{name}(x[0], {state}, x[1:5], True, 1, 0.0, True, False, False))"
    );
    let row = Row::many(name, torch, x, move |x: &[Var<'_, f32>], _| {
        let (gates, steps) = (x[0].linear(x[1], Some(x[3])), RecurrenceOptions::default());
        let (w, b) = (x[2], Some(x[4]));
        match name {
            "lstm" => gates.lstm(w, b, x[5], x[6], &steps).to_vec(),
            "gru" => gates.gru(w, b, x[5], &steps).to_vec(),
            "rnn_tanh" => gates.rnn_tanh(w, b, x[5], &steps).to_vec(),
            _ => gates.rnn_relu(w, b, x[5], &steps).to_vec(),
        }
    });
    row.values(values)
}
