//! The scalar tape makes no heap allocation per operation, and after its first use none at all. The count is for the whole
//! process, so this file has one test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wengert_tape::Elementary;
use wengert_tape::scalar::{Tape, Var, affine, fuse};

struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed to the system's allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: the caller upholds the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn program<'t>(tape: &'t Tape, n: usize) -> (Var<'t>, Var<'t>) {
    let (x, y) = (tape.var(0.3), tape.var(0.7));
    let mut z = x;
    for _ in 0..n {
        z = (z * y).sin() + x / y;
        z = affine(x, &[z, y], &[y, z]).tanh();
        z = fuse([x, y, z], |[x, y, z]| (x * y + z.exp()).log());
    }
    (x, z.keep() * x)
}

#[test]
fn after_its_first_use_a_tape_allocates_nothing() {
    let mut tape = Tape::new();
    let mut run = |n: usize| {
        let before = CALLS.load(Relaxed);
        tape.reset();
        let (x, z) = program(&tape, n);
        let slope = tape.gradient(z).unwrap().wrt(x).unwrap();
        assert!(slope.is_finite());
        CALLS.load(Relaxed) - before
    };
    let first = run(10_000);
    assert!(first < 40, "{first} allocations for 60,000 operations: a few chunks");
    assert_eq!([run(10_000), run(5_000), run(10_000)], [0, 0, 0]);
}
