//! Tests of `recurrent`.

use super::*;
use crate::random::{Key, normal};

fn draw(shape: &[usize], stream: u64) -> Tensor<f64> {
    normal(shape, 0.0, 0.7, Key { seed: 3, stream }).unwrap()
}

/// The recurrences by their definitions, one number at a time.
fn naive(s: &Sequence<'_, f64>) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let [steps, batch, _] = s.x.shape()[..] else { unreachable!() };
    let n = s.h.shape()[1];
    let lengths = s.lengths.map_or(vec![steps; batch], |l| l.to_vec().iter().map(|&v| v as usize).collect());
    let mut y = vec![0.0; steps * batch * n];
    let (mut h, mut c) = (s.h.to_vec(), s.c.map_or(vec![0.0; batch * n], |c| c.to_vec()));
    let sigma = |v: f64| 1.0 / (1.0 + (-v).exp());
    for step in 0..steps {
        let t = if s.reverse { steps - 1 - step } else { step };
        for b in (0..batch).filter(|&b| t < lengths[b]) {
            let old: Vec<f64> = h[b * n..(b + 1) * n].to_vec();
            for k in 0..n {
                let x = |q: usize| s.x.get(&[t, b, q * n + k]).unwrap();
                let g = |q: usize| {
                    let bias = s.bias.map_or(0.0, |b| b.get(&[q * n + k]).unwrap());
                    bias + (0..n).map(|j| s.weight.get(&[q * n + k, j]).unwrap() * old[j]).sum::<f64>()
                };
                let at = b * n + k;
                h[at] = match s.cell {
                    Cell::Tanh => (x(0) + g(0)).tanh(),
                    Cell::Relu => (x(0) + g(0)).max(0.0),
                    Cell::Lstm => {
                        c[at] = sigma(x(1) + g(1)) * c[at] + sigma(x(0) + g(0)) * (x(2) + g(2)).tanh();
                        sigma(x(3) + g(3)) * c[at].tanh()
                    }
                    Cell::Gru => {
                        let z = sigma(x(1) + g(1));
                        (1.0 - z) * (x(2) + sigma(x(0) + g(0)) * g(2)).tanh() + z * old[k]
                    }
                };
                y[(t * batch + b) * n + k] = h[at];
            }
        }
    }
    (y, h, c)
}

#[test]
fn recurrences_agree_with_their_definitions() {
    let close =
        |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-13);
    for cell in [Cell::Tanh, Cell::Relu, Cell::Lstm, Cell::Gru] {
        for (steps, batch, n) in [(4, 3, 5), (6, 9, 33), (1, 1, 1), (0, 2, 3), (3, 0, 2), (2, 2, 0)] {
            for (reverse, ends) in [(false, false), (true, false), (false, true), (true, true)] {
                let width = cell.gates() * n;
                let x = draw(&[batch, steps, width], 0).transpose(0, 1).unwrap();
                // States of many numbers stay of size 1.
                let scale = Tensor::scalar(if n > 8 { 0.1 } else { 1.0 });
                let weight = draw(&[n, width], 1).mul(&scale).unwrap().transpose(0, 1).unwrap();
                let (bias, h, c) = (draw(&[width], 2), draw(&[batch, n], 3), draw(&[batch, n], 4));
                let lengths: Vec<i64> = (0..batch).map(|b| (b % (steps + 1)) as i64).collect();
                let lengths = Tensor::from(lengths);
                let s = Sequence {
                    cell,
                    reverse,
                    lengths: ends.then_some(&lengths),
                    x: &x,
                    weight: &weight,
                    bias: (!ends).then_some(&bias),
                    h: &h,
                    c: (cell == Cell::Lstm).then_some(&c),
                };
                let (y, last, cell_state) = naive(&s);
                let run = s.run().unwrap();
                let what = format!("{cell:?} {steps} {batch} {n} {reverse} {ends}");
                assert!(close(&run.y.to_vec(), &y) && close(&run.h.to_vec(), &last), "{what}");
                assert!(run.c.is_none_or(|c| close(&c.to_vec(), &cell_state)), "{what}");

                // Rows are cut into other groups, with the same bits.
                let (gy, gh) = (draw(&[steps, batch, n], 5), draw(&[batch, n], 6));
                let all = || {
                    let run = s.run().unwrap();
                    let g = s.adjoint(&run.saved, Some(&gy), Some(&gh), None).unwrap();
                    [run.y, run.h, run.saved, g.x, g.weight, g.bias, g.h, g.c].map(|t| t.to_vec())
                };
                let want = all();
                for threads in [1, 2, 3, 8] {
                    assert!(parallel::in_small_pieces(threads, all) == want, "{what}, {threads} threads");
                }
            }
        }
    }
}

#[test]
fn an_adjoint_wants_what_the_run_gave() {
    let (x, w, h) = (draw(&[4, 2, 9], 0), draw(&[9, 3], 1), draw(&[2, 3], 2));
    let s = Sequence {
        cell: Cell::Gru,
        reverse: false,
        lengths: None,
        x: &x,
        weight: &w,
        bias: None,
        h: &h,
        c: None,
    };
    let Run { saved, y, .. } = s.run().unwrap();
    let g = s.adjoint(&saved, Some(&y), Some(&h), None).unwrap();
    let strided = saved.transpose(0, 1).unwrap().contiguous().transpose(0, 1).unwrap();
    assert_eq!(s.adjoint(&strided, Some(&y), Some(&h), None).unwrap().x, g.x);
    for bad in [
        s.adjoint(&y, None, None, None),
        s.adjoint(&saved, Some(&h), None, None),
        s.adjoint(&saved, None, Some(&y), None),
    ] {
        assert!(bad.is_err_and(|e| e.op() == "gru" && e.detail().contains("expected")));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (x, w, h) = (draw(&[4, 2, 12], 0), draw(&[12, 3], 1), draw(&[2, 3], 2));
    let (long, short) = (Tensor::from([4, 5]), Tensor::from([4]));
    let s = |x, weight, h, c, lengths| Sequence {
        cell: Cell::Lstm,
        reverse: false,
        lengths,
        x,
        weight,
        bias: None,
        h,
        c,
    };
    assert!(s(&x, &w, &h, Some(&h), None).run().is_ok());
    for bad in [
        s(&w, &w, &h, Some(&h), None),
        s(&x, &h, &h, Some(&h), None),
        s(&x, &w, &w, Some(&h), None),
        s(&x, &w, &h, None, None),
        s(&x, &w, &h, Some(&h), Some(&long)),
        s(&x, &w, &h, Some(&h), Some(&short)),
        s(&draw(&[4, 2, 13], 0), &w, &h, Some(&h), None),
    ] {
        assert!(bad.run().is_err());
    }
}
