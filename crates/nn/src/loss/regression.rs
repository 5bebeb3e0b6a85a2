//! Losses of numbers: smooth absolute error, log cosh, Poisson and Gaussian likelihoods.

use super::{Reduction, each, huber_with, l1_with, refused, same_shape};
use crate::domain::Domain;
use crate::weighed::weighed;
use wengert_ops::ErrorKind as OpErrorKind;
use wengert_tape::rules::tanh::Tanh;
use wengert_tape::{Float, Operand, Pointwise, Real, Var};

/// Smooth absolute error: e²/(2β) for |e| < β, else |e| - β/2, with e = x - t; the absolute error for β = 0. It is
/// [`huber`](super::huber)'s loss divided by β. At |e| = β the first derivative is continuous, the second jumps.
///
/// # Errors
/// If β is negative or not finite.
#[doc(alias = "SmoothL1Loss")]
#[doc(alias = "smooth_l1_loss")]
#[track_caller]
pub fn smooth_l1<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>, beta: f64) -> Var<'t, T> {
    smooth_l1_with(x, target, beta, Reduction::Mean)
}

/// As [`smooth_l1`], with a reduction.
///
/// ```
/// use wengert_nn::loss::{Reduction, smooth_l1_with};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([1.0, 3.0]));
/// let loss = smooth_l1_with(x, Tensor::from([0.0, 0.0]), 2.0, Reduction::None);
/// assert_eq!(loss.value()?.to_vec(), [0.25, 2.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[track_caller]
pub fn smooth_l1_with<'t, T: Float>(
    x: Var<'t, T>,
    target: impl Operand<'t, T>,
    beta: f64,
    reduction: Reduction,
) -> Var<'t, T> {
    let target = same_shape("smooth_l1", x, target);
    if !(beta >= 0.0 && beta.is_finite()) {
        return refused(
            x,
            "smooth_l1",
            OpErrorKind::Argument,
            format!("expected β of 0 or more, found {beta}"),
        );
    }
    if beta == 0.0 {
        return l1_with(x, target, reduction);
    }
    huber_with(x, target, beta, reduction) / beta
}

/// log cosh(x - t): nearly e²/2 for a small error e, |e| - log 2 for a large one, and smooth everywhere; the mean.
#[track_caller]
pub fn log_cosh<'t, T: Float>(x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
    log_cosh_with(x, target, Reduction::Mean)
}

/// As [`log_cosh`], with a reduction.
///
/// ```
/// use wengert_nn::loss::log_cosh;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let loss = log_cosh(tape.var(Tensor::from([1000.0])), Tensor::from([0.0]));
/// assert_eq!(loss.item()?, 1000.0 - std::f64::consts::LN_2);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[track_caller]
pub fn log_cosh_with<'t, T: Float>(
    x: Var<'t, T>,
    target: impl Operand<'t, T>,
    reduction: Reduction,
) -> Var<'t, T> {
    let e = x - same_shape("log_cosh", x, target);
    reduction.of(e.pointwise(LogCosh))
}

/// log cosh x. Derivative: tanh x.
#[derive(Debug, Clone, Copy)]
struct LogCosh;

impl Pointwise for LogCosh {
    const NAME: &'static str = "log_cosh";
    const USES_Y: bool = false;
    const COST: usize = 20;

    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        // log((eˣ + e⁻ˣ)/2) is |x| + log(1 + e⁻²ˣ) - log 2; near 0, where that cancels, log(1 + sinh² x)/2.
        let (a, one, half) = (x.abs(), F::ONE, F::from_f64(0.5));
        let m = a.minimum(one).expm1();
        let sinh = half * (m + m / (m + one));
        let far = a - F::from_f64(std::f64::consts::LN_2) + (-(a + a)).exp().log1p();
        if a < one { half * (sinh * sinh).log1p() } else { far }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(Tanh)
    }
}

/// Negative log-likelihood of counts t under a Poisson distribution with rate λ = eˣ: eˣ - t x, without log t!.
///
/// ```
/// use wengert_nn::loss::PoissonNll;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([0.0]));
/// assert_eq!(PoissonNll::default().of(x, Tensor::from([3.0])).item()?, 1.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "PoissonNLLLoss")]
#[doc(alias = "poisson_nll_loss")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoissonNll {
    /// Whether the prediction is log λ or λ itself, 0 or more. Default: `true`.
    pub log_input: bool,
    /// Whether Stirling's approximation of log t!, t log t - t + log(2πt)/2, is added where t > 1. Default: `false`.
    pub full: bool,
    /// What is added to λ before its logarithm, if the prediction is λ. Default: `1e-8`.
    pub eps: f64,
    /// What becomes of the elements' losses. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for PoissonNll {
    fn default() -> Self {
        PoissonNll { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

impl PoissonNll {
    /// The loss of predictions and counts of the same shape. Counts need not be whole.
    ///
    /// # Errors
    /// If a count is negative, or a rate is, or what is added to it (or not finite).
    #[track_caller]
    pub fn of<'t, T: Float>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "poisson_nll";
        let t = each(OP, "a count of", same_shape(OP, x, target), Domain::NotNegative);
        let x = if self.log_input { x } else { each(OP, "a rate of", x, Domain::NotNegative) };
        if !(self.eps >= 0.0 && self.eps.is_finite()) {
            let detail = format!("expected ε of at least 0, found {}", self.eps);
            return refused(x, OP, OpErrorKind::Argument, detail);
        }
        let mut losses = if self.log_input { x.exp() - weighed(t, x) } else { x - t.xlogy(x + self.eps) };
        if self.full {
            // Where t is small its logarithm is not looked at.
            let small = t.le(1.0);
            let safe = match small {
                Ok(mask) => {
                    let t = t.masked_fill(&mask, 1.0);
                    let stirling = t * t.log() - t + (t * std::f64::consts::TAU).log() * 0.5;
                    stirling.masked_fill(&mask, 0.0)
                }
                Err(e) => return x.tape().failed(e),
            };
            losses += safe;
        }
        self.reduction.of(losses)
    }
}

/// Negative log-likelihood of t under a normal distribution with mean x and a variance v:
/// (log v + (x - t)²/v)/2, without log(2π)/2.
///
/// ```
/// use wengert_nn::loss::GaussianNll;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([1.0]));
/// let v = tape.var(Tensor::from([1.0]));
/// assert_eq!(GaussianNll::default().of(x, Tensor::from([3.0]), v).item()?, 2.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "GaussianNLLLoss")]
#[doc(alias = "gaussian_nll_loss")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianNll {
    /// Whether log(2π)/2 is added. Default: `false`.
    pub full: bool,
    /// Smaller variances are taken as this one. As in PyTorch, the gradient is that at this variance. Default: `1e-6`.
    pub eps: f64,
    /// What becomes of the elements' losses. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for GaussianNll {
    fn default() -> Self {
        GaussianNll { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

impl GaussianNll {
    /// The loss of means, targets and variances, all of the same shape.
    ///
    /// # Errors
    /// If a variance is negative, or 0 without an ε, or ε is negative or not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(
        &self,
        x: Var<'t, T>,
        target: impl Operand<'t, T>,
        variance: impl Operand<'t, T>,
    ) -> Var<'t, T> {
        const OP: &str = "gaussian_nll";
        let (t, v) = (same_shape(OP, x, target), same_shape(OP, x, variance));
        if !(self.eps >= 0.0 && self.eps.is_finite()) {
            let detail = format!("expected ε of at least 0, found {}", self.eps);
            return refused(x, OP, OpErrorKind::Argument, detail);
        }
        let floor = T::from_f64(self.eps) > T::ZERO;
        let v = each(OP, "a variance of", v, if floor { Domain::NotNegative } else { Domain::Positive });
        let values = match v.value() {
            Ok(values) => values,
            Err(e) => return x.tape().failed(e),
        };
        // What v lacks of ε, as a constant.
        let lack = values.map(|v| T::from_f64((self.eps - v.to_f64()).max(0.0)));
        let v = v + lack;
        let mut losses = (v.log() + (x - t).square() / v) * 0.5;
        if self.full {
            losses += 0.5 * std::f64::consts::TAU.ln();
        }
        self.reduction.of(losses)
    }
}
