//! aᵇ, with a number or a tensor as exponent. Conventions: x⁰ is 1 with derivative 0 everywhere, including at 0; the
//! derivative with respect to the exponent, y log a, is 0 where y is 0 and at 0⁰, so that base 0 causes no NaN.

use super::prelude::*;

/// xᵖ for a number p.
#[derive(Debug, Clone, Copy)]
pub struct Powf(pub f64);

impl Pointwise for Powf {
    const NAME: &'static str = "pow";
    const COST: usize = 12;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.powf(F::from_f64(self.0))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        if self.0 == 0.0 { x.like(0.0) } else { x.apply(Powf(self.0 - 1.0)).scale(self.0) }
    }
    fn written(&self, x: Term) -> Term {
        x.power(self.0)
    }
}

/// xⁿ for a whole number n that few products raise to: in vectors, where a power of any exponent takes a call for each element.
#[derive(Debug, Clone, Copy)]
struct Powi<const N: i32>;

/// The product of |n| factors x, or 1/x if n is negative.
#[inline(always)]
fn product<R: Real>(x: R, n: i32) -> R {
    let factor = if n < 0 { x.like(1.0) / x } else { x };
    match n.unsigned_abs() {
        0 => x.like(1.0),
        1 => factor,
        2 => factor * factor,
        3 => factor * factor * factor,
        _ => (factor * factor) * (factor * factor),
    }
}

impl<const N: i32> Pointwise for Powi<N> {
    const NAME: &'static str = "pow";
    const COST: usize = 3;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let factor = if N < 0 { F::ONE / x } else { x };
        match N.unsigned_abs() {
            1 => factor,
            2 => factor * factor,
            3 => factor * factor * factor,
            _ => (factor * factor) * (factor * factor),
        }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        product(x, N - 1).scale(f64::from(N))
    }
    fn written(&self, x: Term) -> Term {
        x.power(f64::from(N))
    }
}

/// The power ½, or -½.
#[derive(Debug, Clone, Copy)]
struct Root<const INVERSE: bool>;

impl<const INVERSE: bool> Pointwise for Root<INVERSE> {
    const NAME: &'static str = "pow";
    const COST: usize = 4;
    const USES_X: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        if INVERSE { F::ONE / x.sqrt() } else { x.sqrt() }
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        if INVERSE { (y * y * y).scale(-0.5) } else { y.like(0.5) / y }
    }
    fn written(&self, x: Term) -> Term {
        x.power(if INVERSE { -0.5 } else { 0.5 })
    }
}

/// aᵇ.
#[derive(Debug, Clone, Copy)]
pub struct Power;

impl Pointwise2 for Power {
    const NAME: &'static str = "pow";
    const COST: usize = 12;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        a.powf(b)
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        // b a^(b-1). At a = b = 0 that would be 0 · ∞; a⁰ is 1 for every a, so its derivative is 0.
        let corner = R::select(b.equals(b.like(0.0)), b.like(1.0), a);
        let base = R::select(a.equals(a.like(0.0)), corner, a);
        b * raise(base, b - b.like(1.0))
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, b: R, y: R) -> R {
        let vanishes = y.equals(y.like(0.0));
        // At a = 0, y is not zero at 0⁰, which has derivative 0 by convention, and at the pole of a negative exponent.
        let corner = R::select(b.equals(b.like(0.0)), b.like(1.0), a);
        let base = R::select(a.equals(a.like(0.0)), corner, a);
        let base = R::select(vanishes.clone(), a.like(1.0), base);
        R::select(vanishes, y.like(0.0), y * base.apply(super::log::Log))
    }
    fn written(&self, a: Term, b: Term) -> Term {
        Term::Pow(Box::new(a), Box::new(b))
    }
}

/// aᵇ inside a formula: computed for numbers, recorded on a tape.
#[inline(always)]
fn raise<R: Real>(a: R, b: R) -> R {
    a.apply2(b, Power)
}

impl<'t, T: Float> Var<'t, T> {
    /// This value raised to the power of a number or a tensor, broadcasting. Some numbers have a faster form: 2, 3, 4, -1, -2,
    /// and, like [`sqrt`](Var::sqrt) and [`rsqrt`](Var::rsqrt), ½ and -½.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.0, -2.0, 3.0]));
    /// let y = x.pow(3.0);
    /// assert_eq!(y.value()?.to_vec(), [0.0, -8.0, 27.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [0.0, 12.0, 27.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "float_power")]
    #[track_caller]
    pub fn pow(self, exponent: impl Operand<'t, T>) -> Self {
        match exponent.as_number() {
            Some(2.0) => self.square(),
            Some(3.0) => self.pointwise(Powi::<3>),
            Some(4.0) => self.pointwise(Powi::<4>),
            Some(-1.0) => self.pointwise(Powi::<-1>),
            Some(-2.0) => self.pointwise(Powi::<-2>),
            Some(0.5) => self.pointwise(Root::<false>),
            Some(-0.5) => self.pointwise(Root::<true>),
            Some(p) => self.pointwise(Powf(p)),
            None => self.pointwise2(exponent, Power),
        }
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("pow", Order::Second, |g| {
        if g.once_in(2) {
            let (shape, p) =
                (g.shape(0..=3), g.pick(&[2.0, 3.0, 4.0, 5.0, -1.0, -2.0, -3.0, 0.0, 1.0, 0.5, 1.5, -0.5]));
            let domain = if f64::fract(p) == 0.0 { Domain::NON_ZERO } else { Domain::POSITIVE };
            return case!(vec![g.tensor(&shape, domain)], [], |x| x[0].pow(p));
        }
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::POSITIVE), g.tensor(&b, Domain::Real)], [], |x| x[0]
            .pow(x[1].clamp(-3.0, 3.0)))
    })
    .at(&[0.0, 0.5, 1.0, -1.0, 2.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_negative_bases() {
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(Tensor::from([0.0, 0.0, -2.0])), tape.var(Tensor::from([0.0, 2.0, 3.0])));
        let y = a.pow(b);
        assert_eq!(y.value().unwrap().to_vec(), [1.0, 0.0, -8.0]);
        let g = y.sum().backward().unwrap();
        assert_eq!(g.wrt(a).unwrap().to_vec(), [0.0, 0.0, 12.0]);
        assert_eq!(g.wrt(b).unwrap().to_vec()[1], 0.0);
        let x = tape.var(Tensor::from([0.0, 1.0]));
        let d = x.pow(0.0).sum().grad(x).unwrap();
        assert_eq!(d.value().unwrap().to_vec(), [0.0, 0.0]);
    }
}
