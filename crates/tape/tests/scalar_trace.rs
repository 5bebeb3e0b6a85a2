//! Tracing the scalar tape: every operation is a node with the user's line, and gradients are those of the tape without
//! tracing.

use proptest::prelude::*;
use std::panic::Location;
use wengert_tape::scalar::{
    Dual, Lanes, NodeInfo, Number, Tape, Traced, Var, affine, block, checkpoint, dot, fuse, fuse_all,
    preaccumulate, statement, sum_of_products, weighted_sum,
};
use wengert_tape::{Elementary, ErrorKind, Real};

/// Cotangents of all nodes by the chain rule over the list: an independent sweep.
fn sweep(nodes: &[NodeInfo<f64>], output: usize) -> Vec<f64> {
    let mut cotangents = vec![0.0; nodes.len()];
    cotangents[output] = 1.0;
    for i in (0..=output).rev() {
        for (&x, slope) in nodes[i].inputs.iter().zip(&nodes[i].slopes) {
            if cotangents[i] != 0.0 {
                cotangents[x] += cotangents[i] * slope;
            }
        }
    }
    cotangents
}

#[track_caller]
fn close(what: &str, a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-11 * (1.0 + a.abs().max(b.abs())), "{what}: {a} and {b}");
}

/// A random program of all operations that make nodes.
fn run<'t, T: Number>(steps: &[(u8, usize, usize)], x: &[Var<'t, T>]) -> Var<'t, T> {
    let mut all = x.to_vec();
    for &(op, i, j) in steps {
        let (a, b) = (all[i % all.len()], all[j % all.len()]);
        all.push(match op % 14 {
            0 => a + b,
            1 => a - 2.0 * b,
            2 => (a * b).tanh(),
            3 => a / (b * b + 1.0),
            4 => -a.sin(),
            5 => 1.0 / (a.square() + 0.5),
            6 => dot(&[a, b, Var::of(2.0)], &[b, Var::of(0.5), a]).tanh(),
            7 => affine(a, &[b, a], &[a, b]).sigmoid(),
            8 => weighted_sum(&[0.5, -1.5], &[a, b]),
            9 => [a, b, a].into_iter().sum::<Var<'t, T>>().cos(),
            10 => sum_of_products([(a, b), (b, b)]).tanh(),
            11 => fuse([a, b], |[a, b]| (a * b).sin()),
            12 => preaccumulate([a, b], |[a, b]| [(a + b).tanh() * a])[0].tanh(),
            _ => a.tanh().max(b.tanh()),
        });
    }
    let n = all.len();
    all[n - 1] * 1.5 + all[n - 2] - all[n - 3]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_list_the_tape_and_the_tape_without_tracing_agree(
        steps in proptest::collection::vec((any::<u8>(), 0..20usize, 0..20usize), 1..14),
        x in [-1.5..1.5f64, -1.5..1.5f64, -1.5..1.5f64],
    ) {
        let plain = Tape::new();
        let v: Vec<Var<'_>> = plain.vars(&x).collect();
        let y = run(&steps, &v);
        let want = plain.gradient(y).unwrap().of(&v).unwrap();

        let tape = Tape::<Traced>::default();
        let w: Vec<_> = tape.vars(&x.map(Traced)).collect();
        let z = run(&steps, &w);
        close("value", z.value().0, y.value());
        let g = tape.gradient(z).unwrap();
        let nodes = tape.nodes();
        let output = z.id().unwrap();
        let swept = sweep(&nodes, output);
        for (i, &w) in w.iter().enumerate() {
            close("traced", g.wrt(w).unwrap().0, want[i]);
            close("list", swept[w.id().unwrap()], want[i]);
        }
        // The list is complete, and every node has all its fields.
        for (i, n) in nodes.iter().enumerate() {
            prop_assert!(n.inputs.iter().all(|&x| x < i));
            prop_assert_eq!(n.inputs.len(), n.slopes.len());
            prop_assert_eq!(n.op.is_some(), i >= x.len());
            prop_assert!(n.location.file().ends_with("scalar_trace.rs") || n.op == Some("sum"));
            if let Some(e) = &n.equation {
                prop_assert_eq!(e.slopes.len(), n.inputs.len());
            }
        }
    }
}

/// With numbers in place of names, an equation is a correct calculation.
#[test]
fn equations_are_what_is_computed() {
    let tape = Tape::<Traced>::default();
    let [a, b] = [0.5, 2.0].map(|c| tape.var(Traced(c)));
    let lines = |y: Var<'_, Traced>| {
        let node = &tape.nodes()[y.id().unwrap()];
        let names = ["a", "b", "a", "b", "a", "b"];
        let all: Vec<&str> = node.inputs.iter().map(|&x| names[x]).collect();
        let e = node.equation.as_ref().unwrap();
        let slopes: Vec<String> = e.slopes.iter().map(|s| s.text(&all, "y")).collect();
        (e.value.text(&all, "y"), slopes.join("; "), node.slopes.clone())
    };
    let two = |a: &str, b: &str, slopes: &[f64]| (a.to_owned(), b.to_owned(), slopes.to_vec());
    assert_eq!(lines(a + b), two("a + b", "1; 1", &[1.0, 1.0]));
    assert_eq!(lines(a - b), two("a - b", "1; -1", &[1.0, -1.0]));
    assert_eq!(lines(a * b), two("a · b", "b; a", &[2.0, 0.5]));
    assert_eq!(lines(a / b), two("a / b", "1 / b; -y / b", &[0.5, -0.125]));
    assert_eq!(lines(-a), two("-a", "-1", &[-1.0]));
    assert_eq!(lines(3.0 * a), two("3 · a", "3", &[3.0]));
    assert_eq!(lines(a - 3.0), two("a - 3", "1", &[1.0]));
    assert_eq!(lines(3.0 - a), two("3 - a", "-1", &[-1.0]));
    assert_eq!(lines(3.0 / a), two("3 / a", "-y / a", &[-12.0]));
    assert_eq!(lines(a.powi(3)).0, "a³");
    assert_eq!(lines(a.max(b)).0, "maximum(a, b)");
    assert_eq!(lines(a.max(0.25)).0, "maximum(a, 0.25)");
    assert_eq!(lines(a.tanh()).1, "1 - y²");
    assert_eq!(lines(a.scale(-2.0)), two("(-2) · a", "-2", &[-2.0]));
    let half = Var::of(0.5);
    assert_eq!(lines(dot(&[a, b], &[b, half])), two("a · b + 0.5 · b", "b; a; 0.5", &[2.0, 0.5, 0.5]));
    assert_eq!(lines(affine(b, &[a], &[half])), two("0.5 · a + b", "0.5; 1", &[0.5, 1.0]));
    assert_eq!(lines(weighted_sum(&[2.0, -1.0], &[a, b])), two("2 · a - b", "2; -1", &[2.0, -1.0]));
    assert_eq!(lines([a, b, a].iter().sum()), two("a + b + a", "1; 1; 1", &[1.0, 1.0, 1.0]));
}

#[test]
fn every_line_is_the_users() {
    let tape = Tape::<Traced>::default();
    let mut expected: Vec<u32> = Vec::new();
    // A value, and the line of this call.
    macro_rules! here {
        ($e:expr) => {{
            expected.push(line!());
            $e
        }};
    }
    let x = here!(tape.var(Traced(0.5)));
    let y = here!(tape.vars(&[Traced(2.0)]).next().unwrap());
    let c = here!(tape.constant(Traced(2.0)));
    let _ = here!(x + y);
    let _ = here!(x - 1.0);
    let _ = here!(2.0 / x);
    let _ = here!(-x);
    let mut z = here!(x * y);
    here!(z += x);
    here!(z *= 3.0);
    let _ = here!(z.exp());
    let _ = here!(Elementary::sin(x));
    let _ = here!(x.power_of(y));
    let _ = here!(x.powi(4));
    let _ = here!(x.powf(1.5));
    let _ = here!(x.ln());
    let _ = here!(x.max(y));
    let _ = here!(x.min(0.0));
    let _ = here!(x.scale(2.0));
    let _ = here!(dot(&[x], &[c]));
    let _ = here!(affine(x, &[y], &[y]));
    let _ = here!(weighted_sum(&[1.0], &[x]));
    let _ = here!(sum_of_products([(x, y)]));
    let _ = here!(statement([x, y], Traced(1.0), [Traced(0.5), Traced(0.25)]));
    let _ = here!(fuse([x, y], |[x, y]| x * y));
    let _ = here!(fuse_all([x, y], |[x, y]| [x + y]));
    let _ = here!(block(&[x], &[Traced(1.0)], |g| vec![g[0]]));
    fn generic<R: Real>(x: R) -> R {
        x.tanh()
    }
    let lines: Vec<u32> = tape.nodes().iter().map(|n| n.location.line()).collect();
    assert_eq!(lines, expected);
    assert!(tape.nodes().iter().all(|n| n.location.file() == Location::caller().file()));
    let inside = generic(x).id().unwrap();
    assert_eq!(tape.nodes()[inside].location.line(), line!() - 6);
    // A dual number over the tape records value and tangent; the derivative of the sine has the location of a line of its
    // rule.
    let before = tape.nodes().len();
    let d = Dual::new(x, Var::of(1.0)).sin().tangent;
    let later: Vec<_> = tape.nodes().drain(before..).map(|n| (n.op.unwrap(), n.location.line())).collect();
    assert_eq!((later[0], later[2]), (("sin", line!() - 2), ("mul", line!() - 2)));
    assert_eq!(later[1].0, "cos");
    assert_eq!(d.value(), 0.5f64.cos());
}

#[test]
fn names_modules_and_constants() {
    let mut tape = Tape::<Traced>::default();
    {
        let x = tape.var(Traced(3.0)).named("x");
        let k = tape.constant(Traced(2.0)).named("k");
        let (inner, outer) = tape.module("block", || {
            let inner = tape.module("layer 1", || k * x);
            (inner, inner + 1.0)
        });
        let last = outer * k.value().0;
        let nodes = tape.nodes();
        let module = |v: Var<'_, Traced>| nodes[v.id().unwrap()].module.clone();
        assert_eq!(
            (module(inner).as_deref(), module(outer).as_deref()),
            (Some("block.layer 1"), Some("block"))
        );
        assert_eq!((module(x), module(last)), (None, None));
        assert_eq!(nodes[k.id().unwrap()].name.as_deref(), Some("k"));
        assert!(nodes[k.id().unwrap()].is_constant && k.is_constant() && !x.is_constant());
        let g = tape.gradient(last).unwrap();
        assert_eq!(g.wrt(x).unwrap(), 4.0);
        assert_eq!(g.wrt(inner).unwrap(), 2.0);
        let refused = g.wrt(k).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::NoGradient);
        // A plain constant is not a node, and naming it has no effect.
        let plain: Var<'_, Traced> = Var::from(2.0).named("two");
        assert!(plain.id().is_none() && plain.tape().is_none());
        // On a tape that does not trace, names and modules cost nothing and have no effect.
        let quiet = Tape::new();
        let y = quiet.module("m", || quiet.var(1.0).named("y") + 1.0).named("z");
        assert_eq!((y.value(), quiet.len()), (2.0, 1));
    }
    let before = tape.nodes().len();
    let (here, x) = (tape.position(), tape.var(Traced(1.0)).anchor());
    {
        let x = tape.revive(x).unwrap().named("again");
        let _ = x * x;
    }
    assert_eq!(tape.nodes().len(), before + 2);
    tape.rewind(here).unwrap();
    assert_eq!(tape.nodes().len(), before);
    tape.reset();
    assert!(tape.nodes().is_empty());
    let x = tape.var(Traced(2.0));
    assert_eq!(x.id(), Some(0));
    assert_eq!(tape.nodes()[0].name, None);
}

#[test]
fn parts_of_a_program_are_seen_from_inside() {
    let tape = Tape::<Traced>::default();
    let [x, y] = [0.5, 2.0].map(|c| tape.var(Traced(c)));
    let [p] = preaccumulate([x, y], |[x, y]| [x * y.sin()]);
    let c = checkpoint(&[p], |v| vec![v[0].exp() + v[0]])[0];
    let ops = |from: usize| -> Vec<&str> { tape.nodes()[from..].iter().filter_map(|n| n.op).collect() };
    assert_eq!(ops(0), ["sin", "mul", "exp", "add"]);
    // For a block only its derivatives are known: one line per output.
    let b =
        block(&[c, x], &[Traced(1.0), Traced(2.0)], |g| vec![Traced(3.0 * g[0].0), Traced(g[0].0 - g[1].0)]);
    let nodes = tape.nodes();
    let [first, second] = [b[0], b[1]].map(|y| nodes[y.id().unwrap()].clone());
    assert_eq!((first.op, first.slopes), (Some("block"), vec![3.0, 1.0]));
    assert_eq!((second.slopes, second.equation), (vec![0.0, -1.0], None));
    let z = b[0] * b[1];
    let g = tape.gradient(z).unwrap();
    let swept = sweep(&tape.nodes(), z.id().unwrap());
    for v in [x, y, p, c, b[0], b[1], z] {
        close("block", g.wrt(v).unwrap().0, swept[v.id().unwrap()]);
    }
    // A pullback of the wrong length is an error of the sweep, not an earlier panic.
    let wrong = block(&[x, y], &[Traced(1.0)], |_| vec![Traced(1.0)])[0];
    assert!(tape.gradient(wrong).is_err());
}

#[test]
fn kinks_infinities_and_single_precision() {
    let tape = Tape::<Traced>::default();
    let x = tape.var(Traced(0.0));
    // A branch that is not taken has no influence, whatever its derivative.
    let y = Var::select(x.le(Var::of(0.0)), x, x.log()) + 0.0 * x.sqrt();
    let g = tape.gradient(y).unwrap().wrt(x).unwrap();
    let plain = Tape::new();
    let v = plain.var(0.0);
    let w = Var::select(v.le(Var::of(0.0)), v, v.log()) + 0.0 * v.sqrt();
    let want = plain.gradient(w).unwrap().wrt(v).unwrap();
    assert!(g == want || g.0.is_nan() && want.is_nan(), "{g:?} {want}");
    if x > -1.0 && x < 1.0 {
        assert_eq!(x, 0.0);
    }
    let tape = Tape::<Traced<f32>>::default();
    let x = tape.var(Traced(3.0));
    let z = x * x;
    assert_eq!(tape.nodes()[1].slopes, [3.0f32, 3.0]);
    assert_eq!(tape.gradient(z).unwrap().wrt(x).unwrap(), 6.0);
    let (a, b) = (Tape::<Traced>::default(), Tape::<Traced>::default());
    let mixed = a.var(Traced(1.0)) * b.var(Traced(2.0));
    assert!(mixed.value().0.is_nan() && a.gradient(mixed).is_err() && mixed.id().is_none());
    // Lanes cannot be traced, and work as before.
    let lanes = Tape::<Lanes<2>>::default();
    let x = lanes.var(Lanes([1.0, 2.0])).named("x");
    assert_eq!(lanes.gradient(x * x).unwrap().wrt(x).unwrap(), Lanes([2.0, 4.0]));
}
