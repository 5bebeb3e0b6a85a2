//! atan2: the angle of the point (b, a), in radians, broadcasting. Derivatives: b/(a² + b²) and -a/(a² + b²).

use super::prelude::*;

/// The angle of the point (b, a), in radians.
#[derive(Debug, Clone, Copy)]
pub struct Atan2;

impl Pointwise2 for Atan2 {
    const NAME: &'static str = "atan2";
    const COST: usize = 10;
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, a: F, b: F) -> F {
        a.atan2(b)
    }
    #[inline(always)]
    fn da<R: Real>(&self, a: R, b: R, _y: R) -> R {
        b / (a * a + b * b)
    }
    #[inline(always)]
    fn db<R: Real>(&self, a: R, b: R, _y: R) -> R {
        -a / (a * a + b * b)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// The angle of the point (b, a), in radians, with this value as a; operands broadcast. Its derivatives are b/(a² + b²)
    /// and -a/(a² + b²).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1.0])).atan2(Tensor::from([1.0]));
    /// assert!((y.item()? - [std::f64::consts::FRAC_PI_4][0] as f64).abs() < 1e-12);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn atan2(self, b: impl Operand<'t, T>) -> Self {
        self.pointwise2(b, Atan2)
    }
}

pub(super) fn spec() -> Spec {
    Spec::new("atan2", Order::Second, |g| {
        let (a, b) = g.pair();
        case!(vec![g.tensor(&a, Domain::NON_ZERO), g.tensor(&b, Domain::Real)], [], |x| x[0].atan2(x[1]))
    })
    .at(&[0.0, -0.5, 1.0, -1.0, 1e-9, 1e4, -1e4])
}
