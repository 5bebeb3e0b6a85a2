//! Elementwise functions.

use crate::{Entry, Sample};
use wengert::tape::gradcheck::Domain::{Away, Between, Grid, Real};
use wengert::tape::gradcheck::{Domain, Gen};
use wengert::tape::{Elementary, Expr, Var};

/// Functions of one number: name, PyTorch's expression, domain, wengert's function.
macro_rules! unary {
    ($($name:literal $torch:literal $domain:expr, |$x:ident| $call:expr;)*) => {
        vec![$(Entry::new($name, |g| {
            let shape = g.shape(0..=3);
            Sample::new($torch, vec![g.tensor(&shape, $domain)], |x: &[Var<'_, f64>]| { let $x = x[0]; $call })
        })),*]
    };
}

/// Functions of two numbers that broadcast: name, PyTorch's expression, domains, wengert's function.
macro_rules! binary {
    ($($name:literal $torch:literal $first:expr, $second:expr, |$a:ident, $b:ident| $call:expr;)*) => {
        vec![$(Entry::new($name, |g| {
            let (a, b) = g.pair();
            let x = vec![g.tensor(&a, $first), g.tensor(&b, $second)];
            Sample::new($torch, x, |x: &[Var<'_, f64>]| { let ($a, $b) = (x[0], x[1]); $call })
        })),*]
    };
}

const POSITIVE: Domain = Domain::POSITIVE;

pub(crate) fn entries() -> Vec<Entry> {
    let mut all = unary! {
        "abs" "torch.abs(x[0])" Away(0.1, 3.0), |x| x.abs();
        "acos" "torch.acos(x[0])" Between(-0.95, 0.95), |x| x.acos();
        "acosh" "torch.acosh(x[0])" Between(1.1, 5.0), |x| x.acosh();
        "asin" "torch.asin(x[0])" Between(-0.95, 0.95), |x| x.asin();
        "asinh" "torch.asinh(x[0])" Real, |x| x.asinh();
        "atan" "torch.atan(x[0])" Real, |x| x.atan();
        "atanh" "torch.atanh(x[0])" Between(-0.95, 0.95), |x| x.atanh();
        "celu" "F.celu(x[0], 1.3)" Real, |x| x.celu(1.3);
        "clamp" "torch.clamp(x[0], -0.8, 0.6)" Real, |x| x.clamp(-0.8, 0.6);
        "clamp_max" "torch.clamp_max(x[0], 0.6)" Real, |x| x.clamp_max(0.6);
        "clamp_min" "torch.clamp_min(x[0], -0.8)" Real, |x| x.clamp_min(-0.8);
        "cos" "torch.cos(x[0])" Real, |x| x.cos();
        "cosh" "torch.cosh(x[0])" Between(-4.0, 4.0), |x| x.cosh();
        "digamma" "torch.digamma(x[0])" Between(0.2, 6.0), |x| x.digamma();
        "digamma (negative)" "torch.digamma(x[0])" Between(-1.9, -1.1), |x| x.digamma();
        "elu" "F.elu(x[0], 0.7)" Real, |x| x.elu(0.7);
        "erf" "torch.erf(x[0])" Real, |x| x.erf();
        "erfc" "torch.erfc(x[0])" Real, |x| x.erfc();
        "erfinv" "torch.erfinv(x[0])" Between(-0.95, 0.95), |x| x.erfinv();
        "exp" "torch.exp(x[0])" Between(-6.0, 6.0), |x| x.exp();
        "exp2" "torch.exp2(x[0])" Between(-6.0, 6.0), |x| x.exp2();
        "expm1" "torch.expm1(x[0])" Between(-6.0, 6.0), |x| x.expm1();
        "frac" "torch.frac(x[0])" Real, |x| x.frac();
        "gelu" "F.gelu(x[0])" Real, |x| x.gelu();
        "gelu_tanh" "F.gelu(x[0], approximate='tanh')" Real, |x| x.gelu_tanh();
        "hardsigmoid" "F.hardsigmoid(x[0])" Between(-2.9, 2.9), |x| x.hardsigmoid();
        "hardshrink" "F.hardshrink(x[0], 0.6)" Real, |x| x.hardshrink(0.6);
        "hardswish" "F.hardswish(x[0])" Between(-2.9, 2.9), |x| x.hardswish();
        "hardtanh" "F.hardtanh(x[0])" Away(0.1, 0.9), |x| x.hardtanh();
        "leaky_relu" "F.leaky_relu(x[0], 0.1)" Away(0.1, 3.0), |x| x.leaky_relu(0.1);
        "lgamma" "torch.lgamma(x[0])" Between(0.2, 6.0), |x| x.lgamma();
        "lgamma (negative)" "torch.lgamma(x[0])" Between(-1.9, -1.1), |x| x.lgamma();
        "log" "torch.log(x[0])" POSITIVE, |x| x.log();
        "log10" "torch.log10(x[0])" POSITIVE, |x| x.log10();
        "log1p" "torch.log1p(x[0])" Between(-0.9, 4.0), |x| x.log1p();
        "log2" "torch.log2(x[0])" POSITIVE, |x| x.log2();
        "log_ndtr" "torch.special.log_ndtr(x[0])" Real, |x| x.log_ndtr();
        "log_sigmoid" "F.logsigmoid(x[0])" Real, |x| x.log_sigmoid();
        "logit" "torch.logit(x[0])" Between(0.02, 0.98), |x| x.logit();
        "logit_within" "torch.logit(x[0], 0.1)" Between(-0.3, 1.3), |x| x.logit_within(0.1);
        "map" "torch.exp(-x[0] * x[0] / 2) * torch.sin(3 * x[0]) + 1 / (1 + x[0] * x[0])" Real,
            |x| x.map(|x| (-x * x / 2.0).exp() * (3.0 * x).sin() + 1.0 / (1.0 + x * x));
        "mish" "F.mish(x[0])" Real, |x| x.mish();
        "neg" "-x[0]" Real, |x| -x;
        "polygamma (1)" "torch.polygamma(1, x[0])" Between(0.3, 6.0), |x| x.polygamma(1);
        "polygamma (3)" "torch.polygamma(3, x[0])" Between(0.5, 6.0), |x| x.polygamma(3);
        "recip" "torch.reciprocal(x[0])" Away(0.2, 3.0), |x| x.recip();
        "relu" "F.relu(x[0])" Real, |x| x.relu();
        "relu6" "F.relu6(x[0] * 3)" Away(0.1, 1.9), |x| (x * 3.0).relu6();
        "rsqrt" "torch.rsqrt(x[0])" POSITIVE, |x| x.rsqrt();
        "selu" "F.selu(x[0])" Real, |x| x.selu();
        "sigmoid" "torch.sigmoid(x[0])" Real, |x| x.sigmoid();
        "silu" "F.silu(x[0])" Real, |x| x.silu();
        "sin" "torch.sin(x[0])" Real, |x| x.sin();
        "sinc" "torch.sinc(x[0])" Real, |x| x.sinc();
        "sinh" "torch.sinh(x[0])" Between(-4.0, 4.0), |x| x.sinh();
        "softplus" "F.softplus(x[0], threshold=1e3)" Real, |x| x.softplus();
        "softshrink" "F.softshrink(x[0], 0.6)" Real, |x| x.softshrink(0.6);
        "softsign" "F.softsign(x[0])" Real, |x| x.softsign();
        "sqrt" "torch.sqrt(x[0])" POSITIVE, |x| x.sqrt();
        "square" "torch.square(x[0])" Real, |x| x.square();
        "tan" "torch.tan(x[0])" Between(-1.3, 1.3), |x| x.tan();
        "tanh" "torch.tanh(x[0])" Real, |x| x.tanh();
        "tanhshrink" "F.tanhshrink(x[0])" Real, |x| x.tanhshrink();
        "threshold" "F.threshold(x[0], 0.1, -2.0)" Away(0.2, 3.0), |x| x.threshold(0.1, -2.0);
        "pow (number)" "x[0] ** 2.7" POSITIVE, |x| x.pow(2.7);
        "numbers" "2.0 / ((x[0] * 3.0 + 1.5) - 0.25) + (1.0 - x[0]) / 4.0" POSITIVE,
            |x| 2.0 / ((x * 3.0 + 1.5) - 0.25) + (1.0 - x) / 4.0;
    };
    all.extend(binary! {
        "add" "x[0] + x[1]" Real, Real, |a, b| a + b;
        "sub" "x[0] - x[1]" Real, Real, |a, b| a - b;
        "mul" "x[0] * x[1]" Real, Real, |a, b| a * b;
        "div" "x[0] / x[1]" Real, Away(0.3, 3.0), |a, b| a / b;
        "fmod" "torch.fmod(x[0], x[1])" Between(-4.0, 4.0), Away(0.3, 3.0), |a, b| a.fmod(b);
        "remainder" "torch.remainder(x[0], x[1])" Between(-4.0, 4.0), Away(0.3, 3.0), |a, b| a.remainder(b);
        "zip_map" "torch.where(x[0] < x[1], torch.tanh(x[0]) * x[1], x[0] * torch.exp(-x[1]))"
            Between(-2.0, 2.0), Between(-2.5, 2.5),
            |a, b| a.zip_map(b, |a, b| Expr::select(a.less(b), a.tanh() * b, a * (-b).exp()));
        "atan2" "torch.atan2(x[0], x[1])" Away(0.3, 3.0), Away(0.3, 3.0), |a, b| a.atan2(b);
        "hypot" "torch.hypot(x[0], x[1])" Away(0.3, 3.0), Away(0.3, 3.0), |a, b| a.hypot(b);
        "logaddexp" "torch.logaddexp(x[0], x[1])" Real, Real, |a, b| a.logaddexp(b);
        "maximum" "torch.maximum(x[0], x[1])" Grid, Grid, |a, b| a.maximum(b);
        "minimum" "torch.minimum(x[0], x[1])" Grid, Grid, |a, b| a.minimum(b);
        "pow" "torch.pow(x[0], x[1])" POSITIVE, Between(-3.0, 3.0), |a, b| a.pow(b);
        "xlogy" "torch.xlogy(x[0], x[1])" Real, POSITIVE, |a, b| a.xlogy(b);
        "lerp" "torch.lerp(x[0], x[1], 0.3)" Real, Real, |a, b| a.lerp(b, 0.3);
    });
    all.push(Entry::new("lerp (tensor)", |g| {
        let (a, b) = g.pair();
        let x = vec![g.tensor(&a, Real), g.tensor(&b, Real), g.tensor(&b, Between(-0.5, 1.5))];
        Sample::new("torch.lerp(x[0], x[1], x[2])", x, |x| x[0].lerp(x[1], x[2]))
    }));
    all.push(Entry::new("clamp_between", |g| {
        let (a, b) = g.pair();
        let shapes = [a.clone(), b, a];
        let domains = [Between(-3.0, 3.0), Between(-2.0, 0.5), Between(-0.5, 2.0)];
        let x = shapes.iter().zip(domains).map(|(s, d)| g.tensor(s, d)).collect();
        Sample::new("torch.clamp(x[0], x[1], x[2])", x, |x| x[0].clamp_between(x[1], x[2]))
    }));
    all.push(Entry::new("nan_to_num", |g| {
        let shape = g.shape(0..=3);
        let x = g.tensor(&shape, Real).map(|v| match v {
            v if v > 2.0 => f64::INFINITY,
            v if v < -2.0 => f64::NEG_INFINITY,
            v if v.abs() < 0.3 => f64::NAN,
            v => v,
        });
        let torch = "torch.nan_to_num(x[0], nan=0.5, posinf=7.0)";
        Sample::new(torch, vec![x], |x| x[0].nan_to_num(0.5, Some(7.0), None))
    }));
    all.push(Entry::new("prelu", |g| {
        let shape = [g.within(0..=3), g.within(1..=4)];
        let x = vec![g.tensor(&shape, Away(0.1, 3.0)), g.tensor(&shape[1..], Real)];
        Sample::new("F.prelu(x[0], x[1])", x, |x| x[0].prelu(x[1]))
    }));
    all.push(Entry::new("glu", |g| {
        let shape = [g.within(0..=3), 2 * g.within(1..=3)];
        Sample::new("F.glu(x[0], -1)", vec![g.tensor(&shape, Real)], |x| x[0].glu(-1))
    }));
    all.push(Entry::new("select", chosen));
    all.push(Entry::new("masked_fill", |g: &mut Gen| {
        let shape = g.shape(0..=3);
        let mask = g.mask(&shape);
        let x = vec![g.tensor(&shape, Real)];
        Sample::new("x[0].masked_fill(i[0], 1.5)", x, {
            let mask = mask.clone();
            move |x| x[0].masked_fill(&mask, 1.5)
        })
        .with_mask(&mask)
    }));
    all
}

fn chosen(g: &mut Gen) -> Sample {
    let (a, b) = g.pair();
    let wide = if a.len() > b.len() { a.clone() } else { b.clone() };
    let narrow = g.broadcastable(&wide);
    let mask = g.mask(&narrow);
    let x = vec![g.tensor(&a, Real), g.tensor(&b, Real)];
    Sample::new("torch.where(i[0], x[0], x[1])", x, {
        let mask = mask.clone();
        move |x| x[0].where_cond(&mask, x[1])
    })
    .with_mask(&mask)
}
