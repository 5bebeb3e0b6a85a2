//! Every operation of the tape: one file per operation, with formula, gradient, documentation and tests.
//!
//! To add an operation, write its file, declare it below, and list it in [`table`]: the property tests then check it. A
//! test reads the sources and fails for a public operation that no entry exercises.

// Without the table, nothing calls the entries.
#![cfg_attr(not(feature = "table"), allow(dead_code, unused_imports, unused_macros))]

pub mod abs;
pub mod acos;
pub mod acosh;
pub(crate) mod add;
pub mod asin;
pub mod asinh;
pub mod atan;
pub mod atan2;
pub mod atanh;
mod attention;
mod batch_norm;
mod cdist;
pub mod clamp;
mod compare;
mod concat;
mod conv;
pub mod cos;
pub mod cosh;
mod cross_entropy;
mod det;
pub mod div;
mod dropout;
mod eigh;
mod einsum;
pub mod elu;
mod embedding;
pub mod erf;
pub mod erfc;
pub mod erfinv;
pub mod exp;
pub mod exp2;
pub mod expm1;
mod flip;
pub mod gamma;
mod gather;
pub mod gelu;
pub mod gelu_tanh;
mod glu;
mod grid;
pub mod hardsigmoid;
pub mod hardswish;
mod hook;
pub mod hypot;
mod layer_norm;
pub mod leaky_relu;
mod lerp;
mod linear;
mod local_response_norm;
pub mod log;
pub mod log10;
pub mod log1p;
pub mod log2;
pub mod log_ndtr;
pub mod log_sigmoid;
pub mod logaddexp;
pub mod logit;
mod logsumexp;
mod map;
mod matmul;
mod max;
mod max_along;
pub mod maximum;
pub mod mish;
pub mod mul;
pub mod nan_to_num;
pub mod neg;
mod norm;
pub mod normal_cdf;
pub mod normal_pdf;
mod operators;
mod padding;
mod patches;
pub(crate) mod pointwise;
mod pool;
pub mod pow;
pub mod prelu;
mod prelude;
mod prod;
pub mod recip;
mod recurrent;
pub mod relu;
pub mod remainder;
mod resample;
pub mod rounding;
mod rows;
pub mod rsqrt;
pub mod scalar;
mod scan;
pub mod selu;
mod shape;
pub mod shrink;
pub mod sigmoid;
pub mod silu;
pub mod sin;
pub mod sinc;
pub mod sinh;
mod slice;
mod softmax;
pub mod softplus;
pub mod softsign;
mod solve;
mod sort;
pub mod sqrt;
pub mod square;
pub(crate) mod sub;
mod sum;
mod take;
pub mod tan;
pub mod tanh;
pub mod threshold;
mod triangle;
mod unfold;
mod variance;
pub(crate) mod where_cond;
pub mod xlogy;

pub use attention::Attention;
pub use compare::IntoMask;
pub use operators::Operand;
pub use recurrent::RecurrenceOptions;

use crate::gradcheck::Spec;

/// The entries of the given files: each file has one or several.
macro_rules! enrolled {
    ($($entries:expr),* $(,)?) => {{
        let mut table: Vec<Spec> = Vec::new();
        $(table.extend($entries);)*
        table
    }};
}

/// All listed operations, in the order of their files. Needs the feature `table`: each entry compiles its operation for
/// both element types.
///
/// ```
/// let table = wengert_tape::rules::table();
/// let tanh = table.iter().find(|spec| spec.name == "tanh").unwrap();
/// let outcome = wengert_tape::gradcheck::suite::run(tanh, 0, 5);
/// assert!(outcome.report.passed(), "{outcome}");
/// ```
#[cfg(feature = "table")]
pub fn table() -> Vec<Spec> {
    enrolled![
        abs::spec(),
        acos::spec(),
        acosh::spec(),
        add::spec(),
        asin::spec(),
        asinh::spec(),
        atan::spec(),
        atan2::spec(),
        atanh::spec(),
        attention::spec(),
        batch_norm::spec(),
        clamp::spec(),
        clamp::between_spec(),
        conv::spec(),
        conv::transpose_spec(),
        cos::spec(),
        cosh::spec(),
        cross_entropy::spec(),
        det::spec(),
        div::spec(),
        dropout::spec(),
        eigh::spec(),
        einsum::spec(),
        elu::spec(),
        embedding::spec(),
        erf::spec(),
        erfc::spec(),
        erfinv::spec(),
        exp::spec(),
        exp2::spec(),
        expm1::spec(),
        max::spec(),
        gamma::spec(),
        gelu::spec(),
        gelu_tanh::spec(),
        glu::spec(),
        grid::spec(),
        hardsigmoid::spec(),
        hardswish::spec(),
        hook::spec(),
        hypot::spec(),
        gather::gather_spec(),
        gather::select_spec(),
        concat::spec(),
        concat::pad_spec(),
        layer_norm::spec(),
        layer_norm::group_spec(),
        leaky_relu::spec(),
        lerp::spec(),
        linear::spec(),
        local_response_norm::spec(),
        log::spec(),
        log10::spec(),
        log1p::spec(),
        log2::spec(),
        log_ndtr::spec(),
        log_sigmoid::spec(),
        logaddexp::spec(),
        logit::spec(),
        logsumexp::spec(),
        map::spec(),
        matmul::spec(),
        maximum::spec(),
        mish::spec(),
        variance::spec(),
        variance::norm_spec(),
        mul::spec(),
        nan_to_num::spec(),
        neg::spec(),
        take::spec(),
        take::masked_spec(),
        take::scatter_spec(),
        norm::spec(),
        norm::cosine_spec(),
        norm::normalize_spec(),
        padding::spec(),
        patches::spec(),
        pool::max_spec(),
        pool::avg_spec(),
        normal_cdf::spec(),
        normal_pdf::spec(),
        pow::spec(),
        prelu::spec(),
        prod::spec(),
        cdist::spec(),
        flip::spec(),
        max_along::spec(),
        recip::spec(),
        recurrent::spec(),
        relu::spec(),
        remainder::spec(),
        rounding::spec(),
        resample::spec(),
        resample::shuffle_spec(),
        rows::spec(),
        rsqrt::spec(),
        scalar::spec(),
        scan::spec(),
        scan::extremum_spec(),
        where_cond::spec(),
        selu::spec(),
        selu::celu_spec(),
        shape::spec(),
        shape::axes_spec(),
        shape::sum_to_spec(),
        shape::t_spec(),
        shrink::spec(),
        sigmoid::spec(),
        silu::spec(),
        sin::spec(),
        sinc::spec(),
        sinh::spec(),
        slice::spec(),
        softmax::spec(),
        softplus::spec(),
        softsign::spec(),
        sort::spec(),
        solve::spec(),
        sqrt::spec(),
        square::spec(),
        sub::spec(),
        sum::spec(),
        sum::mean_spec(),
        tan::spec(),
        tanh::spec(),
        threshold::spec(),
        triangle::spec(),
        unfold::spec(),
        xlogy::spec(),
    ]
}
