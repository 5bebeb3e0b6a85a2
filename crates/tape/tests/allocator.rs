//! What the tape says about memory, against what the allocator saw. Both count for the whole process, so this file has one
//! test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use wengert_ops::buffer;
use wengert_ops::{Tensor, random};
use wengert_tape::{Param, Tape, Var};

/// The system's allocator, counting bytes in use and their peak.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn normal(shape: [usize; 2], stream: u64) -> Tensor<f32> {
    random::normal(shape, 0.0, 0.1, random::Key { seed: 1, stream }).unwrap()
}

fn network<'t>(tape: &'t Tape<f32>, w: &[Param<f32>], x: &Tensor<f32>, checkpoint: bool) -> Var<'t, f32> {
    let layer = |h: Var<'t, f32>, w: &Param<f32>| h.linear(tape.param(w), None).tanh().dropout(0.1).square();
    let mut h = tape.constant(x);
    for pair in w.chunks(2) {
        let both = || layer(layer(h, &pair[0]), &pair[1]);
        h = if checkpoint { tape.checkpoint(both) } else { tape.scope(both) };
    }
    h.square().mean()
}

/// Peak bytes of one step over what was in use before, as the buffers count them and as the allocator does.
fn peak_of_a_step(w: &[Param<f32>], x: &Tensor<f32>, checkpoint: bool) -> (usize, usize) {
    // What waits in the cache is in use for the allocator.
    buffer::clear_cache();
    buffer::reset_peak();
    let (buffers, live) = (buffer::stats().live_bytes, LIVE.load(Relaxed));
    PEAK.store(live, Relaxed);
    let tape = Tape::train(1);
    drop(network(&tape, w, x, checkpoint).backward().unwrap());
    (buffer::stats().peak_bytes - buffers, PEAK.load(Relaxed) - live)
}

#[test]
fn memory_is_what_the_tape_says_and_stays_flat() {
    // 16 layers of 256 on a batch of 512: half a megabyte a value.
    let w: Vec<_> = (0..16).map(|i| Param::new(normal([256, 256], i))).collect();
    let x = normal([512, 256], 99);
    peak_of_a_step(&w, &x, false); // threads and tables that are made once
    let (said, seen) = peak_of_a_step(&w, &x, false);
    assert!(said > 16 * 4 * 512 * 256, "{said}");
    // Size classes round up by a quarter at most; the cache holds on to what fitted nobody.
    let ratio = seen as f64 / said as f64;
    assert!((0.95..1.5).contains(&ratio), "the buffers say {said} bytes, the allocator saw {seen}");

    let (said_checkpoint, seen_checkpoint) = peak_of_a_step(&w, &x, true);
    assert!(said_checkpoint * 10 < said * 6, "with checkpoints {said_checkpoint} bytes, without {said}");
    assert!(seen_checkpoint * 10 < seen * 7, "with checkpoints {seen_checkpoint} bytes, without {seen}");

    // Ten thousand steps of training on one tape.
    let mut w: Vec<_> = (0..4).map(|i| Param::new(normal([16, 16], i))).collect();
    let x = normal([8, 16], 98);
    let mut tape = Tape::train(7);
    let mut live = Vec::new();
    for step in 0..10_000 {
        let grads = network(&tape, &w, &x, step % 2 == 0).backward().unwrap();
        for p in &mut w {
            let g = grads.of(p).unwrap().scale(0.01);
            p.update(|v| v.data_mut().iter_mut().zip(g.to_vec()).for_each(|(v, g)| *v -= g));
        }
        drop(grads);
        tape.reset();
        if step % 1000 == 100 {
            live.push(LIVE.load(Relaxed));
        }
    }
    let (least, most) = (live.iter().min().unwrap(), live.iter().max().unwrap());
    assert!(most - least < 4096, "bytes in use after every thousandth step: {live:?}");
}
