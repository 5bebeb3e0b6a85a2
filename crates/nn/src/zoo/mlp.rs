//! The multilayer perceptron: z = W h + b, h = σ(z), layer by layer.

use crate::Module;
use crate::init::{Gain, Scheme};
use crate::layers::{Activation, Dropout, Layer, Linear};
use wengert_ops::random::Rng;
use wengert_tape::{Float, Var};

/// The shape of an [`Mlp`].
#[derive(Debug, Clone, PartialEq)]
pub struct MlpConfig {
    /// The widths of all layers, from the input to the output. Default: `[64, 128, 64, 10]`.
    pub widths: Vec<usize>,
    /// The activation σ, after every layer but the last. Default: `Relu`.
    pub activation: Activation,
    /// The probability of dropping a hidden activation. Default: `0.0`.
    pub dropout: f64,
}

impl Default for MlpConfig {
    /// 64-128-64-10 with ReLU, for the digits.
    fn default() -> Self {
        MlpConfig { widths: vec![64, 128, 64, 10], activation: Activation::Relu, dropout: 0.0 }
    }
}

/// A feed-forward network of any depth: `[n, inputs]` → `[n, outputs]`; the output layer is linear.
///
/// ```
/// use wengert_nn::zoo::{Mlp, MlpConfig};
/// use wengert_nn::{Layer, Module};
/// use wengert_ops::{Tensor, random::Rng};
/// let config = MlpConfig { widths: vec![1, 8, 8, 8, 1], ..MlpConfig::default() };
/// let net = Mlp::<f64>::with_config(&config, &mut Rng::seed(0));
/// // K hidden layers of D neurons, one input, one output: 3D + 1 + (K - 1) D (D + 1) parameters.
/// assert_eq!(net.num_params(), 3 * 8 + 1 + 2 * 8 * 9);
/// let tape = wengert_tape::Tape::eval();
/// assert_eq!(net.forward(tape.constant(Tensor::zeros([5, 1]))).shape(), [5, 1]);
/// ```
#[derive(Debug, Clone, Module)]
pub struct Mlp<T: Float> {
    /// The affine maps, from the input to the output.
    pub layers: Vec<Linear<T>>,
    /// The activation σ, after every layer but the last.
    pub activation: Activation,
    /// The dropout after each hidden activation.
    pub dropout: Dropout,
}

impl<T: Float> Mlp<T> {
    /// A network of these widths, from the input to the output, with ReLU after the hidden layers.
    ///
    /// ```
    /// use wengert_nn::{Module, zoo::Mlp};
    /// let net = Mlp::<f32>::new([64, 128, 10], &mut wengert_ops::random::Rng::seed(0));
    /// assert_eq!(net.num_params(), 64 * 128 + 128 + 128 * 10 + 10);
    /// ```
    pub fn new(widths: impl Into<Vec<usize>>, rng: &mut Rng) -> Self {
        Self::with_config(&MlpConfig { widths: widths.into(), ..MlpConfig::default() }, rng)
    }

    /// A network with Kaiming-uniform weights, with the gain of its activation, and zero biases.
    pub fn with_config(config: &MlpConfig, rng: &mut Rng) -> Self {
        let gain = match config.activation {
            Activation::Relu => Gain::Relu,
            Activation::LeakyRelu(slope) => Gain::LeakyRelu(slope),
            _ => Gain::Unit,
        };
        let widths = config.widths.windows(2);
        let layers =
            widths.map(|w| Linear::new(w[0], w[1], rng).init(Scheme::KaimingUniform(gain), rng)).collect();
        Mlp { layers, activation: config.activation, dropout: Dropout::new(config.dropout) }
    }

    /// Every pre-activation z of a forward pass, from the first layer to the last; the last is the output.
    #[track_caller]
    pub fn pre_activations<'t>(&self, x: Var<'t, T>) -> Vec<Var<'t, T>> {
        let mut h = x;
        let mut all = Vec::with_capacity(self.layers.len());
        for (i, layer) in self.layers.iter().enumerate() {
            let z = layer.forward(h);
            all.push(z);
            if i + 1 < self.layers.len() {
                h = self.dropout.forward(self.activation.forward(z));
            }
        }
        all
    }
}

impl<T: Float> Layer<T> for Mlp<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let output = self.pre_activations(x).pop().unwrap_or(x);
        scope.close(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    /// The tape's gradients equal δ(l) = (W(l+1)ᵀ δ(l+1)) ⊙ σ'(z(l)), ∂L/∂W = δ hᵀ and ∂L/∂b = δ, term by term.
    #[test]
    fn backpropagation_in_vector_form() {
        let config = MlpConfig { widths: vec![3, 5, 4, 2], activation: Activation::Tanh, dropout: 0.0 };
        let net = Mlp::<f64>::with_config(&config, &mut Rng::seed(1));
        let tape = Tape::new();
        let x: Tensor<f64> = Tensor::randn([1, 3], &mut Rng::seed(2)).unwrap();
        let z: Vec<_> = net.pre_activations(tape.constant(&x)).into_iter().map(Var::keep).collect();
        let loss = z[2].square().sum() * 0.5;
        let z_values: Vec<Tensor<f64>> = z.iter().map(|z| z.value().unwrap()).collect();
        let grads = loss.backward().unwrap();
        let mut delta = z_values[2].clone();
        for l in (0..3).rev() {
            let close = |a: &Tensor<f64>, b: &Tensor<f64>| {
                assert_eq!(a.shape(), b.shape());
                assert!(a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() < 1e-14));
            };
            close(&grads.wrt(z[l]).unwrap(), &delta);
            let h = if l == 0 { x.clone() } else { z_values[l - 1].map(f64::tanh) };
            close(
                grads.of(&net.layers[l].weight).unwrap(),
                &delta.transpose(0, 1).unwrap().matmul(&h).unwrap(),
            );
            close(grads.of(net.layers[l].bias.as_ref().unwrap()).unwrap(), &delta.squeeze(0).unwrap());
            if l > 0 {
                let slope = z_values[l - 1].map(|z| 1.0 - z.tanh().powi(2));
                delta = delta.matmul(net.layers[l].weight.value()).unwrap().mul(&slope).unwrap();
            }
        }
    }
}
