//! Taking elements by position, and writing them.

use crate::{Row, real};

pub(crate) fn rows() -> Vec<Row> {
    let mut all = Vec::new();
    // Of whole rows, of single elements in each row, and of short rows.
    let shapes: [(&[usize], usize, usize); 5] = [
        (&[4096, 256], 0, 4096),
        (&[64, 64], 0, 64),
        (&[1024, 1024], 1, 512),
        (&[65536, 7], 0, 65536),
        (&[65536, 7], 1, 3),
    ];
    for (shape, along, n) in shapes {
        let axis = along as isize;
        let mut part = shape.to_vec();
        part[along] = n;
        let note = format!("{n} along axis {axis}");
        let both = || vec![real(shape), real(&part)];
        let size = shape[along];
        let torch = format!("x[0].index_select({axis}, i[0])");
        let row = Row::new("index_select", torch, vec![real(shape)], move |x, i| {
            x[0].index_select(axis, i.index(0))
        });
        all.push(row.index(&[n], size).note(&note));
        let torch = format!("x[0].index_add({axis}, i[0], x[1])");
        let row = Row::new("index_add", torch, both(), move |x, i| x[0].index_add(axis, i.index(0), x[1]));
        all.push(row.index(&[n], size).note(&note));
        let torch = format!("x[0].index_copy({axis}, i[0], x[1])");
        let row = Row::new("index_copy", torch, both(), move |x, i| x[0].index_copy(axis, i.index(0), x[1]));
        all.push(row.distinct(&[n], size).note(&note));
        let torch = format!("x[0].gather({axis}, i[0])");
        let row = Row::new("gather", torch, vec![real(shape)], move |x, i| x[0].gather(axis, i.index(0)));
        all.push(row.index(&part, size).note(&note));
        let torch = format!("x[0].scatter_add({axis}, i[0], x[1])");
        let row =
            Row::new("scatter_add", torch, both(), move |x, i| x[0].scatter_add(axis, i.index(0), x[1]));
        all.push(row.index(&part, size).note(&note));
        // Which of several writes to one position is the last, and its gradient, depends on the engine.
        let torch = format!("x[0].scatter({axis}, i[0], x[1])");
        let row = Row::new("scatter", torch, both(), move |x, i| x[0].scatter(axis, i.index(0), x[1]));
        all.push(row.index(&part, size).note(&note).uncompared());
    }
    for (rows, width, places) in
        [(50_000, 128, &[32, 64][..]), (64, 16, &[64]), (1000, 1, &[8192]), (10, 512, &[4096])]
    {
        let x = || vec![real(&[rows, width])];
        let note = format!("{places:?}");
        let row = Row::new("embedding", "F.embedding(i[0], x[0])", x(), |x, i| x[0].embedding(i.index(0)));
        all.push(row.index(places, rows).note(&note));
        let row = Row::new("embedding_padded", "F.embedding(i[0], x[0], padding_idx=0)", x(), |x, i| {
            x[0].embedding_padded(i.index(0), 0)
        });
        all.push(row.index(places, rows).note(&note));
    }
    for (shape, n) in [([1024, 1024], 262_144), ([64, 64], 1000), ([65536, 7], 100), ([1000, 1], 100_000)] {
        let size = shape[0] * shape[1];
        let note = format!("{n} positions");
        let row = Row::new("take", "x[0].take(i[0])", vec![real(&shape)], |x, i| x[0].take(i.index(0)));
        all.push(row.index(&[n], size).note(&note));
        let both = || vec![real(&shape), real(&[n])];
        if n <= size {
            let row =
                Row::new("put", "x[0].put(i[0], x[1])", both(), |x, i| x[0].put(i.index(0), x[1], false));
            all.push(row.distinct(&[n], size).note(&note));
        }
        let torch = "x[0].put(i[0], x[1], accumulate=True)";
        let row = Row::new("put (accumulating)", torch, both(), |x, i| x[0].put(i.index(0), x[1], true));
        all.push(row.index(&[n], size).note(&note));
        let row = Row::new("index_get", "x[0][i[0], i[1]]", vec![real(&shape)], |x, i| {
            x[0].index_get(&[i.index(0).clone(), i.index(1).clone()])
        });
        all.push(row.index(&[n], shape[0]).index(&[n], shape[1]).note(&note));
        let row = Row::new(
            "index_put (accumulating)",
            "x[0].index_put((i[0], i[1]), x[1], accumulate=True)",
            both(),
            |x, i| x[0].index_put(&[i.index(0).clone(), i.index(1).clone()], x[1], true),
        );
        all.push(row.index(&[n], shape[0]).index(&[n], shape[1]).note(&note));
        let row = Row::new("index_put", "x[0].index_put((i[0], i[1]), x[1])", both(), |x, i| {
            x[0].index_put(&[i.index(0).clone(), i.index(1).clone()], x[1], false)
        });
        all.push(row.index(&[n], shape[0]).index(&[n], shape[1]).note(&note).uncompared());
    }
    // Rows by one index.
    for (shape, n) in [(&[4096, 256][..], 4096), (&[65536, 7], 65536), (&[100, 3, 64, 64], 64)] {
        let row = Row::new("index_get (rows)", "x[0][i[0]]", vec![real(shape)], |x, i| {
            x[0].index_get(&[i.index(0).clone()])
        });
        all.push(row.index(&[n], shape[0]).note(format!("{n} rows")));
    }
    for shape in [&[1024, 1024][..], &[64, 64], &[65536, 7], &[256, 256, 2]] {
        let mask = if shape.len() == 3 { &shape[..2] } else { shape };
        if shape.len() == 2 {
            let row = Row::new("masked_select", "x[0].masked_select(i[0])", vec![real(shape)], |x, i| {
                x[0].masked_select(i.mask(0))
            });
            all.push(row.mask(mask));
            let row = Row::new(
                "masked_scatter",
                "x[0].masked_scatter(i[0], x[1])",
                vec![real(shape), real(shape)],
                |x, i| x[0].masked_scatter(i.mask(0), x[1]),
            );
            all.push(row.mask(mask));
        }
    }
    all
}
