//! Reductions, softmax, scans, and sorting.

use crate::{Row, Values, between};
use wengert::tape::Var;

type Along = for<'t> fn(Var<'t, f32>, isize) -> Var<'t, f32>;
type All = for<'t> fn(Var<'t, f32>) -> Var<'t, f32>;

const REAL: (f64, f64) = (-3.0, 3.0);
const POSITIVE: (f64, f64) = (0.2, 3.0);
/// Near 1, so that products stay finite.
const FACTORS: (f64, f64) = (0.99, 1.01);

/// Shapes with an axis, and whether they are transposed: the last of many, the first, one in the middle, tiny ones, long ones.
const AXES: [(&[usize], isize, bool); 9] = [
    (&[1024, 1024], -1, false),
    (&[1024, 1024], 0, false),
    (&[64, 64], -1, false),
    (&[4096, 7], -1, false),
    (&[4096, 7], 0, false),
    (&[7, 4096], -1, true),
    (&[2, 262_144], -1, false),
    (&[16, 128, 196], 1, false),
    (&[262_144, 2], -1, false),
];

/// Functions along one axis, on all shapes.
fn along(op: &str, torch: &str, fill: (f64, f64), call: Along) -> Vec<Row> {
    on(&AXES, op, torch, fill, call)
}

/// The same on three shapes: the code is that of another operation.
fn along_few(op: &str, torch: &str, fill: (f64, f64), call: Along) -> Vec<Row> {
    on(&[AXES[0], AXES[2], AXES[3]], op, torch, fill, call)
}

fn on(
    shapes: &[(&[usize], isize, bool)],
    op: &str,
    torch: &str,
    (low, high): (f64, f64),
    call: Along,
) -> Vec<Row> {
    let mut all = Vec::new();
    for &(shape, axis, turned) in shapes {
        let x = between(shape, low, high);
        let x = if turned { x.turned() } else { x };
        let torch = torch.replace("AXIS", &axis.to_string());
        all.push(Row::new(op, torch, vec![x], move |x, _| call(x[0], axis)).note(format!("axis {axis}")));
    }
    all
}

/// Functions of all elements.
fn whole(op: &str, torch: &str, (low, high): (f64, f64), call: All) -> Vec<Row> {
    let row = |x| Row::new(op, torch, vec![x], move |x, _| call(x[0]));
    vec![
        row(between(&[1024, 1024], low, high)),
        row(between(&[64, 64], low, high)),
        row(between(&[7, 4096], low, high).turned()),
        row(between(&[16384], low, high)).values(Values::Denormal),
    ]
}

macro_rules! each {
    ($family:ident: $($op:literal $torch:literal $fill:expr; $call:expr;)*) => {
        [$($family($op, $torch, $fill, $call)),*].into_iter().flatten()
    };
}

pub(crate) fn rows() -> Vec<Row> {
    let mut all: Vec<Row> = each! { whole:
        "sum" "x[0].sum()" REAL; |x| x.sum();
        "mean" "x[0].mean()" REAL; |x| x.mean();
        "max" "x[0].amax()" REAL; |x| x.max();
        "min" "x[0].amin()" REAL; |x| x.min();
        "variance" "x[0].var(correction=0)" REAL; |x| x.variance(0.0);
        "std" "x[0].std(correction=1)" REAL; |x| x.std(1.0);
        "prod" "x[0].prod()" FACTORS; |x| x.prod();
        "norm" "torch.linalg.vector_norm(x[0])" POSITIVE; |x| x.norm();
        "median" "x[0].median()" REAL; |x| x.median();
    }
    .collect();
    all.extend(each! { along:
        "sum_axes" "x[0].sum(AXIS)" REAL; |x, axis| x.sum_axes(axis);
        "mean_axes" "x[0].mean(AXIS)" REAL; |x, axis| x.mean_axes(axis);
        "max_axes" "x[0].amax(AXIS)" REAL; |x, axis| x.max_axes(axis);
        "variance_axes" "x[0].var(AXIS, correction=0)" REAL; |x, axis| x.variance_axes(axis, 0.0);
        "norm_axes" "torch.linalg.vector_norm(x[0], dim=AXIS)" POSITIVE; |x, axis| x.norm_axes(axis);
        "norm_p (1)" "torch.linalg.vector_norm(x[0], 1, dim=AXIS)" REAL; |x, axis| x.norm_p(1.0, axis);
        "norm_p (3)" "torch.linalg.vector_norm(x[0], 3, dim=AXIS)" REAL; |x, axis| x.norm_p(3.0, axis);
        "logsumexp" "torch.logsumexp(x[0], AXIS)" REAL; |x, axis| x.logsumexp(axis);
        "softmax" "torch.softmax(x[0], AXIS)" REAL; |x, axis| x.softmax(axis);
        "log_softmax" "torch.log_softmax(x[0], AXIS)" REAL; |x, axis| x.log_softmax(axis);
        "prod_axes" "x[0].prod(AXIS)" FACTORS; |x, axis| x.prod_axes(axis);
        "cumsum" "x[0].cumsum(AXIS)" REAL; |x, axis| x.cumsum(axis);
        "cumprod" "x[0].cumprod(AXIS)" FACTORS; |x, axis| x.cumprod(axis);
        "logcumsumexp" "x[0].logcumsumexp(AXIS)" REAL; |x, axis| x.logcumsumexp(axis);
        "cummax" "x[0].cummax(AXIS).values" REAL; |x, axis| x.cummax(axis).0;
        "max_along" "x[0].max(AXIS).values" REAL; |x, axis| x.max_along(axis).0;
        "median_along" "x[0].median(AXIS).values" REAL; |x, axis| x.median_along(axis).0;
        "quantile" "x[0].quantile(0.3, AXIS)" REAL; |x, axis| x.quantile(0.3, axis);
        "sort" "x[0].sort(dim=AXIS, stable=True).values" REAL; |x, axis| x.sort(axis, false).0;
        "topk" "x[0].topk(2, AXIS).values" REAL; |x, axis| x.topk(axis, 2, true).0;
        "normalize" "F.normalize(x[0], dim=AXIS)" POSITIVE; |x, axis| x.normalize(2.0, axis, 1e-12);
    });
    all.extend(each! { along_few:
        "sum_keepdim" "x[0].sum(AXIS, keepdim=True)" REAL; |x, axis| x.sum_keepdim(axis);
        "mean_keepdim" "x[0].mean(AXIS, keepdim=True)" REAL; |x, axis| x.mean_keepdim(axis);
        "max_keepdim" "x[0].amax(AXIS, keepdim=True)" REAL; |x, axis| x.max_keepdim(axis);
        "min_axes" "x[0].amin(AXIS)" REAL; |x, axis| x.min_axes(axis);
        "min_keepdim" "x[0].amin(AXIS, keepdim=True)" REAL; |x, axis| x.min_keepdim(axis);
        "std_axes" "x[0].std(AXIS, correction=1)" REAL; |x, axis| x.std_axes(axis, 1.0);
        "norm_keepdim" "torch.linalg.vector_norm(x[0], dim=AXIS, keepdim=True)" POSITIVE; |x, axis| x.norm_keepdim(axis);
        "norm_p_keepdim" "torch.linalg.vector_norm(x[0], 3, dim=AXIS, keepdim=True)" POSITIVE;
            |x, axis| x.norm_p_keepdim(3.0, axis);
        "norm_p (1.5)" "torch.linalg.vector_norm(x[0], 1.5, dim=AXIS)" POSITIVE; |x, axis| x.norm_p(1.5, axis);
        "norm_p (infinite)" "torch.linalg.vector_norm(x[0], float('inf'), dim=AXIS)" REAL;
            |x, axis| x.norm_p(f64::INFINITY, axis);
        "logsumexp_keepdim" "torch.logsumexp(x[0], AXIS, keepdim=True)" REAL; |x, axis| x.logsumexp_keepdim(axis);
        "prod_keepdim" "x[0].prod(AXIS, keepdim=True)" FACTORS; |x, axis| x.prod_keepdim(axis);
        "cummin" "x[0].cummin(AXIS).values" REAL; |x, axis| x.cummin(axis).0;
        "min_along" "x[0].min(AXIS).values" REAL; |x, axis| x.min_along(axis).0;
"max_along_keepdim" "x[0].max(AXIS, keepdim=True).values" REAL; |x, axis| x.max_along_keepdim(axis).0;
        "min_along_keepdim" "x[0].min(AXIS, keepdim=True).values" REAL; |x, axis| x.min_along_keepdim(axis).0;
        "median_along_keepdim" "x[0].median(AXIS, keepdim=True).values" REAL; |x, axis| x.median_along_keepdim(axis).0;
        "quantile_keepdim" "x[0].quantile(0.3, AXIS, keepdim=True)" REAL; |x, axis| x.quantile_keepdim(0.3, axis);
        "std_keepdim" "x[0].std(AXIS, correction=1, keepdim=True)" REAL; |x, axis| x.std_keepdim(axis, 1.0);
        "variance_keepdim" "x[0].var(AXIS, correction=0, keepdim=True)" REAL; |x, axis| x.variance_keepdim(axis, 0.0);
        "cumsum_reversed" "x[0].flip(AXIS).cumsum(AXIS).flip(AXIS)" REAL; |x, axis| x.cumsum_reversed(axis);
        "cumprod_reversed" "x[0].flip(AXIS).cumprod(AXIS).flip(AXIS)" FACTORS; |x, axis| x.cumprod_reversed(axis);
        "sort (descending)" "x[0].sort(dim=AXIS, descending=True, stable=True).values" REAL;
            |x, axis| x.sort(axis, true).0;
        "normalize (1)" "F.normalize(x[0], p=1.0, dim=AXIS)" POSITIVE; |x, axis| x.normalize(1.0, axis, 1e-12);
    });
    for (shape, axes) in [
        (&[32, 64, 28, 28][..], vec![0usize, 2, 3]),
        (&[32, 64, 28, 28], vec![2, 3]),
        (&[512, 512, 1, 1], vec![2, 3]),
    ] {
        let (torch, note) = (format!("x[0].sum({axes:?})"), format!("axes {axes:?}"));
        let a = axes.clone();
        let x = vec![between(shape, -3.0, 3.0)];
        all.push(Row::new("sum_axes", torch, x.clone(), move |x, _| x[0].sum_axes(&a)).note(&note));
        let torch = format!("x[0].amax({axes:?})");
        all.push(Row::new("max_axes", torch, x, move |x, _| x[0].max_axes(&axes)).note(&note));
    }
    for values in [Values::Denormal, Values::Special] {
        let x = || vec![between(&[256, 64], -3.0, 3.0)];
        all.push(Row::new("softmax", "torch.softmax(x[0], -1)", x(), |x, _| x[0].softmax(-1)).values(values));
        all.push(Row::new("cumsum", "x[0].cumsum(-1)", x(), |x, _| x[0].cumsum(-1)).values(values));
        let sort = "x[0].sort(dim=-1, stable=True).values";
        all.push(Row::new("sort", sort, x(), |x, _| x[0].sort(-1, false).0).values(values));
    }
    // Rows in which one logit is far above the others: the gradient of the softmax is denormal.
    let x = vec![between(&[256, 1024], -90.0, 3.0)];
    all.push(Row::new("softmax", "torch.softmax(x[0], -1)", x, |x, _| x[0].softmax(-1)).note("far apart"));
    for [rows, classes] in [[128, 10], [1024, 1000], [64, 50_000], [16_384, 2]] {
        let x = vec![between(&[rows, classes], -3.0, 3.0)];
        let torch = "F.cross_entropy(x[0], i[0], reduction='none')";
        all.push(
            Row::new("cross_entropy", torch, x, |x, i| x[0].cross_entropy(i.index(0)))
                .index(&[rows], classes),
        );
    }
    all
}
