//! Gradients that other frameworks got wrong, one test per trap. Where a convention is needed, it is that of the
//! operation's documentation.

mod attention;
mod convolving;
mod einsum;
mod indexing;
mod layouts;
mod linalg;
mod normalizing;
mod pointwise;
mod products;
mod rectangles;
mod reductions;
mod rounding;
mod scans;
mod softmax;
mod sorting;
mod tape;
mod views;

use wengert_ops::{Slice, Tensor};
use wengert_tape::gradcheck::Check;
use wengert_tape::{Float, Tape, Var};

type Binary = for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;
type Reference = fn(f64) -> f64;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn vector(v: &[f64]) -> Tensor<f64> {
    Tensor::from_slice(v, [v.len()]).unwrap()
}

/// Equal bit for bit, except for the sign and payload of NaN; 0 and -0 differ.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

fn close(a: &[f64], b: &[f64]) -> bool {
    let near =
        |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * (1.0 + b.abs());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(*a, *b))
}

/// Value, swept gradient of the sum, and recorded gradient of the sum, at the given numbers.
fn run<T: Float>(f: impl for<'t> Fn(Var<'t, T>) -> Var<'t, T>, x: &Tensor<f64>) -> [Vec<f64>; 3] {
    let tape = Tape::<T>::new();
    let x = tape.var(x.cast::<T>());
    let y = f(x);
    let value = y.value().unwrap().to_vec();
    let y = y.sum();
    let recorded = y.grad(x).unwrap().value().unwrap();
    let swept = y.backward().unwrap().wrt(x).unwrap();
    assert_eq!(recorded.shape(), swept.shape());
    [value, swept.to_vec(), recorded.to_vec()].map(|v| v.iter().map(|v| v.to_f64()).collect())
}

type F = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

/// Asserts values and both gradients of elementwise functions.
#[track_caller]
fn at(what: &str, f: F, x: &[f64], values: &[f64], gradients: &[f64]) {
    let [y, swept, recorded] = run::<f64>(f, &vector(x));
    assert!(close(&y, values), "{what}: values {y:?}, expected {values:?}");
    assert!(close(&swept, gradients), "{what}: gradient {swept:?}, expected {gradients:?}");
    assert!(close(&recorded, gradients), "{what}: recorded gradient {recorded:?}, expected {gradients:?}");
}
