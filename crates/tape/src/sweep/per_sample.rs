//! One gradient per sample, where [`backward`](crate::Var::backward) computes that of their mean.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::sweep::Grads;
use crate::tape::Tape;
use crate::tape::param::Param;
use crate::tape::var::Var;
use std::panic::Location;
use wengert_ops::{Tensor, parallel};

/// The gradients of `n` samples, one per sample: `loss(tape, i)` is the loss of sample `i`, recorded on a tape of its own.
/// The tapes run on all threads; the result does not depend on the number of threads.
///
/// Used for gradient norms, influence, the noise scale of a batch, and training that clips every sample's gradient.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, per_sample};
/// let w = Param::new(Tensor::from([1.0f64, 2.0]));
/// let x = Tensor::from([[1.0, 0.0], [3.0, 4.0]]);
/// let samples = per_sample(2, |tape, i| (tape.param(&w) * x.select(0, i)).sum().square())?;
/// assert_eq!(samples.of(&w)?, Tensor::from([[2.0, 0.0], [66.0, 88.0]]));
/// assert_eq!(samples.norms(), [2.0, 110.0]);
/// // Each gradient is clipped to norm 1, then averaged.
/// let factors: Vec<f64> = samples.norms().iter().map(|n| 1.0 / n.max(1.0) / 2.0).collect();
/// assert!((samples.weighted(&factors)?.of(&w)?.to_vec()[1] - 0.4).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// The first sample's error, if a loss failed or is not a scalar.
#[doc(alias = "vmap")]
#[track_caller]
pub fn per_sample<T: Float>(
    n: usize,
    loss: impl for<'t> Fn(&'t Tape<T>, usize) -> Var<'t, T> + Sync + Send,
) -> Result<PerSample<T>> {
    let at = Location::caller();
    let one = |i: usize| {
        let tape = Tape::new();
        let loss = loss(&tape, i);
        // Other tapes share the parameters, so they are not released.
        loss.backward_retaining().map_err(|e| e.at(at))
    };
    Ok(PerSample { samples: parallel::collect(n, one).into_iter().collect::<Result<_>>()? })
}

/// The gradients of several samples; see [`per_sample`].
#[derive(Debug, Clone)]
pub struct PerSample<T: Float> {
    samples: Vec<Grads<T>>,
}

impl<T: Float> PerSample<T> {
    /// The gradients of a parameter, stacked: `[samples, ..]`. Zeros for a sample that does not depend on it.
    ///
    /// # Errors
    /// If no sample depends on the parameter, or it is frozen.
    #[track_caller]
    pub fn of(&self, p: &Param<T>) -> Result<Tensor<T>> {
        let Some(known) = self.samples.iter().find(|g| g.get(p.id()).is_some()) else {
            let name = p.name().unwrap_or("this parameter");
            let detail = format!("no sample's loss depends on {name}: its gradients are zero");
            return Err(Error::new(ErrorKind::Unreached, "of", detail).at(Location::caller()));
        };
        let zero = Tensor::try_full(known.of(p)?.shape(), T::ZERO)?;
        let each: Vec<_> = self.samples.iter().map(|g| g.get(p.id()).unwrap_or(&zero).clone()).collect();
        Ok(Tensor::stack(&each, 0)?)
    }

    /// The joint [norm](Grads::norm) of every sample's gradients.
    pub fn norms(&self) -> Vec<f64> {
        self.samples.iter().map(Grads::norm).collect()
    }

    /// Σ weightᵢ · gradientᵢ, for an optimiser.
    ///
    /// # Errors
    /// If there is not one weight per sample.
    #[track_caller]
    pub fn weighted(&self, weights: &[f64]) -> Result<Grads<T>> {
        let at = Location::caller();
        if weights.len() != self.samples.len() || weights.is_empty() {
            let detail = format!("expected {} weights, found {}", self.samples.len(), weights.len());
            let kind = ErrorKind::Op(wengert_ops::ErrorKind::Argument);
            return Err(Error::new(kind, "weighted", detail).at(at));
        }
        let scaled = |(g, w): (&Grads<T>, &f64)| {
            let mut g = g.clone();
            g.scale(*w);
            g
        };
        let mut all = self.samples.iter().zip(weights).map(scaled);
        let mut sum = all.next().expect("there is a sample");
        for g in all {
            sum.accumulate(g)?;
        }
        Ok(sum)
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::random::{Key, normal};

    fn net<'t>(x: Var<'t, f64>, w: &Param<f64>, v: &Param<f64>) -> Var<'t, f64> {
        x.linear(x.tape().param(w), Some(x.tape().param(v))).tanh().square().sum()
    }

    #[test]
    fn they_add_up_to_the_gradient_of_the_batch_on_any_number_of_threads() {
        let draw = |shape: &[usize], stream| normal(shape, 0.0, 1.0, Key { seed: 1, stream }).unwrap();
        let (x, w, v) = (draw(&[9, 4], 0), Param::new(draw(&[3, 4], 1)), Param::new(draw(&[3], 2)));
        let run = || per_sample(9, |tape, i| net(tape.constant(x.select(0, i)), &w, &v));
        let samples = run().unwrap();
        let tape = Tape::new();
        let batch = net(tape.constant(&x), &w, &v).backward().unwrap();
        let sum = samples.weighted(&[1.0; 9]).unwrap();
        for p in [&w, &v] {
            let (got, want) = (sum.of(p).unwrap().to_vec(), batch.of(p).unwrap().to_vec());
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-13), "{got:?} {want:?}");
        }
        let of = samples.of(&w).unwrap();
        assert_eq!(*of.shape(), [9, 3, 4]);
        let norm = (0..9).map(|i| {
            let square = |t: Tensor<f64>| t.select(0, i).unwrap().to_vec().iter().map(|v| v * v).sum::<f64>();
            (square(of.clone()) + square(samples.of(&v).unwrap())).sqrt()
        });
        assert!(norm.zip(samples.norms()).all(|(a, b)| (a - b).abs() < 1e-13));
        assert_eq!(run().unwrap().of(&w).unwrap(), of);
        assert!(samples.weighted(&[1.0]).is_err());
        assert!(samples.of(&Param::new(Tensor::from([1.0]))).is_err());
        assert!(per_sample(2, |tape: &Tape<f64>, _| tape.param(&w) * 1.0).is_err(), "not a scalar");
    }
}
