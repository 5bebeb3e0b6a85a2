//! [`Schedule`]: the learning rate during a run, as a function of the step.

use super::factors::times;
use std::f64::consts::PI;
use wengert_ops::math::portable::{cos, powf};

/// A number that depends on the step, the first being step 0: a learning rate, a momentum, the weight of a penalty.
///
/// It has no state, so a run can be resumed at any step. For a value that changes per epoch, pass the epoch as the step. After
/// its last step, a schedule keeps its last value. (For a rate that depends on the loss, see [`Plateau`](super::Plateau).)
///
/// ```
/// use wengert_nn::optim::{Adam, Optimizer, Schedule};
/// let schedule = Schedule::Cosine { from: 1e-3, to: 1e-5, steps: 90 }.after_warmup(10);
/// let mut adam = Adam::<f32>::new(1e-3);
/// for step in 0..100 {
///     adam.set_learning_rate(schedule.at(step));
///     // adam.step(..)
/// }
/// assert!((schedule.at(9) - 1e-3 * 10.0 / 11.0).abs() < 1e-18);
/// assert_eq!((schedule.at(10), schedule.at(100)), (1e-3, 1e-5));
/// ```
#[doc(alias = "LRScheduler")]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Schedule {
    /// This value in every step.
    Constant(f64),
    /// `from` · `factor`ⁿ, where n grows by one every `every` steps.
    #[doc(alias = "StepLR")]
    Step {
        /// The value in step 0.
        from: f64,
        /// The number of steps with the same value.
        every: usize,
        /// The factor between two consecutive values.
        factor: f64,
    },
    /// `from` · `factor`ⁿ, where n is the number of milestones reached.
    #[doc(alias = "MultiStepLR")]
    MultiStep {
        /// The value in step 0.
        from: f64,
        /// The steps at which the value changes; a step that is listed twice counts twice.
        milestones: Vec<usize>,
        /// The factor by which the value is multiplied at each milestone.
        factor: f64,
    },
    /// `from` · `factor`ˢ in step s.
    #[doc(alias = "ExponentialLR")]
    Exponential {
        /// The value in step 0.
        from: f64,
        /// The factor by which the value is multiplied in each step.
        factor: f64,
    },
    /// Half a cosine: to + (from - to) (1 + cos(π s / steps)) / 2 in step s (Loshchilov and Hutter 2017, equation 5).
    #[doc(alias = "CosineAnnealingLR")]
    Cosine {
        /// The value in step 0.
        from: f64,
        /// The last value.
        to: f64,
        /// The number of steps to the last value.
        steps: usize,
    },
    /// [`Cosine`](Schedule::Cosine) repeated, each period `growth` times as long as the one before (Loshchilov and
    /// Hutter 2017).
    #[doc(alias = "CosineAnnealingWarmRestarts")]
    WarmRestarts {
        /// The first value of each period.
        from: f64,
        /// The value that each period approaches.
        to: f64,
        /// The number of steps of the first period.
        period: usize,
        /// The ratio of the lengths of two consecutive periods, 1 or more.
        growth: usize,
    },
    /// A straight line.
    #[doc(alias = "LinearLR")]
    Linear {
        /// The value in step 0.
        from: f64,
        /// The last value.
        to: f64,
        /// The number of steps to the last value.
        steps: usize,
    },
    /// to + (from - to) (1 - s / steps)^power in step s.
    #[doc(alias = "PolynomialLR")]
    Polynomial {
        /// The value in step 0.
        from: f64,
        /// The last value.
        to: f64,
        /// The number of steps to the last value.
        steps: usize,
        /// The exponent.
        power: f64,
    },
    /// Up to a peak along half a cosine, and down along another (Smith and Topin 2019, with PyTorch's curves). For a momentum,
    /// which first decreases, the peak is the smallest value. See [`Schedule::one_cycle`] for the usual numbers.
    #[doc(alias = "OneCycleLR")]
    OneCycle {
        /// The value in step 0.
        from: f64,
        /// The value at the peak, the largest or the smallest.
        peak: f64,
        /// The last value.
        to: f64,
        /// The number of steps to the last value.
        steps: usize,
        /// The fraction of the steps before the peak.
        rise: f64,
    },
    /// peak · min(s / warmup, √(warmup / s)) with s counted from 1 (Vaswani et al. 2017, equation 3, whose peak is
    /// 1 / √(d · warmup)).
    InverseSqrt {
        /// The value at the end of the warm-up.
        peak: f64,
        /// The number of steps of the warm-up.
        warmup: usize,
    },
    /// The first schedule for `steps` steps, then the second from its beginning; see [`Schedule::then`].
    Then {
        /// The first schedule.
        first: Box<Schedule>,
        /// The number of steps of the first schedule.
        steps: usize,
        /// The second schedule.
        next: Box<Schedule>,
    },
    /// The product of two schedules; see [`Schedule::times`].
    Product(Box<Schedule>, Box<Schedule>),
}

impl Schedule {
    /// One cycle with the usual numbers: from peak / 25 to the peak after 0.3 of the steps, and down to peak / 250 000.
    pub fn one_cycle(peak: f64, steps: usize) -> Self {
        Schedule::OneCycle { from: peak / 25.0, peak, to: peak / 25.0 / 1e4, steps, rise: 0.3 }
    }

    /// This schedule, delayed by `steps` steps of a linear rise to its first value: in step s < `steps`, that value times
    /// (s + 1) / (steps + 1).
    #[must_use]
    pub fn after_warmup(self, steps: usize) -> Self {
        let to = self.at(0);
        let from = to / (steps as f64 + 1.0);
        Schedule::Linear { from, to, steps }.then(steps, self)
    }

    /// This schedule for `steps` steps, then `next` from its beginning.
    #[doc(alias = "SequentialLR")]
    #[must_use]
    pub fn then(self, steps: usize, next: Schedule) -> Self {
        Schedule::Then { first: Box::new(self), steps, next: Box::new(next) }
    }

    /// The product of this schedule and another; usually one of them is a factor that begins or ends at 1.
    ///
    /// ```
    /// use wengert_nn::optim::Schedule;
    /// let rise = Schedule::Linear { from: 0.25, to: 1.0, steps: 3 };
    /// let schedule = rise.times(Schedule::Exponential { from: 0.4, factor: 0.5 });
    /// assert_eq!([0, 1, 3].map(|s| schedule.at(s)), [0.1, 0.1, 0.05]);
    /// ```
    #[doc(alias = "ChainedScheduler")]
    #[must_use]
    pub fn times(self, other: Schedule) -> Self {
        Schedule::Product(Box::new(self), Box::new(other))
    }

    /// The value in step `step`, the first being step 0.
    pub fn at(&self, step: usize) -> f64 {
        let s = step as f64;
        match self {
            Schedule::Constant(value) => *value,
            Schedule::Step { from, every, factor } => {
                times(*from, powf(*factor, (step / (*every).max(1)) as f64))
            }
            Schedule::MultiStep { from, milestones, factor } => {
                times(*from, powf(*factor, milestones.iter().filter(|m| **m <= step).count() as f64))
            }
            Schedule::Exponential { from, factor } => times(*from, powf(*factor, s)),
            Schedule::Cosine { from, to, steps } => cosine(*from, *to, progress(step, *steps)),
            Schedule::WarmRestarts { from, to, period, growth } => {
                let (at, period) = within_period(step, (*period).max(1), (*growth).max(1));
                cosine(*from, *to, at as f64 / period as f64)
            }
            Schedule::Linear { from, to, steps } => from + (to - from) * progress(step, *steps),
            Schedule::Polynomial { from, to, steps, power } => {
                to + times(from - to, powf(1.0 - progress(step, *steps), *power))
            }
            Schedule::OneCycle { from, peak, to, steps, rise } => {
                let (turn, end) = (rise * *steps as f64 - 1.0, *steps as f64 - 1.0);
                if s <= turn {
                    cosine(*from, *peak, part(s, turn))
                } else {
                    cosine(*peak, *to, part(s - turn, end - turn))
                }
            }
            Schedule::InverseSqrt { peak, warmup } => {
                let (s, warmup) = (s + 1.0, (*warmup).max(1) as f64);
                peak * (s / warmup).min((warmup / s).sqrt())
            }
            Schedule::Then { first, steps, next } => match step.checked_sub(*steps) {
                Some(later) => next.at(later),
                None => first.at(step),
            },
            Schedule::Product(a, b) => {
                let (a, b) = (a.at(step), b.at(step));
                if b == 0.0 { times(b, a) } else { times(a, b) }
            }
        }
    }
}

fn cosine(from: f64, to: f64, progress: f64) -> f64 {
    // Both ends are exact.
    match progress {
        p if p >= 1.0 => to,
        p => to + (from - to) * (1.0 + cos(PI * p)) / 2.0,
    }
}

/// The fraction of the steps that is done, 1 at the end and after it.
fn progress(step: usize, steps: usize) -> f64 {
    part(step as f64, steps as f64)
}

fn part(s: f64, of: f64) -> f64 {
    if s >= of { 1.0 } else { s / of }
}

/// The position of a step in its period, and the length of the period.
fn within_period(step: usize, mut period: usize, growth: usize) -> (usize, usize) {
    if growth == 1 {
        return (step % period, period);
    }
    let mut at = step;
    while at >= period {
        at -= period;
        period = period.saturating_mul(growth);
    }
    (at, period)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks that the schedule is PyTorch 2.15's, in f64, over a whole run.
    #[track_caller]
    fn follows(schedule: &Schedule, want: &[f64]) {
        for (step, want) in want.iter().enumerate() {
            let found = schedule.at(step);
            assert!((found - want).abs() < 1e-14, "step {step}: {found}, not {want}");
        }
    }

    #[test]
    fn runs_are_pytorchs() {
        let (from, to) = (0.4, 0.05);
        follows(
            &Schedule::Step { from, every: 3, factor: 0.5 },
            &[0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05],
        );
        follows(
            &Schedule::MultiStep { from, milestones: vec![2, 5, 6], factor: 0.1 },
            &[0.4, 0.4, 0.04, 0.04, 0.04, 0.004, 0.0004, 0.0004, 0.0004],
        );
        follows(
            &Schedule::Exponential { from, factor: 0.9 },
            &[0.4, 0.36, 0.324, 0.2916, 0.26244, 0.236196, 0.2125764, 0.19131876, 0.172186884, 0.1549681956],
        );
        follows(
            &Schedule::Cosine { from, to, steps: 10 },
            &[
                0.4,
                0.3914348903516519,
                0.3665779740156158,
                0.3278624191511828,
                0.2790779740156158,
                0.22500000000000003,
                0.17092202598438425,
                0.12213758084881725,
                0.08342202598438422,
                0.058565109648348136,
                0.05,
                0.05,
            ],
        );
        follows(
            &Schedule::WarmRestarts { from, to, period: 3, growth: 2 },
            &[
                0.4,
                0.3125,
                0.13750000000000007,
                0.4,
                0.3765544456622768,
                0.3125,
                0.22500000000000003,
                0.13750000000000007,
                0.07344555433772323,
                0.4,
                0.39403701960058696,
                0.3765544456622768,
                0.34874368670764583,
                0.3125,
            ],
        );
        follows(
            &Schedule::WarmRestarts { from, to: 0.0, period: 4, growth: 1 },
            &[0.4, 0.3414213562373095, 0.2, 0.05857864376269051, 0.4, 0.3414213562373095, 0.2],
        );
        follows(
            &Schedule::Linear { from: 0.1, to: 0.3, steps: 5 },
            &[0.1, 0.14, 0.18, 0.22, 0.26, 0.3, 0.3, 0.3],
        );
        follows(
            &Schedule::Polynomial { from, to: 0.0, steps: 5, power: 2.0 },
            &[0.4, 0.256, 0.144, 0.064, 0.016, 0.0, 0.0, 0.0],
        );
        follows(
            &Schedule::one_cycle(0.4, 12),
            &[
                0.016000000000000014,
                0.1399158616878332,
                0.3517140636488515,
                0.39776617418036475,
                0.3732051879365647,
                0.3246982615799052,
                0.25895159907804133,
                0.18505484106679002,
                0.11322439928347969,
                0.05339101207553224,
                0.01382679497015809,
                1.6e-06,
            ],
        );
        // The momentum for the same cycle.
        follows(
            &Schedule::OneCycle { from: 0.95, peak: 0.85, to: 0.95, steps: 12, rise: 0.3 },
            &[
                0.95,
                0.9177302443521267,
                0.8625744625914449,
                0.8505584586887436,
                0.856698729810778,
                0.8688255099070633,
                0.8852622412794547,
                0.9037365046793212,
                0.9216941869558779,
                0.9366525935914912,
                0.9465436874322102,
                0.95,
            ],
        );
        let rise = |from, to| Schedule::Linear { from, to, steps: 4 };
        follows(
            &rise(0.1, 0.4).then(4, Schedule::Cosine { from, to, steps: 6 }),
            &[
                0.1,
                0.175,
                0.25,
                0.325,
                0.4,
                0.3765544456622768,
                0.3125,
                0.225,
                0.1375,
                0.07344555433772323,
                0.05,
            ],
        );
        follows(
            &rise(0.25, 1.0).times(Schedule::Exponential { from, factor: 0.9 }),
            &[0.1, 0.1575, 0.2025, 0.236925, 0.26244, 0.236196, 0.2125764, 0.19131876],
        );
    }

    #[test]
    fn the_inverse_root_is_the_papers() {
        let (d, warmup) = (512.0f64, 4000usize);
        let schedule = Schedule::InverseSqrt { peak: 1.0 / (d * warmup as f64).sqrt(), warmup };
        for step in [1usize, 17, 3999, 4000, 4001, 100_000] {
            let s = step as f64;
            let want = d.powf(-0.5) * s.powf(-0.5).min(s * (warmup as f64).powf(-1.5));
            assert!((schedule.at(step - 1) - want).abs() < 1e-15 * want.abs() * 10.0);
        }
    }

    #[test]
    fn lengths_of_zero_and_one_are_numbers() {
        for steps in 0..3 {
            for schedule in [
                Schedule::Cosine { from: 1.0, to: 0.5, steps },
                Schedule::Linear { from: 1.0, to: 0.5, steps },
                Schedule::Polynomial { from: 1.0, to: 0.5, steps, power: 0.5 },
                Schedule::OneCycle { from: 1.0, peak: 2.0, to: 0.5, steps, rise: 0.3 },
                Schedule::Constant(0.5).after_warmup(steps),
            ] {
                assert!((0..6).all(|s| schedule.at(s).is_finite()));
                assert_eq!(schedule.at(5), 0.5);
            }
            assert!(Schedule::Step { from: 1.0, every: steps, factor: 0.5 }.at(4).is_finite());
            assert!(Schedule::InverseSqrt { peak: 1.0, warmup: steps }.at(0).is_finite());
            assert!(
                Schedule::WarmRestarts { from: 1.0, to: 0.0, period: steps, growth: steps }.at(9).is_finite()
            );
        }
    }

    #[test]
    fn nothing_stays_nothing_however_often_it_is_multiplied() {
        let (from, factor) = (0.0, 2.0);
        let endless = Schedule::Exponential { from: 1.0, factor };
        for schedule in [
            Schedule::Exponential { from, factor },
            Schedule::Step { from, every: 1, factor },
            Schedule::MultiStep { from, milestones: vec![0; 5000], factor },
            Schedule::Constant(0.0).times(endless.clone()),
            endless.times(Schedule::Constant(0.0)),
            Schedule::Polynomial { from: 1.0, to: 0.0, steps: 10, power: 0.5 },
            Schedule::Polynomial { from: 0.0, to: 0.0, steps: 10, power: -1.0 },
        ] {
            assert_eq!(schedule.at(5000), 0.0, "{schedule:?}");
        }
    }
}
