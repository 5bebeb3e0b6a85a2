//! The programs, written once over [`Num`]: for plain `f64`, the scalar tape, lanes of it, and other engines
//! (`benches/peers/scalar` includes this file).

use std::ops::{Add, Div, Mul, Neg, Sub};

/// A number with the functions that the programs use; those of plain `f64` are the standard library's.
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
    /// max(x, 0).
    fn positive(self) -> Self;
}

/// The error function, which not every engine supports.
pub(crate) trait ErrorFunction: Num {
    fn erf(self) -> Self;
}

// SAFETY: the C library's error function takes and returns a number; the standard library has none.
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
    fn positive(self) -> f64 {
        f64::max(self, 0.0)
    }
}

impl ErrorFunction for f64 {
    #[inline(always)]
    fn erf(self) -> f64 {
        erf(self)
    }
}

/// `n` numbers of a fixed sequence in (-1, 1).
pub(crate) fn numbers(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 7919 + 13) % 10_007) as f64 / 5003.5 - 1.0).collect()
}

/// P1: the widths of the network, and the number of operations per sample.
pub(crate) const WIDTHS: [usize; 4] = [16, 32, 32, 1];
pub(crate) const WEIGHTS: usize = 1633;
pub(crate) const P1_OPS: usize = 3202;

/// The weights and biases, and a sample.
pub(crate) fn network_inputs() -> (Vec<f64>, Vec<f64>) {
    (numbers(WEIGHTS).iter().map(|w| w * 0.3).collect(), numbers(WIDTHS[0]))
}
/// The squared error of a network with tanh; weights and biases are in one slice.
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

/// P2: the number of steps, of 5 operations each.
pub(crate) const P2_STEPS: usize = 1_000_000;
pub(crate) const P2_START: [f64; 2] = [0.7, 2.0];
#[inline(always)]
pub(crate) fn oscillate<R: Num>(x: R, y: R) -> R {
    x.sin() * 0.9 + x * y * 0.1
}

/// P3a: a call and a put of Black and Scholes, 40 operations.
pub(crate) const P3A_OPS: usize = 40;
#[inline(always)]
pub(crate) fn black_scholes<R: ErrorFunction>([spot, strike, rate, vol, time]: [R; 5]) -> R {
    let cdf = |x: R| (x * std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    let deviation = vol * time.sqrt();
    let d1 = ((spot / strike).ln() + (rate + vol * vol * 0.5) * time) / deviation;
    let d2 = d1 - deviation;
    let discounted = strike * (-(rate * time)).exp();
    let call = spot * cdf(d1) - discounted * cdf(d2);
    let put = discounted * cdf(-d2) - spot * cdf(-d1);
    call + put
}

/// The number of options, or of paths, in a run: 10⁵ in a benchmark of minutes, a thousand here.
pub(crate) const MANY: usize = 1000;
pub(crate) fn option(i: usize) -> [f64; 5] {
    [100.0, 80.0 + (i % 41) as f64, 0.03, 0.15 + (i % 7) as f64 * 0.02, 0.5 + (i % 5) as f64 * 0.1]
}

/// P3b: the number of Euler steps of a path of Heston's model. 19 operations per step, 387 in all.
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
pub(crate) fn heston_step<R: Num + Mul<Z, Output = R>, Z: Copy>(
    x: R,
    v: R,
    m: &Heston<R>,
    orthogonal: R,
    z1: Z,
    z2: Z,
) -> [R; 2] {
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
/// The payoff of a call with strike 1.
#[inline(always)]
pub(crate) fn payoff<R: Num>(x: R) -> R {
    (x.exp() - 1.0).positive()
}

/// The start of a path: log-price, variance, and the model's parameters.
pub(crate) const START: [f64; 7] = [0.0, 0.04, 1.5, 0.04, 0.3, -0.6, 0.02];
/// The normal random numbers of all paths.
pub(crate) fn normals() -> Vec<f64> {
    numbers(2 * P3B_STEPS + MANY)
}
/// The payoff of a path, given the normal random numbers of its steps.
#[inline(always)]
pub(crate) fn path<R, Z>(x: [R; 7], normal: impl Fn(usize) -> [Z; 2]) -> R
where
    R: Num + Mul<Z, Output = R>,
    Z: Copy,
{
    let [mut x, mut v, kappa, theta, xi, rho, rate] = x;
    let (model, other) = (Heston { kappa, theta, xi, rho, rate }, orthogonal(rho));
    for k in 0..P3B_STEPS {
        let [z1, z2] = normal(k);
        [x, v] = heston_step(x, v, &model, other, z1, z2);
    }
    payoff(x)
}

/// P4: the number of terms of the sum of xᵢ exp xᵢ₋₁, 3 operations each.
pub(crate) const P4_N: usize = 1_000_000;
#[inline(always)]
pub(crate) fn chain<R: Num>(x: &[R], zero: R) -> R {
    let mut sum = zero;
    for x in x.windows(2) {
        sum = sum + x[1] * x[0].exp();
    }
    sum
}

/// P5: the side of the grid for the coupled Burgers' equations, 18 operations per field and point.
pub(crate) const SIDE: usize = 101;
pub(crate) const P5_STEPS: usize = 16;
pub(crate) const P5_OPS: usize = P5_STEPS * (SIDE - 2) * (SIDE - 2) * 36;

/// All time steps; `point` returns a field's next value from (u, v), the field, and its neighbours.
#[inline(always)]
pub(crate) fn march<R: Num>(mut now: [Vec<R>; 2], point: impl Fn([R; 7]) -> R) -> [Vec<R>; 2] {
    let mut next = now.clone();
    for _ in 0..P5_STEPS {
        for (from, to) in now.iter().zip(&mut next) {
            for j in 1..SIDE - 1 {
                for i in j * SIDE + 1..(j + 1) * SIDE - 1 {
                    let f = from[i];
                    let [west, east, south, north] =
                        [from[i - 1], from[i + 1], from[i - SIDE], from[i + SIDE]];
                    to[i] = point([now[0][i], now[1][i], f, west, east, south, north]);
                }
            }
        }
        std::mem::swap(&mut now, &mut next);
    }
    now
}
/// A field's next value at a point: upwind differences for u ∂/∂x + v ∂/∂y, and diffusion.
#[inline(always)]
pub(crate) fn burgers<R: Num>([u, v, f, west, east, south, north]: [R; 7]) -> R {
    const C: f64 = 0.05;
    const D: f64 = 0.02;
    f - u * C * (f - west) - v * C * (f - south) + (east - f * 2.0 + west) * D + (north - f * 2.0 + south) * D
}
