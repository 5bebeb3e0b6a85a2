//! Losses. Each takes the prediction first and the target second, and means over all elements (rows, for the
//! categorical ones); the `_with` forms take a [`Reduction`]. Losses with more options are structs with defaults, and a
//! method `of`.
//!
//! **Errors.** Shapes that do not fit, options that are impossible, and data that are (a probability of 1.5, a class that there
//! is not, a negative count) make a failed value, whose error names the loss, the value and its index. What each loss takes is
//! said under *Errors*. NaN is not refused: a prediction or target that is NaN makes a loss that is NaN, so that a run that
//! diverged is seen as one. (PyTorch checks the probabilities of `bce` and class indices, nothing else.)
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
mod margin;
mod masked;
mod regression;

pub use binary::BceWithLogits;
pub use categorical::CrossEntropy;
pub use margin::{
    TripletMargin, cosine_embedding, hinge, hinge_with, info_nce, margin_ranking, multi_margin, soft_margin,
    soft_margin_with, squared_hinge, squared_hinge_with,
};
pub use masked::masked_mse;
pub use regression::{GaussianNll, PoissonNll, log_cosh, log_cosh_with, smooth_l1, smooth_l1_with};

use crate::domain::{Domain, place};
use crate::weighed::weighed;
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Error, ErrorKind, Float, Operand, Var};

/// What becomes of the losses of the elements, or rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their mean. (The textbook's MSE sums over the outputs of a sample and means over samples: that is `Sum`
    /// divided by the number of samples.)
    Mean,
    /// Their sum.
    Sum,
    /// Each for itself.
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

/// The target as a value of the same shape: a loss that broadcast by accident would be silently wrong.
#[track_caller]
fn same_shape<'t, T: Float>(op: &'static str, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
    let target = target.into_var(x.tape());
    if !x.is_failed() && !target.is_failed() && x.shape() != target.shape() {
        let detail = format!("the prediction has shape {}, the target {}", x.shape(), target.shape());
        let e = Error::new(ErrorKind::Op(OpErrorKind::Shape), op, detail);
        return target.tape().failed(e);
    }
    target
}

/// A value that has failed since an argument is wrong.
#[track_caller]
fn refused<'t, T: Float>(x: Var<'t, T>, op: &'static str, kind: OpErrorKind, detail: String) -> Var<'t, T> {
    x.tape().failed(Error::new(ErrorKind::Op(kind), op, detail))
}

/// The value, or a failed one that says which element is impossible; NaN passes.
#[track_caller]
fn each<'t, T: Float>(op: &'static str, what: &str, v: Var<'t, T>, domain: Domain) -> Var<'t, T> {
    // What has failed or was freed says so itself.
    let Ok(values) = v.value() else { return v };
    match domain.outside(&values, true) {
        Some(found) => {
            let detail = format!("expected {what} {}, found {found}", domain.words());
            refused(v, op, OpErrorKind::Argument, detail)
        }
        None => v,
    }
}

/// Refuses a prediction that has no axis of classes, or of the elements of a row.
#[track_caller]
fn rows<'t, T: Float>(op: &'static str, x: Var<'t, T>, row: &str) -> Var<'t, T> {
    if x.is_failed() || x.rank() > 0 {
        return x;
    }
    refused(x, op, OpErrorKind::Shape, format!("expected a prediction [.., {row}], found []"))
}

/// The number of classes of rows `[.., classes]`, if there is one of these for each target `[..]`.
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

/// Weights of the elements of a prediction: they may broadcast to its shape, but not beyond.
#[track_caller]
fn weights<'t, T: Float>(op: &'static str, x: Var<'t, T>, w: &Tensor<T>) -> Var<'t, T> {
    if x.is_failed() {
        return x;
    }
    x.tape().constant(w.expand(x.shape()).map_err(|e| e.in_op(op)))
}

macro_rules! losses {
    ($($(#[$doc:meta])* $name:ident $with:ident($x:ident, $t:ident) $formula:expr;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
            $with(x, target, Reduction::Mean)
        }

        #[doc = concat!("As [`", stringify!($name), "`], with a reduction.")]
        #[track_caller]
        pub fn $with<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>, reduction: Reduction) -> Var<'t, T> {
            let ($x, $t) = (x, same_shape(stringify!($name), x, target));
            reduction.of($formula)
        }
    )*};
}

losses! {
    /// Squared error (x - t)².
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0]));
    /// assert_eq!(loss::mse(x, Tensor::from([0.0, 4.0])).item()?, 2.5);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    mse mse_with(x, t) (x - t).square();

    /// Absolute error |x - t|.
    l1 l1_with(x, t) (x - t).abs();

    /// Binary cross-entropy -(t log p + (1 - t) log(1 - p)) from probabilities. Each logarithm is kept above -100, as
    /// in PyTorch, so that a certain and wrong prediction has a finite loss. From logits, use
    /// [`bce_with_logits`], which needs no such bound.
    ///
    /// # Errors
    /// If a prediction is not a probability, or a target not between 0 and 1 (but for rounding).
    bce bce_with(p, t) {
        let p = each("bce", "a prediction that is", p, Domain::Probability);
        p.pointwise2(each("bce", TARGET, t, Domain::RoundedProbability), binary::OfProbabilities)
    };

    /// Binary cross-entropy from logits, stable at any size: t log(1 + e⁻ˣ) + (1 - t) log(1 + eˣ). An infinite logit that
    /// is right costs nothing (PyTorch has NaN there). [`BceWithLogits`] has weights.
    ///
    /// ```
    /// use wengert_nn::loss;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1000.0, -1000.0]));
    /// assert_eq!(loss::bce_with_logits(x, Tensor::from([1.0, 1.0])).item()?, 500.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a target is not between 0 and 1 (but for rounding): the loss would have no least value.
    bce_with_logits bce_with_logits_with(x, t) {
        let t = each("bce_with_logits", TARGET, t, Domain::RoundedProbability);
        x.pointwise2(t, binary::BinaryCrossEntropy::BOTH)
    };
}

/// How a target that lies outside of its domain is called.
const TARGET: &str = "a target";

/// Huber's loss: e²/2 for |e| ≤ δ, else δ (|e| - δ/2), with e = x - t (Huber 1964).
///
/// ```
/// use wengert_nn::loss;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([0.5, 3.0]));
/// assert_eq!(loss::huber(x, Tensor::from([0.0, 0.0]), 1.0).item()?, (0.125 + 2.5) / 2.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If δ is not more than 0.
#[doc(alias = "HuberLoss")]
#[doc(alias = "huber_loss")]
#[track_caller]
pub fn huber<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>, delta: f64) -> Var<'t, T> {
    huber_with(x, target, delta, Reduction::Mean)
}

/// As [`huber`], with a reduction.
#[track_caller]
pub fn huber_with<'t, T: Float>(
    x: Var<'t, T>,
    target: impl Operand<'t, T>,
    delta: f64,
    reduction: Reduction,
) -> Var<'t, T> {
    let target = same_shape("huber", x, target);
    if delta.is_nan() || delta <= 0.0 {
        let detail = format!("expected δ of more than 0, found {delta}");
        return refused(x, "huber", OpErrorKind::Argument, detail);
    }
    let e = x - target;
    // With c = clamp(e, ±δ), both branches are c (e - c/2).
    let c = e.clamp(-delta, delta);
    reduction.of(c * (e - c * 0.5))
}

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
///
/// # Errors
/// If a target is not one of the classes.
#[track_caller]
pub fn cross_entropy<'t, T: Float>(logits: Var<'t, T>, targets: &Tensor<i64>) -> Var<'t, T> {
    cross_entropy_with(logits, targets, Reduction::Mean)
}

/// As [`cross_entropy`], with a reduction.
#[track_caller]
pub fn cross_entropy_with<'t, T: Float>(
    logits: Var<'t, T>,
    targets: &Tensor<i64>,
    reduction: Reduction,
) -> Var<'t, T> {
    match classes("cross_entropy", logits, targets) {
        Ok(_) => reduction.of(logits.cross_entropy(targets)),
        Err(refused) => refused,
    }
}

/// Categorical cross-entropy from logits and target distributions of the same shape `[.., classes]` (one-hot, or any
/// other): the mean over rows of -Σ t log softmax(x). A class whose target is 0 costs nothing, though its logit be -∞.
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
///
/// # Errors
/// If an element of the target is not between 0 and 1 (but for rounding). That they add up to 1 is not asked: a row of zeros
/// is one that does not count.
#[doc(alias = "cross_entropy")]
#[track_caller]
pub fn cross_entropy_soft<'t, T: Float>(logits: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
    cross_entropy_soft_with(logits, target, Reduction::Mean)
}

/// As [`cross_entropy_soft`], with a reduction.
#[track_caller]
pub fn cross_entropy_soft_with<'t, T: Float>(
    logits: Var<'t, T>,
    target: impl Operand<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    const OP: &str = "cross_entropy_soft";
    let target = each(OP, TARGET, same_shape(OP, logits, target), Domain::RoundedProbability);
    let logits = rows(OP, logits, "classes");
    reduction.of(-weighed(target, logits.log_softmax(-1)).sum_axes(-1))
}

/// Negative log-likelihood from log-probabilities `[.., classes]` and class indices `[..]`: the mean over rows of
/// -log p\[target\].
///
/// # Errors
/// If a target is not one of the classes, or a prediction is more than 0 (but for rounding), as logits or probabilities are:
/// those have [`cross_entropy`], and `log()`.
#[doc(alias = "NLLLoss")]
#[doc(alias = "nll_loss")]
#[track_caller]
pub fn nll<'t, T: Float>(log_probs: Var<'t, T>, targets: &Tensor<i64>) -> Var<'t, T> {
    nll_with(log_probs, targets, Reduction::Mean)
}

/// As [`nll`], with a reduction.
#[track_caller]
pub fn nll_with<'t, T: Float>(
    log_probs: Var<'t, T>,
    targets: &Tensor<i64>,
    reduction: Reduction,
) -> Var<'t, T> {
    const OP: &str = "nll";
    let log_probs = each(OP, LOG_PROBABILITY, log_probs, Domain::LogProbability);
    if let Err(refused) = classes(OP, log_probs, targets) {
        return refused;
    }
    match targets.unsqueeze(-1) {
        Ok(at) => reduction.of(-log_probs.gather(-1, &at).squeeze(-1)),
        Err(e) => log_probs.tape().failed(e.in_op(OP).into()),
    }
}

/// How a prediction that should be the logarithm of a probability is called.
const LOG_PROBABILITY: &str = "a prediction that is a log-probability,";

/// Kullback-Leibler divergence Σ p (log p - log q) over the last axis, from log-probabilities, the mean over rows. Where
/// p is 0 its term is 0. The order is that of KL\[p ‖ q\], as in [`dist::kl`](crate::dist::kl), which PyTorch's `kl_div` reverses: it takes log q
/// first and p second. So the name is another.
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
/// If one of the log-probabilities is more than 0 (but for rounding), as probabilities are.
#[doc(alias = "kl_div")]
#[track_caller]
pub fn kl<'t, T: Float>(log_p: Var<'t, T>, log_q: impl Operand<'t, T>) -> Var<'t, T> {
    kl_with(log_p, log_q, Reduction::Mean)
}

/// As [`kl`], with a reduction.
#[track_caller]
pub fn kl_with<'t, T: Float>(
    log_p: Var<'t, T>,
    log_q: impl Operand<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    const OP: &str = "kl";
    let log_q = same_shape(OP, log_p, log_q);
    let log_p = each(OP, LOG_PROBABILITY, rows(OP, log_p, "classes"), Domain::LogProbability);
    let log_q = each(OP, "a target that is a log-probability,", log_q, Domain::LogProbability);
    if log_p.is_failed() || log_q.is_failed() {
        return if log_p.is_failed() { log_p } else { log_q };
    }
    // -∞ - x and 0 · ∞ must not meet: where p is 0, so is the term.
    let p = log_p.exp();
    let apart = match p.eq(0.0) {
        Ok(absent) => log_p.masked_fill(&absent, 0.0) - log_q.masked_fill(&absent, 0.0),
        Err(e) => return log_p.tape().failed(e),
    };
    reduction.of((p * apart).sum_axes(-1))
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
            let apart = [two[0].clone(), two[1].add(&Tensor::scalar(9.5)).unwrap()];
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
            check("huber", Check::new("huber").first_order().run(|x| huber(x[0], x[1], 0.7531), &two));
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
