//! Optimisers: one file each. They update a model in place from the gradients of a sweep, each parameter in one pass.

mod accumulate;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod clip;
mod descent;
mod ema;
pub(crate) mod groups;
mod lbfgs;
mod lion;
mod nadam;
mod plateau;
mod radam;
mod rmsprop;
mod schedule;
mod sgd;

pub use accumulate::Accumulator;
pub use adadelta::{Adadelta, AdadeltaConfig};
pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig};
pub use adamax::{Adamax, AdamaxConfig};
pub use clip::{clip_norm, clip_value};
pub use descent::{Descent, Memory, Method};
pub use ema::Ema;
pub use lbfgs::{Lbfgs, LbfgsConfig};
pub use lion::{Lion, LionConfig};
pub use nadam::{Nadam, NadamConfig};
pub use plateau::{Goal, Plateau, PlateauConfig, Threshold};
pub use radam::{Radam, RadamConfig};
pub use rmsprop::{Rmsprop, RmspropConfig};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};

use crate::module::Module;
use crate::state::Dict;
use wengert_tape::{Float, Grads, Result};

/// Something that improves a model by its gradients.
///
/// Parameters that got no gradient in this sweep, and frozen ones, are left as they are, state included.
pub trait Optimizer<T: Float> {
    /// One update of every parameter that has a gradient, and of the buffers for which layers announced a change
    /// ([`Grads::updates`]), which is carried out once, even if two optimisers step with the same gradients.
    ///
    /// # Errors
    /// If a gradient's shape is not its parameter's, or an announced value's not its buffer's; if an option is impossible, or
    /// a group covers no parameter.
    fn step(&mut self, model: &mut dyn Module, grads: &Grads<T>) -> Result<()>;

    /// The learning rate η.
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate, as schedules do.
    fn set_learning_rate(&mut self, rate: f64);

    /// What is remembered of the model's parameters, by their names: `fc1.weight.steps`, `fc1.weight.m`. Options are not in
    /// it; they are the program's.
    ///
    /// A run that is taken up again with the parameters and this state goes on with the same bits:
    ///
    /// ```
    /// use wengert_nn::{Linear, optim::{Adam, Optimizer}, state};
    /// use wengert_ops::{Tensor, random::Rng};
    /// use wengert_tape::Tape;
    /// let mut model = Linear::<f64>::new(2, 1, &mut Rng::seed(0));
    /// let step = |model: &mut Linear<f64>, adam: &mut Adam<f64>| {
    ///     let grads = Tape::new().param(&model.weight).square().sum().backward()?;
    ///     adam.step(model, &grads)
    /// };
    /// let mut adam = Adam::new(0.1);
    /// step(&mut model, &mut adam)?;
    ///
    /// let file = std::env::temp_dir().join(format!("wengert-doc-adam-{}.safetensors", std::process::id()));
    /// state::write(&adam.state(&model), &file)?;
    /// let (mut later, mut resumed) = (model.clone(), Adam::new(0.1));
    /// resumed.load_state(&later, &state::read(&file)?)?;
    ///
    /// step(&mut model, &mut adam)?;
    /// step(&mut later, &mut resumed)?;
    /// assert_eq!(model.weight.value(), later.weight.value());
    /// # std::fs::remove_file(&file).unwrap();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn state(&self, model: &dyn Module) -> Dict;

    /// Takes up a state of a model of the same names and shapes.
    ///
    /// # Errors
    /// If something is missing, or of another shape or element type; the error names it, and the state is as it was.
    fn load_state(&mut self, model: &dyn Module, state: &Dict) -> Result<()>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::{Param, Tape};

    /// Gradients of Σ φ⁴/4 - φ²/2, and of 0.3 φ₀. The third parameter begins where its gradient is zero.
    fn gradients(p: &Param<f64>) -> Grads<f64> {
        let tape = Tape::new();
        let x = tape.param(p);
        let loss = x.square().square() * 0.25 - x.square() * 0.5 + x * Tensor::from([0.3, 0.0, 0.0]);
        loss.sum().backward().unwrap()
    }

    /// Whether the parameters after the first and the last step are those of PyTorch 2.15 in f64.
    #[track_caller]
    pub(crate) fn follows(mut optimizer: impl Optimizer<f64>, steps: usize, first: [f64; 3], last: [f64; 3]) {
        let mut p = Param::new(Tensor::from([1.5, -0.5, 0.0]));
        for step in 1..=steps {
            let grads = gradients(&p);
            optimizer.step(&mut p, &grads).unwrap();
            let found = p.value().to_vec();
            for want in [(step == 1).then_some(first), (step == steps).then_some(last)].into_iter().flatten()
            {
                assert!(
                    found.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-13),
                    "step {step}: {found:?}, not {want:?}"
                );
            }
        }
    }

    /// Every optimiser with every option that makes it remember more.
    fn all<T: Float>() -> Vec<Box<dyn Optimizer<T>>> {
        let rate = 0.05;
        let sgd = SgdConfig { momentum: 0.9, ..SgdConfig::default() };
        let rmsprop = RmspropConfig { momentum: 0.5, centered: true, ..RmspropConfig::default() };
        vec![
            Box::new(Sgd::new(rate)),
            Box::new(Sgd::with(sgd)),
            Box::new(Sgd::with(SgdConfig { nesterov: true, ..sgd })),
            Box::new(Adam::new(rate)),
            Box::new(Adam::adamw(rate)),
            Box::new(Adam::with(AdamConfig { amsgrad: true, ..AdamConfig::default() })),
            Box::new(Rmsprop::new(rate)),
            Box::new(Rmsprop::with(rmsprop)),
            Box::new(Adagrad::with(AdagradConfig {
                initial_accumulator_value: 0.1,
                lr_decay: 0.1,
                ..AdagradConfig::default()
            })),
            Box::new(Adadelta::new(1.0)),
            Box::new(Nadam::new(rate)),
            Box::new(Radam::new(rate)),
            Box::new(Adamax::new(rate)),
            Box::new(Lion::new(rate)),
        ]
    }

    /// Two parameters, of which the second has a gradient in every other step only.
    fn step(model: &mut [Param<f32>; 2], optimizer: &mut dyn Optimizer<f32>, t: usize) {
        let tape = Tape::new();
        let (a, b) = (tape.param(&model[0]), tape.param(&model[1]));
        let loss =
            (a.sin() * (t as f64)).sum() + if t.is_multiple_of(2) { b.square().sum() } else { a.sum() * 0.0 };
        optimizer.step(model, &loss.backward().unwrap()).unwrap();
    }

    #[test]
    fn a_resumed_run_gives_the_same_bits() {
        let file = std::env::temp_dir().join(format!("wengert-optim-{}.safetensors", std::process::id()));
        for (mut straight, mut resumed) in all::<f32>().into_iter().zip(all::<f32>()) {
            let mut model =
                [Param::new(Tensor::from([0.3, -1.0, 2.0])), Param::new(Tensor::from([[0.1], [0.7]]))];
            for t in 1..=3 {
                step(&mut model, &mut *straight, t);
            }
            crate::state::write(&straight.state(&model), &file).unwrap();
            let mut later = model.clone();
            resumed.load_state(&later, &crate::state::read(&file).unwrap()).unwrap();
            for t in 4..=8 {
                step(&mut model, &mut *straight, t);
                step(&mut later, &mut *resumed, t);
                assert!(model.iter().zip(&later).all(|(a, b)| a.value() == b.value()), "step {t}");
                assert_eq!(straight.state(&model), resumed.state(&later));
            }
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn a_state_that_does_not_fit_is_refused_by_name_and_changes_nothing() {
        let mut model =
            [Param::new(Tensor::from([0.3, -1.0, 2.0])), Param::new(Tensor::from([[0.1], [0.7]]))];
        let mut adam = Adam::new(0.1);
        step(&mut model, &mut adam, 1);
        let good = adam.state(&model);
        assert_eq!(good.keys().collect::<Vec<_>>(), ["0.m", "0.steps", "0.v", "1.steps"]);
        let refused = |change: &dyn Fn(&mut Dict), words: &[&str]| {
            let (mut bad, mut adam) = (good.clone(), adam.clone());
            change(&mut bad);
            let e = adam.load_state(&model, &bad).unwrap_err().to_string();
            assert!(words.iter().all(|w| e.contains(w)), "{e} does not say {words:?}");
            assert_eq!(adam.state(&model), good);
        };
        let put = |dict: &mut Dict, name: &str, t: crate::state::AnyTensor| {
            dict.insert(name.to_owned(), t);
        };
        use crate::state::AnyTensor::{F32, F64, I64};
        refused(&|d| drop(d.remove("0.v")), &["no tensor 0.v"]);
        refused(&|d| drop(d.remove("1.steps")), &["no tensor 1.steps"]);
        refused(&|d| put(d, "0.m", F32(Tensor::zeros([2]))), &["0.m", "[3]", "[2]"]);
        refused(&|d| put(d, "0.m", F64(Tensor::zeros([3]))), &["0.m", "F32", "F64"]);
        refused(&|d| put(d, "0.steps", I64(Tensor::scalar(-1))), &["0.steps"]);
    }

    /// A parameter that had no gradient is as it was, frozen ones are passed over, and a zero gradient is a gradient.
    #[test]
    fn steps_are_counted_by_parameter() {
        for mut optimizer in all::<f32>() {
            let mut model = [Param::new(Tensor::from([0.3])), Param::new(Tensor::from([0.4]))];
            step(&mut model, &mut *optimizer, 1);
            assert_eq!(model[1].value().to_vec(), [0.4], "no gradient, no change");
            model[0].set_trainable(false);
            step(&mut model, &mut *optimizer, 2);
            step(&mut model, &mut *optimizer, 2);
            let state = optimizer.state(&model);
            let count = |key: &str| state[key].clone();
            assert_eq!(count("0.steps"), crate::state::AnyTensor::I64(Tensor::scalar(1)));
            assert_eq!(count("1.steps"), crate::state::AnyTensor::I64(Tensor::scalar(2)));
            assert!(model[1].value().to_vec()[0] != 0.4 && !model[1].value().has_non_finite());
        }
    }

    #[test]
    fn zero_gradients_move_nothing_and_are_numbers() {
        for mut optimizer in all::<f64>() {
            let mut p = Param::new(Tensor::from([0.0, 0.0]));
            for _ in 0..3 {
                let grads = Tape::new().param(&p).square().sum().backward().unwrap();
                optimizer.step(&mut p, &grads).unwrap();
            }
            assert_eq!(p.value().to_vec(), [0.0, 0.0]);
        }
    }

    #[test]
    fn impossible_options_and_idle_groups_are_refused() {
        let mut p = [Param::new(Tensor::from([1.0, 2.0, 3.0]))];
        let grads = gradients(&p[0]);
        let mut refused = |mut optimizer: Box<dyn Optimizer<f64>>, words: &str| {
            let e = optimizer.step(&mut p, &grads).unwrap_err().to_string();
            assert!(e.contains(words), "{e}");
            assert_eq!(p[0].value().to_vec(), [1.0, 2.0, 3.0]);
        };
        refused(Box::new(Sgd::new(-1.0)), "learning rate");
        refused(Box::new(Sgd::new(f64::NAN)), "learning rate");
        refused(Box::new(Sgd::with(SgdConfig { nesterov: true, ..SgdConfig::default() })), "Nesterov");
        refused(Box::new(Adam::with(AdamConfig { beta2: 1.0, ..AdamConfig::default() })), "beta2");
        refused(Box::new(Rmsprop::with(RmspropConfig { alpha: -0.1, ..RmspropConfig::default() })), "alpha");
        refused(Box::new(Adadelta::with(AdadeltaConfig { rho: 1.1, ..AdadeltaConfig::default() })), "rho");
        refused(
            Box::new(Adam::new(0.1).group("*.baise", |c| c.weight_decay = 0.0)),
            "\"*.baise\" covers no parameter",
        );
        refused(Box::new(Adam::new(0.1).group("0", |c| c.learning_rate = f64::NAN)), "learning rate");
    }

    #[test]
    fn groups_have_options_of_their_own_and_share_a_schedule() {
        let mut model =
            [Param::new(Tensor::from([1.0, 1.0, 1.0])), Param::new(Tensor::from([1.0, 1.0, 1.0]))];
        let mut sgd = Sgd::<f64>::new(0.5)
            .group("1", |c| c.learning_rate = 0.25)
            .group("*", |c| c.weight_decay += 0.1)
            .group("1", |c| c.weight_decay *= 2.0);
        sgd.set_learning_rate(0.1);
        let tape = Tape::new();
        let loss = tape.param(&model[0]).sum() + tape.param(&model[1]).sum();
        sgd.step(&mut model, &loss.backward().unwrap()).unwrap();
        assert!((model[0].value().to_vec()[0] - (1.0 - 0.1 * 1.1)).abs() < 1e-15);
        assert!((model[1].value().to_vec()[0] - (1.0 - 0.05 * 1.2)).abs() < 1e-15);
    }
}
