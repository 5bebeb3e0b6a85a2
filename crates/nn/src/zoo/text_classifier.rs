//! A Transformer that classifies texts.

use super::vit::blocks;
use crate::Module;
use crate::init::Scheme;
use crate::layers::{AttentionMask, Dropout, Embedding, Layer, LearnedPositions, Linear, TransformerEncoder};
use crate::loss;
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Error, ErrorKind, Float, Param, Result, Tape, Var};

/// The part of the encoder's output that the head of a [`TextClassifier`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooling {
    /// The mean over the ids without the padding.
    #[default]
    Mean,
    /// The output of a learned vector before the ids, as in BERT.
    Class,
}

/// The shape of a [`TextClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct TextClassifierConfig {
    /// The number of ids in the vocabulary. Default: `65`.
    pub vocabulary: usize,
    /// The number of classes. Default: `2`.
    pub classes: usize,
    /// The largest number of ids of a text. Default: `128`.
    pub longest: usize,
    /// The number of features of each id. Default: `64`.
    pub width: usize,
    /// The number of heads, which divides the width. Default: `4`.
    pub heads: usize,
    /// The number of blocks. Default: `2`.
    pub layers: usize,
    /// The probability of dropping a feature. Default: `0.1`.
    pub dropout: f64,
    /// The part of the encoder's output that the head reads. Default: `Mean`.
    pub pooling: Pooling,
}

impl Default for TextClassifierConfig {
    fn default() -> Self {
        TextClassifierConfig {
            vocabulary: 65,
            classes: 2,
            longest: 128,
            width: 64,
            heads: 4,
            layers: 2,
            dropout: 0.1,
            pooling: Pooling::Mean,
        }
    }
}

/// A Transformer encoder over texts of different lengths in one batch, ids `[n, steps]` with lengths `[n]` → logits
/// `[n, classes]`: id and position vectors; blocks, with the norms first, in which every id sees every other one; a pooled
/// vector; and a linear head. (Vaswani et al. 2017, section 3.1; a class vector: Devlin et al. 2019, section 3.)
///
/// Ids after a text's length have no influence.
///
/// ```
/// use wengert_nn::zoo::{TextClassifier, TextClassifierConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = TextClassifierConfig { vocabulary: 9, classes: 3, width: 8, heads: 2, ..Default::default() };
/// let model = TextClassifier::<f32>::with_config(&config, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// let logits = model.logits(&tape, &Tensor::from([[5, 6, 7, 8], [3, 4, 0, 0]]), &Tensor::from([4, 2]));
/// assert_eq!(logits.shape(), [2, 3]);
/// let alone = model.logits(&tape, &Tensor::from([[3, 4]]), &Tensor::from([2]));
/// let apart = (logits.select(0, 1) - alone.select(0, 0)).abs().sum();
/// assert!(apart.item()? < 1e-5);                                  // the same text without padding
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct TextClassifier<T: Float> {
    /// The vectors of the ids, `[vocabulary, width]`.
    pub tokens: Embedding<T>,
    /// The class vector before the ids, `[1, 1, width]`, with [`Pooling::Class`]; `None` otherwise.
    pub class: Option<Param<T>>,
    /// The position vectors of the class vector, if there is one, and of each id.
    pub positions: LearnedPositions<T>,
    /// The dropout after the positions are added.
    pub dropout: Dropout,
    /// The blocks, `[n, steps, width]` into the same shape.
    pub encoder: TransformerEncoder<T>,
    /// The linear map from the pooled vector to logits, width → classes.
    pub head: Linear<T>,
}

impl<T: Float> TextClassifier<T> {
    /// A model whose id, class and position vectors have a standard deviation of 0.02, as in BERT.
    pub fn with_config(config: &TextClassifierConfig, rng: &mut Rng) -> Self {
        let TextClassifierConfig { width, heads, layers, dropout, .. } = *config;
        let small = Scheme::Normal(0.02);
        let blocks = blocks(width, heads, layers, dropout);
        let class = match config.pooling {
            Pooling::Mean => None,
            Pooling::Class => Some(Param::new(small.sample(&[1, 1, width].into(), rng))),
        };
        let longest = config.longest.saturating_add(usize::from(class.is_some()));
        TextClassifier {
            tokens: Embedding::new(config.vocabulary, width, rng).init(small, rng),
            class,
            positions: LearnedPositions::new(longest, width, rng),
            dropout: Dropout::new(dropout),
            encoder: TransformerEncoder::with_config(&blocks, rng),
            head: Linear::new(width, config.classes, rng),
        }
    }

    /// The vector that the head reads: ids `[n, steps]` with lengths `[n]` → `[n, width]`. The mean over a text without ids is 0.
    #[track_caller]
    pub fn features<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>, lengths: &Tensor<i64>) -> Var<'t, T> {
        let shares = match shares(ids, lengths) {
            Ok(shares) => shares,
            Err(e) => return tape.failed(e),
        };
        let scope = tape.open_scope();
        let mut h = self.tokens.forward(tape, ids); // [n, steps, width]
        let mut mask = AttentionMask::new().lengths(lengths);
        if let Some(class) = self.class.as_ref().filter(|_| !h.is_failed()) {
            let [n, _, width] = h.dims();
            h = tape.concat(&[tape.param(class).expand([n, 1, width]), h], 1);
            mask = mask.lengths(&lengths.map(|length| length + 1));
        }
        let h = self.encoder.run(self.dropout.forward(self.positions.forward(h)), &mask);
        scope.close(match &self.class {
            Some(_) => h.select(1, 0),
            None => (h * tape.constant(shares)).sum_axes(1),
        })
    }

    /// The logits of each text's class: ids `[n, steps]` with lengths `[n]` → `[n, classes]`.
    #[track_caller]
    pub fn logits<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>, lengths: &Tensor<i64>) -> Var<'t, T> {
        self.head.forward(self.features(tape, ids, lengths))
    }

    /// The mean of -log p(label | text), in nats.
    #[track_caller]
    pub fn loss<'t>(
        &self,
        tape: &'t Tape<T>,
        ids: &Tensor<i64>,
        lengths: &Tensor<i64>,
        labels: &Tensor<i64>,
    ) -> Var<'t, T> {
        loss::cross_entropy(self.logits(tape, ids, lengths), labels)
    }
}

/// The weight of each step in the mean over its text, `[n, steps, 1]`: one over the length, and zero after the end.
fn shares<T: Float>(ids: &Tensor<i64>, lengths: &Tensor<i64>) -> Result<Tensor<T>> {
    let refused = |detail: String| {
        Err(Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Shape), "text_classifier", detail))
    };
    let [n, steps] = ids.shape()[..] else {
        return refused(format!("expected ids [n, steps], found {}", ids.shape()));
    };
    if lengths.shape()[..] != [n] {
        return refused(format!("expected lengths [{n}] for ids {}, found {}", ids.shape(), lengths.shape()));
    }
    let lengths = lengths.to_vec();
    if let Some(l) = lengths.iter().find(|&&l| usize::try_from(l).map_or(true, |l| l > steps)) {
        return refused(format!("expected lengths from 0 to {steps}, found {l}"));
    }
    let share = |l: i64, j: i64| if j < l { T::from_f64(1.0 / l as f64) } else { T::ZERO };
    let all = lengths.iter().flat_map(|&l| (0..steps as i64).map(move |j| share(l, j))).collect();
    Ok(Tensor::from_vec(all, [n, steps, 1])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::optim::{Adam, Optimizer};

    fn small<T: Float>(pooling: Pooling, dropout: f64) -> TextClassifier<T> {
        let config = TextClassifierConfig {
            vocabulary: 7,
            classes: 3,
            longest: 6,
            width: 8,
            heads: 2,
            layers: 2,
            dropout,
            pooling,
        };
        TextClassifier::with_config(&config, &mut Rng::seed(1))
    }

    #[test]
    fn gradients_are_right() {
        let (ids, lengths) = (Tensor::from([[1, 2, 3, 6], [4, 5, 0, 0]]), Tensor::from([4, 2]));
        let labels = Tensor::from([2, 0]);
        for pooling in [Pooling::Mean, Pooling::Class] {
            let mut model = small::<f64>(pooling, 0.1);
            // For vectors as small as the initial ones, norms are too strongly curved for difference quotients.
            model.tokens = model.tokens.init(Scheme::Normal(1.0), &mut Rng::seed(4));
            model.class = model
                .class
                .map(|_| Param::new(Scheme::Normal(1.0).sample(&[1, 1, 8].into(), &mut Rng::seed(5))));
            let report =
                gradcheck::check(&mut model, |m, tape| m.loss(tape, &ids, &lengths, &labels), 3).unwrap();
            assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{pooling:?}: {report:?}");
        }
    }

    #[test]
    fn padding_has_no_influence_and_gets_no_gradient() {
        for pooling in [Pooling::Mean, Pooling::Class] {
            let model = small::<f64>(pooling, 0.0);
            let tape = Tape::new();
            let logits = |ids: Tensor<i64>| model.logits(&tape, &ids, &Tensor::from([3])).value().unwrap();
            let short = logits(Tensor::from([[1, 2, 3]]));
            for padded in [[1, 2, 3, 0, 0, 0], [1, 2, 3, 5, 6, 4]] {
                let apart = logits(Tensor::from([padded])).sub(&short).unwrap();
                assert!(apart.to_vec().iter().all(|d| d.abs() < 1e-13), "{pooling:?}: {apart}");
            }
            let loss =
                model.loss(&tape, &Tensor::from([[1, 2, 6, 6]]), &Tensor::from([2]), &Tensor::from([1]));
            let grads = loss.backward().unwrap();
            let table = grads.of(&model.tokens.weight).unwrap();
            assert!(table.get(&[1, 0]).unwrap() != 0.0);
            assert!(table.slice(0, 6..7).unwrap().to_vec().iter().all(|g| *g == 0.0), "{pooling:?}");
        }
    }

    #[test]
    fn a_text_without_ids_has_a_class_too() {
        let (ids, lengths) = (Tensor::from([[1, 2], [0, 0]]), Tensor::from([2, 0]));
        let tape = Tape::new();
        let model = small::<f64>(Pooling::Mean, 0.0);
        let bias = model.head.bias.as_ref().unwrap().value().to_vec();
        assert_eq!(model.logits(&tape, &ids, &lengths).select(0, 1).value().unwrap().to_vec(), bias);
        let model = small::<f64>(Pooling::Class, 0.0);
        let grads = model.loss(&tape, &ids, &lengths, &Tensor::from([0, 1])).backward().unwrap();
        assert!(grads.of(&model.tokens.weight).unwrap().to_vec().iter().all(|g| g.is_finite()));
    }

    /// The class is whether a 1 comes before a 2, which depends on the order of the ids.
    #[test]
    fn it_learns_a_rule_of_order() {
        for pooling in [Pooling::Mean, Pooling::Class] {
            let mut model = small::<f32>(pooling, 0.0);
            let mut rng = Rng::seed(2);
            let mut draw = |n: usize| {
                let u: Tensor<f64> = wengert_ops::random::uniform([n, 8], 0.0, 1.0, rng.next_key()).unwrap();
                let (mut ids, mut lengths, mut labels) = (Vec::new(), Vec::new(), Vec::new());
                for u in u.to_vec().chunks(8) {
                    let length = 3 + (u[0] * 4.0) as usize; // 3 to 6
                    let first = (u[1] * (length - 1) as f64) as usize;
                    let second = first + 1 + (u[7] * (length - 1 - first) as f64) as usize;
                    let mut row: Vec<i64> = (0..6).map(|j| 3 + (u[j + 1] * 4.0) as i64).collect();
                    let label = i64::from(u[0] * 4.0 % 1.0 < 0.5);
                    (row[first], row[second]) = if label == 1 { (1, 2) } else { (2, 1) };
                    ids.extend(row);
                    lengths.push(length as i64);
                    labels.push(label);
                }
                (Tensor::from_vec(ids, [n, 6]).unwrap(), Tensor::from(lengths), Tensor::from(labels))
            };
            let (mut adam, mut tape) = (Adam::new(5e-3), Tape::train(0));
            for _ in 0..250 {
                let (ids, lengths, labels) = draw(32);
                tape.reset();
                let loss = model.loss(&tape, &ids, &lengths, &labels);
                adam.step(&mut model, &loss.backward().unwrap()).unwrap();
            }
            let (ids, lengths, labels) = draw(200);
            let chosen = model.logits(&tape, &ids, &lengths).value().unwrap().argmax(-1).unwrap();
            let right = chosen.to_vec().iter().zip(labels.to_vec()).filter(|(a, b)| **a == *b).count();
            assert!(right >= 190, "{pooling:?}: {right} of 200");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let model = small::<f64>(Pooling::Class, 0.0);
        let tape = Tape::new();
        let ids = Tensor::from([[1, 2], [3, 4]]);
        for (y, words) in [
            (model.logits(&tape, &Tensor::from([1, 2]), &Tensor::from([1])), "expected ids [n, steps]"),
            (model.logits(&tape, &ids, &Tensor::from([1])), "expected lengths [2] for ids [2, 2]"),
            (model.logits(&tape, &ids, &Tensor::from([1, 3])), "expected lengths from 0 to 2, found 3"),
            (model.logits(&tape, &ids, &Tensor::from([1, -1])), "found -1"),
            (model.logits(&tape, &Tensor::from([[7]]), &Tensor::from([1])), "7"),
            (model.logits(&tape, &Tensor::from([[0; 7]]), &Tensor::from([7])), "learned_positions"),
            (model.loss(&tape, &ids, &Tensor::from([2, 2]), &Tensor::from([0, 3])), "3"),
        ] {
            let e = y.value().unwrap_err();
            assert!(e.to_string().contains(words), "{e}");
            assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
        }
    }
}
