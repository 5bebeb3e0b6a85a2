//! [`Pointwise`]: a function of one number and its derivative, as two formulas.

use super::real::{Float, Real};
use crate::term::Term;
use wengert_ops::kernel::pointwise::Kernel;

/// A function of one number and its derivative.
///
/// Both are `#[inline(always)]` and free of branches (use [`Real::select`]), so that the loop vectorises.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::{Float, Pointwise, Real, Tape};
///
/// /// x / (1 + |x|)
/// #[derive(Clone)]
/// struct Softsign;
///
/// impl Pointwise for Softsign {
///     const NAME: &'static str = "softsign";
///     #[inline(always)]
///     fn f<F: Float>(&self, x: F) -> F {
///         x / (F::ONE + x.abs())
///     }
///     #[inline(always)]
///     fn df<R: Real>(&self, x: R, _y: R) -> R {
///         let d = x.like(1.0) + R::select(x.lt(x.like(0.0)), -x, x);
///         x.like(1.0) / (d * d)
///     }
/// }
///
/// let tape = Tape::new();
/// let x = tape.var(Tensor::from([-1.0, 0.0, 3.0]));
/// let grads = x.pointwise(Softsign).sum().backward()?;
/// assert_eq!(grads.wrt(x)?, Tensor::from([0.25, 1.0, 0.0625]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
pub trait Pointwise: Clone + Send + Sync + 'static {
    /// The name in messages and traces.
    const NAME: &'static str;
    /// The cost of one call in additions; it determines the size from which threads are worthwhile.
    const COST: usize = 4;
    /// Whether `df` reads x. If not, x need not be kept.
    const USES_X: bool = true;
    /// Whether `df` reads y. If not, y need not be kept.
    const USES_Y: bool = true;
    /// Whether [`exact`](Pointwise::exact) is needed for some arguments.
    const HAS_ROUGH: bool = false;

    /// The function.
    fn f<F: Float>(&self, x: F) -> F;

    /// Its derivative at `x`, where `y = f(x)`.
    fn df<R: Real>(&self, x: R, y: R) -> R;

    /// Whether the vectorised `f` is not accurate at `x`.
    #[inline(always)]
    fn is_rough<F: Float>(&self, _x: F) -> bool {
        false
    }

    /// An accurate, slower `f` for rough arguments.
    fn exact<F: Float>(&self, x: F) -> F {
        self.f(x)
    }

    /// The formula for display. (The derivative needs no such method: it is derived from `df`.)
    fn written(&self, x: Term) -> Term {
        Term::Call(Self::NAME, vec![x])
    }
}

/// The function as a kernel.
pub(crate) struct Value<P>(pub(crate) P);

impl<T: Float, P: Pointwise> Kernel<1, T, T> for Value<P> {
    const COST: usize = P::COST;
    const PATCHES: bool = P::HAS_ROUGH;
    #[inline(always)]
    fn call(&self, [x]: [T; 1]) -> T {
        self.0.f(x)
    }
    #[inline(always)]
    fn is_rough(&self, [x]: [T; 1]) -> bool {
        self.0.is_rough(x)
    }
    fn patch(&self, [x]: [T; 1]) -> T {
        self.0.exact(x)
    }
}

/// A function of two numbers and its two derivatives; operands broadcast.
///
/// As for [`Pointwise`], every function is `#[inline(always)]` and free of branches.
pub trait Pointwise2: Clone + Send + Sync + 'static {
    /// The name in messages and traces.
    const NAME: &'static str;
    /// One call's cost in additions.
    const COST: usize = 1;
    /// What `da` and `db` read, as bits: 1 for a, 2 for b, 4 for y.
    const DA_USES: u8 = 7;
    /// See `DA_USES`.
    const DB_USES: u8 = 7;
    /// Whether [`exact`](Pointwise2::exact) is needed for some arguments.
    const HAS_ROUGH: bool = false;

    /// The function.
    fn f<F: Float>(&self, a: F, b: F) -> F;

    /// ∂f/∂a, where `y = f(a, b)`.
    fn da<R: Real>(&self, a: R, b: R, y: R) -> R;

    /// ∂f/∂b, where `y = f(a, b)`.
    fn db<R: Real>(&self, a: R, b: R, y: R) -> R;

    /// Whether the vectorised `f` is not accurate at (a, b).
    #[inline(always)]
    fn is_rough<F: Float>(&self, _a: F, _b: F) -> bool {
        false
    }

    /// An accurate, slower `f` for rough arguments. The derivatives must not need it.
    fn exact<F: Float>(&self, a: F, b: F) -> F {
        self.f(a, b)
    }

    /// The formula for display.
    fn written(&self, a: Term, b: Term) -> Term {
        Term::Call(Self::NAME, vec![a, b])
    }
}

/// The function as a kernel.
pub(crate) struct Value2<P>(pub(crate) P);

impl<T: Float, P: Pointwise2> Kernel<2, T, T> for Value2<P> {
    const COST: usize = P::COST;
    const PATCHES: bool = P::HAS_ROUGH;
    #[inline(always)]
    fn call(&self, [a, b]: [T; 2]) -> T {
        self.0.f(a, b)
    }
    #[inline(always)]
    fn is_rough(&self, [a, b]: [T; 2]) -> bool {
        self.0.is_rough(a, b)
    }
    fn patch(&self, [a, b]: [T; 2]) -> T {
        self.0.exact(a, b)
    }
}
