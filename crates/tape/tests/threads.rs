//! The same bits on any number of threads, for work large enough to be split. The counter of split work is for the whole
//! process, so this file has one test.

use wengert_ops::random::{self, Key};
use wengert_ops::{AvgDivisor, ConvOptions, Tensor, Window, parallel};
use wengert_tape::rules::Attention;
use wengert_tape::{Float, Tape, Var};

const THREADS: [usize; 5] = [1, 2, 3, 7, 64];

type Bits = Vec<(&'static str, Vec<u64>)>;
type Part = fn() -> Bits;

fn bits<T: Float>(t: &Tensor<T>) -> Vec<u64> {
    // f32 to f64 is exact, and NaN keeps its position.
    t.to_vec().iter().map(|v| v.to_f64().to_bits()).collect()
}

fn normal<T: Float>(shape: &[usize], stream: u64) -> Tensor<T> {
    random::normal(shape, 0.0, 0.05, Key { seed: 42, stream }).unwrap()
}

/// A perceptron with widths 1024 on a batch of 512: linear, relu, cross-entropy, forward and back.
fn perceptron() -> Bits {
    let tape = Tape::<f32>::train(3);
    let x = tape.constant(normal::<f32>(&[512, 1024], 0));
    let targets = Tensor::from_vec((0..512).map(|i| (i * 37) % 1024).collect(), [512]).unwrap();
    let w: Vec<_> = (1..=3).map(|i| tape.var(normal::<f32>(&[1024, 1024], i))).collect();
    let b: Vec<_> = (4..=6).map(|i| tape.var(normal::<f32>(&[1024], i))).collect();
    let h = x.linear(w[0], Some(b[0])).relu().dropout(0.2);
    let h = h.linear(w[1], Some(b[1])).relu();
    let loss = h.linear(w[2], Some(b[2])).cross_entropy(&targets).mean();
    let grads = loss.backward().unwrap();
    let mut found = vec![("loss", bits(&loss.value().unwrap()))];
    found.extend(w.iter().map(|w| ("weight", bits(&grads.wrt(*w).unwrap()))));
    found.extend(b.iter().map(|b| ("bias", bits(&grads.wrt(*b).unwrap()))));
    found
}

/// A small convolutional network: split into whole samples and into parts of a sample, with both algorithms for the
/// weight's gradient.
fn convolutional<T: Float>() -> Bits {
    let mut found = Vec::new();
    for (batch, side) in [(12, 20), (1, 64)] {
        let tape = Tape::<T>::new();
        let x = tape.var(normal::<T>(&[batch, 3, side, side], 1));
        let w: Vec<_> = [[16, 3, 3, 3], [32, 16, 3, 3], [32, 32, 1, 1]]
            .iter()
            .zip(2..)
            .map(|(shape, stream)| tape.var(normal::<T>(shape, stream)))
            .collect();
        let same = ConvOptions::default().padding(1);
        let h = x.conv2d(w[0], None, same).relu().max_pool2d(Window::new(3).stride(1).padding(1));
        let h = h.conv2d(w[1], None, same).avg_pool2d(2, AvgDivisor::Window);
        let y = h.conv2d(w[2], None, ConvOptions::default().stride(2));
        let value = y.value().unwrap();
        let grads = y.backward_from(&value).unwrap();
        found.push(("output", bits(&value)));
        found.push(("input", bits(&grads.wrt(x).unwrap())));
        found.extend(w.iter().map(|w| ("kernel", bits(&grads.wrt(*w).unwrap()))));
    }
    found
}

/// Values and gradients of chains over a large matrix.
fn chains<T: Float>() -> Bits {
    type F<T> = for<'t> fn(Var<'t, T>) -> Var<'t, T>;
    let chains: [(&str, F<T>); 23] = [
        ("elementwise", |x| ((x * 3.0).tanh() * x.exp() + x.sin() / (x.square() + 1.0)).gelu()),
        ("broadcast", |x| x * x.select(0, 3) + x.slice(1, 5..6)),
        ("transposed", |x| x.t() * 2.0 + x.t().sum_keepdim(0)),
        ("sum of all", |x| x.sum()),
        ("sum of rows", |x| x.sum_axes(0)),
        ("sum of columns", |x| x.sum_axes(1)),
        ("mean and variance", |x| {
            (x - x.mean_keepdim(1)) / (x.variance_axes(1, 1.0).unsqueeze(1) + 1e-5).sqrt()
        }),
        ("norm", |x| x / x.norm()),
        ("softmax", |x| x.softmax(1) * x.softmax(0)),
        ("log-sum-exp", |x| x.logsumexp(0) + x.logsumexp([0, 1])),
        ("max", |x| x.max_axes(1).sum() + x.max()),
        ("scans", |x| x.cumsum(0) + (x + 1.0).cumprod(1) + x.logcumsumexp(1) + x.cummax(0).0),
        ("products and norms", |x| (x + 1.0).prod_keepdim(1) + x.norm_p_keepdim(3.0, 0)),
        ("ranks", |x| x.median_along(1).0 + x.quantile(0.3, 1)),
        ("distances", |x| x.cdist(x.slice(0, 0..50), 2.0)),
        ("small matrices", |x| {
            let a = x.reshape([-1, 10, 10]);
            let s = a.matmul(a.t()) * 0.1 + Tensor::eye(10);
            s.cholesky().inverse()
                + s.solve(a)
                + (s.det() + s.slogdet().1 + s.eigvalsh().sum_axes(1)).reshape([-1, 1, 1])
        }),
        ("layer norm", |x| x.layer_norm([x.dim(1)], None, Some(x.select(0, 3)), 1e-5)),
        ("batch norm", |x| x.unsqueeze(0).batch_norm(Some(x.select(1, 3)), None, 1e-5)),
        ("batch norm of rows", |x| x.batch_norm(Some(x.select(0, 3)), None, 1e-5)),
        ("group norm", |x| x.unsqueeze(0).group_norm(2, Some(x.select(1, 3)), None, 1e-5)),
        ("attention of one head", |x| x.scaled_dot_product_attention(x, x * 2.0, Attention::new().causal())),
        ("attention of many heads", |x| {
            let heads = x.reshape([600, 14, 50]).transpose(0, 1);
            heads.scaled_dot_product_attention(heads, heads, Attention::new())
        }),
        ("gather", |x| {
            x.index_select(0, &Tensor::from_vec((0..4000).map(|i| i % 300).collect(), [4000]).unwrap())
        }),
    ];
    let mut found = Vec::new();
    for (name, f) in chains {
        let tape = Tape::<T>::new();
        let x = tape.var(normal::<T>(&[600, 700], 11));
        let y = f(x);
        let value = y.value().unwrap();
        let grads = y.backward_from(&value).unwrap();
        found.push((name, bits(&value)));
        found.push((name, bits(&grads.wrt(x).unwrap())));
    }
    found
}

fn fills<T: Float>() -> Bits {
    let key = |stream| Key { seed: 7, stream };
    vec![
        ("normal", bits(&random::normal::<T>([333_333], 1.0, 2.0, key(0)).unwrap())),
        ("uniform", bits(&random::uniform::<T>([333_333], -1.0, 2.0, key(1)).unwrap())),
        ("bernoulli", bits(&random::bernoulli::<T>([333_333], 0.3, 2.0, key(2)).unwrap())),
    ]
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let parts: [(&str, Part); 7] = [
        ("perceptron", perceptron),
        ("convolutions in f32", convolutional::<f32>),
        ("convolutions in f64", convolutional::<f64>),
        ("chains in f32", chains::<f32>),
        ("chains in f64", chains::<f64>),
        ("fills in f32", fills::<f32>),
        ("fills in f64", fills::<f64>),
    ];
    for (what, part) in parts {
        let mut first: Option<Bits> = None;
        for threads in THREADS {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let before = parallel::sections();
            let found = pool.install(|| {
                assert_eq!(parallel::threads(), threads);
                part()
            });
            let spread = parallel::sections() - before;
            assert_eq!(spread > 0, threads > 1, "{what} on {threads} threads: {spread} sections");
            match &first {
                None => {
                    // The values are not trivial: no part is all zeros or NaN.
                    for (name, values) in &found {
                        let v: Vec<f64> = values.iter().map(|b| f64::from_bits(*b)).collect();
                        assert!(
                            v.iter().all(|v| v.is_finite()) && v.iter().any(|v| *v != 0.0),
                            "{what}: {name}"
                        );
                    }
                    first = Some(found);
                }
                Some(first) => {
                    for ((name, a), (_, b)) in first.iter().zip(&found) {
                        let differ = a.iter().zip(b).filter(|(a, b)| a != b).count();
                        assert!(
                            a.len() == b.len() && differ == 0,
                            "{what}: {name} differs in {differ} places on {threads} threads"
                        );
                    }
                }
            }
        }
    }
}
