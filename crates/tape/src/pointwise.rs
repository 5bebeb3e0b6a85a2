//! Pointwise functions: two formulas make the kernel, the rule, and every higher order.

use crate::error::Result;
use crate::formula::Formula;
use crate::op::{BackwardContext, Cotangents, ForwardOutput, Op, OpRef, Saves, VjpContext, cotangents};
use crate::real::{Exact, Float, Real};
use crate::term::{Equation, Term};
use crate::var::Var;
use std::sync::Arc;
use wengert_ops::Tensor;
use wengert_ops::kernel::pointwise::{Kernel, pointwise};

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
    /// One call's cost in additions; it decides from which size on threads are worth their while.
    const COST: usize = 4;
    /// Whether `df` reads x. If not, x need not be kept.
    const USES_X: bool = true;
    /// Whether `df` reads y. If not, y need not be kept.
    const USES_Y: bool = true;
    /// Whether some arguments need [`exact`](Pointwise::exact).
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

    /// The function as it is written. (The derivative needs nothing: it is read off `df`.)
    fn written(&self, x: Term) -> Term {
        Term::Call(Self::NAME, vec![x])
    }
}

/// What a function computes and its derivative, of an operand that is written like this.
pub(crate) fn equation<P: Pointwise>(p: &P, x: Term) -> Option<Equation> {
    let slope = Formula::<f64>::trace(|[x, y]| p.df(x, y)).term(&[x.clone(), Term::Output])?;
    Some(Equation { value: p.written(x), slopes: vec![slope] })
}

/// As [`equation`], of two operands.
pub(crate) fn equation_of_two<P: Pointwise2>(p: &P, a: Term, b: Term) -> Option<Equation> {
    let names = [a.clone(), b.clone(), Term::Output];
    let da = Formula::<f64>::trace(|[a, b, y]| p.da(a, b, y)).term(&names)?;
    let db = Formula::<f64>::trace(|[a, b, y]| p.db(a, b, y)).term(&names)?;
    Some(Equation { value: p.written(a, b), slopes: vec![da, db] })
}

/// A [`Pointwise`] function as an op.
pub(crate) struct Map<P>(Value<P>);

impl<P: Pointwise> Map<P> {
    #[track_caller]
    pub(crate) fn record<T: Float>(p: P, x: Var<'_, T>) -> Var<'_, T> {
        x.tape.record(OpRef::Shared(Arc::new(Map(Value(p)))), &[x])
    }
}

/// The function itself as a kernel.
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

/// g · df(x, y) in one pass. What df does not read may be anything of the right shape.
struct Adjoint<'a, P>(&'a P);

impl<T: Float, P: Pointwise> Kernel<3, T, T> for Adjoint<'_, P> {
    const COST: usize = P::COST;
    const PATCHES: bool = P::HAS_ROUGH;
    #[inline(always)]
    fn call(&self, [g, x, y]: [T; 3]) -> T {
        g * self.0.df(x, y)
    }
    #[inline(always)]
    fn is_rough(&self, [_, x, _]: [T; 3]) -> bool {
        self.0.is_rough(x)
    }
    fn patch(&self, [g, x, y]: [T; 3]) -> T {
        g * self.0.df(Exact(x), Exact(y)).0
    }
}

impl<P: Pointwise> Map<P> {
    fn first_order<T: Float>(&self, r: &BackwardContext<'_, T>) -> Result<Cotangents<Tensor<T>>> {
        let g = r.gy()?;
        let x = if P::USES_X { r.x(0)? } else { g };
        let y = if P::USES_Y { r.y()? } else { g };
        Ok(cotangents([Some(pointwise(P::NAME, [g, x, y], &Adjoint(&self.0.0))?)]))
    }
}

impl<T: Float, P: Pointwise> Op<T> for Map<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(pointwise(P::NAME, [x[0]], &self.0)?.into())
    }

    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        cotangents([Some(r.gy() * self.0.0.df(r.x(0), r.y()))])
    }

    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        Some(self.first_order(r))
    }

    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves { inputs: u32::from(P::USES_X), outputs: P::USES_Y }
    }

    fn equation(&self) -> Option<Equation> {
        equation(&self.0.0, Term::Input(0))
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
    /// What `da` and `db` look at, as bits: 1 for a, 2 for b, 4 for y.
    const DA_USES: u8 = 7;
    /// As `DA_USES`.
    const DB_USES: u8 = 7;

    /// The function.
    fn f<F: Float>(&self, a: F, b: F) -> F;

    /// ∂f/∂a, where `y = f(a, b)`.
    fn da<R: Real>(&self, a: R, b: R, y: R) -> R;

    /// ∂f/∂b, where `y = f(a, b)`.
    fn db<R: Real>(&self, a: R, b: R, y: R) -> R;

    /// The function as it is written.
    fn written(&self, a: Term, b: Term) -> Term {
        Term::Call(Self::NAME, vec![a, b])
    }
}

/// A [`Pointwise2`] function as an op.
struct Zip<P>(Value2<P>);

/// The function itself as a kernel.
pub(crate) struct Value2<P>(pub(crate) P);

impl<T: Float, P: Pointwise2> Kernel<2, T, T> for Value2<P> {
    const COST: usize = P::COST;
    #[inline(always)]
    fn call(&self, [a, b]: [T; 2]) -> T {
        self.0.f(a, b)
    }
}

struct Adjoint2<'a, P, const FIRST: bool>(&'a P);

impl<T: Float, P: Pointwise2, const FIRST: bool> Kernel<4, T, T> for Adjoint2<'_, P, FIRST> {
    const COST: usize = P::COST;
    #[inline(always)]
    fn call(&self, [g, a, b, y]: [T; 4]) -> T {
        g * if FIRST { self.0.da(a, b, y) } else { self.0.db(a, b, y) }
    }
}

impl<P: Pointwise2> Zip<P> {
    fn side<T: Float, const FIRST: bool>(
        &self,
        r: &BackwardContext<'_, T>,
        i: usize,
        uses: u8,
    ) -> Result<Tensor<T>> {
        let g = r.gy()?;
        let a = if uses & 1 != 0 { r.x(0)? } else { g };
        let b = if uses & 2 != 0 { r.x(1)? } else { g };
        let y = if uses & 4 != 0 { r.y()? } else { g };
        let gx = pointwise(P::NAME, [g, a, b, y], &Adjoint2::<P, FIRST>(&self.0.0))?;
        Ok(gx.sum_to(r.shape(i))?)
    }

    fn first_order<T: Float>(&self, r: &BackwardContext<'_, T>) -> Result<Cotangents<Tensor<T>>> {
        let a = if r.needs(0) { Some(self.side::<T, true>(r, 0, P::DA_USES)?) } else { None };
        let b = if r.needs(1) { Some(self.side::<T, false>(r, 1, P::DB_USES)?) } else { None };
        Ok(cotangents([a, b]))
    }
}

impl<T: Float, P: Pointwise2> Op<T> for Zip<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(pointwise(P::NAME, [x[0], x[1]], &self.0)?.into())
    }

    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (a, b, y, g) = (r.x(0), r.x(1), r.y(), r.gy());
        cotangents([
            r.when(0, || (g * self.0.0.da(a, b, y)).sum_to(a.raw_shape())),
            r.when(1, || (g * self.0.0.db(a, b, y)).sum_to(b.raw_shape())),
        ])
    }

    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        Some(self.first_order(r))
    }

    fn saves(&self, needs: &[bool]) -> Saves {
        let uses = if needs[0] { P::DA_USES } else { 0 } | if needs[1] { P::DB_USES } else { 0 };
        Saves { inputs: u32::from(uses & 3), outputs: uses & 4 != 0 }
    }

    fn equation(&self) -> Option<Equation> {
        equation_of_two(&self.0.0, Term::Input(0), Term::Input(1))
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Records a pointwise function: the elementwise loop, its derivative, and the rule for higher orders all come
    /// from the two formulas of `p`.
    #[track_caller]
    pub fn pointwise<P: Pointwise>(self, p: P) -> Self {
        Map::record(p, self)
    }

    /// Records a pointwise function of two operands, which broadcast.
    #[track_caller]
    pub fn pointwise2<P: Pointwise2>(self, o: impl crate::Operand<'t, T>, p: P) -> Self {
        let o = o.into_var(self.tape);
        self.tape.record(OpRef::Shared(Arc::new(Zip(Value2(p)))), &[self, o])
    }
}
