//! Tests of `attention`.

use super::*;
use crate::random::{Key, normal};

fn values(shape: &[usize], seed: u64) -> Tensor<f64> {
    normal(shape, 0.0, 1.0, Key { seed, stream: 0 }).unwrap()
}

/// Attention by the definition, one number at a time.
fn naive(q: &Tensor<f64>, k: &Tensor<f64>, v: &Tensor<f64>, scores: &Scores<f64>) -> Vec<f64> {
    let Sizes { heads, t, s, d, e } = Sizes::of(q, k, v, scores).unwrap();
    let mut out = Vec::new();
    for h in 0..heads {
        for i in 0..t {
            let p: Vec<f64> = (0..s)
                .map(|j| {
                    let dot: f64 =
                        (0..d).map(|c| q.get(&[h, i, c]).unwrap() * k.get(&[h, j, c]).unwrap()).sum();
                    let seen = scores.seen.as_ref().is_none_or(|m| m.get(&[h, i, j]).unwrap())
                        && scores.diagonal.is_none_or(|c| j as isize <= i as isize + c);
                    let added = scores.added.as_ref().map_or(0.0, |m| m.get(&[h, i, j]).unwrap());
                    if seen { (dot * scores.scale + added).exp() } else { 0.0 }
                })
                .collect();
            let total: f64 = p.iter().sum();
            for c in 0..e {
                let sum: f64 = (0..s).map(|j| p[j] * v.get(&[h, j, c]).unwrap()).sum();
                out.push(if total == 0.0 { 0.0 } else { sum / total });
            }
        }
    }
    out
}

#[test]
fn blocks_agree_with_loops_in_every_layout() {
    for (heads, t, s, d, e) in [
        (1, 1, 1, 1, 1),
        (2, 3, 5, 4, 2),
        (1, 65, 257, 3, 2),
        (3, 130, 40, 2, 1),
        (2, 0, 3, 2, 2),
        (2, 3, 0, 2, 2),
        (1, 2, 600, 0, 3),
    ] {
        // The heads are a middle axis, as in a transposed product of all heads.
        let between = |n: usize, w: usize, seed| values(&[n, heads, w], seed).transpose(0, 1).unwrap();
        for strided in [false, true] {
            let of = |n: usize, w: usize, seed| {
                let x = between(n, w, seed);
                if strided { x } else { x.contiguous() }
            };
            let (q, k, v) = (of(t, d, 1), of(s, d, 2), of(s, e, 3));
            let seen = values(&[heads, t, s], 4).map(|v| v > -0.5);
            let added = values(&[1, t, s], 5).expand([heads, t, s]).unwrap();
            for (diagonal, masked) in [(None, false), (Some(s as isize - t as isize), false), (Some(0), true)]
            {
                let mut scores = Scores { scale: 0.7, diagonal, seen: None, added: None };
                if masked {
                    (scores.seen, scores.added) = (Some(seen.clone()), Some(added.clone()));
                }
                let (y, _) = q.attention(&k, &v, &scores).unwrap();
                for (a, b) in y.to_vec().iter().zip(naive(&q, &k, &v, &scores)) {
                    assert!((a - b).abs() < 1e-12, "{heads} {t} {s} {d} {e}: {a} {b}");
                }
            }
        }
    }
}

/// Few heads are cut along queries and keys, many along heads: the same cotangents.
#[test]
fn a_result_or_cotangent_of_another_shape_is_refused() {
    let (q, k, v) = (values(&[2, 2, 3], 1), values(&[2, 4, 3], 2), values(&[2, 4, 1], 3));
    let scores = Scores { scale: 1.0, diagonal: None, seen: None, added: None };
    let (y, stats) = q.attention(&k, &v, &scores).unwrap();
    assert!(q.attention_adjoint(&k, &v, &scores, (&y, &stats), &y, false).is_ok());
    let wrong = values(&[1, 2, 2], 4);
    for (y, g) in [(&wrong, &wrong), (&y, &wrong), (&wrong, &y)] {
        let e = q.attention_adjoint(&k, &v, &scores, (y, &stats), g, false).unwrap_err();
        assert!(e.to_string().contains("[2, 2, 1]") && e.to_string().contains("[1, 2, 2]"), "{e}");
    }
}

#[test]
fn both_ways_of_cutting_the_adjoint_agree() {
    let (t, s, d) = (530, 520, 4);
    let q = values(&[1, t, d], 1);
    let (k, v, g) = (values(&[1, s, d], 2), values(&[1, s, d], 3), values(&[1, t, d], 4));
    let scores = Scores { scale: 0.5, diagonal: Some(-10), seen: None, added: None };
    let (y, stats) = q.attention(&k, &v, &scores).unwrap();
    let few = q.attention_adjoint(&k, &v, &scores, (&y, &stats), &g, false).unwrap();
    let wide = |x: &Tensor<f64>| {
        let mut shape = x.shape().to_vec();
        shape[0] = 8;
        x.expand(shape).unwrap()
    };
    let (q, k, v) = (wide(&q), wide(&k), wide(&v));
    let many = q.attention_adjoint(&k, &v, &scores, (&wide(&y), &wide(&stats)), &wide(&g), false).unwrap();
    for (a, b) in few.iter().zip(&many).take(3) {
        let (a, b) = (a.as_ref().unwrap(), b.as_ref().unwrap().select(0, 5).unwrap());
        for (a, b) in a.to_vec().iter().zip(b.to_vec()) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
    }
}
