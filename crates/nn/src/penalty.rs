//! Penalties on the size of parameters, as terms of a loss.
//!
//! An optimiser's weight decay has the same effect for ℓ² without a term in the loss. Use a penalty for ℓ¹, for a loss that is
//! reported including the penalty, for second derivatives, and with optimisers such as Adam, whose decoupled decay differs.

use crate::module::{Module, for_each_param};
use wengert_tape::{Error, ErrorKind, Float, Tape, Var};

/// λ ‖φ‖₁ over all parameters φ of a module that are not frozen. The gradient is λ sign φ, and 0 at 0.
///
/// A part of a model is a module too, and so is a single parameter:
///
/// ```
/// use wengert_nn::{Linear, penalty};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let mut layer = Linear::<f64>::new(2, 1, &mut Rng::seed(0));
/// layer.weight.set(Tensor::from([[3.0, -4.0]]))?;
/// let tape = Tape::new();
/// let loss = penalty::l1(&layer.weight, &tape, 0.1);       // weights only
/// assert_eq!(loss.item()? as f32, 0.7);
/// assert_eq!(loss.backward()?.of(&layer.weight)?.to_vec(), [0.1, -0.1]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If λ is negative or not finite.
#[doc(alias = "weight_decay")]
#[track_caller]
pub fn l1<'t, T: Float>(module: &dyn Module, tape: &'t Tape<T>, lambda: f64) -> Var<'t, T> {
    if let Some(instead) = without("penalty::l1", tape, lambda) {
        return instead;
    }
    let terms = trainable(module, tape).into_iter().map(|p| p.abs().sum());
    sum(terms, tape) * lambda
}

/// λ/2 ‖φ‖² over all parameters φ of a module that are not frozen. The gradient is λ φ.
///
/// ```
/// use wengert_nn::penalty;
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let p = Param::new(Tensor::from([3.0, -4.0]));
/// let tape = Tape::new();
/// let loss = penalty::l2(&p, &tape, 0.5);
/// assert_eq!(loss.item()?, 0.25 * 25.0);
/// assert_eq!(loss.backward()?.of(&p)?.to_vec(), [1.5, -2.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If λ is negative or not finite.
#[doc(alias = "weight_decay")]
#[track_caller]
pub fn l2<'t, T: Float>(module: &dyn Module, tape: &'t Tape<T>, lambda: f64) -> Var<'t, T> {
    if let Some(instead) = without("penalty::l2", tape, lambda) {
        return instead;
    }
    let terms = trainable(module, tape).into_iter().map(|p| p.square().sum());
    sum(terms, tape) * (0.5 * lambda)
}

/// The failed value if λ is invalid, or 0 if λ is 0, whatever the parameters; `None` if the penalty must be computed.
#[track_caller]
fn without<'t, T: Float>(op: &'static str, tape: &'t Tape<T>, lambda: f64) -> Option<Var<'t, T>> {
    if !(lambda >= 0.0 && lambda.is_finite()) {
        let kind = ErrorKind::Op(wengert_ops::ErrorKind::Argument);
        return Some(tape.failed(Error::new(kind, op, format!("expected λ of at least 0, found {lambda}"))));
    }
    (lambda == 0.0).then(|| tape.constant(0.0))
}

fn trainable<'t, T: Float>(module: &dyn Module, tape: &'t Tape<T>) -> Vec<Var<'t, T>> {
    let mut all = Vec::new();
    for_each_param::<T>(module, &mut |_, p| {
        if p.is_trainable() {
            all.push(tape.param(p));
        }
    });
    all
}

#[track_caller]
fn sum<'t, T: Float>(terms: impl Iterator<Item = Var<'t, T>>, tape: &'t Tape<T>) -> Var<'t, T> {
    terms.reduce(|a, b| a + b).unwrap_or_else(|| tape.constant(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Linear, gradcheck};
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;
    use wengert_tape::Param;

    #[test]
    fn all_parts_count_but_frozen_ones() {
        let mut rng = Rng::seed(0);
        let mut model = vec![Linear::<f64>::new(2, 3, &mut rng), Linear::new(3, 1, &mut rng)];
        let report = gradcheck::check(&mut model, |m, tape| l2(m, tape, 0.3) + l1(m, tape, 0.2), 3).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        model.freeze();
        let tape = Tape::<f64>::new();
        assert_eq!(l1(&model, &tape, 1.0).item().unwrap(), 0.0);
    }

    #[test]
    fn the_slope_at_zero_is_zero_and_decay_is_the_same_step() {
        use crate::optim::{Optimizer, Sgd, SgdConfig};
        let mut p = Param::new(Tensor::from([0.0, 2.0, -3.0]));
        let tape = Tape::new();
        let slope = l1(&p, &tape, 0.5).backward().unwrap();
        assert_eq!(slope.of(&p).unwrap().to_vec(), [0.0, 0.5, -0.5]);
        let mut q = p.clone();
        let penalty = l2(&p, &tape, 0.5).backward().unwrap();
        Sgd::new(0.1).step(&mut p, &penalty).unwrap();
        let nothing = (tape.param(&q) * 0.0).sum().backward().unwrap();
        let config = SgdConfig { learning_rate: 0.1, weight_decay: 0.5, ..SgdConfig::default() };
        Sgd::with_config(config).step(&mut q, &nothing).unwrap();
        assert_eq!(p.value(), q.value());
    }

    #[test]
    fn a_weight_of_zero_is_no_penalty_and_a_negative_one_is_refused() {
        let (p, tape) = (Param::new(Tensor::from([f64::INFINITY])), Tape::new());
        assert_eq!((l1(&p, &tape, 0.0).item().unwrap(), l2(&p, &tape, 0.0).item().unwrap()), (0.0, 0.0));
        for lambda in [-1.0, f64::NAN, f64::INFINITY] {
            for (name, y) in [("penalty::l1", l1(&p, &tape, lambda)), ("penalty::l2", l2(&p, &tape, lambda))]
            {
                let e = y.item().unwrap_err();
                assert!(e.op() == name && e.detail().ends_with(&format!("found {lambda}")), "{e}");
            }
        }
    }
}
