//! The elementary functions against references: `f32` against the standard library's `f64` functions (and,
//! for erf and erfc, our own, which the tables check), `f64` against tables of correctly rounded values made
//! with mpmath by `data/math/generate.py`.

use wengert_ops::math::{double, single};

/// One unit in the last place of the `f32` nearest to `y`.
fn unit(y: f64) -> f64 {
    let exponent = (y.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.clamp(-126, 127) - 23)
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
            let all: [Function; 11] = [
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
            let odd: [Function; 4] = [$math::expm1, $math::ln_1p, $math::tanh, $math::sin];
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
