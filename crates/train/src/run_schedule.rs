//! [`RunSchedule`]: the learning rate during a run.

use wengert_nn::optim;

/// The schedule of the learning rate during a run: for each step, a factor of the optimiser's rate at the start.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RunSchedule {
    /// The factor is always 1.
    Constant,
    /// From 1 to 0 along half a cosine (Loshchilov and Hutter 2017, equation 5, with one period and η_min = 0).
    Cosine,
    /// From 1 to 0 along a straight line.
    Linear,
    /// From 1/25 to 1 along half a cosine over the first three tenths of the run, and to nearly 0 along another (Smith and Topin
    /// 2019, with PyTorch's numbers).
    OneCycle,
    /// A linear rise over some steps, then another schedule over the rest of the run.
    Warmup {
        /// The number of steps of the rise.
        steps: usize,
        /// The schedule of the rest.
        then: Box<RunSchedule>,
    },
    /// Any schedule whose values are used as factors.
    Factor(optim::Schedule),
}

impl RunSchedule {
    /// The same after a linear rise over this number of steps. See [`factor`](RunSchedule::factor) for an example.
    #[must_use]
    pub fn after_warmup(self, steps: usize) -> Self {
        RunSchedule::Warmup { steps, then: Box::new(self) }
    }

    /// The factor of the learning rate at step `step` of `steps`, counted from 0.
    ///
    /// ```
    /// use wengert_nn::optim;
    /// use wengert_train::RunSchedule;
    /// assert_eq!(RunSchedule::Constant.factor(70, 100), 1.0);
    /// assert_eq!(RunSchedule::Cosine.factor(0, 100), 1.0);
    /// assert!((RunSchedule::Cosine.factor(50, 100) - 0.5).abs() < 1e-12);
    /// assert!(RunSchedule::Cosine.factor(99, 100) < 1e-3);
    /// assert_eq!(RunSchedule::Linear.factor(25, 100), 0.75);
    /// assert!((RunSchedule::OneCycle.factor(0, 100) - 0.04).abs() < 1e-12);
    /// let warm = RunSchedule::Cosine.after_warmup(3);
    /// assert_eq!((warm.factor(0, 100), warm.factor(3, 100)), (0.25, 1.0));
    /// let stairs = RunSchedule::Factor(optim::Schedule::Step { from: 1.0, every: 30, factor: 0.5 });
    /// assert_eq!(stairs.factor(70, 100), 0.25);
    /// ```
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let length = steps.max(1);
        match self {
            RunSchedule::Constant => 1.0,
            RunSchedule::Cosine => optim::Schedule::Cosine { from: 1.0, to: 0.0, steps: length }.at(step),
            RunSchedule::Linear => optim::Schedule::Linear { from: 1.0, to: 0.0, steps: length }.at(step),
            RunSchedule::OneCycle => optim::Schedule::one_cycle(1.0, length).at(step),
            RunSchedule::Warmup { steps: rise, then } => {
                let rise = (*rise).min(steps);
                match step.checked_sub(rise) {
                    Some(after) => then.factor(after, steps - rise),
                    // As in PyTorch's warm-up, the rise begins above 0 and ends below the full rate.
                    None => (step + 1) as f64 / (rise + 1) as f64,
                }
            }
            RunSchedule::Factor(schedule) => schedule.at(step),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_falls_from_one_and_stays_above_zero() {
        let factors: Vec<f64> = (0..57).map(|step| RunSchedule::Cosine.factor(step, 57)).collect();
        assert!(factors[0] == 1.0 && factors.is_sorted_by(|a, b| a > b) && factors[56] > 0.0);
        assert_eq!(RunSchedule::Cosine.factor(0, 0), 1.0);
    }

    #[test]
    fn a_rise_longer_than_the_run_is_only_a_rise() {
        let factors: Vec<f64> =
            (0..10).map(|step| RunSchedule::Cosine.after_warmup(99).factor(step, 10)).collect();
        assert!(factors.is_sorted_by(|a, b| a < b) && factors[9] < 1.0, "{factors:?}");
    }
}
