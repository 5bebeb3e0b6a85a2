//! [`TransformerDecoder`] and [`TransformerDecoderLayer`].

use crate::Module;
use crate::layers::transformer_encoder::{feed_forward, normed};
use crate::layers::{
    Activation, AttentionMask, Dropout, KvCache, Layer, LayerNorm, Linear, MultiHeadAttention, NormOrder,
    TransformerConfig, refused,
};
use wengert_ops::random::Rng;
use wengert_tape::{Float, Var};

/// Self-attention, attention to a memory `[batch, s, width]`, and a feed-forward part, `[batch, t, width]` into the same
/// shape. Names are PyTorch's.
#[derive(Debug, Clone, Module)]
pub struct TransformerDecoderLayer<T: Float> {
    /// The self-attention between the steps of the input.
    pub self_attn: MultiHeadAttention<T>,
    /// The attention of each step to the memory.
    pub multihead_attn: MultiHeadAttention<T>,
    /// The first affine map of the feed-forward part, width → hidden.
    pub linear1: Linear<T>,
    /// The second affine map of the feed-forward part, hidden → width.
    pub linear2: Linear<T>,
    /// The norm of the self-attention.
    pub norm1: LayerNorm<T>,
    /// The norm of the attention to the memory.
    pub norm2: LayerNorm<T>,
    /// The norm of the feed-forward part.
    pub norm3: LayerNorm<T>,
    /// The dropout of the three parts' outputs and of the hidden features.
    pub dropout: Dropout,
    /// The activation between `linear1` and `linear2`.
    pub activation: Activation,
    /// The position of the norms.
    pub order: NormOrder,
}

/// The keys and values that a [`TransformerDecoderLayer`] keeps between steps.
#[derive(Debug, Clone, Default)]
pub struct DecoderCache<T: Float> {
    /// The keys and values of the steps so far.
    pub steps: KvCache<T>,
    /// The keys and values of the memory.
    pub memory: KvCache<T>,
}

impl<T: Float> TransformerDecoderLayer<T> {
    /// A layer with PyTorch's default initialisation.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &TransformerConfig, rng: &mut Rng) -> Self {
        TransformerDecoderLayer {
            self_attn: config.attention(config.rotary, rng),
            multihead_attn: config.attention(None, rng),
            linear1: Linear::new(config.width, config.hidden, rng),
            linear2: Linear::new(config.hidden, config.width, rng),
            norm1: config.norm(),
            norm2: config.norm(),
            norm3: config.norm(),
            dropout: Dropout::new(config.dropout),
            activation: config.activation,
            order: config.order,
        }
    }

    /// The output for `x`, `[batch, t, width]`, with a mask for its own steps and one for the memory's.
    #[track_caller]
    pub fn run<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        mask: &AttentionMask<'t, T>,
        memory_mask: &AttentionMask<'t, T>,
    ) -> Var<'t, T> {
        self.through(x, memory, [mask, memory_mask], None)
    }

    /// The output for steps that continue those in the cache, with a causal mask. The memory is read only in the first step.
    #[track_caller]
    pub fn step<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        memory_mask: &AttentionMask<'t, T>,
        cache: &mut DecoderCache<T>,
    ) -> Var<'t, T> {
        self.through(x, memory, [&AttentionMask::new(), memory_mask], Some(cache))
    }

    #[track_caller]
    fn through<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        [mask, memory_mask]: [&AttentionMask<'t, T>; 2],
        mut cache: Option<&mut DecoderCache<T>>,
    ) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let pre = self.order == NormOrder::Pre;
        let normed = if pre { self.norm1.forward(x) } else { x };
        let seen = match &mut cache {
            Some(cache) => self.self_attn.attend_cached(normed, mask, &mut cache.steps),
            None => self.self_attn.attend_self(normed, mask),
        };
        let mut x = x + self.dropout.forward(seen);
        let normed = if pre { self.norm2.forward(x) } else { self.norm1.forward(x) };
        if !pre {
            x = normed;
        }
        let seen = match &mut cache {
            Some(cache) => self.multihead_attn.attend_memory(normed, memory, memory_mask, &mut cache.memory),
            None => self.multihead_attn.attend(normed, memory, memory, memory_mask),
        };
        x += self.dropout.forward(seen);
        let normed = if pre { self.norm3.forward(x) } else { self.norm2.forward(x) };
        if !pre {
            x = normed;
        }
        let linears = [&self.linear1, &self.linear2];
        x += feed_forward(normed, linears, self.activation, self.dropout);
        scope.close(if pre { x } else { self.norm3.forward(x) })
    }
}

/// A stack of [`TransformerDecoderLayer`]s: `[batch, t, width]` with a memory `[batch, s, width]` → `[batch, t, width]`.
#[derive(Debug, Clone, Module)]
pub struct TransformerDecoder<T: Float> {
    /// The layers, from the input to the output.
    pub layers: Vec<TransformerDecoderLayer<T>>,
    /// The norm after the last layer. By default there is one if the layers' norms come first, since it is then required.
    pub norm: Option<LayerNorm<T>>,
}

impl<T: Float> TransformerDecoder<T> {
    /// A stack whose layers are drawn one after the other.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &TransformerConfig, rng: &mut Rng) -> Self {
        let layers = (0..config.layers).map(|_| TransformerDecoderLayer::with_config(config, rng)).collect();
        TransformerDecoder { layers, norm: config.last_norm() }
    }

    /// The output for `x`, whose steps see themselves, earlier ones and all of the memory.
    #[track_caller]
    pub fn forward<'t>(&self, x: Var<'t, T>, memory: Var<'t, T>) -> Var<'t, T> {
        self.run(x, memory, &AttentionMask::new().causal(), &AttentionMask::new())
    }

    /// The output for `x`, with a mask for its own steps and one for the memory's.
    #[track_caller]
    pub fn run<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        mask: &AttentionMask<'t, T>,
        memory_mask: &AttentionMask<'t, T>,
    ) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let mut x = x;
        for layer in &self.layers {
            x = layer.run(x, memory, mask, memory_mask);
        }
        scope.close(normed(x, &self.norm))
    }

    /// One empty cache per layer.
    pub fn caches(&self) -> Vec<DecoderCache<T>> {
        vec![DecoderCache::default(); self.layers.len()]
    }

    /// The output for steps that continue those in the caches, with a causal mask. The memory is read only in the first step.
    #[track_caller]
    pub fn step<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        memory_mask: &AttentionMask<'t, T>,
        caches: &mut [DecoderCache<T>],
    ) -> Var<'t, T> {
        if caches.len() != self.layers.len() {
            let detail = format!("expected {} caches, found {}", self.layers.len(), caches.len());
            return refused(x.tape(), "transformer_decoder", detail);
        }
        let scope = x.tape().open_scope();
        let mut x = x;
        for (layer, cache) in self.layers.iter().zip(caches) {
            x = layer.step(x, memory, memory_mask, cache);
        }
        scope.close(normed(x, &self.norm))
    }
}
