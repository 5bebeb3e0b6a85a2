//! log_ndtr: log Φ(x), where Φ is the standard normal distribution function, accurate in both tails. Derivative: the
//! inverse Mills ratio λ(x) = φ(x)/Φ(x). The derivative of λ is -λ (x + λ), where x + λ has a function of its own, because
//! in the tail it is a small difference.

use super::prelude::*;
use wengert_ops::math::special;

/// log Φ(x).
#[derive(Debug, Clone, Copy)]
pub struct LogNdtr;

impl Pointwise for LogNdtr {
    const NAME: &'static str = "log_ndtr";
    const USES_Y: bool = false;
    const COST: usize = 19;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::from_f64(special::log_ndtr(x.to_f64()))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(InverseMills)
    }
}

/// φ(x)/Φ(x), the inverse Mills ratio.
#[derive(Debug, Clone, Copy)]
pub struct InverseMills;

impl Pointwise for InverseMills {
    const NAME: &'static str = "inverse_mills";
    const COST: usize = 15;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::from_f64(special::inverse_mills(x.to_f64()))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, y: R) -> R {
        // At ±∞ the product would be 0 · ∞: the slope is -1 on the left, where y is infinite, and 0 on the right, where y
        // is 0.
        let (left, right) = (y.equals(y.like(f64::INFINITY)), y.equals(y.like(0.0)));
        let tail = R::select(right, x.like(0.0), x).apply(MillsTail(1));
        let y = R::select(left.clone(), y.like(0.0), y);
        R::select(left, y.like(-1.0), -(y * tail))
    }
}

/// Kₙ(-x), the continued fraction n/(t + (n + 1)/(t + …)) of [`special::mills_tail`] at t = -x; for n = 1 it is x + φ(x)/Φ(x).
#[derive(Debug, Clone, Copy)]
pub struct MillsTail(pub u32);

impl Pointwise for MillsTail {
    const NAME: &'static str = "mills_tail";
    const COST: usize = 100;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        F::from_f64(special::mills_tail(self.0, -x.to_f64()))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, y: R) -> R {
        y * (x.apply(MillsTail(self.0.saturating_add(1))) - y)
    }
}

impl<T: Float> Var<'_, T> {
    /// log Φ(x), the logarithm of the standard normal distribution function [`normal_cdf`](Var::normal_cdf). It is finite
    /// far into the lower tail, where Φ itself rounds to 0. Its derivative is the inverse Mills ratio φ(x)/Φ(x), which is
    /// about -x there.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([-40.0, 0.0, f64::INFINITY]));
    /// let y = x.log_ndtr();
    /// let near = |y: Tensor<f64>, want: [f64; 3]| y.to_vec().iter().zip(want).all(|(y, w)| (y - w).abs() < 1e-12);
    /// assert!(near(y.value()?, [-804.6084420137538, -std::f64::consts::LN_2, 0.0]));
    /// assert!(near(y.sum().backward()?.wrt(x)?, [40.02496884720726, 0.7978845608028654, 0.0]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn log_ndtr(self) -> Self {
        self.pointwise(LogNdtr)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("log_ndtr", Domain::Real, |x| case!(x, [], |x| x[0].log_ndtr()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::{FRAC_2_PI, LN_2};

    const INF: f64 = f64::INFINITY;

    /// Value and derivatives of the orders 1 to 3 at a point, in `T`.
    fn orders<T: Float>(x: f64) -> [f64; 4] {
        let tape = Tape::<T>::new();
        let x = tape.var(Tensor::scalar(T::from_f64(x)));
        let y = x.log_ndtr();
        let first = y.grad(x).unwrap();
        let second = first.grad(x).unwrap();
        let third = second.grad(x).unwrap();
        let all = [y, first, second, third].map(|v| wengert_ops::Float::to_f64(v.item().unwrap()));
        let swept = y.backward().unwrap().wrt(x).unwrap().item().unwrap();
        assert_eq!(wengert_ops::Float::to_f64(swept).to_bits(), all[1].to_bits());
        all
    }

    #[test]
    fn both_tails_are_accurate_to_the_second_order() {
        // mpmath at 120 digits: value, inverse Mills ratio λ, -λ (x + λ), and λ (2 (x + λ)² + x (x + λ) - 1).
        let table: [(f64, [f64; 4]); 9] = [
            (-1000.0, [-500007.82669481216, 1000.000999998, -0.999999000006, 1.999976000299996e-9]),
            (-40.0, [-804.6084420137538, 40.02496884720726, -0.9993773316214086, 3.101744039648625e-5]),
            (-4.0, [-10.360101486527292, 4.225607144489471, -0.9533271616025774, 0.017856339307658425]),
            (-2.0, [-3.783184333682032, 2.373215532822841, -0.8857208995859187, 0.059355861291565816]),
            (0.0, [-LN_2, 0.7978845608028654, -FRAC_2_PI, 0.21801361414499015]),
            (1.0, [-0.17275377902344988, 0.2875999709391784, -0.3703137142233946, 0.2957181701822712]),
            (
                4.0,
                [
                    -3.167174337748927e-5,
                    0.00013383446446857514,
                    -0.0005353557695381802,
                    0.0020077319117895783,
                ],
            ),
            (
                7.699999809265137,
                [
                    -6.80332169578857e-15,
                    5.3241561916141225e-14,
                    -4.099600165992682e-13,
                    3.1034504877046003e-12,
                ],
            ),
            (
                20.0,
                [
                    -2.7536241186062337e-89,
                    5.520948362159764e-88,
                    -1.1041896724319527e-86,
                    2.2028583965017455e-85,
                ],
            ),
        ];
        for (x, want) in table {
            let near = |found: [f64; 4], bounds: [f64; 4]| {
                for (i, ((f, w), bound)) in found.iter().zip(want).zip(bounds).enumerate() {
                    assert!((f / w - 1.0).abs() <= bound, "order {i} at {x}: {f:e}, expected {w:e}");
                }
            };
            // The third derivative is a difference of the terms of the second.
            near(orders::<f64>(x), [3e-15, 3e-15, 3e-14, 1e-9]);
            if x < 10.0 {
                let third = if x < -10.0 { INF } else { 1e-4 };
                near(orders::<f32>(x), [2e-7, 2e-7, 5e-7, third]);
            }
        }
        assert_eq!(orders::<f64>(-INF), [-INF, INF, -1.0, 0.0]);
        assert_eq!(orders::<f64>(INF), [0.0; 4]);
        assert_eq!(orders::<f64>(50.0), [0.0; 4]);
        assert_eq!(orders::<f64>(-1e100)[1..], [1e100, -1.0, 0.0]);
        assert!(orders::<f64>(f64::NAN).iter().all(|v| v.is_nan()));
    }
}
