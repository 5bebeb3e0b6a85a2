//! Products, and linear algebra.

use crate::{Entry, Sample};
use wengert::ops::{Tensor, Triangle};
use wengert::tape::Var;
use wengert::tape::gradcheck::Domain::{self, Between, Real};
use wengert::tape::gradcheck::Gen;

/// Equations, each with the shapes of its operands.
const EQUATIONS: [(&str, &[&[usize]]); 16] = [
    ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
    ("ij,jk", &[&[3, 2], &[2, 3]]),
    ("bij,bjk->bik", &[&[2, 2, 3], &[2, 3, 2]]),
    ("...ij,...jk->...ik", &[&[2, 1, 2, 3], &[3, 3, 2]]),
    ("ii->i", &[&[4, 4]]),
    ("ii", &[&[3, 3]]),
    ("ij->", &[&[3, 4]]),
    ("ijk->kj", &[&[2, 3, 4]]),
    ("i,j->ij", &[&[3], &[4]]),
    ("i,i->", &[&[5], &[5]]),
    ("ij,ij->ij", &[&[2, 4], &[2, 4]]),
    ("ij,kj,lj->ikl", &[&[2, 3], &[2, 3], &[3, 3]]),
    ("iij,jk->ik", &[&[2, 2, 3], &[3, 2]]),
    ("bhqd,bhkd->bhqk", &[&[1, 2, 3, 2], &[1, 2, 4, 2]]),
    ("bn,anm,bm->ba", &[&[2, 3], &[2, 3, 2], &[2, 2]]),
    ("a...,b->b...", &[&[2, 3, 2], &[2]]),
];

pub(crate) fn entries() -> Vec<Entry> {
    let mut all = vec![
        Entry::new("einsum", |g| {
            let (equation, shapes) = g.pick(&EQUATIONS);
            let x = shapes.iter().map(|s| g.tensor(s, Real)).collect();
            Sample::new(format!("torch.einsum('{equation}', *x)"), x, move |x: &[Var<'_, f64>]| {
                x[0].tape().einsum(equation, x)
            })
        }),
        Entry::new("outer", |g| {
            let (n, m) = (g.within(0..=5), g.within(0..=5));
            let x = vec![g.tensor(&[n], Real), g.tensor(&[m], Real)];
            Sample::new("torch.outer(x[0], x[1])", x, |x| x[0].outer(x[1]))
        }),
        Entry::new("dot", |g| {
            let n = g.within(0..=5);
            let x = vec![g.tensor(&[n], Real), g.tensor(&[n], Real)];
            Sample::new("torch.dot(x[0], x[1])", x, |x| x[0].dot(x[1]))
        }),
        Entry::new("cross", |g| {
            let (n, m) = (g.size(), g.size());
            let (axis, a, b) = match g.within(0..=2) {
                0 => (0, vec![3, n, 1], vec![3, n, m]),
                1 => (1, vec![n, 3, m], vec![n, 3, 1]),
                _ => (-1, vec![1, m, 3], vec![n, m, 3]),
            };
            let x = vec![g.tensor(&a, Real), g.tensor(&b, Real)];
            Sample::new(format!("torch.linalg.cross(x[0], x[1], dim={axis})"), x, move |x| {
                x[0].cross(x[1], axis)
            })
        }),
        Entry::new("bilinear", |g| {
            let (rows, n, m, out) = (g.within(0..=3), g.size(), g.size(), g.within(1..=3));
            let shapes = [vec![2, rows, n], vec![2, rows, m], vec![out, n, m], vec![out]];
            let x = shapes.iter().map(|s| g.tensor(s, Real)).collect();
            Sample::new("F.bilinear(x[0], x[1], x[2], x[3])", x, |x| x[0].bilinear(x[1], x[2], Some(x[3])))
        }),
        Entry::new("cdist", |g| {
            let (n, m, d) = (g.within(1..=4), g.within(1..=4), g.within(1..=3));
            let p = g.pick(&[2.0, 2.0, 1.0, 3.5, f64::INFINITY]);
            let x = vec![g.tensor(&[2, n, d], Between(-3.0, 3.0)), g.tensor(&[m, d], Between(-3.0, 3.0))];
            // PyTorch 2 does not sum the gradient over axes that were broadcast.
            let torch = format!("torch.cdist(x[0], x[1].expand(2, {m}, {d}), p=float('{p}'))");
            Sample::new(torch, x, move |x| x[0].cdist(x[1], p))
        }),
        Entry::new("cosine_similarity", |g| {
            let shape = g.full_shape(1..=3);
            let axis = g.axis(shape.len());
            let x = vec![g.tensor(&shape, Domain::NON_ZERO), g.tensor(&shape, Domain::NON_ZERO)];
            let torch = format!("F.cosine_similarity(x[0], x[1], dim={axis})");
            Sample::new(torch, x, move |x| x[0].cosine_similarity(x[1], axis, 1e-8))
        }),
        Entry::new("matmul", |g| {
            let (m, k, n) = (g.within(1..=4), g.within(1..=4), g.within(1..=4));
            let (mut a, mut b) = (vec![m, k], vec![k, n]);
            match g.within(0..=5) {
                0 => a = vec![k],
                1 => b = vec![k],
                2 => a.insert(0, 2),
                3 => b.insert(0, 3),
                4 => {
                    a.insert(0, 2);
                    b.splice(0..0, [3, 1]);
                }
                _ => {}
            }
            Sample::new("torch.matmul(x[0], x[1])", vec![g.tensor(&a, Real), g.tensor(&b, Real)], |x| {
                x[0].matmul(x[1])
            })
        }),
        Entry::new("linear", |g| {
            let (rows, k, n) = (g.within(0..=4), g.within(1..=4), g.within(1..=4));
            let x = vec![g.tensor(&[2, rows, k], Real), g.tensor(&[n, k], Real), g.tensor(&[n], Real)];
            Sample::new("F.linear(x[0], x[1], x[2])", x, |x| x[0].linear(x[1], Some(x[2])))
        }),
    ];
    all.extend(linear_algebra());
    all
}

/// Matrices that are far from singular: noise added to four times the identity.
fn regular(g: &mut Gen, batch: usize, n: usize) -> Tensor<f64> {
    let noise = g.tensor(&[batch, n, n], Between(-1.0, 1.0));
    noise.add(Tensor::eye(n).unwrap().scale(4.0)).unwrap()
}

fn linear_algebra() -> Vec<Entry> {
    macro_rules! square {
        ($($name:literal $torch:literal |$x:ident| $call:expr;)*) => {
            vec![$(Entry::new($name, |g| {
                let (batch, n) = (g.within(1..=2), g.within(1..=4));
                Sample::new($torch, vec![regular(g, batch, n)], |x: &[Var<'_, f64>]| { let $x = x[0]; $call })
            })),*]
        };
    }
    let mut all = square! {
        "inverse" "torch.linalg.inv(x[0])" |x| x.inverse();
        "det" "torch.linalg.det(x[0])" |x| x.det();
        "logdet" "torch.logdet(x[0])" |x| x.logdet();
        "slogdet" "(lambda d: 2 * d.sign + d.logabsdet)(torch.linalg.slogdet(-x[0]))"
            |x| { let (sign, log) = (-x).slogdet(); sign * 2.0 + log };
        "cholesky" "torch.linalg.cholesky((x[0] + x[0].mT) / 2)"
            |x| ((x + x.t()) / 2.0).cholesky();
        "eigvalsh" "torch.linalg.eigvalsh((x[0] + x[0].mT) / 2)" |x| ((x + x.t()) / 2.0).eigvalsh();
        // A function of a matrix does not depend on the signs of its eigenvectors.
        "eigh" "(lambda e: (e.eigenvectors * e.eigenvalues.exp()[:, None]) @ e.eigenvectors.mT)(
            torch.linalg.eigh((x[0] + x[0].mT) / 2))"
            |x| { let (w, v) = ((x + x.t()) / 2.0).eigh(); (v * w.exp().unsqueeze(-2)).matmul(v.t()) };
    };
    all.push(Entry::new("det (any)", |g| {
        let n = g.within(1..=3);
        Sample::new("torch.linalg.det(x[0])", vec![g.tensor(&[n, n], Between(-2.0, 2.0))], |x| x[0].det())
    }));
    all.push(Entry::new("solve", |g| {
        let (batch, n, k) = (g.within(1..=2), g.within(1..=4), g.within(1..=3));
        let b = if g.once_in(4) { vec![n] } else { vec![batch, n, k] };
        let a = regular(g, batch, n);
        let x = vec![a, g.tensor(&b, Real)];
        let torch = if b.len() == 1 {
            "torch.linalg.solve(x[0], x[1].expand(x[0].shape[:-1])[..., None])[..., 0]"
        } else {
            "torch.linalg.solve(x[0], x[1])"
        };
        Sample::new(torch, x, |x| x[0].solve(x[1]))
    }));
    all.push(Entry::new("solve_triangular", |g| {
        let (batch, n, k) = (g.within(1..=2), g.within(1..=4), g.within(1..=3));
        let triangle = Triangle { upper: g.once_in(2), transposed: g.once_in(2), unit: g.once_in(3) };
        let word = |b: bool| if b { "True" } else { "False" };
        let (of, upper) =
            if triangle.transposed { ("x[0].mT", !triangle.upper) } else { ("x[0]", triangle.upper) };
        let torch = format!(
            "torch.linalg.solve_triangular({of}, x[1], upper={}, unitriangular={})",
            word(upper),
            word(triangle.unit)
        );
        let x = vec![regular(g, batch, n), g.tensor(&[batch, n, k], Real)];
        Sample::new(torch, x, move |x| x[0].solve_triangular(x[1], triangle))
    }));
    all
}
