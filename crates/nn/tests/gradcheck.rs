//! Correct models pass the gradient check; each kind of mistake is found and reported with parameter and element.

use std::cell::Cell;
use wengert_nn::gradcheck::{self, Compared, Mode, ModuleCheck, ModuleReport};
use wengert_nn::zoo::{Mlp, MlpConfig};
use wengert_nn::{
    Activation, BatchNorm, Conv2d, Flatten, Layer, LayerNorm, Linear, Lstm, MaxPool2d, Module,
    MultiHeadAttention, RecurrentConfig, Sequential, for_each_param, loss,
};
use wengert_ops::{Result as OpResult, Tensor, random::Rng};
use wengert_tape::{Cotangents, ForwardOutput, Op, Param, Tape, Var, VjpContext, cotangents};

fn mlp(dropout: f64) -> Mlp<f64> {
    let config = MlpConfig { widths: vec![3, 5, 2], activation: Activation::Tanh, dropout };
    Mlp::with_config(&config, &mut Rng::seed(1))
}

fn x(n: usize) -> Tensor<f64> {
    Tensor::randn([n, 3], &mut Rng::seed(2)).unwrap()
}

/// y = x, but the cotangent of one element is multiplied by a factor.
struct Faulty {
    element: usize,
    factor: f64,
    when: When,
}

#[derive(PartialEq)]
enum When {
    Always,
    /// Only in the recorded rule.
    Recorded,
    /// Only in the derivative of the recorded rule.
    SecondOrder,
}

impl Faulty {
    fn factors(&self, like: &Tensor<f64>) -> Tensor<f64> {
        let mut factors = vec![1.0; like.numel()];
        factors[self.element] = self.factor;
        Tensor::from_vec(factors, like.shape()).unwrap()
    }
}

impl Op<f64> for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> OpResult<ForwardOutput<f64>> {
        Ok(x[0].clone().into())
    }
    fn vjp<'s>(&self, rule: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        let gy = rule.gy();
        let Ok(x) = rule.x(0).value() else { return cotangents([Some(gy)]) };
        let factors = gy.tape().constant(self.factors(&x));
        cotangents([Some(match self.when {
            When::Always | When::Recorded => gy * factors,
            When::SecondOrder => gy
                .tape()
                .apply(Faulty { when: When::Always, factor: self.factor, element: self.element }, &[gy]),
        })])
    }
    fn backward(
        &self,
        rule: &wengert_tape::BackwardContext<'_, f64>,
    ) -> Option<wengert_tape::Result<Cotangents<Tensor<f64>>>> {
        (self.when != When::Always).then(|| Ok(cotangents([Some(rule.gy()?.clone())])))
    }
}

fn faulty<'t>(x: Var<'t, f64>, element: usize, factor: f64, when: When) -> Var<'t, f64> {
    x.tape().apply(Faulty { element, factor, when }, &[x])
}

/// x f(weight)ᵀ.
fn through<'t>(
    weight: &Param<f64>,
    x: Var<'t, f64>,
    f: impl Fn(Var<'t, f64>) -> Var<'t, f64>,
) -> Var<'t, f64> {
    x.matmul(f(x.tape().param(weight)).t())
}

#[derive(Module)]
struct Net {
    body: Linear<f64>,
    head: Linear<f64>,
}

fn net() -> Net {
    let mut rng = Rng::seed(3);
    Net { body: Linear::new(3, 4, &mut rng), head: Linear::new(4, 2, &mut rng) }
}

fn bits(model: &dyn Module) -> Vec<u64> {
    let mut all = Vec::new();
    for_each_param::<f64>(model, &mut |_, p| all.extend(p.value().to_vec().into_iter().map(f64::to_bits)));
    all
}

/// The only fault of a report, as it is printed.
#[track_caller]
fn only(report: &ModuleReport, compared: Compared, name: &str, index: &[usize]) -> String {
    assert!(!report.passed(), "{report}");
    assert!(report.worst().is_nan() || report.worst() >= 1e-6, "{report}");
    for m in &report.mismatches {
        assert_eq!((m.compared, m.name.as_str()), (compared, name), "{report}");
        assert_eq!(m.index.as_deref(), Some(index), "{report}");
    }
    assert!(!report.mismatches.is_empty() && report.failures.is_empty(), "{report}");
    report.to_string()
}

#[test]
fn right_models_pass_in_both_modes_and_for_several_batch_sizes() {
    let report = ModuleCheck::new("mlp")
        .run_batches(
            &mut mlp(0.4),
            |n, rng| Ok(vec![Tensor::randn([n, 3], rng)?]),
            |net, x| loss::mse(net.forward(x[0]), Tensor::try_full([x[0].dim(0), 2], 0.5).unwrap()),
        )
        .unwrap();
    assert!(report.passed() && report.worst() < 1e-6 && report.unused.is_empty(), "{report}");
    // Three batch sizes, two modes, three directions, five parts and all together; and the second order of 32 + 3n elements.
    assert_eq!(report.compared, 3 * 2 * 3 * 6 + 2 * 3 * (3 * 32 + 3 * (1 + 2 + 7)), "{report}");
    assert_eq!((report.first.len(), report.second.len()), (18, 18));
    assert!(report.to_string().starts_with("mlp: passed, "), "{report}");

    let mut rng = Rng::seed(4);
    let mut norm = Sequential::<f64>::new()
        .push(Linear::new(3, 4, &mut rng))
        .push(BatchNorm::new(4))
        .push(Activation::Gelu)
        .push(LayerNorm::new([4]));
    let report = ModuleCheck::new("batch norm")
        .batch_sizes([2, 7])
        .run_batches(
            &mut norm,
            |n, rng| Ok(vec![Tensor::randn([n, 3], rng)?]),
            |net, x| net.forward(x[0]).sin().mean(),
        )
        .unwrap();
    assert!(report.passed() && report.worst() < 1e-6, "{report}");
}

#[test]
fn right_models_with_kinks_pass_to_first_order() {
    let mut rng = Rng::seed(5);
    let mut cnn = Sequential::<f64>::new()
        .push(Conv2d::new(1, 3, 3, &mut rng))
        .push(Activation::Relu)
        .push(MaxPool2d::new(2))
        .push(Flatten)
        .push(Linear::new(3 * 2 * 2, 3, &mut rng));
    let report = ModuleCheck::new("cnn")
        .first_order()
        .batch_sizes([1, 4])
        .run_batches(
            &mut cnn,
            |n, rng| Ok(vec![Tensor::randn([n, 1, 6, 6], rng)?]),
            |net, x| {
                let labels: Vec<i64> = (0..x[0].dim(0) as i64).map(|i| i % 3).collect();
                loss::cross_entropy(
                    net.forward(x[0]),
                    &Tensor::from_vec(labels.clone(), [labels.len()]).unwrap(),
                )
            },
        )
        .unwrap();
    assert!(report.passed() && report.second.is_empty() && report.worst() < 1e-6, "{report}");
}

#[test]
fn recurrent_and_attending_models_pass() {
    let mut rng = Rng::seed(6);
    let mut lstm = Lstm::<f64>::with_config(&RecurrentConfig::new(3, 4), &mut rng);
    let report = ModuleCheck::new("lstm")
        .directions(2)
        .batch_sizes([1, 3])
        .run_batches(
            &mut lstm,
            |n, rng| Ok(vec![Tensor::randn([n, 5, 3], rng)?]),
            |lstm, x| lstm.forward(x[0]).square().sum(),
        )
        .unwrap();
    assert!(report.passed() && report.unused.is_empty(), "{report}");

    let mut attention = MultiHeadAttention::<f64>::new(4, 2, &mut rng);
    let report = ModuleCheck::new("attention")
        .directions(2)
        .batch_sizes([1, 2])
        .run_batches(
            &mut attention,
            |n, rng| Ok(vec![Tensor::randn([n, 3, 4], rng)?]),
            |attention, x| attention.forward(x[0]).sin().sum(),
        )
        .unwrap();
    assert!(report.passed(), "{report}");
}

#[test]
fn a_frozen_parameter_is_not_moved_and_is_listed() {
    let mut model = mlp(0.0);
    model.freeze_matching("layers.0.weight").unwrap();
    let x = x(4);
    let loss =
        |m: &Mlp<f64>, t: &Tape<f64>| -> f64 { m.forward(t.constant(&x)).square().sum().item().unwrap() };
    let before = loss(&model, &Tape::new());
    let report = ModuleCheck::new("frozen")
        .run(&mut model, |m, tape| m.forward(tape.constant(&x)).square().sum())
        .unwrap();
    assert!(report.passed() && report.frozen == ["layers.0.weight"] && report.unused.is_empty(), "{report}");
    let slopes =
        gradcheck::check_slopes(&mut model, |m, tape| m.forward(tape.constant(&x)).square().sum(), 3, 1e-6);
    let slopes = slopes.unwrap();
    assert!(slopes.len() == 3 && slopes.iter().all(|e| *e < 1e-7), "{slopes:?}");
    let both =
        gradcheck::check(&mut model, |m, tape| m.forward(tape.constant(&x)).square().sum(), 3).unwrap();
    assert!(both.worst() < 1e-6, "{both}");
    assert_eq!(before.to_bits(), loss(&model, &Tape::new()).to_bits());
}

#[test]
fn nan_under_a_finite_loss_is_caught() {
    let mut model = net();
    model.body.bias.as_mut().unwrap().set(Tensor::from([0.3, -0.2, 0.0, 0.1])).unwrap();
    let x = x(4);
    let run = |check: ModuleCheck, model: &mut Net| {
        let loss = |m: &Net, x: Var<'_, f64>| m.head.forward(m.body.forward(x).tanh()).square().sum().item();
        assert!(loss(model, Tape::new().constant(&x)).unwrap().is_finite());
        check.run(model, |m, tape| {
            let b = tape.param(m.body.bias.as_ref().unwrap());
            m.head.forward(m.body.forward(tape.constant(&x)).tanh()).square().sum() + (b * b).sqrt().sum()
        })
    };
    let report = run(ModuleCheck::new("nan"), &mut model).unwrap();
    let printed = only(&report, Compared::Swept, "body.bias", &[2]);
    assert!(report.worst().is_nan() && report.first.iter().all(|e| e.is_nan()), "{report:?}");
    assert!(printed.contains("training, order 1, body.bias [2] = 0.0: by differences between "), "{report}");
    assert!(printed.contains(", swept NaN, relative error inf [seed 0, direction 0]"), "{report}");
    // It is not "non-finite" either: the differences are finite.
    assert!(!run(ModuleCheck::new("nan").allow_non_finite(), &mut model).unwrap().passed());
}

#[test]
fn a_loss_that_is_not_finite_has_to_be_allowed() {
    let mut model = net();
    let x = x(2);
    let loss = |model: &mut Net, check: ModuleCheck| {
        check.run(model, |m, tape| m.body.forward(tape.constant(&x)).square().sum() / 0.0).unwrap()
    };
    let report = loss(&mut model, ModuleCheck::new("infinite"));
    assert_eq!((report.compared, report.skipped), (0, 2), "{report}");
    assert!(
        report.to_string().contains("infinite: training: the loss is inf; allow_non_finite()"),
        "{report}"
    );
    let report = loss(&mut model, ModuleCheck::new("infinite").allow_non_finite());
    assert!(report.to_string().contains("nothing was compared: no derivative could be compared"), "{report}");
    assert!(report.worst().is_nan());
}

#[test]
fn a_path_that_was_detached_is_named() {
    let x = x(4);
    let report = ModuleCheck::new("cut")
        .run(&mut net(), |m, tape| {
            let h = m.body.forward(tape.constant(&x)).tanh();
            m.head.forward(h.detach()).square().sum() + h.square().sum()
        })
        .unwrap();
    let names: Vec<&str> = report.mismatches.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["body.weight", "body.bias", "body.weight", "body.bias"], "{report}");
    let whole = ModuleCheck::new("cut")
        .run(&mut net(), |m, tape| {
            m.head.forward(tape.constant(&x).tanh().matmul(m.eye(tape))).sum().detach()
        })
        .unwrap();
    assert!(!whole.passed() && whole.unused.len() == 4, "{whole}");
}

impl Net {
    fn eye<'t>(&self, tape: &'t Tape<f64>) -> Var<'t, f64> {
        tape.param(&self.body.weight).t()
    }
}

#[test]
fn a_single_wrong_element_is_found() {
    let x = x(4);
    for (element, index) in [(0, [0, 0]), (5, [1, 2]), (11, [3, 2])] {
        let report = ModuleCheck::new("one element")
            .run(&mut net(), |m, tape| {
                let h = through(&m.body.weight, tape.constant(&x), |w| {
                    faulty(w, element, 1.0 + 1e-4, When::Always)
                });
                m.head.forward(h.tanh()).square().sum()
            })
            .unwrap();
        let printed = only(&report, Compared::Swept, "body.weight", &index);
        assert!(printed.contains("relative error 1.0e-4 [seed 0, direction 0]"), "{report}");
        assert_eq!(report.unused, ["body.bias"]);
        assert!(report.mismatches.iter().all(|m| (m.relative_error() - 1e-4).abs() < 1e-6));
    }
}

#[test]
fn a_small_parameter_is_not_hidden_by_a_large_one() {
    let x = x(4);
    let report = ModuleCheck::new("small")
        .run(&mut net(), |m, tape| {
            let h = through(&m.body.weight, tape.constant(&x), |w| faulty(w, 7, 1.0 + 1e-3, When::Always));
            let large = m.head.forward(tape.constant(Tensor::ones([1, 4]))).square().sum() * 1e2;
            large + h.tanh().sum() * 1e-4
        })
        .unwrap();
    only(&report, Compared::Swept, "body.weight", &[2, 1]);
    assert!(report.first.iter().all(|e| *e < 1e-6), "hidden along all: {report:?}");
}

#[test]
fn a_kink_hides_nothing_beside_it() {
    for alone in [false, true] {
        let mut model = net();
        model.body.bias.as_mut().unwrap().set(Tensor::from([0.0, 0.5, -0.3, 0.2])).unwrap();
        if alone {
            model.freeze();
            model.unfreeze_matching("body.bias").unwrap();
        }
        let run = |model: &mut Net, factor: f64| {
            ModuleCheck::new("kink")
                .first_order()
                .run(model, |m, tape| {
                    let b = faulty(tape.param(m.body.bias.as_ref().unwrap()), 3, factor, When::Always);
                    b.relu().sum() + tape.param(&m.body.weight).square().sum()
                })
                .unwrap()
        };
        let right = run(&mut model, 1.0);
        assert!(right.passed() && right.kinks > 0, "{right}");
        only(&run(&mut model, 1.0 + 1e-3), Compared::Swept, "body.bias", &[3]);
    }
}

#[test]
fn what_is_wrong_for_a_batch_of_one_alone_is_named_with_it() {
    let report = ModuleCheck::new("batch of one")
        .batch_sizes([2, 1, 7])
        .run_batches(
            &mut net(),
            |n, rng| Ok(vec![Tensor::randn([n, 3], rng)?]),
            |m, x| {
                let h = m.body.forward(x[0]).tanh();
                let h = if x[0].dim(0) == 1 { faulty(h, 2, 0.9, When::Always) } else { h };
                m.head.forward(h).square().sum()
            },
        )
        .unwrap();
    assert!(!report.passed());
    assert!(report.mismatches.iter().all(|m| m.setting.batch_size == Some(1)), "{report}");
    let place = report.mismatches.iter().find(|m| m.name == "body.bias").unwrap();
    assert_eq!(place.index, Some(vec![2]));
    assert!(place.to_string().starts_with("training, batch size 1, order 1, body.bias [2] = "), "{report}");
}

#[test]
fn what_is_wrong_in_one_mode_alone_is_named_with_it() {
    let x = x(4);
    for wrong in [Mode::Training, Mode::Evaluation] {
        let run = |check: ModuleCheck| {
            check
                .run(&mut net(), |m, tape| {
                    let b = tape.param(m.head.bias.as_ref().unwrap());
                    let here = tape.is_training() == (wrong == Mode::Training);
                    let b = if here { faulty(b, 1, 1.5, When::Always) } else { b };
                    (m.body.forward(tape.constant(&x)).tanh().narrow(1, 0, 2) + b).square().sum()
                })
                .unwrap()
        };
        let report = run(ModuleCheck::new("mode"));
        only(&report, Compared::Swept, "head.bias", &[1]);
        assert!(report.mismatches.iter().all(|m| m.setting.mode == wrong), "{report}");
        assert!(!run(ModuleCheck::new("mode").modes([wrong])).passed());
        let other = if wrong == Mode::Training { Mode::Evaluation } else { Mode::Training };
        assert!(run(ModuleCheck::new("mode").modes([other])).passed());
    }
}

#[test]
fn what_is_wrong_in_the_second_order_alone_is_found() {
    let x = x(4);
    let run = |check: ModuleCheck| {
        check
            .run(&mut net(), |m, tape| {
                let h = through(&m.body.weight, tape.constant(&x), |w| faulty(w, 4, 1.01, When::SecondOrder));
                h.tanh().square().sum()
            })
            .unwrap()
    };
    let report = run(ModuleCheck::new("second order"));
    assert!(report.first.iter().all(|e| *e < 1e-6), "{report:?}");
    assert!(report.mismatches.iter().all(|m| m.compared == Compared::Curvature && m.name == "body.weight"));
    assert!(report.to_string().contains("order 2, body.weight [1, "), "{report}");
    assert!(report.worst() > 1e-6 && !report.passed(), "{report}");
    assert!(run(ModuleCheck::new("second order").first_order()).passed());
}

#[test]
fn a_recorded_gradient_that_is_not_the_swept_one_is_found() {
    let x = x(4);
    let report = ModuleCheck::new("recorded")
        .first_order()
        .run(&mut net(), |m, tape| {
            let h = through(&m.body.weight, tape.constant(&x), |w| faulty(w, 4, 1.0 + 1e-4, When::Recorded));
            h.tanh().square().sum()
        })
        .unwrap();
    let printed = only(&report, Compared::Recorded, "body.weight", &[1, 1]);
    assert!(printed.contains(": swept ") && printed.contains(", recorded "), "{report}");
}

#[test]
fn what_is_wrong_with_an_input_alone_is_named() {
    let report = ModuleCheck::new("input")
        .run_with_inputs(&mut net(), &[x(4), Tensor::from([1.0, 2.0])], |m, x| {
            let scale = faulty(x[1], 1, 1.001, When::Always);
            (m.head.forward(m.body.forward(x[0]).tanh()).square() * scale).sum()
        })
        .unwrap();
    let printed = only(&report, Compared::Swept, "input 1", &[1]);
    assert!(printed.contains("training, order 1, input 1 [1] = 2.0: by differences "), "{report}");
}

#[test]
fn nothing_compared_is_a_failure() {
    let x = x(4);
    let mut model = net();
    let run = |check: ModuleCheck, model: &mut Net| {
        let report = check
            .run(model, |m, tape| m.head.forward(m.body.forward(tape.constant(&x)).tanh()).square().sum())
            .unwrap();
        assert!(!report.passed() && report.worst().is_nan() && report.compared == 0, "{report}");
        report.to_string()
    };
    assert!(
        run(ModuleCheck::new("none").directions(0), &mut model)
            .ends_with("nothing was compared: no directions")
    );
    assert!(run(ModuleCheck::new("none").modes([]), &mut model).ends_with("nothing was compared: no modes"));
    model.freeze();
    let frozen = run(ModuleCheck::new("none"), &mut model);
    assert!(frozen.ends_with("nothing was compared: all parameters are frozen"), "{frozen}");
    let report = gradcheck::check_slopes(
        &mut model,
        |m, tape| m.head.forward(m.body.forward(tape.constant(&x)).tanh()).square().sum(),
        3,
        1e-6,
    );
    assert!(report.unwrap()[0].is_nan());
    let empty =
        ModuleCheck::new("none").run(&mut Sequential::<f64>::new(), |_, tape| tape.constant(1.0)).unwrap();
    assert!(
        empty.to_string().ends_with("nothing was compared: the model has no parameters of f64"),
        "{empty}"
    );
    // The parameters are frozen, so the input is compared.
    let input = ModuleCheck::new("input")
        .run_with_inputs(&mut model, std::slice::from_ref(&x), |m, x| m.body.forward(x[0]).tanh().sum())
        .unwrap();
    assert!(input.passed() && input.frozen.len() == 4, "{input}");
}

#[test]
fn a_loss_that_changes_is_not_deterministic() {
    let x = x(4);
    let calls = Cell::new(0.0);
    let report = ModuleCheck::new("changes")
        .run(&mut net(), |m, tape| {
            calls.set(calls.get() + 1.0);
            m.body.forward(tape.constant(&x)).sum() + calls.get()
        })
        .unwrap();
    assert!(report.to_string().contains("changes: training: not deterministic: the loss is "), "{report}");
    let report = ModuleCheck::new("gradient changes")
        .run(&mut net(), |m, tape| {
            calls.set(calls.get() + 1.0);
            let y = m.body.forward(tape.constant(&x)).sum();
            y + (y - y.detach()) * calls.get()
        })
        .unwrap();
    assert!(report.to_string().contains("the gradient of body.weight [0, 0] is "), "{report}");
}

#[test]
fn a_panic_is_reported_and_the_parameters_are_put_back() {
    let x = x(4);
    let mut model = net();
    // Bits that arithmetic would not preserve.
    model.body.bias.as_mut().unwrap().set(Tensor::from([-0.0, 0.0, 1e-320, 0.1])).unwrap();
    let before = bits(&model);
    for after in [0, 1, 5, 40] {
        let calls = Cell::new(0);
        let report = ModuleCheck::new("panics")
            .run(&mut model, |m, tape| {
                calls.set(calls.get() + 1);
                assert!(calls.get() != after + 1, "the {after}th call");
                m.head.forward(m.body.forward(tape.constant(&x)).tanh()).square().sum()
            })
            .unwrap();
        assert_eq!(bits(&model), before);
        assert!(report.to_string().contains(&format!("panicked: the {after}th call")), "{report}");
        assert!(report.worst().is_nan());
    }
    for after in [0, 1, 5, 40] {
        let calls = Cell::new(0);
        let e = ModuleCheck::new("fails").run(&mut model, |m, tape| {
            calls.set(calls.get() + 1);
            let y = m.head.forward(m.body.forward(tape.constant(&x)).tanh()).square().sum();
            if calls.get() > after { y.reshape([2]) } else { y }
        });
        assert_eq!(bits(&model), before);
        assert!(e.unwrap_err().detail().ends_with("(training)"));
    }
    let report = ModuleCheck::new("right")
        .run(&mut model, |m, tape| m.head.forward(m.body.forward(tape.constant(&x)).tanh()).square().sum())
        .unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(bits(&model), before);
}
