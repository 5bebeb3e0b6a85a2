//! A forecaster that predicts its own uncertainty.

use crate::Module;
use crate::dist::{Distribution, Normal};
use crate::layers::{Gru, Layer, Linear, RecurrentConfig, RnnInput};
use wengert_ops::random::Rng;
use wengert_tape::{Float, Operand, Var};

/// The shape of a [`Forecaster`].
#[derive(Debug, Clone, PartialEq)]
pub struct ForecasterConfig {
    /// The number of features at each step of the past. Default: `1`.
    pub features: usize,
    /// The number of features of the state. Default: `32`.
    pub hidden: usize,
    /// The number of recurrent layers. Default: `1`.
    pub layers: usize,
    /// The number of steps of the future. Default: `1`.
    pub horizon: usize,
    /// The number that is added to every σ, so that the density is bounded. Default: `1e-3`.
    pub least_std: f64,
}

impl Default for ForecasterConfig {
    fn default() -> Self {
        ForecasterConfig { features: 1, hidden: 32, layers: 1, horizon: 1, least_std: 1e-3 }
    }
}

/// A network that predicts the parameters of a normal distribution, mean and standard deviation, for each step of the
/// future: `[n, past, features]` → N(μ, σ²) of shape `[n, horizon]`. Its loss is the negative log-likelihood, from which σ is
/// learned for each input (heteroscedastic regression; Nix and Weigend 1994).
///
/// ```
/// use wengert_nn::dist::Distribution;
/// use wengert_nn::zoo::{Forecaster, ForecasterConfig};
/// use wengert_ops::{Tensor, random::Rng};
/// let net = Forecaster::<f64>::with_config(&ForecasterConfig { horizon: 3, ..Default::default() }, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::new();
/// let future = net.predict(tape.constant(Tensor::ones([5, 12, 1])));
/// assert_eq!(*future.shape(), [5, 3]);
/// let loss = net.loss(tape.constant(Tensor::ones([5, 12, 1])), Tensor::zeros([5, 3]));
/// assert!(loss.item()?.is_finite());
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Forecaster<T: Float> {
    /// The recurrent layers that read the past.
    pub recurrent: Gru<T>,
    /// The linear map from the last state to μ and to the values whose softplus is σ, hidden → 2 · horizon.
    pub head: Linear<T>,
    /// The number that is added to every σ.
    pub least_std: f64,
}

impl<T: Float> Forecaster<T> {
    /// A network with PyTorch's default weights.
    pub fn with_config(config: &ForecasterConfig, rng: &mut Rng) -> Self {
        let recurrent =
            RecurrentConfig { layers: config.layers, ..RecurrentConfig::new(config.features, config.hidden) };
        Forecaster {
            recurrent: Gru::with_config(&recurrent, rng),
            head: Linear::new(config.hidden, 2 * config.horizon, rng),
            least_std: config.least_std,
        }
    }

    /// The distribution of the future, `[n, horizon]`.
    #[track_caller]
    pub fn predict<'t>(&self, past: Var<'t, T>) -> Normal<'t, T> {
        let out = self.recurrent.run(past, &RnnInput::default());
        let last = out.h.select(0, out.h.dim(0).saturating_sub(1)); // [n, hidden]
        let parts = self.head.forward(last).chunk(-1, 2);
        let std = parts[parts.len() - 1].softplus() + self.least_std;
        Normal::new(parts[0], std)
    }

    /// The mean of -log p(future | past), in nats per number.
    #[track_caller]
    pub fn loss<'t>(&self, past: Var<'t, T>, future: impl Operand<'t, T>) -> Var<'t, T> {
        -self.predict(past).log_prob(future).mean()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::optim::{Adam, Optimizer};
    use wengert_ops::Tensor;
    use wengert_tape::Tape;

    #[test]
    fn gradients_are_right() {
        let config = ForecasterConfig { hidden: 4, layers: 2, horizon: 3, features: 2, ..Default::default() };
        let mut net = Forecaster::<f64>::with_config(&config, &mut Rng::seed(0));
        let (x, y) = (
            Tensor::randn([3, 4, 2], &mut Rng::seed(1)).unwrap(),
            Tensor::<f64>::randn([3, 3], &mut Rng::seed(2)).unwrap(),
        );
        let report = gradcheck::check(&mut net, |n, tape| n.loss(tape.constant(&x), &y), 3).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    /// A sine whose noise is ten times larger in its upper half.
    #[test]
    fn it_learns_the_mean_and_where_it_is_unsure() {
        let mut rng = Rng::seed(5);
        let noise: Tensor<f64> = Tensor::randn([600], &mut rng).unwrap();
        let clean = |i: usize| (i as f64 * 0.3).sin();
        let std = |i: usize| if clean(i) > 0.0 { 0.3 } else { 0.03 };
        let series: Vec<f64> =
            noise.to_vec().iter().enumerate().map(|(i, e)| clean(i) + std(i) * e).collect();
        let past = 12;
        let rows: Vec<usize> = (0..series.len() - past).collect();
        let gather = |rows: &[usize]| {
            let x: Vec<f64> = rows.iter().flat_map(|&i| series[i..i + past].to_vec()).collect();
            let y: Vec<f64> = rows.iter().map(|&i| series[i + past]).collect();
            let n = rows.len();
            (Tensor::from_vec(x, [n, past, 1]).unwrap(), Tensor::from_vec(y, [n, 1]).unwrap())
        };
        let config = ForecasterConfig { hidden: 16, ..Default::default() };
        let mut net = Forecaster::<f64>::with_config(&config, &mut Rng::seed(0));
        let (mut adam, mut tape) = (Adam::new(0.01), Tape::train(0));
        let (train, test) = rows.split_at(450);
        let (x, y) = gather(train);
        for _ in 0..250 {
            tape.reset();
            let loss = net.loss(tape.constant(&x), &y);
            adam.step(&mut net, &loss.backward().unwrap()).unwrap();
        }
        tape.reset();
        let (x, _) = gather(test);
        let future = net.predict(tape.constant(&x));
        let (means, stds) = (future.mean().value().unwrap().to_vec(), future.std().value().unwrap().to_vec());
        let average = |f: &dyn Fn(usize) -> Option<f64>| {
            let all: Vec<f64> = (0..test.len()).filter_map(f).collect();
            all.iter().sum::<f64>() / all.len() as f64
        };
        let at = |k: usize| test[k] + past;
        let error = average(&|k| Some((means[k] - clean(at(k))).abs()));
        // Points away from the border between the halves.
        let (upper, lower) = (
            average(&|k| (clean(at(k)) > 0.5).then_some(stds[k])),
            average(&|k| (clean(at(k)) < -0.5).then_some(stds[k])),
        );
        assert!(error < 0.15, "{error}");
        assert!(upper > 0.15 && upper < 0.5 && lower < 0.12, "{upper} above, {lower} below");
    }
}
