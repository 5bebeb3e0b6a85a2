//! The five programs, written once over [`Num`]: on plain `f64`, on the scalar tape, and on lanes of it.

use std::ops::{Add, Div, Mul, Neg, Sub};
use wengert::tape::Elementary;
use wengert::tape::scalar::{Jet, Number, Var};

/// A number with the functions that the programs need; plain `f64` takes the standard library's.
pub(crate) trait Num:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Sub<f64, Output = Self>
    + Mul<f64, Output = Self>
    + Div<f64, Output = Self>
{
    fn sin(self) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn sqrt(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
    /// max(x, 0).
    fn positive(self) -> Self;
}

// SAFETY: the C library's error function, which takes and gives a number; the standard library has none.
#[link(name = "m")]
unsafe extern "C" {
    safe fn erf(x: f64) -> f64;
}

impl Num for f64 {
    #[inline(always)]
    fn sin(self) -> f64 {
        f64::sin(self)
    }
    #[inline(always)]
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    #[inline(always)]
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    #[inline(always)]
    fn erf(self) -> f64 {
        erf(self)
    }
    #[inline(always)]
    fn positive(self) -> f64 {
        f64::max(self, 0.0)
    }
}

macro_rules! num {
    ($(($($generics:tt)*) $type:ty;)*) => {$(
        impl<$($generics)*> Num for $type {
            #[inline(always)]
            fn sin(self) -> Self {
                Elementary::sin(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                Elementary::exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                Elementary::log(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                Elementary::sqrt(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                Elementary::tanh(self)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                Elementary::erf(self)
            }
            #[inline(always)]
            fn positive(self) -> Self {
                Elementary::relu(self)
            }
        }
    )*};
}
num! {
    ('t, T: Number) Var<'t, T>;
    (const N: usize, T: Number) Jet<N, T>;
}

/// P1: the widths of the network, and operations a sample.
pub(crate) const WIDTHS: [usize; 4] = [16, 32, 32, 1];
pub(crate) const WEIGHTS: usize = 1633;
pub(crate) const P1_OPS: usize = 3202;

/// The squared error of a network with tanh, weights and biases in one slice.
#[inline(always)]
pub(crate) fn network<R: Num>(w: &[R], x: &[R], target: f64, scratch: &mut [Vec<R>; 2]) -> R {
    let [h, next] = scratch;
    h.clear();
    h.extend_from_slice(x);
    let mut at = 0;
    for (layer, pair) in WIDTHS.windows(2).enumerate() {
        next.clear();
        for _ in 0..pair[1] {
            let mut sum = w[at];
            for (&w, &h) in w[at + 1..].iter().zip(&h[..pair[0]]) {
                sum = sum + w * h;
            }
            at += pair[0] + 1;
            next.push(if layer < 2 { sum.tanh() } else { sum });
        }
        std::mem::swap(h, next);
    }
    let e = h[0] - target;
    e * e
}

/// P2: one step, of 5 operations.
pub(crate) const P2_STEPS: usize = 1_000_000;
#[inline(always)]
pub(crate) fn oscillate<R: Num>(x: R, y: R) -> R {
    x.sin() * 0.9 + x * y * 0.1
}

/// P3a: a call and a put of Black and Scholes, 40 operations.
pub(crate) const P3A_OPS: usize = 40;
#[inline(always)]
pub(crate) fn black_scholes<R: Num>([spot, strike, rate, vol, time]: [R; 5]) -> R {
    let cdf = |x: R| (x * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    let deviation = vol * time.sqrt();
    let d1 = ((spot / strike).ln() + (rate + vol * vol * 0.5) * time) / deviation;
    let d2 = d1 - deviation;
    let discounted = strike * (-(rate * time)).exp();
    let call = spot * cdf(d1) - discounted * cdf(d2);
    let put = discounted * cdf(-d2) - spot * cdf(-d1);
    call + put
}

/// P3b: a path of Heston's model in Euler steps. 19 operations a step, 387 in all.
pub(crate) const P3B_STEPS: usize = 20;
pub(crate) const P3B_OPS: usize = 387;
pub(crate) struct Heston<R> {
    pub(crate) kappa: R,
    pub(crate) theta: R,
    pub(crate) xi: R,
    pub(crate) rho: R,
    pub(crate) rate: R,
}
#[inline(always)]
pub(crate) fn heston_step<R: Num>(x: R, v: R, m: &Heston<R>, orthogonal: R, z1: R, z2: R) -> [R; 2] {
    const DT: f64 = 1.0 / P3B_STEPS as f64;
    let variance = v.positive();
    let root = (variance * DT).sqrt();
    let x2 = x + (m.rate - variance * 0.5) * DT + root * z1;
    let noise = m.rho * z1 + orthogonal * z2;
    let v2 = v + m.kappa * (m.theta - variance) * DT + m.xi * root * noise;
    [x2, v2]
}
/// √(1 - ρ²).
#[inline(always)]
pub(crate) fn orthogonal<R: Num>(rho: R) -> R {
    (-(rho * rho) + 1.0).sqrt()
}
/// The payoff of a call struck at 1.
#[inline(always)]
pub(crate) fn payoff<R: Num>(x: R) -> R {
    (x.exp() - 1.0).positive()
}

/// P4: the sum of xᵢ exp xᵢ₋₁, 3 operations each.
pub(crate) const P4_N: usize = 1_000_000;

/// P5: the coupled Burgers' equations, 18 operations for each field and point.
pub(crate) const SIDE: usize = 101;
pub(crate) const P5_STEPS: usize = 16;
pub(crate) const P5_OPS: usize = P5_STEPS * (SIDE - 2) * (SIDE - 2) * 36;

/// One field's next value at a point: upwind differences for u ∂/∂x + v ∂/∂y, and diffusion.
#[inline(always)]
pub(crate) fn burgers<R: Num>(u: R, v: R, f: R, west: R, east: R, south: R, north: R) -> R {
    const C: f64 = 0.05;
    const D: f64 = 0.02;
    f - u * C * (f - west) - v * C * (f - south) + (east - f * 2.0 + west) * D + (north - f * 2.0 + south) * D
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert::tape::scalar::Tape;

    #[test]
    fn the_tape_computes_what_plain_numbers_do() {
        let tape = Tape::new();
        let x = [100.0, 95.0, 0.03, 0.2, 0.7];
        let y = black_scholes(x.map(|v| tape.var(v)));
        assert!((y.value() - black_scholes(x)).abs() < 1e-12);
        assert!((oscillate(tape.var(0.3), tape.var(0.2)).value() - oscillate(0.3, 0.2)).abs() < 1e-15);
    }
}
