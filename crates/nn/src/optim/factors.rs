//! Products in formulas whose factor may be 0. A term with factor 0 has no influence, even if the gradient or the parameter is
//! infinite. The loop of a step whose factors are not 0 does not pay for this.

use std::marker::PhantomData;
use wengert_ops::Tensor;
use wengert_ops::kernel::update::{Gradient, Update, update};
use wengert_tape::Float;

/// c x, and 0 where c is 0, even if x is infinite. NaN stays NaN, so that it is noticed.
#[inline(always)]
pub(super) fn times<T: Float>(c: T, x: T) -> T {
    let product = c * x;
    if c == T::ZERO && !x.is_nan() { T::ZERO } else { product }
}

/// How the products of a formula are computed.
pub(super) trait Factors: Sync {
    /// c x.
    fn times<T: Float>(c: T, x: T) -> T;
    /// g + λ φ.
    fn decayed<T: Float>(g: T, lambda: T, p: T) -> T;
}

/// For formulas in which no factor is 0.
struct Plain;
/// For formulas in which only λ is 0.
struct Undecayed;
/// For formulas in which any factor may be 0.
struct Exact;

impl Factors for Plain {
    #[inline(always)]
    fn times<T: Float>(c: T, x: T) -> T {
        c * x
    }
    #[inline(always)]
    fn decayed<T: Float>(g: T, lambda: T, p: T) -> T {
        g + lambda * p
    }
}

impl Factors for Undecayed {
    #[inline(always)]
    fn times<T: Float>(c: T, x: T) -> T {
        c * x
    }
    #[inline(always)]
    fn decayed<T: Float>(g: T, _: T, _: T) -> T {
        g
    }
}

impl Factors for Exact {
    #[inline(always)]
    fn times<T: Float>(c: T, x: T) -> T {
        times(c, x)
    }
    #[inline(always)]
    fn decayed<T: Float>(g: T, lambda: T, p: T) -> T {
        g + times(lambda, p)
    }
}

/// Computes new values of `N` state elements from their old values and the gradient's element. Mark it `#[inline(always)]`.
pub(super) trait Formula<const N: usize, T>: Sync {
    /// The step of one element.
    fn call<F: Factors>(&self, state: [T; N], gradient: T) -> [T; N];
}

struct With<'k, K, F>(&'k K, PhantomData<F>);

impl<const N: usize, T, K: Formula<N, T>, F: Factors> Update<N, T> for With<'_, K, F> {
    #[inline(always)]
    fn call(&self, state: [T; N], gradient: T) -> [T; N] {
        self.0.call::<F>(state, gradient)
    }
}

/// Steps every element by a formula with the decay λ and the given other factors.
pub(super) fn run<const N: usize, T: Float, K: Formula<N, T>>(
    op: &'static str,
    state: [&mut Tensor<T>; N],
    gradient: Gradient<'_, T>,
    kernel: &K,
    lambda: T,
    others: &[T],
) -> wengert_ops::Result<()> {
    if others.contains(&T::ZERO) {
        update(op, state, gradient, &With::<K, Exact>(kernel, PhantomData))
    } else if lambda == T::ZERO {
        update(op, state, gradient, &With::<K, Undecayed>(kernel, PhantomData))
    } else {
        update(op, state, gradient, &With::<K, Plain>(kernel, PhantomData))
    }
}
