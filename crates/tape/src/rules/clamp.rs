//! clamp: x kept between two bounds, and hardtanh. Derivative 1 inside and on the bounds, 0 outside.

use super::prelude::*;

/// min(max(x, low), high).
#[derive(Debug, Clone, Copy)]
pub struct Clamp {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Pointwise for Clamp {
    const NAME: &'static str = "clamp";
    const COST: usize = 1;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.maximum(F::from_f64(self.low)).minimum(F::from_f64(self.high))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let below_top = R::select(x.like(self.high).lt(x), x.like(0.0), x.like(1.0));
        R::select(x.lt(x.like(self.low)), x.like(0.0), below_top)
    }
}

impl<T: Float> Var<'_, T> {
    /// Every element kept between two bounds, as PyTorch's `clamp`: gradient 1 inside and at the bounds; NaN
    /// stays NaN, and its gradient passes.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([-3.0, 0.5, 1.0]));
    /// assert_eq!(x.clamp(-1.0, 1.0).sum().backward()?.wrt(x)?.to_vec(), [0.0, 1.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn clamp(self, low: f64, high: f64) -> Self {
        self.pointwise(Clamp { low, high })
    }

    /// `clamp(0, 6)`.
    #[track_caller]
    pub fn relu6(self) -> Self {
        self.clamp(0.0, 6.0)
    }

    /// `clamp(-1, 1)`.
    #[track_caller]
    pub fn hardtanh(self) -> Self {
        self.clamp(-1.0, 1.0)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["clamp", "hardtanh", "relu6"], Order::First, |g, which| {
        let shape = g.shape(0..=3);
        case!(vec![g.tensor(&shape, Domain::Grid)], [], |x| match which {
            0 => x[0].clamp(-0.75, 0.5),
            1 => x[0].hardtanh(),
            _ => (x[0] * 5.0).relu6(),
        })
    })
}
