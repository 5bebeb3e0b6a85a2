//! The uniform distribution.

use super::support::{
    Needs, argument, broadcast, constant, either, failed, full, parameter, tape_and_shape_of,
};
use super::{Distribution, Keys, Kl, Reparameterised};
use crate::domain::place;
use wengert_ops::{ErrorKind, Tensor};
use wengert_tape::{Float, Operand, Result, Var};

/// The uniform distribution on \[a, b\], with the density 1 / (b - a).
///
/// ```
/// use wengert_nn::dist::{Distribution, Uniform};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Uniform::new(tape.var(1.0), 3.0);
/// assert_eq!(d.log_prob(Tensor::from([2.0, 4.0])).value()?.to_vec(), [-2f64.ln(), f64::NEG_INFINITY]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Uniform<'t, T: Float> {
    low: Var<'t, T>,
    high: Var<'t, T>,
}

impl<'t, T: Float> Uniform<'t, T> {
    /// The distribution from `low` to `high`, which must be larger.
    #[track_caller]
    pub fn new(low: Var<'t, T>, high: impl Operand<'t, T>) -> Self {
        const OP: &str = "uniform";
        let high = parameter(OP, "an upper end that is", high.into_var(low.tape()), Needs::Finite);
        let low = parameter(OP, "a lower end that is", low, Needs::Finite);
        let [low, high] = broadcast(OP, [low, high]);
        let (Ok(a), Ok(b)) = (low.value(), high.value()) else { return Uniform { low, high } };
        match a.lt(&b).map(|below| below.to_vec().iter().position(|below| !below)) {
            Ok(None) => Uniform { low, high },
            Ok(Some(at)) => {
                let (a, b) = (a.to_vec(), b.to_vec());
                let found = place(format!("{} to {}", a[at], b[at]), at, low.shape().as_shape());
                let detail = format!("expected low below high everywhere, found {found}");
                let bad = failed(low, OP, ErrorKind::Argument, detail);
                Uniform { low: bad, high: bad }
            }
            Err(e) => {
                let bad = low.tape().failed(e.in_op(OP).into());
                Uniform { low: bad, high: bad }
            }
        }
    }

    fn noise(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        Ok(wengert_ops::random::uniform(full(lead, &self.shape()), 0.0, 1.0, keys.next_key())?)
    }
}

impl<'t, T: Float> Distribution<'t, T> for Uniform<'t, T> {
    tape_and_shape_of!(low);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("uniform", self.low, &self.shape(), x);
        let density = -(self.high - self.low).log();
        match either(x.lt(self.low), x.gt(self.high)) {
            // Only the shape of x matters, and whether it is NaN.
            Ok(outside) => (x.detach() * 0.0 + density).masked_fill(&outside, f64::NEG_INFINITY),
            Err(e) => x.tape().failed(e),
        }
    }

    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        (self.low + self.high) * 0.5
    }

    /// (b - a)² / 12.
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        (self.high - self.low).square() / 12.0
    }

    /// The middle of the interval, since the density is constant.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        self.mean()
    }

    /// log(b - a).
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        (self.high - self.low).log()
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let (low, high) = (self.low.value()?, self.high.value()?);
        Ok(low.add(&high.sub(&low)?.mul(&self.noise(lead, keys)?)?)?)
    }
}

/// a + (b - a) u.
impl<'t, T: Float> Reparameterised<'t, T> for Uniform<'t, T> {
    #[track_caller]
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T> {
        self.low + (self.high - self.low) * constant(self.low, self.noise(lead, keys))
    }
}

/// log((b_q - a_q) / (b_p - a_p)), and +∞ unless the support of p is within that of q.
impl<'t, T: Float> Kl<'t, T> for Uniform<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let kl = ((q.high - q.low) / (self.high - self.low)).log();
        match either(self.low.lt(q.low), self.high.gt(q.high)) {
            Ok(outside) => kl.masked_fill(&outside, f64::INFINITY),
            Err(e) => kl.tape().failed(e),
        }
    }
}
