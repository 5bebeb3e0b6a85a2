//! [`Jet`]: a number with its derivatives with respect to several others, in an array; and [`fuse`], which uses it to
//! make an expression a single statement of the tape.

use super::fused::Statement;
use super::number::{Number, compare_values};
use super::trace::Operation;
use super::var::Var;
use crate::number::Real;
use crate::number::{Pointwise, Pointwise2};
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::panic::Location;

/// A number and its derivatives with respect to `N` others: forward mode in several directions at once, in vector
/// instructions.
///
/// ```
/// use wengert_tape::scalar::Jet;
/// use wengert_tape::Elementary;
/// let [x, y] = Jet::variables([3.0, 2.0]);
/// let z = x * x * y.log() + 1.0;
/// assert_eq!((z.value, z.slopes), (9.0 * 2f64.ln() + 1.0, [6.0 * 2f64.ln(), 4.5]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Jet<const N: usize, T = f64> {
    /// The value.
    pub value: T,
    /// The derivatives.
    pub slopes: [T; N],
}

impl<const N: usize, T: Number> Jet<N, T> {
    /// The numbers with respect to which derivatives are computed.
    #[inline(always)]
    pub fn variables(values: [T; N]) -> [Self; N] {
        let unit = |i| std::array::from_fn(|k| T::of(if i == k { 1.0 } else { 0.0 }));
        std::array::from_fn(|i| Jet { value: values[i], slopes: unit(i) })
    }

    #[inline(always)]
    fn edge(self, value: T, slope: T) -> Self {
        Jet { value, slopes: self.slopes.map(|s| s.pull(slope)) }
    }

    #[inline(always)]
    fn join(self, o: Self, value: T, da: T, db: T) -> Self {
        let slope = |i: usize| self.slopes[i].pull(da) + o.slopes[i].pull(db);
        Jet { value, slopes: std::array::from_fn(slope) }
    }
}

/// An expression of a few numbers as a single statement: its derivatives are computed immediately, and one node is
/// written, with one edge per input, however long the expression is.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::{Tape, fuse};
/// let tape = Tape::new();
/// let (x, y) = (tape.var(3.0), tape.var(2.0));
/// let z = fuse([x, y], |[x, y]| x * x * y.log() + x / y);
/// assert_eq!(tape.len(), 3);
/// assert_eq!(tape.gradient(z)?.wrt(x)?, 6.0 * 2f64.ln() + 0.5);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[inline(always)]
#[track_caller]
pub fn fuse<'t, T: Number, const N: usize>(
    inputs: [Var<'t, T>; N],
    f: impl FnOnce([Jet<N, T>; N]) -> Jet<N, T>,
) -> Var<'t, T> {
    let [y] = fuse_all(inputs, |x| [f(x)]);
    y
}

/// The same as [`fuse`] for several results of the same inputs, one statement for each.
///
/// ```
/// use wengert_tape::scalar::{Tape, fuse_all};
/// let tape = Tape::new();
/// let (x, y) = (tape.var(3.0), tape.var(2.0));
/// let [a, b] = fuse_all([x, y], |[x, y]| [x * y + x, x - 2.0 * y]);
/// assert_eq!(tape.jacobian(&[a, b], &[x, y])?, [[3.0, 3.0], [1.0, -2.0]]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[inline(always)]
#[track_caller]
pub fn fuse_all<'t, T: Number, const N: usize, const M: usize>(
    inputs: [Var<'t, T>; N],
    f: impl FnOnce([Jet<N, T>; N]) -> [Jet<N, T>; M],
) -> [Var<'t, T>; M] {
    let (all, at) = (f(Jet::variables(inputs.map(Var::value))), Location::caller());
    all.map(|y| {
        let node = Statement::of(inputs, y.value, y.slopes);
        T::note(node, at, || Operation::opaque("fuse", &inputs, &y.slopes))
    })
}

impl<const N: usize, T: Number> Add for Jet<N, T> {
    type Output = Self;
    #[inline(always)]
    fn add(self, o: Self) -> Self {
        let slopes = std::array::from_fn(|i| self.slopes[i] + o.slopes[i]);
        Jet { value: self.value + o.value, slopes }
    }
}

impl<const N: usize, T: Number> Sub for Jet<N, T> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, o: Self) -> Self {
        let slopes = std::array::from_fn(|i| self.slopes[i] - o.slopes[i]);
        Jet { value: self.value - o.value, slopes }
    }
}

impl<const N: usize, T: Number> Mul for Jet<N, T> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, o: Self) -> Self {
        self.join(o, self.value * o.value, o.value, self.value)
    }
}

impl<const N: usize, T: Number> Div for Jet<N, T> {
    type Output = Self;
    #[inline(always)]
    fn div(self, o: Self) -> Self {
        let (y, inverse) = (self.value / o.value, T::of(1.0) / o.value);
        self.join(o, y, inverse, -(y * inverse))
    }
}

impl<const N: usize, T: Number> Neg for Jet<N, T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Jet { value: -self.value, slopes: self.slopes.map(|s| -s) }
    }
}

impl<const N: usize, T: Number> From<f64> for Jet<N, T> {
    #[inline(always)]
    fn from(c: f64) -> Self {
        Jet::of(c)
    }
}

impl<const N: usize, T: Number> Real for Jet<N, T> {
    type Mask = T::Mask;

    #[inline(always)]
    fn like(self, c: f64) -> Self {
        Jet::of(c)
    }
    #[inline(always)]
    fn scale(self, c: f64) -> Self {
        Jet { value: self.value.scale(c), slopes: self.slopes.map(|s| s.scale(c)) }
    }
    #[inline(always)]
    fn apply<P: Pointwise>(self, p: P) -> Self {
        let (y, slope) = self.value.value_and_slope(&p);
        self.edge(y, slope)
    }
    #[inline(always)]
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        let (a, b) = (self.value, o.value);
        let y = a.value_of_two(b, &p);
        self.join(o, y, p.da(a, b, y), p.db(a, b, y))
    }
    compare_values!();
    #[inline(always)]
    fn select(mask: T::Mask, yes: Self, no: Self) -> Self {
        let slope = |i: usize| T::select(mask.clone(), yes.slopes[i], no.slopes[i]);
        Jet { slopes: std::array::from_fn(slope), value: T::select(mask.clone(), yes.value, no.value) }
    }
}

impl<const N: usize, T: Number> Number for Jet<N, T> {
    const HAS_LANES: bool = true;

    #[inline(always)]
    fn of(c: f64) -> Self {
        Jet { value: T::of(c), slopes: [T::of(0.0); N] }
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        self.value.is_zero() && self.slopes.iter().all(|s| s.is_zero())
    }
    #[inline(always)]
    fn without_denormals(self) -> Self {
        Jet { value: self.value.without_denormals(), slopes: self.slopes.map(T::without_denormals) }
    }
    #[inline(always)]
    fn pull(self, slope: Self) -> Self {
        let parts = |i: usize| self.slopes[i].pull(slope.value) + self.value.pull(slope.slopes[i]);
        Jet { value: self.value.pull(slope.value), slopes: std::array::from_fn(parts) }
    }
    #[inline(always)]
    fn agree(mask: &T::Mask) -> Option<bool> {
        T::agree(mask)
    }
}
