//! Noise in training: [`GaussianNoise`] on values, [`NoisyWeights`] on a layer's parameters.

use crate::layers::{Layer, refused};
use crate::module::{Module, ModulePath, Visitor, VisitorMut, for_each_param};
use wengert_ops::random;
use wengert_tape::{Float, Var};

/// On a training tape, adds normal noise with mean 0 and standard deviation `std`, drawn from the tape's random stream; on
/// any other, the identity. The output has the shape of the input.
///
/// ```
/// use wengert_nn::{GaussianNoise, Layer};
/// use wengert_ops::Tensor;
/// use wengert_tape::Tape;
/// let (x, noise) = (Tensor::<f64>::zeros([10_000]), GaussianNoise::new(0.5));
/// let tape = Tape::train(0);
/// let y = noise.forward(tape.constant(&x));
/// assert!((y.square().mean().item()? - 0.25).abs() < 0.02);
/// assert_eq!(noise.forward(Tape::eval().constant(&x)).value()?, x);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, crate::Module)]
pub struct GaussianNoise {
    /// The standard deviation of the noise.
    pub std: f64,
}

impl GaussianNoise {
    /// Noise with standard deviation `std`, which is checked when the layer is used.
    pub fn new(std: f64) -> Self {
        GaussianNoise { std }
    }
}

impl<T: Float> Layer<T> for GaussianNoise {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        if x.is_failed() {
            return x;
        }
        if !valid(self.std) {
            return refused(tape, "gaussian_noise", wanted(self.std));
        }
        if !tape.is_training() || self.std == 0.0 {
            return x;
        }
        x + tape.constant(random::normal(x.shape().as_shape(), 0.0, self.std, tape.next_key()))
    }
}

fn valid(std: f64) -> bool {
    std >= 0.0 && std.is_finite()
}

fn wanted(std: f64) -> String {
    format!("expected a standard deviation, found {std}")
}

/// A layer whose parameters all receive new normal noise at each use on a training tape, and none on any other. This
/// regulariser prefers flat regions of the loss. The gradient is the one at the noisy weights, and is applied to the weights
/// themselves.
///
/// Names in a state dict are the inner layer's, so they are the same with and without noise.
///
/// ```
/// use wengert_nn::{Layer, Linear, Module, NoisyWeights};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let layer = NoisyWeights::new(Linear::<f64>::new(2, 3, &mut Rng::seed(0)), 0.1);
/// assert_eq!(layer.param_names(), ["weight", "bias"]);
/// let x = Tensor::ones([1, 2]);
/// let tape = Tape::train(0);
/// let (a, b) = (layer.forward(tape.constant(&x)).value()?, layer.forward(tape.constant(&x)).value()?);
/// assert_ne!(a, b);
/// let tape = Tape::eval();
/// assert_eq!(layer.forward(tape.constant(&x)).value()?, layer.layer.forward(tape.constant(&x)).value()?);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NoisyWeights<L> {
    /// The inner layer.
    pub layer: L,
    /// The standard deviation of the noise.
    pub std: f64,
}

impl<L> NoisyWeights<L> {
    /// Noise with standard deviation `std`, which is checked when the layer is used, on the parameters of `layer`.
    pub fn new(layer: L, std: f64) -> Self {
        NoisyWeights { layer, std }
    }
}

impl<L: Module> Module for NoisyWeights<L> {
    fn kind(&self) -> &'static str {
        self.layer.kind()
    }
    fn visit(&self, path: &mut ModulePath, visitor: &mut dyn Visitor) {
        self.layer.visit(path, visitor);
    }
    fn visit_mut(&mut self, path: &mut ModulePath, visitor: &mut dyn VisitorMut) {
        self.layer.visit_mut(path, visitor);
    }
}

impl<T: Float, L: Layer<T>> Layer<T> for NoisyWeights<L> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (tape, std) = (x.tape(), self.std);
        if !valid(std) {
            return refused(tape, "noisy_weights", wanted(std));
        }
        if !tape.is_training() || std == 0.0 {
            return self.layer.forward(x);
        }
        // The noisy values replace the parameters until `noisy` is dropped. The walk requires a closure, so an error about a
        // weight that is not finite names the weight but not the caller's line.
        let mut noisy = Vec::new();
        for_each_param::<T>(&self.layer, &mut |_, p| {
            let noise = tape.constant(random::normal(p.shape(), 0.0, std, tape.next_key()));
            noisy.push(tape.substitute(p, tape.param(p) + noise));
        });
        self.layer.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{BatchNorm, Linear, Sequential};
    use crate::optim::{Optimizer, Sgd};
    use crate::{gradcheck, loss};
    use wengert_ops::Tensor;
    use wengert_ops::random::Rng;
    use wengert_tape::Tape;

    fn net(std: f64) -> Sequential<f64> {
        let mut rng = Rng::seed(0);
        Sequential::new()
            .push(GaussianNoise::new(0.3))
            .push(NoisyWeights::new(Linear::new(3, 4, &mut rng), std))
            .push(BatchNorm::new(4))
            .push(NoisyWeights::new(NoisyWeights::new(Linear::new(4, 2, &mut rng), std), std))
    }

    #[test]
    fn gradients_are_those_at_the_noisy_weights() {
        let x = Tensor::randn([5, 3], &mut Rng::seed(1)).unwrap();
        let goal = Tensor::randn([5, 2], &mut Rng::seed(2)).unwrap();
        let mut net = net(0.2);
        let report =
            gradcheck::check(&mut net, |net, tape| loss::mse(net.forward(tape.constant(&x)), &goal), 4)
                .unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn the_noise_is_not_learned() {
        let mut layer = NoisyWeights::new(Linear::<f64>::new(3, 4, &mut Rng::seed(0)), 0.2);
        let before = layer.layer.weight.value().clone();
        let tape = Tape::train(0);
        let y = layer.forward(tape.constant(Tensor::ones([1, 3])));
        Sgd::new(1.0).step(&mut layer, &y.sum().backward().unwrap()).unwrap();
        let moved = before.sub(layer.layer.weight.value()).unwrap();
        assert!(moved.to_vec().iter().all(|d| (d - 1.0).abs() < 1e-15), "{moved}");
    }

    #[test]
    fn what_is_no_deviation_is_refused() {
        let tape = Tape::<f64>::train(0);
        let x = tape.constant(Tensor::ones([1, 3]));
        for std in [-1.0, f64::NAN, f64::INFINITY] {
            let noisy = NoisyWeights::new(Linear::new(3, 4, &mut Rng::seed(0)), std);
            for (y, op) in
                [(noisy.forward(x), "noisy_weights"), (GaussianNoise::new(std).forward(x), "gaussian_noise")]
            {
                let e = y.value().unwrap_err();
                assert!(e.op() == op && e.to_string().contains("standard deviation"), "{e}");
                assert_eq!(e.location().map(|at| at.file()), Some(file!()));
            }
        }
    }
}
