//! Gradient checks of whole models, along random directions.
//!
//! The full Jacobian of a model is too large to check, but a random direction reveals any wrong parameter with
//! probability one: ⟨∇L, v⟩ from the tape is compared with differences of L along v. For the second order, H v, the gradient
//! of ⟨∇L, v⟩, is compared with differences of ∇L. [`ModuleCheck`] does this for all parameters together and for each alone, in
//! training and in evaluation, and finds the wrong element. [`check`] and [`check_slopes`] are shortcuts for common cases.
//!
//! [`assert_gradients`] is the same in one line of a test. [`TrainingCheck`] has assertions about the steps of a training loop.
//!
//! [`wengert_tape::gradcheck`] defines when two derivatives count as equal.

mod check;
mod compare;
mod line;
mod report;
mod subject;
mod training;

pub use check::ModuleCheck;
pub use report::{Compared, Mode, ModuleMismatch, ModuleReport, Setting};
pub use training::{TrainingCheck, assert_gradients, assert_no_unused_parameters};

use crate::module::Module;
use wengert_tape::{Result, Tape, Var};

/// Checks the gradient of `loss` with respect to all parameters of a model, along `directions` random directions, to
/// the second order, on a training tape: a [`ModuleCheck`] with the default tolerance.
///
/// ```
/// use wengert_nn::{Layer, Linear, gradcheck, loss};
/// use wengert_ops::{Tensor, random::Rng};
/// let mut model = Linear::<f64>::new(3, 2, &mut Rng::seed(0));
/// let x = Tensor::from([[0.1, -0.4, 0.7], [1.0, 0.0, -1.0]]);
/// let report = gradcheck::check(
///     &mut model,
///     |model, tape| loss::mse(model.forward(tape.constant(&x)).tanh(), Tensor::from([[0.0, 1.0], [1.0, 0.0]])),
///     3,
/// )?;
/// assert!(report.passed() && report.worst() < 1e-6, "{report}");
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If the loss fails or is not a scalar.
pub fn check<M: Module>(
    model: &mut M,
    loss: impl for<'t> Fn(&M, &'t Tape<f64>) -> Var<'t, f64>,
    directions: usize,
) -> Result<ModuleReport> {
    ModuleCheck::new("model").modes([Mode::Training]).directions(directions).run(model, loss)
}

/// The relative errors of the first order only, along `directions` random directions, on a training tape: for models with
/// kinks (ReLU, max pools). `step` is the step that is tried first; a small one, such as 10⁻⁶, rarely crosses a kink. If a
/// fault belongs to no direction, or nothing was compared, there is one more number at the end, which is large or NaN.
///
/// ```
/// use wengert_nn::{Activation, Layer, Linear, Sequential, gradcheck, loss};
/// use wengert_ops::{Tensor, random::Rng};
/// let mut rng = Rng::seed(0);
/// let mut model = Sequential::<f64>::new()
///     .push(Linear::new(3, 8, &mut rng))
///     .push(Activation::Relu)
///     .push(Linear::new(8, 2, &mut rng));
/// let x = Tensor::from([[0.1, -0.4, 0.7], [1.0, 0.0, -1.0]]);
/// let labels = Tensor::from([0, 1]);
/// let errors = gradcheck::check_slopes(
///     &mut model,
///     |model, tape| loss::cross_entropy(model.forward(tape.constant(&x)), &labels),
///     3,
///     1e-6,
/// )?;
/// assert!(errors.iter().all(|e| *e < 1e-7), "{errors:?}");
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If the loss fails or is not a scalar.
pub fn check_slopes<M: Module>(
    model: &mut M,
    loss: impl for<'t> Fn(&M, &'t Tape<f64>) -> Var<'t, f64>,
    directions: usize,
    step: f64,
) -> Result<Vec<f64>> {
    let check = ModuleCheck::new("model").modes([Mode::Training]).first_order();
    let report = check.directions(directions).step(step).run(model, loss)?;
    let (passed, worst) = (report.passed(), report.worst());
    let mut errors = report.first;
    // A fault of a single parameter, or of no parameter, belongs to no direction.
    errors.extend((!passed).then_some(worst));
    Ok(errors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::{Mlp, MlpConfig};
    use crate::{Activation, Layer, loss};
    use wengert_ops::{Tensor, random::Rng};

    #[test]
    fn models_pass_and_a_cut_gradient_is_caught() {
        let config = MlpConfig { widths: vec![4, 6, 5, 3], activation: Activation::Gelu, dropout: 0.3 };
        let mut net = Mlp::<f64>::with_config(&config, &mut Rng::seed(1));
        let x: Tensor<f64> = Tensor::randn([7, 4], &mut Rng::seed(2)).unwrap();
        let labels = Tensor::from([0i64, 1, 2, 0, 1, 2, 0]);
        let good =
            check(&mut net, |net, tape| loss::cross_entropy(net.forward(tape.constant(&x)), &labels), 4)
                .unwrap();
        assert!(good.worst() < 1e-6 && good.unused.is_empty(), "{good:?}");
        let cut = check(
            &mut net,
            |net, tape| {
                let y = net.forward(tape.constant(&x));
                loss::cross_entropy(y + y.square().detach(), &labels)
            },
            2,
        );
        assert!(cut.unwrap().first.iter().any(|e| *e > 1e-3));
    }
}
