//! The batches of one epoch, prepared on the calling thread or ahead of it on other threads.
//!
//! Thread `k % threads` prepares batch `k`, and each thread sends its batches through its own bounded channel. No other
//! synchronization is needed: a full channel blocks its thread, a channel without a receiver ends it, and receiving
//! from the channels in turn gives the batches in order.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use crate::state::State;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Which samples go into each batch of an epoch.
pub(crate) struct Plan<D: ?Sized> {
    data: Arc<D>,
    order: Arc<[usize]>,
    batch_size: usize,
    epoch: u64,
}

impl<D: Dataset + ?Sized> Plan<D> {
    pub(crate) fn new(data: Arc<D>, order: Vec<usize>, batch_size: usize, epoch: u64) -> Self {
        Plan { data, order: order.into(), batch_size, epoch }
    }

    fn count(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// Batch `k`, which must exist.
    fn batch(&self, k: usize) -> Result<D::Batch> {
        let rest = &self.order[k * self.batch_size..];
        self.data.fetch_in(self.epoch, &rest[..rest.len().min(self.batch_size)])
    }
}

impl<D: ?Sized> Clone for Plan<D> {
    fn clone(&self) -> Self {
        Plan { data: Arc::clone(&self.data), order: Arc::clone(&self.order), ..*self }
    }
}

struct Worker<B> {
    receiver: Receiver<Result<B>>,
    thread: JoinHandle<()>,
}

impl<B: Send + 'static> Worker<B> {
    /// Starts a thread that prepares every `step`-th batch from `first` on, and keeps up to `depth` of them ready, at
    /// least one.
    fn start<D: Dataset<Batch = B> + ?Sized>(
        plan: Plan<D>,
        first: usize,
        step: usize,
        depth: usize,
    ) -> std::io::Result<Self> {
        // The thread holds one batch while it waits to send it, so the channel needs to hold only the others.
        let (sender, receiver) = sync_channel(depth.saturating_sub(1));
        let thread = Builder::new().name("batches".into()).spawn(move || {
            for k in (first..plan.count()).step_by(step) {
                let batch = plan.batch(k);
                let failed = batch.is_err();
                if sender.send(batch).is_err() || failed {
                    break;
                }
            }
        })?;
        Ok(Worker { receiver, thread })
    }
}

/// Starts threads that together keep up to `depth` batches ready; `first` is the next batch to be taken.
fn start<D: Dataset + ?Sized>(
    plan: &Plan<D>,
    first: usize,
    threads: usize,
    depth: usize,
) -> Option<Vec<Worker<D::Batch>>> {
    // A depth above the number of batches would only reserve memory.
    let depth = depth.min(plan.count() - first);
    let threads = threads.min(depth).max(1);
    let mut workers = Vec::with_capacity(threads);
    for i in 0..threads {
        let share = depth / threads + usize::from(i < depth % threads);
        match Worker::start(plan.clone(), first + i, threads, share) {
            Ok(worker) => workers.push(worker),
            Err(_) => {
                let _ = stop(workers, 0);
                return None;
            }
        }
    }
    Some(workers)
}

/// Stops the threads, which first finish their current batches, and waits for them. If several panicked, the panic of
/// worker `first` is reported before those of the others.
fn stop<B>(mut workers: Vec<Worker<B>>, first: usize) -> Result<()> {
    workers.rotate_left(first);
    // Drop the receivers first: a thread that waits to send would otherwise wait for ever.
    let threads: Vec<JoinHandle<()>> = workers.into_iter().map(|worker| worker.thread).collect();
    let panics = threads.into_iter().filter_map(|thread| thread.join().err());
    // Wait for all threads before the first panic is reported.
    let panics: Vec<_> = panics.collect();
    panics.first().map_or(Ok(()), |panic| Err(Error::Worker { message: message_of(&**panic) }))
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "no message".to_owned(),
    }
}

enum Source<B> {
    Here,
    Ahead(Vec<Worker<B>>),
    Done,
}

/// The batches of one epoch: what [`Loader::epoch`](crate::Loader::epoch) returns.
///
/// An error is the last item. A panic in [`Dataset::fetch`] is an [`Error::Worker`] where batches are prepared ahead,
/// and stays a panic where they are prepared on the calling thread. Dropping the iterator ends its threads.
///
/// ```
/// use wengert_data::{Loader, digits};
/// let mut batches = Loader::new(&digits()?, 32, 7)?.epoch(0);
/// assert_eq!(batches.size_hint(), (0, Some(57)));
/// let batch = batches.next().unwrap()?;
/// assert_eq!((batch.len(), batches.size_hint().1), (32, Some(56)));
/// drop(batches);                                  // early: no thread is left behind
/// # Ok::<(), wengert_data::Error>(())
/// ```
#[must_use = "batches are prepared to be iterated over"]
pub struct Batches<D: Dataset + ?Sized> {
    plan: Plan<D>,
    /// The number of the first batch of this iterator, then that of the next one.
    first: usize,
    state: State,
    source: Source<D::Batch>,
}

impl<D: Dataset + ?Sized> Batches<D> {
    pub(crate) fn new(plan: Plan<D>, state: State, workers: usize, prefetch: usize) -> Self {
        let first = state.batch.min(plan.count());
        let source = match (workers, prefetch) {
            (0, _) | (_, 0) => Source::Here,
            // If the system cannot start a thread, the epoch is slower, but it need not fail.
            _ => start(&plan, first, workers, prefetch.max(workers)).map_or(Source::Here, Source::Ahead),
        };
        Batches { plan, first, state, source }
    }

    /// The position in the epoch: [`Loader::resume`](crate::Loader::resume) takes it to continue with the next batch.
    /// Batches that were prepared but not yet taken do not count.
    ///
    /// ```
    /// use wengert_data::{Loader, Result, digits};
    /// let loader = Loader::new(&digits()?, 32, 7)?.workers(2);
    /// let mut batches = loader.epoch(5);
    /// assert_eq!(batches.by_ref().take(10).count(), 10);
    /// let state = batches.state();
    /// assert_eq!((state.epoch, state.batch), (5, 10));
    /// let rest = batches.collect::<Result<Vec<_>>>()?;
    /// assert!(rest == loader.resume(&state)?.collect::<Result<Vec<_>>>()?);
    /// # Ok::<(), wengert_data::Error>(())
    /// ```
    pub fn state(&self) -> State {
        self.state
    }

    /// The worker whose turn it is.
    fn turn(&self, workers: usize) -> usize {
        (self.state.batch - self.first) % workers
    }

    fn stop(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.source, Source::Done) {
            Source::Ahead(workers) => {
                let first = self.turn(workers.len());
                stop(workers, first)
            }
            _ => Ok(()),
        }
    }
}

impl<D: Dataset + ?Sized> Iterator for Batches<D> {
    type Item = Result<D::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state.batch >= self.plan.count() {
            return self.stop().err().map(Err);
        }
        let batch = match &self.source {
            Source::Here => self.plan.batch(self.state.batch),
            Source::Done => return None,
            Source::Ahead(workers) => match workers[self.turn(workers.len())].receiver.recv() {
                Ok(batch) => batch,
                // The thread ended before its batches did: it panicked.
                Err(_) => {
                    let message = "a thread ended early".to_owned();
                    return Some(Err(self.stop().err().unwrap_or(Error::Worker { message })));
                }
            },
        };
        match &batch {
            Ok(_) => self.state.batch += 1,
            Err(_) => {
                // Report the error, not a panic in a later batch.
                let _ = self.stop();
                self.source = Source::Done;
            }
        }
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error may come before the remaining batches.
        let most = match self.source {
            Source::Done => 0,
            _ => self.plan.count().saturating_sub(self.state.batch),
        };
        (0, Some(most))
    }
}

impl<D: Dataset + ?Sized> std::iter::FusedIterator for Batches<D> {}

impl<D: Dataset + ?Sized> Drop for Batches<D> {
    fn drop(&mut self) {
        // There is nobody to report a panic to in batches that were not taken.
        let _ = self.stop();
    }
}

impl<D: Dataset + ?Sized> fmt::Debug for Batches<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batches(at most {} left)", self.size_hint().1.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// How fetching a bad sample fails.
    #[derive(Clone, Copy)]
    enum Bad {
        Panics,
        Fails,
    }

    /// 100 samples that count how often they were fetched; sample 3 may be bad.
    struct Probe {
        fetches: AtomicUsize,
        bad: Option<Bad>,
    }

    impl Dataset for Probe {
        type Batch = usize;
        fn len(&self) -> usize {
            100
        }
        fn fetch(&self, indices: &[usize]) -> Result<usize> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            match (indices[0], self.bad) {
                (3, Some(Bad::Panics)) => panic!("sample {} is bad", indices[0]),
                (3, Some(Bad::Fails)) => Err(Error::argument("fetch", "a good sample", 3)),
                (i, _) => Ok(i),
            }
        }
    }

    fn with_workers(bad: Option<Bad>, workers: usize, prefetch: usize) -> (Arc<Probe>, Batches<Probe>) {
        let fetches = AtomicUsize::new(0);
        let data = Arc::new(Probe { fetches, bad });
        let plan = Plan::new(Arc::clone(&data), (0..100).collect(), 1, 0);
        let state = State { epoch: 0, batch: 0, seed: 0, batch_size: 1, samples: 100 };
        (data, Batches::new(plan, state, workers, prefetch))
    }

    fn in_order(bad: Option<Bad>, prefetch: usize) -> (Arc<Probe>, Batches<Probe>) {
        with_workers(bad, 1, prefetch)
    }

    #[test]
    fn several_workers_keep_the_order_and_the_bound() {
        for (workers, depth) in [(2, 2), (2, 5), (3, 1), (5, 7), (200, 3)] {
            let (data, mut batches) = with_workers(None, workers, depth);
            for used in 1..=3 {
                assert_eq!(batches.next().unwrap().unwrap(), used - 1);
                std::thread::sleep(Duration::from_millis(5));
                assert!(data.fetches.load(Ordering::SeqCst) <= used + depth.max(workers));
            }
            assert!(batches.map(Result::unwrap).eq(3..100));
            assert_eq!(Arc::strong_count(&data), 1);
        }
    }

    #[test]
    fn several_workers_tell_panics_and_errors_in_turn_and_end() {
        for bad in [Bad::Panics, Bad::Fails] {
            for workers in [2, 3, 5, 7] {
                let (data, mut batches) = with_workers(Some(bad), workers, 8);
                for expected in 0..3 {
                    assert_eq!(batches.next().unwrap().unwrap(), expected);
                }
                let e = batches.next().unwrap().unwrap_err();
                assert_eq!(matches!(e, Error::Worker { .. }), matches!(bad, Bad::Panics));
                assert_eq!(batches.state().batch, 3);
                assert!(batches.next().is_none() && batches.size_hint() == (0, Some(0)));
                drop(batches);
                assert_eq!(Arc::strong_count(&data), 1);
            }
        }
        let (data, batches) = with_workers(None, 5, 20);
        drop(batches);
        assert_eq!(Arc::strong_count(&data), 1);
    }

    #[test]
    fn no_more_is_prepared_than_asked_for() {
        for depth in [0, 1, 2, 5] {
            let (data, mut batches) = in_order(None, depth);
            for used in 1..=3 {
                batches.next().unwrap().unwrap();
                std::thread::sleep(Duration::from_millis(20));
                assert!(data.fetches.load(Ordering::SeqCst) <= used + depth);
            }
        }
    }

    #[test]
    fn batches_are_prepared_before_they_are_asked_for() {
        let (data, _batches) = in_order(None, 3);
        while data.fetches.load(Ordering::SeqCst) < 3 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn dropping_early_ends_the_thread() {
        for (used, depth) in [(0, 1), (0, 3), (1, 1), (5, 2), (99, 2), (100, 2)] {
            let (data, mut batches) = in_order(None, depth);
            assert!(batches.by_ref().take(used).all(|b| b.is_ok()));
            drop(batches);
            // The threads' handles on the data are dropped.
            assert_eq!(Arc::strong_count(&data), 1);
        }
    }

    #[test]
    fn a_panic_ahead_is_an_error_after_the_batches_before_it() {
        let (data, mut batches) = in_order(Some(Bad::Panics), 2);
        for expected in 0..3 {
            assert_eq!(batches.next().unwrap().unwrap(), expected);
        }
        let e = batches.next().unwrap().unwrap_err();
        assert!(matches!(&e, Error::Worker { message } if message == "sample 3 is bad"), "{e}");
        assert!(batches.next().is_none() && batches.next().is_none());
        drop(batches);
        assert_eq!(Arc::strong_count(&data), 1);
    }

    #[test]
    fn an_error_ends_the_epoch_here_and_ahead() {
        for depth in [0, 2] {
            let (data, batches) = in_order(Some(Bad::Fails), depth);
            let all: Vec<_> = batches.collect();
            assert!(all.len() == 4 && all[..3].iter().all(Result::is_ok) && all[3].is_err());
            assert_eq!(data.fetches.load(Ordering::SeqCst), 4);
        }
    }

    #[test]
    fn a_depth_beyond_the_epoch_reserves_nothing() {
        let (_, batches) = in_order(None, usize::MAX);
        assert!(batches.map(Result::unwrap).eq(0..100));
    }
}
