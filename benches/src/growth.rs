//! How the cost of an operation grows with the number of pieces, steps or nodes: time for n, 2n and 4n, forward and backward.
//!
//! `cargo run --release -p wengert-benches --bin growth`, or `just growth`. Cost that is proportional to n log n takes at most 5 times as
//! long for 4n as for n, quadratic cost 16 times. The program fails if a row takes more than 8 times as long. It runs in CI.
#![allow(clippy::print_stdout, reason = "a program that prints its results")]

use anyhow::{Context, Result, bail};
use clap::Parser;
use std::time::Instant;
use wengert::nn::{self, Layer};
use wengert::ops::random::Rng;
use wengert::ops::{Slice, Tensor};
use wengert::tape::{Tape, Var};

#[derive(Parser)]
#[command(about = "Measures how costs grow with the number of pieces, steps and nodes")]
struct Args {
    /// Only rows whose name contains this
    #[arg(long, default_value = "")]
    filter: String,
    /// The sizes of all rows are multiplied by this
    #[arg(long, default_value_t = 1)]
    scale: usize,
    /// The largest ratio of the times for 4n and n
    #[arg(long, default_value_t = 8.0)]
    limit: f64,
}

/// A function of the size n.
type Run = fn(usize) -> Result<()>;

struct Row {
    name: &'static str,
    /// The smallest size.
    n: usize,
    run: Run,
}

/// A value `[n, 4]` taken apart and put together again; then the sweep, and, with `second`, the gradient of the gradient.
fn parts(n: usize, second: bool, apart: fn(Var<'_, f32>, usize) -> Vec<Var<'_, f32>>) -> Result<()> {
    let tape = Tape::new();
    let x = tape.var(Tensor::from_vec((0..4 * n).map(|i| (i % 13) as f32 * 0.1).collect(), [n, 4])?);
    let y = tape.concat(&apart(x, n), 0).square().sum();
    if second {
        let g = y.grad(x)?;
        g.square().sum().backward()?.wrt(x)?;
    } else {
        y.backward()?.wrt(x)?;
    }
    Ok(())
}

/// Index tensors that each name one row.
fn row(i: usize) -> Tensor<i64> {
    Tensor::from([i as i64])
}

macro_rules! ways {
    ($($name:literal $n:literal |$x:ident, $i:ident| $apart:expr;)*) => {
        [$(
            Row { name: concat!("parts: ", $name), n: $n,
                run: |n| parts(n, false, |$x, $i| $apart) },
            Row { name: concat!("parts, second order: ", $name), n: $n,
                run: |n| parts(n, true, |$x, $i| $apart) },
        )*]
    };
}

fn table() -> Vec<Row> {
    let mut rows = Vec::from(ways! {
        "unbind" 500 |x, _n| x.unbind(0).into_iter().map(|p| p.unsqueeze(0)).collect();
        "split" 500 |x, n| x.split(0, &vec![1; n]);
        "chunk" 500 |x, n| x.chunk(0, n);
        "slice" 500 |x, n| (0..n).map(|i| x.slice(0, i..i + 1)).collect();
        "slice by 2" 500 |x, n| (0..n).map(|i| x.slice(0, Slice::from(i..i + 1).step(2))).collect();
        "narrow" 500 |x, n| (0..n).map(|i| x.narrow(0, i, 1)).collect();
        "select" 500 |x, n| (0..n).map(|i| x.select(0, i).unsqueeze(0)).collect();
        "index_select" 500 |x, n| (0..n).map(|i| x.index_select(0, &row(i))).collect();
        "index_get" 500 |x, n| (0..n).map(|i| x.index_get(&[row(i)])).collect();
        "embedding" 500 |x, n| (0..n).map(|i| x.embedding(&row(i))).collect();
        "gather" 500 |x, n| (0..n).map(|i| x.gather(0, &Tensor::from([[i as i64; 4]]))).collect();
        "take" 500 |x, n| (0..n).map(|i| x.take(&Tensor::from([[4 * i as i64, 4 * i as i64 + 3]]))).collect();
    });
    rows.extend([
        Row {
            name: "parts: columns of a transposed matrix",
            n: 500,
            run: |n| {
                let tape = Tape::new();
                let x = tape.var(Tensor::<f32>::ones([4, n]));
                let turned = x.t();
                let columns: Vec<_> = (0..n).map(|i| turned.select(0, i)).collect();
                tape.stack(&columns, 0).square().sum().backward()?.wrt(x)?;
                Ok(())
            },
        },
        Row {
            name: "parts: one of many, used",
            n: 1000,
            run: |n| {
                let tape = Tape::new();
                let x = tape.var(Tensor::<f32>::ones([n]));
                let sum = (1..n).fold(x.select(0, 0), |sum, i| sum * 0.5 + x.select(0, i));
                sum.backward()?.wrt(x)?;
                Ok(())
            },
        },
        Row {
            name: "nodes: many leaves",
            n: 4000,
            run: |n| {
                let tape = Tape::new();
                let leaves: Vec<_> = (0..n).map(|_| tape.var(Tensor::<f32>::ones([4]))).collect();
                let grads = tape.stack(&leaves, 0).square().sum().backward()?;
                leaves.iter().try_for_each(|x| grads.wrt(*x).map(drop))?;
                Ok(())
            },
        },
        Row {
            name: "nodes: operations on a failed value",
            n: 2000,
            run: |n| {
                let tape = Tape::new();
                let failed = tape.var(Tensor::<f32>::ones([4])) + Tensor::ones([3]);
                let y = (0..n).fold(failed, |y, _| (y * 2.0).tanh());
                y.value().err().context("the shapes differ").map(drop)
            },
        },
        Row {
            name: "nodes: an evaluating tape",
            n: 4000,
            run: |n| {
                let tape = Tape::eval();
                let x = tape.constant(Tensor::<f32>::ones([64]));
                let y = (0..n).fold(x, |y, _| (y * 0.5).tanh());
                y.value().map(drop).map_err(Into::into)
            },
        },
        Row {
            name: "nodes: parameters of a module",
            n: 200,
            run: |n| {
                let mut rng = Rng::seed(0);
                let layers: Vec<_> = (0..n).map(|_| nn::Linear::<f32>::new(4, 4, &mut rng)).collect();
                let tape = Tape::new();
                let y = layers.iter().fold(tape.constant(Tensor::ones([2, 4])), |y, layer| layer.forward(y));
                let grads = y.sum().backward()?;
                layers.iter().try_for_each(|l| grads.of(&l.weight).map(drop))?;
                Ok(())
            },
        },
        Row {
            name: "steps: LSTM",
            n: 100,
            run: |n| {
                let mut rng = Rng::seed(0);
                let lstm = nn::Lstm::<f32>::new(4, 8, &mut rng);
                let tape = Tape::new();
                let x = tape.var(Tensor::ones([n, 2, 4]));
                lstm.forward(x).sum().backward()?.wrt(x)?;
                Ok(())
            },
        },
    ]);
    rows.extend(nodes());
    rows.extend(elements());
    rows
}

/// Values that n operations compute from one value of four elements, and the sweep back.
fn nodes() -> Vec<Row> {
    macro_rules! rows {
        ($($name:literal $n:literal |$tape:ident, $x:ident, $size:ident| $y:expr;)*) => {
            vec![$(Row { name: concat!("nodes: ", $name), n: $n, run: |$size| {
                let tape = Tape::new();
                let $tape = &tape;
                let _ = $tape;
                let $x = tape.var(Tensor::<f32>::ones([4]));
                ($y).sum().backward()?.wrt($x)?;
                Ok(())
            } },)*]
        };
    }
    rows! {
        "chain" 4000 |tape, x, n| (0..n).fold(x, |y, _| y * 0.999 + 0.001);
        "chain, second order" 2000 |tape, x, n|
            (0..n).fold(x, |y, _| y * y * 0.5 + 0.5).sum().grad(x)?;
        "many uses of one value" 4000 |tape, x, n|
            tape.stack(&(0..n).map(|i| x * (i as f64)).collect::<Vec<_>>(), 0);
        "scopes" 2000 |tape, x, n| (0..n).fold(x, |y, _| tape.scope(|| (y * 0.5).tanh()));
        "checkpoints" 1000 |tape, x, n| (0..n).fold(x, |y, _| tape.checkpoint(|| (y * 0.5).tanh()));
    }
}

/// Functions of a row of n elements.
fn elements() -> Vec<Row> {
    macro_rules! rows {
        ($($name:literal |$x:ident, $n:ident| $y:expr;)*) => {
            vec![$(Row { name: concat!("elements: ", $name), n: 16_384, run: |n| {
                let tape = Tape::new();
                let values = (0..2 * n).map(|i| ((i * 7919) % 10_007) as f32 / 10_007.0 + 0.1).collect();
                let $x = tape.var(Tensor::from_vec(values, [2, n])?);
                let $n = n;
                let _ = $n;
                ($y).sum().backward()?.wrt($x)?;
                Ok(())
            } },)*]
        };
    }
    rows! {
        "cumsum" |x, n| x.cumsum(1);
        "cumprod" |x, n| x.cumprod(1);
        "logcumsumexp" |x, n| x.logcumsumexp(1);
        "cummax" |x, n| x.cummax(1).0;
        "sort" |x, n| x.sort(1, false).0;
        "topk" |x, n| x.topk(1, n / 2, true).0;
        "median_along" |x, n| x.median_along(1).0;
        "quantile" |x, n| x.quantile(0.3, 1);
        "softmax" |x, n| x.softmax(1);
        "variance" |x, n| x.variance_axes(1, 0.0);
        "roll" |x, n| x.roll(1, n as isize / 3);
        "flip" |x, n| x.flip(1);
        "pad" |x, n| x.pad(&[(0, 0), (3, n)], 0.0);
        "permute" |x, n| x.t().reshape([n * 2]);
        "prod" |x, n| x.prod_axes(1);
        "pow 3" |x, n| x.pow(3.0);
        "im2col of a row" |x, n| x.unfold(1, 8, 4);
        "index_add" |x, n| x.index_add(1, &Tensor::from((0..n as i64).rev().collect::<Vec<_>>()), x * 2.0);
        "masked_select" |x, n| x.masked_select(x.gt(0.5));
        "repeat_interleave" |x, n| x.repeat_interleave(1, 3);
    }
}

/// The least time that `run` takes, in milliseconds, of enough turns to last a while.
fn least(run: Run, n: usize) -> Result<f64> {
    let (start, mut least) = (Instant::now(), f64::INFINITY);
    let mut turns = 0;
    while turns < 3 || (start.elapsed().as_millis() < 30 && turns < 200) {
        let turn = Instant::now();
        run(n)?;
        least = least.min(turn.elapsed().as_secs_f64() * 1e3);
        turns += 1;
    }
    Ok(least)
}

fn main() -> Result<()> {
    let args = Args::parse();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    pool.install(|| measure(&args))
}

fn measure(args: &Args) -> Result<()> {
    println!("{:44} {:>7} {:>10} {:>10} {:>10} {:>7}", "milliseconds for", "n", "n", "2n", "4n", "4n/n");
    let (mut worse, mut count) = (Vec::new(), 0);
    for row in table().into_iter().filter(|row| row.name.contains(&args.filter)) {
        let mut times = [f64::INFINITY; 3];
        // Other work on the machine slows a turn down now and then; the least time of several tries does not show it.
        for _ in 0..5 {
            for (time, k) in times.iter_mut().zip([1, 2, 4]) {
                *time = time.min(least(row.run, row.n * args.scale * k).with_context(|| row.name)?);
            }
            if times[2] <= args.limit * times[0] {
                break;
            }
        }
        let [once, twice, four] = times;
        let ratio = four / once;
        println!("{:44} {:7} {once:10.3} {twice:10.3} {four:10.3} {ratio:7.2}", row.name, row.n * args.scale);
        count += 1;
        if ratio > args.limit {
            worse.push(row.name);
        }
    }
    if !worse.is_empty() {
        bail!("more than {} times as long for 4n as for n: {}", args.limit, worse.join("; "));
    }
    println!("{count} rows, each at most {} times as long for 4n as for n", args.limit);
    Ok(())
}
