//! The one place that uses rayon: it owns the grain sizes.
//!
//! Work is split by its size only, never by the number of threads, and every piece computes what it would compute
//! alone. That is why results are the same bits on any number of threads. Work below a grain stays on the caller's
//! thread, since waking another one costs some microseconds.

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Elements of cheap work (an addition) that are worth a task of their own.
const GRAIN: usize = 32 * 1024;

static SECTIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What this thread goes by; smaller in tests.
    static CURRENT_GRAIN: Cell<usize> = const { Cell::new(GRAIN) };
}

/// The grain on this thread. A kernel asks once and hands pieces of that size on.
pub(crate) fn grain() -> usize {
    CURRENT_GRAIN.get()
}

/// Runs `f` on a pool of so many threads, cutting its work into pieces of a few elements. Work that is far too small for
/// the pool then runs on it, which is how tests see that a result does not depend on the threads.
///
/// ```
/// use wengert_ops::{Tensor, parallel};
/// let x = Tensor::<f64>::arange(0.1, 0.7, 100).reshape([10, 10])?;
/// let softmax = |threads| parallel::in_small_pieces(threads, || x.softmax(0).map(|y| y.to_vec()));
/// assert_eq!(softmax(1)?, softmax(3)?);
/// # Ok::<(), wengert_ops::Error>(())
/// ```
pub fn in_small_pieces<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    struct Restore(usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT_GRAIN.set(self.0);
        }
    }
    let small = || {
        let _restore = Restore(CURRENT_GRAIN.replace(4));
        f()
    };
    static POOLS: Mutex<Vec<(usize, Arc<ThreadPool>)>> = Mutex::new(Vec::new());
    let pool = {
        let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        match pools.iter().find(|(n, _)| *n == threads) {
            Some((_, pool)) => Some(Arc::clone(pool)),
            None => match ThreadPoolBuilder::new().num_threads(threads).build() {
                Ok(pool) => {
                    pools.push((threads, Arc::new(pool)));
                    pools.last().map(|(_, pool)| Arc::clone(pool))
                }
                // A system without threads has one way to run.
                Err(_) => None,
            },
        }
    };
    match pool {
        Some(pool) => pool.install(small),
        None => small(),
    }
}

/// How many pieces of work have been handed to the thread pool since the process began.
///
/// A test of thread-independence is worth nothing if its work was too small to be split: this counter shows it.
pub fn sections() -> u64 {
    SECTIONS.load(Ordering::Relaxed)
}

fn count_section() {
    SECTIONS.fetch_add(1, Ordering::Relaxed);
}

/// The number of threads that work may be spread over, by default one per core.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Whether work of `cost` (in cheap element operations) is worth spreading over the pool.
pub(crate) fn worth(cost: usize) -> bool {
    cost >= 2 * grain() && threads() > 1
}

/// How many rows of `n` elements make a task, an element costing `cost` additions.
pub(crate) fn rows(n: usize, cost: usize) -> usize {
    (grain() / (n * cost).max(1)).max(1)
}

/// Calls `f(start, piece)` for consecutive pieces of `out` of `piece` elements; `cost` is one element's cost relative
/// to an addition.
pub(crate) fn chunks_mut<T: Send>(
    out: &mut [T],
    piece: usize,
    cost: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    chunks_mut_dyn(out, piece, cost, &f);
}

/// Behind a `dyn`, so that rayon's machinery is compiled once for each element type.
fn chunks_mut_dyn<T: Send>(out: &mut [T], piece: usize, cost: usize, f: &(dyn Fn(usize, &mut [T]) + Sync)) {
    let piece = piece.max(1);
    if out.len() > piece && worth(out.len().saturating_mul(cost)) {
        count_section();
        out.par_chunks_mut(piece).enumerate().for_each(|(i, c)| f(i * piece, c));
    } else {
        for (i, c) in out.chunks_mut(piece).enumerate() {
            f(i * piece, c);
        }
    }
}

/// Calls `f(i)` for every `i` below `n`; `cost` is one call's cost in element additions, 0 for never in parallel.
pub(crate) fn for_each(n: usize, cost: usize, f: &(dyn Fn(usize) + Sync)) {
    if n > 1 && worth(n.saturating_mul(cost)) {
        count_section();
        (0..n).into_par_iter().for_each(f);
    } else {
        (0..n).for_each(f);
    }
}

/// Calls `f` with every piece, spread over the pool.
pub(crate) fn each<P: Send>(pieces: Vec<P>, f: impl Fn(P) + Sync + Send) {
    count_section();
    pieces.into_par_iter().for_each(f);
}

/// `f(i)` for every `i` below `n`, in order, computed on all threads: for work that is large and independent, such as whole
/// tapes.
pub fn collect<R: Send>(n: usize, f: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    if n > 1 {
        count_section();
    }
    (0..n).into_par_iter().map(f).collect()
}

/// Calls `f` with every piece, spread over the pool where work of this `cost` (in element additions) is worth it.
pub(crate) fn each_if_worth<P: Send>(pieces: Vec<P>, cost: usize, f: impl Fn(P) + Sync + Send) {
    if pieces.len() > 1 && worth(cost) {
        each(pieces, f);
    } else {
        pieces.into_iter().for_each(f);
    }
}

/// As [`chunks_mut`] over two outputs of one length at once.
pub(crate) fn chunks2_mut<T: Send>(
    a: &mut [T],
    b: &mut [T],
    piece: usize,
    cost: usize,
    f: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) {
    let piece = piece.max(1);
    if a.len() > piece && worth(a.len().saturating_mul(cost)) {
        count_section();
        let pieces = a.par_chunks_mut(piece).zip(b.par_chunks_mut(piece)).enumerate();
        pieces.for_each(|(i, (a, b))| f(i * piece, a, b));
    } else {
        for (i, (a, b)) in a.chunks_mut(piece).zip(b.chunks_mut(piece)).enumerate() {
            f(i * piece, a, b);
        }
    }
}
