//! Normalisations, and attention.

use crate::{Input, Row, Values, between, real};
use wengert::tape::rules::Attention;

pub(crate) fn rows() -> Vec<Row> {
    let mut all = Vec::new();
    for (shape, values) in [
        (&[32, 128, 256][..], Values::Ordinary),
        (&[64, 64], Values::Ordinary),
        (&[4096, 7], Values::Ordinary),
        (&[16, 65536], Values::Ordinary),
        (&[256, 256], Values::Denormal),
        (&[256, 256], Values::Special),
    ] {
        let n = shape[shape.len() - 1];
        let x = || vec![real(shape), real(&[n]), real(&[n])];
        let torch = format!("F.layer_norm(x[0], [{n}], x[1], x[2], 1e-5)");
        let row = Row::new("layer_norm", torch, x(), move |x, _| {
            x[0].layer_norm([n], Some(x[1]), Some(x[2]), 1e-5)
        });
        all.push(row.values(values));
        let torch = format!("F.rms_norm(x[0], [{n}], x[1], 1e-5)");
        let row =
            Row::new("rms_norm", torch, x()[..2].to_vec(), move |x, _| x[0].rms_norm([n], Some(x[1]), 1e-5));
        all.push(row.values(values));
    }
    let images: [&[usize]; 6] = [
        &[32, 64, 28, 28],
        &[4, 16, 4, 4],
        &[16, 512, 2, 2],
        &[2, 8, 128, 128],
        &[64, 512, 1, 1],
        &[64, 256],
    ];
    for shape in images {
        let c = shape[1];
        let x = || vec![real(shape), real(&[c]), real(&[c])];
        let torch = "F.batch_norm(x[0], None, None, x[1], x[2], True, 0.0, 1e-5)";
        let row = Row::new("batch_norm", torch, x(), |x, _| x[0].batch_norm(Some(x[1]), Some(x[2]), 1e-5));
        all.push(row);
        // In PyTorch the moments of the batch go to the buffers of running statistics in the same call.
        let torch = "F.batch_norm(x[0], i[0].clone(), i[1].clone(), x[1], x[2], True, 0.1, 1e-5)";
        let row = Row::new("batch_norm_with_moments", torch, x(), |x, i| {
            std::hint::black_box((i.numbers(0), i.numbers(1)));
            let [y, _, _] = x[0].batch_norm_with_moments(Some(x[1]), Some(x[2]), 1e-5);
            y
        });
        all.push(row.numbers(&[c], -1.0, 1.0).numbers(&[c], 0.1, 3.0));
        let torch = "F.batch_norm(x[0], i[0], i[1], x[1], x[2], False, 0.0, 1e-5)";
        let row = Row::new("batch_norm_eval", torch, x(), |x, i| {
            x[0].batch_norm_eval(i.numbers(0), i.numbers(1), Some(x[1]), Some(x[2]), 1e-5)
        });
        all.push(row.numbers(&[c], -1.0, 1.0).numbers(&[c], 0.1, 3.0));
        let torch = "F.group_norm(x[0], 4, x[1], x[2], 1e-5)";
        all.push(Row::new("group_norm", torch, x(), |x, _| x[0].group_norm(4, Some(x[1]), Some(x[2]), 1e-5)));
        if shape.len() == 4 && shape[2] > 1 {
            let torch = "F.instance_norm(x[0], None, None, x[1], x[2], eps=1e-5)";
            all.push(Row::new("instance_norm", torch, x(), |x, _| {
                x[0].instance_norm(Some(x[1]), Some(x[2]), 1e-5)
            }));
        }
        if shape.len() == 4 {
            let torch = "F.local_response_norm(x[0], 5, 1e-4, 0.75, 2.0)";
            let x = vec![real(shape)];
            all.push(Row::new("local_response_norm", torch, x, |x, _| {
                x[0].local_response_norm(5, 1e-4, 0.75, 2.0)
            }));
        }
    }
    all.extend(attention());
    all
}

fn attention() -> Vec<Row> {
    let op = "scaled_dot_product_attention";
    let mut all = Vec::new();
    let queries = |[batch, heads, t, s, d]: [usize; 5]| -> Vec<Input> {
        [t, s, s].iter().map(|n| between(&[batch, heads, *n, d], -2.0, 2.0)).collect()
    };
    for sizes in [
        [8, 8, 128, 128, 32],
        [1, 4, 1000, 1000, 64],
        [2, 2, 16, 16, 8],
        [4, 4, 65, 65, 7],
        [1, 8, 1, 512, 64],
        [64, 8, 4, 4, 16],
    ] {
        let torch = "F.scaled_dot_product_attention(*x)";
        all.push(Row::new(op, torch, queries(sizes), |x, _| {
            x[0].scaled_dot_product_attention(x[1], x[2], Attention::new())
        }));
        let torch = "F.scaled_dot_product_attention(*x, is_causal=True)";
        let row = Row::new(format!("{op} (causal)"), torch, queries(sizes), |x, _| {
            x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().causal_top_left())
        });
        // One query sees one key: the gradients are zeros, but for rounding.
        all.push(if sizes[2] == 1 { row.uncompared() } else { row });
        let torch = "F.scaled_dot_product_attention(*x, attn_mask=i[0])";
        let row = Row::new(format!("{op} (mask)"), torch, queries(sizes), |x, i| {
            x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().mask(i.mask(0)))
        });
        // Rows without a key are zeros in both, or NaN.
        all.push(row.mask(&[sizes[2], sizes[3]]).uncompared());
        let mut x = queries(sizes);
        x.push(real(&[sizes[2], sizes[3]]));
        let torch = "F.scaled_dot_product_attention(x[0], x[1], x[2], attn_mask=x[3])";
        all.push(Row::new(format!("{op} (bias)"), torch, x, |x, _| {
            x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().bias(x[3]))
        }));
    }
    let torch = "F.scaled_dot_product_attention(*x)";
    let row = Row::new(op, torch, queries([2, 4, 64, 64, 32]), |x, _| {
        x[0].scaled_dot_product_attention(x[1], x[2], Attention::new())
    });
    all.push(row.values(Values::Denormal));
    all
}
