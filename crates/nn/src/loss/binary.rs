//! Binary cross-entropy from probabilities, from logits (each in one pass, with weights), and of several labels.

use super::{Reduction, each, probabilities, rows, same_shape, weights, without};
use crate::domain::Domain;
use crate::weighed::weighed;
use wengert_ops::Tensor;
use wengert_tape::rules::{sigmoid::Sigmoid, softplus::Softplus};
use wengert_tape::{Float, Operand, Pointwise, Pointwise2, Real, Var};

/// a t log(1 + e⁻ˣ) + b (1 - t) log(1 + eˣ). A term is 0 where its factor is 0, even if x is infinite. Derivatives:
/// b (1 - t) σ(x) - a t σ(-x), and a log(1 + e⁻ˣ) - b log(1 + eˣ).
#[derive(Debug, Clone, Copy)]
struct BinaryCrossEntropy {
    a: f64,
    b: f64,
}

impl BinaryCrossEntropy {
    /// Both terms with weight 1.
    const BOTH: Self = BinaryCrossEntropy { a: 1.0, b: 1.0 };
    const POSITIVE: Self = BinaryCrossEntropy { a: 1.0, b: 0.0 };
    const NEGATIVE: Self = BinaryCrossEntropy { a: 0.0, b: 1.0 };
}

/// c v, and 0 where c is 0, even if v is infinite or NaN.
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

/// -(t max(log p, -100) + (1 - t) max(log(1 - p), -100)). Derivatives: those of the floored logarithms, and their difference.
#[derive(Debug, Clone, Copy)]
struct OfProbabilities;

impl Pointwise2 for OfProbabilities {
    const NAME: &'static str = "bce";
    const COST: usize = 16;
    const DA_USES: u8 = 3;
    const DB_USES: u8 = 1;

    #[inline(always)]
    fn f<F: Float>(&self, p: F, t: F) -> F {
        -(t * FlooredLog.f(p) + (F::ONE - t) * FlooredLogOfRest.f(p))
    }
    #[inline(always)]
    fn da<R: Real>(&self, p: R, t: R, _y: R) -> R {
        -(t * FlooredLog.df(p, p) + (t.like(1.0) - t) * FlooredLogOfRest.df(p, p))
    }
    #[inline(always)]
    fn db<R: Real>(&self, p: R, _t: R, _y: R) -> R {
        p.apply(FlooredLogOfRest) - p.apply(FlooredLog)
    }
}

/// max(log x, -100), with the slope 1/max(x, 10⁻¹²): a certain and wrong prediction still has a gradient, which
/// is finite. Both bounds are PyTorch's.
#[derive(Debug, Clone, Copy)]
struct FlooredLog;

impl Pointwise for FlooredLog {
    const NAME: &'static str = "bce";
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.log().maximum(F::from_f64(-100.0))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let least = x.like(1e-12);
        x.like(1.0) / R::select(x.lt(least), least, x)
    }
}

/// max(log(1 - x), -100), with the slope -1/max(1 - x, 10⁻¹²): [`FlooredLog`] of 1 - x, accurate where x is small.
#[derive(Debug, Clone, Copy)]
struct FlooredLogOfRest;

impl Pointwise for FlooredLogOfRest {
    const NAME: &'static str = "bce";
    const USES_Y: bool = false;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        (-x).log1p().maximum(F::from_f64(-100.0))
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let (rest, least) = (x.like(1.0) - x, x.like(1e-12));
        x.like(-1.0) / R::select(rest.lt(least), least, rest)
    }
}

/// Binary cross-entropy from probabilities: w (-t log p - (1 - t) log(1 - p)). Each logarithm is at least -100, as in
/// PyTorch, so that a certain and wrong prediction has a finite loss. The mean divides by the number of elements, not by the
/// sum of the weights, as in PyTorch.
///
/// ```
/// use wengert_nn::loss::Bce;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let p = tape.var(Tensor::from([0.5, 0.5]));
/// let loss = Bce { weight: Some(Tensor::from([1.0, 3.0])), ..Default::default() };
/// assert_eq!(loss.of(p, Tensor::from([1.0, 0.0])).item()?, 2.0 * std::f64::consts::LN_2);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "BCELoss")]
#[doc(alias = "binary_cross_entropy")]
#[derive(Debug, Clone, Default)]
pub struct Bce<T: Float> {
    /// The weight w of each element, any finite number; broadcasts to the prediction's shape. Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> Bce<T> {
    /// The loss of probabilities p and targets t between 0 and 1. Both have the same shape, which may be any.
    ///
    /// # Errors
    /// If a prediction is not a probability, a target is not between 0 and 1 (up to rounding), or a weight is not finite or
    /// does not broadcast to the prediction's shape.
    #[track_caller]
    pub fn of<'t>(&self, p: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "bce";
        let target = target.into_var(p.tape());
        let _scope = p.tape().error_scope(OP);
        let t = same_shape(OP, p, target);
        let p = each(OP, "a prediction that is", p, Domain::Probability);
        let [p, t] = counted([p, probabilities(OP, t)], &self.weight);
        let losses = p.pointwise2(t, OfProbabilities);
        self.reduction.of(weigh_elements(OP, p, &self.weight, losses))
    }
}

/// Prediction and target without the elements whose weight is 0.
#[track_caller]
fn counted<'t, T: Float>(both: [Var<'t, T>; 2], weight: &Option<Tensor<T>>) -> [Var<'t, T>; 2] {
    let Some(w) = weight else { return both };
    let nothing = w.map(|w| w == T::ZERO);
    both.map(|v| without(v, &nothing))
}

/// Losses times the weights of a prediction's elements, if there are weights.
#[track_caller]
fn weigh_elements<'t, T: Float>(
    op: &'static str,
    x: Var<'t, T>,
    weight: &Option<Tensor<T>>,
    losses: Var<'t, T>,
) -> Var<'t, T> {
    match weight {
        Some(w) => weighed(each(op, "a weight that is", weights(op, x, w), Domain::Finite), losses),
        None => losses,
    }
}

/// Binary cross-entropy from logits with weights: w (-p t log σ(x) - (1 - t) log(1 - σ(x))), stable at any size. An infinite
/// logit that is correct has the loss 0 (NaN in PyTorch). The mean divides by the number of elements, not by the sum of the
/// weights, as in PyTorch.
///
/// ```
/// use wengert_nn::loss::BceWithLogits;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([0.0, 0.0]));
/// let loss = BceWithLogits { pos_weight: Some(Tensor::from([3.0])), ..Default::default() };
/// assert_eq!(loss.of(x, Tensor::from([1.0, 0.0])).item()?, 2.0 * std::f64::consts::LN_2);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "BCEWithLogitsLoss")]
#[doc(alias = "binary_cross_entropy_with_logits")]
#[derive(Debug, Clone, Default)]
pub struct BceWithLogits<T: Float> {
    /// The weight p of positive examples, relative to negative ones, 0 or more; broadcasts to the prediction's shape (for
    /// example one per class, along the last axis). Default: `None`.
    pub pos_weight: Option<Tensor<T>>,
    /// The weight w of each element, any finite number; broadcasts to the prediction's shape. A negative weight, such as an
    /// advantage, changes the sign of the element's loss. Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> BceWithLogits<T> {
    /// The loss of logits x and targets t between 0 and 1. Both have the same shape, which may be any.
    ///
    /// # Errors
    /// If a target is not between 0 and 1 (up to rounding; the loss would have no minimum), a weight of positive
    /// examples is negative or not finite, a weight of an element is not finite, or weights do not broadcast to the
    /// prediction's shape.
    #[track_caller]
    pub fn of<'t>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "bce_with_logits";
        let target = target.into_var(x.tape());
        let _scope = x.tape().error_scope(OP);
        let t = probabilities(OP, same_shape(OP, x, target));
        let [x, t] = counted([x, t], &self.weight);
        let losses = match &self.pos_weight {
            None => x.pointwise2(t, BinaryCrossEntropy::BOTH),
            Some(p) => {
                let positive = x.pointwise2(t, BinaryCrossEntropy::POSITIVE);
                let p =
                    each(OP, "a weight of positive examples", weights(OP, x, p), Domain::FiniteNotNegative);
                weighed(p, positive) + x.pointwise2(t, BinaryCrossEntropy::NEGATIVE)
            }
        };
        self.reduction.of(weigh_elements(OP, x, &self.weight, losses))
    }
}

/// Binary cross-entropy from logits of several labels, `[.., classes]`: for each row, the mean over classes of
/// w (-t log σ(x) - (1 - t) log(1 - σ(x))), as in PyTorch. Unlike [`BceWithLogits`], it has one loss per row.
///
/// ```
/// use wengert_nn::loss::{MultilabelSoftMargin, Reduction};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[0.0, 0.0], [0.0, 1000.0]]));
/// let each = MultilabelSoftMargin { weight: Some(Tensor::from([1.0, 3.0])), reduction: Reduction::None };
/// let ln2 = std::f64::consts::LN_2;
/// assert_eq!(each.of(x, Tensor::from([[1.0, 0.0], [1.0, 1.0]])).value()?.to_vec(), [2.0 * ln2, ln2 / 2.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "MultiLabelSoftMarginLoss")]
#[doc(alias = "multilabel_soft_margin_loss")]
#[derive(Debug, Clone, Default)]
pub struct MultilabelSoftMargin<T: Float> {
    /// The weight w of each class, `[classes]` or any shape that broadcasts to the prediction's; any finite number.
    /// Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// How the rows' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> MultilabelSoftMargin<T> {
    /// The loss of logits and targets between 0 and 1, both `[.., classes]`.
    ///
    /// # Errors
    /// If a target is not between 0 and 1 (up to rounding), or a weight is not finite or does not broadcast to the
    /// prediction's shape.
    #[track_caller]
    pub fn of<'t>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "multilabel_soft_margin";
        let target = target.into_var(x.tape());
        let _scope = x.tape().error_scope(OP);
        let x = rows(OP, x, "classes");
        let t = probabilities(OP, same_shape(OP, x, target));
        let [x, t] = counted([x, t], &self.weight);
        let losses = x.pointwise2(t, BinaryCrossEntropy::BOTH);
        self.reduction.of(weigh_elements(OP, x, &self.weight, losses).mean_axes(-1))
    }
}
