//! Every operation of the tape: one file an operation, holding formula, gradient, docs and tests.
//!
//! To add one, write its file, declare it below, and enrol it in [`table`]: the property tests then prove it. A test
//! reads the sources and fails for a public operation that no entry exercises.

pub mod abs;
pub(crate) mod add;
pub mod atan;
pub mod clamp;
mod compare;
pub mod cos;
mod cross_entropy;
pub mod div;
mod dropout;
pub mod elu;
pub mod erf;
pub mod exp;
pub mod expm1;
mod extremum;
pub mod gelu;
pub mod gelu_tanh;
pub mod hardsigmoid;
pub mod hardswish;
mod index;
mod join;
pub mod leaky_relu;
mod linear;
pub mod log;
pub mod log1p;
pub mod log_sigmoid;
mod logsumexp;
mod matmul;
pub mod maximum;
mod moments;
pub mod mul;
pub mod neg;
pub mod pow;
mod prelude;
pub mod recip;
pub mod relu;
pub mod rsqrt;
pub mod scalar;
pub(crate) mod select;
mod shape;
pub mod sigmoid;
pub mod silu;
pub mod sin;
mod slice;
mod softmax;
pub mod softplus;
pub mod softsign;
pub mod sqrt;
pub mod square;
pub(crate) mod sub;
mod sum;
pub mod tan;
pub mod tanh;

pub use compare::IntoMask;

use crate::gradcheck::Spec;

/// All enrolled operations, in the order of their files.
///
/// ```
/// let table = wengert_tape::rules::table();
/// let tanh = table.iter().find(|spec| spec.name == "tanh").unwrap();
/// let outcome = wengert_tape::gradcheck::suite::run(tanh, 0, 5);
/// assert!(outcome.report.passed(), "{outcome}");
/// ```
pub fn table() -> Vec<Spec> {
    vec![
        abs::spec(),
        add::spec(),
        atan::spec(),
        clamp::spec(),
        cos::spec(),
        cross_entropy::spec(),
        div::spec(),
        dropout::spec(),
        elu::spec(),
        erf::spec(),
        exp::spec(),
        expm1::spec(),
        extremum::spec(),
        gelu::spec(),
        gelu_tanh::spec(),
        hardsigmoid::spec(),
        hardswish::spec(),
        index::select_spec(),
        index::gather_spec(),
        join::spec(),
        join::pad_spec(),
        leaky_relu::spec(),
        linear::spec(),
        log::spec(),
        log1p::spec(),
        log_sigmoid::spec(),
        logsumexp::spec(),
        matmul::spec(),
        maximum::spec(),
        moments::spec(),
        moments::norm_spec(),
        mul::spec(),
        neg::spec(),
        pow::spec(),
        recip::spec(),
        relu::spec(),
        rsqrt::spec(),
        scalar::spec(),
        select::spec(),
        shape::spec(),
        shape::sum_to_spec(),
        shape::t_spec(),
        sigmoid::spec(),
        silu::spec(),
        sin::spec(),
        slice::spec(),
        softmax::spec(),
        softplus::spec(),
        softsign::spec(),
        sqrt::spec(),
        square::spec(),
        sub::spec(),
        sum::spec(),
        sum::mean_spec(),
        tan::spec(),
        tanh::spec(),
    ]
}
