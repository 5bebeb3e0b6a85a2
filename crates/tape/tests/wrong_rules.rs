//! A test of the checks: rules with deliberate, realistic mistakes are reported with op, input, element and both numbers;
//! correct ones pass.

use wengert_ops::Tensor;
use wengert_tape::gradcheck::{Case, Check, Domain, Order, Report, Spec, suite};
use wengert_tape::{
    BackwardContext, Cotangents, ErrorKind, Float, ForwardOutput, Op, Pointwise, Real, Result, Tape, Var,
    VjpContext, cotangents,
};

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Nothing,
    /// The cotangent is off by a factor.
    Factor(f64),
    /// The cotangent is off by a constant.
    Offset(f64),
    /// The cotangent is correct for positive arguments only.
    Negative,
    /// The cotangent is that of another element.
    Shifted,
    /// The rule uses a result of `forward` as a constant.
    Detached,
    /// The fast kernel is correct, the rule is not.
    OnlyRule,
    /// The rule is correct, the fast kernel is not.
    OnlyKernel,
    /// The fast kernel is correct, the composite is another function.
    OnlyComposite,
}

/// x³.
struct Cube(Fault);

impl Op<f64> for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(x[0].map(|x| x * x * x).into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        let (x, g) = (r.x(0), r.gy());
        let right = g * x * x * 3.0;
        cotangents([Some(match self.0 {
            Fault::Nothing | Fault::OnlyKernel | Fault::OnlyComposite => right,
            Fault::Factor(c) => right * c,
            Fault::Offset(c) => right + c,
            Fault::Negative => right * x.value().unwrap().map(|x| if x < 0.0 { -1.0 } else { 1.0 }),
            Fault::Shifted => right.slice(0, wengert_ops::Slice::all().step(-1)),
            Fault::Detached => g * x.square().detach() * 3.0,
            Fault::OnlyRule => right * 2.0,
        })])
    }
    fn backward(&self, r: &BackwardContext<'_, f64>) -> Option<Result<Cotangents<Tensor<f64>>>> {
        let kernel = |factor: f64| -> Result<_> {
            let slope = r.x(0)?.map(|x| factor * x * x);
            Ok(cotangents([Some(slope.mul(r.gy()?)?)]))
        };
        match self.0 {
            Fault::OnlyRule | Fault::OnlyComposite => Some(kernel(3.0)),
            Fault::OnlyKernel => Some(kernel(2.0)),
            _ => None,
        }
    }
    fn composite<'t>(&self, x: &[Var<'t, f64>]) -> Option<Vec<Var<'t, f64>>> {
        (self.0 == Fault::OnlyComposite).then(|| vec![x[0].square() * x[0] * 1.5])
    }
}

fn check_cube(fault: Fault) -> Report {
    let x = Tensor::from([0.7, -1.3, 2.0]);
    Check::new("cube").run(|x| x[0].tape().apply(Cube(fault), &[x[0]]), &[x])
}

#[test]
fn the_right_rule_passes() {
    let report = check_cube(Fault::Nothing);
    assert!(report.passed(), "{report}");
    // 3 × 3 entries, and 3 outputs by 3 + 3 inputs in the second order.
    assert_eq!((report.compared, report.skipped), (9 + 18, 0));
    assert!(report.worst < 1e-9, "{report}");
}

#[test]
fn a_wrong_rule_is_reported_with_everything_needed_to_find_it() {
    // The fault; order, element and output of the first wrong entry; the correct value, and the value found.
    let slope = |x: f64| 3.0 * x * x;
    let cases = [
        (Fault::Factor(2.0), (1, 0, 0), slope(0.7), 2.0 * slope(0.7)),
        (Fault::Factor(-1.0), (1, 0, 0), slope(0.7), -slope(0.7)),
        (Fault::Factor(1.001), (1, 0, 0), slope(0.7), 1.001 * slope(0.7)),
        (Fault::Factor(0.999), (1, 0, 0), slope(0.7), 0.999 * slope(0.7)),
        (Fault::Factor(0.0), (1, 0, 0), slope(0.7), 0.0),
        (Fault::Factor(1e-3), (1, 0, 0), slope(0.7), 1e-3 * slope(0.7)),
        (Fault::Offset(1e-3), (1, 0, 0), slope(0.7), slope(0.7) + 1e-3),
        (Fault::Factor(f64::NAN), (1, 0, 0), slope(0.7), f64::NAN),
        (Fault::Factor(f64::INFINITY), (1, 0, 0), slope(0.7), f64::INFINITY),
        (Fault::Negative, (1, 1, 1), slope(1.3), -slope(1.3)),
        (Fault::Shifted, (1, 0, 0), slope(0.7), 0.0),
        (Fault::OnlyKernel, (1, 0, 0), slope(0.7), 2.0 * 0.7 * 0.7),
    ];
    for (fault, (order, element, output), expected, got) in cases {
        let report = check_cube(fault);
        assert!(!report.passed(), "{fault:?}: {report}");
        let m = report.mismatches.first().unwrap_or_else(|| panic!("{fault:?}: {report}"));
        assert_eq!((m.order, m.input, m.element, m.output), (order, 0, element, Some(output)), "{fault:?}");
        let close = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-7;
        assert!(close(m.differences.0, expected) && close(m.differences.1, expected), "{fault:?}: {m:?}");
        assert!(close(m.tape, got), "{fault:?}: {m:?}");
        assert_eq!((&m.name[..], &m.index[..], m.at), ("input 0", &[element][..], [0.7, -1.3, 2.0][element]));
        let text = report.to_string();
        for part in [
            "cube: FAILED".to_owned(),
            format!("cube: order {order}, input 0 [{element}] = {:?}, output {output}: ", m.at),
            format!("by differences {expected:.6}"),
            format!("swept {:?}, relative error ", m.tape),
        ] {
            assert!(text.contains(&part), "{fault:?}: {part:?} is not in {text}");
        }
    }
}

#[test]
fn a_rule_that_is_right_only_at_first_order_is_reported() {
    for (fault, got) in [(Fault::OnlyRule, 2.0), (Fault::OnlyComposite, 1.5)] {
        let report = check_cube(fault);
        assert!(!report.passed() && report.mismatches.is_empty(), "{fault:?}: {report}");
        // The recorded gradient differs from the swept one in every element.
        let failure = report.failures[0].strip_prefix("gradient of input 0 [0]: swept ").unwrap();
        let (swept, rest) = failure.split_once(", recorded ").unwrap();
        let recorded = rest.strip_suffix(" (and 2 more elements)").unwrap();
        let ratio = recorded.parse::<f64>().unwrap() / swept.parse::<f64>().unwrap();
        assert!((ratio - got).abs() < 1e-6, "{failure}");
        assert_eq!(report.failures.len(), 1, "{report}");
    }
    let report = check_cube(Fault::Detached);
    assert!(!report.passed() && report.failures.is_empty(), "{report}");
    assert!(report.mismatches.iter().all(|m| m.order == 2), "{report}");
    assert!(report.to_string().contains("cube: order 2, input 0 ["), "{report}");
    // For the detached rule only d/dx is wrong: 0 instead of 6 g x. The derivative with respect to the cotangent, input 1,
    // is correct.
    assert!(report.mismatches.iter().all(|m| m.input == 0 && m.tape == 0.0 && m.differences.0 != 0.0));
    assert_eq!(report.mismatches.len(), 3, "{report}");
}

#[test]
fn directions_see_what_the_full_jacobian_sees() {
    for fault in [Fault::Nothing, Fault::Factor(1.001), Fault::Negative, Fault::Detached] {
        let x = Tensor::from([0.7, -1.3, 2.0]);
        let report = Check::new("cube").directions(3).run(|x| x[0].tape().apply(Cube(fault), &[x[0]]), &[x]);
        assert_eq!(report.passed(), fault == Fault::Nothing, "{fault:?}: {report}");
    }
}

#[test]
fn a_tolerance_is_a_tolerance() {
    let x = Tensor::from([0.7, -1.3, 2.0]);
    for (tolerance, passes) in [(1e-2, true), (1e-4, false)] {
        let check = Check::new("cube").tolerance(tolerance).first_order();
        let report =
            check.run(|x| x[0].tape().apply(Cube(Fault::Factor(1.001)), &[x[0]]), std::slice::from_ref(&x));
        assert_eq!(report.passed(), passes, "{tolerance}: {report}");
    }
}

/// The sum or the product of a matrix and a row, with a rule that treats its two inputs as given.
#[derive(Clone, Copy)]
struct WithRow {
    product: bool,
    rule: RowRule,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum RowRule {
    Right,
    /// The row's cotangent is not summed over the rows of the matrix.
    Unreduced,
    /// The row's cotangent is a mean instead of a sum.
    Averaged,
    /// The row is treated as a constant.
    Forgets,
    /// Only the recorded rule treats the row as a constant.
    ForgetsLater,
    /// The row's cotangent is zero.
    Zero,
    /// There is one entry too few.
    Short,
    /// Neither rule nor composite exists.
    Missing,
    /// The two cotangents are exchanged (they would have each other's shape).
    Exchanged,
}

impl Op<f64> for WithRow {
    fn name(&self) -> &'static str {
        "with_row"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(if self.product { x[0].mul(x[1])? } else { x[0].add(x[1])? }.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        let g = r.gy();
        let (a, b) = if self.product { (g * r.x(1), g * r.x(0)) } else { (g, g) };
        let row = b.sum_axes(0);
        match self.rule {
            RowRule::Right => cotangents([Some(a), Some(row)]),
            RowRule::Unreduced => cotangents([Some(a), Some(b)]),
            RowRule::Averaged => cotangents([Some(a), Some(b.mean_axes(0))]),
            RowRule::Forgets | RowRule::ForgetsLater => cotangents([Some(a), None]),
            RowRule::Zero => cotangents([Some(a), Some(row * 0.0)]),
            RowRule::Short => cotangents([Some(a)]),
            RowRule::Missing => Cotangents::new(),
            RowRule::Exchanged => cotangents([Some(row), Some(a)]),
        }
    }
    fn backward(&self, r: &BackwardContext<'_, f64>) -> Option<Result<Cotangents<Tensor<f64>>>> {
        let right = || -> Result<_> {
            let g = r.gy()?;
            let (a, b) =
                if self.product { (g.mul(r.x(1)?)?, g.mul(r.x(0)?)?) } else { (g.clone(), g.clone()) };
            Ok(cotangents([Some(a), Some(b.sum_axes(0)?)]))
        };
        (self.rule == RowRule::ForgetsLater).then(right)
    }
}

fn check_row(product: bool, rule: RowRule) -> Report {
    let inputs = [Tensor::from([[0.4, -0.8, 1.5], [2.0, 0.3, -1.1]]), Tensor::from([1.2, 0.6, -0.5])];
    Check::new("with_row").run(|x| x[0].tape().apply(WithRow { product, rule }, &[x[0], x[1]]), &inputs)
}

#[test]
fn a_rule_that_breaks_its_contract_is_an_error_that_names_op_and_shapes() {
    let cases: [(RowRule, &[&str]); 6] = [
        (RowRule::Unreduced, &["cotangent of shape [2, 3]", "input of shape [3]"]),
        (RowRule::Exchanged, &["cotangent of shape [3]", "input of shape [2, 3]"]),
        (RowRule::Forgets, &["no cotangent", "[3]"]),
        (RowRule::ForgetsLater, &["no cotangent", "[3]"]),
        (RowRule::Short, &["1 cotangents for 2 inputs"]),
        (RowRule::Missing, &["the op has no rule"]),
    ];
    for product in [false, true] {
        for (rule, parts) in &cases {
            let report = check_row(product, *rule);
            assert!(!report.passed(), "{rule:?}: {report}");
            let text = report.to_string();
            let order = if *rule == RowRule::ForgetsLater { "recorded gradient" } else { "first order:" };
            assert!(text.contains(order), "{rule:?}: {text}");
            assert!(text.contains("with_row: FAILED") && text.contains("with_row: the"), "{rule:?}: {text}");
            assert!(text.contains("wrong_rules.rs"), "{rule:?}: no location in {text}");
            for part in *parts {
                assert!(text.contains(part), "{rule:?}: {part:?} is not in {text}");
            }
        }
        assert!(check_row(product, RowRule::Right).passed(), "{}", check_row(product, RowRule::Right));
    }
}

#[test]
fn a_wrong_second_input_is_reported_as_the_second() {
    for (rule, expected, got) in [(RowRule::Zero, 1.0, 0.0), (RowRule::Averaged, 1.0, 0.5)] {
        let report = check_row(false, rule);
        let m = report.mismatches.first().unwrap_or_else(|| panic!("{rule:?}: {report}"));
        assert_eq!((m.order, m.input, m.element, m.output), (1, 1, 0, Some(0)), "{rule:?}");
        assert!((m.differences.0 - expected).abs() < 1e-8 && m.tape == got, "{rule:?}: {m:?}");
        assert!(report.to_string().contains("with_row: order 1, input 1 [0] = 1.2, output 0"), "{report}");
    }
}

/// The same on the tape itself, for a user who never ran a check.
#[test]
fn the_sweep_refuses_a_rule_that_forgets_an_input() {
    for rule in [RowRule::Forgets, RowRule::Unreduced, RowRule::Short, RowRule::Missing] {
        let tape = Tape::<f64>::new();
        let (x, b) = (tape.var(Tensor::ones([2, 3])), tape.var(Tensor::ones([3])));
        let y = tape.apply(WithRow { product: true, rule }, &[x, b]).sum();
        let recorded = y.grad(b).map(|_| ()).unwrap_err();
        let swept = y.backward().map(|_| ()).unwrap_err();
        for e in [swept, recorded] {
            assert_eq!((e.kind(), e.op()), (ErrorKind::Rule, "with_row"), "{rule:?}: {e}");
        }
    }
}

/// 2x with an invalid composite, with or without a fast kernel.
struct Composite {
    kernel: bool,
    form: for<'t> fn(Var<'t, f64>) -> Vec<Var<'t, f64>>,
}

impl Op<f64> for Composite {
    fn name(&self) -> &'static str {
        "composed"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(x[0].scale(2.0).into())
    }
    fn backward(&self, r: &BackwardContext<'_, f64>) -> Option<Result<Cotangents<Tensor<f64>>>> {
        self.kernel.then(|| Ok(cotangents([Some(r.gy()?.scale(2.0))])))
    }
    fn composite<'t>(&self, x: &[Var<'t, f64>]) -> Option<Vec<Var<'t, f64>>> {
        Some((self.form)(x[0]))
    }
}

#[test]
fn a_composite_that_cannot_stand_for_its_op_is_an_error_and_not_a_zero() {
    type Form = for<'t> fn(Var<'t, f64>) -> Vec<Var<'t, f64>>;
    let cases: [(Form, ErrorKind, &str); 5] = [
        (|x| vec![x.reshape([7])], ErrorKind::Op(wengert_ops::ErrorKind::Shape), "reshape"),
        (
            |x| vec![(x.matmul(Tensor::ones([9])) * x).tanh()],
            ErrorKind::Op(wengert_ops::ErrorKind::Shape),
            "matmul",
        ),
        (|_| vec![], ErrorKind::Rule, "composed"),
        (|x| vec![x * 2.0, x], ErrorKind::Rule, "composed"),
        (|x| vec![(x * 2.0).unsqueeze(0)], ErrorKind::Rule, "composed"),
    ];
    for (i, (form, kind, op)) in cases.into_iter().enumerate() {
        for kernel in [false, true] {
            let tape = Tape::<f64>::new();
            let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
            let y = tape.apply(Composite { kernel, form }, &[x]).sum();
            let e = y.grad(x).map(|g| g.value()).unwrap_err();
            assert_eq!((e.kind(), e.op()), (kind, op), "case {i}: {e}");
            assert!(e.location().is_some_and(|l| l.file().ends_with("wrong_rules.rs")), "case {i}: {e}");
            match y.backward() {
                Ok(grads) => assert!(kernel && grads.wrt(x).unwrap().to_vec() == [2.0; 3], "case {i}"),
                Err(e) => assert!(!kernel && e.location().is_some(), "case {i}: {e}"),
            }
        }
    }
}

/// A cotangent that is not needed may be omitted.
#[test]
fn a_rule_may_leave_out_what_needs_no_gradient() {
    let tape = Tape::<f64>::new();
    let (x, b) = (tape.var(Tensor::ones([2, 3])), tape.constant(Tensor::ones([3])));
    let y = tape.apply(WithRow { product: true, rule: RowRule::Forgets }, &[x, b]);
    assert_eq!(y.sum().grad(x).unwrap().value().unwrap().to_vec(), [1.0; 6]);
    assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [1.0; 6]);
}

#[test]
fn an_op_applied_to_one_value_twice_must_give_both_cotangents() {
    let x = Tensor::from([[0.4, -0.8, 1.5], [2.0, 0.3, -1.1]]);
    struct Times(bool);
    impl Op<f64> for Times {
        fn name(&self) -> &'static str {
            "times"
        }
        fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
            Ok(x[0].mul(x[1])?.into())
        }
        fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
            let second = if self.0 { r.gy() * r.x(0) } else { r.x(1).zeros_like() };
            cotangents([Some(r.gy() * r.x(1)), Some(second)])
        }
    }
    let check = |right| {
        Check::new("times")
            .run(move |x| x[0].tape().apply(Times(right), &[x[0], x[0]]), std::slice::from_ref(&x))
    };
    assert!(check(true).passed(), "{}", check(true));
    let report = check(false);
    let m = report.mismatches.first().unwrap();
    assert!((m.differences.0 - 0.8).abs() < 1e-8 && (m.tape - 0.4).abs() < 1e-12, "{report}");
}

/// sin, whose declared derivative is `self.0` times the cosine.
#[derive(Clone)]
struct Wave(f64);

impl Pointwise for Wave {
    const NAME: &'static str = "wave";
    const USES_Y: bool = false;
    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.sin()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.apply(wengert_tape::rules::cos::Cos).scale(self.0)
    }
}

/// A derivative that reads an output that it declares unused.
#[derive(Clone)]
struct Liar;

impl Pointwise for Liar {
    const NAME: &'static str = "liar";
    const USES_Y: bool = false;
    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.exp()
    }
    #[inline(always)]
    fn df<R: Real>(&self, _x: R, y: R) -> R {
        y
    }
}

#[test]
fn pointwise_functions_are_held_to_the_same() {
    let x = Tensor::from([0.3, -1.1]);
    for (factor, passes) in [(1.0, true), (-1.0, false), (1.001, false)] {
        let report = Check::new("wave").run(|x| x[0].pointwise(Wave(factor)), std::slice::from_ref(&x));
        assert_eq!(report.passed(), passes, "{report}");
        if !passes {
            let m = &report.mismatches[0];
            assert!(
                (m.differences.0 - 0.3f64.cos()).abs() < 1e-8
                    && (m.tape - factor * 0.3f64.cos()).abs() < 1e-8
            );
            assert!(report.to_string().contains("wave: order 1, input 0 [0] = 0.3, output 0"));
        }
    }
    let report = Check::new("liar").run(|x| x[0].pointwise(Liar), &[x]);
    assert!(!report.passed(), "{report}");
}

/// |x| with the given derivative at 0.
#[derive(Clone)]
struct Bent(f64);

impl Pointwise for Bent {
    const NAME: &'static str = "bent";
    const USES_Y: bool = false;
    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        x.abs()
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let zero = x.like(0.0);
        let off = R::select(x.lt(zero), x.like(-1.0), x.like(1.0));
        R::select(x.equals(zero), x.like(self.0), off)
    }
}

#[test]
fn at_a_kink_anything_between_the_sides_is_right_and_nothing_else() {
    let x = Tensor::from([1.0, 0.0, -2.0]);
    for (at_zero, passes) in
        [(-1.0, true), (0.0, true), (0.3, true), (1.0, true), (1.5, false), (-1.01, false), (f64::NAN, false)]
    {
        let report =
            Check::new("bent").first_order().run(|x| x[0].pointwise(Bent(at_zero)), std::slice::from_ref(&x));
        assert_eq!(report.passed(), passes, "{at_zero}: {report}");
        if !passes {
            let text = report.to_string();
            assert!(
                text.contains("input 0 [1] = 0.0") && text.contains("by differences between -1.0"),
                "{text}"
            );
        } else if at_zero != 0.0 {
            assert_eq!(report.kinks, 1, "{report}");
        }
    }
}

/// 2x, wrong under one condition.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Double {
    Right,
    /// The value of a strided tensor is read in the order of memory.
    IgnoresStrides,
    /// The gradient of a strided tensor is read in the order of memory.
    IgnoresStridesLater,
    /// Single precision is rounded to eight bits.
    Coarse,
}

impl<T: Float> Op<T> for Double {
    fn name(&self) -> &'static str {
        "double"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let y = x[0].scale(2.0);
        Ok(match self {
            Double::IgnoresStrides if !x[0].is_contiguous() => backwards(&y)?,
            Double::Coarse if size_of::<T>() == 4 => {
                y.map(|v| T::from_f64(f64::from(v.to_f64() as f32 * 256.0).round() / 256.0))
            }
            _ => y,
        }
        .into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let g = r.gy() * 2.0;
        let strided = r.x(0).value().is_ok_and(|x| !x.is_contiguous());
        cotangents([Some(match *self {
            Double::IgnoresStridesLater if strided => g * 3.0,
            Double::IgnoresStrides if strided => {
                g.reshape([-1]).slice(0, wengert_ops::Slice::all().step(-1)).reshape(g.shape())
            }
            _ => g,
        })])
    }
}

fn backwards<T: Float>(t: &Tensor<T>) -> wengert_ops::Result<Tensor<T>> {
    t.reshape([-1])?.slice(0, wengert_ops::Slice::all().step(-1))?.reshape(t.shape())
}

#[test]
fn the_suite_finds_what_only_some_inputs_show() {
    let spec = |op: Double| {
        Spec::new("double", Order::Second, move |g| {
            let shape = g.full_shape(1..=3);
            let x = vec![g.tensor(&shape, Domain::Real)];
            Case::new(x, move |x| x[0].tape().apply(op, &[x[0]]), move |x| x[0].tape().apply(op, &[x[0]]))
        })
    };
    for (op, part) in [
        (Double::Right, None),
        (Double::IgnoresStrides, Some("(strides [")),
        (Double::IgnoresStridesLater, Some("order 1, input 0 [")),
        (Double::Coarse, Some("f32: ")),
    ] {
        let outcome = suite::run(&spec(op), 3, 40);
        assert_eq!(outcome.report.passed(), part.is_none(), "{op:?}: {outcome}");
        assert!(outcome.strided > 5, "{outcome}");
        if let Some(part) = part {
            let text = outcome.to_string();
            assert!(text.contains("double: FAILED") && text.contains(part), "{op:?}: {text}");
        }
    }
}

/// An op that fails in `forward`, and a function that fails: a check of it must not pass.
#[test]
fn a_check_that_could_not_run_has_not_passed() {
    let x = [Tensor::from([[1.0, 2.0, 3.0]])];
    let report = Check::new("impossible").run(|x| x[0].matmul(x[0]), &x);
    assert!(!report.passed() && report.compared == 0, "{report}");
    assert!(report.to_string().contains("matmul") && report.to_string().contains("[1, 3]"), "{report}");
}

/// Asks for an input that does not exist: in the recorded rule, or in the kernel.
struct OutOfRange {
    eager: bool,
}

impl Op<f64> for OutOfRange {
    fn name(&self) -> &'static str {
        "out_of_range"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(x[0].clone().into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        assert!(!r.needs(9) && r.when(9, || ()).is_none() && r.gy_of(9).is_failed());
        cotangents([Some(r.x(9))])
    }
    fn backward(
        &self,
        r: &BackwardContext<'_, f64>,
    ) -> Option<wengert_tape::Result<Cotangents<Tensor<f64>>>> {
        assert!(!r.needs(9) && r.shape(9).is_empty());
        self.eager.then(|| Ok(cotangents([Some(r.x(9)?.clone())])))
    }
}

#[test]
fn a_rule_that_asks_for_an_input_that_is_not_there_is_an_error() {
    for eager in [true, false] {
        let tape = Tape::new();
        let x = tape.var(Tensor::from([1.0, 2.0]));
        let y = tape.apply(OutOfRange { eager }, &[x]).sum();
        let recorded = y.grad(x).map(|g| g.value());
        let e = y.backward().unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Rule);
        assert!(e.detail().contains("there is no input 9: the op has 1"), "{e}");
        assert!(!matches!(recorded, Ok(Ok(_))));
    }
}
