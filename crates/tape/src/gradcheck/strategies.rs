//! Proptest strategies for shapes, memory layouts, difficult values and whole cases, for your own property tests.
//!
//! ```
//! use proptest::prelude::*;
//! use wengert_tape::gradcheck::{Check, Domain, strategies};
//!
//! proptest!(|(x in strategies::tensor(0..=3, Domain::Real))| {
//!     // Of a tensor without elements nothing can be compared: it passes where that is allowed.
//!     let report = Check::new("x sin x").allow_empty().run(|x| x[0] * x[0].sin(), &[x]);
//!     prop_assert!(report.passed(), "{}", report);
//! });
//! ```
//!
//! A failure shrinks to a small tensor in row-major order whose numbers are multiples of 1/8, where such a tensor fails. Numbers never
//! lie near a kink of the domain, only on it or at a distance of 1/100 or more: otherwise shrinking would end next to the kink,
//! where differences say little, and not at the mistake. Tensors print as expressions that can be pasted into a test. Proptest's regression
//! files replay: a strategy draws the same case from the same seed.

use crate::gradcheck::generate::{Domain, SPIKES};
use crate::gradcheck::layout::LayoutKind;
use crate::gradcheck::spec::{Case, Spec};
use proptest::collection::vec;
use proptest::prelude::*;
use std::ops::RangeInclusive;
use std::sync::Arc;
use wengert_ops::Tensor;

/// A shape with a rank in the range and at most a few dozen elements, including sizes 0 and 1.
pub fn shape(ranks: RangeInclusive<usize>) -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![4 => Just(1usize), 8 => 2..=4usize, 1 => Just(0usize)];
    vec(size, ranks).prop_filter("too many elements", |s| s.iter().product::<usize>() <= 36)
}

/// A number of a domain; zeros, ones, tiny and large numbers are more frequent than chance would have it.
pub fn value(domain: Domain) -> BoxedStrategy<f64> {
    // A failure shrinks to a value of the first alternative, and to a small one.
    let simple = || (-20..=20i32).prop_map(|k| f64::from(k) * 0.125);
    let real = || prop_oneof![4 => simple(), 6 => -2.5..2.5f64, 1 => Just(1e-3), 1 => -12.0..12.0f64];
    match domain {
        Domain::Real => real().boxed(),
        Domain::Grid => {
            (0..=12i32).prop_map(|k| f64::from((k + 1) / 2 * if k % 2 == 0 { 1 } else { -1 }) * 0.25).boxed()
        }
        Domain::Kinks(points) => prop_oneof![3 => real(), 1 => proptest::sample::select(points)]
            .prop_map(move |v| points.iter().copied().find(|p| (v - p).abs() < 0.01).unwrap_or(v))
            .boxed(),
        Domain::Between(a, b) => (a..=b).boxed(),
        Domain::Away(a, b) => (any::<bool>(), a..=b).prop_map(|(s, v)| if s { v } else { -v }).boxed(),
    }
}

/// A number at the ends of the range: logarithms of the largest and smallest numbers of both precisions, subnormal numbers, both zeros,
/// and moderate numbers between them. Derivatives may overflow there, which [`Check::allow_non_finite`](super::Check::allow_non_finite) allows.
///
/// ```
/// use proptest::prelude::*;
/// use wengert_tape::gradcheck::{Check, strategies};
/// proptest!(|(x in strategies::extreme())| {
///     let report = Check::new("softplus").allow_non_finite().allow_empty().run(|x| x[0].softplus(), &[x.into()]);
///     prop_assert!(report.passed(), "{}", report);
/// });
/// ```
pub fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![1 => value(Domain::Real), 1 => proptest::sample::select(SPIKES)]
}

/// A layout.
pub fn layout() -> impl Strategy<Value = LayoutKind> {
    proptest::sample::select(&LayoutKind::ALL[..])
}

/// A tensor of the given shape with values of a domain, in any layout.
pub fn tensor_of(shape: Vec<usize>, domain: Domain) -> impl Strategy<Value = Tensor<f64>> {
    tensor_with(shape, value(domain))
}

/// A tensor of the given shape with values of a strategy, in any layout.
///
/// ```
/// use proptest::prelude::*;
/// use wengert_tape::gradcheck::strategies;
/// proptest!(|(x in strategies::tensor_with(vec![2, 3], strategies::extreme()))| {
///     prop_assert_eq!(x.numel(), 6);
/// });
/// ```
pub fn tensor_with(
    shape: Vec<usize>,
    value: impl Strategy<Value = f64>,
) -> impl Strategy<Value = Tensor<f64>> {
    let n: usize = shape.iter().product();
    (vec(value, n), layout()).prop_map(move |(v, layout)| {
        let dense = Tensor::from_vec(v, &shape[..]).expect("as many values as the shape holds");
        layout.of(&dense, 0).expect("every layout fits")
    })
}

/// A tensor of any shape whose rank is in the range.
pub fn tensor(ranks: RangeInclusive<usize>, domain: Domain) -> impl Strategy<Value = Tensor<f64>> {
    shape(ranks).prop_flat_map(move |s| tensor_of(s, domain))
}

/// Two tensors whose shapes broadcast together.
pub fn broadcast_pair(domain: Domain) -> impl Strategy<Value = (Tensor<f64>, Tensor<f64>)> {
    (shape(0..=3), vec(any::<bool>(), 3), 0..=3usize).prop_flat_map(move |(s, ones, skip)| {
        let narrow =
            s[skip.min(s.len())..].iter().zip(&ones).map(|(&d, &one)| if one { 1 } else { d }).collect();
        (tensor_of(s, domain), tensor_of(narrow, domain))
    })
}

/// A whole case of an enrolled op: a valid call with its inputs. It does not shrink, since only the op's generator knows which calls
/// are valid.
///
/// ```
/// use proptest::prelude::*;
/// use wengert_tape::case;
/// use wengert_tape::gradcheck::{Check, Domain, Spec, strategies};
/// let spec = Spec::unary("cube", Domain::Real, |x| case!(x, [], |x| x[0] * x[0] * x[0]));
/// proptest!(ProptestConfig::with_cases(20), |(case in strategies::case(spec))| {
///     let call = case.double.as_ref().unwrap();
///     let check = Check::new("cube").allow_empty().allow_non_finite().directions(1);
///     let report = check.run_many(|x| call(x), &case.inputs);
///     prop_assert!(report.passed(), "{}", report);
/// });
/// ```
pub fn case(spec: Spec) -> impl Strategy<Value = Case> {
    let spec = Arc::new(spec);
    any::<u64>().no_shrink().prop_map(move |seed| spec.draw(seed).0)
}
