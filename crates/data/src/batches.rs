//! The batches of one epoch, prepared on the calling thread or ahead of it.
//!
//! The thread sends through a bounded channel, which is all the synchronization there is: a full channel holds the
//! thread back, and a channel without a receiver ends it.

use crate::dataset::Dataset;
use crate::error::{Error, Result};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Which samples go into each batch of an epoch, and how far that has come.
pub(crate) struct Plan<D: ?Sized> {
    data: Arc<D>,
    order: Arc<[usize]>,
    batch_size: usize,
    at: usize,
}

impl<D: Dataset + ?Sized> Plan<D> {
    pub(crate) fn new(data: Arc<D>, order: Vec<usize>, batch_size: usize) -> Self {
        Plan { data, order: order.into(), batch_size, at: 0 }
    }

    fn remaining(&self) -> usize {
        (self.order.len() - self.at).div_ceil(self.batch_size)
    }

    /// The next batch; an error is the last item.
    fn advance(&mut self) -> Option<Result<D::Batch>> {
        let rest = &self.order[self.at..];
        let indices = &rest[..rest.len().min(self.batch_size)];
        if indices.is_empty() {
            return None;
        }
        let batch = self.data.fetch(indices);
        self.at = match batch {
            Ok(_) => self.at + indices.len(),
            Err(_) => self.order.len(),
        };
        Some(batch)
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
    remaining: usize,
}

impl<B: Send + 'static> Worker<B> {
    /// Starts a thread that keeps up to `depth` batches, at least 1, ready.
    fn start<D: Dataset<Batch = B> + ?Sized>(mut plan: Plan<D>, depth: usize) -> std::io::Result<Self> {
        // More than there are would only reserve memory. The thread holds one batch while it waits to send it, so the
        // channel need hold only the others.
        let remaining = plan.remaining();
        let (sender, receiver) = sync_channel(depth.min(remaining).saturating_sub(1));
        let thread = Builder::new().name("batches".into()).spawn(move || {
            while let Some(batch) = plan.advance() {
                if sender.send(batch).is_err() {
                    break;
                }
            }
        })?;
        Ok(Worker { receiver, thread, remaining })
    }

    /// Ends the thread, which finishes the batch it is at, and waits for it.
    fn stop(self) -> Result<()> {
        // First the receiver, or a thread that waits to send would wait for ever.
        drop(self.receiver);
        self.thread.join().map_err(|panic| Error::Worker { message: message_of(&*panic) })
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "no message".to_owned(),
    }
}

enum Source<D: Dataset + ?Sized> {
    Here(Plan<D>),
    Ahead(Worker<D::Batch>),
    Done,
}

/// The batches of one epoch: what [`Loader::epoch`](crate::Loader::epoch) gives.
///
/// An error is the last item. A panic in [`Dataset::fetch`] is an [`Error::Worker`] where batches are prepared ahead,
/// and stays a panic where they are prepared on the calling thread. Dropping the iterator ends its thread.
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
    source: Source<D>,
}

impl<D: Dataset + ?Sized> Batches<D> {
    pub(crate) fn new(plan: Plan<D>, prefetch: usize) -> Self {
        let source = match prefetch {
            0 => Source::Here(plan),
            // A system that gives no thread slows the epoch down, but need not end it.
            depth => match Worker::start(plan.clone(), depth) {
                Ok(worker) => Source::Ahead(worker),
                Err(_) => Source::Here(plan),
            },
        };
        Batches { source }
    }

    fn stop(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.source, Source::Done) {
            Source::Ahead(worker) => worker.stop(),
            _ => Ok(()),
        }
    }
}

impl<D: Dataset + ?Sized> Iterator for Batches<D> {
    type Item = Result<D::Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Here(plan) => plan.advance(),
            Source::Ahead(worker) => match worker.receiver.recv() {
                Ok(batch) => {
                    worker.remaining -= 1;
                    Some(batch)
                }
                // The thread is over: because the epoch is, or because of a panic.
                Err(_) => self.stop().err().map(Err),
            },
            Source::Done => None,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error may come before the other batches have.
        let most = match &self.source {
            Source::Here(plan) => plan.remaining(),
            Source::Ahead(worker) => worker.remaining,
            Source::Done => 0,
        };
        (0, Some(most))
    }
}

impl<D: Dataset + ?Sized> std::iter::FusedIterator for Batches<D> {}

impl<D: Dataset + ?Sized> Drop for Batches<D> {
    fn drop(&mut self) {
        // A panic in batches that nobody asked for has nowhere to go.
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

    /// What fetching a bad sample does.
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

    fn in_order(bad: Option<Bad>, prefetch: usize) -> (Arc<Probe>, Batches<Probe>) {
        let fetches = AtomicUsize::new(0);
        let data = Arc::new(Probe { fetches, bad });
        let plan = Plan::new(Arc::clone(&data), (0..100).collect(), 1);
        (data, Batches::new(plan, prefetch))
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
            // The thread's handle on the data went with it.
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
