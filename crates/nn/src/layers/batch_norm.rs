//! [`BatchNorm`]: channels normalised over the batch, with running statistics for evaluation.

use crate::Module;
use crate::layers::{Layer, ones, optional, zeros};
use crate::module::Buffer;
use wengert_ops::Tensor;
use wengert_tape::{Change, Float, Param, Var};

/// Batch norm (Ioffe and Szegedy 2015) of `[samples, channels, ..]`, of rank 2 or more, into the same shape.
///
/// On a training tape, mean and variance are those of the batch, and the layer announces them: an optimiser's
/// [`step`](crate::optim::Optimizer::step), or [`UpdatesExt::apply`](crate::UpdatesExt::apply) on
/// [`tape.updates()`](wengert_tape::Tape::updates), moves the running statistics towards them. On any other tape the
/// running statistics are used, or those of the batch if the layer keeps none. If a layer of another model announced
/// something on the tape, a step does not apply it but leaves it to the other model's optimiser; if no optimiser applies it,
/// the next step is an error (see [`Optimizer::step`](crate::optim::Optimizer::step)), unless weight and bias were frozen.
/// Options, defaults and names in a state dict are PyTorch's. The running variance is that of a sample: n/(n - 1) times the
/// variance by which the batch was normalised.
///
/// ```
/// use wengert_nn::{BatchNorm, Layer, loss, optim::{Optimizer, Sgd}};
/// use wengert_ops::Tensor;
/// use wengert_tape::Tape;
/// let mut layer = BatchNorm::<f64>::new(1);
/// let x = Tensor::from([[1.0], [3.0]]);
/// let tape = Tape::train(0);
/// let y = layer.forward(tape.constant(&x));
/// let grads = loss::mse(y, Tensor::from([[0.0], [0.0]])).backward()?;
/// Sgd::new(0.0).step(&mut layer, &grads)?;
/// let running = |b: &Option<wengert_nn::Buffer<f64>>| b.as_ref().unwrap().value().item();
/// assert_eq!(running(&layer.running_mean)?, 0.1 * 2.0);
/// assert_eq!(running(&layer.running_var)?, 0.9 * 1.0 + 0.1 * 2.0);
/// let y = layer.forward(Tape::new().constant(&x)).value()?;                // with the running statistics
/// assert!((y.to_vec()[0] - (1.0 - 0.2) / (1.1f64 + 1e-5).sqrt()).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "BatchNorm1d")]
#[doc(alias = "BatchNorm2d")]
#[doc(alias = "BatchNorm3d")]
#[derive(Debug, Clone, Module)]
pub struct BatchNorm<T: Float> {
    /// The scale, `[channels]`, initially one.
    pub weight: Option<Param<T>>,
    /// The shift, `[channels]`, initially zero.
    pub bias: Option<Param<T>>,
    /// The running mean, `[channels]`, initially zero.
    pub running_mean: Option<Buffer<T>>,
    /// The running variance, `[channels]`, initially one.
    pub running_var: Option<Buffer<T>>,
    /// The number of batches that the running statistics include, a scalar.
    pub num_batches_tracked: Option<Buffer<i64>>,
    /// The weight of a new batch in the running statistics, 0.1 by default; `None` averages over all batches.
    pub momentum: Option<f64>,
    /// The number that is added to the variance, 10⁻⁵ by default.
    pub eps: f64,
}

impl<T: Float> BatchNorm<T> {
    /// A layer for `channels` channels, with weight and bias and running statistics.
    ///
    /// # Panics
    /// If one number per channel does not fit in memory.
    pub fn new(channels: usize) -> Self {
        BatchNorm {
            weight: Some(ones([channels])),
            bias: Some(zeros([channels])),
            running_mean: Some(Buffer::new(Tensor::zeros([channels]))),
            running_var: Some(Buffer::new(Tensor::ones([channels]))),
            num_batches_tracked: Some(Buffer::new(Tensor::scalar(0i64))),
            momentum: Some(0.1),
            eps: 1e-5,
        }
    }

    /// The layer without weight and bias.
    #[must_use]
    pub fn without_affine(mut self) -> Self {
        (self.weight, self.bias) = (None, None);
        self
    }

    /// The layer without running statistics: it uses those of the batch in evaluation, too.
    #[must_use]
    pub fn without_statistics(mut self) -> Self {
        (self.running_mean, self.running_var, self.num_batches_tracked) = (None, None, None);
        self
    }

    /// Announces the changes of the buffers after a batch of `n` elements per channel.
    fn announce(&self, mean: Var<'_, T>, variance: Var<'_, T>, n: usize) {
        let tape = mean.tape();
        let (Ok(mean), Ok(variance)) = (mean.value(), variance.value()) else {
            return; // the error is on the tape
        };
        let rate = match (self.momentum, &self.num_batches_tracked) {
            (Some(rate), _) => rate,
            (None, Some(count)) => {
                // Batches that were announced on this tape but not yet applied count too.
                let seen =
                    count.value().item().unwrap_or(0).max(0) as f64 + tape.announced(count.id()) as f64;
                1.0 / (seen + 1.0)
            }
            (None, None) => 0.0,
        };
        let frozen = |p: &Option<Param<T>>| p.as_ref().map(|p| !p.is_trainable());
        let frozen = match (frozen(&self.weight), frozen(&self.bias)) {
            (None, None) => false,
            (weight, bias) => weight != Some(false) && bias != Some(false),
        };
        let announce = |id, change| match frozen {
            true => tape.announce_frozen(id, change),
            false => tape.announce(id, change),
        };
        let unbiased = variance.scale(n as f64 / (n as f64 - 1.0));
        for (buffer, value) in [(&self.running_mean, mean), (&self.running_var, unbiased)] {
            if let Some(b) = buffer {
                announce(b.id(), Change::Towards { value, rate });
            }
        }
        if let Some(count) = &self.num_batches_tracked {
            announce(count.id(), Change::Count(1));
        }
    }
}

impl<T: Float> Layer<T> for BatchNorm<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let tape = x.tape();
        let (weight, bias) = (optional(tape, &self.weight), optional(tape, &self.bias));
        let training = tape.is_training();
        if let (Some(mean), Some(variance), false) = (&self.running_mean, &self.running_var, training) {
            return x.batch_norm_eval(mean.value(), variance.value(), weight, bias, self.eps);
        }
        let [y, mean, variance] = x.batch_norm_with_moments(weight, bias, self.eps);
        if training && !y.is_failed() {
            self.announce(mean, variance, x.numel() / x.dim(1).max(1));
        }
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Optimizer, Sgd};
    use crate::{UpdatesExt, gradcheck, loss, state};
    use wengert_tape::Tape;

    const MEAN: [f64; 3] = [0.01989021766350213, -0.03081965175197575, 0.009022736362575765];
    const VARIANCE: [f64; 3] = [0.8603919621225173, 0.8739386792922912, 0.8092856144383828];
    const EVALUATED: [f64; 12] = [
        -0.16412838367326266,
        0.9263461023627747,
        -0.09433907661536445,
        0.18701851034400463,
        -1.0245347574345636,
        -0.002658658910120818,
        0.17474713770586942,
        -0.6483937863880266,
        -0.6862028295502984,
        0.9935922492987955,
        -0.5558465493275137,
        -0.9844662227710798,
    ];
    const MEAN_OF_ALL: [f64; 3] = [0.059541580619803344, -0.09776678727367782, 0.058280858981660966];
    const VARIANCE_OF_ALL: [f64; 3] = [0.4787256939592003, 0.5370067285277151, 0.31681284264919485];

    fn batch(i: usize) -> Tensor<f64> {
        Tensor::<f64>::steps(i as f64, 0.7, 12).map(|v| (v * v).sin()).reshape([2, 3, 2]).unwrap()
    }

    fn close(a: &Tensor<f64>, b: &[f64]) {
        let a = a.to_vec();
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
    }

    fn statistics(layer: &BatchNorm<f64>) -> (Tensor<f64>, Tensor<f64>, i64) {
        let of = |b: &Option<Buffer<f64>>| b.as_ref().unwrap().value().clone();
        let n = layer.num_batches_tracked.as_ref().unwrap().value().item().unwrap();
        (of(&layer.running_mean), of(&layer.running_var), n)
    }

    /// Trains on three batches; the changes of each are applied `times` times.
    fn trained(momentum: Option<f64>, times: usize) -> BatchNorm<f64> {
        let mut layer = BatchNorm { momentum, ..BatchNorm::new(3) };
        let mut tape = Tape::train(0);
        for i in 0..3 {
            tape.reset();
            let y = layer.forward(tape.constant(batch(i)));
            assert!(!y.is_failed());
            for _ in 0..times {
                tape.updates().apply(&mut layer).unwrap();
            }
        }
        layer
    }

    #[test]
    fn the_gradient_is_right_in_both_modes() {
        let mut layer = BatchNorm::<f64>::new(3);
        let target = batch(9);
        let report = gradcheck::check(
            &mut layer,
            |layer, tape| loss::mse(layer.forward(tape.constant(batch(0))), &target),
            4,
        );
        let report = report.unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    /// Values by PyTorch 2.15: `BatchNorm1d(3)` in double precision on the batches above, in order.
    #[test]
    fn running_statistics_are_pytorchs() {
        for times in [1, 3] {
            let (mean, variance, n) = statistics(&trained(Some(0.1), times));
            close(&mean, &MEAN);
            close(&variance, &VARIANCE);
            assert_eq!(n, 3);
            let (mean, variance, n) = statistics(&trained(None, times));
            close(&mean, &MEAN_OF_ALL);
            close(&variance, &VARIANCE_OF_ALL);
            assert_eq!(n, 3);
        }
        let layer = trained(Some(0.1), 1);
        close(&layer.forward(Tape::new().constant(batch(5))).value().unwrap(), &EVALUATED);
    }

    #[test]
    fn an_optimiser_settles_the_statistics_once_whoever_steps_first() {
        let (mut layer, target) = (BatchNorm::<f64>::new(3), batch(9));
        let (mut a, mut b) = (Sgd::new(0.1), Sgd::new(0.1));
        for i in 0..3 {
            let tape = Tape::train(0);
            let l = loss::mse(layer.forward(tape.constant(batch(i))), &target);
            let (again, grads) = (l.backward_retaining().unwrap(), l.backward().unwrap());
            a.step(&mut layer, &grads).unwrap();
            b.step(&mut layer, &grads).unwrap();
            b.step(&mut layer, &again).unwrap();
            tape.updates().apply(&mut layer).unwrap();
        }
        let (mean, variance, n) = statistics(&layer);
        close(&mean, &MEAN);
        close(&variance, &VARIANCE);
        assert_eq!(n, 3);
    }

    #[test]
    fn gradients_of_several_tapes_bring_all_their_statistics() {
        let (mut layer, target) = (BatchNorm::<f64>::new(3), batch(9));
        let gradients = |i| {
            let tape = Tape::train(0);
            loss::mse(layer.forward(tape.constant(batch(i))), &target).backward().unwrap()
        };
        let mut sum = gradients(0);
        sum.accumulate(gradients(1)).unwrap();
        sum.accumulate(gradients(2)).unwrap();
        Sgd::new(0.0).step(&mut layer, &sum).unwrap();
        let (mean, variance, n) = statistics(&layer);
        close(&mean, &MEAN);
        close(&variance, &VARIANCE);
        assert_eq!(n, 3);
    }

    /// A layer that is used twice sees two batches, in order.
    #[test]
    fn a_layer_used_twice_on_a_tape_counts_twice() {
        let mut layer = BatchNorm { momentum: None, ..BatchNorm::<f64>::new(3) };
        let tape = Tape::train(0);
        for i in 0..3 {
            let _ = layer.forward(tape.constant(batch(i)));
        }
        tape.updates().apply(&mut layer).unwrap();
        let (mean, variance, n) = statistics(&layer);
        close(&mean, &MEAN_OF_ALL);
        close(&variance, &VARIANCE_OF_ALL);
        assert_eq!(n, 3);
    }

    #[test]
    fn evaluation_and_copies_are_left_alone() {
        let layer = trained(Some(0.1), 1);
        let mut copy = layer.clone();
        let (tape, training) = (Tape::new(), Tape::train(0));
        let _ = (layer.forward(tape.constant(batch(4))), layer.forward(training.constant(batch(4))));
        assert!(tape.updates().is_empty() && training.updates().len() == 3);
        training.updates().apply(&mut copy).unwrap();
        assert_eq!(statistics(&copy), statistics(&layer));
    }

    #[test]
    fn names_are_pytorchs_and_everything_is_saved() {
        let layer = trained(Some(0.1), 1);
        let file =
            std::env::temp_dir().join(format!("wengert-{}-batch-norm.safetensors", std::process::id()));
        state::save(&layer, &file).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let saved = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut names: Vec<_> = saved.names().into_iter().map(|n| n.to_string()).collect();
        names.sort();
        assert_eq!(names, ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"]);
        let mut other = BatchNorm::<f64>::new(3);
        state::load(&mut other, &file).unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(statistics(&other), statistics(&layer));
        let bare = BatchNorm::<f64>::new(3).without_affine().without_statistics();
        assert_eq!(bare.num_params(), 0);
        let tape = Tape::new();
        let y = bare.forward(tape.constant(batch(0)));
        assert_eq!(y.value().unwrap(), layer.forward(Tape::train(0).constant(batch(0))).value().unwrap());
    }

    #[test]
    fn one_value_a_channel_is_an_error_in_training_only() {
        let layer = BatchNorm::<f64>::new(2);
        let x = Tensor::from([[1.0, 2.0]]);
        let tape = Tape::train(0);
        let e = layer.forward(tape.constant(&x)).value().unwrap_err();
        assert!(
            e.to_string().contains("more than one value per channel") && tape.updates().is_empty(),
            "{e}"
        );
        assert!(layer.forward(Tape::new().constant(&x)).value().is_ok());
        // A batch of one image has many values per channel.
        let image = Tensor::<f64>::steps(0.0, 1.0, 8).reshape([1, 2, 2, 1, 2]).unwrap();
        assert!(layer.forward(Tape::train(0).constant(&image)).value().is_ok());
    }

    #[test]
    fn what_has_no_share_of_a_statistic_has_no_influence() {
        for (momentum, start, want) in [(1.0, f64::INFINITY, 2.0), (0.0, 5.0, 5.0)] {
            let mut layer = BatchNorm::<f64>::new(1);
            layer.momentum = Some(momentum);
            layer.running_mean.as_mut().unwrap().set(Tensor::from([start])).unwrap();
            let tape = Tape::train(0);
            let _ = layer.forward(tape.constant(Tensor::from([[1.0], [3.0]])));
            tape.updates().apply(&mut layer).unwrap();
            assert_eq!(layer.running_mean.unwrap().value().to_vec(), [want]);
        }
    }
}
