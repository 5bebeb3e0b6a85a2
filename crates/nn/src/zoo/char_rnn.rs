//! A recurrent language model.

use super::LanguageModel;
use crate::Module;
use crate::layers::{
    Dropout, Embedding, Gru, Layer, Linear, Lstm, RecurrentConfig, Rnn, RnnInput, RnnOutput,
};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Result, Tape, Var};

/// The kind of a [`CharRnn`]'s recurrent layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrence {
    /// Elman's network, an [`Rnn`](crate::Rnn).
    Rnn,
    /// Long short-term memory, an [`Lstm`](crate::Lstm).
    Lstm,
    /// The gated recurrent unit, a [`Gru`](crate::Gru).
    Gru,
}

/// The shape of a [`CharRnn`].
#[derive(Debug, Clone, PartialEq)]
pub struct CharRnnConfig {
    /// The number of ids in the vocabulary. Default: `65`.
    pub vocabulary: usize,
    /// The width of an id's vector. Default: `64`.
    pub embedding: usize,
    /// The kind of the recurrent layer. Default: `Lstm`.
    pub recurrence: Recurrence,
    /// The number of features of the state. Default: `256`.
    pub hidden: usize,
    /// The number of recurrent layers. Default: `1`.
    pub layers: usize,
    /// The probability of dropping a feature between layers and before the head. Default: `0.0`.
    pub dropout: f64,
}

impl Default for CharRnnConfig {
    fn default() -> Self {
        CharRnnConfig {
            vocabulary: 65,
            embedding: 64,
            recurrence: Recurrence::Lstm,
            hidden: 256,
            layers: 1,
            dropout: 0.0,
        }
    }
}

/// A recurrent language model of characters (or any ids): embedding, recurrence, linear head; ids `[n, steps]` → logits
/// `[n, steps, vocabulary]`. (Mikolov et al. 2010; on characters, Sutskever et al. 2011.)
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer};
/// use wengert_nn::zoo::{CharRnn, CharRnnConfig, LanguageModel};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let config = CharRnnConfig { vocabulary: 3, embedding: 4, hidden: 8, ..CharRnnConfig::default() };
/// let mut model = CharRnn::<f32>::with_config(&config, &mut Rng::seed(0));
/// let (ids, next) = (Tensor::from([[0, 1, 2, 0, 1, 2]]), Tensor::from([[1, 2, 0, 1, 2, 0]]));
/// let (mut adam, mut tape, mut loss) = (Adam::new(0.05), Tape::train(0), f32::MAX);
/// for _ in 0..60 {
///     tape.reset();
///     let l = model.loss(&tape, &ids, &next);
///     loss = l.item()?;
///     adam.step(&mut model, &l.backward()?)?;
/// }
/// assert!(loss < 0.1);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct CharRnn<T: Float> {
    /// The table of the ids' vectors, `[vocabulary, embedding]`.
    pub embedding: Embedding<T>,
    /// The recurrent layer, if it is Elman's.
    pub rnn: Option<Rnn<T>>,
    /// The recurrent layer, if it is an LSTM.
    pub lstm: Option<Lstm<T>>,
    /// The recurrent layer, if it is a GRU.
    pub gru: Option<Gru<T>>,
    /// The dropout before the head.
    pub dropout: Dropout,
    /// The linear map from states to logits, hidden → vocabulary.
    pub head: Linear<T>,
}

/// The last states of a [`CharRnn`], and the last cells of an LSTM.
#[derive(Debug, Clone, Default)]
pub struct CharRnnMemory<T: Float>(Option<(Tensor<T>, Option<Tensor<T>>)>);

impl<T: Float> CharRnn<T> {
    /// A model with PyTorch's default weights.
    pub fn with_config(config: &CharRnnConfig, rng: &mut Rng) -> Self {
        let embedding = Embedding::new(config.vocabulary, config.embedding, rng);
        let shape = RecurrentConfig {
            layers: config.layers,
            dropout: config.dropout,
            ..RecurrentConfig::new(config.embedding, config.hidden)
        };
        let (mut rnn, mut lstm, mut gru) = (None, None, None);
        match config.recurrence {
            Recurrence::Rnn => rnn = Some(Rnn::with_config(&shape, rng)),
            Recurrence::Lstm => lstm = Some(Lstm::with_config(&shape, rng)),
            Recurrence::Gru => gru = Some(Gru::with_config(&shape, rng)),
        }
        let head = Linear::new(config.hidden, config.vocabulary, rng);
        CharRnn { embedding, rnn, lstm, gru, dropout: Dropout::new(config.dropout), head }
    }

    #[track_caller]
    fn run<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>, start: &RnnInput<'t, T>) -> RnnOutput<'t, T> {
        let x = self.embedding.forward(tape, ids);
        match (&self.rnn, &self.lstm, &self.gru) {
            (Some(rnn), _, _) => rnn.run(x, start),
            (_, Some(lstm), _) => lstm.run(x, start),
            (_, _, Some(gru)) => gru.run(x, start),
            // Without a recurrent layer, the head reads the last id alone.
            _ => RnnOutput { y: x, h: x, c: None },
        }
    }
}

impl<T: Float> LanguageModel<T> for CharRnn<T> {
    type Memory = CharRnnMemory<T>;

    fn vocabulary(&self) -> usize {
        self.head.weight.shape()[0]
    }

    fn logits<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>) -> Var<'t, T> {
        let scope = tape.open_scope();
        let y = self.run(tape, ids, &RnnInput::default()).y;
        scope.close(self.head.forward(self.dropout.forward(y)))
    }

    fn go_on(&self, ids: &Tensor<i64>, memory: &mut Self::Memory) -> Result<Tensor<T>> {
        let tape = Tape::eval();
        let mut start = RnnInput::default();
        if let Some((h, c)) = &memory.0 {
            start.h = Some(tape.constant(h));
            if let Some(c) = c {
                start.c = Some(tape.constant(c));
            }
        }
        let out = self.run(&tape, ids, &start);
        let last = self.head.forward(out.y.select(1, out.y.dim(1).saturating_sub(1))).value()?;
        let c = match out.c {
            Some(c) => Some(c.value()?),
            None => None,
        };
        memory.0 = Some((out.h.value()?, c));
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::zoo::{Decoding, generate};

    fn model(recurrence: Recurrence) -> CharRnn<f64> {
        let config =
            CharRnnConfig { vocabulary: 4, embedding: 3, recurrence, hidden: 5, layers: 2, dropout: 0.1 };
        CharRnn::with_config(&config, &mut Rng::seed(1))
    }

    #[test]
    fn gradients_are_right() {
        let (ids, next) = (Tensor::from([[0, 3, 1], [2, 2, 0]]), Tensor::from([[3, 1, 1], [2, 0, 1]]));
        for recurrence in [Recurrence::Rnn, Recurrence::Lstm, Recurrence::Gru] {
            let mut model = model(recurrence);
            let report = gradcheck::check(&mut model, |m, tape| m.loss(tape, &ids, &next), 3).unwrap();
            assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{recurrence:?}: {report:?}");
        }
    }

    #[test]
    fn going_on_from_a_memory_is_the_whole_pass() {
        for recurrence in [Recurrence::Rnn, Recurrence::Lstm, Recurrence::Gru] {
            let model = model(recurrence);
            let tape = Tape::eval();
            let whole =
                model.logits(&tape, &Tensor::from([[1, 2, 3, 0]])).select(1, 3).value().unwrap().to_vec();
            let mut memory = CharRnnMemory::default();
            model.go_on(&Tensor::from([[1, 2]]), &mut memory).unwrap();
            model.go_on(&Tensor::from([[3]]), &mut memory).unwrap();
            let last = model.go_on(&Tensor::from([[0]]), &mut memory).unwrap().to_vec();
            assert!(last.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-14), "{last:?} {whole:?}");
        }
    }

    #[test]
    fn draws_are_those_of_the_seed_and_the_rules_hold() {
        let model = model(Recurrence::Gru);
        let draw = |how, seed| generate(&model, &[1], 30, how, &mut Rng::seed(seed)).unwrap();
        let hot = Decoding::default();
        assert_eq!(draw(hot, 3), draw(hot, 3));
        assert_ne!(draw(hot, 3), draw(hot, 4));
        // At a temperature near 0, or with a single id to draw from, the result is the most probable ids, whatever the seed.
        let cold = Decoding { temperature: 1e-6, top_k: None };
        let one = Decoding { temperature: 1.0, top_k: Some(1) };
        assert_eq!(draw(cold, 1), draw(cold, 2));
        assert_eq!(draw(cold, 1), draw(one, 5));
        assert!(generate(&model, &[], 3, hot, &mut Rng::seed(0)).is_err());
        assert!(generate(&model, &[9], 3, hot, &mut Rng::seed(0)).is_err());
        let frozen = Decoding { temperature: 0.0, top_k: None };
        assert!(generate(&model, &[1], 3, frozen, &mut Rng::seed(0)).is_err());
    }
}
