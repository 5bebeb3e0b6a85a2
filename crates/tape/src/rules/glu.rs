//! GLU: one half gated by the other (Dauphin et al. 2017), a composite.

use super::prelude::*;
use super::sigmoid::Sigmoid;

/// The sigmoid with its slope as σ(x) σ(-x), which is accurate where 1 - σ(x) has no digits left: multiplied by the first
/// half, they can matter.
#[derive(Debug, Clone, Copy)]
struct Gate;

impl Pointwise for Gate {
    const NAME: &'static str = "sigmoid";
    const COST: usize = Sigmoid::COST;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.sigmoid()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, y: R) -> R {
        y * (-x).apply(Sigmoid)
    }
}

impl<T: Float> Var<'_, T> {
    /// The first half along an axis times σ of the second half; an odd size is an error.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([6.0, 0.0])).glu(0).value()?.to_vec(), [3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn glu(self, axis: isize) -> Self {
        let _scope = self.tape().error_scope("glu");
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let refused = match wengert_ops::normalize_axis("glu", axis, shape.len()) {
            Ok(a) if shape[a].is_multiple_of(2) => {
                let (half, n) = (shape[a] / 2, shape[a]);
                return self.slice(axis, 0..half) * self.slice(axis, half..n).pointwise(Gate);
            }
            Ok(_) => {
                let detail = format!("expected an even size along axis {axis}, found shape {shape}");
                crate::Error::new(crate::ErrorKind::Op(Kind::Shape), "glu", detail)
            }
            Err(e) => e.into(),
        };
        self.tape().failed(refused)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("glu", Order::Second, |g| {
        let mut shape = g.full_shape(1..=3);
        let axis = g.within(0..=shape.len() - 1);
        shape[axis] = if g.is_large() { shape[axis].next_multiple_of(2) } else { 2 * g.within(1..=2) };
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| x[0].glu(axis as isize))
    })
}
