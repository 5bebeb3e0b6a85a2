//! [`Transformer`]: encoder and decoder (Vaswani et al. 2017), and their configuration.

use crate::Module;
use crate::init::{Gain, Scheme};
use crate::layers::{
    Activation, AttentionConfig, AttentionMask, LayerNorm, MultiHeadAttention, Rotary, TransformerDecoder,
    TransformerEncoder,
};
use crate::module::for_each_param_mut;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Var};

/// The position of the norms in a Transformer's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Module)]
pub enum NormOrder {
    /// norm(x + f(x)), as in the paper.
    #[default]
    Post,
    /// x + f(norm(x)), which trains without a warm-up (Xiong et al. 2020).
    Pre,
}

/// The shape of a Transformer. By default as in the paper: width 512, 8 heads, 6 layers, ReLU.
#[derive(Debug, Clone, PartialEq)]
pub struct TransformerConfig {
    /// The number of features of each step. Default: `512`.
    pub width: usize,
    /// The number of heads, which divides the width. Default: `8`.
    pub heads: usize,
    /// The number of features inside the feed-forward parts. Default: `2048`.
    pub hidden: usize,
    /// The number of layers; of a [`Transformer`], the number in the encoder and in the decoder. Default: `6`.
    pub layers: usize,
    /// The probability of dropping a feature of any part's output, a feature inside the feed-forward part, and an attention
    /// weight. Default: `0.1`.
    pub dropout: f64,
    /// The activation between the affine maps of the feed-forward part. Default: `Relu`.
    pub activation: Activation,
    /// The position of the norms. Default: `Post`.
    pub order: NormOrder,
    /// The number that norms add to the variance. Default: `1e-5`.
    pub eps: f64,
    /// How self-attention rotates queries and keys by their positions; `None` for no rotation. Default: `None`.
    pub rotary: Option<Rotary>,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        TransformerConfig {
            width: 512,
            heads: 8,
            hidden: 2048,
            layers: 6,
            dropout: 0.1,
            activation: Activation::Relu,
            order: NormOrder::Post,
            eps: 1e-5,
            rotary: None,
        }
    }
}

impl TransformerConfig {
    pub(super) fn attention<T: Float>(&self, rotary: Option<Rotary>, rng: &mut Rng) -> MultiHeadAttention<T> {
        let config =
            AttentionConfig { dropout: self.dropout, rotary, ..AttentionConfig::new(self.width, self.heads) };
        MultiHeadAttention::with_config(&config, rng)
    }

    pub(super) fn norm<T: Float>(&self) -> LayerNorm<T> {
        LayerNorm { eps: self.eps, ..LayerNorm::new([self.width]) }
    }

    /// The norm after the last layer, which the output of a stack of [`Pre`](NormOrder::Pre) layers requires.
    pub(super) fn last_norm<T: Float>(&self) -> Option<LayerNorm<T>> {
        match self.order {
            NormOrder::Pre => Some(self.norm()),
            NormOrder::Post => None,
        }
    }
}

/// The masks of a [`Transformer`]. By default, the target's steps see only themselves and earlier ones, and everything else is
/// seen.
#[derive(Debug, Clone)]
pub struct TransformerMasks<'t, T: Float> {
    /// Which source steps each step of the source sees.
    pub source: AttentionMask<'t, T>,
    /// Which target steps each step of the target sees.
    pub target: AttentionMask<'t, T>,
    /// Which source steps each step of the target sees.
    pub memory: AttentionMask<'t, T>,
}

impl<T: Float> Default for TransformerMasks<'_, T> {
    fn default() -> Self {
        let all = AttentionMask::new();
        TransformerMasks { source: all.clone(), target: all.clone().causal(), memory: all }
    }
}

/// The encoder and decoder of the paper: a source `[batch, s, width]` and a target `[batch, t, width]` → `[batch, t, width]`.
/// Both are vectors that already include their positions; an [`Embedding`](crate::Embedding) and
/// [`SinusoidalPositions`](crate::SinusoidalPositions) compute them from ids. Names are PyTorch's.
///
/// ```
/// use wengert_nn::{AttentionMask, Transformer, TransformerConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = TransformerConfig { width: 8, heads: 2, hidden: 16, layers: 1, ..TransformerConfig::default() };
/// let model = Transformer::<f64>::with_config(&config, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// let mut rng = Rng::seed(1);
/// let (source, target) = (Tensor::randn([1, 4, 8], &mut rng)?, Tensor::randn([1, 3, 8], &mut rng)?);
/// let (source, target) = (tape.constant(source), tape.constant(target));
/// let whole = model.forward(source, target).value()?;
/// let (memory, mut caches) = (model.encoder.run(source, &AttentionMask::new()), model.decoder.caches());
/// for t in 0..3 {                                               // the same result, decoded step by step
///     let y = model.decoder.step(target.slice(1, t..t + 1), memory, &AttentionMask::new(), &mut caches).value()?;
///     assert!(y.sub(&whole.slice(1, t..t + 1)?)?.to_vec().iter().all(|d| d.abs() < 1e-14));
/// }
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Transformer<T: Float> {
    /// Computes the memory from the source.
    pub encoder: TransformerEncoder<T>,
    /// Computes the output from the target and the memory.
    pub decoder: TransformerDecoder<T>,
}

impl<T: Float> Transformer<T> {
    /// A model with Xavier-uniform weights and a norm after the encoder and after the decoder, PyTorch's default.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &TransformerConfig, rng: &mut Rng) -> Self {
        let mut model = Transformer {
            encoder: TransformerEncoder {
                norm: Some(config.norm()),
                ..TransformerEncoder::with_config(config, rng)
            },
            decoder: TransformerDecoder {
                norm: Some(config.norm()),
                ..TransformerDecoder::with_config(config, rng)
            },
        };
        for_each_param_mut::<T>(&mut model, &mut |_, p| {
            if p.shape().len() > 1 {
                let fresh = Scheme::XavierUniform(Gain::Unit).sample(p.shape(), rng);
                p.update(|t| *t = fresh);
            }
        });
        model
    }

    /// The output for a source and a target, whose steps see themselves, earlier ones and all of the source.
    #[track_caller]
    pub fn forward<'t>(&self, source: Var<'t, T>, target: Var<'t, T>) -> Var<'t, T> {
        self.run(source, target, &TransformerMasks::default())
    }

    /// The output for a source and a target with the given masks.
    #[track_caller]
    pub fn run<'t>(
        &self,
        source: Var<'t, T>,
        target: Var<'t, T>,
        masks: &TransformerMasks<'t, T>,
    ) -> Var<'t, T> {
        let scope = source.tape().open_scope();
        let memory = self.encoder.run(source, &masks.source);
        scope.close(self.decoder.run(target, memory, &masks.target, &masks.memory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    fn config(order: NormOrder) -> TransformerConfig {
        TransformerConfig {
            width: 4,
            heads: 2,
            hidden: 3,
            layers: 2,
            dropout: 0.1,
            activation: Activation::Gelu,
            order,
            rotary: Some(Rotary::default()),
            ..TransformerConfig::default()
        }
    }

    fn random(shape: [usize; 3], seed: u64) -> Tensor<f64> {
        Tensor::randn(shape, &mut Rng::seed(seed)).unwrap()
    }

    #[test]
    fn gradients_are_right_in_both_orders() {
        let (source, target, goal) = (random([2, 3, 4], 0), random([2, 2, 4], 1), random([2, 2, 4], 2));
        for order in [NormOrder::Pre, NormOrder::Post] {
            let mut model = Transformer::<f64>::with_config(&config(order), &mut Rng::seed(3));
            let report = gradcheck::check(
                &mut model,
                |model, tape| {
                    let (source, target) = (tape.constant(&source), tape.constant(&target));
                    crate::loss::mse(model.forward(source, target), &goal)
                },
                3,
            )
            .unwrap();
            assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{order:?} {report:?}");
        }
    }

    #[test]
    fn decoding_step_by_step_gives_the_numbers_of_the_whole() {
        for order in [NormOrder::Pre, NormOrder::Post] {
            let model = Transformer::<f64>::with_config(&config(order), &mut Rng::seed(3));
            let tape = Tape::eval();
            let (source, target) = (tape.constant(random([2, 3, 4], 0)), tape.constant(random([2, 5, 4], 1)));
            let masks = TransformerMasks {
                memory: AttentionMask::new().lengths(&Tensor::from([3, 1])),
                ..TransformerMasks::default()
            };
            let whole = model.run(source, target, &masks);
            let memory = model.encoder.run(source, &masks.source);
            let mut caches = model.decoder.caches();
            let mut parts = Vec::new();
            for (from, to) in [(0, 2), (2, 3), (3, 5)] {
                let x = target.slice(1, from..to);
                parts.push(model.decoder.step(x, memory, &masks.memory, &mut caches));
            }
            let apart = (tape.concat(&parts, 1) - whole).abs().sum().item().unwrap();
            assert!(apart < 1e-12, "{apart}");
        }
    }

    #[test]
    fn errors_say_where_the_caller_stands() {
        let model = Transformer::<f64>::with_config(&config(NormOrder::Pre), &mut Rng::seed(3));
        let tape = Tape::new();
        let x = tape.constant(random([2, 3, 4], 0));
        let wrong = tape.constant(random([2, 3, 3], 0));
        for y in [
            model.forward(x, wrong),
            model.forward(wrong, x),
            model.encoder.step(x, &mut []),
            model.decoder.step(x, x, &AttentionMask::new(), &mut []),
        ] {
            let e = y.value().unwrap_err();
            assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
        }
    }
}
