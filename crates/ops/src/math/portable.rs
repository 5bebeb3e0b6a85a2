//! Elementary functions of single numbers, with the same bits on every machine. The standard library's call the C library, whose last
//! bits depend on its vendor, its version and the processor; these are pure Rust, and most are those of the crate [`libm`].
//!
//! They are for the numbers around tensors: a step's learning rate, an angle of a table, a proposal of a sampler. A loop over elements uses
//! [`double`] and [`single`](super::single), which vectorise.
//!
//! ```
//! use wengert_ops::math::portable;
//! assert_eq!(portable::powf(0.3, 1.0), 0.3);
//! assert_eq!(portable::sin_cos(0.0), (0.0, 1.0));
//! ```

use super::double;
use crate::simd::with_fma;

/// eˣ.
pub fn exp(x: f64) -> f64 {
    libm::exp(x)
}

/// The natural logarithm; NaN for negative numbers, -∞ for zeros.
pub fn ln(x: f64) -> f64 {
    libm::log(x)
}

/// `x` to the power `y`, with the conventions of C.
pub fn powf(x: f64, y: f64) -> f64 {
    with_fma(|| double::powf(x, y))
}

/// The sine of any angle in radians.
pub fn sin(x: f64) -> f64 {
    libm::sin(x)
}

/// The cosine of any angle in radians.
pub fn cos(x: f64) -> f64 {
    libm::cos(x)
}

/// The tangent of any angle in radians.
pub fn tan(x: f64) -> f64 {
    libm::tan(x)
}

/// Sine and cosine of any angle in radians.
pub fn sin_cos(x: f64) -> (f64, f64) {
    libm::sincos(x)
}

/// √(x² + y²), without overflow or underflow in between.
pub fn hypot(x: f64, y: f64) -> f64 {
    libm::hypot(x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers next to the exact results.
    #[test]
    fn results_have_these_bits() {
        let found =
            [exp(0.7), ln(0.3), powf(0.999, 1234.0), sin(1e22), cos(1e22), tan(3e10), hypot(0.1, 0.7)];
        let bits = [
            0x4000_1c2a_6126_8987,
            0xbff3_4378_fcbd_a721,
            0x3fd2_9edc_3254_efc2,
            0xbfeb_453a_b76b_f397,
            0x3fe0_be2c_ef01_c8f4,
            0xc037_2f91_674c_6c73,
            0x3fe6_a09e_667f_3bcc,
        ];
        assert_eq!(found.map(f64::to_bits), bits, "{found:?}");
        assert_eq!(sin_cos(1e22), (sin(1e22), cos(1e22)));
    }
}
