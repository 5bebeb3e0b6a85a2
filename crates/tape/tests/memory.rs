//! Memory: a tape releases what it held, scopes hold less, and a training loop stops allocating buffers from the system.
//! The counters are of the whole process, so this file has one test.

use wengert_ops::buffer::{reset_peak, stats};
use wengert_ops::{Tensor, random};
use wengert_tape::{Param, Tape, Var};

fn normal(shape: [usize; 2], stream: u64) -> Tensor<f32> {
    random::normal(shape, 0.0, 0.1, random::Key { seed: 1, stream }).unwrap()
}

/// Operations of every kind, on buffers large enough to be counted.
fn network<'t>(tape: &'t Tape<f32>, w: &[Param<f32>], x: &Tensor<f32>) -> Var<'t, f32> {
    let mut h = tape.constant(x);
    for w in w {
        h = tape.scope(|| h.linear(tape.param(w), None).tanh().dropout(0.1) + h.square().relu() * 0.5);
    }
    let h = h.softmax(1) * h.t().matmul(h).sum_axes(0);
    h.cross_entropy(&Tensor::from_vec(vec![3i64; 128], [128]).unwrap()).mean() + h.norm()
}

#[test]
fn memory_is_given_back() {
    let start = stats().live_bytes;
    // Tapes that are only recorded, swept, differentiated twice, or failed.
    {
        let w: Vec<_> = (0..3).map(|i| Param::new(normal([256, 256], i))).collect();
        let x = normal([128, 256], 9);
        let held = stats().live_bytes;
        assert!(held >= start + 4 * (3 * 256 * 256 + 128 * 256), "the counter counts");
        for round in 0..4 {
            let mut tape = Tape::train(round);
            let loss = network(&tape, &w, &x);
            assert!(stats().live_bytes > held + tape.bytes() / 2);
            match round {
                0 => {}
                1 => drop(loss.backward().unwrap()),
                2 => {
                    let v = tape.var(&x);
                    let g = v.square().sum().grad(v).unwrap();
                    drop(g.square().sum().backward().unwrap());
                }
                _ => assert!(loss.reshape([17]).is_failed()),
            }
            tape.reset();
            assert_eq!(stats().live_bytes, held, "round {round}: a reset tape holds nothing");
            let _ = network(&tape, &w, &x);
            drop(tape);
            assert_eq!(stats().live_bytes, held, "round {round}: neither does a dropped one");
        }
    }
    assert_eq!(stats().live_bytes, start);

    // After a sweep, leaves and parameters remain, but no intermediate values.
    {
        let tape = Tape::<f32>::new();
        let x = tape.var(normal([256, 256], 1));
        let y = (0..20).fold(x, |y, _| (y * 1.01).tanh()).sum();
        let full = tape.bytes();
        assert!(full >= 20 * 4 * 256 * 256, "{full}");
        drop(y.backward().unwrap());
        let left = tape.bytes();
        assert!((4 * 256 * 256..5 * 256 * 256).contains(&left), "{left}");
    }
    assert_eq!(stats().live_bytes, start);

    // A scope frees values that no rule reads; the results are the same.
    let run = |tape: Tape<f32>, scoped: bool| {
        let x = tape.var(normal([256, 256], 1));
        let mut h = x;
        for _ in 0..5 {
            let inner = || ((h + 1.0) * 0.5 - 0.25).sigmoid();
            h = if scoped { tape.scope(inner) } else { inner() };
        }
        let bytes = tape.bytes();
        let g = h.sum().backward().unwrap().wrt(x).unwrap();
        (bytes, g)
    };
    let ((without, a), (with, b)) = (run(Tape::new().eager(), false), run(Tape::new().eager(), true));
    assert_eq!(a, b);
    let one = 4 * 256 * 256;
    assert_eq!((without / one, with / one), (21, 6), "of four values per layer, only the sigmoid's is read");
    // What is computed later takes no memory, in a scope or not.
    for scoped in [false, true] {
        let (bytes, c) = run(Tape::new(), scoped);
        assert_eq!((bytes / one, &c), (1, &a));
    }
    drop((a, b));
    assert_eq!(stats().live_bytes, start);

    // An evaluating tape with scopes holds only its result.
    {
        let tape = Tape::<f32>::eval();
        let x = tape.constant(normal([256, 256], 1));
        let y = tape.scope(|| (x * 2.0).tanh().matmul(x).softmax(1).sum());
        assert!(y.item().is_ok() && tape.bytes() < one + 64, "{}", tape.bytes());
    }
    assert_eq!(stats().live_bytes, start);

    // A training loop: from the third step on, no buffer comes from the system.
    {
        let mut w: Vec<_> = (0..3).map(|i| Param::new(normal([256, 256], i))).collect();
        let x = normal([128, 256], 9);
        let mut tape = Tape::train(7);
        let (mut fresh, mut recycled, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..12 {
            {
                let grads = network(&tape, &w, &x).backward().unwrap();
                for p in &mut w {
                    let g = grads.of(p).unwrap().scale(0.01);
                    p.update(|v| v.data_mut().iter_mut().zip(g.to_vec()).for_each(|(v, g)| *v -= g));
                }
            }
            tape.reset();
            let now = stats();
            fresh.push(now.fresh);
            recycled.push(now.recycled);
            addresses.push(w.iter().map(|p| p.value().buffer_address()).collect::<Vec<_>>());
        }
        assert!(fresh[3..].iter().all(|&n| n == fresh[3]), "fresh buffers after step 3: {fresh:?}");
        assert!(recycled[11] > recycled[3] + 8 * 20, "the loop does use buffers: {recycled:?}");
        assert!(addresses.iter().all(|a| *a == addresses[0]), "parameters are updated in place");
    }
    assert_eq!(stats().live_bytes, start);

    // Intermediate results of elementwise operations are not written to memory, forward or backward.
    {
        const N: usize = 1 << 21;
        let peak = |tape: Tape<f32>| {
            let x = tape.var(Tensor::steps(-1.0, 1e-6, N));
            reset_peak();
            let before = stats().live_bytes;
            let loss = ((x.tanh() * x.sigmoid() + 0.5) * x.exp()).mean();
            let grads = loss.backward().unwrap();
            assert!(grads.wrt(x).is_ok());
            (stats().peak_bytes - before) as f64 / (4 * N) as f64
        };
        let fused = peak(Tape::new());
        assert!(fused < 1.1, "{fused}");
        assert!(peak(Tape::new().eager()) > 5.0);
    }
    assert_eq!(stats().live_bytes, start);
}
