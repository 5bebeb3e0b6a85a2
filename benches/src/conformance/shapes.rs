//! Shapes, the order of elements, indexing and joining.

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
            // PyTorch refuses a diagonal outside of the matrix.
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
        Entry::new("index_select", |g| {
            let shape = g.full_shape(1..=3);
            let (axis, n) = (g.axis(shape.len()), g.within(0..=4));
            let index = g.indices(&[n], shape[index_of(axis, shape.len())]);
            let at = index.clone();
            let torch = format!("x[0].index_select({axis}, i[0])");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].index_select(axis, &at))
                .with_index(&index)
        }),
        Entry::new("index_add", |g| {
            let shape = g.full_shape(1..=3);
            let (axis, n) = (g.axis(shape.len()), g.within(1..=4));
            let index = g.indices(&[n], shape[index_of(axis, shape.len())]);
            let mut source = shape.clone();
            source[index_of(axis, shape.len())] = n;
            let x = vec![g.tensor(&shape, Real), g.tensor(&source, Real)];
            let at = index.clone();
            let torch = format!("x[0].index_add({axis}, i[0], x[1])");
            Sample::new(torch, x, move |x| x[0].index_add(axis, &at, x[1])).with_index(&index)
        }),
        Entry::new("gather", |g| {
            let (shape, axis, places) = gathered(g);
            let index = g.indices(&places, shape[index_of(axis, shape.len())]);
            let at = index.clone();
            let torch = format!("x[0].gather({axis}, i[0])");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].gather(axis, &at))
                .with_index(&index)
        }),
        Entry::new("scatter_add", |g| {
            let (shape, axis, places) = gathered(g);
            let index = g.indices(&places, shape[index_of(axis, shape.len())]);
            let at = index.clone();
            let torch = format!("x[0].scatter_add({axis}, i[0], x[1])");
            let x = vec![g.tensor(&shape, Real), g.tensor(&places, Real)];
            Sample::new(torch, x, move |x| x[0].scatter_add(axis, &at, x[1])).with_index(&index)
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

/// A shape, an axis, and the shape of an index that gathers along it.
fn gathered(g: &mut Gen) -> (Vec<usize>, isize, Vec<usize>) {
    let shape = g.full_shape(1..=3);
    let axis = g.axis(shape.len());
    let along = index_of(axis, shape.len());
    let places =
        (0..shape.len()).map(|i| if i == along { g.within(1..=3) } else { g.within(1..=shape[i]) }).collect();
    (shape, axis, places)
}
