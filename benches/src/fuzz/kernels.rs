//! `ops`: kernels of the tape's fused operations, with the kernels of their derivatives.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::ops::kernel::attention::Scores;
use wengert::ops::kernel::normalize::{Groups, ThroughMoments};
use wengert::ops::{Direction, Result, Tensor, Triangle};
use wengert::tape::Float;

fn direction<T: Float>(a: &mut Arguments<'_, T>) -> Direction {
    a.pick(&[Direction::Forward, Direction::Backward])
}

fn triangle<T: Float>(a: &mut Arguments<'_, T>) -> Triangle {
    Triangle { upper: a.flag(), transposed: a.flag(), unit: a.flag() }
}

/// Queries, keys, values, and the options for the scores.
fn attended<T: Float>(a: &mut Arguments<'_, T>) -> ([Tensor<T>; 3], Scores<T>) {
    let [b, t, s, d, e] = a.sizes().map(|n: usize| n.min(3));
    let scores = Scores {
        scale: a.number(),
        diagonal: a.once_in(3).then(|| a.offset()),
        seen: a.once_in(3).then(|| a.mask_of(&[b, t, s])),
        added: a.once_in(3).then(|| a.like(&[b, t, s])),
    };
    ([a.like(&[b, t, d]), a.like(&[b, s, d]), a.like(&[b, s, e])], scores)
}

fn attention_adjoint<T: Float>(a: &mut Arguments<'_, T>) -> Result<Vec<Option<Tensor<T>>>> {
    let ([q, k, v], scores) = attended(a);
    let (y, stats) = q.attention(&k, &v, &scores)?;
    let (y, stats, g) = (remade(a, y), remade(a, stats), a.like(q.attention(&k, &v, &scores)?.0.shape()));
    Ok(q.attention_adjoint(&k, &v, &scores, (&y, &stats), &g, a.flag())?.into())
}

/// The tensor, or sometimes another one, of its shape or of another shape.
fn remade<T: Float>(a: &mut Arguments<'_, T>, t: Tensor<T>) -> Tensor<T> {
    if a.once_in(6) { a.like(t.shape()) } else { t }
}

fn maybe<T: Float>(a: &mut Arguments<'_, T>, shape: &[usize]) -> Option<Tensor<T>> {
    a.once_in(2).then(|| a.like(shape))
}

/// Samples whose channels form groups, and weights.
struct Normalized<T: Float> {
    x: Tensor<T>,
    of: Groups,
    weight: Option<Tensor<T>>,
    bias: Option<Tensor<T>>,
}

fn groups<T: Float>(a: &mut Arguments<'_, T>) -> Normalized<T> {
    let [n, groups, channels, inner] = a.sizes().map(|n: usize| n.clamp(1, 3));
    let (weight, bias) = (maybe(a, &[groups * channels]), maybe(a, &[groups * channels]));
    let of = Groups {
        groups: a.count(groups..=groups),
        channels: a.count(channels..=channels),
        inner: a.count(inner..=inner),
        centred: a.flag(),
        eps: a.number(),
    };
    Normalized { x: a.like(&[n, groups * channels, inner]), of, weight, bias }
}

fn groups_adjoint<T: Float>(a: &mut Arguments<'_, T>) -> Result<Vec<Option<Tensor<T>>>> {
    let Normalized { x, of, weight, bias } = groups(a);
    let (y, stats) = x.normalize_groups("fuzz", of, weight.as_ref(), bias.as_ref())?;
    let (stats, g) = (remade(a, stats), a.like(y.shape()));
    Ok(x.normalize_groups_adjoint("fuzz", of, weight.as_ref(), &stats, &g, a.flag())?.into())
}

/// A batch, its statistics, weight and bias.
type Batch<T> = (Tensor<T>, Tensor<T>, Option<Tensor<T>>, Option<Tensor<T>>);

fn batch<T: Float>(a: &mut Arguments<'_, T>) -> Result<Batch<T>> {
    let [n, c, inner] = a.sizes().map(|n: usize| n.min(4));
    let x = if a.once_in(3) { a.like(&[n, c]) } else { a.like(&[n, c, inner]) };
    let [_, _, stats] = x.channel_moments("fuzz", a.positive())?;
    Ok((x, remade(a, stats), maybe(a, &[c]), maybe(a, &[c])))
}

fn channels_adjoint<T: Float>(a: &mut Arguments<'_, T>) -> Result<Tensor<T>> {
    let (x, stats, weight, _) = batch(a)?;
    let g = a.like(x.shape());
    let sums = x.channel_sums("fuzz", &stats, &x)?;
    let c = sums.numel() / 2;
    let (sums, mean, variance) = (remade(a, sums), maybe(a, &[c]), maybe(a, &[c]));
    let through = ThroughMoments { sums: &sums, mean: mean.as_ref(), variance: variance.as_ref() };
    x.normalize_channels_adjoint("fuzz", &stats, weight.as_ref(), &g, a.once_in(2).then_some(through))
}

/// Square matrices, sometimes of full rank.
fn square<T: Float>(a: &mut Arguments<'_, T>) -> Tensor<T> {
    let [b, n] = a.sizes().map(|n: usize| n.min(4));
    match a.below(3) {
        0 => a.tensor_of(&[b, n, n]),
        1 => a.tensor_of(&[n, n]),
        // A positive definite matrix.
        _ => {
            let x = a.tensor_of(&[n, n]);
            let gram = x.transpose(0, 1).and_then(|t| x.matmul(&t)).and_then(|g| g.add(&Tensor::eye(n)?));
            gram.unwrap_or(x)
        }
    }
}

fn right_side<T: Float>(a: &mut Arguments<'_, T>, x: &Tensor<T>) -> Tensor<T> {
    let mut shape = x.shape().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = a.size().min(3);
    }
    a.like(&shape)
}

fn points<T: Float>(a: &mut Arguments<'_, T>) -> (Tensor<T>, Tensor<T>) {
    let [b, n, m, d] = a.sizes().map(|n: usize| n.min(4));
    if a.once_in(2) { (a.like(&[n, d]), a.like(&[m, d])) } else { (a.like(&[b, n, d]), a.like(&[b, m, d])) }
}

/// Positions below an axis's size, as a rule, and weights.
fn between<T: Float>(a: &mut Arguments<'_, T>, m: usize, n: usize) -> (Vec<usize>, Vec<f64>) {
    let at = (0..m).map(|_| a.count(0..=n.saturating_sub(2))).collect();
    (at, (0..m).map(|_| a.number()).collect())
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "ops::Tensor" {
            attention: { let ([q, k, v], scores) = attended(a); q.attention(&k, &v, &scores) };
            attention_adjoint: attention_adjoint(a);
            normalize_groups: { let n = groups(a);
                n.x.normalize_groups("fuzz", n.of, n.weight.as_ref(), n.bias.as_ref()) };
            normalize_groups_adjoint: groups_adjoint(a);
            channel_moments: a.ranked(2..=4).channel_moments("fuzz", a.number());
            normalize_channels: batch(a).and_then(|(x, stats, w, b)| x.normalize_channels("fuzz", &stats,
                w.as_ref(), b.as_ref()));
            channel_sums: batch(a).and_then(|(x, stats, ..)| x.channel_sums("fuzz", &stats,
                &a.like(x.shape())));
            normalize_channels_adjoint: channels_adjoint(a);
            cdist: { let (x, y) = points(a); x.cdist(&y, if a.once_in(2) { 2.0 } else { a.number() }) };
            cdist_adjoint: { let (x, o) = points(a);
                let p = if a.once_in(2) { 1.0 } else { 2.0 };
                x.cdist(&o, p).and_then(|y| { let (g, y) = (a.like(y.shape()), remade(a, y));
                x.cdist_adjoint(&o, p, &y, &g) }) };
            eigh: square(a).eigh();
            prod: a.tensor().prod();
            prod_axes: a.tensor().prod_axes(a.axes());
            prod_keepdim: a.tensor().prod_keepdim(a.axes());
            solve_triangular: { let x = square(a); let b = right_side(a, &x);
                x.solve_triangular(&b, triangle(a)) };
            cholesky: square(a).cholesky();
            solve: { let x = square(a); let b = right_side(a, &x); x.solve(&b) };
            inverse: square(a).inverse();
            det: square(a).det();
            slogdet: square(a).slogdet();
            cofactors: square(a).cofactors();
            any: a.booleans().any(a.axes(), a.flag());
            all: a.booleans().all(a.axes(), a.flag());
            count_nonzero: a.booleans().count_nonzero(a.axes(), a.flag());
            any_true: a.booleans().any_true();
            all_true: a.booleans().all_true();
            argrank: { let t = a.ranked(1..=4); let axis = a.axis(); let n = a.along();
                t.argrank(axis, a.count(0..=n.max(1) - 1)) };
            cumsum: a.ranked(1..=4).cumsum(a.axis());
            cumsum_reversed: a.ranked(1..=4).cumsum_reversed(a.axis());
            cumprod: a.ranked(1..=4).cumprod(a.axis());
            cumprod_reversed: a.ranked(1..=4).cumprod_reversed(a.axis());
            product_of_others: a.ranked(1..=4).product_of_others(a.axis());
            interpolate: { let t = a.ranked(1..=4); let axis = a.axis();
                let (m, n) = (a.size(), a.along()); let (low, weights) = between(a, m, n);
                t.interpolate(axis, &low, &weights) };
            interpolate_adjoint: { let t = a.ranked(1..=4); let axis = a.axis();
                let (m, n) = (a.along(), a.size()); let (low, weights) = between(a, m, n);
                t.interpolate_adjoint(axis, &low, &weights, n) };
            logcumsumexp: a.ranked(1..=4).logcumsumexp(a.axis());
            linear_recurrence: { let x = a.ranked(1..=4); let b = a.like(x.shape());
                x.linear_recurrence(&b, a.axis(), direction(a)) };
            cumargmax: a.ranked(1..=4).cumargmax(a.axis());
            cumargmin: a.ranked(1..=4).cumargmin(a.axis());
            cummax: a.ranked(1..=4).cummax(a.axis());
            cummin: a.ranked(1..=4).cummin(a.axis());
            mean: a.tensor().mean();
            mean_axes: a.tensor().mean_axes(a.axes());
            mean_keepdim: a.tensor().mean_keepdim(a.axes());
            variance: a.tensor().variance(a.number());
            variance_axes: a.tensor().variance_axes(a.axes(), a.number());
            variance_keepdim: a.tensor().variance_keepdim(a.axes(), a.number());
            std: a.tensor().std(a.number());
            std_axes: a.tensor().std_axes(a.axes(), a.number());
            std_keepdim: a.tensor().std_keepdim(a.axes(), a.number());
            norm: a.tensor().norm();
            norm_squared: a.tensor().norm_squared();
            norm_axes: a.tensor().norm_axes(a.axes());
            norm_keepdim: a.tensor().norm_keepdim(a.axes());
            norm_p: a.tensor().norm_p(a.number(), a.axes());
            norm_p_keepdim: a.tensor().norm_p_keepdim(a.positive(), a.axes());
            argmax_keepdim: a.ranked(1..=4).argmax_keepdim(a.axis());
            argmin_keepdim: a.ranked(1..=4).argmin_keepdim(a.axis());
            max_along: a.ranked(1..=4).max_along(a.axis());
            max_along_keepdim: a.ranked(1..=4).max_along_keepdim(a.axis());
            min_along: a.ranked(1..=4).min_along(a.axis());
            min_along_keepdim: a.ranked(1..=4).min_along_keepdim(a.axis());
            median: a.tensor().median();
            median_along: a.ranked(1..=4).median_along(a.axis());
            median_along_keepdim: a.ranked(1..=4).median_along_keepdim(a.axis());
            quantile: a.ranked(1..=4).quantile(a.probability(), a.axis());
            quantile_keepdim: a.ranked(1..=4).quantile_keepdim(a.probability(), a.axis());
            sort: a.ranked(1..=4).sort(a.axis(), a.flag());
            topk: { let t = a.ranked(1..=4); let axis = a.axis(); let n = a.along();
                t.topk(axis, a.count(0..=n), a.flag()) };
        }
        "ops::Direction" {
            opposite: done(direction(a).opposite());
        }
        "ops::Triangle" {
            transposed: done(triangle(a).transposed());
            unit: done(triangle(a).unit());
        }
    }
}
