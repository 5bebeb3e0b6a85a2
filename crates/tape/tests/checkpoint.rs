//! Checkpoints: the same bits with less memory.

use wengert_ops::{Tensor, random};
use wengert_tape::{ErrorKind, Param, Tape, Var};

fn normal(shape: [usize; 2], stream: u64) -> Tensor<f64> {
    random::normal(shape, 0.0, 0.3, random::Key { seed: 5, stream }).unwrap()
}

/// A block with random draws, fused kernels with saved results, several outputs, a parameter, and an inner constant.
fn block<'t>(x: Var<'t, f64>, w: &Param<f64>) -> Var<'t, f64> {
    let tape = x.tape();
    let h = x.matmul(tape.param(w)).tanh().dropout(0.3) * tape.constant(1.7);
    let parts = h.split(1, &[3, 5]);
    let joined = tape.concat(&[parts[1].softmax(1), parts[0].square()], 1);
    x + joined.logsumexp_keepdim(1) * h.masked_fill(h.lt(0.0), 0.1)
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Plain,
    Checkpoint,
    Nested,
    Scoped,
}

/// Value, gradients of x and w, bytes held after the forward pass.
fn run(how: How) -> (Tensor<f64>, Vec<Tensor<f64>>, usize) {
    let w = Param::new(normal([8, 8], 1));
    let tape = Tape::train(3);
    let x = tape.var(normal([4, 8], 0));
    let pair = |h| block(block(h, &w), &w);
    let mut h = x;
    for _ in 0..3 {
        h = match how {
            How::Plain => pair(h),
            How::Checkpoint => tape.checkpoint(|| pair(h)),
            How::Nested => tape.checkpoint(|| {
                let inner = tape.checkpoint(|| block(h, &w));
                // A rule of the outer region reads the inner one's result.
                tape.checkpoint(|| tape.checkpoint(|| block(inner, &w)))
            }),
            How::Scoped => tape.scope(|| tape.checkpoint(|| tape.scope(|| pair(h)))),
        };
    }
    let y = h.square().mean();
    let bytes = tape.bytes();
    let value = h.value().unwrap();
    let grads = y.backward().unwrap();
    (value, vec![grads.wrt(x).unwrap(), grads.of(&w).unwrap().clone()], bytes)
}

#[test]
fn values_gradients_and_random_draws_have_the_same_bits() {
    let (value, gradients, bytes) = run(How::Plain);
    for how in [How::Checkpoint, How::Nested, How::Scoped] {
        let (v, g, b) = run(how);
        assert_eq!((v, g), (value.clone(), gradients.clone()));
        assert!(b < bytes / 3, "{b} of {bytes} bytes");
    }
}

#[test]
fn recorded_gradients_bring_the_values_back() {
    let second = |checkpoint: bool| {
        let tape = Tape::<f64>::new();
        let x = tape.var(normal([4, 8], 0));
        let inner = || (x.sin() * x).softmax(1).square();
        let y = if checkpoint { tape.checkpoint(inner) } else { inner() };
        let g = y.sum().grad(x).unwrap();
        let h = g.square().sum().backward().unwrap();
        (g.shape(), h.wrt(x).unwrap())
    };
    assert_eq!(second(true), second(false));
}

#[test]
fn a_dropped_value_says_who_dropped_it_and_kept_ones_stay() {
    let tape = Tape::<f64>::new();
    let x = tape.var(2.0);
    let (mut inner, mut kept) = (x, x);
    let line = line!() + 1;
    let y = tape.checkpoint(|| {
        inner = x.unsqueeze(0) * x;
        kept = inner.exp().keep();
        kept.sin()
    });
    let e = inner.value().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Freed);
    assert!(e.to_string().contains(&format!("checkpoint.rs:{line}")), "{e}");
    assert!(kept.value().is_ok());
    assert_eq!(inner.shape(), [1]);
    // Sweeps twice, with values retained, and from another root that does not touch the region.
    let other = x.square();
    assert_eq!(other.backward_retaining().unwrap().wrt(x).unwrap().item().unwrap(), 4.0);
    let (a, b) = (y.sum().backward_retaining().unwrap(), y.sum().backward().unwrap());
    let slope = 4f64.exp().cos() * 4f64.exp() * 4.0;
    assert!((a.wrt(x).unwrap().item().unwrap() - slope).abs() < 1e-9 * slope.abs());
    assert_eq!(a.wrt(x).unwrap(), b.wrt(x).unwrap());
    assert!(a.wrt(kept).is_ok());
}

#[test]
fn an_evaluating_tape_and_a_reset_have_nothing_to_compute_again() {
    let mut tape = Tape::<f64>::eval();
    let x = tape.var(2.0);
    assert_eq!(tape.checkpoint(|| x.exp().log()).item().unwrap(), 2.0);
    tape.reset();
    let mut tape = Tape::<f64>::new();
    let x = tape.var(2.0);
    let _ = tape.checkpoint(|| x.exp().log());
    tape.reset();
    let x = tape.var(3.0);
    assert_eq!(x.square().backward().unwrap().wrt(x).unwrap().item().unwrap(), 6.0);
}

#[test]
fn a_failure_inside_is_the_results_failure() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::ones([2, 3]));
    let y = tape.checkpoint(|| x.matmul(x).tanh());
    assert_eq!(y.sum().backward().unwrap_err().op(), "matmul");
}
