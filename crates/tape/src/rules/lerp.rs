//! Linear interpolation x + w (y - x), broadcasting. Derivatives: 1 - w, w and y - x.

use super::prelude::*;
use wengert_ops::kernel::pointwise::{FnKernel, pointwise};

struct Lerp;

impl<T: Float> Op<T> for Lerp {
    fn name(&self) -> &'static str {
        "lerp"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(pointwise("lerp", [x[0], x[1], x[2]], &FnKernel(|x: T, y: T, w: T| x + w * (y - x)))?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (g, x, y, w) = (r.gy(), r.x(0), r.x(1), r.x(2));
        cotangents([
            r.when(0, || (g - g * w).sum_to(x.raw_shape())),
            r.when(1, || (g * w).sum_to(y.raw_shape())),
            r.when(2, || (g * (y - x)).sum_to(w.raw_shape())),
        ])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let g = r.gy()?;
            let mut out = cotangents([None, None, None]);
            if r.needs(0) {
                let rest = pointwise("lerp", [g, r.x(2)?], &FnKernel(|g: T, w: T| g - g * w))?;
                out[0] = Some(rest.sum_to(r.shape(0))?);
            }
            if r.needs(1) {
                out[1] = Some(g.mul(r.x(2)?)?.sum_to(r.shape(1))?);
            }
            if r.needs(2) {
                let by = FnKernel(|g: T, x: T, y: T| g * (y - x));
                out[2] = Some(pointwise("lerp", [g, r.x(0)?, r.x(1)?], &by)?.sum_to(r.shape(2))?);
            }
            Ok(out)
        };
        Some(adjoint())
    }
    fn saves(&self, needs: &[bool]) -> Saves {
        let ends = if needs[2] { 0b011 } else { 0 };
        let weight = if needs[0] || needs[1] { 0b100 } else { 0 };
        Saves { inputs: ends | weight, outputs: false }
    }
    /// A difference, a product and a sum.
    fn flops(&self, _inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        3 * outputs[0].numel() as u64
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// This value moved towards another by the fraction w: x + w (y - x); all three broadcast.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([2.0])).lerp(Tensor::from([6.0]), 0.25).item()?, 3.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn lerp(self, to: impl Operand<'t, T>, weight: impl Operand<'t, T>) -> Self {
        let _scope = self.tape().error_scope("lerp");
        let (to, weight) = (to.into_var(self.tape()), weight.into_var(self.tape()));
        self.tape().apply_static(&Lerp, &[self, to, weight])
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("lerp", Order::Second, |g| {
        let (a, b) = g.pair();
        let w = g.broadcastable(&b);
        let x = vec![g.tensor(&a, Domain::Real), g.tensor(&b, Domain::Real), g.tensor(&w, Domain::Real)];
        case!(x, [], |x| x[0].lerp(x[1], x[2]))
    })
}
