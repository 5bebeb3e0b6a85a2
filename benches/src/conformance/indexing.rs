//! Taking elements by position, and writing them.

use crate::{Entry, Sample};
use wengert::ops::Tensor;
use wengert::tape::gradcheck::Domain::Real;
use wengert::tape::gradcheck::Gen;

/// Distinct positions below `n`, at most `n` of them.
fn different(g: &mut Gen, shape: &[usize], n: usize) -> Tensor<i64> {
    let order = g.permutation(n).into_iter().take(shape.iter().product()).map(|i| i as i64).collect();
    Tensor::from_vec(order, shape).unwrap()
}

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::new("index_select", |g| {
            let (shape, axis, along) = shaped(g);
            let n = g.within(0..=4);
            let index = g.indices(&[n], shape[along]);
            let at = index.clone();
            let torch = format!("x[0].index_select({axis}, i[0])");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].index_select(axis, &at))
                .with_index(&index)
        }),
        Entry::new("index_add", |g| {
            let (shape, axis, along) = shaped(g);
            let n = g.within(1..=4);
            let index = g.indices(&[n], shape[along]);
            let source = with(&shape, along, n);
            let x = vec![g.tensor(&shape, Real), g.tensor(&source, Real)];
            let at = index.clone();
            let torch = format!("x[0].index_add({axis}, i[0], x[1])");
            Sample::new(torch, x, move |x| x[0].index_add(axis, &at, x[1])).with_index(&index)
        }),
        Entry::new("index_copy", |g| {
            let (shape, axis, along) = shaped(g);
            let n = g.within(1..=shape[along]);
            let index = different(g, &[n], shape[along]);
            let source = with(&shape, along, n);
            let x = vec![g.tensor(&shape, Real), g.tensor(&source, Real)];
            let at = index.clone();
            let torch = format!("x[0].index_copy({axis}, i[0], x[1])");
            Sample::new(torch, x, move |x| x[0].index_copy(axis, &at, x[1])).with_index(&index)
        }),
        Entry::new("gather", |g| {
            let (shape, axis, along) = shaped(g);
            let places = gathered(g, &shape, along);
            let index = g.indices(&places, shape[along]);
            let at = index.clone();
            let torch = format!("x[0].gather({axis}, i[0])");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| x[0].gather(axis, &at))
                .with_index(&index)
        }),
        Entry::new("scatter_add", |g| {
            let (shape, axis, along) = shaped(g);
            let places = gathered(g, &shape, along);
            let index = g.indices(&places, shape[along]);
            let at = index.clone();
            let torch = format!("x[0].scatter_add({axis}, i[0], x[1])");
            let x = vec![g.tensor(&shape, Real), g.tensor(&places, Real)];
            Sample::new(torch, x, move |x| x[0].scatter_add(axis, &at, x[1])).with_index(&index)
        }),
        Entry::new("scatter", |g| {
            let (shape, axis, along) = shaped(g);
            let n = g.within(1..=shape[along]);
            let places = with(&gathered(g, &shape, along), along, n);
            // Along every line the same positions in another order, none of them twice.
            let order = g.permutation(shape[along]);
            let after: usize = places[along + 1..].iter().product();
            let place = |i: usize| order[(i / after + i % after) % shape[along]] as i64;
            let values = (0..places.iter().product()).map(place).collect();
            let index = Tensor::from_vec(values, &places[..]).unwrap();
            let at = index.clone();
            let torch = format!("x[0].scatter({axis}, i[0], x[1])");
            let x = vec![g.tensor(&shape, Real), g.tensor(&places, Real)];
            Sample::new(torch, x, move |x| x[0].scatter(axis, &at, x[1])).with_index(&index)
        }),
        Entry::new("take", |g| {
            let shape = g.full_shape(0..=3);
            let places = g.shape(0..=2);
            let index = g.indices(&places, shape.iter().product());
            let at = index.clone();
            Sample::new("x[0].take(i[0])", vec![g.tensor(&shape, Real)], move |x| x[0].take(&at))
                .with_index(&index)
        }),
        Entry::new("put", |g| {
            let shape = g.full_shape(1..=3);
            let n = shape.iter().product();
            let count = g.within(1..=n);
            let index = different(g, &[count], n);
            let at = index.clone();
            let x = vec![g.tensor(&shape, Real), g.tensor(&[count], Real)];
            Sample::new("x[0].put(i[0], x[1])", x, move |x| x[0].put(&at, x[1], false)).with_index(&index)
        }),
        Entry::new("put (accumulating)", |g| {
            let (shape, count) = (g.full_shape(1..=3), g.within(0..=5));
            let index = g.indices(&[count], shape.iter().product());
            let at = index.clone();
            let x = vec![g.tensor(&shape, Real), g.tensor(&[count], Real)];
            Sample::new("x[0].put(i[0], x[1], accumulate=True)", x, move |x| x[0].put(&at, x[1], true))
                .with_index(&index)
        }),
        Entry::new("index_get", |g| {
            let shape = g.full_shape(2..=3);
            let (m, n) = (g.within(1..=3), g.within(0..=3));
            let index = [g.indices(&[m, 1], shape[0]), g.indices(&[n], shape[1])];
            let at = index.clone();
            Sample::new("x[0][i[0], i[1]]", vec![g.tensor(&shape, Real)], move |x| x[0].index_get(&at))
                .with_index(&index[0])
                .with_index(&index[1])
        }),
        Entry::new("index_put", |g| {
            let shape = g.full_shape(2..=3);
            let (m, n) = (g.within(1..=shape[0]), g.within(1..=shape[1]));
            let index = [different(g, &[m, 1], shape[0]), different(g, &[n], shape[1])];
            index_put(g, &shape, index, false)
        }),
        Entry::new("index_put (accumulating)", |g| {
            let shape = g.full_shape(2..=3);
            let (m, n) = (g.within(1..=3), g.within(0..=3));
            let index = [g.indices(&[m, 1], shape[0]), g.indices(&[n], shape[1])];
            index_put(g, &shape, index, true)
        }),
        Entry::new("masked_select", |g| {
            let shape = g.shape(0..=3);
            let narrow = g.broadcastable(&shape);
            let mask = g.mask(&narrow);
            let at = mask.clone();
            Sample::new("x[0].masked_select(i[0])", vec![g.tensor(&shape, Real)], move |x| {
                x[0].masked_select(&at)
            })
            .with_mask(&mask)
        }),
        Entry::new("masked_scatter", |g| {
            let shape = g.shape(0..=3);
            let narrow = g.broadcastable(&shape);
            let mask = g.mask(&narrow);
            let n = shape.iter().product::<usize>() + g.within(0..=2);
            let x = vec![g.tensor(&shape, Real), g.tensor(&[n], Real)];
            let at = mask.clone();
            Sample::new("x[0].masked_scatter(i[0], x[1])", x, move |x| x[0].masked_scatter(&at, x[1]))
                .with_mask(&mask)
        }),
        Entry::new("embedding", |g| {
            let (rows, places) = (g.within(1..=4), g.shape(0..=2));
            let index = g.indices(&places, rows);
            let x = vec![g.tensor(&[rows, 3], Real)];
            let at = index.clone();
            Sample::new("F.embedding(i[0], x[0])", x, move |x| x[0].embedding(&at)).with_index(&index)
        }),
        Entry::new("embedding_padded", |g| {
            let (rows, places) = (g.within(1..=4), g.shape(0..=2));
            let (index, padding) = (g.indices(&places, rows), g.within(0..=rows - 1));
            let x = vec![g.tensor(&[rows, 3], Real)];
            let at = index.clone();
            let torch = format!("F.embedding(i[0], x[0], padding_idx={padding})");
            Sample::new(torch, x, move |x| x[0].embedding_padded(&at, padding)).with_index(&index)
        }),
    ]
}

/// A shape without empty axes, one of its axes, and the same axis counted from the front.
fn shaped(g: &mut Gen) -> (Vec<usize>, isize, usize) {
    let shape = g.full_shape(1..=3);
    let axis = g.axis(shape.len());
    let along = axis.rem_euclid(shape.len() as isize) as usize;
    (shape, axis, along)
}

fn with(shape: &[usize], axis: usize, size: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    shape[axis] = size;
    shape
}

/// The shape of an index that gathers along an axis.
fn gathered(g: &mut Gen, shape: &[usize], along: usize) -> Vec<usize> {
    (0..shape.len()).map(|i| if i == along { g.within(1..=3) } else { g.within(1..=shape[i]) }).collect()
}

fn index_put(g: &mut Gen, shape: &[usize], index: [Tensor<i64>; 2], accumulate: bool) -> Sample {
    let mut source = vec![index[0].numel(), index[1].numel()];
    source.extend(&shape[2..]);
    let source = if g.once_in(3) { vec![] } else { source };
    let x = vec![g.tensor(shape, Real), g.tensor(&source, Real)];
    let torch = format!(
        "x[0].index_put((i[0], i[1]), x[1], accumulate={})",
        if accumulate { "True" } else { "False" }
    );
    let at = index.clone();
    Sample::new(torch, x, move |x| x[0].index_put(&at, x[1], accumulate))
        .with_index(&index[0])
        .with_index(&index[1])
}
