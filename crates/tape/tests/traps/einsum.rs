//! Einstein summation compared with a loop over all values of all indices, and products of vectors.

use super::*;

/// Numbers without a pattern.
fn filled(shape: &[usize], seed: f64) -> Tensor<f64> {
    let n: usize = shape.iter().product();
    Tensor::<f64>::steps(seed, 0.71, n).map(|v| (v * 3.7).sin()).reshape(shape).unwrap()
}

/// The sum over every value of every letter, for an equation without ellipses. Axes of size 1 broadcast.
fn naive(equation: &str, x: &[Tensor<f64>]) -> (Vec<usize>, Vec<f64>) {
    let (left, right) = equation.split_once("->").unwrap();
    let terms: Vec<Vec<char>> = left.split(',').map(|t| t.chars().collect()).collect();
    let result: Vec<char> = right.chars().collect();
    let mut letters: Vec<char> = result.clone();
    letters.extend(terms.iter().flatten().filter(|c| !result.contains(c)));
    letters.dedup();
    let mut seen = Vec::new();
    letters.retain(|c| {
        !seen.contains(c) && {
            seen.push(*c);
            true
        }
    });
    let size = |c: char| {
        let all = terms.iter().zip(x).flat_map(|(t, x)| t.iter().copied().zip(x.shape().to_vec()));
        all.filter(|(o, _)| *o == c).map(|(_, n)| n).max().unwrap()
    };
    let sizes: Vec<usize> = letters.iter().map(|&c| size(c)).collect();
    let shape = sizes[..result.len()].to_vec();
    let inner: usize = sizes[result.len()..].iter().product();
    let mut y = vec![0.0; shape.iter().product()];
    for flat in 0..sizes.iter().product::<usize>() {
        let (mut rest, mut at) = (flat, vec![0; letters.len()]);
        for k in (0..letters.len()).rev() {
            at[k] = rest % sizes[k];
            rest /= sizes[k];
        }
        let mut product = 1.0;
        for (term, x) in terms.iter().zip(x) {
            let place = |(c, &n): (&char, &usize)| {
                let i = at[letters.iter().position(|o| o == c).unwrap()];
                if n == 1 { 0 } else { i }
            };
            product *= x.get(&term.iter().zip(x.shape().iter()).map(place).collect::<Vec<_>>()).unwrap();
        }
        y[flat / inner.max(1)] += product;
    }
    (shape, y)
}

/// (equation, the same equation without ellipses and with an arrow, shapes)
type Equation = (&'static str, &'static str, &'static [&'static [usize]]);

const EQUATIONS: &[Equation] = &[
    ("bij,bjk->bik", "bij,bjk->bik", &[&[2, 3, 4], &[2, 4, 2]]),
    ("ij,jk", "ij,jk->ik", &[&[3, 4], &[4, 2]]),
    (" k j , i j ", "kj,ij->ik", &[&[3, 4], &[2, 4]]),
    ("ba", "ba->ab", &[&[2, 3]]),
    ("ii", "ii->", &[&[3, 3]]),
    ("ii->i", "ii->i", &[&[3, 3]]),
    ("iij->ji", "iij->ji", &[&[2, 2, 3]]),
    ("iji,j->i", "iji,j->i", &[&[2, 3, 2], &[3]]),
    ("iiii->i", "iiii->i", &[&[2, 2, 2, 2]]),
    ("ijij->ij", "ijij->ij", &[&[2, 3, 2, 3]]),
    ("ijij", "ijij->", &[&[2, 3, 2, 3]]),
    ("ijk->j", "ijk->j", &[&[2, 3, 4]]),
    ("ij,kl->", "ij,kl->", &[&[2, 3], &[3, 2]]),
    ("ij,ij->i", "ij,ij->i", &[&[2, 3], &[2, 3]]),
    ("ij,ij", "ij,ij->", &[&[2, 3], &[2, 3]]),
    ("i,j->ji", "i,j->ji", &[&[2], &[3]]),
    ("abcd,cbe->aed", "abcd,cbe->aed", &[&[2, 3, 2, 2], &[2, 3, 2]]),
    ("ab,bc,cd,da->", "ab,bc,cd,da->", &[&[2, 3], &[3, 4], &[4, 2], &[2, 2]]),
    ("a,a,a->a", "a,a,a->a", &[&[3], &[3], &[3]]),
    ("bhqd,bhkd->bhqk", "bhqd,bhkd->bhqk", &[&[2, 2, 3, 2], &[2, 2, 4, 2]]),
    ("...ij,...jk", "bij,bjk->bik", &[&[2, 3, 2], &[2, 2, 3]]),
    ("...ij,jk->...ik", "bij,jk->bik", &[&[2, 3, 2], &[2, 3]]),
    ("ij...,jk->ik...", "ijbc,jk->ikbc", &[&[2, 3, 2, 2], &[3, 2]]),
    ("i...->...", "ibc->bc", &[&[2, 3, 4]]),
    ("i...->i", "ibc->i", &[&[2, 3, 4]]),
    ("...,...", "ab,ab->ab", &[&[2, 1], &[1, 3]]),
    ("...i,...i->...", "abi,abi->ab", &[&[2, 1, 3], &[1, 4, 3]]),
    ("ij,jk", "ij,jk->ik", &[&[3, 1], &[4, 2]]),
    ("ij,ij->ij", "ij,ij->ij", &[&[1, 3], &[2, 3]]),
    ("->", "->", &[&[]]),
    (",i->i", ",i->i", &[&[], &[3]]),
    ("ij,jk->ik", "ij,jk->ik", &[&[2, 0], &[0, 3]]),
    ("ij,jk->ik", "ij,jk->ik", &[&[0, 2], &[2, 3]]),
];

#[test]
fn einsum_is_a_sum_over_all_indices() {
    for (written, plain, shapes) in EQUATIONS {
        let x: Vec<_> = shapes.iter().enumerate().map(|(i, s)| filled(s, i as f64)).collect();
        let tape = Tape::new();
        let vars: Vec<_> = x.iter().map(|x| tape.var(x)).collect();
        let y = tape.einsum(written, &vars).value().unwrap();
        let (shape, want) = naive(plain, &x);
        assert_eq!(y.shape()[..], shape[..], "{written}");
        assert!(close(&y.to_vec(), &want), "{written}: {y}, expected {want:?}");
    }
}

#[test]
fn einsum_of_repeated_and_summed_out_indices_has_the_right_gradient() {
    for (written, _, shapes) in EQUATIONS {
        let x: Vec<_> = shapes.iter().enumerate().map(|(i, s)| filled(s, i as f64)).collect();
        let report = Check::new(*written).allow_empty().run(|x| x[0].tape().einsum(written, x), &x);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn products_of_vectors_are_what_their_formulas_say() {
    let tape = Tape::<f64>::new();
    let (a, b) = (filled(&[2, 3], 0.3), filled(&[3, 2], 1.0));
    // Along either axis, and for operands that broadcast.
    let y = tape.var(&a).cross(b.transpose(0, 1).unwrap(), 1).value().unwrap();
    let z = tape.var(a.transpose(0, 1).unwrap()).cross(&b, 0).value().unwrap();
    assert!(close(&y.to_vec(), &z.transpose(0, 1).unwrap().to_vec()));
    for i in 0..2 {
        for k in 0..3 {
            let (l, m) = ((k + 1) % 3, (k + 2) % 3);
            let v = |t: &Tensor<f64>, i: usize, k: usize| t.get(&[i, k]).unwrap();
            let bt = b.transpose(0, 1).unwrap();
            let want = v(&a, i, l) * v(&bt, i, m) - v(&a, i, m) * v(&bt, i, l);
            assert!((y.get(&[i, k]).unwrap() - want).abs() < 1e-14);
        }
    }
    let one = tape.var(a.select(0, 0).unwrap());
    assert!(close(&tape.var(&a).cross(one, 1).value().unwrap().to_vec()[..3], &[0.0; 3]));
    // Bilinear is an einsum.
    let [x, y, w, c] = [&[4, 2][..], &[4, 3], &[5, 2, 3], &[5]].map(|s| tape.var(filled(s, s.len() as f64)));
    let want = tape.einsum("...n,onm,...m->...o", &[x, w, y]) + c;
    assert!(close(&x.bilinear(y, w, Some(c)).value().unwrap().to_vec(), &want.value().unwrap().to_vec()));
    // The one-operand forms broadcast their leading axes.
    assert_eq!(x.reshape([4, 1, 2]).bilinear(y, w, None).shape(), [4, 4, 5]);
}

#[test]
fn distances_of_equal_and_near_points() {
    let tape = Tape::<f64>::new();
    let a = tape.var(Tensor::from([[1.0, 2.0], [1e8, 1.0]]));
    for p in [0.0, 0.5, 1.0, 2.0, 3.0, INF] {
        let y = a.cdist(a.detach(), p);
        let diagonal = y.diagonal(0);
        assert_eq!(diagonal.value().unwrap().to_vec(), [0.0, 0.0], "{p}");
        assert!(diagonal.sum().grad(a).unwrap().value().unwrap().to_vec().iter().all(|&g| g == 0.0), "{p}");
    }
    let near = tape.var(Tensor::from([[1e8, 1.0 + 1e-7]]));
    let y = a.cdist(near, 2.0).value().unwrap().to_vec()[1];
    assert!((y / 1e-7 - 1.0).abs() < 1e-8, "{y}");
    let b = Tensor::from([[4.0, 6.0], [1.0, 2.0], [0.0, 0.0]]);
    let at = |p: f64| tape.var(Tensor::from([[1.0, 2.0]])).cdist(&b, p).value().unwrap().to_vec();
    assert_eq!(at(1.0), [7.0, 0.0, 3.0]);
    assert_eq!(at(2.0), [5.0, 0.0, 5f64.sqrt()]);
    assert_eq!(at(INF), [4.0, 0.0, 2.0]);
    assert_eq!(at(0.0), [2.0, 0.0, 2.0]);
    let none = tape.var(Tensor::<f64>::zeros([2, 0]));
    assert_eq!(none.cdist(none, INF).value().unwrap(), Tensor::zeros([2, 2]));
}
