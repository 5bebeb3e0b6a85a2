//! Reductions, softmax, products.

use crate::{Entry, Sample};
use wengert::tape::Var;
use wengert::tape::gradcheck::Domain::{Away, Grid, Real};

/// Reductions over axes: name, PyTorch's function, whether an axis may be empty, ours.
macro_rules! over_axes {
    ($($name:literal $torch:literal $domain:expr, |$x:ident, $axes:ident| $call:expr;)*) => {
        vec![$(Entry::new($name, |g| {
            let shape = g.full_shape(1..=4);
            // PyTorch takes no axes to mean all.
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
        "var_axes" "x[0].var(dim=AXES, correction=0)" Real, |x, axes| x.var_axes(axes, 0.0);
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
    });
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
    all.push(Entry::new("matmul", |g| {
        let (m, k, n) = (g.within(1..=4), g.within(1..=4), g.within(1..=4));
        let (mut a, mut b) = (vec![m, k], vec![k, n]);
        match g.within(0..=5) {
            0 => a = vec![k],
            1 => b = vec![k],
            2 => a.insert(0, 2),
            3 => b.insert(0, 3),
            4 => {
                a.insert(0, 2);
                b.splice(0..0, [3, 1]);
            }
            _ => {}
        }
        Sample::new("torch.matmul(x[0], x[1])", vec![g.tensor(&a, Real), g.tensor(&b, Real)], |x| {
            x[0].matmul(x[1])
        })
    }));
    all.push(Entry::new("linear", |g| {
        let (rows, k, n) = (g.within(0..=4), g.within(1..=4), g.within(1..=4));
        let x = vec![g.tensor(&[2, rows, k], Real), g.tensor(&[n, k], Real), g.tensor(&[n], Real)];
        Sample::new("F.linear(x[0], x[1], x[2])", x, |x| x[0].linear(x[1], Some(x[2])))
    }));
    all
}
