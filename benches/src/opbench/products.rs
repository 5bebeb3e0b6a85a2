//! Products, and linear algebra.

use crate::{Row, Values, real, regular, symmetric};
use wengert::ops::Triangle;
use wengert::tape::Var;

pub(crate) fn rows() -> Vec<Row> {
    let mut all = Vec::new();
    let shapes: [(&[usize], &[usize]); 15] = [
        (&[512, 512], &[512, 512]),
        (&[64, 64], &[64, 64]),
        (&[1, 512], &[512, 512]),
        (&[512, 512], &[512]),
        (&[512, 512], &[512, 1]),
        (&[100_000, 3], &[3, 3]),
        (&[4096, 7], &[7, 4096]),
        (&[7, 4096], &[4096, 7]),
        (&[64, 128, 64], &[64, 64, 128]),
        (&[10_000, 3, 3], &[10_000, 3, 3]),
        (&[1000, 1, 64], &[1000, 64, 1]),
        (&[64, 128, 64], &[64, 64]),
        (&[64, 64], &[64, 64, 128]),
        (&[16, 1, 32, 32], &[16, 32, 32]),
        (&[1, 1], &[1, 1]),
    ];
    let matmul =
        |x: Vec<crate::Input>| Row::new("matmul", "torch.matmul(x[0], x[1])", x, |x, _| x[0].matmul(x[1]));
    for (a, b) in shapes {
        all.push(matmul(vec![real(a), real(b)]));
    }
    all.push(matmul(vec![real(&[512, 512]).turned(), real(&[512, 512])]));
    all.push(matmul(vec![real(&[512, 512]), real(&[512, 512]).turned()]));
    all.push(matmul(vec![real(&[64, 128, 64]), real(&[64, 64, 128]).turned()]));
    all.push(matmul(vec![real(&[256, 256]), real(&[256, 256])]).values(Values::Denormal));
    all.push(matmul(vec![real(&[64, 64]), real(&[64, 64])]).values(Values::Special));
    for (x, n) in [
        (&[128, 784][..], 512),
        (&[32, 128, 256], 1024),
        (&[64, 64], 64),
        (&[1, 512], 512),
        (&[65536, 7], 3),
        (&[4096, 64], 1),
        (&[4096, 1], 64),
        (&[256, 1024], 10),
    ] {
        let k = x[x.len() - 1];
        let x = vec![real(x), real(&[n, k]), real(&[n])];
        all.push(Row::new("linear", "F.linear(x[0], x[1], x[2])", x, |x, _| x[0].linear(x[1], Some(x[2]))));
    }
    let x = vec![real(&[128, 256]), real(&[256, 256]), real(&[256])];
    let row = Row::new("linear", "F.linear(x[0], x[1], x[2])", x, |x, _| x[0].linear(x[1], Some(x[2])));
    all.push(row.values(Values::Denormal));
    let equations: [(&'static str, Vec<Vec<usize>>); 9] = [
        ("ij,jk->ik", vec![vec![512, 512], vec![512, 512]]),
        ("bhqd,bhkd->bhqk", vec![vec![8, 8, 128, 64], vec![8, 8, 128, 64]]),
        ("bqhd,bkhd->bhqk", vec![vec![8, 128, 8, 64], vec![8, 128, 8, 64]]),
        ("ij,ij->i", vec![vec![4096, 64], vec![4096, 64]]),
        ("ij,ij->", vec![vec![64, 64], vec![64, 64]]),
        ("bn,anm,bm->ba", vec![vec![64, 32], vec![16, 32, 32], vec![64, 32]]),
        ("ijk->kj", vec![vec![64, 64, 64]]),
        ("ii->i", vec![vec![512, 512]]),
        ("i,j->ij", vec![vec![1024], vec![1024]]),
    ];
    for (equation, shapes) in equations {
        let x = shapes.iter().map(|s| real(s)).collect();
        let torch = format!("torch.einsum('{equation}', *x)");
        all.push(Row::new("einsum", torch, x, move |x, _| x[0].tape().einsum(equation, x)).note(equation));
    }
    for (n, m) in [(1024, 1024), (64, 64), (7, 4096), (65536, 7)] {
        all.push(Row::new("outer", "torch.outer(x[0], x[1])", vec![real(&[n]), real(&[m])], |x, _| {
            x[0].outer(x[1])
        }));
    }
    for n in [1 << 20, 4096, 7] {
        all.push(Row::new("dot", "torch.dot(x[0], x[1])", vec![real(&[n]), real(&[n])], |x, _| {
            x[0].dot(x[1])
        }));
    }
    for (shape, axis) in [(&[100_000, 3][..], -1), (&[64, 3], -1), (&[3, 4096], 0)] {
        let torch = format!("torch.linalg.cross(x[0], x[1], dim={axis})");
        all.push(Row::new("cross", torch, vec![real(shape), real(shape)], move |x, _| {
            x[0].cross(x[1], axis)
        }));
    }
    for (rows, n, m, out) in [(128, 64, 64, 64), (16, 16, 16, 16), (4096, 7, 5, 3)] {
        let x = vec![real(&[rows, n]), real(&[rows, m]), real(&[out, n, m]), real(&[out])];
        all.push(Row::new("bilinear", "F.bilinear(*x)", x, |x, _| x[0].bilinear(x[1], x[2], Some(x[3]))));
    }
    for (a, b) in
        [([1000, 64], [1000, 64]), ([64, 16], [64, 16]), ([4096, 2], [512, 2]), ([16, 1024], [16, 1024])]
    {
        for p in [2.0, 1.0, 3.5, f64::INFINITY] {
            let torch = format!("torch.cdist(x[0], x[1], p=float('{p}'))");
            let row = Row::new("cdist", torch, vec![real(&a), real(&b)], move |x, _| x[0].cdist(x[1], p));
            all.push(row.note(format!("p {p}")));
        }
    }
    for (shape, axis) in [(&[4096, 256][..], -1), (&[64, 64], -1), (&[65536, 7], -1), (&[256, 4096], 0)] {
        let torch = format!("F.cosine_similarity(x[0], x[1], dim={axis})");
        let row = Row::new("cosine_similarity", torch, vec![real(shape), real(shape)], move |x, _| {
            x[0].cosine_similarity(x[1], axis, 1e-8)
        });
        all.push(row.note(format!("axis {axis}")));
    }
    all.extend(linear_algebra());
    all
}

type Call = for<'t> fn(Var<'t, f32>) -> Vec<Var<'t, f32>>;

fn linear_algebra() -> Vec<Row> {
    let mut all = Vec::new();
    let calls: [(&str, &str, bool, Call); 7] = [
        ("inverse", "torch.linalg.inv(x[0])", false, |x| vec![x.inverse()]),
        ("det", "torch.linalg.det(x[0] / 64)", false, |x| vec![(x / 64.0).det()]),
        ("logdet", "torch.logdet(x[0])", false, |x| vec![x.logdet()]),
        ("slogdet", "tuple(torch.linalg.slogdet(x[0]))", false, |x| {
            let (sign, log) = x.slogdet();
            vec![sign, log]
        }),
        ("cholesky", "torch.linalg.cholesky(x[0])", true, |x| vec![x.cholesky()]),
        ("eigvalsh", "torch.linalg.eigvalsh(x[0])", true, |x| vec![x.eigvalsh()]),
        // A function of a matrix does not depend on the signs of its eigenvectors.
        (
            "eigh",
            "(lambda e: (e.eigenvectors * e.eigenvalues.rsqrt()[..., None, :]) @ e.eigenvectors.mT)(torch.linalg.eigh(x[0]))",
            true,
            |x| {
                let (w, v) = x.eigh();
                vec![(v * w.rsqrt().unsqueeze(-2)).matmul(v.t())]
            },
        ),
    ];
    let shapes: [&[usize]; 4] = [&[128, 128], &[16, 16], &[1000, 3, 3], &[64, 16, 16]];
    for (op, torch, even, call) in calls {
        for shape in shapes {
            let x = if even { symmetric(shape) } else { regular(shape) };
            all.push(Row::many(op, torch, vec![x], move |x, _| call(x[0])));
        }
    }
    for (a, b) in [
        (&[128, 128][..], &[128, 16][..]),
        (&[16, 16], &[16, 1]),
        (&[1000, 3, 3], &[1000, 3, 1]),
        (&[128, 128], &[128, 1]),
    ] {
        let x = || vec![regular(a), real(b)];
        all.push(Row::new("solve", "torch.linalg.solve(x[0], x[1])", x(), |x, _| x[0].solve(x[1])));
        let torch = "torch.linalg.solve_triangular(x[0], x[1], upper=False)";
        all.push(Row::new("solve_triangular", torch, x(), |x, _| {
            x[0].solve_triangular(x[1], Triangle::default())
        }));
    }
    all
}
