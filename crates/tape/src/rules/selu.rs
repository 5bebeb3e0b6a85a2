//! SELU and CELU: exponential linear units, scaled (Klambauer et al. 2017) and continuously differentiable (Barron 2017).

use super::elu::Elu;
use super::prelude::*;

/// SELU's α: with it and [`SCALE`], activations keep mean 0 and variance 1.
pub const ALPHA: f64 = 1.673_263_242_354_377_3;
/// SELU's λ.
pub const SCALE: f64 = 1.050_700_987_355_480_5;

impl<T: Float> Var<'_, T> {
    /// λ x above 0, λ α (eˣ - 1) below, with the paper's constants.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1.0, -1000.0])).selu().value()?.to_vec();
    /// assert!((y[0] - 1.0507009873554805f64).abs() < 1e-15 && (y[1] + 1.7580993408473766).abs() < 1e-15);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn selu(self) -> Self {
        let _scope = self.tape().error_scope("selu");
        self.pointwise(Elu(ALPHA)) * SCALE
    }

    /// x above 0, α (e^(x/α) - 1) below; its derivative is continuous for any α. `alpha` must not be 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([3.0, -1e6])).celu(2.0).value()?.to_vec(), [3.0, -2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn celu(self, alpha: f64) -> Self {
        let _scope = self.tape().error_scope("celu");
        (self / alpha).pointwise(Elu(1.0)) * alpha
    }
}

pub(super) fn spec() -> Spec {
    Spec::unary("selu", Domain::Kinks(&[0.0]), |x| case!(x, [], |x| x[0].selu()))
        .at(&[-800.0, -104.0, -40.0, -20.0, -0.5, 40.0, 1e4])
}

pub(super) fn celu_spec() -> Spec {
    Spec::unary("celu", Domain::Away(0.02, 20.0), |x| case!(x, [], |x| x[0].celu(1.7)))
        .at(&[-20.0, -0.5, 20.0])
}
