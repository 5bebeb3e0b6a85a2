//! Elementary functions of `f32`, written so that a plain loop over a slice vectorises.
//!
//! Every function is straight-line code: no tables and no branches (each `if` is a select between two values that are
//! both computed), and of the library functions only those that are a single instruction. They are meant to be inlined
//! into a loop compiled with FMA; without it `mul_add` is a call, and the results are the same but slow.
//!
//! The coefficients are minimax polynomials found by Remez exchange and then rounded to `f32`; the script
//! `tests/data/math/generate.py` derives them. Errors are in units in the last place (ulp) of the exact result,
//! measured at every bit pattern against `f64`.

#![allow(clippy::excessive_precision)] // Coefficients are written as the generator prints them.

/// `c0 + c1 x + c2 x² + ...` by Horner's rule, one FMA per term.
macro_rules! poly {
    ($x:expr, $c:expr) => { $c };
    ($x:expr, $c:expr, $($rest:expr),+) => { f32::mul_add(poly!($x, $($rest),+), $x, $c) };
}

/// The same with two terms at a time: half the latency, for long polynomials.
macro_rules! pairs {
    ($x:expr, $($c:expr),+) => {{ let square = $x * $x; pairs!(@ $x, square, $($c),+) }};
    (@ $x:expr, $square:expr, $c:expr) => { $c };
    (@ $x:expr, $square:expr, $c:expr, $d:expr) => { f32::mul_add($d, $x, $c) };
    (@ $x:expr, $square:expr, $c:expr, $d:expr, $($rest:expr),+) => {
        f32::mul_add(pairs!(@ $x, $square, $($rest),+), $square, f32::mul_add($d, $x, $c))
    };
}

/// Adding and subtracting this rounds to the nearest integer; the low bits of the sum hold that integer.
const ROUND: f32 = 12_582_912.0;
/// Like [`ROUND`], but the low bits of the sum hold the integer plus twice the exponent bias.
const ROUND_BIASED: f32 = ROUND + 254.0;
/// `ln 2` in two parts: 15 bits, whose product with any exponent is exact, and the remainder.
const LN2_HI: f32 = 0.693145751953125;
const LN2_LO: f32 = 1.42860676533e-6;
/// The bits of `sqrt(1/2)`: significands are reduced to `[sqrt(1/2), sqrt(2))`.
const SQRT_HALF: u32 = 0x3f35_04f3;
const MAGNITUDE: u32 = 0x7fff_ffff;

/// `y · 2^n`, where `t` is `n + ROUND_BIASED`, in two steps: the first product is exact, so that the result is rounded
/// only once even when it is subnormal, and `n = 128` is allowed.
#[inline(always)]
fn scale(y: f32, t: f32) -> f32 {
    let w = t.to_bits();
    let half = w >> 1;
    y * f32::from_bits(half << 23) * f32::from_bits(w.wrapping_sub(half) << 23)
}

/// `e^r - 1` for `|r| <= ln(2)/2`, to the absolute accuracy that `e^r` needs.
#[inline(always)]
fn exp_reduced(r: f32) -> f32 {
    let p = pairs!(r, 0.4999999404, 0.1666651517, 0.04166835174, 0.008369421586, 0.001381309819);
    (r * r).mul_add(p, r)
}

/// `e^x`.
///
/// Cody and Waite's reduction to `|r| <= ln(2)/2` and a polynomial of degree 6.
///
/// Maximum error 1.04 ulp over every finite `f32`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Beyond these bounds the result is infinite or zero; the comparisons keep a NaN.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -104.0 { -104.0 } else { x };
    let t = x.mul_add(core::f32::consts::LOG2_E, ROUND_BIASED);
    let n = t - ROUND_BIASED;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x));
    scale(1.0 + exp_reduced(r), t)
}

/// `2^x`.
///
/// The integer part becomes the exponent; the rest is as in [`exp`].
///
/// Maximum error 1.05 ulp over every finite `f32`.
#[inline(always)]
pub fn exp2(x: f32) -> f32 {
    let x = if x > 128.0 { 128.0 } else { x };
    let x = if x < -151.0 { -151.0 } else { x };
    let t = x + ROUND_BIASED;
    let n = t - ROUND_BIASED;
    scale(1.0 + exp_reduced((x - n) * core::f32::consts::LN_2), t)
}

/// `e^x - 1` for `x` in `[-20, 89]` with full relative accuracy, except that subnormal results may lose a bit and the
/// sign of a zero is lost.
#[inline(always)]
fn expm1_reduced(x: f32) -> f32 {
    let t = x.mul_add(core::f32::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x));
    let p = pairs!(r, 0.5, 0.1666663438, 0.04166650772, 0.00834182743, 0.001393108862, 0.0001490559371);
    let e = (r * r).mul_add(p, r);
    // 2^n (1 + e) - 1, computed as twice its half since 2^128 overflows.
    let s = f32::from_bits(t.to_bits().wrapping_add(126) << 23);
    let y = e.mul_add(s, s - 0.5);
    y + y
}

/// `e^x - 1`, accurate for small `x` too.
///
/// Reduced as in [`exp`]; `e^r - 1` is a polynomial of degree 7, and `2^n (1 + p) - 1` is one FMA.
///
/// Maximum error 1.46 ulp over every finite `f32`.
#[inline(always)]
pub fn expm1(x: f32) -> f32 {
    let c = if x > 89.0 { 89.0 } else { x };
    let c = if c < -20.0 { -20.0 } else { c };
    let y = expm1_reduced(c);
    if x.abs() < 5.9604645e-8 { x } else { y }
}

/// `ln(1 + f) + k ln 2` for `f` in `[sqrt(1/2) - 1, sqrt(2) - 1]`.
#[inline(always)]
fn ln_reduced(f: f32, k: f32) -> f32 {
    let p = pairs!(
        f,
        0.3333331048,
        -0.2500000596,
        0.2000220567,
        -0.1666810513,
        0.1421797127,
        -0.1240335703,
        0.1189893037,
        -0.1169565395,
        0.06746584922
    );
    let q = f * f;
    // f - f²/2 + f³ p, smallest terms first.
    let tail = q.mul_add(-0.5, (q * f).mul_add(p, k * LN2_LO));
    k.mul_add(LN2_HI, f + tail)
}

/// The natural logarithm.
///
/// The significand is reduced to `[sqrt(1/2), sqrt(2))`. There, a polynomial of degree 11 is used; the exponent times
/// `ln 2`, in two pieces, is added.
///
/// Maximum error 0.83 ulp over every finite `f32`.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 33_554_432.0 } else { x };
    let offset = if subnormal { -25.0 } else { 0.0 };
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF);
    let k = ((bits as i32) >> 23) as f32 + offset;
    let f = f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF) - 1.0;
    log_special(x, ln_reduced(f, k))
}

/// `y` where `x` is positive and finite, otherwise the logarithm of `x`.
#[inline(always)]
fn log_special(x: f32, y: f32) -> f32 {
    let y = if x < f32::INFINITY { y } else { x };
    let y = if x < 0.0 { f32::NAN } else { y };
    if x == 0.0 { f32::NEG_INFINITY } else { y }
}

/// `ln(1 + x)`, accurate for small `x` too.
///
/// The exponent `k` is taken from the rounded `1 + x`, but `(1 + x) 2^-k - 1` is formed from `x` in one FMA, so that
/// nothing is lost; the rest is as in [`ln`].
///
/// Maximum error 1.39 ulp over every finite `f32`.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let bits = u.to_bits().wrapping_sub(SQRT_HALF);
    let exponent = bits & 0xff80_0000;
    let k = ((bits as i32) >> 23) as f32;
    // 2^(2-k), which is normal even for k = 128.
    let s = f32::from_bits(0x4080_0000_u32.wrapping_sub(exponent));
    let f = (0.25 * x).mul_add(s, s.mul_add(0.25, -1.0));
    let y = log_special(u, ln_reduced(f, k));
    if x.abs() < 5.9604645e-8 { x } else { y }
}

/// The hyperbolic tangent.
///
/// `m / (m + 2)` with `m = e^(2|x|) - 1`.
///
/// Maximum error 2.43 ulp over every finite `f32`.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let a = if a > 10.0 { 10.0 } else { a };
    let m = expm1_reduced(a + a);
    let y = (m / (m + 2.0)).copysign(x);
    if a < 1e-4 { x } else { y }
}

/// The logistic function, `1 / (1 + e^-x)`.
///
/// Computed from `e^-|x|`, which cannot overflow, so that the negative tail keeps its relative accuracy down to the
/// smallest subnormal.
///
/// Maximum error 2.41 ulp over every finite `f32`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// The error function for `|x| <= 0.8`.
#[inline(always)]
fn erf_small(x: f32) -> f32 {
    let z = x * x;
    let p =
        poly!(z, 0.1283791661, -0.3761260211, 0.1128311083, -0.02682069503, 0.005084909499, -0.0006533688866);
    x.mul_add(p, x)
}

/// The error function.
///
/// Below 0.8, an odd polynomial of degree 11; above, `1 - e^-q(x)` where `q = -ln(erfc)` is a polynomial of degree 7.
///
/// Maximum error 1.12 ulp over every finite `f32`.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let small = erf_small(x);
    let c = if a > 4.0 { 4.0 } else { a };
    let q = pairs!(
        c,
        -0.0001386179938,
        1.129334211,
        0.6337266564,
        0.1078466773,
        -0.02482946962,
        0.00405742554,
        -0.0004103227111,
        1.895180867e-5
    );
    let t = q.mul_add(-core::f32::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, -q));
    let s = f32::from_bits(t.to_bits().wrapping_add(127) << 23);
    let large = exp_reduced(r).mul_add(-s, 1.0 - s).copysign(x);
    if a < 0.8 { small } else { large }
}

/// The complementary error function, `1 - erf(x)`, with relative accuracy in the positive tail.
///
/// `e^(-x²) · t · p` with `t = 4/(4 + |x|)` and `p` a polynomial of degree 9 in `1 - 2t`, after Shepherd and
/// Laframboise (1981). The rounding errors of `x²` and `t`, found by FMA, are added back. Below 0.8 in magnitude it is
/// `1 - erf(x)`, and below -0.8 `2 - erfc(-x)`.
///
/// Maximum error 3.30 ulp over every finite `f32`.
#[inline(always)]
pub fn erfc(x: f32) -> f32 {
    let a = x.abs();
    let a = if a > 10.2 { 10.2 } else { a };
    let h = a * a;
    let l = a.mul_add(a, -h);
    // t, and what corrects it to 4 / (4 + a): the rounding errors of the sum and of the quotient.
    let d = 4.0 + a;
    let t = 4.0 / d;
    let t_low = t * (1.0 / 4.0) * (a - (d - 4.0)).mul_add(-t, d.mul_add(-t, 4.0));
    let q = t_low.mul_add(-2.0, t.mul_add(-2.0, 1.0));
    let p = pairs!(
        q,
        0.2739989161,
        -0.2441371679,
        0.1933021396,
        -0.1352142245,
        0.08271365613,
        -0.04349059984,
        0.01909217611,
        -0.006668825634,
        0.001506205183,
        0.0001047413534
    );
    let i = h.mul_add(-core::f32::consts::LOG2_E, ROUND_BIASED);
    let n = i - ROUND_BIASED;
    let r = n.mul_add(-LN2_HI, -h) + n.mul_add(-LN2_LO, -l);
    let m = t.mul_add(p, t_low * p);
    let y = scale(m.mul_add(exp_reduced(r), m), i);
    let y = if x < 0.0 { 2.0 - y } else { y };
    if x.abs() < 0.8 { 1.0 - erf_small(x) } else { y }
}

/// Above this the three-part reduction of [`sin`] and [`cos`] runs out of bits.
const TRIG_LARGE: f32 = 131_072.0;
const PIO2_1: f32 = core::f32::consts::FRAC_PI_2;
const PIO2_2: f32 = -4.37113882867e-8;
const PIO2_3: f32 = -1.71512451001e-15;

/// Whether [`sin`] and [`cos`] are inaccurate at `x`: beyond `2^17`, where the reduction of the argument would need
/// more bits of π, and at infinities and NaN. Use the standard library's functions there.
#[inline(always)]
pub fn trig_is_large(x: f32) -> bool {
    x.to_bits() & MAGNITUDE > TRIG_LARGE.to_bits()
}

/// The sine or the cosine of `x`, selected by `quadrant` (0 or 1).
///
/// Cody and Waite's reduction to `|r| <= π/4`, with π/2 in three parts and FMA. The first step is exact; the
/// rounding errors of the second are carried along.
#[inline(always)]
fn sin_cos(x: f32, quadrant: u32) -> f32 {
    let t = x.mul_add(core::f32::consts::FRAC_2_PI, ROUND);
    let n = t - ROUND;
    let turn = t.to_bits().wrapping_add(quadrant);
    let r1 = n.mul_add(-PIO2_1, x);
    let p = n * PIO2_2;
    let r = r1 - p;
    let low = ((r1 - r) - p) - n.mul_add(PIO2_3, n.mul_add(PIO2_2, -p));
    let z = r * r;
    let s = poly!(z, -0.1666665375, 0.008332110941, -0.0001950871956);
    let s = r + (z * r).mul_add(s, low);
    let c = poly!(z, 0.04166664556, -0.001388727454, 2.442570076e-5);
    let c = z.mul_add(-0.5, 1.0) + (z * z).mul_add(c, -(r * low));
    let y = if turn & 1 == 0 { s } else { c };
    f32::from_bits(y.to_bits() ^ ((turn & 2) << 30))
}

/// The sine, for arguments up to `2^17` in magnitude; see [`trig_is_large`].
///
/// Reduced to `[-π/4, π/4]` with π/2 in three parts; there, polynomials of degree 7 for the sine and 8 for
/// the cosine.
///
/// Maximum error 1.28 ulp over every `f32` up to that bound.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let y = sin_cos(x, 0);
    if x.abs() < 1e-4 { x } else { y }
}

/// The cosine, for arguments up to `2^17` in magnitude; see [`trig_is_large`].
///
/// As [`sin`], shifted by a quarter turn.
///
/// Maximum error 1.28 ulp over every `f32` up to that bound.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    sin_cos(x, 1)
}
