//! Categorical cross-entropy from class indices, with class weights, rows to ignore, and label smoothing.

use super::{Reduction, classes, refused};
use crate::domain::Domain;
use crate::weighed::weighed;
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Float, Result, Var};

/// Categorical cross-entropy with options, of logits `[.., classes]` and class indices `[..]`. With class weights w and
/// smoothing ε over K classes, a row's loss is
/// (1 - ε) w_t (-log p_t) + ε/K Σ_k w_k (-log p_k), and the mean is their sum over Σ w_t, all as in PyTorch. Rows to ignore
/// count nowhere.
///
/// If every row is ignored (or weighs nothing), the mean is 0 with a gradient of 0, where PyTorch has NaN.
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
#[doc(alias = "cross_entropy")]
#[derive(Debug, Clone)]
pub struct CrossEntropy<T: Float> {
    /// How much a row of each class counts, `[classes]`, 0 or more. Default: `None`.
    pub weight: Option<Tensor<T>>,
    /// The target of rows that do not count. (PyTorch's is -100 by default; here none is.) Default: `None`.
    pub ignore_index: Option<i64>,
    /// The part ε of each target that is spread over all classes evenly. Default: `0.0`.
    pub label_smoothing: f64,
    /// What becomes of the rows' losses. Default: `Mean`.
    pub reduction: Reduction,
}

impl<T: Float> Default for CrossEntropy<T> {
    fn default() -> Self {
        CrossEntropy { weight: None, ignore_index: None, label_smoothing: 0.0, reduction: Reduction::Mean }
    }
}

impl<T: Float> CrossEntropy<T> {
    /// The loss of logits and class indices.
    ///
    /// # Errors
    /// If a target is neither a class nor the one to ignore, a class weighs less than 0 or is not finite, or the smoothing does
    /// not lie between 0 and 1.
    #[track_caller]
    pub fn of<'t>(&self, logits: Var<'t, T>, targets: &Tensor<i64>) -> Var<'t, T> {
        const OP: &str = "cross_entropy";
        if logits.is_failed() {
            return logits;
        }
        let smoothing = self.label_smoothing;
        if !(0.0..=1.0).contains(&smoothing) {
            let detail = format!("expected label smoothing between 0 and 1, found {smoothing}");
            return refused(logits, OP, OpErrorKind::Argument, detail);
        }
        let ignored = self.ignore_index.map(|i| targets.map(|t| t == i));
        let ignored = ignored.filter(|mask| mask.to_vec().contains(&true));
        // What does not count is looked up as any class there is.
        let named = match &ignored {
            Some(_) => targets.map(|t| if Some(t) == self.ignore_index { 0 } else { t }),
            None => targets.clone(),
        };
        let classes = match classes(OP, logits, &named) {
            Ok(classes) => classes,
            Err(refused) => return refused,
        };
        let dims = logits.shape();
        if let Some(w) = self.weight.as_ref().filter(|w| *w.shape() != [classes]) {
            let detail = format!("expected class weights [{classes}] for logits {dims}, found {}", w.shape());
            return refused(logits, OP, OpErrorKind::Shape, detail);
        }
        if let Some(found) = self.weight.as_ref().and_then(|w| Domain::Weight.outside(w, true)) {
            let detail = format!("expected class weights {}, found {found}", Domain::Weight.words());
            return refused(logits, OP, OpErrorKind::Argument, detail);
        }
        let tape = logits.tape();
        let mut losses = logits.cross_entropy(&named);
        if losses.is_failed() {
            return losses;
        }
        let counts = match self.row_weights(&named, ignored.as_ref()) {
            Ok(counts) => counts,
            Err(e) => return tape.failed(e),
        };
        // What weighs nothing costs nothing, though it be infinite.
        if let Some(c) = &counts {
            losses = weighed(tape.constant(c), losses);
        }
        if smoothing > 0.0 {
            let surprise = -logits.log_softmax(-1);
            let spread = match &self.weight {
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

    /// What each row counts, unless all count one.
    fn row_weights(
        &self,
        targets: &Tensor<i64>,
        ignored: Option<&Tensor<bool>>,
    ) -> Result<Option<Tensor<T>>> {
        if self.weight.is_none() && ignored.is_none() {
            return Ok(None);
        }
        let classes = self.weight.as_ref().map(Tensor::to_vec);
        // Targets out of range have been refused by the cross-entropy itself.
        let weigh = |t: i64| match &classes {
            Some(w) => usize::try_from(t).ok().and_then(|t| w.get(t).copied()).unwrap_or(T::ZERO),
            None => T::ONE,
        };
        let counts = targets.map(weigh);
        Ok(Some(match ignored {
            Some(mask) => Tensor::scalar(T::ZERO).where_cond(mask, &counts)?,
            None => counts,
        }))
    }
}
