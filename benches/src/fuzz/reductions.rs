//! `tape`: sums, moments, extremes, and functions that normalise by them.

use crate::function::{Function, Seen, table};
use wengert::tape::Float;

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Var" {
            sum: a.var().sum();
            sum_axes: a.var().sum_axes(a.axes());
            sum_keepdim: a.var().sum_keepdim(a.axes());
            mean: a.var().mean();
            mean_axes: a.var().mean_axes(a.axes());
            mean_keepdim: a.var().mean_keepdim(a.axes());
            variance_axes: a.var().variance_axes(a.axes(), a.number());
            std_axes: a.var().std_axes(a.axes(), a.number());
            variance_keepdim: a.var().variance_keepdim(a.axes(), a.number());
            std_keepdim: a.var().std_keepdim(a.axes(), a.number());
            variance: a.var().variance(a.number());
            std: a.var().std(a.number());
            norm_p: a.var().norm_p(a.number(), a.axes());
            norm_p_keepdim: a.var().norm_p_keepdim(a.positive(), a.axes());
            normalize: a.var_ranked(1..=4).normalize(a.positive(), a.axis(), a.positive());
            cosine_similarity: { let x = a.var_ranked(1..=4); let y = a.beside();
                x.cosine_similarity(y, a.axis(), a.positive()) };
            prod: a.var().prod();
            prod_axes: a.var().prod_axes(a.axes());
            prod_keepdim: a.var().prod_keepdim(a.axes());
            cumsum: a.var_ranked(1..=4).cumsum(a.axis());
            cumsum_reversed: a.var_ranked(1..=4).cumsum_reversed(a.axis());
            cumprod_reversed: a.var_ranked(1..=4).cumprod_reversed(a.axis());
            cumprod: a.var_ranked(1..=4).cumprod(a.axis());
            logcumsumexp: a.var_ranked(1..=4).logcumsumexp(a.axis());
            cummax: a.var_ranked(1..=4).cummax(a.axis());
            cummin: a.var_ranked(1..=4).cummin(a.axis());
            argmax: a.var_ranked(1..=4).argmax(a.axis());
            argmin: a.var_ranked(1..=4).argmin(a.axis());
            argmax_keepdim: a.var_ranked(1..=4).argmax_keepdim(a.axis());
            argmin_keepdim: a.var_ranked(1..=4).argmin_keepdim(a.axis());
            max_along_keepdim: a.var_ranked(1..=4).max_along_keepdim(a.axis());
            min_along_keepdim: a.var_ranked(1..=4).min_along_keepdim(a.axis());
            median_along_keepdim: a.var_ranked(1..=4).median_along_keepdim(a.axis());
            quantile_keepdim: a.var_ranked(1..=4).quantile_keepdim(a.probability(), a.axis());
            max_along: a.var_ranked(1..=4).max_along(a.axis());
            min_along: a.var_ranked(1..=4).min_along(a.axis());
            median_along: a.var_ranked(1..=4).median_along(a.axis());
            median: a.var().median();
            quantile: a.var_ranked(1..=4).quantile(a.probability(), a.axis());
            norm: a.var().norm();
            norm_axes: a.var().norm_axes(a.axes());
            norm_keepdim: a.var().norm_keepdim(a.axes());
            max: a.var().max();
            max_axes: a.var().max_axes(a.axes());
            max_keepdim: a.var().max_keepdim(a.axes());
            min: a.var().min();
            min_axes: a.var().min_axes(a.axes());
            min_keepdim: a.var().min_keepdim(a.axes());
            logsumexp: a.var().logsumexp(a.axes());
            logsumexp_keepdim: a.var().logsumexp_keepdim(a.axes());
            softmax: a.var_ranked(1..=4).softmax(a.axis());
            log_softmax: a.var_ranked(1..=4).log_softmax(a.axis());
            cross_entropy: { let [n, k] = a.sizes::<2>(); let n = if k == 0 { 0 } else { n };
                a.of(&[n, k]).cross_entropy(&a.index_of(&[n], k)) };
        }
    }
}
