//! Sums whose terms are recorded while the sum is built, and statements of many records.

use proptest::prelude::*;
use std::cell::RefCell;
use wengert_tape::scalar::{
    Cotangents, Jet, Lanes, Number, Tape, Traced, Var, affine, block, checkpoint, fuse, preaccumulate,
    statement, sum_of_products,
};
use wengert_tape::{Elementary, Real};

/// 1 + 2 + .. + 7.
const WEIGHTS: f64 = 28.0;

#[test]
fn terms_may_be_recorded_between_those_of_a_sum() {
    let tape = Tape::new();
    let (x, y) = (tape.var(3.0), tape.var(4.0));
    let sum: Var<'_> = (1..=7).map(|k| x * y * f64::from(k)).sum();
    assert_eq!(
        (sum.value(), tape.gradient(sum).unwrap().of(&[x, y]).unwrap()),
        (WEIGHTS * 12.0, vec![WEIGHTS * 4.0, WEIGHTS * 3.0])
    );
    let terms = |k| (if k % 3 == 0 { x * y } else { x }, if k % 2 == 0 { y / x } else { y } * f64::from(k));
    let products = sum_of_products((1..=7).map(terms));
    let one_by_one = (1..=7).map(terms).fold(Var::from(0.0), |sum, (a, b)| sum + a * b);
    let gradients = [products, one_by_one].map(|z| tape.gradient(z).unwrap().of(&[x, y]).unwrap());
    assert_eq!((products.value(), &gradients[0]), (one_by_one.value(), &gradients[1]));
}

#[test]
fn variables_may_come_between_the_terms_of_a_sum() {
    let tape = Tape::new();
    let mut all = Vec::new();
    let sum: Var<'_> = (1..=7)
        .map(|k| {
            let x = tape.var(f64::from(k));
            all.push(x);
            x * 2.0
        })
        .sum();
    assert_eq!((sum.value(), tape.gradient(sum).unwrap().of(&all).unwrap()), (2.0 * WEIGHTS, vec![2.0; 7]));
}

#[test]
fn events_without_an_index_may_come_between_the_terms_of_a_sum() {
    let tape = Tape::new();
    let x = tape.var(3.0);
    for between in [
        |tape: &Tape, _: Var<'_>| assert_eq!(tape.vars(&[]).count(), 0),
        |_: &Tape, x: Var<'_>| assert!(block(&[x], &[], |_| vec![1.0]).is_empty()),
    ] {
        let sum: Var<'_> = (1..=7)
            .map(|k| {
                between(&tape, x);
                x * f64::from(k)
            })
            .sum();
        assert_eq!((sum.value(), tape.gradient(sum).unwrap().wrt(x).unwrap()), (WEIGHTS * 3.0, WEIGHTS));
    }
    // A variable after an empty run of variables is still a variable.
    assert_eq!(tape.vars(&[]).count(), 0);
    let y = tape.var(2.0);
    assert_eq!(tape.gradient(x * y * y).unwrap().of(&[x, y]).unwrap(), [4.0, 12.0]);
}

#[test]
fn a_sum_may_be_swept_from_a_position_inside_it() {
    let tape = Tape::new();
    let (x, y) = (tape.var(3.0), tape.var(4.0));
    for stop in 1..=7 {
        let mut inside = tape.position();
        let sum: Var<'_> = (1..=7)
            .map(|k| {
                if k == stop {
                    inside = tape.position();
                }
                if k % 2 == 0 { x * f64::from(k) } else { y * f64::from(k) }
            })
            .sum();
        let mut cotangents = Cotangents::default();
        tape.accumulate(sum, 1.0, inside, &mut cotangents).unwrap();
        let g = tape.finish(cotangents).unwrap().of(&[x, y]).unwrap();
        assert_eq!(g, [2.0 + 4.0 + 6.0, 1.0 + 3.0 + 5.0 + 7.0], "stopped at term {stop}");
        assert_eq!(tape.gradient(sum).unwrap().of(&[x, y]).unwrap(), g);
    }
}

#[test]
fn kept_values_may_come_between_the_terms_of_a_sum() {
    let tape = Tape::new();
    let (x, mut all) = (tape.var(3.0), Vec::new());
    let sum: Var<'_> = (1..=7)
        .map(|k| {
            all.push((x * f64::from(k)).keep());
            all[all.len() - 1]
        })
        .sum();
    let g = tape.gradient(sum).unwrap();
    assert_eq!((g.wrt(x).unwrap(), g.of(&all).unwrap()), (WEIGHTS, vec![1.0; 7]));
}

/// The product of all inputs, whose derivatives are small numbers.
fn product(x: [Var<'_>; 7]) -> Var<'_> {
    let values = x.map(Var::value);
    let others = |i: usize| (0..7).filter(|k| *k != i).map(|k| values[k]).product();
    statement(x, values.iter().product(), std::array::from_fn(others))
}

#[test]
fn long_statements_may_lie_across_chunks_of_records() {
    let mut tape = Tape::new();
    for before in 240..260 {
        tape.reset();
        let x: [Var<'_>; 7] = std::array::from_fn(|i| tape.var((i + 1) as f64));
        let chain = (0..before).fold(x[0], |sum, _| sum + x[1]);
        let len = tape.len();
        let y = product(x);
        assert_eq!((y.value(), tape.len()), (5040.0, len + 4));
        let g = tape.gradient(y + y + chain).unwrap().of(&x).unwrap();
        let want = |i: usize| 10080.0 / (i + 1) as f64 + [1.0, f64::from(before), 0.0][i.min(2)];
        assert_eq!(g, std::array::from_fn::<_, 7, _>(want));
    }
}

#[test]
fn long_statements_may_have_constants_and_one_tape() {
    let tape = Tape::new();
    let mut x: [Var<'_>; 7] = std::array::from_fn(|i| Var::from((i + 1) as f64));
    assert!(product(x).is_constant());
    x[4] = tape.var(5.0);
    let y = product(x);
    assert_eq!((y.value(), tape.len(), tape.gradient(y).unwrap().wrt(x[4]).unwrap()), (5040.0, 1, 1008.0));
    let other = Tape::new();
    x[6] = other.var(7.0);
    assert!(product(x).value().is_nan() && tape.error().is_some() && other.error().is_some());
}

/// The bytes from which a random program is built.
type Code<'a> = std::slice::Iter<'a, u8>;

/// A random value. Between the terms of a sum it may record anything: products, variables, kept values, blocks, and other
/// sums.
fn value<'t, T: Number + Send + Sync + 'static>(
    tape: &'t Tape<T>,
    x: &[Var<'t, T>; 3],
    code: &RefCell<Code<'_>>,
    depth: usize,
) -> Var<'t, T> {
    let next = || code.borrow_mut().next().copied().unwrap_or(0);
    let at = |k: u8| x[k as usize % 3];
    let inner = || value(tape, x, code, depth - 1);
    let what = if depth == 0 { next() % 6 } else { next() % 13 };
    match what {
        0 => at(next()),
        1 => at(next()) * at(next()),
        2 => (at(next()) * 0.5).keep(),
        3 => at(next()).sin(),
        4 => tape.var(T::of(0.25)) * at(next()),
        5 => Var::of(0.75),
        6 => (0..next() % 8).map(|_| inner()).sum(),
        7 => sum_of_products((0..next() % 6).map(|_| (inner(), inner()))).sin(),
        8 => (inner() * inner()).keep(),
        9 => {
            let (a, b) = (inner(), inner());
            preaccumulate([a, b], |[a, b]| [(a * b).sin() + a])[0]
        }
        10 => checkpoint(&[inner(), inner()], |v| vec![(0..4).map(|k| v[0] * v[1] * f64::from(k)).sum()])[0]
            .sin(),
        11 => {
            let all: [Var<'t, T>; 7] = std::array::from_fn(|_| inner());
            fuse(all, |all| all.into_iter().fold(Jet::of(0.1), |sum, a| sum + a * a.scale(0.1))).sin()
        }
        _ => {
            let all: Vec<Var<'t, T>> = (0..next() % 6).map(|_| inner()).collect();
            affine(inner(), &all, &all).sin()
        }
    }
}

/// The sum of all values that the code builds.
fn total<'t, T: Number + Send + Sync + 'static>(
    tape: &'t Tape<T>,
    x: &[Var<'t, T>; 3],
    code: &[u8],
) -> Var<'t, T> {
    let code = RefCell::new(code.iter());
    let more = || !code.borrow().as_slice().is_empty();
    std::iter::from_fn(|| more().then(|| value(tape, x, &code, 3))).chain([x[0]]).sum()
}

/// The value, and the gradient with respect to the three inputs, on a tape that has been used before.
fn gradient<T: Number + Send + Sync + 'static>(tape: &Tape<T>, x: [T; 3], code: &[u8]) -> (T, Vec<T>) {
    let x = x.map(|c| tape.var(c));
    let y = total(tape, &x, code);
    (y.value(), tape.gradient(y).unwrap().of(&x).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn anything_may_come_between_the_terms_of_a_sum(
        code in proptest::collection::vec(any::<u8>(), 0..400),
        x in [-1.0..1.0f64, -1.0..1.0f64, -1.0..1.0f64],
        before in 0..300usize,
    ) {
        let tape = Tape::new();
        let start = tape.var(1.0);
        // Moves the end of a chunk of records to any position.
        let chain = (0..before).fold(start, |sum, _| sum + start);
        let (y, g) = gradient(&tape, x, &code);
        prop_assert_eq!(tape.gradient(chain).unwrap().wrt(start).unwrap(), before as f64 + 1.0);
        let close = |a: f64, b: f64, bound: f64| (a - b).abs() <= bound * (1.0 + a.abs().max(b.abs()));

        // A tape of traced numbers, swept from the list of its nodes.
        let traced = Tape::<Traced>::default();
        let v = x.map(|c| traced.var(Traced(c)));
        let z = total(&traced, &v, &code);
        prop_assert!(close(y, z.value().0, 1e-12));
        let nodes = traced.nodes();
        let mut cotangents = vec![0.0; nodes.len()];
        cotangents[z.id().unwrap()] = 1.0;
        for i in (0..nodes.len()).rev() {
            for (&to, slope) in nodes[i].inputs.iter().zip(&nodes[i].slopes) {
                cotangents[to] += cotangents[i] * slope;
            }
        }
        for (i, v) in v.iter().enumerate() {
            prop_assert!(close(g[i], cotangents[v.id().unwrap()], 1e-9), "list: {} {}", g[i], cotangents[i]);
            // Lanes, and a difference.
            let h = 1e-6;
            let (mut up, mut down) = (x, x);
            up[i] += h;
            down[i] -= h;
            let (up_y, _) = gradient(&Tape::new(), up, &code);
            let (down_y, _) = gradient(&Tape::new(), down, &code);
            prop_assert!(close((up_y - down_y) / (2.0 * h), g[i], 1e-5));
        }
        let lanes = Tape::<Lanes<2>>::default();
        let (_, all) = gradient(&lanes, x.map(|c| Lanes([c, c])), &code);
        for (one, lanes) in g.iter().zip(all) {
            prop_assert!(close(*one, lanes.0[1], 1e-11));
        }
    }
}
