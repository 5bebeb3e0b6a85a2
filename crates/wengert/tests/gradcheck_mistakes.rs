//! Broken derivatives, each of which a check must catch with a report that says what is wrong, and right functions that are awkward to
//! check, none of which it may flag.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert::ops::parallel;
use wengert::prelude::*;
use wengert::tape::gradcheck::{Property, Spec, suite};

/// The value of one function with the gradient of another: how a mistake in a derivative looks from outside.
fn claim<'t, T: Float>(value: Var<'t, T>, gradient: Var<'t, T>) -> Var<'t, T> {
    value.detach() + (gradient - gradient.detach())
}

/// Every case that failed must say the op, the input with an element and its value, and both numbers.
fn caught(spec: &Spec, property: Property, input: &str, says: &str) {
    let outcome = suite::run_property(spec, property, 0, 60);
    let text = outcome.to_string();
    assert!(!outcome.passed(), "not caught: {text}");
    assert!(text.starts_with(&format!("{}: FAILED", spec.name)), "{text}");
    assert!(text.contains(says), "{says:?} is not in {text}");
    let of_input: Vec<_> = outcome.report.mismatches.iter().filter(|m| m.name == input).collect();
    let shown = of_input.iter().any(|m| {
        let place = format!("{input} {:?} = {:?}", m.index, m.at);
        text.contains(&place) && text.contains(&format!("{:?}", m.tape)) && text.contains("by differences")
    });
    assert!(
        shown || text.contains(input) && (of_input.is_empty() || !outcome.report.failures.is_empty()),
        "{text}"
    );
}

macro_rules! broken {
    ($($name:ident: |$($x:ident),+| $call:expr, [$($options:tt)*], $property:ident, $input:literal, $says:literal;)*) => {
        $(gradcheck_test!($name, |$($x),+| $call, spec, skip(all), $($options)*);)*

        mod caught {
            $(#[test]
            fn $name() {
                super::caught(&super::$name::spec(), super::Property::$property, $input, $says);
            })*
        }

        /// Name, code, property and entry of each mistake.
        fn mistakes() -> Vec<(&'static str, &'static str, Property, Spec)> {
            vec![$((stringify!($name), stringify!($call), Property::$property, $name::spec()),)*]
        }
    };
}

broken! {
    // Numbers.
    sign: |x| claim(x.sin(), -x.sin()), [], FirstOrder, "x", "relative error 2.0e0";
    factor_two: |x| claim(x.square(), x.square() * 2.0), [x in POSITIVE], FirstOrder, "x", "relative error 1.0e0";
    factor_half: |x| claim(x.square(), x.square() * 0.5), [x in POSITIVE], FirstOrder, "x", "relative error 5.0e-1";
    one_percent: |x| claim(x.exp(), x.exp() * 1.01), [x in -1.0..=1.0], FirstOrder, "x", "relative error 1.0e-2";
    last_digits: |x| claim(x.exp(), x.exp() * 1.0001), [x in -1.0..=1.0], FirstOrder, "x", "relative error 1.0e-4";
    detached: |x| x.sin().detach(), [x in -1.0..=1.0], FirstOrder, "x", "swept 0.0";
    added: |x| claim(x.tanh(), x.tanh() + x * 0.001), [], FirstOrder, "x", "swept";
    another_function: |x| claim(x.tanh(), x.sigmoid()), [], FirstOrder, "x", "swept";
    tiny_function: |x| claim(x.sin() * 1e-8, x.sin() * 2e-8), [], FirstOrder, "x", "e-9";
    under_an_offset: |x| claim(x.sin() + 1e6, x.sin() * 1.01), [], FirstOrder, "x", "swept";

    // Rules of differentiation.
    chain_rule: |x| claim((x * 3.0).sin(), (x * 3.0).sin() / 3.0), [x in -0.4..=0.4], FirstOrder, "x", "relative error 6.7e-1";
    product_rule: |x, y| x * y.detach(), [], FirstOrder, "y", "swept 0.0";
    swapped: |x, y| claim(x * y.square(), y * x.square()), [], FirstOrder, "x", "swept";
    quotient_rule: |x, y| claim(x / y, x / y.detach() + x.detach() / y.detach().square() * y), [y in POSITIVE], FirstOrder, "y", "relative error 2.0e0";
    exponent: |x| claim(x * x * x, x.square() * 1.5), [x in POSITIVE], FirstOrder, "x", "swept";
    base_of_logarithm: |x| claim(x.log2(), x.log()), [x in POSITIVE], FirstOrder, "x", "swept";
    power_of_root: |x| claim(x.sqrt(), x.sqrt() * x.detach()), [x in POSITIVE], FirstOrder, "x", "swept";

    // Sums and shapes.
    mean_of_bias: |x, b| claim(x + b, x + b / (x.dim(0) as f64)), [x: [n, m], b: [m], n in 2..=4], FirstOrder, "b", "swept";
    mean_for_sum: |x| claim(x.sum(), x.mean()), [x: [n], n in 2..=4], FirstOrder, "x", "by differences 1.000000000";
    sum_for_mean: |x| claim(x.mean(), x.sum()), [x: [n], n in 2..=4], FirstOrder, "x", "swept 1.0";
    softmax_diagonal: |x| { let y = x.softmax(-1).detach(); claim(x.softmax(-1), x * (y - y.square())) }, [x: [m, n], n in 2..=4], FirstOrder, "x", "swept 0.0";
    no_normaliser: |x| claim(x.log_softmax(-1), x), [x: [m, n], n in 2..=4], FirstOrder, "x", "swept 1.0";
    transposed_factor: |x, w| claim(x.matmul(w), x.matmul(w.t().detach()) + x.detach().matmul(w)), [x: [n, n], w: [n, n], n in 2..=3], FirstOrder, "x", "swept";
    forgotten_factor: |x, w| x.matmul(w.detach()), [x: [n, k], w: [k, m]], FirstOrder, "w", "swept 0.0";
    not_transposed_back: |x| claim(x.t(), x), [x: [n, n], n in 2..=3], FirstOrder, "x", "by differences 1.000000000, swept 0.0";
    not_reversed_back: |x| claim(x.slice(0, Slice::all().step(-1)), x), [x: [n], n in 2..=4], FirstOrder, "x", "by differences 0, swept 1.0";
    running_sum: |x| claim(x.cumsum(0), x.sum() - x.cumsum(0) + x), [x: [n], n in 2..=4], FirstOrder, "x", "by differences 0, swept 1.0";
    exchanged_parts: |x, y| claim(x.tape().concat(&[x, y], 0), x.tape().concat(&[y, x], 0)), [x: [n], y: [n]], FirstOrder, "y", "swept";
    last_element: |x| claim(x.sin(), x.sin() * mask(x.numel(), x.numel() - 1)), [x: [n] in -1.0..=1.0], FirstOrder, "x", "swept 0.0";
    tail_of_a_block: |x| claim(x.sin(), x.sin() * mask(x.numel(), 16)), [x: [n] in -1.0..=1.0], FirstOrder, "x", "(Large)";

    // Branches and kinks.
    leaky: |x| claim(x.relu(), x.relu() + x * 0.01), [kinks = [0.0]], FirstOrder, "x", "by differences 0, swept 0.01";
    one_branch: |x| claim(x.abs(), x), [kinks = [0.0]], FirstOrder, "x", "by differences -1.000000000, swept 1.0";
    no_clamp: |x| claim(x.clamp(-1.0, 1.0), x), [kinks = [-1.0, 1.0]], FirstOrder, "x", "by differences 0, swept 1.0";
    outside_of_the_sides: |x| claim(x.abs(), x.abs() + x * at_zero(x)), [kinks = [0.0]], FirstOrder, "x", "by differences between -1.000000000 and 1.000000000, swept 1.5";
    convention: |x| x.relu(), [kinks = [0.0], at(0.0 => 0.5)], Points, "x", "swept Tensor::from(0.0), declared Tensor::from(0.5)";
    smooth_after_all: |x| x.softplus(), [not_differentiable_at(0.0)], Points, "x", "is differentiable, and declared not to be: x at Tensor::from(0.0)";
    straight_through: |x| x * 0.0 + rounded(x), [surrogate = |x| x], FirstOrder, "x", "by differences 1.000000000, swept 0.0";
    undefined_at_zero: |x| x.sin() / x, [points = [0.0]], FirstOrder, "x", "cannot be compared with the tape's NaN: the function is not finite there";

    // Second order.
    no_curvature: |x| claim(x.sin(), x * x.cos().detach()), [x in 0.5..=1.0], SecondOrder, "x", "order 2, x [";
    curvature_factor: |x| { let g = x * x.cos().detach(); claim(x.sin(), g + (x.sin() - g) * 1.01) }, [x in 0.5..=1.0], SecondOrder, "x", "order 2, x [";

    // Requests, layouts, precision, modes, threads.
    not_deterministic: |x| x * (1.0 + 1e-12 * CALLS.fetch_add(1, Ordering::Relaxed) as f64), [], Cotangents, "output 0", "when evaluated again";
    strided: |x| if contiguous(x) { x.sin() } else { x.sin() * 1.5 }, [x: [n, m]], Layouts, "value 0", "with contiguous inputs";
    single_value: |x| x * single(x, 1e-3), [], F32, "output 0", "in f64";
    single_gradient: |x| claim(x, x * single(x, 1e-2)), [], F32, "gradient of x []", "in f64";
    evaluating: |x| if x.tape().is_recording() { x * 2.0 } else { x * 3.0 }, [], Modes, "value 0", "on a recording tape";
    threads_of_the_sum: |x| if parallel::threads() == 3 { x * 2.000001 } else { x * 2.0 }, [], Threads, "value 0", "on one";
    first_of_none: |x| x * x.numel().checked_sub(1).expect("an element") as f64, [], Empty, "an element", "panicked";
    broadcast_bias: |x, y| claim(x + y, x + y * (y.numel() as f64 / (x + y).numel().max(1) as f64)), [broadcast], Broadcast, "y", "swept";

    // Arguments.
    wrong_shape: |x, w| x.matmul(w), [x: [n, k], w: [m, k], n in 2..=2, k in 3..=3, m in 2..=2], FirstOrder, "matmul", "[2, 3]";
}

fn book() -> (PathBuf, String) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/gradient-checks-in-ci.md");
    let text = std::fs::read_to_string(&file).unwrap();
    (file, text)
}

/// The rows of the book's table are the mistakes above and the first lines of their reports. `UPDATE_LISTING=1` writes them.
#[test]
fn the_book_lists_every_mistake() {
    let row = |(name, code, property, spec): &(&str, &str, Property, Spec)| {
        let outcome = suite::run_property(spec, *property, 0, 60).to_string();
        let mut lines = outcome.lines().skip(2).map(str::trim);
        let first = lines.find(|line| !line.contains("case of seed")).unwrap_or_default();
        let first = first.strip_prefix(&format!("{name}: ")).unwrap_or(first);
        // These numbers depend on the order of the tests.
        let random = first.contains("when evaluated again");
        let first = if random { "output 0 [..]: .., and .. when evaluated again" } else { first };
        let short: String = first.chars().take(150).collect();
        let dots = if short.len() < first.len() { " ..." } else { "" };
        let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
        format!("| `{name}` | `{code}` | `{}` | `{short}{dots}` |\n", property.name())
    };
    let all = mistakes();
    assert!(all.len() >= 40, "{}", all.len());
    let rows: String = all.iter().map(row).collect();
    let table = format!("| Test | Code | Property | Report |\n|---|---|---|---|\n{rows}");
    let (file, text) = book();
    let (start, end) = ("<!-- mistakes -->\n", "<!-- end of mistakes -->");
    let (before, rest) = text.split_once(start).unwrap();
    let (found, after) = rest.split_once(end).unwrap();
    if std::env::var_os("UPDATE_LISTING").is_some() {
        std::fs::write(file, format!("{before}{start}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(found, table, "write the table with UPDATE_LISTING=1");
    }
}

/// The quotient rule of the book.
#[gradcheck(y in POSITIVE, spec, skip(all))]
fn ratio<'t, T: Float>(x: Var<'t, T>, y: Var<'t, T>) -> Var<'t, T> {
    let wrong = x / y.detach() + y * x.detach() / y.detach().square();
    (x / y).detach() + wrong - wrong.detach()
}

#[test]
fn the_book_shows_a_report() {
    let report = suite::run_property(&ratio::spec(), Property::FirstOrder, 3, 1).to_string();
    assert!(book().1.contains(&format!("```text\n{report}\n```")), "the book does not show\n{report}");
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

/// Ones, and zeros from an index on.
fn mask<T: Float>(n: usize, from: usize) -> Tensor<T> {
    Tensor::from((0..n).map(|i| if i < from { T::ONE } else { T::ZERO }).collect::<Vec<_>>())
}

/// 1.5 where x is 0.
fn at_zero<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x.zeros_like() + x.value().map(|x| x.map(|x| if x == T::ZERO { T::from_f64(1.5) } else { T::ZERO }))
}

fn rounded<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x.zeros_like() + x.round()
}

fn contiguous<T: Float>(x: Var<'_, T>) -> bool {
    x.value().is_ok_and(|x| x.is_contiguous())
}

/// 1, and 1 + `more` in single precision.
fn single<T: Float>(_: Var<'_, T>, more: f64) -> f64 {
    if size_of::<T>() == 4 { 1.0 + more } else { 1.0 }
}

/// Integer arguments: wrong for one value of several.
#[gradcheck(x: [n, m], axis in [0, 1], n in 2..=3, m in 2..=3, spec, skip(all))]
fn one_axis<'t, T: Float>(x: Var<'t, T>, axis: isize) -> Var<'t, T> {
    if axis == 1 { claim(x.sum_axes(axis), x.mean_axes(axis)) } else { x.sum_axes(axis) }
}

#[test]
fn the_value_of_an_argument_is_printed() {
    caught(&one_axis::spec(), Property::FirstOrder, "x", "axis = 1");
    let outcome = suite::run_property(&one_axis::spec(), Property::FirstOrder, 0, 60);
    assert!(!outcome.to_string().contains("axis = 0"), "{outcome}");
}

struct Pair<'t, T: Float> {
    a: Var<'t, T>,
    b: Var<'t, T>,
}

/// The field of a struct, and the second of two outputs.
#[gradcheck(pair: Pair { a: [n], b: [n] in 0.5..=1.0 }, spec, skip(all))]
fn field<'t, T: Float>(pair: Pair<'t, T>) -> (Var<'t, T>, Var<'t, T>) {
    (pair.a.sin(), claim(pair.b.exp(), pair.b.exp() * 2.0))
}

#[test]
fn a_field_and_an_output_are_named() {
    caught(&field::spec(), Property::FirstOrder, "pair.b", "order 1, pair.b [");
}

/// Code in single precision only.
#[gradcheck(x in 0.5..=1.0, spec, skip(all))]
fn only_single<'t>(x: Var<'t, f32>) -> Var<'t, f32> {
    claim(x.exp(), x.exp() * 1.01f32)
}

/// A mistake that differences in single precision cannot see, but a reference can.
#[gradcheck(x in 0.5..=1.0, reference = |x| x.exp(), spec, skip(all))]
fn referred<'t>(x: Var<'t, f32>) -> Var<'t, f32> {
    claim(x.exp(), x.exp() * 1.001f32)
}

#[gradcheck(x in 0.5..=1.0, reference = |x| x.exp(), spec, skip(all))]
fn another_value<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x.exp() + 0.5
}

#[test]
fn single_precision_and_references() {
    caught(&only_single::spec(), Property::FirstOrder, "x", "order 1, x [");
    caught(&referred::spec(), Property::FirstOrder, "x", "order 1, x [");
    caught(&another_value::spec(), Property::FirstOrder, "value of output 0", "of the reference");
}

/// The tests that the next one runs in a process of their own.
mod on_purpose {
    #[test]
    #[ignore = "fails on purpose"]
    fn first_order() {
        super::suite::assert_property(&super::ratio::spec(), super::Property::FirstOrder, 0, 20);
    }
}

/// A failing test says the property, the line, and how to run the case again; the environment chooses cases.
#[test]
fn a_failing_test_prints_the_line_that_runs_its_case_again() {
    let output = |variables: &[(&str, &str)]| {
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        test.args(["--ignored", "--exact", "on_purpose::first_order"]).envs(variables.iter().copied());
        let output = test.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let text = output(&[]);
    let place = "first_order of ratio at crates/wengert/tests/gradcheck_mistakes.rs:";
    assert!(text.contains(place) && text.contains("\n  20 cases: "), "{text}");
    assert!(
        text.contains("\n  again: WENGERT_SEED=3 WENGERT_CASES=1 cargo test on_purpose::first_order"),
        "{text}"
    );
    let again = output(&[("WENGERT_SEED", "3"), ("WENGERT_CASES", "1")]);
    assert!(
        again.contains("\n  1 cases: ") && again.contains("y: Tensor::from(3.385506812977244)"),
        "{again}"
    );
    let other = output(&[("WENGERT_SEED", "1000")]);
    assert!(!other.contains("3.385506812977244") && other.contains("case of seed 10"), "{other}");
    let refused = output(&[("WENGERT_CASES", "many")]);
    assert!(
        refused.contains("WENGERT_CASES: expected a number that is not negative, found \"many\""),
        "{refused}"
    );
}

/// Right functions that are awkward to check.
mod awkward {
    use wengert::prelude::*;

    gradcheck_test!(relu, |x| x.relu(), kinks = [0.0]);
    // Kinks that nobody has declared.
    gradcheck_test!(undeclared_relu, |x| x.relu());
    gradcheck_test!(undeclared_absolute, |x| x.abs() * x.cos());
    gradcheck_test!(undeclared_clamp, |x| x.clamp(-1.0, 1.0) * x);
    gradcheck_test!(undeclared_maximum, |x, y| x.maximum(y) * x, broadcast);
    gradcheck_test!(undeclared_hinge, |x| (1.0 - x).relu().square());
    gradcheck_test!(undeclared_ties, |x| x.max_along(0).0, x: [n, m]);
    gradcheck_test!(absolute, |x| x.abs(), kinks = [0.0], at(0.0 => 0.0));
    gradcheck_test!(ties_of_maximum, |x, y| x.maximum(y), broadcast, x in Grid, y in Grid);
    gradcheck_test!(ties_along_an_axis, |x, axis: isize| x.max_along(axis).0, x: [n, m] in Grid, axis in [0, 1]);
    gradcheck_test!(second_derivative_jumps, |x| x * x.abs(), order = 1);
    gradcheck_test!(squared_relu, |x| x.relu().square(), kinks = [0.0]);
    gradcheck_test!(near_a_pole, |x| x.recip(), x in 1e-3..=1e-2);
    gradcheck_test!(edge_of_the_domain, |x| x.sqrt(), x in 1e-6..=1e-3);
    gradcheck_test!(fast_wave, |x| (x * 1e3).sin(), x in -1.0..=1.0, skip(f32));
    gradcheck_test!(under_an_offset, |x| x.sin() + 1e8, skip(f32));
    gradcheck_test!(small, |x| x.sin() * 1e-8);
    gradcheck_test!(large, |x| x.sin() * 1e8);
    gradcheck_test!(constant, |x| x.zeros_like() + 3.0);
    gradcheck_test!(identity, |x| x);
    gradcheck_test!(steps, |x| x.zeros_like() + x.floor(), x in 0.1..=0.9);
    gradcheck_test!(branch, |x| x * 2.0 + x.clamp(-1.0, 1.0).square(), kinks = [-1.0, 1.0]);
    gradcheck_test!(sorted, |x| x.sort(0, false).0, x: [n] in Grid);
    gradcheck_test!(product_with_zeros, |x| x.prod_axes(0), x: [n, m] in Grid, order = 2);
    gradcheck_test!(softmax, |x| x.softmax(-1), x: [.., n], accurate_to(4.0, 8.0));
    gradcheck_test!(far_softplus, |x| x.softplus(), points = [88.0, -88.0, 709.0]);
    gradcheck_test!(
        huber,
        |x| {
            let inside = x.clamp(-1.0, 1.0);
            inside.square() * 0.5 + (x - inside) * inside
        },
        kinks = [-1.0, 1.0]
    );
    gradcheck_test!(norm, |x| x.square().sum().sqrt(), x: [n] in NON_ZERO);
    gradcheck_test!(several, |x, y| [x * y, x + y, x], x: [n], y: [n]);
    gradcheck_test!(unused_input, |x, y| x.sin() + y.detach() * 0.0, x: [n], y: [n]);
    gradcheck_test!(straight_through, |x| x + (x.zeros_like() + x.round() - x).detach(), surrogate = |x| x);
    gradcheck_test!(determinant, |x| x.det(), x = { let a = g.tensor(&[n, n], Between(-0.3, 0.3)); spd(&a) }, n in 1..=3);

    use wengert::tape::gradcheck::Domain::Between;

    /// A matrix away from singular ones.
    fn spd(a: &Tensor<f64>) -> Tensor<f64> {
        let n = a.shape()[0];
        Tensor::<f64>::eye(n).and_then(|eye| eye.add(a)).unwrap()
    }
}
