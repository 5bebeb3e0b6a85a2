//! `tape`: elementwise functions.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, table};
use wengert::tape::formula::Condition;
use wengert::tape::rules::{atan2::Atan2, tanh::Tanh};
use wengert::tape::{Elementary, Expr, Float, Var};

/// A random formula of one number.
fn formula<'e, T: Float>(which: usize, c: f64, s: Expr<'e, T>) -> Expr<'e, T> {
    match which {
        0 => s * s.sin() + c,
        1 => Expr::select(s.less(c), s * c, s.exp() / s),
        2 => Expr::select(c_below(s, c), -s, s * s),
        3 => s * 0.0 + c,
        _ => s,
    }
}

fn c_below<'e, T: Float>(s: Expr<'e, T>, c: f64) -> Condition<'e, T> {
    s.greater(c)
}

fn mapped<'t, T: Float>(a: &mut Arguments<'t, T>) -> Var<'t, T> {
    let (which, c) = (a.below(5), a.number());
    a.var().map(|s| formula(which, c, s))
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Var" {
            pointwise: a.var().pointwise(Tanh);
            pointwise2: a.var().pointwise2(a.beside(), Atan2);
            map: mapped(a);
            zip_map: { let (which, c) = (a.below(5), a.number());
                a.var().zip_map(a.beside(), |s, t| formula(which, c, s) * t) };
            abs: a.var().abs();
            acos: a.var().acos();
            acosh: a.var().acosh();
            asin: a.var().asin();
            asinh: a.var().asinh();
            atan: a.var().atan();
            atanh: a.var().atanh();
            cos: a.var().cos();
            cosh: a.var().cosh();
            erf: a.var().erf();
            erfc: a.var().erfc();
            erfinv: a.var().erfinv();
            normal_cdf: a.var().normal_cdf();
            normal_pdf: a.var().normal_pdf();
            exp: a.var().exp();
            exp2: a.var().exp2();
            expm1: a.var().expm1();
            lgamma: a.var().lgamma();
            digamma: a.var().digamma();
            gelu: a.var().gelu();
            gelu_tanh: a.var().gelu_tanh();
            hardsigmoid: a.var().hardsigmoid();
            hardswish: a.var().hardswish();
            log: a.var().log();
            log10: a.var().log10();
            log1p: a.var().log1p();
            log2: a.var().log2();
            log_ndtr: a.var().log_ndtr();
            log_sigmoid: a.var().log_sigmoid();
            logit: a.var().logit();
            mish: a.var().mish();
            recip: a.var().recip();
            relu: a.var().relu();
            relu6: a.var().relu6();
            hardtanh: a.var().hardtanh();
            frac: a.var().frac();
            floor: a.var().floor();
            ceil: a.var().ceil();
            round: a.var().round();
            trunc: a.var().trunc();
            sign: a.var().sign();
            rsqrt: a.var().rsqrt();
            selu: a.var().selu();
            tanhshrink: a.var().tanhshrink();
            sigmoid: a.var().sigmoid();
            silu: a.var().silu();
            sin: a.var().sin();
            sinc: a.var().sinc();
            sinh: a.var().sinh();
            softplus: a.var().softplus();
            softsign: a.var().softsign();
            sqrt: a.var().sqrt();
            square: a.var().square();
            tan: a.var().tan();
            tanh: a.var().tanh();
            atan2: a.var().atan2(a.beside());
            hypot: a.var().hypot(a.beside());
            xlogy: a.var().xlogy(a.beside());
            logaddexp: a.var().logaddexp(a.beside());
            maximum: a.var().maximum(a.beside());
            minimum: a.var().minimum(a.beside());
            pow: a.var().pow(a.beside());
            prelu: a.var().prelu(a.beside());
            remainder: a.var().remainder(a.beside());
            fmod: a.var().fmod(a.beside());
            lerp: a.var().lerp(a.beside(), a.beside());
            clamp: a.var().clamp(a.number(), a.number());
            clamp_min: a.var().clamp_min(a.number());
            clamp_max: a.var().clamp_max(a.number());
            clamp_between: a.var().clamp_between(a.beside(), a.beside());
            elu: a.var().elu(a.number());
            celu: a.var().celu(a.number());
            leaky_relu: a.var().leaky_relu(a.number());
            threshold: a.var().threshold(a.number(), a.number());
            hardshrink: a.var().hardshrink(a.positive());
            softshrink: a.var().softshrink(a.positive());
            logit_within: a.var().logit_within(a.probability() / 2.0);
            nan_to_num: { let (above, below) = (a.once_in(2).then(|| a.number()),
                a.once_in(2).then(|| a.number()));
                a.var().nan_to_num(a.number(), above, below) };
            polygamma: a.var().polygamma(a.count(0..=5));
            dropout: a.var().dropout(a.probability());
            glu: { let mut shape = a.dims(1..=4); let i = a.below(shape.len()); shape[i] = 2 * a.below(3);
                let x = a.of(&shape); if a.once_in(3) { x.glu(a.axis()) } else { x.glu(i as isize) } };
            lt: a.var().lt(a.beside());
            le: a.var().le(a.beside());
            gt: a.var().gt(a.beside());
            ge: a.var().ge(a.beside());
            eq: a.var().eq(a.beside());
            ne: a.var().ne(a.beside());
            where_cond: a.var().where_cond(a.mask(), a.beside());
            masked_fill: a.var().masked_fill(a.mask(), a.beside());
        }
        "tape::Expr" {
            select: mapped(a);
            less: { let c = a.number(); a.var().map(|s| Expr::select(s.less(c), s, s * 2.0)) };
            greater: { let c = a.number(); a.var().map(|s| Expr::select(s.greater(c), s * s, s)) };
        }
        "tape::operators" {
            add: a.var() + a.beside();
            sub: a.var() - a.beside();
            mul: a.var() * a.beside();
            div: a.var() / a.beside();
            neg: -a.var();
            add_number: a.number() + a.var();
            sub_number: a.number() - a.var();
            mul_number: a.number() * a.var();
            div_number: a.number() / a.var();
            add_tensor: &a.tensor() + a.same();
            div_tensor: &a.tensor() / a.same();
        }
    }
}
