//! Passes over several elementwise operations: the same bits, errors and freed values as without them.

use std::panic::Location;
use wengert_ops::random::{Key, Purpose, Rng, normal};
use wengert_ops::{Tensor, parallel};
use wengert_tape::{Elementary, ErrorKind, Float, Pointwise, Real, Result, Tape, Var};

/// A source of decisions.
struct Dice(Rng, Vec<u64>);

impl Dice {
    fn new(seed: u64) -> Self {
        Dice(Rng::at(Key::of(seed, Purpose::Layers, 7)), Vec::new())
    }

    fn below(&mut self, n: usize) -> usize {
        if self.1.is_empty() {
            let t: Tensor<f64> = wengert_ops::random::uniform([64], 0.0, 1.0, self.0.next_key()).unwrap();
            self.1 = t.to_vec().iter().map(|v| (v * 1e9) as u64).collect();
        }
        (self.1.pop().unwrap_or(0) % n as u64) as usize
    }
}

const SHAPES: [[usize; 2]; 4] = [[131, 127], [1, 127], [131, 1], [1, 1]];

/// A value of the whole shape, or one that broadcasts to it.
fn wide<'t>(all: &[Var<'t, f64>], dice: &mut Dice) -> Var<'t, f64> {
    all[dice.below(all.len())]
}

/// A random program of elementwise operations, reductions, products, scopes and checkpoints.
fn program<'t>(x: &[Var<'t, f64>], dice: &mut Dice, steps: usize) -> Var<'t, f64> {
    let tape = x[0].tape();
    let mut all = x.to_vec();
    let mut losses = Vec::new();
    for _ in 0..steps {
        let (a, b) = (wide(&all, dice), wide(&all, dice));
        let y = match dice.below(22) {
            0 => a + b,
            1 => a - b,
            2 => a * b,
            3 => a / (b * b + 1.0),
            4 => a.tanh(),
            5 => a.sigmoid() * b,
            6 => a.gelu(),
            7 => 2.0 - a * 0.5,
            8 => a.map(|s| s * s.sin()),
            9 => a.zip_map(b, |p, q| p * q.tanh() - q),
            10 => a.where_cond(b.gt(0.1), b * 0.5),
            11 => a.dropout(0.3),
            12 => a.maximum(b),
            13 => a - a.mean_keepdim(-1),
            14 => a + b.sum_keepdim(0) * 0.01,
            15 => tape.scope(|| (a.sin() + b).relu() * 0.5),
            16 => tape.checkpoint(|| (a * b).tanh() + a),
            17 => (a.softplus() - b).keep(),
            18 => {
                let wide = a + Tensor::<f64>::zeros(SHAPES[0]);
                wide.matmul(wide.t()).matmul(wide) * 1e-3
            }
            19 => {
                losses.push((a * b).square().mean());
                b.clamp(-1.0, 1.0)
            }
            20 => (a + 0.0).reshape([1, a.numel()]).reshape(a.shape()),
            _ => a.detach() * b,
        };
        // Numbers stay in a range where a difference would be seen.
        let y = y.tanh();
        if dice.below(4) == 0 {
            let _ = all.swap_remove(dice.below(all.len()));
        }
        all.push(y);
    }
    let mut loss = all.iter().map(|y| y.square().mean()).reduce(|a, b| a + b).unwrap();
    for l in losses {
        loss += l;
    }
    loss
}

fn leaves(seed: u64) -> Vec<Tensor<f64>> {
    SHAPES.iter().zip(0..).map(|(s, i)| normal(*s, 0.0, 1.0, Key { seed, stream: i }).unwrap()).collect()
}

/// The tensors must have the same bits.
fn same(a: &[Tensor<f64>], b: &[Tensor<f64>], what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!(a.shape(), b.shape(), "{what}, result {i}");
        let differ: Vec<(usize, f64, f64)> = (a.to_vec().into_iter().zip(b.to_vec()).enumerate())
            .filter(|(_, (a, b))| a.to_bits() != b.to_bits())
            .map(|(at, (a, b))| (at, a, b))
            .collect();
        assert!(differ.is_empty(), "{what}, result {i}: {} differ, first {:?}", differ.len(), differ[0]);
    }
}

/// The loss, its gradients, and gradients of their squares, of a random program.
fn outcome(tape: &Tape<f64>, seed: u64, order: usize) -> Result<Vec<Tensor<f64>>> {
    let x: Vec<_> = leaves(seed).iter().map(|t| tape.var(t)).collect();
    let mut dice = Dice::new(seed);
    let loss = program(&x, &mut dice, 12);
    let mut all = vec![loss.value()?];
    if order == 1 {
        let grads = if seed.is_multiple_of(2) { loss.backward()? } else { loss.backward_retaining()? };
        for x in &x {
            all.push(grads.wrt(*x).or_else(|e| {
                if e.kind() == ErrorKind::Unreached { Ok(Tensor::zeros([1])) } else { Err(e) }
            })?);
        }
    } else {
        let first = tape.grad(&[(loss, loss.ones_like())], &x)?;
        let norm = first.iter().map(|g| g.square().sum()).reduce(|a, b| a + b).unwrap();
        let grads = norm.backward()?;
        all.push(norm.value()?);
        for x in &x {
            all.push(grads.wrt(*x).or_else(|e| {
                if e.kind() == ErrorKind::Unreached { Ok(Tensor::zeros([1])) } else { Err(e) }
            })?);
        }
    }
    Ok(all)
}

#[test]
fn random_programs_have_the_same_bits_with_and_without_passes() {
    for seed in 0..150 {
        for order in [1, 2] {
            let fused = outcome(&Tape::train(seed), seed, order).unwrap();
            let eager = outcome(&Tape::train(seed).eager(), seed, order).unwrap();
            same(&fused, &eager, &format!("seed {seed}, order {order}"));
        }
    }
}

#[test]
fn threads_have_no_influence() {
    for seed in 200..206 {
        let one = parallel::in_small_pieces(1, || outcome(&Tape::train(seed), seed, 1).unwrap());
        let three = parallel::in_small_pieces(3, || outcome(&Tape::train(seed), seed, 1).unwrap());
        let eager = outcome(&Tape::train(seed).eager(), seed, 1).unwrap();
        same(&one, &eager, &format!("seed {seed}, one thread"));
        same(&three, &eager, &format!("seed {seed}, three threads"));
    }
}

#[test]
fn values_can_be_read_at_any_time() {
    let x = normal::<f64>([160, 120], 0.0, 1.0, Key { seed: 3, stream: 0 }).unwrap();
    let run = |tape: Tape<f64>| -> Result<Vec<Tensor<f64>>> {
        let x = tape.var(&x);
        let a = x.tanh();
        let b = a * 2.0 + x;
        let kept = (b - 0.5).keep();
        let first = b.value()?;
        let loss = (kept * kept).mean();
        let later = kept.sigmoid();
        let grads = loss.backward()?;
        // Recorded after the loss, so not freed by its sweep.
        Ok(vec![first, later.value()?, kept.value()?, grads.wrt(x)?, grads.wrt(kept)?])
    };
    same(&run(Tape::new()).unwrap(), &run(Tape::new().eager()).unwrap(), "values");
}

#[test]
fn what_a_sweep_or_a_scope_frees_is_freed() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::ones([200, 100]));
    let hidden = x.exp();
    let loss = (hidden * 2.0).sum();
    loss.backward().unwrap();
    let e = hidden.value().unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Freed);
    assert!(e.to_string().contains("freed by backward()"), "{e}");
    let mut inner = x;
    let y = tape.scope(|| {
        inner = x + 1.0;
        inner * 2.0
    });
    assert!(inner.value().unwrap_err().to_string().contains("end of the scope"));
    assert_eq!(y.value().unwrap().get(&[3, 3]).unwrap(), 4.0);
}

#[test]
fn a_wrong_shape_is_an_error_where_it_happens() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::ones([200, 100]));
    let y = x.tanh() * 2.0;
    let line = Location::caller().line() + 1;
    let bad = y + Tensor::<f64>::ones([99]);
    assert!(bad.is_failed());
    let e = tape.error().unwrap();
    assert_eq!((e.op(), e.location().map(|l| l.line())), ("add", Some(line)));
    assert!(e.to_string().contains("[200, 100]") && e.to_string().contains("[99]"), "{e}");
}

#[derive(Clone)]
struct Fussy;

impl Pointwise for Fussy {
    const NAME: &'static str = "fussy";
    fn f<F: Float>(&self, x: F) -> F {
        assert!(x < F::from_f64(2.0), "too large");
        x
    }
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(1.0)
    }
}

#[test]
fn a_function_that_panics_fails_with_its_line_when_it_is_computed() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::full([200, 100], 3.0));
    let before = x * 1.0;
    let bad = before.pointwise(Fussy);
    let line = Location::caller().line() - 1;
    let after = bad.tanh() + before;
    let e = after.sum().backward().unwrap_err();
    assert_eq!((e.kind(), e.op()), (ErrorKind::Rule, "fussy"));
    assert!(e.to_string().contains("too large") && e.location().is_some_and(|l| l.line() == line), "{e}");
    assert!(bad.is_failed() && after.is_failed() && before.value().is_ok());
    assert_eq!(tape.error().unwrap().op(), "fussy");
}

#[test]
fn what_is_computed_from_a_value_that_failed_later_fails_too() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::full([200, 100], 3.0));
    let bad = (x * 1.0).pointwise(Fussy);
    // Recorded while nobody knows.
    let (other, loss) = (bad.tanh() * 2.0, (bad * x).exp());
    assert!(bad.value().is_err());
    assert_eq!(other.value().unwrap_err().op(), "fussy");
    assert_eq!(loss.mean().backward().unwrap_err().op(), "fussy");
}

#[test]
fn nothing_is_computed_again_and_again() {
    // Each product reads all of the chain before it.
    let tape = Tape::<f64>::new().explain_fusion();
    let mut x = tape.var(Tensor::ones([140, 140]));
    for _ in 0..40 {
        x = (x * 0.5).sin() + x.mean();
        let _ = x.matmul(Tensor::<f64>::ones([140, 1])).value();
    }
    let operations: usize = tape.fused_passes().iter().map(|p| p.operations.len()).sum();
    assert!(operations <= 2 * 40 * 3, "{operations}");
}
