//! The assertions about models and training loops fail where they must, and say what is wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_nn::gradcheck::{TrainingCheck, assert_gradients, assert_no_unused_parameters};
use wengert_nn::optim::{Adam, Optimizer, Sgd};
use wengert_nn::{BatchNorm, Layer, Linear, Module, loss};
use wengert_ops::{Tensor, parallel, random::Rng};
use wengert_tape::{Float, Tape, Var};

/// The message with which an assertion fails; empty if it holds.
fn message(assertion: impl FnOnce()) -> String {
    match catch_unwind(AssertUnwindSafe(assertion)) {
        Ok(()) => String::new(),
        Err(panic) => *panic.downcast::<String>().unwrap(),
    }
}

#[derive(Module)]
#[module(crate = "wengert_nn")]
struct Net<T: Float> {
    first: Linear<T>,
    norm: BatchNorm<T>,
    unused: Linear<T>,
}

fn net<T: Float>() -> Net<T> {
    let mut rng = Rng::seed(0);
    Net { first: Linear::new(3, 2, &mut rng), norm: BatchNorm::new(2), unused: Linear::new(2, 2, &mut rng) }
}

fn loss_of<'t, T: Float>(net: &Net<T>, tape: &'t Tape<T>, factor: f64) -> Var<'t, T> {
    let x = tape.constant(Tensor::randn([4, 3], &mut Rng::seed(1)).unwrap());
    loss::mse(net.norm.forward(net.first.forward(x)) * factor, Tensor::ones([4, 2]))
}

#[test]
fn right_loops_pass() {
    let start = || (net::<f32>(), Adam::new(0.1));
    let check = TrainingCheck::new(start, |net, adam, step| {
        let grads = loss_of(net, &Tape::train(step), 1.0).backward()?;
        adam.step(net, &grads)
    });
    check.assert_deterministic();
    check.assert_resumes();
    check.steps(7).threads([4]).assert_deterministic();
}

#[test]
fn a_loop_that_differs_from_run_to_run_is_caught() {
    let calls = AtomicU64::new(0);
    let start = || (net::<f32>(), Sgd::new(0.1));
    let check = TrainingCheck::new(start, |net, sgd, step| {
        let factor = calls.fetch_add(1, Ordering::Relaxed) as f64;
        let grads = loss_of(net, &Tape::train(step), factor).backward()?;
        sgd.step(net, &grads)
    });
    let message = message(|| check.assert_deterministic());
    assert!(message.starts_with("parameters and buffers, first.bias: element 0 is "), "{message}");
    assert!(message.ends_with("(one run, another; 4 steps)"), "{message}");
}

#[test]
fn a_loop_that_depends_on_the_number_of_threads_is_caught() {
    let start = || (net::<f64>(), Sgd::new(0.1));
    let check = TrainingCheck::new(start, |net, sgd, step| {
        let factor = if parallel::threads() == 3 { 1.0 + 1e-15 } else { 1.0 };
        let grads = loss_of(net, &Tape::train(step), factor).backward()?;
        sgd.step(net, &grads)
    });
    let message = message(|| check.assert_deterministic());
    assert!(message.contains("(one thread, 3 threads; 4 steps)"), "{message}");
}

#[test]
fn a_loop_with_state_that_is_not_saved_is_caught() {
    /// An optimiser whose rate is halved in each step, and is not part of its state.
    struct Halving(Adam<f32>);
    impl Optimizer<f32> for Halving {
        fn step(
            &mut self,
            model: &mut dyn Module,
            grads: &wengert_tape::Grads<f32>,
        ) -> wengert_tape::Result<()> {
            self.0.set_learning_rate(self.0.learning_rate() / 2.0);
            self.0.step(model, grads)
        }
        fn learning_rate(&self) -> f64 {
            self.0.learning_rate()
        }
        fn set_learning_rate(&mut self, rate: f64) {
            self.0.set_learning_rate(rate);
        }
        fn state(&self, model: &dyn Module) -> wengert_nn::state::Dict {
            self.0.state(model)
        }
        fn load_state(
            &mut self,
            model: &dyn Module,
            state: &wengert_nn::state::Dict,
        ) -> wengert_tape::Result<()> {
            self.0.load_state(model, state)
        }
    }
    let start = || (net::<f32>(), Halving(Adam::new(0.1)));
    let check = TrainingCheck::new(start, |net, halving, step| {
        let grads = loss_of(net, &Tape::train(step), 1.0).backward()?;
        halving.step(net, &grads)
    });
    assert_eq!(message(|| check.assert_deterministic()), "");
    let message = message(|| check.assert_resumes());
    assert!(message.contains("(without interruption, resumed after 2 steps; 4 steps)"), "{message}");
}

#[test]
fn a_step_that_fails_is_a_failure_with_its_error() {
    let start = || (net::<f32>(), Sgd::new(0.1));
    let check = TrainingCheck::new(start, |net, sgd, step| {
        let tape = Tape::train(step);
        let grads = loss_of(net, &tape, 1.0).reshape([3]).backward()?;
        sgd.step(net, &grads)
    });
    let message = message(|| check.assert_resumes());
    assert!(message.starts_with("a run failed: reshape: "), "{message}");
}

#[test]
fn parameters_without_a_gradient_are_named() {
    let unused = "parameters without a gradient: unused.weight, unused.bias";
    assert_eq!(
        message(|| assert_no_unused_parameters(&net::<f32>(), |net, tape| loss_of(net, tape, 1.0))),
        unused
    );
    assert_eq!(message(|| assert_gradients(&mut net(), |net, tape| loss_of(net, tape, 1.0))), unused);
    let mut all = net();
    all.unused.freeze();
    assert_eq!(message(|| assert_gradients(&mut all, |net, tape| loss_of(net, tape, 1.0))), "");
    let cut = message(|| {
        assert_gradients(&mut all, |net, tape| {
            loss_of(net, tape, 1.0) + tape.param(net.first.bias.as_ref().unwrap()).detach().sum()
        });
    });
    assert!(cut.contains("Net: training, order 1, first.bias [0] = "), "{cut}");
}

/// A program that depends on the tape alone names it.
#[wengert_derive::gradcheck(x: [n, m], crate = "wengert_tape")]
fn doubled<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x + x
}
