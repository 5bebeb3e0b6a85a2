//! Times wengert's operations on shapes that people use and on shapes and values that are hard, in `f32`, for the comparison with PyTorch.
//!
//! `bench-ops --describe` prints one JSON object per row: the operation, the shapes and values of its operands, and the same call as
//! an expression of PyTorch. Without it, the program reads commands from its standard input, `check ROW` or `time ROW MILLISECONDS`, and
//! answers each with a line of JSON. `benches/ops.py` starts it next to `benches/peers/torch/ops.py`, which has the same commands, and asks
//! both in turns.

mod indexing;
mod networks;
mod normalizing;
mod pointwise;
mod products;
mod reductions;
mod shapes;
mod windows;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};
use wengert::ops::Tensor;
use wengert::tape::{RetainGraph, Tape, Var};

/// A call of an operation; it returns one value or several.
type Call = Box<dyn for<'t> Fn(&[Var<'t, f32>], &Plain) -> Vec<Var<'t, f32>>>;

/// How an operand is filled. Both engines have the same numbers.
#[derive(Clone, Copy)]
enum Fill {
    /// Uniform noise.
    Between(f64, f64),
    /// Matrices far from singular: noise between -1 and 1, plus as much as they have rows on the diagonal.
    Regular,
    /// The same, symmetric.
    Symmetric,
}

/// An operand that gets a gradient.
#[derive(Clone)]
pub(crate) struct Input {
    shape: Vec<usize>,
    fill: Fill,
    /// Whether it is a transposed view: its last two axes are swapped in memory.
    turned: bool,
}

impl Input {
    /// The operand lies in memory with its last two axes swapped.
    pub(crate) fn turned(mut self) -> Self {
        self.turned = true;
        self
    }
}

/// An operand of numbers between two bounds.
pub(crate) fn between(shape: &[usize], low: f64, high: f64) -> Input {
    Input { shape: shape.to_vec(), fill: Fill::Between(low, high), turned: false }
}

/// An operand of numbers between -1 and 1.
pub(crate) fn real(shape: &[usize]) -> Input {
    between(shape, -1.0, 1.0)
}

/// An operand of matrices far from singular.
pub(crate) fn regular(shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), fill: Fill::Regular, turned: false }
}

/// An operand of symmetric positive matrices.
pub(crate) fn symmetric(shape: &[usize]) -> Input {
    Input { shape: shape.to_vec(), fill: Fill::Symmetric, turned: false }
}

/// What the numbers of all operands are multiplied by, or replaced by.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Values {
    Ordinary,
    /// Multiplied by 10⁻³⁹, so that they are denormal.
    Denormal,
    /// One in 16 is infinite and one in 16 is NaN.
    Special,
}

/// An operand without a gradient.
enum Operand {
    /// Random positions below a number.
    Index(Vec<usize>, usize),
    /// Distinct positions below a number.
    Distinct(Vec<usize>, usize),
    /// Booleans, half of them true.
    Mask(Vec<usize>),
    /// Numbers between two bounds.
    Numbers(Vec<usize>, f64, f64),
}

/// The operands without a gradient of a call, by their position in the row.
#[derive(Default)]
pub(crate) struct Plain(Vec<Filled>);

enum Filled {
    Index(Tensor<i64>),
    Mask(Tensor<bool>),
    Numbers(Tensor<f32>),
}

impl Plain {
    pub(crate) fn index(&self, i: usize) -> &Tensor<i64> {
        match &self.0[i] {
            Filled::Index(t) => t,
            _ => panic!("operand {i} is not an index"),
        }
    }

    pub(crate) fn mask(&self, i: usize) -> &Tensor<bool> {
        match &self.0[i] {
            Filled::Mask(t) => t,
            _ => panic!("operand {i} is not a mask"),
        }
    }

    pub(crate) fn numbers(&self, i: usize) -> &Tensor<f32> {
        match &self.0[i] {
            Filled::Numbers(t) => t,
            _ => panic!("operand {i} is not a tensor of numbers"),
        }
    }
}

/// One row of the table: an operation on operands of given shapes.
pub(crate) struct Row {
    /// The name in the table of operations, with the variant in parentheses.
    op: String,
    /// What the shapes do not say.
    note: String,
    /// The call in PyTorch; operands are `x[0]`, `x[1]`, …, those without a gradient `i[0]`, `i[1]`, ….
    torch: String,
    inputs: Vec<Input>,
    plain: Vec<Operand>,
    values: Values,
    /// Whether values are compared with PyTorch's before they are timed.
    compared: bool,
    call: Call,
}

impl Row {
    /// A call that returns one value.
    pub(crate) fn new(
        op: impl Into<String>,
        torch: impl Into<String>,
        inputs: Vec<Input>,
        call: impl for<'t> Fn(&[Var<'t, f32>], &Plain) -> Var<'t, f32> + 'static,
    ) -> Self {
        Self::many(op, torch, inputs, move |x, i| vec![call(x, i)])
    }

    /// A call that returns several values.
    pub(crate) fn many(
        op: impl Into<String>,
        torch: impl Into<String>,
        inputs: Vec<Input>,
        call: impl for<'t> Fn(&[Var<'t, f32>], &Plain) -> Vec<Var<'t, f32>> + 'static,
    ) -> Self {
        let (op, torch) = (op.into(), torch.into());
        let (note, plain, values, compared) = (String::new(), Vec::new(), Values::Ordinary, true);
        Row { op, note, torch, inputs, plain, values, compared, call: Box::new(call) }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    pub(crate) fn values(mut self, values: Values) -> Self {
        self.values = values;
        self
    }

    /// Values are random, or conventions differ: only shapes are compared.
    pub(crate) fn uncompared(mut self) -> Self {
        self.compared = false;
        self
    }

    /// Adds random positions below a number.
    pub(crate) fn index(mut self, shape: &[usize], below: usize) -> Self {
        self.plain.push(Operand::Index(shape.to_vec(), below));
        self
    }

    /// Adds distinct positions below a number.
    pub(crate) fn distinct(mut self, shape: &[usize], below: usize) -> Self {
        self.plain.push(Operand::Distinct(shape.to_vec(), below));
        self
    }

    /// Adds a mask, half of it true.
    pub(crate) fn mask(mut self, shape: &[usize]) -> Self {
        self.plain.push(Operand::Mask(shape.to_vec()));
        self
    }

    /// Adds numbers between two bounds.
    pub(crate) fn numbers(mut self, shape: &[usize], low: f64, high: f64) -> Self {
        self.plain.push(Operand::Numbers(shape.to_vec(), low, high));
        self
    }

    /// The shapes, the note and the kind of values.
    fn case(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        // Many operands of one shape are counted.
        for shapes in self.inputs.chunk_by(|a, b| a.shape == b.shape && a.turned == b.turned) {
            let one = format!("{:?}{}", shapes[0].shape, if shapes[0].turned { "ᵀ" } else { "" });
            parts.push(if shapes.len() == 1 { one } else { format!("{}×{one}", shapes.len()) });
        }
        if !self.note.is_empty() {
            parts.push(self.note.clone());
        }
        match self.values {
            Values::Ordinary => {}
            Values::Denormal => parts.push("denormal".into()),
            Values::Special => parts.push("NaN and ∞".into()),
        }
        parts.join(" ").replace(", ", ",")
    }

    fn describe(&self) -> Value {
        let inputs = self.inputs.iter().map(|x| {
            let (fill, low, high) = match x.fill {
                Fill::Between(low, high) => ("between", low, high),
                Fill::Regular => ("regular", -1.0, 1.0),
                Fill::Symmetric => ("symmetric", -1.0, 1.0),
            };
            json!({ "shape": x.shape, "fill": fill, "low": low, "high": high, "turned": x.turned })
        });
        let plain = self.plain.iter().map(|operand| match operand {
            Operand::Index(shape, below) => json!({ "kind": "index", "shape": shape, "below": below }),
            Operand::Distinct(shape, below) => json!({ "kind": "distinct", "shape": shape, "below": below }),
            Operand::Mask(shape) => json!({ "kind": "mask", "shape": shape }),
            Operand::Numbers(shape, low, high) => {
                json!({ "kind": "numbers", "shape": shape, "low": low, "high": high })
            }
        });
        let values = match self.values {
            Values::Ordinary => "ordinary",
            Values::Denormal => "denormal",
            Values::Special => "special",
        };
        json!({
            "op": self.op, "case": self.case(), "torch": self.torch, "values": values,
            "compared": self.compared && self.values == Values::Ordinary,
            "x": inputs.collect::<Vec<_>>(), "i": plain.collect::<Vec<_>>(),
        })
    }
}

fn rows() -> Vec<Row> {
    let mut all = pointwise::rows();
    all.extend(reductions::rows());
    all.extend(shapes::rows());
    all.extend(indexing::rows());
    all.extend(products::rows());
    all.extend(normalizing::rows());
    all.extend(windows::rows());
    all.extend(networks::rows());
    all
}

/// A random integer that depends on a position and on the number of the tensor; `benches/peers/torch/ops.py` has the same.
fn noise(position: usize, salt: u32) -> u32 {
    let mut h = (position as u32).wrapping_add(salt.wrapping_mul(0x0100_0193)).wrapping_mul(0x9e37_79b1);
    h ^= h >> 15;
    h = h.wrapping_mul(0x85eb_ca77);
    h ^ (h >> 13)
}

/// A random number between two bounds.
fn number(position: usize, salt: u32, low: f64, high: f64) -> f64 {
    low + (high - low) * (f64::from(noise(position, salt)) / 4_294_967_296.0)
}

fn floats(shape: &[usize], salt: u32, low: f64, high: f64, values: Values) -> Result<Tensor<f32>> {
    let one = |i| {
        let v = number(i, salt, low, high);
        match (values, i % 16) {
            (Values::Denormal, _) => v * 1e-39,
            (Values::Special, 3) => f64::INFINITY,
            (Values::Special, 11) => f64::NAN,
            _ => v,
        }
    };
    Ok(Tensor::from_vec((0..shape.iter().product()).map(|i| one(i) as f32).collect(), shape)?)
}

fn filled(x: &Input, salt: u32, values: Values) -> Result<Tensor<f32>> {
    let mut shape = x.shape.clone();
    let rank = shape.len();
    if x.turned {
        ensure!(rank >= 2, "a transposed operand has two axes");
        shape.swap(rank - 2, rank - 1);
    }
    let t = match x.fill {
        Fill::Between(low, high) => floats(&shape, salt, low, high, values)?,
        Fill::Regular | Fill::Symmetric => {
            let n = shape[rank - 1];
            let t = floats(&shape, salt, -1.0, 1.0, Values::Ordinary)?;
            let t = if matches!(x.fill, Fill::Symmetric) { t.add(t.t()?)?.scale(0.5) } else { t };
            t.add(Tensor::eye(n)?.scale(n as f64))?
        }
    };
    Ok(if x.turned { t.t()? } else { t })
}

fn operand(of: &Operand, salt: u32) -> Result<Filled> {
    let count = |shape: &[usize]| shape.iter().product::<usize>();
    Ok(match of {
        Operand::Index(shape, below) => {
            let at = (0..count(shape)).map(|i| i64::from(noise(i, salt)) % *below as i64).collect();
            Filled::Index(Tensor::from_vec(at, &shape[..])?)
        }
        Operand::Distinct(shape, below) => {
            // 7919 is prime, so that multiples are distinct below every number that it does not divide.
            ensure!(count(shape) <= *below && below % 7919 != 0, "distinct positions");
            let at = (0..count(shape)).map(|i| (i * 7919 % below) as i64).collect();
            Filled::Index(Tensor::from_vec(at, &shape[..])?)
        }
        Operand::Mask(shape) => {
            let bits = (0..count(shape)).map(|i| noise(i, salt) >> 31 == 1).collect();
            Filled::Mask(Tensor::from_vec(bits, &shape[..])?)
        }
        Operand::Numbers(shape, low, high) => {
            Filled::Numbers(floats(shape, salt, *low, *high, Values::Ordinary)?)
        }
    })
}

/// A row with its operands, ready to run.
struct Bench<'a> {
    row: &'a Row,
    inputs: Vec<Tensor<f32>>,
    plain: Plain,
    cotangents: Vec<Tensor<f32>>,
    /// Whether a gradient flows to an operand.
    differentiable: bool,
}

impl<'a> Bench<'a> {
    fn new(row: &'a Row) -> Result<Self> {
        let inputs: Vec<_> = row
            .inputs
            .iter()
            .enumerate()
            .map(|(k, x)| filled(x, k as u32, row.values))
            .collect::<Result<_>>()?;
        let plain =
            row.plain.iter().enumerate().map(|(k, p)| operand(p, 100 + k as u32)).collect::<Result<_>>()?;
        let mut bench =
            Bench { row, inputs, plain: Plain(plain), cotangents: Vec::new(), differentiable: true };
        let tape = Tape::train(0);
        let x: Vec<_> = bench.inputs.iter().map(|t| tape.var(t)).collect();
        for (k, y) in (row.call)(&x, &bench.plain).into_iter().enumerate() {
            let shape = y.value()?.shape().to_vec();
            bench.cotangents.push(floats(&shape, 200 + k as u32, -1.0, 1.0, Values::Ordinary)?);
        }
        Ok(bench)
    }

    fn forward(&self, tape: &mut Tape<f32>) -> Result<()> {
        tape.reset();
        let x: Vec<_> = self.inputs.iter().map(|t| tape.var(t)).collect();
        for y in std::hint::black_box((self.row.call)(&x, &self.plain)) {
            ensure!(!y.is_failed(), "a failed value");
        }
        Ok(())
    }

    fn both(&self, tape: &mut Tape<f32>) -> Result<()> {
        tape.reset();
        let x: Vec<_> = self.inputs.iter().map(|t| tape.var(t)).collect();
        let y = (self.row.call)(&x, &self.plain);
        let seeds: Vec<_> = y.into_iter().zip(self.cotangents.iter().cloned()).collect();
        let grads = tape.backward(&seeds, RetainGraph::Nothing)?;
        for x in x {
            std::hint::black_box(grads.wrt(x).ok());
        }
        Ok(())
    }

    /// The shapes of the values, and sums of the absolute values of values and gradients.
    fn check(&self) -> Result<Value> {
        let tape = Tape::train(0);
        let x: Vec<_> = self.inputs.iter().map(|t| tape.var(t)).collect();
        let y = (self.row.call)(&x, &self.plain);
        let size = |t: &Tensor<f32>| t.to_vec().into_iter().map(|v| f64::from(v).abs()).sum::<f64>();
        let values = y.iter().map(|y| y.value()).collect::<Result<Vec<_>, _>>()?;
        let seeds: Vec<_> = y.into_iter().zip(self.cotangents.iter().cloned()).collect();
        let grads = tape.backward(&seeds, RetainGraph::Nothing)?;
        let gradients: Vec<f64> = x.iter().map(|x| grads.wrt(*x).map_or(0.0, |g| size(&g))).collect();
        Ok(json!({
            "shapes": values.iter().map(|y| y.shape().to_vec()).collect::<Vec<_>>(),
            "values": text(&values.iter().map(size).collect::<Vec<_>>()),
            "gradients": text(&gradients),
        }))
    }

    fn time(&self, budget: Duration) -> Result<Value> {
        let mut tape = Tape::train(0);
        let forward = median(budget, || self.forward(&mut tape))?;
        let both = if self.differentiable { median(budget, || self.both(&mut tape))? } else { 0.0 };
        Ok(json!({ "forward": forward, "both": both }))
    }
}

/// Numbers as text, since JSON has no infinity.
fn text(numbers: &[f64]) -> Vec<String> {
    numbers.iter().map(f64::to_string).collect()
}

/// The median time of a call in seconds: repeated for the given time, and at least three times (once if it is slow), after a call to warm up.
fn median(budget: Duration, mut f: impl FnMut() -> Result<()>) -> Result<f64> {
    f()?;
    let start = Instant::now();
    f()?;
    let once = start.elapsed().max(Duration::from_nanos(50));
    // One reading of the clock for 20 μs of calls.
    let calls = (Duration::from_micros(20).as_nanos() / once.as_nanos()).clamp(1, 200) as u32;
    let mut times = if calls == 1 { vec![once.as_secs_f64()] } else { Vec::new() };
    let start = Instant::now();
    // A slow call is timed once, so that one row does not take minutes.
    let least = if once > Duration::from_millis(200) { 1 } else { 3 };
    while times.len() < least || start.elapsed() + once < budget {
        let turn = Instant::now();
        for _ in 0..calls {
            f()?;
        }
        times.push(turn.elapsed().as_secs_f64() / f64::from(calls));
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Times operations, as `benches/ops.py` asks.
#[derive(Debug, Parser)]
struct Args {
    /// Print the rows instead of timing them
    #[arg(long)]
    describe: bool,
    /// Number of threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

fn answer<'a>(rows: &'a [Row], current: &mut Option<(usize, Bench<'a>)>, line: &str) -> Result<Value> {
    let mut words = line.split_whitespace();
    let (command, row) = (words.next(), words.next().context("expected a row")?.parse::<usize>()?);
    if current.as_ref().is_none_or(|(i, _)| *i != row) {
        *current = None;
        *current = Some((row, Bench::new(rows.get(row).context("no such row")?)?));
    }
    let (_, bench) = current.as_ref().context("no row")?;
    match command {
        Some("check") => bench.check(),
        Some("time") => {
            let ms = words.next().context("expected milliseconds")?.parse()?;
            bench.time(Duration::from_millis(ms))
        }
        _ => bail!("expected `check` or `time`"),
    }
}

fn main() -> Result<()> {
    let args = Args::parse();
    let rows = rows();
    let mut out = std::io::stdout().lock();
    if args.describe {
        for row in &rows {
            writeln!(out, "{}", row.describe())?;
        }
        return Ok(());
    }
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    let mut current = None;
    for line in std::io::stdin().lines() {
        let reply =
            answer(&rows, &mut current, &line?).unwrap_or_else(|e| json!({ "error": format!("{e:#}") }));
        writeln!(out, "{reply}")?;
        out.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    /// Operations without a row, each with its reason.
    const WITHOUT: [(&str, &str); 0] = [];

    #[test]
    fn every_listed_operation_has_three_rows() {
        let rows = super::rows();
        let mut missing = BTreeSet::new();
        for spec in wengert::tape::rules::table() {
            let cases = rows.iter().filter(|r| r.op.split(" (").next() == Some(spec.name)).count();
            if cases < 3 && !WITHOUT.iter().any(|(name, _)| *name == spec.name) {
                missing.insert(format!("{} has {cases}", spec.name));
            }
        }
        assert!(
            missing.is_empty(),
            "operations with fewer than three rows in benches/src/opbench: {missing:#?}"
        );
    }

    #[test]
    fn rows_have_different_names_and_call_operations_that_exist() {
        let listed: HashSet<_> = wengert::tape::rules::table().iter().map(|s| s.name).collect();
        let mut seen = HashSet::new();
        for row in super::rows() {
            assert!(seen.insert((row.op.clone(), row.case())), "{} {} twice", row.op, row.case());
            let name = row.op.split(" (").next().unwrap_or_default();
            assert!(listed.contains(name), "{name} is not in the table of operations");
        }
    }
}
