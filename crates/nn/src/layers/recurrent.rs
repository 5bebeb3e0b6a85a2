//! Recurrent layers: Elman, LSTM and GRU networks, stacked, in one or both directions, over sequences of different lengths.

use crate::init;
use crate::layers::Layer;
use crate::module::{Module, ModulePath, Visitor, VisitorMut};
use wengert_ops::random::Rng;
use wengert_ops::{IntoTensor, Tensor};
use wengert_tape::{Error, ErrorKind, Float, Param, RecurrenceOptions, Tape, Var};

/// The shape of a recurrent network: by default one layer in one direction, with biases.
#[derive(Debug, Clone, PartialEq)]
pub struct RecurrentConfig {
    /// The number of features of the input.
    pub input: usize,
    /// The number of features of the state.
    pub hidden: usize,
    /// The number of stacked layers. Default: `1`.
    pub layers: usize,
    /// Whether a second recurrence runs from the last step to the first; its states are concatenated to those of the first.
    /// Default: `false`.
    pub bidirectional: bool,
    /// The probability with which dropout between layers sets an element to zero in training. Default: `0.0`.
    pub dropout: f64,
    /// Whether the gates have biases. Default: `true`.
    pub bias: bool,
}

impl RecurrentConfig {
    /// One layer in one direction, with biases and without dropout.
    pub fn new(input: usize, hidden: usize) -> Self {
        RecurrentConfig { input, hidden, layers: 1, bidirectional: false, dropout: 0.0, bias: true }
    }

    fn directions(&self) -> usize {
        if self.bidirectional { 2 } else { 1 }
    }
}

/// The start of a recurrent network: the states before the first step, and the lengths of the sequences.
#[derive(Debug, Clone, Default)]
pub struct RnnInput<'t, T: Float> {
    /// The first states, `[layers · directions, batch, hidden]`; `None` for zeros.
    pub h: Option<Var<'t, T>>,
    /// The LSTM's first cells, `[layers · directions, batch, hidden]`; `None` for zeros.
    pub c: Option<Var<'t, T>>,
    /// The number of steps of each sequence, `[batch]`. Steps after the end of a sequence have no influence, and their outputs
    /// are zeros.
    pub lengths: Option<Tensor<i64>>,
}

impl<'t, T: Float> RnnInput<'t, T> {
    /// Sequences of these lengths, with first states of zero.
    ///
    /// # Errors
    /// The error of the operation that computed the lengths, if they are a result that failed.
    #[doc(alias = "PackedSequence")]
    #[doc(alias = "pack_padded_sequence")]
    #[doc(alias = "pack_sequence")]
    pub fn with_lengths(lengths: impl IntoTensor<i64>) -> wengert_tape::Result<Self> {
        Ok(RnnInput { h: None, c: None, lengths: Some(lengths.into_tensor()?) })
    }
}

/// The outputs of a recurrent network.
#[derive(Debug, Clone, Copy)]
pub struct RnnOutput<'t, T: Float> {
    /// The states of the last layer after each step, `[batch, steps, directions · hidden]`.
    pub y: Var<'t, T>,
    /// The last states, `[layers · directions, batch, hidden]`; a sequence that ends early has the states at its end.
    pub h: Var<'t, T>,
    /// The LSTM's last cells, `[layers · directions, batch, hidden]`; `None` for other networks.
    pub c: Option<Var<'t, T>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tanh,
    Relu,
    Lstm,
    Gru,
}

impl Kind {
    fn gates(self) -> usize {
        match self {
            Kind::Tanh | Kind::Relu => 1,
            Kind::Gru => 3,
            Kind::Lstm => 4,
        }
    }
}

/// The weights of one layer in one direction.
#[derive(Debug, Clone)]
struct Weights<T: Float> {
    input: Param<T>,
    hidden: Param<T>,
    biases: Option<[Param<T>; 2]>,
}

/// A recurrent network of any kind.
#[derive(Debug, Clone)]
struct Network<T: Float> {
    kind: Kind,
    config: RecurrentConfig,
    /// The weights of each layer, for each layer the forward direction first.
    weights: Vec<Weights<T>>,
}

impl<T: Float> Network<T> {
    fn new(kind: Kind, config: &RecurrentConfig, rng: &mut Rng) -> Self {
        let bound = 1.0 / (config.hidden.max(1) as f64).sqrt();
        let width = kind.gates() * config.hidden;
        let mut weights = Vec::new();
        for layer in 0..config.layers {
            let inputs = if layer == 0 { config.input } else { config.directions() * config.hidden };
            for _ in 0..config.directions() {
                let mut draw = |shape: &[usize]| Param::new(init::uniform(shape, bound, rng));
                weights.push(Weights {
                    input: draw(&[width, inputs]),
                    hidden: draw(&[width, config.hidden]),
                    biases: if config.bias { Some([draw(&[width]), draw(&[width])]) } else { None },
                });
            }
        }
        Network { kind, config: config.clone(), weights }
    }

    /// The parameters with their names in PyTorch's state dict.
    fn names(&self) -> impl Iterator<Item = String> + use<'_, T> {
        let directions = self.config.directions();
        (0..self.weights.len()).flat_map(move |i| {
            let ending = format!("l{}{}", i / directions, if i % directions == 1 { "_reverse" } else { "" });
            let parts = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"];
            let count = if self.config.bias { 4 } else { 2 };
            parts.into_iter().take(count).map(move |part| format!("{part}_{ending}"))
        })
    }

    #[track_caller]
    fn refuse<'t>(tape: &'t Tape<T>, op: &'static str, detail: String) -> RnnOutput<'t, T> {
        let failed = tape.failed(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), op, detail));
        RnnOutput { y: failed, h: failed, c: Some(failed) }
    }

    /// The state before the first step, for layer and direction `i`.
    #[track_caller]
    fn first<'t>(&self, x: Var<'t, T>, given: Option<Var<'t, T>>, i: usize) -> Var<'t, T> {
        match given {
            Some(all) => all.select(0, i),
            None => x.tape().constant(Tensor::try_full([x.dim(0), self.config.hidden], T::ZERO)),
        }
    }

    #[track_caller]
    fn run<'t>(&self, x: Var<'t, T>, start: &RnnInput<'t, T>) -> RnnOutput<'t, T> {
        let (tape, config, lstm) = (x.tape(), &self.config, self.kind == Kind::Lstm);
        let op = self.op();
        if x.is_failed() {
            return RnnOutput { y: x, h: x, c: Some(x) };
        }
        if x.rank() != 3 || x.dim(2) != config.input {
            let detail = format!("expected x [batch, steps, {}], found {}", config.input, x.shape());
            return Self::refuse(tape, op, detail);
        }
        if self.weights.is_empty() {
            return Self::refuse(tape, op, "expected at least one layer, found none".into());
        }
        let states = [self.weights.len(), x.dim(0), config.hidden];
        for (what, given) in [("states", start.h), ("cells", start.c)] {
            if let Some(given) = given
                && !given.is_failed()
                && given.shape() != states
            {
                let detail = format!("expected first {what} {states:?}, found {}", given.shape());
                return Self::refuse(tape, op, detail);
            }
        }
        let scope = tape.open_scope();
        let mut h = x.transpose(0, 1); // [steps, batch, features]
        let (mut last, mut cells) = (Vec::new(), Vec::new());
        for layer in 0..config.layers {
            let mut sides = Vec::with_capacity(2);
            for direction in 0..config.directions() {
                let i = layer * config.directions() + direction;
                let w = &self.weights[i];
                let (mut bias, mut recurrent_bias) = (None, None);
                if let Some([input, hidden]) = &w.biases {
                    (bias, recurrent_bias) = (Some(tape.param(input)), Some(tape.param(hidden)));
                }
                let gates = h.linear(tape.param(&w.input), bias);
                let steps = RecurrenceOptions { reverse: direction == 1, lengths: start.lengths.clone() };
                let (first, weight) = (self.first(x, start.h, i), tape.param(&w.hidden));
                let [y, state] = match self.kind {
                    Kind::Tanh => gates.rnn_tanh(weight, recurrent_bias, first, &steps),
                    Kind::Relu => gates.rnn_relu(weight, recurrent_bias, first, &steps),
                    Kind::Gru => gates.gru(weight, recurrent_bias, first, &steps),
                    Kind::Lstm => {
                        let cell = self.first(x, start.c, i);
                        let [y, state, cell] = gates.lstm(weight, recurrent_bias, first, cell, &steps);
                        cells.push(cell);
                        [y, state]
                    }
                };
                sides.push(y);
                last.push(state);
            }
            h = if sides.len() == 1 { sides[0] } else { tape.concat(&sides, -1) };
            if layer + 1 < config.layers {
                h = h.dropout(config.dropout);
            }
        }
        let c = if lstm { Some(tape.stack(&cells, 0)) } else { None };
        let (y, h, c) = scope.close((h.transpose(0, 1), tape.stack(&last, 0), c));
        RnnOutput { y, h, c }
    }

    fn op(&self) -> &'static str {
        match self.kind {
            Kind::Tanh | Kind::Relu => "rnn",
            Kind::Gru => "gru",
            Kind::Lstm => "lstm",
        }
    }
}

impl<T: Float> Module for Network<T> {
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        let mut names = self.names();
        for w in &self.weights {
            for p in [&w.input, &w.hidden].into_iter().chain(w.biases.iter().flatten()) {
                if let Some(name) = names.next() {
                    path.enter(&name, |path| p.visit(path, visitor));
                }
            }
        }
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        let names: Vec<String> = self.names().collect();
        let mut names = names.iter();
        for w in &mut self.weights {
            for p in [&mut w.input, &mut w.hidden].into_iter().chain(w.biases.iter_mut().flatten()) {
                if let Some(name) = names.next() {
                    path.enter(name, |path| p.visit_mut(path, visitor));
                }
            }
        }
    }
}

macro_rules! network {
    ($($(#[$doc:meta])* $name:ident $kind:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name<T: Float>(Network<T>);

        impl<T: Float> $name<T> {
            /// A network of one layer and one direction; see [`with_config`](Self::with_config).
            ///
            /// # Panics
            /// If a weight does not fit in memory.
            pub fn new(input: usize, hidden: usize, rng: &mut Rng) -> Self {
                Self::with_config(&RecurrentConfig::new(input, hidden), rng)
            }

            /// A network whose weights and biases are uniform on ±1/√hidden, PyTorch's default.
            ///
            /// # Panics
            /// If a weight does not fit in memory.
            pub fn with_config(config: &RecurrentConfig, rng: &mut Rng) -> Self {
                $name(Network::new($kind, config, rng))
            }

            /// The shape of the network.
            pub fn config(&self) -> &RecurrentConfig {
                &self.0.config
            }

            /// The network on `x`, `[batch, steps, input]`, from the given states and up to the given lengths.
            #[track_caller]
            pub fn run<'t>(&self, x: Var<'t, T>, start: &RnnInput<'t, T>) -> RnnOutput<'t, T> {
                self.0.run(x, start)
            }
        }

        impl<T: Float> Module for $name<T> {
            fn kind(&self) -> &'static str {
                stringify!($name)
            }
            fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
                visitor.enter(path, stringify!($name));
                self.0.visit(path, visitor);
                visitor.leave(path);
            }
            fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
                self.0.visit_mut(path, visitor);
            }
        }

        /// The states after each step: `[batch, steps, input]` → `[batch, steps, directions · hidden]`.
        impl<T: Float> Layer<T> for $name<T> {
            fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
                self.0.run(x, &RnnInput::default()).y
            }
        }
    )*};
}
network! {
    /// Elman's recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh).
    ///
    /// Weights have PyTorch's names: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, with the suffix `_reverse` for
    /// the second direction. The batch is the first axis of sequences.
    ///
    /// ```
    /// use wengert_nn::{Module, RecurrentConfig, Rnn, RnnInput};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let config = RecurrentConfig { layers: 2, bidirectional: true, ..RecurrentConfig::new(3, 5) };
    /// let rnn = Rnn::<f64>::with_config(&config, &mut Rng::seed(0));
    /// assert_eq!(rnn.param_names()[..5], [
    ///     "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_ih_l0_reverse",
    /// ]);
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.constant(Tensor::ones([2, 7, 3]));
    /// let out = rnn.run(x, &RnnInput::with_lengths(Tensor::from([7, 4]))?);
    /// assert_eq!((out.y.shape().to_string(), out.h.shape().to_string()), ("[2, 7, 10]".into(), "[4, 2, 5]".into()));
    /// assert_eq!(out.y.value()?.get(&[1, 5, 0])?, 0.0);           // after the end of the second sequence
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    Rnn Kind::Tanh;
    /// The recurrent network h' = max(W_ih x + b_ih + W_hh h + b_hh, 0). Everything else is as in [`Rnn`].
    ReluRnn Kind::Relu;
    /// Long short-term memory: gates i, f, g, o; c' = σ(f) c + σ(i) tanh(g), h' = σ(o) tanh(c'). (Hochreiter and Schmidhuber
    /// 1997, with the forget gate of Gers, Schmidhuber and Cummins 2000.)
    ///
    /// Everything else is as in [`Rnn`]; the cells are in [`RnnOutput::c`].
    Lstm Kind::Lstm;
    /// The gated recurrent unit: r = σ(..), z = σ(..), n = tanh(W_in x + b_in + r (W_hn h + b_hn)), h' = (1 - z) n + z h. (Cho et
    /// al. 2014, in PyTorch's form.) Everything else is as in [`Rnn`].
    Gru Kind::Gru;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;

    fn input(shape: [usize; 3]) -> Tensor<f64> {
        Tensor::randn(shape, &mut Rng::seed(7)).unwrap()
    }

    fn config() -> RecurrentConfig {
        RecurrentConfig { layers: 2, bidirectional: true, dropout: 0.2, ..RecurrentConfig::new(2, 3) }
    }

    /// A loss that depends on outputs, states and cells, with learned first states.
    fn everything<'t>(out: RnnOutput<'t, f64>) -> Var<'t, f64> {
        let cells = out.c.unwrap_or(out.h);
        (out.y * 1.3).square().sum() + out.h.sin().sum() + cells.cos().sum()
    }

    #[test]
    fn gradients_are_right_with_layers_directions_lengths_and_dropout() {
        let (x, lengths) = (input([3, 4, 2]), Tensor::from([4, 1, 2]));
        let start = || RnnInput::with_lengths(&lengths).unwrap();
        macro_rules! check {
            ($($name:ident)*) => {$(
                let mut model = $name::<f64>::with_config(&config(), &mut Rng::seed(1));
                let report = gradcheck::check(
                    &mut model,
                    |m, tape| everything(m.run(tape.constant(&x), &start())),
                    3,
                )
                .unwrap();
                assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{}: {report:?}", stringify!($name));
            )*};
        }
        check!(Rnn Lstm Gru);
    }

    #[test]
    fn first_states_have_gradients() {
        let model = Lstm::<f64>::with_config(&config(), &mut Rng::seed(1));
        let states: Tensor<f64> = Tensor::randn([4, 1, 3], &mut Rng::seed(3)).unwrap();
        let x = input([1, 1, 2]); // one step of one sequence
        let report = wengert_tape::gradcheck::Check::new("first states").run(
            |s| {
                let x = s[0].tape().constant(&x);
                everything(model.run(x, &RnnInput { h: Some(s[0]), c: Some(s[1]), lengths: None }))
            },
            &[states.clone(), states.scale(-0.5)],
        );
        assert!(report.passed(), "{report}");
    }

    #[test]
    fn what_lies_behind_the_end_has_no_influence() {
        let model = Gru::<f64>::with_config(&RecurrentConfig { dropout: 0.0, ..config() }, &mut Rng::seed(1));
        let x = input([2, 5, 2]);
        let tape = Tape::new();
        let alone = |i: usize, n: usize| {
            let x = x.narrow_rows(i, n);
            let out = model.run(tape.constant(x), &RnnInput::default());
            (out.y.value().unwrap().to_vec(), out.h.value().unwrap().to_vec())
        };
        let out = model.run(tape.constant(&x), &RnnInput::with_lengths(Tensor::from([5, 3])).unwrap());
        for (i, n) in [(0, 5), (1, 3)] {
            let (y, h) = alone(i, n);
            let together = out.y.select(0, i).slice(0, 0..n).value().unwrap().to_vec();
            assert!(together.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-14));
            let states = out.h.slice(1, i..i + 1).value().unwrap().to_vec();
            assert!(states.iter().zip(&h).all(|(a, b)| (a - b).abs() < 1e-14));
        }
        assert_eq!(out.y.select(0, 1).slice(0, 3..5).value().unwrap().to_vec(), [0.0; 12]);
    }

    trait Rows {
        fn narrow_rows(&self, i: usize, n: usize) -> Tensor<f64>;
    }
    impl Rows for Tensor<f64> {
        fn narrow_rows(&self, i: usize, n: usize) -> Tensor<f64> {
            self.slice(0, i..i + 1).unwrap().slice(1, 0..n).unwrap()
        }
    }

    #[test]
    fn wrong_shapes_are_refused_with_what_was_expected() {
        let model = Lstm::<f64>::with_config(&config(), &mut Rng::seed(1));
        let tape = Tape::new();
        let says = |out: RnnOutput<'_, f64>, words: &str| {
            let e = out.y.value().unwrap_err();
            assert!(e.op() == "lstm" && e.to_string().contains(words), "{e}");
            assert!(out.h.is_failed() && out.c.unwrap().is_failed());
            assert_eq!(e.location().map(|at| at.file()), Some(file!()));
        };
        let x = tape.constant(input([2, 4, 2]));
        says(model.run(x.select(0, 0), &RnnInput::default()), "expected x [batch, steps, 2], found [4, 2]");
        says(model.run(tape.constant(input([2, 4, 3])), &RnnInput::default()), "found [2, 4, 3]");
        let start = RnnInput { h: Some(x), ..RnnInput::default() };
        says(model.run(x, &start), "expected first states [4, 2, 3], found [2, 4, 2]");
        let long = RnnInput::with_lengths(Tensor::from([4, 5])).unwrap();
        says(model.run(x, &long), "length 5 is out of range for 4 steps");
        let none = Lstm::<f64>::with_config(&RecurrentConfig { layers: 0, ..config() }, &mut Rng::seed(1));
        says(none.run(x, &RnnInput::default()), "at least one layer");
    }
}
