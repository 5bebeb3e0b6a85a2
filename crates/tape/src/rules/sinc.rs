//! sinc: sin(πx)/(πx), 1 at 0. Its derivatives are a family of their own: with z = πx and s = sin(z)/z, the k-th derivative
//! satisfies z s⁽ᵏ⁾ + k s⁽ᵏ⁻¹⁾ = sin⁽ᵏ⁾(z). Near 0, where that cancels, its power series is summed.

use super::prelude::*;
use std::f64::consts::PI;

/// sin(πx)/(πx), 1 at 0.
#[derive(Debug, Clone, Copy)]
pub struct Sinc;

/// The first derivative of sin(πx)/(πx).
#[derive(Debug, Clone, Copy)]
pub struct SincSlope;

/// The derivative of the given order of sin(πx)/(πx).
#[derive(Debug, Clone, Copy)]
pub struct SincDerivative {
    /// At least 2; the lower orders are [`Sinc`] and [`SincSlope`].
    pub order: u32,
}

/// sin(πx) and cos(πx), accurate however large x is: x is first reduced to within ½ of an integer.
#[inline(always)]
fn turn<F: Float>(x: F) -> (F, F) {
    let whole = x.round();
    let half = F::from_f64(0.5);
    let sign = F::ONE - F::from_f64(4.0) * (half * whole - (half * whole).floor());
    let angle = F::from_f64(PI) * (x - whole);
    (sign * angle.sin(), sign * angle.cos())
}

impl SincDerivative {
    /// Σ_k (-1)ᵏ z²ᵏ⁻ⁿ / ((2k-n)! (2k+1)) over 2k ≥ n.
    fn series<F: Float>(n: u32, z: F) -> F {
        let mut k = n.div_ceil(2);
        let mut j = 2 * k - n;
        let mut power = if j == 1 { z } else { F::ONE };
        if k % 2 == 1 {
            power = -power;
        }
        let mut sum = F::ZERO;
        while j <= 3 * n + 24 {
            sum += power / F::from_f64(f64::from(2 * k + 1));
            power = -(power * z * z / F::from_f64(f64::from((j + 1) * (j + 2))));
            (j, k) = (j + 2, k + 1);
        }
        sum
    }

    fn derivative<F: Float>(n: u32, x: F) -> F {
        let z = F::from_f64(PI) * x;
        let value = if z.abs() <= F::from_f64(f64::from(n)) {
            Self::series(n, z)
        } else {
            let (sin, cos) = turn(x);
            let mut s = sin / z;
            for k in 1..=n {
                let d = match k % 4 {
                    0 => sin,
                    1 => cos,
                    2 => -sin,
                    _ => -cos,
                };
                s = (d - F::from_f64(f64::from(k)) * s) / z;
            }
            s
        };
        value * F::from_f64(PI.powi(n as i32))
    }
}

impl Pointwise for Sinc {
    const NAME: &'static str = "sinc";
    const COST: usize = 12;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let y = turn(x).0 / (F::from_f64(PI) * x);
        let y = if x == F::ZERO { F::ONE } else { y };
        if x.abs() == F::INFINITY { F::ZERO } else { y }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(SincSlope)
    }
}

/// The series of the first derivative of sin(z)/z is z p(z²), with these coefficients: (-1)ᵏ 2k/(2k+1)! from k = 1 on.
const SLOPE: [f64; 10] = {
    let mut c = [0.0; 10];
    let (mut i, mut factorial) = (0, -1.0);
    while i < 10 {
        let k = 2.0 * (i + 1) as f64;
        factorial *= -k * (k + 1.0);
        c[i] = -k / factorial;
        i += 1;
    }
    c
};

impl Pointwise for SincSlope {
    const NAME: &'static str = "sinc";
    const COST: usize = 14;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let z = F::from_f64(PI) * x;
        let square = z * z;
        let mut near = F::from_f64(SLOPE[9]);
        for c in SLOPE[..9].iter().rev() {
            near = near.mul_add(square, F::from_f64(*c));
        }
        let (sin, cos) = turn(x);
        let far = (cos - sin / z) / z;
        let y = F::from_f64(PI) * if z.abs() <= F::ONE { z * near } else { far };
        if x.abs() == F::INFINITY { F::ZERO } else { y }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(SincDerivative { order: 2 })
    }
}

impl Pointwise for SincDerivative {
    const NAME: &'static str = "sinc";
    const COST: usize = 12;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let y = Self::derivative(self.order, x);
        if x.abs() == F::INFINITY { F::ZERO } else { y }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(SincDerivative { order: self.order.saturating_add(1) })
    }
}

impl<T: Float> Var<'_, T> {
    /// sin(πx)/(πx): 1 at 0, 0 at the other integers and at ±∞. Every derivative is accurate at and near 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(Tensor::from([0.0, 0.5, 3.0]));
    /// assert_eq!(x.sinc().value()?.to_vec(), [1.0, std::f64::consts::FRAC_2_PI, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn sinc(self) -> Self {
        self.pointwise(Sinc)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("sinc", Domain::Real, |x| case!(x, [], |x| x[0].sinc()))
        .at(&[0.0, 1e-9, 1e-4, 0.31, 0.33, -0.63, -0.637, 0.5, 1.0, 3.0, 1e4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_agree_with_mpmath_on_both_sides_of_the_switch() {
        // Computed with mpmath from π^n ∫₀¹ tⁿ cos(πxt + nπ/2) dt.
        let cases: [(f64, [f64; 4]); 12] = [
            (0.0, [1.0, 0.0, -3.289868133696453, 0.0]),
            (1e-09, [1.0, -3.289868133696453e-09, -3.289868133696453, 1.9481818206800487e-08]),
            (-0.001, [0.999998355066745, 0.0032898648867278964, -3.289858392793072, -0.01948179531659038]),
            (0.3, [0.8583936913341398, -0.9020281301388888, -2.4584852862661744, 5.24749315292437]),
            (0.31, [0.8492513660069677, -0.9263483488865715, -2.405334059014993, 5.382134184569091]),
            (0.319, [0.840817472378212, -0.9477767760236736, -2.3563616815477815, 5.50010415571332]),
            (0.63, [0.46369900070811976, -1.366423637052223, -0.23867288213079377, 7.358271770928202]),
            (0.64, [0.4500240563851148, -1.3684427311721679, -0.16517587258158992, 7.340313730731438]),
            (-0.96, [0.04155709094885435, 1.0767414502743045, 1.8330593070128507, -4.471460105666951]),
            (1.0, [0.0, -1.0, 2.0, 3.8696044010893584]),
            (2.5, [0.12732395447351627, -0.05092958178940651, -1.215893396004392, 1.4590720752052706]),
            (-7.25, [-0.031045390212314002, 0.09324984703092876, 0.3321298156056608, -0.82516893142371]),
        ];
        for (x, want) in cases {
            for (n, want) in want.into_iter().enumerate() {
                let got = match n {
                    0 => Sinc.f(x),
                    1 => SincSlope.f(x),
                    _ => SincDerivative { order: n as u32 }.f(x),
                };
                assert!((got - want).abs() <= 1e-13 * (1.0 + want.abs()), "{n} {x}: {got} {want}");
            }
        }
    }
}
