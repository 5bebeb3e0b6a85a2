//! The gamma distribution.

use super::support::{
    Needs, argument, broadcast, gammas, parameter, positive, spread, tape_and_shape_of, within,
};
use super::{Distribution, Keys, Kl};
use wengert_ops::Tensor;
use wengert_tape::{Float, Operand, Result, Var};

/// The gamma distribution over x > 0, with the density β^α x^{α-1} e^{-βx} / Γ(α).
///
/// ```
/// use wengert_nn::dist::{Distribution, Gamma};
/// let tape = wengert_tape::Tape::<f64>::new();
/// let d = Gamma::new(tape.var(3.0), 2.0);
/// assert_eq!((d.mean().item()?, d.variance().item()?, d.mode().item()?), (1.5, 0.75, 1.0));
/// assert!((d.log_prob(1.0).item()? - (4f64.ln() - 2.0)).abs() < 1e-14);      // 8 e⁻² / 2
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Gamma<'t, T: Float> {
    concentration: Var<'t, T>,
    rate: Var<'t, T>,
}

impl<'t, T: Float> Gamma<'t, T> {
    /// The distribution with concentration α > 0 and rate β > 0.
    #[track_caller]
    pub fn new(concentration: Var<'t, T>, rate: impl Operand<'t, T>) -> Self {
        let rate =
            parameter("gamma", "a rate of", rate.into_var(concentration.tape()), Needs::FinitePositive);
        let concentration = parameter("gamma", "a concentration of", concentration, Needs::FinitePositive);
        let [concentration, rate] = broadcast("gamma", [concentration, rate]);
        Gamma { concentration, rate }
    }
}

impl<'t, T: Float> Distribution<'t, T> for Gamma<'t, T> {
    tape_and_shape_of!(rate);

    #[track_caller]
    fn log_prob(&self, x: impl Operand<'t, T>) -> Var<'t, T> {
        let (a, b) = (self.concentration, self.rate);
        let x = argument("gamma", a, &self.shape(), x);
        within(x, x.lt(0.0), 1.0, |x| a * b.log() + (a - 1.0).xlogy(x) - b * x - a.lgamma())
    }

    /// α / β.
    #[track_caller]
    fn mean(&self) -> Var<'t, T> {
        self.concentration / self.rate
    }

    /// α / β².
    #[track_caller]
    fn variance(&self) -> Var<'t, T> {
        self.concentration / self.rate.square()
    }

    /// (α - 1) / β, and 0 for α < 1, where the density is infinite.
    #[track_caller]
    fn mode(&self) -> Var<'t, T> {
        (self.concentration - 1.0).relu() / self.rate
    }

    /// α - log β + log Γ(α) + (1 - α) ψ(α).
    #[track_caller]
    fn entropy(&self) -> Var<'t, T> {
        let a = self.concentration;
        a - self.rate.log() + a.lgamma() + (1.0 - a) * a.digamma()
    }

    fn draw(&self, lead: &[usize], keys: &mut dyn Keys) -> Result<Tensor<T>> {
        let shape = self.shape();
        let (alpha, rate) = (spread(self.concentration, lead, &shape)?, spread(self.rate, lead, &shape)?);
        let drawn = gammas(&alpha, keys)?.into_iter().zip(rate).map(|(x, rate)| x.value() / rate).collect();
        positive(drawn, lead, &shape)
    }
}

/// α_q log(β_p / β_q) + log Γ(α_q) - log Γ(α_p) + (α_p - α_q) ψ(α_p) + (β_q - β_p) α_p / β_p.
impl<'t, T: Float> Kl<'t, T> for Gamma<'t, T> {
    #[track_caller]
    fn kl(&self, q: &Self) -> Var<'t, T> {
        let (a, b) = (self.concentration, self.rate);
        q.concentration * (b / q.rate).log() + q.concentration.lgamma() - a.lgamma()
            + (a - q.concentration) * a.digamma()
            + (q.rate - b) * (a / b)
    }
}
