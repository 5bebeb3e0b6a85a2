//! The only module that uses rayon. It sets the grain sizes.
//!
//! Work is split by its size alone, never by the number of threads, and every piece computes what it would compute
//! alone. Therefore results have the same bits on any number of threads. Work below a grain stays on the caller's
//! thread, since waking another thread takes some microseconds.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};

/// The number of elements of cheap work (an addition) that are worth a task.
const GRAIN: usize = 32 * 1024;

/// How often a thread looks whether the others are finished before it sleeps: some 20 microseconds.
const SPINS: usize = 4000;

static SECTIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The grain on this thread; smaller in tests.
    static CURRENT_GRAIN: Cell<usize> = const { Cell::new(GRAIN) };
}

/// The grain on this thread. A kernel reads it once and passes on pieces of that size.
pub(crate) fn grain() -> usize {
    CURRENT_GRAIN.get()
}

/// Runs `f` on a pool of `threads` threads, with its work cut into pieces of a few elements. Even work that is far too
/// small for the pool then runs on it, so that tests can show that a result does not depend on the number of threads.
///
/// ```
/// use wengert_ops::{Tensor, parallel};
/// let x = Tensor::<f64>::steps(0.1, 0.7, 100).reshape([10, 10])?;
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
                // Without threads, the work runs on this one.
                Err(_) => None,
            },
        }
    };
    match pool {
        Some(pool) => pool.install(small),
        None => small(),
    }
}

/// The number of times that work has been spread over the thread pool since the process began.
///
/// A test that results do not depend on threads shows nothing if its work is too small to be split. This counter
/// detects that.
pub fn sections() -> u64 {
    SECTIONS.load(Ordering::Relaxed)
}

fn count_section() {
    SECTIONS.fetch_add(1, Ordering::Relaxed);
}

/// The number of threads that work may be spread over; by default one per core.
#[doc(alias = "get_num_threads")]
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Whether work of `cost` (in cheap element operations) is worth spreading over the pool.
pub(crate) fn worth(cost: usize) -> bool {
    cost >= 2 * grain() && threads() > 1
}

/// The number of rows of `n` elements in a task, where an element costs `cost` additions.
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

/// Takes `f` as a `dyn`, so that this is compiled once for each element type.
fn chunks_mut_dyn<T: Send>(out: &mut [T], piece: usize, cost: usize, f: &(dyn Fn(usize, &mut [T]) + Sync)) {
    let piece = piece.max(1);
    let all = Pieces::new(out, piece);
    if out.len() > piece && worth(out.len().saturating_mul(cost)) {
        // SAFETY: `over_pool` calls with each index once.
        over_pool(all.count(), &|i| f(i * piece, unsafe { all.piece(i) }));
    } else {
        for (i, c) in out.chunks_mut(piece).enumerate() {
            f(i * piece, c);
        }
    }
}

/// A slice in numbered pieces.
pub(crate) struct Pieces<T> {
    start: *mut T,
    len: usize,
    piece: usize,
}

// SAFETY: pieces do not overlap, and each is taken once, so that no two threads access the same element.
unsafe impl<T: Send> Sync for Pieces<T> {}

impl<T> Pieces<T> {
    pub(crate) fn new(of: &mut [T], piece: usize) -> Self {
        Pieces { start: of.as_mut_ptr(), len: of.len(), piece }
    }

    fn count(&self) -> usize {
        self.len.div_ceil(self.piece)
    }

    /// `n` whole pieces, from piece `i` on.
    ///
    /// # Safety
    /// As for [`Pieces::piece`], of which none of these may be in use.
    #[inline]
    pub(crate) unsafe fn run(&self, i: usize, n: usize) -> &[T] {
        assert!((i + n) * self.piece <= self.len);
        // SAFETY: inside the slice, and not written to, as the caller guarantees.
        unsafe { std::slice::from_raw_parts(self.start.add(i * self.piece), n * self.piece) }
    }

    /// Piece `i`.
    ///
    /// # Safety
    /// The slice must be borrowed, and no piece may be taken twice.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "each piece is handed out once")]
    pub(crate) unsafe fn piece(&self, i: usize) -> &mut [T] {
        let first = (i * self.piece).min(self.len);
        let len = self.piece.min(self.len - first);
        // SAFETY: inside the slice, and disjoint from every other piece.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }
}

/// Work in numbered pieces, which the thread that has it and helpers from the pool take one after another.
struct Section {
    piece: *const (dyn Fn(usize) + Sync),
    count: usize,
    next: AtomicUsize,
    /// The number of pieces that are not finished.
    left: AtomicUsize,
    owner: Thread,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `piece` is called only for a piece that was taken, and the owner, who borrows the function, waits for all of them.
unsafe impl Send for Section {}
// SAFETY: as above; the function is Sync.
unsafe impl Sync for Section {}

impl Section {
    /// Takes pieces until there is none.
    fn run(&self) {
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            if i >= self.count {
                return;
            }
            // SAFETY: piece i is not finished, so the owner still waits.
            let result = panic::catch_unwind(AssertUnwindSafe(|| unsafe { (*self.piece)(i) }));
            if let Err(payload) = result {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
            }
            if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.owner.unpark();
            }
        }
    }

    /// Waits until every piece is finished: awake for some microseconds, since pieces are about equally long.
    fn wait(&self) {
        for _ in 0..SPINS {
            if self.left.load(Ordering::Acquire) == 0 {
                return;
            }
            std::hint::spin_loop();
        }
        while self.left.load(Ordering::Acquire) > 0 {
            thread::park();
        }
    }
}

/// Calls `f(i)` once for every `i` below `n`, on this thread and those of the pool. All parallel work goes through this
/// function.
///
/// This thread takes part, and does not wait for a helper that has not begun: one that is asleep when the work is short costs
/// nothing but its waking.
#[inline(never)]
fn over_pool(n: usize, f: &(dyn Fn(usize) + Sync)) {
    count_section();
    let piece: *const (dyn Fn(usize) + Sync) = f;
    let section = Arc::new(Section {
        // SAFETY: only the lifetime changes; see `Section`.
        piece: unsafe {
            std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(piece)
        },
        count: n,
        next: AtomicUsize::new(0),
        left: AtomicUsize::new(n),
        owner: thread::current(),
        panic: Mutex::new(None),
    });
    for _ in 1..threads().min(n) {
        let section = Arc::clone(&section);
        rayon::spawn(move || section.run());
    }
    section.run();
    section.wait();
    if let Some(payload) = section.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
        panic::resume_unwind(payload);
    }
}

/// Calls `f(i)` for every `i` below `n`; `cost` is the cost of one call in element additions. With cost 0 it never runs
/// in parallel.
pub(crate) fn for_each(n: usize, cost: usize, f: &(dyn Fn(usize) + Sync)) {
    if n > 1 && worth(n.saturating_mul(cost)) {
        over_pool(n, f);
    } else {
        (0..n).for_each(f);
    }
}

/// Calls `f` with every piece, on the pool.
pub(crate) fn each<P: Send>(pieces: Vec<P>, f: impl Fn(P) + Sync + Send) {
    each_dyn(pieces, &f);
}

/// Takes `f` as a `dyn`, so that this is compiled once for each type of pieces.
fn each_dyn<P: Send>(pieces: Vec<P>, f: &(dyn Fn(P) + Sync)) {
    let pieces: Vec<Mutex<Option<P>>> = pieces.into_iter().map(|p| Mutex::new(Some(p))).collect();
    over_pool(pieces.len(), &|i| {
        let piece = pieces[i].lock().unwrap_or_else(PoisonError::into_inner).take();
        piece.into_iter().for_each(f);
    });
}

/// `f(i)` for every `i` below `n`, in order, computed on all threads. For work that is large and independent, such as
/// whole tapes.
pub fn collect<R: Send>(n: usize, f: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
    if n <= 1 {
        return (0..n).map(f).collect();
    }
    let results: Vec<Mutex<Option<R>>> = (0..n).map(|_| Mutex::new(None)).collect();
    over_pool(n, &|i| *results[i].lock().unwrap_or_else(PoisonError::into_inner) = Some(f(i)));
    let result = |r: Mutex<Option<R>>| r.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().filter_map(result).collect()
}

/// Calls `f` with every piece, on the pool if work of this `cost` (in element additions) is worth it.
pub(crate) fn each_if_worth<P: Send>(pieces: Vec<P>, cost: usize, f: impl Fn(P) + Sync + Send) {
    if pieces.len() > 1 && worth(cost) {
        each_dyn(pieces, &f);
    } else {
        pieces.into_iter().for_each(f);
    }
}

/// Like [`chunks_mut`], over two outputs of equal length at once.
pub(crate) fn chunks2_mut<T: Send>(
    a: &mut [T],
    b: &mut [T],
    piece: usize,
    cost: usize,
    f: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) {
    let piece = piece.max(1);
    if a.len() > piece && worth(a.len().saturating_mul(cost)) {
        let (left, right) = (Pieces::new(a, piece), Pieces::new(b, piece));
        // SAFETY: `over_pool` calls with each index once.
        over_pool(left.count(), &|i| unsafe { f(i * piece, left.piece(i), right.piece(i)) });
    } else {
        for (i, (a, b)) in a.chunks_mut(piece).zip(b.chunks_mut(piece)).enumerate() {
            f(i * piece, a, b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_runs_once_also_in_pieces_of_pieces() {
        let counts: Vec<AtomicUsize> = (0..35 * 7).map(|_| AtomicUsize::new(0)).collect();
        for threads in [1, 2, 3, 8] {
            in_small_pieces(threads, || {
                over_pool(35, &|i| {
                    over_pool(7, &|j| {
                        counts[i * 7 + j].fetch_add(1, Ordering::Relaxed);
                    });
                });
            });
        }
        assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 4));
    }

    #[test]
    fn a_panic_reaches_the_caller_when_all_pieces_are_finished() {
        let finished = AtomicUsize::new(0);
        let panics = || {
            over_pool(50, &|i| {
                assert!(i != 20, "piece {i}");
                finished.fetch_add(1, Ordering::Relaxed);
            });
        };
        let payload = panic::catch_unwind(AssertUnwindSafe(|| in_small_pieces(3, panics))).unwrap_err();
        assert_eq!(payload.downcast_ref::<String>().unwrap(), "piece 20");
        assert_eq!(finished.load(Ordering::Relaxed), 49);
    }
}
