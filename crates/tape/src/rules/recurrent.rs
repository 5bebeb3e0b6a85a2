//! Recurrences over whole sequences, fused: the Elman, LSTM and GRU recurrences, each as one node for all steps (see
//! [`wengert_ops::kernel::recurrent`]). The gradient goes backwards through time in one sweep; higher orders use the
//! composite form, step by step in other operations.

use super::prelude::*;
use wengert_ops::kernel::recurrent::{Cell, Sequence};

/// Options of a recurrence.
#[derive(Debug, Clone, Default)]
pub struct RecurrenceOptions {
    /// Whether time runs backwards: each sequence from its own last step to the first. Default: `false`.
    pub reverse: bool,
    /// The number of steps of each sequence, `[batch]`; `None` for all steps. After its last step, a sequence keeps its
    /// state and outputs zeros. Default: `None`.
    pub lengths: Option<Tensor<i64>>,
}

/// Inputs: x, weight, first state, first cell (of an LSTM), bias (if there is one).
struct Recurrence {
    cell: Cell,
    steps: RecurrenceOptions,
    biased: bool,
}

impl Recurrence {
    fn sequence<'a, T: Float>(&'a self, x: &[&'a Tensor<T>]) -> Sequence<'a, T> {
        let lstm = usize::from(self.cell == Cell::Lstm);
        Sequence {
            cell: self.cell,
            reverse: self.steps.reverse,
            lengths: self.steps.lengths.as_ref(),
            x: x[0],
            weight: x[1],
            bias: if self.biased { x.get(3 + lstm).copied() } else { None },
            h: x[2],
            c: if lstm == 1 { x.get(3).copied() } else { None },
        }
    }

    fn pull<T: Float>(&self, r: &BackwardContext<'_, T>) -> Result<Cotangents<Tensor<T>>> {
        let x = (0..r.inputs()).map(|i| r.x(i)).collect::<Result<Vec<_>>>()?;
        let [gy, gh, gc] = [0, 1, 2].map(|i| r.cotangents().get(i).and_then(Option::as_ref));
        let g = self.sequence(&x).adjoint(r.saved(0)?, gy, gh, gc)?;
        let mut all = cotangents([Some(g.x), Some(g.weight), Some(g.h)]);
        if self.cell == Cell::Lstm {
            all.push(Some(g.c));
        }
        if self.biased {
            all.push(Some(g.bias));
        }
        Ok(all)
    }

    /// One step, in other operations.
    fn step<'t, T: Float>(
        &self,
        x: Var<'t, T>,
        g: Var<'t, T>,
        h: Var<'t, T>,
        c: Var<'t, T>,
    ) -> [Var<'t, T>; 2] {
        let n = h.dim(-1);
        let part = |v: Var<'t, T>, k: usize| v.slice(-1, k * n..(k + 1) * n);
        let gate = |k: usize| part(x, k) + part(g, k);
        match self.cell {
            Cell::Tanh => [(x + g).tanh(), c],
            Cell::Relu => [(x + g).relu(), c],
            Cell::Lstm => {
                let c = gate(1).sigmoid() * c + gate(0).sigmoid() * gate(2).tanh();
                [gate(3).sigmoid() * c.tanh(), c]
            }
            Cell::Gru => {
                let (z, new) = (gate(1).sigmoid(), (part(x, 2) + gate(0).sigmoid() * part(g, 2)).tanh());
                [(1.0 - z) * new + z * h, c]
            }
        }
    }
}

impl<T: Float> Op<T> for Recurrence {
    fn name(&self) -> &'static str {
        self.cell.name()
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let run = self.sequence(x).run()?;
        let outputs = [Some(run.y), Some(run.h), run.c].into_iter().flatten().collect();
        Ok(ForwardOutput { outputs, saved: vec![run.saved] })
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        Some(self.pull(r))
    }
    fn composite<'t>(&self, inputs: &[Var<'t, T>]) -> Option<Vec<Var<'t, T>>> {
        let (x, weight, mut h) = (inputs[0], inputs[1], inputs[2]);
        let lstm = self.cell == Cell::Lstm;
        let mut c = if lstm { inputs[3] } else { h };
        let bias = if self.biased { inputs.last().copied() } else { None };
        let (steps, lengths) = (x.dim(0), self.steps.lengths.as_ref().map(Tensor::to_vec));
        let mut y = vec![h; steps];
        for s in 0..steps {
            let t = if self.steps.reverse { steps - 1 - s } else { s };
            let [new_h, new_c] = self.step(x.select(0, t), h.linear(weight, bias), h, c);
            (y[t], h, c) = match &lengths {
                None => (new_h, new_h, new_c),
                Some(lengths) => {
                    let ended: Vec<bool> = lengths.iter().map(|&n| t as i64 >= n).collect();
                    let ended = Tensor::from_vec(ended, [lengths.len(), 1]);
                    let on = |new: Var<'t, T>, old: Var<'t, T>| new.masked_fill(ended.clone(), old);
                    (new_h.masked_fill(ended.clone(), 0.0), on(new_h, h), on(new_c, c))
                }
            };
        }
        let y = if steps == 0 { h.unsqueeze(0).slice(0, 0..0) } else { x.tape().stack(&y, 0) };
        Some(if lstm { vec![y, h, c] } else { vec![y, h] })
    }
    /// The products with the weight; the gates are few operations next to them.
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = outputs;
        let rows = inputs[0].numel() / inputs[0].last().copied().unwrap_or(1).max(1);
        2 * (rows * inputs[1].numel()) as u64
    }
    /// Two products per step: with the weight, and with the states.
    fn backward_flops(&self, inputs: &[&Shape], outputs: &[&Shape], needs: &[bool]) -> u64 {
        let _ = needs;
        2 * Op::<T>::flops(self, inputs, outputs)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::INPUTS
    }
}

impl<'t, T: Float> Var<'t, T> {
    #[track_caller]
    fn recur(
        self,
        cell: Cell,
        weight: Var<'t, T>,
        bias: Option<Var<'t, T>>,
        state: [Option<Var<'t, T>>; 2],
        steps: &RecurrenceOptions,
    ) -> Vec<Var<'t, T>> {
        let mut x = vec![self, weight];
        x.extend(state.into_iter().flatten());
        x.extend(bias);
        let op = Recurrence { cell, steps: steps.clone(), biased: bias.is_some() };
        self.tape().apply_many(op, &x, if cell == Cell::Lstm { 3 } else { 2 })
    }

    /// The LSTM recurrence over all steps, as one node.
    ///
    /// This value holds the inputs' part of the gates, x W_ihᵀ + b_ih, as `[steps, batch, 4 hidden]` with gates i, f, g, o
    /// in that order; `weight` is W_hh `[4 hidden, hidden]`, `bias` b_hh `[4 hidden]`, and the initial state and cell are
    /// `[batch, hidden]`. With a = x + W_hh h + b_hh: c' = σ(a_f) c + σ(a_i) tanh(a_g), h' = σ(a_o) tanh(c'). (Hochreiter
    /// and Schmidhuber 1997, with the forget gate of Gers et al. 2000; the layout is PyTorch's.)
    ///
    /// Returns the states after each step `[steps, batch, hidden]`, the last state, and the last cell.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{RecurrenceOptions, Tape};
    /// let tape = Tape::<f64>::new();
    /// let zeros = |shape: &[usize]| tape.var(Tensor::zeros(shape));
    /// let (x, w, h) = (zeros(&[5, 2, 12]), zeros(&[12, 3]), zeros(&[2, 3]));
    /// let [y, last, cell] = x.lstm(w, None, h, h + 1.0, &RecurrenceOptions::default());
    /// assert_eq!((y.shape().as_shape().to_vec(), last.dims(), cell.dims()), (vec![5, 2, 3], [2, 3], [2, 3]));
    /// assert_eq!(cell.value()?.to_vec()[0], 0.5f64.powi(5));        // a forget gate of one half
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn lstm(
        self,
        weight: Var<'t, T>,
        bias: Option<Var<'t, T>>,
        h: Var<'t, T>,
        c: Var<'t, T>,
        steps: &RecurrenceOptions,
    ) -> [Self; 3] {
        let all = self.recur(Cell::Lstm, weight, bias, [Some(h), Some(c)], steps);
        [all[0], all[1], all[2]]
    }
}

/// Recurrences whose state is one value, each with its cell.
macro_rules! recurrences {
    ($($(#[$doc:meta])* $name:ident $cell:ident;)*) => {
        impl<'t, T: Float> Var<'t, T> {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(
                self,
                weight: Var<'t, T>,
                bias: Option<Var<'t, T>>,
                h: Var<'t, T>,
                steps: &RecurrenceOptions,
            ) -> [Self; 2] {
                let all = self.recur(Cell::$cell, weight, bias, [Some(h), None], steps);
                [all[0], all[1]]
            }
        )*}
    };
}

recurrences! {
    /// The GRU recurrence over all steps, as one node.
    ///
    /// As [`lstm`](Var::lstm), with gates r, z, n in `[steps, batch, 3 hidden]` and no cell. With a = W_hh h + b_hh: r =
    /// σ(x_r + a_r), z = σ(x_z + a_z), n = tanh(x_n + r a_n), h' = (1 - z) n + z h. (Cho et al. 2014, in PyTorch's form.)
    ///
    /// Returns the states after each step and the last state.
    gru Gru;

    /// The Elman recurrence h' = tanh(x + W_hh h + b_hh) over all steps, as one node; otherwise as [`gru`](Var::gru).
    rnn_tanh Tanh;

    /// The recurrence h' = max(x + W_hh h + b_hh, 0) over all steps, as one node; otherwise as [`gru`](Var::gru).
    rnn_relu Relu;
}

pub(super) fn spec() -> Vec<Spec> {
    let cells = [Cell::Lstm, Cell::Gru, Cell::Tanh, Cell::Relu];
    Spec::family(&["lstm", "gru", "rnn_tanh", "rnn_relu"], Order::Second, move |g, which| {
        let n = g.around(1..=2, &[7, 8, 9, 15, 16, 17, 33]);
        let (steps, batch) = (g.pick(&[0, 1, 1, 2, 3]), g.around(0..=2, &[7, 8, 9, 16, 17]));
        let steps = if g.is_large() { g.around(1..=3, &[7, 9, 17]) } else { steps };
        let (width, biased) = (cells[which].gates() * n, g.once_in(2));
        let lengths: Vec<i64> = (0..batch).map(|_| g.within(0..=steps) as i64).collect();
        let lengths = if g.once_in(2) { Some(Tensor::from(lengths)) } else { None };
        // A rectifier's inputs are larger than the contribution of its state, which keeps it away from the kink.
        let (large, small) = match cells[which] {
            Cell::Relu => (Domain::Away(1.5, 2.5), Domain::Between(-0.3 / n as f64, 0.3 / n as f64)),
            // Small weights, so that sums of many terms do not saturate the gates.
            _ if g.is_large() => {
                (Domain::Between(-1.5, 1.5), Domain::Between(-1.5 / n as f64, 1.5 / n as f64))
            }
            _ => (Domain::Between(-1.5, 1.5), Domain::Between(-1.5, 1.5)),
        };
        let mut shapes = vec![vec![width, n], vec![batch, n]];
        if which == 0 {
            shapes.push(vec![batch, n]);
        }
        if biased {
            shapes.push(vec![width]);
        }
        let mut x = vec![g.tensor(&[steps, batch, width], large)];
        x.extend(shapes.iter().map(|shape| g.tensor(shape, small)).collect::<Vec<_>>());
        let steps = RecurrenceOptions { reverse: g.once_in(2), lengths };
        case!(x, [steps], |x| {
            let bias = if biased { x.last().copied() } else { None };
            match which {
                0 => x[0].lstm(x[1], bias, x[2], x[3], &steps).to_vec(),
                1 => x[0].gru(x[1], bias, x[2], &steps).to_vec(),
                2 => x[0].rnn_tanh(x[1], bias, x[2], &steps).to_vec(),
                _ => x[0].rnn_relu(x[1], bias, x[2], &steps).to_vec(),
            }
        })
    })
}
