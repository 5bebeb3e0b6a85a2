//! Categorical cross-entropy and negative log-likelihood, with class weights, rows to ignore, and label smoothing; and
//! Kullback-Leibler divergence.

use super::{Reduction, classes, each, option, probabilities, refused, rows, same_shape, without};
use crate::domain::Domain;
use crate::weighed::weighed;
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Float, Operand, Result, Var};

/// Categorical cross-entropy with options, of logits `[.., classes]` and class indices `[..]`. With class weights w and
/// smoothing ε over K classes, a row's loss is
/// (1 - ε) w_t (-log p_t) + ε/K Σ_k w_k (-log p_k), and the mean is their sum over Σ w_t, all as in PyTorch. Rows to ignore have
/// no influence, and neither do rows whose class has weight 0, if there is no smoothing: their gradient is 0 even if their
/// logits are -∞ or NaN (NaN in PyTorch).
///
/// If every row is ignored (or has weight 0), the mean is 0 with a gradient of 0 (NaN in PyTorch).
///
/// ```
/// use wengert_nn::loss::CrossEntropy;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[0.0, 0.0], [9.0, -9.0]]));
/// let loss = CrossEntropy { ignore_index: Some(-100), ..Default::default() };
/// assert_eq!(loss.of(x, &Tensor::from([0, -100])).item()?, std::f64::consts::LN_2);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "CrossEntropyLoss")]
#[doc(alias = "cross_entropy")]
#[derive(Debug, Clone, Default)]
pub struct CrossEntropy<T: Float> {
    /// The weight of a row of each class, `[classes]`, 0 or more. Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// The target of rows to ignore. (PyTorch's default is -100; here no row is ignored by default.) Default: `None`.
    pub ignore_index: Option<i64>,
    /// The part ε of each target that is spread evenly over all classes. Default: `0.0`.
    pub label_smoothing: f64,
    /// How the rows' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> CrossEntropy<T> {
    /// The loss of logits `[.., classes]` and class indices `[..]`.
    ///
    /// # Errors
    /// If a target is neither a class nor the one to ignore, the weight of a class is negative or not finite, or the
    /// smoothing is not between 0 and 1.
    #[track_caller]
    pub fn of<'t>(&self, logits: Var<'t, T>, targets: &Tensor<i64>) -> Var<'t, T> {
        let CrossEntropy { weight, ignore_index, label_smoothing, reduction } = self;
        OfClasses {
            op: "cross_entropy",
            weight: weight.as_ref(),
            ignore_index: *ignore_index,
            label_smoothing: *label_smoothing,
            reduction: *reduction,
        }
        .of(logits, targets, Scores::Logits)
    }
}

/// Negative log-likelihood with options, of log-probabilities `[.., classes]` and class indices `[..]`. After
/// `log_softmax(-1)`, it equals [`CrossEntropy`] with the same weights, ignored rows and smoothing.
///
/// ```
/// use wengert_nn::loss::Nll;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let log_p = tape.var(Tensor::from([[0.5, 0.5], [0.25, 0.75f64]])).log();
/// let loss = Nll { weight: Some(Tensor::from([3.0, 1.0])), ..Default::default() };
/// let want = (3.0 * 4f64.ln() + 2f64.ln()) / 4.0;
/// assert!((loss.of(log_p, &Tensor::from([1, 0])).item()? - want).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "NLLLoss")]
#[doc(alias = "nll_loss")]
#[derive(Debug, Clone, Default)]
pub struct Nll<T: Float> {
    /// The weight of a row of each class, `[classes]`, 0 or more. Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// The target of rows to ignore. (PyTorch's default is -100; here no row is ignored by default.) Default: `None`.
    pub ignore_index: Option<i64>,
    /// The part ε of each target that is spread evenly over all classes. Default: `0.0`.
    pub label_smoothing: f64,
    /// How the rows' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> Nll<T> {
    /// The loss of log-probabilities `[.., classes]` and class indices `[..]`.
    ///
    /// # Errors
    /// If a target is neither a class nor the one to ignore; if a prediction is more than 0 (up to rounding), which
    /// means that it is a logit (use [`cross_entropy`](super::cross_entropy)) or a probability (use `log()` first); if the weight
    /// of a class is negative or not finite; or if the smoothing is not between 0 and 1.
    #[track_caller]
    pub fn of<'t>(&self, log_probs: Var<'t, T>, targets: &Tensor<i64>) -> Var<'t, T> {
        const OP: &str = "nll";
        let Nll { weight, ignore_index, label_smoothing, reduction } = self;
        let log_probs = each(OP, LOG_PROBABILITY, log_probs, Domain::LogProbability);
        OfClasses {
            op: OP,
            weight: weight.as_ref(),
            ignore_index: *ignore_index,
            label_smoothing: *label_smoothing,
            reduction: *reduction,
        }
        .of(log_probs, targets, Scores::LogProbabilities)
    }
}

/// The kind of the classes' scores.
#[derive(Clone, Copy)]
enum Scores {
    Logits,
    LogProbabilities,
}

/// The options that [`CrossEntropy`] and [`Nll`] have in common.
struct OfClasses<'w, T: Float> {
    op: &'static str,
    weight: Option<&'w Tensor<T>>,
    ignore_index: Option<i64>,
    label_smoothing: f64,
    reduction: Reduction,
}

impl<T: Float> OfClasses<'_, T> {
    #[track_caller]
    fn of<'t>(&self, x: Var<'t, T>, targets: &Tensor<i64>, scores: Scores) -> Var<'t, T> {
        let op = self.op;
        let _scope = x.tape().error_scope(op);
        if x.is_failed() {
            return x;
        }
        let smoothing = self.label_smoothing;
        let x = option(op, x, (0.0..=1.0).contains(&smoothing), "label smoothing between 0 and 1", smoothing);
        let ignored = self.ignore_index.map(|i| targets.map(|t| t == i));
        let ignored = ignored.filter(|mask| mask.to_vec().contains(&true));
        // An ignored target is replaced by a valid class for the lookup.
        let named = match &ignored {
            Some(_) => targets.map(|t| if Some(t) == self.ignore_index { 0 } else { t }),
            None => targets.clone(),
        };
        let classes = match classes(op, x, &named) {
            Ok(classes) => classes,
            Err(refused) => return refused,
        };
        if let Some(w) = self.weight
            && let Some(refused) = wrong_weights(op, x, w, classes)
        {
            return refused;
        }
        let tape = x.tape();
        let counts = match self.row_weights(&named, ignored.as_ref()) {
            Ok(counts) => counts,
            Err(e) => return tape.failed(e),
        };
        // With smoothing, a row whose own class has weight 0 still has the terms of the other classes.
        let by_others = smoothing > 0.0 && self.weight.is_none_or(|w| w.map(|w| w != T::ZERO).any_true());
        let nothing = match &counts {
            Some(counts) if !by_others => Some(counts.map(|c| c == T::ZERO)),
            _ => ignored.clone(),
        };
        let x = match nothing.map(|rows| rows.unsqueeze(-1)) {
            Some(Ok(rows)) => without(x, &rows),
            Some(Err(e)) => return tape.failed(e.in_op(op).into()),
            None => x,
        };
        let mut losses = match scores {
            Scores::Logits => x.cross_entropy(&named),
            Scores::LogProbabilities => match named.unsqueeze(-1) {
                Ok(at) => -x.gather(-1, &at).squeeze(-1),
                Err(e) => return tape.failed(e.in_op(op).into()),
            },
        };
        if losses.is_failed() {
            return losses;
        }
        // A row of weight 0 has the loss 0, even if its term is infinite.
        if let Some(c) = &counts {
            losses = weighed(tape.constant(c), losses);
        }
        if smoothing > 0.0 {
            let surprise = match scores {
                Scores::Logits => -x.log_softmax(-1),
                Scores::LogProbabilities => -x,
            };
            let spread = match self.weight {
                Some(w) => weighed(tape.constant(w), surprise).sum_axes(-1),
                None => surprise.sum_axes(-1),
            };
            let spread = spread * (smoothing / classes as f64);
            losses = if smoothing < 1.0 { losses * (1.0 - smoothing) + spread } else { spread };
        }
        if let Some(mask) = &ignored {
            losses = losses.masked_fill(mask, 0.0);
        }
        match (self.reduction, &counts) {
            (Reduction::Mean, Some(c)) => {
                let total = c.to_vec().iter().map(|v| v.to_f64()).sum::<f64>();
                losses.sum() * (if total == 0.0 { 0.0 } else { 1.0 / total })
            }
            (reduction, _) => reduction.of(losses),
        }
    }

    /// The weight of each row; `None` if all weights are 1.
    fn row_weights(
        &self,
        targets: &Tensor<i64>,
        ignored: Option<&Tensor<bool>>,
    ) -> Result<Option<Tensor<T>>> {
        if self.weight.is_none() && ignored.is_none() {
            return Ok(None);
        }
        let counts = match self.weight {
            Some(w) => weights_of(w, targets),
            None => targets.map(|_| T::ONE),
        };
        Ok(Some(match ignored {
            Some(mask) => Tensor::scalar(T::ZERO).where_cond(mask, &counts)?,
            None => counts,
        }))
    }
}

/// The error of the class weights, if there is one.
#[track_caller]
pub(super) fn wrong_weights<'t, T: Float>(
    op: &'static str,
    x: Var<'t, T>,
    w: &Tensor<T>,
    classes: usize,
) -> Option<Var<'t, T>> {
    if *w.shape() != [classes] {
        let detail =
            format!("expected class weights [{classes}] for logits {}, found {}", x.shape(), w.shape());
        return Some(refused(x, op, OpErrorKind::Shape, detail));
    }
    let found = Domain::FiniteNotNegative.outside(w, true)?;
    let detail = format!("expected class weights {}, found {found}", Domain::FiniteNotNegative.words());
    Some(refused(x, op, OpErrorKind::Argument, detail))
}

/// The weight of each target's class. (Targets out of range have been rejected before.)
pub(super) fn weights_of<T: Float>(w: &Tensor<T>, targets: &Tensor<i64>) -> Tensor<T> {
    let w = w.to_vec();
    targets.map(|t| usize::try_from(t).ok().and_then(|t| w.get(t).copied()).unwrap_or(T::ZERO))
}

/// Categorical cross-entropy with options, of logits and target distributions of the same shape `[.., classes]` (one-hot or
/// not). With class weights w and smoothing ε over K classes, a row's loss is -Σ_k w_k ((1 - ε) t_k + ε/K) log p_k. The
/// mean divides by the number of rows, not by the sum of the weights, as in PyTorch.
///
/// A class whose target (or weight) is 0 adds nothing to the loss, even if its logit is -∞. A row in which every class has a
/// target (or weight) of 0 has the loss 0, even if all its logits are -∞ or NaN.
///
/// ```
/// use wengert_nn::loss::CrossEntropySoft;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([[0.0, 0.0]]));
/// let loss = CrossEntropySoft { weight: Some(Tensor::from([4.0, 2.0])), ..Default::default() };
/// let found = loss.of(x, Tensor::from([[0.25, 0.75]])).item()?;
/// assert!((found - 2.5 * std::f64::consts::LN_2).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "CrossEntropyLoss")]
#[doc(alias = "cross_entropy")]
#[derive(Debug, Clone, Default)]
pub struct CrossEntropySoft<T: Float> {
    /// The weight of each class, `[classes]`, 0 or more. Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// The part ε of each target that is spread evenly over all classes. Default: `0.0`.
    pub label_smoothing: f64,
    /// How the rows' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> CrossEntropySoft<T> {
    /// The loss of logits and distributions, both `[.., classes]`.
    ///
    /// # Errors
    /// If an element of the target is not between 0 and 1 (up to rounding), the weight of a class is negative or not finite, or
    /// the smoothing is not between 0 and 1. Targets need not add up to 1: without smoothing, a row of zeros has no influence.
    #[track_caller]
    pub fn of<'t>(&self, logits: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "cross_entropy_soft";
        let target = target.into_var(logits.tape());
        let _scope = logits.tape().error_scope(OP);
        let target = probabilities(OP, same_shape(OP, logits, target));
        let smoothing = self.label_smoothing;
        let logits = rows(OP, logits, "classes");
        let logits = option(
            OP,
            logits,
            (0.0..=1.0).contains(&smoothing),
            "label smoothing between 0 and 1",
            smoothing,
        );
        if logits.is_failed() || target.is_failed() {
            return if logits.is_failed() { logits } else { target };
        }
        let classes = logits.dim(-1);
        if let Some(w) = &self.weight
            && let Some(refused) = wrong_weights(OP, logits, w, classes)
        {
            return refused;
        }
        let target = match smoothing {
            0.0 => target,
            _ => target * (1.0 - smoothing) + smoothing / classes as f64,
        };
        let mut terms = match self.nowhere(logits, target) {
            // The target's gradient is 0 there too.
            Ok(Some(rows)) => logits.masked_fill(&rows, 0.0).log_softmax(-1).masked_fill(&rows, 0.0),
            Ok(None) => logits.log_softmax(-1),
            Err(e) => return logits.tape().failed(e),
        };
        if let Some(w) = &self.weight {
            terms = weighed(logits.tape().constant(w), terms);
        }
        self.reduction.of(-weighed(target, terms).sum_axes(-1))
    }

    /// The rows `[.., 1]` that have no influence, since each class has a target or a weight of 0, and that have no softmax, since
    /// their largest logit is not finite.
    fn nowhere(&self, logits: Var<'_, T>, target: Var<'_, T>) -> Result<Option<Tensor<bool>>> {
        let logits = logits.value()?;
        if !logits.has_non_finite() {
            return Ok(None);
        }
        let zero = Tensor::scalar(T::ZERO);
        let mut nothing = target.value()?.eq(&zero)?;
        if let Some(w) = &self.weight {
            nothing = nothing.logical_or(&w.eq(&zero)?)?;
        }
        let none = logits.max_keepdim(-1)?.map(|most| !most.is_finite());
        let rows = nothing.all(-1, true)?.logical_and(&none)?;
        Ok(rows.any_true().then_some(rows))
    }
}

/// The name, in errors, of a prediction that must be a log-probability.
const LOG_PROBABILITY: &str = "a prediction that is a log-probability,";

/// Kullback-Leibler divergence Σ p (log p - log q) over the last axis, from log-probabilities of the same shape
/// `[.., classes]`; the mean over rows. Where p is 0, its term is 0.
///
/// The order of the arguments is that of KL\[p ‖ q\], as in [`dist::kl`](crate::dist::kl). PyTorch's `kl_div` takes log q first
/// and p second, so this function does not have its name.
///
/// ```
/// use wengert_nn::loss;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let half = tape.var(Tensor::from([[0.5f64, 0.5]])).log();
/// // Σ p log(p/q) with p = (1/2, 1/2) and q = (1/4, 3/4).
/// let kl = loss::kl(half, Tensor::from([[0.25f64, 0.75]]).map(f64::ln)).item()?;
/// assert!((kl - 0.5 * (4.0f64 / 3.0).ln()).abs() < 1e-15);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If one of the log-probabilities is more than 0 (up to rounding), as probabilities are.
#[doc(alias = "kl_div")]
#[doc(alias = "KLDivLoss")]
#[track_caller]
pub fn kl<'t, T: Float>(log_p: Var<'t, T>, log_q: impl Operand<'t, T>) -> Var<'t, T> {
    kl_with(log_p, log_q, Reduction::Mean)
}

/// [`kl`] with a reduction.
#[track_caller]
pub fn kl_with<'t, T: Float>(
    log_p: Var<'t, T>,
    log_q: impl Operand<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    const OP: &str = "kl";
    let log_q = log_q.into_var(log_p.tape());
    let _scope = log_p.tape().error_scope(OP);
    let log_q = same_shape(OP, log_p, log_q);
    let log_p = each(OP, LOG_PROBABILITY, rows(OP, log_p, "classes"), Domain::LogProbability);
    let log_q = each(OP, "a target that is a log-probability,", log_q, Domain::LogProbability);
    if log_p.is_failed() || log_q.is_failed() {
        return if log_p.is_failed() { log_p } else { log_q };
    }
    // Where p is 0, the term is 0: -∞ - x and its product with 0 are not computed.
    let p = log_p.exp();
    let apart = match p.eq(0.0) {
        Ok(absent) => log_p.masked_fill(&absent, 0.0) - log_q.masked_fill(&absent, 0.0),
        Err(e) => return log_p.tape().failed(e),
    };
    reduction.of((p * apart).sum_axes(-1))
}
