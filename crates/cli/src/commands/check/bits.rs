//! `wengert check --bits`: a hash of the results of every operation, of layers, random numbers and optimisers.
//!
//! Every listed operation is run on cases drawn with fixed seeds, among them empty, strided and extreme ones, and a case of about 70,000
//! elements, which is split among threads; and on further cases of sizes that matter to kernels. For both element types, the values, the
//! gradients of the sweep, and the recorded gradients are hashed: shape by shape and number by number, as `f64`, with one bit pattern for
//! every NaN, since its sign and payload are not determined by IEEE 754.

use anyhow::Context;
use std::sync::Arc;
use wengert::nn::optim::{
    Adadelta, Adagrad, Adam, AdamConfig, Adamax, Lion, Nadam, Optimizer, Radam, Rmsprop, RmspropConfig,
    Schedule, Sgd, SgdConfig,
};
use wengert::nn::{
    BatchNorm, Conv1d, Conv2d, ConvTranspose2d, Dropout, GroupNorm, Gru, Layer, LayerNorm, Linear, Lstm,
    Module, MultiHeadAttention, RmsNorm, Rnn, SinusoidalPositions, TransformerConfig,
    TransformerEncoderLayer, for_each_param, init,
};
use wengert::ops::random::{self, Key, Rng};
use wengert::ops::{ConvOptions, ConvTransposeOptions, parallel};
use wengert::tape::gradcheck::{Case, Spec};
use wengert::tape::rules::{Attention, RecurrenceOptions};
use wengert::tape::{ErrorKind, Float, Param, RetainGraph, Tape, Var, case};
use wengert::train::fingerprint;
use wengert::{Result, Tensor};

/// Cases of each listed operation, drawn with the seeds from 0: two of each kind that depends on the seed.
const DRAWN: u64 = 20;
/// Cases whose work is split among threads.
const SPLIT: u64 = 1;

/// Something whose bits are compared.
pub(super) struct Entry {
    pub(super) name: String,
    results: Box<dyn Fn() -> Result<Bits> + Send + Sync>,
}

impl Entry {
    fn new(name: impl Into<String>, results: impl Fn() -> Result<Bits> + Send + Sync + 'static) -> Self {
        Entry { name: name.into(), results: Box::new(results) }
    }

    /// The hash of all results.
    fn hash(&self) -> anyhow::Result<u64> {
        let bits = (self.results)().with_context(|| self.name.clone())?;
        Ok(fingerprint(&bits.0))
    }
}

/// The entries of these operations, and all others, in the order of the list.
pub(super) fn entries(specs: Vec<Spec>) -> Vec<Entry> {
    let further = Arc::new(further());
    let of_spec = |spec: Spec| {
        let further = Arc::clone(&further);
        Entry::new(spec.name, move || operation(&spec, &further))
    };
    let mut entries: Vec<Entry> = specs.into_iter().map(of_spec).collect();
    entries.extend([randoms(), layers(), optimizers()].into_iter().flatten());
    entries
}

/// One line per entry: name and hash. `done` is called with each name.
pub(super) fn lines(entries: &[Entry], done: impl Fn(&str) + Sync + Send) -> anyhow::Result<Vec<String>> {
    let one = |i: usize| {
        let entry = &entries[i];
        let line = entry.hash().map(|hash| format!("{} {hash:016x}", entry.name));
        done(&entry.name);
        line
    };
    parallel::collect(entries.len(), one).into_iter().collect()
}

/// The bytes of results.
#[derive(Default)]
struct Bits(Vec<u8>);

impl Bits {
    fn number(&mut self, x: f64) {
        let x = if x.is_nan() { f64::NAN } else { x };
        self.0.extend(x.to_bits().to_le_bytes());
    }

    fn shape(&mut self, shape: &[usize]) {
        self.number(shape.len() as f64);
        shape.iter().for_each(|&n| self.number(n as f64));
    }

    fn tensor<T: Float>(&mut self, x: &Tensor<T>) {
        self.shape(x.shape());
        x.to_vec().into_iter().for_each(|v| self.number(v.to_f64()));
    }

    /// What a call returns, and its gradients by both sweeps.
    fn call<T: Float>(
        &mut self,
        inputs: &[Tensor<T>],
        call: impl for<'t> Fn(&[Var<'t, T>]) -> Vec<Var<'t, T>>,
    ) -> Result<()> {
        let tape = Tape::train(1);
        let x: Vec<_> = inputs.iter().map(|x| tape.var(x)).collect();
        let y = call(&x);
        let mut outputs = Vec::new();
        for y in y {
            let value = y.value()?;
            self.tensor(&value);
            outputs.push((y, numbers(value.shape(), -0.4, 1.0)));
        }
        let recorded: Vec<_> = outputs.iter().map(|(y, g)| (*y, tape.constant(g))).collect();
        for gradient in tape.grad(&recorded, &x)? {
            self.tensor(&gradient.value()?);
        }
        let swept = match tape.backward(&outputs, RetainGraph::Nothing) {
            // No output depends on the inputs, for example with a dropout of everything.
            Err(e) if e.kind() == ErrorKind::NoGradient => return Ok(()),
            swept => swept?,
        };
        for x in x {
            match swept.wrt(x) {
                Ok(gradient) => self.tensor(&gradient),
                Err(e) if e.kind() == ErrorKind::Unreached => self.shape(&[]),
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// A layer's values in training, and the gradients of its input and parameters.
    fn layer<T: Float>(&mut self, layer: &impl Layer<T>, shape: &[usize]) -> Result<()> {
        let tape = Tape::train(1);
        let x = tape.var(numbers(shape, -1.0, 2.0));
        let y = layer.forward(x);
        let value = y.value()?;
        self.tensor(&value);
        let grads = tape.backward(&[(y, numbers(value.shape(), -0.4, 1.0))], RetainGraph::Nothing)?;
        self.tensor(&grads.wrt(x)?);
        for_each_param::<T>(layer, &mut |_, p| {
            if let Some(gradient) = grads.get(p.id()) {
                self.tensor(gradient);
            }
        });
        Ok(())
    }

    fn params<T: Float>(&mut self, model: &impl Module) {
        for_each_param::<T>(model, &mut |_, p| self.tensor(p.value()));
    }
}

/// Different numbers from `low` to `low + width`, by integer arithmetic and two roundings.
fn numbers<T: Float>(shape: &[usize], low: f64, width: f64) -> Tensor<T> {
    let n = shape.iter().product::<usize>();
    let values = (0..n).map(|i| T::from_f64((i * 7919 % 10_007) as f64 / 10_007.0 * width + low)).collect();
    Tensor::<T>::from_vec(values, shape).expect("one number per element")
}

/// All cases of an operation.
fn operation(spec: &Spec, further: &[(&str, Case)]) -> Result<Bits> {
    let mut bits = Bits::default();
    let mut add = |case: &Case| -> Result<()> {
        if let Some(call) = &case.double {
            bits.call::<f64>(&case.inputs, |x| call(x))?;
        }
        if let Some(call) = &case.single {
            let inputs: Vec<Tensor<f32>> = case.inputs.iter().map(Tensor::cast).collect();
            bits.call::<f32>(&inputs, |x| call(x))?;
        }
        Ok(())
    };
    (0..DRAWN).try_for_each(|seed| add(&spec.draw(seed).0))?;
    (0..SPLIT).try_for_each(|seed| add(&spec.draw_split(seed).0))?;
    further.iter().filter(|(name, _)| *name == spec.name).try_for_each(|(_, case)| add(case))?;
    Ok(bits)
}

/// Cases in addition to those drawn, of the operations whose kernels block, pack or split by other sizes: long inner axes, thin sides, many
/// rows, sizes that are no multiple of anything.
fn further() -> Vec<(&'static str, Case)> {
    let x = |shapes: &[&[usize]]| -> Vec<Tensor<f64>> {
        shapes.iter().enumerate().map(|(i, s)| numbers(s, -1.0 + 0.01 * i as f64, 2.0)).collect()
    };
    let mut all = Vec::new();
    for [m, k, n] in [
        [1, 1, 1],
        [0, 3, 2],
        [3, 0, 2],
        [1, 4099, 1],
        [3, 4099, 5],
        [1031, 3, 5],
        [5, 3, 1031],
        [1, 257, 1031],
        [1031, 257, 1],
        [16, 16, 16],
        [97, 521, 101],
        [67, 131, 257],
    ] {
        all.push(("matmul", case!(x(&[&[m, k], &[k, n]]), [], |x| x[0].matmul(x[1]))));
        all.push(("matmul", case!(x(&[&[k, m], &[n, k]]), [], |x| x[0].t().matmul(x[1].t()))));
    }
    all.push(("matmul", case!(x(&[&[11, 17, 31], &[11, 31, 13]]), [], |x| x[0].matmul(x[1]))));
    all.push(("matmul", case!(x(&[&[301, 5, 7], &[301, 7, 3]]), [], |x| x[0].matmul(x[1]))));
    for [m, k, n] in [[1, 1031, 7], [129, 257, 65], [1031, 3, 5], [300, 97, 10]] {
        let inputs = x(&[&[m, k], &[n, k], &[n]]);
        all.push(("linear", case!(inputs, [], |x| x[0].linear(x[1], Some(x[2])))));
    }
    let plain = ConvOptions::<2>::default();
    for (samples, [inputs, outputs], [height, width], kernel, options) in [
        (9, [16, 33], [17, 19], 3, plain.same()),
        (3, [3, 8], [27, 31], 5, plain.stride(2)),
        (8, [6, 10], [16, 15], 3, plain.groups(2).padding(1)),
        (67, [1, 6], [28, 28], 5, plain),
        (5, [64, 65], [8, 8], 3, plain.dilation(2)),
        (4, [65, 32], [9, 11], 1, plain),
    ] {
        let inputs = x(&[
            &[samples, inputs, height, width],
            &[outputs, inputs / options.groups, kernel, kernel],
            &[outputs],
        ]);
        all.push(("conv2d", case!(inputs, [options], |x| x[0].conv2d(x[1], Some(x[2]), options))));
    }
    let inputs = x(&[&[5, 9, 1031], &[17, 9, 7]]);
    all.push(("conv1d", case!(inputs, [], |x| x[0].conv1d(x[1], None, ConvOptions::default().same()))));
    let options = ConvTransposeOptions::<2>::default().stride(2);
    let inputs = x(&[&[7, 33, 9, 8], &[33, 17, 4, 4], &[17]]);
    all.push((
        "conv_transpose2d",
        case!(inputs, [options], |x| x[0].conv_transpose2d(x[1], Some(x[2]), options)),
    ));
    for [heads, queries, keys, width] in [[3, 67, 131, 16], [1, 1, 1031, 7], [5, 129, 129, 33], [0, 3, 3, 2]]
    {
        let inputs = x(&[&[heads, queries, width], &[heads, keys, width], &[heads, keys, width]]);
        all.push((
            "scaled_dot_product_attention",
            case!(inputs, [], |x| vec![
                x[0].scaled_dot_product_attention(x[1], x[2], Attention::new()),
                x[0].scaled_dot_product_attention(x[1], x[2], Attention::new().causal()),
            ]),
        ));
    }
    for [steps, batch, width] in [[19, 33, 37], [101, 3, 16], [3, 1, 129]] {
        let state = [batch, width];
        let step = RecurrenceOptions::default;
        let inputs = x(&[&[steps, batch, 4 * width], &[4 * width, width], &state, &state, &[4 * width]]);
        all.push(("lstm", case!(inputs, [], |x| x[0].lstm(x[1], Some(x[4]), x[2], x[3], &step()))));
        let inputs = x(&[&[steps, batch, 3 * width], &[3 * width, width], &state, &[3 * width]]);
        all.push(("gru", case!(inputs, [], |x| x[0].gru(x[1], Some(x[3]), x[2], &step()))));
        let inputs = x(&[&[steps, batch, width], &[width, width], &state]);
        all.push(("rnn_tanh", case!(inputs, [], |x| x[0].rnn_tanh(x[1], None, x[2], &step()))));
    }
    all.push((
        "batch_norm",
        case!(x(&[&[17, 11, 31, 29], &[11], &[11]]), [], |x| x[0].batch_norm(Some(x[1]), Some(x[2]), 1e-5)),
    ));
    all.push((
        "layer_norm",
        case!(x(&[&[257, 601], &[601], &[601]]), [], |x| x[0].layer_norm(
            [601],
            Some(x[1]),
            Some(x[2]),
            1e-5
        )),
    ));
    all.push(("cdist", case!(x(&[&[131, 37], &[97, 37]]), [], |x| x[0].cdist(x[1], 2.0))));
    all
}

fn key(stream: u64) -> Key {
    Key { seed: 7, stream }
}

/// The results in both element types.
macro_rules! both {
    ($bits:ident, $T:ident => $body:expr) => {
        move || {
            let mut $bits = Bits::default();
            {
                type $T = f64;
                $body
            }
            {
                type $T = f32;
                $body
            }
            Ok($bits)
        }
    };
}

fn randoms() -> Vec<Entry> {
    const SIZES: [usize; 5] = [0, 1, 7, 4099, 70_001];
    let mut all = vec![
        Entry::new(
            "random::uniform",
            both!(bits, T => for n in SIZES { bits.tensor(&random::uniform::<T>([n], -0.3, 0.7, key(1))?) }),
        ),
        Entry::new(
            "random::normal",
            both!(bits, T => for n in SIZES { bits.tensor(&random::normal::<T>([n], 0.5, 2.0, key(2))?) }),
        ),
        Entry::new(
            "random::bernoulli",
            both!(bits, T => for n in SIZES { bits.tensor(&random::bernoulli::<T>([n], 0.3, 2.0, key(3))?) }),
        ),
    ];
    use init::{Gain, Scheme};
    let schemes = [
        ("kaiming_normal", Scheme::KaimingNormal(Gain::Relu)),
        ("kaiming_uniform", Scheme::KaimingUniform(Gain::LeakyRelu(0.2))),
        ("xavier_normal", Scheme::XavierNormal(Gain::TanhPytorch)),
        ("xavier_uniform", Scheme::XavierUniform(Gain::Unit)),
    ];
    for (name, scheme) in schemes {
        all.push(Entry::new(
            format!("init::{name}"),
            both!(bits, T => bits.tensor(&scheme.sample::<T>(&[67, 131].into(), &mut Rng::seed(4)))),
        ));
    }
    all
}

fn layers() -> Vec<Entry> {
    macro_rules! layers {
        ($($name:literal $rng:ident $shape:expr => $layer:expr;)*) => {
            vec![$(Entry::new($name, || {
                let mut bits = Bits::default();
                let $rng = &mut Rng::seed(5);
                bits.layer::<f64>(&$layer, &$shape)?;
                let $rng = &mut Rng::seed(5);
                bits.layer::<f32>(&$layer, &$shape)?;
                Ok(bits)
            })),*]
        };
    }
    layers! {
        "nn::Linear" rng [67, 131] => Linear::new(131, 65, rng);
        "nn::Conv1d" rng [5, 7, 257] => Conv1d::new(7, 9, 3, rng);
        "nn::Conv2d" rng [9, 5, 19, 17] => Conv2d::new(5, 17, 3, rng);
        "nn::ConvTranspose2d" rng [5, 17, 9, 8] => ConvTranspose2d::new(17, 5, 3, rng);
        "nn::BatchNorm" _rng [33, 7, 17, 19] => BatchNorm::new(7);
        "nn::LayerNorm" _rng [131, 601] => LayerNorm::new([601]);
        "nn::GroupNorm" _rng [33, 6, 17, 19] => GroupNorm::new(3, 6);
        "nn::RmsNorm" _rng [131, 601] => RmsNorm::new([601]);
        "nn::Dropout" _rng [131, 601] => Dropout::new(0.3);
        "nn::SinusoidalPositions" _rng [3, 67, 33] => SinusoidalPositions;
        "nn::MultiHeadAttention" rng [3, 67, 24] => MultiHeadAttention::new(24, 3, rng);
        "nn::TransformerEncoderLayer" rng [3, 33, 24] => TransformerEncoderLayer::with_config(
            &TransformerConfig { width: 24, heads: 3, hidden: 48, ..TransformerConfig::default() },
            rng,
        );
        "nn::Rnn" rng [5, 23, 11] => Rnn::new(11, 33, rng);
        "nn::Lstm" rng [5, 23, 11] => Lstm::new(11, 33, rng);
        "nn::Gru" rng [5, 23, 11] => Gru::new(11, 33, rng);
    }
}

fn optimizers() -> Vec<Entry> {
    /// Seven steps down Σ φ⁴/4 - φ²/2.
    fn steps<T: Float>(bits: &mut Bits, optimizer: &mut dyn Optimizer<T>) -> Result<()> {
        // One parameter is large enough for several threads.
        let mut model = [[257, 263], [7, 1]].map(|shape| Param::<T>::new(numbers(&shape, -1.5, 3.0)));
        for _ in 0..7 {
            let tape = Tape::new();
            let squares = [0, 1].map(|i| tape.param(&model[i]).square());
            let loss = squares.map(|s| (s * (s * 0.25 - 0.5)).sum());
            optimizer.step(&mut model, &(loss[0] + loss[1]).backward()?)?;
        }
        bits.params::<T>(&model);
        Ok(())
    }
    macro_rules! optimizers {
        ($($name:literal $optimizer:expr;)*) => {
            vec![$(Entry::new($name, both!(bits, T => steps::<T>(&mut bits, &mut $optimizer)?))),*]
        };
    }
    let mut all = optimizers! {
        "optim::Sgd" Sgd::with_config(SgdConfig { learning_rate: 0.05, momentum: 0.9, weight_decay: 0.01, ..SgdConfig::default() });
        "optim::Adam" Adam::new(0.05);
        "optim::AdamW" Adam::with_config(AdamConfig { weight_decay: 0.01, decoupled: true, amsgrad: true, ..AdamConfig::default() });
        "optim::Rmsprop" Rmsprop::with_config(RmspropConfig { momentum: 0.5, centered: true, ..RmspropConfig::default() });
        "optim::Adagrad" Adagrad::new(0.05);
        "optim::Adadelta" Adadelta::new(1.0);
        "optim::Nadam" Nadam::new(0.05);
        "optim::Radam" Radam::new(0.05);
        "optim::Adamax" Adamax::new(0.05);
        "optim::Lion" Lion::new(0.05);
    };
    all.push(Entry::new("optim::Schedule", || {
        let mut bits = Bits::default();
        let schedules = [
            Schedule::Cosine { from: 0.1, to: 0.001, steps: 61 }.after_warmup(7),
            Schedule::Exponential { from: 0.1, factor: 0.97 },
            Schedule::Polynomial { from: 0.1, to: 0.001, steps: 61, power: 1.7 },
            Schedule::Step { from: 0.1, every: 3, factor: 0.7 },
            Schedule::InverseSqrt { peak: 0.1, warmup: 9 },
            Schedule::one_cycle(0.1, 61),
        ];
        schedules.iter().for_each(|schedule| (0..70).for_each(|step| bits.number(schedule.at(step))));
        Ok(bits)
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert::tape::rules;

    #[test]
    fn further_cases_are_of_listed_operations() {
        let table = rules::table();
        for (name, _) in further() {
            assert!(table.iter().any(|spec| spec.name == name), "{name}");
        }
    }

    #[test]
    fn names_are_different_and_hashes_depend_on_results() {
        let all = entries(rules::table());
        let mut names: Vec<_> = all.iter().map(|e| e.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        let of = |x: f64| {
            let mut bits = Bits::default();
            bits.tensor(&Tensor::from([1.0, x]));
            fingerprint(&bits.0)
        };
        assert_ne!(of(0.0), of(-0.0));
        assert_eq!(of(f64::NAN), of(-f64::NAN));
    }
}
