//! PReLU: ReLU with a learned slope below 0 (He et al. 2015). Derivatives: 1 above 0 and the slope below; for the slope, 0
//! above and x below.

use super::prelude::*;

/// a above 0, a b below.
#[derive(Debug, Clone, Copy)]
pub struct Prelu;

impl Pointwise2 for Prelu {
    const NAME: &'static str = "prelu";
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 1;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        if a <= F::ZERO { a * b } else { a }
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        R::select(a.le(a.like(0.0)), b, a.like(1.0))
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, _b: R, _y: R) -> R {
        R::select(a.le(a.like(0.0)), a, a.like(0.0))
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// This value above 0, `slope` times it below; the slope broadcasts, as `[channels, 1, 1]` does over images.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let slope = tape.var(Tensor::from([0.25]));
    /// let y = tape.constant(Tensor::from([-4.0, 2.0])).prelu(slope);
    /// assert_eq!(y.value()?.to_vec(), [-1.0, 2.0]);
    /// assert_eq!(y.sum().backward()?.wrt(slope)?.to_vec(), [-4.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn prelu(self, slope: impl Operand<'t, T>) -> Self {
        self.pointwise2(slope, Prelu)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("prelu", Order::First, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::Kinks(&[0.0])), g.tensor(&b, Domain::Real)], [], |x| x[0].prelu(x[1]))
    })
}
