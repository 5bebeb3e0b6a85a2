//! Matrix products beside those of the crate `gemm`, in turns, as a table in Markdown: `products-peer --threads 1,2`.
//!
//! The shapes are those of the training steps w1 to w8 and squares. `x w` reads two row-major matrices, `x wᵀ` a weight
//! `[out, in]`, and `xᵀ g` is the gradient of a weight. A product of wengert includes the memory for its result.

use clap::Parser;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::Instant;
use wengert_ops::{Float, Tensor};

#[derive(Parser)]
struct Args {
    /// Numbers of threads
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Turns of each; the fastest counts
    #[arg(long, default_value_t = 9)]
    turns: usize,
}

/// How the operands lie.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Plain,
    RightTransposed,
    LeftTransposed,
}
use Form::{LeftTransposed, Plain, RightTransposed};

/// m, k, n, the form, and where the product occurs.
const SHAPES: &[(usize, usize, usize, Form, &str)] = &[
    (128, 784, 512, RightTransposed, "w1"),
    (128, 512, 512, RightTransposed, "w1"),
    (128, 512, 10, RightTransposed, "w1"),
    (128, 10, 512, Plain, "w1"),
    (128, 512, 512, Plain, "w1"),
    (512, 128, 784, LeftTransposed, "w1"),
    (10, 128, 512, LeftTransposed, "w1"),
    (64, 3136, 128, RightTransposed, "w2"),
    (64, 128, 3136, Plain, "w2"),
    (128, 64, 3136, LeftTransposed, "w2"),
    (32, 128, 128, RightTransposed, "w4"),
    (32, 128, 128, Plain, "w4"),
    (128, 2048, 128, LeftTransposed, "w4"),
    (32, 256, 1024, RightTransposed, "w5"),
    (32, 1024, 256, Plain, "w5"),
    (4096, 64, 1024, RightTransposed, "w5"),
    (1024, 4096, 256, LeftTransposed, "w5"),
    (1024, 4096, 64, LeftTransposed, "w5"),
    (1024, 256, 1024, RightTransposed, "w6"),
    (1024, 1024, 256, RightTransposed, "w6"),
    (1024, 1024, 256, Plain, "w6"),
    (1024, 256, 256, RightTransposed, "w6"),
    (256, 1024, 1024, LeftTransposed, "w6"),
    (1024, 256, 96, RightTransposed, "w6"),
    (128, 64, 128, RightTransposed, "w6"),
    (128, 128, 64, Plain, "w6"),
    (128, 784, 400, RightTransposed, "w7"),
    (128, 400, 40, RightTransposed, "w7"),
    (128, 400, 784, RightTransposed, "w7"),
    (784, 128, 400, LeftTransposed, "w7"),
    (64, 64, 256, RightTransposed, "w8"),
    (64, 512, 784, RightTransposed, "w8"),
    (64, 256, 1, RightTransposed, "w8"),
    (64, 64, 64, Plain, "square"),
    (128, 128, 128, Plain, "square"),
    (256, 256, 256, Plain, "square"),
    (512, 512, 512, Plain, "square"),
    (1024, 1024, 1024, Plain, "square"),
    (2048, 2048, 2048, Plain, "square"),
];

trait Peer: Float + 'static {
    const NAME: &'static str;
}
impl Peer for f32 {
    const NAME: &'static str = "f32";
}
impl Peer for f64 {
    const NAME: &'static str = "f64";
}

/// The product of two tensors of rank 2 by gemm, in the way that suits its columns: the transposed product, transposed.
fn by_gemm<T: Peer>(a: &Tensor<T>, b: &Tensor<T>, to: &mut [T], threads: usize) {
    let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
    let (x, y) = (a.contiguous_view(), b.contiguous_view());
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    assert_eq!(to.len(), m * n);
    // SAFETY: the pointers are to whole matrices with these strides.
    unsafe {
        gemm::gemm(
            n,
            m,
            k,
            to.as_mut_ptr(),
            n as isize,
            1,
            false,
            y.0,
            y.1[0],
            y.1[1],
            x.0,
            x.1[0],
            x.1[1],
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// The address of the first element, and the strides.
trait View<T> {
    fn contiguous_view(&self) -> (*const T, [isize; 2]);
}

impl<T: Peer> View<T> for Tensor<T> {
    fn contiguous_view(&self) -> (*const T, [isize; 2]) {
        let strides = [self.strides()[0], self.strides()[1]];
        match self.as_slice() {
            Some(all) => (all.as_ptr(), strides),
            None => {
                let base = self.transpose(0, 1).expect("rank 2");
                (base.as_slice().expect("a transposed matrix").as_ptr(), strides)
            }
        }
    }
}

fn seconds(calls: usize, mut f: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..calls {
        f();
    }
    begun.elapsed().as_secs_f64() / calls as f64
}

/// GFLOP/s of wengert and of gemm.
fn compare<T: Peer>(shape: (usize, usize, usize, Form), pool: &ThreadPool, turns: usize) -> (f64, f64) {
    let (m, k, n, form) = shape;
    let wave = |rows: usize, columns: usize, by: f64| {
        Tensor::<T>::steps(0.1, by, rows * columns).map(|v| v.sin()).reshape([rows, columns]).expect("sizes")
    };
    let turned = |t: Tensor<T>| t.transpose(0, 1).expect("rank 2");
    let a = if form == LeftTransposed { turned(wave(k, m, 0.7)) } else { wave(m, k, 0.7) };
    let b = if form == RightTransposed { turned(wave(n, k, 0.9)) } else { wave(k, n, 0.9) };
    let flop = 2.0 * (m * k * n) as f64;
    let calls = (1e8 / flop).ceil() as usize;
    let mut to = vec![T::ZERO; m * n];
    let threads = pool.current_num_threads();
    pool.install(|| {
        by_gemm(&a, &b, &mut to, threads);
        let ours = a.matmul(&b).expect("shapes fit").to_vec();
        let largest = ours.iter().zip(&to).map(|(&x, &y)| (x - y).abs().to_f64()).fold(0.0, f64::max);
        assert!(largest < T::EPSILON.to_f64() * 10.0 * k as f64, "{m} {k} {n}: the results differ by {largest}");
        let mut best = [f64::INFINITY; 2];
        for _ in 0..turns {
            best[0] = best[0].min(seconds(calls, || drop(a.matmul(&b))));
            best[1] = best[1].min(seconds(calls, || by_gemm(&a, &b, &mut to, threads)));
        }
        (flop / best[0] / 1e9, flop / best[1] / 1e9)
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let pools: Vec<ThreadPool> = args
        .threads
        .iter()
        .map(|&n| ThreadPoolBuilder::new().num_threads(n).build())
        .collect::<Result<_, _>>()?;
    print!("| product | |");
    for name in [f32::NAME, f64::NAME] {
        for n in &args.threads {
            print!(" {name}, {n} thread{} | |", if *n == 1 { "" } else { "s" });
        }
    }
    println!("\n| --- | --- |{}", " --: | --: |".repeat(2 * args.threads.len()));
    for &(m, k, n, form, place) in SHAPES {
        let dot = match form {
            Plain => format!("{m}×{k} · {k}×{n}"),
            RightTransposed => format!("{m}×{k} · ({n}×{k})ᵀ"),
            LeftTransposed => format!("({k}×{m})ᵀ · {k}×{n}"),
        };
        print!("| {dot} | {place} |");
        let cell = |(ours, peer): (f64, f64)| print!(" {ours:.1} | {:.2} |", peer / ours);
        for pool in &pools {
            cell(compare::<f32>((m, k, n, form), pool, args.turns));
        }
        for pool in &pools {
            cell(compare::<f64>((m, k, n, form), pool, args.turns));
        }
        println!();
    }
    Ok(())
}
