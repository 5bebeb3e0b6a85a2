//! Sums whose terms are recorded while the sum is.

use wengert_tape::scalar::{Tape, Var, sum_of_products};

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
