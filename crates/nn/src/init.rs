//! Initialisers: weights that preserve the variance of activations, or of gradients, from layer to layer.
//!
//! For a weight `[outputs, inputs, ..]`, fan-in is `inputs` and fan-out is `outputs`, each times the product of the sizes
//! of the trailing axes (a convolution's receptive field). With gain g:
//!
//! | scheme | variance | source |
//! |---|---|---|
//! | Kaiming | g²/fan-in | He et al. 2015 |
//! | Xavier | 2 g²/(fan-in + fan-out) | Glorot and Bengio 2010 |

use wengert_ops::random::{self, Rng};
use wengert_ops::{Shape, Tensor};
use wengert_tape::Float;

/// The activation that follows a layer; it determines the gain.
#[doc(alias = "calculate_gain")]
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Gain {
    /// 1: for linear layers, sigmoid, and tanh near 0.
    Unit,
    /// √2: for ReLU, which halves the second moment.
    Relu,
    /// √(2/(1 + slope²)): for leaky ReLU with this slope.
    LeakyRelu(f64),
    /// 5/3: PyTorch's gain for tanh; [`Unit`](Gain::Unit) is the textbook's.
    TanhPytorch,
    /// Any other gain.
    Value(f64),
}

impl Gain {
    /// The factor by which the standard deviation is multiplied.
    ///
    /// ```
    /// assert_eq!(wengert_nn::init::Gain::Relu.value(), 2f64.sqrt());
    /// ```
    pub fn value(self) -> f64 {
        match self {
            Gain::Unit => 1.0,
            Gain::Relu => 2f64.sqrt(),
            Gain::LeakyRelu(slope) => (2.0 / (1.0 + slope * slope)).sqrt(),
            Gain::TanhPytorch => 5.0 / 3.0,
            Gain::Value(v) => v,
        }
    }
}

/// The distribution from which weights are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Scheme {
    /// Normal with variance g²/fan-in.
    #[doc(alias = "kaiming_normal_")]
    KaimingNormal(Gain),
    /// Uniform with variance g²/fan-in.
    #[doc(alias = "kaiming_uniform_")]
    KaimingUniform(Gain),
    /// Normal with variance 2g²/(fan-in + fan-out).
    #[doc(alias = "xavier_normal_")]
    XavierNormal(Gain),
    /// Uniform with variance 2g²/(fan-in + fan-out).
    #[doc(alias = "xavier_uniform_")]
    XavierUniform(Gain),
    /// Normal with a given standard deviation.
    #[doc(alias = "normal_")]
    Normal(f64),
    /// Uniform on [-bound, bound].
    Uniform(f64),
    /// All zeros.
    #[doc(alias = "zeros_")]
    Zeros,
    /// All ones.
    #[doc(alias = "ones_")]
    Ones,
}

impl Scheme {
    /// The standard deviation of this scheme for a weight of the given shape.
    ///
    /// ```
    /// use wengert_nn::init::{Gain, Scheme};
    /// let he = Scheme::KaimingNormal(Gain::Relu);
    /// assert!((he.std(&[10, 50].into()) - (2.0f64 / 50.0).sqrt()).abs() < 1e-15);
    /// ```
    pub fn std(self, shape: &Shape) -> f64 {
        let (fan_in, fan_out) = fans(shape);
        match self {
            Scheme::KaimingNormal(g) | Scheme::KaimingUniform(g) => g.value() / fan_in.sqrt(),
            Scheme::XavierNormal(g) | Scheme::XavierUniform(g) => {
                g.value() * (2.0 / (fan_in + fan_out)).sqrt()
            }
            Scheme::Normal(std) => std,
            Scheme::Uniform(bound) => bound / 3f64.sqrt(),
            Scheme::Zeros | Scheme::Ones => 0.0,
        }
    }

    /// A tensor whose elements are drawn from this scheme.
    ///
    /// # Panics
    /// If the standard deviation is not a non-negative number, or the shape does not fit in memory.
    pub fn sample<T: Float>(self, shape: &Shape, rng: &mut Rng) -> Tensor<T> {
        let std = self.std(shape);
        match self {
            Scheme::Zeros => zeros(shape),
            Scheme::Ones => Tensor::ones(shape),
            Scheme::KaimingUniform(_) | Scheme::XavierUniform(_) | Scheme::Uniform(_) => {
                // The uniform distribution on ±a has standard deviation a/√3.
                uniform(shape, std * 3f64.sqrt(), rng)
            }
            _ => random::normal(shape, 0.0, std, rng.next_key()).unwrap_or_else(|e| panic!("{e}")),
        }
    }
}

/// Fan-in and fan-out, each at least 1.
fn fans(shape: &Shape) -> (f64, f64) {
    let field: usize = shape.iter().skip(2).product();
    let axis = |i: usize| (shape.get(i).copied().unwrap_or(1) * field).max(1) as f64;
    // A vector has one weight per output.
    if shape.len() < 2 { (axis(0), axis(0)) } else { (axis(1), axis(0)) }
}

/// A tensor of zeros.
///
/// # Panics
/// If the shape does not fit in memory.
pub fn zeros<T: Float>(shape: &[usize]) -> Tensor<T> {
    Tensor::zeros(shape)
}

/// A tensor whose elements are uniform on [-`bound`, `bound`].
///
/// # Panics
/// If the bound is negative or the shape does not fit in memory.
#[doc(alias = "uniform_")]
pub fn uniform<T: Float>(shape: &[usize], bound: f64, rng: &mut Rng) -> Tensor<T> {
    random::uniform(shape, -bound, bound, rng.next_key()).unwrap_or_else(|e| panic!("{e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_the_variance_of_their_scheme() {
        let shape = Shape::from([300, 200]);
        let gain = Gain::Relu;
        for scheme in [
            Scheme::KaimingNormal(gain),
            Scheme::KaimingUniform(gain),
            Scheme::XavierNormal(gain),
            Scheme::XavierUniform(gain),
            Scheme::Normal(0.3),
            Scheme::Uniform(0.3),
        ] {
            let t: Tensor<f64> = scheme.sample(&shape, &mut Rng::seed(1));
            let second = t.map(|v| v * v).sum().item().unwrap() / t.numel() as f64;
            assert!((second.sqrt() / scheme.std(&shape) - 1.0).abs() < 0.02, "{scheme:?}");
        }
        assert_eq!(fans(&Shape::from([8, 3, 5, 5])), (75.0, 200.0));
    }

    /// The variance of activations is preserved through 50 layers with the right gain, and not with the wrong one.
    #[test]
    fn variance_holds_through_fifty_layers() {
        let ratio = |gain: Gain| {
            let mut rng = Rng::seed(5);
            let mut h: Tensor<f64> = Tensor::randn([64, 256], &mut rng).unwrap();
            let moment = |t: &Tensor<f64>| t.map(|v| v * v).sum().item().unwrap() / t.numel() as f64;
            let mut first = None;
            for _ in 0..50 {
                let w: Tensor<f64> = Scheme::KaimingNormal(gain).sample(&Shape::from([256, 256]), &mut rng);
                let z = h.linear(&w, None).unwrap();
                first.get_or_insert(moment(&z));
                h = z.maximum(Tensor::scalar(0.0)).unwrap();
            }
            2.0 * moment(&h) / first.unwrap()
        };
        let held = ratio(Gain::Relu);
        assert!((0.2..5.0).contains(&held), "{held}");
        assert!(ratio(Gain::Unit) < 1e-10, "half the variance is lost at each layer");
    }
}
