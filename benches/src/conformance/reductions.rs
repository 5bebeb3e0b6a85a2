//! Reductions, softmax, scans, and sorting.

use crate::{Entry, Sample};
use wengert::ops::Tensor;
use wengert::tape::Var;
use wengert::tape::gradcheck::Domain::{Away, Grid, Real};
use wengert::tape::gradcheck::Gen;

/// Reductions over axes: name, PyTorch's function, whether an axis may be empty, wengert's function.
macro_rules! over_axes {
    ($($name:literal $torch:literal $domain:expr, |$x:ident, $axes:ident| $call:expr;)*) => {
        vec![$(Entry::new($name, |g| {
            let shape = g.full_shape(1..=4);
            // PyTorch interprets no axes as all axes.
            let first = g.within(0..=shape.len() - 1);
            let mut axes = g.axes(shape.len());
            if axes.is_empty() {
                axes.push(first);
            }
            let torch = $torch.replace("AXES", &format!("{axes:?}"));
            Sample::new(torch, vec![g.tensor(&shape, $domain)], move |x: &[Var<'_, f64>]| {
                let ($x, $axes) = (x[0], &axes);
                $call
            })
        })),*]
    };
}

/// Functions along one axis.
macro_rules! along {
    ($($name:literal $torch:literal $domain:expr, |$x:ident, $axis:ident| $call:expr;)*) => {
        vec![$(Entry::new($name, |g| {
            let shape = g.full_shape(1..=3);
            let axis = g.axis(shape.len());
            let torch = $torch.replace("AXIS", &axis.to_string());
            Sample::new(torch, vec![g.tensor(&shape, $domain)], move |x: &[Var<'_, f64>]| {
                let ($x, $axis) = (x[0], axis);
                $call
            })
        })),*]
    };
}

pub(crate) fn entries() -> Vec<Entry> {
    let mut all = over_axes! {
        "sum" "x[0].sum()" Real, |x, _axes| x.sum();
        "sum_axes" "x[0].sum(dim=AXES)" Real, |x, axes| x.sum_axes(axes);
        "sum_keepdim" "x[0].sum(dim=AXES, keepdim=True)" Real, |x, axes| x.sum_keepdim(axes);
        "mean" "x[0].mean()" Real, |x, _axes| x.mean();
        "mean_axes" "x[0].mean(dim=AXES)" Real, |x, axes| x.mean_axes(axes);
        "mean_keepdim" "x[0].mean(dim=AXES, keepdim=True)" Real, |x, axes| x.mean_keepdim(axes);
        "max_axes" "x[0].amax(dim=AXES)" Grid, |x, axes| x.max_axes(axes);
        "max_keepdim" "x[0].amax(dim=AXES, keepdim=True)" Grid, |x, axes| x.max_keepdim(axes);
        "min_axes" "x[0].amin(dim=AXES)" Grid, |x, axes| x.min_axes(axes);
        "min_keepdim" "x[0].amin(dim=AXES, keepdim=True)" Grid, |x, axes| x.min_keepdim(axes);
        "max" "x[0].amax()" Grid, |x, _axes| x.max();
        "min" "x[0].amin()" Grid, |x, _axes| x.min();
        "variance_axes" "x[0].var(dim=AXES, correction=0)" Real, |x, axes| x.variance_axes(axes, 0.0);
        "variance" "x[0].var(correction=0)" Real, |x, _axes| x.variance(0.0);
        "norm_p (1.5)" "torch.linalg.vector_norm(x[0], 1.5, dim=AXES)" Away(0.2, 3.0), |x, axes| x.norm_p(1.5, axes);
        "norm_p (1)" "torch.linalg.vector_norm(x[0], 1, dim=AXES)" Real, |x, axes| x.norm_p(1.0, axes);
        "norm_p (0)" "torch.linalg.vector_norm(x[0], 0, dim=AXES)" Real, |x, axes| x.norm_p(0.0, axes);
        "norm_p (infinite)" "torch.linalg.vector_norm(x[0], float('inf'), dim=AXES)" Grid,
            |x, axes| x.norm_p(f64::INFINITY, axes);
        "norm_p_keepdim" "torch.linalg.vector_norm(x[0], 3, dim=AXES, keepdim=True)" Away(0.2, 3.0),
            |x, axes| x.norm_p_keepdim(3.0, axes);
        "norm_p (least)" "torch.linalg.vector_norm(x[0], -float('inf'), dim=AXES)" Away(0.2, 3.0),
            |x, axes| x.norm_p(f64::NEG_INFINITY, axes);
        "prod" "x[0].prod()" Grid, |x, _axes| x.prod();
        "norm" "torch.linalg.vector_norm(x[0])" Away(0.2, 3.0), |x, _axes| x.norm();
        "norm_axes" "torch.linalg.vector_norm(x[0], dim=AXES)" Away(0.2, 3.0), |x, axes| x.norm_axes(axes);
        "norm_keepdim" "torch.linalg.vector_norm(x[0], dim=AXES, keepdim=True)" Away(0.2, 3.0),
            |x, axes| x.norm_keepdim(axes);
        "logsumexp" "torch.logsumexp(x[0], dim=AXES)" Real, |x, axes| x.logsumexp(axes);
        "logsumexp_keepdim" "torch.logsumexp(x[0], dim=AXES, keepdim=True)" Real, |x, axes| x.logsumexp_keepdim(axes);
    };
    all.extend(along! {
        "softmax" "torch.softmax(x[0], AXIS)" Real, |x, axis| x.softmax(axis);
        "log_softmax" "torch.log_softmax(x[0], AXIS)" Real, |x, axis| x.log_softmax(axis);
        "prod_axes" "x[0].prod(AXIS)" Grid, |x, axis| x.prod_axes(axis);
        "prod_keepdim" "x[0].prod(AXIS, keepdim=True)" Grid, |x, axis| x.prod_keepdim(axis);
        "cumsum" "x[0].cumsum(AXIS)" Real, |x, axis| x.cumsum(axis);
        "cumprod" "x[0].cumprod(AXIS)" Grid, |x, axis| x.cumprod(axis);
        "logcumsumexp" "x[0].logcumsumexp(AXIS)" Real, |x, axis| x.logcumsumexp(axis);
        "max_along" "x[0].max(AXIS).values" Grid, |x, axis| x.max_along(axis).0;
        "min_along" "x[0].min(AXIS).values" Grid, |x, axis| x.min_along(axis).0;
        "sort" "x[0].sort(dim=AXIS, stable=True).values" Grid, |x, axis| x.sort(axis, false).0;
        "sort (descending)" "x[0].sort(dim=AXIS, descending=True, stable=True).values" Grid,
            |x, axis| x.sort(axis, true).0;
        "normalize" "F.normalize(x[0], dim=AXIS)" Away(0.1, 3.0), |x, axis| x.normalize(2.0, axis, 1e-12);
        "normalize (1)" "F.normalize(x[0], p=1.0, dim=AXIS)" Away(0.1, 3.0), |x, axis| x.normalize(1.0, axis, 1e-12);
        "normalize (small)" "F.normalize(x[0], dim=AXIS, eps=9.0)" Away(0.1, 3.0), |x, axis| x.normalize(2.0, axis, 9.0);
    });
    all.extend(ordered());
    all.push(Entry::new("std", |g| {
        let shape = [g.within(2..=5), g.within(1..=4)];
        Sample::new("x[0].std(correction=1)", vec![g.tensor(&shape, Away(0.2, 3.0))], |x| x[0].std(1.0))
    }));
    all.push(Entry::new("std_axes", |g| {
        let shape = [g.within(2..=5), g.within(1..=4)];
        Sample::new("x[0].std(dim=0, correction=1)", vec![g.tensor(&shape, Away(0.2, 3.0))], |x| {
            x[0].std_axes(0, 1.0)
        })
    }));
    all.push(Entry::new("cross_entropy", |g| {
        let (rows, classes) = (g.within(0..=4), g.within(1..=5));
        let targets = g.indices(&[rows], classes);
        let x = vec![g.tensor(&[rows, classes], Real)];
        let at = targets.clone();
        Sample::new("F.cross_entropy(x[0], i[0], reduction='none')", x, move |x| x[0].cross_entropy(&at))
            .with_index(&targets)
    }));
    all
}

/// Distinct numbers in random order.
fn distinct(g: &mut Gen, shape: &[usize]) -> Tensor<f64> {
    let order = g.permutation(shape.iter().product());
    let values = order.iter().map(|&i| i as f64 * 0.25 - 1.0).collect();
    Tensor::from_vec(values, shape).unwrap()
}

/// Functions that depend on the order along an axis, of distinct numbers: of equal ones PyTorch takes any, or the last.
fn ordered() -> Vec<Entry> {
    macro_rules! ordered {
        ($($name:literal $torch:literal |$x:ident, $axis:ident| $call:expr;)*) => {
            vec![$(Entry::new($name, |g| {
                let shape = g.full_shape(1..=3);
                let axis = g.axis(shape.len());
                let torch = $torch.replace("AXIS", &axis.to_string());
                Sample::new(torch, vec![distinct(g, &shape)], move |x: &[Var<'_, f64>]| {
                    let ($x, $axis) = (x[0], axis);
                    $call
                })
            })),*]
        };
    }
    let mut all = ordered! {
        "cummax" "x[0].cummax(AXIS).values" |x, axis| x.cummax(axis).0;
        "cummin" "x[0].cummin(AXIS).values" |x, axis| x.cummin(axis).0;
        "median_along" "x[0].median(AXIS).values" |x, axis| x.median_along(axis).0;
        "median" "x[0].median()" |x, _axis| x.median();
        "argsort" "x[0].gather(AXIS, x[0].argsort(AXIS, descending=True))"
            |x, axis| x.gather(axis, &x.argsort(axis, true).unwrap());
        "argmax" "x[0].gather(AXIS, x[0].argmax(AXIS, keepdim=True))"
            |x, axis| x.gather(axis, &x.argmax(axis).and_then(|i| Ok(i.unsqueeze(axis)?)).unwrap());
        "argmin" "x[0].gather(AXIS, x[0].argmin(AXIS, keepdim=True))"
            |x, axis| x.gather(axis, &x.argmin(axis).and_then(|i| Ok(i.unsqueeze(axis)?)).unwrap());
    };
    all.push(Entry::new("topk", |g| {
        let shape = g.full_shape(1..=3);
        let axis = g.axis(shape.len());
        let k = g.within(0..=shape[axis.rem_euclid(shape.len() as isize) as usize]);
        let (largest, python) = g.pick(&[(true, "True"), (false, "False")]);
        let torch = format!("x[0].topk({k}, {axis}, largest={python}).values");
        Sample::new(torch, vec![distinct(g, &shape)], move |x| x[0].topk(axis, k, largest).0)
    }));
    all.push(Entry::new("quantile", |g| {
        let shape = g.full_shape(1..=3);
        let (axis, q) = (g.axis(shape.len()), g.within(0..=8) as f64 / 8.0);
        let torch = format!("x[0].quantile({q}, {axis})");
        Sample::new(torch, vec![distinct(g, &shape)], move |x| x[0].quantile(q, axis))
    }));
    all
}
