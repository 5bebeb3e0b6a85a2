//! [`Lanes`]: several numbers at once, so that one node serves several inputs of the same program.

use super::number::{Number, is_polynomial};
use crate::number::{Exact, Float, Real};
use crate::number::{Pointwise, Pointwise2};
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use wengert_ops::simd::with_fma;

/// `N` numbers that go through a program together. Arithmetic is on plain arrays, which compile to vector instructions;
/// a [`Tape`](super::Tape) of lanes records one node for all of them, which saves most of the time. Branches are
/// written with [`Real::select`], which chooses for each lane separately.
///
/// ```
/// use wengert_tape::scalar::{Lanes, Tape};
/// let tape = Tape::<Lanes<4>>::default();
/// let x = tape.var(Lanes([1.0, 2.0, 3.0, 4.0]));
/// let g = tape.gradient(x * x * x)?;
/// assert_eq!(g.wrt(x)?, Lanes([3.0, 12.0, 27.0, 48.0]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lanes<const N: usize, T = f64>(pub [T; N]);

impl<const N: usize, T: Float> Lanes<N, T> {
    #[inline(always)]
    fn map<U>(self, mut f: impl FnMut(T) -> U) -> [U; N] {
        std::array::from_fn(|i| f(self.0[i]))
    }

    #[inline(always)]
    fn zip<U>(self, o: Self, mut f: impl FnMut(T, T) -> U) -> [U; N] {
        std::array::from_fn(|i| f(self.0[i], o.0[i]))
    }

    /// The sum of the lanes.
    ///
    /// ```
    /// use wengert_tape::scalar::Lanes;
    /// assert_eq!(Lanes([1.0, 2.0, 3.0, 4.0]).sum(), 10.0);
    /// ```
    pub fn sum(self) -> T {
        self.0.into_iter().sum()
    }
}

impl<const N: usize, T: Float> Default for Lanes<N, T> {
    fn default() -> Self {
        Lanes([T::ZERO; N])
    }
}

macro_rules! lanewise {
    ($($trait:ident $method:ident)*) => {$(
        impl<const N: usize, T: Float> $trait for Lanes<N, T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, o: Self) -> Self {
                Lanes(self.zip(o, |a, b| $trait::$method(a, b)))
            }
        }
    )*};
}
lanewise!(Add add Sub sub Mul mul Div div);

impl<const N: usize, T: Float> Neg for Lanes<N, T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Lanes(self.map(|x| -x))
    }
}

impl<const N: usize, T: Float> Real for Lanes<N, T> {
    type Mask = [bool; N];

    #[inline(always)]
    fn like(self, c: f64) -> Self {
        Self::of(c)
    }
    #[inline(always)]
    fn scale(self, c: f64) -> Self {
        let c = T::from_f64(c);
        Lanes(self.map(|x| x * c))
    }
    #[inline(always)]
    fn apply<P: Pointwise>(self, p: P) -> Self {
        let rough = P::HAS_ROUGH && self.0.iter().any(|&x| p.is_rough(x));
        Lanes(if rough {
            self.map(|x| if p.is_rough(x) { p.exact(x) } else { p.f(x) })
        } else {
            self.map(|x| p.f(x))
        })
    }
    #[inline(always)]
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        Lanes(self.zip(o, |a, b| if P::HAS_ROUGH && p.is_rough(a, b) { p.exact(a, b) } else { p.f(a, b) }))
    }
    #[inline(always)]
    fn lt(self, o: Self) -> [bool; N] {
        self.zip(o, |a, b| a < b)
    }
    #[inline(always)]
    fn le(self, o: Self) -> [bool; N] {
        self.zip(o, |a, b| a <= b)
    }
    #[inline(always)]
    fn equals(self, o: Self) -> [bool; N] {
        self.zip(o, |a, b| a == b)
    }
    #[inline(always)]
    fn select(mask: [bool; N], yes: Self, no: Self) -> Self {
        Lanes(std::array::from_fn(|i| if mask[i] { yes.0[i] } else { no.0[i] }))
    }
}

impl<const N: usize, T: Float> Number for Lanes<N, T> {
    const HAS_LANES: bool = true;

    #[inline(always)]
    fn of(c: f64) -> Self {
        Lanes([T::from_f64(c); N])
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.0.iter().all(|&x| x == T::ZERO)
    }
    #[inline(always)]
    fn without_denormals(self) -> Self {
        Lanes(self.0.map(|x| if x.abs() < T::MIN_POSITIVE { T::ZERO } else { x }))
    }
    #[inline(always)]
    fn pull(self, slope: Self) -> Self {
        Lanes(self.zip(slope, |g, d| if g == T::ZERO { g } else { g * d }))
    }
    #[inline(always)]
    fn agree(mask: &[bool; N]) -> Option<bool> {
        let held = mask.iter().filter(|&&m| m).count();
        if held == N { Some(true) } else { (held == 0).then_some(false) }
    }
    #[inline(always)]
    fn value_and_slope<P: Pointwise>(self, p: &P) -> (Self, Self) {
        if P::HAS_ROUGH && self.0.iter().any(|&x| p.is_rough(x)) {
            return rough(self, p);
        }
        // One loop per step over the lanes, each short enough to become a vector operation.
        let both = || {
            let y = Lanes(self.map(|x| p.f(x)));
            (y, p.df(self, y))
        };
        if is_polynomial(P::COST) { with_fma(both) } else { both() }
    }
    #[inline(always)]
    fn value_of_two<P: Pointwise2>(self, o: Self, p: &P) -> Self {
        if P::HAS_ROUGH {
            return self.apply2(o, p.clone());
        }
        let y = || Lanes(self.zip(o, |a, b| p.f(a, b)));
        if is_polynomial(P::COST) { with_fma(y) } else { y() }
    }
}

/// A function whose fast form is not accurate in some lane.
#[cold]
#[inline(never)]
fn rough<const N: usize, T: Float, P: Pointwise>(x: Lanes<N, T>, p: &P) -> (Lanes<N, T>, Lanes<N, T>) {
    let each = x.map(|x| {
        let y = p.exact(x);
        (y, p.df(Exact(x), Exact(y)).0)
    });
    (Lanes(each.map(|(y, _)| y)), Lanes(each.map(|(_, d)| d)))
}

impl<const N: usize, T: Float> fmt::Display for Lanes<N, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|x| x.to_f64())).finish()
    }
}
