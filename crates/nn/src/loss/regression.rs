//! Losses of numbers: Huber's, smooth absolute error, log cosh, Poisson and Gaussian likelihoods.

use super::{Reduction, each, l1_with, losses, option, refused, same_shape};
use crate::domain::Domain;
use crate::weighed::weighed;
use wengert_ops::ErrorKind as OpErrorKind;
use wengert_ops::math::portable;
use wengert_tape::rules::tanh::Tanh;
use wengert_tape::{Float, Operand, Pointwise, Real, Var};

/// Huber's loss: e²/2 for |e| ≤ δ, else δ (|e| - δ/2), with e = x - t (Huber 1964). At |e| = δ the first derivative is
/// continuous, the second is not.
///
/// ```
/// use wengert_nn::loss::Huber;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([0.5, 3.0]));
/// let loss = Huber { delta: 2.0, ..Default::default() };
/// assert_eq!(loss.of(x, Tensor::from([0.0, 0.0])).item()?, (0.125 + 4.0) / 2.0);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "HuberLoss")]
#[doc(alias = "huber_loss")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Huber {
    /// The error δ up to which the loss is quadratic, more than 0. Default: `1.0`.
    pub delta: f64,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Self {
        Huber { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl Huber {
    /// The loss of predictions and targets. Both have the same shape, which may be any.
    ///
    /// # Errors
    /// If δ is not more than 0.
    #[track_caller]
    pub fn of<'t, T: Float>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "huber";
        let target = target.into_var(x.tape());
        let _scope = x.tape().error_scope(OP);
        let (target, delta) = (same_shape(OP, x, target), self.delta);
        let x = option(OP, x, delta > 0.0, "δ of more than 0", delta);
        if x.is_failed() {
            return x;
        }
        let e = x - target;
        // With c = clamp(e, ±δ), both branches are c (e - c/2).
        let c = e.clamp(-delta, delta);
        self.reduction.of(c * (e - c * 0.5))
    }
}

/// Smooth absolute error: e²/(2β) for |e| < β, else |e| - β/2, with e = x - t (Girshick 2015, Fast R-CNN); the absolute error
/// for β = 0. It is [`Huber`]'s loss divided by β. At |e| = β the first derivative is continuous, the second is not.
///
/// ```
/// use wengert_nn::loss::{Reduction, SmoothL1};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::new();
/// let x = tape.var(Tensor::from([1.0, 3.0]));
/// let loss = SmoothL1 { beta: 2.0, reduction: Reduction::None }.of(x, Tensor::from([0.0, 0.0]));
/// assert_eq!(loss.value()?.to_vec(), [0.25, 2.0]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "SmoothL1Loss")]
#[doc(alias = "smooth_l1_loss")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SmoothL1 {
    /// The error β up to which the loss is quadratic, 0 or more. Default: `1.0`.
    pub beta: f64,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for SmoothL1 {
    fn default() -> Self {
        SmoothL1 { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl SmoothL1 {
    /// The loss of predictions and targets. Both have the same shape, which may be any.
    ///
    /// # Errors
    /// If β is negative or not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "smooth_l1";
        let target = target.into_var(x.tape());
        let _scope = x.tape().error_scope(OP);
        let (target, beta) = (same_shape(OP, x, target), self.beta);
        let x = option(OP, x, beta >= 0.0 && beta.is_finite(), "β of 0 or more", beta);
        if x.is_failed() {
            return x;
        }
        if beta == 0.0 {
            return l1_with(x, target, self.reduction);
        }
        Huber { delta: beta, reduction: self.reduction }.of(x, target) / beta
    }
}

losses! {
    /// log cosh(x - t) of a prediction and a target of the same shape: nearly e²/2 for a small error e, |e| - log 2 for a large
    /// one, and smooth everywhere; the mean.
    ///
    /// ```
    /// use wengert_nn::loss::log_cosh;
    /// use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let loss = log_cosh(tape.var(Tensor::from([1000.0])), Tensor::from([0.0]));
    /// assert_eq!(loss.item()?, 1000.0 - std::f64::consts::LN_2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes are not the same.
    log_cosh log_cosh_with(x, t) (x - t).pointwise(LogCosh);
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
    /// Whether the prediction is log λ; if not, it is λ, 0 or more. Default: `true`.
    pub log_input: bool,
    /// Whether Stirling's approximation of log t!, t log t - t + log(2πt)/2, is added where t > 1. Default: `false`.
    pub full: bool,
    /// The number that is added to λ before its logarithm, if the prediction is λ. Default: `1e-8`.
    pub eps: f64,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for PoissonNll {
    fn default() -> Self {
        PoissonNll { log_input: true, full: false, eps: 1e-8, reduction: Reduction::Mean }
    }
}

impl PoissonNll {
    /// The loss of predictions and counts of the same shape. Counts need not be whole numbers.
    ///
    /// # Errors
    /// If a count or a rate is negative, or `eps` is negative or not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(&self, x: Var<'t, T>, target: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "poisson_nll";
        let target = target.into_var(x.tape());
        let _scope = x.tape().error_scope(OP);
        let t = each(OP, "a count of", same_shape(OP, x, target), Domain::NotNegative);
        let x = if self.log_input { x } else { each(OP, "a rate of", x, Domain::NotNegative) };
        if !(self.eps >= 0.0 && self.eps.is_finite()) {
            let detail = format!("expected ε of at least 0, found {}", self.eps);
            return refused(x, OP, OpErrorKind::Argument, detail);
        }
        let mut losses = if self.log_input { x.exp() - weighed(t, x) } else { x - t.xlogy(x + self.eps) };
        if self.full {
            // Where t is small, its logarithm is not used.
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
    /// The least variance ε, which replaces smaller ones. As in PyTorch, the gradient is that at ε. Default: `1e-6`.
    pub eps: f64,
    /// How the elements' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for GaussianNll {
    fn default() -> Self {
        GaussianNll { full: false, eps: 1e-6, reduction: Reduction::Mean }
    }
}

impl GaussianNll {
    /// The loss of means and targets of the same shape, which may be any, and variances of that shape or, with one per row, of
    /// the shape `[.., 1]`.
    ///
    /// # Errors
    /// If a variance is negative, a variance and ε are both 0, or ε is negative or not finite.
    #[track_caller]
    pub fn of<'t, T: Float>(
        &self,
        x: Var<'t, T>,
        target: impl Operand<'t, T>,
        variance: impl Operand<'t, T>,
    ) -> Var<'t, T> {
        const OP: &str = "gaussian_nll";
        let (target, mut v) = (target.into_var(x.tape()), variance.into_var(x.tape()));
        let _scope = x.tape().error_scope(OP);
        let t = same_shape(OP, x, target);
        if !x.is_failed() && !v.is_failed() && x.shape() != v.shape() {
            let dims = x.shape();
            let of_rows = dims.as_shape().split_last().map(|(_, rows)| [rows, &[1]].concat());
            if of_rows.as_deref() != Some(&v.shape().as_shape()[..]) {
                let detail = format!("the prediction has shape {dims}, the variance {}", v.shape());
                return refused(x, OP, OpErrorKind::Shape, detail);
            }
            v = v.expand(dims);
        }
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
        // max(0, ε - v), as a constant.
        let lack = values.map(|v| T::from_f64((self.eps - v.to_f64()).max(0.0)));
        let v = v + lack;
        let mut losses = (v.log() + (x - t).square() / v) * 0.5;
        if self.full {
            losses += 0.5 * portable::ln(std::f64::consts::TAU);
        }
        self.reduction.of(losses)
    }
}
