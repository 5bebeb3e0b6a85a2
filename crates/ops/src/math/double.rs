//! Elementary functions of `f64`, written so that a plain loop over a slice vectorises.
//!
//! Every function is straight-line code: no tables and no branches (each `if` is a select between two values that are
//! both computed), and of the library functions only those that are a single instruction. They are meant to be inlined
//! into a loop compiled with FMA; without it `mul_add` is a call, and the results are the same but slow.
//!
//! The coefficients are minimax polynomials found by Remez exchange and then rounded to `f64`; the script
//! `tests/data/math/generate.py` derives them. Errors are in units in the last place (ulp) of the exact result,
//! measured against mpmath at arguments drawn over all exponents, over the main interval of each function and near its
//! thresholds.

#![allow(clippy::excessive_precision)] // Coefficients are written as the generator prints them.

/// `c0 + c1 x + c2 x² + ...` by Horner's rule, one FMA per term.
macro_rules! poly {
    ($x:expr, $c:expr) => { $c };
    ($x:expr, $c:expr, $($rest:expr),+) => { f64::mul_add(poly!($x, $($rest),+), $x, $c) };
}

/// The same with two terms at a time: half the latency, for long polynomials.
macro_rules! pairs {
    ($x:expr, $($c:expr),+) => {{ let square = $x * $x; pairs!(@ $x, square, $($c),+) }};
    (@ $x:expr, $square:expr, $c:expr) => { $c };
    (@ $x:expr, $square:expr, $c:expr, $d:expr) => { f64::mul_add($d, $x, $c) };
    (@ $x:expr, $square:expr, $c:expr, $d:expr, $($rest:expr),+) => {
        f64::mul_add(pairs!(@ $x, $square, $($rest),+), $square, f64::mul_add($d, $x, $c))
    };
}

pub(super) use pairs;

/// Adding and subtracting this rounds to the nearest integer; the low bits of the sum hold that integer.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// Like [`ROUND`], but the low bits of the sum hold the integer plus twice the exponent bias.
const ROUND_BIASED: f64 = ROUND + 2046.0;
/// `ln 2` in two parts: 41 bits, whose product with any exponent is exact, and the remainder.
const LN2_HI: f64 = 0.693147180560117703862;
const LN2_LO: f64 = -1.72394445256148347926e-13;
/// The bits of `sqrt(1/2)`: significands are reduced to `[sqrt(1/2), sqrt(2))`.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
const ONE: u64 = 0x3ff0_0000_0000_0000;
const FRACTION: u64 = 0x000f_ffff_ffff_ffff;
const MAGNITUDE: u64 = 0x7fff_ffff_ffff_ffff;

/// `y · 2^n`, where `t` is `n + ROUND_BIASED`, in two steps: the first product is exact, so that the result is rounded
/// only once even when it is subnormal, and `n = 1024` is allowed.
#[inline(always)]
fn scale(y: f64, t: f64) -> f64 {
    let w = t.to_bits();
    let half = w >> 1;
    y * f64::from_bits(half << 52) * f64::from_bits(w.wrapping_sub(half) << 52)
}

/// `(e^r - 1 - r) / r²` for `|r| <= ln(2)/2`, to the absolute accuracy that `e^r` needs.
#[inline(always)]
fn exp_tail(r: f64) -> f64 {
    pairs!(
        r,
        0.50000000000000111,
        0.166666666666663826,
        0.0416666666665198512,
        0.00833333333350888203,
        0.00138888889468864502,
        0.000198412694837368412,
        0.0000248014893786501781,
        2.75575991680579241e-6,
        2.76316801450357219e-7,
        2.49984227730923431e-8
    )
}

/// `e^r - 1` for `|r| <= ln(2)/2`, to the same accuracy.
#[inline(always)]
fn exp_reduced(r: f64) -> f64 {
    (r * r).mul_add(exp_tail(r), r)
}

/// `e^x`.
///
/// Cody and Waite's reduction to `|r| <= ln(2)/2` and a polynomial of degree 11.
///
/// Maximum error seen 1.01 ulp, over 400,000 arguments.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    // Beyond these bounds the result is infinite or zero; the comparisons keep a NaN.
    let x = if x > 710.0 { 710.0 } else { x };
    let x = if x < -746.0 { -746.0 } else { x };
    let t = x.mul_add(core::f64::consts::LOG2_E, ROUND_BIASED);
    let n = t - ROUND_BIASED;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x));
    scale(1.0 + exp_reduced(r), t)
}

/// `2^x`.
///
/// The integer part becomes the exponent; the rest is as in [`exp`].
///
/// Maximum error seen 1.05 ulp, over 400,000 arguments.
#[inline(always)]
pub fn exp2(x: f64) -> f64 {
    let x = if x > 1024.0 { 1024.0 } else { x };
    let x = if x < -1076.0 { -1076.0 } else { x };
    let t = x + ROUND_BIASED;
    let n = t - ROUND_BIASED;
    scale(1.0 + exp_reduced((x - n) * core::f64::consts::LN_2), t)
}

/// `e^x - 1` for `x` in `[-40, 710]` with full relative accuracy, except that subnormal results may lose a bit and the
/// sign of a zero is lost.
#[inline(always)]
fn expm1_reduced(x: f64) -> f64 {
    let t = x.mul_add(core::f64::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x));
    let p = pairs!(
        r,
        0.5,
        0.166666666666666796,
        0.0416666666666667199,
        0.00833333333331926114,
        0.00138888888888388123,
        0.000198412698926222776,
        0.0000248015874485622563,
        2.75572371613445059e-6,
        2.75571430279635617e-7,
        2.51116394090346265e-8,
        2.09619548262008506e-9
    );
    let e = (r * r).mul_add(p, r);
    // 2^n (1 + e) - 1, computed as twice its half since 2^1024 overflows.
    let s = f64::from_bits(t.to_bits().wrapping_add(1022) << 52);
    let y = e.mul_add(s, s - 0.5);
    y + y
}

/// `e^x - 1`, accurate for small `x` too.
///
/// Reduced as in [`exp`]; `e^r - 1` is a polynomial of degree 12, and `2^n (1 + p) - 1` is one FMA.
///
/// Maximum error seen 1.64 ulp, over 400,000 arguments.
#[inline(always)]
pub fn expm1(x: f64) -> f64 {
    let c = if x > 710.0 { 710.0 } else { x };
    let c = if c < -40.0 { -40.0 } else { c };
    let y = expm1_reduced(c);
    if x.abs() < 1.1102230246251565e-16 { x } else { y }
}

/// `(2 atanh(s) - 2 s) / s³` for `z = s²`, where `s = f / (2 + f)` and `f` is in `[sqrt(1/2) - 1, sqrt(2) - 1]`.
#[inline(always)]
fn atanh_reduced(z: f64) -> f64 {
    pairs!(
        z,
        0.666666666666673957,
        0.399999999993796929,
        0.285714287508890941,
        0.222221976287398926,
        0.181836168924681546,
        0.153126220997836543,
        0.148110312645132136
    )
}

/// `ln(1 + f) + k ln 2` for `f` in `[sqrt(1/2) - 1, sqrt(2) - 1]`.
#[inline(always)]
fn ln_reduced(f: f64, k: f64) -> f64 {
    // As in fdlibm: ln(1 + f) = 2 atanh(s) with s = f / (2 + f), arranged so that f itself is added last.
    let s = f / (2.0 + f);
    let z = s * s;
    let p = atanh_reduced(z);
    let h = 0.5 * f * f;
    let tail = s.mul_add(z.mul_add(p, h), k * LN2_LO) - h;
    k.mul_add(LN2_HI, f + tail)
}

/// The unbiased exponent of a positive number, given by its bits, as a number. No instruction below AVX-512 converts
/// 64-bit integers, so the exponent is placed in the low bits of `2^52`.
#[inline(always)]
fn exponent(bits: u64) -> f64 {
    f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - 4_503_599_627_371_519.0
}

/// The natural logarithm.
///
/// The significand is reduced to `[sqrt(1/2), sqrt(2))`. There, fdlibm's series for `2 atanh(f / (2 + f))` is taken to
/// degree 15; the exponent times `ln 2`, in two pieces, is added.
///
/// Maximum error seen 0.80 ulp, over 333,000 arguments.
#[inline(always)]
pub fn ln(x: f64) -> f64 {
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * 18_014_398_509_481_984.0 } else { x };
    let offset = if subnormal { -54.0 } else { 0.0 };
    let bits = scaled.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = exponent(bits) + offset;
    let f = f64::from_bits((bits & FRACTION) + SQRT_HALF) - 1.0;
    log_special(x, ln_reduced(f, k))
}

/// `y` where `x` is positive and finite, otherwise the logarithm of `x`.
#[inline(always)]
fn log_special(x: f64, y: f64) -> f64 {
    let y = if x < f64::INFINITY { y } else { x };
    let y = if x < 0.0 { f64::NAN } else { y };
    if x == 0.0 { f64::NEG_INFINITY } else { y }
}

/// `ln(1 + x)`, accurate for small `x` too.
///
/// The exponent `k` is taken from the rounded `1 + x`, but `(1 + x) 2^-k - 1` is formed from `x` in one FMA, so that
/// nothing is lost; the rest is as in [`ln`].
///
/// Maximum error seen 1.15 ulp, over 367,000 arguments.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    let u = 1.0 + x;
    let bits = u.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = exponent(bits);
    // 2^(2-k), which is normal even for k = 1024.
    let s = f64::from_bits(0x8000_0000_0000_0000_u64.wrapping_sub(bits & !FRACTION));
    let f = (0.25 * x).mul_add(s, s.mul_add(0.25, -1.0));
    let y = log_special(u, ln_reduced(f, k));
    if x.abs() < 1.1102230246251565e-16 { x } else { y }
}

/// The hyperbolic tangent.
///
/// `m / (m + 2)` with `m = e^(2|x|) - 1`.
///
/// Maximum error seen 2.33 ulp, over 400,000 arguments.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 20.0 { 20.0 } else { a };
    let m = expm1_reduced(a + a);
    let y = (m / (m + 2.0)).copysign(x);
    if a < 1e-8 { x } else { y }
}

/// The logistic function, `1 / (1 + e^-x)`.
///
/// Computed from `e^-|x|`, which cannot overflow, so that the negative tail keeps its relative accuracy down to the
/// smallest subnormal.
///
/// Maximum error seen 2.04 ulp, over 400,000 arguments.
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// The error function for `|x| <= 0.85`.
#[inline(always)]
fn erf_small(x: f64) -> f64 {
    let z = x * x;
    let p = poly!(
        z,
        0.128379167095512586,
        -0.376126389031837483,
        0.112837916709546543,
        -0.0268661706450106369,
        0.00522397762384339045,
        -0.000854832689813317718,
        0.000120553267399477882,
        -0.0000149254451006389652,
        1.64575931699572449e-6,
        -1.62996316063815139e-7,
        1.41845149558493789e-8,
        -8.82436506184376896e-10
    );
    x.mul_add(p, x)
}

/// The error function.
///
/// Below 0.85, an odd polynomial of degree 23; above, `1 - e^-q(x)` where `q = -ln(erfc)` is a polynomial of degree 19.
///
/// Maximum error seen 0.94 ulp, over 400,000 arguments.
#[inline(always)]
pub fn erf(x: f64) -> f64 {
    let a = x.abs();
    let small = erf_small(x);
    let c = if a > 6.0 { 6.0 } else { a };
    let q = pairs!(
        c,
        -9.24746112377926358e-9,
        1.12837930322835311,
        0.636618839289666671,
        0.102776572699631599,
        -0.0191402251554574458,
        -0.000183239915697079088,
        0.00165207625463143176,
        -0.000530793402614555408,
        -0.0000381911486652681054,
        0.000120537573521299098,
        -0.000069502366298148551,
        0.0000261387968869734885,
        -7.36921661670177847e-6,
        1.6163198313098378e-6,
        -2.76959676791067153e-7,
        3.65376578413551655e-8,
        -3.5919522888539316e-9,
        2.48020978562632145e-10,
        -1.07324728831850667e-11,
        2.18904356986854016e-13
    );
    let t = q.mul_add(-core::f64::consts::LOG2_E, ROUND);
    let n = t - ROUND;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, -q));
    let s = f64::from_bits(t.to_bits().wrapping_add(1023) << 52);
    let large = exp_reduced(r).mul_add(-s, 1.0 - s).copysign(x);
    if a < 0.85 { small } else { large }
}

/// The complementary error function, `1 - erf(x)`, with relative accuracy in the positive tail.
///
/// `e^(-x²) · t · p` with `t = 5/(5 + |x|)` and `p` a polynomial of degree 20 in `1 - 2t`, after Shepherd and
/// Laframboise (1981). The rounding errors of `x²` and `t`, found by FMA, are added back. Below 0.8 in magnitude it is
/// `1 - erf(x)`, and below -0.8 `2 - erfc(-x)`.
///
/// Maximum error seen 3.40 ulp, over 400,000 arguments.
#[inline(always)]
pub fn erfc(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 27.5 { 27.5 } else { a };
    let h = a * a;
    let l = a.mul_add(a, -h);
    // t, and what corrects it to 5 / (5 + a): the rounding errors of the sum and of the quotient.
    let d = 5.0 + a;
    let t = 5.0 / d;
    let t_low = t * (1.0 / 5.0) * (a - (d - 5.0)).mul_add(-t, d.mul_add(-t, 5.0));
    let q = t_low.mul_add(-2.0, t.mul_add(-2.0, 1.0));
    let p = pairs!(
        q,
        0.221409275466137256,
        -0.205246519830388996,
        0.17623546666049969,
        -0.139938391915767096,
        0.102486695592539354,
        -0.0689627757136600239,
        0.042403378423623482,
        -0.0236392676796689308,
        0.0118128702525600229,
        -0.00519902025907186156,
        0.00195636719402608739,
        -0.000593680943721029025,
        0.000124122091419026241,
        -4.96673921976088746e-6,
        -8.83605718619549129e-6,
        3.81616105019258135e-6,
        -4.90793690293795821e-7,
        -2.33353231244417077e-7,
        1.19445915878366131e-7,
        -1.45211141543226604e-9,
        -9.95374963096421972e-9
    );
    let i = h.mul_add(-core::f64::consts::LOG2_E, ROUND_BIASED);
    let n = i - ROUND_BIASED;
    let r = n.mul_add(-LN2_HI, -h) + n.mul_add(-LN2_LO, -l);
    let m = t.mul_add(p, t_low * p);
    let y = scale(m.mul_add(exp_reduced(r), m), i);
    let y = if x < 0.0 { 2.0 - y } else { y };
    if x.abs() < 0.8 { 1.0 - erf_small(x) } else { y }
}

/// Above this the three-part reduction of [`sin`] and [`cos`] runs out of bits.
const TRIG_LARGE: f64 = 1_073_741_824.0;
const PIO2_1: f64 = core::f64::consts::FRAC_PI_2;
const PIO2_2: f64 = 6.12323399573676603587e-17;
const PIO2_3: f64 = -1.49738490485916983294e-33;

/// Whether [`sin`] and [`cos`] are inaccurate at `x`: beyond `2^30`, where the reduction of the argument would need
/// more bits of π, and at infinities and NaN. Use the standard library's functions there.
#[inline(always)]
pub fn trig_is_large(x: f64) -> bool {
    x.to_bits() & MAGNITUDE > TRIG_LARGE.to_bits()
}

/// The nearest multiple of π/2 to `x`, in the low bits of an integer, and what is left of `x`, in two parts.
///
/// Cody and Waite's reduction to `|r| <= π/4`, with π/2 in three parts and FMA. The first step is exact; the
/// rounding errors of the second are carried along.
#[inline(always)]
fn reduce(x: f64) -> (u64, f64, f64) {
    let t = x.mul_add(core::f64::consts::FRAC_2_PI, ROUND);
    let n = t - ROUND;
    let r1 = n.mul_add(-PIO2_1, x);
    let p = n * PIO2_2;
    let r = r1 - p;
    let low = ((r1 - r) - p) - n.mul_add(PIO2_3, n.mul_add(PIO2_2, -p));
    (t.to_bits(), r, low)
}

/// `(sin r - r) / r³` for `|r| <= π/4` and `z = r²`.
#[inline(always)]
fn sin_reduced(z: f64) -> f64 {
    pairs!(
        z,
        -0.166666666666666269,
        0.00833333333332096984,
        -0.000198412698286308981,
        2.75573132796971716e-6,
        -2.50506929798850042e-8,
        1.58929876029601324e-10
    )
}

/// `(cos r - 1 + r²/2) / r⁴` for `|r| <= π/4` and `z = r²`.
#[inline(always)]
fn cos_reduced(z: f64) -> f64 {
    pairs!(
        z,
        0.0416666666666665811,
        -0.00138888888888713427,
        0.0000248015872877881828,
        -2.755731386695774e-7,
        2.08756577640440209e-9,
        -1.13562765632030621e-11
    )
}

/// The sine or the cosine of `x`, selected by `quadrant` (0 or 1).
#[inline(always)]
fn sin_cos(x: f64, quadrant: u64) -> f64 {
    let (turn, r, low) = reduce(x);
    let turn = turn.wrapping_add(quadrant);
    let z = r * r;
    let s = sin_reduced(z);
    let s = r + (z * r).mul_add(s, low);
    let c = cos_reduced(z);
    let c = z.mul_add(-0.5, 1.0) + (z * z).mul_add(c, -(r * low));
    let y = if turn & 1 == 0 { s } else { c };
    f64::from_bits(y.to_bits() ^ ((turn & 2) << 62))
}

/// The sine, for arguments up to `2^30` in magnitude; see [`trig_is_large`].
///
/// Reduced to `[-π/4, π/4]` with π/2 in three parts; there, polynomials of degree 13 for the sine and 14 for
/// the cosine.
///
/// Maximum error seen 1.26 ulp, over 400,000 arguments.
#[inline(always)]
pub fn sin(x: f64) -> f64 {
    let y = sin_cos(x, 0);
    if x.abs() < 1e-8 { x } else { y }
}

/// The cosine, for arguments up to `2^30` in magnitude; see [`trig_is_large`].
///
/// As [`sin`], shifted by a quarter turn.
///
/// Maximum error seen 1.23 ulp, over 400,000 arguments.
#[inline(always)]
pub fn cos(x: f64) -> f64 {
    sin_cos(x, 1)
}

/// The tangent, for arguments up to `2^30` in magnitude; see [`trig_is_large`].
///
/// Reduced as [`sin`]; there, the quotient of sine and cosine, each with its rounding error.
///
/// Maximum error seen 0.84 ulp, over 20,000 arguments.
#[inline(always)]
pub fn tan(x: f64) -> f64 {
    let (turn, r, low) = reduce(x);
    let z = r * r;
    let tail = (z * r).mul_add(sin_reduced(z), low);
    let s = r + tail;
    let s_low = (r - s) + tail;
    let w = z.mul_add(-0.5, 1.0);
    let lost = z.mul_add(-0.5, 1.0 - w) - 0.5 * r.mul_add(r, -z);
    let tail = (z * z).mul_add(cos_reduced(z), r.mul_add(-low, lost));
    let c = w + tail;
    let c_low = (w - c) + tail;
    let odd = turn & 1 == 1;
    let (n, n_low) = if odd { (-c, -c_low) } else { (s, s_low) };
    let (d, d_low) = if odd { (s, s_low) } else { (c, c_low) };
    let inverse = 1.0 / d;
    let q = n * inverse;
    let y = (q.mul_add(-d, n) + q.mul_add(-d_low, n_low)).mul_add(inverse, q);
    if x.abs() < 1e-8 { x } else { y }
}

const FRAC_PI_4_LOW: f64 = 0.5 * PIO2_2;

/// The angle of a point in the right half of the plane between the axis and the diagonal, and of its seven mirror images.
///
/// The point is `(high, low)` with `0 <= low <= high`, `high` finite and normal. For `low <= high/2` it is the series of
/// `low / high`, above, π/4 and that of `(low - high) / (low + high)`. It is counted from the other axis if `swap`, and
/// then from the other end of the first axis if `flip`.
#[inline(always)]
fn angle(low: f64, high: f64, swap: bool, flip: bool) -> f64 {
    let steep = low + low > high;
    let n = if steep { low - high } else { low };
    let d = if steep { low + high } else { high };
    let d_low = if steep { (high - d) + low } else { 0.0 };
    let inverse = 1.0 / d;
    let t = n * inverse;
    let t_low = t.mul_add(-d_low, t.mul_add(-d, n)) * inverse;
    let z = t * t;
    let p = pairs!(
        z,
        -0.333333333333333093,
        0.199999999999931843,
        -0.142857142849537239,
        0.111111110681961417,
        -0.090909076588582674,
        0.0769227687545783329,
        -0.0666621645378157046,
        0.0587774974571696335,
        -0.052296946877522503,
        0.0458826110073370583,
        -0.0370902257752451989,
        0.0236151761982142695,
        -0.00834106469743945041
    );
    let tail = (t * z).mul_add(p, t_low);
    // The multiple of π/4 to which the series is added, or from which it is subtracted.
    let k = if steep { 1.0 } else { 0.0 };
    let k = if swap { 2.0 - k } else { k };
    let k = if flip { 4.0 - k } else { k };
    let sign = if swap == flip { 1.0 } else { -1.0 };
    let base = k * core::f64::consts::FRAC_PI_4;
    let base_low = k.mul_add(FRAC_PI_4_LOW, k.mul_add(core::f64::consts::FRAC_PI_4, -base));
    let t = sign * t;
    let y = base + t;
    y + (((base - y) + t) + sign.mul_add(tail, base_low))
}

/// The inverse tangent.
///
/// Maximum error seen 0.61 ulp, over 20,000 arguments.
#[inline(always)]
pub fn atan(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 1e20 { 1e20 } else { a };
    let swap = a > 1.0;
    let low = if swap { 1.0 } else { a };
    let high = if swap { a } else { 1.0 };
    angle(low, high, swap, false).copysign(x)
}

/// The angle of the point `(x, y)` in radians, from -π to π.
///
/// Maximum error seen 0.86 ulp, over 20,000 arguments.
#[inline(always)]
pub fn atan2(y: f64, x: f64) -> f64 {
    let (a, b) = (y.abs(), x.abs());
    let swap = a > b;
    let low = if swap { b } else { a };
    let high = if swap { a } else { b };
    // Neither the sum nor the inverse may overflow.
    let factor = if high > 1e300 { 7.888609052210118e-31 } else { 1.0 };
    let factor = if high < 1e-270 { 1.4272476927059599e45 } else { factor };
    let infinite = high == f64::INFINITY;
    let both = if low == f64::INFINITY { 1.0 } else { 0.0 };
    let low = if infinite { both } else { low * factor };
    let high = if infinite || high == 0.0 { 1.0 } else { high * factor };
    let angle = angle(low, high, swap, x.is_sign_negative()).copysign(y);
    if x.is_nan() || y.is_nan() { f64::NAN } else { angle }
}

/// What [`asin`] and [`acos`] have in common: whether `|x| > 1/2`, and the inverse sine of `|x|`, or there of
/// `√((1 - |x|)/2)`, which is half the inverse cosine of `|x|`, in two parts.
#[inline(always)]
fn arc(x: f64) -> (bool, f64, f64) {
    let a = x.abs();
    let outer = a > 0.5;
    let z = if outer { 0.5 - 0.5 * a } else { a * a };
    let root = z.sqrt();
    // The rounding error of the root. The least number keeps 0/0 away.
    let root_low = root.mul_add(-root, z) / (root + root + f64::MIN_POSITIVE);
    let s = if outer { root } else { a };
    let s_low = if outer { root_low } else { 0.0 };
    let p = pairs!(
        z,
        0.166666666666667629,
        0.0749999999997038314,
        0.0446428571750260364,
        0.0303819426869608583,
        0.022372215599704301,
        0.0173516005871679445,
        0.0139809624596539724,
        0.0113977124026041852,
        0.0107871869708309181,
        0.00367945001860765612,
        0.0217748566620835776,
        -0.0210969686544752143,
        0.032691388883400771
    );
    (outer, s, (s * z).mul_add(p, s_low))
}

/// The inverse sine; NaN outside of [-1, 1].
///
/// Maximum error seen 0.56 ulp, over 20,000 arguments.
#[inline(always)]
pub fn asin(x: f64) -> f64 {
    let (outer, s, tail) = arc(x);
    let h = PIO2_1 - (s + s);
    let h_low = (PIO2_1 - h) - (s + s);
    let far = h + (h_low + tail.mul_add(-2.0, PIO2_2));
    let y = if outer { far } else { s + tail };
    y.copysign(x)
}

/// The inverse cosine; NaN outside of [-1, 1].
///
/// Maximum error seen 0.55 ulp, over 20,000 arguments.
#[inline(always)]
pub fn acos(x: f64) -> f64 {
    let (outer, s, tail) = arc(x);
    let negative = x < 0.0;
    let base = if outer { if negative { 2.0 } else { 0.0 } } else { 1.0 };
    let factor = if outer { 2.0 } else { 1.0 };
    // |x| <= 1/2: π/2 - asin x. Above: 2 asin, or π - 2 asin.
    let factor = if negative == outer { -factor } else { factor };
    let v = factor * s;
    let h = base * PIO2_1 + v;
    let h_low = (base * PIO2_1 - h) + v;
    h + (h_low + tail.mul_add(factor, base * PIO2_2))
}

/// √(x² + y²), without overflow or underflow in between.
///
/// The rounding error of the sum under the root is corrected, after Borges (2021).
///
/// Maximum error seen 0.51 ulp, over 20,000 arguments.
#[inline(always)]
pub fn hypot(x: f64, y: f64) -> f64 {
    let (a, b) = (x.abs(), y.abs());
    let swap = a < b;
    let high = if swap { b } else { a };
    let low = if swap { a } else { b };
    let huge = high > 1e150;
    let tiny = high < 1e-135;
    // 2^-600 and 2^600.
    let factor = if huge { 2.409919865102884e-181 } else { 1.0 };
    let factor = if tiny { 4.149515568880993e180 } else { factor };
    let back = if huge { 4.149515568880993e180 } else { 1.0 };
    let back = if tiny { 2.409919865102884e-181 } else { back };
    let (high, low) = (high * factor, low * factor);
    let h = high.mul_add(high, low * low).sqrt();
    let (h2, high2) = (h * h, high * high);
    let excess = low.mul_add(-low, h2 - high2) + h.mul_add(h, -h2) - high.mul_add(high, -high2);
    let y = (h - excess / (h + h + f64::MIN_POSITIVE)) * back;
    if a == f64::INFINITY || b == f64::INFINITY { f64::INFINITY } else { y }
}

/// The logarithm of a positive finite number, in two parts whose sum has a relative error of 2⁻⁶⁸.
///
/// As [`ln`]: ln(1 + f) = 2 atanh(s), s = f / (2 + f). The first terms of the series s + s³/3 + s⁵/5 + .. are computed in two parts, and
/// the quotient with its remainder; later terms are too small to need it.
#[inline(always)]
fn ln_two(a: f64) -> [f64; 2] {
    let subnormal = a < f64::MIN_POSITIVE;
    let scaled = if subnormal { a * 18_014_398_509_481_984.0 } else { a };
    let offset = if subnormal { -54.0 } else { 0.0 };
    let bits = scaled.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = exponent(bits) + offset;
    let f = f64::from_bits((bits & FRACTION) + SQRT_HALF) - 1.0;
    let d = 2.0 + f;
    let s = f / d;
    let s_low = (f - (d - 2.0)).mul_add(-s, s.mul_add(-d, f)) / d;
    let z = s * s;
    let z_low = s.mul_add(s, -z) + 2.0 * s * s_low;
    // z/7 + z²/9 + ..
    let tail = z * pairs!(
        z,
        1.0 / 7.0,
        1.0 / 9.0,
        1.0 / 11.0,
        1.0 / 13.0,
        1.0 / 15.0,
        1.0 / 17.0,
        1.0 / 19.0,
        1.0 / 21.0,
        1.0 / 23.0,
        1.0 / 25.0
    );
    let [b, b_low] = plus(0.2, [tail, -1.1102230246251565e-17]);
    let [a, a_low] = plus(1.0 / 3.0, product([z, z_low], [b, b_low]));
    let a_low = a_low + 1.850371707708594e-17;
    let [u, u_low] = product([z, z_low], [a, a_low]);
    let [r, r_low] = plus(s, product([s, s_low], [u, u_low]));
    plus(k * LN2_HI, [2.0 * r, k.mul_add(LN2_LO, 2.0 * (r_low + s_low))])
}

/// `a + b` in two parts, where |a| is 0 or not less than |b|.
#[inline(always)]
fn plus(a: f64, [b, b_low]: [f64; 2]) -> [f64; 2] {
    let sum = a + b;
    [sum, (a - sum) + b + b_low]
}

/// The product of two numbers, each in two parts.
#[inline(always)]
fn product([a, a_low]: [f64; 2], [b, b_low]: [f64; 2]) -> [f64; 2] {
    let high = a * b;
    [high, a.mul_add(b_low, a_low.mul_add(b, a.mul_add(b, -high)))]
}

/// `x` to the power `y`, with the conventions of C.
///
/// `e^(y ln |x|)`, with the sign of `x` if `y` is odd. The exponent is a sum of two numbers, so that it has the digits that its integer part
/// costs the result.
///
/// Maximum error seen 0.73 ulp, over 300,000 pairs.
#[inline(always)]
pub fn powf(x: f64, y: f64) -> f64 {
    let a = x.abs();
    let [log, log_low] = ln_two(a);
    let log = if a < f64::INFINITY { log } else { a };
    let log = if a == 0.0 { f64::NEG_INFINITY } else { log };
    let e = y * log;
    let low = y.mul_add(log_low, y.mul_add(log, -e));
    // Beyond these bounds the result is infinite or zero; the comparisons keep a NaN.
    let low = if e.abs() < 800.0 { low } else { 0.0 };
    let e = if e > 710.0 { 710.0 } else { e };
    let e = if e < -746.0 { -746.0 } else { e };
    let t = e.mul_add(core::f64::consts::LOG2_E, ROUND_BIASED);
    let n = t - ROUND_BIASED;
    let [r, r_low] = plus(n.mul_add(-LN2_HI, e), [n.mul_add(-LN2_LO, low), 0.0]);
    let [p, p_low] = plus(1.0, [r, (r * r).mul_add(exp_tail(r), r_low)]);
    let p = scale(p + p_low, t);
    let half = 0.5 * y;
    let whole = y.trunc() == y;
    let odd = whole && half.trunc() != half;
    let p = if x.is_sign_negative() && odd { -p } else { p };
    let p = if x < 0.0 && x > f64::NEG_INFINITY && !whole { f64::NAN } else { p };
    let p = if x == -1.0 && y.abs() == f64::INFINITY { 1.0 } else { p };
    if x == 1.0 || y == 0.0 { 1.0 } else { p }
}

/// Whether [`fmod`] is inaccurate: the quotient has more bits than a number holds. Use the operator `%` there.
#[inline(always)]
pub fn fmod_is_large(x: f64, y: f64) -> bool {
    (x / y).abs() >= 4_503_599_627_370_496.0 && y != 0.0 && x.abs() < f64::INFINITY
}

/// The remainder of `x / y` with the sign of `x`, exact for quotients below `2^52`; see [`fmod_is_large`].
///
/// `x - q y` with `q` the rounded quotient's integer part is representable, so that FMA gives it exactly; where the
/// quotient was rounded up to an integer, `y` is added back.
#[inline(always)]
pub fn fmod(x: f64, y: f64) -> f64 {
    let (a, b) = (x.abs(), y.abs());
    let q = (a / b).trunc();
    let r = q.mul_add(-b, a);
    let r = if r < 0.0 { r + b } else { r };
    let r = if b == f64::INFINITY && a < f64::INFINITY { a } else { r };
    r.copysign(x)
}

/// `ln(1 + f) - f`, for `f` in `[sqrt(1/2) - 1, sqrt(2) - 1]`.
#[inline(always)]
fn ln_tail(f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let h = 0.5 * f * f;
    s.mul_add(z.mul_add(atanh_reduced(z), h), -h)
}

/// The exponent of a positive `x` and its significand, in `[sqrt(1/2), sqrt(2))`, less 1.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let subnormal = x < f64::MIN_POSITIVE;
    let scaled = if subnormal { x * 18_014_398_509_481_984.0 } else { x };
    let offset = if subnormal { -54.0 } else { 0.0 };
    let bits = scaled.to_bits().wrapping_add(ONE - SQRT_HALF);
    (exponent(bits) + offset, f64::from_bits((bits & FRACTION) + SQRT_HALF) - 1.0)
}

/// The logarithm to base 2; exact for powers of 2.
///
/// As [`ln`], times `log2(e)` in two parts.
///
/// Maximum error seen 0.97 ulp, over 20,000 arguments.
#[inline(always)]
pub fn log2(x: f64) -> f64 {
    const LOW: f64 = 2.0355273740931033e-17;
    let (k, f) = split(x);
    let p = f * core::f64::consts::LOG2_E;
    let lost = f.mul_add(core::f64::consts::LOG2_E, -p);
    let tail = f.mul_add(LOW, ln_tail(f).mul_add(core::f64::consts::LOG2_E, lost));
    let y = k + p;
    log_special(x, y + (((k - y) + p) + tail))
}

/// The logarithm to base 10; exact for powers of 10.
///
/// As [`ln`], times `log10(e)` in two parts.
///
/// Maximum error seen 0.75 ulp, over 20,000 arguments.
#[inline(always)]
pub fn log10(x: f64) -> f64 {
    const LOW: f64 = 1.098319650216765e-17;
    /// `log10(2)` in two parts: 41 bits, and the remainder.
    const LOG2_HI: f64 = 0.301029995664066518657;
    const LOG2_LO: f64 = -8.53234431705710653019e-14;
    let (k, f) = split(x);
    let p = f * core::f64::consts::LOG10_E;
    let lost = f.mul_add(core::f64::consts::LOG10_E, -p);
    let tail = f.mul_add(LOW, ln_tail(f).mul_add(core::f64::consts::LOG10_E, lost));
    let high = k * LOG2_HI;
    let y = high + p;
    log_special(x, y + (((high - y) + p) + k.mul_add(LOG2_LO, tail)))
}

/// The inverse hyperbolic tangent; ±∞ at ±1, NaN beyond.
///
/// With `m` the power of 2 next to `q = (1 + |x|) / (1 - |x|)`, half of `ln m + ln(q / m)`, where the second logarithm is
/// the series of fdlibm in `(q - m) / (q + m)`, formed without a division for `q`.
///
/// Maximum error seen 1.40 ulp, over 20,000 arguments.
#[inline(always)]
pub fn atanh(x: f64) -> f64 {
    let a = x.abs();
    let (n, d) = (1.0 + a, 1.0 - a);
    let bits = (n / d).to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = exponent(bits);
    let m = f64::from_bits(bits & !FRACTION);
    // Above 1/2, 1 - a is exact; below, m is 4 at most.
    let outer = a > 0.5;
    let n_low = a - (n - 1.0);
    let difference = if outer { m.mul_add(-d, n) + n_low } else { a.mul_add(1.0 + m, 1.0 - m) };
    let sum = if outer { m.mul_add(d, n) } else { a.mul_add(1.0 - m, 1.0 + m) };
    let s = difference / sum;
    let z = s * s;
    let tail = (s * z).mul_add(0.5 * atanh_reduced(z), k * (0.5 * LN2_LO));
    let high = k * (0.5 * LN2_HI);
    let y = high + s;
    let y = y + (((high - y) + s) + tail);
    let end = if a == 1.0 { f64::INFINITY } else { f64::NAN };
    (if a < 1.0 { y } else { end }).copysign(x)
}

/// The inverse hyperbolic sine.
///
/// `ln(1 + |x| + x² / (1 + √(1 + x²)))`, and for huge `|x|` `ln |x| + ln 2`.
///
/// Maximum error seen 1.43 ulp, over 20,000 arguments.
#[inline(always)]
pub fn asinh(x: f64) -> f64 {
    let a = x.abs();
    let large = a > 1e100;
    let c = if large { 1.0 } else { a };
    let w = c * c / (1.0 + c.mul_add(c, 1.0).sqrt());
    let u = if large { a } else { c + w };
    let lost = if large { 0.5 } else { (c - u) + w };
    let y = ln_1p(u);
    let y = y + if large { core::f64::consts::LN_2 } else { lost / (1.0 + u) };
    y.copysign(x)
}

/// The inverse hyperbolic cosine; NaN below 1.
///
/// `ln(1 + t + √(t (t + 2)))` with `t = x - 1`, and for huge `x` `ln x + ln 2`.
///
/// Maximum error seen 1.42 ulp, over 20,000 arguments.
#[inline(always)]
pub fn acosh(x: f64) -> f64 {
    let large = x > 1e100;
    let t = x - 1.0;
    let c = if large { 1.0 } else { t };
    let square = c.mul_add(c, c + c);
    let root = square.sqrt();
    let u = c + root;
    let lost = if root > c { (root - u) + c } else { (c - u) + root };
    let y = ln_1p(if large { t } else { u });
    let y = y + if large { core::f64::consts::LN_2 } else { lost / (1.0 + u) };
    if x < 1.0 { f64::NAN } else { y }
}

/// `e^|x| / 2`, without overflow where the half does not.
#[inline(always)]
fn half_exp(x: f64) -> f64 {
    let a = x.abs();
    let a = if a > 711.0 { 711.0 } else { a };
    let t = a.mul_add(core::f64::consts::LOG2_E, ROUND_BIASED);
    let n = t - ROUND_BIASED;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, a));
    scale(1.0 + exp_reduced(r), t - 1.0)
}

/// The hyperbolic sine.
///
/// An odd polynomial of degree 17 up to 1; above, `(e^x - e^-x) / 2`.
///
/// Maximum error seen 1.60 ulp, over 20,000 arguments.
#[inline(always)]
pub fn sinh(x: f64) -> f64 {
    let a = x.abs();
    let z = a * a;
    let p = pairs!(
        z,
        0.166666666666666657,
        0.00833333333333334363,
        0.000198412698412697301,
        2.75573192241173563e-6,
        2.50521083463536842e-8,
        1.60590506216135889e-10,
        7.64648152852854067e-13,
        2.84827000689723023e-15
    );
    let h = half_exp(x);
    let y = if a < 1.0 { (a * z).mul_add(p, a) } else { h - 0.25 / h };
    y.copysign(x)
}

/// The hyperbolic cosine.
///
/// `(e^x + e^-x) / 2`.
///
/// Maximum error seen 1.27 ulp, over 20,000 arguments.
#[inline(always)]
pub fn cosh(x: f64) -> f64 {
    let h = half_exp(x);
    h + 0.25 / h
}
