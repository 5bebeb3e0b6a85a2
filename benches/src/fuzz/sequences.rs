//! `nn`: layers for sequences, and the tape's reports about itself.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::nn::init::Scheme;
use wengert::nn::{
    AttentionConfig, AttentionMask, Bilinear, Embedding, KvCache, Layer, LearnedPositions,
    MultiHeadAttention, Rotary, SinusoidalPositions, Transformer, TransformerConfig, TransformerDecoder,
    TransformerDecoderLayer, TransformerEncoder, TransformerEncoderLayer, TransformerMasks,
};
use wengert::tape::{Float, Term, Var};

const WIDTH: usize = 4;

fn config<T: Float>(a: &mut Arguments<'_, T>) -> TransformerConfig {
    let dropout = if a.once_in(3) { a.probability() } else { 0.0 };
    let rotary = a.once_in(3).then(Rotary::default);
    TransformerConfig {
        width: WIDTH,
        heads: 2,
        hidden: 3,
        layers: a.below(3),
        dropout,
        rotary,
        ..TransformerConfig::default()
    }
}

/// Sequences `[batch, steps, width]`.
fn steps<'t, T: Float>(a: &mut Arguments<'t, T>, batch: usize) -> Var<'t, T> {
    let n = a.size().min(3);
    a.of(&[batch, n, WIDTH])
}

/// A mask for sequences of the last one's length.
fn mask<'t, T: Float>(a: &mut Arguments<'t, T>, which: usize) -> AttentionMask<'t, T> {
    let (b, n) = (a.shape.first().copied().unwrap_or(1), a.shape.get(1).copied().unwrap_or(1));
    let mask = AttentionMask::new();
    match which {
        0 => mask.causal(),
        1 => mask.keys(a.mask_of(&[b, n])),
        2 => mask.lengths(&a.index_of(&[b], n + 1)),
        3 => mask.pairs(a.mask_of(&[n, n])),
        4 => mask.bias(a.more(&[n, n])),
        _ => mask,
    }
}

fn masked<'t, T: Float>(a: &mut Arguments<'t, T>, which: usize) -> Var<'t, T> {
    let layer = MultiHeadAttention::new(WIDTH, 2, &mut a.rng());
    let x = steps(a, 2);
    layer.attend_self(x, &mask(a, which))
}

fn any_mask<'t, T: Float>(a: &mut Arguments<'t, T>) -> AttentionMask<'t, T> {
    let which = a.below(9);
    mask(a, which)
}

/// A cache of a few steps, and the layer that filled it.
fn cached<T: Float>(a: &mut Arguments<'_, T>) -> (MultiHeadAttention<T>, KvCache<T>) {
    let (layer, mut cache) = (MultiHeadAttention::new(WIDTH, 2, &mut a.rng()), KvCache::new());
    let x = steps(a, 2);
    let _ = layer.attend_cached(x, &AttentionMask::new(), &mut cache);
    (layer, cache)
}

fn embedding<T: Float>(a: &mut Arguments<'_, T>) -> Embedding<T> {
    Embedding::new(5, WIDTH, &mut a.rng())
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "nn::AttentionConfig" {
            new: done(AttentionConfig::new(a.count(0..=4), a.count(0..=4)));
        }
        "nn::MultiHeadAttention" {
            new: done(MultiHeadAttention::<T>::new(WIDTH, 2, &mut a.rng()));
            with_config: { let c = AttentionConfig { keys: 3, values: 2, bias: a.flag(), ..AttentionConfig::new(WIDTH, 2) };
                done(MultiHeadAttention::<T>::with_config(&c, &mut a.rng())); };
            attend: { let layer = MultiHeadAttention::new(WIDTH, 2, &mut a.rng());
                let (q, k) = (steps(a, 2), steps(a, 2)); layer.attend(q, k, a.same(), &any_mask(a)) };
            attend_self: masked(a, 9);
            attend_cached: { let (layer, mut cache) = cached(a); let x = steps(a, 2);
                layer.attend_cached(x, &any_mask(a), &mut cache) };
            attend_memory: { let (layer, mut cache) = cached(a); let (x, m) = (steps(a, 2), steps(a, 2));
                if a.once_in(2) { cache.clear(); } layer.attend_memory(x, m, &any_mask(a), &mut cache) };
            weights: { let layer = MultiHeadAttention::new(WIDTH, 2, &mut a.rng());
                let (q, k) = (steps(a, 2), steps(a, 2)); layer.weights(q, k, &any_mask(a)) };
            forward: MultiHeadAttention::new(WIDTH, 2, &mut a.rng()).forward(steps(a, 2));
        }
        "nn::AttentionMask" {
            new: masked(a, 9);
            causal: masked(a, 0);
            keys: masked(a, 1);
            lengths: masked(a, 2);
            pairs: masked(a, 3);
            bias: masked(a, 4);
        }
        "nn::Bilinear" {
            new: done(Bilinear::<T>::new(a.size(), a.size(), a.size(), &mut a.rng()));
            without_bias: { let layer = Bilinear::new(2, 3, 2, &mut a.rng()).without_bias();
                layer.forward(a.of(&[4, 2]), a.more(&[4, 3])) };
            forward: { let layer = Bilinear::new(2, 3, 2, &mut a.rng()); layer.forward(a.of(&[4, 2]), a.more(&[4, 3])) };
        }
        "nn::Embedding" {
            new: done(Embedding::<T>::new(a.size(), a.size(), &mut a.rng()));
            from_table: Embedding::from_table(a.tame().ranked(2..=2)).forward(a.tape, &a.index(1));
            init: embedding(a).init(Scheme::Normal(0.1), &mut a.rng()).forward(a.tape, &a.index(5));
            padding: embedding(a).padding(a.tame().count(0..=4)).forward(a.tape, &a.index(5));
            forward: embedding(a).forward(a.tape, &a.index(5));
            project: embedding(a).project(steps(a, 2));
        }
        "nn::KvCache" {
            new: done(KvCache::<T>::new());
            len: cached(a).1.len();
            is_empty: cached(a).1.is_empty();
            clear: cached(a).1.clear();
            truncate: { let (layer, mut cache) = cached(a); cache.truncate(a.count(0..=3));
                layer.attend_cached(steps(a, 2), &AttentionMask::new(), &mut cache) };
            select: { let (_, mut cache) = cached(a); cache.select(&a.index_of(&[3], 2)) };
        }
        "nn::SinusoidalPositions" {
            table: SinusoidalPositions::table::<T>(a.count(0..=3), a.count(0..=3), a.count(1..=4));
            forward_at: SinusoidalPositions.forward_at(steps(a, 2), a.count(0..=3));
            forward: SinusoidalPositions.forward(steps(a, 2));
        }
        "nn::LearnedPositions" {
            new: done(LearnedPositions::<T>::new(a.size(), a.size(), &mut a.rng()));
            forward_at: LearnedPositions::new(5, WIDTH, &mut a.rng()).forward_at(steps(a, 2), a.count(0..=2));
            forward: LearnedPositions::new(5, WIDTH, &mut a.rng()).forward(steps(a, 2));
        }
        "nn::Rotary" {
            rotate: { let x = steps(a, 2); let base = if a.once_in(3) { a.number() } else { 1e4 };
                Rotary { base, ..Rotary::default() }.rotate(x, a.count(0..=3)) };
        }
        "nn::Transformer" {
            with_config: done(Transformer::<T>::with_config(&config(a), &mut a.rng()));
            forward: { let model = Transformer::with_config(&config(a), &mut a.rng()); model.forward(steps(a, 2), steps(a, 2)) };
            run: { let model = Transformer::with_config(&config(a), &mut a.rng()); let (x, y) = (steps(a, 2), steps(a, 2));
                let masks = TransformerMasks { target: any_mask(a), ..TransformerMasks::default() };
                model.run(x, y, &masks) };
        }
        "nn::TransformerDecoderLayer" {
            with_config: done(TransformerDecoderLayer::<T>::with_config(&config(a), &mut a.rng()));
            run: { let layer = TransformerDecoderLayer::with_config(&config(a), &mut a.rng());
                let (m, x) = (steps(a, 2), steps(a, 2)); layer.run(x, m, &any_mask(a), &AttentionMask::new()) };
            step: { let model = TransformerDecoder::with_config(&TransformerConfig { layers: 1, ..config(a) }, &mut a.rng());
                let (m, x) = (steps(a, 2), steps(a, 2)); let mut caches = model.caches();
                model.layers[0].step(x, m, &any_mask(a), &mut caches[0]) };
        }
        "nn::TransformerDecoder" {
            with_config: done(TransformerDecoder::<T>::with_config(&config(a), &mut a.rng()));
            forward: { let model = TransformerDecoder::with_config(&config(a), &mut a.rng()); model.forward(steps(a, 2), steps(a, 2)) };
            run: { let model = TransformerDecoder::with_config(&config(a), &mut a.rng()); let (m, x) = (steps(a, 2), steps(a, 2));
                model.run(x, m, &any_mask(a), &AttentionMask::new()) };
            caches: TransformerDecoder::<T>::with_config(&config(a), &mut a.rng()).caches().len();
            step: { let model = TransformerDecoder::with_config(&config(a), &mut a.rng()); let (m, x) = (steps(a, 2), steps(a, 2));
                let mut caches = model.caches(); if a.once_in(4) { caches.pop(); }
                model.step(x, m, &AttentionMask::new(), &mut caches) };
        }
        "nn::TransformerEncoderLayer" {
            with_config: done(TransformerEncoderLayer::<T>::with_config(&config(a), &mut a.rng()));
            run: { let layer = TransformerEncoderLayer::with_config(&config(a), &mut a.rng()); let x = steps(a, 2);
                layer.run(x, &any_mask(a)) };
            step: { let layer = TransformerEncoderLayer::with_config(&config(a), &mut a.rng()); let mut cache = cached(a).1;
                layer.step(steps(a, 2), &mut cache) };
            forward: TransformerEncoderLayer::with_config(&config(a), &mut a.rng()).forward(steps(a, 2));
        }
        "nn::TransformerEncoder" {
            with_config: done(TransformerEncoder::<T>::with_config(&config(a), &mut a.rng()));
            run: { let model = TransformerEncoder::with_config(&config(a), &mut a.rng()); let x = steps(a, 2);
                model.run(x, &any_mask(a)) };
            caches: TransformerEncoder::<T>::with_config(&config(a), &mut a.rng()).caches().len();
            step: { let model = TransformerEncoder::with_config(&config(a), &mut a.rng()); let mut caches = model.caches();
                if a.once_in(4) { caches.pop(); } model.step(steps(a, 2), &mut caches) };
            forward: TransformerEncoder::with_config(&config(a), &mut a.rng()).forward(steps(a, 2));
        }
        "tape::Var" {
            id: a.var().id();
            named: { let x = a.var().named("x".repeat(a.below(4))); done(a.tape.nodes()); x };
        }
        "tape::Tape" {
            nodes: { let _ = a.var().tanh(); a.tape.nodes().len() };
            sweep_steps: { let y = a.var().tanh(); a.tape.sweep_steps(y).map(|s| s.len()) };
        }
        "tape::Term" {
            text: Term::Input(a.count(0..=2)).text(&["x"], "y");
            latex: Term::Number(a.number()).latex(&["x"], "y");
        }
    }
}
