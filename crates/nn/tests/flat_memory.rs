//! The memory of a training loop: a program of its own, since the count is that of the whole process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use wengert_nn::gradcheck::TrainingCheck;
use wengert_nn::optim::{Adam, Optimizer};
use wengert_nn::{Layer, Linear};
use wengert_ops::{Tensor, random::Rng};
use wengert_tape::Tape;

#[test]
fn a_loop_that_keeps_its_losses_grows_and_one_that_keeps_numbers_does_not() {
    let start = || (Linear::<f32>::new(16, 64, &mut Rng::seed(0)), Adam::new(1e-3));
    let run = |kept: Option<&Mutex<Vec<Tensor<f32>>>>| {
        let check = TrainingCheck::new(start, |model, adam, step| {
            let tape = Tape::train(step);
            let y = model.forward(tape.constant(Tensor::ones([32, 16])));
            if let Some(kept) = kept {
                kept.lock().unwrap().push(y.value()?);
            }
            adam.step(model, &y.square().mean().backward()?)
        });
        catch_unwind(AssertUnwindSafe(|| check.assert_flat_memory()))
    };
    assert!(run(None).is_ok());
    let message = *run(Some(&Mutex::new(Vec::new()))).unwrap_err().downcast::<String>().unwrap();
    // 32 · 64 numbers of 4 bytes.
    assert_eq!(
        message,
        "the memory of tensors grows in every step: by 262144 bytes in 32 steps, 8192 per step"
    );
}
