//! Sequence to sequence with a Transformer.

use super::Decoding;
use super::language::draw;
use super::seq2seq::{loss_but_padding, teacher_forced};
use crate::Module;
use crate::layers::{
    AttentionMask, DecoderCache, Dropout, Embedding, Layer, Linear, NormOrder, SinusoidalPositions,
    Transformer, TransformerConfig, TransformerMasks,
};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Result, Tape, Var};

/// The shape of a [`Translator`].
#[derive(Debug, Clone, PartialEq)]
pub struct TranslatorConfig {
    /// The number of ids in the source vocabulary. Default: `32`.
    pub source: usize,
    /// The number of ids in the target vocabulary. Default: `32`.
    pub target: usize,
    /// The number of features of each step. Default: `64`.
    pub width: usize,
    /// The number of heads, which divides the width. Default: `4`.
    pub heads: usize,
    /// The number of features inside the feed-forward parts. Default: `128`.
    pub hidden: usize,
    /// The number of layers of the encoder, and of the decoder. Default: `2`.
    pub layers: usize,
    /// The probability of dropping a feature. Default: `0.1`.
    pub dropout: f64,
    /// The id that pads sequences to one length, in both vocabularies. Default: `0`.
    pub padding: i64,
}

impl Default for TranslatorConfig {
    fn default() -> Self {
        TranslatorConfig {
            source: 32,
            target: 32,
            width: 64,
            heads: 4,
            hidden: 128,
            layers: 2,
            dropout: 0.1,
            padding: 0,
        }
    }
}

/// The Transformer as an encoder-decoder of p(y | x) = Π p(y_t | y_1, .., y_{t-1}, x), for sequences of any length: id vectors
/// with sinusoidal positions, and a linear head. (Vaswani et al. 2017; the norms come first, which trains without a warm-up:
/// Xiong et al. 2020.)
///
/// Source `[n, s]` and target `[n, t]` are ids, padded with the padding id, as for [`Seq2Seq`](super::Seq2Seq). Padding has no
/// influence.
///
/// ```
/// use wengert_nn::zoo::{Translator, TranslatorConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// let model = Translator::<f32>::with_config(&TranslatorConfig::default(), &mut Rng::seed(0));
/// let (x, y) = (Tensor::from([[5, 6, 7], [8, 9, 0]]), Tensor::from([[1, 4, 2, 0], [1, 3, 3, 2]]));
/// let tape = wengert_tape::Tape::new();
/// let logits = model.logits(&tape, &x, &y);                  // logits of the id after each of y's
/// assert_eq!(logits.shape(), [2, 4, 32]);
/// let written = model.translate(&[5, 6, 7], 1, 2, 10)?;
/// assert!(written.len() <= 10 && !written.contains(&2));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Translator<T: Float> {
    /// The vectors of the source ids, `[source ids, width]`.
    pub source: Embedding<T>,
    /// The vectors of the target ids, `[target ids, width]`.
    pub target: Embedding<T>,
    /// The dropout after the positions are added.
    pub dropout: Dropout,
    /// The encoder and the decoder, `[n, s, width]` and `[n, t, width]` → `[n, t, width]`.
    pub transformer: Transformer<T>,
    /// The linear map from features to logits, width → target ids.
    pub head: Linear<T>,
    /// The id that pads sequences to one length, in both vocabularies.
    pub padding: i64,
}

impl<T: Float> Translator<T> {
    /// A model with Xavier-uniform weights, and id vectors of variance 1, which are as long as those of the positions.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &TranslatorConfig, rng: &mut Rng) -> Self {
        let TranslatorConfig { width, heads, hidden, layers, dropout, .. } = *config;
        let shape = TransformerConfig {
            width,
            heads,
            hidden,
            layers,
            dropout,
            order: NormOrder::Pre,
            ..TransformerConfig::default()
        };
        Translator {
            source: Embedding::new(config.source, width, rng),
            target: Embedding::new(config.target, width, rng),
            dropout: Dropout::new(dropout),
            transformer: Transformer::with_config(&shape, rng),
            head: Linear::new(width, config.target, rng),
            padding: config.padding,
        }
    }

    /// The vectors of ids, the first of which is at position `offset`.
    #[track_caller]
    fn embed<'t>(
        &self,
        table: &Embedding<T>,
        tape: &'t Tape<T>,
        ids: &Tensor<i64>,
        offset: usize,
    ) -> Var<'t, T> {
        self.dropout.forward(SinusoidalPositions.forward_at(table.forward(tape, ids), offset))
    }

    /// The mask of the source: its keys are the ids that are not padding.
    fn seen<'t>(&self, source: &Tensor<i64>) -> AttentionMask<'t, T> {
        AttentionMask::new().keys(source.map(|id| id != self.padding))
    }

    /// Logits of the id after each target id, given the source: `[n, s]`, `[n, t]` → `[n, t, target ids]`.
    #[track_caller]
    pub fn logits<'t>(&self, tape: &'t Tape<T>, source: &Tensor<i64>, target: &Tensor<i64>) -> Var<'t, T> {
        let scope = tape.open_scope();
        let seen = self.seen(source);
        let masks = TransformerMasks { source: seen.clone(), memory: seen, ..TransformerMasks::default() };
        // The target's padding comes after its ids, and the causal mask hides it from them.
        let (x, y) = (self.embed(&self.source, tape, source, 0), self.embed(&self.target, tape, target, 0));
        scope.close(self.head.forward(self.transformer.run(x, y, &masks)))
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

    /// A translation of one source by the most probable id at each step, from `begin` until `end` or `longest` ids. See
    /// [`Translator`] for an example.
    ///
    /// # Errors
    /// If an id is not in its vocabulary.
    #[track_caller]
    pub fn translate(&self, source: &[i64], begin: i64, end: i64, longest: usize) -> Result<Vec<i64>> {
        self.write(source, [begin, end], longest, &mut |logits| Ok(logits.argmax(-1)?.item()?))
    }

    /// A translation of one source, drawn id by id from the model's distribution, from `begin` until `end` or `longest` ids.
    ///
    /// ```
    /// use wengert_nn::zoo::{Decoding, Translator, TranslatorConfig};
    /// use wengert_ops::random::Rng;
    /// let model = Translator::<f32>::with_config(&TranslatorConfig::default(), &mut Rng::seed(0));
    /// let draw = |seed| model.sample(&[5, 6], 1, 2, 8, Decoding::default(), &mut Rng::seed(seed));
    /// assert_eq!(draw(3)?, draw(3)?);
    /// assert_ne!(draw(3)?, draw(4)?);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an id is not in its vocabulary, if the temperature is not above 0, or if `top_k` is 0.
    #[track_caller]
    pub fn sample(
        &self,
        source: &[i64],
        begin: i64,
        end: i64,
        longest: usize,
        how: Decoding,
        rng: &mut Rng,
    ) -> Result<Vec<i64>> {
        how.check("sample")?;
        self.write(source, [begin, end], longest, &mut |logits| draw(logits, how, rng))
    }

    #[track_caller]
    fn write(
        &self,
        source: &[i64],
        [begin, end]: [i64; 2],
        longest: usize,
        choose: &mut dyn FnMut(&Tensor<T>) -> Result<i64>,
    ) -> Result<Vec<i64>> {
        let source = Tensor::from_slice(source, [1, source.len()])?;
        let tape = Tape::eval();
        let seen = self.seen(&source);
        let memory =
            self.transformer.encoder.run(self.embed(&self.source, &tape, &source, 0), &seen).value()?;
        let mut caches = self.transformer.decoder.caches();
        let (mut id, mut written) = (begin, Vec::new());
        while written.len() < longest {
            id = choose(&self.next(&memory, &source, id, written.len(), &mut caches)?)?;
            if id == end {
                break;
            }
            written.push(id);
        }
        Ok(written)
    }

    /// Logits `[1, target ids]` of the id after `id`, which is at position `at`.
    #[track_caller]
    fn next(
        &self,
        memory: &Tensor<T>,
        source: &Tensor<i64>,
        id: i64,
        at: usize,
        caches: &mut [DecoderCache<T>],
    ) -> Result<Tensor<T>> {
        // One tape per step: the caches are plain tensors.
        let tape = Tape::eval();
        let y = self.embed(&self.target, &tape, &Tensor::from([[id]]), at);
        let h = self.transformer.decoder.step(y, tape.constant(memory), &self.seen(source), caches);
        self.head.forward(h.select(1, 0)).value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Adam, Optimizer};
    use crate::zoo::seq2seq::tests::has_right_gradient_and_padding;

    const BEGIN: i64 = 1;
    const END: i64 = 2;

    fn small<T: Float>(dropout: f64) -> Translator<T> {
        let config = TranslatorConfig {
            source: 8,
            target: 8,
            width: 16,
            heads: 2,
            hidden: 32,
            layers: 1,
            dropout,
            padding: 0,
        };
        Translator::with_config(&config, &mut Rng::seed(1))
    }

    #[test]
    fn gradients_are_right_and_padding_has_no_influence() {
        let mut model = small::<f64>(0.1);
        // A smooth model: ReLU has kinks.
        model.transformer.encoder.layers[0].activation = crate::Activation::Gelu;
        model.transformer.decoder.layers[0].activation = crate::Activation::Gelu;
        has_right_gradient_and_padding(&mut model, |m, tape, x, y| m.loss(tape, x, y));
    }

    #[test]
    fn what_is_written_step_by_step_is_what_the_whole_pass_finds_most_probable() {
        let model = small::<f64>(0.1);
        let source = [3, 4, 7, 5];
        let written = model.translate(&source, BEGIN, END, 12).unwrap();
        let given: Vec<i64> = [BEGIN].into_iter().chain(written.iter().copied()).collect();
        let tape = Tape::eval();
        let target = Tensor::from_slice(&given, [1, given.len()]).unwrap();
        let logits = model.logits(&tape, &Tensor::from([source]), &target).value().unwrap();
        let mut best = logits.argmax(-1).unwrap().to_vec();
        if best.last() == Some(&END) || written.len() == 12 {
            best.pop();
        }
        assert_eq!(best, written);
        // The logits agree as well.
        let mut caches = model.transformer.decoder.caches();
        let source = Tensor::from([source]);
        let x = model.embed(&model.source, &tape, &source, 0);
        let memory = model.transformer.encoder.run(x, &AttentionMask::new()).value().unwrap();
        for (at, id) in given.into_iter().enumerate() {
            let next = model.next(&memory, &source, id, at, &mut caches).unwrap();
            let apart = next.sub(logits.slice(1, at..=at).unwrap().squeeze(1).unwrap()).unwrap();
            assert!(apart.to_vec().iter().all(|d| d.abs() < 1e-12), "{at}: {apart}");
        }
    }

    #[test]
    fn draws_are_those_of_the_seed_and_the_rules_hold() {
        let model = small::<f64>(0.0);
        let draw = |how, seed| model.sample(&[3, 4], BEGIN, END, 9, how, &mut Rng::seed(seed)).unwrap();
        let one = Decoding { temperature: 1.0, top_k: Some(1) };
        assert_eq!(draw(one, 5), model.translate(&[3, 4], BEGIN, END, 9).unwrap());
        let draws: Vec<_> = (0..8).map(|seed| draw(Decoding::default(), seed)).collect();
        assert!(draws.iter().any(|d| *d != draws[0]));
        for how in [Decoding { temperature: 0.0, top_k: None }, Decoding { temperature: 1.0, top_k: Some(0) }]
        {
            let e = model.sample(&[3, 4], BEGIN, END, 9, how, &mut Rng::seed(0)).unwrap_err();
            assert!(e.op() == "sample" && e.location().is_some_and(|at| at.file() == file!()), "{e}");
        }
    }

    /// The task is to reverse sequences of two to five ids.
    #[test]
    fn it_learns_to_reverse() {
        let mut model = small::<f32>(0.0);
        let mut rng = Rng::seed(3);
        let (mut adam, mut tape) = (Adam::new(5e-3), Tape::train(0));
        let mut draw = |n: usize| -> Vec<Vec<i64>> {
            let u: Tensor<f64> = wengert_ops::random::uniform([n, 6], 0.0, 1.0, rng.next_key()).unwrap();
            let row =
                |u: &[f64]| u[..2 + (u[5] * 4.0) as usize].iter().map(|u| 3 + (u * 5.0) as i64).collect();
            u.to_vec().chunks(6).map(row).collect()
        };
        let filled = |rows: Vec<Vec<i64>>, width: usize| {
            let row = |r: Vec<i64>| r.into_iter().chain([0; 9]).take(width).collect::<Vec<_>>();
            let n = rows.len();
            Tensor::from_vec(rows.into_iter().flat_map(row).collect(), [n, width]).unwrap()
        };
        let backwards =
            |r: &Vec<i64>| [BEGIN].into_iter().chain(r.iter().rev().copied()).chain([END]).collect();
        for _ in 0..350 {
            let rows = draw(32);
            let targets = rows.iter().map(backwards).collect();
            tape.reset();
            let loss = model.loss(&tape, &filled(rows, 5), &filled(targets, 7));
            adam.step(&mut model, &loss.backward().unwrap()).unwrap();
        }
        let test = draw(50);
        let right = test.iter().filter(|row| {
            let written = model.translate(row, BEGIN, END, 9).unwrap();
            written.iter().rev().eq(row.iter())
        });
        let right = right.count();
        assert!(right >= 45, "{right} of 50 reversed");
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let model = small::<f64>(0.0);
        let tape = Tape::new();
        let (x, y) = (Tensor::from([[3, 4], [5, 0]]), Tensor::from([[1, 3, 2], [1, 2, 0]]));
        for (l, words) in [
            (model.loss(&tape, &Tensor::from([[8, 3], [3, 3]]), &y), "8"),
            (model.loss(&tape, &x, &Tensor::from([[1, 9, 2], [1, 3, 2]])), "9"),
            (model.loss(&tape, &x, &Tensor::from([[1, 3, 2]])), "[1, 2, 16]"),
            (model.loss(&tape, &Tensor::from([3, 4]), &y), "[2, 16]"),
            (model.loss(&tape, &x, &Tensor::scalar(1)), "slice"),
        ] {
            let e = l.value().unwrap_err();
            assert!(e.to_string().contains(words), "{e}");
            assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
        }
        for e in [model.translate(&[8], BEGIN, END, 3), model.translate(&[3], 8, END, 3)] {
            let e = e.unwrap_err();
            assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
        }
    }
}
