//! Losses that ask for a margin, and losses of similarity. At the margin itself the derivative jumps; there it is 0.

use super::{Reduction, TARGET, classes, each, refused, rows, same_shape};
use crate::domain::Domain;
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Float, Operand, Var};

macro_rules! margins {
    ($($(#[$doc:meta])* $name:ident $with:ident($x:ident, $t:ident) $formula:expr;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
            $with(x, target, Reduction::Mean)
        }

        #[doc = concat!("As [`", stringify!($name), "`], with a reduction.")]
        #[track_caller]
        pub fn $with<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>, reduction: Reduction) -> Var<'t, T> {
            const OP: &str = stringify!($name);
            let ($x, $t) = (x, each(OP, TARGET, same_shape(OP, x, target), Domain::Sign));
            reduction.of($formula)
        }
    )*};
}

margins! {
    /// Hinge loss max(0, 1 - t x), for targets of 1 and -1; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::hinge;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(hinge(tape.var(Tensor::from([0.5, 3.0])), Tensor::from([-1.0, 1.0])).item()?, 0.75);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a target is neither 1 nor -1, as of classes 0 and 1: with 0 the loss would have no gradient.
    hinge hinge_with(x, t) (1.0 - t * x).relu();

    /// Squared hinge loss max(0, 1 - t x)², for targets of 1 and -1; the mean. Its first derivative is continuous.
    ///
    /// # Errors
    /// If a target is neither 1 nor -1.
    squared_hinge squared_hinge_with(x, t) (1.0 - t * x).relu().square();

    /// Soft margin loss log(1 + e^(-t x)), for targets of 1 and -1; the mean.
    ///
    /// # Errors
    /// If a target is neither 1 nor -1.
    soft_margin soft_margin_with(x, t) (-(t * x)).softplus();
}

/// max(0, margin - t (x - other)): where t is 1, x should be larger than `other` by the margin, where it is -1 smaller;
/// the mean.
///
/// # Errors
/// If a target is neither 1 nor -1, or the margin is not finite.
#[doc(alias = "MarginRankingLoss")]
#[doc(alias = "margin_ranking_loss")]
#[track_caller]
pub fn margin_ranking<'t, T: Float>(
    x: Var<'t, T>,
    other: impl Operand<'t, T>,
    target: impl Operand<'t, T>,
    margin: f64,
) -> Var<'t, T> {
    const OP: &str = "margin_ranking";
    let (other, t) = (same_shape(OP, x, other), same_shape(OP, x, target));
    let t = each(OP, TARGET, t, Domain::Sign);
    if !margin.is_finite() {
        return refused(x, OP, OpErrorKind::Argument, format!("expected a finite margin, found {margin}"));
    }
    (margin - t * (x - other)).relu().mean()
}

/// Multi-class margin loss of scores `[rows, classes]` and class indices `[rows]`:
/// 1/classes Σ_{k≠t} max(0, margin - x_t + x_k), the mean over rows.
///
/// ```
/// use wengert_nn::loss::multi_margin;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[0.5, 0.0, -2.0]]));
/// assert_eq!(multi_margin(x, &Tensor::from([0]), 1.0).item()?, 0.5 / 3.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If a target is not one of the classes, or the margin is not finite.
#[doc(alias = "MultiMarginLoss")]
#[doc(alias = "multi_margin_loss")]
#[track_caller]
pub fn multi_margin<'t, T: Float>(x: Var<'t, T>, targets: &Tensor<i64>, margin: f64) -> Var<'t, T> {
    const OP: &str = "multi_margin";
    if x.is_failed() {
        return x;
    }
    let dims = x.shape();
    let [_, _] = dims.as_shape()[..] else {
        return refused(x, OP, OpErrorKind::Shape, format!("expected [rows, classes], found {dims}"));
    };
    let classes = match classes(OP, x, targets) {
        Ok(classes) => classes,
        Err(refused) => return refused,
    };
    if !margin.is_finite() {
        return refused(x, OP, OpErrorKind::Argument, format!("expected a finite margin, found {margin}"));
    }
    let (at, own) =
        match targets.unsqueeze(-1).and_then(|at| Ok((at, Tensor::<T>::one_hot(targets, classes)?))) {
            Ok((at, hot)) => (at, hot.map(|v| v == T::ONE)),
            Err(e) => return x.tape().failed(e.in_op(OP).into()),
        };
    let over = (x - x.gather(-1, &at) + margin).relu().masked_fill(&own, 0.0); // [rows, classes]
    (over.sum_axes(-1) / classes as f64).mean()
}

/// 1 - cos(x, other) where the target is 1, max(0, cos(x, other) - margin) where it is -1, for rows `[n, d]` and targets
/// `[n]`; the mean. As in PyTorch, 10⁻¹² is added to the squared lengths, so that a row of zeros has cosine 0.
///
/// ```
/// use wengert_nn::loss::cosine_embedding;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[1.0, 0.0], [1.0, 0.0]]));
/// let y = Tensor::from([[0.0, 2.0], [0.0, 2.0]]);
/// assert_eq!(cosine_embedding(x, y, Tensor::from([1.0, -1.0]), 0.0).item()?, 0.5);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If a target is neither 1 nor -1, or the margin is not a cosine, from -1 to 1.
#[doc(alias = "CosineEmbeddingLoss")]
#[doc(alias = "cosine_embedding_loss")]
#[track_caller]
pub fn cosine_embedding<'t, T: Float>(
    x: Var<'t, T>,
    other: impl Operand<'t, T>,
    target: impl Operand<'t, T>,
    margin: f64,
) -> Var<'t, T> {
    const OP: &str = "cosine_embedding";
    let (other, target) = (same_shape(OP, x, other), target.into_var(x.tape()));
    let x = rows(OP, x, "d");
    if !(-1.0..=1.0).contains(&margin) {
        let detail = format!("expected a margin from -1 to 1, found {margin}");
        return refused(x, OP, OpErrorKind::Argument, detail);
    }
    let dot = (x * other).sum_axes(-1);
    let lengths = (x.square().sum_axes(-1) + 1e-12) * (other.square().sum_axes(-1) + 1e-12);
    let cosine = dot * lengths.rsqrt();
    let target = each(OP, TARGET, same_shape(OP, cosine, target), Domain::Sign);
    if cosine.is_failed() {
        return cosine;
    }
    match target.gt(0.0) {
        Ok(alike) => (1.0 - cosine).where_cond(&alike, (cosine - margin).relu()).mean(),
        Err(e) => x.tape().failed(e),
    }
}

/// Triplet loss max(0, ‖anchor - positive‖ - ‖anchor - negative‖ + margin) of rows `[.., d]`; the mean. As in PyTorch, 10⁻⁶
/// is added to each difference, so that equal rows have a gradient.
///
/// ```
/// use wengert_nn::loss::TripletMargin;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let of = |v: f64| tape.var(Tensor::from([[v]]));
/// let loss = TripletMargin::default().of(of(0.0), of(1.0), of(1.5));
/// assert!((loss.item()? - 0.5).abs() < 1e-5);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "TripletMarginLoss")]
#[doc(alias = "triplet_margin_loss")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TripletMargin {
    /// How much further the negative has to be than the positive. Default: `1.0`.
    pub margin: f64,
    /// The order of the norm. Default: `2.0`.
    pub p: f64,
    /// Whether the distance of positive and negative is taken, where it is smaller than that of anchor and negative.
    /// Default: `false`.
    pub swap: bool,
    /// What becomes of the rows' losses. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for TripletMargin {
    fn default() -> Self {
        TripletMargin { margin: 1.0, p: 2.0, swap: false, reduction: Reduction::Mean }
    }
}

impl TripletMargin {
    /// The loss of anchors, positives and negatives of the same shape.
    ///
    /// # Errors
    /// If the order of the norm is not positive and finite, or the margin negative or not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(
        &self,
        anchor: Var<'t, T>,
        positive: impl Operand<'t, T>,
        negative: impl Operand<'t, T>,
    ) -> Var<'t, T> {
        const OP: &str = "triplet_margin";
        if !(self.p > 0.0 && self.p.is_finite()) {
            let detail = format!("expected a positive order of the norm, found {}", self.p);
            return refused(anchor, OP, OpErrorKind::Argument, detail);
        }
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            let detail = format!("expected a margin of at least 0, found {}", self.margin);
            return refused(anchor, OP, OpErrorKind::Argument, detail);
        }
        let (positive, negative) = (same_shape(OP, anchor, positive), same_shape(OP, anchor, negative));
        let anchor = rows(OP, anchor, "d");
        let mut far = self.distance(anchor, negative);
        if self.swap {
            far = far.minimum(self.distance(positive, negative));
        }
        self.reduction.of((self.distance(anchor, positive) - far + self.margin).relu())
    }

    #[track_caller]
    fn distance<'t, T: Float>(&self, a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
        let d = a - b + 1e-6;
        if self.p == 2.0 { d.norm_axes(-1) } else { d.abs().pow(self.p).sum_axes(-1).pow(1.0 / self.p) }
    }
}

/// InfoNCE (van den Oord et al. 2018), symmetrical as in CLIP (Radford et al. 2021): rows i of `x` and `other`, `[n, d]`,
/// belong together. With cosine similarities divided by `temperature` as logits `[n, n]`, the mean of the cross-entropies
/// along rows and along columns.
///
/// # Errors
/// If the temperature is not positive and finite.
#[track_caller]
pub fn info_nce<'t, T: Float>(x: Var<'t, T>, other: impl Operand<'t, T>, temperature: f64) -> Var<'t, T> {
    const OP: &str = "info_nce";
    let other = same_shape(OP, x, other);
    if x.is_failed() || other.is_failed() {
        return if x.is_failed() { x } else { other };
    }
    let dims = x.shape();
    let [n, _] = dims.as_shape()[..] else {
        return refused(x, OP, OpErrorKind::Shape, format!("expected rows [n, d], found {dims}"));
    };
    if !(temperature > 0.0 && temperature.is_finite()) {
        return refused(
            x,
            OP,
            OpErrorKind::Argument,
            format!("expected a positive temperature, found {temperature}"),
        );
    }
    let logits = unit(x).matmul(unit(other).t()) / temperature; // [n, n]
    let own = Tensor::from((0..n as i64).collect::<Vec<_>>());
    (logits.cross_entropy(&own).mean() + logits.t().cross_entropy(&own).mean()) * 0.5
}

/// Rows of length one; as in [`cosine_embedding`], zeros stay zeros.
#[track_caller]
fn unit<T: Float>(v: Var<'_, T>) -> Var<'_, T> {
    v * (v.square().sum_keepdim(-1) + 1e-12).rsqrt()
}
