//! Losses. Each takes the prediction first and the target second, and all have the same forms:
//!
//! - `name(x, target)` is the usual case: PyTorch's default options, and the mean over all elements (over rows, for
//!   the losses of rows).
//! - `name_with(x, target, reduction)` is the same with a [`Reduction`].
//! - A loss with more options has a struct with its name, public fields, a default, and a method `of`:
//!   `Name { option, ..Default::default() }.of(x, target)`. One of its fields is the reduction.
//!
//! The functions take only data; a number such as a margin is a field.
//!
//! ```
//! use wengert_nn::loss::{self, Huber, Reduction};
//! use wengert_ops::Tensor;
//! let tape = wengert_tape::Tape::<f64>::new();
//! let (x, t) = (tape.var(Tensor::from([0.5, 3.0])), Tensor::from([0.0, 0.0]));
//! assert_eq!(loss::huber(x, &t).item()?, (0.125 + 2.5) / 2.0);
//! assert_eq!(loss::huber_with(x, &t, Reduction::Sum).item()?, 0.125 + 2.5);
//! assert_eq!(Huber { delta: 2.0, ..Default::default() }.of(x, &t).item()?, (0.125 + 4.0) / 2.0);
//! # Ok::<(), wengert_tape::Error>(())
//! ```
//!
//! **Weights of samples.** Weights of classes are an option of the losses of classes, and weights of elements are an option of
//! the binary losses. For every other loss, multiply the result of [`Reduction::None`]:
//!
//! ```
//! use wengert_nn::loss::{self, Reduction};
//! use wengert_ops::Tensor;
//! let tape = wengert_tape::Tape::<f64>::new();
//! let (x, t) = (tape.var(Tensor::from([1.0, 2.0, 3.0, 4.0])), Tensor::from([0.0; 4]));
//! let weight = Tensor::from([0.0, 0.5, 1.0, 0.5]);
//! let each = loss::mse_with(x, &t, Reduction::None); // 1, 4, 9, 16
//! assert_eq!((each * &weight).mean().item()?, (2.0 + 9.0 + 8.0) / 4.0);
//! // The weighted mean divides by the sum of the weights.
//! assert_eq!(((each * &weight).sum() / weight.sum().item()?).item()?, (2.0 + 9.0 + 8.0) / 2.0);
//! # Ok::<(), wengert_tape::Error>(())
//! ```
//!
//! **Errors.** Shapes that are not consistent, impossible options and impossible data (a probability of 1.5, a class that does
//! not exist, a negative count) make a failed value, whose error names the loss, the value and its index. The section *Errors* of
//! each loss lists its conditions. NaN is accepted: a NaN in the prediction or target makes the loss NaN, so that a run that
//! diverged is visible. (PyTorch checks only the probabilities of `bce` and class indices.) Parts without influence (a row to
//! ignore, a class or an element of weight 0, a row of targets that are all 0, a frame after the end) add nothing to the loss and
//! have a gradient of 0, even if the prediction there is infinite or NaN.
//!
//! ```
//! use wengert_nn::loss;
//! use wengert_ops::Tensor;
//! let tape = wengert_tape::Tape::<f64>::new();
//! let e = loss::bce(tape.var(Tensor::from([1.5, 0.5])), Tensor::from([1.0, 0.0])).item().unwrap_err();
//! assert_eq!((e.op(), e.detail()), ("bce", "expected a prediction that is a probability, found 1.5 at [0]"));
//! ```

mod binary;
mod categorical;
mod ctc;
mod margin;
mod masked;
mod regression;
mod similarity;

pub use binary::{Bce, BceWithLogits, MultilabelSoftMargin};
pub use categorical::{CrossEntropy, CrossEntropySoft, Nll, kl, kl_with};
pub use ctc::{Ctc, ctc, ctc_with};
pub use margin::{
    HingeEmbedding, MarginRanking, MultiMargin, TripletMargin, hinge, hinge_with, multilabel_margin,
    multilabel_margin_with, soft_margin, soft_margin_with, squared_hinge, squared_hinge_with,
};
pub use masked::{masked_mse, masked_mse_with};
pub use regression::{GaussianNll, Huber, PoissonNll, SmoothL1, log_cosh, log_cosh_with};
pub use similarity::{CosineEmbedding, InfoNce};

use crate::domain::{Domain, place};
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Error, ErrorKind, Float, Operand, Var};

/// How the losses of the elements, or rows, are reduced.
///
/// ```
/// use wengert_nn::loss::{Reduction, l1_with};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let (x, t) = (tape.var(Tensor::from([1.0, 2.0])), Tensor::from([0.0, 0.0]));
/// assert_eq!(l1_with(x, &t, Reduction::Mean).item()?, 1.5);
/// assert_eq!(l1_with(x, &t, Reduction::Sum).item()?, 3.0);
/// assert_eq!(l1_with(x, &t, Reduction::None).value()?.to_vec(), [1.0, 2.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean. (The textbook's MSE is a sum over the outputs of a sample and a mean over samples: that is `Sum`
    /// divided by the number of samples.)
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// No reduction: one loss per element, or row.
    None,
}

impl Reduction {
    #[track_caller]
    fn of<T: Float>(self, losses: Var<'_, T>) -> Var<'_, T> {
        match self {
            Reduction::Mean => losses.mean(),
            Reduction::Sum => losses.sum(),
            Reduction::None => losses,
        }
    }
}

/// The target as a value of the same shape. An accidental broadcast would make the loss silently wrong.
#[track_caller]
fn same_shape<'t, T: Float>(op: &'static str, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
    alike(op, ("the prediction", x), "the target", target)
}

/// The operand `v` as a value of the shape of `x`; errors call them by the names given.
#[track_caller]
fn alike<'t, T: Float>(
    op: &'static str,
    (of, x): (&str, Var<'t, T>),
    name: &str,
    v: impl Operand<'t, T>,
) -> Var<'t, T> {
    let v = v.into_var(x.tape());
    if !x.is_failed() && !v.is_failed() && x.shape() != v.shape() {
        return refused(
            v,
            op,
            OpErrorKind::Shape,
            format!("{of} has shape {}, {name} {}", x.shape(), v.shape()),
        );
    }
    v
}

/// A failed value for an argument that is wrong.
#[track_caller]
fn refused<'t, T: Float>(x: Var<'t, T>, op: &'static str, kind: OpErrorKind, detail: String) -> Var<'t, T> {
    x.tape().failed(Error::new(ErrorKind::Op(kind), op, detail))
}

/// The value, or a failed value whose error says which element is impossible; NaN passes.
#[track_caller]
fn each<'t, T: Float>(op: &'static str, what: &str, v: Var<'t, T>, domain: Domain) -> Var<'t, T> {
    // A value that failed or was freed has its own error.
    let Ok(values) = v.value() else { return v };
    match domain.outside(&values, true) {
        Some(found) => {
            let detail = format!("expected {what} {}, found {found}", domain.words());
            refused(v, op, OpErrorKind::Argument, detail)
        }
        None => v,
    }
}

/// Targets between 0 and 1. A target that is outside by rounding is moved to the nearest end, with the gradient that it has
/// there: a target of 1 + ε would multiply an infinite loss by -ε.
#[track_caller]
fn probabilities<'t, T: Float>(op: &'static str, t: Var<'t, T>) -> Var<'t, T> {
    let Ok(values) = t.value() else { return t };
    if Domain::Probability.outside(&values, true).is_none() {
        return t;
    }
    let t = each(op, TARGET, t, Domain::RoundedProbability);
    if t.is_failed() {
        return t;
    }
    t + values.map(|v| v.maximum(T::ZERO).minimum(T::ONE) - v)
}

/// The value with 0 where `hidden`, which broadcasts to it, is true, if an element there is not finite: elements without
/// influence then make neither a loss nor a gradient NaN.
#[track_caller]
fn without<'t, T: Float>(x: Var<'t, T>, hidden: &Tensor<bool>) -> Var<'t, T> {
    let Ok(values) = x.value() else { return x };
    if !hidden.any_true() || !values.has_non_finite() {
        return x;
    }
    let Ok(mask) = hidden.expand(values.shape()) else { return x };
    let (mask, values) = (mask.contiguous(), values.contiguous());
    let (mask, values) = (mask.as_slice().unwrap_or_default(), values.as_slice().unwrap_or_default());
    if mask.iter().zip(values).any(|(hidden, v)| *hidden && !v.is_finite()) {
        return x.masked_fill(hidden, 0.0);
    }
    x
}

/// Rejects a prediction without an axis of classes, or of the elements of a row.
#[track_caller]
fn rows<'t, T: Float>(op: &'static str, x: Var<'t, T>, row: &str) -> Var<'t, T> {
    if x.is_failed() || x.rank() > 0 {
        return x;
    }
    refused(x, op, OpErrorKind::Shape, format!("expected a prediction [.., {row}], found []"))
}

/// The number of classes of rows `[.., classes]`, if there is one row per target `[..]`.
#[track_caller]
pub(crate) fn classes<'t, T: Float>(
    op: &'static str,
    x: Var<'t, T>,
    targets: &Tensor<i64>,
) -> Result<usize, Var<'t, T>> {
    let x = rows(op, x, "classes");
    if x.is_failed() {
        return Err(x);
    }
    let dims = x.shape();
    let Some((&classes, of_rows)) = dims.as_shape().split_last() else { return Err(x) };
    if targets.shape()[..] != *of_rows {
        let detail =
            format!("expected a class for each row of a prediction {dims}, found {}", targets.shape());
        return Err(refused(x, op, OpErrorKind::Shape, detail));
    }
    let values = targets.to_vec();
    match values.iter().position(|t| usize::try_from(*t).map_or(true, |t| t >= classes)) {
        Some(at) => {
            let found = place(values[at], at, targets.shape());
            let detail = format!("expected classes from 0 to {}, found {found}", classes as i64 - 1);
            Err(refused(x, op, OpErrorKind::Argument, detail))
        }
        None => Ok(classes),
    }
}

/// Weights of the elements of a prediction: they may broadcast to its shape, but not enlarge it.
#[track_caller]
fn weights<'t, T: Float>(op: &'static str, x: Var<'t, T>, w: &Tensor<T>) -> Var<'t, T> {
    if x.is_failed() {
        return x;
    }
    x.tape().constant(w.expand(x.shape()).map_err(|e| e.in_op(op)))
}

/// The name, in errors, of a target that is outside its domain.
const TARGET: &str = "a target";

/// Rejects an option that is outside its range; `expected` says what it must be.
#[track_caller]
fn option<'t, T: Float>(
    op: &'static str,
    x: Var<'t, T>,
    good: bool,
    expected: &str,
    found: f64,
) -> Var<'t, T> {
    if good || x.is_failed() {
        return x;
    }
    refused(x, op, OpErrorKind::Argument, format!("expected {expected}, found {found}"))
}

/// Losses of elements: a name, one with a reduction, prediction and target, and the formula. The target may have a domain.
macro_rules! losses {
    ($($(#[$doc:meta])* $name:ident $with:ident($x:ident, $t:ident $(: $domain:expr)?) $formula:expr;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
            $with(x, target, Reduction::Mean)
        }

        #[doc = concat!("As [`", stringify!($name), "`], with a reduction.")]
        #[track_caller]
        pub fn $with<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>, reduction: Reduction) -> Var<'t, T> {
            const OP: &str = stringify!($name);
            let target = target.into_var(x.tape());
            let _scope = x.tape().error_scope(OP);
            let target = $crate::loss::same_shape(OP, x, target);
            $(let target = $crate::loss::each(OP, $crate::loss::TARGET, target, $domain);)?
            let ($x, $t) = (x, target);
            reduction.of($formula)
        }
    )*};
}
use losses;

losses! {
    /// Squared error (x - t)² of a prediction and a target of the same shape; the mean.
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0]));
    /// assert_eq!(loss::mse(x, Tensor::from([0.0, 4.0])).item()?, 2.5);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes are not the same, as for every loss: an accidental broadcast would make the loss silently wrong.
    #[doc(alias = "MSELoss")]
    #[doc(alias = "mse_loss")]
    mse mse_with(x, t) (x - t).square();

    /// Absolute error |x - t| of a prediction and a target of the same shape; the mean. Where they are equal, the derivative
    /// is 0.
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0]));
    /// assert_eq!(loss::l1(x, Tensor::from([0.0, 4.0])).item()?, 1.5);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes are not the same.
    #[doc(alias = "L1Loss")]
    #[doc(alias = "l1_loss")]
    l1 l1_with(x, t) (x - t).abs();
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident $with:ident $Loss:ident [$($arg:ident: $ty:ty),*];)*) => {$(
        $(#[$doc])*
        #[doc = concat!("\nShapes, formula and errors are those of [`", stringify!($Loss), "`], which has options.")]
        #[track_caller]
        pub fn $name<'t, T: Float>(x: Var<'t, T>, $($arg: $ty),*) -> Var<'t, T> {
            $Loss::default().of(x, $($arg),*)
        }

        #[doc = concat!("As [`", stringify!($name), "`], with a reduction.")]
        #[track_caller]
        pub fn $with<'t, T: Float>(x: Var<'t, T>, $($arg: $ty,)* reduction: Reduction) -> Var<'t, T> {
            $Loss { reduction, ..Default::default() }.of(x, $($arg),*)
        }
    )*};
}

functions! {
    /// Huber's loss with δ = 1: e²/2 for |e| ≤ 1, else |e| - 1/2, with e = x - t; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::huber;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.5, 3.0]));
    /// assert_eq!(huber(x, Tensor::from([0.0, 0.0])).item()?, (0.125 + 2.5) / 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "HuberLoss")]
    #[doc(alias = "huber_loss")]
    huber huber_with Huber [target: impl Operand<'t, T>];

    /// Smooth absolute error with β = 1: e²/2 for |e| < 1, else |e| - 1/2, with e = x - t; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::smooth_l1;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 3.0]));
    /// assert_eq!(smooth_l1(x, Tensor::from([0.0, 0.0])).item()?, (0.5 + 2.5) / 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "SmoothL1Loss")]
    #[doc(alias = "smooth_l1_loss")]
    smooth_l1 smooth_l1_with SmoothL1 [target: impl Operand<'t, T>];

    /// Negative log-likelihood of counts t under a Poisson distribution with rate eˣ: eˣ - t x; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::poisson_nll;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.0]));
    /// assert_eq!(poisson_nll(x, Tensor::from([3.0])).item()?, 1.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "PoissonNLLLoss")]
    #[doc(alias = "poisson_nll_loss")]
    poisson_nll poisson_nll_with PoissonNll [target: impl Operand<'t, T>];

    /// Negative log-likelihood of t under a normal distribution with mean x and a variance v: (log v + (x - t)²/v)/2; the
    /// mean.
    ///
    /// ```
    /// use wengert_nn::loss::gaussian_nll;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (x, v) = (tape.var(Tensor::from([1.0])), tape.var(Tensor::from([1.0])));
    /// assert_eq!(gaussian_nll(x, Tensor::from([3.0]), v).item()?, 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "GaussianNLLLoss")]
    #[doc(alias = "gaussian_nll_loss")]
    gaussian_nll gaussian_nll_with GaussianNll [target: impl Operand<'t, T>, variance: impl Operand<'t, T>];

    /// Binary cross-entropy -(t log p + (1 - t) log(1 - p)) from probabilities; the mean. For logits, use
    /// [`bce_with_logits`], which needs no bound on its logarithms.
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let p = tape.var(Tensor::from([0.5, 0.5]));
    /// assert_eq!(loss::bce(p, Tensor::from([1.0, 0.0])).item()?, std::f64::consts::LN_2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "BCELoss")]
    #[doc(alias = "binary_cross_entropy")]
    bce bce_with Bce [target: impl Operand<'t, T>];

    /// Binary cross-entropy from logits, stable at any size: t log(1 + e⁻ˣ) + (1 - t) log(1 + eˣ); the mean. An infinite logit
    /// that is correct has the loss 0 (NaN in PyTorch).
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1000.0, -1000.0]));
    /// assert_eq!(loss::bce_with_logits(x, Tensor::from([1.0, 1.0])).item()?, 500.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "BCEWithLogitsLoss")]
    #[doc(alias = "binary_cross_entropy_with_logits")]
    bce_with_logits bce_with_logits_with BceWithLogits [target: impl Operand<'t, T>];

    /// Binary cross-entropy from logits of several labels `[.., classes]`: the mean over classes, then over rows.
    ///
    /// ```
    /// use wengert_nn::loss::multilabel_soft_margin;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[0.0, 0.0]]));
    /// let loss = multilabel_soft_margin(x, Tensor::from([[1.0, 0.0]]));
    /// assert_eq!(loss.item()?, std::f64::consts::LN_2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "MultiLabelSoftMarginLoss")]
    #[doc(alias = "multilabel_soft_margin_loss")]
    multilabel_soft_margin multilabel_soft_margin_with MultilabelSoftMargin [target: impl Operand<'t, T>];

    /// Categorical cross-entropy from logits `[.., classes]` and class indices `[..]`: the mean over rows of
    /// -log softmax(x)\[target\].
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let logits = tape.var(Tensor::from([[0.0, 0.0], [0.0, 0.0]]));
    /// assert_eq!(loss::cross_entropy(logits, &Tensor::from([0, 1])).item()?, std::f64::consts::LN_2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "CrossEntropyLoss")]
    cross_entropy cross_entropy_with CrossEntropy [targets: &Tensor<i64>];

    /// Categorical cross-entropy from logits and target distributions of the same shape `[.., classes]` (one-hot or
    /// not): the mean over rows of -Σ t log softmax(x).
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let logits = tape.var(Tensor::from([[1.0, 1.0, f64::NEG_INFINITY]]));
    /// let loss = loss::cross_entropy_soft(logits, Tensor::from([[0.5, 0.5, 0.0]]));
    /// assert_eq!(loss.item()?, std::f64::consts::LN_2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "cross_entropy")]
    cross_entropy_soft cross_entropy_soft_with CrossEntropySoft [target: impl Operand<'t, T>];

    /// Negative log-likelihood from log-probabilities `[.., classes]` and class indices `[..]`: the mean over rows of
    /// -log p\[target\].
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let p = tape.var(Tensor::from([[0.5f64, 0.5]]));
    /// assert_eq!(loss::nll(p.log(), &Tensor::from([1])).item()?, std::f64::consts::LN_2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "NLLLoss")]
    #[doc(alias = "nll_loss")]
    nll nll_with Nll [targets: &Tensor<i64>];

    /// max(0, -t (x - other)): where t is 1, x should be larger than `other`; where t is -1, smaller; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::margin_ranking;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.5, 2.0]));
    /// let loss = margin_ranking(x, Tensor::from([1.0, 1.0]), Tensor::from([1.0, 1.0]));
    /// assert_eq!(loss.item()?, 0.25);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "MarginRankingLoss")]
    #[doc(alias = "margin_ranking_loss")]
    margin_ranking margin_ranking_with MarginRanking [other: impl Operand<'t, T>, target: impl Operand<'t, T>];

    /// A loss of distances x: x where the target is 1, max(0, 1 - x) where it is -1; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::hinge_embedding;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.5, 0.25]));
    /// assert_eq!(hinge_embedding(x, Tensor::from([1.0, -1.0])).item()?, (0.5 + 0.75) / 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "HingeEmbeddingLoss")]
    #[doc(alias = "hinge_embedding_loss")]
    hinge_embedding hinge_embedding_with HingeEmbedding [target: impl Operand<'t, T>];

    /// Multi-class margin loss of scores `[.., classes]` and class indices `[..]`: 1/classes Σ_{k≠t} max(0, 1 - x_t + x_k), the
    /// mean over rows.
    ///
    /// ```
    /// use wengert_nn::loss::multi_margin;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[0.5, 0.0, -2.0]]));
    /// assert_eq!(multi_margin(x, &Tensor::from([0])).item()?, 0.5 / 3.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "MultiMarginLoss")]
    #[doc(alias = "multi_margin_loss")]
    multi_margin multi_margin_with MultiMargin [targets: &Tensor<i64>];

    /// Triplet loss max(0, ‖x - positive‖ - ‖x - negative‖ + 1) of rows `[.., d]`, of which x is the anchor; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::triplet_margin;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let of = |v: f64| tape.var(Tensor::from([[v]]));
    /// assert!((triplet_margin(of(0.0), of(1.0), of(1.5)).item()? - 0.5).abs() < 1e-5);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "TripletMarginLoss")]
    #[doc(alias = "triplet_margin_loss")]
    triplet_margin triplet_margin_with TripletMargin [positive: impl Operand<'t, T>, negative: impl Operand<'t, T>];

    /// 1 - cos(x, other) where the target is 1, max(0, cos(x, other)) where it is -1, of rows `[.., d]` and targets `[..]`; the
    /// mean.
    ///
    /// ```
    /// use wengert_nn::loss::cosine_embedding;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 0.0], [1.0, 0.0]]));
    /// let y = Tensor::from([[0.0, 2.0], [0.0, 2.0]]);
    /// assert_eq!(cosine_embedding(x, y, Tensor::from([1.0, -1.0])).item()?, 0.5);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "CosineEmbeddingLoss")]
    #[doc(alias = "cosine_embedding_loss")]
    cosine_embedding cosine_embedding_with CosineEmbedding [other: impl Operand<'t, T>, target: impl Operand<'t, T>];

    /// InfoNCE with a temperature of 0.07: row i of `x` and row i of `other`, both `[n, d]`, are a pair; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::info_nce;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 0.0], [0.0, 1.0]]));
    /// // Both rows of `other` are equally similar to each row of `x`.
    /// let loss = info_nce(x, Tensor::from([[1.0, 1.0], [1.0, 1.0]]));
    /// assert!((loss.item()? - std::f64::consts::LN_2).abs() < 1e-12);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    info_nce info_nce_with InfoNce [other: impl Operand<'t, T>];
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_tape::Tape;
    use wengert_tape::gradcheck::{Check, Domain, Gen};

    #[test]
    fn every_loss_has_the_right_gradient() {
        let mut g = Gen::seeded(3);
        for _ in 0..20 {
            let shape = g.full_shape(1..=3);
            let (x, t) = (g.tensor(&shape, Domain::Real), g.tensor(&shape, Domain::Real));
            let (p, q) = (
                g.tensor(&shape, Domain::Between(0.05, 0.95)),
                g.tensor(&shape, Domain::Between(0.05, 0.95)),
            );
            let at = g.indices(&shape[..shape.len() - 1], shape[shape.len() - 1]);
            let two = [x, t];
            let check = |name: &str, r: wengert_tape::gradcheck::Report| assert!(r.passed(), "{name}: {r}");
            check("mse", Check::new("mse").run(|x| mse(x[0], x[1]), &two));
            let apart = [two[0].clone(), two[1].add(Tensor::scalar(9.5)).unwrap()];
            check("l1", Check::new("l1").first_order().run(|x| l1(x[0], x[1]), &apart));
            check("bce", Check::new("bce").run(|x| bce(x[0], x[1]), &[p, q]));
            check(
                "logits",
                Check::new("logits")
                    .run(|x| bce_with_logits_with(x[0], x[1].sigmoid(), Reduction::Sum), &two),
            );
            check("indices", Check::new("ce").run(|x| cross_entropy(x[0], &at), &two[..1]));
            check("nll", Check::new("nll").run(|x| nll(x[0].log_softmax(-1), &at), &two[..1]));
            check("soft", Check::new("soft").run(|x| cross_entropy_soft(x[0], x[1].softmax(-1)), &two));
            check("kl", Check::new("kl").run(|x| kl(x[0].log_softmax(-1), x[1].log_softmax(-1)), &two));
            check(
                "huber",
                Check::new("huber")
                    .first_order()
                    .run(|x| Huber { delta: 0.7531, ..Default::default() }.of(x[0], x[1]), &two),
            );
        }
    }

    #[test]
    fn the_two_forms_of_cross_entropy_agree() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([[0.1, -2.0, 3.0], [500.0, 0.0, -500.0]]));
        let targets = Tensor::from([2i64, 1]);
        let soft = Tensor::<f64>::one_hot(&targets, 3).unwrap();
        let (a, b) =
            (cross_entropy(x, &targets).item().unwrap(), cross_entropy_soft(x, soft).item().unwrap());
        assert!((a - b).abs() < 1e-12 * a);
    }

    #[test]
    fn a_target_that_would_broadcast_is_refused() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::<f64>::zeros([4, 1]));
        let e = mse(x, Tensor::<f64>::zeros([4])).item().unwrap_err();
        assert!(e.to_string().contains("[4, 1]") && e.to_string().contains("[4]"), "{e}");
    }

    #[test]
    fn impossible_events_and_certain_mistakes_are_finite() {
        let tape = Tape::<f64>::new();
        let p = tape.var(Tensor::from([0.0, 1.0]));
        let loss = bce(p, Tensor::from([1.0, 0.0]));
        assert_eq!(loss.item().unwrap(), 100.0);
        assert!(loss.backward().unwrap().wrt(p).unwrap().to_vec().iter().all(|v| v.is_finite()));
        let log_p = tape.var(Tensor::from([[0.0, f64::NEG_INFINITY]]));
        let kl = kl(log_p, Tensor::from([[0.5f64.ln(), 0.5f64.ln()]]));
        assert!((kl.item().unwrap() - 2f64.ln()).abs() < 1e-15);
    }
}
