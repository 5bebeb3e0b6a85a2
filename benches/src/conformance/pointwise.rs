//! Elementwise functions.

use crate::{Entry, Sample};
use wengert::tape::Var;
use wengert::tape::gradcheck::Domain::{Away, Between, Grid, Real};
use wengert::tape::gradcheck::{Domain, Gen};

/// Functions of one number: name, PyTorch's expression, domain, ours.
macro_rules! unary {
    ($($name:literal $torch:literal $domain:expr, |$x:ident| $call:expr;)*) => {
        vec![$(Entry::new($name, |g| {
            let shape = g.shape(0..=3);
            Sample::new($torch, vec![g.tensor(&shape, $domain)], |x: &[Var<'_, f64>]| { let $x = x[0]; $call })
        })),*]
    };
}

/// Functions of two numbers that broadcast: name, PyTorch's expression, domains, ours.
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
        "cos" "torch.cos(x[0])" Real, |x| x.cos();
        "cosh" "torch.cosh(x[0])" Between(-4.0, 4.0), |x| x.cosh();
        "elu" "F.elu(x[0], 0.7)" Real, |x| x.elu(0.7);
        "erf" "torch.erf(x[0])" Real, |x| x.erf();
        "erfc" "torch.erfc(x[0])" Real, |x| x.erfc();
        "exp" "torch.exp(x[0])" Between(-6.0, 6.0), |x| x.exp();
        "exp2" "torch.exp2(x[0])" Between(-6.0, 6.0), |x| x.exp2();
        "expm1" "torch.expm1(x[0])" Between(-6.0, 6.0), |x| x.expm1();
        "gelu" "F.gelu(x[0])" Real, |x| x.gelu();
        "gelu_tanh" "F.gelu(x[0], approximate='tanh')" Real, |x| x.gelu_tanh();
        "hardsigmoid" "F.hardsigmoid(x[0])" Between(-2.9, 2.9), |x| x.hardsigmoid();
        "hardswish" "F.hardswish(x[0])" Between(-2.9, 2.9), |x| x.hardswish();
        "hardtanh" "F.hardtanh(x[0])" Away(0.1, 0.9), |x| x.hardtanh();
        "leaky_relu" "F.leaky_relu(x[0], 0.1)" Away(0.1, 3.0), |x| x.leaky_relu(0.1);
        "log" "torch.log(x[0])" POSITIVE, |x| x.log();
        "log10" "torch.log10(x[0])" POSITIVE, |x| x.log10();
        "log1p" "torch.log1p(x[0])" Between(-0.9, 4.0), |x| x.log1p();
        "log2" "torch.log2(x[0])" POSITIVE, |x| x.log2();
        "log_sigmoid" "F.logsigmoid(x[0])" Real, |x| x.log_sigmoid();
        "mish" "F.mish(x[0])" Real, |x| x.mish();
        "neg" "-x[0]" Real, |x| -x;
        "recip" "torch.reciprocal(x[0])" Away(0.2, 3.0), |x| x.recip();
        "relu" "F.relu(x[0])" Real, |x| x.relu();
        "relu6" "F.relu6(x[0] * 3)" Away(0.1, 1.9), |x| (x * 3.0).relu6();
        "rsqrt" "torch.rsqrt(x[0])" POSITIVE, |x| x.rsqrt();
        "selu" "F.selu(x[0])" Real, |x| x.selu();
        "sigmoid" "torch.sigmoid(x[0])" Real, |x| x.sigmoid();
        "silu" "F.silu(x[0])" Real, |x| x.silu();
        "sin" "torch.sin(x[0])" Real, |x| x.sin();
        "sinh" "torch.sinh(x[0])" Between(-4.0, 4.0), |x| x.sinh();
        "softplus" "F.softplus(x[0], threshold=1e3)" Real, |x| x.softplus();
        "softsign" "F.softsign(x[0])" Real, |x| x.softsign();
        "sqrt" "torch.sqrt(x[0])" POSITIVE, |x| x.sqrt();
        "square" "torch.square(x[0])" Real, |x| x.square();
        "tan" "torch.tan(x[0])" Between(-1.3, 1.3), |x| x.tan();
        "tanh" "torch.tanh(x[0])" Real, |x| x.tanh();
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
        "atan2" "torch.atan2(x[0], x[1])" Away(0.3, 3.0), Away(0.3, 3.0), |a, b| a.atan2(b);
        "hypot" "torch.hypot(x[0], x[1])" Away(0.3, 3.0), Away(0.3, 3.0), |a, b| a.hypot(b);
        "logaddexp" "torch.logaddexp(x[0], x[1])" Real, Real, |a, b| a.logaddexp(b);
        "maximum" "torch.maximum(x[0], x[1])" Grid, Grid, |a, b| a.maximum(b);
        "minimum" "torch.minimum(x[0], x[1])" Grid, Grid, |a, b| a.minimum(b);
        "pow" "torch.pow(x[0], x[1])" POSITIVE, Between(-3.0, 3.0), |a, b| a.pow(b);
        "xlogy" "torch.xlogy(x[0], x[1])" Real, POSITIVE, |a, b| a.xlogy(b);
        "lerp" "torch.lerp(x[0], x[1], 0.3)" Real, Real, |a, b| a.lerp(b, 0.3);
    });
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
        move |x| x[0].select(&mask, x[1])
    })
    .with_mask(&mask)
}
