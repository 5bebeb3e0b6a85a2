//! Several independent elements as one event.

use super::support::failed;
use super::{Distribution, Keys, Kl, Reparameterised};
use wengert_ops::{ErrorKind, Shape, Tensor};
use wengert_tape::{Float, Operand, Result, Tape, Var};

/// A distribution whose last axes form one event of independent elements: `log_prob`, `entropy` and [`kl`](super::kl) are summed
/// over them.
///
/// ```
/// use wengert_nn::dist::{Bernoulli, Distribution, Independent};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let pixels = Independent::new(Bernoulli::from_logits(tape.var(Tensor::zeros([7, 8, 8]))), 2);
/// let log_prob = pixels.log_prob(1.0);
/// assert_eq!(log_prob.shape(), [7]);
/// assert!((log_prob.value()?.to_vec()[0] + 64.0 * 2f64.ln()).abs() < 1e-12);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Independent<D> {
    each: D,
    axes: usize,
}

impl<D> Independent<D> {
    /// The distribution `each`, with the last `axes` axes of its batch as one event.
    pub fn new(each: D, axes: usize) -> Self {
        Independent { each, axes }
    }

    /// The distribution of the elements.
    pub fn each(&self) -> &D {
        &self.each
    }

    /// The sum over the axes of the event.
    #[track_caller]
    fn sum<'t, T: Float>(&self, x: Var<'t, T>) -> Var<'t, T> {
        if x.is_failed() || self.axes == 0 {
            return x;
        }
        if x.rank() < self.axes {
            let detail =
                format!("expected {} axes of independent elements, found shape {}", self.axes, x.shape());
            return failed(x, "independent", ErrorKind::Shape, detail);
        }
        let last: Vec<isize> = (1..=self.axes as isize).map(|a| -a).collect();
        x.sum_axes(last)
    }
}

impl<'t, T: Float, D: Distribution<'t, T>> Distribution<'t, T> for Independent<D> {
    fn tape(&self) -> &'t Tape<T> {
        self.each.tape()
    }

    fn shape(&self) -> Shape {
        self.each.shape()
    }

    fn event_rank(&self) -> usize {
        self.each.event_rank() + self.axes
    }

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = x.into_var(self.tape());
        let log_prob = self.each.log_prob(x);
        self.sum(log_prob)
    }

    fn mean(&self) -> Var<'t, T> {
        self.each.mean()
    }

    fn variance(&self) -> Var<'t, T> {
        self.each.variance()
    }

    fn std(&self) -> Var<'t, T> {
        self.each.std()
    }

    fn mode(&self) -> Var<'t, T> {
        self.each.mode()
    }

    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        self.sum(self.each.entropy())
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        self.each.draw(lead, keys)
    }
}

impl<'t, T: Float, D: Reparameterised<'t, T>> Reparameterised<'t, T> for Independent<D> {
    #[track_caller]
    fn redraw(&self, lead: &[usize], keys: &mut dyn Keys) -> Var<'t, T> {
        self.each.redraw(lead, keys)
    }
}

impl<'t, T: Float, P: Kl<'t, T, Q>, Q> Kl<'t, T, Independent<Q>> for Independent<P> {
    #[track_caller]
    fn kl(&self, q: &Independent<Q>) -> Var<'t, T> {
        let kl = self.each.kl(&q.each);
        if self.axes != q.axes && !kl.is_failed() {
            let detail = format!("the events have {} and {} axes of independent elements", self.axes, q.axes);
            return failed(kl, "kl", ErrorKind::Shape, detail);
        }
        self.sum(kl)
    }
}
