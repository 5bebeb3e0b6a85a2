//! Values and gradients of wengert's operations on random calls, for comparison with another engine.
//!
//! Prints one JSON object per line: the operation, the same call as an expression of PyTorch, inputs with their values, the
//! cotangent, and wengert's value and gradients, all in `f64`. `benches/conformance.py` evaluates the expressions and
//! compares.

mod indexing;
mod losses;
mod networks;
mod normalizing;
mod pointwise;
mod products;
mod reductions;
mod shapes;
mod windows;

use clap::Parser;
use serde_json::{Value, json};
use std::io::Write;
use wengert::ops::{Element, Tensor};
use wengert::tape::gradcheck::Gen;
use wengert::tape::{ErrorKind, RetainGraph, Tape, Var};

type Call = Box<dyn for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>>;

/// One call in both engines.
pub(crate) struct Sample {
    /// The call in PyTorch; inputs are `x[0]`, `x[1]`, …, plain tensors `i[0]`, `i[1]`, ….
    torch: String,
    inputs: Vec<Tensor<f64>>,
    /// Index tensors, masks, and numbers without a gradient.
    plain: Vec<Value>,
    call: Call,
}

impl Sample {
    pub(crate) fn new(
        torch: impl Into<String>,
        inputs: Vec<Tensor<f64>>,
        call: impl for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64> + 'static,
    ) -> Self {
        Sample { torch: torch.into(), inputs, plain: Vec::new(), call: Box::new(call) }
    }

    /// Adds a tensor of indices.
    pub(crate) fn with_index(mut self, index: &Tensor<i64>) -> Self {
        self.plain.push(json!({ "type": "int64", "shape": index.shape()[..], "values": index.to_vec() }));
        self
    }

    /// Adds a tensor of numbers that gets no gradient.
    pub(crate) fn with_numbers(mut self, t: &Tensor<f64>) -> Self {
        self.plain.push(json!({ "type": "float64", "shape": t.shape()[..], "values": t.to_vec() }));
        self
    }

    /// Adds a mask.
    pub(crate) fn with_mask(mut self, mask: &Tensor<bool>) -> Self {
        self.plain.push(json!({ "type": "bool", "shape": mask.shape()[..], "values": mask.to_vec() }));
        self
    }
}

/// An operation and a generator of calls.
pub(crate) struct Entry {
    name: &'static str,
    sample: Box<dyn Fn(&mut Gen) -> Sample>,
}

impl Entry {
    pub(crate) fn new(name: &'static str, sample: impl Fn(&mut Gen) -> Sample + 'static) -> Self {
        Entry { name, sample: Box::new(sample) }
    }
}

fn entries() -> Vec<Entry> {
    let mut all = pointwise::entries();
    all.extend(reductions::entries());
    all.extend(shapes::entries());
    all.extend(indexing::entries());
    all.extend(products::entries());
    all.extend(normalizing::entries());
    all.extend(windows::entries());
    all.extend(networks::entries());
    all.extend(losses::entries());
    all
}

/// The numbers of a tensor; those that JSON cannot represent are strings.
fn numbers<T: Element>(t: &Tensor<T>) -> Value
where
    f64: From<T>,
{
    let each = t.to_vec().into_iter().map(|v| {
        let v = f64::from(v);
        if v.is_finite() { json!(v) } else { json!(v.to_string()) }
    });
    json!({ "shape": t.shape()[..], "values": each.collect::<Vec<_>>() })
}

fn run(entry: &Entry, case: u64, seed: u64) -> anyhow::Result<Value> {
    let mut g = Gen::seeded(seed.wrapping_add(case).wrapping_mul(0x9e37_79b9));
    let sample = (entry.sample)(&mut g);
    let tape = Tape::new();
    let x: Vec<_> = sample.inputs.iter().map(|t| tape.var(t)).collect();
    let y = (sample.call)(&x);
    let value = y.value()?;
    let weights = (0..value.numel()).map(|_| g.number(-1.0, 1.0)).collect();
    let cotangent = Tensor::from_vec(weights, value.shape())?;
    // A function that is constant almost everywhere, as a count is, depends on no input; PyTorch's gradient has to be zero then.
    let grads = match tape.backward(&[(y, cotangent.clone())], RetainGraph::Nothing) {
        Err(e) if e.kind() == ErrorKind::NoGradient => None,
        grads => Some(grads?),
    };
    let gradient = |x: &Var<'_, f64>| grads.as_ref()?.wrt(*x).ok();
    let gradients: Vec<Value> = x.iter().map(|x| gradient(x).map_or(Value::Null, |g| numbers(&g))).collect();
    Ok(json!({
        "op": entry.name,
        "case": case,
        "torch": sample.torch,
        "x": sample.inputs.iter().map(numbers).collect::<Vec<_>>(),
        "i": sample.plain,
        "y": numbers(&value),
        "gy": numbers(&cotangent),
        "gx": gradients,
    }))
}

/// Random calls of wengert's operations with values and gradients, as JSON lines.
#[derive(Debug, Parser)]
struct Args {
    /// Number of calls of each operation
    #[arg(long, default_value_t = 50)]
    cases: u64,
    /// Seed of the calls
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Call only operations whose name contains this
    #[arg(long, default_value = "")]
    op: String,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for entry in entries().iter().filter(|e| e.name.contains(&args.op)) {
        for case in 0..args.cases {
            writeln!(out, "{}", run(entry, case, args.seed)?)?;
        }
    }
    Ok(out.flush()?)
}
