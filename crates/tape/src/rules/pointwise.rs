//! Pointwise functions: two formulas determine the kernel, the rule, and every higher order.

use crate::error::Result;
use crate::formula::Formula;
use crate::number::{Exact, Float, Pointwise, Pointwise2, Value, Value2};
use crate::tape::op::{
    BackwardContext, Cotangents, ElementwiseOp, ForwardOutput, Op, OpRef, Saves, VjpContext, cotangents,
};
use crate::tape::var::Var;
use crate::term::{Equation, Term};
use std::sync::Arc;
use wengert_ops::Tensor;
use wengert_ops::kernel::pointwise::{Elementwise, Kernel, SliceKernel, pointwise};

/// The formulas of a function and its derivative, for an operand written as `x`.
pub(crate) fn equation<P: Pointwise>(p: &P, x: Term) -> Option<Equation> {
    let slope = Formula::<f64>::trace(|[x, y]| p.df(x, y)).term(&[x.clone(), Term::Output])?;
    Some(Equation { value: p.written(x), slopes: vec![slope] })
}

/// As [`equation`], for two operands.
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

/// g · df(x, y) in one pass. An argument that df does not read may be any tensor of the right shape.
struct Adjoint<P>(P);

impl<T: Float, P: Pointwise> Kernel<3, T, T> for Adjoint<P> {
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
    /// Whether the derivative is 1 everywhere, so that the cotangent is handed on as it is.
    fn slope_is_one<T: Float>(&self) -> bool {
        !P::USES_X && !P::USES_Y && self.0.0.df(T::ZERO, T::ZERO) == T::ONE
    }

    fn first_order<T: Float>(&self, r: &BackwardContext<'_, T>) -> Result<Cotangents<Tensor<T>>> {
        let g = r.gy()?;
        if self.slope_is_one::<T>() {
            return Ok(cotangents([Some(g.clone())]));
        }
        let x = if P::USES_X { r.x(0)? } else { g };
        let y = if P::USES_Y { r.y()? } else { g };
        Ok(cotangents([Some(pointwise(P::NAME, [g, x, y], &Adjoint(self.0.0.clone()))?)]))
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

    fn elementwise(&self) -> Option<&dyn ElementwiseOp<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves { inputs: u32::from(P::USES_X), outputs: P::USES_Y }
    }

    fn equation(&self) -> Option<Equation> {
        equation(&self.0.0, Term::Input(0))
    }
}

impl<T: Float, P: Pointwise> ElementwiseOp<T> for Map<P> {
    fn cost(&self) -> usize {
        P::COST
    }
    fn value(&self, x: &[&[T]], y: &mut [T]) {
        Elementwise::of(&self.0).run([x[0]], y);
    }
    fn adjoint(&self, _i: usize, g: &[T], x: &[&[T]], y: &[T], gx: &mut [T]) {
        let x = if P::USES_X { x[0] } else { g };
        let y = if P::USES_Y { y } else { g };
        Elementwise(Adjoint(self.0.0.clone())).run([g, x, y], gx);
    }
    fn reads(&self, _i: usize) -> Saves {
        Saves { inputs: u32::from(P::USES_X), outputs: P::USES_Y }
    }
    fn slope(&self, _i: usize) -> Option<f64> {
        self.slope_is_one::<T>().then_some(1.0)
    }
}

/// A [`Pointwise2`] function as an op.
struct Zip<P>(Value2<P>);

struct Adjoint2<P, const FIRST: bool>(P);

impl<T: Float, P: Pointwise2, const FIRST: bool> Kernel<4, T, T> for Adjoint2<P, FIRST> {
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
        let gx = pointwise(P::NAME, [g, a, b, y], &Adjoint2::<P, FIRST>(self.0.0.clone()))?;
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

    fn elementwise(&self) -> Option<&dyn ElementwiseOp<T>> {
        Some(self)
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        let uses = if needs[0] { P::DA_USES } else { 0 } | if needs[1] { P::DB_USES } else { 0 };
        Saves { inputs: u32::from(uses & 3), outputs: uses & 4 != 0 }
    }

    fn equation(&self) -> Option<Equation> {
        equation_of_two(&self.0.0, Term::Input(0), Term::Input(1))
    }
}

impl<T: Float, P: Pointwise2> ElementwiseOp<T> for Zip<P> {
    fn cost(&self) -> usize {
        P::COST
    }
    fn value(&self, x: &[&[T]], y: &mut [T]) {
        Elementwise::of(&self.0).run([x[0], x[1]], y);
    }
    fn adjoint(&self, i: usize, g: &[T], x: &[&[T]], y: &[T], gx: &mut [T]) {
        let uses = if i == 0 { P::DA_USES } else { P::DB_USES };
        let a = if uses & 1 != 0 { x[0] } else { g };
        let b = if uses & 2 != 0 { x[1] } else { g };
        let y = if uses & 4 != 0 { y } else { g };
        if i == 0 {
            Elementwise(Adjoint2::<P, true>(self.0.0.clone())).run([g, a, b, y], gx);
        } else {
            Elementwise(Adjoint2::<P, false>(self.0.0.clone())).run([g, a, b, y], gx);
        }
    }
    fn reads(&self, i: usize) -> Saves {
        let uses = if i == 0 { P::DA_USES } else { P::DB_USES };
        Saves { inputs: u32::from(uses & 3), outputs: uses & 4 != 0 }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Records a pointwise function. The elementwise loop, its derivative, and the rule for higher orders all come from the
    /// two formulas of `p`.
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
