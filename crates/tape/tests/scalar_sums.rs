//! Sums whose terms are recorded while the sum is, and statements of many records.

use wengert_tape::scalar::{Tape, Var, statement, sum_of_products};

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

/// The product of all, whose derivatives are small numbers.
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
