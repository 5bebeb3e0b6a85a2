//! clamp: x kept between two bounds, and hardtanh. Derivative 1 between the bounds, 0 on them and outside.

use super::prelude::*;
use wengert_ops::broadcast_shapes;

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
        // An infinite bound is none, so that it is not met by an infinite x.
        let mut slope = x.like(1.0);
        if self.high < f64::INFINITY {
            slope = R::select(x.like(self.high).le(x), x.like(0.0), slope);
        }
        if self.low > f64::NEG_INFINITY {
            slope = R::select(x.le(x.like(self.low)), x.like(0.0), slope);
        }
        slope
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Every element kept between bounds of its own: min(max(x, low), high), all three broadcasting. NaN in any of the three is NaN.
    ///
    /// The gradient goes to whichever is taken. An x that is equal to a bound shares it: half to x and half to the bound, as for
    /// [`maximum`](Var::maximum), since the bound is a value too; [`clamp`](Var::clamp), whose bounds are numbers, has 0 there.
    /// Where the bounds cross, `high` is taken. Where they are equal, an x between them has the whole gradient. All this is as
    /// in PyTorch since 2.15.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (x, high) = (tape.var(Tensor::from([-3.0, 0.5, 2.0])), tape.var(Tensor::from([0.0, 1.0, 1.0])));
    /// let y = x.clamp_between(-1.0, high);
    /// assert_eq!(y.value()?.to_vec(), [-1.0, 0.5, 1.0]);
    /// assert_eq!(y.sum().backward()?.wrt(high)?.to_vec(), [0.0, 0.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn clamp_between(self, low: impl Operand<'t, T>, high: impl Operand<'t, T>) -> Self {
        let _scope = self.tape().error_scope("clamp_between");
        let (low, high) = (low.into_var(self.tape()), high.into_var(self.tape()));
        let mut shape = self.raw_shape();
        for bound in [self, low, high] {
            if bound.is_failed() {
                return bound;
            }
            match broadcast_shapes("clamp_between", &shape, &bound.raw_shape()) {
                Ok(wider) => shape = wider,
                Err(e) => return self.tape().failed(e.into()),
            }
        }
        let clamped = self.maximum(low).minimum(high);
        match low.eq(high) {
            Ok(pinned) if pinned.any_true() => {
                let nearest = high.where_cond(self.gt(high), low.where_cond(self.lt(low), self));
                nearest.where_cond(pinned, clamped)
            }
            Ok(_) => clamped,
            Err(e) => self.tape().failed(e),
        }
    }

    /// Every element kept between two bounds: min(max(x, low), high). The gradient is 1 between the bounds and 0 on
    /// them and outside, as in PyTorch since 2.15 and as that of [`relu`](Var::relu) at 0; NaN stays NaN, and its gradient passes.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([-3.0, 0.5, 1.0]));
    /// assert_eq!(x.clamp(-1.0, 1.0).sum().backward()?.wrt(x)?.to_vec(), [0.0, 1.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn clamp(self, low: f64, high: f64) -> Self {
        self.pointwise(Clamp { low, high })
    }

    /// Every element kept from falling below a bound; otherwise as [`clamp`](Var::clamp).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([-3.0, 0.5])).clamp_min(-1.0).value()?.to_vec(), [-1.0, 0.5]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn clamp_min(self, low: f64) -> Self {
        let _scope = self.tape().error_scope("clamp_min");
        self.clamp(low, f64::INFINITY)
    }

    /// Every element kept from rising above a bound; otherwise as [`clamp`](Var::clamp).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([-3.0, 0.5])).clamp_max(0.0).value()?.to_vec(), [-3.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn clamp_max(self, high: f64) -> Self {
        let _scope = self.tape().error_scope("clamp_max");
        self.clamp(f64::NEG_INFINITY, high)
    }

    /// `clamp(0, 6)`: gradient 0 at 0 and 6.
    #[track_caller]
    pub fn relu6(self) -> Self {
        let _scope = self.tape().error_scope("relu6");
        self.clamp(0.0, 6.0)
    }

    /// `clamp(-1, 1)`: gradient 0 at -1 and 1.
    #[track_caller]
    pub fn hardtanh(self) -> Self {
        let _scope = self.tape().error_scope("hardtanh");
        self.clamp(-1.0, 1.0)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["clamp", "hardtanh", "clamp_min", "clamp_max", "relu6"];
    Spec::family(&names, Order::First, |g, which| {
        let shape = g.shape(0..=3);
        case!(vec![g.tensor(&shape, Domain::Grid)], [], |x| match which {
            0 => x[0].clamp(-0.75, 0.5),
            1 => x[0].hardtanh(),
            2 => x[0].clamp_min(-0.75),
            3 => x[0].clamp_max(0.5),
            _ => (x[0] * 5.0).relu6(),
        })
    })
}

pub(super) fn between_spec() -> Spec {
    Spec::new("clamp_between", Order::First, |g| {
        let (a, b) = g.pair();
        // Bounds that meet at x leave no room to move, so finite differences see none.
        let c = g.broadcastable(if a.len() > b.len() { &a } else { &b });
        let x = vec![g.tensor(&a, Domain::Grid), g.tensor(&b, Domain::Grid), g.tensor(&c, Domain::Grid)];
        case!(x, [], |x| x[0].clamp_between(x[1] - 1.75, x[2] + 1.75))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slopes of PyTorch 2.15 at the bounds, and those at what is not finite.
    #[test]
    fn on_a_bound_the_slope_is_zero() {
        type Function = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
        let functions: [(Function, [f64; 7]); 5] = [
            (|x| x.clamp(-1.0, 6.0), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]),
            (|x| x.hardtanh(), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
            (|x| x.relu6(), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]),
            (|x| x.clamp_min(-1.0), [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
            (|x| x.clamp_max(6.0), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0]),
        ];
        let at = [f64::NEG_INFINITY, -1.0, 0.0, 1.0, 6.0, f64::INFINITY, f64::NAN];
        for (i, (f, want)) in functions.into_iter().enumerate() {
            let tape = Tape::new();
            let x = tape.var(Tensor::from(at));
            let recorded = f(x).sum().grad(x).unwrap().value().unwrap().to_vec();
            assert_eq!(recorded, want, "{i}");
            assert_eq!(f(x).sum().backward().unwrap().wrt(x).unwrap().to_vec(), want, "{i}");
        }
    }
}
