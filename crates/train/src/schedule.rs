//! [`Schedule`]: how the learning rate goes during a run.

use wengert_nn::optim;

/// How the learning rate goes during a run: as a factor of what the optimiser has at the start, by the step.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// As it is.
    Constant,
    /// Down to 0 along half a cosine (Loshchilov and Hutter 2017, equation 5, with one period and η_min = 0).
    Cosine,
    /// A straight rise over this many steps, then down to 0 along half a cosine.
    WarmupCosine(usize),
    /// Any other, of values that are factors.
    Factor(optim::Schedule),
}

impl Schedule {
    /// The factor of the learning rate at step `step` of `steps`, the first being step 0.
    ///
    /// ```
    /// use wengert_nn::optim;
    /// use wengert_train::Schedule;
    /// assert_eq!(Schedule::Constant.factor(70, 100), 1.0);
    /// assert_eq!(Schedule::Cosine.factor(0, 100), 1.0);
    /// assert!((Schedule::Cosine.factor(50, 100) - 0.5).abs() < 1e-12);
    /// assert!(Schedule::Cosine.factor(99, 100) < 1e-3);
    /// assert_eq!(Schedule::WarmupCosine(3).factor(0, 100), 0.25);
    /// let stairs = Schedule::Factor(optim::Schedule::Step { from: 1.0, every: 30, factor: 0.5 });
    /// assert_eq!(stairs.factor(70, 100), 0.25);
    /// ```
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let cosine = |steps: usize| optim::Schedule::Cosine { from: 1.0, to: 0.0, steps: steps.max(1) };
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => cosine(steps).at(step),
            Schedule::WarmupCosine(rise) => {
                let rise = (*rise).min(steps);
                cosine(steps - rise).after_warmup(rise).at(step)
            }
            Schedule::Factor(schedule) => schedule.at(step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_from_one_and_stays_above_zero() {
        let factors: Vec<f64> = (0..57).map(|step| Schedule::Cosine.factor(step, 57)).collect();
        assert!(factors[0] == 1.0 && factors.is_sorted_by(|a, b| a > b) && factors[56] > 0.0);
        assert_eq!(Schedule::Cosine.factor(0, 0), 1.0);
    }

    #[test]
    fn a_rise_longer_than_the_run_is_only_a_rise() {
        let factors: Vec<f64> = (0..10).map(|step| Schedule::WarmupCosine(99).factor(step, 10)).collect();
        assert!(factors.is_sorted_by(|a, b| a < b) && factors[9] < 1.0, "{factors:?}");
    }
}
