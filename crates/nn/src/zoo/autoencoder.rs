//! Autoencoders.

use super::pairs::{self, Pair};
use crate::Module;
use crate::layers::{Activation, Layer, Linear, Sequential};
use crate::loss;
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Operand, Result, Tape, Var};

/// The measure of the difference between reconstructions and samples, averaged over all elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReconstructionLoss {
    /// (x - x̂)², for real numbers.
    Squared,
    /// -x log x̂ - (1 - x) log(1 - x̂), for numbers in [0, 1]; the decoder returns the logits of x̂.
    Bernoulli,
}

/// The shape of an [`Autoencoder`] of dense layers.
#[derive(Debug, Clone, PartialEq)]
pub struct AutoencoderConfig {
    /// The number of elements of a sample. Default: `784`.
    pub inputs: usize,
    /// The widths of the encoder's hidden layers; the decoder has them in reverse order. Default: `[400]`.
    pub hidden: Vec<usize>,
    /// The size of z. Default: `20`.
    pub latent: usize,
    /// The activation σ after each hidden layer. Default: `Relu`.
    pub activation: Activation,
    /// The loss that training minimises. Default: `Squared`.
    pub loss: ReconstructionLoss,
}

impl Default for AutoencoderConfig {
    /// 784-400-20-400-784 with ReLU, the widths of the default [`Vae`](super::Vae).
    fn default() -> Self {
        AutoencoderConfig {
            inputs: 784,
            hidden: vec![400],
            latent: 20,
            activation: Activation::Relu,
            loss: ReconstructionLoss::Squared,
        }
    }
}

/// An encoder from x to a narrow z and a decoder back to x, x̂ = g(f(x)), trained to reconstruct its input (Hinton and
/// Salakhutdinov 2006), or to reconstruct it without its noise (Vincent et al. 2008).
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer};
/// use wengert_nn::zoo::{Autoencoder, AutoencoderConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let config = AutoencoderConfig { inputs: 4, hidden: vec![16], latent: 2, ..AutoencoderConfig::default() };
/// let mut model = Autoencoder::<f32>::dense(&config, &mut Rng::seed(0));
/// let x = Tensor::from([[1.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, -1.0], [1.0, 1.0, 2.0, -1.0]]);   // of rank 2
/// let (mut adam, mut tape) = (Adam::new(0.01), Tape::train(0));
/// for _ in 0..500 {
///     tape.reset();
///     let grads = model.loss(tape.constant(&x)).backward()?;
///     adam.step(&mut model, &grads)?;
/// }
/// assert!(model.reconstruct(&x)?.sub(&x)?.to_vec().iter().all(|e| e.abs() < 0.1));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Module)]
pub struct Autoencoder<T: Float> {
    /// The encoder from x to z, `[n, ..]` → `[n, latent]`.
    pub encoder: Sequential<T>,
    /// The decoder from z to x̂, or to its logits, `[n, latent]` → `[n, ..]`, the shape of x.
    pub decoder: Sequential<T>,
    /// The loss that training minimises.
    #[module(skip)]
    pub loss: ReconstructionLoss,
}

impl<T: Float> Autoencoder<T> {
    /// A model of dense layers, `[n, inputs]` → `[n, latent]` → `[n, inputs]`.
    pub fn dense(config: &AutoencoderConfig, rng: &mut Rng) -> Self {
        let AutoencoderConfig { inputs, latent, activation, loss, .. } = *config;
        let pair = pairs::dense(inputs, &config.hidden, latent, activation, rng);
        Autoencoder::joined(pair, latent, rng).with(loss)
    }

    /// A model for images `[n, channels, size, size]`, where `size` is a multiple of 4: two strided convolutions with `width` and
    /// 2 `width` channels, a linear map to z, and two transposed convolutions back.
    ///
    /// ```
    /// use wengert_nn::zoo::Autoencoder;
    /// use wengert_ops::{Tensor, random::Rng};
    /// let model = Autoencoder::<f32>::convolutional(1, 8, 4, 10, &mut Rng::seed(0));
    /// let tape = wengert_tape::Tape::eval();
    /// assert_eq!(model.encode(tape.constant(Tensor::zeros([2, 1, 8, 8]))).shape(), [2, 10]);
    /// assert_eq!(*model.reconstruct(&Tensor::zeros([2, 1, 8, 8]))?.shape(), [2, 1, 8, 8]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn convolutional(channels: usize, size: usize, width: usize, latent: usize, rng: &mut Rng) -> Self {
        Autoencoder::joined(pairs::convolutional(channels, size, width, latent, rng), latent, rng)
    }

    /// A model with any encoder, `[n, ..]` → `[n, latent]`, and any decoder, `[n, latent]` → `[n, ..]`, for real numbers.
    pub fn new(encoder: Sequential<T>, decoder: Sequential<T>) -> Self {
        Autoencoder { encoder, decoder, loss: ReconstructionLoss::Squared }
    }

    fn joined(pair: Pair<T>, latent: usize, rng: &mut Rng) -> Self {
        Autoencoder::new(pair.encoder.push(Linear::new(pair.features, latent, rng)), pair.decoder)
    }

    /// The model with the given loss.
    #[must_use]
    pub fn with(mut self, loss: ReconstructionLoss) -> Self {
        self.loss = loss;
        self
    }

    /// The z of each sample, `[n, ..]` → `[n, latent]`.
    #[track_caller]
    pub fn encode<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.encoder.forward(x)
    }

    /// The reconstructions x̂ for z, `[n, latent]` → `[n, ..]`: numbers of the same kind as x, not logits.
    #[track_caller]
    pub fn decode<'t>(&self, z: Var<'t, T>) -> Var<'t, T> {
        let decoded = self.decoder.forward(z);
        match self.loss {
            ReconstructionLoss::Squared => decoded,
            ReconstructionLoss::Bernoulli => decoded.sigmoid(),
        }
    }

    /// The loss of the reconstructions of `x`, `[n, ..]`.
    #[track_caller]
    pub fn loss<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.denoising_loss(x, x)
    }

    /// The loss of the reconstructions of `noisy` samples, `[n, ..]`, compared with the `clean` ones: a denoising autoencoder.
    /// Its z may be wide, since copying the input does not minimise this loss.
    #[track_caller]
    pub fn denoising_loss<'t>(&self, noisy: Var<'t, T>, clean: impl Operand<'t, T>) -> Var<'t, T> {
        let tape = noisy.tape();
        let clean = clean.into_var(tape);
        let scope = tape.open_scope();
        let decoded = self.decoder.forward(self.encode(noisy));
        scope.close(match self.loss {
            ReconstructionLoss::Squared => loss::mse(decoded, clean),
            ReconstructionLoss::Bernoulli => loss::bce_with_logits(decoded, clean),
        })
    }

    /// The reconstruction x̂ of each sample, `[n, ..]`.
    ///
    /// # Errors
    /// If the encoder cannot take `x`.
    #[track_caller]
    pub fn reconstruct(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let tape = Tape::eval();
        self.decode(self.encode(tape.constant(x))).value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::optim::{Adam, Optimizer};
    use wengert_ops::random::{Key, normal, uniform};

    fn small(hidden: &[usize], latent: usize, loss: ReconstructionLoss) -> Autoencoder<f64> {
        let config = AutoencoderConfig {
            inputs: 6,
            hidden: hidden.to_vec(),
            latent,
            activation: Activation::Tanh,
            loss,
        };
        Autoencoder::dense(&config, &mut Rng::seed(3))
    }

    fn data(n: usize) -> Tensor<f64> {
        uniform([n, 6], 0.0, 1.0, Key { seed: 1, stream: 0 }).unwrap()
    }

    #[test]
    fn gradients_are_right() {
        for loss in [ReconstructionLoss::Squared, ReconstructionLoss::Bernoulli] {
            let mut model = small(&[7, 5], 2, loss);
            let report = gradcheck::check(&mut model, |m, tape| m.loss(tape.constant(data(4))), 3).unwrap();
            assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        }
        let mut images = Autoencoder::<f64>::convolutional(1, 8, 2, 3, &mut Rng::seed(0));
        let x: Tensor<f64> = uniform([2, 1, 8, 8], 0.0, 1.0, Key { seed: 1, stream: 0 }).unwrap();
        let slopes = gradcheck::check_slopes(&mut images, |m, tape| m.loss(tape.constant(&x)), 3, 1e-7);
        assert!(slopes.unwrap().iter().all(|e| *e < 1e-5));
    }

    #[test]
    fn losses_are_means_over_all_numbers() {
        let tape = Tape::new();
        let x = data(4);
        for (loss, each) in [
            (ReconstructionLoss::Squared, (|x, y| (x - y) * (x - y)) as fn(f64, f64) -> f64),
            (ReconstructionLoss::Bernoulli, |x, y| -x * y.ln() - (1.0 - x) * (1.0 - y).ln()),
        ] {
            let model = small(&[7], 2, loss);
            let back = model.reconstruct(&x).unwrap().to_vec();
            let want = x.to_vec().iter().zip(&back).map(|(x, y)| each(*x, *y)).sum::<f64>() / 24.0;
            assert!((model.loss(tape.constant(&x)).item().unwrap() - want).abs() < 1e-14, "{loss:?}");
        }
    }

    /// Without hidden layers, the best possible code is the principal components: two for data of rank two.
    #[test]
    fn a_linear_one_finds_the_subspace_of_the_data() {
        let factors: Tensor<f64> = Tensor::randn([40, 2], &mut Rng::seed(1)).unwrap();
        let x = factors.matmul(&Tensor::randn([2, 6], &mut Rng::seed(2)).unwrap()).unwrap();
        let mut errors = Vec::new();
        for latent in [1, 2] {
            let mut model = small(&[], latent, ReconstructionLoss::Squared);
            let (mut adam, mut tape) = (Adam::new(0.02), Tape::train(0));
            for _ in 0..400 {
                tape.reset();
                let loss = model.loss(tape.constant(&x));
                adam.step(&mut model, &loss.backward().unwrap()).unwrap();
            }
            tape.reset();
            errors.push(model.loss(tape.constant(&x)).item().unwrap());
        }
        assert!(errors[0] > 0.1 && errors[1] < 1e-3, "{errors:?}");
    }

    #[test]
    fn a_denoising_one_takes_noise_away() {
        // Two samples; the model reconstructs them from noisy copies.
        let clean = Tensor::from([[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]);
        let mut model = small(&[16], 8, ReconstructionLoss::Squared);
        let (mut adam, mut tape) = (Adam::new(0.01), Tape::train(0));
        let noisy = |key: Key| clean.add(normal([2, 6], 0.0, 0.3, key).unwrap()).unwrap();
        for _ in 0..300 {
            tape.reset();
            let loss = model.denoising_loss(tape.constant(noisy(tape.next_key())), &clean);
            adam.step(&mut model, &loss.backward().unwrap()).unwrap();
        }
        let distance =
            |x: &Tensor<f64>| x.sub(&clean).unwrap().to_vec().iter().map(|d| d * d).sum::<f64>().sqrt();
        let x = noisy(Key { seed: 99, stream: 0 });
        let (before, after) = (distance(&x), distance(&model.reconstruct(&x).unwrap()));
        assert!(after < 0.5 * before, "{before} {after}");
    }

    #[test]
    fn another_shape_is_refused_where_the_caller_stands() {
        let model = small(&[7], 2, ReconstructionLoss::Squared);
        let tape = Tape::new();
        let (x, wrong) = (tape.constant(data(4)), tape.constant(Tensor::ones([4, 7])));
        for (y, op) in [
            (model.loss(wrong), "linear"),
            (model.encode(wrong), "linear"),
            (model.decode(wrong), "linear"),
            (model.denoising_loss(x, wrong), "mse"),
        ] {
            let e = y.value().unwrap_err();
            assert!(e.op() == op && e.location().is_some_and(|at| at.file() == file!()), "{e}");
        }
        let e = model.reconstruct(&Tensor::ones([4, 7])).unwrap_err();
        assert_eq!(e.location().map(|at| at.file()), Some(file!()), "{e}");
    }
}
