//! normal_pdf: the standard normal density φ(x) = e^(-x²/2)/√(2π). Derivative: -x φ(x).

use super::prelude::*;

/// 1/√(2π).
const INV_SQRT_TAU: f64 = 0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;

/// The standard normal density e^(-x²/2)/√(2π).
#[derive(Debug, Clone, Copy)]
pub struct NormalPdf;

impl Pointwise for NormalPdf {
    const NAME: &'static str = "normal_pdf";
    const COST: usize = 6;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        (F::from_f64(-0.5) * x * x).exp() * F::from_f64(INV_SQRT_TAU)
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, y: R) -> R {
        // In the tails the density is exactly zero, also where x is infinite.
        R::select(y.equals(y.like(0.0)), y, -(x * y))
    }
}

impl<T: Float> Var<'_, T> {
    /// The standard normal density φ(x) = e^(-x²/2)/√(2π). Its derivative is -x φ(x).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.0, 1.0, f64::INFINITY]));
    /// let y = x.normal_pdf();
    /// assert!((y.value()?.to_vec()[0] - 0.3989422804014327).abs() < 1e-15);
    /// let slope = y.sum().backward()?.wrt(x)?;
    /// assert!((slope.to_vec()[1] + 0.24197072451914337).abs() < 1e-15);
    /// assert_eq!(slope.to_vec()[2], 0.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn normal_pdf(self) -> Self {
        self.pointwise(NormalPdf)
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("normal_pdf", Domain::Real, |x| case!(x, [], |x| x[0].normal_pdf()))
        .at(&[0.0, 1e-9, 1.0, -5.0, 13.0, -13.0, 38.0])
}
