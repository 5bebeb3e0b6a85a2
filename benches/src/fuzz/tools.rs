//! `tape::gradcheck` and the table of operations.

use crate::arguments::Arguments;
use crate::function::{Function, Seen, done, table};
use wengert::ops::Tensor;
use wengert::tape::case;
use wengert::tape::gradcheck::mutants::{self, Mutation};
use wengert::tape::gradcheck::{
    Case, Check, Differences, Domain, Kind, LayoutKind, Mismatch, Order, Property, Report, Spec, Tolerance,
    outputs, suite,
};
use wengert::tape::{Float, Var};

/// A small input in double precision.
fn input<T: Float>(a: &mut Arguments<'_, T>) -> Tensor<f64> {
    let shape = a.sizes::<2>().map(|n| n.min(2));
    a.tensor_of(&shape).cast()
}

/// A function that is differentiable, not differentiable, or failing.
fn function(which: usize, x: Var<'_, f64>) -> Var<'_, f64> {
    match which {
        0 => x.abs(),
        1 => x.detach() * x,
        2 => x.matmul(x),
        3 => x.log(),
        _ => x.tanh(),
    }
}

fn checked<T: Float>(a: &mut Arguments<'_, T>, check: Check) -> Report {
    let (x, which) = (input(a), a.below(9));
    check.run(|x| x.first().map_or_else(|| unreachable!(), |x| function(which, *x)), &[x])
}

fn check<T: Float>(a: &mut Arguments<'_, T>) -> Check {
    let check = Check::new("fuzz").seed(a.bits()).tolerance(a.number()).directions(a.below(3));
    if a.once_in(2) { check.first_order() } else { check }
}

fn spec() -> Spec {
    Spec::unary("fuzz", Domain::Real, |x| case!(x, [], |x| x[0].tanh()))
}

pub(crate) fn functions<T: Float>() -> Vec<Function<T>> {
    table! { a;
        "tape::Check" {
            new: done(Check::new("fuzz"));
            tolerance: done(Check::new("fuzz").tolerance(a.number()));
            rtol: { let check = Check::new("fuzz").rtol(a.number()); checked(a, check).to_string() };
            atol: { let check = Check::new("fuzz").atol(a.number()); checked(a, check).to_string() };
            step: { let check = Check::new("fuzz").step(a.number()); checked(a, check).to_string() };
            input_names: { let check = Check::new("fuzz").input_names(["x", "y"].into_iter().take(a.below(3)));
                checked(a, check).to_string() };
            allow_non_finite: { let check = check(a).allow_non_finite(); checked(a, check).to_string() };
            allow_empty: { let check = check(a).allow_empty(); checked(a, check).to_string() };
            first_order: { let check = Check::new("fuzz").first_order(); checked(a, check).to_string() };
            directions: { let check = Check::new("fuzz").directions(a.below(3));
                checked(a, check).to_string() };
            seed: { let check = Check::new("fuzz").first_order().seed(a.bits()); done(checked(a, check)) };
            run: { let check = check(a); checked(a, check).to_string() };
            run_many: { let x = [input(a), input(a)]; let n = a.below(3);
                check(a).run_many(|x| x[..n].to_vec(), &x).to_string() };
            run_against: { let (x, f, g) = (input(a), a.below(9), a.below(9));
                check(a).run_against(|x| function(f, x[0]), |x| function(g, x[0]), &[x]).to_string() };
            run_f32: { let x = input(a).cast();
                check(a).run_f32(|x| x[0].tanh(), &[x]).to_string() };
            run_f32_against: { let (x, g) = (input(a).cast(), a.below(9));
                check(a).run_f32_against(|x| x[0].tanh(), |x| function(g, x[0]), &[x]).to_string() };
            single_precision: { let check = check(a).single_precision(); checked(a, check).to_string() };
            gradient: { let (x, n) = (input(a).to_vec(), a.below(4));
                check(a).gradient(|x| x.iter().sum(), |_| vec![1.0; n], &x).to_string() };
            jacobian: { let (x, n) = (input(a).to_vec(), a.below(4));
                check(a).jacobian(|x| x.to_vec(), |_| vec![1.0; n], &x).to_string() };
            vjp: { let (x, n) = (input(a).to_vec(), a.below(4));
                check(a).vjp(|x| x.to_vec(), |_, u| u[..n.min(u.len())].to_vec(), &x).to_string() };
            jvp: { let (x, n) = (input(a).to_vec(), a.below(4));
                check(a).jvp(|x| x.to_vec(), |_, v| v[..n.min(v.len())].to_vec(), &x).to_string() };
            parts: { let (x, sizes) = (input(a).to_vec(), a.sizes::<2>());
                let check = check(a).parts([("w", &sizes[..1]), ("b", &sizes[1..])]);
                check.gradient(|x| x.iter().sum(), |x| vec![1.0; x.len()], &x).to_string() };
        }
        "tape::Report" {
            passed: { let check = check(a); checked(a, check).passed() };
            merge: { let (first, second) = (check(a), check(a)); let mut report = checked(a, first);
                report.merge(checked(a, second)); report.passed() };
            wrong: { let check = check(a); checked(a, check).wrong().len() };
        }
        "tape::Case" {
            many: done(Case::many(vec![input(a)], |x| vec![x[0]], |x| vec![x[0]]).inputs);
            new: done(Case::new(vec![input(a)], |x| x[0].tanh(), |x| x[0].tanh()).inputs);
            double: done(Case::double(vec![input(a)], |x| vec![x[0]]).inputs);
            single: done(Case::single(vec![input(a)], |x| vec![x[0]]).inputs);
            surrogate: done(Case::double(vec![input(a)], |x| vec![x[0]]).surrogate(|x| vec![x[0]]).inputs);
            reference: done(Case::double(vec![input(a)], |x| vec![x[0]]).reference(|x| vec![x[0]]).inputs);
            arguments: Case::double(vec![input(a)], |x| vec![x[0]]).arguments("axis = 0").arguments;
        }
        "tape::Mismatch" {
            relative_error: {
                let (input, element) = (a.below(3), a.below(3));
                let (differences, tape) = ((a.number(), a.number()), a.number());
                Mismatch { order: 1, input, name: "x".to_owned(), element, index: vec![element], at: a.number(),
                    shape: vec![3], strides: vec![1], output: None, differences, tape }.relative_error()
            };
        }
        "tape::Differences" {
            new: done(Differences::new(|t| Ok(vec![t]), vec![a.number()], a.number(), a.number()));
            of_terms: { let size = a.number(); let differences = Differences::new(|t| Ok(vec![t]), vec![0.0], 0.0, 1e-4);
                differences.of_terms(size).judge(0, 1.0, 1.0, 0.0, Tolerance::default()).map(|v| format!("{v:?}")) };
            judge: {
                let (y, c, at, step) = (a.number(), a.number(), a.number(), a.number());
                let f = move |t: f64| Ok(vec![(y + t).sin() * c]);
                let mut differences = Differences::new(f, vec![y.sin() * c], at, step);
                differences.judge(0, a.number(), a.number(), a.number(), Tolerance::default()).map(|v| format!("{v:?}"))
            };
        }
        "tape::Kind" {
            of: done(Kind::of(a.bits()));
        }
        "tape::LayoutKind" {
            of: { let (x, which, axis) = (input(a), a.below(5), a.below(3));
                LayoutKind::ALL[which].of(&x, axis) };
        }
        "tape::Mutation" {
            name: Mutation::ALL[a.below(Mutation::ALL.len())].name().len();
        }
        "tape::Property" {
            name: Property::ALL[a.below(Property::ALL.len())].name().len();
        }
        "tape::mutants" {
            run: { let mutation = Mutation::ALL[a.below(Mutation::ALL.len())];
                mutants::run(&spec(), &[mutation], a.bits(), a.below(2)).len() };
        }
        "tape::Spec" {
            new: done(Spec::new("fuzz", Order::First, |g| case!(vec![g.tensor(&[2], Domain::Real)], [],
                |x| x[0])).name);
            unary: done(spec().name);
            family: Spec::family(&["a", "b"][..a.below(3)], Order::First, |g, _| case!(vec![g.tensor(&[2],
                Domain::Real)], [], |x| x[0])).len();
            second_order: done(spec().second_order().order);
            accurate_to: done(spec().accurate_to(a.number(), a.number()).accuracy);
            in_units_of: done(spec().in_units_of(a.number()).accuracy);
            gradient_in_units_of: done(spec().gradient_in_units_of(a.number()).accuracy);
            at: done(spec().at(&[0.5]).points);
            allow_non_finite: done(spec().allow_non_finite().allow_non_finite);
            draw: done(spec().draw(a.bits()).0.inputs);
            rtol: done(spec().rtol(a.number()).tolerance);
            atol: done(spec().atol(a.number()).tolerance);
            step: done(suite::run(&spec().step(a.number()), a.bits(), a.below(2)));
            input_names: spec().input_names(["x"].into_iter().take(a.below(2))).inputs.len();
            combinations: spec().combinations(a.below(3)).combinations;
            unscaled: done(suite::run(&spec().unscaled(), a.bits(), a.below(2)));
            gradient_at: { let (x, g) = (input(a), input(a));
                let case = move || case!(vec![x.clone()], [], |x| x[0].tanh());
                let spec = spec().gradient_at(case, vec![g; a.below(3)]);
                suite::run(&spec, 0, 0).to_string() };
            not_differentiable_at: { let x = input(a);
                let case = move || case!(vec![x.clone()], [], |x| x[0].abs());
                suite::run(&spec().not_differentiable_at(case), 0, 0).to_string() };
            draw_split: done(spec().draw_split(a.bits()).0.inputs);
        }
        "tape::Outcome" {
            passed: suite::run(&spec(), a.bits(), 0).passed();
            merge: { let (mut sum, cases) = (suite::run_points(&spec()), a.below(2));
                sum.merge(suite::run(&spec(), a.bits(), cases)); sum.to_string() };
            complete: { let mut outcome = suite::run(&spec(), a.bits(), a.below(2)); outcome.complete(); outcome.to_string() };
        }
        "tape::FailedCase" {
            input_texts: { let wrong = Spec::unary("wrong", Domain::Real, |x| case!(x, [], |x| x[0].tanh().detach()));
                let failed = suite::run(&wrong, a.bits(), 1).failed;
                failed.iter().map(|case| case.input_texts().len()).sum::<usize>() };
        }
        "tape::suite" {
            run: done(suite::run(&spec(), a.bits(), a.below(2)));
            run_points: suite::run_points(&spec()).passed();
            run_case: { let property = Property::ALL.get(a.below(Property::ALL.len() + 1)).copied();
                suite::run_case(&spec(), a.bits(), property).map_or(0, |outcome| outcome.cases) };
            run_property: { let property = Property::ALL[a.below(Property::ALL.len())];
                suite::run_property(&spec(), property, a.bits(), a.below(2)).to_string() };
            run_all: { let specs: Vec<_> = (0..a.below(3)).map(|_| spec()).collect();
                suite::run_all(&specs, a.bits(), a.below(2), |_| {}).len() };
        }
        "tape::spec" {
            outputs: { let tape = wengert::tape::Tape::<f64>::new(); outputs([tape.var(a.number()); 2]).len() };
        }
    }
}
