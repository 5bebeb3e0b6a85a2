//! Contrastive learning of representations.

use super::{Mlp, MlpConfig};
use crate::Module;
use crate::layers::{Activation, Layer};
use crate::loss::InfoNce;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Operand, Var};

/// The shape of a [`Contrastive`] model's projection, and its temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastiveConfig {
    /// The number of features that the encoder returns. Default: `64`.
    pub features: usize,
    /// The width of the projection's hidden layer. Default: `64`.
    pub hidden: usize,
    /// The number of features in which views are compared. Default: `32`.
    pub outputs: usize,
    /// The divisor of cosine similarities: the smaller it is, the more the most similar other views count. Default: `0.2`.
    pub temperature: f64,
}

impl Default for ContrastiveConfig {
    fn default() -> Self {
        ContrastiveConfig { features: 64, hidden: 64, outputs: 32, temperature: 0.2 }
    }
}

/// An encoder that learns without labels, as in SimCLR: two views of the same sample, such as two random changes of an image,
/// should be closer to each other than to the views of other samples. They are compared after a projection, which is not used
/// after training. (Chen et al. 2020.) The loss is [`InfoNce`] (van den Oord et al. 2018): each view must find its partner
/// among the other views of the batch. In contrast to Chen et al., eq. 1, a view is not compared with views of its own kind.
///
/// A [`linear_probe`](super::linear_probe) measures the quality of the [`features`](Contrastive::features).
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer};
/// use wengert_nn::zoo::{Contrastive, ContrastiveConfig};
/// use wengert_nn::{Activation, Linear, Sequential};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let mut rng = Rng::seed(0);
/// let encoder = Sequential::<f32>::new().push(Linear::new(6, 16, &mut rng)).push(Activation::Relu);
/// let config = ContrastiveConfig { features: 16, hidden: 16, outputs: 8, ..ContrastiveConfig::default() };
/// let mut model = Contrastive::new(encoder, &config, &mut rng);
/// let samples = Tensor::randn([8, 6], &mut rng)?;
/// let mut view = || samples.add(&Tensor::randn([8, 6], &mut rng)?.scale(0.1));
/// let (mut adam, mut tape, mut losses) = (Adam::new(0.01), Tape::train(0), Vec::new());
/// for _ in 0..100 {
///     tape.reset();
///     let loss = model.loss(tape.constant(view()), view());
///     losses.push(loss.item()?);
///     adam.step(&mut model, &loss.backward()?)?;
/// }
/// assert!(losses[99] < 0.5 * losses[0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Contrastive<T: Float, E> {
    /// The encoder from samples to features, `[n, ..]` → `[n, features]`, which is kept after training.
    pub encoder: E,
    /// The projection from features to the compared vectors, `[n, features]` → `[n, outputs]`.
    pub projection: Mlp<T>,
    /// The divisor of cosine similarities.
    pub temperature: f64,
}

impl<T: Float, E: Layer<T>> Contrastive<T, E> {
    /// A model of the encoder and a new projection of two layers with ReLU.
    pub fn new(encoder: E, config: &ContrastiveConfig, rng: &mut Rng) -> Self {
        let widths = vec![config.features, config.hidden, config.outputs];
        let projection = Mlp::with_config(
            &MlpConfig { widths, activation: Activation::Relu, ..MlpConfig::default() },
            rng,
        );
        Contrastive { encoder, projection, temperature: config.temperature }
    }

    /// The features of samples, `[n, ..]` → `[n, features]`.
    #[track_caller]
    pub fn features<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.encoder.forward(x)
    }

    /// The vectors that are compared, `[n, ..]` → `[n, outputs]`.
    #[track_caller]
    pub fn project<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        scope.close(self.projection.forward(self.features(x)))
    }

    /// The loss of two views of the same samples, `[n, ..]` each, in the same order. It is log n if all vectors are equal.
    #[track_caller]
    pub fn loss<'t>(&self, views: Var<'t, T>, others: impl Operand<'t, T>) -> Var<'t, T> {
        let tape = views.tape();
        let others = others.into_var(tape);
        let scope = tape.open_scope();
        let loss = InfoNce { temperature: self.temperature, ..Default::default() };
        scope.close(loss.of(self.project(views), self.project(others)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::layers::{BatchNorm, Linear, Sequential};
    use crate::optim::{Adam, Optimizer};
    use crate::zoo::linear_probe;
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    fn small<T: Float>(inputs: usize, activation: Activation) -> Contrastive<T, Sequential<T>> {
        let rng = &mut Rng::seed(1);
        let encoder = Sequential::new()
            .push(Linear::new(inputs, 16, rng))
            .push(BatchNorm::new(16))
            .push(activation)
            .push(Linear::new(16, 6, rng));
        let config = ContrastiveConfig { features: 6, hidden: 8, outputs: 4, temperature: 0.3 };
        let mut model = Contrastive::new(encoder, &config, rng);
        model.projection.activation = activation;
        model
    }

    #[test]
    fn gradients_are_right() {
        let mut model = small::<f64>(5, Activation::Tanh);
        let views = [2, 3].map(|seed| Tensor::randn([4, 5], &mut Rng::seed(seed)).unwrap());
        let report =
            gradcheck::check(&mut model, |m, tape| m.loss(tape.constant(&views[0]), &views[1]), 3).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn views_that_say_nothing_cost_log_n() {
        let model = small::<f64>(5, Activation::Tanh);
        let tape = Tape::eval();
        let same = tape.constant(Tensor::ones([7, 5]));
        assert!((model.loss(same, same).item().unwrap() - 7f64.ln()).abs() < 1e-12);
    }

    /// A sample is the pattern of its class mixed with noise that differs between views. The views share only the class, which
    /// the model finds without labels.
    #[test]
    fn what_views_share_is_found() {
        let mut rng = Rng::seed(4);
        let patterns: Tensor<f64> = Tensor::randn([4, 3], &mut rng).unwrap();
        let classes = Tensor::from((0..64).map(|i| i % 4).collect::<Vec<i64>>());
        let clean = patterns.index_select(0, &classes).unwrap();
        let mixing: Tensor<f64> = Tensor::randn([6, 12], &mut rng).unwrap();
        let view = |rng: &mut Rng| {
            // Three numbers of the class and three random numbers per view, mixed.
            let noise = Tensor::randn([64, 3], rng).unwrap().scale(2.0);
            Tensor::concat(&[clean.clone(), noise], 1).unwrap().matmul(&mixing).unwrap()
        };
        let mut model = small::<f64>(12, Activation::Relu);
        let quality = |model: &Contrastive<f64, _>, rng: &mut Rng| {
            let features = |x: &Tensor<f64>| -> Tensor<f64> {
                let tape = Tape::eval();
                Contrastive::features(model, tape.constant(x)).value().unwrap()
            };
            let head = linear_probe(&features(&view(rng)), &classes, 4, 1e-2).unwrap();
            let tape = Tape::eval();
            let logits = head.forward(tape.constant(features(&view(rng)))).value().unwrap();
            let chosen = logits.argmax(-1).unwrap().to_vec();
            chosen.iter().zip(classes.to_vec()).filter(|(a, b)| **a == *b).count()
        };
        let before = quality(&model, &mut rng);
        let (mut adam, mut tape) = (Adam::new(0.01), Tape::train(0));
        for _ in 0..200 {
            tape.reset();
            let loss = model.loss(tape.constant(view(&mut rng)), view(&mut rng));
            adam.step(&mut model, &loss.backward().unwrap()).unwrap();
        }
        let after = quality(&model, &mut rng);
        assert!(after >= 60 && before < 56, "{before} of 64 before, {after} after");
    }

    #[test]
    fn what_does_not_fit_is_refused_where_the_caller_stands() {
        let mut model = small::<f64>(5, Activation::Relu);
        let tape = Tape::new();
        let x = tape.constant(Tensor::ones([4, 5]));
        let (wide, few) = (tape.constant(Tensor::ones([4, 6])), tape.constant(Tensor::ones([3, 5])));
        let y = [model.loss(x, wide), model.loss(wide, x), model.loss(x, few), model.features(wide)];
        model.temperature = 0.0;
        for (y, op) in y
            .into_iter()
            .chain([model.loss(x, x)])
            .zip(["linear", "linear", "info_nce", "linear", "info_nce"])
        {
            let e = y.value().unwrap_err();
            assert!(e.op() == op && e.location().is_some_and(|at| at.file() == file!()), "{e}");
        }
    }
}
