//! Sequence to sequence: a recurrent encoder, and a recurrent decoder with attention to it.

use crate::Module;
use crate::layers::{Embedding, Gru, Layer, Linear, RecurrentConfig, RnnInput};
use crate::loss::CrossEntropy;
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Result, Tape, Var};

/// The shape of a [`Seq2Seq`].
#[derive(Debug, Clone, PartialEq)]
pub struct Seq2SeqConfig {
    /// The number of ids in the source vocabulary. Default: `32`.
    pub source: usize,
    /// The number of ids in the target vocabulary. Default: `32`.
    pub target: usize,
    /// The width of an id's vector. Default: `32`.
    pub embedding: usize,
    /// The number of features of the states. Default: `64`.
    pub hidden: usize,
    /// The id that pads sequences to one length, in both vocabularies. Default: `0`.
    pub padding: i64,
}

impl Default for Seq2SeqConfig {
    fn default() -> Self {
        Seq2SeqConfig { source: 32, target: 32, embedding: 32, hidden: 64, padding: 0 }
    }
}

/// An encoder-decoder of p(y | x) = Π p(y_t | y_1, .., y_{t-1}, x): a bidirectional GRU reads the source, a GRU writes the
/// target, and each of its states attends to all states of the encoder. (Sutskever et al. 2014; dot-product attention: Luong
/// et al. 2015, section 3.1.)
///
/// Source `[n, s]` and target `[n, t]` are ids, padded with the padding id.
///
/// ```
/// use wengert_nn::zoo::{Seq2Seq, Seq2SeqConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// let model = Seq2Seq::<f32>::with_config(&Seq2SeqConfig::default(), &mut Rng::seed(0));
/// let (x, y) = (Tensor::from([[5, 6, 7], [8, 9, 0]]), Tensor::from([[1, 4, 2, 0], [1, 3, 3, 2]]));
/// let tape = wengert_tape::Tape::new();
/// let logits = model.logits(&tape, &x, &y);                  // logits of the id after each of y's
/// assert_eq!(logits.shape(), [2, 4, 32]);
/// ```
#[derive(Debug, Clone, Module)]
pub struct Seq2Seq<T: Float> {
    /// The vectors of the source ids, `[source ids, embedding]`.
    pub source: Embedding<T>,
    /// The vectors of the target ids, `[target ids, embedding]`.
    pub target: Embedding<T>,
    /// The bidirectional layer that reads the source: `[n, s, embedding]` → `[n, s, 2 · hidden]`.
    pub encoder: Gru<T>,
    /// The linear map from the encoder's last states to the decoder's first state, 2 · hidden → hidden.
    pub bridge: Linear<T>,
    /// The layer that writes the target: `[n, t, embedding]` → `[n, t, hidden]`.
    pub decoder: Gru<T>,
    /// The linear map from the encoder's states to the keys of the attention, 2 · hidden → hidden.
    pub keys: Linear<T>,
    /// The linear map from the decoder's state and the context to features, 3 · hidden → hidden.
    pub combine: Linear<T>,
    /// The linear map from features to logits, hidden → target ids.
    pub head: Linear<T>,
    /// The id that pads sequences to one length, in both vocabularies.
    pub padding: i64,
}

/// The source in the form that the decoder reads.
struct Memory<'t, T: Float> {
    keys: Var<'t, T>,
    values: Var<'t, T>,
    /// Whether each id of the source is padding, `[n, 1, s]`.
    ended: Tensor<bool>,
    /// The decoder's first state, `[1, n, hidden]`.
    state: Var<'t, T>,
}

impl<T: Float> Seq2Seq<T> {
    /// A model with PyTorch's default weights.
    pub fn with_config(config: &Seq2SeqConfig, rng: &mut Rng) -> Self {
        let Seq2SeqConfig { embedding, hidden, padding, .. } = *config;
        let both = RecurrentConfig { bidirectional: true, ..RecurrentConfig::new(embedding, hidden) };
        Seq2Seq {
            source: Embedding::new(config.source, embedding, rng),
            target: Embedding::new(config.target, embedding, rng),
            encoder: Gru::with_config(&both, rng),
            bridge: Linear::new(2 * hidden, hidden, rng),
            decoder: Gru::with_config(&RecurrentConfig::new(embedding, hidden), rng),
            keys: Linear::new(2 * hidden, hidden, rng).without_bias(),
            combine: Linear::new(3 * hidden, hidden, rng),
            head: Linear::new(hidden, config.target, rng),
            padding,
        }
    }

    /// The number of ids before the padding in each row.
    fn lengths(&self, ids: &Tensor<i64>) -> Result<Tensor<i64>> {
        let steps = ids.shape().last().copied().unwrap_or(0).max(1);
        let count = |row: &[i64]| row.iter().rposition(|&id| id != self.padding).map_or(0, |i| i as i64 + 1);
        Ok(Tensor::from(ids.to_vec().chunks(steps).map(count).collect::<Vec<_>>()))
    }

    #[track_caller]
    fn read<'t>(&self, tape: &'t Tape<T>, source: &Tensor<i64>) -> Result<Memory<'t, T>> {
        let start = RnnInput::with_lengths(self.lengths(source)?)?;
        let out = self.encoder.run(self.source.forward(tape, source), &start);
        let (forward, backward) = (out.h.select(0, 0), out.h.select(0, 1));
        let state = self.bridge.forward(tape.concat(&[forward, backward], 1)).tanh().unsqueeze(0);
        let ended = source.eq(Tensor::scalar(self.padding))?.unsqueeze(1)?;
        Ok(Memory { keys: self.keys.forward(out.y), values: out.y, ended, state })
    }

    /// Logits `[n, t, target ids]`, the decoder's state after ids `[n, t]`, and the attention weights `[n, t, s]`.
    #[track_caller]
    fn write<'t>(
        &self,
        ids: &Tensor<i64>,
        memory: &Memory<'t, T>,
        state: Var<'t, T>,
    ) -> (Var<'t, T>, Var<'t, T>, Var<'t, T>) {
        let tape = state.tape();
        let start = RnnInput { h: Some(state), ..RnnInput::default() };
        let out = self.decoder.run(self.target.forward(tape, ids), &start);
        let scores = out.y.matmul(memory.keys.t()); // [n, t, s]
        let attention = scores.masked_fill(&memory.ended, -1e9).softmax(-1);
        let context = attention.matmul(memory.values); // [n, t, 2 hidden]
        let features = self.combine.forward(tape.concat(&[out.y, context], -1)).tanh();
        (self.head.forward(features), out.h, attention)
    }

    /// Logits of the id after each target id, given the source: `[n, s]`, `[n, t]` → `[n, t, target ids]`.
    #[track_caller]
    pub fn logits<'t>(&self, tape: &'t Tape<T>, source: &Tensor<i64>, target: &Tensor<i64>) -> Var<'t, T> {
        let scope = tape.open_scope();
        match self.read(tape, source) {
            Ok(memory) => scope.close(self.write(target, &memory, memory.state).0),
            Err(e) => tape.failed(e),
        }
    }

    /// The mean of -log p(y_t | y_1, .., y_{t-1}, x) over the target ids that are not padding, in nats. The target begins with
    /// the begin id and ends with the end id.
    #[track_caller]
    pub fn loss<'t>(&self, tape: &'t Tape<T>, source: &Tensor<i64>, target: &Tensor<i64>) -> Var<'t, T> {
        match teacher_forced(target) {
            Ok((given, next)) => loss_but_padding(self.logits(tape, source, &given), &next, self.padding),
            Err(e) => tape.failed(e),
        }
    }

    /// A translation of one source by the most probable id at each step, from `begin` until `end` or `longest` ids; and the
    /// attention weights, one row per written id with one weight per source id.
    ///
    /// # Errors
    /// If an id is not in its vocabulary.
    pub fn translate(
        &self,
        source: &[i64],
        begin: i64,
        end: i64,
        longest: usize,
    ) -> Result<(Vec<i64>, Vec<Vec<T>>)> {
        let tape = Tape::eval();
        let memory = self.read(&tape, &Tensor::from_slice(source, [1, source.len()])?)?;
        let (mut state, mut id, mut written, mut looks) = (memory.state, begin, Vec::new(), Vec::new());
        while written.len() < longest {
            let (logits, next, attention) = self.write(&Tensor::from([[id]]), &memory, state);
            id = logits.value()?.argmax(-1)?.item()?;
            if id == end {
                break;
            }
            written.push(id);
            looks.push(attention.value()?.to_vec());
            state = next;
        }
        Ok((written, looks))
    }
}

/// The ids of targets `[n, t]` that the decoder reads, and those that it must predict, `[n, t - 1]` each.
#[track_caller]
pub(super) fn teacher_forced(target: &Tensor<i64>) -> Result<(Tensor<i64>, Tensor<i64>)> {
    let steps = target.shape().last().copied().unwrap_or(0);
    Ok((target.slice(-1, 0..steps.saturating_sub(1))?, target.slice(-1, steps.min(1)..)?))
}

/// The mean of -log p(next) over the ids that are not padding.
#[track_caller]
pub(super) fn loss_but_padding<'t, T: Float>(
    logits: Var<'t, T>,
    next: &Tensor<i64>,
    padding: i64,
) -> Var<'t, T> {
    let mean = CrossEntropy { ignore_index: Some(padding), ..CrossEntropy::default() };
    mean.of(logits, next)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::optim::{Adam, Optimizer};

    /// The loss of a pair of sequences.
    type Loss<M> = for<'t> fn(&M, &'t Tape<f64>, &Tensor<i64>, &Tensor<i64>) -> Var<'t, f64>;

    /// Asserts that the gradient of a model of pairs is right, and that padding has no influence on its loss.
    pub(in crate::zoo) fn has_right_gradient_and_padding<M: Module>(model: &mut M, loss: Loss<M>) {
        let (x, y) = (Tensor::from([[1, 2, 3], [4, 0, 0]]), Tensor::from([[1, 3, 4, 2], [1, 5, 2, 0]]));
        let report = gradcheck::check(model, |m, tape| loss(m, tape, &x, &y), 3).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        let tape = Tape::eval();
        let loss = |x: Tensor<i64>, y: Tensor<i64>| loss(model, &tape, &x, &y).item().unwrap();
        let short = loss(Tensor::from([[4, 1]]), Tensor::from([[1, 5, 2]]));
        let long = loss(Tensor::from([[4, 1, 0, 0, 0]]), Tensor::from([[1, 5, 2, 0, 0]]));
        assert!((short - long).abs() < 1e-12, "{short} {long}");
    }

    #[test]
    fn gradients_are_right_and_padding_has_no_influence() {
        let config = Seq2SeqConfig { source: 5, target: 6, embedding: 3, hidden: 4, padding: 0 };
        let mut model = Seq2Seq::<f64>::with_config(&config, &mut Rng::seed(1));
        has_right_gradient_and_padding(&mut model, |m, tape, x, y| m.loss(tape, x, y));
    }

    /// The task is to reverse sequences of two to five ids.
    #[test]
    fn it_learns_to_reverse_and_looks_where_it_must() {
        const BEGIN: i64 = 1;
        const END: i64 = 2;
        let config = Seq2SeqConfig { source: 8, target: 8, embedding: 16, hidden: 32, padding: 0 };
        let mut model = Seq2Seq::<f32>::with_config(&config, &mut Rng::seed(0));
        let mut rng = Rng::seed(3);
        let (mut adam, mut tape) = (Adam::new(5e-3), Tape::train(0));
        let mut draw = |n: usize| {
            let u: Tensor<f64> = wengert_ops::random::uniform([n, 6], 0.0, 1.0, rng.next_key()).unwrap();
            let rows: Vec<Vec<i64>> = u
                .to_vec()
                .chunks(6)
                .map(|u| u[..2 + (u[5] * 4.0) as usize].iter().map(|u| 3 + (u * 5.0) as i64).collect())
                .collect();
            rows
        };
        let filled = |rows: &[Vec<i64>], width: usize| {
            let ids: Vec<i64> = rows
                .iter()
                .flat_map(|r| r.iter().copied().chain([0; 9]).take(width).collect::<Vec<_>>())
                .collect();
            Tensor::from_vec(ids, [rows.len(), width]).unwrap()
        };
        let backwards = |rows: &[Vec<i64>]| -> Vec<Vec<i64>> {
            rows.iter()
                .map(|r| [BEGIN].into_iter().chain(r.iter().rev().copied()).chain([END]).collect())
                .collect()
        };
        for _ in 0..250 {
            let rows = draw(32);
            tape.reset();
            let loss = model.loss(&tape, &filled(&rows, 5), &filled(&backwards(&rows), 7));
            adam.step(&mut model, &loss.backward().unwrap()).unwrap();
        }
        let test = draw(50);
        let right = test.iter().filter(|row| {
            let (written, _) = model.translate(row, BEGIN, END, 9).unwrap();
            written.iter().rev().eq(row.iter())
        });
        let right = right.count();
        assert!(right >= 45, "{right} of 50 reversed");
        let (_, looks) = model.translate(&[3, 4, 5, 6, 7], BEGIN, END, 9).unwrap();
        assert!(looks.iter().all(|row| row.len() == 5 && (row.iter().sum::<f32>() - 1.0).abs() < 1e-5));
    }
}
