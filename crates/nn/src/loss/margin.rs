//! Losses with a margin. At the margin itself the derivative is discontinuous; there it is 0.

use super::categorical::{weights_of, wrong_weights};
use super::{Reduction, TARGET, alike, classes, each, losses, option, refused, rows, same_shape, without};
use crate::domain::{Domain, place};
use crate::weighed::weighed;
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Float, Operand, Var};

losses! {
    /// Hinge loss max(0, 1 - t x), for targets of 1 and -1 of the same shape; the mean.
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
    /// If a target is neither 1 nor -1. (With a target of 0, as in classes 0 and 1, the loss would have no gradient.)
    hinge hinge_with(x, t: Domain::Sign) (1.0 - t * x).relu();

    /// Squared hinge loss max(0, 1 - t x)², for targets of 1 and -1 of the same shape; the mean. Its first derivative is
    /// continuous.
    ///
    /// ```
    /// use wengert_nn::loss::squared_hinge;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(squared_hinge(tape.var(Tensor::from([0.5, 3.0])), Tensor::from([-1.0, 1.0])).item()?, 1.125);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a target is neither 1 nor -1.
    squared_hinge squared_hinge_with(x, t: Domain::Sign) (1.0 - t * x).relu().square();

    /// Soft margin loss log(1 + e^(-t x)), for targets of 1 and -1 of the same shape; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::soft_margin;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([0.0, 1000.0]));
    /// assert_eq!(soft_margin(x, Tensor::from([1.0, 1.0])).item()?, std::f64::consts::LN_2 / 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a target is neither 1 nor -1.
    #[doc(alias = "SoftMarginLoss")]
    #[doc(alias = "soft_margin_loss")]
    soft_margin soft_margin_with(x, t: Domain::Sign) (-(t * x)).softplus();
}

/// max(0, margin - t (x - other)): where t is 1, x should be larger than `other` by the margin; where t is -1, smaller.
///
/// ```
/// use wengert_nn::loss::MarginRanking;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([0.5, 2.0]));
/// let loss = MarginRanking { margin: 0.25, ..Default::default() };
/// assert_eq!(loss.of(x, Tensor::from([1.0, 1.0]), Tensor::from([1.0, 1.0])).item()?, 0.375);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "MarginRankingLoss")]
#[doc(alias = "margin_ranking_loss")]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct MarginRanking {
    /// The difference that the two values should have at least. Default: `0.0`.
    pub margin: f64,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl MarginRanking {
    /// The loss of two values and targets, all of the same shape.
    ///
    /// # Errors
    /// If a target is neither 1 nor -1, or the margin is not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(
        &self,
        x: Var<'t, T>,
        other: impl Operand<'t, T>,
        target: impl Operand<'t, T>,
    ) -> Var<'t, T> {
        const OP: &str = "margin_ranking";
        let (other, target) = (other.into_var(x.tape()), target.into_var(x.tape()));
        let _scope = x.tape().error_scope(OP);
        let (other, t) = (alike(OP, ("x", x), "other", other), same_shape(OP, x, target));
        let t = each(OP, TARGET, t, Domain::Sign);
        let x = option(OP, x, self.margin.is_finite(), "a finite margin", self.margin);
        self.reduction.of((self.margin - t * (x - other)).relu())
    }
}

/// A loss of distances x: x where the target is 1, max(0, margin - x) where it is -1 (Hadsell et al. 2006, without their
/// squares).
///
/// ```
/// use wengert_nn::loss::HingeEmbedding;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([0.5, 0.25]));
/// let loss = HingeEmbedding { margin: 2.0, ..Default::default() };
/// assert_eq!(loss.of(x, Tensor::from([1.0, -1.0])).item()?, (0.5 + 1.75) / 2.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "HingeEmbeddingLoss")]
#[doc(alias = "hinge_embedding_loss")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HingeEmbedding {
    /// The distance from which on the loss is 0 where the target is -1. Default: `1.0`.
    pub margin: f64,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for HingeEmbedding {
    fn default() -> Self {
        HingeEmbedding { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl HingeEmbedding {
    /// The loss of distances and targets of the same shape. Distances may be negative, as in PyTorch.
    ///
    /// # Errors
    /// If a target is neither 1 nor -1, or the margin is not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "hinge_embedding";
        let target = target.into_var(x.tape());
        let _scope = x.tape().error_scope(OP);
        let t = each(OP, TARGET, same_shape(OP, x, target), Domain::Sign);
        let x = option(OP, x, self.margin.is_finite(), "a finite margin", self.margin);
        if x.is_failed() || t.is_failed() {
            return if x.is_failed() { x } else { t };
        }
        self.reduction.of(x.where_cond(t.gt(0.0), (self.margin - x).relu()))
    }
}

/// Multi-class margin loss of scores `[.., classes]` and class indices `[..]`:
/// w_t/classes Σ_{k≠t} max(0, margin - x_t + x_k)ᵖ for each row, as in PyTorch (Crammer and Singer 2001 take the largest
/// term instead of the sum). The mean divides by the number of rows, not by the sum of the weights.
///
/// ```
/// use wengert_nn::loss::MultiMargin;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[0.5, 0.0, -2.0]]));
/// let loss = MultiMargin { p: 2, margin: 2.0, ..Default::default() };
/// assert_eq!(loss.of(x, &Tensor::from([0])).item()?, 2.25 / 3.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "MultiMarginLoss")]
#[doc(alias = "multi_margin_loss")]
#[derive(Debug, Clone)]
pub struct MultiMargin<T: Float> {
    /// The power of each term, 1 or 2. Default: `1`.
    pub p: u32,
    /// How much larger the score of the target's class should be than every other. Default: `1.0`.
    pub margin: f64,
    /// The weight w of a row of each class, `[classes]`, 0 or more. Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// How the rows' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> Default for MultiMargin<T> {
    fn default() -> Self {
        MultiMargin { p: 1, margin: 1.0, weight: None, reduction: Reduction::Mean }
    }
}

impl<T: Float> MultiMargin<T> {
    /// The loss of scores `[.., classes]` and class indices `[..]`.
    ///
    /// # Errors
    /// If a target is not one of the classes, the margin is not finite, p is neither 1 nor 2, or the weight of a class is
    /// negative or not finite.
    #[track_caller]
    pub fn of<'t>(&self, x: Var<'t, T>, targets: &Tensor<i64>) -> Var<'t, T> {
        const OP: &str = "multi_margin";
        let _scope = x.tape().error_scope(OP);
        let x = option(OP, x, self.margin.is_finite(), "a finite margin", self.margin);
        let x = option(OP, x, [1, 2].contains(&self.p), "p of 1 or 2", self.p.into());
        let classes = match classes(OP, x, targets) {
            Ok(classes) => classes,
            Err(refused) => return refused,
        };
        if let Some(w) = &self.weight
            && let Some(refused) = wrong_weights(OP, x, w, classes)
        {
            return refused;
        }
        let (at, own) =
            match targets.unsqueeze(-1).and_then(|at| Ok((at, Tensor::<T>::one_hot(targets, classes)?))) {
                Ok((at, hot)) => (at, hot.map(|v| v == T::ONE)),
                Err(e) => return x.tape().failed(e.in_op(OP).into()),
            };
        let counts = self.weight.as_ref().map(|w| weights_of(w, targets));
        // A row of weight 0 may have any scores, NaN included.
        let x = match counts.as_ref().map(|c| c.map(|c| c == T::ZERO).unsqueeze(-1)) {
            Some(Ok(nothing)) => without(x, &nothing),
            Some(Err(e)) => return x.tape().failed(e.in_op(OP).into()),
            None => x,
        };
        let mut over = (x - x.gather(-1, &at) + self.margin).relu();
        if self.p == 2 {
            over = over.square();
        }
        let mut losses = over.masked_fill(&own, 0.0).sum_axes(-1) / classes as f64; // [..]
        if let Some(counts) = counts {
            losses = weighed(x.tape().constant(counts), losses);
        }
        self.reduction.of(losses)
    }
}

/// Multi-label margin loss of scores and labels, both `[.., classes]`: for each row
/// 1/classes Σ_{y} Σ_{k} max(0, 1 - (x_y - x_k)), over the row's labels y and the classes k that are not among them; the mean.
/// The labels of a row are the class indices before its first -1; labels after it have no influence. As in PyTorch, a label that
/// occurs twice counts twice.
///
/// ```
/// use wengert_nn::loss::multilabel_margin;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[0.125, 0.25, 0.5, 1.0]]));
/// // The labels are 3 and 0; the 1 is after the end.
/// let loss = multilabel_margin(x, &Tensor::from([[3, 0, -1, 1]]));
/// assert_eq!(loss.item()?, (0.25 + 0.5 + 1.125 + 1.375) / 4.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If the shapes are not the same, or a label (also one after the end) is neither a class nor -1.
#[doc(alias = "MultiLabelMarginLoss")]
#[doc(alias = "multilabel_margin_loss")]
#[track_caller]
pub fn multilabel_margin<'t, T: Float>(x: Var<'t, T>, targets: &Tensor<i64>) -> Var<'t, T> {
    multilabel_margin_with(x, targets, Reduction::Mean)
}

/// [`multilabel_margin`] with a reduction.
#[track_caller]
pub fn multilabel_margin_with<'t, T: Float>(
    x: Var<'t, T>,
    targets: &Tensor<i64>,
    reduction: Reduction,
) -> Var<'t, T> {
    const OP: &str = "multilabel_margin";
    let _scope = x.tape().error_scope(OP);
    let x = rows(OP, x, "classes");
    if x.is_failed() {
        return x;
    }
    let dims = x.shape();
    if targets.shape()[..] != dims.as_shape()[..] {
        let detail = format!("the prediction has shape {dims}, the labels {}", targets.shape());
        return refused(x, OP, OpErrorKind::Shape, detail);
    }
    let (classes, values) = (x.dim(-1), targets.to_vec());
    let good = |t: i64| t == -1 || usize::try_from(t).is_ok_and(|t| t < classes);
    if let Some(at) = values.iter().position(|t| !good(*t)) {
        let found = place(values[at], at, targets.shape());
        let detail =
            format!("expected labels from 0 to {}, or -1 after the last, found {found}", classes as i64 - 1);
        return refused(x, OP, OpErrorKind::Argument, detail);
    }
    let rows: Vec<&[i64]> = match classes {
        0 => Vec::new(),
        _ => values.chunks(classes).map(|row| row.split(|t| *t == -1).next().unwrap_or(&[])).collect(),
    };
    // One place per label of the row with the most labels: its class index, and the classes that it is compared with.
    let most = rows.iter().map(|row| row.len()).max().unwrap_or(0);
    let (mut at, mut apart) = (vec![0; rows.len() * most], vec![false; rows.len() * most * classes]);
    for (i, labels) in rows.iter().enumerate() {
        let mut others = vec![true; classes];
        labels.iter().for_each(|y| others[*y as usize] = false);
        for (j, y) in labels.iter().enumerate() {
            at[i * most + j] = *y;
            apart[(i * most + j) * classes..][..classes].copy_from_slice(&others);
        }
    }
    let mut shape = targets.shape().to_vec();
    shape.pop();
    shape.push(most);
    let at = Tensor::from_vec(at, shape.clone());
    shape.push(classes);
    let (at, same) = match at.and_then(|at| Ok((at, Tensor::from_vec(apart, shape)?.map(|apart| !apart)))) {
        Ok(found) => found,
        Err(e) => return x.tape().failed(e.in_op(OP).into()),
    };
    let own = x.gather(-1, &at).unsqueeze(-1); // [.., most, 1]
    let over = (1.0 - (own - x.unsqueeze(-2))).relu().masked_fill(&same, 0.0); // [.., most, classes]
    reduction.of(over.sum_axes([-2, -1]) / classes.max(1) as f64)
}

/// Triplet loss max(0, ‖anchor - positive‖ - ‖anchor - negative‖ + margin) of rows `[.., d]` (Balntas et al. 2016). As in
/// PyTorch, ε is added to each difference, so that equal rows have a gradient.
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
    /// How much further from the anchor the negative must be than the positive. Default: `1.0`.
    pub margin: f64,
    /// The order of the norm. Default: `2.0`.
    pub p: f64,
    /// Whether the distance from positive to negative replaces that from anchor to negative where it is smaller.
    /// Default: `false`.
    pub swap: bool,
    /// The number ε that is added to each difference. Default: `1e-6`.
    pub eps: f64,
    /// How the rows' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for TripletMargin {
    fn default() -> Self {
        TripletMargin { margin: 1.0, p: 2.0, swap: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

impl TripletMargin {
    /// The loss of anchors, positives and negatives of the same shape `[.., d]`.
    ///
    /// # Errors
    /// If the order of the norm is not positive and finite, the margin is negative or not finite, or ε is not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(
        &self,
        anchor: Var<'t, T>,
        positive: impl Operand<'t, T>,
        negative: impl Operand<'t, T>,
    ) -> Var<'t, T> {
        const OP: &str = "triplet_margin";
        let (positive, negative) = (positive.into_var(anchor.tape()), negative.into_var(anchor.tape()));
        let _scope = anchor.tape().error_scope(OP);
        if !(self.p > 0.0 && self.p.is_finite()) {
            let detail = format!("expected a positive order of the norm, found {}", self.p);
            return refused(anchor, OP, OpErrorKind::Argument, detail);
        }
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            let detail = format!("expected a margin of at least 0, found {}", self.margin);
            return refused(anchor, OP, OpErrorKind::Argument, detail);
        }
        let anchor = option(OP, anchor, self.eps.is_finite(), "a finite ε", self.eps);
        let of = ("the anchor", anchor);
        let (positive, negative) =
            (alike(OP, of, "the positive", positive), alike(OP, of, "the negative", negative));
        let anchor = rows(OP, anchor, "d");
        let mut far = self.distance(anchor, negative);
        if self.swap {
            far = far.minimum(self.distance(positive, negative));
        }
        self.reduction.of((self.distance(anchor, positive) - far + self.margin).relu())
    }

    #[track_caller]
    fn distance<'t, T: Float>(&self, a: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
        let d = a - b + self.eps;
        if self.p == 2.0 { d.norm_axes(-1) } else { d.abs().pow(self.p).sum_axes(-1).pow(1.0 / self.p) }
    }
}
