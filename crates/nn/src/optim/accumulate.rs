//! [`GradAccumulator`]: the gradients of several sweeps combined.

use wengert_tape::{Float, Grads, Result};

/// The mean of the gradients of several minibatches, for a step like that of a batch that would not fit in memory.
///
/// The mean over minibatches of equal size is the gradient of the mean over all samples. If a parameter has no gradient in a
/// sweep, that gradient counts as zero.
///
/// ```
/// use wengert_nn::optim::Accumulator;
/// use wengert_ops::Tensor;
/// use wengert_tape::{Param, Tape};
/// let p = Param::new(Tensor::from([1.0, 2.0]));
/// let mut sum = Accumulator::new();
/// for x in [Tensor::from([1.0, 0.0]), Tensor::from([3.0, 1.0])] {
///     let tape = Tape::new();
///     sum.add((tape.param(&p) * x).sum().backward()?)?;
/// }
/// assert_eq!(sum.len(), 2);
/// let grads = sum.take_mean().expect("two sweeps");
/// assert_eq!(grads.of(&p)?.to_vec(), [2.0, 0.5]);
/// assert!(sum.is_empty());                                // ready for the next step
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Accumulator<T: Float> {
    sum: Option<Grads<T>>,
    sweeps: usize,
}

impl<T: Float> Default for Accumulator<T> {
    fn default() -> Self {
        Accumulator { sum: None, sweeps: 0 }
    }
}

impl<T: Float> Accumulator<T> {
    /// An empty accumulator.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the parameter gradients of a sweep.
    ///
    /// # Errors
    /// If a parameter's gradients differ in shape.
    pub fn add(&mut self, grads: Grads<T>) -> Result<()> {
        match &mut self.sum {
            Some(sum) => sum.accumulate(grads)?,
            None => self.sum = Some(grads),
        }
        self.sweeps += 1;
        Ok(())
    }

    /// The number of sweeps added.
    pub fn len(&self) -> usize {
        self.sweeps
    }

    /// Whether no sweep was added.
    pub fn is_empty(&self) -> bool {
        self.sweeps == 0
    }

    /// The sum over sweeps; the accumulator is then empty. `None` if no sweep was added.
    pub fn take_sum(&mut self) -> Option<Grads<T>> {
        self.sweeps = 0;
        self.sum.take()
    }

    /// The mean over sweeps; the accumulator is then empty. `None` if no sweep was added.
    pub fn take_mean(&mut self) -> Option<Grads<T>> {
        let share = 1.0 / self.sweeps as f64;
        let mut grads = self.take_sum()?;
        grads.scale(share);
        Some(grads)
    }
}
