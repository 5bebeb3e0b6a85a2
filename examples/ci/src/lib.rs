//! Operations of your own, with their gradient checks.
//!
//! Each attribute makes unit tests, one per property, and with `spec` an entry for the program in `tests/gradients.rs`.

use wengert::prelude::*;

/// An elementwise function: x · sigmoid(2x).
#[gradcheck(spec)]
pub fn swish2<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x * (x * 2.0).sigmoid()
}

/// A product of matrices with a bias, in any number of batch axes: `[.., n, k]`, `[k, m]`, `[m]` → `[.., n, m]`.
#[gradcheck(x: [.., n, k], w: [k, m], b: [m], spec)]
pub fn affine<'t, T: Float>(x: Var<'t, T>, w: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
    x.matmul(w) + b
}

/// Huber's loss, element by element, with a jump of the second derivative where |x - y| = 1. On a grid, the jump is often met, and
/// never nearly.
#[gradcheck(x in Grid, y in Grid, at((1.0, 1.0) => (0.0, 0.0)), spec)]
pub fn huber<'t, T: Float>(x: Var<'t, T>, y: Var<'t, T>) -> Var<'t, T> {
    let d = (x - y).abs();
    let small = d.clamp(0.0, 1.0);
    small * (d - small * 0.5)
}

/// The sign of tanh(x), with the gradient of tanh(x): a straight-through estimator.
#[gradcheck(surrogate = |x| x.tanh(), spec)]
pub fn binarize<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    let soft = x.tanh();
    let hard = x.value().map(|x| x.map(|x| if x < T::ZERO { -T::ONE } else { T::ONE }));
    soft + (soft.zeros_like() + hard - soft).detach()
}

/// Radius and angle: two outputs.
#[gradcheck(x: [n] in NON_ZERO, y: [n], spec)]
pub fn polar<'t, T: Float>(x: Var<'t, T>, y: Var<'t, T>) -> (Var<'t, T>, Var<'t, T>) {
    ((x.square() + y.square()).sqrt(), (y / x).atan())
}

/// The deviations from the mean along an axis.
#[gradcheck(x: [n, m], axis in [0, 1, -1], spec)]
pub fn centred<'t, T: Float>(x: Var<'t, T>, axis: isize) -> Var<'t, T> {
    x - x.mean_keepdim(axis)
}
