//! Learning from few labels and many unlabelled inputs.

use super::{Mlp, MlpConfig, Vae};
use crate::Module;
use crate::dist::Reparameterised;
use crate::layers::{Activation, Layer};
use wengert_ops::random::Rng;
use wengert_tape::{Float, Var};

/// The shape of the head of a [`LatentClassifier`].
#[derive(Debug, Clone, PartialEq)]
pub struct LatentClassifierConfig {
    /// The number of classes. Default: `10`.
    pub classes: usize,
    /// The widths of the head's hidden layers; without any, the head is a linear map. Default: `[64]`.
    pub hidden: Vec<usize>,
    /// The activation σ after each hidden layer. Default: `Relu`.
    pub activation: Activation,
    /// The probability of dropping a hidden activation. Default: `0.0`.
    pub dropout: f64,
}

impl Default for LatentClassifierConfig {
    fn default() -> Self {
        LatentClassifierConfig { classes: 10, hidden: vec![64], activation: Activation::Relu, dropout: 0.0 }
    }
}

/// The model M1 of Kingma, Mohamed, Rezende and Welling 2014, section 2.1: a variational autoencoder learns from all inputs,
/// with or without labels, and a classifier of its z learns from those with labels: `[n, ..]` → logits `[n, classes]`. On a
/// training tape, z is drawn from q(z|x) each time, so that a few samples become many; on any other it is the mean.
///
/// Train the autoencoder first, with its own bound; this model freezes it. After [`unfreeze`](Module::unfreeze) it is trained
/// together with the head.
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer};
/// use wengert_nn::zoo::{LatentClassifier, LatentClassifierConfig, Vae, VaeConfig};
/// use wengert_nn::{Layer, Module, loss};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let mut rng = Rng::seed(0);
/// let shape = VaeConfig { inputs: 4, hidden: vec![8], latent: 2, ..VaeConfig::default() };
/// let mut vae = Vae::<f32>::dense(&shape, &mut rng);
/// let (mut adam, mut tape) = (Adam::new(0.02), Tape::train(0));
/// let all = Tensor::from([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [0.9, 1.0, 0.0, 0.1], [0.0, 0.1, 1.0, 0.9]]);
/// for _ in 0..200 {
///     tape.reset();
///     let loss = -vae.elbo(tape.constant(&all)).bound.mean();
///     adam.step(&mut vae, &loss.backward()?)?;
/// }
/// let config = LatentClassifierConfig { classes: 2, hidden: vec![], ..LatentClassifierConfig::default() };
/// let mut model = LatentClassifier::new(vae, &config, &mut rng);
/// let (few, labels) = (all.slice(0, ..2)?, Tensor::from([0, 1]));
/// let mut adam = Adam::new(0.05);
/// for _ in 0..100 {
///     tape.reset();
///     let loss = loss::cross_entropy(model.forward(tape.constant(&few)), &labels);
///     adam.step(&mut model, &loss.backward()?)?;
/// }
/// tape.reset();
/// assert_eq!(model.forward(tape.constant(&all)).value()?.argmax(-1)?.to_vec(), [0, 1, 0, 1]);
/// assert_eq!(model.num_trainable(), 2 * 2 + 2);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Module)]
pub struct LatentClassifier<T: Float> {
    /// The autoencoder from x to z, trained on all inputs.
    pub vae: Vae<T>,
    /// The classifier from z to logits, `[n, latent]` → `[n, classes]`.
    pub head: Mlp<T>,
}

impl<T: Float> LatentClassifier<T> {
    /// A model of a trained autoencoder, whose parameters it freezes, and a new head.
    pub fn new(mut vae: Vae<T>, config: &LatentClassifierConfig, rng: &mut Rng) -> Self {
        vae.freeze();
        let mut widths = vec![vae.latent()];
        widths.extend(&config.hidden);
        widths.push(config.classes);
        let head = MlpConfig { widths, activation: config.activation, dropout: config.dropout };
        LatentClassifier { vae, head: Mlp::with_config(&head, rng) }
    }

    /// The mean of q(z|x) for each sample, `[n, ..]` → `[n, latent]`.
    #[track_caller]
    pub fn features<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.vae.mean.forward(self.vae.encoder.forward(x))
    }
}

impl<T: Float> Layer<T> for LatentClassifier<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        let scope = tape.open_scope();
        let z = if tape.is_training() { self.vae.encode(x).rsample(tape) } else { self.features(x) };
        scope.close(self.head.forward(z))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Distribution;
    use crate::optim::{Adam, Optimizer};
    use crate::zoo::VaeConfig;
    use crate::{gradcheck, loss};
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    fn small<T: Float>(inputs: usize) -> LatentClassifier<T> {
        let activation = Activation::Tanh;
        let shape = VaeConfig { inputs, hidden: vec![16], latent: 3, activation, ..VaeConfig::default() };
        let config = LatentClassifierConfig { classes: 2, hidden: vec![4], activation, dropout: 0.1 };
        let rng = &mut Rng::seed(1);
        LatentClassifier::new(Vae::dense(&shape, rng), &config, rng)
    }

    #[test]
    fn gradients_are_right_and_the_autoencoder_gets_none_until_it_is_unfrozen() {
        let x: Tensor<f64> = Tensor::rand([4, 6], &mut Rng::seed(2)).unwrap();
        let labels = Tensor::from([0, 1, 1, 0]);
        let mut model = small::<f64>(6);
        let loss = |m: &LatentClassifier<f64>, x| loss::cross_entropy(m.forward(x), &labels);
        let tape = Tape::train(0);
        let grads = loss(&model, tape.constant(&x)).backward().unwrap();
        assert!(grads.of(&model.vae.mean.weight).is_err() && grads.of(&model.head.layers[0].weight).is_ok());
        model.unfreeze();
        let report = gradcheck::check(
            &mut model,
            |m, tape| loss::cross_entropy(m.forward(tape.constant(&x)), &labels),
            3,
        )
        .unwrap();
        assert!(report.worst() < 1e-6, "{report:?}");
        assert!(report.unused.iter().all(|p| p.starts_with("vae.decoder")), "{report:?}");
    }

    #[test]
    fn features_are_the_means_of_z() {
        let (model, tape) = (small::<f64>(6), Tape::eval());
        let x = tape.constant(Tensor::rand([4, 6], &mut Rng::seed(2)));
        let means = model.vae.encode(x).mean().value().unwrap();
        assert_eq!(model.features(x).value().unwrap(), means);
    }

    /// Two patterns of black and white pixels, of which one in ten is wrong; two samples of each pattern have a label.
    #[test]
    fn a_few_labels_are_enough_where_there_are_many_inputs() {
        let mut rng = Rng::seed(3);
        let patterns: Tensor<f32> =
            Tensor::rand([2, 24], &mut rng).unwrap().map(|u: f32| if u > 0.5 { 1.0 } else { 0.0 });
        let mut draw = |n: usize| {
            let labels = Tensor::from((0..n as i64).map(|i| i % 2).collect::<Vec<_>>());
            let wrong = wengert_ops::random::bernoulli::<f32>([n, 24], 0.1, 1.0, rng.next_key()).unwrap();
            let x = patterns.index_select(0, &labels).unwrap().sub(&wrong).unwrap().map(f32::abs);
            (x, labels)
        };
        let (all, _) = draw(200);
        let (few, labels) = draw(4);
        let (test, truth) = draw(200);
        let mut model = small::<f32>(24);
        let (mut adam, mut tape) = (Adam::new(5e-3), Tape::train(0));
        model.vae.unfreeze();
        for _ in 0..150 {
            tape.reset();
            let loss = -model.vae.elbo(tape.constant(&all)).bound.mean();
            adam.step(&mut model.vae, &loss.backward().unwrap()).unwrap();
        }
        model.vae.freeze();
        let mut adam = Adam::new(0.02);
        for _ in 0..100 {
            tape.reset();
            let loss = loss::cross_entropy(model.forward(tape.constant(&few)), &labels);
            adam.step(&mut model, &loss.backward().unwrap()).unwrap();
        }
        let tape = Tape::eval();
        let chosen = model.forward(tape.constant(&test)).value().unwrap().argmax(-1).unwrap().to_vec();
        let right = chosen.iter().zip(truth.to_vec()).filter(|(a, b)| **a == *b).count();
        assert!(right >= 190, "{right} of 200");
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let (model, tape) = (small::<f64>(6), Tape::new());
        let wrong = tape.constant(Tensor::ones([4, 7]));
        for y in [model.forward(wrong), model.features(wrong)] {
            let e = y.value().unwrap_err();
            assert!(e.op() == "linear" && e.location().is_some_and(|at| at.file() == file!()), "{e}");
        }
    }
}
