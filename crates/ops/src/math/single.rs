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

/// `(ln(1 + f) - f + f²/2) / f³` for `f` in `[sqrt(1/2) - 1, sqrt(2) - 1]`.
#[inline(always)]
fn ln_polynomial(f: f32) -> f32 {
    pairs!(
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
    )
}

/// `ln(1 + f) + k ln 2` for `f` in `[sqrt(1/2) - 1, sqrt(2) - 1]`.
#[inline(always)]
fn ln_reduced(f: f32, k: f32) -> f32 {
    let p = ln_polynomial(f);
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

// The functions from here on that call `wide!` are computed in `f64`, with polynomials of about 30 bits or more: the result is
// almost always the correctly rounded one, and nothing overflows in between.

/// [`pairs`] in `f64`.
macro_rules! wide {
    ($x:expr, $($c:expr),+) => {{ let square = $x * $x; wide!(@ $x, square, $($c),+) }};
    (@ $x:expr, $square:expr, $c:expr) => { $c };
    (@ $x:expr, $square:expr, $c:expr, $d:expr) => { f64::mul_add($d, $x, $c) };
    (@ $x:expr, $square:expr, $c:expr, $d:expr, $($rest:expr),+) => {
        f64::mul_add(wide!(@ $x, $square, $($rest),+), $square, f64::mul_add($d, $x, $c))
    };
}

/// The tangent, for arguments up to `2^17` in magnitude; see [`trig_is_large`].
///
/// The quotient of sine and cosine, after a reduction to `[-π/4, π/4]`.
///
/// Maximum error 0.501 ulp over every `f32` up to that bound.
#[inline(always)]
pub fn tan(x: f32) -> f32 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let wide = f64::from(x);
    let t = wide.mul_add(core::f64::consts::FRAC_2_PI, ROUND);
    let n = t - ROUND;
    let r = n.mul_add(-6.12323399573676603587e-17, n.mul_add(-core::f64::consts::FRAC_PI_2, wide));
    let z = r * r;
    let s = wide!(
        z,
        -0.166666666386815654,
        0.00833332905896889096,
        -0.000198392332972145035,
        2.71737130363068316e-6
    );
    let s = (z * r).mul_add(s, r);
    let c = wide!(
        z,
        0.0416666666155324217,
        -0.00138888831654403687,
        0.0000247993732415649785,
        -2.71986693214741179e-7
    );
    let c = (z * z).mul_add(c, z.mul_add(-0.5, 1.0));
    let odd = t.to_bits() & 1 == 1;
    let n = if odd { -c } else { s };
    let d = if odd { s } else { c };
    let y = (n / d) as f32;
    if x.abs() < 1e-4 { x } else { y }
}

/// The angle of a point in the right half of the plane between the axis and the diagonal, and of its seven mirror images.
///
/// As its namesake in [`double`](super::double).
#[inline(always)]
fn angle(low: f64, high: f64, swap: bool, flip: bool) -> f32 {
    let steep = low + low > high;
    let n = if steep { low - high } else { low };
    let d = if steep { low + high } else { high };
    let t = n / d;
    let z = t * t;
    let p = wide!(
        z,
        -0.333333329241091991,
        0.199999574145275583,
        -0.142842066921705424,
        0.110855578927749165,
        -0.0885514000389963779,
        0.0645348529675924265,
        -0.0299007109901802404
    );
    let t = (t * z).mul_add(p, t);
    let k = if steep { 1.0 } else { 0.0 };
    let k = if swap { 2.0 - k } else { k };
    let k = if flip { 4.0 - k } else { k };
    let t = if swap == flip { t } else { -t };
    f64::mul_add(k, core::f64::consts::FRAC_PI_4, t) as f32
}

/// The inverse tangent.
///
/// Maximum error 0.501 ulp over every finite `f32`.
#[inline(always)]
pub fn atan(x: f32) -> f32 {
    let a = f64::from(x.abs());
    let a = if a > 1e20 { 1e20 } else { a };
    let swap = a > 1.0;
    let low = if swap { 1.0 } else { a };
    let high = if swap { a } else { 1.0 };
    angle(low, high, swap, false).copysign(x)
}

/// The angle of the point `(x, y)` in radians, from -π to π.
///
/// Maximum error seen 0.501 ulp, over 20,000 pairs.
#[inline(always)]
pub fn atan2(y: f32, x: f32) -> f32 {
    let (a, b) = (y.abs(), x.abs());
    let swap = a > b;
    let low = if swap { b } else { a };
    let high = if swap { a } else { b };
    let infinite = high == f32::INFINITY;
    let both = if low == f32::INFINITY { 1.0 } else { 0.0 };
    let low = if infinite { both } else { low };
    let high = if infinite || high == 0.0 { 1.0 } else { high };
    let angle = angle(f64::from(low), f64::from(high), swap, x.is_sign_negative()).copysign(y);
    if x.is_nan() || y.is_nan() { f32::NAN } else { angle }
}

/// What [`asin`] and [`acos`] have in common: whether `|x| > 1/2`, and the inverse sine of `|x|`, or there of
/// `√((1 - |x|)/2)`, which is half the inverse cosine of `|x|`.
#[inline(always)]
fn arc(x: f32) -> (bool, f64) {
    let a = f64::from(x.abs());
    let outer = a > 0.5;
    let z = if outer { 0.5 - 0.5 * a } else { a * a };
    let s = if outer { z.sqrt() } else { a };
    let p = wide!(
        z,
        0.166666671842988862,
        0.0749994854259120464,
        0.0446600743625441762,
        0.0301111887035626288,
        0.0246134713499165034,
        0.00748144001686351819,
        0.0346811998756505202
    );
    (outer, (s * z).mul_add(p, s))
}

/// The inverse sine; NaN outside of [-1, 1].
///
/// Maximum error 0.501 ulp over every finite `f32`.
#[inline(always)]
pub fn asin(x: f32) -> f32 {
    let (outer, s) = arc(x);
    let y = if outer { core::f64::consts::FRAC_PI_2 - (s + s) } else { s };
    (y as f32).copysign(x)
}

/// The inverse cosine; NaN outside of [-1, 1].
///
/// Maximum error 0.501 ulp over every finite `f32`.
#[inline(always)]
pub fn acos(x: f32) -> f32 {
    let (outer, s) = arc(x);
    let negative = x < 0.0;
    let base = if negative { core::f64::consts::PI } else { 0.0 };
    let base = if outer { base } else { core::f64::consts::FRAC_PI_2 };
    let factor = if outer { 2.0 } else { 1.0 };
    let factor = if negative == outer { -factor } else { factor };
    s.mul_add(factor, base) as f32
}

/// √(x² + y²), without overflow in between.
///
/// Maximum error seen 0.501 ulp, over 20,000 pairs.
#[inline(always)]
pub fn hypot(x: f32, y: f32) -> f32 {
    let (a, b) = (f64::from(x), f64::from(y));
    let h = a.mul_add(a, b * b).sqrt() as f32;
    if x.abs() == f32::INFINITY || y.abs() == f32::INFINITY { f32::INFINITY } else { h }
}

/// Whether [`fmod`] is inaccurate: the quotient has more bits than a number holds. Use the operator `%` there.
#[inline(always)]
pub fn fmod_is_large(x: f32, y: f32) -> bool {
    (x / y).abs() >= 8_388_608.0 && y != 0.0 && x.abs() < f32::INFINITY
}

/// The remainder of `x / y` with the sign of `x`, exact for quotients below `2^23`; see [`fmod_is_large`].
///
/// `x - q y` with `q` the rounded quotient's integer part is representable, so that FMA gives it exactly; where the
/// quotient was rounded up to an integer, `y` is added back.
#[inline(always)]
pub fn fmod(x: f32, y: f32) -> f32 {
    let (a, b) = (x.abs(), y.abs());
    let q = (a / b).trunc();
    let r = q.mul_add(-b, a);
    let r = if r < 0.0 { r + b } else { r };
    let r = if b == f32::INFINITY && a < f32::INFINITY { a } else { r };
    r.copysign(x)
}

/// `ln(1 + f) - f` for `f` in `[sqrt(1/2) - 1, sqrt(2) - 1]`.
#[inline(always)]
fn ln_tail(f: f32) -> f32 {
    let q = f * f;
    q.mul_add(-0.5, (q * f) * ln_polynomial(f))
}

/// The exponent of a positive `x` and its significand, in `[sqrt(1/2), sqrt(2))`, less 1.
#[inline(always)]
fn split(x: f32) -> (f32, f32) {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 33_554_432.0 } else { x };
    let offset = if subnormal { -25.0 } else { 0.0 };
    let bits = scaled.to_bits().wrapping_sub(SQRT_HALF);
    (((bits as i32) >> 23) as f32 + offset, f32::from_bits((bits & 0x007f_ffff) + SQRT_HALF) - 1.0)
}

/// The logarithm to base 2; exact for powers of 2.
///
/// As [`ln`], times `log2(e)` in two parts.
///
/// Maximum error 1.02 ulp over every finite `f32`.
#[inline(always)]
pub fn log2(x: f32) -> f32 {
    const LOW: f32 = 1.9259630335e-8;
    let (k, f) = split(x);
    let p = f * core::f32::consts::LOG2_E;
    let lost = f.mul_add(core::f32::consts::LOG2_E, -p);
    let tail = f.mul_add(LOW, ln_tail(f).mul_add(core::f32::consts::LOG2_E, lost));
    let y = k + p;
    log_special(x, y + (((k - y) + p) + tail))
}

/// The logarithm to base 10; exact for powers of 10.
///
/// As [`ln`], times `log10(e)` in two parts.
///
/// Maximum error 1.01 ulp over every finite `f32`.
#[inline(always)]
pub fn log10(x: f32) -> f32 {
    const LOW: f32 = -1.01030499522e-8;
    /// `log10(2)` in two parts: 15 bits, and the remainder.
    const LOG2_HI: f32 = 0.301025390625;
    const LOG2_LO: f32 = 4.60503906652e-6;
    let (k, f) = split(x);
    let p = f * core::f32::consts::LOG10_E;
    let lost = f.mul_add(core::f32::consts::LOG10_E, -p);
    let tail = f.mul_add(LOW, ln_tail(f).mul_add(core::f32::consts::LOG10_E, lost));
    let high = k * LOG2_HI;
    let y = high + p;
    log_special(x, y + (((high - y) + p) + k.mul_add(LOG2_LO, tail)))
}

/// The natural logarithm of a positive, normal `f64` is `k ln 2 + l`, to about 36 bits: `(k, l)`.
#[inline(always)]
fn ln_parts(x: f64) -> (f64, f64) {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    let bits = x.to_bits().wrapping_add(0x3ff0_0000_0000_0000 - SQRT_HALF);
    let k = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - 4_503_599_627_371_519.0;
    let f = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + SQRT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let p = wide!(z, 0.66666665606932074, 0.400003448479364809, 0.285366439354673485, 0.235956247323053009);
    (k, (s * z).mul_add(p, s + s))
}

/// The natural logarithm of a positive, normal `f64`, to about 36 bits.
#[inline(always)]
fn ln_wide(x: f64) -> f64 {
    let (k, l) = ln_parts(x);
    k.mul_add(core::f64::consts::LN_2, l)
}

/// The inverse hyperbolic tangent; ±∞ at ±1, NaN beyond.
///
/// `ln((1 + |x|) / (1 - |x|)) / 2`.
///
/// Maximum error 0.501 ulp over every finite `f32`.
#[inline(always)]
pub fn atanh(x: f32) -> f32 {
    let a = f64::from(x.abs());
    let large = 0.5 * ln_wide((1.0 + a) / (1.0 - a));
    let small = (a * a).mul_add(a * (1.0 / 3.0), a);
    let y = if a < 0.004 { small } else { large };
    let end = if a == 1.0 { f64::INFINITY } else { f64::NAN };
    ((if a < 1.0 { y } else { end }) as f32).copysign(x)
}

/// The inverse hyperbolic sine.
///
/// `ln(|x| + √(1 + x²))`.
///
/// Maximum error 0.501 ulp over every finite `f32`.
#[inline(always)]
pub fn asinh(x: f32) -> f32 {
    let a = f64::from(x.abs());
    let large = ln_wide(a + a.mul_add(a, 1.0).sqrt());
    let small = (a * a).mul_add(a * (-1.0 / 6.0), a);
    let y = if a < 0.004 { small } else { large };
    // Infinity and NaN as they are.
    (if a < f64::INFINITY { y as f32 } else { x }).copysign(x)
}

/// The inverse hyperbolic cosine; NaN below 1.
///
/// `ln(x + √(x² - 1))`.
///
/// Maximum error 0.501 ulp over every finite `f32`.
#[inline(always)]
pub fn acosh(x: f32) -> f32 {
    let a = f64::from(x);
    let y = ln_wide(a + ((a - 1.0) * (a + 1.0)).sqrt()) as f32;
    let y = if x < f32::INFINITY { y } else { x };
    if x < 1.0 { f32::NAN } else { y }
}

/// The inverse of the error function: ±∞ at ±1, NaN outside of them.
///
/// `x p(w)` with `w = -ln(1 - x²)`, and a polynomial in `√w` for `w` above 6.25. After Giles (2012).
///
/// Maximum error 0.52 ulp over every finite `f32`.
#[inline(always)]
pub fn erf_inv(x: f32) -> f32 {
    let a = f64::from(x);
    let w = -ln_wide((1.0 - a) * (1.0 + a));
    let v = w - 3.125;
    let small = wide!(
        v,
        1.65365456246722187,
        0.240158178732238048,
        -0.00603366947942420625,
        -0.000740691581660470034,
        0.000186732849883225726,
        -0.0000138918456166105608,
        -1.36504912003509061e-6,
        4.26920381395775158e-7,
        -2.91080375624365409e-8,
        -4.74656299753251022e-9,
        1.04964735819928407e-9,
        5.47451607778120754e-12,
        -1.30130368954249875e-11
    );
    let v = w.sqrt() - 3.25;
    let large = wide!(
        v,
        3.08388560564254854,
        1.00525898907908062,
        0.00537134550803335369,
        -0.00375175558937258574,
        0.00248533165681790943,
        -0.00168426846300265601,
        0.000983704652853306313,
        -0.000367366000322723394,
        -0.0000385545085045182413,
        0.0000861604729390784451
    );
    let p = if w < 6.25 { small } else { large };
    let y = (a * p) as f32;
    let y = if x.abs() < 1.0 { y } else { f32::NAN };
    if x.abs() == 1.0 { x * f32::INFINITY } else { y }
}

/// `2^x` for `x` in `[-1000, 1000]`, to about 34 bits.
#[inline(always)]
fn exp2_wide(x: f64) -> f64 {
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let t = x + ROUND;
    let r = (x - (t - ROUND)) * core::f64::consts::LN_2;
    let p = wide!(
        r,
        0.500000007162185955,
        0.166666658184058791,
        0.0416662804075570159,
        0.0083335040234273107,
        0.00139457487383308292,
        0.000197891545799230633
    );
    let y = (r * r).mul_add(p, 1.0 + r);
    y * f64::from_bits(t.to_bits().wrapping_add(1023) << 52)
}

/// `e^|x| / 2`, where `e^|x|` is infinite for all that overflow.
#[inline(always)]
fn half_exp(x: f32) -> f64 {
    let a = f64::from(x.abs());
    let a = if a > 100.0 { 100.0 } else { a };
    0.5 * exp2_wide(a * core::f64::consts::LOG2_E)
}

/// The hyperbolic sine.
///
/// `(e^x - e^-x) / 2`.
///
/// Maximum error 0.513 ulp over every finite `f32`.
#[inline(always)]
pub fn sinh(x: f32) -> f32 {
    let a = f64::from(x.abs());
    let h = half_exp(x);
    let z = a * a;
    let small = (a * z).mul_add(z.mul_add(1.0 / 120.0, 1.0 / 6.0), a);
    let y = if a < 0.125 { small } else { h - 0.25 / h };
    (y as f32).copysign(x)
}

/// The hyperbolic cosine.
///
/// `(e^x + e^-x) / 2`.
///
/// Maximum error 0.501 ulp over every finite `f32`.
#[inline(always)]
pub fn cosh(x: f32) -> f32 {
    let h = half_exp(x);
    (h + 0.25 / h) as f32
}

/// `x` to the power `y`, with the conventions of C.
///
/// `2^(y log2 |x|)`, with the sign of `x` if `y` is odd.
///
/// Maximum error seen 0.501 ulp, over 900,000 pairs.
#[inline(always)]
pub fn powf(x: f32, y: f32) -> f32 {
    let (a, wide) = (f64::from(x.abs()), f64::from(y));
    let (k, l) = ln_parts(a);
    let log = l.mul_add(core::f64::consts::LOG2_E, k);
    let log = if a < f64::INFINITY { log } else { a };
    let log = if a == 0.0 { f64::NEG_INFINITY } else { log };
    let t = wide * log;
    let t = if t > 200.0 { 200.0 } else { t };
    let t = if t < -200.0 { -200.0 } else { t };
    let p = exp2_wide(t) as f32;
    let half = 0.5 * y;
    let whole = y.trunc() == y;
    let odd = whole && half.trunc() != half;
    let p = if x.is_sign_negative() && odd { -p } else { p };
    let p = if x < 0.0 && x > f32::NEG_INFINITY && !whole { f32::NAN } else { p };
    let p = if x == -1.0 && y.abs() == f32::INFINITY { 1.0 } else { p };
    if x == 1.0 || y == 0.0 { 1.0 } else { p }
}

/// `log |Γ(x)|`; +∞ at 0 and the negative integers.
///
/// As its namesake in [`special`](super::special), with shorter series.
///
/// Maximum error 0.51 ulp for positive arguments; for negative ones, the error is that of the larger of the two
/// terms of the reflection.
#[inline(always)]
pub fn log_gamma(x: f32) -> f32 {
    let x = f64::from(x);
    let below = x < 0.0;
    let a = if below { 1.0 - x } else { x };
    let far = a >= 4.5;
    let v = if far { 2.0 } else { a };
    let large = v > 2.5;
    let v = if large { v - 1.0 } else { v };
    let product = if large { v } else { 1.0 };
    let large = v > 2.5;
    let v = if large { v - 1.0 } else { v };
    let product = if large { product * v } else { product };
    let z = if a < 1.5 { a - 1.0 } else { v - 2.0 };
    let z = if a < 0.5 { a } else { z };
    let product = if a < 1.5 { a } else { product };
    let product = if a < 0.5 { a.mul_add(a, a) } else { product };
    let log = ln_wide(if far { a } else { product });
    let p = wide!(
        z,
        0.322467033608655307,
        -0.0673523022898461221,
        0.0205807912008849243,
        -0.00738549911985931454,
        0.00289091978991519189,
        -0.00119346843158087243,
        0.000505836455740694057,
        -0.000218901842104888422,
        0.000114703115452942375,
        -0.0000560110771298566969
    );
    let two = z * z.mul_add(p, 0.42278433509846713939);
    let near = two + if a < 1.5 { -log } else { log };
    let inverse = 1.0 / a;
    let series =
        wide!(inverse * inverse, 1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0);
    let far_y = (a - 0.5).mul_add(log - 1.0, series.mul_add(inverse, 0.41893853320467274178));
    let y = if far { far_y } else { near };
    // sin(π d) for the distance d to the nearest integer.
    let r = core::f64::consts::PI * (x - x.round_ties_even());
    let s = r * wide!(
        r * r,
        0.99999999999993705,
        -0.166666666664308877,
        0.00833333331869165819,
        -0.00019841266397812427,
        2.75569307630854744e-6,
        -2.50294738627796973e-8,
        1.54005202739135924e-10
    );
    let y = if below { ln_wide(core::f64::consts::PI / s.abs()) - y } else { y };
    let y = if x.abs() < f64::INFINITY { y } else { x.abs() };
    if x <= 0.0 && x == x.floor() { f32::INFINITY } else { y as f32 }
}
