//! [`TransformerEncoder`] and [`TransformerEncoderLayer`].

use crate::Module;
use crate::layers::{
    Activation, AttentionMask, Dropout, KvCache, Layer, LayerNorm, Linear, MultiHeadAttention, NormOrder,
    TransformerConfig, refused,
};
use wengert_ops::random::Rng;
use wengert_tape::{Float, Var};

/// Self-attention and a feed-forward part, `[batch, steps, width]` into the same shape. Names are PyTorch's. With a causal
/// mask it is the block of a decoder-only language model.
///
/// ```
/// use wengert_nn::{Layer, Module, TransformerConfig, TransformerEncoderLayer};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = TransformerConfig { width: 8, heads: 2, hidden: 16, ..TransformerConfig::default() };
/// let layer = TransformerEncoderLayer::<f32>::with_config(&config, &mut Rng::seed(0));
/// assert_eq!(layer.param_names()[3..8], ["self_attn.out_proj.bias", "linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]);
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(layer.forward(tape.constant(Tensor::zeros([2, 5, 8]))).shape(), [2, 5, 8]);
/// ```
#[derive(Debug, Clone, Module)]
pub struct TransformerEncoderLayer<T: Float> {
    /// The self-attention between the steps of the input.
    pub self_attn: MultiHeadAttention<T>,
    /// The first affine map of the feed-forward part, width → hidden.
    pub linear1: Linear<T>,
    /// The second affine map of the feed-forward part, hidden → width.
    pub linear2: Linear<T>,
    /// The norm of the self-attention.
    pub norm1: LayerNorm<T>,
    /// The norm of the feed-forward part.
    pub norm2: LayerNorm<T>,
    /// The dropout of both parts' outputs and of the hidden features.
    pub dropout: Dropout,
    /// The activation between `linear1` and `linear2`.
    pub activation: Activation,
    /// The position of the norms.
    pub order: NormOrder,
}

/// The feed-forward part of a layer.
#[track_caller]
pub(super) fn feed_forward<'t, T: Float>(
    x: Var<'t, T>,
    [linear1, linear2]: [&Linear<T>; 2],
    activation: Activation,
    dropout: Dropout,
) -> Var<'t, T> {
    let hidden = dropout.forward(activation.forward(linear1.forward(x)));
    dropout.forward(linear2.forward(hidden))
}

impl<T: Float> TransformerEncoderLayer<T> {
    /// A layer with PyTorch's default initialisation.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &TransformerConfig, rng: &mut Rng) -> Self {
        TransformerEncoderLayer {
            self_attn: config.attention(config.rotary, rng),
            linear1: Linear::new(config.width, config.hidden, rng),
            linear2: Linear::new(config.hidden, config.width, rng),
            norm1: config.norm(),
            norm2: config.norm(),
            dropout: Dropout::new(config.dropout),
            activation: config.activation,
            order: config.order,
        }
    }

    /// The output for `x`, `[batch, steps, width]`, each step of which sees the steps that the mask allows.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t, T>, mask: &AttentionMask<'t, T>) -> Var<'t, T> {
        self.through(x, mask, None)
    }

    /// The output for steps that continue those in the cache, with a causal mask.
    #[track_caller]
    pub fn step<'t>(&self, x: Var<'t, T>, cache: &mut KvCache<T>) -> Var<'t, T> {
        self.through(x, &AttentionMask::new(), Some(cache))
    }

    #[track_caller]
    fn through<'t>(
        &self,
        x: Var<'t, T>,
        mask: &AttentionMask<'t, T>,
        cache: Option<&mut KvCache<T>>,
    ) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let pre = self.order == NormOrder::Pre;
        let normed = if pre { self.norm1.forward(x) } else { x };
        let seen = match cache {
            Some(cache) => self.self_attn.attend_cached(normed, mask, cache),
            None => self.self_attn.attend_self(normed, mask),
        };
        let x = x + self.dropout.forward(seen);
        let linears = [&self.linear1, &self.linear2];
        scope.close(if pre {
            x + feed_forward(self.norm2.forward(x), linears, self.activation, self.dropout)
        } else {
            let x = self.norm1.forward(x);
            self.norm2.forward(x + feed_forward(x, linears, self.activation, self.dropout))
        })
    }
}

/// Without a mask: every step sees every step.
impl<T: Float> Layer<T> for TransformerEncoderLayer<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.run(x, &AttentionMask::new())
    }
}

/// A stack of [`TransformerEncoderLayer`]s: `[batch, steps, width]` into the same shape.
///
/// ```
/// use wengert_nn::{AttentionMask, TransformerConfig, TransformerEncoder};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = TransformerConfig { width: 8, heads: 2, hidden: 16, layers: 2, ..TransformerConfig::default() };
/// let model = TransformerEncoder::<f32>::with_config(&config, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// let x = tape.constant(Tensor::randn([1, 3, 8], &mut Rng::seed(1))?);
/// let whole = model.run(x, &AttentionMask::new().causal()).value()?;
/// let mut caches = model.caches();                            // the same result, step by step
/// for t in 0..3 {
///     let y = model.step(x.slice(1, t..t + 1), &mut caches).value()?;
///     assert!(y.sub(&whole.slice(1, t..t + 1)?)?.to_vec().iter().all(|d| d.abs() < 1e-5));
/// }
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct TransformerEncoder<T: Float> {
    /// The layers, from the input to the output.
    pub layers: Vec<TransformerEncoderLayer<T>>,
    /// The norm after the last layer. By default there is one if the layers' norms come first, since it is then required.
    pub norm: Option<LayerNorm<T>>,
}

impl<T: Float> TransformerEncoder<T> {
    /// A stack whose layers are drawn one after the other.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &TransformerConfig, rng: &mut Rng) -> Self {
        let layers = (0..config.layers).map(|_| TransformerEncoderLayer::with_config(config, rng)).collect();
        TransformerEncoder { layers, norm: config.last_norm() }
    }

    /// The output for `x`, `[batch, steps, width]`, each step of which sees the steps that the mask allows.
    #[track_caller]
    pub fn run<'t>(&self, x: Var<'t, T>, mask: &AttentionMask<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let mut x = x;
        for layer in &self.layers {
            x = layer.run(x, mask);
        }
        scope.close(normed(x, &self.norm))
    }

    /// One empty cache per layer.
    pub fn caches(&self) -> Vec<KvCache<T>> {
        vec![KvCache::new(); self.layers.len()]
    }

    /// The output for steps that continue those in the caches, with a causal mask.
    #[track_caller]
    pub fn step<'t>(&self, x: Var<'t, T>, caches: &mut [KvCache<T>]) -> Var<'t, T> {
        if caches.len() != self.layers.len() {
            let detail = format!("expected {} caches, found {}", self.layers.len(), caches.len());
            return refused(x.tape(), "transformer_encoder", detail);
        }
        let scope = x.tape().open_scope();
        let mut x = x;
        for (layer, cache) in self.layers.iter().zip(caches) {
            x = layer.step(x, cache);
        }
        scope.close(normed(x, &self.norm))
    }
}

#[track_caller]
pub(super) fn normed<'t, T: Float>(x: Var<'t, T>, norm: &Option<LayerNorm<T>>) -> Var<'t, T> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

/// Without a mask: every step sees every step.
impl<T: Float> Layer<T> for TransformerEncoder<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.run(x, &AttentionMask::new())
    }
}
