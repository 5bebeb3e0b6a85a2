//! The elementary functions against references: `f32` against the standard library's `f64` functions (and,
//! for erf and erfc, our own, which the tables check), `f64` against tables of correctly rounded values made
//! with mpmath by `data/math/generate.py`.

use wengert_ops::Tensor;
use wengert_ops::kernel::pointwise::{Kernel, pointwise};
use wengert_ops::math::{double, single, special};

/// One unit in the last place of the `f32` nearest to `y`.
fn unit(y: f64) -> f64 {
    let exponent = (y.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.clamp(-126, 127) - 23)
}

/// Against the C library's, whose error is at most 0.52 units: over all exponents, near 1, where the logarithm is small, and at the numbers
/// for which the standard of C states the result.
#[test]
fn powers_of_doubles_are_right_for_all_exponents() {
    let mut random = Random(11);
    for _ in 0..30_000 {
        let wide = f64::from_bits(random.next() << 12 >> 1 ^ random.next() & (u64::MAX >> 1));
        let near = 1.0
            + (random.next() as u32 as f64 / f64::from(u32::MAX) - 0.5)
                * 2f64.powi(-((random.next() % 40) as i32));
        for x in [wide, near].into_iter().filter(|x| *x > 0.0 && x.is_finite()) {
            assert_eq!(double::powf(x, 1.0), x);
            let exponent = (random.next() as u32 as f64 / f64::from(u32::MAX) * 1480.0 - 760.0) / x.ln();
            let (found, want) = (double::powf(x, exponent), x.powf(exponent));
            if found != want {
                let distance = found.to_bits().abs_diff(want.to_bits());
                assert!(distance <= 1, "{x:e} to the power {exponent:e} is {found:e}, not {want:e}");
            }
        }
    }
    let inf = f64::INFINITY;
    let ends = [0.0, 0.5, 1.0, 2.0, 3.0, 0.3, 1e-320, 1e300, 4503599627370497.0, 9007199254740992.0, inf];
    let numbers: Vec<f64> = ends.into_iter().flat_map(|x| [x, -x]).chain([f64::NAN]).collect();
    for &x in &numbers {
        for &y in &numbers {
            let (found, want) = (double::powf(x, y), x.powf(y));
            let near = found == want && found.is_sign_positive() == want.is_sign_positive()
                || found.to_bits().abs_diff(want.to_bits()) <= 1;
            assert!(
                near || found.is_nan() && want.is_nan(),
                "{x:e} to the power {y:e} is {found:e}, not {want:e}"
            );
        }
    }
}

/// Asserts that `f` is within `bound` units in the last place of `reference` over a sample of all bit patterns. The
/// sample includes every exponent, both signs, NaN, subnormals and the thresholds of overflow and underflow, but not
/// what `skip` rejects.
fn sweep(name: &str, bound: f64, f: fn(f32) -> f32, reference: fn(f64) -> f64, skip: fn(f32) -> bool) {
    for bits in (0..=u32::MAX).step_by(997) {
        let x = f32::from_bits(bits);
        if skip(x) {
            continue;
        }
        let (y, exact) = (f(x), reference(f64::from(x)));
        let context = || format!("{name}({x:e}) [{bits:#010x}] = {y:e}, expected {exact:e}");
        let rounded = exact as f32;
        if rounded.is_nan() {
            assert!(y.is_nan(), "{}", context());
        } else if rounded.is_infinite() || y.is_infinite() || exact == 0.0 {
            assert_eq!(y.to_bits(), rounded.to_bits(), "{}", context());
        } else {
            let error = (f64::from(y) - exact).abs() / unit(exact);
            assert!(error <= bound, "{}: {error:.3} ulp, at most {bound} allowed", context());
            assert_eq!(y.is_sign_negative(), exact.is_sign_negative(), "{}", context());
        }
    }
}

fn never(_: f32) -> bool {
    false
}

#[test]
fn single_exponentials() {
    sweep("exp", 1.1, single::exp, f64::exp, never);
    sweep("exp2", 1.1, single::exp2, f64::exp2, never);
    sweep("expm1", 1.5, single::expm1, f64::exp_m1, never);
}

#[test]
fn single_logarithms() {
    sweep("ln", 0.9, single::ln, f64::ln, never);
    sweep("ln_1p", 1.5, single::ln_1p, f64::ln_1p, never);
}

#[test]
fn single_sigmoids() {
    sweep("tanh", 2.5, single::tanh, f64::tanh, never);
    let logistic = |x: f64| {
        if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
    };
    sweep("sigmoid", 2.5, single::sigmoid, logistic, never);
}

#[test]
fn single_error_functions() {
    sweep("erf", 1.3, single::erf, double::erf, never);
    sweep("erfc", 3.5, single::erfc, double::erfc, never);
}

#[test]
fn single_trigonometric() {
    sweep("sin", 1.4, single::sin, f64::sin, single::trig_is_large);
    sweep("cos", 1.4, single::cos, f64::cos, single::trig_is_large);
}

#[test]
fn single_near_multiples_of_half_pi() {
    for k in 1..80_000 {
        let x = (f64::from(k) * std::f64::consts::FRAC_PI_2) as f32;
        assert!(!single::trig_is_large(x));
        let (sin, cos) = f64::from(x).sin_cos();
        assert!((f64::from(single::sin(x)) - sin).abs() <= 1.4 * unit(sin), "sin({x:e})");
        assert!((f64::from(single::cos(x)) - cos).abs() <= 1.4 * unit(cos), "cos({x:e})");
    }
}

#[test]
fn single_inverse_trigonometric() {
    sweep("tan", 0.51, single::tan, f64::tan, single::trig_is_large);
    sweep("atan", 0.51, single::atan, f64::atan, never);
    sweep("asin", 0.51, single::asin, f64::asin, never);
    sweep("acos", 0.51, single::acos, f64::acos, never);
}

#[test]
fn single_hyperbolic() {
    sweep("sinh", 0.52, single::sinh, f64::sinh, never);
    sweep("cosh", 0.51, single::cosh, f64::cosh, never);
    sweep("asinh", 0.51, single::asinh, |x| x.abs().asinh().copysign(x), never);
    sweep("acosh", 0.51, single::acosh, double::acosh, never);
    sweep("atanh", 0.51, single::atanh, double::atanh, never);
}

#[test]
fn single_logarithms_to_other_bases() {
    sweep("log2", 1.1, single::log2, f64::log2, never);
    sweep("log10", 1.1, single::log10, f64::log10, never);
}

#[test]
fn single_special_functions() {
    sweep("erf_inv", 0.6, single::erf_inv, special::erf_inv, never);
    // Near the zeros below 0 the error is absolute.
    sweep("log_gamma", 0.6, single::log_gamma, special::log_gamma, |x| x < 0.0);
    for bits in (0..=1e7f32.to_bits()).step_by(997) {
        let x = f32::from_bits(bits | 1 << 31);
        let (y, exact) = (single::log_gamma(x), special::log_gamma(f64::from(x)));
        assert!(
            f64::from(y) == exact || (f64::from(y) - exact).abs() <= 1e-7 * (1.0 + exact.abs()),
            "log_gamma({x:e}) = {y:e}, expected {exact:e}"
        );
    }
}

#[test]
fn single_functions_of_two_numbers() {
    let mut random = Random(1);
    for _ in 0..300_000 {
        let (x, y) = (f32::from_bits(random.next() as u32), f32::from_bits(random.next() as u32));
        // Numbers of like sizes too.
        let near = f32::from_bits((x.to_bits() & 0x7f80_0000) | (y.to_bits() & 0x807f_ffff));
        for y in [y, near] {
            two("atan2", 0.51, single::atan2, f64::atan2, x, y);
            two("hypot", 0.51, single::hypot, f64::hypot, x, y);
            two("powf", 0.51, single::powf, f64::powf, x, y);
            if !single::fmod_is_large(x, y) {
                let (found, want) = (single::fmod(x, y), x % y);
                let same = found.to_bits() == want.to_bits() || found.is_nan() && want.is_nan();
                assert!(same, "fmod({x:e}, {y:e}) = {found:e}, expected {want:e}");
            }
        }
        let (x, y) = (x.abs(), f32::from_bits(y.to_bits() & 0x81ff_ffff | 0x3e00_0000));
        two("powf", 0.51, single::powf, f64::powf, x, y);
    }
}

/// Asserts that `f` is within `bound` units in the last place of `reference`.
fn two(name: &str, bound: f64, f: fn(f32, f32) -> f32, reference: fn(f64, f64) -> f64, x: f32, y: f32) {
    let (found, exact) = (f(x, y), reference(f64::from(x), f64::from(y)));
    let rounded = exact as f32;
    let good = if rounded.is_nan() {
        found.is_nan()
    } else if rounded.is_infinite() || found.is_infinite() || exact == 0.0 {
        found.to_bits() == rounded.to_bits()
    } else {
        (f64::from(found) - exact).abs() / unit(exact) <= bound
    };
    assert!(good, "{name}({x:e}, {y:e}) = {found:e}, expected {exact:e}");
}

/// A linear congruential generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) ^ (self.0 << 20)
    }
}

#[test]
fn double_functions_of_two_numbers() {
    let mut random = Random(1);
    for _ in 0..100_000 {
        let (x, y) = (f64::from_bits(random.next()), f64::from_bits(random.next()));
        let near =
            f64::from_bits((x.to_bits() & 0x7ff0_0000_0000_0000) | (y.to_bits() & 0x800f_ffff_ffff_ffff));
        for y in [y, near] {
            // The standard library's functions have errors of half a unit to one.
            for (name, found, want) in
                [("atan2", double::atan2(x, y), x.atan2(y)), ("hypot", double::hypot(x, y), x.hypot(y))]
            {
                let apart = (found.to_bits() as i64).abs_diff(want.to_bits() as i64);
                assert!(
                    apart <= 1 || found.is_nan() && want.is_nan(),
                    "{name}({x:e}, {y:e}) = {found:e}, expected {want:e}"
                );
            }
            if !double::fmod_is_large(x, y) {
                let (found, want) = (double::fmod(x, y), x % y);
                let same = found.to_bits() == want.to_bits() || found.is_nan() && want.is_nan();
                assert!(same, "fmod({x:e}, {y:e}) = {found:e}, expected {want:e}");
            }
        }
    }
}

/// Calls of single numbers, for which fused multiply-adds are functions, and loops in vectors of any width agree to the bit.
#[test]
fn vectors_have_the_bits_of_single_calls() {
    macro_rules! agree {
        ($float:ident: $($f:path),*) => {$({
            struct Function;
            impl Kernel<1, $float, $float> for Function {
                #[inline(always)]
                fn call(&self, [x]: [$float; 1]) -> $float {
                    $f(x)
                }
            }
            let mut random = Random(2);
            let x: Vec<$float> = (0..4001)
                .map(|i| match i % 3 {
                    0 => $float::from_bits(random.next() as _),
                    1 => (random.next() as u32) as $float / 4e8,
                    _ => (random.next() as i32) as $float / 2.2e9,
                })
                .collect();
            let t = Tensor::from_vec(x.clone(), [4001]).unwrap();
            for (x, y) in x.iter().zip(pointwise("function", [&t], &Function).unwrap().to_vec()) {
                let one = std::hint::black_box($f)(*x);
                let same = y.to_bits() == one.to_bits() || y.is_nan() && one.is_nan();
                assert!(same, "{}({x:e}): {y:e} in a vector, {one:e} alone", stringify!($f));
            }
        })*};
    }
    agree!(f32: single::tan, single::atan, single::asin, single::acos, single::sinh, single::cosh, single::asinh,
        single::acosh, single::atanh, single::log2, single::log10, single::erf_inv, single::log_gamma, single::exp);
    agree!(f64: double::tan, double::atan, double::asin, double::acos, double::sinh, double::cosh, double::asinh,
        double::acosh, double::atanh, double::log2, double::log10, special::erf_inv, special::log_gamma,
        special::digamma, special::trigamma, special::log_ndtr, special::inverse_mills, double::exp);
}

/// The number whose leading hexadecimal digits, of `width`, are `digits`.
fn hex(digits: &str, width: usize) -> u64 {
    u64::from_str_radix(&format!("{digits:0<width$}"), 16).unwrap()
}

/// Asserts that `f` is within `bound` units in the last place of every entry of `table`.
fn check(name: &str, bound: f64, f: fn(f64) -> f64, table: &str) {
    let mut count = 0;
    for line in table.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let x = f64::from_bits(hex(fields[0], 16));
        let expected = hex(fields[1], 16);
        // The excess of the exact value over the rounded one, in units in the last place away from zero.
        let excess = f64::from(hex(fields[2], 2) as u8 as i8) / 128.0;
        let excess = if f64::from_bits(expected).is_sign_negative() { -excess } else { excess };
        let y = f(x);
        let error = ((y.to_bits() as i64).wrapping_sub(expected as i64) as f64 - excess).abs();
        let expected = f64::from_bits(expected);
        assert!(
            error <= bound,
            "{name}({x:e}) = {y:e}, expected {expected:e}: {error:.3} ulp, at most {bound} allowed"
        );
        count += 1;
    }
    assert!(count > 500, "the table of {name} has only {count} entries");
}

#[test]
fn double_exponentials() {
    check("exp", 1.1, double::exp, include_str!("data/math/exp.txt"));
    check("exp2", 1.2, double::exp2, include_str!("data/math/exp2.txt"));
    check("expm1", 1.8, double::expm1, include_str!("data/math/expm1.txt"));
}

#[test]
fn double_logarithms() {
    check("ln", 0.9, double::ln, include_str!("data/math/ln.txt"));
    check("ln_1p", 1.5, double::ln_1p, include_str!("data/math/ln_1p.txt"));
}

#[test]
fn double_sigmoids() {
    check("tanh", 2.5, double::tanh, include_str!("data/math/tanh.txt"));
    check("sigmoid", 2.5, double::sigmoid, include_str!("data/math/sigmoid.txt"));
}

#[test]
fn double_error_functions() {
    check("erf", 1.3, double::erf, include_str!("data/math/erf.txt"));
    check("erfc", 4.0, double::erfc, include_str!("data/math/erfc.txt"));
}

#[test]
fn double_trigonometric() {
    check("sin", 1.4, double::sin, include_str!("data/math/sin.txt"));
    check("cos", 1.4, double::cos, include_str!("data/math/cos.txt"));
}

#[test]
fn double_inverse_trigonometric() {
    check("tan", 1.0, double::tan, include_str!("data/math/tan.txt"));
    check("atan", 0.7, double::atan, include_str!("data/math/atan.txt"));
    check("asin", 0.6, double::asin, include_str!("data/math/asin.txt"));
    check("acos", 0.6, double::acos, include_str!("data/math/acos.txt"));
}

#[test]
fn double_hyperbolic() {
    check("sinh", 1.6, double::sinh, include_str!("data/math/sinh.txt"));
    check("cosh", 1.6, double::cosh, include_str!("data/math/cosh.txt"));
    check("asinh", 1.5, double::asinh, include_str!("data/math/asinh.txt"));
    check("acosh", 1.5, double::acosh, include_str!("data/math/acosh.txt"));
    check("atanh", 1.5, double::atanh, include_str!("data/math/atanh.txt"));
}

#[test]
fn double_logarithms_to_other_bases() {
    check("log2", 0.9, double::log2, include_str!("data/math/log2.txt"));
    check("log10", 0.9, double::log10, include_str!("data/math/log10.txt"));
    for n in 0..=22 {
        assert_eq!(double::log10(10f64.powi(n)), f64::from(n));
    }
}

#[test]
fn double_inverse_error_function() {
    check("erf_inv", 2.2, special::erf_inv, include_str!("data/math/erf_inv.txt"));
}

/// Special values, the same for both precisions.
macro_rules! specials {
    ($test:ident, $math:ident, $float:ident) => {
        #[test]
        fn $test() {
            const INF: $float = $float::INFINITY;
            const NAN: $float = $float::NAN;
            const TINY: $float = $float::from_bits(1);
            const MAX: $float = $float::MAX;
            #[track_caller]
            fn same(actual: $float, expected: $float) {
                let equal = actual.to_bits() == expected.to_bits() || actual.is_nan() && expected.is_nan();
                assert!(equal, "{actual:e}, expected {expected:e}");
            }
            type Function = fn($float) -> $float;
            let all: [Function; 22] = [
                $math::tan,
                $math::atan,
                $math::asin,
                $math::acos,
                $math::sinh,
                $math::cosh,
                $math::asinh,
                $math::acosh,
                $math::atanh,
                $math::log2,
                $math::log10,
                $math::exp,
                $math::exp2,
                $math::expm1,
                $math::ln,
                $math::ln_1p,
                $math::tanh,
                $math::sigmoid,
                $math::erf,
                $math::erfc,
                $math::sin,
                $math::cos,
            ];
            for f in all {
                same(f(NAN), NAN);
                same(f(-NAN), NAN);
            }
            let odd: [Function; 10] = [
                $math::expm1,
                $math::ln_1p,
                $math::tanh,
                $math::sin,
                $math::tan,
                $math::atan,
                $math::asin,
                $math::sinh,
                $math::asinh,
                $math::atanh,
            ];
            for f in odd {
                for x in [0.0, TINY, 3.0 * TINY, $float::MIN_POSITIVE] {
                    same(f(x), x);
                    same(f(-x), -x);
                }
            }
            same($math::erf(0.0), 0.0);
            same($math::erf(-0.0), -0.0);
            same($math::erf(TINY), TINY);
            let at_zero: [Function; 4] = [$math::exp, $math::exp2, $math::erfc, $math::cos];
            for f in at_zero {
                for x in [0.0, TINY, $float::MIN_POSITIVE, $float::EPSILON / 16.0] {
                    same(f(x), 1.0);
                    same(f(-x), 1.0);
                }
            }

            for (x, y) in [(INF, INF), (MAX, INF), (-INF, 0.0), (-MAX, 0.0)] {
                same($math::exp(x), y);
                same($math::exp2(x), y);
            }
            for n in $float::MIN_EXP - 1..$float::MAX_EXP {
                same($math::exp2(n as $float), $float::powi(2.0, n));
            }
            let least = $float::MIN_EXP - $float::MANTISSA_DIGITS as i32;
            same($math::exp2(least as $float), TINY);
            same($math::exp2(least as $float - 1.5), 0.0);
            same($math::exp2($float::MAX_EXP as $float), INF);
            for (x, y) in [(INF, INF), (MAX, INF), (-INF, -1.0), (-MAX, -1.0), (-50.0, -1.0)] {
                same($math::expm1(x), y);
            }

            for (x, y) in
                [(0.0, -INF), (-0.0, -INF), (INF, INF), (-INF, NAN), (-1.0, NAN), (-TINY, NAN), (1.0, 0.0)]
            {
                same($math::ln(x), y);
            }
            for (x, y) in [(-1.0, -INF), (INF, INF), (-INF, NAN), (-1.5, NAN), (-MAX, NAN)] {
                same($math::ln_1p(x), y);
            }
            same($math::ln_1p(MAX), $math::ln(MAX));

            for (x, y) in [(INF, 1.0), (MAX, 1.0), (25.0, 1.0), (-INF, -1.0), (-MAX, -1.0), (-25.0, -1.0)] {
                same($math::tanh(x), y);
                same($math::erf(x), y);
            }
            for (x, y) in [(0.0, 0.5), (-0.0, 0.5), (INF, 1.0), (MAX, 1.0), (-INF, 0.0), (-MAX, 0.0)] {
                same($math::sigmoid(x), y);
            }
            for (x, y) in [(INF, 0.0), (MAX, 0.0), (-INF, 2.0), (-MAX, 2.0)] {
                same($math::erfc(x), y);
            }
            for (x, y) in
                [(0.0, -INF), (-0.0, -INF), (INF, INF), (-INF, NAN), (-1.0, NAN), (-TINY, NAN), (1.0, 0.0)]
            {
                same($math::log2(x), y);
                same($math::log10(x), y);
            }
            for n in $float::MIN_EXP - $float::MANTISSA_DIGITS as i32..$float::MAX_EXP {
                same($math::log2($math::exp2(n as $float)), n as $float);
            }
            const HALF_PI: $float = std::$float::consts::FRAC_PI_2;
            const PI: $float = std::$float::consts::PI;
            for (x, y) in [(INF, HALF_PI), (-INF, -HALF_PI), (MAX, HALF_PI), (1.0, HALF_PI / 2.0)] {
                same($math::atan(x), y);
            }
            for (x, y) in [(1.0, HALF_PI), (-1.0, -HALF_PI), (1.1, NAN), (-INF, NAN), (INF, NAN)] {
                same($math::asin(x), y);
            }
            for (x, y) in [(1.0, 0.0), (-1.0, PI), (0.0, HALF_PI), (-0.0, HALF_PI), (1.1, NAN), (-INF, NAN)] {
                same($math::acos(x), y);
            }
            for (x, y) in [(INF, INF), (-INF, -INF), (MAX, INF), (-MAX, -INF)] {
                same($math::sinh(x), y);
                same($math::cosh(x), INF);
            }
            for (x, y) in [(INF, INF), (-INF, -INF)] {
                same($math::asinh(x), y);
            }
            for (x, y) in [(1.0, 0.0), (INF, INF), (0.99, NAN), (-INF, NAN), (0.0, NAN), (-2.0, NAN)] {
                same($math::acosh(x), y);
            }
            for (x, y) in [(1.0, INF), (-1.0, -INF), (1.1, NAN), (-INF, NAN), (INF, NAN)] {
                same($math::atanh(x), y);
            }
            let ends = [0.0, -0.0, TINY, -TINY, 1.0, -1.0, MAX, -MAX, INF, -INF, NAN];
            for x in ends {
                for y in ends {
                    same($math::atan2(x, y), f64::from(x).atan2(f64::from(y)) as $float);
                    same($math::hypot(x, y), x.hypot(y));
                    if !$math::fmod_is_large(x, y) {
                        same($math::fmod(x, y), x % y);
                    }
                }
            }
            same($math::tan(INF), NAN);
            same($math::sin(INF), NAN);
            same($math::cos(-INF), NAN);
            assert!($math::trig_is_large(MAX) && $math::trig_is_large(-MAX));
            assert!(!$math::trig_is_large(0.0) && !$math::trig_is_large(-100_000.0));
        }
    };
}

specials!(single_specials, single, f32);
specials!(double_specials, double, f64);

/// The tail of the logistic function is that of the exponential, including the subnormals.
#[test]
fn sigmoid_keeps_its_tail() {
    for x in [-80.0f32, -87.0, -95.0, -103.0] {
        assert_eq!(single::sigmoid(x), single::exp(x));
    }
    for x in [-700.0f64, -708.0, -720.0, -745.0] {
        assert_eq!(double::sigmoid(x), double::exp(x));
    }
}
