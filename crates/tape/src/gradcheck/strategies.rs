//! Proptest strategies for shapes, layouts and difficult values, for a user's own property tests.
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

use crate::gradcheck::generate::Domain;
use crate::gradcheck::layout::LayoutKind;
use proptest::collection::vec;
use proptest::prelude::*;
use std::ops::RangeInclusive;
use wengert_ops::Tensor;

/// A shape with a rank in the range and at most a few dozen elements, including sizes 0 and 1.
pub fn shape(ranks: RangeInclusive<usize>) -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1 => Just(0usize), 4 => Just(1usize), 8 => 2..=4usize];
    vec(size, ranks).prop_filter("too many elements", |s| s.iter().product::<usize>() <= 36)
}

/// A number of a domain; zeros, ones, tiny and large numbers are more frequent than chance would have it.
pub fn value(domain: Domain) -> BoxedStrategy<f64> {
    let real = || prop_oneof![6 => -2.5..2.5f64, 1 => Just(0.0), 1 => Just(1.0), 1 => -12.0..12.0f64];
    match domain {
        Domain::Real => real().boxed(),
        Domain::Grid => (0..=12u32).prop_map(|k| f64::from(k) * 0.25 - 1.5).boxed(),
        Domain::Kinks(points) => prop_oneof![3 => real(), 1 => proptest::sample::select(points)].boxed(),
        Domain::Between(a, b) => (a..=b).boxed(),
        Domain::Away(a, b) => (any::<bool>(), a..=b).prop_map(|(s, v)| if s { v } else { -v }).boxed(),
    }
}

/// A layout.
pub fn layout() -> impl Strategy<Value = LayoutKind> {
    proptest::sample::select(&LayoutKind::ALL[..])
}

/// A tensor of the given shape with values of a domain, in any layout.
pub fn tensor_of(shape: Vec<usize>, domain: Domain) -> impl Strategy<Value = Tensor<f64>> {
    let n: usize = shape.iter().product();
    (vec(value(domain), n), layout()).prop_map(move |(v, layout)| {
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
