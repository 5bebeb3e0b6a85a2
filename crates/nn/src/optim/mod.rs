//! Optimisers, one file each. They update a model in place from the gradients of a sweep, each parameter in one pass.

mod accumulate;
mod adadelta;
mod adagrad;
mod adam;
mod adamax;
mod clip;
mod ema;
mod factors;
mod first_order;
pub(crate) mod groups;
mod lbfgs;
mod lion;
mod moments;
mod nadam;
mod options;
mod plateau;
mod radam;
mod refusal;
mod rmsprop;
mod saved;
mod schedule;
mod sgd;
mod update_rule;

pub use accumulate::Accumulator;
pub use adadelta::{Adadelta, AdadeltaConfig};
pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig};
pub use adamax::{Adamax, AdamaxConfig};
pub use clip::{clip_norm, clip_value};
pub use ema::Ema;
pub use first_order::FirstOrder;
pub use lbfgs::{Lbfgs, LbfgsConfig};
pub use lion::{Lion, LionConfig};
pub use nadam::{Nadam, NadamConfig};
pub use plateau::{Goal, Plateau, PlateauConfig, Threshold};
pub use radam::{Radam, RadamConfig};
pub use rmsprop::{Rmsprop, RmspropConfig};
pub use schedule::Schedule;
pub use sgd::{Sgd, SgdConfig};
pub use update_rule::{ParamState, UpdateRule};

use crate::module::Module;
use crate::state::Dict;
use wengert_tape::{Float, Grads, Result};

/// A method that improves a model with its gradients.
///
/// Frozen parameters, and those without a gradient in this sweep, are unchanged, and so is their state.
pub trait Optimizer<T: Float> {
    /// Updates every parameter that has a gradient, and the buffers for which layers announced a change
    /// ([`Grads::updates`]). Each change is applied once, even if two optimisers step with the same gradients.
    ///
    /// Changes that a layer of *another* model announced are not applied. Apply them with a step of that model's optimiser with
    /// these gradients or with [`UpdatesExt::apply`](crate::UpdatesExt::apply), or drop them with
    /// [`Updates::discard`](wengert_tape::Updates::discard). In adversarial training, for example, the discriminator's loss also
    /// runs the generator, whose running statistics change by
    ///
    /// ```
    /// use wengert_nn::{BatchNorm, Layer, Linear, UpdatesExt, optim::{Adam, Optimizer}};
    /// use wengert_ops::{Tensor, random::Rng};
    /// use wengert_tape::Tape;
    /// let (mut generator, mut judge) = (BatchNorm::<f64>::new(2), Linear::<f64>::new(2, 1, &mut Rng::seed(0)));
    /// let mut adam = Adam::new(0.1);
    /// for _ in 0..2 {
    ///     let tape = Tape::train(0);
    ///     let fake = generator.forward(tape.constant(Tensor::from([[0.0, 1.0], [4.0, 3.0]]))).detach();
    ///     let grads = judge.forward(fake).softplus().mean().backward()?;
    ///     adam.step(&mut judge, &grads)?;
    ///     grads.updates().apply(&mut generator)?;       // without this line, the second step is an error
    /// }
    /// assert_eq!(generator.num_batches_tracked.unwrap().value().item()?, 2);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// If no gradient belongs to a trainable parameter of the model: another model, or a clone, was differentiated, the loss was
    /// detached, or all parameters are frozen. (If only some have none, that is no error; [`unused`](crate::GradsExt::unused)
    /// returns their names.) If changes of buffers that were announced with the previous step's gradients have been neither
    /// applied nor discarded, except those of frozen layers; this error is returned once. If a gradient does not have its
    /// parameter's shape, or an announced value its buffer's. If an option is invalid, or a group matches no parameter.
    fn step(&mut self, model: &mut dyn Module, grads: &Grads<T>) -> Result<()>;

    /// The learning rate η.
    #[doc(alias = "get_last_lr")]
    fn learning_rate(&self) -> f64;

    /// Sets the learning rate, as schedules do.
    fn set_learning_rate(&mut self, rate: f64);

    /// The optimiser's state of the model's parameters, by their names: `fc1.weight.steps`, `fc1.weight.m`. Options are not
    /// part of it; the program sets them.
    ///
    /// A run that is resumed with the parameters and this state continues with the same bits:
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
    #[doc(alias = "state_dict")]
    fn state(&self, model: &dyn Module) -> Dict;

    /// Loads the state of a model with the same names and shapes.
    ///
    /// # Errors
    /// If a tensor is missing, or has another shape or element type; the error names it, and the state is then unchanged.
    #[doc(alias = "load_state_dict")]
    fn load_state(&mut self, model: &dyn Module, state: &Dict) -> Result<()>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::{Param, Tape};

    /// Gradients of Σ φ⁴/4 - φ²/2 and of 0.3 φ₀. The gradient of the third element is initially zero.
    fn gradients(p: &Param<f64>) -> Grads<f64> {
        let tape = Tape::new();
        let x = tape.param(p);
        let loss = x.square().square() * 0.25 - x.square() * 0.5 + x * Tensor::from([0.3, 0.0, 0.0]);
        loss.sum().backward().unwrap()
    }

    /// Checks that the parameters after the first and the last step are those of PyTorch 2.15 in f64.
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

    /// Every optimiser with every option that enlarges its state.
    fn all<T: Float>() -> Vec<Box<dyn Optimizer<T>>> {
        let rate = 0.05;
        let sgd = SgdConfig { momentum: 0.9, ..SgdConfig::default() };
        let rmsprop = RmspropConfig { momentum: 0.5, centered: true, ..RmspropConfig::default() };
        vec![
            Box::new(Sgd::new(rate)),
            Box::new(Sgd::with_config(sgd)),
            Box::new(Sgd::with_config(SgdConfig { nesterov: true, ..sgd })),
            Box::new(Adam::new(rate)),
            Box::new(Adam::adamw(rate)),
            Box::new(Adam::with_config(AdamConfig { amsgrad: true, ..AdamConfig::default() })),
            Box::new(Rmsprop::new(rate)),
            Box::new(Rmsprop::with_config(rmsprop)),
            Box::new(Adagrad::with_config(AdagradConfig {
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

    /// A step of two parameters, of which the second has a gradient in every other step only.
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

    /// A parameter without a gradient and a frozen one do not change; a zero gradient is a gradient.
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
        refused(Box::new(Sgd::with_config(SgdConfig { nesterov: true, ..SgdConfig::default() })), "Nesterov");
        refused(Box::new(Adam::with_config(AdamConfig { beta2: 1.0, ..AdamConfig::default() })), "beta2");
        refused(
            Box::new(Rmsprop::with_config(RmspropConfig { alpha: -0.1, ..RmspropConfig::default() })),
            "alpha",
        );
        refused(
            Box::new(Adadelta::with_config(AdadeltaConfig { rho: 1.1, ..AdadeltaConfig::default() })),
            "rho",
        );
        refused(
            Box::new(Adam::new(0.1).group("*.baise", |c| c.weight_decay = 0.0)),
            "\"*.baise\" matches no parameter",
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

    fn refusal(step: Result<()>) -> String {
        step.unwrap_err().to_string()
    }

    #[test]
    fn gradients_that_are_not_of_the_model_are_refused() {
        use crate::{Layer, Linear};
        use wengert_ops::random::Rng;
        for mut optimizer in all::<f32>() {
            let mut net = Linear::<f32>::new(2, 1, &mut Rng::seed(0)).named();
            let before = net.weight.value().clone();
            let online = net.clone();
            let x = || Tensor::from([[1.0, 2.0]]);
            // A clone was differentiated.
            let tape = Tape::new();
            let grads = online.forward(tape.constant(x())).sum().backward().unwrap();
            let said = refusal(optimizer.step(&mut net, &grads));
            let words = [
                "are of weight [1, 2], bias [1]",
                "none of which",
                "it has weight [1, 2], bias [1]",
                "clone",
            ];
            assert!(words.iter().all(|w| said.contains(w)), "{said}");
            // The loss was detached: only another value has a gradient.
            let tape = Tape::new();
            let y = net.forward(tape.var(x())).detach();
            let said = refusal(optimizer.step(&mut net, &(y * tape.var(x())).sum().backward().unwrap()));
            assert!(said.contains("no gradient of any parameter") && said.contains("detached"), "{said}");
            // The model is of another element type.
            let mut double = Linear::<f64>::new(2, 1, &mut Rng::seed(0));
            let said = refusal(optimizer.step(&mut double, &grads));
            assert!(said.contains("no parameter of f32"), "{said}");
            // All parameters are frozen, although there are gradients from before.
            let tape = Tape::new();
            let grads = net.forward(tape.constant(x())).sum().backward().unwrap();
            net.freeze();
            let said = refusal(optimizer.step(&mut net, &grads));
            assert!(
                said.contains("every parameter of the model is frozen (weight [1, 2], bias [1])"),
                "{said}"
            );
            assert!(
                net.weight.value() == &before && optimizer.state(&net)["weight.steps"].shape().is_empty()
            );
            // Some gradients may be missing: here only the bias has one.
            net.bias.as_mut().unwrap().set_trainable(true);
            optimizer.step(&mut net, &grads).unwrap();
            assert_eq!(net.weight.value(), &before);
        }
    }

    #[test]
    fn accumulated_gradients_of_another_model_are_refused_too() {
        let (mut model, other) = (Param::new(Tensor::from([1.0])), Param::new(Tensor::from([1.0])));
        let mut sum = Accumulator::new();
        for _ in 0..2 {
            sum.add(Tape::new().param(&other).square().sum().backward().unwrap()).unwrap();
        }
        let mut grads = sum.take_mean().unwrap();
        assert_eq!(clip_norm(&mut grads, 1.0).unwrap(), 2.0);
        let said = refusal(Sgd::new(0.1).group("*", |c| c.momentum = 0.9).step(&mut model, &grads));
        assert!(said.contains("an unnamed parameter [1]"), "{said}");
    }

    /// Changes that a layer of another model announced are applied, discarded, or reported; those of frozen layers may remain.
    #[test]
    fn no_announced_change_is_lost_without_a_word() {
        use crate::{BatchNorm, Layer, UpdatesExt};
        for mut optimizer in all::<f32>() {
            let mut generator = BatchNorm::<f32>::new(1);
            let mut judge = Param::new(Tensor::from([1.0f32]));
            let gradients = |generator: &BatchNorm<f32>, judge: &Param<f32>| {
                let tape = Tape::train(0);
                let fake = generator.forward(tape.constant(Tensor::from([[1.0], [3.0]]))).detach();
                (tape.param(judge) * fake).square().sum().backward().unwrap()
            };
            let seen = |g: &BatchNorm<f32>| g.num_batches_tracked.as_ref().unwrap().value().item().unwrap();
            // Applied, before or after the step.
            for _ in 0..2 {
                let grads = gradients(&generator, &judge);
                optimizer.step(&mut judge, &grads).unwrap();
                grads.updates().apply(&mut generator).unwrap();
            }
            assert_eq!(seen(&generator), 2);
            // Discarded.
            let grads = gradients(&generator, &judge);
            optimizer.step(&mut judge, &grads).unwrap();
            grads.updates().discard();
            grads.updates().apply(&mut generator).unwrap();
            // Left over: the next step reports it once and changes nothing.
            let grads = gradients(&generator, &judge);
            optimizer.step(&mut judge, &grads).unwrap();
            let (before, grads) = (judge.value().clone(), gradients(&generator, &judge));
            let said = refusal(optimizer.step(&mut judge, &grads));
            assert!(
                said.contains("3 announced changes") && said.contains("f32 [1], f32 [1], a count"),
                "{said}"
            );
            assert!(said.contains("apply(&mut other)") && said.contains("discard()"), "{said}");
            assert_eq!((judge.value(), seen(&generator)), (&before, 2));
            optimizer.step(&mut judge, &grads).unwrap();
            grads.updates().apply(&mut generator).unwrap();
            assert_eq!(seen(&generator), 3);
            // A second model's optimiser applies the changes that the first left.
            for _ in 0..2 {
                let tape = Tape::train(0);
                let fake = generator.forward(tape.constant(Tensor::from([[1.0], [3.0]])));
                let grads = (tape.param(&judge) * fake).square().sum().backward().unwrap();
                optimizer.step(&mut judge, &grads).unwrap();
                Sgd::new(0.1).step(&mut generator, &grads).unwrap();
            }
            assert_eq!(seen(&generator), 5);
            // The changes of a frozen model's layers may remain.
            generator.freeze();
            for _ in 0..2 {
                let grads = gradients(&generator, &judge);
                optimizer.step(&mut judge, &grads).unwrap();
            }
            // The statistics of a frozen model change in its own optimiser's step.
            let grads = gradients(&generator, &judge);
            Sgd::new(0.1).step(&mut generator, &grads).unwrap();
            assert_eq!(seen(&generator), 6);
        }
    }

    const INF: f64 = f64::INFINITY;

    /// The parameter after one step from `p` with a gradient of `g` everywhere.
    fn stepped(optimizer: &mut dyn Optimizer<f64>, p: &mut Param<f64>, g: f64) -> f64 {
        let grads = (Tape::new().param(p) * g).sum().backward().unwrap();
        optimizer.step(p, &grads).unwrap();
        p.value().to_vec()[0]
    }

    /// A term with factor 0 has no influence even on an infinity: 0 · ∞ is 0 there.
    #[test]
    fn an_infinite_gradient_goes_where_the_formula_says() {
        let from = || Param::new(Tensor::from([1.0]));
        let momentum = SgdConfig { learning_rate: 0.1, momentum: 0.9, ..SgdConfig::default() };
        for config in [
            SgdConfig { momentum: 0.0, ..momentum },
            momentum,
            SgdConfig { nesterov: true, ..momentum },
            SgdConfig { dampening: 0.5, ..momentum },
            SgdConfig { weight_decay: 0.5, ..momentum },
        ] {
            for g in [INF, -INF] {
                assert_eq!(stepped(&mut Sgd::with_config(config), &mut from(), g), -g, "{config:?}");
            }
        }
        // With full dampening, the velocity keeps only the first gradient: v = 0.9 · 1.
        let (mut sgd, mut p) = (Sgd::with_config(SgdConfig { dampening: 1.0, ..momentum }), from());
        stepped(&mut sgd, &mut p, 1.0);
        assert!((stepped(&mut sgd, &mut p, INF) - (1.0 - 0.1 - 0.09)).abs() < 1e-15);
        assert_eq!(stepped(&mut Radam::new(0.1), &mut from(), INF), -INF, "a plain step at first");
        assert_eq!(stepped(&mut Lion::new(0.1), &mut from(), INF), 0.9);
        assert!(stepped(&mut Sgd::with_config(momentum), &mut from(), f64::NAN).is_nan());
    }

    #[test]
    fn an_infinite_parameter_stays_where_nothing_decays_it() {
        for mut optimizer in all::<f64>() {
            for start in [INF, -INF] {
                let mut p = Param::new(Tensor::from([start]));
                assert_eq!(stepped(&mut *optimizer, &mut p, 1.0), start, "{}", optimizer.state(&p).len());
            }
        }
    }

    #[test]
    fn a_learning_rate_of_zero_moves_nothing() {
        for mut optimizer in [
            Box::new(Sgd::new(0.0)) as Box<dyn Optimizer<f64>>,
            Box::new(Sgd::with_config(SgdConfig { momentum: 0.9, ..SgdConfig::default() })),
            Box::new(Adam::adamw(0.0)),
            Box::new(Adagrad::new(0.0)),
            Box::new(Adamax::new(0.0)),
            Box::new(Nadam::new(0.0)),
            Box::new(Radam::new(0.0)),
            Box::new(Lion::new(0.0)),
        ] {
            optimizer.set_learning_rate(0.0);
            assert_eq!(stepped(&mut *optimizer, &mut Param::new(Tensor::from([1.0])), INF), 1.0);
        }
    }

    /// With a β of 0, the state keeps nothing of an infinite gradient: the next step is like the first, 1 - η g / |g|.
    #[test]
    fn what_is_not_remembered_has_no_influence() {
        let (beta1, beta2, learning_rate) = (0.0, 0.0, 0.25);
        for mut optimizer in [
            Box::new(Adam::with_config(AdamConfig { beta1, beta2, learning_rate, ..AdamConfig::default() }))
                as Box<dyn Optimizer<f64>>,
            Box::new(Adamax::with_config(AdamaxConfig {
                beta1,
                beta2,
                learning_rate,
                ..AdamaxConfig::default()
            })),
            Box::new(Nadam::with_config(NadamConfig {
                beta1,
                beta2,
                learning_rate,
                ..NadamConfig::default()
            })),
            Box::new(Radam::with_config(RadamConfig {
                beta1,
                beta2,
                learning_rate,
                ..RadamConfig::default()
            })),
            Box::new(Rmsprop::with_config(RmspropConfig {
                alpha: 0.0,
                learning_rate,
                ..RmspropConfig::default()
            })),
            Box::new(Lion::with_config(LionConfig { beta1, beta2, learning_rate, weight_decay: 0.0 })),
        ] {
            let mut p = Param::new(Tensor::from([1.0]));
            stepped(&mut *optimizer, &mut p, INF);
            p.set(Tensor::from([1.0])).unwrap();
            let found = stepped(&mut *optimizer, &mut p, 1.0);
            assert!((found - 0.75).abs() < 1e-8, "{found}");
        }
    }

    #[test]
    fn infinite_options_are_refused() {
        let mut p = Param::new(Tensor::from([1.0]));
        let grads = Tape::new().param(&p).sum().backward().unwrap();
        for mut optimizer in [
            Box::new(Sgd::with_config(SgdConfig { weight_decay: INF, ..SgdConfig::default() }))
                as Box<dyn Optimizer<f64>>,
            Box::new(Adagrad::with_config(AdagradConfig { lr_decay: INF, ..AdagradConfig::default() })),
            Box::new(Adam::with_config(AdamConfig { epsilon: INF, ..AdamConfig::default() })),
        ] {
            let said = refusal(optimizer.step(&mut p, &grads));
            assert!(said.contains("found inf"), "{said}");
        }
    }
}
