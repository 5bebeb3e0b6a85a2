//! Functions that shrink towards 0: hardshrink is x outside [-λ, λ] and 0 within; softshrink also moves x by λ towards 0
//! (the proximal map of λ|x|); tanhshrink is x - tanh x. Derivatives: of hardshrink and softshrink, 1 outside and 0 within,
//! bounds included; of tanhshrink, tanh² x.

use super::prelude::*;

/// x outside [-λ, λ], moved by λ towards 0 if `SOFT`; 0 within.
#[derive(Debug, Clone, Copy)]
pub struct Shrink<const SOFT: bool> {
    /// λ.
    pub lambda: f64,
}

impl<const SOFT: bool> Pointwise for Shrink<SOFT> {
    const NAME: &'static str = if SOFT { "softshrink" } else { "hardshrink" };
    const COST: usize = 3;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let l = F::from_f64(self.lambda);
        let (above, below) = (x - l, x + l);
        let kept = match (SOFT, x < F::ZERO) {
            (false, _) => x,
            (true, true) => below,
            (true, false) => above,
        };
        // This comparison is false for NaN, so NaN is kept.
        if x.abs() <= l { F::ZERO } else { kept }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let above = R::select(x.le(x.like(self.lambda)), x.like(0.0), x.like(1.0));
        R::select(x.lt(x.like(-self.lambda)), x.like(1.0), above)
    }
}

/// x - tanh x.
#[derive(Debug, Clone, Copy)]
pub struct Tanhshrink;

impl Pointwise for Tanhshrink {
    const NAME: &'static str = "tanhshrink";
    const COST: usize = 10;
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        // Below 1 the difference would cancel. There tanh x is the continued fraction x/(1 + x²/(3 + x²/(5 + ..))), to 17,
        // subtracted from x algebraically.
        let z = x * x;
        let of = |c: f64| F::from_f64(c / 34_459_425.0);
        let above = ((of(44.0) * z + of(12_870.0)) * z + of(810_810.0)) * z + of(11_486_475.0);
        let below = ((of(45.0) * z + of(13_860.0)) * z + of(945_945.0)) * z + of(16_216_200.0);
        let small = x * z * above / (below * z + F::ONE);
        if x.abs() < F::ONE { small } else { x - x.tanh() }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let t = x.apply(super::tanh::Tanh);
        t * t
    }
}

impl<'t, T: Float> Var<'t, T> {
    #[track_caller]
    fn bad_lambda(self, op: &'static str, lambda: f64) -> Option<Var<'t, T>> {
        if lambda >= 0.0 || self.is_failed() {
            return None;
        }
        let detail = format!("expected a lambda of at least 0, found {lambda}");
        Some(refuse(self, op, Kind::Argument, detail))
    }

    /// This value where it is outside [-`lambda`, `lambda`], elsewhere 0; NaN stays NaN. PyTorch's default is 0.5.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(Tensor::from([-2.0, 0.5, 0.75]));
    /// assert_eq!(x.hardshrink(0.5).value()?.to_vec(), [-2.0, 0.0, 0.75]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `lambda` is negative or NaN.
    #[track_caller]
    pub fn hardshrink(self, lambda: f64) -> Self {
        match self.bad_lambda("hardshrink", lambda) {
            Some(failed) => failed,
            None => self.pointwise(Shrink::<false> { lambda }),
        }
    }

    /// This value moved by `lambda` towards 0, but not across it, as in a proximal step with the ℓ¹ penalty; NaN stays NaN.
    /// PyTorch's default is 0.5.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(Tensor::from([-2.0, 0.5, 0.75]));
    /// assert_eq!(x.softshrink(0.5).value()?.to_vec(), [-1.5, 0.0, 0.25]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `lambda` is negative or NaN.
    #[track_caller]
    pub fn softshrink(self, lambda: f64) -> Self {
        match self.bad_lambda("softshrink", lambda) {
            Some(failed) => failed,
            None => self.pointwise(Shrink::<true> { lambda }),
        }
    }

    /// x - tanh x, with derivative tanh² x.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// assert_eq!(tape.var(40.0).tanhshrink().item()?, 39.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn tanhshrink(self) -> Self {
        self.pointwise(Tanhshrink)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    // `Grid` contains the bounds; hardshrink jumps there, so its inputs stay away from them.
    let kinked = Spec::family(&["softshrink"], Order::First, |g, _| {
        let shape = g.shape(0..=3);
        case!(vec![g.tensor(&shape, Domain::Grid)], [], |x| x[0].softshrink(0.5))
    });
    let jumping = Spec::new("hardshrink", Order::Second, |g| {
        let (shape, lambda) = (g.shape(0..=3), g.pick(&[0.2, 3.5]));
        case!(vec![g.tensor(&shape, Domain::NON_ZERO)], [], |x| x[0].hardshrink(lambda))
    });
    let smooth = Spec::unary("tanhshrink", Domain::Real, |x| case!(x, [], |x| x[0].tanhshrink()))
        .at(&[0.0, 1e-9, 1e-4, -1e-2, 0.5, 0.999, -1.0, 1.001, 10.0, 20.0]);
    kinked.into_iter().chain(jumping).chain(smooth).collect()
}
