//! [`StepProfiler`]: where the time of a run's steps goes.

use crate::observer::{Observer, RunPlan, StepReport};
use wengert_tape::profile::{Profile, Profiler};

/// The first steps of a run, in which memory is allocated and threads are started, are not measured.
const WARM_UP: usize = 10;

/// An [`Observer`] that [profiles](wengert_tape::profile) some steps of a run: by default 50, after the first 10. If the run is
/// shorter, these are the steps after the first fifth. They include everything from the end of one step to the end of
/// another: data, observers, and the evaluation and the checkpoints between them.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Linear, optim::Adam};
/// use wengert_ops::random::Rng;
/// use wengert_tape::profile::Pass;
/// use wengert_train::{Classify, FitConfig, Minimize, NoValidation, StepProfiler, fit};
///
/// let (mut model, mut adam) = (Linear::new(64, 10, &mut Rng::seed(0)), Adam::new(0.01));
/// let mut learner = Minimize::new(&mut model, &mut adam, Classify);
/// let mut profiler = StepProfiler::new(20);
/// let config = FitConfig { epochs: 1, ..FitConfig::default() };
/// fit(&mut learner, &Loader::new(&digits()?, 32, 0)?, &NoValidation, &config, &mut profiler)?;
/// let profile = profiler.profile().unwrap();
/// let optimizer = profile.by_pass().rows().iter().find(|r| r.pass == Some(Pass::Optimizer)).unwrap().self_time;
/// assert!(optimizer < profile.wall());
/// println!("{profile}");
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug)]
pub struct StepProfiler {
    most: usize,
    /// The numbers of steps, since the run was started or resumed, after which the profile begins and ends.
    first: usize,
    last: usize,
    seen: usize,
    running: Option<Profiler>,
    profile: Option<Profile>,
}

impl Default for StepProfiler {
    fn default() -> Self {
        StepProfiler::new(50)
    }
}

impl StepProfiler {
    /// Profiles at most this number of steps, at least 1. See [`StepProfiler`] for an example.
    pub fn new(steps: usize) -> Self {
        StepProfiler { most: steps.max(1), first: 0, last: 0, seen: 0, running: None, profile: None }
    }

    /// The profile, which shows the mean of a step; `None` before its steps are over, or if the run had none. See [`StepProfiler`] for
    /// an example.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    fn stop(&mut self) {
        let steps = self.seen - self.first.min(self.seen);
        if let Some(profile) = self.running.take().map(Profiler::stop)
            && steps > 0
        {
            self.profile = Some(profile.per_step(steps));
        }
    }
}

impl Observer for StepProfiler {
    fn start(&mut self, plan: &RunPlan) {
        let steps = (plan.epochs * plan.steps).saturating_sub(plan.done);
        self.first = WARM_UP.min(steps / 5);
        self.last = self.first + self.most;
        self.seen = 0;
        self.running = (self.first == 0).then(Profiler::start);
    }

    fn step(&mut self, _step: &StepReport) {
        self.seen += 1;
        if self.seen == self.last {
            self.stop();
        } else if self.seen == self.first {
            self.running = Some(Profiler::start());
        }
    }

    fn finish(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of steps that a run of a given length profiles, where its last step is not the last one planned.
    fn profiled(planned: usize, made: usize) -> Option<String> {
        let mut profiler = StepProfiler::new(50);
        profiler.start(&RunPlan { epochs: 1, steps: planned, done: 0 });
        for done in 1..=made {
            let (epoch, samples, loss, learning_rate) = (1, 1, 0.0, 0.0);
            profiler.step(&StepReport { epoch, step: done, done, samples, loss, learning_rate });
        }
        profiler.finish();
        profiler.profile().map(|p| p.to_string().split(" of ").nth(1).unwrap().to_owned())
    }

    #[test]
    fn the_steps_after_the_first_are_profiled() {
        assert_eq!(profiled(1000, 1000).unwrap(), "50 steps");
        assert_eq!(profiled(1000, 15).unwrap(), "5 steps");
        assert_eq!(profiled(20, 20).unwrap(), "16 steps");
        assert_eq!(profiled(4, 4).unwrap(), "4 steps");
        assert_eq!(profiled(1000, 5), None);
        assert_eq!(profiled(0, 0), None);
    }
}
