//! A decoder-only Transformer.

use super::LanguageModel;
use super::vit::blocks;
use crate::Module;
use crate::init::Scheme;
use crate::layers::{
    AttentionMask, Dropout, Embedding, KvCache, Layer, LearnedPositions, TransformerEncoder,
};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Error, ErrorKind, Float, Result, Tape, Var};

/// The shape of a [`Gpt`].
#[derive(Debug, Clone, PartialEq)]
pub struct GptConfig {
    /// The number of ids in the vocabulary. Default: `65`.
    pub vocabulary: usize,
    /// The largest number of steps of a sequence. Default: `128`.
    pub context: usize,
    /// The number of features of each step. Default: `128`.
    pub width: usize,
    /// The number of heads, which divides the width. Default: `4`.
    pub heads: usize,
    /// The number of blocks. Default: `4`.
    pub layers: usize,
    /// The probability of dropping a feature. Default: `0.1`.
    pub dropout: f64,
}

impl Default for GptConfig {
    fn default() -> Self {
        GptConfig { vocabulary: 65, context: 128, width: 128, heads: 4, layers: 4, dropout: 0.1 }
    }
}

/// A GPT-style language model: token and position vectors; blocks of causal self-attention and a feed-forward part, with the
/// norms first; a final norm; and the token table as head; ids `[n, steps]` → logits `[n, steps, vocabulary]`. (Radford et al.
/// 2018, 2019.)
///
/// ```
/// use wengert_nn::Module;
/// use wengert_nn::zoo::{Gpt, GptConfig, LanguageModel};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = GptConfig { vocabulary: 10, context: 8, width: 16, heads: 2, layers: 2, dropout: 0.0 };
/// let model = Gpt::<f32>::with_config(&config, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(model.logits(&tape, &Tensor::from([[1, 2, 3]])).shape(), [1, 3, 10]);
/// ```
#[derive(Debug, Clone, Module)]
pub struct Gpt<T: Float> {
    /// The table of the ids' vectors, `[vocabulary, width]`, which is also the map from states to logits.
    pub tokens: Embedding<T>,
    /// The learned vectors of the positions, `[context, width]`, which are added to those of the ids.
    pub positions: LearnedPositions<T>,
    /// The dropout after the sum of the vectors.
    pub dropout: Dropout,
    /// The blocks, `[n, steps, width]` into the same shape.
    pub blocks: TransformerEncoder<T>,
}

/// What a [`Gpt`] keeps of the ids so far: their keys and values, and the ids that are still in the context.
#[derive(Debug, Clone, Default)]
pub struct GptMemory<T: Float> {
    caches: Vec<KvCache<T>>,
    ids: Vec<i64>,
}

impl<T: Float> Gpt<T> {
    /// A model whose id and position vectors have a standard deviation of 0.02.
    pub fn with_config(config: &GptConfig, rng: &mut Rng) -> Self {
        let tokens = Embedding::new(config.vocabulary, config.width, rng).init(Scheme::Normal(0.02), rng);
        let positions = LearnedPositions::new(config.context, config.width, rng);
        let blocks = blocks(config.width, config.heads, config.layers, config.dropout);
        Gpt {
            tokens,
            positions,
            dropout: Dropout::new(config.dropout),
            blocks: TransformerEncoder::with_config(&blocks, rng),
        }
    }

    /// The largest number of steps of a sequence.
    pub fn context(&self) -> usize {
        self.positions.weight.shape()[0]
    }

    #[track_caller]
    fn embed<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>, offset: usize) -> Var<'t, T> {
        self.dropout.forward(self.positions.forward_at(self.tokens.forward(tape, ids), offset))
    }
}

impl<T: Float> LanguageModel<T> for Gpt<T> {
    type Memory = GptMemory<T>;

    fn vocabulary(&self) -> usize {
        self.tokens.weight.shape()[0]
    }

    fn logits<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>) -> Var<'t, T> {
        let scope = tape.open_scope();
        let h = self.blocks.run(self.embed(tape, ids, 0), &AttentionMask::new().causal());
        scope.close(self.tokens.project(h))
    }

    /// Takes one sequence at a time. When the context is full, the model continues from the later half of it.
    fn go_on(&self, ids: &Tensor<i64>, memory: &mut Self::Memory) -> Result<Tensor<T>> {
        let new = ids.to_vec();
        if ids.rank() != 2 || ids.shape()[0] != 1 || new.is_empty() {
            let detail = format!("expected ids [1, steps] of one step or more, found {}", ids.shape());
            return Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), "gpt", detail));
        }
        let mut offset = memory.ids.len();
        let mut fresh = new.clone();
        if offset + new.len() > self.context() || memory.caches.is_empty() {
            memory.ids.extend(&new);
            let keep = if memory.ids.len() > self.context() { self.context() / 2 } else { memory.ids.len() };
            fresh = memory.ids.split_off(memory.ids.len() - keep.max(1));
            (offset, memory.caches) = (0, self.blocks.caches());
            memory.ids = fresh.clone();
        } else {
            memory.ids.extend(&new);
        }
        let tape = Tape::eval();
        let x = self.embed(&tape, &Tensor::from_slice(&fresh, [1, fresh.len()])?, offset);
        let h = self.blocks.step(x, &mut memory.caches);
        self.tokens.project(h.select(1, fresh.len() - 1)).value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::optim::{Adam, Optimizer};
    use crate::zoo::{Decoding, generate};

    fn small(dropout: f64) -> Gpt<f64> {
        let config = GptConfig { vocabulary: 5, context: 6, width: 8, heads: 2, layers: 2, dropout };
        Gpt::with_config(&config, &mut Rng::seed(1))
    }

    #[test]
    fn gradients_are_right() {
        let (ids, next) = (Tensor::from([[0, 3, 1], [2, 4, 0]]), Tensor::from([[3, 1, 1], [4, 0, 1]]));
        let mut model = small(0.1);
        // For vectors as small as the initial ones, norms are too strongly curved for difference quotients.
        model.tokens = Embedding::new(5, 8, &mut Rng::seed(4));
        let report = gradcheck::check(&mut model, |m, tape| m.loss(tape, &ids, &next), 3).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn a_step_sees_what_came_before_it_and_nothing_else() {
        let model = small(0.0);
        let tape = Tape::eval();
        let at = |ids: [i64; 4], t| model.logits(&tape, &Tensor::from([ids])).select(1, t).value().unwrap();
        assert_eq!(at([1, 2, 3, 0], 1), at([1, 2, 0, 4], 1));
        assert_ne!(at([1, 2, 3, 0], 2), at([4, 2, 3, 0], 2));
        let e = model.logits(&tape, &Tensor::from([[0; 7]])).value().unwrap_err();
        assert!(e.to_string().contains('6') && e.to_string().contains('7'), "{e}");
    }

    #[test]
    fn going_on_from_a_memory_is_the_whole_pass_until_the_context_is_full() {
        let model = small(0.0);
        let ids = [1, 4, 2, 0, 3, 1];
        let mut memory = GptMemory::default();
        for n in 1..=6 {
            let tape = Tape::eval();
            let whole = Tensor::from_slice(&ids[..n], [1, n]).unwrap();
            let whole = model.logits(&tape, &whole).select(1, n - 1).value().unwrap().to_vec();
            let new = Tensor::from([[ids[n - 1]]]);
            let last = model.go_on(&new, &mut memory).unwrap().to_vec();
            assert!(last.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-13), "{n}: {last:?} {whole:?}");
        }
        // Generation also continues far beyond the context.
        assert_eq!(generate(&model, &[1], 40, Decoding::default(), &mut Rng::seed(0)).unwrap().len(), 41);
        assert!(generate(&model, &[0; 9], 1, Decoding::default(), &mut Rng::seed(0)).is_ok());
    }

    #[test]
    fn it_learns_a_pattern_and_writes_it() {
        let config = GptConfig { vocabulary: 6, context: 12, width: 32, heads: 2, layers: 2, dropout: 0.0 };
        let mut model = Gpt::<f32>::with_config(&config, &mut Rng::seed(2));
        // 0 1 2 3 4 5 5 4 3 2 1 0, repeated: the next id depends on the ids before.
        let wave: Vec<i64> = (0..48)
            .map(|i| {
                let t = i % 12;
                if t < 6 { t } else { 11 - t }
            })
            .collect();
        let (mut adam, mut tape, mut loss) = (Adam::new(3e-3), Tape::train(0), f32::MAX);
        for step in 0..400 {
            let at = (step * 5) % 24;
            let ids = Tensor::from_slice(&wave[at..at + 12], [1, 12]).unwrap();
            let next = Tensor::from_slice(&wave[at + 1..at + 13], [1, 12]).unwrap();
            tape.reset();
            let l = model.loss(&tape, &ids, &next);
            loss = l.item().unwrap();
            adam.step(&mut model, &l.backward().unwrap()).unwrap();
        }
        assert!(loss < 0.3, "{loss}");
        let cold = Decoding { temperature: 0.1, top_k: None };
        let written = generate(&model, &wave[..4], 6, cold, &mut Rng::seed(0)).unwrap();
        assert_eq!(written, wave[..10]);
    }
}
