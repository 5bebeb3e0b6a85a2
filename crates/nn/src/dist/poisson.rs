//! The Poisson distribution.

use super::support::{Needs, argument, failed, full, parameter, spread, tape_and_shape_of, within};
use super::{Distribution, Keys, Kl};
use wengert_ops::math::{portable, special};
use wengert_ops::random::uniform;
use wengert_ops::simd::with_fma;
use wengert_ops::{ErrorKind, Tensor};
use wengert_tape::{Float, Operand, Result, Var};

/// The Poisson distribution of counts at rate λ, with the probability λˣ e^{-λ} / x!.
///
/// ```
/// use wengert_nn::dist::{Distribution, Poisson};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Poisson::new(tape.var(2.0));
/// assert!((d.log_prob(3.0).item()? - (8.0f64.ln() - 2.0 - 6f64.ln())).abs() < 1e-14);
/// assert_eq!(d.log_prob(0.5).item()?, f64::NEG_INFINITY);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Poisson<'t, T: Float> {
    rate: Var<'t, T>,
}

impl<'t, T: Float> Poisson<'t, T> {
    /// The distribution with rate λ ≥ 0.
    #[track_caller]
    pub fn new(rate: Var<'t, T>) -> Self {
        Poisson { rate: parameter("poisson", "a rate of", rate, Needs::FiniteNotNegative) }
    }
}

impl<'t, T: Float> Distribution<'t, T> for Poisson<'t, T> {
    tape_and_shape_of!(rate);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("poisson", self.rate, &self.shape(), x);
        let outside = x.value().map(|x| x.map(|v| v < T::ZERO || v != v.floor() && !v.is_nan()));
        within(x, outside, 0.0, |x| x.xlogy(self.rate) - self.rate - (x + 1.0).lgamma())
    }

    fn mean(&self) -> Var<'t, T> {
        self.rate
    }

    fn variance(&self) -> Var<'t, T> {
        self.rate
    }

    /// ⌊λ⌋, as a constant.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        match self.rate.value() {
            Ok(rate) => self.tape().constant(rate.map(wengert_ops::Float::floor)),
            Err(e) => self.tape().failed(e),
        }
    }

    /// A failed value: there is no closed form.
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        if self.rate.is_failed() {
            return self.rate;
        }
        let detail = "the Poisson distribution has no closed form of this; estimate it from samples";
        failed(self.rate, "entropy", ErrorKind::Argument, detail.to_owned())
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let shape = self.shape();
        let rate = spread(self.rate, lead, &shape)?;
        let u = uniform::<f64>([rate.len()], 0.0, 1.0, keys.next_key())?.to_vec();
        let drawn = rate.into_iter().zip(u).map(|(rate, u)| T::from_f64(count(rate, u))).collect();
        Ok(Tensor::from_vec(drawn, full(lead, &shape))?)
    }
}

/// The rate from which on counts are drawn as rounded normal numbers: the search outwards would take too long, and the skewness
/// is less than 10⁻⁴.
const LARGE: f64 = 1e8;

/// The count whose interval contains u, when the probabilities divide \[0, 1\] in order from the most probable count outwards.
fn count(rate: f64, u: f64) -> f64 {
    if !rate.is_finite() {
        return f64::NAN;
    }
    if rate == 0.0 {
        return 0.0;
    }
    if rate > LARGE {
        // The quantile of the normal distribution with the same moments.
        let z = std::f64::consts::SQRT_2 * with_fma(|| special::erf_inv(2.0 * u.max(2f64.powi(-54)) - 1.0));
        return (rate + rate.sqrt() * z).round();
    }
    let mode = rate.floor();
    let peak = portable::exp(mode * portable::ln(rate) - rate - with_fma(|| special::log_gamma(mode + 1.0)));
    let (mut low, mut high) = (mode, mode);
    let (mut p_low, mut p_high) = (peak, peak);
    let mut left = u - peak;
    while left >= 0.0 {
        high += 1.0;
        p_high *= rate / high;
        left -= p_high;
        if left < 0.0 {
            return high;
        }
        if low > 0.0 {
            p_low *= low / rate;
            low -= 1.0;
            left -= p_low;
            if left < 0.0 {
                return low;
            }
        }
        // The rest of u is a rounding error, which belongs to no count.
        if p_high < 1e-300 {
            break;
        }
    }
    mode
}

/// λ_p log(λ_p / λ_q) + λ_q - λ_p, and 0 for two rates of 0.
impl<'t, T: Float> Kl<'t, T> for Poisson<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let never = self.rate.eq(0.0).and_then(|p| Ok(p.logical_and(&q.rate.eq(0.0)?)?));
        let ratio = match never {
            // The term of 0/0 is 0, but would be NaN.
            Ok(never) if never.any_true() => {
                self.rate.masked_fill(&never, 1.0) / q.rate.masked_fill(&never, 1.0)
            }
            _ => self.rate / q.rate,
        };
        self.rate.xlogy(ratio) + q.rate - self.rate
    }
}
