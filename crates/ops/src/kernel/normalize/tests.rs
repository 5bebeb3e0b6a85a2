//! Tests of `normalize`.

use super::*;
use crate::random::{Key, normal};

fn values(shape: &[usize], seed: u64) -> Tensor<f64> {
    normal(shape, 0.3, 2.0, Key { seed, stream: 0 }).unwrap()
}

fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "{a} {b}");
    }
}

/// Mean and 1/σ of the elements with the given key, each.
fn naive(x: &[f64], key: impl Fn(usize) -> usize, keys: usize, eps: f64) -> Vec<(f64, f64)> {
    (0..keys)
        .map(|k| {
            let of: Vec<f64> = x.iter().enumerate().filter(|(i, _)| key(*i) == k).map(|(_, v)| *v).collect();
            let mean = of.iter().sum::<f64>() / of.len() as f64;
            let var = of.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / of.len() as f64;
            (mean, 1.0 / (var + eps).sqrt())
        })
        .collect()
}

#[test]
fn groups_agree_with_loops_in_every_layout() {
    for (n, groups, channels, inner) in [
        (1, 1, 1, 1),
        (3, 1, 5, 1),
        (2, 2, 3, 4),
        (5, 3, 1, 7),
        (37, 1, 300, 1),
        (2, 2, 2, 5000),
        (0, 1, 2, 3),
    ] {
        let of = Groups { groups, channels, inner, centred: true, eps: 1e-5 };
        let width = groups * channels;
        let dense = values(&[n, width, inner], 1);
        let strided = dense.transpose(0, 2).unwrap().contiguous().transpose(0, 2).unwrap();
        let (w, b) = (values(&[width], 2), values(&[width], 3));
        let row = |i: usize| i / (channels * inner);
        let xs = dense.to_vec();
        let stats = naive(&xs, row, n * groups, 1e-5);
        let want: Vec<f64> = (0..xs.len())
            .map(|i| {
                let (m, s) = stats[row(i)];
                let c = i / inner % width;
                (xs[i] - m) * s * w.to_vec()[c] + b.to_vec()[c]
            })
            .collect();
        for x in [&dense, &strided] {
            let (y, _) = x.normalize_groups("test", of, Some(&w), Some(&b)).unwrap();
            close(&y.to_vec(), &want);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = values(&[2, 3, 4], 0);
    for (groups, channels, inner) in
        [(usize::MAX, 2, 1), (1 << 40, 1 << 40, 4), (3, 1, usize::MAX), (5, 1, 1)]
    {
        let of = Groups { groups, channels, inner, centred: true, eps: 1e-5 };
        assert!(x.normalize_groups("norm", of, None, None).is_err_and(|e| e.op() == "norm"));
        let stats = values(&[6, 3], 1);
        assert!(x.normalize_groups_adjoint("norm", of, None, &stats, &x, true).is_err());
    }
    let [_, _, stats] = x.channel_moments("norm", 1e-5).unwrap();
    let sums = x.channel_sums("norm", &stats, &x).unwrap();
    let through = |sums| Some(ThroughMoments { sums, mean: None, variance: None });
    assert!(x.normalize_channels_adjoint("norm", &stats, None, &x, through(&sums)).is_ok());
    let (short, few) = (values(&[1, 3, 4], 1), values(&[2], 1));
    assert!(x.normalize_channels_adjoint("norm", &stats, None, &short, through(&sums)).is_err());
    assert!(x.normalize_channels_adjoint("norm", &stats, None, &x, through(&few)).is_err());
}

#[test]
fn channels_agree_with_loops_in_every_layout() {
    // Columns, of one strip or several, in one block of rows or several; blocks of many runs, and of parts of a run.
    let columns = [(2, 16, 1), (7, 600, 1), (300, 17, 1), (1030, 40, 1), (5000, 16, 1)];
    let runs =
        [(2, 1, 1), (5, 3, 1), (4, 2, 7), (3, 4, 40), (2, 2, 5000), (300, 5, 3), (130, 3, 67), (3, 2, 200)];
    for (n, c, inner) in columns.into_iter().chain(runs) {
        let dense = values(&[n, c, inner], 4);
        let strided = dense.transpose(0, 2).unwrap().contiguous().transpose(0, 2).unwrap();
        let (w, b, g) = (values(&[c], 5), values(&[c], 6), values(&[n, c, inner], 7));
        let channel = |i: usize| i / inner % c;
        let (xs, gs) = (dense.to_vec(), g.to_vec());
        let stats = naive(&xs, channel, c, 1e-5);
        let hat: Vec<f64> =
            (0..xs.len()).map(|i| (xs[i] - stats[channel(i)].0) * stats[channel(i)].1).collect();
        let want: Vec<f64> =
            (0..xs.len()).map(|i| hat[i] * w.to_vec()[channel(i)] + b.to_vec()[channel(i)]).collect();
        let mut sums = vec![0.0; 2 * c];
        for i in 0..xs.len() {
            sums[channel(i)] += gs[i];
            sums[c + channel(i)] += gs[i] * hat[i];
        }
        let count = (n * inner) as f64;
        let pulled: Vec<f64> = (0..xs.len())
            .map(|i| {
                let k = channel(i);
                let a = stats[k].1 * w.to_vec()[k];
                a * (gs[i] - sums[k] / count - hat[i] * sums[c + k] / count)
            })
            .collect();
        for x in [&dense, &strided] {
            let [mean, _, stats] = x.channel_moments("test", 1e-5).unwrap();
            close(&mean.to_vec(), &naive(&xs, channel, c, 0.0).iter().map(|s| s.0).collect::<Vec<_>>());
            close(&x.normalize_channels("test", &stats, Some(&w), Some(&b)).unwrap().to_vec(), &want);
            let found = x.channel_sums("test", &stats, &g).unwrap();
            close(&found.to_vec(), &sums);
            let through = ThroughMoments { sums: &found, mean: None, variance: None };
            let gx = x.normalize_channels_adjoint("test", &stats, Some(&w), &g, Some(through)).unwrap();
            close(&gx.to_vec(), &pulled);
        }
    }
}

/// In single precision a mean of 10⁴ leaves three digits of these elements; none of them may be lost.
#[test]
fn a_large_mean_with_a_tiny_deviation_loses_nothing() {
    let step = 1.0 / 1024.0;
    let x: Tensor<f32> = Tensor::<f64>::steps(0.0, 1.0, 9000)
        .map(|i| (1e4 + step * ((i * 7.0) % 5.0)) as f32)
        .reshape([1, 9000])
        .unwrap();
    let exact = x.cast::<f64>();
    let of = Groups { groups: 1, channels: 1, inner: 9000, centred: true, eps: 0.0 };
    let (y, _) = x.normalize_groups("test", of, None, None).unwrap();
    let (want, _) = exact.normalize_groups("test", of, None, None).unwrap();
    for (a, b) in y.to_vec().iter().zip(want.to_vec()) {
        assert!((f64::from(*a) - b).abs() < 1e-5, "{a} {b}");
    }
}

/// As above, for the channels of a batch, in both orders.
#[test]
fn channels_with_a_large_mean_lose_nothing() {
    for shape in [vec![9000, 21], vec![90, 3, 100], vec![2, 3, 9000]] {
        let n = shape.iter().product();
        let x: Tensor<f32> = Tensor::<f64>::steps(0.0, 1.0, n)
            .map(|i| (1e4 + ((i * 7.0) % 5.0) / 1024.0) as f32)
            .reshape(&shape[..])
            .unwrap();
        let y = |x: &Tensor<f64>| {
            let [_, _, stats] = x.channel_moments("test", 0.0).unwrap();
            x.normalize_channels("test", &stats, None, None).unwrap().to_vec()
        };
        let want = y(&x.cast::<f64>());
        let [_, _, stats] = x.channel_moments("test", 0.0).unwrap();
        let found = x.normalize_channels("test", &stats, None, None).unwrap().to_vec();
        assert!(found.iter().zip(want).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5), "{shape:?}");
    }
}

#[test]
fn no_sum_depends_on_the_number_of_threads() {
    let bits = |t: &Tensor<f64>| t.to_vec().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    for shape in [vec![1030, 40], vec![7, 1100], vec![9, 16, 5, 7]] {
        let (x, g) = (values(&shape, 1), values(&shape, 2));
        let all = |threads| {
            parallel::in_small_pieces(threads, || {
                let [mean, variance, stats] = x.channel_moments("test", 1e-5).unwrap();
                let sums = x.channel_sums("test", &stats, &g).unwrap();
                let y = x.normalize_channels("test", &stats, None, None).unwrap();
                [mean, variance, stats, sums, y].map(|t| bits(&t))
            })
        };
        assert_eq!(all(1), all(3), "{shape:?}");
    }
}
