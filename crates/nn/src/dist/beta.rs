//! The beta distribution.

use super::support::{
    Needs, argument, broadcast, either, gammas, parameter, positive, shares, spread, tape_and_shape_of,
    within,
};
use super::{Distribution, Keys, Kl};
use wengert_ops::Tensor;
use wengert_tape::{Float, Operand, Result, Var};

/// The beta distribution over \[0, 1\], with the density x^{α-1} (1-x)^{β-1} / B(α, β).
///
/// ```
/// use wengert_nn::dist::{Beta, Distribution};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Beta::new(tape.var(2.0), 3.0);
/// assert!((d.mean().item()? - 0.4).abs() < 1e-15);
/// assert!((d.log_prob(0.5).item()? - 1.5f64.ln()).abs() < 1e-14);       // 12 · ½ · ¼
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Beta<'t, T: Float> {
    alpha: Var<'t, T>,
    beta: Var<'t, T>,
}

impl<'t, T: Float> Beta<'t, T> {
    /// The distribution with α > 0 and β > 0.
    #[track_caller]
    pub fn new(alpha: Var<'t, T>, beta: impl Operand<'t, T>) -> Self {
        let beta = parameter("beta", "a β of", beta.into_var(alpha.tape()), Needs::FinitePositive);
        let alpha = parameter("beta", "an α of", alpha, Needs::FinitePositive);
        let [alpha, beta] = broadcast("beta", [alpha, beta]);
        Beta { alpha, beta }
    }

    /// log B(α, β).
    #[track_caller]
    fn log_normaliser(&self) -> Var<'t, T> {
        self.alpha.lgamma() + self.beta.lgamma() - (self.alpha + self.beta).lgamma()
    }
}

impl<'t, T: Float> Distribution<'t, T> for Beta<'t, T> {
    tape_and_shape_of!(alpha);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let x = argument("beta", self.alpha, &self.shape(), x);
        within(x, either(x.lt(0.0), x.gt(1.0)), 0.5, |x| {
            (self.alpha - 1.0).xlogy(x) + (self.beta - 1.0).xlogy(1.0 - x) - self.log_normaliser()
        })
    }

    /// α / (α + β).
    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.alpha / (self.alpha + self.beta)
    }

    /// α β / ((α + β)² (α + β + 1)).
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        let sum = self.alpha + self.beta;
        self.alpha * self.beta / (sum.square() * (sum + 1.0))
    }

    /// (α - 1) / (α + β - 2); an end of the interval if one of α and β is at most 1; NaN if both are, since then the density is
    /// largest at both ends or everywhere.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        let (a, b) = ((self.alpha - 1.0).relu(), (self.beta - 1.0).relu());
        a / (a + b)
    }

    /// log B(α, β) - (α-1) ψ(α) - (β-1) ψ(β) + (α+β-2) ψ(α+β).
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        let (a, b) = (self.alpha, self.beta);
        let sum = a + b;
        self.log_normaliser() - (a - 1.0) * a.digamma() - (b - 1.0) * b.digamma()
            + (sum - 2.0) * sum.digamma()
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let shape = self.shape();
        let x = gammas(&spread(self.alpha, lead, &shape)?, keys)?;
        let y = gammas(&spread(self.beta, lead, &shape)?, keys)?;
        positive(x.into_iter().zip(y).map(|(x, y)| shares(&[x, y])[0]).collect(), lead, &shape)
    }
}

/// log B_q - log B_p + (α_p - α_q) ψ(α_p) + (β_p - β_q) ψ(β_p) + (α_q + β_q - α_p - β_p) ψ(α_p + β_p).
impl<'t, T: Float> Kl<'t, T> for Beta<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let (a, b) = (self.alpha - q.alpha, self.beta - q.beta);
        q.log_normaliser() - self.log_normaliser() + a * self.alpha.digamma() + b * self.beta.digamma()
            - (a + b) * (self.alpha + self.beta).digamma()
    }
}
