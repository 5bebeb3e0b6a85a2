//! Gradient checks of whole models, along random directions of all parameters together.
//!
//! The full Jacobian of a model is out of reach, but a direction is enough to catch any wrong parameter with
//! probability one: ⟨∇L, v⟩ by the tape against the difference quotient of L along v; and for the second order
//! H v, the gradient of ⟨∇L, v⟩, against the difference quotient of ∇L.

use crate::module::{GradsExt, Module, for_each_param, for_each_param_mut};
use wengert_ops::Tensor;
use wengert_ops::random::{Key, normal};
use wengert_tape::{Grads, Param, Result, Tape, Var};

/// What a [`check`] found: relative errors of every direction.
#[derive(Debug, Clone, PartialEq)]
pub struct ModuleReport {
    /// |difference quotient - ⟨∇L, v⟩| / (1 + |⟨∇L, v⟩|), a number per direction.
    pub first: Vec<f64>,
    /// The largest |difference quotient - H v| / (1 + |H v|) over all elements, a number per direction.
    pub second: Vec<f64>,
    /// The names of parameters that got no gradient.
    pub unused: Vec<String>,
}

impl ModuleReport {
    /// The worst error of either order.
    pub fn worst(&self) -> f64 {
        self.first.iter().chain(&self.second).fold(0.0, |a, &b| a.max(b))
    }
}

/// Checks the gradient of `loss` with respect to all parameters of a model, along `directions` random directions, to
/// the second order. An error of 10⁻⁶ or less is a pass; a ReLU near its kink gives more.
///
/// The tape trains with a fixed seed, so that dropout draws the same at every evaluation.
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
/// assert!(report.worst() < 1e-6, "{report:?}");
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
    let mut report = ModuleReport { first: Vec::new(), second: Vec::new(), unused: Vec::new() };
    let start = values(model);
    for d in 0..directions {
        let direction: Vec<Tensor<f64>> = start
            .iter()
            .enumerate()
            .map(|(i, t)| normal(t.shape(), 0.0, 1.0, Key { seed: d as u64, stream: i as u64 }))
            .collect::<wengert_ops::Result<_>>()?;
        let (gradient, curvature) = first_and_second(model, &loss, &direction, &mut report.unused)?;
        let slope = dot(&gradient, &direction);
        let h = 1e-4;
        let mut at = |t: f64| -> Result<(f64, Vec<Tensor<f64>>)> {
            set(model, &start, &direction, t)?;
            let tape = Tape::train(0);
            let l = loss(model, &tape);
            let value = l.item()?;
            Ok((value, gradients(model, &l.backward()?)?))
        };
        let (l1, r1, l2, r2) = (at(-h)?, at(h)?, at(-2.0 * h)?, at(2.0 * h)?);
        set(model, &start, &direction, 0.0)?;
        // Fourth-order central differences.
        let quotient = |l1: f64, r1: f64, l2: f64, r2: f64| (8.0 * (r1 - l1) - (r2 - l2)) / (12.0 * h);
        report.first.push((quotient(l1.0, r1.0, l2.0, r2.0) - slope).abs() / (1.0 + slope.abs()));
        let mut worst: f64 = 0.0;
        for (i, hv) in curvature.iter().enumerate() {
            let each = [&l1.1[i], &r1.1[i], &l2.1[i], &r2.1[i]].map(Tensor::to_vec);
            for (k, hv) in hv.to_vec().into_iter().enumerate() {
                let want = quotient(each[0][k], each[1][k], each[2][k], each[3][k]);
                worst = worst.max((want - hv).abs() / (1.0 + hv.abs()));
            }
        }
        report.second.push(worst);
    }
    Ok(report)
}

/// The relative errors of the first order alone, with steps of size `step` along `directions` random directions: for models with
/// kinks (ReLU, largest of a window), of which hardly any lies so close to the parameters if the step is small, say 10⁻⁶.
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
    let start = values(model);
    let mut errors = Vec::with_capacity(directions);
    for d in 0..directions {
        let direction: Vec<Tensor<f64>> = start
            .iter()
            .enumerate()
            .map(|(i, t)| normal(t.shape(), 0.0, 1.0, Key { seed: d as u64, stream: i as u64 }))
            .collect::<wengert_ops::Result<_>>()?;
        let tape = Tape::train(0);
        let gradient = gradients(model, &loss(model, &tape).backward()?)?;
        let slope = dot(&gradient, &direction);
        let mut at = |t: f64| -> Result<f64> {
            set(model, &start, &direction, t)?;
            loss(model, &Tape::train(0)).item()
        };
        let quotient = (at(step)? - at(-step)?) / (2.0 * step);
        set(model, &start, &direction, 0.0)?;
        errors.push((quotient - slope).abs() / (1.0 + slope.abs()));
    }
    Ok(errors)
}

/// A tensor per parameter, in the model's order.
type Tensors = Vec<Tensor<f64>>;

/// ∇L and H v.
fn first_and_second<M: Module>(
    model: &M,
    loss: &impl for<'t> Fn(&M, &'t Tape<f64>) -> Var<'t, f64>,
    direction: &[Tensor<f64>],
    unused: &mut Vec<String>,
) -> Result<(Tensors, Tensors)> {
    let tape = Tape::train(0);
    let mut params = Vec::new();
    for_each_param::<f64>(model, &mut |_, p| params.push(tape.param(p)));
    let l = loss(model, &tape);
    let one = tape.constant(Tensor::full_like(&l.value()?, 1.0));
    let gradient = tape.grad(&[(l, one)], &params)?;
    let seeds: Vec<_> = gradient.iter().zip(direction).map(|(g, v)| (*g, tape.constant(v))).collect();
    let curvature = tape.grad(&seeds, &params)?;
    let first: Vec<Tensor<f64>> = gradient.iter().map(|g| g.value()).collect::<Result<_>>()?;
    let second = curvature.iter().map(|g| g.value()).collect::<Result<_>>()?;
    *unused = l.backward()?.unused(model);
    Ok((first, second))
}

fn dot(a: &[Tensor<f64>], b: &[Tensor<f64>]) -> f64 {
    a.iter().zip(b).flat_map(|(a, b)| a.to_vec().into_iter().zip(b.to_vec())).map(|(a, b)| a * b).sum()
}

fn values(model: &dyn Module) -> Vec<Tensor<f64>> {
    let mut all = Vec::new();
    for_each_param::<f64>(model, &mut |_, p: &Param<f64>| all.push(p.value().clone()));
    all
}

fn gradients(model: &dyn Module, grads: &Grads<f64>) -> Result<Vec<Tensor<f64>>> {
    let mut all = Vec::new();
    for_each_param::<f64>(model, &mut |_, p| {
        let zero = || Tensor::full_like(p.value(), 0.0);
        all.push(grads.get(p.id()).cloned().unwrap_or_else(zero));
    });
    Ok(all)
}

/// Moves the parameters to start + t · direction.
fn set(model: &mut dyn Module, start: &[Tensor<f64>], direction: &[Tensor<f64>], t: f64) -> Result<()> {
    let mut outcome = Ok(());
    let mut places = start.iter().zip(direction);
    for_each_param_mut::<f64>(model, &mut |_, p| {
        if let (Some((s, v)), true) = (places.next(), outcome.is_ok()) {
            outcome = s.add(&v.scale(t)).map_err(Into::into).and_then(|value| p.set(value));
        }
    });
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zoo::{Mlp, MlpConfig};
    use crate::{Activation, Layer, loss};
    use wengert_ops::random::Rng;

    #[test]
    fn models_pass_and_a_cut_gradient_is_caught() {
        let config = MlpConfig { widths: vec![4, 6, 5, 3], activation: Activation::Gelu, dropout: 0.3 };
        let mut net = Mlp::<f64>::new(&config, &mut Rng::seed(1));
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
