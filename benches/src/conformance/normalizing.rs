//! Normalisations, and attention.

use crate::{Entry, Sample};
use wengert::ops::Tensor;
use wengert::tape::gradcheck::Domain::{Between, Real};
use wengert::tape::gradcheck::Gen;
use wengert::tape::rules::Attention;

pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::new("layer_norm", |g| {
            let shape = g.full_shape(1..=3);
            let normalized = shape[g.within(0..=shape.len() - 1)..].to_vec();
            let x = vec![g.tensor(&shape, Real), g.tensor(&normalized, Real), g.tensor(&normalized, Real)];
            Sample::new(format!("F.layer_norm(x[0], {normalized:?}, x[1], x[2], 1e-3)"), x, move |x| {
                x[0].layer_norm(&normalized, Some(x[1]), Some(x[2]), 1e-3)
            })
        }),
        Entry::new("rms_norm", |g| {
            let shape = g.full_shape(1..=3);
            let normalized = shape[g.within(0..=shape.len() - 1)..].to_vec();
            let x = vec![g.tensor(&shape, Real), g.tensor(&normalized, Real)];
            Sample::new(format!("F.rms_norm(x[0], {normalized:?}, x[1], 1e-3)"), x, move |x| {
                x[0].rms_norm(&normalized, Some(x[1]), 1e-3)
            })
        }),
        Entry::new("group_norm", |g| {
            let (shape, groups) = ([g.within(1..=2), 4, g.within(2..=4)], g.pick(&[1, 2, 4]));
            let x = vec![g.tensor(&shape, Real), g.tensor(&[4], Real), g.tensor(&[4], Real)];
            Sample::new(format!("F.group_norm(x[0], {groups}, x[1], x[2], 1e-3)"), x, move |x| {
                x[0].group_norm(groups, Some(x[1]), Some(x[2]), 1e-3)
            })
        }),
        Entry::new("instance_norm", |g| {
            let shape = [g.within(1..=2), 3, g.within(2..=4), g.within(1..=2)];
            let x = vec![g.tensor(&shape, Real), g.tensor(&[3], Real), g.tensor(&[3], Real)];
            Sample::new("F.instance_norm(x[0], None, None, x[1], x[2], eps=1e-3)", x, |x| {
                x[0].instance_norm(Some(x[1]), Some(x[2]), 1e-3)
            })
        }),
        Entry::new("batch_norm", |g| {
            let x = channels(g);
            Sample::new("F.batch_norm(x[0], None, None, x[1], x[2], True, 0.0, 1e-3)", x, |x| {
                x[0].batch_norm(Some(x[1]), Some(x[2]), 1e-3)
            })
        }),
        Entry::new("batch_norm_with_moments", |g| {
            let x = channels(g);
            let torch = "torch.cat([F.batch_norm(x[0], None, None, x[1], x[2], True, 0.0, 1e-3).flatten(), \
                x[0].mean((0, 2)), x[0].var((0, 2), correction=0)])";
            Sample::new(torch, x, |x| {
                let [y, mean, variance] = x[0].batch_norm_with_moments(Some(x[1]), Some(x[2]), 1e-3);
                y.tape().concat(&[y.flatten(0), mean, variance], 0)
            })
        }),
        Entry::new("batch_norm_eval", |g| {
            let x = channels(g);
            let (mean, variance) = (g.tensor(&[3], Real), g.tensor(&[3], Between(0.1, 3.0)));
            let (m, v) = (mean.clone(), variance.clone());
            Sample::new("F.batch_norm(x[0], i[0], i[1], x[1], x[2], False, 0.0, 1e-3)", x, move |x| {
                x[0].batch_norm_eval(&m, &v, Some(x[1]), Some(x[2]), 1e-3)
            })
            .with_numbers(&mean)
            .with_numbers(&variance)
        }),
        Entry::new("local_response_norm", |g| {
            let (shape, size) = ([g.within(1..=2), g.within(1..=5), g.within(1..=3)], g.within(1..=5));
            let torch = format!("F.local_response_norm(x[0], {size}, 0.3, 0.75, 1.5)");
            Sample::new(torch, vec![g.tensor(&shape, Real)], move |x| {
                x[0].local_response_norm(size, 0.3, 0.75, 1.5)
            })
        }),
        Entry::new("attention", |g| {
            let (_, x) = queries(g);
            Sample::new("F.scaled_dot_product_attention(*x)", x, |x| {
                x[0].scaled_dot_product_attention(x[1], x[2], Attention::new())
            })
        }),
        Entry::new("attention (causal)", |g| {
            let ([t, s], x) = queries(g);
            let seen = format!("torch.ones({t}, {s}, dtype=torch.bool).tril({s} - {t})");
            Sample::new(format!("F.scaled_dot_product_attention(*x, attn_mask={seen})"), x, |x| {
                x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().causal())
            })
        }),
        Entry::new("attention (causal, top left)", |g| {
            let (_, x) = queries(g);
            Sample::new("F.scaled_dot_product_attention(*x, is_causal=True)", x, |x| {
                x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().causal_top_left())
            })
        }),
        Entry::new("attention (mask)", |g| {
            let ([t, s], x) = queries(g);
            let mask = g.mask(&[t, s]);
            let seen = mask.clone();
            Sample::new("F.scaled_dot_product_attention(*x, attn_mask=i[0], scale=0.7)", x, move |x| {
                x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().mask(&seen).scale(0.7))
            })
            .with_mask(&mask)
        }),
        Entry::new("attention (bias)", |g| {
            let ([t, s], mut x) = queries(g);
            x.push(g.tensor(&[t, s], Real));
            Sample::new("F.scaled_dot_product_attention(x[0], x[1], x[2], attn_mask=x[3])", x, |x| {
                x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().bias(x[3]))
            })
        }),
    ]
}

/// A batch of three channels, weight and bias.
fn channels(g: &mut Gen) -> Vec<Tensor<f64>> {
    let shape = [g.within(2..=3), 3, g.within(1..=3)];
    vec![g.tensor(&shape, Real), g.tensor(&[3], Real), g.tensor(&[3], Real)]
}

/// The numbers of queries and keys; and queries, keys and values.
fn queries(g: &mut Gen) -> ([usize; 2], Vec<Tensor<f64>>) {
    let (heads, t, s, d, e) =
        (g.within(1..=2), g.within(1..=4), g.within(1..=4), g.within(1..=3), g.within(1..=3));
    let shapes = [[2, heads, t, d], [2, heads, s, d], [2, heads, s, e]];
    ([t, s], shapes.iter().map(|s| g.tensor(s, Between(-2.0, 2.0))).collect())
}
