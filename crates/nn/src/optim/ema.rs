//! [`Ema`]: averages of a model's weights during a run.

use super::factors::{Factors, Formula, run};
use super::options::{argument, not_negative, refused};
use crate::module::Module;
use crate::state::{AnyTensor, Dict, Difference, dict, difference, put};
use wengert_ops::Tensor;
use wengert_tape::profile::{Pass, span_of};
use wengert_tape::{Float, Result};

/// The exponential moving average of a model's parameters, φ̄ ← α φ̄ + (1-α) φ (Polyak and Juditsky 1992), which often performs
/// better on held-out data than the last parameters. It begins at the model's current values. Buffers are copied, not averaged.
///
/// ```
/// use wengert_nn::optim::Ema;
/// use wengert_ops::Tensor;
/// use wengert_tape::Param;
/// let mut model = Param::new(Tensor::from([1.0]));
/// let mut ema = Ema::new(0.75, &model);
/// model.set(Tensor::from([5.0]))?;
/// ema.update(&model)?;
/// ema.swap(&mut model)?;                                // evaluate with the average …
/// assert_eq!(model.value().to_vec(), [2.0]);
/// ema.swap(&mut model)?;                                // … and continue training
/// assert_eq!(model.value().to_vec(), [5.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "AveragedModel")]
#[doc(alias = "get_ema_multi_avg_fn")]
#[derive(Debug, Clone)]
pub struct Ema {
    decay: f64,
    average: Dict,
}

struct Step<T>(T, T);

impl<T: Float> Formula<1, T> for Step<T> {
    #[inline(always)]
    fn call<F: Factors>(&self, [average]: [T; 1], value: T) -> [T; 1] {
        [F::times(self.0, average) + F::times(self.1, value)]
    }
}

impl Ema {
    /// An average that begins at the model's values; `decay` is α, for example 0.999.
    pub fn new(decay: f64, model: &dyn Module) -> Self {
        Ema { decay, average: dict(model) }
    }

    /// Sets α for the next updates. With α = n / (n + 1) at the n-th update, counted from n = 0, the average is the mean of all
    /// updates (stochastic weight averaging, Izmailov et al. 2018).
    pub fn set_decay(&mut self, decay: f64) {
        self.decay = decay;
    }

    /// Updates the average with the model's current values. Frozen parameters are averaged too.
    ///
    /// # Errors
    /// If α is not in [0, 1], or if the model does not have the parts with which the average began.
    pub fn update(&mut self, model: &dyn Module) -> Result<()> {
        let _span = span_of("ema", Pass::Optimizer, || None);
        not_negative("ema", "decay", self.decay)
            .and_then(|()| not_negative("ema", "1 - decay", 1.0 - self.decay))
            .map_err(refused)?;
        let parameters: std::collections::HashSet<String> = model.param_names().into_iter().collect();
        let present = dict(model);
        self.fits(&present)?;
        for ((name, average), now) in self.average.iter_mut().zip(present.into_values()) {
            match (average, &now) {
                (AnyTensor::F32(average), AnyTensor::F32(now)) if parameters.contains(name) => {
                    blend(average, now, self.decay)?;
                }
                (AnyTensor::F64(average), AnyTensor::F64(now)) if parameters.contains(name) => {
                    blend(average, now, self.decay)?;
                }
                (average, _) => *average = now,
            }
        }
        Ok(())
    }

    /// Exchanges the values of the model and of the average.
    ///
    /// # Errors
    /// If the model does not have the parts of the average; nothing is changed then.
    pub fn swap(&mut self, model: &mut dyn Module) -> Result<()> {
        let values = dict(model);
        self.store(model)?;
        self.average = values;
        Ok(())
    }

    /// Sets the model's values to the averages.
    ///
    /// # Errors
    /// If the model does not have the parts of the average; nothing is changed then.
    pub fn store(&self, model: &mut dyn Module) -> Result<()> {
        self.fits(&dict(model))?;
        put(model, &self.average)
    }

    /// The averages by the names of the parameters and buffers, for saving.
    pub fn state(&self) -> &Dict {
        &self.average
    }

    /// Loads saved averages.
    ///
    /// # Errors
    /// If a tensor is missing, is one too many, or has another shape or element type; the average is then unchanged.
    pub fn load_state(&mut self, state: &Dict) -> Result<()> {
        self.fits(state)?;
        self.average = state.clone();
        Ok(())
    }

    /// Checks that names, shapes and element types are the average's.
    fn fits(&self, other: &Dict) -> Result<()> {
        let detail = match difference(&self.average, other) {
            None => return Ok(()),
            Some(Difference::Missing(name)) => format!("the average has {name}, which is missing here"),
            Some(Difference::Kind(name, average, found)) => format!(
                "{name}: the average has shape {} of {}, found {} of {}",
                average.shape(),
                average.dtype(),
                found.shape(),
                found.dtype()
            ),
            Some(Difference::Extra(name)) => format!("the average has no {name}"),
        };
        Err(argument("ema", detail))
    }
}

fn blend<T: Float>(average: &mut Tensor<T>, now: &Tensor<T>, decay: f64) -> wengert_ops::Result<()> {
    let [old, new] = [T::from_f64(decay), T::from_f64(1.0 - decay)];
    run("ema", [average], now.into(), &Step(old, new), T::ZERO, &[old, new])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module::Buffer;
    use wengert_tape::Param;

    #[derive(Debug, Clone, crate::Module)]
    struct Net {
        weight: Param<f64>,
        frozen: Param<f32>,
        seen: Buffer<i64>,
        mean: Buffer<f64>,
    }

    fn net(x: f64) -> Net {
        Net {
            weight: Param::new(Tensor::from([x, -x])),
            frozen: Param::new(Tensor::from([x as f32])),
            seen: Buffer::new(Tensor::scalar(x as i64)),
            mean: Buffer::new(Tensor::from([x])),
        }
    }

    #[test]
    fn parameters_are_averaged_and_buffers_copied() {
        let mut ema = Ema::new(0.9, &net(1.0));
        let mut want = 1.0;
        for x in [2.0, 3.0, 4.0] {
            ema.update(&net(x)).unwrap();
            want = 0.9 * want + (1.0 - 0.9) * x;
        }
        let mut model = net(4.0);
        ema.swap(&mut model).unwrap();
        assert_eq!(model.weight.value().to_vec(), [want, -want]);
        assert!((f64::from(model.frozen.value().item().unwrap()) - want).abs() < 1e-6);
        assert_eq!((model.seen.value().item().unwrap(), model.mean.value().item().unwrap()), (4, 4.0));
        let mut again = Ema::new(0.9, &net(0.0));
        again.swap(&mut model.clone()).unwrap();
        ema.swap(&mut model).unwrap();
        assert_eq!(dict(&model), dict(&net(4.0)));
        again.load_state(ema.state()).unwrap();
        again.store(&mut model).unwrap();
        assert_eq!(model.weight.value().to_vec(), [want, -want]);
    }

    #[test]
    fn the_mean_of_all_updates() {
        let mut mean = Ema::new(0.0, &net(0.0));
        for (n, x) in [3.0, 5.0, 10.0].into_iter().enumerate() {
            mean.set_decay(n as f64 / (n as f64 + 1.0));
            mean.update(&net(x)).unwrap();
        }
        let mut model = net(0.0);
        mean.store(&mut model).unwrap();
        assert!((model.weight.value().to_vec()[0] - 6.0).abs() < 1e-12);
    }

    #[test]
    fn another_model_is_refused_by_name() {
        let mut ema = Ema::new(0.9, &net(1.0));
        let mut other = Param::new(Tensor::from([1.0]));
        let e = ema.swap(&mut other).unwrap_err().to_string();
        assert!(e.contains("frozen"), "{e}");
        let mut wide = net(1.0);
        wide.weight = Param::new(Tensor::from([1.0, 2.0, 3.0]));
        let e = ema.update(&wide).unwrap_err().to_string();
        assert!(e.contains("weight") && e.contains("[3]"), "{e}");
        ema.set_decay(1.5);
        assert!(ema.update(&net(1.0)).is_err());
    }

    #[test]
    fn what_has_no_share_has_no_influence() {
        let single = |x: f64| Param::new(Tensor::from([x]));
        let mut model = single(0.0);
        for (decay, average, now, want) in
            [(0.0, f64::INFINITY, 2.0, 2.0), (1.0, 3.0, f64::NEG_INFINITY, 3.0)]
        {
            let mut ema = Ema::new(decay, &single(average));
            ema.update(&single(now)).unwrap();
            ema.store(&mut model).unwrap();
            assert_eq!(model.value().to_vec(), [want]);
        }
    }
}
