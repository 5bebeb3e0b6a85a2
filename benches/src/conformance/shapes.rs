//! Shapes, the order of elements, parts, and concatenation.

use crate::{Entry, Sample};
use wengert::ops::Slice;
use wengert::tape::gradcheck::Domain::Real;
use wengert::tape::gradcheck::Gen;

fn index_of(axis: isize, rank: usize) -> usize {
    if axis < 0 { (axis + rank as isize) as usize } else { axis as usize }
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::new("reshape", |g| {
            let shape = g.full_shape(1..=4);
            Sample::new("x[0].reshape(-1)", vec![g.tensor(&shape, Real)], |x| x[0].reshape([-1]))
        }),
        Entry::new("permute", |g| {
            let shape = g.shape(1..=4);
            let order = g.permutation(shape.len());
            Sample::new(format!("x[0].permute({order:?})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].permute(&order)
            })
        }),
        Entry::new("transpose", |g| {
            let shape = g.shape(1..=4);
            let (a, b) = (g.axis(shape.len()), g.axis(shape.len()));
            Sample::new(format!("x[0].transpose({a}, {b})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].transpose(a, b)
            })
        }),
        Entry::new("flip", |g| {
            let shape = g.shape(1..=3);
            let axes = g.axes(shape.len());
            Sample::new(format!("x[0].flip({axes:?})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].flip(&axes)
            })
        }),
        Entry::new("roll", |g| {
            let shape = g.shape(1..=3);
            let (axis, shift) = (g.axis(shape.len()), g.within(0..=8) as isize - 4);
            let torch = format!("x[0].roll({shift}, {axis})");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].roll(axis, shift))
        }),
        Entry::new("movedim", |g| {
            let shape = g.shape(1..=4);
            let (a, b) = (g.axis(shape.len()), g.axis(shape.len()));
            Sample::new(format!("x[0].movedim({a}, {b})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].movedim(a, b)
            })
        }),
        Entry::new("repeat", |g| {
            let shape = g.shape(1..=3);
            let times: Vec<usize> = (0..shape.len() + g.within(0..=1)).map(|_| g.within(0..=2)).collect();
            Sample::new(format!("x[0].repeat({times:?})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].repeat(&times)
            })
        }),
        Entry::new("repeat_interleave", |g| {
            let shape = g.shape(1..=3);
            let (axis, n) = (g.axis(shape.len()), g.within(0..=3));
            let torch = format!("x[0].repeat_interleave({n}, dim={axis})");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].repeat_interleave(axis, n))
        }),
        Entry::new("chunk", |g| {
            let shape = g.full_shape(1..=3);
            let (axis, n) = (g.axis(shape.len()), g.within(1..=3));
            let torch = format!("x[0].chunk({n}, dim={axis})[-1]");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| *x[0].chunk(axis, n).last().unwrap())
        }),
        Entry::new("unbind", |g| {
            let shape = g.full_shape(1..=3);
            let axis = g.axis(shape.len());
            let torch = format!("x[0].unbind({axis})[-1]");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| *x[0].unbind(axis).last().unwrap())
        }),
        Entry::new("expand", |g| {
            let narrow = [g.within(1..=3), 1, g.within(1..=3)];
            let wide = [g.within(0..=2), narrow[0], g.within(0..=3), narrow[2]];
            Sample::new(format!("x[0].expand({wide:?})"), vec![g.tensor(&narrow, Real)], move |x| {
                x[0].expand(wide)
            })
        }),
        Entry::new("tril", |g| triangle(g, "tril")),
        Entry::new("triu", |g| triangle(g, "triu")),
        Entry::new("diagonal", |g| {
            let (shape, offset) = (g.shape(2..=3), g.within(0..=4) as isize - 2);
            let torch = format!("x[0].diagonal({offset}, -2, -1)");
            let inside =
                shape[shape.len() - 2] as isize >= -offset && shape[shape.len() - 1] as isize >= offset;
            // PyTorch refuses a diagonal outside the matrix.
            let (torch, offset) =
                if inside { (torch, offset) } else { ("x[0].diagonal(0, -2, -1)".into(), 0) };
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].diagonal(offset))
        }),
        Entry::new("trace", |g| {
            let shape = [g.within(0..=4), g.within(0..=4)];
            Sample::new("x[0].trace()", vec![g.tensor(&shape, Real)], |x| x[0].trace())
        }),
        Entry::new("diag_embed", |g| {
            let (shape, offset) = (g.shape(1..=2), g.within(0..=4) as isize - 2);
            let torch = format!("torch.diag_embed(x[0], {offset})");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].diag_embed(offset))
        }),
        Entry::new("slice", |g| {
            let shape = g.full_shape(1..=3);
            let axis = g.within(0..=shape.len() - 1);
            let (a, b, step) = (g.within(0..=shape[axis]), g.within(0..=shape[axis]), g.within(1..=2));
            let torch = format!("x[0][{}{a}:{b}:{step}]", ":, ".repeat(axis));
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| {
                x[0].slice(axis as isize, Slice::from(a..b).step(step as isize))
            })
        }),
        Entry::new("pad", |g| {
            let shape = g.shape(1..=3);
            let widths: Vec<(usize, usize)> =
                shape.iter().map(|_| (g.within(0..=2), g.within(0..=2))).collect();
            // PyTorch counts from the last axis.
            let pairs: Vec<String> = widths.iter().rev().map(|(a, b)| format!("{a}, {b}")).collect();
            let torch = format!("F.pad(x[0], [{}], value=1.5)", pairs.join(", "));
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].pad(&widths, 1.5))
        }),
        Entry::new("concat", |g| joined(g, false)),
        Entry::new("stack", |g| joined(g, true)),
        Entry::new("flatten_axes", |g| {
            let shape = g.full_shape(1..=4);
            let (a, b) = (g.within(0..=shape.len() - 1), g.within(0..=shape.len() - 1));
            let (a, b) = (a.min(b) as isize, a.max(b) as isize - shape.len() as isize);
            Sample::new(format!("x[0].flatten({a}, {b})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].flatten_axes(a, b)
            })
        }),
        Entry::new("flatten", |g| {
            let shape = g.full_shape(1..=4);
            let a = g.within(0..=shape.len() - 1);
            Sample::new(format!("x[0].flatten({a})"), vec![g.tensor(&shape, Real)], move |x| x[0].flatten(a))
        }),
        Entry::new("unflatten", |g| {
            let (n, a, b) = (g.within(0..=2), g.within(1..=3), g.within(1..=3));
            let x = vec![g.tensor(&[n, a * b], Real)];
            Sample::new(format!("x[0].unflatten(-1, [-1, {b}])"), x, move |x| {
                x[0].unflatten(-1, [-1, b as isize])
            })
        }),
        Entry::new("view", |g| {
            let (n, m) = (g.within(1..=4), g.within(1..=4));
            let x = vec![g.tensor(&[n, m], Real).contiguous()];
            Sample::new("x[0].view(-1, 1)", x, |x| x[0].view([-1, 1]))
        }),
        Entry::new("squeeze", |g| {
            let (n, m) = (g.within(0..=3), g.within(1..=3));
            Sample::new("x[0].squeeze((1, -1))", vec![g.tensor(&[n, 1, m, 1], Real)], |x| {
                x[0].squeeze([1, -1])
            })
        }),
        Entry::new("squeeze_all", |g| {
            let shape = g.shape(0..=4);
            Sample::new("x[0].squeeze()", vec![g.tensor(&shape, Real)], |x| x[0].squeeze_all())
        }),
        Entry::new("unsqueeze", |g| {
            let shape = g.shape(0..=3);
            let axis = g.axis(shape.len() + 1);
            Sample::new(format!("x[0].unsqueeze({axis})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].unsqueeze(axis)
            })
        }),
        Entry::new("t", |g| {
            let shape = g.shape(2..=4);
            Sample::new("x[0].mT", vec![g.tensor(&shape, Real)], |x| x[0].t())
        }),
        Entry::new("sum_to", |g| {
            let shape = g.shape(0..=3);
            let narrow = g.broadcastable(&shape);
            Sample::new(format!("x[0].sum_to_size({narrow:?})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].sum_to(&narrow)
            })
        }),
        Entry::new("tile", |g| {
            let shape = g.shape(1..=3);
            let times: Vec<usize> = (0..g.within(0..=4)).map(|_| g.within(0..=2)).collect();
            Sample::new(format!("x[0].tile({times:?})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].tile(&times)
            })
        }),
        Entry::new("rot90", |g| {
            let shape = g.shape(2..=3);
            let (k, order) = (g.within(0..=8) as isize - 4, g.permutation(shape.len()));
            let axes = [order[0] as isize, order[1] as isize - shape.len() as isize];
            Sample::new(format!("x[0].rot90({k}, {axes:?})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].rot90(k, axes)
            })
        }),
        Entry::new("unfold", |g| {
            let shape = g.full_shape(1..=3);
            let axis = g.axis(shape.len());
            let (size, step) = (g.within(1..=shape[index_of(axis, shape.len())]), g.within(1..=3));
            let torch = format!("x[0].unfold({axis}, {size}, {step})");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].unfold(axis, size, step))
        }),
        Entry::new("narrow", |g| {
            let shape = g.shape(1..=3);
            let axis = g.axis(shape.len());
            let n = shape[index_of(axis, shape.len())];
            let start = g.within(0..=n);
            let length = g.within(0..=n - start);
            let torch = format!("x[0].narrow({axis}, {start}, {length})");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].narrow(axis, start, length))
        }),
        Entry::new("get", |g| {
            let shape = g.full_shape(1..=3);
            let axis = g.axis(shape.len());
            let at = g.within(0..=shape[index_of(axis, shape.len())] - 1);
            Sample::new(format!("x[0].select({axis}, {at})"), vec![g.tensor(&shape, Real)], move |x| {
                x[0].select(axis, at)
            })
        }),
        Entry::new("split", |g| {
            let shape = g.full_shape(1..=3);
            let axis = g.axis(shape.len());
            let n = shape[index_of(axis, shape.len())];
            let first = g.within(0..=n);
            let torch = format!("x[0].split([{first}, {}], {axis})[1]", n - first);
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| {
                x[0].split(axis, &[first, n - first])[1]
            })
        }),
        Entry::new("split_every", |g| {
            let shape = g.full_shape(1..=3);
            let (axis, size) = (g.axis(shape.len()), g.within(1..=3));
            let torch = format!("x[0].split({size}, {axis})[-1]");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| {
                *x[0].split_every(axis, size).last().unwrap()
            })
        }),
        Entry::new("meshgrid", |g| {
            let x = (0..g.within(1..=3)).map(|_| g.within(1..=3)).collect::<Vec<_>>();
            let x = x.iter().map(|n| g.tensor(&[*n], Real)).collect();
            Sample::new("torch.stack(torch.meshgrid(*x, indexing='ij'))", x, |x| {
                let tape = x[0].tape();
                tape.stack(&tape.meshgrid(x), 0)
            })
        }),
        Entry::new("meshgrid_xy", |g| {
            let x = (0..g.within(2..=3)).map(|_| g.within(1..=3)).collect::<Vec<_>>();
            let x = x.iter().map(|n| g.tensor(&[*n], Real)).collect();
            Sample::new("torch.stack(torch.meshgrid(*x, indexing='xy'))", x, |x| {
                let tape = x[0].tape();
                tape.stack(&tape.meshgrid_xy(x), 0)
            })
        }),
        Entry::new("block_diag", |g| {
            let mut x = Vec::new();
            for _ in 0..g.within(1..=3) {
                let shape = g.full_shape(0..=2);
                x.push(g.tensor(&shape, Real));
            }
            Sample::new("torch.block_diag(*x)", x, |x| x[0].tape().block_diag(x))
        }),
    ]
}

fn triangle(g: &mut Gen, name: &'static str) -> Sample {
    let (shape, offset) = (g.shape(2..=3), g.within(0..=4) as isize - 2);
    Sample::new(format!("x[0].{name}({offset})"), vec![g.tensor(&shape, Real)], move |x| match name {
        "tril" => x[0].tril(offset),
        _ => x[0].triu(offset),
    })
}

fn joined(g: &mut Gen, stacked: bool) -> Sample {
    let shape = g.full_shape(1..=3);
    let (axis, parts) = (g.axis(shape.len()), g.within(1..=3));
    let mut x = Vec::new();
    for _ in 0..parts {
        let mut s = shape.clone();
        if !stacked {
            s[index_of(axis, shape.len())] = g.within(1..=3);
        }
        x.push(g.tensor(&s, Real));
    }
    if stacked {
        Sample::new(format!("torch.stack(x, {axis})"), x, move |x| x[0].tape().stack(x, axis))
    } else {
        Sample::new(format!("torch.cat(x, {axis})"), x, move |x| x[0].tape().concat(x, axis))
    }
}
