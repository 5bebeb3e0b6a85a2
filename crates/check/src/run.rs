//! Runs the cases of all ops, on all threads, until they or the time are over.

use crate::options::Options;
use crate::panics;
use crate::progress::Progress;
use crate::results::{Ended, Mode, OpResult, OpVerdict, Results};
use crate::schedule::{Schedule, Shard};
use crate::signals::Signals;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wengert_tape::gradcheck::mutants::{self, Fate, Mutation};
use wengert_tape::gradcheck::suite::{self, FailedCase, Outcome};
use wengert_tape::gradcheck::{Kind, Property, Spec};

/// After this number of failed cases, an op gets no more of a limited time: they would only repeat the first.
const ENOUGH_FAILURES: usize = 3;

/// Runs the checks that the options ask for. Progress goes to the standard error stream.
pub(crate) fn run(specs: &[Spec], options: &Options, command: String) -> Results {
    let run = Run {
        specs,
        options,
        signals: Signals::listen(),
        start: Instant::now(),
        stopped: AtomicBool::new(false),
        late: AtomicBool::new(false),
    };
    let mode = if options.mutants { Mode::Mutants } else { Mode::Gradients };
    let ops = panics::noted(|| match mode {
        Mode::Gradients => run.check(),
        Mode::Mutants => run.mutate(),
    });
    let ended = match run.signals.received() {
        Some(signal) => Ended::Signal(signal),
        None if run.stopped.into_inner() => Ended::FailFast,
        None if run.late.into_inner() => Ended::Time,
        None => Ended::Complete,
    };
    Results {
        mode,
        seed: options.seed,
        cases: options.cases,
        time: options.time,
        shard: options.shard,
        properties: options.properties.clone(),
        threads: rayon::current_num_threads(),
        elapsed: run.start.elapsed(),
        ended,
        command,
        ops,
        may_be_empty: options.shard.is_some() || options.nothing,
    }
}

/// A run, and why it may end early.
struct Run<'r> {
    specs: &'r [Spec],
    options: &'r Options,
    signals: Signals,
    start: Instant,
    /// A failure ended it.
    stopped: AtomicBool,
    /// Time ended it.
    late: AtomicBool,
}

/// The cases of one op so far.
struct Sum {
    outcome: Outcome,
    /// Cases that have begun, and not been added yet: they are added in order. `None` while they run.
    begun: BTreeMap<u64, Option<Vec<Outcome>>>,
    ended: u64,
    spent: Duration,
    panics: Vec<String>,
    points_failed: bool,
}

impl Run<'_> {
    /// Whether no further work may begin.
    fn over(&self) -> bool {
        let late = self.options.time.is_some_and(|time| self.start.elapsed() >= time);
        if late {
            self.late.store(true, Ordering::Relaxed);
        }
        late || self.stopped.load(Ordering::Relaxed) || self.signals.received().is_some()
    }

    fn failed(&self) {
        if self.options.fail_fast {
            self.stopped.store(true, Ordering::Relaxed);
        }
    }

    fn check(&self) -> Vec<OpResult> {
        let Options { cases, time, shard, seed, .. } = *self.options;
        let schedule = Schedule::new(self.specs.len(), cases, shard, time.is_some());
        let asked: Vec<Option<u64>> = (0..self.specs.len()).map(|op| schedule.cases(op)).collect();
        let sums = self.specs.iter().map(|spec| {
            let outcome = Outcome { report: named(spec), seed, ..Outcome::default() };
            let (ended, spent) = (0, Duration::ZERO);
            Sum { outcome, begun: BTreeMap::new(), ended, spent, panics: Vec::new(), points_failed: false }
        });
        let state = Mutex::new((schedule, sums.collect::<Vec<_>>()));
        let total = asked.iter().try_fold(0, |sum, cases| Some(sum + (*cases)?));
        let progress = Progress::start(self.options, "checking", total);
        let next = || {
            if self.over() {
                return None;
            }
            let (schedule, sums) = &mut *locked(&state);
            let (op, case) = schedule.next()?;
            sums[op].begun.insert(case, None);
            Some((op, case))
        };
        drive(next, |(op, case)| {
            let begin = Instant::now();
            let ((points, outcomes), panics) =
                panics::watched(|| (self.points(op, case), self.case(op, case)));
            let points_failed = points.as_ref().is_some_and(|o| !o.passed());
            let outcomes: Vec<Outcome> = points.into_iter().chain(outcomes).collect();
            let took = begin.elapsed();
            let wrong = outcomes.iter().any(|o| !o.passed());
            progress.advance(self.specs[op].name, wrong);
            if wrong {
                self.failed();
            }
            let (schedule, sums) = &mut *locked(&state);
            schedule.ended(op, took);
            sums[op].points_failed |= points_failed;
            sums[op].add(case, outcomes, took, if wrong { panics } else { Vec::new() });
            if time.is_some() && sums[op].outcome.failed.len() >= ENOUGH_FAILURES {
                schedule.close(op);
            }
        });
        progress.finish();
        let (_, sums) = state.into_inner().unwrap_or_else(PoisonError::into_inner);
        let results = sums.into_iter().zip(asked).enumerate();
        // An op that is not in this shard is not part of its report.
        let here = results.filter(|(_, (sum, asked))| sum.ended > 0 || *asked != Some(0));
        here.map(|(op, (sum, asked))| self.checked(op, sum, asked)).collect()
    }

    /// What an op declares at single points, which is tested with its first case.
    fn points(&self, op: usize, case: u64) -> Option<Outcome> {
        let (spec, properties) = (&self.specs[op], &self.options.properties);
        let asked = properties.is_empty() || properties.contains(&Property::Points);
        if !asked || case != 0 || spec.at_points.is_empty() {
            return None;
        }
        let mut outcome = suite::run_points(spec);
        outcome.seed = self.options.seed;
        // Each is a case of its own if that is what was asked for.
        outcome.cases = if properties.is_empty() { 0 } else { spec.at_points.len() };
        Some(outcome)
    }

    /// The results of a case, one for each property that was asked for, or one for all of them.
    fn case(&self, op: usize, case: u64) -> Vec<Outcome> {
        let (spec, properties) = (&self.specs[op], &self.options.properties);
        let seed = self.options.seed.wrapping_add(case);
        if properties.is_empty() {
            return suite::run_case(spec, seed, None).into_iter().collect();
        }
        properties.iter().filter_map(|p| suite::run_case(spec, seed, Some(*p))).collect()
    }

    fn checked(&self, op: usize, mut sum: Sum, asked: Option<u64>) -> OpResult {
        let spec = &self.specs[op];
        let all = asked.is_some_and(|asked| sum.ended >= asked);
        if self.options.properties.is_empty() && sum.ended > 0 {
            sum.outcome.complete();
        }
        sum.outcome.failed.sort_by_key(difficulty);
        let verdict = match () {
            () if !sum.outcome.passed() => OpVerdict::Failed,
            () if sum.ended == 0 => OpVerdict::Incomplete,
            () if !all && !self.late.load(Ordering::Relaxed) => OpVerdict::Incomplete,
            () if sum.outcome.cases == 0 => OpVerdict::Skipped,
            () => OpVerdict::Passed,
        };
        let Sum { outcome, spent, panics, points_failed, .. } = sum;
        OpResult { outcome, verdict, spent, panics, points_failed, ..empty(spec) }
    }

    fn mutate(&self) -> Vec<OpResult> {
        let Options { shard, seed, .. } = *self.options;
        let cases = self.options.cases.map_or(100, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let Shard { index, count } = shard.unwrap_or(Shard { index: 0, count: 1 });
        let here: Vec<&Spec> =
            self.specs.iter().zip(0u64..).filter(|(_, i)| i % count == index).map(|(s, _)| s).collect();
        // Each op without a mutation first: if that fails, it means nothing that its mutants fail.
        let kinds = || std::iter::once(None).chain(Mutation::ALL.iter().copied().map(Some));
        let units: Vec<(usize, Option<Mutation>)> =
            (0..here.len()).flat_map(|op| kinds().map(move |m| (op, m))).collect();
        let results = here.iter().map(|spec| {
            let mutants = Mutation::ALL.iter().map(|m| (*m, None)).collect();
            OpResult { mutants, verdict: OpVerdict::Incomplete, ..empty(spec) }
        });
        let results = Mutex::new(results.collect::<Vec<_>>());
        let progress = Progress::start(self.options, "breaking", Some(units.len() as u64));
        let number = AtomicUsize::new(0);
        let next = || if self.over() { None } else { units.get(number.fetch_add(1, Ordering::Relaxed)) };
        drive(next, |(op, mutation)| {
            let (spec, begin) = (here[*op], Instant::now());
            let mut bad = false;
            match mutation {
                None => {
                    let (outcome, panics) = panics::watched(|| suite::run(spec, seed, cases));
                    bad = !outcome.passed();
                    let result = &mut locked(&results)[*op];
                    result.outcome = outcome;
                    result.panics = if bad { panics } else { Vec::new() };
                }
                Some(mutation) => {
                    // A function that panics before it is on a tape fails without a mutation as well.
                    let (fate, _) =
                        panics::watched(|| panics::caught(|| mutants::run(spec, &[*mutation], seed, cases)));
                    let fate = fate.ok().and_then(|fates| fates.first().copied());
                    bad |= fate == Some(Fate::Survived);
                    let mut results = locked(&results);
                    let entry = results[*op].mutants.iter_mut().find(|(m, _)| m == mutation);
                    entry.into_iter().for_each(|(_, f)| *f = fate);
                }
            }
            locked(&results)[*op].spent += begin.elapsed();
            progress.advance(spec.name, bad);
            if bad {
                self.failed();
            }
        });
        progress.finish();
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        for result in &mut results {
            let tried = result.mutants.iter().all(|(_, fate)| fate.is_some());
            result.verdict = match () {
                () if !result.outcome.passed() => OpVerdict::Failed,
                () if !result.caught().2.is_empty() => OpVerdict::Survived,
                () if !tried || result.outcome.cases == 0 => OpVerdict::Incomplete,
                () => OpVerdict::Passed,
            };
        }
        results
    }
}

impl Sum {
    /// A case has ended; it is added as soon as those before it have ended.
    fn add(&mut self, case: u64, outcomes: Vec<Outcome>, took: Duration, panics: Vec<String>) {
        self.ended += 1;
        self.spent += took;
        for place in panics {
            if !self.panics.contains(&place) && self.panics.len() < ENOUGH_FAILURES {
                self.panics.push(place);
            }
        }
        self.begun.insert(case, Some(outcomes));
        while let Some(first) = self.begun.first_entry().filter(|first| first.get().is_some()) {
            for outcome in first.remove().unwrap_or_default() {
                self.outcome.merge(outcome);
            }
        }
    }
}

/// The simplest failures say most, and are the first in reports.
fn difficulty(case: &FailedCase) -> (Option<usize>, usize) {
    let kinds = [Kind::Usual, Kind::Empty, Kind::Scaled, Kind::Large, Kind::Extreme];
    let elements = case.inputs.iter().map(|x| x.numel()).sum();
    (kinds.iter().position(|kind| *kind == case.kind), elements)
}

fn named(spec: &Spec) -> wengert_tape::gradcheck::Report {
    wengert_tape::gradcheck::Report { name: spec.name.to_owned(), ..Default::default() }
}

fn empty(spec: &Spec) -> OpResult {
    OpResult {
        name: spec.name,
        file: spec.location.file(),
        line: spec.location.line(),
        order: spec.order,
        outcome: Outcome { report: named(spec), ..Outcome::default() },
        verdict: OpVerdict::Passed,
        spent: Duration::ZERO,
        panics: Vec::new(),
        points_failed: false,
        mutants: Vec::new(),
    }
}

/// Every thread of the pool takes a piece of work after the other, until there is none.
fn drive<U>(next: impl Fn() -> Option<U> + Sync, work: impl Fn(U) + Sync) {
    rayon::broadcast(|_| {
        while let Some(unit) = next() {
            work(unit);
            // Kernels ask other threads to help. Those that were busy find these requests here, and no more work in them.
            while rayon::yield_now() == Some(rayon::Yield::Executed) {}
        }
    });
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
