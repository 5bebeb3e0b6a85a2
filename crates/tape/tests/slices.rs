//! Gradients that do not come from a tape, code in single precision, and surrogate gradients: right ones pass, wrong ones are reported.

use std::cell::Cell;
use wengert_ops::Tensor;
use wengert_tape::Var;
use wengert_tape::gradcheck::Check;

/// x₀² x₁ + |x₂|
fn f(x: &[f64]) -> f64 {
    x[0] * x[0] * x[1] + x[2].abs()
}

fn df(x: &[f64]) -> Vec<f64> {
    vec![2.0 * x[0] * x[1], x[0] * x[0], x[2].signum()]
}

const AT: [f64; 3] = [1.5, -0.5, 2.0];

#[test]
fn right_gradients_of_slices_pass_also_at_kinks_and_poles() {
    for x in [AT, [0.0, 0.0, 0.0], [1e8, 1e-8, -1e-9]] {
        let report = Check::new("f").gradient(f, df, &x);
        assert!(report.passed() && report.compared == 3, "{report}");
    }
    let report = Check::new("1/x").gradient(|x| 1.0 / x[0], |x| vec![-1.0 / (x[0] * x[0])], &[1e-6]);
    assert!(report.passed(), "{report}");
    let report = Check::new("√x").gradient(|x| x[0].sqrt(), |_| vec![f64::INFINITY], &[0.0]);
    assert!(report.passed(), "{report}");
}

#[test]
fn wrong_gradients_of_slices_are_reported_with_the_name_of_the_part() {
    let parts = [("w", &[2, 1][..]), ("b", &[])];
    let check = Check::new("f").parts(parts);
    let wrong = |k: usize| {
        move |x: &[f64]| {
            let mut d = df(x);
            d[k] *= 1.001;
            d
        }
    };
    for (k, place) in [(0, "w [0, 0] = 1.5"), (1, "w [1, 0] = -0.5"), (2, "b [] = 2.0")] {
        let report = check.gradient(f, wrong(k), &AT);
        assert_eq!(report.mismatches.len(), 1);
        assert!(
            report.to_string().contains(&format!("order 1, {place}, output 0: by differences ")),
            "{report}"
        );
    }
    let report = check.gradient(f, df, &[1.0]);
    assert!(report.to_string().contains("the parts have 3 numbers, and x has 1"), "{report}");
}

#[test]
fn derivatives_of_the_wrong_number_are_errors() {
    let check = Check::new("f");
    let text = check.gradient(f, |x| df(x)[..2].to_vec(), &AT).to_string();
    assert!(text.contains("derivatives of 1 outputs by 3 inputs: expected 3 numbers, found 2"), "{text}");
    let pair = |x: &[f64]| vec![x[0] * x[1], x[1]];
    let text = check.jvp(pair, |_, _| vec![0.0], &[1.0, 2.0]).to_string();
    assert!(text.contains("jvp, one number per output: expected 2 numbers, found 1"), "{text}");
    let text = check.vjp(pair, |_, _| vec![0.0], &[1.0, 2.0]).to_string();
    assert!(text.contains("vjp, one number per input: expected 2 numbers, found 1"), "{text}");
    assert!(!check.gradient(|_| 1.0, |_| Vec::new(), &[]).passed());
    let text = check.gradient(|x| x[3], df, &AT).to_string();
    assert!(text.contains("panicked: index out of bounds"), "{text}");
}

#[test]
fn products_with_jacobians_are_compared_in_both_modes() {
    let f = |x: &[f64]| vec![x[0] * x[1], x[1].sin(), x[0]];
    let vjp = |x: &[f64], u: &[f64]| vec![u[0] * x[1] + u[2], u[0] * x[0] + u[1] * x[1].cos()];
    let jvp = |x: &[f64], v: &[f64]| vec![v[0] * x[1] + x[0] * v[1], x[1].cos() * v[1], v[0]];
    let x = [0.7, -1.2];
    for check in [Check::new("f"), Check::new("f").directions(3)] {
        for report in [check.vjp(f, vjp, &x), check.jvp(f, jvp, &x)] {
            assert!(report.passed(), "{report}");
        }
        let forgotten = check.vjp(f, |x, u| vec![u[0] * x[1], u[0] * x[0] + u[1] * x[1].cos()], &x);
        assert!(forgotten.to_string().contains("input 0 [0] = 0.7"), "{forgotten}");
        let forgotten = check.jvp(f, |x, v| vec![v[0] * x[1], x[1].cos() * v[1], v[0]], &x);
        assert!(forgotten.to_string().contains("input 0 [1] = -1.2"), "{forgotten}");
    }
}

#[test]
fn a_derivative_that_changes_from_call_to_call_is_reported() {
    let calls = Cell::new(0.0);
    let drifting = |x: &[f64]| {
        calls.set(calls.get() + 1e-13);
        df(x).into_iter().map(|d| d + calls.get()).collect()
    };
    let text = Check::new("f").gradient(f, drifting, &AT).to_string();
    assert!(text.contains("derivative 0: ") && text.contains("when evaluated again"), "{text}");
}

#[test]
fn single_precision_is_judged_with_its_own_digits() {
    let at = |v: f32| [Tensor::from([v])];
    type Function = for<'t> fn(Var<'t, f32>) -> Var<'t, f32>;
    let right: [(&str, Function); 8] = [
        ("sin", |x| x.sin()),
        ("exp", |x| x.exp()),
        ("sigmoid", |x| x.sigmoid()),
        ("square", |x| x.square()),
        ("abs", |x| x.abs()),
        ("relu", |x| x.relu()),
        ("under an offset", |x| x.sin() + 100.0f32),
        ("recip", |x| (x + 10.0f32).recip()),
    ];
    for (name, f) in right {
        for v in [0.0, 0.5, -2.0, 1e-3, 3.0, 1e-8] {
            let report = Check::new(name).first_order().run_f32(|x| f(x[0]), &at(v));
            assert!(report.passed() && report.skipped == 0, "{name} at {v}: {report}");
            let report = Check::new(name).first_order().run_f32(|x| shifted(f, x[0]), &at(v));
            assert!(!report.passed(), "{name} at {v}: a wrong gradient passes");
        }
    }
    /// f with a derivative that is too large by 1.5, which is outside of the sides of every kink above.
    fn shifted<'t>(f: Function, x: Var<'t, f32>) -> Var<'t, f32> {
        f(x) + (x - x.detach()) * 1.5f32
    }
}

#[test]
fn a_surrogate_must_be_the_function_whose_gradient_is_used() {
    fn step<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        let soft = (x * 2.0).sigmoid();
        soft + (soft.zeros_like() + x.value().map(|x| x.map(|x| f64::from(u8::from(x > 0.0)))) - soft)
            .detach()
    }
    let x = [Tensor::from([0.3, -1.0, 0.0])];
    let report = Check::new("step").run_against(|x| step(x[0]), |x| (x[0] * 2.0).sigmoid(), &x);
    assert!(report.passed() && report.skipped == 0, "{report}");
    let report = Check::new("step").run_against(|x| step(x[0]), |x| x[0].sigmoid(), &x);
    assert_eq!(report.mismatches.len(), 3);
}
