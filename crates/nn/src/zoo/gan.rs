//! Generative adversarial networks: their losses, for any two networks, and two pairs of networks.

use crate::init::Scheme;
use crate::layers::{Activation, BatchNorm, Conv2d, ConvTranspose2d, Flatten, Linear, Reshape, Sequential};
use wengert_ops::Tensor;
use wengert_ops::random::{Key, Rng, normal};
use wengert_ops::{ConvOptions, ConvTransposeOptions};
use wengert_tape::{Error, ErrorKind, Float, Result, Var};

/// The losses of generator and discriminator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GanLoss {
    /// The value function of Goodfellow et al. 2014, eq. 1: the generator minimises E log(1 - D(G(z))).
    Minimax,
    /// The same discriminator; the generator maximises E log D(G(z)), whose gradient does not vanish while the generator is bad
    /// (section 3).
    NonSaturating,
    /// The Wasserstein distance with a gradient penalty of this weight (Gulrajani et al. 2017, eq. 3; 10 there). The
    /// discriminator is a critic without a sigmoid.
    Wasserstein(f64),
}

impl GanLoss {
    /// The discriminator's loss, from its logits on real and on generated samples.
    ///
    /// ```
    /// use wengert_nn::zoo::GanLoss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let (real, fake) = (tape.var(Tensor::zeros([4, 1])), tape.var(Tensor::zeros([4, 1])));
    /// let loss = GanLoss::NonSaturating.discriminator_loss(real, fake);
    /// assert!((loss.item()? - 2.0 * 2f64.ln()).abs() < 1e-15);                // equal logits
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn discriminator_loss<'t, T: Float>(self, real: Var<'t, T>, fake: Var<'t, T>) -> Var<'t, T> {
        match self {
            // -log σ(x) is softplus(-x), -log(1 - σ(x)) is softplus(x).
            GanLoss::Minimax | GanLoss::NonSaturating => (-real).softplus().mean() + fake.softplus().mean(),
            GanLoss::Wasserstein(_) => fake.mean() - real.mean(),
        }
    }

    /// The generator's loss, from the discriminator's logits on generated samples.
    #[track_caller]
    pub fn generator_loss<T: Float>(self, fake: Var<'_, T>) -> Var<'_, T> {
        match self {
            GanLoss::Minimax => -fake.softplus().mean(),
            GanLoss::NonSaturating => (-fake).softplus().mean(),
            GanLoss::Wasserstein(_) => -fake.mean(),
        }
    }
}

/// The gradient penalty E (‖∇ₓ D(x̂)‖ - 1)², where x̂ is drawn uniformly between each real and each generated sample, `[n, ..]`.
/// This loss contains a gradient, so its own gradient is of second order. (Gulrajani et al. 2017, algorithm 1.)
///
/// ```
/// use wengert_nn::zoo::gradient_penalty;
/// use wengert_ops::{Tensor, random::Rng};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let w = tape.var(Tensor::from([3.0, 4.0]));
/// let (real, fake) = (Tensor::ones([5, 2]), Tensor::zeros([5, 2]));
/// let penalty = gradient_penalty(|x| x.matmul(w), tape.constant(real), tape.constant(fake), &mut Rng::seed(0))?;
/// assert_eq!(penalty.item()?, 16.0);                                     // ‖w‖ is 5
/// assert!((penalty.backward()?.wrt(w)?.to_vec()[0] - 4.8).abs() < 1e-14);   // 2 (5 - 1) w / 5
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If the samples differ in shape, or the critic fails.
#[track_caller]
pub fn gradient_penalty<'t, T: Float>(
    critic: impl FnOnce(Var<'t, T>) -> Var<'t, T>,
    real: Var<'t, T>,
    fake: Var<'t, T>,
    mut keys: impl crate::dist::Keys,
) -> Result<Var<'t, T>> {
    let tape = real.tape();
    let (real, fake) = (real.value()?, fake.value()?);
    if real.shape() != fake.shape() || real.rank() == 0 {
        let detail = format!("real samples have shape {}, generated ones {}", real.shape(), fake.shape());
        let kind = ErrorKind::Op(wengert_ops::ErrorKind::Shape);
        return Err(Error::new(kind, "gradient_penalty", detail).at(std::panic::Location::caller()));
    }
    let mut each = vec![1; real.rank()];
    each[0] = real.shape()[0];
    let t: Tensor<T> = wengert_ops::random::uniform(each, 0.0, 1.0, keys.next_key())?;
    let between = tape.var(fake.add(&real.sub(&fake)?.mul(&t)?)?);
    let slope = critic(between).sum().grad(between)?;
    Ok((slope.flatten(1).norm_axes(1) - 1.0).square().mean())
}

/// The shape of a dense generator and discriminator.
#[derive(Debug, Clone, PartialEq)]
pub struct GanConfig {
    /// The size of the noise vector. Default: `64`.
    pub latent: usize,
    /// The widths of the generator's hidden layers; the discriminator has them in reverse order. Default: `[256, 512]`.
    pub hidden: Vec<usize>,
    /// The number of elements of a sample. Default: `784`.
    pub outputs: usize,
    /// The activation after the generator's last layer: tanh for data in [-1, 1]. Default: `Tanh`.
    pub output: Activation,
}

impl Default for GanConfig {
    /// Networks for noise vectors of size 64 and 28 × 28 pixels in [-1, 1].
    fn default() -> Self {
        GanConfig { latent: 64, hidden: vec![256, 512], outputs: 784, output: Activation::Tanh }
    }
}

/// A generator `[n, latent]` → `[n, outputs]` and a discriminator `[n, outputs]` → logits `[n, 1]`: dense layers with leaky ReLU.
pub fn dense_gan<T: Float>(config: &GanConfig, rng: &mut Rng) -> (Sequential<T>, Sequential<T>) {
    let mut widths = vec![config.latent];
    widths.extend(&config.hidden);
    let mut generator = Sequential::new();
    for w in widths.windows(2) {
        generator = generator.push(Linear::new(w[0], w[1], rng)).push(Activation::LeakyRelu(0.2));
    }
    let last = widths[widths.len() - 1];
    let generator = generator.push(Linear::new(last, config.outputs, rng)).push(config.output);
    let mut widths = vec![config.outputs];
    widths.extend(config.hidden.iter().rev());
    let mut discriminator = Sequential::new();
    for w in widths.windows(2) {
        discriminator = discriminator.push(Linear::new(w[0], w[1], rng)).push(Activation::LeakyRelu(0.2));
    }
    let last = widths[widths.len() - 1];
    (generator, discriminator.push(Linear::new(last, 1, rng)))
}

/// The shape of a [`dcgan`].
#[derive(Debug, Clone, PartialEq)]
pub struct DcganConfig {
    /// The size of the noise vector. Default: `64`.
    pub latent: usize,
    /// The number of channels of the images. Default: `1`.
    pub channels: usize,
    /// The height and width of the images, a multiple of 4. Default: `28`.
    pub size: usize,
    /// The number of channels of the layers next to the image; the inner layers have twice as many. Default: `32`.
    pub width: usize,
}

impl Default for DcganConfig {
    /// Networks for images of 28 × 28 pixels in [-1, 1].
    fn default() -> Self {
        DcganConfig { latent: 64, channels: 1, size: 28, width: 32 }
    }
}

/// A generator `[n, latent]` → `[n, channels, size, size]` of transposed convolutions and a discriminator → logits `[n, 1]` of
/// strided convolutions, with batch norms, ReLU and leaky ReLU, and weights of standard deviation 0.02. (Radford, Metz and
/// Chintala 2016.)
///
/// ```
/// use wengert_nn::{Layer, zoo::{DcganConfig, dcgan}};
/// use wengert_ops::{Tensor, random::Rng};
/// let (generator, discriminator) = dcgan::<f32>(&DcganConfig::default(), &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// let images = generator.forward(tape.constant(Tensor::zeros([2, 64])));
/// assert_eq!(images.shape(), [2, 1, 28, 28]);
/// assert_eq!(discriminator.forward(images).shape(), [2, 1]);
/// ```
pub fn dcgan<T: Float>(config: &DcganConfig, rng: &mut Rng) -> (Sequential<T>, Sequential<T>) {
    let DcganConfig { latent, channels, size, width } = *config;
    let (inner, normal) = (size / 4, Scheme::Normal(0.02));
    let double = ConvTransposeOptions::default().stride(2).padding(1);
    let generator = Sequential::new()
        .push(Linear::new(latent, 2 * width * inner * inner, rng).init(normal, rng))
        .push(Reshape::new([2 * width, inner, inner]))
        .push(BatchNorm::new(2 * width))
        .push(Activation::Relu)
        .push(ConvTranspose2d::with_config(2 * width, width, 4, double, rng).without_bias().init(normal, rng))
        .push(BatchNorm::new(width))
        .push(Activation::Relu)
        .push(ConvTranspose2d::with_config(width, channels, 4, double, rng).init(normal, rng))
        .push(Activation::Tanh);
    let half = ConvOptions::default().stride(2).padding(1);
    let discriminator = Sequential::new()
        .push(Conv2d::with_config(channels, width, 4, half, rng).init(normal, rng))
        .push(Activation::LeakyRelu(0.2))
        .push(Conv2d::with_config(width, 2 * width, 4, half, rng).without_bias().init(normal, rng))
        .push(BatchNorm::new(2 * width))
        .push(Activation::LeakyRelu(0.2))
        .push(Flatten)
        .push(Linear::new(2 * width * inner * inner, 1, rng).init(normal, rng));
    (generator, discriminator)
}

/// Standard normal noise for a generator, `[n, latent]`.
///
/// # Errors
/// If the noise does not fit in memory.
pub fn noise<T: Float>(n: usize, latent: usize, key: Key) -> Result<Tensor<T>> {
    Ok(normal([n, latent], 0.0, 1.0, key)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::layers::Layer;
    use crate::optim::{Adam, AdamConfig, Optimizer};
    use wengert_tape::Tape;

    #[test]
    fn losses_are_those_of_the_papers() {
        let tape = Tape::<f64>::new();
        let (real, fake) = (tape.var(Tensor::from([2.0, -1.0])), tape.var(Tensor::from([0.5, -3.0])));
        let d = |x: f64| 1.0 / (1.0 + (-x).exp());
        let value = -(d(2.0).ln() + d(-1.0).ln() + (1.0 - d(0.5)).ln() + (1.0 - d(-3.0)).ln()) / 2.0;
        for game in [GanLoss::Minimax, GanLoss::NonSaturating] {
            assert!((game.discriminator_loss(real, fake).item().unwrap() - value).abs() < 1e-14);
        }
        let minimax = ((1.0 - d(0.5)).ln() + (1.0 - d(-3.0)).ln()) / 2.0;
        assert!((GanLoss::Minimax.generator_loss(fake).item().unwrap() - minimax).abs() < 1e-14);
        let other = -(d(0.5).ln() + d(-3.0).ln()) / 2.0;
        assert!((GanLoss::NonSaturating.generator_loss(fake).item().unwrap() - other).abs() < 1e-14);
        assert_eq!(GanLoss::Wasserstein(10.0).discriminator_loss(real, fake).item().unwrap(), -1.25 - 0.5);
        assert_eq!(GanLoss::Wasserstein(10.0).generator_loss(fake).item().unwrap(), 1.25);
    }

    #[test]
    fn the_penalty_has_the_right_gradient() {
        let config = GanConfig { latent: 2, hidden: vec![5], outputs: 3, output: Activation::Tanh };
        let (_, mut critic) = dense_gan::<f64>(&config, &mut Rng::seed(1));
        // A smooth critic: the second derivative of leaky ReLU is zero.
        critic.layers_mut()[1] = Box::new(Activation::Tanh);
        let (real, fake) = (
            Tensor::randn([4, 3], &mut Rng::seed(2)).unwrap(),
            Tensor::randn([4, 3], &mut Rng::seed(3)).unwrap(),
        );
        let penalty = |critic: &Sequential<f64>, tape: &'_ Tape<f64>| -> f64 {
            let (real, fake) = (tape.constant(&real), tape.constant(&fake));
            gradient_penalty(|x| critic.forward(x), real, fake, &mut Rng::seed(4)).unwrap().item().unwrap()
        };
        assert!(penalty(&critic, &Tape::new()) > 0.0);
        let report = gradcheck::check(
            &mut critic,
            |critic, tape| {
                let (real, fake) = (tape.constant(&real), tape.constant(&fake));
                gradient_penalty(|x| critic.forward(x), real, fake, &mut Rng::seed(4))
                    .unwrap_or_else(|e| tape.failed(e))
            },
            3,
        )
        .unwrap();
        assert!(report.worst() < 1e-6, "{report:?}");
        assert_eq!(report.unused, ["2.bias"], "the last bias has no influence on a slope");
    }

    /// The gradients of the generator through the discriminator, and of the discriminator on generated samples.
    #[test]
    fn gradients_of_both_networks_are_right() {
        let shape = GanConfig { latent: 3, hidden: vec![6, 5], outputs: 4, output: Activation::Tanh };
        let images = DcganConfig { latent: 3, channels: 1, size: 8, width: 2 };
        for (mut generator, mut discriminator) in
            [dense_gan::<f64>(&shape, &mut Rng::seed(1)), dcgan::<f64>(&images, &mut Rng::seed(1))]
        {
            let z = noise::<f64>(4, 3, Key { seed: 2, stream: 0 }).unwrap();
            // Normalised with the batch's statistics: with the running ones, the samples would be too close to kinks.
            let made = generator.forward(Tape::train(0).constant(&z)).value().unwrap();
            let real = Tensor::<f64>::randn(made.shape(), &mut Rng::seed(3)).unwrap();
            let of_generator = gradcheck::check_slopes(
                &mut generator,
                |g, tape| {
                    let fake = g.forward(tape.constant(&z));
                    GanLoss::NonSaturating.generator_loss(discriminator.forward(fake))
                },
                3,
                1e-7,
            );
            let of_discriminator = gradcheck::check_slopes(
                &mut discriminator,
                |d, tape| {
                    let judge = |x: &Tensor<f64>| d.forward(tape.constant(x));
                    GanLoss::NonSaturating.discriminator_loss(judge(&real), judge(&made))
                },
                3,
                1e-7,
            );
            for errors in [of_generator.unwrap(), of_discriminator.unwrap()] {
                assert!(errors.iter().all(|e| *e < 1e-5), "{errors:?}");
            }
        }
    }

    /// The data are a ring in the plane: with each loss, the generated points reach its radius.
    #[test]
    fn a_generator_learns_where_the_data_are() {
        let config = GanConfig { latent: 4, hidden: vec![32], outputs: 2, output: Activation::Identity };
        for (game, critics) in [(GanLoss::NonSaturating, 1), (GanLoss::Wasserstein(1.0), 3)] {
            let mut rng = Rng::seed(7);
            let (mut generator, mut discriminator) = dense_gan::<f32>(&config, &mut rng);
            let adam = AdamConfig { learning_rate: 2e-3, beta1: 0.5, ..AdamConfig::default() };
            let (mut g, mut d) = (Adam::with_config(adam), Adam::with_config(adam));
            let mut tape = Tape::train(0);
            let radius = |x: &Tensor<f32>| {
                let sizes: Vec<f32> = x.to_vec().chunks(2).map(|p| p[0].hypot(p[1])).collect();
                sizes.iter().sum::<f32>() / sizes.len() as f32
            };
            let make = |generator: &Sequential<f32>| {
                let tape = Tape::eval();
                let z = noise(256, 4, Key { seed: 99, stream: 0 }).unwrap();
                generator.forward(tape.constant(z)).value().unwrap()
            };
            let before = (radius(&make(&generator)) - 2.0).abs();
            for _ in 0..400 {
                for _ in 0..critics {
                    tape.reset();
                    let angles: Tensor<f32> =
                        wengert_ops::random::uniform([64], 0.0, std::f64::consts::TAU, rng.next_key())
                            .unwrap();
                    let ring: Vec<f32> =
                        angles.to_vec().iter().flat_map(|a| [2.0 * a.cos(), 2.0 * a.sin()]).collect();
                    let real = tape.constant(Tensor::from_vec(ring, [64, 2]));
                    let z = tape.constant(noise(64, 4, rng.next_key()).unwrap());
                    let fake = generator.forward(z).detach();
                    let mut loss =
                        game.discriminator_loss(discriminator.forward(real), discriminator.forward(fake));
                    if let GanLoss::Wasserstein(weight) = game {
                        loss += gradient_penalty(|x| discriminator.forward(x), real, fake, &mut rng).unwrap()
                            * weight;
                    }
                    d.step(&mut discriminator, &loss.backward().unwrap()).unwrap();
                }
                tape.reset();
                let z = tape.constant(noise(64, 4, rng.next_key()).unwrap());
                let loss = game.generator_loss(discriminator.forward(generator.forward(z)));
                g.step(&mut generator, &loss.backward().unwrap()).unwrap();
            }
            let after = (radius(&make(&generator)) - 2.0).abs();
            assert!(before > 1.0 && after < 0.4, "{game:?}: {before} before, {after} after");
        }
    }
}
