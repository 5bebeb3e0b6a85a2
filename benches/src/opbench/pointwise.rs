//! Elementwise functions.

use crate::{Input, Row, Values, between, real};
use wengert::tape::{Elementary, Expr, Var};

type One = for<'t> fn(Var<'t, f32>) -> Var<'t, f32>;
type Two = for<'t> fn(Var<'t, f32>, Var<'t, f32>) -> Var<'t, f32>;

/// A function of one number: large, of thousands, transposed with a short axis, denormal, and with NaN and infinities.
fn unary(op: &str, torch: &str, (low, high): (f64, f64), call: One) -> Vec<Row> {
    let row = |x: Input| Row::new(op, torch, vec![x], move |x, _| call(x[0]));
    let x = |shape: &[usize]| between(shape, low, high);
    vec![
        row(x(&[1024, 1024])),
        row(x(&[64, 64])),
        row(x(&[7, 4096]).turned()),
        row(x(&[16384])).values(Values::Denormal),
        row(x(&[16384])).values(Values::Special),
    ]
}

/// A function of two numbers: the same, with a second operand that lacks the first axis or has one element along the last, and with
/// operands that lie in memory differently.
fn binary(op: &str, torch: &str, first: (f64, f64), second: (f64, f64), call: Two) -> Vec<Row> {
    let row = |a: Input, b: Input| Row::new(op, torch, vec![a, b], move |x, _| call(x[0], x[1]));
    let (a, b) = (|s: &[usize]| between(s, first.0, first.1), |s: &[usize]| between(s, second.0, second.1));
    vec![
        row(a(&[1024, 1024]), b(&[1024, 1024])),
        row(a(&[64, 64]), b(&[64, 64])),
        row(a(&[4096, 256]), b(&[256])),
        row(a(&[4096, 256]), b(&[4096, 1])),
        row(a(&[4096, 7]), b(&[7])),
        row(a(&[1024, 1]), b(&[1, 1024])),
        row(a(&[1024, 1024]), b(&[])),
        row(a(&[32, 64, 14, 14]), b(&[64, 1, 1])),
        row(a(&[1024, 1024]), b(&[1024, 1024]).turned()),
        row(a(&[16384]), b(&[16384])).values(Values::Denormal),
        row(a(&[16384]), b(&[16384])).values(Values::Special),
    ]
}

macro_rules! each {
    ($family:ident: $($op:literal $torch:literal $($domain:expr),+; $call:expr;)*) => {
        [$($family($op, $torch, $($domain),+, $call)),*].into_iter().flatten()
    };
}

const REAL: (f64, f64) = (-3.0, 3.0);
const POSITIVE: (f64, f64) = (0.1, 3.0);
const UNIT: (f64, f64) = (-0.95, 0.95);

pub(crate) fn rows() -> Vec<Row> {
    let mut all: Vec<Row> = each! { unary:
        "abs" "torch.abs(x[0])" REAL; |x| x.abs();
        "acos" "torch.acos(x[0])" UNIT; |x| x.acos();
        "acosh" "torch.acosh(x[0])" (1.1, 5.0); |x| x.acosh();
        "asin" "torch.asin(x[0])" UNIT; |x| x.asin();
        "asinh" "torch.asinh(x[0])" REAL; |x| x.asinh();
        "atan" "torch.atan(x[0])" REAL; |x| x.atan();
        "atanh" "torch.atanh(x[0])" UNIT; |x| x.atanh();
        "celu" "F.celu(x[0], 1.3)" REAL; |x| x.celu(1.3);
        "clamp" "torch.clamp(x[0], -0.8, 0.6)" REAL; |x| x.clamp(-0.8, 0.6);
        "clamp_max" "torch.clamp_max(x[0], 0.6)" REAL; |x| x.clamp_max(0.6);
        "clamp_min" "torch.clamp_min(x[0], -0.8)" REAL; |x| x.clamp_min(-0.8);
        "cos" "torch.cos(x[0])" REAL; |x| x.cos();
        "cos (large arguments)" "torch.cos(x[0])" (-1e6, 1e6); |x| x.cos();
        "cosh" "torch.cosh(x[0])" REAL; |x| x.cosh();
        "digamma" "torch.digamma(x[0])" (0.2, 6.0); |x| x.digamma();
        "elu" "F.elu(x[0], 0.7)" REAL; |x| x.elu(0.7);
        "erf" "torch.erf(x[0])" REAL; |x| x.erf();
        "erfc" "torch.erfc(x[0])" REAL; |x| x.erfc();
        "erfinv" "torch.erfinv(x[0])" UNIT; |x| x.erfinv();
        "exp" "torch.exp(x[0])" REAL; |x| x.exp();
        "exp (underflow)" "torch.exp(x[0])" (-100.0, -85.0); |x| x.exp();
        "exp2" "torch.exp2(x[0])" REAL; |x| x.exp2();
        "expm1" "torch.expm1(x[0])" REAL; |x| x.expm1();
        "frac" "torch.frac(x[0])" REAL; |x| x.frac();
        "gelu" "F.gelu(x[0])" REAL; |x| x.gelu();
        "gelu_tanh" "F.gelu(x[0], approximate='tanh')" REAL; |x| x.gelu_tanh();
        "hardshrink" "F.hardshrink(x[0], 0.6)" REAL; |x| x.hardshrink(0.6);
        "hardsigmoid" "F.hardsigmoid(x[0])" REAL; |x| x.hardsigmoid();
        "hardswish" "F.hardswish(x[0])" REAL; |x| x.hardswish();
        "hardtanh" "F.hardtanh(x[0])" REAL; |x| x.hardtanh();
        "hook" "(lambda y: (y.register_hook(lambda g: g * 0.5), y)[1])(x[0] * 1.0)" REAL;
            |x| (x * 1.0).hook(|g| g * 0.5);
        "leaky_relu" "F.leaky_relu(x[0], 0.1)" REAL; |x| x.leaky_relu(0.1);
        "lgamma" "torch.lgamma(x[0])" (0.2, 6.0); |x| x.lgamma();
        "lgamma (negative)" "torch.lgamma(x[0])" (-1.9, -1.1); |x| x.lgamma();
        "log" "torch.log(x[0])" POSITIVE; |x| x.log();
        "log10" "torch.log10(x[0])" POSITIVE; |x| x.log10();
        "log1p" "torch.log1p(x[0])" (-0.9, 4.0); |x| x.log1p();
        "log2" "torch.log2(x[0])" POSITIVE; |x| x.log2();
        "log_ndtr" "torch.special.log_ndtr(x[0])" REAL; |x| x.log_ndtr();
        "log_sigmoid" "F.logsigmoid(x[0])" REAL; |x| x.log_sigmoid();
        "logit" "torch.logit(x[0])" (0.02, 0.98); |x| x.logit();
        "logit_within" "torch.logit(x[0], 0.1)" (-0.3, 1.3); |x| x.logit_within(0.1);
        "map" "torch.exp(-x[0] * x[0] / 2) * torch.sin(3 * x[0]) + 1 / (1 + x[0] * x[0])" REAL;
            |x| x.map(|x| (-x * x / 2.0).exp() * (3.0 * x).sin() + 1.0 / (1.0 + x * x));
        "mish" "F.mish(x[0])" REAL; |x| x.mish();
        "nan_to_num" "torch.nan_to_num(x[0], nan=0.5, posinf=7.0)" REAL; |x| x.nan_to_num(0.5, Some(7.0), None);
        "neg" "-x[0]" REAL; |x| -x;
        "normal_cdf" "torch.special.ndtr(x[0])" REAL; |x| x.normal_cdf();
        "normal_pdf" "torch.exp(-x[0] * x[0] / 2) * 0.3989422804014327" REAL; |x| x.normal_pdf();
        "polygamma (1)" "torch.polygamma(1, x[0])" (0.3, 6.0); |x| x.polygamma(1);
        "polygamma (3)" "torch.polygamma(3, x[0])" (0.5, 6.0); |x| x.polygamma(3);
        "pow (2)" "x[0] ** 2" REAL; |x| x.pow(2.0);
        "pow (3)" "x[0] ** 3" REAL; |x| x.pow(3.0);
        "pow (4)" "x[0] ** 4" REAL; |x| x.pow(4.0);
        "pow (10)" "x[0] ** 10" REAL; |x| x.pow(10.0);
        "pow (-1)" "x[0] ** -1" POSITIVE; |x| x.pow(-1.0);
        "pow (-2)" "x[0] ** -2" POSITIVE; |x| x.pow(-2.0);
        "pow (0.5)" "x[0] ** 0.5" POSITIVE; |x| x.pow(0.5);
        "pow (-0.5)" "x[0] ** -0.5" POSITIVE; |x| x.pow(-0.5);
        "pow (2.7)" "x[0] ** 2.7" POSITIVE; |x| x.pow(2.7);
        "recip" "torch.reciprocal(x[0])" POSITIVE; |x| x.recip();
        "relu" "F.relu(x[0])" REAL; |x| x.relu();
        "relu6" "F.relu6(x[0])" (-3.0, 9.0); |x| x.relu6();
        "rsqrt" "torch.rsqrt(x[0])" POSITIVE; |x| x.rsqrt();
        "scalar (add)" "x[0] + 1.5" REAL; |x| x + 1.5;
        "scalar (sub)" "x[0] - 1.5" REAL; |x| x - 1.5;
        "scalar (from)" "1.5 - x[0]" REAL; |x| 1.5 - x;
        "scalar (mul)" "x[0] * 1.5" REAL; |x| x * 1.5;
        "scalar (div)" "x[0] / 1.5" REAL; |x| x / 1.5;
        "scalar (over)" "1.5 / x[0]" POSITIVE; |x| 1.5 / x;
        "selu" "F.selu(x[0])" REAL; |x| x.selu();
        "sigmoid" "torch.sigmoid(x[0])" REAL; |x| x.sigmoid();
        "silu" "F.silu(x[0])" REAL; |x| x.silu();
        "sin" "torch.sin(x[0])" REAL; |x| x.sin();
        "sin (large arguments)" "torch.sin(x[0])" (-1e6, 1e6); |x| x.sin();
        "sinc" "torch.sinc(x[0])" REAL; |x| x.sinc();
        "sinh" "torch.sinh(x[0])" REAL; |x| x.sinh();
        "softplus" "F.softplus(x[0])" REAL; |x| x.softplus();
        "softshrink" "F.softshrink(x[0], 0.6)" REAL; |x| x.softshrink(0.6);
        "softsign" "F.softsign(x[0])" REAL; |x| x.softsign();
        "sqrt" "torch.sqrt(x[0])" POSITIVE; |x| x.sqrt();
        "square" "torch.square(x[0])" REAL; |x| x.square();
        "tan" "torch.tan(x[0])" (-1.3, 1.3); |x| x.tan();
        "tanh" "torch.tanh(x[0])" REAL; |x| x.tanh();
        "tanh (saturated)" "torch.tanh(x[0])" (5.0, 30.0); |x| x.tanh();
        "tanhshrink" "F.tanhshrink(x[0])" REAL; |x| x.tanhshrink();
        "threshold" "F.threshold(x[0], 0.1, -2.0)" REAL; |x| x.threshold(0.1, -2.0);
    }
    .collect();
    all.extend(each! { binary:
        "add" "x[0] + x[1]" REAL, REAL; |a, b| a + b;
        "sub" "x[0] - x[1]" REAL, REAL; |a, b| a - b;
        "mul" "x[0] * x[1]" REAL, REAL; |a, b| a * b;
        "div" "x[0] / x[1]" REAL, POSITIVE; |a, b| a / b;
        "fmod" "torch.fmod(x[0], x[1])" REAL, POSITIVE; |a, b| a.fmod(b);
        "remainder" "torch.remainder(x[0], x[1])" REAL, POSITIVE; |a, b| a.remainder(b);
        "zip_map" "torch.where(x[0] < x[1], torch.tanh(x[0]) * x[1], x[0] * torch.exp(-x[1]))" REAL, REAL;
            |a, b| a.zip_map(b, |a, b| Expr::select(a.less(b), a.tanh() * b, a * (-b).exp()));
        "atan2" "torch.atan2(x[0], x[1])" POSITIVE, POSITIVE; |a, b| a.atan2(b);
        "hypot" "torch.hypot(x[0], x[1])" POSITIVE, POSITIVE; |a, b| a.hypot(b);
        "logaddexp" "torch.logaddexp(x[0], x[1])" REAL, REAL; |a, b| a.logaddexp(b);
        "maximum" "torch.maximum(x[0], x[1])" REAL, REAL; |a, b| a.maximum(b);
        "minimum" "torch.minimum(x[0], x[1])" REAL, REAL; |a, b| a.minimum(b);
        "pow" "torch.pow(x[0], x[1])" POSITIVE, REAL; |a, b| a.pow(b);
        "xlogy" "torch.xlogy(x[0], x[1])" REAL, POSITIVE; |a, b| a.xlogy(b);
        "lerp" "torch.lerp(x[0], x[1], 0.3)" REAL, REAL; |a, b| a.lerp(b, 0.3);
    });
    all.extend(with_three());
    all.extend(with_mask());
    for shape in [&[1024, 1024][..], &[64, 64], &[7, 4096], &[128, 64, 28, 28]] {
        let weight = [shape[1]];
        let x = vec![real(shape), real(&weight)];
        let image = shape.len() == 4;
        all.push(Row::new("prelu", "F.prelu(x[0], x[1])", x, move |x, _| {
            x[0].prelu(if image { x[1].reshape([64, 1, 1]) } else { x[1] })
        }));
    }
    for (shape, axis) in [(&[1024, 1024][..], -1), (&[64, 64], -1), (&[4096, 14], -1), (&[32, 64, 28, 28], 1)]
    {
        let torch = format!("F.glu(x[0], {axis})");
        all.push(
            Row::new("glu", torch, vec![real(shape)], move |x, _| x[0].glu(axis))
                .note(format!("axis {axis}")),
        );
    }
    for shape in [&[1024, 1024][..], &[64, 64], &[4096, 7]] {
        for p in [0.1, 0.5] {
            let torch = format!("F.dropout(x[0], {p}, True)");
            all.push(
                Row::new("dropout", torch, vec![real(shape)], move |x, _| x[0].dropout(p))
                    .note(format!("p {p}"))
                    .uncompared(),
            );
        }
    }
    all
}

/// Functions of three tensors.
fn with_three() -> Vec<Row> {
    let mut all = Vec::new();
    let shapes: [[&[usize]; 3]; 4] = [
        [&[1024, 1024], &[1024, 1024], &[1024, 1024]],
        [&[64, 64], &[64, 64], &[64, 64]],
        [&[4096, 256], &[256], &[256]],
        [&[4096, 256], &[4096, 1], &[4096, 1]],
    ];
    for [a, b, c] in shapes {
        let x = vec![between(a, -3.0, 3.0), between(b, -2.0, -0.5), between(c, 0.5, 2.0)];
        all.push(Row::new("clamp_between", "torch.clamp(x[0], x[1], x[2])", x.clone(), |x, _| {
            x[0].clamp_between(x[1], x[2])
        }));
        all.push(Row::new("lerp (tensor)", "torch.lerp(x[0], x[1], x[2])", x, |x, _| x[0].lerp(x[1], x[2])));
    }
    all
}

/// Choices by a mask.
fn with_mask() -> Vec<Row> {
    let mut all = Vec::new();
    let shapes: [[&[usize]; 3]; 5] = [
        [&[1024, 1024], &[1024, 1024], &[1024, 1024]],
        [&[64, 64], &[64, 64], &[64, 64]],
        [&[4096, 256], &[256], &[4096, 1]],
        [&[8, 8, 256, 256], &[], &[256, 256]],
        [&[4096, 7], &[4096, 7], &[4096, 7]],
    ];
    for [a, b, mask] in shapes {
        let note = format!("mask {mask:?}");
        let row = Row::new("where_cond", "torch.where(i[0], x[0], x[1])", vec![real(a), real(b)], |x, i| {
            x[0].where_cond(i.mask(0), x[1])
        });
        all.push(row.mask(mask).note(&note));
        let row = Row::new("masked_fill", "x[0].masked_fill(i[0], 1.5)", vec![real(a)], |x, i| {
            x[0].masked_fill(i.mask(0), 1.5)
        });
        all.push(row.mask(mask).note(&note));
    }
    all
}
