//! The variational autoencoder.

use super::pairs::{self, Pair};
use crate::Module;
use crate::dist::{Independent, Keys, Normal, Reparameterised, kl};
use crate::layers::{Activation, Layer, Linear, Sequential};
use crate::loss::{self, Reduction};
use wengert_ops::math::portable;
use wengert_ops::random::Rng;
use wengert_ops::{Tensor, ToShape};
use wengert_tape::{Float, Result, ScopeOutput, Tape, Var};

/// The distribution of a sample given z.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Observation {
    /// Numbers in [0, 1], as probabilities of binary pixels; the decoder returns logits.
    Bernoulli,
    /// Real numbers, normally distributed around the decoder's output with this standard deviation.
    Gaussian(f64),
}

/// The shape of a [`Vae`] of dense layers.
#[derive(Debug, Clone, PartialEq)]
pub struct VaeConfig {
    /// The number of elements of a sample. Default: `784`.
    pub inputs: usize,
    /// The widths of the encoder's hidden layers; the decoder has them in reverse order. Default: `[400]`.
    pub hidden: Vec<usize>,
    /// The size of z. Default: `20`.
    pub latent: usize,
    /// The activation σ after each hidden layer. Default: `Relu`.
    pub activation: Activation,
    /// The distribution of a sample given z. Default: `Bernoulli`.
    pub observation: Observation,
    /// The weight β of the divergence: 1 is the evidence lower bound; larger weights favour independent latents (β-VAE).
    /// Default: `1.0`.
    pub beta: f64,
}

impl Default for VaeConfig {
    /// 784-400-20-400-784 with ReLU, as in the paper's experiments.
    fn default() -> Self {
        VaeConfig {
            inputs: 784,
            hidden: vec![400],
            latent: 20,
            activation: Activation::Relu,
            observation: Observation::Bernoulli,
            beta: 1.0,
        }
    }
}

/// A variational autoencoder: an encoder for q(z|x) = N(μ(x), diag σ²(x)), a decoder for p(x|z), and the prior
/// p(z) = N(0, 1). (Kingma and Welling 2014; β: Higgins et al. 2017; the importance-weighted bound: Burda et al. 2016.)
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer};
/// use wengert_nn::zoo::{Vae, VaeConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let config = VaeConfig { inputs: 8, hidden: vec![16], latent: 2, ..VaeConfig::default() };
/// let mut vae = Vae::<f32>::dense(&config, &mut Rng::seed(0));
/// let x = Tensor::from([[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]]);
/// let (mut adam, mut tape, mut losses) = (Adam::new(0.02), Tape::train(0), Vec::new());
/// for _ in 0..200 {
///     tape.reset();
///     let loss = -vae.elbo(tape.constant(&x)).bound.mean();
///     losses.push(loss.item()?);
///     adam.step(&mut vae, &loss.backward()?)?;
/// }
/// assert!(losses[199] < 0.6 * losses[0]);
/// assert_eq!(*vae.sample(5, &mut Rng::seed(1))?.shape(), [5, 8]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Module)]
pub struct Vae<T: Float> {
    /// The encoder from x to features, `[n, ..]` → `[n, features]`.
    pub encoder: Sequential<T>,
    /// The linear map from features to μ, features → latent.
    pub mean: Linear<T>,
    /// The linear map from features to log σ², features → latent.
    pub log_variance: Linear<T>,
    /// The decoder from z to the parameters of the observation, `[n, latent]` → `[n, ..]`, the shape of x.
    pub decoder: Sequential<T>,
    /// The distribution of a sample given z.
    #[module(skip)]
    pub observation: Observation,
    /// The weight β of the divergence.
    pub beta: f64,
}

/// The evidence lower bound of each sample, and its two terms, in nats.
#[derive(Debug, Clone, Copy)]
pub struct Elbo<'t, T: Float> {
    /// E\[log p(x|z)\], estimated with one draw of z, `[n]`.
    pub likelihood: Var<'t, T>,
    /// KL\[q(z|x) ‖ p(z)\], in closed form, `[n]`.
    pub divergence: Var<'t, T>,
    /// The likelihood minus β times the divergence, `[n]`: at most log p(x) in expectation if β is 1.
    pub bound: Var<'t, T>,
}

impl<T: Float> ScopeOutput for Elbo<'_, T> {
    fn nodes(&self, each: &mut dyn FnMut(u32)) {
        [self.likelihood, self.divergence, self.bound].nodes(each);
    }
}

impl<T: Float> Vae<T> {
    /// A model of dense layers.
    pub fn dense(config: &VaeConfig, rng: &mut Rng) -> Self {
        let VaeConfig { inputs, latent, activation, observation, beta, .. } = *config;
        let Pair { encoder, features, decoder } =
            pairs::dense(inputs, &config.hidden, latent, activation, rng);
        Vae::new(encoder, features, latent, decoder, rng).with(observation, beta)
    }

    /// A model for images `[n, channels, size, size]`, where `size` is a multiple of 4: two strided convolutions with `width` and
    /// 2 `width` channels, and two transposed ones back.
    pub fn convolutional(channels: usize, size: usize, width: usize, latent: usize, rng: &mut Rng) -> Self {
        let Pair { encoder, features, decoder } = pairs::convolutional(channels, size, width, latent, rng);
        Vae::new(encoder, features, latent, decoder, rng)
    }

    /// A model with any encoder, `[n, ..]` → `[n, features]`, and any decoder, `[n, latent]` → `[n, ..]`, for binary pixels.
    pub fn new(
        encoder: Sequential<T>,
        features: usize,
        latent: usize,
        decoder: Sequential<T>,
        rng: &mut Rng,
    ) -> Self {
        Vae {
            encoder,
            mean: Linear::new(features, latent, rng),
            log_variance: Linear::new(features, latent, rng),
            decoder,
            observation: Observation::Bernoulli,
            beta: 1.0,
        }
    }

    /// The model with the given observation and weight of the divergence.
    #[must_use]
    pub fn with(mut self, observation: Observation, beta: f64) -> Self {
        (self.observation, self.beta) = (observation, beta);
        self
    }

    /// The size of z.
    pub fn latent(&self) -> usize {
        self.mean.weight.shape()[0]
    }

    /// q(z|x), a distribution of vectors, `[n, latent]`.
    #[track_caller]
    pub fn encode<'t>(&self, x: Var<'t, T>) -> Independent<Normal<'t, T>> {
        let h = self.encoder.forward(x);
        Normal::diagonal(self.mean.forward(h), (self.log_variance.forward(h) * 0.5).exp())
    }

    /// log p(x|z) of each sample, `[n]`, for the decoder's output.
    #[track_caller]
    pub fn log_likelihood<'t>(&self, decoded: Var<'t, T>, x: Var<'t, T>) -> Var<'t, T> {
        let each = match self.observation {
            Observation::Bernoulli => -loss::bce_with_logits_with(decoded, x, Reduction::None),
            Observation::Gaussian(std) => {
                ((x - decoded) / std).square() * -0.5
                    - 0.5 * portable::ln(2.0 * std::f64::consts::PI * std * std)
            }
        };
        if each.is_failed() { each } else { each.flatten(1).sum_axes(1) }
    }

    /// The evidence lower bound of each sample of `x`, `[n, ..]`, with one draw of z from the tape's random stream.
    #[track_caller]
    pub fn elbo<'t>(&self, x: Var<'t, T>) -> Elbo<'t, T> {
        let scope = x.tape().open_scope();
        let q = self.encode(x);
        let decoded = self.decoder.forward(q.rsample(x.tape()));
        let likelihood = self.log_likelihood(decoded, x);
        let prior = Normal::diagonal(x.tape().constant(Tensor::try_full([1, self.latent()], T::ZERO)), 1.0);
        let divergence = kl(&q, &prior);
        scope.close(Elbo { likelihood, divergence, bound: likelihood - divergence * self.beta })
    }

    /// The importance-weighted bound log 1/k Σ p(x, z) / q(z|x) of each sample, `[n]`, with `k` draws. With k = 1 it is an
    /// evidence lower bound, and with growing k it rises to log p(x).
    #[track_caller]
    pub fn importance_bound<'t>(&self, x: Var<'t, T>, k: usize) -> Var<'t, T> {
        use crate::dist::Distribution;
        let tape = x.tape();
        // The draws are made one after the other, but all stay in memory.
        let all: Vec<usize> = std::iter::once(k).chain(x.shape().as_shape().iter().copied()).collect();
        if let Err(e) = all.to_shape("importance_bound") {
            return tape.failed(e.into());
        }
        let scope = tape.open_scope();
        let q = self.encode(x);
        let prior = Normal::diagonal(tape.constant(Tensor::try_full([1, self.latent()], T::ZERO)), 1.0);
        let mut weights = Vec::new();
        for _ in 0..k {
            let inner = tape.open_scope();
            let z = q.rsample(tape);
            let likelihood = self.log_likelihood(self.decoder.forward(z), x);
            weights.push(inner.close(likelihood + prior.log_prob(z) - q.log_prob(z)));
        }
        let all = tape.stack(&weights, 0); // [k, n]
        scope.close(all.logsumexp(0) - portable::ln(k as f64))
    }

    /// The mean of the observation for z, `[n, latent]` → `[n, ..]`: probabilities of pixels, or means of real numbers.
    #[track_caller]
    pub fn decode<'t>(&self, z: Var<'t, T>) -> Var<'t, T> {
        let decoded = self.decoder.forward(z);
        match self.observation {
            Observation::Bernoulli => decoded.sigmoid(),
            Observation::Gaussian(_) => decoded,
        }
    }

    /// The reconstruction of each sample from its most probable z.
    ///
    /// # Errors
    /// If the encoder cannot take `x`.
    pub fn reconstruct(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        use crate::dist::Distribution;
        let tape = Tape::eval();
        let q = self.encode(tape.constant(x));
        self.decode(q.mode()).value()
    }

    /// New samples, from draws of the prior.
    ///
    /// # Errors
    /// If the samples do not fit in memory.
    pub fn sample(&self, n: usize, mut keys: impl Keys) -> Result<Tensor<T>> {
        let tape = Tape::eval();
        let z = wengert_ops::random::normal([n, self.latent()], 0.0, 1.0, keys.next_key());
        self.decode(tape.constant(z)).value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::optim::{Adam, Optimizer};

    fn small(observation: Observation, beta: f64) -> Vae<f64> {
        let config = VaeConfig {
            inputs: 6,
            hidden: vec![7, 5],
            latent: 2,
            activation: Activation::Tanh,
            observation,
            beta,
        };
        Vae::dense(&config, &mut Rng::seed(3))
    }

    fn data() -> Tensor<f64> {
        wengert_ops::random::uniform([4, 6], 0.0, 1.0, wengert_ops::random::Key { seed: 1, stream: 0 })
            .unwrap()
    }

    #[test]
    fn gradients_are_right_through_the_draw_of_z() {
        for (observation, beta) in [(Observation::Bernoulli, 1.0), (Observation::Gaussian(0.5), 4.0)] {
            let mut vae = small(observation, beta);
            let report =
                gradcheck::check(&mut vae, |v, tape| -v.elbo(tape.constant(data())).bound.mean(), 3).unwrap();
            assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        }
    }

    #[test]
    fn more_draws_raise_the_bound_and_the_elbo_is_below_it() {
        let vae = small(Observation::Bernoulli, 1.0);
        let mean = |f: &dyn for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>| {
            let total: f64 = (0..200)
                .map(|seed| {
                    let tape = Tape::train(seed);
                    f(tape.constant(data())).mean().item().unwrap()
                })
                .sum();
            total / 200.0
        };
        let elbo = mean(&|x| vae.elbo(x).bound);
        let one = mean(&|x| vae.importance_bound(x, 1));
        let many = mean(&|x| vae.importance_bound(x, 50));
        assert!((elbo - one).abs() < 0.05, "{elbo} and {one} are the same bound");
        assert!(many > one + 0.005, "{one} {many}");
    }

    #[test]
    fn it_learns_to_reconstruct_and_to_sample() {
        let rows = [[1.0, 1.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]];
        let x = Tensor::from(rows);
        let mut vae = small(Observation::Bernoulli, 1.0);
        let (mut adam, mut tape) = (Adam::new(0.02), Tape::train(0));
        for _ in 0..400 {
            tape.reset();
            let loss = -vae.elbo(tape.constant(&x)).bound.mean();
            adam.step(&mut vae, &loss.backward().unwrap()).unwrap();
        }
        let out = vae.reconstruct(&x).unwrap().to_vec();
        assert!(out.iter().zip(rows.as_flattened()).all(|(a, b)| (a - b).abs() < 0.1), "{out:?}");
        // A perfect model of two equally likely rows has log p = log ½.
        let bound = vae.importance_bound(tape.constant(&x), 200).mean().item().unwrap();
        assert!(bound > -1.2 && bound < -0.6, "{bound}");
        let sharp = vae.sample(50, &mut Rng::seed(0)).unwrap().to_vec();
        let sure = sharp.iter().filter(|p| (**p - 0.5).abs() > 0.4).count();
        assert!(sure > 200, "{sure} of 300 pixels are black or white");
    }

    #[test]
    fn images_go_through_convolutions() {
        let mut vae = Vae::<f64>::convolutional(1, 8, 2, 3, &mut Rng::seed(0));
        let x: Tensor<f64> = wengert_ops::random::uniform(
            [2, 1, 8, 8],
            0.0,
            1.0,
            wengert_ops::random::Key { seed: 1, stream: 0 },
        )
        .unwrap();
        let report =
            gradcheck::check(&mut vae, |v, tape| -v.elbo(tape.constant(&x)).bound.mean() * 0.05, 3).unwrap();
        assert!(report.first.iter().all(|e| *e < 1e-5) && report.unused.is_empty(), "{report:?}");
        assert_eq!(*vae.reconstruct(&x).unwrap().shape(), [2, 1, 8, 8]);
        assert_eq!(*vae.sample(3, &mut Rng::seed(0)).unwrap().shape(), [3, 1, 8, 8]);
    }

    #[test]
    fn another_shape_is_refused() {
        let vae = small(Observation::Bernoulli, 1.0);
        let tape = Tape::new();
        let e = vae.elbo(tape.constant(Tensor::ones([4, 7]))).bound.value().unwrap_err();
        assert!(e.op() == "linear" && e.location().is_some_and(|at| at.file() == file!()), "{e}");
        let more = vae.importance_bound(tape.constant(Tensor::ones([4, 6])), usize::MAX);
        assert_eq!(more.value().unwrap_err().op(), "importance_bound");
    }
}
