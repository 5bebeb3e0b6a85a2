//! Tests of `lbfgs`.

use super::*;
use wengert_tape::Param;

type Two = [Param<f64>; 2];

fn start() -> Two {
    [Param::new(Tensor::from([-1.2])), Param::new(Tensor::from([1.0, 0.5]))]
}

/// Rosenbrock's function of three variables, in two parameters.
fn rosenbrock<'t>(model: &Two, tape: &'t Tape<f64>) -> Var<'t, f64> {
    let x = tape.param(&model[0]).select(0, 0);
    let (y, z) = (tape.param(&model[1]).select(0, 0), tape.param(&model[1]).select(0, 1));
    let valley = (y - x * x).square() + (z - y * y).square();
    (1.0 - x).square() + (1.0 - y).square() + 100.0 * valley
}

fn numbers(model: &Two) -> Vec<f64> {
    model.iter().flat_map(|p| p.value().to_vec()).collect()
}

/// Compares with PyTorch 2.15 in f64: the loss before each step, the evaluations so far, and the parameters after the last step.
#[track_caller]
fn follows(config: LbfgsConfig, losses: [f64; 4], evaluations: [u64; 4], last: [f64; 3]) {
    let (mut model, mut lbfgs) = (start(), Lbfgs::with_config(config));
    for (loss, evaluations) in losses.into_iter().zip(evaluations) {
        let found = lbfgs.step(&mut model, rosenbrock).unwrap();
        assert!((found - loss).abs() < 1e-9 * loss, "{found}, not {loss}");
        assert_eq!(lbfgs.evaluations(), evaluations);
    }
    let found = numbers(&model);
    assert!(found.iter().zip(last).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
}

#[test]
fn steps_are_pytorchs() {
    let config = LbfgsConfig { max_iter: 4, max_eval: Some(5), history_size: 3, ..LbfgsConfig::default() };
    follows(
        config,
        [49.199999999999996, 3.6901735852663204, 3.586905329065973, 3.3090599475683424],
        [5, 10, 16, 22],
        [-0.558402627476503, 0.31355337085731444, 0.07441108973013989],
    );
    follows(
        LbfgsConfig { strong_wolfe: false, learning_rate: 0.01, ..config },
        [49.199999999999996, 45.41131139251402, 42.59297213886821, 39.89689346810858],
        [4, 8, 12, 16],
        [-1.1663887259739871, 0.9838190918366807, 0.5382749742121643],
    );
}

#[test]
fn a_resumed_run_gives_the_same_bits_and_ends_at_the_minimum() {
    let config = LbfgsConfig { history_size: 5, tolerance_change: 1e-14, ..LbfgsConfig::default() };
    let (mut model, mut lbfgs) = (start(), Lbfgs::with_config(config));
    lbfgs.step(&mut model, rosenbrock).unwrap();
    let mut later = model.clone();
    let mut resumed = Lbfgs::with_config(config);
    let state = lbfgs.state(&model).unwrap();
    resumed.load_state(&later, &state).unwrap();
    for _ in 0..5 {
        lbfgs.step(&mut model, rosenbrock).unwrap();
        resumed.step(&mut later, rosenbrock).unwrap();
        assert_eq!(numbers(&model), numbers(&later));
    }
    assert!(numbers(&model).iter().all(|v| (v - 1.0).abs() < 1e-6));
    let mut bad = state.clone();
    bad.remove("1.direction");
    let e = resumed.load_state(&later, &bad).unwrap_err().to_string();
    assert!(e.contains("no tensor 1.direction"), "{e}");
}

/// -log x is NaN for negative x, which the first steps would reach.
#[test]
fn a_loss_that_overflows_on_the_way_is_gone_back_from() {
    let mut p = Param::new(Tensor::from([5.0f64]));
    let mut lbfgs = Lbfgs::new();
    let least = std::cell::Cell::new(f64::INFINITY);
    for _ in 0..3 {
        let step = lbfgs.step(&mut p, |p, tape| {
            least.set(least.get().min(p.value().to_vec()[0]));
            (tape.param(p) * 3.0 - tape.param(p).log()).sum()
        });
        step.unwrap();
    }
    assert!(least.get() < 0.0, "the search did go there");
    assert!((p.value().item().unwrap() - 1.0 / 3.0).abs() < 1e-6);
}

#[test]
fn frozen_parameters_stay_and_a_start_that_is_not_finite_is_refused() {
    let mut model = start();
    model[0].set_trainable(false);
    Lbfgs::new().step(&mut model, rosenbrock).unwrap();
    assert!(numbers(&model)[0] == -1.2 && numbers(&model)[1] != 1.0);
    let e = Lbfgs::new().step(&mut model, |m, tape| tape.param(&m[1]).sum() * f64::NAN).unwrap_err();
    assert!(e.to_string().contains("NaN"), "{e}");
}

/// As in PyTorch, `max_eval = max_iter * 5 // 4` by default.
#[test]
fn evaluations_follow_the_iterations_unless_told_otherwise() {
    for (max_iter, most) in [(20, 25), (1000, 1250), (3, 3), (4, 5)] {
        assert_eq!(LbfgsConfig { max_iter, ..LbfgsConfig::default() }.evaluations(), most);
    }
    // A valley that needs more than 25 evaluations, in one step.
    let config = LbfgsConfig { max_iter: 1000, ..LbfgsConfig::default() };
    let (mut model, mut lbfgs) = (start(), Lbfgs::with_config(config));
    lbfgs.step(&mut model, rosenbrock).unwrap();
    assert!(lbfgs.evaluations() > 25, "{}", lbfgs.evaluations());
    assert!(numbers(&model).iter().all(|v| (v - 1.0).abs() < 1e-5), "{:?}", numbers(&model));
    let (mut model, mut lbfgs) = (start(), Lbfgs::with_config(LbfgsConfig { max_eval: Some(25), ..config }));
    lbfgs.step(&mut model, rosenbrock).unwrap();
    assert!(lbfgs.evaluations() <= 26, "{}", lbfgs.evaluations());
}

#[test]
fn a_loss_of_another_model_is_refused() {
    let (mut model, other) = (start(), start());
    let before = numbers(&model);
    let e = Lbfgs::new().step(&mut model, |_, tape| rosenbrock(&other, tape)).unwrap_err().to_string();
    assert!(e.contains("none of which") && e.contains("0 [1], 1 [2]"), "{e}");
    let e =
        Lbfgs::new().step(&mut model, |m, tape| rosenbrock(m, tape).detach() * tape.var(1.0)).unwrap_err();
    assert!(e.to_string().contains("detached"), "{e}");
    model.freeze();
    let e =
        Lbfgs::new().step(&mut model, |m, tape| rosenbrock(m, tape) * tape.var(1.0)).unwrap_err().to_string();
    assert!(e.contains("every parameter of the model is frozen (0 [1], 1 [2])"), "{e}");
    assert_eq!(numbers(&model), before);
}

/// A step sees the data once, however often it evaluates the loss; changes announced by another model's layers are refused.
#[test]
fn running_statistics_move_once_a_step() {
    use crate::{BatchNorm, Layer};
    let x = || Tensor::from([[1.0], [3.0], [8.0]]);
    let (mut model, other) = (BatchNorm::<f64>::new(1), BatchNorm::<f64>::new(1));
    let mut lbfgs = Lbfgs::new();
    for seen in 1..=2 {
        lbfgs
            .step(&mut model, |m, tape| (m.forward(tape.constant(x())) - 2.0).square().square().sum())
            .unwrap();
        assert_eq!(model.num_batches_tracked.as_ref().unwrap().value().item().unwrap(), seen);
    }
    assert!(lbfgs.evaluations() > 2);
    let e = lbfgs.step(&mut model, |m, tape| {
        let x = tape.constant(x());
        m.forward(other.forward(x)).square().sum()
    });
    let e = e.unwrap_err().to_string();
    assert!(e.contains("3 announced changes of buffers that are not of this model"), "{e}");
}
