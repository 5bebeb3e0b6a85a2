//! Dropout (Srivastava et al. 2014), inverted: each element is dropped with probability p and the others are divided by 1 -
//! p, so that evaluation needs no scaling. The op stores its key of the tape's random stream; it is linear, so its adjoint
//! is the same op.

use super::prelude::*;
use wengert_ops::kernel::pointwise::{Elementwise, FnKernel, SliceKernel};
use wengert_ops::random::{Key, bernoulli};

#[derive(Clone, Copy)]
struct Dropout {
    p: f64,
    key: Key,
}

impl Dropout {
    /// What each element is multiplied by.
    fn factors<T: Float>(&self, shape: &Shape) -> wengert_ops::Result<Tensor<T>> {
        let keep = 1.0 - self.p;
        let scale = if keep > 0.0 { 1.0 / keep } else { 0.0 };
        bernoulli(shape, keep, scale, self.key).map_err(|e| e.in_op("dropout"))
    }
}

impl<T: Float> Op<T> for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("p = {}", self.p))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let mask = self.factors(x[0].shape())?;
        Ok(ForwardOutput { outputs: [x[0].mul(&mask)?].into_iter().collect(), saved: vec![mask] })
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let g = r.gy();
        cotangents([Some(g.tape().apply(*self, &[g]))])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> { Ok(cotangents([Some(r.gy()?.mul(r.saved(0)?)?)])) };
        Some(adjoint())
    }
    fn elementwise(&self) -> Option<&dyn ElementwiseOp<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> ElementwiseOp<T> for Dropout {
    fn cost(&self) -> usize {
        1
    }
    fn value(&self, x: &[&[T]], y: &mut [T]) {
        Elementwise(FnKernel(|x: T, m: T| x * m)).run([x[0], x[1]], y);
    }
    fn adjoint(&self, _i: usize, g: &[T], x: &[&[T]], _y: &[T], gx: &mut [T]) {
        Elementwise(FnKernel(|g: T, m: T| g * m)).run([g, x[1]], gx);
    }
    fn reads(&self, _i: usize) -> Saves {
        Saves::NOTHING
    }
    fn prepare(&self, output: &Shape) -> wengert_ops::Result<Vec<Tensor<T>>> {
        Ok(vec![self.factors(output)?])
    }
}

impl<T: Float> Var<'_, T> {
    /// On a training tape, each element is dropped with probability `p` and the others are divided by 1 - p; on any other
    /// tape, the value itself.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// use wengert_tape::Tape;
    /// let x = Tensor::from([1.0; 8]);
    /// let (a, b) = (Tape::train(7), Tape::train(7));
    /// let y = a.var(&x).dropout(0.5).value()?;
    /// assert!(y.to_vec().iter().all(|&v| v == 0.0 || v == 2.0));
    /// assert_eq!(y, b.var(&x).dropout(0.5).value()?);              // the same seed
    /// assert_eq!(x, Tape::new().var(&x).dropout(0.5).value()?);    // evaluation
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn dropout(self, p: f64) -> Self {
        if !(0.0..=1.0).contains(&p) {
            let detail = format!("expected a probability, found {p}");
            return refuse(self, "dropout", Kind::Argument, detail);
        }
        if !self.tape().is_training() || p == 0.0 {
            return self;
        }
        self.tape().apply(Dropout { p, key: self.tape().next_key() }, &[self])
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("dropout", Order::Second, |g| {
        let (shape, seed) = (g.shape(0..=3), g.seed());
        // The op is applied whatever the tape's mode, because a check needs the same draw at each evaluation.
        let op = Dropout { p: 0.4, key: Key { seed, stream: 0 } };
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| x[0].tape().apply(op, &[x[0]]))
    })
}
