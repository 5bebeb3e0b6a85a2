//! Proptest's strategies: a failure shrinks to the mistake and not to a kink, prints so that it can be pasted, and is replayed from a
//! regression file.
#![cfg(feature = "proptest")]

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner};
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert::prelude::*;
use wengert::tape::gradcheck::{Check, Domain};

type Function = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

fn config(seed: u64) -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    }
}

/// The property that is tested everywhere here: the gradient of f is right at x.
fn right(f: Function, x: &Tensor<f64>) -> Result<(), TestCaseError> {
    let report = Check::new("f").first_order().allow_empty().run(|x| f(x[0]), std::slice::from_ref(x));
    prop_assert!(report.passed(), "{}", report);
    Ok(())
}

/// The input to which a failure shrinks, and its report.
fn minimal(config: ProptestConfig, domain: Domain, f: Function) -> (Tensor<f64>, String) {
    match TestRunner::new(config).run(&strategies::tensor(0..=3, domain), |x| right(f, &x)) {
        Err(TestError::Fail(reason, x)) => (x, reason.to_string()),
        other => panic!("no failure: {other:?}"),
    }
}

/// The value of one function with the gradient of another.
fn claim<'t>(value: Var<'t, f64>, gradient: Var<'t, f64>) -> Var<'t, f64> {
    value.detach() + (gradient - gradient.detach())
}

#[test]
fn a_failure_shrinks_to_the_mistake_and_not_to_the_kink() {
    let kinked: [(Function, Domain); 3] = [
        (|x| claim(x.abs(), x), Domain::Kinks(&[0.0])), // wrong for x < 0
        (|x| claim(x.relu(), x.relu() + x * 0.01), Domain::Kinks(&[0.0])), // wrong everywhere
        (|x| claim(x.clamp(-1.0, 1.0), x), Domain::Kinks(&[-1.0, 1.0])), // wrong for |x| > 1
    ];
    for (f, domain) in kinked {
        for seed in 0..5 {
            let (x, report) = minimal(config(seed), domain, f);
            assert_eq!(x.numel(), 1, "{x:?}");
            let v = x.to_vec()[0];
            let Domain::Kinks(kinks) = domain else { unreachable!() };
            assert!(kinks.iter().all(|k| (v - k).abs() >= 0.01), "at a kink: {x:?}");
            assert!((v * 8.0).fract() == 0.0 || v.abs() <= 2.5, "not simple: {x:?}");
            assert!(report.contains("by differences") && !report.contains("between"), "{report}");
        }
    }
}

#[test]
fn the_smallest_failure_is_an_expression() {
    let (x, report) = minimal(config(0), Domain::Real, |x| claim(x.square(), x.square() * 1.5));
    assert_eq!(format!("{x:?}"), "Tensor::from(0.125)");
    assert!(report.contains("input 0 [] = 0.125"), "{report}");
    // What was printed, as a test.
    assert!(right(|x| x.square(), &Tensor::from(0.125)).is_ok());
    assert!(right(|x| claim(x.square(), x.square() * 1.5), &Tensor::from(0.125)).is_err());
}

#[test]
fn what_is_right_passes() {
    for domain in [Domain::Real, Domain::Kinks(&[0.0]), Domain::Grid, Domain::POSITIVE, Domain::NON_ZERO] {
        let tensors = strategies::tensor(0..=3, domain);
        TestRunner::new(config(1)).run(&tensors, |x| right(|x| x.relu() + x.sin(), &x)).unwrap();
    }
}

#[test]
fn a_regression_file_replays_the_same_failure_first() {
    let file = std::env::temp_dir().join(format!("wengert-regressions-{}.txt", std::process::id()));
    let path: &'static str = Box::leak(file.to_str().unwrap().to_owned().into_boxed_str());
    let persisted = || ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(path))),
        ..ProptestConfig::with_cases(10_000)
    };
    // Few of the tensors have an element that is wrong.
    let wrong: Function = |x| claim(x.clamp(-11.0, 11.0), x);
    let (first, _) = minimal(persisted(), Domain::Real, wrong);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("cc ") && text.contains("shrinks to"), "{text}");

    let verdicts = std::cell::RefCell::new(Vec::new());
    let again = TestRunner::new(persisted()).run(&strategies::tensor(0..=3, Domain::Real), |x| {
        let verdict = right(wrong, &x);
        verdicts.borrow_mut().push(verdict.is_ok());
        verdict
    });
    assert!(!verdicts.borrow()[0], "the case of the file is not the first");
    let Err(TestError::Fail(_, again)) = again else { panic!("no failure: {again:?}") };
    assert_eq!(format!("{first:?}"), format!("{again:?}"));
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn whole_cases_are_drawn_and_print_their_inputs() {
    static CASES: AtomicUsize = AtomicUsize::new(0);
    let cases = strategies::case(scaled::spec());
    let run = TestRunner::new(config(0)).run(&cases, |case| {
        CASES.fetch_add(1, Ordering::Relaxed);
        let call = case.double.as_ref().unwrap();
        let check = Check::new("scaled").directions(1).allow_empty().allow_non_finite();
        prop_assert!(check.run_many(|x| call(x), &case.inputs).passed());
        prop_assert!(format!("{case:?}").contains("arguments: \"factor = "), "{case:?}");
        Ok(())
    });
    run.unwrap();
    assert!(CASES.load(Ordering::Relaxed) >= 200);
}

#[gradcheck(factor in [1.0, 2.0], spec)]
fn scaled<'t, T: Float>(x: Var<'t, T>, factor: f64) -> Var<'t, T> {
    x.sin() * factor
}
