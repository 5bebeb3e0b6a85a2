//! `nn`: initialisers, layers, losses, models, and their state.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use wengert::nn::gradcheck::{Mode, ModuleCheck};
use wengert::nn::init::{self, Gain, Scheme};
use wengert::nn::loss::{self, Reduction};
use wengert::nn::state::AnyTensor;
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::nn::{
    Activation, BatchNorm, Buffer, Dropout, Flatten, GroupNorm, Gru, InstanceNorm, Layer, LayerNorm, Leaf,
    LeafMut, Linear, Lstm, Module, ModulePath, RecurrentConfig, ReluRnn, RmsNorm, Rnn, RnnInput, Sequential,
    Summary, for_each_leaf, for_each_leaf_mut, for_each_param, for_each_param_mut, gradcheck, state,
};
use wengert::ops::{Shape, Tensor};
use wengert::tape::{Float, Var};

fn gain<T: Float>(a: &mut Arguments<'_, T>) -> Gain {
    let c = a.number();
    a.pick(&[Gain::Unit, Gain::Relu, Gain::LeakyRelu(c), Gain::TanhPytorch, Gain::Value(c)])
}

fn scheme<T: Float>(a: &mut Arguments<'_, T>) -> Scheme {
    let (g, c) = (gain(a), a.number());
    let (k, x) = (
        [Scheme::KaimingNormal(g), Scheme::KaimingUniform(g)],
        [Scheme::XavierNormal(g), Scheme::XavierUniform(g)],
    );
    a.pick(&[k[0], k[1], x[0], x[1], Scheme::Normal(c), Scheme::Uniform(c), Scheme::Zeros, Scheme::Ones])
}

/// A scheme with valid numbers.
fn sound_scheme<T: Float>(a: &mut Arguments<'_, T>) -> Scheme {
    a.pick(&[
        Scheme::KaimingNormal(Gain::Relu),
        Scheme::XavierUniform(Gain::Unit),
        Scheme::Normal(0.5),
        Scheme::Ones,
    ])
}

fn shape<T: Float>(a: &mut Arguments<'_, T>) -> Shape {
    Shape::from(a.dims(0..=4))
}

fn activation<T: Float>(a: &mut Arguments<'_, T>) -> Activation {
    use Activation::{Elu, Gelu, Identity, LeakyRelu, LogSoftmax, Relu, Silu, Softmax, Tanh};
    let c = a.number();
    a.pick(&[Identity, Relu, LeakyRelu(c), Elu(c), Gelu, Silu, Tanh, Softmax, LogSoftmax])
}

fn linear<T: Float>(a: &mut Arguments<'_, T>) -> Linear<T> {
    let (i, o) = (a.size(), a.size());
    let layer = Linear::new(i, o, &mut a.rng());
    if a.once_in(3) { layer.without_bias() } else { layer }
}

/// A recurrent network of small sizes.
fn recurrent<T: Float>(a: &mut Arguments<'_, T>) -> RecurrentConfig {
    RecurrentConfig {
        layers: a.below(3),
        bidirectional: a.once_in(3),
        dropout: a.probability(),
        bias: a.flag(),
        ..RecurrentConfig::new(a.size().min(3), a.size().min(3))
    }
}

/// Reads the parameters and buffers of a layer.
fn leaves<T: Float, R>(a: &mut Arguments<'_, T>, f: impl Fn(Leaf<'_>) -> R) {
    for_each_leaf(&BatchNorm::<T>::new(a.size()), |_, leaf| done(f(leaf)));
}

/// Changes the parameters and buffers of a layer.
fn leaves_mut<T: Float, R>(a: &mut Arguments<'_, T>, f: impl Fn(&mut LeafMut<'_>) -> R) {
    for_each_leaf_mut(&mut BatchNorm::<T>::new(a.size()), |_, mut leaf| done(f(&mut leaf)));
}

/// Sequences for a recurrent network, and its first states.
fn sequences<'t, T: Float>(a: &mut Arguments<'t, T>, c: &RecurrentConfig) -> (Var<'t, T>, RnnInput<'t, T>) {
    let x = sequence(a, c.input);
    let &[batch, steps, ..] = &a.shape[..] else { return (x, RnnInput::default()) };
    let states = c.layers * if c.bidirectional { 2 } else { 1 };
    let state = [states, batch, c.hidden];
    let (h, cell) = (a.once_in(3).then(|| a.more(&state)), a.once_in(3).then(|| a.more(&state)));
    (x, RnnInput { h, c: cell, lengths: a.once_in(3).then(|| a.index_of(&[batch], steps + 1)) })
}

/// Sequences of the given number of features, or sometimes of another.
fn sequence<'t, T: Float>(a: &mut Arguments<'t, T>, n: usize) -> Var<'t, T> {
    let [batch, steps] = a.sizes().map(|n: usize| n.min(3));
    a.of(&[batch, steps, n])
}

/// The input of a layer with the given number of features, or sometimes with another.
fn features<'t, T: Float>(a: &mut Arguments<'t, T>, n: usize) -> Var<'t, T> {
    let mut shape = a.dims(0..=3);
    shape.push(n);
    a.of(&shape)
}

fn sequential<T: Float>(a: &mut Arguments<'_, T>) -> Sequential<T> {
    let mut model = Sequential::new();
    for _ in 0..a.below(4) {
        model = match a.below(4) {
            0 => model.push(activation(a)),
            1 => model.push(Dropout::new(a.probability())),
            2 => model.push(Flatten),
            _ => model.push(linear(a)),
        };
    }
    model
}

fn mlp<T: Float>(a: &mut Arguments<'_, T>) -> Mlp<T> {
    let widths = (0..a.below(4)).map(|_| a.size()).collect();
    let config = MlpConfig { widths, activation: activation(a), dropout: a.probability() };
    // The initialiser of the network depends on the activation's slope.
    let slope = matches!(config.activation, Activation::LeakyRelu(c) if !c.is_finite());
    let config = MlpConfig { activation: if slope { Activation::Relu } else { config.activation }, ..config };
    Mlp::with_config(&config, &mut a.rng())
}

fn width<T: Float>(model: &Mlp<T>) -> usize {
    model.layers.first().map_or(1, |l| l.weight.shape()[1])
}

fn reduction<T: Float>(a: &mut Arguments<'_, T>) -> Reduction {
    a.pick(&[Reduction::Mean, Reduction::Sum, Reduction::None])
}

/// Rows of scores, and one class per row.
fn classes<'t, T: Float>(a: &mut Arguments<'t, T>) -> (Var<'t, T>, Tensor<i64>) {
    let [n, k] = a.sizes::<2>();
    let n = if k == 0 { 0 } else { n };
    (a.of(&[n, k]), a.index_of(&[n], k))
}

/// Scores, and labels of the same shape that end at a -1, or sometimes do not.
fn labels<'t, T: Float>(a: &mut Arguments<'t, T>) -> (Var<'t, T>, Tensor<i64>) {
    let [n, k] = a.sizes::<2>();
    let less = i64::from(a.flag());
    (a.of(&[n, k]), a.index_of(&[n, k], k + less as usize).map(|y| y.wrapping_sub(less)))
}

/// Log-probabilities of frames, labels, and the numbers of frames and labels.
fn labelled<'t, T: Float>(a: &mut Arguments<'t, T>) -> (Var<'t, T>, Tensor<i64>, Vec<usize>, Vec<usize>) {
    let [n, time, k] = a.sizes::<3>();
    let most = a.below(3);
    let x = a.of(&[n, time, k]);
    let x = if a.once_in(4) { x } else { x.log_sigmoid() };
    let labels =
        a.index_of(&[n, if k < 2 { 0 } else { most }], k.saturating_sub(1)).map(|y| y.wrapping_add(1));
    let lengths = |a: &mut Arguments<'t, T>, most: usize| (0..n).map(|_| a.below(most + 1)).collect();
    let frames = lengths(a, time);
    (x, labels, frames, lengths(a, most))
}

/// Variances of the shape of the tensor drawn last.
fn variances<T: Float>(a: &mut Arguments<'_, T>) -> wengert::ops::Result<Tensor<T>> {
    let shape = a.shape.clone();
    a.like(&shape).mul(a.like(&[])).map(|v| v.map(|v| v.abs()))
}

/// A prediction and a target of the same shape, or sometimes of different ones.
fn pair<'t, T: Float>(a: &mut Arguments<'t, T>) -> (Var<'t, T>, crate::arguments::Given<'t, T>) {
    let x = a.var();
    let shape = a.shape.clone();
    (x, a.operand(&shape))
}

/// A prediction and a target of the same shape in the domain of a loss, or sometimes any.
fn pair_in<'t, T: Float>(
    a: &mut Arguments<'t, T>,
    x: fn(Var<'t, T>) -> Var<'t, T>,
    t: fn(Var<'t, T>) -> Var<'t, T>,
) -> (Var<'t, T>, Var<'t, T>) {
    let (p, q) = (a.var(), a.same());
    if a.once_in(4) { (p, q) } else { (x(p), t(q)) }
}

/// Signs, -1 or 1.
fn signs<T: Float>(x: Var<'_, T>) -> Var<'_, T> {
    match x.sign() {
        Ok(s) => x.tape().constant((&s + 0.5).sign()),
        Err(e) => x.tape().failed(e),
    }
}

fn path() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Relaxed);
    std::env::temp_dir().join(format!("wengert-fuzz-{}-{n}", std::process::id()))
}

/// Saves a model, sometimes damages the file, and loads it into another model.
fn loaded<T: Float>(a: &mut Arguments<'_, T>) -> Result<(), state::Error> {
    let (path, model) = (path(), linear(a));
    let mut other = if !a.once_in(4) {
        Linear::new(model.weight.shape()[1], model.weight.shape()[0], &mut a.rng())
    } else {
        linear(a)
    };
    if model.bias.is_none() && !a.once_in(4) {
        other.bias = None;
    }
    state::save(&model, &path)?;
    if a.once_in(3)
        && let Ok(mut bytes) = std::fs::read(&path)
    {
        match a.below(3) {
            0 => bytes.truncate(a.below(bytes.len() + 1)),
            1 => {
                let i = a.below(bytes.len().max(1));
                bytes[i] ^= 1 << a.below(8);
            }
            _ => bytes.extend([0xff; 8]),
        }
        let _ = std::fs::write(&path, bytes);
    }
    let outcome = state::load(&mut other, &path);
    let _ = std::fs::remove_file(&path);
    outcome
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "nn::Gain" {
            value: gain(a).value();
        }
        "nn::Scheme" {
            std: scheme(a).std(&shape(a));
            sample: sound_scheme(a).sample::<T>(&shape(a), &mut a.rng());
        }
        "nn::init" {
            zeros: init::zeros::<T>(&a.dims(0..=4));
            uniform: init::uniform::<T>(&a.dims(0..=4), a.tame().positive(), &mut a.rng());
        }
        "nn::Linear" {
            new: { let layer = Linear::<T>::new(a.size(), a.size(), &mut a.rng());
                layer.weight.value().clone() };
            without_bias: done(linear(a).without_bias());
            init: { let scheme = sound_scheme(a); done(linear(a).init(scheme, &mut a.rng())) };
            forward: { let layer = linear(a); layer.forward(features(a, layer.weight.shape()[1])) };
        }
        "nn::Dropout" {
            new: done(Dropout::new(a.number()));
            forward: Dropout::new(a.probability()).forward(a.var());
        }
        "nn::Activation" {
            forward: activation(a).forward(a.var_ranked(1..=4));
            of: done(activation(a).of(a.number()));
        }
        "nn::Flatten" {
            forward: Flatten.forward(a.var());
        }
        "nn::Sequential" {
            new: Sequential::<T>::new().forward(a.var());
            push: sequential(a).push(Flatten).forward(a.var());
            layers: sequential(a).layers().len();
            layers_mut: { let mut model = sequential(a); model.layers_mut().pop(); model.forward(a.var()) };
            forward: sequential(a).forward(features(a, 2));
        }
        "nn::Mlp" {
            new: done(Mlp::<T>::new([a.below(4), a.below(4)], &mut a.rng()));
            with_config: done(mlp(a));
            pre_activations: { let model = mlp(a); model.pre_activations(features(a, width(&model))) };
            forward: { let model = mlp(a); model.forward(features(a, width(&model))) };
        }
        "nn::loss" {
            mse: { let (x, t) = pair(a); loss::mse(x, t) };
            mse_with: { let (x, t) = pair(a); loss::mse_with(x, t, reduction(a)) };
            l1: { let (x, t) = pair(a); loss::l1(x, t) };
            l1_with: { let (x, t) = pair(a); loss::l1_with(x, t, reduction(a)) };
            huber: { let (x, t) = pair(a); loss::huber(x, t) };
            huber_with: { let (x, t) = pair(a); loss::huber_with(x, t, reduction(a)) };
            smooth_l1: { let (x, t) = pair(a); loss::smooth_l1(x, t) };
            smooth_l1_with: { let (x, t) = pair(a); loss::smooth_l1_with(x, t, reduction(a)) };
            poisson_nll: { let (x, t) = pair_in(a, |x| x, |t| t.softplus()); loss::poisson_nll(x, t) };
            poisson_nll_with: { let (x, t) = pair_in(a, |x| x, |t| t.softplus()); loss::poisson_nll_with(x, t, reduction(a)) };
            gaussian_nll: { let (x, t) = pair(a); let v = variances(a); loss::gaussian_nll(x, t, v) };
            gaussian_nll_with: { let (x, t) = pair(a); let v = variances(a); loss::gaussian_nll_with(x, t, v, reduction(a)) };
            bce: { let (x, t) = pair_in(a, |x| x.sigmoid(), |t| t.sigmoid()); loss::bce(x, t) };
            bce_with: { let (x, t) = pair_in(a, |x| x.sigmoid(), |t| t.sigmoid()); loss::bce_with(x, t, reduction(a)) };
            bce_with_logits: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); loss::bce_with_logits(x, t) };
            bce_with_logits_with: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); loss::bce_with_logits_with(x, t, reduction(a)) };
            multilabel_soft_margin: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); loss::multilabel_soft_margin(x, t) };
            multilabel_soft_margin_with: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); loss::multilabel_soft_margin_with(x, t, reduction(a)) };
            cross_entropy_soft: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); loss::cross_entropy_soft(x, t) };
            cross_entropy_soft_with: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); loss::cross_entropy_soft_with(x, t, reduction(a)) };
            cross_entropy: { let (x, t) = classes(a); loss::cross_entropy(x, &t) };
            cross_entropy_with: { let (x, t) = classes(a); loss::cross_entropy_with(x, &t, reduction(a)) };
            nll: { let (x, t) = classes(a); loss::nll(x.log_sigmoid(), &t) };
            nll_with: { let (x, t) = classes(a); loss::nll_with(x.log_sigmoid(), &t, reduction(a)) };
            margin_ranking: { let (x, y) = pair(a); let t = signs(a.same()); loss::margin_ranking(x, y, t) };
            margin_ranking_with: { let (x, y) = pair(a); let t = signs(a.same()); loss::margin_ranking_with(x, y, t, reduction(a)) };
            hinge_embedding: { let (x, t) = pair_in(a, |x| x, signs); loss::hinge_embedding(x, t) };
            hinge_embedding_with: { let (x, t) = pair_in(a, |x| x, signs); loss::hinge_embedding_with(x, t, reduction(a)) };
            multi_margin: { let (x, t) = classes(a); loss::multi_margin(x, &t) };
            multi_margin_with: { let (x, t) = classes(a); loss::multi_margin_with(x, &t, reduction(a)) };
            triplet_margin: { let [n, d] = a.sizes(); let (x, y, z) = (a.of(&[n, d]), a.operand(&[n, d]), a.operand(&[n, d])); loss::triplet_margin(x, y, z) };
            triplet_margin_with: { let [n, d] = a.sizes(); let (x, y, z) = (a.of(&[n, d]), a.operand(&[n, d]), a.operand(&[n, d])); loss::triplet_margin_with(x, y, z, reduction(a)) };
            cosine_embedding: { let [n, d] = a.sizes(); let (x, y) = (a.of(&[n, d]), a.operand(&[n, d])); let t = signs(a.more(&[n])); loss::cosine_embedding(x, y, t) };
            cosine_embedding_with: { let [n, d] = a.sizes(); let (x, y) = (a.of(&[n, d]), a.operand(&[n, d])); let t = signs(a.more(&[n])); loss::cosine_embedding_with(x, y, t, reduction(a)) };
            info_nce: { let [n, d] = a.sizes(); let (x, y) = (a.of(&[n, d]), a.operand(&[n, d])); loss::info_nce(x, y) };
            info_nce_with: { let [n, d] = a.sizes(); let (x, y) = (a.of(&[n, d]), a.operand(&[n, d])); loss::info_nce_with(x, y, reduction(a)) };
        }
        "nn::categorical" {
            kl: { let (x, t) = pair_in(a, |x| x.log_sigmoid(), |t| t.log_sigmoid()); loss::kl(x, t) };
            kl_with: { let (x, t) = pair_in(a, |x| x.log_sigmoid(), |t| t.log_sigmoid()); loss::kl_with(x, t, reduction(a)) };
        }
        "nn::regression" {
            log_cosh: { let (x, t) = pair(a); loss::log_cosh(x, t) };
            log_cosh_with: { let (x, t) = pair(a); loss::log_cosh_with(x, t, reduction(a)) };
        }
        "nn::masked" {
            masked_mse: { let (x, t) = pair(a); loss::masked_mse(x, t, a.mask()) };
            masked_mse_with: { let (x, t) = pair(a); loss::masked_mse_with(x, t, a.mask(), reduction(a)) };
        }
        "nn::margin" {
            hinge: { let (x, t) = pair_in(a, |x| x, signs); loss::hinge(x, t) };
            hinge_with: { let (x, t) = pair_in(a, |x| x, signs); loss::hinge_with(x, t, reduction(a)) };
            squared_hinge: { let (x, t) = pair_in(a, |x| x, signs); loss::squared_hinge(x, t) };
            squared_hinge_with: { let (x, t) = pair_in(a, |x| x, signs); loss::squared_hinge_with(x, t, reduction(a)) };
            soft_margin: { let (x, t) = pair_in(a, |x| x, signs); loss::soft_margin(x, t) };
            soft_margin_with: { let (x, t) = pair_in(a, |x| x, signs); loss::soft_margin_with(x, t, reduction(a)) };
            multilabel_margin: { let (x, t) = labels(a); loss::multilabel_margin(x, &t) };
            multilabel_margin_with: { let (x, t) = labels(a); loss::multilabel_margin_with(x, &t, reduction(a)) };
        }
        "nn::ctc" {
            ctc: { let (x, t, frames, counts) = labelled(a); loss::ctc(x, &t, &frames, &counts) };
            ctc_with: { let (x, t, frames, counts) = labelled(a); loss::ctc_with(x, &t, &frames, &counts, reduction(a)) };
        }
        "nn::Huber" {
            of: { let (x, t) = pair(a); loss::Huber { delta: a.number(), reduction: reduction(a) }.of(x, t) };
        }
        "nn::SmoothL1" {
            of: { let (x, t) = pair(a); loss::SmoothL1 { beta: a.number(), reduction: reduction(a) }.of(x, t) };
        }
        "nn::Bce" {
            of: { let (x, t) = pair_in(a, |x| x.sigmoid(), |t| t.sigmoid()); let w = a.once_in(2).then(|| a.beside_tensor());
                loss::Bce { weight: w, reduction: reduction(a) }.of(x, t) };
        }
        "nn::MultilabelSoftMargin" {
            of: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); let w = a.once_in(2).then(|| a.beside_tensor());
                loss::MultilabelSoftMargin { weight: w, reduction: reduction(a) }.of(x, t) };
        }
        "nn::CrossEntropySoft" {
            of: { let (x, t) = pair_in(a, |x| x, |t| t.sigmoid()); let k = a.shape.last().copied().unwrap_or(0);
                loss::CrossEntropySoft { weight: a.once_in(2).then(|| a.like(&[k])),
                    label_smoothing: a.probability(), reduction: reduction(a) }.of(x, t) };
        }
        "nn::Nll" {
            of: { let (x, t) = classes(a); let k = a.shape.last().copied().unwrap_or(0);
                let options = loss::Nll { weight: a.once_in(2).then(|| a.like(&[k])),
                    ignore_index: a.once_in(2).then_some(0),
                    label_smoothing: a.probability(), reduction: reduction(a) };
                options.of(x.log_sigmoid(), &t) };
        }
        "nn::MarginRanking" {
            of: { let (x, y) = pair(a); let t = signs(a.same());
                loss::MarginRanking { margin: a.number(), reduction: reduction(a) }.of(x, y, t) };
        }
        "nn::HingeEmbedding" {
            of: { let (x, t) = pair_in(a, |x| x, signs);
                loss::HingeEmbedding { margin: a.number(), reduction: reduction(a) }.of(x, t) };
        }
        "nn::MultiMargin" {
            of: { let (x, t) = classes(a); let k = a.shape.last().copied().unwrap_or(0);
                let options = loss::MultiMargin { p: if a.flag() { 1 } else { 2 }, margin: a.number(),
                    weight: a.once_in(2).then(|| a.like(&[k])), reduction: reduction(a) };
                options.of(x, &t) };
        }
        "nn::CosineEmbedding" {
            of: { let [n, d] = a.sizes(); let (x, y) = (a.of(&[n, d]), a.operand(&[n, d]));
                let t = signs(a.more(&[n]));
                loss::CosineEmbedding { margin: a.probability(), reduction: reduction(a) }.of(x, y, t) };
        }
        "nn::InfoNce" {
            of: { let [n, d] = a.sizes(); let (x, y) = (a.of(&[n, d]), a.operand(&[n, d]));
                loss::InfoNce { temperature: a.positive(), reduction: reduction(a) }.of(x, y) };
        }
        "nn::Ctc" {
            of: { let (x, t, frames, counts) = labelled(a);
                loss::Ctc { blank: a.below(3), zero_infinity: a.flag(), reduction: reduction(a) }
                    .of(x, &t, &frames, &counts) };
        }
        "nn::BceWithLogits" {
            of: { let (x, t) = pair(a); let (p, w) = (a.once_in(2).then(|| a.beside_tensor()),
                a.once_in(2).then(|| a.beside_tensor()));
                loss::BceWithLogits { pos_weight: p, weight: w, reduction: reduction(a) }.of(x, t) };
        }
        "nn::CrossEntropy" {
            of: { let (x, t) = classes(a); let k = a.shape.last().copied().unwrap_or(0);
                let options = loss::CrossEntropy { weight: a.once_in(2).then(|| a.like(&[k])),
                    ignore_index: a.once_in(2).then_some(0),
                    label_smoothing: a.probability(), reduction: reduction(a) };
                options.of(x, &t) };
        }
        "nn::TripletMargin" {
            of: { let [n, d] = a.sizes();
                let (x, y, z) = (a.of(&[n, d]), a.operand(&[n, d]), a.operand(&[n, d]));
                loss::TripletMargin { margin: a.positive(), p: if a.once_in(2) { 2.0 } else { a.number() },
                    swap: a.flag(), eps: a.number(),
                    reduction: reduction(a) }.of(x, y, z) };
        }
        "nn::PoissonNll" {
            of: { let (x, t) = pair(a); loss::PoissonNll { log_input: a.flag(), full: a.flag(),
                eps: a.number(), reduction: reduction(a) }.of(x, t) };
        }
        "nn::GaussianNll" {
            of: { let (x, t) = pair(a); let v = variances(a);
                loss::GaussianNll { full: a.flag(), eps: a.positive(), reduction: reduction(a) }.of(x, t,
                    v) };
        }
        "nn::BatchNorm" {
            new: done(BatchNorm::<T>::new(a.size()));
            without_affine: { let c = a.size(); BatchNorm::new(c).without_affine().forward(a.of(&[3, c])) };
            without_statistics: { let c = a.size();
                BatchNorm::new(c).without_statistics().forward(a.of(&[3, c, 2])) };
            forward: { let c = a.size(); let mut layer = BatchNorm::new(c);
                layer.momentum = a.once_in(2).then(|| a.number());
                layer.eps = a.positive(); layer.forward(a.of(&[3, c, 2])) };
        }
        "nn::GroupNorm" {
            new: done(GroupNorm::<T>::new(a.count(0..=3), a.size()));
            without_affine: { let c = a.size();
                GroupNorm::new(a.count(1..=2), 2 * c).without_affine().forward(a.of(&[2, 2 * c, 2])) };
            forward: { let c = a.size(); GroupNorm::new(a.count(1..=2), 2 * c).forward(a.of(&[2, 2 * c])) };
        }
        "nn::InstanceNorm" {
            new: InstanceNorm::new().forward(a.var_ranked(3..=4));
            with_affine: { let c = a.size(); InstanceNorm::new().with_affine(c).forward(a.of(&[2, c, 3])) };
            forward: InstanceNorm::new().forward(a.var_ranked(3..=5));
        }
        "nn::LayerNorm" {
            new: done(LayerNorm::<T>::new(a.dims(0..=2)));
            without_bias: { let n = a.dims(1..=2); LayerNorm::new(&n).without_bias().forward(a.of(&n)) };
            without_affine: { let n = a.dims(1..=2); LayerNorm::new(&n).without_affine().forward(a.of(&n)) };
            forward: { let n = a.dims(1..=2); LayerNorm::new(&n).forward(a.of(&n)) };
        }
        "nn::RmsNorm" {
            new: done(RmsNorm::<T>::new(a.dims(0..=2)));
            without_affine: { let n = a.dims(1..=2); RmsNorm::new(&n).without_affine().forward(a.of(&n)) };
            forward: { let n = a.dims(1..=2); RmsNorm::new(&n).forward(a.of(&n)) };
        }
        "nn::RecurrentConfig" {
            new: done(RecurrentConfig::new(a.count(0..=3), a.count(0..=3)));
        }
        "nn::RnnInput" {
            with_lengths: RnnInput::<T>::with_lengths(a.index(3)).map(|s| s.lengths);
        }
        "nn::Rnn" {
            new: { let (n, h) = (a.below(4), a.below(4)); done(Rnn::<T>::new(n, h, &mut a.rng()).config().hidden) };
            with_config: { let c = recurrent(a); let net = Rnn::with_config(&c, &mut a.rng());
                net.forward(sequence(a, c.input)) };
            config: { let c = recurrent(a); Rnn::<T>::with_config(&c, &mut a.rng()).config().layers };
            run: { let c = recurrent(a); let net = Rnn::with_config(&c, &mut a.rng());
                let (x, start) = sequences(a, &c);
                let run = net.run(x, &start); [run.y, run.h, run.c.unwrap_or(run.h)] };
        }
        "nn::ReluRnn" {
            new: { let (n, h) = (a.below(4), a.below(4)); done(ReluRnn::<T>::new(n, h, &mut a.rng()).config().hidden) };
            with_config: { let c = recurrent(a); let net = ReluRnn::with_config(&c, &mut a.rng());
                net.forward(sequence(a, c.input)) };
            config: { let c = recurrent(a); ReluRnn::<T>::with_config(&c, &mut a.rng()).config().layers };
            run: { let c = recurrent(a); let net = ReluRnn::with_config(&c, &mut a.rng());
                let (x, start) = sequences(a, &c);
                let run = net.run(x, &start); [run.y, run.h, run.c.unwrap_or(run.h)] };
        }
        "nn::Lstm" {
            new: { let (n, h) = (a.below(4), a.below(4)); done(Lstm::<T>::new(n, h, &mut a.rng()).config().hidden) };
            with_config: { let c = recurrent(a); let net = Lstm::with_config(&c, &mut a.rng());
                net.forward(sequence(a, c.input)) };
            config: { let c = recurrent(a); Lstm::<T>::with_config(&c, &mut a.rng()).config().layers };
            run: { let c = recurrent(a); let net = Lstm::with_config(&c, &mut a.rng());
                let (x, start) = sequences(a, &c);
                let run = net.run(x, &start); [run.y, run.h, run.c.unwrap_or(run.h)] };
        }
        "nn::Gru" {
            new: { let (n, h) = (a.below(4), a.below(4)); done(Gru::<T>::new(n, h, &mut a.rng()).config().hidden) };
            with_config: { let c = recurrent(a); let net = Gru::with_config(&c, &mut a.rng());
                net.forward(sequence(a, c.input)) };
            config: { let c = recurrent(a); Gru::<T>::with_config(&c, &mut a.rng()).config().layers };
            run: { let c = recurrent(a); let net = Gru::with_config(&c, &mut a.rng());
                let (x, start) = sequences(a, &c);
                let run = net.run(x, &start); [run.y, run.h, run.c.unwrap_or(run.h)] };
        }
        "nn::ModulePath" {
            root: done(ModulePath::root());
            as_str: done(ModulePath::root().as_str());
            enter: ModulePath::root().enter(&"a".repeat(a.below(4)), |p| p.enter("", |p| p.as_str().to_owned()));
            enter_index: ModulePath::root().enter_index(a.below(100), |p| p.enter_index(0, |p| p.as_str().to_owned()));
        }
        "nn::Buffer" {
            new: done(Buffer::new(a.tensor()));
            value: Buffer::new(a.tensor()).value().clone();
            id: done(Buffer::new(a.tensor()).id());
            set: { let mut b = Buffer::new(a.tensor()); b.set(a.like(&a.shape.clone())) };
        }
        "nn::Leaf" {
            shape: leaves(a, |leaf| leaf.shape().len());
            numel: leaves(a, |leaf| leaf.numel());
            dtype: leaves(a, |leaf| leaf.dtype());
            is_param: leaves(a, |leaf| leaf.is_param());
            is_trainable: leaves(a, |leaf| leaf.is_trainable());
            value: leaves(a, |leaf| leaf.value());
            buffer_id: leaves(a, |leaf| leaf.buffer_id());
            param: leaves(a, |leaf| leaf.param::<T>().map(|p| p.numel()));
            buffer: leaves(a, |leaf| leaf.buffer::<i64>().map(|b| b.value().numel()));
        }
        "nn::LeafMut" {
            as_leaf: leaves_mut(a, |leaf| leaf.as_leaf().numel());
            set: { let t = AnyTensor::of(&a.tensor()); leaves_mut(a, |leaf| leaf.set(t.clone()).is_ok()) };
            set_trainable: leaves_mut(a, |leaf| leaf.set_trainable(false));
            param_mut: leaves_mut(a, |leaf| leaf.param_mut::<T>().is_some());
            buffer_mut: leaves_mut(a, |leaf| leaf.buffer_mut::<T>().is_some());
        }
        "nn::walk" {
            for_each_leaf: leaves(a, |leaf| leaf.numel());
            for_each_leaf_mut: leaves_mut(a, |leaf| leaf.as_leaf().is_param());
            for_each_param: { let mut n = 0;
                for_each_param::<T>(&sequential(a), &mut |_, p| n += p.numel()); n };
            for_each_param_mut: { let mut n = 0;
                for_each_param_mut::<T>(&mut sequential(a), &mut |_, p| n += p.numel()); n };
        }
        "nn::dyn Module" {
            num_params: sequential(a).num_params();
            num_trainable: { let mut model = sequential(a); model.freeze(); model.num_trainable() };
            param_names: sequential(a).named().param_names().concat();
        }
        "nn::Summary" {
            of: Summary::of(&sequential(a)).to_string();
        }
        "nn::state" {
            save: { let path = path(); let saved = state::save(&sequential(a),
                if a.once_in(4) { path.join("x") } else { path.clone() });
                let _ = std::fs::remove_file(path); saved };
            load: loaded(a);
            dict: state::dict(&sequential(a)).len();
            restore: { let mut model = sequential(a);
                let from = if a.once_in(2) { state::dict(&model) } else { state::dict(&sequential(a)) };
                state::restore(&mut model, &from) };
        }
        "nn::file" {
            encode: state::encode(&state::dict(&sequential(a)), Some("a note")).map(|b| b.len());
            decode: { let mut bytes = state::encode(&state::dict(&sequential(a)), None).unwrap_or_default();
                if a.once_in(2) { bytes.truncate(a.below(bytes.len() + 1)); }
                state::decode(&bytes, "bytes").map(|(d, _)| d.len()) };
            write: { let path = path(); let written = state::write(&state::dict(&sequential(a)), &path);
                let _ = std::fs::remove_file(path); written };
            read: { let path = path(); let junk = (0..a.below(40)).map(|_| a.bits() as u8).collect::<Vec<_>>();
                if a.once_in(3) { let _ = std::fs::write(&path, junk);
                    } else { let _ = state::save(&sequential(a), &path); }
                let read = state::read(&path).map(|d| d.len()); let _ = std::fs::remove_file(path); read };
            write_whole: { let path = path(); let to = if a.once_in(4) { path.join("x") } else { path.clone() };
                let written = state::write_whole(&to, &[0; 9]); let _ = std::fs::remove_file(path); written };
        }
        "nn::transfer" {
            transfer: { let mut model = sequential(a); let from = state::dict(&sequential(a));
                done(state::transfer(&mut model, &from)); };
        }
        "nn::ModuleReport" {
            worst: checked(a).map(|r| r.worst());
            passed: checked(a).map(|r| r.passed());
        }
        "nn::ModuleMismatch" {
            relative_error: checked(a).map(|r| r.mismatches.iter().map(|m| m.relative_error()).sum::<f64>());
        }
        "nn::ModuleCheck" {
            new: done(ModuleCheck::new("fuzz"));
            directions: { let check = ModuleCheck::new("fuzz").directions(a.below(3)); run(a, &check).map(done) };
            seed: { let check = ModuleCheck::new("fuzz").seed(a.bits()); run(a, &check).map(done) };
            first_order: run(a, &ModuleCheck::new("fuzz").first_order()).map(|r| r.to_string());
            tolerance: { let check = ModuleCheck::new("fuzz").tolerance(a.number()); run(a, &check).map(done) };
            rtol: { let check = ModuleCheck::new("fuzz").rtol(a.number()); run(a, &check).map(done) };
            atol: { let check = ModuleCheck::new("fuzz").atol(a.number()); run(a, &check).map(done) };
            step: { let check = ModuleCheck::new("fuzz").step(a.number()); run(a, &check).map(done) };
            modes: { let mode = a.pick(&[Mode::Training, Mode::Evaluation]);
                run(a, &ModuleCheck::new("fuzz").modes([mode])).map(done) };
            batch_sizes: batches(a).map(done);
            allow_non_finite: run(a, &ModuleCheck::new("fuzz").allow_non_finite()).map(done);
            run: run(a, &ModuleCheck::new("fuzz").first_order()).map(done);
            run_with_inputs: with_inputs(a).map(done);
            run_batches: batches(a).map(done);
        }
        "nn::gradcheck" {
            check_slopes: slopes(a);
            check: checked(a).map(done);
        }
    }
}

/// A layer, and an input that is usually valid.
fn checkable<T: Float>(a: &mut Arguments<'_, T>) -> wengert::Result<(Linear<f64>, Tensor<f64>)> {
    let [i, o] = a.sizes().map(|n: usize| n.min(3));
    let model = Linear::<f64>::new(i, o, &mut a.rng());
    Ok((model, Tensor::try_full([2, if a.once_in(4) { i + 1 } else { i }], 0.5)?))
}

fn checked<T: Float>(a: &mut Arguments<'_, T>) -> wengert::Result<gradcheck::ModuleReport> {
    let (mut model, x) = checkable(a)?;
    gradcheck::check(&mut model, |m, tape| m.forward(tape.constant(&x)).tanh().sum(), a.below(3))
}

fn run<T: Float>(a: &mut Arguments<'_, T>, check: &ModuleCheck) -> wengert::Result<gradcheck::ModuleReport> {
    let (mut model, x) = checkable(a)?;
    check.run(&mut model, |m, tape| m.forward(tape.constant(&x)).tanh().sum())
}

fn with_inputs<T: Float>(a: &mut Arguments<'_, T>) -> wengert::Result<gradcheck::ModuleReport> {
    let (mut model, x) = checkable(a)?;
    let check = ModuleCheck::new("fuzz").directions(1);
    check.run_with_inputs(&mut model, &[x], |m, x| m.forward(x[0]).tanh().sum())
}

/// Batches of several sizes, sometimes of size 0.
fn batches<T: Float>(a: &mut Arguments<'_, T>) -> wengert::Result<gradcheck::ModuleReport> {
    let (mut model, x) = checkable(a)?;
    let sizes = [a.below(3), a.below(3)];
    ModuleCheck::new("fuzz").directions(1).first_order().batch_sizes(sizes).run_batches(
        &mut model,
        |n, _| Ok(vec![Tensor::try_full([n, x.shape()[1]], 0.5)?]),
        |m, x| m.forward(x[0]).tanh().sum(),
    )
}

fn slopes<T: Float>(a: &mut Arguments<'_, T>) -> wengert::Result<Vec<f64>> {
    let (mut model, x) = checkable(a)?;
    let (directions, step) = (a.below(3), a.number());
    gradcheck::check_slopes(&mut model, |m, tape| m.forward(tape.constant(&x)).tanh().sum(), directions, step)
}
