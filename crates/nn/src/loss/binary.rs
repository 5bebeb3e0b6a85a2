//! Binary cross-entropy from logits, in one pass, with weights.

use super::{Reduction, same_shape, weights};
use crate::weighed::weighed;
use wengert_ops::Tensor;
use wengert_tape::rules::{sigmoid::Sigmoid, softplus::Softplus};
use wengert_tape::{Float, Operand, Pointwise2, Real, Var};

/// a t log(1 + e⁻ˣ) + b (1 - t) log(1 + eˣ), each term 0 where its factor is, though x be infinite. Derivatives:
/// b (1 - t) σ(x) - a t σ(-x), and a log(1 + e⁻ˣ) - b log(1 + eˣ).
#[derive(Debug, Clone, Copy)]
pub(super) struct BinaryCrossEntropy {
    a: f64,
    b: f64,
}

impl BinaryCrossEntropy {
    /// Both terms.
    pub(super) const BOTH: Self = BinaryCrossEntropy { a: 1.0, b: 1.0 };
    const POSITIVE: Self = BinaryCrossEntropy { a: 1.0, b: 0.0 };
    const NEGATIVE: Self = BinaryCrossEntropy { a: 0.0, b: 1.0 };
}

/// c v, and 0 where c is, whatever v is.
#[inline(always)]
fn times<R: Real>(c: R, v: R) -> R {
    let none = c.equals(c.like(0.0));
    R::select(none, c.like(0.0), c * v)
}

impl Pointwise2 for BinaryCrossEntropy {
    const NAME: &'static str = "bce_with_logits";
    const COST: usize = 14;
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 3;

    #[inline(always)]
    fn f<F: Float>(&self, x: F, t: F) -> F {
        let tail = (-x.abs()).exp().log1p();
        let (a, b) = (F::from_f64(self.a) * t, F::from_f64(self.b) * (F::ONE - t));
        let (up, down) = (a * ((-x).maximum(F::ZERO) + tail), b * (x.maximum(F::ZERO) + tail));
        (if a == F::ZERO { F::ZERO } else { up }) + (if b == F::ZERO { F::ZERO } else { down })
    }
    #[inline(always)]
    fn da<R: Real>(&self, x: R, t: R, _y: R) -> R {
        let (a, b) = (t.scale(self.a), (t.like(1.0) - t).scale(self.b));
        b * x.apply(Sigmoid) - a * (-x).apply(Sigmoid)
    }
    #[inline(always)]
    fn db<R: Real>(&self, x: R, _t: R, _y: R) -> R {
        times(x.like(self.a), (-x).apply(Softplus)) - times(x.like(self.b), x.apply(Softplus))
    }
}

/// Binary cross-entropy from logits with weights: w (-p t log σ(x) - (1 - t) log(1 - σ(x))). The mean is over all
/// elements, whatever the weights, as in PyTorch.
///
/// ```
/// use wengert_nn::loss::BceWithLogits;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([0.0, 0.0]));
/// let loss = BceWithLogits { positive: Some(Tensor::from([3.0])), ..Default::default() };
/// assert_eq!(loss.of(x, Tensor::from([1.0, 0.0])).item()?, 2.0 * std::f64::consts::LN_2);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BceWithLogits<T: Float> {
    /// How much a positive example counts more than a negative one, p; broadcast to the prediction's shape (a number a
    /// class, along the last axis).
    pub positive: Option<Tensor<T>>,
    /// How much each element counts, w; broadcast to the prediction's shape.
    pub weight: Option<Tensor<T>>,
    /// What becomes of the elements' losses; the mean unless told otherwise.
    pub reduction: Reduction,
}

impl<T: Float> Default for BceWithLogits<T> {
    fn default() -> Self {
        BceWithLogits { positive: None, weight: None, reduction: Reduction::Mean }
    }
}

impl<T: Float> BceWithLogits<T> {
    /// The loss of logits x and targets t between 0 and 1, of the same shape.
    #[track_caller]
    pub fn of<'t>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        let t = same_shape("bce_with_logits", x, target);
        let mut losses = match &self.positive {
            None => x.pointwise2(t, BinaryCrossEntropy::BOTH),
            Some(p) => {
                let positive = x.pointwise2(t, BinaryCrossEntropy::POSITIVE);
                weighed(weights("bce_with_logits", x, p), positive)
                    + x.pointwise2(t, BinaryCrossEntropy::NEGATIVE)
            }
        };
        if let Some(w) = &self.weight {
            losses = weighed(weights("bce_with_logits", x, w), losses);
        }
        self.reduction.of(losses)
    }
}
