//! a + b, broadcasting. Cotangents: that of the sum, summed over the axes that were broadcast.

use super::prelude::*;
use wengert_ops::kernel::pointwise::{Elementwise, FnKernel, SliceKernel};

struct Add;

impl<T: Float> Op<T> for Add {
    fn name(&self) -> &'static str {
        "add"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].add(x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let side = |i: usize| r.when(i, || r.gy().sum_to(r.x(i).raw_shape()));
        cotangents([side(0), side(1)])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let side = |i: usize| r.needs(i).then(|| Ok(r.gy()?.sum_to(r.shape(i))?)).transpose();
        Some(side(0).and_then(|a| Ok(cotangents([a, side(1)?]))))
    }
    fn equation(&self) -> Option<Equation> {
        let value = Term::Input(0).plus(Term::Input(1));
        Some(Equation { value, slopes: vec![Term::Number(1.0), Term::Number(1.0)] })
    }
    fn elementwise(&self) -> Option<&dyn ElementwiseOp<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> ElementwiseOp<T> for Add {
    fn cost(&self) -> usize {
        1
    }
    fn value(&self, x: &[&[T]], y: &mut [T]) {
        Elementwise(FnKernel(|a: T, b: T| a + b)).run([x[0], x[1]], y);
    }
    fn adjoint(&self, _i: usize, _g: &[T], _x: &[&[T]], _y: &[T], _gx: &mut [T]) {
        // The slope is constant.
    }
    fn reads(&self, _i: usize) -> Saves {
        Saves::NOTHING
    }
    fn slope(&self, _i: usize) -> Option<f64> {
        Some(1.0)
    }
}

#[track_caller]
pub(crate) fn add<'t, T: Float>(a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
    a.tape().apply_static(&Add, &[a, b])
}

pub(super) fn spec() -> Spec {
    Spec::new("add", Order::Second, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real)], [], |x| x[0] + x[1])
    })
}
