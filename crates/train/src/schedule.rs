//! [`Schedule`]: how the learning rate goes during a run.

use wengert_nn::optim;

/// How the learning rate goes during a run of known length; for all others see [`wengert_nn::optim::Schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// As it is.
    Constant,
    /// Down to 0 along half a cosine (Loshchilov and Hutter 2017, equation 5, with one period and η_min = 0).
    Cosine,
}

impl Schedule {
    /// The factor of the learning rate at step `step` of `steps`, the first being step 0.
    ///
    /// ```
    /// use wengert_train::Schedule;
    /// assert_eq!(Schedule::Constant.factor(70, 100), 1.0);
    /// assert_eq!(Schedule::Cosine.factor(0, 100), 1.0);
    /// assert!((Schedule::Cosine.factor(50, 100) - 0.5).abs() < 1e-12);
    /// assert!(Schedule::Cosine.factor(99, 100) < 1e-3);
    /// ```
    pub fn factor(self, step: usize, steps: usize) -> f64 {
        match self {
            Schedule::Constant => 1.0,
            Schedule::Cosine => optim::Schedule::Cosine { from: 1.0, to: 0.0, steps: steps.max(1) }.at(step),
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
}
