//! The tape's own memory count compared with the allocator's. Both count for the whole process, so this file has one test.

use wengert_ops::buffer;
use wengert_ops::{Tensor, random};
use wengert_tape::{Param, Tape, Var};

#[allow(dead_code, reason = "other tests use its random numbers")]
#[path = "../../data/tests/counting/mod.rs"]
mod counting;

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

/// Peak bytes of one step above those in use before, as counted by the buffers and by the allocator.
fn peak_of_a_step(w: &[Param<f32>], x: &Tensor<f32>, checkpoint: bool) -> (usize, usize) {
    // For the allocator, buffers in the cache are in use.
    buffer::clear_cache();
    buffer::reset_peak();
    let buffers = buffer::stats().live_bytes;
    let tape = Tape::train(1);
    let ((), seen) = counting::peak(|| drop(network(&tape, w, x, checkpoint).backward().unwrap()));
    (buffer::stats().peak_bytes - buffers, seen as usize)
}

#[test]
fn memory_is_what_the_tape_says_and_stays_flat() {
    // 16 layers of 256 on a batch of 512: half a megabyte per value.
    let w: Vec<_> = (0..16).map(|i| Param::new(normal([256, 256], i))).collect();
    let x = normal([512, 256], 99);
    peak_of_a_step(&w, &x, false); // starts threads and fills tables, which happens once
    let (said, seen) = peak_of_a_step(&w, &x, false);
    assert!(said > 16 * 4 * 512 * 256, "{said}");
    // Size classes round up by at most a quarter; the cache keeps buffers that no request fitted.
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
            live.push(counting::live());
        }
    }
    let (least, most) = (live.iter().min().unwrap(), live.iter().max().unwrap());
    assert!(most - least < 4096, "bytes in use after every thousandth step: {live:?}");

    // A profiler takes memory only while it runs. A few hundred bytes come and go with the thread pool.
    let mut step = || {
        let peak = counting::peak(|| drop(network(&tape, &w, &x, false).backward().unwrap())).1;
        tape.reset();
        peak
    };
    step();
    let (peak, live) = (step(), counting::live());
    for _ in 0..100 {
        let profiler = wengert_tape::profile::Profiler::start();
        assert!(step() > peak);
        drop(profiler);
    }
    assert_eq!(step(), peak);
    let left = counting::live().abs_diff(live);
    assert!(left < 4096, "{left} bytes are left of a hundred profiles");
}
